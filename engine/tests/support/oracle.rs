//! What a join means, said as plainly as possible: loops over loops.

use hypostyle_engine::{Duplicates, How};

use super::{Case, Key, PlainTable};

/// For each output row, the row of the base and the row of each feature table.
pub(crate) type Rows = Vec<(usize, Vec<Option<usize>>)>;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The table of that index repeats a key.
    Repeated(usize),
}

pub(crate) fn join(case: &Case) -> Result<Rows, Refusal> {
    let (base, features) = case.tables.split_first().unwrap();
    let within = |key: &Key| match key[0] {
        Some(k) => case.from.is_none_or(|from| k >= from) && case.to.is_none_or(|to| k < to),
        None => case.from.is_none() && case.to.is_none(),
    };
    let rows: Vec<usize> = (0..base.keys.len()).filter(|r| within(&base.keys[*r])).collect();
    let rule = match (case.how, base.duplicates) {
        (How::Spine, _) | (How::Left, None) => None,
        (_, Some(rule)) => Some(rule),
        (How::Inner, None) => Some(Duplicates::Error),
    };
    let rows = match rule {
        Some(rule) => unique(base, &rows, rule).map_err(|()| Refusal::Repeated(0))?,
        None => rows,
    };
    let mut candidates = Vec::new();
    for (i, table) in features.iter().enumerate() {
        let rows: Vec<usize> =
            (0..table.keys.len()).filter(|r| whole(&table.keys[*r]) && within(&table.keys[*r])).collect();
        let rule = table.duplicates.unwrap_or(Duplicates::Error);
        candidates.push(unique(table, &rows, rule).map_err(|()| Refusal::Repeated(i + 1))?);
    }
    let mut out: Rows = Vec::new();
    for row in rows {
        let key = &base.keys[row];
        let find = |(table, rows): (&PlainTable, &Vec<usize>)| {
            rows.iter().copied().find(|r| whole(key) && table.keys[*r] == *key)
        };
        let matches: Vec<Option<usize>> = features.iter().zip(&candidates).map(find).collect();
        if case.how != How::Inner || (whole(key) && matches.iter().all(Option::is_some)) {
            out.push((row, matches));
        }
    }
    if let Some(last) = case.last {
        while out.len() as u64 > last {
            // Of the least first keys the earliest row goes; null is less than all.
            let least = (0..out.len()).min_by_key(|i| (base.keys[out[*i].0][0], *i)).unwrap();
            out.remove(least);
        }
    }
    Ok(out)
}

fn whole(key: &Key) -> bool {
    key.iter().all(Option::is_some)
}

/// Of rows with equal keys the one that the rule keeps; rows without a key all stay.
fn unique(table: &PlainTable, rows: &[usize], rule: Duplicates) -> Result<Vec<usize>, ()> {
    let mut kept: Vec<usize> = Vec::new();
    for &row in rows {
        let key = &table.keys[row];
        let before = kept.iter().position(|k| whole(key) && table.keys[*k] == *key);
        match (before, rule) {
            (None, _) => kept.push(row),
            (Some(_), Duplicates::Error) => return Err(()),
            (Some(_), Duplicates::First) => {}
            (Some(at), Duplicates::Last) => {
                kept.remove(at);
                kept.push(row);
            }
        }
    }
    kept.sort_unstable();
    Ok(kept)
}
