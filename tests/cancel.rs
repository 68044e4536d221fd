//! A long join that is cancelled from another thread ends soon, wherever it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use hypostyle::{
    ErrorKind, Format, JoinOptions, JoinSpec, Run, Store, Strategy, TableSpec, spawn, write_file,
};

/// A tenth of the rows without optimisation, where each takes ten times as long.
const SCALE: i64 = if cfg!(debug_assertions) { 10 } else { 1 };

const SPINE: i64 = 10_000_000 / SCALE;
const TABLE: i64 = 3_000_000 / SCALE;

/// What is allowed: generous, since the machine may be busy. The promise is 100 ms.
const LATENCY: Duration = Duration::from_secs(1);

type Form = fn(i64) -> ArrayRef;

/// `rows` keys without order; of a table's all are different.
fn keys(rows: i64) -> impl Iterator<Item = i64> {
    (0..rows).map(|row| row * 7_919 % TABLE)
}

fn ints(rows: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(keys(rows)))
}

fn strings(rows: i64) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(keys(rows).map(|key| format!("turbine-{key:09}"))))
}

#[test]
fn a_long_join_ends_soon_after_it_is_cancelled() {
    for (name, form) in [("ints", ints as Form), ("strings", strings)] {
        let folder = tempfile::tempdir().unwrap();
        for table in ["a", "b"] {
            let x: ArrayRef = Arc::new(Float64Array::from_iter_values(keys(TABLE).map(|key| key as f64)));
            let batch =
                RecordBatch::try_from_iter([("k", form(TABLE)), ("x", x), ("y", strings(TABLE))]).unwrap();
            write_file(&batch, &folder.path().join(format!("{table}.parquet")), Format::Parquet).unwrap();
        }
        let spine = RecordBatch::try_from_iter([("k", form(SPINE))]).unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let begin = || {
            let run = Arc::new(Run::new(u64::MAX));
            let mut options = JoinOptions::default();
            options.run = Some(Arc::clone(&run));
            options.spine = Some(spine.clone());
            options.strategy = Strategy::Hash;
            let store = Arc::clone(&store);
            let pending = spawn(&options.clone(), move || {
                let tables = ["a", "b"].map(|table| TableSpec::named(table).columns(["x", "y"]));
                store.join_with(&JoinSpec::new(["k"]).full_names(true).tables(tables), &options)
            });
            (run, pending.unwrap())
        };
        let started = Instant::now();
        let (_, mut whole) = begin();
        assert_eq!(whole.wait_for(Duration::from_secs(600)).unwrap().unwrap().num_rows() as i64, SPINE);
        let whole = started.elapsed();
        let mut worst = Duration::ZERO;
        const MOMENTS: u32 = 6;
        for moment in 0..MOMENTS {
            let (run, mut pending) = begin();
            let after = whole * moment / (MOMENTS + 2);
            std::thread::sleep(after);
            run.cancel();
            let cancelled = Instant::now();
            let outcome = pending.wait_for(Duration::from_secs(600)).unwrap();
            let latency = cancelled.elapsed();
            println!("{name}: cancelled after {after:?} of {whole:?}, ended {latency:?} later");
            // On a machine that was busy before, a late moment may be after the end.
            if moment <= MOMENTS / 2 || outcome.is_err() {
                assert_eq!(outcome.err().map(|e| e.kind()), Some(ErrorKind::Cancelled));
            }
            assert!(latency < LATENCY, "{name}: {latency:?} after {after:?}");
            worst = worst.max(latency);
        }
        println!("{name}: the worst of {MOMENTS}: {worst:?}");
    }
}
