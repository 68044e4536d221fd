//! Tables that a writer replaces while they are joined, well and badly, and what the joins then give.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::RecordBatch;
use hypostyle::{ErrorKind, JoinOptions, JoinSpec, Store};
use hypostyle_faultfs::{Mount, Options};
use hypostyle_fixtures::{FixtureSpec, Profile, table_name};

use crate::world::{World, has_fuse};

const JOINS: usize = 1000;
const REWRITES: usize = 1000;
const TABLES: usize = 5;
const GENERATIONS: usize = 3;
const COLUMNS: usize = 4;

/// How a table gets its next generation.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// A new file, renamed over the old one: as it should be done.
    Rename,
    /// The old file is cut off and filled anew.
    InPlace,
}

/// The tables, and the same of other generations in folders of their own.
struct Rewritten {
    world: World,
    expected: Vec<RecordBatch>,
}

#[derive(Debug, Default)]
struct Found {
    frames: usize,
    /// Frames with a table that is of no generation, or of several.
    mixed: usize,
    errors: BTreeMap<String, usize>,
}

impl Rewritten {
    fn new() -> Self {
        let world = World::new(TABLES, 600, COLUMNS, Profile::default());
        let spec = world.join();
        let expected = (0..GENERATIONS).map(|generation| {
            let folder = generation_in(&world, generation);
            let of = FixtureSpec { seed: world.spec.seed + generation as u64, ..world.spec.clone() };
            std::fs::create_dir(&folder).unwrap();
            hypostyle_fixtures::write(&folder, &of, &|_| {}).unwrap();
            Store::open(folder).unwrap().join(&spec).unwrap().batch().clone()
        });
        let expected: Vec<_> = expected.collect();
        assert_eq!(expected[0], world.expected(&spec));
        assert_ne!(expected[0], expected[1]);
        Self { world, expected }
    }

    /// One table after the other.
    fn rewrite(&self, number: usize, writer: Writer) {
        let (table, generation) = (number % TABLES, (number / TABLES + number) % GENERATIONS);
        let name = format!("{}.parquet", table_name(table));
        let bytes = std::fs::read(generation_in(&self.world, generation).join(&name)).unwrap();
        let target = self.world.tables().join(&name);
        match writer {
            Writer::Rename => {
                let beside = self.world.path("beside");
                std::fs::write(&beside, bytes).unwrap();
                std::fs::rename(beside, target).unwrap();
            }
            Writer::InPlace => std::fs::write(target, bytes).unwrap(),
        }
    }

    /// Whether each table's columns are all of the same generation.
    fn is_pure(&self, frame: &RecordBatch) -> bool {
        let of_table = |table: usize| 1 + table * COLUMNS..1 + (table + 1) * COLUMNS;
        let is_of = |expected: &RecordBatch, table: usize| {
            of_table(table).all(|at| frame.column(at) == expected.column(at))
        };
        frame.num_rows() == self.expected[0].num_rows()
            && frame.column(0) == self.expected[0].column(0)
            && (0..TABLES).all(|table| self.expected.iter().any(|expected| is_of(expected, table)))
    }

    /// Joins while tables are rewritten, until there were enough of both.
    fn join(&self, root: &Path, writer: Writer) -> Found {
        let spec: JoinSpec = self.world.join();
        let (joined, rewritten) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failed = AtomicBool::new(false);
        let mut found = Found::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !failed.load(Ordering::Relaxed)
                    && (number < REWRITES || joined.load(Ordering::Relaxed) < JOINS)
                {
                    // Spread over all of the joins: no more than they are ahead.
                    if number <= joined.load(Ordering::Relaxed) || joined.load(Ordering::Relaxed) >= JOINS {
                        self.rewrite(number, writer);
                        number += 1;
                        rewritten.store(number, Ordering::Relaxed);
                    } else {
                        std::thread::sleep(Duration::from_micros(100));
                    }
                }
            });
            let guard = OnPanic(&failed);
            // Half of the joins by a store that is kept, half by new ones.
            let kept = Store::open(root).unwrap();
            for number in 0..JOINS {
                let fresh = (number % 2 == 0).then(|| Store::open(root).unwrap());
                match fresh.as_ref().unwrap_or(&kept).join_with(&spec, &JoinOptions::default()) {
                    Ok(frame) => {
                        found.frames += 1;
                        found.mixed += usize::from(!self.is_pure(frame.batch()));
                    }
                    Err(error) => *found.errors.entry(format!("{:?}", error.kind())).or_default() += 1,
                }
                joined.fetch_add(1, Ordering::Relaxed);
            }
            drop(guard);
        });
        let rewritten = rewritten.into_inner();
        println!("{writer:?}, {JOINS} joins during {rewritten} rewrites: {found:?}");
        assert!(rewritten >= REWRITES);
        found
    }
}

/// Ends the writer if the joins end by a panic.
struct OnPanic<'a>(&'a AtomicBool);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

fn generation_in(world: &World, generation: usize) -> PathBuf {
    world.path(&format!("generation{generation}"))
}

fn check(through_fuse: bool) {
    let rewritten = Rewritten::new();
    // Names and attributes are asked for each time.
    let mount =
        || Mount::new(Options::default()).spawn(&rewritten.world.tables(), &rewritten.world.path("mount"));
    let mounted = through_fuse.then(|| mount().unwrap());
    let root = mounted.as_ref().map_or(rewritten.world.tables(), |mounted| mounted.path().to_owned());

    let found = rewritten.join(&root, Writer::Rename);
    assert_eq!(found.mixed, 0, "a frame of a mixture");
    assert!(found.frames > JOINS / 10, "hardly any join came through: {found:?}");
    let changed = format!("{:?}", ErrorKind::Changed);
    assert!(found.errors.keys().all(|kind| *kind == changed), "{found:?}");

    // What may slip through here is counted and printed; there is no way to see all of it. The process lives.
    let found = rewritten.join(&root, Writer::InPlace);
    println!("through FUSE: {through_fuse}: {} mixed frames slipped through", found.mixed);
    // A file that is cut off when it is read is one that is being written, and not one that is broken.
    let broken = |kind: &String| *kind != changed;
    let broken: usize = found.errors.iter().filter(|(kind, _)| broken(kind)).map(|(_, many)| many).sum();
    assert!(broken <= JOINS / 100, "{found:?}");
    assert!(found.frames > JOINS / 2, "hardly any join came through: {found:?}");
}

#[test]
fn a_frame_of_local_files_that_are_replaced_has_one_generation_of_each() {
    check(false);
}

#[test]
fn a_frame_of_files_that_are_replaced_behind_a_mount_has_one_generation_of_each() {
    if has_fuse() {
        check(true);
    }
}
