//! A place in the queue of this machine, and what it becomes.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Queue;
use crate::{Fence, Held, LockError, LockSet, Standing};

/// How often a wait for the end looks.
const LOOK: Duration = Duration::from_millis(20);

/// A ticket in the queue, which is gone when this is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) queue: Arc<Queue>,
    pub(super) id: String,
    pub(super) set: LockSet,
    /// Locked as long as it is open: by this the others know that we live.
    pub(super) alive: Option<File>,
    pub(super) process: u32,
}

impl Place {
    fn leave(&mut self) -> Result<(), LockError> {
        let Some(alive) = self.alive.take() else { return Ok(()) };
        // A forked child has a copy of everything, and no right to give it back.
        if std::process::id() != self.process {
            return Ok(());
        }
        let left = self.queue.leave(&self.id);
        // Even if the queue could not be changed: a ticket whose file is not locked keeps nobody out.
        let _ = std::fs::remove_file(self.queue.chain.live().join(&self.id));
        drop(alive);
        left
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

#[derive(Debug)]
pub(super) struct LocalHeld {
    pub(super) place: Place,
    pub(super) fence: Fence,
    pub(super) lost: AtomicBool,
}

impl Held for LocalHeld {
    fn fence(&self) -> Fence {
        self.fence
    }

    fn set(&self) -> &LockSet {
        &self.place.set
    }

    fn id(&self) -> &str {
        &self.place.id
    }

    fn is_lost(&self) -> bool {
        matches!(self.check(), Err(LockError::Lost(_)))
    }

    fn check(&self) -> Result<(), LockError> {
        if std::process::id() != self.place.process {
            return Err(LockError::Lost("it is held by the process that forked this one".to_owned()));
        }
        if !self.lost.load(Ordering::Relaxed) {
            let (_, state) = self.place.queue.chain.load()?;
            if state.standing(&self.place.id) == Some(Standing::Held(self.fence)) {
                return Ok(());
            }
            self.lost.store(true, Ordering::Relaxed);
        }
        Err(LockError::Lost("it was broken".to_owned()))
    }

    fn wait_lost(&self, timeout: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if self.is_lost() {
                return true;
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(LOOK.min(left));
        }
    }

    fn release(mut self: Box<Self>) -> Result<(), LockError> {
        self.place.leave()
    }
}
