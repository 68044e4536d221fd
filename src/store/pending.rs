//! Work that is under way, for callers that look up in between: for a signal, or to draw a bar.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::pool::Lane;
use super::{JoinOptions, Store, pool};
use crate::{Error, Result};

/// Work that was begun with [`spawn`].
///
/// Dropped, it leaves the work alone: to end it, cancel its [`Run`](crate::Run).
#[derive(Debug)]
pub struct Pending<T> {
    outcome: Receiver<Result<T>>,
    process: u32,
}

/// Begins work on the threads that `options` asks for, and returns at once. What `work` asks of a store with the
/// same options, or without a number of threads, is done on these threads.
///
/// ```
/// use std::time::Duration;
/// use hypostyle::{JoinOptions, spawn};
///
/// let mut pending = spawn(&JoinOptions::default(), || Ok(6 * 7))?;
/// let answer = loop {
///     if let Some(answer) = pending.wait_for(Duration::from_millis(50)) {
///         break answer?;
///     }
///     // Here a program looks whether its user is still waiting.
/// };
/// assert_eq!(answer, 42);
/// # Ok::<(), hypostyle::Error>(())
/// ```
///
/// # Errors
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a number of threads that cannot be, and
/// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when they cannot be started.
pub fn spawn<T: Send + 'static>(
    options: &JoinOptions,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<Pending<T>> {
    spawn_on(Lane::here(options.threads), work)
}

impl Store {
    /// Begins work with this store, as [`spawn`] does, on the threads that its joins work on. Where its root is on a
    /// mount that can hang, these are none that other stores' joins need.
    ///
    /// # Errors
    /// Those of [`spawn`].
    pub fn spawn<T: Send + 'static>(
        &self,
        options: &JoinOptions,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Pending<T>> {
        spawn_on(self.lane(options), work)
    }
}

/// Begins work on a thread of its own, and returns at once: for what waits for others more than it computes, such as
/// a write to a managed store, and so is to keep no join from the threads that joins work on.
///
/// ```
/// use std::time::Duration;
/// use hypostyle::spawn_apart;
///
/// let mut pending = spawn_apart(|| Ok(6 * 7))?;
/// let answer = loop {
///     if let Some(answer) = pending.wait_for(Duration::from_millis(50)) {
///         break answer?;
///     }
/// };
/// assert_eq!(answer, 42);
/// # Ok::<(), hypostyle::Error>(())
/// ```
///
/// # Errors
/// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when no thread can be started.
pub fn spawn_apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<Pending<T>> {
    let (done, outcome) = sync_channel(1);
    let thread = std::thread::Builder::new().name("hypostyle-apart".to_owned());
    let started = thread.spawn(move || answer(work, &done));
    started.map_err(|e| Error::limit(format!("a thread could not be started: {e}")))?;
    Ok(Pending { outcome, process: std::process::id() })
}

fn spawn_on<T: Send + 'static>(
    lane: Lane,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<Pending<T>> {
    // With room for the outcome: a thread of the pool never waits for who wants it.
    let (done, outcome) = sync_channel(1);
    pool::of(lane)?.spawn(move || answer(work, &done));
    Ok(Pending { outcome, process: std::process::id() })
}

fn answer<T>(work: impl FnOnce() -> Result<T>, done: &SyncSender<Result<T>>) {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()));
    // Nobody waits any more if this fails.
    let _ = done.send(result);
}

impl<T> Pending<T> {
    /// Waits, but no longer than this: `None` says that the work is not done yet. The outcome is given once.
    ///
    /// A panic in the work is an [`Internal`](crate::ErrorKind::Internal) error, and so is to wait, in a forked
    /// child, for work that the parent began: it is not done here.
    pub fn wait_for(&mut self, longest: Duration) -> Option<Result<T>> {
        if self.process != std::process::id() {
            return Some(Err(Error::internal(
                "the work was begun before the process forked, and is the parent's",
            )));
        }
        match self.outcome.recv_timeout(longest) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Error::internal("the outcome was taken before"))),
        }
    }
}

fn panicked() -> Error {
    Error::internal("the work panicked").hint("this is a bug: please report it with the message on stderr")
}

#[cfg(test)]
mod tests {
    use super::super::tests::world;
    use super::*;
    use crate::{ErrorKind, JoinSpec, TableSpec};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn work_is_waited_for_in_pieces_and_its_outcome_given_once() {
        let (go, wait) = sync_channel::<()>(0);
        let mut pending = spawn(&JoinOptions::default(), move || Ok(wait.recv().is_ok())).unwrap();
        assert!(pending.wait_for(Duration::from_millis(5)).is_none());
        go.send(()).unwrap();
        assert!(pending.wait_for(LONG).unwrap().unwrap());
        assert_eq!(pending.wait_for(LONG).unwrap().unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_panic_is_an_error_and_the_threads_live_on() {
        let options = JoinOptions { threads: Some(1), ..JoinOptions::default() };
        for _ in 0..3 {
            for mut pending in [
                spawn::<()>(&options, || panic!("on purpose")).unwrap(),
                spawn_apart::<()>(|| panic!("on purpose")).unwrap(),
            ] {
                assert_eq!(pending.wait_for(LONG).unwrap().unwrap_err().kind(), ErrorKind::Internal);
            }
        }
        let none = JoinOptions { threads: Some(0), ..JoinOptions::default() };
        assert_eq!(spawn(&none, || Ok(())).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    #[test]
    fn a_join_inside_is_done_on_the_same_threads() {
        let (_folder, store) = world();
        for threads in [None, Some(1), Some(3)] {
            let options = JoinOptions { threads: Some(1), ..JoinOptions::default() };
            let inner = JoinOptions { threads, ..JoinOptions::default() };
            let store = std::sync::Arc::clone(&store);
            let spec = JoinSpec::new(["k"]).table(TableSpec::named("int").columns(["x"]));
            let mut pending = spawn(&options, move || store.join_with(&spec, &inner)).unwrap();
            let frame = pending.wait_for(LONG).unwrap().unwrap();
            assert_eq!((frame.num_rows(), frame.stats().threads), (3, threads.unwrap_or(1)));
        }
    }
}
