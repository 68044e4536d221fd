//! `hypostyle fixture`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hypostyle::{Error, Result};
use hypostyle_fixtures::{FixtureSpec, Profile};
use serde::Serialize;

use super::figures::{Count, bytes, in_ms, ms};
use super::progress::Progress;
use super::{Common, stdout};

/// Make synthetic tables to try things on
///
/// Each has an hourly `ts` from 2017-01-01 UTC on, and float64 columns `f000`, `f001`, … The same seed gives the
/// same bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Fixture {
    /// The folder; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How many tables
    #[arg(long, value_name = "N", default_value_t = 20)]
    tables: usize,
    /// Rows of each
    #[arg(long, value_name = "N", default_value_t = 70_000)]
    rows: usize,
    /// Feature columns of each
    #[arg(long, value_name = "N", default_value_t = 200)]
    columns: usize,
    /// Whose files they look like
    #[arg(long, value_name = "PROFILE", default_value = "pyarrow", value_parser = profile())]
    profile: Profile,
    /// Another seed gives other values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// The payload under `--json`.
#[derive(Serialize)]
pub(super) struct Made {
    folder: PathBuf,
    tables: usize,
    rows: usize,
    columns: usize,
    profile: String,
    seed: u64,
    pub(super) bytes: u64,
    pub(super) ms: f64,
}

impl Fixture {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let spec = FixtureSpec {
            tables: self.tables,
            rows: self.rows,
            columns: self.columns,
            profile: self.profile,
            seed: self.seed,
        };
        let made = make(&self.folder, &spec, common)?;
        if common.json {
            return stdout::print_json(&made);
        }
        stdout::print(&format!(
            "{} tables of {} rows and {} features in {}: {}, {}\n",
            Count(made.tables as u64),
            Count(made.rows as u64),
            Count(made.columns as u64),
            made.folder.display(),
            bytes(made.bytes),
            ms(made.ms)
        ))
    }
}

/// Makes the tables, under a progress bar.
pub(super) fn make(folder: &Path, spec: &FixtureSpec, common: Common) -> Result<Made> {
    let from_io = |path: &Path| {
        let path = path.to_owned();
        move |e| Error::from_io(&path, e)
    };
    spec.check()?;
    std::fs::create_dir_all(folder).map_err(from_io(folder))?;
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let files = {
        let (counter, planned) = (Arc::clone(&done), spec.tables as u64);
        let state = move || (counter.load(Ordering::Relaxed), planned);
        let _progress = Progress::watch(common, "making tables", state);
        hypostyle_fixtures::write(folder, spec, &|_| {
            let _ = done.fetch_add(1, Ordering::Relaxed);
        })?
    };
    let mut bytes = 0;
    for file in files {
        bytes += std::fs::metadata(&file).map_err(from_io(&file))?.len();
    }
    Ok(Made {
        folder: folder.to_owned(),
        tables: spec.tables,
        rows: spec.rows,
        columns: spec.columns,
        profile: spec.profile.to_string(),
        seed: spec.seed,
        bytes,
        ms: in_ms(started.elapsed()),
    })
}

fn profile() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(["pyarrow", "polars", "tuned"]).try_map(|word| word.parse::<Profile>())
}
