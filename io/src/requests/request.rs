//! One question, the ways to ask it, and the wait for the first answer.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::Admit;
use super::lane::{Depth, Lane};
use super::patience::Patience;
use crate::error::{Error, ErrorKind, Result};

/// How a run asks.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) patience: Arc<Patience>,
    pub(crate) depth: Depth,
    /// Whether the next way is asked as soon as one is slower than it usually is.
    pub(crate) hedge: bool,
}

/// One way to an answer. The call is told whether its answer is still wanted.
pub(crate) struct Call<T> {
    pub(crate) lane: Arc<Lane>,
    /// The file, for errors.
    pub(crate) path: PathBuf,
    /// Which of the roots it goes to.
    pub(crate) root: usize,
    #[expect(clippy::type_complexity, reason = "a name for it would be used once")]
    pub(crate) make: Box<dyn FnOnce(&dyn Fn() -> bool) -> Result<T> + Send>,
}

/// A question that is under way.
pub(crate) struct Request<T> {
    rules: Rules,
    shared: Arc<Shared<T>>,
    left: std::vec::IntoIter<Call<T>>,
    /// The ways that were asked, in their order, and when the last was.
    asked: Vec<(Arc<Lane>, PathBuf, usize)>,
    last_asked: Instant,
    /// The way that is asked only to find out if its mount is back: nobody is to wait for that alone.
    probe: Option<usize>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    news: Condvar,
}

struct State<T> {
    answer: Option<(usize, T)>,
    attempts: Vec<Attempt>,
    error: Option<Error>,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Queued,
    Running,
    /// Nobody waits for it any more, and its thread is counted as left behind.
    Left,
    Ended,
}

/// Whether the next way is to be tried after that error: storage did not answer. All else is an answer.
pub(crate) fn goes_on(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Request<T> {
    /// Asks the first of `ways` now, or the next of them if the first is known not to answer.
    pub(crate) fn new(mut ways: Vec<Call<T>>, rules: &Rules) -> Self {
        if ways.len() > 1 {
            ways.sort_by_key(|way| way.lane.is_late());
        }
        let state = Mutex::new(State { answer: None, attempts: Vec::new(), error: None, is_over: false });
        let mut request = Self {
            rules: rules.clone(),
            shared: Arc::new(Shared { state, news: Condvar::new() }),
            asked: Vec::with_capacity(ways.len()),
            left: ways.into_iter(),
            last_asked: Instant::now(),
            probe: None,
        };
        request.ask_next();
        request
    }

    /// Asks the next way that takes the question.
    fn ask_next(&mut self) {
        for Call { lane, path, root, make } in self.left.by_ref() {
            self.last_asked = Instant::now();
            self.rules.patience.begin(&path);
            let at = self.asked.len();
            self.asked.push((Arc::clone(&lane), path.clone(), root));
            self.shared.lock().attempts.push(Attempt::Queued);
            let (shared, of) = (Arc::clone(&self.shared), Arc::clone(&lane));
            let job = Box::new(move || carry_out(&shared, at, &of, make));
            match lane.submit(self.rules.depth, job) {
                Ok(admit) => {
                    self.probe = (admit == Admit::Probe).then_some(at).or(self.probe);
                    return;
                }
                Err(error) => {
                    let mut state = self.shared.lock();
                    set(&mut state.attempts, at, Attempt::Ended);
                    state.error = Some(error.path(path));
                }
            }
        }
    }

    /// The first answer, and from which root it is.
    ///
    /// # Errors
    /// That of the last way that was tried; [`Timeout`](ErrorKind::Timeout), with the files that the run waits for,
    /// and [`Cancelled`](ErrorKind::Cancelled).
    pub(crate) fn wait(mut self) -> Result<(usize, T)> {
        let ways = self.asked.len() + self.left.len();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if let Some((at, answer)) = state.answer.take() {
                if let Some((lane, ..)) = self.asked.get(at).filter(|_| self.probe == Some(at)) {
                    lane.is_back();
                }
                let root = self.asked.get(at).map_or(0, |(_, _, root)| *root);
                return Ok((root, answer));
            }
            self.rules.patience.check()?;
            let now = Instant::now();
            let all_ended = state.attempts.iter().all(|a| *a == Attempt::Ended);
            let mut look = self.rules.patience.next_look(now);
            if self.left.len() > 0 {
                let next = self.next_way_at(ways);
                if (all_ended && state.error.as_ref().is_none_or(goes_on)) || now >= next {
                    drop(state);
                    if let Some((lane, ..)) =
                        self.asked.last().filter(|_| !all_ended && self.is_shared_out(ways))
                    {
                        lane.was_late();
                    }
                    self.ask_next();
                    state = shared.lock();
                    continue;
                }
                look = look.min(next);
            }
            if all_ended {
                let none = || Error::internal("a request that nobody was asked");
                return Err(state.error.take().unwrap_or_else(none));
            }
            let wait = look.saturating_duration_since(now).max(Duration::from_micros(50));
            state = shared.news.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the ways that were asked have had their share of the time.
    fn is_shared_out(&self, ways: usize) -> bool {
        Instant::now() >= self.rules.patience.share(self.asked.len(), ways, self.last_asked)
    }

    /// When the next way is asked, should there be no answer until then.
    fn next_way_at(&self, ways: usize) -> Instant {
        if self.probe.is_some_and(|at| at + 1 == self.asked.len()) {
            return self.last_asked;
        }
        let share = self.rules.patience.share(self.asked.len(), ways, self.last_asked);
        match self.asked.last() {
            Some((lane, ..)) if self.rules.hedge => share.min(self.last_asked + lane.speed.p95()),
            _ => share,
        }
    }
}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        for (attempt, (lane, path, _)) in state.attempts.iter_mut().zip(&self.asked) {
            self.rules.patience.end(path);
            // Whether it will come back nobody knows, and its place among those in flight is needed.
            if *attempt == Attempt::Running {
                *attempt = Attempt::Left;
                lane.left_behind();
            }
        }
    }
}

fn set(attempts: &mut [Attempt], at: usize, to: Attempt) -> Attempt {
    attempts.get_mut(at).map_or(Attempt::Ended, |attempt| std::mem::replace(attempt, to))
}

/// On a thread of the lane.
fn carry_out<T>(
    shared: &Shared<T>,
    at: usize,
    lane: &Lane,
    make: impl FnOnce(&dyn Fn() -> bool) -> Result<T>,
) {
    {
        let mut state = shared.lock();
        if state.is_over {
            set(&mut state.attempts, at, Attempt::Ended);
            return;
        }
        set(&mut state.attempts, at, Attempt::Running);
    }
    let began = Instant::now();
    let wanted = || !shared.lock().is_over;
    // The thread is not to end by a bug in one request.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(&wanted)));
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("reading panicked")));
    if outcome.is_ok() {
        lane.speed.note(began.elapsed());
    }
    let mut state = shared.lock();
    let was = set(&mut state.attempts, at, Attempt::Ended);
    match outcome {
        Ok(answer) if state.answer.is_none() && !state.is_over => state.answer = Some((at, answer)),
        Ok(_) => {}
        Err(error) => state.error = Some(error),
    }
    drop(state);
    if was == Attempt::Left {
        lane.came_back();
    }
    shared.news.notify_all();
}

impl<T> std::fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.asked.iter().map(|(_, path, _)| path)).finish()
    }
}
