//! Keys in any order, aligned by a hash table of one side.
//!
//! Large tables are split by their hashes: each partition is built by one thread, without locks, and in row order,
//! so that which of two equal keys is met first does not depend on the number of threads.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use hypostyle_io::{Error, Run};
use rayon::prelude::*;

use super::{ABSENT, Refused, Repeated};
use crate::key::Keys;
use crate::request::Duplicates;

/// Keys below which one thread builds the table faster than several.
const SPLIT: usize = 32 << 10;

/// Keys hashed or looked up by one task.
const CHUNK: usize = 16 << 10;

/// A position and its hash: comparing hashes first spares most comparisons of keys.
#[derive(Clone, Copy)]
struct Entered {
    hash: u64,
    position: u32,
}

/// For each base key its position in `table`.
pub(super) fn align<K: Keys + ?Sized>(
    base: &K,
    table: &K,
    duplicates: Duplicates,
    run: &Run,
) -> Result<Vec<u32>, Refused> {
    let state = RandomState::new();
    let hashes = hash_all(table, &state, run)?;
    let partitions = if table.len() < SPLIT { 1 } else { rayon::current_num_threads().next_power_of_two() };
    let mask = partitions as u64 - 1;
    let built: Vec<Result<HashTable<Entered>, Refused>> = (0..partitions as u64)
        .into_par_iter()
        .map(|p| build(table, &hashes, p, mask, duplicates, run))
        .collect();
    run.check()?;
    let repeated = |b: &Result<_, Refused>| match b {
        Err(Refused::Repeated(pair)) => Some(*pair),
        _ => None,
    };
    if let Some(first) = built.iter().filter_map(repeated).min_by_key(|r| r.second) {
        return Err(Refused::Repeated(first));
    }
    let tables: Vec<HashTable<Entered>> = built.into_iter().filter_map(Result::ok).collect();
    let mut map = vec![ABSENT; base.len()];
    map.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, out)| {
        run.check()?;
        for (i, entry) in out.iter_mut().enumerate() {
            let key = base.at(chunk * CHUNK + i);
            let hash = state.hash_one(key);
            let found = tables
                .get(partition(hash, mask))
                .and_then(|t| t.find(hash, |e| e.hash == hash && table.at(e.position as usize) == key));
            if let Some(found) = found {
                *entry = found.position;
            }
        }
        Ok::<(), Error>(())
    })?;
    Ok(map)
}

fn hash_all<K: Keys + ?Sized>(keys: &K, state: &RandomState, run: &Run) -> Result<Vec<u64>, Error> {
    let mut hashes = vec![0u64; keys.len()];
    hashes.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, out)| {
        run.check()?;
        for (i, hash) in out.iter_mut().enumerate() {
            *hash = state.hash_one(keys.at(chunk * CHUNK + i));
        }
        Ok::<(), Error>(())
    })?;
    Ok(hashes)
}

fn build<K: Keys + ?Sized>(
    keys: &K,
    hashes: &[u64],
    this: u64,
    mask: u64,
    duplicates: Duplicates,
    run: &Run,
) -> Result<HashTable<Entered>, Refused> {
    let expected = hashes.len() / (mask as usize + 1);
    let mut table: HashTable<Entered> = HashTable::with_capacity(expected + expected / 8);
    for (hash, position) in hashes.iter().copied().zip(0u32..) {
        if (position as usize).is_multiple_of(CHUNK) {
            run.check()?;
        }
        if partition(hash, mask) as u64 != this {
            continue;
        }
        let equal =
            |e: &Entered| e.hash == hash && keys.at(e.position as usize) == keys.at(position as usize);
        match table.entry(hash, equal, |e| e.hash) {
            Entry::Vacant(vacant) => {
                vacant.insert(Entered { hash, position });
            }
            Entry::Occupied(mut before) => match duplicates {
                Duplicates::Error => {
                    return Err(Refused::Repeated(Repeated {
                        first: before.get().position,
                        second: position,
                    }));
                }
                Duplicates::First => {}
                Duplicates::Last => before.get_mut().position = position,
            },
        }
    }
    Ok(table)
}

/// From the middle of the hash: the table itself uses its ends.
fn partition(hash: u64, mask: u64) -> usize {
    ((hash >> 32) & mask) as usize
}
