//! Waiting for work on the engine's threads without holding Python up: the interpreter is left to others meanwhile,
//! Ctrl-C is seen, and progress is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hypostyle::{Error, ErrorKind, JoinOptions, Pending, Result, Run, Store};
use pyo3::prelude::*;

use crate::errors::OrRaise;

/// How soon a signal is seen.
const TICK: Duration = Duration::from_millis(20);
/// How long work that was told to stop is waited for. What it holds is its own, so it may end later.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

/// Runs `work`, with a store if it is with one, on the engine's threads until it ends, the deadline passes, or a signal comes.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    store: Option<&Store>,
    mut options: JoinOptions,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&JoinOptions) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let timeout = options.timeout;
    let started = Instant::now();
    let new_run = options.new_run();
    let run = options.run.get_or_insert_with(|| Arc::new(new_run));
    let run = Arc::clone(run);
    let for_pool = options.clone();
    let work = move || work(&options);
    let mut pending = match store {
        Some(store) => store.spawn(&for_pool, work),
        None => hypostyle::spawn(&for_pool, work),
    }
    .or_raise(py)?;
    let mut told = Instant::now();
    loop {
        if let Some(done) = step(py, &mut pending, TICK) {
            tell(progress, &run)?;
            return done.or_raise(py);
        }
        if let Err(signal) = py.check_signals() {
            run.cancel();
            step(py, &mut pending, PATIENCE);
            return Err(signal);
        }
        if timeout.is_some_and(|timeout| started.elapsed() > timeout) {
            run.cancel();
            // Whatever it makes of the deadline, it names the place.
            let done = step(py, &mut pending, PATIENCE).and_then(Result::err);
            let late = || Error::new(ErrorKind::Timeout, "the deadline passed");
            return Err(done.filter(|e| e.kind() == ErrorKind::Timeout).unwrap_or_else(late)).or_raise(py);
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tell(progress, &run).inspect_err(|_| run.cancel())?;
        }
    }
}

fn step<T: Send + 'static>(
    py: Python<'_>,
    pending: &mut Pending<T>,
    patience: Duration,
) -> Option<Result<T>> {
    py.detach(|| pending.wait_for(patience))
}

fn tell(progress: Option<&Bound<'_, PyAny>>, run: &Run) -> PyResult<()> {
    let Some(progress) = progress else { return Ok(()) };
    let counters = &run.counters;
    let done = counters.units_done.load(Ordering::Relaxed);
    progress.call1((done, counters.units_planned.load(Ordering::Relaxed).max(done))).map(drop)
}
