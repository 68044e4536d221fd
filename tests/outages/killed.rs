//! One process that goes on joining while its mount is killed and mounted again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hypostyle::{ErrorKind, JoinOptions, Store};
use hypostyle_fixtures::Profile;

use crate::world::{World, has_fuse, within};

/// Those that give a frame.
const JOINS: usize = 1000;
const AT_LEAST_KILLED: usize = 5;

/// How long after the mount is back a join must have given a frame.
const RECOVERY: Duration = Duration::from_secs(1);

#[test]
fn a_thousand_joins_outlive_their_mount_and_go_on_within_a_second_of_its_return() {
    if !has_fuse() {
        return;
    }
    let world = World::new(5, 1_000, 4, Profile::default());
    let spec = world.join();
    let expected = world.expected(&spec);
    let mut child = world.child("rules: []");
    let store = Store::open(child.path()).unwrap();
    let over = AtomicBool::new(false);
    let options: JoinOptions = within(2_000);
    let mut frames: Vec<Instant> = Vec::new();
    let mut errors: BTreeMap<String, usize> = BTreeMap::new();

    let outages: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut outages = Vec::new();
            while !over.load(Ordering::Relaxed) || outages.len() < AT_LEAST_KILLED {
                // Long enough that each recovery can be seen, and at ever other moments of a join.
                std::thread::sleep(RECOVERY + Duration::from_millis(10 + 7 * outages.len() as u64 % 50));
                child.kill().unwrap();
                let killed = Instant::now();
                std::thread::sleep(Duration::from_millis(150));
                child.restart().unwrap();
                outages.push((killed, Instant::now()));
            }
            std::thread::sleep(RECOVERY);
            outages
        });
        while !killer.is_finished() {
            match store.join_with(&spec, &options) {
                Ok(frame) => {
                    assert_eq!(frame.batch(), &expected);
                    frames.push(Instant::now());
                    if frames.len() >= JOINS {
                        over.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    let passes = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Changed];
                    // Between the end of the old mount and the new one, its folder is an empty folder.
                    let is_gone = error.kind() == ErrorKind::NotFound;
                    assert!(is_gone || passes.contains(&error.kind()), "{error}");
                    *errors.entry(format!("{:?}", error.kind())).or_default() += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
        killer.join().unwrap()
    });

    let recoveries = outages.iter().map(|(_, back)| {
        let first = frames.iter().find(|at| *at > back);
        first.map_or(Duration::MAX, |first| first.duration_since(*back))
    });
    let slowest = recoveries.max().unwrap();
    println!(
        "{} joins, {} outages, errors meanwhile {errors:?}, slowest recovery {slowest:?}",
        frames.len(),
        outages.len()
    );
    assert!(outages.len() >= AT_LEAST_KILLED && frames.len() >= JOINS);
    assert!(slowest <= RECOVERY, "{slowest:?} after the mount was back");
}
