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

/// What becomes of work during which a signal comes.
#[derive(Debug)]
pub(crate) enum Interrupted<T> {
    /// It only looks, or waits for others: it may end later, and nobody is told how.
    Leave,
    /// It changes something: it is waited for, so that what was done is known and can be told. A second signal leaves
    /// it, too.
    Finish(fn(&T) -> Option<String>),
}

/// Runs `work`, which waits for others or for disks, on a thread of its own, so that it keeps no join waiting. A signal
/// cancels `run`. What work did nevertheless stands in the signal's notes.
pub(crate) fn wait_apart<T: Send + 'static>(
    py: Python<'_>,
    run: Option<&Run>,
    interrupted: Interrupted<T>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let mut pending = hypostyle::spawn_apart(work).or_raise(py)?;
    loop {
        if let Some(done) = step(py, &mut pending, TICK) {
            return done.or_raise(py);
        }
        let Err(signal) = py.check_signals() else { continue };
        if let Some(run) = run {
            run.cancel();
        }
        let Interrupted::Finish(told) = interrupted else {
            step(py, &mut pending, PATIENCE);
            return Err(signal);
        };
        let done = loop {
            if let Some(done) = step(py, &mut pending, TICK) {
                break Some(done);
            }
            if py.check_signals().is_err() {
                break None;
            }
        };
        let note = match done {
            Some(Ok(done)) => {
                told(&done).map(|done| format!("it was done before it could be stopped: {done}"))
            }
            Some(Err(error)) if error.kind() == ErrorKind::Cancelled => None,
            Some(Err(error)) => Some(format!("it failed before it could be stopped: {error}")),
            None => Some("it goes on, and what becomes of it is not known".to_owned()),
        };
        if let Some(note) = note {
            signal.value(py).call_method1("add_note", (note,))?;
        }
        return Err(signal);
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
