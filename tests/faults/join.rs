//! The tables, their two generations, and the command that joins them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hypostyle_fixtures::{FixtureSpec, Profile, table_name};
use tempfile::TempDir;

pub(crate) const TABLES: usize = 20;

/// A folder with a small table of each number, and in `next/` the generation that may take its place.
pub(crate) struct Tables(TempDir);

/// How the command ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    Frame(Vec<u8>),
    /// Its exit code, and what it said.
    Failed(i32, String),
    /// By a signal, or a panic.
    Died(String),
    /// It had to be killed.
    Hung,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Tables {
    pub(crate) fn new(profile: Profile) -> Self {
        let tables = Self(tempfile::tempdir().unwrap());
        let spec = FixtureSpec { tables: TABLES, rows: 1000, columns: 16, profile, seed: 1 };
        hypostyle_fixtures::write(tables.path(), &spec, &|_| {}).unwrap();
        std::fs::create_dir(tables.path().join("next")).unwrap();
        let next = FixtureSpec { seed: 2, ..spec };
        hypostyle_fixtures::write(&tables.path().join("next"), &next, &|_| {}).unwrap();
        tables
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The frame of tables that nothing is done to.
    pub(crate) fn frame(&self) -> Vec<u8> {
        frame(self.path())
    }

    /// The same files in another folder.
    pub(crate) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for table in 0..TABLES {
            let name = format!("{}.parquet", table_name(table));
            std::fs::copy(self.path().join(&name), copy.path().join(&name)).unwrap();
        }
        copy
    }

    /// The frame when one table is of the next generation.
    pub(crate) fn frame_with_next(&self, table: usize) -> Vec<u8> {
        let mixed = tempfile::tempdir().unwrap();
        for number in 0..TABLES {
            let name = format!("{}.parquet", table_name(number));
            let from = if number == table { self.path().join("next") } else { self.path().to_owned() };
            std::fs::copy(from.join(&name), mixed.path().join(&name)).unwrap();
        }
        frame(mixed.path())
    }
}

fn frame(root: &Path) -> Vec<u8> {
    match join(root) {
        Ended::Frame(frame) => frame,
        failed => panic!("{failed:?}"),
    }
}

/// Joins two columns of each table below `root`.
pub(crate) fn join(root: &Path) -> Ended {
    join_within(&[root], None).0
}

/// The same with several roots and a timeout, and how long it took.
pub(crate) fn join_within(roots: &[&Path], timeout: Option<&str>) -> (Ended, Duration) {
    // Another build of it, if one is named: `./test faults` has the one that is shipped.
    let program = std::env::var_os("HYPOSTYLE_PROGRAM");
    let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_hypostyle").into()));
    command.args(["join", "--key", "ts", "--full-names", "--last", "100", "--format", "csv"]);
    for root in roots {
        command.arg("--root").arg(root);
    }
    if let Some(timeout) = timeout {
        command.args(["--timeout", timeout]);
    }
    for table in 0..TABLES {
        command.args(["--table", &format!("{}.parquet:f000,f003", table_name(table))]);
    }
    // Into a file: a full pipe would wait for a reader that waits for the end.
    let files = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| files.path().join(name));
    let create = |path: &PathBuf| std::fs::File::create(path).unwrap();
    command.stdin(Stdio::null()).stdout(create(&out)).stderr(create(&err));
    let began = Instant::now();
    let mut process = command.spawn().unwrap();
    let status = wait(&mut process);
    let took = began.elapsed();
    let said = text(&err);
    let ended = match status.map(|status| (status, status.code())) {
        None => Ended::Hung,
        Some((_, Some(0))) => Ended::Frame(std::fs::read(&out).unwrap()),
        Some((_, Some(code @ 2..=6))) => Ended::Failed(code, said),
        Some((status, _)) => Ended::Died(format!("{status}: {said}")),
    };
    (ended, took)
}

fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(process: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = process.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // It may wait for a mount that does not answer, and not end before that does: nobody here waits for it.
    process.kill().unwrap();
    None
}
