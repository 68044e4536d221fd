//! Calls that fail and power cuts, while a real etcd decides what is the newest snapshot.

#[expect(dead_code, reason = "it is that of the locks' tests, which do more with it")]
#[path = "../../../../lock/tests/locks/server.rs"]
mod server;
mod world;

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand_pcg::rand_core::Rng;
use rustix::io::Errno;

use super::super::Managed;
use super::super::files::{Call, Files, Gate};
use super::super::transaction::{Transaction, TransactionOptions};
use super::power::{Disk, Recorder};
use super::*;
use crate::ErrorKind;

/// A store with a row in `a`, in snapshot 1.
fn store() -> World {
    let folder = tempfile::tempdir().unwrap();
    let coordination: Coordination = format!("etcd://{}", server::shared()).parse().unwrap();
    init(folder.path(), &coordination).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let world = World { folder, store };
    world.write("a", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    world
}

fn upsert(world: &World, gate: Arc<dyn Gate>) -> crate::Result<Committed> {
    let managed = Managed::with(world.folder.path(), Files::through(gate)).unwrap().unwrap();
    let tables = vec!["a".to_owned(), "new".to_owned()];
    let run = JoinOptions::default().run();
    let mut tx = Transaction::begin(Arc::new(managed), tables, &TransactionOptions::default(), run)?;
    tx.write("a", &rows(&[(1, 2.0), (5, 5.0)]), &WriteOptions::new(WriteMode::Upsert))?;
    tx.write("new", &rows(&[(1, 2.0)]), &WriteOptions::new(WriteMode::Upsert).key(["k"]))?;
    tx.commit()
}

/// Fails one call.
#[derive(Debug)]
struct Failing {
    calls: AtomicUsize,
    at: usize,
    error: Errno,
}

impl Gate for Failing {
    fn before(&self, _call: &Call<'_>) -> io::Result<()> {
        match self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            true => Err(self.error.into()),
            false => Ok(()),
        }
    }
}

#[test]
fn a_call_that_fails_beside_etcd_leaves_the_old_snapshot_and_no_doubt() {
    for error in [Errno::NOSPC, Errno::IO, Errno::ROFS] {
        let mut failures = 0;
        for at in 0.. {
            let world = store();
            let clean = world.all_files();
            let gate = Arc::new(Failing { calls: AtomicUsize::new(0), at, error });
            let done = upsert(&world, gate.clone());
            let reached = gate.calls.load(Ordering::Relaxed) > at;
            let fresh = Store::open(world.folder.path()).unwrap();
            let world = World { folder: world.folder, store: fresh };
            let (newest, found) = (world.store.snapshot(None).unwrap(), world.read("a").unwrap());
            match done {
                // What failed came after the commit, which whoever comes next makes good.
                Ok(made) => assert_eq!((newest, found.len()), (made.snapshot, 2), "{error} {at}"),
                Err(failed) => {
                    // All is synced before etcd is asked: nothing is left in doubt.
                    assert!(!failed.message().starts_with("outcome unknown"), "{error} {at}: {failed}");
                    assert!(failed.file_path().is_some(), "{failed}");
                    assert_eq!((newest, found), (1, vec![(1, 1.0)]), "{error} {at}: {failed}");
                    let mut options = crate::GcOptions::default();
                    (options.grace, options.remove) = (std::time::Duration::ZERO, true);
                    world.store.gc(&options).unwrap();
                    let left = |files: &[String]| files.iter().filter(|f| f.ends_with(".parquet")).count();
                    assert_eq!(left(&world.all_files()), left(&clean), "{error} {at} left something");
                    assert!(!world.all_files().iter().any(|f| f.contains("staging/")), "{error} {at}");
                    failures += 1;
                }
            }
            world.write("a", &rows(&[(9, 9.0)]), WriteMode::Append).unwrap();
            assert_eq!(world.store.repair(false).unwrap().findings, [], "{error} {at}");
            if !reached {
                break;
            }
        }
        assert!(failures >= 12, "{error}: {failures}");
    }
}

/// Writes the calls down, and lets none be made after the k-th, as if the power were gone.
#[derive(Debug)]
struct Cut {
    recorder: Arc<Recorder>,
    left: Mutex<usize>,
}

impl Gate for Cut {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(Errno::IO)?;
        self.recorder.before(call)
    }
}

#[test]
fn after_a_power_cut_the_folder_has_what_etcd_says_whole() {
    let mut random = rand_pcg::Pcg64Mcg::new(13);
    let (mut old, mut new) = (0, 0);
    for calls in 0.. {
        let world = store();
        let before = tempfile::tempdir().unwrap();
        Disk::default().cut(world.folder.path(), before.path(), || 0);
        let recorder = Recorder::at(world.folder.path());
        let gate = Arc::new(Cut { recorder: recorder.clone(), left: Mutex::new(calls) });
        let done = upsert(&world, gate.clone());
        let is_over = *gate.left.lock().unwrap() > 0;
        let disk = Disk::after(&recorder.steps());
        // etcd, which syncs by itself, has what it acknowledged.
        for way in 0..8 {
            let left = tempfile::tempdir().unwrap();
            match way {
                0 => disk.cut(before.path(), left.path(), || 0),
                1 => disk.cut(before.path(), left.path(), || 7),
                _ => disk.cut(before.path(), left.path(), || random.next_u64() >> 7),
            }
            let left = World { store: Store::open(left.path()).unwrap(), folder: left };
            let newest = left.store.snapshot(None).unwrap();
            let expected: &[(i64, f64)] = match newest {
                1 => &[(1, 1.0)],
                _ => &[(1, 2.0), (5, 5.0)],
            };
            assert_eq!(left.read("a").unwrap(), expected, "{calls} {way}");
            assert_eq!(left.read("new").is_ok(), newest == 2, "{calls} {way}");
            assert_eq!(newest == 2, done.is_ok(), "{calls} {way}: {done:?}");
            *(if newest == 1 { &mut old } else { &mut new }) += 1;
            // And it goes on from there, in one of these, since etcd goes on with it.
            if way == 7 {
                left.write("a", &rows(&[(3, 3.0)]), WriteMode::Upsert).unwrap();
                assert_eq!(left.store.snapshot(None).unwrap(), newest + 1);
                assert_eq!(left.store.repair(false).unwrap().findings, []);
            }
        }
        if is_over {
            break;
        }
    }
    assert!(old > 50 && new >= 8, "{old} {new}");
}

/// An error that a mount gives for a lock of files says nothing of etcd, whose kind is told apart.
#[test]
fn what_fails_has_the_kind_of_what_to_do_about_it() {
    for (error, kind) in [
        (Errno::NOSPC, ErrorKind::Unavailable),
        (Errno::IO, ErrorKind::Unavailable),
        (Errno::ROFS, ErrorKind::InvalidRequest),
    ] {
        let failed = upsert(&store(), Arc::new(Failing { calls: AtomicUsize::new(0), at: 0, error }));
        assert_eq!(failed.unwrap_err().kind(), kind, "{error}");
    }
}
