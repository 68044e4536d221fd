//! Until when a run waits, and for what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// How soon a caller that waits sees that its run was cancelled.
const TICK: Duration = Duration::from_millis(20);

/// How long one of several roots is waited for by a run without a deadline.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(10);

/// How many files an error names.
const NAMED: usize = 4;

/// What all threads that wait for one run share.
#[derive(Debug)]
pub(crate) struct Patience {
    started: Instant,
    deadline: Option<Instant>,
    cancelled: AtomicBool,
    /// Files that are waited for, and by how many requests.
    waited_for: Mutex<BTreeMap<PathBuf, usize>>,
}

impl Patience {
    pub(crate) fn new(started: Instant, deadline: Option<Instant>) -> Self {
        Self { started, deadline, cancelled: AtomicBool::new(false), waited_for: Mutex::default() }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<()> {
        // Who cancels a run whose deadline has passed wants to know what it waited for.
        if self.deadline.is_some_and(|d| Instant::now() > d) {
            return Err(self.late());
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "the work was cancelled"));
        }
        Ok(())
    }

    /// That the deadline passed, and which files were waited for.
    fn late(&self) -> Error {
        let waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paths = waited_for.keys();
        let Some(first) = paths.next() else {
            return Error::new(ErrorKind::Timeout, "the deadline passed");
        };
        let more: Vec<String> = paths.by_ref().take(NAMED - 1).map(|p| p.display().to_string()).collect();
        let rest = paths.count();
        let mut message = "the deadline passed while storage was waited for".to_owned();
        if !more.is_empty() {
            message += &format!("; so it was for {}", more.join(", "));
        }
        if rest > 0 {
            message += &format!(" and {rest} more");
        }
        Error::new(ErrorKind::Timeout, message).path(first)
    }

    /// When to look up at the latest.
    pub(super) fn next_look(&self, now: Instant) -> Instant {
        let tick = now + TICK;
        // Just behind the deadline, so that it has passed for whoever looks.
        self.deadline.map_or(tick, |d| tick.min(d + Duration::from_micros(1)))
    }

    /// Until when the first `tried` of `ways` are waited for alone, the last of them having been asked at `asked`.
    pub(super) fn share(&self, tried: usize, ways: usize, asked: Instant) -> Instant {
        let (Ok(tried), Ok(ways)) = (u32::try_from(tried), u32::try_from(ways)) else { return asked };
        match self.deadline {
            Some(deadline) => {
                self.started + deadline.saturating_duration_since(self.started) * tried / ways.max(1)
            }
            None => asked + WITHOUT_DEADLINE,
        }
    }

    pub(super) fn begin(&self, path: &Path) {
        let mut waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        *waited_for.entry(path.to_owned()).or_default() += 1;
    }

    pub(super) fn end(&self, path: &Path) {
        let mut waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(many) = waited_for.get_mut(path) {
            *many -= 1;
            if *many == 0 {
                waited_for.remove(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_a_few_of_the_files_that_are_waited_for() {
        let now = Instant::now();
        let patience = Patience::new(now, now.checked_sub(Duration::from_millis(1)));
        let message = || patience.check().unwrap_err().to_string();
        assert_eq!(message(), "the deadline passed");
        let paths: Vec<PathBuf> = (0..6).map(|i| PathBuf::from(format!("/m/{i}"))).collect();
        paths.iter().for_each(|p| patience.begin(p));
        patience.begin(&paths[0]);
        let text = "the deadline passed while storage was waited for";
        assert_eq!(message(), format!("file /m/0: {text}; so it was for /m/1, /m/2, /m/3 and 2 more"));
        paths.iter().for_each(|p| patience.end(p));
        assert_eq!(message(), format!("file /m/0: {text}"));
        patience.end(&paths[0]);
        assert_eq!(message(), "the deadline passed");
    }
}
