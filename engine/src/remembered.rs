//! What the joins of one store tell one another: keys that were read, and whole plans, of files that have not
//! changed since.
//!
//! A file is known by its number ([`ParquetFile::number`](hypostyle_io::ParquetFile::number)), which is another for
//! each time that it is opened; a store opens a file again when it has changed. So what is found here is never of
//! another state of a file. Feature values are not remembered.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use hypostyle_io::{Table, default_memory_limit};

use crate::check::CheckedTable;
use crate::key::{Bounds, KeyType};
use crate::plan::Planned;
use crate::request::{Duplicates, How, Strategy};
use crate::side::{NullKeys, SideKeys};

/// Keys and plans of earlier joins, up to a number of bytes; what was used least recently goes first.
pub struct Remembered {
    limit: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<What, Entry>,
    /// How many entries have a value, by its address: tables that are stored alike share their keys.
    shared: HashMap<usize, usize>,
    bytes: u64,
    clock: u64,
}

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    bytes: u64,
    used: u64,
}

/// What is remembered.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// The keys of a table.
    Side(SideOf),
    /// The plan of a join.
    Plan(PlanOf),
}

/// Which keys: of which files, which columns, in which terms, within which bounds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SideOf {
    files: Vec<u64>,
    key: Vec<String>,
    types: Vec<KeyType>,
    bounds: Bounds,
    nulls: NullKeys,
}

/// Which plan: all that a plan depends on, which the features do not belong to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanOf {
    pub(crate) how: How,
    pub(crate) tables: Vec<(Vec<u64>, Vec<String>, Option<Duplicates>)>,
    pub(crate) types: Vec<KeyType>,
    pub(crate) bounds: Bounds,
    pub(crate) last: Option<u64>,
    pub(crate) strategy: Strategy,
}

impl SideOf {
    pub(crate) fn new(table: &CheckedTable<'_>, types: &[KeyType], bounds: &Bounds, nulls: NullKeys) -> Self {
        Self {
            files: numbers(&table.request.table),
            key: table.request.key.clone(),
            types: types.to_vec(),
            bounds: bounds.clone(),
            nulls,
        }
    }
}

/// The numbers of a table's files.
pub(crate) fn numbers(table: &Table) -> Vec<u64> {
    table.files().iter().map(|file| file.number()).collect()
}

impl Default for Remembered {
    /// A small part of the memory that joins may have.
    fn default() -> Self {
        Self::new(default_memory_limit() / 32)
    }
}

impl Remembered {
    /// Remembers up to `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    pub(crate) fn side(&self, of: &SideOf) -> Option<Arc<SideKeys>> {
        self.get(&What::Side(of.clone()))
    }

    pub(crate) fn keep_side(&self, of: SideOf, side: &Arc<SideKeys>) {
        self.keep(What::Side(of), Arc::clone(side), side.bytes());
    }

    pub(crate) fn plan(&self, of: &PlanOf) -> Option<Arc<Planned>> {
        self.get(&What::Plan(of.clone()))
    }

    pub(crate) fn keep_plan(&self, of: PlanOf, plan: &Arc<Planned>) {
        self.keep(What::Plan(of), Arc::clone(plan), plan.bytes());
    }

    fn get<T: Send + Sync + 'static>(&self, what: &What) -> Option<Arc<T>> {
        let mut kept = self.lock();
        kept.clock += 1;
        let clock = kept.clock;
        let entry = kept.entries.get_mut(what)?;
        entry.used = clock;
        Arc::clone(&entry.value).downcast().ok()
    }

    fn keep<T: Send + Sync + 'static>(&self, what: What, value: Arc<T>, bytes: u64) {
        // One that takes more than its share would drive out all others.
        if bytes > self.limit / 4 {
            return;
        }
        let mut kept = self.lock();
        kept.clock += 1;
        let used = kept.clock;
        kept.put(what, Entry { value, bytes, used });
        if kept.bytes > self.limit {
            kept.shrink(self.limit / 4 * 3);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing panics between two states of it that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.value).addr()
    }
}

impl Kept {
    /// A value counts once, however many entries have it.
    fn put(&mut self, what: What, entry: Entry) {
        let others = self.shared.entry(entry.address()).or_insert(0);
        *others += 1;
        if *others == 1 {
            self.bytes += entry.bytes;
        }
        if let Some(before) = self.entries.insert(what, entry) {
            self.let_go(&before);
        }
    }

    fn let_go(&mut self, entry: &Entry) {
        let Some(others) = self.shared.get_mut(&entry.address()) else { return };
        *others -= 1;
        if *others == 0 {
            self.shared.remove(&entry.address());
            self.bytes -= entry.bytes;
        }
    }

    /// Lets go of what was used least recently, until `limit` bytes are left.
    fn shrink(&mut self, limit: u64) {
        let mut by_use: Vec<(u64, What)> =
            self.entries.iter().map(|(what, entry)| (entry.used, what.clone())).collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (_, what) in by_use {
            if self.bytes <= limit {
                break;
            }
            if let Some(entry) = self.entries.remove(&what) {
                self.let_go(&entry);
            }
        }
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lock();
        write!(f, "Remembered({} entries, {} of {} bytes)", kept.entries.len(), kept.bytes, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(last: u64) -> PlanOf {
        PlanOf {
            how: How::Inner,
            tables: vec![(vec![1], vec!["ts".to_owned()], None)],
            types: Vec::new(),
            bounds: Bounds::default(),
            last: Some(last),
            strategy: Strategy::Auto,
        }
    }

    #[test]
    fn what_was_used_least_recently_goes_first_and_the_bytes_add_up() {
        let kept = Remembered::new(100);
        for i in 0..5 {
            kept.keep(What::Plan(plan_of(i)), Arc::new(i), 20);
        }
        assert_eq!(kept.bytes(), 100);
        assert_eq!(kept.get::<u64>(&What::Plan(plan_of(0))).as_deref(), Some(&0));
        kept.keep(What::Plan(plan_of(9)), Arc::new(9u64), 20);
        assert_eq!(kept.bytes(), 60);
        let left = |i| kept.get::<u64>(&What::Plan(plan_of(i))).is_some();
        assert_eq!(
            [left(0), left(1), left(2), left(3), left(4), left(9)],
            [true, false, false, false, true, true]
        );
        // What two entries share counts once, until both are gone.
        let shared = Arc::new(0u64);
        kept.keep(What::Plan(plan_of(20)), Arc::clone(&shared), 20);
        kept.keep(What::Plan(plan_of(21)), shared, 20);
        assert_eq!(kept.bytes(), 80);
        kept.keep(What::Plan(plan_of(20)), Arc::new(1u64), 1);
        assert_eq!(kept.bytes(), 81);
        kept.keep(What::Plan(plan_of(21)), Arc::new(1u64), 1);
        assert_eq!(kept.bytes(), 62);
        kept.lock().shrink(60);
        assert_eq!(kept.bytes(), 42);
        kept.keep(What::Plan(plan_of(20)), Arc::new(1u64), 9);
        kept.keep(What::Plan(plan_of(21)), Arc::new(1u64), 9);
        assert_eq!(kept.bytes(), 58);
        // The same again takes no more; what is too large is not kept.
        kept.keep(What::Plan(plan_of(9)), Arc::new(9u64), 20);
        kept.keep(What::Plan(plan_of(7)), Arc::new(7u64), 26);
        assert_eq!((kept.bytes(), left(7)), (58, false));
    }
}
