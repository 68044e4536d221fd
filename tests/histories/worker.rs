//! What one process does until it is killed, and what it writes down of it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch};
use hypostyle::{
    AsOf, Error, ErrorKind, GcOptions, JoinOptions, JoinSpec, ModelVersion, NewModel, Result, Store,
    TableSpec, TransactionOptions, WriteMode, WriteOptions,
};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

use super::TABLES;

/// The file in the root that says that etcd was wiped.
pub(crate) const WIPED: &str = "wiped";

/// More rows than a history makes.
pub(crate) const MOST: i64 = 4_000;

pub(crate) fn row(key: i64, value: f64) -> RecordBatch {
    let key: ArrayRef = Arc::new(Int64Array::from(vec![key]));
    let value: ArrayRef = Arc::new(Float64Array::from(vec![value]));
    RecordBatch::try_from_iter([("k", key), ("x", value)]).unwrap()
}

/// The rows of some tables, read in one join: for each its values by key, and the snapshot.
pub(crate) fn read(store: &Store, tables: &[&str], as_of: Option<u64>) -> Result<(u64, Vec<Vec<f64>>)> {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..MOST));
    let mut options = JoinOptions::default();
    options.threads = Some(1);
    options.spine = Some(RecordBatch::try_from_iter([("k", keys)]).unwrap());
    options.as_of = as_of.map(AsOf::Snapshot);
    let spec = JoinSpec::new(["k"]).full_names(true);
    let spec = spec.tables(tables.iter().map(|table| TableSpec::named(*table).columns(["x"])));
    let frame = store.join_with(&spec, &options)?;
    let column = |at: usize| {
        let values = frame.batch().column(at + 1).as_primitive::<Float64Type>();
        let count = values.len() - values.null_count();
        // Rows are added at the end, so nulls are behind them.
        assert!((0..count).all(|row| values.is_valid(row)), "a hole");
        values.values()[..count].to_vec()
    };
    Ok((frame.snapshot().unwrap(), (0..tables.len()).map(column).collect()))
}

/// The model that gets a version with each row of a table: the version has the row's key, and the row's value.
pub(crate) fn model_of(table: &str) -> String {
    format!("of-{table}")
}

/// Models that get a version all together, in one commit that changes more than stands in a manifest.
pub(crate) fn bulk() -> impl Iterator<Item = String> {
    (0..140).map(|n| format!("bulk-{n}"))
}

/// What a model has.
pub(crate) fn value_in(blob: &[u8]) -> f64 {
    std::str::from_utf8(blob).unwrap().parse().unwrap()
}

/// `ROLE NUMBER SEED ROOT LOGS`.
pub(crate) fn work(told: &str) {
    let words: Vec<&str> = told.split(' ').collect();
    let [role, number, seed, root, logs] = words.as_slice() else { panic!("{told}") };
    let log = File::create(format!("{logs}/{role}-{number}")).unwrap();
    let mut worker = Worker {
        store: Store::open(root).unwrap(),
        random: Pcg64Mcg::new(seed.parse().unwrap()),
        log,
        over_etcd: std::fs::read_to_string(format!("{root}/_hypostyle/store.json"))
            .unwrap()
            .contains("etcd://"),
        based: false,
        wiped: Path::new(root).join(WIPED),
        number: number.parse().unwrap(),
    };
    for step in 0.. {
        let done = match *role {
            "write" => worker.write(step),
            "read" => worker.look(),
            _ => worker.upkeep(),
        };
        if let Err(error) = done {
            worker.say(&format!("bad {error:?}"));
        }
    }
}

/// The versions and values of the models that get theirs all together.
pub(crate) fn bulk_of(models: &hypostyle::Models<'_>) -> Result<Vec<(u64, String)>> {
    let list = models.list()?;
    let mut found = Vec::new();
    for model in list.iter().filter(|model| model.name.starts_with("bulk-")) {
        found.push((model.latest, String::new()));
    }
    let names = list.iter().map(|model| model.name.clone()).filter(|name| name.starts_with("bulk-"));
    for ((_, value), (_, blob)) in found.iter_mut().zip(models.get_many(names)?) {
        *value = String::from_utf8(blob?.to_vec()).unwrap();
    }
    if !found.is_empty() && found.len() != bulk().count() {
        found.push((0, "some are missing".to_owned()));
    }
    Ok(found)
}

struct Worker {
    store: Store,
    random: Pcg64Mcg,
    log: File,
    over_etcd: bool,
    /// Whether the last attempt was upon a snapshot that was chosen before.
    based: bool,
    /// A file that is there once etcd was wiped.
    wiped: PathBuf,
    number: u64,
}

