//! Whose turn it is to make the next snapshot: so that those who commit at the same time do not all write and sync a
//! manifest of which one alone can be the next.
//!
//! It saves work, and is never needed to be right: whoever waits for too long goes on without, and the link decides.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::now;

/// How long the turn is waited for: many times what a manifest takes.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whoever has the turn may be stopped; for so long nobody waits for it again, in nanoseconds.
const WITHOUT: u64 = 2_000_000_000;

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(400);

/// The turn, or none; given back when it is dropped.
#[derive(Debug, Default)]
pub(in super::super) struct Turn(
    #[cfg_attr(not(test), expect(dead_code, reason = "to be closed, which gives the turn back"))]
    Option<File>,
);

/// Who gives turns in one folder.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// When the turn did not come.
    missed: AtomicU64,
}

impl Turns {
    /// Waits for the turn, a file lock on the folder itself.
    pub(super) fn take(&self, folder: &Path) -> Turn {
        let missed = self.missed.load(Ordering::Relaxed);
        if missed > 0 && now().saturating_sub(missed) < WITHOUT {
            return Turn::default();
        }
        let Ok(file) = File::open(folder) else { return Turn::default() };
        let begun = Instant::now();
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if begun.elapsed() > PATIENCE {
                self.missed.store(now(), Ordering::Relaxed);
                return Turn::default();
            }
            std::thread::sleep(PAUSE);
        }
        Turn(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_turn_and_who_has_waited_for_long_goes_on_without() {
        let folder = tempfile::tempdir().unwrap();
        let turns = Turns::default();
        let first = turns.take(folder.path());
        assert!(first.0.is_some());
        let begun = Instant::now();
        let others = Turns::default();
        assert!(others.take(folder.path()).0.is_none());
        assert!(begun.elapsed() >= PATIENCE);
        // And does not wait again at once.
        let begun = Instant::now();
        assert!(others.take(folder.path()).0.is_none());
        assert!(begun.elapsed() < PATIENCE);
        drop(first);
        assert!(turns.take(folder.path()).0.is_some());
        assert!(Turns::default().take(&folder.path().join("none")).0.is_none());
    }
}
