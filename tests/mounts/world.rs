//! Tables in a folder, the same folder through a FUSE file system, and joins of both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use hypostyle::{Frame, JoinOptions, JoinSpec, Result, Store, TableSpec};
use hypostyle_faultfs::{Child, Mount, Mounted, Options, Rules};
use hypostyle_fixtures::{FixtureSpec, KEY, Profile, column_name, table_name};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) spec: FixtureSpec,
    folder: TempDir,
}

/// Whether to go on: where there is no FUSE, it is said loudly.
pub(crate) fn has_fuse() -> bool {
    let answer = hypostyle_faultfs::is_available();
    if let Err(why) = &answer {
        eprintln!("LEFT OUT: {why}");
    }
    answer.is_ok()
}

impl World {
    pub(crate) fn new(tables: usize, rows: usize, columns: usize, profile: Profile) -> Self {
        let spec = FixtureSpec { tables, rows, columns, profile, ..FixtureSpec::default() };
        let world = Self { spec, folder: tempfile::tempdir().unwrap() };
        for name in ["tables", "mount", "copy"] {
            std::fs::create_dir(world.path(name)).unwrap();
        }
        hypostyle_fixtures::write(&world.tables(), &world.spec, &|_| {}).unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn tables(&self) -> PathBuf {
        self.path("tables")
    }

    /// Served by this process: for what answers in the end.
    pub(crate) fn mount(&self, rules: &str) -> Mounted {
        let mounted = Mount::new(usual()).spawn(&self.tables(), &self.path("mount")).unwrap();
        mounted.set_rules(Rules::parse(rules).unwrap()).unwrap();
        mounted
    }

    /// Served by another process: for what hangs or dies.
    pub(crate) fn child(&self, rules: &str) -> Child {
        let mut child =
            Mount::new(usual()).spawn_child(&program(), &self.tables(), &self.path("mount")).unwrap();
        child.set_rules(&Rules::parse(rules).unwrap()).unwrap();
        child
    }

    /// Every table by its name, the first four columns of each.
    pub(crate) fn join(&self) -> JoinSpec {
        let columns: Vec<String> = (0..self.spec.columns.min(4)).map(column_name).collect();
        let table = |at| TableSpec::named(table_name(at)).columns(columns.clone());
        (0..self.spec.tables).map(table).fold(JoinSpec::new([KEY]).full_names(true), JoinSpec::table)
    }

    /// What a join gives of the tables themselves.
    pub(crate) fn expected(&self, spec: &JoinSpec) -> RecordBatch {
        Store::open(self.tables()).unwrap().join(spec).unwrap().batch().clone()
    }
}

/// Names and attributes are believed as long as libfuse's defaults say, pages stay.
fn usual() -> Options {
    Options { entry_ttl_ms: 1000, attr_ttl_ms: 1000, max_background: 64, ..Options::default() }
}

/// How long work took, without the time for which the machine was too busy to let a thread go on that had slept.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    const NAP: Duration = Duration::from_millis(5);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut stalled = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(NAP);
                let late = began.elapsed().saturating_sub(NAP);
                if late > Duration::from_millis(2) {
                    stalled += late;
                }
            }
            stalled
        });
        let began = Instant::now();
        let value = work();
        let took = began.elapsed();
        over.store(true, Ordering::Relaxed);
        (value, took.saturating_sub(watch.join().unwrap() * 2))
    })
}

pub(crate) fn within(timeout_ms: u64) -> JoinOptions {
    let mut options = JoinOptions::default();
    options.timeout = Some(Duration::from_millis(timeout_ms));
    options
}

pub(crate) fn join(root: &Path, spec: &JoinSpec, options: &JoinOptions) -> Result<Frame> {
    Store::open_within([root], Duration::from_millis(100))?.join_with(spec, options)
}

/// The file system's program, which cargo builds beside this one when it builds the workspace.
pub(crate) fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().unwrap().parent().unwrap().join("hypostyle-faultfs");
    if !program.exists() {
        let build = ["build", "-p", "hypostyle-faultfs"];
        assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    }
    program
}
