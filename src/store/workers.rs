//! The threads of a pool, and whose turn it is to work on them.
//!
//! A join cuts its work into pieces for all threads. Were all callers' pieces there at once, each would be done when
//! nearly all are, and their memory be held meanwhile. So as many joins as there are threads are under way at a
//! time, and the others come in the order in which they asked.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hypostyle_io::Run;
use rayon::ThreadPool;

use super::pool::build;
use crate::{Error, Result};

/// How soon one who waits for a turn sees that the run was cancelled, or its deadline passed.
const TICK: Duration = Duration::from_millis(5);

/// Pools of as many threads each, with turns.
///
/// One is enough where joins work. Where they wait there are several, so that many can wait while each has only so
/// many threads as have cores to work on: of more, those that find no work take the cores from those that do.
pub(super) struct Workers {
    first: ThreadPool,
    /// Made when they are needed.
    others: Vec<OnceLock<Option<ThreadPool>>>,
    turns: Mutex<Turns>,
}

struct Turns {
    /// In each pool.
    taken: Vec<usize>,
    waiting: VecDeque<Waiting>,
}

enum Waiting {
    /// A caller, who is told.
    Caller(SyncSender<Turn>),
    /// Work that nobody stands still for.
    Work(Box<dyn FnOnce(Turn) + Send>),
}

/// The right to work on the threads of one of the pools, until it is dropped.
struct Turn {
    of: Option<Arc<Workers>>,
    pool: usize,
}

impl Workers {
    /// One pool, and as many more of the same size as are said.
    pub(super) fn new(first: ThreadPool, more: usize) -> Self {
        let turns = Mutex::new(Turns { taken: vec![0; 1 + more], waiting: VecDeque::new() });
        Self { first, others: (0..more).map(|_| OnceLock::new()).collect(), turns }
    }

    /// The threads of each pool.
    pub(super) fn threads(&self) -> usize {
        self.first.current_num_threads()
    }

    /// The pool of a turn; the first, if no further threads can be had.
    fn pool(&self, turn: &Turn) -> &ThreadPool {
        let other = turn.pool.checked_sub(1).and_then(|at| self.others.get(at));
        other.and_then(|pool| pool.get_or_init(|| build(self.threads()).ok()).as_ref()).unwrap_or(&self.first)
    }

    /// Does work on the threads when its turn comes, and returns at once.
    pub(super) fn spawn(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        let workers = Arc::clone(self);
        self.enter(Waiting::Work(Box::new(move |turn| {
            workers.pool(&turn).spawn(move || {
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
        let turn: Turn = loop {
            match told.recv_timeout(TICK) {
                Ok(turn) => break turn,
                Err(RecvTimeoutError::Timeout) => run.map_or(Ok(()), Run::check)?,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a turn was lost")),
            }
        };
        self.pool(&turn).install(work)
    }

    fn enter(self: &Arc<Self>, who: Waiting) {
        self.turns().waiting.push_back(who);
        self.give();
    }

    /// Gives turns, as long as there are any, to those who wait: in the pool that has most to give.
    fn give(self: &Arc<Self>) {
        loop {
            let mut turns = self.turns();
            let Turns { taken, waiting } = &mut *turns;
            let Some((pool, taken)) = taken.iter_mut().enumerate().min_by_key(|(_, taken)| **taken) else {
                return;
            };
            if *taken >= self.threads() {
                return;
            }
            let Some(next) = waiting.pop_front() else { return };
            *taken += 1;
            drop(turns);
            let turn = Turn { of: Some(Arc::clone(self)), pool };
            match next {
                Waiting::Work(start) => start(turn),
                // A caller who went away has no use for it. Dropped here, the turn would be given from within
                // itself, once for each who went.
                Waiting::Caller(tell) => {
                    if let Err(SendError(mut turn)) = tell.send(turn) {
                        turn.of = None;
                        self.gives_back(pool);
                    }
                }
            }
        }
    }

    fn gives_back(&self, pool: usize) {
        if let Some(taken) = self.turns().taken.get_mut(pool) {
            *taken -= 1;
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // What is under the lock is whole at every moment, also when a thread that held it panicked.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(workers) = self.of.take() {
            workers.gives_back(self.pool);
            workers.give();
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.turns();
        write!(
            f,
            "Workers({} threads in each of {} pools, {} turns taken, {} waiting)",
            self.threads(),
            turns.taken.len(),
            turns.taken.iter().sum::<usize>(),
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
        in_pools(threads, 1)
    }

    fn in_pools(threads: usize, pools: usize) -> Arc<Workers> {
        Arc::new(Workers::new(build(threads).unwrap(), pools - 1))
    }

    #[test]
    fn as_many_work_at_once_as_there_are_threads_and_all_get_their_turn() {
        for (threads, pools) in [(1, 1), (2, 1), (3, 1), (1, 3), (2, 2)] {
            let workers = in_pools(threads, pools);
            let (now, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..16 {
                    scope.spawn(|| {
                        for _ in 0..20 {
                            let work = || {
                                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                                std::thread::yield_now();
                                assert_eq!(rayon::current_num_threads(), threads);
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
            assert!((1..=threads * pools).contains(&most.into_inner()));
            assert_eq!(workers.turns().taken, vec![0; pools]);
        }
    }

    #[test]
    fn joins_that_wait_are_in_different_pools_as_long_as_there_are_any() {
        let workers = in_pools(2, 3);
        let (tell, told) = sync_channel(6);
        let go: Vec<SyncSender<()>> = (0..6)
            .map(|_| {
                let (tell, (go, wait)) = (tell.clone(), sync_channel(0));
                workers.spawn(move || {
                    tell.send(()).unwrap();
                    wait.recv().unwrap();
                });
                go
            })
            .collect();
        (0..6).for_each(|_| told.recv_timeout(Duration::from_secs(30)).unwrap());
        assert_eq!(workers.turns().taken, [2, 2, 2]);
        go.iter().for_each(|go| go.send(()).unwrap());
        workers.install(None, || Ok(())).unwrap();
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
