//! `hypostyle demo`.

use std::path::Path;

use hypostyle::{Error, Frame, JoinOptions, JoinSpec, JoinStats, Result, Store, TableSpec};
use hypostyle_fixtures::{FixtureSpec, KEY, column_name, table_name};
use serde::Serialize;

use super::cleanup::OnInterrupt;
use super::figures::{Count, bytes, ms};
use super::fixture::{Made, make};
use super::{Common, preview, stdout};

const FEATURES_OF_EACH: usize = 4;
const LAST: u64 = 24;
const WARM_RUNS: usize = 5;

/// Make tables in a temporary folder, join them, show the frames and the times
///
/// Twenty tables, the join that trains a model (all rows), and the one that asks it (the last 24).
#[derive(Debug, clap::Args)]
pub(super) struct Demo {}

/// The payload under `--json`.
#[derive(Serialize)]
struct Report {
    fixture: Made,
    training: Times,
    inference: Times,
}

/// One join, run a few times in one process.
#[derive(Serialize)]
struct Times {
    rows: u64,
    columns: u64,
    first_ms: f64,
    first_bytes_read: u64,
    warm_runs: usize,
    warm_median_ms: f64,
}

impl Demo {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let say = |text: String| if common.json { Ok(()) } else { stdout::print(&text) };
        let folder = tempfile::Builder::new()
            .prefix("hypostyle-demo-")
            .tempdir()
            .map_err(|e| Error::from_io(&std::env::temp_dir(), e))?;
        let cleanup = OnInterrupt::remove(folder.path());
        let fixture = FixtureSpec { columns: 24, ..FixtureSpec::default() };
        say(format!(
            "Making {} tables of {} rows and {} features, as pyarrow would write them …\n",
            fixture.tables,
            Count(fixture.rows as u64),
            fixture.columns
        ))?;
        let made = make(folder.path(), &fixture, common)?;
        say(format!("… {} in {}\n", bytes(made.bytes), ms(made.ms)))?;

        let all = spec(&fixture);
        let (frame, training) = time(folder.path(), &all)?;
        say(format!("\nTraining: {FEATURES_OF_EACH} features of each table, all rows\n"))?;
        say(preview::draw(frame.batch(), preview::terminal_width())?)?;
        drop(frame);
        let (frame, inference) = time(folder.path(), &all.last(LAST))?;
        say(format!("\nInference: the same features, the last {LAST} rows\n"))?;
        say(preview::draw(frame.batch(), preview::terminal_width())?)?;
        say(summary(&training, &inference))?;

        folder.close().map_err(|e| Error::from_io(&std::env::temp_dir(), e))?;
        drop(cleanup);
        if common.json { stdout::print_json(&Report { fixture: made, training, inference }) } else { Ok(()) }
    }
}

fn spec(fixture: &FixtureSpec) -> JoinSpec {
    let table = |number| {
        let columns = (0..FEATURES_OF_EACH).map(column_name);
        TableSpec::new(format!("{}.parquet", table_name(number))).columns(columns)
    };
    JoinSpec::new([KEY]).full_names(true).tables((0..fixture.tables).map(table))
}

/// The first run opens the files and reads their footers; the others find them open.
fn time(root: &Path, spec: &JoinSpec) -> Result<(Frame, Times)> {
    let store = Store::open(root)?;
    let frame = store.join(spec)?;
    let mut warm = Vec::with_capacity(WARM_RUNS);
    for _ in 0..WARM_RUNS {
        warm.push(store.join_with(spec, &JoinOptions::default())?.stats().total_ms);
    }
    warm.sort_by(f64::total_cmp);
    let JoinStats { rows, columns, total_ms, bytes_read, .. } = *frame.stats();
    let times = Times {
        rows,
        columns,
        first_ms: total_ms,
        first_bytes_read: bytes_read,
        warm_runs: WARM_RUNS,
        warm_median_ms: warm.get(WARM_RUNS / 2).copied().unwrap_or(total_ms),
    };
    Ok((frame, times))
}

fn summary(training: &Times, inference: &Times) -> String {
    let row = |name: &str, times: &Times| {
        format!(
            "{name:<10} {:>7} rows × {} columns {:>12} {:>12} {:>12}\n",
            Count(times.rows).to_string(),
            times.columns,
            bytes(times.first_bytes_read),
            ms(times.first_ms),
            ms(times.warm_median_ms)
        )
    };
    let heading = format!("{:<10} {:>25} {:>12} {:>12} {:>12}\n", "", "", "read", "first run", "then");
    let mut text = format!("\n{heading}{}{}", row("training", training), row("inference", inference));
    text += &format!(
        "\nThe files had just been written, so storage answered from memory. `then` is the median of {WARM_RUNS} \
         more runs, with the files open.\nNext: join tables of your own, as README.md shows under \"A join of \
         your own\", or see `hypostyle join --help`.\n"
    );
    text
}
