//! What readers see, and when.

use std::time::Duration;

use super::*;
use crate::{ErrorKind, GcOptions, TransactionOptions};

#[test]
fn a_join_reads_all_its_tables_from_one_snapshot_and_says_which() {
    let world = World::new();
    let mut both = world.store.transaction(["a", "b"]).unwrap();
    for table in ["a", "b"] {
        both.write(table, &rows(&[(1, 1.0)]), &WriteOptions::new(WriteMode::Append).key(["k"])).unwrap();
    }
    assert!(world.store.tables().unwrap().is_empty(), "nothing is seen before the commit");
    assert_eq!(both.commit().unwrap().snapshot, 1);
    assert_eq!(world.store.tables().unwrap(), ["a", "b"]);
    let spec = JoinSpec::default()
        .full_names(true)
        .table(TableSpec::named("a").columns(["x"]))
        .table(TableSpec::new("b").columns(["x"]));
    let frame = world.store.join(&spec).unwrap();
    assert_eq!((frame.snapshot(), frame.num_columns()), (Some(1), 3));
    // The key is the tables' own, and a path that is a name is one.
    world.write("a", &rows(&[(1, 2.0)]), WriteMode::Upsert).unwrap();
    let old = world.store.join_with(&spec, &options_as_of("1")).unwrap();
    assert_eq!((old.batch(), old.snapshot()), (frame.batch(), Some(1)));
    let new = world.store.join(&spec).unwrap();
    assert_eq!(new.snapshot(), Some(2));
    assert_ne!(new.batch(), frame.batch());
    for (path, kind) in [
        ("a/", ErrorKind::InvalidRequest),
        ("a/*.parquet", ErrorKind::InvalidRequest),
        ("c", ErrorKind::NotFound),
    ] {
        let spec = JoinSpec::new(["k"]).table(TableSpec::new(path).columns(["x"]));
        assert_eq!(world.store.join(&spec).unwrap_err().kind(), kind, "{path}");
    }
}

