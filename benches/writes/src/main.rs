//! One measurement a call, as JSON on stdout; `benches/writes/run` says in which order and beside whom.

mod rows;
mod syncs;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hypostyle::{JoinSpec, Store, TableSpec, WriteMode, WriteOptions, init};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "\
make ROOT COORDINATION TABLES ROWS COLUMNS
upsert ROOT TABLE ROUNDS            24 rows, beside the same files written and synced alone
write ROOT TABLE START SECONDS RATE as often as it goes, or RATE a second
read ROOT TABLES START SECONDS      the newest 24 rows of 4 columns of each
streams DIR N SECONDS               N streams of what a commit writes and syncs
round_trips ROOT N                  asks for the newest snapshot
open ROOT TABLE N                   opens the store and finds a table's files";

/// Rows of an upsert, and of a reader's join.
const NEWEST: usize = 24;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = match words.as_slice() {
        ["make", root, coordination, tables, rows, columns] => {
            make(root, coordination, tables.parse()?, rows.parse()?, columns.parse()?)?
        }
        ["upsert", root, table, rounds] => upsert(root, table, rounds.parse()?)?,
        ["write", root, table, start, seconds, rate] => {
            write(root, table, Window::new(start, seconds)?, rate.parse()?)?
        }
        ["read", root, tables, start, seconds] => read(root, tables.parse()?, Window::new(start, seconds)?)?,
        ["streams", folder, streams, seconds] => {
            syncs::streams(Path::new(folder), streams.parse()?, Duration::from_secs_f64(seconds.parse()?))?
        }
        ["round_trips", root, count] => round_trips(root, count.parse()?)?,
        ["open", root, table, count] => open(root, table, count.parse()?)?,
        _ => return Err(USAGE.into()),
    };
    println!("{said}");
    Ok(())
}

/// The part of the time in which is measured what several processes do at once.
#[derive(Clone, Copy)]
struct Window {
    start: SystemTime,
    seconds: f64,
}

impl Window {
    /// `start`, in seconds since 1970: until then a process warms up.
    fn new(start: &str, seconds: &str) -> Outcome<Self> {
        Ok(Self { start: UNIX_EPOCH + Duration::from_secs_f64(start.parse()?), seconds: seconds.parse()? })
    }

    /// Seconds since the start, once it has come.
    fn now(self) -> Option<f64> {
        SystemTime::now().duration_since(self.start).ok().map(|since| since.as_secs_f64())
    }
}

fn name(table: usize) -> String {
    format!("t{table}")
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn make(root: &str, coordination: &str, tables: usize, rows: usize, columns: usize) -> Outcome<Value> {
    std::fs::create_dir_all(root)?;
    init(root, &coordination.parse()?)?;
    let store = Store::open(root)?;
    let batch = rows::rows(0..rows, columns, 0)?;
    for table in 0..tables {
        store.write(&name(table), &batch, &WriteOptions::default().key(["ts"]))?;
    }
    Ok(json!({ "tables": tables }))
}

/// The table's rows and columns.
fn shape(store: &Store, table: &str) -> Outcome<(usize, usize)> {
    let columns = store.schema(table)?.ok_or("no such table")?.fields().len() - 1;
    let spec = JoinSpec::new(["ts"]).table(TableSpec::named(table).columns(["f000"]));
    Ok((store.join(&spec)?.num_rows(), columns))
}

fn upsert(root: &str, table: &str, rounds: usize) -> Outcome<Value> {
    let store = Store::open(root)?;
    let (rows, columns) = shape(&store, table)?;
    let options = WriteOptions::new(WriteMode::Upsert);
    let (mut commits, mut alone, mut sizes) = (Vec::new(), Vec::new(), None);
    for round in 0..=rounds {
        let batch = rows::rows(rows - NEWEST..rows, columns, round as u64 + 1)?;
        let begun = Instant::now();
        store.write(table, &batch, &options)?;
        let commit = ms(begun);
        let shapes = sizes.get_or_insert(syncs::Sizes::of_newest(Path::new(root), &store, table)?);
        let begun = Instant::now();
        syncs::once(&Path::new(root).join(table), *shapes)?;
        let own = ms(begun);
        // The first opens what is kept from then on.
        if round > 0 {
            commits.push(commit);
            alone.push(own);
        }
    }
    Ok(json!({ "rows": rows, "columns": columns, "commits_ms": commits, "syncs_ms": alone, "bytes": sizes }))
}

fn write(root: &str, table: &str, window: Window, rate: f64) -> Outcome<Value> {
    let store = Store::open(root)?;
    let (rows, columns) = shape(&store, table)?;
    let options = WriteOptions::new(WriteMode::Upsert);
    let (mut commits, mut lasted, mut round) = (Vec::new(), 0.0, 0);
    loop {
        round += 1;
        let batch = rows::rows(rows - NEWEST..rows, columns, round)?;
        // With a rate, each commit has its moment; one that is late does not make the next one late.
        if rate > 0.0
            && let Some(now) = window.now()
        {
            let next = commits.len() as f64 / rate;
            std::thread::sleep(Duration::from_secs_f64((next - now).max(0.0)));
        }
        let (at, begun) = (window.now(), Instant::now());
        store.write(table, &batch, &options)?;
        match at {
            Some(at) if at > window.seconds => break,
            Some(_) => {
                commits.push(ms(begun));
                lasted = window.now().unwrap_or_default();
            }
            None => {}
        }
    }
    Ok(json!({ "commits_ms": commits, "seconds": lasted }))
}

fn read(root: &str, tables: usize, window: Window) -> Outcome<Value> {
    let store = Store::open(root)?;
    let columns = ["f000", "f003", "f005", "f007"];
    let of = |table| TableSpec::named(name(table)).columns(columns);
    let spec =
        (0..tables).map(of).fold(JoinSpec::new(["ts"]).full_names(true).last(NEWEST as u64), JoinSpec::table);
    let (mut joins, mut snapshots) = (Vec::new(), std::collections::BTreeSet::new());
    loop {
        let (at, begun) = (window.now(), Instant::now());
        let frame = store.join(&spec)?;
        let took = ms(begun);
        if frame.num_rows() != NEWEST {
            return Err(format!("a join has {} rows", frame.num_rows()).into());
        }
        match at {
            Some(at) if at > window.seconds => break,
            Some(_) => {
                joins.push(took);
                snapshots.insert(frame.snapshot());
            }
            None => {}
        }
        // A reader that asks without a pause would measure the processor.
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(json!({ "joins_ms": joins, "snapshots": snapshots.len() }))
}

fn round_trips(root: &str, count: usize) -> Outcome<Value> {
    let store = Store::open(root)?;
    store.snapshot(None)?;
    let one = |_| {
        let begun = Instant::now();
        store.snapshot(None).map(|_| ms(begun))
    };
    Ok(json!({ "ms": (0..count).map(one).collect::<Result<Vec<_>, _>>()? }))
}

fn open(root: &str, table: &str, count: usize) -> Outcome<Value> {
    let one = |_| -> Outcome<f64> {
        let begun = Instant::now();
        let files = Store::open(root)?.files(table, None)?.len();
        let took = ms(begun);
        if files == 0 { Err("a table without files".into()) } else { Ok(took) }
    };
    Ok(json!({ "ms": (0..count).map(one).collect::<Outcome<Vec<_>>>()? }))
}
