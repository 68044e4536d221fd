//! Alignment: for each key of the base, the row of a table that has it.
//!
//! Three ways, one answer. *Identity* when both key sequences are equal; *merge* when both ascend; *hash* always.

mod duplicates;
mod hash;
mod merge;

use std::sync::Arc;

use hypostyle_io::{Error, Result, Run};

use crate::key::{KeySequence, Keys, Order};
use crate::request::{Duplicates, Strategy};

pub(crate) use duplicates::{Repeated, is_unique, kept_positions};

/// Keys that are compared between two looks at the run.
const CHECKED: usize = 32 << 10;

/// Says that a base key is not in the table.
pub(crate) const ABSENT: u32 = u32::MAX;

/// For each position of the base, the position in a table that has the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowMap {
    /// Base position `i` is table position `first + i`.
    Run { first: u32, len: u32 },
    /// One entry for each base position, or [`ABSENT`].
    Each(Arc<Vec<u32>>),
}

/// One sequence of keys and what is known of it.
pub(crate) struct Side<'a> {
    pub(crate) keys: &'a KeySequence,
    pub(crate) order: Order,
}

/// A map and the way it was found.
#[derive(Clone, Debug)]
pub(crate) struct Aligned {
    pub(crate) map: RowMap,
    pub(crate) way: &'static str,
    pub(crate) reason: String,
}

/// What an alignment is to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// Which of equal keys in the table counts.
    pub(crate) duplicates: Duplicates,
    /// The way that was asked for.
    pub(crate) strategy: Strategy,
    /// Whose memory limit the maps and hash tables count against.
    pub(crate) run: &'a Run,
}

/// Why there is no map.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A key stands twice in the table.
    Repeated(Repeated),
    /// The strategy that was asked for does not fit; the text says why.
    DoesNotFit(String),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Finds, for each key of `base`, its position in `table`.
///
/// `base_is_unique` is asked only when it matters: it may cost a pass over the base's keys.
pub(crate) fn align(
    base: &Side<'_>,
    table: &Side<'_>,
    rules: Rules<'_>,
    base_is_unique: impl FnOnce() -> Result<bool>,
) -> Result<Aligned, Refused> {
    match (base.keys, table.keys) {
        (KeySequence::Ints(a), KeySequence::Ints(b)) => {
            choose(a.as_ref(), base.order, b.as_ref(), table.order, rules, base_is_unique)
        }
        (KeySequence::Rows(a), KeySequence::Rows(b)) => {
            choose(a, base.order, b, table.order, rules, base_is_unique)
        }
        _ => Err(Error::internal("two forms of keys in one join").into()),
    }
}

fn choose<K: Keys + ?Sized>(
    base: &K,
    base_order: Order,
    table: &K,
    table_order: Order,
    rules: Rules<'_>,
    base_is_unique: impl FnOnce() -> Result<bool>,
) -> Result<Aligned, Refused> {
    let Rules { duplicates, strategy, run } = rules;
    let map_memory = || run.reserve(base.len() as u64 * 4, "the map of rows");
    let ascend = base_order != Order::None && table_order != Order::None;
    let identity = |reason: &str| Aligned {
        map: RowMap::Run { first: 0, len: u32::try_from(base.len()).unwrap_or(ABSENT) },
        way: "identity",
        reason: reason.to_owned(),
    };
    let merge = |reason: &str| {
        map_memory()?.keep();
        let map = merge::align(base, table, table_order, duplicates, run)?;
        Ok(Aligned { map: RowMap::of(map), way: "merge", reason: reason.to_owned() })
    };
    let hash = |reason: &str| {
        map_memory()?.keep();
        // A hash, then a hash and a position in a table that has room to grow.
        let _working_memory = run.reserve(table.len() as u64 * 40, "the hash table of keys")?;
        let map = hash::align(base, table, duplicates, run)?;
        Ok(Aligned { map: RowMap::of(map), way: "hash", reason: reason.to_owned() })
    };
    match strategy {
        Strategy::Auto => {
            // Tables that are stored alike share their keys.
            let equal = std::ptr::eq(base, table) || base.equals(table, run)?;
            if equal && (base_order == Order::Strict || base_is_unique()?) {
                Ok(identity("the keys are equal, row by row"))
            } else if let Some(first) = run_of(base, base_order, table, table_order, run)? {
                Ok(Aligned {
                    map: RowMap::Run { first, len: u32::try_from(base.len()).unwrap_or(ABSENT) },
                    way: "run",
                    reason: "the keys are those of a run of the table's rows".to_owned(),
                })
            } else if ascend {
                merge("both keys ascend")
            } else if table_order == Order::None {
                hash("the table's keys do not ascend")
            } else {
                hash("the keys to fill do not ascend")
            }
        }
        Strategy::Identity => {
            if !base.equals(table, run)? {
                let same =
                    (0..base.len().min(table.len())).take_while(|i| base.at(*i) == table.at(*i)).count();
                let what = if same < base.len().min(table.len()) {
                    format!("the keys differ first at row {same} of those read (counted from 0)")
                } else {
                    format!("{} rows were to be matched with {}", base.len(), table.len())
                };
                return Err(Refused::DoesNotFit(what));
            }
            if base_order == Order::Strict || base_is_unique()? {
                Ok(identity("asked for, and the keys are equal, row by row"))
            } else {
                // Equal, but with repeated keys: what they mean is the hash's to say.
                hash("the keys are equal and repeated")
            }
        }
        Strategy::Merge if !ascend => Err(Refused::DoesNotFit(if table_order == Order::None {
            "its keys do not ascend".to_owned()
        } else {
            "the keys to fill do not ascend".to_owned()
        })),
        Strategy::Merge => merge("asked for"),
        Strategy::Hash => hash("asked for"),
    }
}

