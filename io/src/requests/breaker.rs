//! When a mount is asked no more: a circuit breaker, as a state that is told what happens and when.

use std::time::{Duration, Instant};

/// How long a mount is left alone before it is asked once more; twice as long after each time that it did not answer.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// How many times the bound may be left behind by a mount that answers most calls and hangs in some.
const PATIENT: usize = 4;

/// What may be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    Yes,
    /// Nobody knows whether the mount is back: this request finds out.
    Probe,
    No,
}

/// Counts the threads that were left behind in calls that did not return.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Threads in calls that nobody waits for any more.
    left: usize,
    /// Of these, those that were there when a later call was answered: they say nothing about the mount.
    pardoned: usize,
    paused: Option<(Instant, Duration)>,
}

impl Breaker {
    /// Whether another call may be made, when at most `bound` threads may be left behind; where the mount goes on
    /// answering others, a few times as many.
    pub(crate) fn admit(&mut self, bound: usize, now: Instant) -> Admit {
        let bound = bound.max(1);
        if self.left >= bound.saturating_mul(2 * PATIENT) {
            return Admit::No;
        }
        if self.left.saturating_sub(self.pardoned) < bound && self.left < bound.saturating_mul(PATIENT) {
            self.paused = None;
            return Admit::Yes;
        }
        match self.paused {
            None => {
                self.paused = Some((now + PAUSE, PAUSE));
                Admit::No
            }
            Some((until, pause)) if now >= until => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.paused = Some((now + pause, pause));
                Admit::Probe
            }
            Some(_) => Admit::No,
        }
    }

    /// A thread was left behind.
    pub(crate) fn left_behind(&mut self) {
        self.left += 1;
    }

    /// A call that was made to find out if the mount is back was answered.
    pub(crate) fn answered(&mut self) {
        self.pardoned = self.left;
    }

    /// Something happened that may have brought the mount back: it is not waited with to find out.
    pub(crate) fn may_be_back(&mut self) {
        if let Some((until, pause)) = &mut self.paused {
            *until = Instant::now();
            *pause = PAUSE;
        }
    }

    /// A thread that was left behind is back.
    pub(crate) fn came_back(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.pardoned = self.pardoned.min(self.left);
    }

    /// Threads that are left behind now.
    pub(crate) fn left(&self) -> usize {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_bound_lets_one_through_after_a_second_and_closes_when_the_mount_is_back() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.admit(3, at(0)), Admit::Yes);
            breaker.left_behind();
        }
        assert_eq!(breaker.admit(3, at(0)), Admit::No);
        assert_eq!(breaker.admit(3, at(999)), Admit::No);
        assert_eq!(breaker.admit(3, at(1000)), Admit::Probe);
        assert_eq!(breaker.admit(3, at(1001)), Admit::No);
        // It was not answered: the next one goes after twice the time.
        breaker.left_behind();
        assert_eq!(breaker.admit(3, at(2999)), Admit::No);
        assert_eq!(breaker.admit(3, at(3000)), Admit::Probe);
        // It was: all go, though four threads are still away.
        breaker.answered();
        assert_eq!((breaker.admit(3, at(3001)), breaker.left()), (Admit::Yes, 4));
        // As many again may be left behind.
        for _ in 0..3 {
            assert_eq!(breaker.admit(3, at(3002)), Admit::Yes);
            breaker.left_behind();
        }
        assert_eq!(breaker.admit(3, at(3003)), Admit::No);
        // Killing the daemon sends all threads back: the pause ends with that.
        (0..7).for_each(|_| breaker.came_back());
        assert_eq!((breaker.admit(3, at(3004)), breaker.left()), (Admit::Yes, 0));
    }
}
