//! How fast a mount has answered lately.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many of the last answers count.
const LAST: usize = 128;

/// Fewer answers tell nothing.
const ENOUGH: usize = 20;

/// How long is waited where too little is known.
const UNKNOWN: Duration = Duration::from_millis(50);

/// The times that the last answers took, in microseconds, the next place to fill behind them.
#[derive(Debug, Default)]
pub(crate) struct Speed(Mutex<(Vec<u32>, usize)>);

impl Speed {
    pub(crate) fn note(&self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, next) = &mut *noted;
        match times.get_mut(*next) {
            Some(time) => *time = micros,
            None => times.push(micros),
        }
        *next = (*next + 1) % LAST;
    }

    /// The time within which 95 of 100 answers came.
    pub(crate) fn p95(&self) -> Duration {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        if times.len() < ENOUGH {
            return UNKNOWN;
        }
        let at = times.len() * 95 / 100;
        let (_, time, _) = times.select_nth_unstable(at);
        Duration::from_micros(u64::from(*time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nineteen_of_twenty_answers_came_within_it() {
        let speed = Speed::default();
        assert_eq!(speed.p95(), UNKNOWN);
        (0..1000).for_each(|_| speed.note(Duration::from_secs(9)));
        (1..=LAST as u64).for_each(|ms| speed.note(Duration::from_millis(ms)));
        assert_eq!(speed.p95(), Duration::from_millis(122));
    }
}
