//! How many requests a cold join makes, and how many of them it waits for in turn.

use std::collections::HashSet;
use std::time::Duration;

use hypostyle::{JoinOptions, JoinSpec, Store};
use hypostyle_faultfs::{Kind, Request};
use hypostyle_fixtures::Profile;

use crate::world::{World, has_fuse, timed};

/// Long enough that it, and not the machine, makes the time.
const LATENCY_MS: f64 = 40.0;

fn check(world: &World, last: Option<u64>) {
    let spec = match last {
        Some(last) => world.join().last(last),
        None => world.join(),
    };
    let expected = world.expected(&spec);
    let (hot_frame, hot) = timed(|| Store::open(world.tables()).unwrap().join(&spec).unwrap());
    let mounted = world.mount(&format!("rules: [{{fault: {{latency_ms: {LATENCY_MS}}}}}]"));
    let store = Store::open(mounted.path()).unwrap();
    mounted.clear_requests();
    let (frame, took) = timed(|| store.join_with(&spec, &JoinOptions::default()).unwrap());
    let requests = mounted.requests();
    assert_eq!(frame.batch(), &expected);
    let count = |kind: Kind| requests.iter().filter(|r| r.kind == kind).count();
    let reads: Vec<&Request> = requests.iter().filter(|r| r.kind == Kind::Read).collect();
    let bytes: u64 = reads.iter().map(|r| r.length).sum();
    let asked = requests.iter().filter(|r| r.kind != Kind::Release).count();
    let turns = 3.0 + (asked as f64 / 32.0).ceil();
    let most = hot.as_secs_f64() * 1e3 + 1.3 * LATENCY_MS * turns;
    println!(
        "{:?} last {last:?}: {asked} requests ({} lookups, {} getattrs, {} opens, {} reads of {bytes} bytes; \
         hot it reads {}), {:.0} ms, at most {most:.0}",
        world.spec.profile,
        count(Kind::Lookup),
        count(Kind::Getattr),
        count(Kind::Open),
        reads.len(),
        hot_frame.stats().bytes_read,
        took.as_secs_f64() * 1e3,
    );
    let distinct: HashSet<(&str, u64)> = reads.iter().map(|r| (r.file.as_str(), r.offset)).collect();
    assert_eq!(distinct.len(), reads.len(), "a read was issued twice");
    assert_eq!(count(Kind::Open), 20);
    assert!(took.as_secs_f64() * 1e3 <= most, "it took {took:?}, at most {most} ms were allowed");
}

#[test]
fn a_cold_join_waits_for_few_requests_in_turn() {
    if !has_fuse() {
        return;
    }
    for profile in [Profile::Pyarrow, Profile::Polars, Profile::Tuned] {
        let world = World::new(20, 8_000, 12, profile);
        for last in [None, Some(24)] {
            check(&world, last);
        }
    }
}

#[test]
fn files_are_inspected_and_described_in_few_waits() {
    if !has_fuse() {
        return;
    }
    for profile in [Profile::Pyarrow, Profile::Polars, Profile::Tuned] {
        let world = World::new(20, 2_000, 12, profile);
        let all = ["*.parquet".to_owned()];
        let inspect = |root: &std::path::Path, options: &JoinOptions| {
            Store::open(root).unwrap().inspect_all(&all, &[], options).map(|reports| {
                let told = reports.iter().map(ToString::to_string);
                told.map(|text| text.replace(&*root.to_string_lossy(), "")).collect::<Vec<_>>()
            })
        };
        let (expected, hot) = timed(|| inspect(&world.tables(), &JoinOptions::default()).unwrap());
        let mounted = world.mount(&format!("rules: [{{fault: {{latency_ms: {LATENCY_MS}}}}}]"));
        let (told, took) = timed(|| inspect(mounted.path(), &JoinOptions::default()).unwrap());
        assert_eq!(told, expected);
        let requests = mounted.requests();
        let reads: Vec<&Request> = requests.iter().filter(|r| r.kind == Kind::Read).collect();
        let distinct: HashSet<(&str, u64)> = reads.iter().map(|r| (r.file.as_str(), r.offset)).collect();
        assert_eq!(distinct.len(), reads.len(), "a read was issued twice");
        let asked = requests.iter().filter(|r| r.kind != Kind::Release).count();
        // The pattern is looked up as a name, and its folder listed twice, before its files are known.
        let turns = 9.0 + (asked as f64 / 32.0).ceil();
        let most = hot.as_secs_f64() * 1e3 + 1.3 * LATENCY_MS * turns;
        println!("{profile:?}: {asked} requests, {} reads, {took:?}, at most {most:.0} ms", reads.len());
        assert!(took.as_secs_f64() * 1e3 <= most, "it took {took:?}, at most {most} ms were allowed");
        let store = Store::open(mounted.path()).unwrap();
        let (report, took) = timed(|| store.describe("table07", &[], &JoinOptions::default()).unwrap());
        assert_eq!((report.rows, report.columns.len()), (2_000, 13));
        assert!(took.as_secs_f64() * 1e3 < 1.3 * LATENCY_MS * 12.0, "{took:?}");
        let mut late = JoinOptions::default();
        late.timeout = Some(Duration::from_millis(50));
        let error = inspect(mounted.path(), &late).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), hypostyle::ErrorKind::Timeout, "{error}");
        assert_eq!(Store::open(mounted.path()).unwrap().tables().unwrap().len(), 20);
    }
}

#[test]
fn one_request_at_a_time_gives_the_same_frame() {
    if !has_fuse() {
        return;
    }
    let world = World::new(4, 5_000, 6, Profile::default());
    let spec: JoinSpec = world.join();
    let mounted = world.mount("rules: []");
    let mut options = JoinOptions::default();
    for depth in [1, 2, 1000] {
        options.io_depth = Some(depth);
        for memory in [None, Some(8 << 20)] {
            options.memory_limit = memory;
            let frame = Store::open(mounted.path()).unwrap().join_with(&spec, &options).unwrap();
            assert_eq!(frame.batch(), &world.expected(&spec), "{depth} {memory:?}");
        }
    }
}
