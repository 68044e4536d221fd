//! What a probe finds on mounts that are slow, narrow, forgetful, or hang.

use std::time::{Duration, Instant};

use hypostyle::{Answer, DoctorReport, doctor};
use hypostyle_faultfs::{Mount, Options, Rules};
use hypostyle_fixtures::Profile;

use crate::world::{World, has_fuse, program};

/// A mount of a folder that has a few megabytes.
fn probed(world: &World, options: Options, rules: &str) -> DoctorReport {
    let mounted = Mount::new(options).spawn(&world.tables(), &world.path("mount")).unwrap();
    mounted.set_rules(Rules::parse(rules).unwrap()).unwrap();
    doctor(mounted.path()).unwrap()
}

fn world() -> World {
    World::new(2, 30_000, 16, Profile::Tuned)
}

#[test]
fn a_slow_mount_is_measured_and_what_it_lets_through_at_once_is_the_depth_to_use() {
    if !has_fuse() {
        return;
    }
    let world = world();
    let slow = "rules: [{requests: [read], fault: {latency_ms: 20}}]";
    let of = |max_background| probed(&world, Options { max_background, ..Options::default() }, slow);
    let narrow = of(6);
    let reading = narrow.reading.as_ref().unwrap();
    assert!((20.0..60.0).contains(&reading.one.median_ms), "{reading:?}");
    let in_flight = reading.in_flight.unwrap();
    assert!((3.0..=9.0).contains(&in_flight), "{reading:?}");
    assert_eq!(narrow.settings.io_depth, Some(in_flight.round() as usize));
    // It is read-only, so that nothing can be published there, and that is said.
    assert!(narrow.read_only && narrow.is_remote && narrow.settings.timeout);
    assert_eq!((narrow.max_read, narrow.file_system.as_str()), (Some(131_072), "fuse"));
    assert_eq!((narrow.safe_reading, narrow.safe_publishing), (vec!["pread"], vec![]));
    let answer = |name: &str| narrow.probes.iter().find(|probe| probe.name == name).unwrap().answer;
    for name in ["write", "rename", "link", "exclusive", "flock", "sync"] {
        assert_eq!(answer(name), Answer::Unknown, "{name}");
    }
    assert_eq!((answer("mmap"), answer("direct_io")), (Answer::Yes, Answer::Yes));
    let wide = of(64);
    let reading = wide.reading.unwrap();
    assert!(reading.in_flight.unwrap() > 14.0, "{reading:?}");
    assert!(reading.many.mb_per_s > 2.0 * narrow.reading.unwrap().many.mb_per_s, "{reading:?}");
}

#[test]
fn a_mount_that_tells_old_attributes_or_refuses_a_map_or_fails_is_found_out() {
    if !has_fuse() {
        return;
    }
    let world = world();
    let asked = "rules: [{requests: [lookup, getattr], fault: {latency_ms: 5}}]";
    let kept = |ms| Options { attr_ttl_ms: ms, entry_ttl_ms: ms, ..Options::default() };
    let old = probed(&world, kept(60_000), asked);
    let attributes = old.probe("attributes").unwrap();
    assert!(attributes.detail.ends_with("attributes are kept for more than 2200 ms"), "{attributes:?}");
    let brief = probed(&world, kept(250), asked);
    let attributes = brief.probe("attributes").unwrap();
    assert!(attributes.detail.ends_with("attributes are kept for 100 to 400 ms"), "{attributes:?}");
    let fresh = probed(&world, Options::default(), asked);
    let attributes = fresh.probe("attributes").unwrap();
    assert!(attributes.detail.starts_with("not probed"), "{attributes:?}");

    let direct = probed(&world, Options { direct_io: true, ..Options::default() }, "rules: []");
    assert_eq!(direct.probe("mmap").unwrap().answer, Answer::No);
    assert!(direct.why_not.iter().any(|why| why.starts_with("mmap: the mount refuses it")));

    let failing = "rules: [{requests: [read], fault: {error: EIO}}]";
    let failing = probed(&world, Options { direct_io: true, ..Options::default() }, failing);
    assert_eq!(failing.probe("read").unwrap().answer, Answer::No);
    assert!(failing.reading.is_none());
}

#[test]
fn a_mount_that_hangs_is_given_up_in_time_and_named() {
    if !has_fuse() {
        return;
    }
    let world = world();
    let mut child = Mount::new(Options::default())
        .spawn_child(&program(), &world.tables(), &world.path("mount"))
        .unwrap();
    child.set_rules(&Rules::parse("rules: [{requests: [read], fault: hang}]").unwrap()).unwrap();
    let begun = Instant::now();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_hypostyle"))
        .args(["doctor", "--timeout", "700ms"])
        .arg(world.path("mount"))
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(4));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("did not answer in time") || said.contains("deadline"), "{said}");
    assert!(said.contains("map a file into memory"), "{said}");
    child.kill().unwrap();
}