/// Where in the table the base's keys stand one after the other, as they do when both are cut from one grid.
fn run_of<K: Keys + ?Sized>(
    base: &K,
    base_order: Order,
    table: &K,
    table_order: Order,
    run: &Run,
) -> Result<Option<u32>> {
    let strict = base_order == Order::Strict && table_order == Order::Strict;
    if !strict || base.len() == 0 || base.len() >= table.len() {
        return Ok(None);
    }
    let key = base.at(0);
    let (mut from, mut to) = (0, table.len() - base.len() + 1);
    while from < to {
        let middle = from.midpoint(to);
        if table.at(middle) < key { from = middle + 1 } else { to = middle }
    }
    // Both ascend: if the last is as far from the first as in the base, few pairs between can differ.
    let last = base.len() - 1;
    if from + last >= table.len() || table.at(from) != key || table.at(from + last) != base.at(last) {
        return Ok(None);
    }
    for i in 0..base.len() {
        if i.is_multiple_of(CHECKED) {
            run.check()?;
        }
        if table.at(from + i) != base.at(i) {
            return Ok(None);
        }
    }
    Ok(u32::try_from(from).ok())
}

impl RowMap {
    /// The simplest form of a map.
    pub(crate) fn of(map: Vec<u32>) -> Self {
        match map.first() {
            Some(first) if is_run(&map) => {
                Self::Run { first: *first, len: u32::try_from(map.len()).unwrap_or(ABSENT) }
            }
            None => Self::Run { first: 0, len: 0 },
            Some(_) => Self::Each(Arc::new(map)),
        }
    }

    /// Memory that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Run { .. } => 0,
            Self::Each(map) => (map.len() * size_of::<u32>()) as u64,
        }
    }

    /// How many base positions it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Run { len, .. } => *len as usize,
            Self::Each(map) => map.len(),
        }
    }

    /// Whether every base position has a row.
    pub(crate) fn is_total(&self) -> bool {
        match self {
            Self::Run { .. } => true,
            Self::Each(map) => !map.contains(&ABSENT),
        }
    }

    /// How many base positions have a row.
    pub(crate) fn matched(&self) -> u64 {
        match self {
            Self::Run { len, .. } => u64::from(*len),
            Self::Each(map) => map.iter().filter(|p| **p != ABSENT).count() as u64,
        }
    }

    /// The row of a base position.
    pub(crate) fn get(&self, base: u32) -> u32 {
        match self {
            Self::Run { first, len } if base < *len => first + base,
            Self::Run { .. } => ABSENT,
            Self::Each(map) => map.get(base as usize).copied().unwrap_or(ABSENT),
        }
    }

    /// The map of those positions whose target `keep` wants.
    pub(crate) fn keep(&self, keep: impl Fn(u32) -> bool) -> Self {
        let targets = (0..u32::try_from(self.len()).unwrap_or(ABSENT)).map(|p| self.get(p));
        let kept: Vec<u32> = targets.filter(|t| keep(*t)).collect();
        if kept.len() == self.len() { self.clone() } else { Self::of(kept) }
    }

    /// The map of only those base positions; [`ABSENT`] among them stays absent.
    pub(crate) fn at(&self, positions: &Self) -> Self {
        match (self, positions) {
            (Self::Run { first, len }, Self::Run { first: from, len: count }) if from + count <= *len => {
                Self::Run { first: first + from, len: *count }
            }
            (Self::Run { first: 0, .. }, each @ Self::Each(_)) => each.clone(),
            (_, Self::Run { first, len }) => Self::of((*first..first + len).map(|p| self.get(p)).collect()),
            (_, Self::Each(wanted)) => Self::of(wanted.iter().map(|p| self.get(*p)).collect()),
        }
    }
}

fn is_run(map: &[u32]) -> bool {
    !map.contains(&ABSENT) && map.iter().zip(map.iter().skip(1)).all(|(a, b)| a.checked_add(1) == Some(*b))
}
