//! The same tables under two roots: what the first cannot give comes from the second.

use std::time::Duration;

use hypostyle::{ErrorKind, JoinStats, Store};
use hypostyle_faultfs::Rules;
use hypostyle_fixtures::Profile;

use crate::world::{World, has_fuse, timed, within};

fn copied() -> World {
    let world = World::new(3, 20_000, 4, Profile::default());
    for entry in std::fs::read_dir(world.tables()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, world.path("copy").join(path.file_name().unwrap())).unwrap();
    }
    world
}

fn bytes(stats: &JoinStats) -> Vec<u64> {
    stats.roots.iter().map(|root| root.bytes).collect()
}

#[test]
fn what_fails_or_hangs_under_the_first_root_is_read_from_the_second() {
    if !has_fuse() {
        return;
    }
    let world = copied();
    let spec = world.join();
    let expected = world.expected(&spec);
    let mut child = world.child("rules: []");
    for (rules, timeout) in [
        ("rules: []", 5_000),
        ("rules: [{fault: {error: ENOTCONN}}]", 5_000),
        ("rules: [{requests: [open], fault: {error: EIO}}]", 5_000),
        ("rules: [{requests: [read], sticky: true, fault: {error: EIO}}]", 5_000),
        (
            "rules: [{requests: [read], files: table01.parquet, nth: [2, null], sticky: true, fault: {error: EIO}}]",
            5_000,
        ),
        ("rules: [{fault: hang}]", 4_000),
        ("rules: [{requests: [read], fault: hang}]", 4_000),
        ("rules: [{requests: [read], files: table01.parquet, nth: [2, null], fault: hang}]", 4_000),
    ] {
        child.restart().unwrap();
        let roots = [child.path().to_owned(), world.path("copy")];
        let store = Store::open_within(roots, Duration::from_millis(100)).unwrap();
        child.set_rules(&Rules::parse(rules).unwrap()).unwrap();
        let (outcome, took) = timed(|| store.join_with(&spec, &within(timeout)));
        let frame = outcome.unwrap_or_else(|e| panic!("{rules}: {took:?}: {e:?}"));
        assert_eq!(frame.batch(), &expected, "{rules}");
        assert!(took < Duration::from_millis(timeout), "{rules}: {took:?}");
        let roots = bytes(frame.stats());
        match rules {
            "rules: []" => assert!(roots[0] > 0 && roots[1] == 0, "{roots:?}"),
            _ => assert!(roots[1] > 0, "{rules}: {roots:?}"),
        }
        // A mount that is gone altogether, so that its folder is empty, is not one without tables.
        child.set_rules(&Rules::default()).unwrap();
    }
    let store = Store::open_all([child.path().to_owned(), world.path("copy")]).unwrap();
    assert!(store.join_with(&spec, &within(5_000)).is_ok());
    child.unmount().unwrap();
    let frame = store.join_with(&spec, &within(5_000)).unwrap();
    assert_eq!((frame.batch(), bytes(frame.stats())[0]), (&expected, 0));
}

#[test]
fn a_file_that_differs_between_the_roots_is_never_mixed_in() {
    if !has_fuse() {
        return;
    }
    let world = copied();
    let other = World::new(3, 19_999, 4, Profile::default());
    std::fs::copy(other.tables().join("table01.parquet"), world.path("copy/table01.parquet")).unwrap();
    let spec = world.join();
    let mounted = world
        .mount("rules: [{requests: [read], files: table01.parquet, nth: [2, null], sticky: true, fault: {error: EIO}}]");
    let store = Store::open_all([mounted.path().to_owned(), world.path("copy")]).unwrap();
    let mut options = within(5_000);
    options.retries = Some(0);
    let error = store.join_with(&spec, &options).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
    assert!(error.message().contains("differs"), "{error}");
    // Alone, the second root's is as good as any.
    let expected = Store::open(world.path("copy")).unwrap().join(&spec).unwrap();
    mounted.set_rules(Rules::parse("rules: [{fault: {error: ENOTCONN}}]").unwrap()).unwrap();
    let frame = store.join_with(&spec, &within(5_000)).unwrap();
    assert_eq!(frame.batch(), expected.batch());
}

#[test]
fn a_slow_root_is_hedged_by_the_second() {
    if !has_fuse() {
        return;
    }
    let world = copied();
    let spec = world.join();
    let expected = world.expected(&spec);
    let mounted = world.mount("rules: [{requests: [read], fault: {latency_ms: 3000}}]");
    let store = Store::open_all([mounted.path().to_owned(), world.path("copy")]).unwrap();
    let mut options = within(20_000);
    options.hedge = true;
    let (outcome, took) = timed(|| store.join_with(&spec, &options));
    let frame = outcome.unwrap();
    assert_eq!(frame.batch(), &expected);
    assert!(took < Duration::from_millis(2_000), "{took:?}");
    assert!(bytes(frame.stats())[1] > 0);
    let store = Store::open_all([mounted.path().to_owned(), world.path("copy")]).unwrap();
    let mounted_too = timed(|| store.join_with(&spec, &within(20_000)));
    assert!(mounted_too.1 > Duration::from_millis(2_000), "{:?}", mounted_too.1);
}
