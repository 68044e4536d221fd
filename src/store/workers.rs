//! The threads of a pool, and whose turn it is to work on them.
//!
//! A join cuts its work into pieces for all threads. Were all callers' pieces there at once, each would be done when
//! nearly all are, and their memory be held meanwhile. So as many joins as there are threads are under way at a
//! time, and the others come in the order in which they asked.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hypostyle_io::Run;
use rayon::ThreadPool;

use crate::{Error, Result};

/// How soon one who waits for a turn sees that the run was cancelled, or its deadline passed.
const TICK: Duration = Duration::from_millis(5);

/// A pool of threads with turns.
pub(super) struct Workers {
    pool: ThreadPool,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    taken: usize,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    /// A caller, who is told.
    Caller(SyncSender<Turn>),
    /// Work that nobody stands still for.
    Work(Box<dyn FnOnce(Turn) + Send>),
}

/// The right to work on the threads, until it is dropped.
struct Turn(Option<Arc<Workers>>);

impl Workers {
    pub(super) fn new(pool: ThreadPool) -> Self {
        Self { pool, turns: Mutex::default() }
    }

    pub(super) fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Does work on the threads when its turn comes, and returns at once.
    pub(super) fn spawn(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        let workers = Arc::clone(self);
        self.enter(Waiting::Work(Box::new(move |turn| {
            workers.pool.spawn(move || {
                let _turn = turn;
                work();
            });
        })));
    }

    /// Does work on the threads, as soon as it is its turn, and waits for it.
    ///
    /// # Errors
    /// When the run is cancelled, or late, before its turn comes.
    pub(super) fn install<T: Send>(
        self: &Arc<Self>,
        run: Option<&Run>,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let (tell, told) = sync_channel(1);
        self.enter(Waiting::Caller(tell));
        let _turn: Turn = loop {
            match told.recv_timeout(TICK) {
                Ok(turn) => break turn,
                Err(RecvTimeoutError::Timeout) => run.map_or(Ok(()), Run::check)?,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a turn was lost")),
            }
        };
        self.pool.install(work)
    }

    fn enter(self: &Arc<Self>, who: Waiting) {
        self.turns().waiting.push_back(who);
        self.give();
    }

    /// Gives turns, as long as there are any, to those who wait.
    fn give(self: &Arc<Self>) {
        loop {
            let mut turns = self.turns();
            if turns.taken >= self.threads() {
                return;
            }
            let Some(next) = turns.waiting.pop_front() else { return };
            turns.taken += 1;
            drop(turns);
            let turn = Turn(Some(Arc::clone(self)));
            match next {
                Waiting::Work(start) => start(turn),
                // A caller who went away has no use for it. Dropped here, the turn would be given from within
                // itself, once for each who went.
                Waiting::Caller(tell) => {
                    if let Err(SendError(mut turn)) = tell.send(turn) {
                        turn.0 = None;
                        self.turns().taken -= 1;
                    }
                }
            }
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // What is under the lock is whole at every moment, also when a thread that held it panicked.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(workers) = self.0.take() {
            workers.turns().taken -= 1;
            workers.give();
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.turns();
        write!(
            f,
            "Workers({} threads, {} turns taken, {} waiting)",
            self.threads(),
            turns.taken,
            turns.waiting.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;
    use crate::ErrorKind;

    fn workers(threads: usize) -> Arc<Workers> {
        Arc::new(Workers::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()))
    }

    #[test]
    fn as_many_work_at_once_as_there_are_threads_and_all_get_their_turn() {
        for threads in [1, 2, 3] {
            let workers = workers(threads);
            let (now, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..16 {
                    scope.spawn(|| {
                        for _ in 0..20 {
                            let work = || {
                                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                                std::thread::yield_now();
                                now.fetch_sub(1, Ordering::SeqCst);
                                Ok(())
                            };
                            workers.install(None, work).unwrap();
                            done.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
            });
            assert_eq!(done.into_inner(), 320);
            assert!((1..=threads).contains(&most.into_inner()));
            assert_eq!(workers.turns().taken, 0);
        }
    }

    #[test]
    fn turns_come_in_the_order_of_asking() {
        let workers = workers(1);
        let (go, wait) = sync_channel::<()>(0);
        workers.spawn(move || wait.recv().unwrap());
        let (tell, told) = sync_channel(100);
        for i in 0..100 {
            let tell = tell.clone();
            workers.spawn(move || tell.send(i).unwrap());
        }
        go.send(()).unwrap();
        assert!((0..100).all(|i| told.recv().unwrap() == i));
    }

    #[test]
    fn one_who_is_late_or_cancelled_goes_away_and_holds_nobody_up() {
        let workers = workers(1);
        let (go, wait) = sync_channel::<()>(0);
        workers.spawn(move || wait.recv().unwrap());
        let late = Run::new(1 << 20).with_timeout(Some(Duration::from_millis(20)));
        let cancelled = Run::new(1 << 20);
        cancelled.cancel();
        for (run, kind) in [(&late, ErrorKind::Timeout), (&cancelled, ErrorKind::Cancelled)] {
            for _ in 0..50 {
                let error = workers.install(Some(run), || Ok(())).unwrap_err();
                assert_eq!(error.kind(), kind);
            }
        }
        go.send(()).unwrap();
        let began = Instant::now();
        workers.install(None, || Ok(())).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(workers.turns().waiting.len(), 0);
    }

    #[test]
    fn work_that_panics_gives_its_turn_back() {
        let workers = workers(1);
        for _ in 0..3 {
            let work = || -> Result<()> { panic!("on purpose") };
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| workers.install(None, work)));
            assert!(outcome.is_err());
        }
        assert_eq!(workers.install(None, || Ok(7)).unwrap(), 7);
    }
}
