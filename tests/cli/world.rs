//! A folder with a few tables, and the command run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    types::Int32Type,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World(TempDir);

/// What a run of the command gave.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl World {
    /// `wind` (48 hours; `speed_80m`, `speed_120m`), `sun` (the same hours; `ghi` with nulls), `late` (from hour 24
    /// on), and tables that are no good.
    pub(crate) fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let hours = |from: i64, to: i64| -> ArrayRef {
            let hours = (from..to).map(|hour| hour * 3_600_000_000);
            Arc::new(TimestampMicrosecondArray::from_iter_values(hours))
        };
        let speeds = |factor: f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values((0..48).map(|hour| f64::from(hour) * factor)))
        };
        let ghi: ArrayRef =
            Arc::new(Int64Array::from_iter((0..48).map(|hour| (hour % 24 >= 6).then_some(hour))));
        let price: ArrayRef = Arc::new(StringArray::from_iter_values((24..60).map(|h| format!("p{h}"))));
        let wind = vec![("ts", hours(0, 48)), ("speed_80m", speeds(1.0)), ("speed_120m", speeds(1.5))];
        world.table("wind.parquet", wind);
        world.table("sun.parquet", vec![("ts", hours(0, 48)), ("ghi", ghi)]);
        world.table("late.parquet", vec![("ts", hours(24, 60)), ("price", price)]);
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]), None]);
        let list: ArrayRef = Arc::new(list);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
        let twice: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 0]));
        world.table("nested.parquet", vec![("ts", hours(0, 2)), ("list", list.clone())]);
        world.table("twice.parquet", vec![("ts", twice), ("x", floats.clone())]);
        world.table("odd.parquet", vec![("list", list), ("float", floats), ("x", hours(0, 2))]);
        world.write("text.parquet", b"this is no Parquet file, although it is called one");
        world.write("empty.parquet", b"");
        let whole = std::fs::read(world.path("wind.parquet")).unwrap();
        world.write("cut.parquet", &whole[..whole.len() - 9]);
        std::fs::create_dir(world.path("hollow")).unwrap();
        world.write(
            "join.yaml",
            b"key: ts\ntables:\n  - {path: wind.parquet, columns: [speed_80m]}\n  - {path: sun.parquet, columns: {ghi: sunshine}}\n",
        );
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn table(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        hypostyle::write_file(&batch, &self.path(name), hypostyle::Format::Parquet).unwrap();
    }

    /// The names in the folder, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypostyle"));
        command.current_dir(self.0.path()).stdin(std::process::Stdio::null());
        command
    }

    /// Runs the command with arguments as a shell would split them at blanks.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.command().args(arguments.split_whitespace()).output().unwrap().into()
    }

    /// Runs a shell script in the folder, in which `$HYPOSTYLE` is the command.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("HYPOSTYLE", env!("CARGO_BIN_EXE_hypostyle"));
        shell.current_dir(self.0.path()).output().unwrap().into()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The text on stdout of a run that must have succeeded.
    pub(crate) fn text(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        String::from_utf8(self.stdout).unwrap()
    }

    /// The JSON on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| {
            panic!("{e}: {}, stderr: {}", String::from_utf8_lossy(&self.stdout), self.stderr)
        })
    }
}
