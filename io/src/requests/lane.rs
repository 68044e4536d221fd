//! The threads that ask one mount, apart from those that decode.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Admit, Breaker};
use super::speed::Speed;
use crate::error::{Error, ErrorKind, Result};
use crate::mount::Mount;
use crate::process::ByProcess;

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// For how long a mount that was late is asked after the others.
const LATE: Duration = Duration::from_secs(2);

/// How many calls one mount is to have under way, and how many threads may be lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Requests in flight on one mount.
    pub in_flight: usize,
    /// Threads that may be left behind in calls that do not return, on one mount, before it is asked no more.
    pub left_behind: usize,
}

impl Default for Depth {
    fn default() -> Self {
        Self { in_flight: 32, left_behind: 64 }
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The requests to one mount: a queue, and threads that are started as they are needed.
///
/// The queue wakes one thread for a job and has none look for work meanwhile: where cores are few, threads that look
/// take them from the daemon that is to answer.
#[derive(Debug)]
pub(crate) struct Lane {
    /// What is said of it in errors: where the mount is.
    name: PathBuf,
    state: Mutex<State>,
    came: Condvar,
    pub(crate) speed: Speed,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job, those included that were told of one and have not taken it yet.
    idle: usize,
    breaker: Breaker,
    /// When it kept somebody waiting for more than its share of a run's time.
    late: Option<Instant>,
    /// The reading of the list of mounts that it was seen in last.
    reading: u64,
}

/// All lanes of this process, by the number of their mount.
#[derive(Debug, Default)]
struct Lanes(Mutex<HashMap<Option<u64>, Arc<Lane>>>);

static LANES: ByProcess<Lanes> = ByProcess::new();

/// The lane of a mount; local disks share one.
pub(crate) fn lane_of(mount: Option<&Mount>) -> Arc<Lane> {
    let lanes = LANES.get();
    let mut lanes = lanes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || Arc::new(Lane::new(mount.map_or_else(|| PathBuf::from("/"), |m| m.point.clone())));
    let lane = Arc::clone(lanes.entry(mount.map(|m| m.id)).or_insert_with(new));
    if let Some(mount) = mount {
        lane.seen_in(mount.reading);
    }
    lane
}

/// Threads that are left behind now in calls that did not return, over all mounts of this process.
pub fn threads_left_behind() -> usize {
    let lanes = LANES.get();
    let lanes = lanes.0.lock().unwrap_or_else(PoisonError::into_inner);
    lanes.values().map(|lane| lane.lock().breaker.left()).sum()
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { jobs, threads, idle, breaker, late, reading } = self;
        let mut shown = f.debug_struct("State");
        shown.field("jobs", &jobs.len()).field("threads", threads).field("idle", idle);
        shown.field("breaker", breaker).field("late", late).field("reading", reading).finish()
    }
}

impl Lane {
    pub(super) fn new(name: PathBuf) -> Self {
        Self { name, state: Mutex::default(), came: Condvar::new(), speed: Speed::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do the job. Whether it is one to find out if the mount is back is told.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) at once, when as many threads as may be are left behind already.
    pub(super) fn submit(self: &Arc<Self>, depth: Depth, job: Job) -> Result<Admit> {
        let mut state = self.lock();
        let admit = state.breaker.admit(depth.left_behind, Instant::now());
        if admit == Admit::No {
            let left = state.breaker.left();
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("the mount {} does not answer: {left} calls to it hang", self.name.display()),
            )
            .hint("it is asked again after a second, and used again as soon as it answers"));
        }
        state.jobs.push_back(job);
        let busy = state.threads.saturating_sub(state.breaker.left());
        let may = busy < depth.in_flight.max(1) || admit == Admit::Probe;
        if state.jobs.len() <= state.idle {
            self.came.notify_one();
        } else if may {
            let lane = Arc::clone(self);
            let thread = std::thread::Builder::new().name("hypostyle-io".to_owned());
            match thread.stack_size(1 << 20).spawn(move || lane.work()) {
                Ok(_) => state.threads += 1,
                Err(e) if state.threads == 0 => {
                    drop(state.jobs.pop_back());
                    return Err(Error::limit(format!("a thread for reading could not be started: {e}")));
                }
                Err(_) => {}
            }
        }
        Ok(admit)
    }

    /// After any mounting this may be another mount, which is to be asked at once.
    fn seen_in(&self, reading: u64) {
        let mut state = self.lock();
        if state.reading != reading {
            state.reading = reading;
            state.late = None;
            state.breaker.may_be_back();
        }
    }

    /// Whether it kept somebody waiting a moment ago, so that other ways are asked first.
    pub(super) fn is_late(&self) -> bool {
        self.lock().late.is_some_and(|since| since.elapsed() < LATE)
    }

    pub(super) fn was_late(&self) {
        self.lock().late = Some(Instant::now());
    }

    fn work(&self) {
        while let Some(job) = self.next_job() {
            job();
        }
    }

    /// The next job, or none if none came for so long that the thread is to end.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            state.idle += 1;
            let waited = self.came.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
        state.jobs.pop_front()
    }

    pub(super) fn left_behind(self: &Arc<Self>) {
        let mut state = self.lock();
        state.breaker.left_behind();
    }

    pub(super) fn came_back(&self) {
        self.lock().breaker.came_back();
    }

    /// The mount is back: it answered a call that was made to find that out.
    pub(super) fn is_back(&self) {
        self.lock().breaker.answered();
    }
}