impl Worker {
    fn say(&mut self, line: &str) {
        self.log.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    /// Adds a row to some tables.
    fn write(&mut self, step: u64) -> Result<()> {
        let first = self.below(4) as usize;
        let count = 1 + self.below(3) as usize;
        let tables: Vec<&str> = (0..count).map(|at| TABLES[(first + at) % TABLES.len()]).collect();
        let value = (self.number * 1_000_000 + step + 1) as f64;
        match self.attempt(&tables, value) {
            // Whether it was done stays open, as if this process had been killed.
            Err(e) if e.kind() == ErrorKind::Unavailable && e.message().starts_with("outcome unknown") => {
                Ok(())
            }
            Err(e) if self.is_part_of_the_game(&e) => {
                self.say(&format!("no {value}"));
                Ok(())
            }
            done => done,
        }
    }

    fn attempt(&mut self, tables: &[&str], value: f64) -> Result<()> {
        let mut options = TransactionOptions::default();
        options.wait = Some(Duration::from_secs(5));
        // Now and then upon what is not the newest any more when the tables are had.
        self.based = self.below(4) == 0;
        if self.based {
            options.base = Some(self.store.snapshot(None)?);
            std::thread::sleep(Duration::from_millis(self.below(20)));
        }
        let is_bulk = self.below(10) == 0 && !self.over_etcd;
        if is_bulk {
            options.all_models = true;
        } else {
            options.models = tables.iter().map(|table| model_of(table)).collect();
        }
        let mut tx = self.store.transaction_with(tables.iter().copied(), &options)?;
        let (_, before) = read(&self.store, tables, Some(tx.snapshot()))?;
        for (table, before) in tables.iter().zip(before) {
            tx.write(table, &row(before.len() as i64, value), &WriteOptions::new(WriteMode::Upsert))?;
            let version = tx.put_model(NewModel::new(model_of(table), value.to_string()))?;
            if version != before.len() as u64 {
                self.say(&format!("bad version {version} of {table}, which has {} rows", before.len()));
            }
        }
        if is_bulk {
            tx.put_models(bulk().map(|name| NewModel::new(name, value.to_string())).collect())?;
        }
        if self.below(8) == 0 {
            std::thread::sleep(Duration::from_millis(self.below(30)));
        }
        self.say(&format!("try {value} {}", tables.join(",")));
        let made = tx.commit()?;
        self.say(&format!("ok {value} {}", made.snapshot));
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let at = match self.store.at(None) {
            Err(error) if self.is_refused(&error) => return Ok(()),
            at => at?,
        };
        // What gc has taken away meanwhile is not there any more; a newer one is.
        let read_all = || -> Result<(u64, Option<Vec<Vec<f64>>>)> {
            let (snapshot, values) = read(&self.store, &TABLES, Some(at.snapshot()))?;
            for (table, values) in TABLES.iter().zip(&values) {
                // Before the first row that came with one there is no model.
                if let [_, .., last] = values.as_slice() {
                    let blob = at.models().get(&model_of(table))?;
                    let there =
                        at.models().list()?.iter().find(|m| m.name == model_of(table)).map(|m| m.latest);
                    if (value_in(&blob), there) != (*last, Some(values.len() as u64 - 1)) {
                        return Ok((snapshot, None));
                    }
                }
            }
            let mut bulk = bulk_of(&at.models())?;
            bulk.dedup();
            Ok((snapshot, (bulk.len() <= 1).then_some(values)))
        };
        let (snapshot, values) = match read_all() {
            Ok((snapshot, Some(values))) => (snapshot, values),
            Ok((snapshot, None)) => {
                self.say(&format!("bad models in snapshot {snapshot}"));
                return Ok(());
            }
            Err(e) if e.kind() == ErrorKind::NotFound || self.is_refused(&e) => return Ok(()),
            Err(e) => return Err(e),
        };
        let seen: Vec<String> =
            values.iter().map(|v| format!("{}:{}", v.len(), v.iter().sum::<f64>())).collect();
        self.say(&format!("read {snapshot} {}", seen.join(" ")));
        Ok(())
    }

    /// Breaks locks, joins files, removes old ones.
    fn upkeep(&mut self) -> Result<()> {
        std::thread::sleep(Duration::from_millis(5 + self.below(30)));
        let done = match self.below(5) {
            0 => match self.store.locks()?.first() {
                Some(lock) => self.store.break_lock(&lock.id).map(drop),
                None => Ok(()),
            },
            1 => {
                let at = self.below(4) as usize;
                self.store.compact(TABLES[at]).map(drop)
            }
            2 => {
                let mut options = GcOptions::default();
                (options.grace, options.remove) = (Duration::from_millis(250), true);
                self.store.gc(&options).map(drop)
            }
            3 => {
                let model = model_of(TABLES[self.below(4) as usize]);
                self.store.models().alias(&model, "production", Some(&ModelVersion::Latest))
            }
            _ => Ok(()),
        };
        match done {
            Err(e) if self.is_part_of_the_game(&e) || e.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn is_part_of_the_game(&self, error: &Error) -> bool {
        // A coordinator that is killed does not answer; a file system does.
        let is_gone = self.over_etcd && error.kind() == ErrorKind::Unavailable;
        // Whoever was stopped for longer than gc's grace finds what it was based on no more.
        // So does whoever gc's clock is hours ahead of.
        let may_be_late = self.over_etcd || super::clock::jumps();
        let is_late = may_be_late && error.kind() == ErrorKind::NotFound;
        // So does whoever waited for a table, upon a snapshot that gc has taken meanwhile.
        let is_missing = error.kind() == ErrorKind::NotFound || error.message().contains("it is missing");
        is_gone
            || is_late
            || self.based && is_missing
            || self.is_refused(error)
            || matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Timeout)
    }

    /// Whether etcd is refused in a history that says so, since it was wiped.
    fn is_refused(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::Corrupt && self.wiped.exists()
    }
}
