//! Locks for the processes and threads of one machine, in a folder on a local file system.
//!
//! [`state`] is the queue as a value, [`chain`] how it is kept and changed by many, [`live`] how the dead are known.

mod chain;
mod held;
mod live;
mod media;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

pub use media::local_file_system;

use self::chain::Chain;
use self::held::{LocalHeld, Place};
use self::live::Process;
use self::state::{Entry, GREATEST, State};
use crate::{Condemned, Fence, Held, LockError, LockSet, Locks, Owner, Standing, Ticket};

/// Between two looks at the queue: from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(16)];

/// Locks for the processes and threads of one machine, in a folder on a local file system.
///
/// A holder that ends, however it ends, holds nothing any more; one that is stopped goes on holding until it is
/// broken. No clock is needed, but for timeouts.
#[derive(Clone, Debug)]
pub struct LocalLocks {
    queue: Arc<Queue>,
    name: String,
}

/// What the clones of a [`LocalLocks`] share.
#[derive(Debug)]
struct Queue {
    chain: Chain,
}

impl LocalLocks {
    /// Locks that are kept in the folder `dir`. It is made by the first lock.
    ///
    /// # Errors
    /// [`LockError::Unsupported`] on a file system on which file locks are not known to hold (NFS, FUSE, …).
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, LockError> {
        local_file_system(dir.as_ref())?;
        // A later change of the working directory must not lead elsewhere.
        let dir = std::path::absolute(dir.as_ref()).map_err(|e| LockError::io(dir.as_ref(), &e))?;
        Ok(Self { queue: Arc::new(Queue { chain: Chain::new(&dir) }), name: String::new() })
    }

    /// The same locks, asked for under a name that others see.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { queue: Arc::clone(&self.queue), name: name.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.queue.chain.dir()
    }
}

impl Queue {
    fn is_dead(&self, entry: &Entry) -> bool {
        live::is_left_behind(&self.chain.live().join(&entry.id)) || entry.process.has_ended()
    }

    fn leave(&self, id: &str) -> Result<(), LockError> {
        self.chain.update(|state| {
            if state.find(id).is_some() {
                state.remove(id);
                state.advance(&|entry| self.is_dead(entry));
            }
        })
    }

    /// Waits until `place` is granted.
    fn wait(&self, place: &Place, begun: Instant, timeout: Duration) -> Result<Fence, LockError> {
        let [mut pause, longest] = PAUSES;
        let (mut number, mut state) = self.chain.load()?;
        loop {
            if let Some(fence) = granted(&state, &place.id)? {
                return Ok(fence);
            }
            let living = |entry: &&Entry| !self.is_dead(entry);
            let before = state.before(&place.id).count();
            if before == 0 || state.before(&place.id).filter(living).count() < before {
                self.chain.update(|state| state.advance(&|entry| self.is_dead(entry)))?;
            } else {
                let left = timeout.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    let before = state.before(&place.id).map(Entry::ticket).collect();
                    return Err(LockError::Timeout { waited: begun.elapsed(), before });
                }
                std::thread::sleep(pause.min(left));
                pause = (pause * 2).min(longest);
            }
            if self.chain.newest()? != number {
                (number, state) = self.chain.load()?;
            }
        }
    }
}

/// The fence of a ticket, if it was granted.
fn granted(state: &State, id: &str) -> Result<Option<Fence>, LockError> {
    match state.standing(id) {
        Some(Standing::Held(fence)) => Ok(Some(fence)),
        Some(Standing::Waiting) => Ok(None),
        Some(Standing::Broken) | None => Err(LockError::Lost("the place in the queue was broken".to_owned())),
    }
}

impl Locks for LocalLocks {
    fn acquire(&self, set: &LockSet, timeout: Duration) -> Result<Box<dyn Held>, LockError> {
        let begun = Instant::now();
        let chain = &self.queue.chain;
        chain.prepare()?;
        let (id, alive) = live::claim(&chain.live()).map_err(|e| LockError::io(chain.dir(), &e))?;
        let entry = Entry {
            id: id.clone(),
            set: set.clone(),
            owner: Owner::here(&self.name),
            process: Process::here(),
            since: now(),
            fence: None,
            condemned: None,
        };
        let (queue, set) = (Arc::clone(&self.queue), set.clone());
        let place = Place { queue, id, set, alive: Some(alive), process: std::process::id() };
        let fence = chain.update(|state| {
            if state.find(&place.id).is_none() {
                state.bury(&|entry| self.queue.is_dead(entry));
                state.enqueue(&entry);
                state.advance(&|entry| self.queue.is_dead(entry));
            }
            granted(state, &place.id)
        })??;
        let fence = match fence {
            Some(fence) => fence,
            None => self.queue.wait(&place, begun, timeout)?,
        };
        Ok(Box::new(LocalHeld { place, fence, lost: AtomicBool::new(false) }))
    }

    fn newest_exclusive(&self, names: &[&str]) -> Result<Fence, LockError> {
        Ok(self.queue.chain.load()?.1.newest_exclusive(names))
    }

    fn list(&self) -> Result<Vec<Ticket>, LockError> {
        let (_, state) = self.queue.chain.load()?;
        Ok(state.tickets().iter().filter(|entry| !self.queue.is_dead(entry)).map(Entry::ticket).collect())
    }

    fn condemn(&self, id: &str) -> Result<Condemned, LockError> {
        let condemned = self.queue.chain.update(|state| match state.find(id) {
            Some(entry) if self.queue.is_dead(entry) => None,
            _ => state.condemn(id),
        })?;
        let (ticket, floor) = condemned.ok_or_else(|| LockError::NoSuchTicket(id.to_owned()))?;
        Ok(Condemned { ticket, floor })
    }

    fn free(&self, condemned: &Condemned) -> Result<(), LockError> {
        self.queue.leave(&condemned.ticket.id)
    }

    fn ensure_beyond(&self, fence: Fence) -> Result<(), LockError> {
        if fence.0 >= GREATEST {
            return Err(LockError::Settings(format!("no fence is as new as {fence}")));
        }
        // Most often nothing is to be changed, and perhaps nothing may be.
        if self.queue.chain.load()?.1.next > fence.0 {
            return Ok(());
        }
        self.queue.chain.update(|state| state.ensure_beyond(fence.0))
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
