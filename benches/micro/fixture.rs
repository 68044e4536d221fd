//! The tables, made once and kept under `target/tmp`.

use std::env::args;
use std::fs;
use std::path::{Path, PathBuf};

use hypostyle::{JoinSpec, TableSpec};
use hypostyle_fixtures::{FixtureSpec, KEY, Profile, column_name, table_name, write};

/// The profiles that are measured, and their names in the reports.
pub const PROFILES: [(&str, Profile); 3] =
    [("pyarrow", Profile::Pyarrow), ("polars", Profile::Polars), ("tuned", Profile::Tuned)];

/// Rows of the inference join.
pub const LAST: u64 = 24;

const COLUMNS_OF_A_TABLE: usize = 4;

/// Twenty tables in one folder.
pub struct Fixture {
    /// The folder.
    pub root: PathBuf,
    /// Their files.
    pub files: Vec<PathBuf>,
    spec: FixtureSpec,
}

impl Fixture {
    /// The tables in the manner of a profile; only the first call for a profile and size makes them.
    pub fn of(profile: Profile) -> Self {
        let spec = if is_measured() {
            FixtureSpec { profile, ..FixtureSpec::default() }
        } else {
            FixtureSpec { profile, rows: 2_000, columns: 8, ..FixtureSpec::default() }
        };
        let FixtureSpec { tables, rows, columns, seed, .. } = spec;
        let name = format!("{profile}-{tables}x{rows}x{columns}-{seed}");
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-fixtures");
        let root = parent.join(name);
        if !root.is_dir() {
            // Renamed when whole: tables of an interrupted run must not be measured.
            let unfinished = root.with_extension("unfinished");
            fs::create_dir_all(&unfinished).unwrap();
            write(&unfinished, &spec, &|_| ()).unwrap();
            fs::rename(&unfinished, &root).unwrap();
        }
        let files = (0..tables).map(|t| root.join(table_name(t)).with_extension("parquet")).collect();
        Self { root, files, spec }
    }

    /// The columns that are taken from each table, spread over its width.
    pub fn columns(&self) -> Vec<String> {
        (0..COLUMNS_OF_A_TABLE).map(|c| column_name(c * self.spec.columns / COLUMNS_OF_A_TABLE)).collect()
    }

    /// The training join: four columns of each table, all rows.
    pub fn training(&self) -> JoinSpec {
        let tables = (0..self.spec.tables).map(|t| TableSpec::named(table_name(t)).columns(self.columns()));
        JoinSpec::new([KEY]).full_names(true).tables(tables)
    }

    /// The inference join: the same, of the newest rows.
    pub fn inference(&self) -> JoinSpec {
        self.training().last(LAST)
    }

    /// Values that the training join puts out, without the key: what throughput counts.
    pub fn values(&self) -> u64 {
        (self.spec.rows * self.spec.tables * COLUMNS_OF_A_TABLE) as u64
    }
}

/// Whether times are taken: `cargo bench` says `--bench`, and `-- --test` runs everything once.
fn is_measured() -> bool {
    args().any(|a| a == "--bench") && !args().any(|a| a == "--test")
}
