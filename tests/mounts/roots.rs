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
        ("rules: [{fault: hang}]", 2_500),
        ("rules: [{requests: [read], fault: hang}]", 2_500),
        ("rules: [{requests: [read], files: table01.parquet, nth: [2, null], fault: hang}]", 2_500),
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
    let mounted = world.mount("rules: [{requests: [read], fault: {latency_ms: 1500}}]");
    let one_read = Duration::from_millis(1500);
    let mut options = within(20_000);
    let mut join = |hedge: bool| {
        options.hedge = hedge;
        let store = Store::open_all([mounted.path().to_owned(), world.path("copy")]).unwrap();
        let (outcome, took) = timed(|| store.join_with(&spec, &options));
        let frame = outcome.unwrap();
        assert_eq!(frame.batch(), &expected);
        (bytes(frame.stats())[1], took)
    };
    // Sooner than a single read of the slow one. On a busy machine not each time.
    let hedged: Vec<(u64, Duration)> = (0..3).map(|_| join(true)).collect();
    assert!(hedged.iter().any(|(bytes, took)| *bytes > 0 && *took < one_read), "{hedged:?}");
    let (_, alone) = join(false);
    assert!(alone >= one_read, "{alone:?}");
}

#[test]
fn a_join_whose_files_are_replaced_meanwhile_is_begun_again_by_itself() {
    if !has_fuse() {
        return;
    }
    let world = copied();
    let other = World::new(3, 20_000, 4, Profile::Polars);
    for table in ["table00.parquet", "table01.parquet", "table02.parquet"] {
        std::fs::copy(other.tables().join(table), world.tables().join(format!("new-{table}"))).unwrap();
    }
    let spec = world.join();
    let expected = world.expected(&spec);
    // The second read of a table finds another file there, of other bytes and the same values.
    let rules =
        "rules: [{requests: [read], files: table01.parquet, nth: 2, fault: {replace: new-table01.parquet}}]";
    for (retries, outcome) in [(None, Ok(())), (Some(0), Err(ErrorKind::Changed))] {
        let mounted = world.mount(rules);
        let store = Store::open(mounted.path()).unwrap();
        let mut options = within(10_000);
        options.retries = retries;
        let frame = store.join_with(&spec, &options);
        assert_eq!(frame.as_ref().map(|_| ()).map_err(hypostyle::Error::kind), outcome, "{:?}", frame.err());
        if let Ok(frame) = frame {
            assert_eq!(frame.batch().columns(), expected.columns());
        }
    }
}

#[test]
fn errors_that_pass_are_tried_again_and_others_are_not() {
    if !has_fuse() {
        return;
    }
    let world = World::new(3, 20_000, 4, Profile::default());
    let spec = world.join();
    let expected = world.expected(&spec);
    for (request, error, passes) in [
        ("read", "EIO", true),
        ("read", "EAGAIN", true),
        ("open", "EIO", true),
        ("lookup", "EIO", true),
        ("lookup", "EINTR", true),
        ("open", "ESTALE", true),
        ("open", "EACCES", false),
        ("lookup", "ENOENT", false),
    ] {
        for times in ["1", "[1, null]"] {
            let rule = format!(
                "{{requests: [{request}], files: table01.parquet, nth: {times}, fault: {{error: {error}}}}}"
            );
            let mounted = world.mount(&format!("rules: [{rule}]"));
            let outcome = Store::open(mounted.path()).unwrap().join_with(&spec, &within(10_000));
            let what = format!("{request} {error} {times}: {:?}", outcome.as_ref().err());
            assert_eq!(outcome.is_ok(), passes && times == "1", "{what}");
            if let Ok(frame) = outcome {
                assert_eq!(frame.batch(), &expected, "{what}");
            }
        }
    }
}
