//! What a store promises while etcd answers.

use std::time::{Duration, Instant};

use hypostyle::{
    AsOf, Coordination, ErrorKind, GcOptions, TransactionOptions, WriteMode, WriteOptions, init,
};

use crate::proxy::Proxy;
use crate::server::{Servers, shared};
use crate::world::{World, join, rows, rows_of, write};

#[test]
fn tables_are_written_in_every_mode_and_read_as_of_every_snapshot() {
    let world = World::new(&shared());
    let two = [(1, 1.0), (2, 2.0)];
    assert_eq!(world.write("t", &two, WriteMode::Append).unwrap().snapshot, 1);
    assert_eq!(
        world.write("t", &[(2, 3.0)], WriteMode::Append).unwrap_err().kind(),
        ErrorKind::InvalidRequest
    );
    assert_eq!(world.write("t", &[(2, 3.0), (3, 3.0)], WriteMode::Upsert).unwrap().snapshot, 2);
    assert_eq!(world.store.tag("before", None, false).unwrap(), 2);
    assert_eq!(world.store.delete("t", Some("1"), Some("2")).unwrap().snapshot, 4);
    assert_eq!(world.write("t", &[(9, 9.0)], WriteMode::Replace).unwrap().snapshot, 5);
    assert_eq!(world.read("t"), [(9, 9.0)]);
    let expected: [(&str, &[(i64, f64)]); 4] = [
        ("1", &two),
        ("before", &[(1, 1.0), (2, 3.0), (3, 3.0)]),
        ("4", &[(2, 3.0), (3, 3.0)]),
        ("5", &[(9, 9.0)]),
    ];
    // By another process, which finds all of them by their numbers.
    let other = world.open();
    for (as_of, expected) in expected {
        let frame = join(&other, "t", Some(as_of)).unwrap();
        assert_eq!(rows_of(&frame), expected, "{as_of}");
        assert_eq!(frame.stats().snapshot_known_at_ns, None);
    }
    let what: Vec<String> = other.log(None, 9).unwrap().into_iter().map(|s| s.what).collect();
    assert_eq!(what, ["replace t", "delete t", "tag before", "upsert t", "append t", "init"]);
    // Both tables or none.
    let mut both = other.transaction(["t", "u"]).unwrap();
    both.write("t", &rows(&[(10, 1.0)]), &WriteOptions::new(WriteMode::Upsert)).unwrap();
    both.write("u", &rows(&two), &WriteOptions::default().key(["k"])).unwrap();
    assert_eq!(both.commit().unwrap().snapshot, 6);
    assert_eq!(world.read("u"), two);
    other.compact("t").unwrap();
    let mut options = GcOptions::default();
    (options.grace, options.remove) = (Duration::ZERO, true);
    assert!(!world.store.gc(&options).unwrap().files.is_empty());
    assert_eq!(join(&other, "t", Some("4")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(rows_of(&join(&world.open(), "t", Some("before")).unwrap()), expected[1].1);
    assert_eq!(world.open().repair(false).unwrap().findings, []);
    assert!(world.store.locks().unwrap().is_empty());
    // Nothing in the store says who we are.
    let marker = std::fs::read_to_string(world.folder.path().join("_hypostyle/store.json")).unwrap();
    assert!(marker.contains("\"coordination\": \"etcd://127.0.0.1:"), "{marker}");
}

#[test]
fn of_two_that_began_with_the_same_snapshot_the_second_is_told_who_was_first() {
    let world = World::new(&shared());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let other = world.open();
    let mut late = TransactionOptions::default();
    (late.base, late.wait) = (Some(1), Some(Duration::ZERO));
    let mut first = world.store.transaction_with(["t"], &late).unwrap();
    let refused = other.transaction_with(["t"], &late).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
    first.write("t", &rows(&[(2, 2.0)]), &WriteOptions::default()).unwrap();
    // Another table is in nobody's way: the first is rebased upon it.
    assert_eq!(write(&other, "u", &[(1, 1.0)], WriteMode::Append).unwrap().snapshot, 2);
    assert_eq!(first.commit().unwrap().snapshot, 3);
    let mut second = other.transaction_with(["t"], &late).unwrap();
    second.write("t", &rows(&[(3, 3.0)]), &WriteOptions::default()).unwrap();
    let error = second.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("snapshot 3 by "), "{error}");
    assert_eq!(world.read("t"), [(1, 1.0), (2, 2.0)]);
}

#[test]
fn a_holder_whose_lock_was_broken_commits_nothing() {
    let world = World::new(&shared());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let mut broken = world.store.transaction(["t"]).unwrap();
    broken.write("t", &rows(&[(2, 2.0)]), &WriteOptions::default()).unwrap();
    let other = world.open();
    let id = other.locks().unwrap().remove(0).id;
    assert_eq!(other.break_lock(&id).unwrap(), 2);
    assert_eq!(write(&other, "t", &[(3, 3.0)], WriteMode::Append).unwrap().snapshot, 3);
    let error = broken.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(world.read("t"), [(1, 1.0), (3, 3.0)]);
}

#[test]
fn whoever_broke_a_lock_just_before_the_commit_is_the_one_who_wins() {
    // Without a floor in the way: only the transaction's own comparison can refuse it.
    let world = World::new(&shared());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let marker = std::fs::read(world.folder.path().join("_hypostyle/store.json")).unwrap();
    let marker: serde_json::Value = serde_json::from_slice(&marker).unwrap();
    let settings = hypostyle_lock::etcd::EtcdSettings::new(&shared()).unwrap();
    let settings = settings.prefix(format!("/hypostyle/{}", marker["store"].as_str().unwrap()));
    let locks = hypostyle_lock::etcd::EtcdLocks::connect(settings).unwrap();
    assert_eq!(marker["cluster"], locks.cluster_id());
    let mut robbed = world.store.transaction(["t"]).unwrap();
    robbed.write("t", &rows(&[(2, 2.0)]), &WriteOptions::default()).unwrap();
    let ticket = hypostyle_lock::Locks::list(&locks).unwrap().remove(0);
    hypostyle_lock::Locks::break_lock(&locks, &ticket.id).unwrap();
    assert_eq!(robbed.commit().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(world.read("t"), [(1, 1.0)]);
}

#[test]
fn of_many_inits_at_once_one_makes_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let coordination: Coordination = format!("etcd://{}", shared()).parse().unwrap();
    let made = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..6).map(|_| scope.spawn(|| init(folder.path(), &coordination).is_ok())).collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|made| *made).count()
    });
    assert_eq!(made, 1);
    let store = hypostyle::Store::open(folder.path()).unwrap();
    assert_eq!(write(&store, "t", &[(1, 1.0)], WriteMode::Append).unwrap().snapshot, 1);
    assert_eq!(rows_of(&join(&store, "t", None).unwrap()), [(1, 1.0)]);
    assert_eq!(store.repair(false).unwrap().findings, []);
}

