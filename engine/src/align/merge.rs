//! Two ascending sequences of keys, aligned in one pass over both.

use hypostyle_io::{Error, Run};
use rayon::prelude::*;

use super::{ABSENT, Refused, Repeated};
use crate::key::{Keys, Order};
use crate::request::Duplicates;

/// Base keys aligned by one task.
const CHUNK: usize = 32 << 10;

/// For each base key its position in `table`; both must ascend, and the base may repeat keys.
pub(super) fn align<K: Keys + ?Sized>(
    base: &K,
    table: &K,
    table_order: Order,
    duplicates: Duplicates,
    run: &Run,
) -> Result<Vec<u32>, Refused> {
    if table_order != Order::Strict && duplicates == Duplicates::Error {
        for second in 1..table.len() {
            if second.is_multiple_of(CHUNK) {
                run.check()?;
            }
            if table.at(second - 1) == table.at(second) {
                let pair = Repeated { first: position(second - 1), second: position(second) };
                return Err(Refused::Repeated(pair));
            }
        }
    }
    let mut map = vec![ABSENT; base.len()];
    map.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, out)| {
        run.check()?;
        let start = chunk * CHUNK;
        let Some(last) = out.len().checked_sub(1) else { return Ok(()) };
        let mut at = lower_bound(table, 0, base.at(start));
        // A base of few keys among many rows jumps; one of many keys walks.
        let end = lower_bound(table, at, base.at(start + last));
        let jumps = (end - at) / 16 > out.len();
        let mut last_of_run = (usize::MAX, 0);
        for (i, entry) in out.iter_mut().enumerate() {
            let key = base.at(start + i);
            if jumps {
                at = lower_bound(table, at, key);
            } else {
                while at < table.len() && table.at(at) < key {
                    at += 1;
                }
            }
            if at < table.len() && table.at(at) == key {
                // The run's end is found once for all base rows of one key.
                if duplicates == Duplicates::Last && last_of_run.0 != at {
                    let mut end = at;
                    while end + 1 < table.len() && table.at(end + 1) == key {
                        end += 1;
                    }
                    last_of_run = (at, end);
                }
                *entry = position(if duplicates == Duplicates::Last { last_of_run.1 } else { at });
            }
        }
        Ok::<(), Error>(())
    })?;
    Ok(map)
}

/// The first position at or after `from` whose key is not less.
fn lower_bound<'a, K: Keys + ?Sized>(keys: &'a K, from: usize, key: K::Key<'a>) -> usize {
    let (mut low, mut high) = (from, keys.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if keys.at(middle) < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(ABSENT)
}
