//! Locks and fences at the commit point.

use std::time::Duration;

use super::super::commit::Wish;
use super::*;
use crate::{ErrorKind, TransactionOptions};

fn begun(world: &World, wait: Duration) -> crate::Result<crate::Transaction> {
    let options = TransactionOptions { wait: Some(wait), ..TransactionOptions::default() };
    world.store.transaction_with(["t"], &options)
}

#[test]
fn a_table_is_written_by_one_at_a_time_and_others_are_not_kept_waiting() {
    let world = World::new();
    let mut first = begun(&world, Duration::ZERO).unwrap();
    let held = world.store.locks().unwrap();
    assert_eq!((held.len(), held[0].standing), (1, "held"));
    assert_eq!(held[0].tables, [("t".to_owned(), "exclusive")]);
    let refused = begun(&world, Duration::from_millis(20)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
    assert!(refused.hint_text().unwrap().contains("hypostyle lock ls"));
    world.write("other", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    first.write("t", &rows(&[(1, 1.0)]), &WriteOptions::default().key(["k"])).unwrap();
    assert_eq!(first.commit().unwrap().snapshot, 2);
    begun(&world, Duration::ZERO).unwrap();
    assert!(world.store.locks().unwrap().is_empty());
}

#[test]
fn a_holder_whose_lock_was_broken_commits_nothing() {
    let world = World::new();
    world.write("t", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    let mut broken = begun(&world, Duration::ZERO).unwrap();
    broken.write("t", &rows(&[(2, 2.0)]), &WriteOptions::default()).unwrap();
    let id = world.store.locks().unwrap().remove(0).id;
    assert_eq!(world.store.break_lock(&id).unwrap(), 2);
    assert_eq!(world.store.break_lock(&id).unwrap_err().kind(), ErrorKind::NotFound);
    // The next one gets the table at once, and the broken one is refused, whether or not the other has committed.
    let mut next = begun(&world, Duration::ZERO).unwrap();
    assert_eq!(broken.commit().unwrap_err().kind(), ErrorKind::Conflict);
    next.write("t", &rows(&[(3, 3.0)]), &WriteOptions::default()).unwrap();
    next.commit().unwrap();
    assert_eq!(world.read("t").unwrap(), [(1, 1.0), (3, 3.0)]);
    assert_eq!(
        world.store.log(None, 9).unwrap()[1].what.split(' ').take(2).collect::<Vec<_>>(),
        ["break", "the"]
    );
}

/// A commit that was stopped just before its link finds the name free again once gc has removed that snapshot.
#[test]
fn a_commit_that_was_stopped_for_so_long_that_its_number_is_free_again_is_not_taken_for_one() {
    let world = World::new();
    for n in 0..5 {
        world.write("t", &rows(&[(1, n as f64)]), WriteMode::Replace).unwrap();
    }
    let managed = super::super::Managed::at(world.folder.path()).unwrap().unwrap();
    let (manifest, _) = managed.kept.manifest(&managed.layout, 2).unwrap();
    for n in 0..200 {
        world.write("t", &rows(&[(1, n as f64)]), WriteMode::Replace).unwrap();
    }
    let mut options = crate::GcOptions::default();
    (options.grace, options.remove) = (Duration::ZERO, true);
    world.store.gc(&options).unwrap();
    assert!(!managed.layout.snapshot(2).exists());
    assert!(!managed.point.propose(&manifest, &Wish::new(""), Default::default()).unwrap());
    assert!(!managed.layout.snapshot(2).exists());
    assert_eq!(world.read("t").unwrap(), [(1, 199.0)]);
}

#[test]
fn many_threads_on_many_tables_lose_no_update() {
    let world = World::new();
    let tables = ["a", "b", "c"];
    for table in tables {
        world.write(table, &rows(&[(0, 0.0)]), WriteMode::Append).unwrap();
    }
    const EACH: usize = 12;
    std::thread::scope(|scope| {
        for thread in 0..6usize {
            let world = &world;
            scope.spawn(move || {
                for step in 0..EACH {
                    let two = [tables[(thread + step) % 3], tables[(thread + step + 1) % 3]];
                    let mut tx = world.store.transaction(two).unwrap();
                    for table in two {
                        let count = world.read_as_of(table, Some(&tx.snapshot().to_string())).unwrap()[0].1;
                        tx.write(table, &rows(&[(0, count + 1.0)]), &WriteOptions::new(WriteMode::Upsert))
                            .unwrap();
                    }
                    tx.commit().unwrap();
                }
            });
        }
    });
    let total: f64 = tables.iter().map(|table| world.read(table).unwrap()[0].1).sum();
    assert_eq!(total, (6 * EACH * 2) as f64);
    assert_eq!(world.store.snapshot(None).unwrap(), 3 + 6 * EACH as u64);
    assert!(world.store.repair(false).unwrap().findings.is_empty());
}

#[test]
fn a_transaction_that_is_cancelled_ends_at_its_next_step_and_leaves_nothing() {
    // Cancelled before it begins, while it waits for the lock, before a write, before its commit.
    for step in ["begin", "lock", "write", "commit"] {
        let world = World::new();
        world.write("t", &rows(&[(1, 0.5)]), WriteMode::Upsert).unwrap();
        let files = world.all_files();
        let run = Arc::new(crate::Run::default());
        let options = TransactionOptions { run: Some(Arc::clone(&run)), ..Default::default() };
        let cancel = |at: &str| {
            if step == at {
                run.cancel();
            }
        };
        let outcome = std::thread::scope(|scope| {
            let other = begun(&world, Duration::ZERO).unwrap();
            cancel("begin");
            let ours = scope.spawn(|| {
                let mut ours = world.store.transaction_with(["t"], &options)?;
                cancel("write");
                ours.write("t", &rows(&[(1, 9.5)]), &WriteOptions::new(WriteMode::Upsert))?;
                cancel("commit");
                ours.commit()
            });
            while world.store.locks().unwrap().len() < 2 {
                std::thread::sleep(Duration::from_millis(1));
            }
            cancel("lock");
            drop(other);
            ours.join().unwrap()
        });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled, "{step}");
        assert_eq!(world.all_files(), files, "{step}");
        assert_eq!(world.store.snapshot(None).unwrap(), 1, "{step}");
        assert!(world.store.locks().unwrap().is_empty(), "{step}");
    }
}