#[test]
fn a_snapshot_is_found_by_number_time_and_tag() {
    let world = World::new();
    let mut times = vec![];
    for n in 1..=5 {
        let made = world.write("t", &rows(&[(n, n as f64)]), WriteMode::Append).unwrap();
        times.push(made.time_ns);
    }
    assert!(times.is_sorted_by(|a, b| a < b));
    assert_eq!(world.store.tag("three", Some(&as_of("3")), false).unwrap(), 3);
    let rows_as_of = |text: &str| world.read_as_of("t", Some(text)).map(|rows| rows.len());
    let moment = |ns: u64| super::super::unique::moment(ns);
    for (text, expected) in [
        ("1".to_owned(), 1),
        ("5".to_owned(), 5),
        ("three".to_owned(), 3),
        (moment(times[3]), 4),
        (moment(times[3] - 1), 3),
        (moment(times[4] + 1_000_000_000_000), 5),
    ] {
        assert_eq!(rows_as_of(&text).unwrap(), expected, "{text}");
    }
    for (text, kind) in [
        ("99", ErrorKind::NotFound),
        ("0", ErrorKind::NotFound),
        ("thre", ErrorKind::NotFound),
        ("1999-01-01", ErrorKind::NotFound),
        ("-1", ErrorKind::InvalidRequest),
        ("soon!", ErrorKind::InvalidRequest),
    ] {
        assert_eq!(rows_as_of(text).unwrap_err().kind(), kind, "{text}");
    }
    assert_eq!(world.store.tag("three", Some(&as_of("4")), false).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(world.store.tag("three", Some(&as_of("4")), true).unwrap(), 4);
    world.store.untag("three").unwrap();
    assert_eq!(rows_as_of("three").unwrap_err().kind(), ErrorKind::NotFound);
    let log = world.store.log(Some("t"), 3).unwrap();
    assert_eq!(log.iter().map(|s| s.number).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(world.store.find_commit(&log[1].commit, 0).unwrap(), Some(4));
    assert_eq!(world.store.find_commit("none", 0).unwrap(), None);
    let difference = world.store.diff(&as_of("2"), &as_of("5")).unwrap();
    let change = &difference.tables["t"];
    assert_eq!((change.rows_before, change.rows_after), (Some(2), Some(5)));
    assert_eq!((change.files_added.len(), change.files_removed.len()), (1, 1));
}

#[test]
fn a_commit_upon_an_older_snapshot_is_rebased_or_is_a_conflict() {
    let world = World::new();
    for table in ["a", "b", "c"] {
        world.write(table, &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    }
    let base = world.store.snapshot(None).unwrap();
    world.write("b", &rows(&[(2, 2.0)]), WriteMode::Append).unwrap();
    let check = |writes: &str, shared: &[&str], conflict: Option<&str>| {
        let mut options = TransactionOptions::default();
        (options.base, options.shared) = (Some(base), shared.iter().map(|s| (*s).to_owned()).collect());
        let mut tx = world.store.transaction_with([writes], &options).unwrap();
        tx.write(writes, &rows(&[(9, 9.0)]), &WriteOptions::new(WriteMode::Upsert)).unwrap();
        let done = tx.commit();
        match (done, conflict) {
            (Ok(_), None) => {}
            (Err(error), Some(table)) => {
                assert_eq!((error.kind(), error.table_name()), (ErrorKind::Conflict, Some(table)));
                assert!(error.to_string().contains(&format!("snapshot {}", base + 1)), "{error}");
                assert!(error.to_string().contains("append b"), "{error}");
            }
            (done, _) => panic!("{writes} {shared:?}: {done:?}"),
        }
    };
    let before = world.all_files().len();
    check("b", &[], Some("b"));
    check("a", &["b"], Some("b"));
    assert_eq!(world.all_files().len(), before, "a conflict leaves nothing behind");
    check("a", &["c"], None);
    check("c", &[], None);
    assert_eq!(world.read("b").unwrap().len(), 2);
}

#[test]
fn nothing_to_change_makes_no_snapshot() {
    let world = World::new();
    world.write("t", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    assert_eq!(world.write("t", &rows(&[]), WriteMode::Upsert).unwrap().snapshot, 1);
    assert_eq!(world.store.delete("t", Some("5"), None).unwrap().snapshot, 1);
    assert_eq!(world.store.transaction(["t"]).unwrap().commit().unwrap().snapshot, 1);
    assert_eq!(world.store.snapshot(None).unwrap(), 1);
    assert_eq!(world.write("new", &rows(&[]), WriteMode::Append).unwrap().snapshot, 1);
    assert_eq!(world.write("new", &rows(&[]), WriteMode::Replace).unwrap().snapshot, 2);
}

#[test]
fn hundreds_of_commits_are_read_through_checkpoints() {
    let world = World::new();
    for n in 0..200 {
        let table = format!("t{}", n % 7);
        world.write(&table, &rows(&[(n, n as f64)]), WriteMode::Append).unwrap();
    }
    let managed = super::super::Managed::at(world.folder.path()).unwrap().unwrap();
    for number in 0..=200 {
        let (manifest, _) = managed.kept.manifest(&managed.layout, number).unwrap();
        let back = number - manifest.checkpoint.as_ref().map_or(0, |c| c.number);
        assert!(back <= super::super::commit::FURTHEST, "{number} has its checkpoint {back} back");
    }
    for n in (0..200).step_by(23) {
        let table = format!("t{}", n % 7);
        let rows = world.read_as_of(&table, Some(&(n + 1).to_string())).unwrap();
        assert_eq!(rows.last(), Some(&(n, n as f64)), "as of {}", n + 1);
        assert_eq!(rows.len() as i64, n / 7 + 1);
    }
    assert_eq!(world.store.tables().unwrap().len(), 7);
}

#[test]
fn gc_removes_what_nobody_can_ask_for_and_keeps_what_has_a_tag() {
    let world = World::new();
    for n in 0..100 {
        world.write("t", &rows(&[(1, n as f64)]), WriteMode::Replace).unwrap();
    }
    world.store.tag("kept", Some(&as_of("10")), false).unwrap();
    std::fs::write(world.folder.path().join("t/mine.parquet"), "somebody's").unwrap();
    std::fs::write(world.folder.path().join("_hypostyle/staging/left.manifest"), "").unwrap();
    let before = world.all_files();
    let mut options = GcOptions { remove: true, ..GcOptions::default() };
    assert_eq!(world.store.gc(&options).unwrap().files, [] as [&str; 0], "all is younger than the grace");
    options.grace = Duration::ZERO;
    options.remove = false;
    let dry = world.store.gc(&options).unwrap();
    assert_eq!(world.all_files(), before);
    options.remove = true;
    let report = world.store.gc(&options).unwrap();
    assert!(
        report.files.len() >= dry.files.len() && dry.files.len() > 90,
        "{} {}",
        report.files.len(),
        dry.files.len()
    );
    assert!(report.files.iter().all(|file| !world.folder.path().join(file).exists()));
    assert!(world.folder.path().join("t/mine.parquet").exists());
    assert_eq!(world.read("t").unwrap(), [(1, 99.0)]);
    assert_eq!(world.read_as_of("t", Some("kept")).unwrap(), [(1, 9.0)]);
    assert_eq!(world.read_as_of("t", Some("10")).unwrap(), [(1, 9.0)]);
    let gone = world.read_as_of("t", Some("50")).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(gone.to_string().contains("gc"), "{gone}");
    // A store that has been through it goes on as before.
    let fresh = Store::open(world.folder.path()).unwrap();
    for n in 0..70 {
        fresh.write("t", &rows(&[(1, n as f64)]), &WriteOptions::new(WriteMode::Upsert)).unwrap();
    }
    assert_eq!(world.read("t").unwrap(), [(1, 69.0)]);
    assert!(world.store.repair(false).unwrap().findings.is_empty());
}

#[test]
fn a_reader_may_be_content_with_a_snapshot_that_was_the_newest_not_long_ago() {
    let world = World::new();
    world.write("t", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("t").columns(["x"]));
    assert_eq!(world.store.join(&spec).unwrap().snapshot(), Some(1));
    let other = Store::open(world.folder.path()).unwrap();
    other.write("t", &rows(&[(2, 2.0)]), &WriteOptions::new(WriteMode::Append)).unwrap();
    let options = JoinOptions { staleness: Duration::from_secs(3600), ..JoinOptions::default() };
    assert_eq!(world.store.join_with(&spec, &options).unwrap().snapshot(), Some(1));
    assert_eq!(world.store.join(&spec).unwrap().snapshot(), Some(2));
    assert_eq!(world.store.join_with(&spec, &options).unwrap().snapshot(), Some(2));
}

#[test]
fn a_clock_that_is_set_back_does_not_set_commits_back() {
    let world = World::new();
    world.write("t", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    // As if the last commit had been made by a clock that is an hour ahead.
    let managed = super::super::Managed::at(world.folder.path()).unwrap().unwrap();
    let (manifest, _) = managed.kept.manifest(&managed.layout, 1).unwrap();
    let mut ahead = manifest.as_ref().clone();
    ahead.time += 3_600_000_000_000;
    std::fs::write(managed.layout.snapshot(1), ahead.encode().unwrap()).unwrap();
    let later = Store::open(world.folder.path()).unwrap();
    let made = later.write("t", &rows(&[(2, 2.0)]), &WriteOptions::new(WriteMode::Append)).unwrap();
    assert_eq!(made.time_ns, ahead.time + 1);
}

/// What an opening process reads does not grow with the number of tables and snapshots.
#[test]
fn a_store_of_ten_thousand_tables_and_snapshots_is_opened_as_fast_as_a_small_one() {
    use super::super::{Managed, checkpoint, manifest::names};
    let small = World::new();
    for n in 0..10 {
        small.write(&format!("t{n:05}"), &rows(&[(1, n as f64)]), WriteMode::Append).unwrap();
    }
    let open = |world: &World| {
        let begun = std::time::Instant::now();
        let managed = Managed::at(world.folder.path()).unwrap().unwrap();
        let view = managed.view(None, Duration::ZERO).unwrap();
        assert_eq!(view.table("t00007").unwrap().files.len(), 1);
        begun.elapsed()
    };
    let best = |world: &World| (0..40).map(|_| open(world)).min().unwrap();
    let of_small = best(&small);
    // The same store with ten thousand tables and as many snapshots, of which those long past are not read.
    let managed = Managed::at(small.folder.path()).unwrap().unwrap();
    let newest = managed.newest().unwrap();
    let one = newest.entry(&names::table("t00007")).unwrap().unwrap();
    let entries = (0..10_000).map(|n| (names::table(&format!("t{n:05}")), one.clone())).collect();
    let file = super::super::layout::Layout::checkpoint_name(9_990, "x");
    let (bytes, list) = checkpoint::encode(9_990, file.clone(), &entries).unwrap();
    std::fs::write(managed.layout.checkpoint(&file).unwrap(), bytes).unwrap();
    for number in 11..=10_000 {
        std::fs::write(managed.layout.snapshot(number), "").unwrap();
    }
    let mut last = newest.manifest.as_ref().clone();
    (last.number, last.checkpoint, last.recent) = (10_000, Some(list), Default::default());
    last.changes.clear();
    let manifest = last.encode().unwrap();
    assert!(manifest.len() < 20_000, "{} bytes", manifest.len());
    std::fs::write(managed.layout.snapshot(10_000), manifest).unwrap();
    std::fs::write(managed.layout.head(), "9998\n").unwrap();
    let of_large = best(&small);
    println!("{of_small:?} with 10 tables, {of_large:?} with 10,000");
    // Without optimisation a block's checksum takes longer than all else.
    let most = if cfg!(debug_assertions) { 10 } else { 3 };
    assert!(of_large < of_small * most, "{of_small:?} with 10 tables, {of_large:?} with 10,000");
}
