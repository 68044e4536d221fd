//! Repeated keys: found, and one of them kept where the request says which.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use hypostyle_io::{Result, Run};

use super::Refused;
use crate::key::{KeySequence, Keys, Order};
use crate::request::Duplicates;

/// Two positions with the same key; the second is the first repetition in row order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated {
    pub(crate) first: u32,
    pub(crate) second: u32,
}

/// Keys between two looks at whether the work is still wanted.
const CHECKED: u32 = 32 << 10;

/// The positions that stay when of each key only one may: `None` if all do.
pub(crate) fn kept_positions(
    keys: &KeySequence,
    order: Order,
    duplicates: Duplicates,
    run: &Run,
) -> Result<Option<Vec<u32>>, Refused> {
    if order == Order::Strict {
        return Ok(None);
    }
    match keys {
        KeySequence::Ints(ints) => kept(ints.as_ref(), duplicates, run),
        KeySequence::Rows(rows) => kept(rows, duplicates, run),
    }
}

/// Whether no key stands twice.
pub(crate) fn is_unique(keys: &KeySequence, order: Order, run: &Run) -> Result<bool> {
    match kept_positions(keys, order, Duplicates::Error, run) {
        Ok(_) => Ok(true),
        Err(Refused::Error(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn kept<K: Keys + ?Sized>(keys: &K, duplicates: Duplicates, run: &Run) -> Result<Option<Vec<u32>>, Refused> {
    let state = RandomState::new();
    let hash = |position: u32| state.hash_one(keys.at(position as usize));
    let mut table: HashTable<u32> = HashTable::with_capacity(keys.len());
    let mut repeated = false;
    for position in 0..u32::try_from(keys.len()).unwrap_or(u32::MAX) {
        if position.is_multiple_of(CHECKED) {
            run.check()?;
        }
        let equal = |other: &u32| keys.at(*other as usize) == keys.at(position as usize);
        match table.entry(hash(position), equal, |other| hash(*other)) {
            Entry::Vacant(vacant) => {
                vacant.insert(position);
            }
            Entry::Occupied(mut before) => {
                repeated = true;
                match duplicates {
                    Duplicates::Error => {
                        return Err(Refused::Repeated(Repeated { first: *before.get(), second: position }));
                    }
                    Duplicates::First => {}
                    Duplicates::Last => *before.get_mut() = position,
                }
            }
        }
    }
    if !repeated {
        return Ok(None);
    }
    let mut out: Vec<u32> = table.into_iter().collect();
    out.sort_unstable();
    Ok(Some(out))
}
