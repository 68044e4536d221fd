//! Calls that fail: the k-th of a write, for every k and every way to fail.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Managed;
use super::super::files::{Call, Files, Gate};
use super::super::transaction::{Transaction, TransactionOptions};
use super::*;
use crate::ErrorKind;

/// Fails one call.
#[derive(Debug)]
struct Failing {
    calls: AtomicUsize,
    at: usize,
    error: rustix::io::Errno,
    only_syncs: bool,
}

impl Gate for Failing {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        if self.only_syncs && !matches!(call, Call::SyncFile(_) | Call::SyncFolder(_)) {
            return Ok(());
        }
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            return Err(self.error.into());
        }
        Ok(())
    }
}

fn upsert(managed: Managed) -> crate::Result<Committed> {
    let tables = vec!["a".to_owned(), "new".to_owned()];
    let run = JoinOptions::default().run();
    let mut tx = Transaction::begin(Arc::new(managed), tables, &TransactionOptions::default(), run)?;
    tx.write("a", &rows(&[(1, 2.0), (5, 5.0)]), &WriteOptions::new(WriteMode::Upsert))?;
    tx.write("new", &rows(&[(1, 2.0)]), &WriteOptions::new(WriteMode::Upsert).key(["k"]))?;
    // More than stand in the manifest itself.
    tx.put_models((0..130).map(|n| crate::NewModel::new(format!("m{n}"), vec![n])).collect())?;
    tx.commit()
}

#[test]
fn a_call_that_fails_leaves_the_old_snapshot_or_says_that_the_outcome_is_unknown() {
    use rustix::io::Errno;
    for (error, only_syncs) in
        [(Errno::NOSPC, false), (Errno::IO, true), (Errno::ROFS, false), (Errno::DQUOT, false)]
    {
        let mut unknown = 0;
        let mut failures = 0;
        for at in 0.. {
            let world = World::new();
            world.write("a", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
            let clean = world.all_files();
            let gate = Arc::new(Failing { calls: AtomicUsize::new(0), at, error, only_syncs });
            let managed = Managed::with(world.folder.path(), Files::through(gate.clone())).unwrap().unwrap();
            let done = upsert(managed);
            let reached = gate.calls.load(Ordering::Relaxed) > at;
            let rows = world.read("a").unwrap();
            let newest = world.store.snapshot(None).unwrap();
            match done {
                Ok(made) => {
                    assert_eq!(world.store.models().list().unwrap().len(), 130);
                    // Either nothing failed, or only what is a hint, or the removal of what is no part of the store.
                    assert_eq!((newest, rows.len()), (made.snapshot, 2), "{error} {at}");
                }
                Err(failed) if failed.message().starts_with("outcome unknown") => {
                    assert_eq!(world.store.models().get("m7").unwrap(), &[7][..]);
                    assert_eq!(failed.kind(), ErrorKind::Unavailable);
                    assert_eq!((newest, rows.len()), (2, 2), "{error} {at}");
                    unknown += 1;
                }
                Err(failed) => {
                    let kind =
                        if error == Errno::ROFS { ErrorKind::InvalidRequest } else { ErrorKind::Unavailable };
                    assert_eq!(failed.kind(), kind, "{error} {at} {failed}");
                    assert!(failed.file_path().is_some(), "{failed}");
                    assert_eq!((newest, rows), (1, vec![(1, 1.0)]), "{error} {at}");
                    assert!(world.store.files("new", None).is_err());
                    let mut options = crate::GcOptions::default();
                    (options.grace, options.remove) = (std::time::Duration::ZERO, true);
                    world.store.gc(&options).unwrap();
                    let is_data = |f: &&String| f.ends_with(".parquet") || f.ends_with(".pack");
                    let data = |files: &[String]| files.iter().filter(is_data).count();
                    assert!(world.store.models().list().unwrap().is_empty());
                    assert_eq!(data(&world.all_files()), data(&clean), "{error} {at} left something");
                    assert!(world.all_files().iter().all(|file| !file.contains("staging/")), "{error} {at}");
                    failures += 1;
                }
            }
            // The store goes on.
            world.write("a", &super::rows(&[(9, 9.0)]), WriteMode::Append).unwrap();
            assert!(world.store.repair(false).unwrap().findings.is_empty());
            if !reached {
                break;
            }
        }
        // Two data files and a manifest, their folders and, for the new table, the root; the last sync is too late to
        // take anything back.
        assert_eq!((failures >= if only_syncs { 6 } else { 12 }, unknown), (true, 1), "{error}: {failures}");
    }
}
