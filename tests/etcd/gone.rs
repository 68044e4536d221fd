//! What becomes of a store when etcd is gone, wiped or set back.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hypostyle::{ErrorKind, JoinSpec, Store, TableSpec, WriteMode};
use rustix::process::Signal;

use crate::server::Servers;
use crate::world::{World, join, rows_of, write};

#[test]
fn without_etcd_reads_go_on_at_the_last_snapshot_that_is_known_and_writers_are_told() {
    let mut servers = Servers::start(1);
    let world = World::new(&servers.endpoints());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    assert_eq!(world.read("t"), [(1, 1.0)]);
    for way in ["killed", "stopped"] {
        match way {
            "killed" => servers.kill(0),
            _ => servers.signal(0, Signal::STOP),
        }
        // This process, and another one of this machine.
        for store in [&world.store, &world.open()] {
            let begun = Instant::now();
            let frame = join(store, "t", None).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(3), "{way}: {:?}", begun.elapsed());
            assert_eq!((rows_of(&frame), frame.snapshot()), (vec![(1, 1.0)], Some(1)));
            let known_at = u128::from(frame.stats().snapshot_known_at_ns.unwrap());
            assert!(known_at.abs_diff(before) < 60_000_000_000, "{known_at} {before}");
            // Those that follow do not wait for what does not answer.
            let begun = Instant::now();
            join(store, "t", Some("1")).unwrap();
            assert!(begun.elapsed() < Duration::from_millis(500), "{way}: {:?}", begun.elapsed());
        }
        let begun = Instant::now();
        let error = world.write("t", &[(2, 2.0)], WriteMode::Append).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.message().contains("unknown"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{way}: {:?}", begun.elapsed());
        let report = world.store.repair(false).unwrap();
        assert!(report.findings[0].what.contains("does not answer"), "{report:?}");
        match way {
            "killed" => servers.run(0),
            _ => servers.signal(0, Signal::CONT),
        }
        servers.wait();
        crate::world::within(Duration::from_secs(10), "reads are of the newest again", || {
            join(&world.store, "t", None).unwrap().stats().snapshot_known_at_ns.is_none()
        });
    }
    assert_eq!(world.write("t", &[(2, 2.0)], WriteMode::Append).unwrap().snapshot, 2);
    assert_eq!(world.read("t"), [(1, 1.0), (2, 2.0)]);
    // A machine that never read the store knows nothing.
    servers.kill(0);
    std::fs::remove_file(world.known()).unwrap();
    let error = join(&world.open(), "t", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.hint_text().unwrap().contains("nothing is known on this machine"), "{error:?}");
}

/// Neither reads nor writes, and `repair` says what could be done.
fn refused(store: &Store, what: &str) {
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("t").columns(["x"]));
    let read = store.join(&spec).unwrap_err();
    let written = write(store, "t", &[(7, 7.0)], WriteMode::Upsert).unwrap_err();
    for error in [&read, &written] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    }
    repair_says(store, what);
}

fn repair_says(store: &Store, what: &str) {
    for apply in [false, true] {
        let report = store.repair(apply).unwrap();
        assert_eq!(report.findings.len(), 1, "{what}: {report:?}");
        assert!(report.actions[0].starts_with("nothing: restore etcd from a copy"), "{what}: {report:?}");
    }
}

#[test]
fn an_etcd_that_was_wiped_or_lost_its_head_is_refused() {
    let mut servers = Servers::start(1);
    let world = World::new(&servers.endpoints());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    world.read("t");
    servers.wipe(0);
    servers.run(0);
    servers.wait();
    refused(&world.store, "seen before");
    refused(&world.open(), "opened after");
    std::fs::remove_file(world.known()).unwrap();
    refused(&world.open(), "on another machine");
    // Another store in the same cluster is no matter of this one's.
    let other = World::new(&servers.endpoints());
    other.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let endpoints = servers.endpoints();
    let marker = std::fs::read(other.folder.path().join("_hypostyle/store.json")).unwrap();
    let marker: serde_json::Value = serde_json::from_slice(&marker).unwrap();
    let head = format!("/hypostyle/{}/head", marker["store"].as_str().unwrap());
    let settings = hypostyle_lock::etcd::EtcdSettings::new(&endpoints).unwrap();
    let locks = hypostyle_lock::etcd::EtcdLocks::connect(settings.prefix("/test")).unwrap();
    locks.send(|client| async move { client.kv_client().delete(head, None).await }).unwrap();
    refused(&other.open(), "without a head");
}

#[test]
fn another_cluster_is_refused() {
    let (own, other) = (Servers::start(1), Servers::start(1));
    let world = World::new(&own.endpoints());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    // That other one has a store, too.
    World::new(&other.endpoints()).write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    let path = world.folder.path().join("_hypostyle/store.json");
    let marker = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, marker.replace(&own.endpoints(), &other.endpoints())).unwrap();
    refused(&world.open(), "another cluster");
    std::fs::remove_file(world.known()).unwrap();
    refused(&world.open(), "on another machine");
}

#[test]
fn an_etcd_that_was_set_back_is_refused() {
    let mut servers = Servers::start(1);
    let world = World::new(&servers.endpoints());
    world.write("t", &[(1, 1.0)], WriteMode::Append).unwrap();
    servers.kill(0);
    let kept = tempfile::tempdir().unwrap();
    copy(&servers.data(0), kept.path());
    servers.run(0);
    servers.wait();
    for n in 2..6 {
        world.write("t", &[(n, 1.0)], WriteMode::Append).unwrap();
    }
    servers.kill(0);
    std::fs::remove_dir_all(servers.data(0)).unwrap();
    copy(kept.path(), &servers.data(0));
    servers.run(0);
    servers.wait();
    refused(&world.store, "seen before");
    refused(&world.open(), "opened after");
    // Where nobody knows how far etcd had come, the folder tells: nobody commits a second line of snapshots.
    std::fs::remove_file(world.known()).unwrap();
    let elsewhere = world.open();
    let error = write(&elsewhere, "t", &[(7, 7.0)], WriteMode::Upsert).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains("set back to an older state"), "{error}");
    repair_says(&world.open(), "on another machine");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
