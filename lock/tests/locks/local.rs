//! What the folder on this machine's disk promises beyond what all backends do.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hypostyle_lock::{Fence, LocalLocks, LockError, Locks, Standing};

use crate::world::{LONG, World, set, take};

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("locks");
    (folder, dir)
}

#[test]
fn file_systems_on_which_file_locks_may_not_hold_are_refused() {
    for path in ["/proc", "/proc/self/locks/that/are/not"] {
        let error = LocalLocks::open(path).unwrap_err();
        assert!(matches!(error, LockError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("etcd"), "{error}");
    }
    let (_folder, dir) = folder();
    assert!(LocalLocks::open(&dir).is_ok());
    assert!(!dir.exists(), "who only asks makes nothing");
}

/// Between the two halves of a break, the store has the time to commit the floor.
#[test]
fn a_condemned_lock_counts_no_more_and_keeps_others_out_until_it_is_freed() {
    let world = World::local();
    let locks = world.open("");
    let held = take(&*locks, "A b");
    let condemned = locks.condemn(held.id()).unwrap();
    assert!(held.is_lost());
    assert!(held.fence() < condemned.floor && condemned.floor <= locks.newest_exclusive(&["a"]).unwrap());
    assert!(locks.acquire(&set("A"), Duration::from_millis(50)).is_err());
    assert_eq!(locks.list().unwrap()[0].standing, Standing::Broken);
    assert_eq!(locks.condemn(held.id()).unwrap(), condemned, "who died halfway can be followed by another");
    locks.free(&condemned).unwrap();
    locks.free(&condemned).unwrap();
    let next = take(&*locks, "A");
    assert!(next.fence() > condemned.floor);
    drop(held);
    next.check().unwrap();
}

#[test]
fn other_sharers_are_as_good_as_before_when_one_is_broken() {
    let world = World::local();
    let locks = world.open("");
    let (one, other) = (take(&*locks, "a"), take(&*locks, "a"));
    locks.break_lock(one.id()).unwrap();
    assert!(one.is_lost());
    other.check().unwrap();
    assert!(other.fence() >= locks.newest_exclusive(&["a"]).unwrap());
}

fn newest(dir: &Path) -> std::path::PathBuf {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).max().unwrap()
}