#[test]
fn an_answer_that_is_lost_is_looked_for_and_nothing_is_done_twice() {
    let proxy = Proxy::to(&shared());
    let world = World::new(&proxy.address);
    for n in 1..=5 {
        let mut transaction = world.store.transaction(["t"]).unwrap();
        let mode = WriteOptions::new(WriteMode::Append).key(["k"]);
        transaction.write("t", &rows(&[(n, 0.5)]), &mode).unwrap();
        let id = transaction.commit_id().to_owned();
        let lost = proxy.lost();
        proxy.lose_answers(true);
        let made = std::thread::scope(|scope| {
            scope.spawn(|| {
                while proxy.lost() == lost {
                    std::thread::sleep(Duration::from_millis(1));
                }
                proxy.lose_answers(false);
            });
            transaction.commit().unwrap()
        });
        assert!(proxy.lost() > lost);
        assert_eq!((made.snapshot, made.commit), (n.cast_unsigned(), id));
    }
    assert_eq!(world.read("t").len(), 5);
    assert_eq!(world.store.log(None, 99).unwrap().len(), 6);
}

#[test]
fn what_cannot_be_told_is_unknown_and_found_later_by_its_id() {
    let proxy = Proxy::to(&shared());
    let world = World::new(&proxy.address);
    let mut transaction = world.store.transaction(["t"]).unwrap();
    transaction.write("t", &rows(&[(1, 0.5)]), &WriteOptions::default().key(["k"])).unwrap();
    let id = transaction.commit_id().to_owned();
    proxy.lose_answers(true);
    let error = transaction.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().starts_with("outcome unknown: "), "{error}");
    assert!(error.hint_text().unwrap().contains(&id));
    assert_eq!(world.store.find_commit(&id, 0).unwrap_err().kind(), ErrorKind::Unavailable);
    proxy.lose_answers(false);
    // It was done, and its files are there.
    assert_eq!(world.store.find_commit(&id, 0).unwrap(), Some(1));
    assert_eq!(rows_of(&join(&world.open(), "t", None).unwrap()), [(1, 0.5)]);
}

