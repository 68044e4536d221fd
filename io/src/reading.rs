//! What all reads of one run share, apart from what they read: counters, memory, patience, and what was asked ahead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::ahead::Ahead;
use crate::error::{Error, Result};
use crate::requests::{Depth, Patience, Rules};
use crate::run::Counters;

/// Shared by a run with the threads and the readers that outlive a call.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) counters: Arc<Counters>,
    pub(crate) rules: Rules,
    pub(crate) memory: Memory,
    pub(crate) ahead: Ahead,
    pub(crate) root_names: OnceLock<Vec<String>>,
    roots: Mutex<Vec<(u64, u64)>>,
}

/// What was read under one of several roots.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RootReads {
    /// The root.
    pub root: String,
    /// Answers that came from there.
    pub reads: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Reading {
    pub(crate) fn new(counters: Arc<Counters>, memory_limit: u64, started: Instant) -> Self {
        let patience = Arc::new(Patience::new(started, None));
        let rules = Rules { patience, depth: Depth::default(), hedge: false };
        let (memory, ahead) = (Memory::new(memory_limit), Ahead::default());
        Self { counters, rules, memory, ahead, root_names: OnceLock::new(), roots: Mutex::default() }
    }

    /// Notes that so much came from a root.
    pub(crate) fn came_from(&self, root: usize, bytes: u64) {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if roots.len() <= root {
            roots.resize(root + 1, (0, 0));
        }
        if let Some((reads, of_root)) = roots.get_mut(root) {
            *reads += 1;
            *of_root += bytes;
        }
    }

    /// What came from each of the roots that have names.
    pub(crate) fn roots(&self) -> Vec<RootReads> {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.root_names.get().into_iter().flatten().cloned();
        let noted = roots.iter().copied().chain(std::iter::repeat((0, 0)));
        names.zip(noted).map(|(root, (reads, bytes))| RootReads { root, reads, bytes }).collect()
    }
}

/// The memory that a run may hold.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

impl Memory {
    fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Takes bytes before they are allocated; `what` names the thing.
    pub(crate) fn take(&self, bytes: u64, what: &str) -> Result<()> {
        let fits = |used: u64| used.checked_add(bytes).filter(|now| *now <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(before) => {
                self.peak.fetch_max(before.saturating_add(bytes), Ordering::Relaxed);
                Ok(())
            }
            Err(before) => Err(Error::limit(format!(
                "{what} would take {bytes} bytes, {before} are in use, and the memory limit is {}",
                self.limit
            ))
            .hint("raise --memory-limit, take fewer columns, or bound the rows with --from/--to/--last")),
        }
    }

    pub(crate) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