/// What a power cut leaves: the folders of the fences, and states that are lost, empty or torn. Nobody lives then,
/// and whatever was granted before is older than what is granted after.
#[test]
fn no_fence_comes_again_whatever_is_left_of_the_states() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 5] = [
        ("lost", |dir| fs::remove_dir_all(dir.join("states")).unwrap()),
        ("empty", |dir| fs::write(newest(&dir.join("states")), "").unwrap()),
        ("torn", |dir| {
            let path = newest(&dir.join("states"));
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("of an earlier run", |dir| {
            let path = newest(&dir.join("states"));
            let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            state["boot"] = "another".into();
            state["next"] = 2.into();
            fs::write(&path, state.to_string()).unwrap();
        }),
        ("an older one", |dir| fs::remove_file(newest(&dir.join("states"))).unwrap()),
    ];
    for (name, damage) in cases {
        let (_folder, dir) = folder();
        let locks = LocalLocks::open(&dir).unwrap();
        let fences: Vec<_> = (0..3).map(|_| take(&locks, "A").fence()).collect();
        assert_eq!(fences, [Fence(1), Fence(2), Fence(3)]);
        let held = take(&locks, "A");
        let before_last = take(&locks, "B");
        damage(&dir);
        let locks = LocalLocks::open(&dir).unwrap();
        if name == "an older one" {
            // That is the state before B was granted, of a system that runs on: B's holder has lost it.
            assert!(before_last.is_lost());
            continue;
        }
        assert!(held.is_lost(), "{name}");
        assert!(locks.newest_exclusive(&["a"]).unwrap() > held.fence(), "{name}: the past is refused");
        let next = take(&locks, "A");
        assert!(next.fence() > before_last.fence(), "{name}");
        assert!(next.fence() >= locks.newest_exclusive(&["a"]).unwrap(), "{name}");
        next.check().unwrap();
    }
}

#[test]
fn a_store_that_has_seen_newer_fences_gets_newer_ones() {
    let (_folder, dir) = folder();
    let locks = LocalLocks::open(&dir).unwrap();
    let old = take(&locks, "A");
    locks.ensure_beyond(Fence(0)).unwrap();
    locks.ensure_beyond(old.fence()).unwrap();
    assert!(old.fence() >= locks.newest_exclusive(&["a"]).unwrap());
    locks.ensure_beyond(Fence(5000)).unwrap();
    assert!(old.fence() < locks.newest_exclusive(&["a"]).unwrap());
    drop(old);
    assert!(take(&locks, "A").fence() > Fence(5000));
    fs::remove_dir_all(dir.join("states")).unwrap();
    assert!(take(&locks, "A").fence() > Fence(5000));
    assert!(locks.ensure_beyond(Fence(u64::MAX)).is_err());
}

#[test]
fn nothing_is_left_behind() {
    let (_folder, dir) = folder();
    let locks = LocalLocks::open(&dir).unwrap();
    for _ in 0..100 {
        drop(take(&locks, "A b C"));
    }
    let count = |of: &str| fs::read_dir(dir.join(of)).unwrap().count();
    assert_eq!(count("live"), 0);
    assert_eq!(count("fences"), 1);
    assert!(count("states") <= 10, "{} states", count("states"));
    // What somebody who was killed left goes when the next opens the folder.
    fs::write(dir.join("live/0123456789abcdef"), "half a sta").unwrap();
    drop(take(&LocalLocks::open(&dir).unwrap(), "A"));
    assert_eq!(count("live"), 0);
}

#[test]
fn the_folder_may_vanish() {
    let (_folder, dir) = folder();
    let locks = LocalLocks::open(&dir).unwrap();
    let held = take(&locks, "A");
    fs::remove_dir_all(&dir).unwrap();
    assert!(held.is_lost());
    assert_eq!(locks.list().unwrap(), []);
    drop(held);
    take(&LocalLocks::open(&dir).unwrap(), "A").check().unwrap();
}

#[test]
fn who_may_not_write_may_look_and_is_told_when_it_locks() {
    use std::os::unix::fs::PermissionsExt;

    let (_folder, dir) = folder();
    let locks = LocalLocks::open(&dir).unwrap();
    let held = take(&locks, "A");
    fs::set_permissions(dir.join("live"), fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions bind everybody but root.
    if fs::write(dir.join("live/probe"), "").is_err() {
        let error = locks.acquire(&set("B"), LONG).err().unwrap();
        assert!(matches!(error, LockError::Io { kind: std::io::ErrorKind::PermissionDenied, .. }), "{error}");
    } else {
        let _ = fs::remove_file(dir.join("live/probe"));
    }
    assert_eq!(locks.list().unwrap().len(), 1);
    fs::set_permissions(dir.join("live"), fs::Permissions::from_mode(0o755)).unwrap();
    drop(held);
    assert_eq!(locks.list().unwrap(), []);
}

/// A process that stopped between reading the queue and changing it finds the name of its change free again, since
/// old states are removed. Its change must not count.
#[test]
fn a_change_of_a_state_long_gone_does_not_count() {
    let (_folder, dir) = folder();
    let locks = LocalLocks::open(&dir).unwrap();
    for _ in 0..50 {
        drop(take(&locks, "A"));
    }
    let held = take(&locks, "A");
    let states = dir.join("states");
    let forged = fs::read(newest(&states)).unwrap();
    fs::write(states.join(format!("{:020}", 7)), forged.split_at(10).0).unwrap();
    held.check().unwrap();
    assert!(locks.acquire(&set("A"), Duration::ZERO).is_err());
    drop(held);
    drop(take(&locks, "A"));
    assert!(!states.join(format!("{:020}", 7)).exists());
}

#[test]
fn an_uncontended_lock_takes_far_less_than_a_commit() {
    let world = World::local();
    let locks = world.open("");
    drop(take(&*locks, "A"));
    let best = (0..50).map(|_| {
        let begun = Instant::now();
        drop(take(&*locks, "A b"));
        begun.elapsed()
    });
    let best = best.min().unwrap();
    println!("the fastest of 50 grants and releases took {best:?}");
    assert!(best < Duration::from_millis(20), "{best:?}");
}

#[test]
fn a_relative_folder_is_the_same_after_the_working_directory_changed() {
    let locks = LocalLocks::open("somewhere/locks").unwrap();
    assert!(locks.dir().is_absolute());
}