/// How many round trips each step takes, found by making each one slow.
#[test]
fn a_read_takes_one_round_trip_and_a_write_as_many_as_are_documented() {
    const DELAY: Duration = Duration::from_millis(100);
    const TRIES: usize = 3;
    let proxy = Proxy::to(&shared());
    let world = World::new(&proxy.address);
    let upsert = |n| world.write("t", &[(n, 1.0)], WriteMode::Upsert).unwrap();
    upsert(1);
    world.read("t");
    let round_trips = |what: &dyn Fn()| {
        proxy.delay(DELAY / 2);
        let timed = |_| {
            let begun = Instant::now();
            what();
            begun.elapsed()
        };
        // Whatever else takes time takes less than one, in the best of them.
        let best = (0..TRIES).map(timed).min().unwrap();
        proxy.delay(Duration::ZERO);
        best.as_millis() / DELAY.as_millis()
    };
    let read = round_trips(&|| drop(world.read("t")));
    let write = round_trips(&|| drop(upsert(2)));
    let as_of = AsOf::Snapshot(1);
    let of_old = round_trips(&|| assert_eq!(world.store.snapshot(Some(&as_of)).unwrap(), 1));
    let both = round_trips(&|| {
        let mut both = world.store.transaction(["t", "u"]).unwrap();
        both.write("t", &rows(&[(3, 1.0)]), &WriteOptions::new(WriteMode::Upsert)).unwrap();
        both.write("u", &rows(&[(3, 1.0)]), &WriteOptions::new(WriteMode::Upsert).key(["k"])).unwrap();
        both.commit().unwrap();
    });
    // Other processes have read already, and have no lease at hand.
    let others = [(); TRIES].map(|()| {
        let other = world.open();
        join(&other, "t", None).unwrap();
        std::cell::Cell::new(Some(other))
    });
    let first = round_trips(&|| {
        let other = others.iter().find_map(std::cell::Cell::take).unwrap();
        crate::world::write(&other, "t", &[(4, 1.0)], WriteMode::Upsert).unwrap();
    });
    println!(
        "{read} round trips for a read, {of_old} as of an old snapshot, {write} for a write, {both} for one of two \
         tables, {first} for the first one of a process"
    );
    assert_eq!((read, of_old), (1, 1));
    assert_eq!((write, both, first), (2, 2, 3));
}

#[test]
fn a_cluster_goes_on_when_its_leader_is_lost() {
    let mut servers = Servers::start(3);
    let world = World::new(&servers.endpoints());
    for node in 0..3_i64 {
        let nth = usize::try_from(node).unwrap();
        servers.kill(nth);
        let made = world.write("t", &[(node, 1.0)], WriteMode::Append).unwrap();
        assert_eq!(made.snapshot, node.cast_unsigned() + 1);
        assert_eq!(world.read("t").len(), nth + 1);
        servers.run(nth);
        servers.wait();
    }
    assert_eq!(world.open().log(None, 9).unwrap().len(), 4);
}

#[test]
fn what_is_no_cluster_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    for (address, kind) in [
        ("etcd://127.0.0.1", ErrorKind::InvalidRequest),
        ("etcd://me:secret@127.0.0.1:2379", ErrorKind::InvalidRequest),
        ("etcd://", ErrorKind::InvalidRequest),
        ("etcd://127.0.0.1:1", ErrorKind::Unavailable),
    ] {
        let made = address.parse::<Coordination>().and_then(|c| init(folder.path(), &c));
        let error = made.unwrap_err();
        assert_eq!(error.kind(), kind, "{address}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!folder.path().join("_hypostyle/store.json").exists());
    }
    // What was begun is in nobody's way.
    let coordination: Coordination = format!("etcd://{}", shared()).parse().unwrap();
    init(folder.path(), &coordination).unwrap();
    let error = init(folder.path(), &coordination).unwrap_err();
    assert!(error.to_string().contains("a managed store already"), "{error}");
}
