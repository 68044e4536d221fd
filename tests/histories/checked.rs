//! What must hold of a history.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hypostyle::{AsOf, ErrorKind, ModelVersion, Store};

use super::TABLES;
use super::worker::{bulk_of, model_of, read, value_in};

#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) commits: usize,
    pub(crate) reads: usize,
    pub(crate) unanswered: usize,
    /// Commits of more than a minute ahead of the system's clock.
    pub(crate) ahead: usize,
}

/// A transaction as its writer told of it.
#[derive(Debug, Default)]
struct Attempt {
    tables: Vec<usize>,
    /// The snapshot, if it was acknowledged.
    acknowledged: Option<u64>,
    refused: bool,
}

pub(crate) fn check(root: &Path, logs: &Path) -> Figures {
    let store = Store::open(root).unwrap();
    // Nothing is damaged, and each snapshot was built upon the one before it.
    let report = store.repair(false).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    // Commit times only grow, whatever the clocks of those say who commit.
    let log = store.log(None, usize::MAX).unwrap();
    assert!(log.is_sorted_by(|later, earlier| later.time_ns > earlier.time_ns), "{log:?}");
    for commit in log.iter().step_by(7) {
        match store.snapshot(Some(&AsOf::Time(commit.time_ns))) {
            Ok(found) => assert_eq!(found, commit.number, "as of {}", commit.time),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
    let (newest, last) = read(&store, &TABLES, None).unwrap();
    let mut attempts: HashMap<u64, Attempt> = HashMap::new();
    let mut reads: Vec<(u64, Vec<(usize, f64)>)> = Vec::new();
    for log in std::fs::read_dir(logs).unwrap() {
        let path = log.unwrap().path();
        let mut before = 0;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["try", value, tables] => {
                    let at = |name: &str| TABLES.iter().position(|table| *table == name).unwrap();
                    attempts.entry(value.parse().unwrap()).or_default().tables =
                        tables.split(',').map(at).collect();
                }
                ["ok", value, snapshot] => {
                    attempts.entry(value.parse().unwrap()).or_default().acknowledged =
                        Some(snapshot.parse().unwrap());
                }
                ["no", value] => attempts.entry(value.parse().unwrap()).or_default().refused = true,
                ["read", snapshot, seen @ ..] => {
                    let snapshot = snapshot.parse().unwrap();
                    assert!(snapshot >= before, "a reader went back from {before} to {snapshot}");
                    before = snapshot;
                    let of = |text: &&str| {
                        let (count, sum) = text.split_once(':').unwrap();
                        (count.parse().unwrap(), sum.parse().unwrap())
                    };
                    reads.push((snapshot, seen.iter().map(of).collect()));
                }
                _ => panic!("{}: {line}", path.display()),
            }
        }
    }
    // Where the rows of each attempt stand.
    let mut places: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
    for (table, values) in last.iter().enumerate() {
        for (key, value) in values.iter().enumerate().skip(1) {
            places.entry(*value as u64).or_default().push((table, key));
        }
    }
    assert!(places.keys().all(|value| attempts.contains_key(value)), "rows that nobody wrote");
    let soon = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let ahead = log.iter().filter(|commit| u128::from(commit.time_ns) > soon.as_nanos()).count();
    let mut figures = Figures { reads: reads.len(), ahead, ..Figures::default() };
    let mut commits: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
    for (value, attempt) in &attempts {
        let there = places.get(value).map_or(&[][..], Vec::as_slice);
        let mut tables: Vec<usize> = there.iter().map(|(table, _)| *table).collect();
        tables.sort_unstable();
        let mut wanted = attempt.tables.clone();
        wanted.sort_unstable();
        match attempt.acknowledged {
            // Nothing that was acknowledged is gone, and nothing was done twice.
            Some(snapshot) => {
                assert_eq!(tables, wanted, "{value} was acknowledged in snapshot {snapshot}");
                assert!(snapshot <= newest);
                assert!(
                    commits.insert(snapshot, there.to_vec()).is_none(),
                    "two commits are snapshot {snapshot}"
                );
                figures.commits += 1;
            }
            None if attempt.refused => assert!(tables.is_empty(), "{value} was refused, and is there"),
            // Killed before the answer: all of it or nothing.
            None => {
                assert!(tables.is_empty() || tables == wanted, "{value}: {tables:?} of {wanted:?}");
                figures.unanswered += 1;
            }
        }
    }
    // Each row came with a version of its table's model, and none without the other.
    for (table, values) in TABLES.iter().zip(&last) {
        let models = store.models();
        if values.len() == 1 {
            assert!(models.get(&model_of(table)).is_err());
            continue;
        }
        let versions = models.versions(&model_of(table)).unwrap();
        assert_eq!(versions.len(), values.len() - 1, "{table}");
        for (info, value) in versions.iter().zip(values.iter().skip(1)) {
            let blob = models.get_version(&model_of(table), &ModelVersion::Number(info.version)).unwrap();
            assert_eq!(value_in(&blob), *value, "version {} of the model of {table}", info.version);
        }
    }
    let mut bulk = bulk_of(&store.models()).unwrap();
    bulk.dedup();
    assert!(bulk.len() <= 1, "{bulk:?}");
    // Each read is one snapshot: it has the commits up to it and none after it, and the rows as they were.
    for (snapshot, seen) in &reads {
        for (table, (count, sum)) in seen.iter().enumerate() {
            let expected: f64 = last[table].iter().take(*count).sum();
            assert_eq!(*sum, expected, "table {} in snapshot {snapshot}", TABLES[table]);
        }
        for (commit, rows) in &commits {
            for (table, key) in rows {
                let is_seen = seen[*table].0 > *key;
                assert_eq!(is_seen, commit <= snapshot, "commit {commit} in a read of {snapshot}");
            }
        }
    }
    figures
}
