//! Every read hangs or fails for good: it is said in time, or the answer comes from a second root.

use std::time::Duration;

use hypostyle_faultfs::{Errno, Fault, Kind, Nth, Options, Request, Rule, Rules, is_available};
use hypostyle_fixtures::Profile;

use crate::cases::{Case, Mounts, Verdict, alone, beside_others};
use crate::join::{Ended, TABLES, Tables, join_within};

/// Those that hang wait, and need no core meanwhile.
const SIDE_BY_SIDE: usize = 12;

/// Where the time is looked at, they must not start all at once.
const TIMED_SIDE_BY_SIDE: usize = 6;

/// Of a debug build on a machine that does other things: to start, and to be seen to have ended.
const BEYOND_THE_DEADLINE: Duration = Duration::from_millis(700);

/// For each read: all that touch these bytes meet the fault, for ever.
fn for_good(requests: &[Request], name: &str, fault: &Fault) -> Vec<Case> {
    let reads = requests.iter().filter(|request| request.kind == Kind::Read);
    let case = |read: &Request| {
        let mut rule = Rule::new(fault.clone());
        rule.files = Some(read.file.clone());
        rule.requests = vec![Kind::Read];
        rule.offsets = Some((read.offset, read.offset + read.length));
        rule.nth = Some(Nth::Range(1, None));
        let name = format!("{name} at {} of {} bytes of {}", read.offset, read.length, read.file);
        Case { name, file: read.file.clone(), rules: Rules::one(rule) }
    };
    reads.map(case).collect()
}

/// Each join of which a read hangs says so in time.
fn in_time(what: &str, options: &Options) {
    let tables = Tables::new(Profile::default());
    let frame = tables.frame();
    let mounts = Mounts::new(&tables, options, TIMED_SIDE_BY_SIDE);
    let hang = for_good(&mounts.requests(&frame), "hang", &Fault::Hang);
    let count = mounts.run(&format!("{what}, hangs"), &hang, |mount, _| {
        let (ended, took) = join_within(&[mount], Some("300ms"));
        match ended {
            Ended::Failed(4, said) if !said.contains("the deadline passed") => {
                Verdict::Wrong(format!("not a timeout: {said}"))
            }
            Ended::Failed(4, _) if took > Duration::from_millis(300) + BEYOND_THE_DEADLINE => {
                Verdict::Wrong(format!("after {took:?}"))
            }
            Ended::Failed(4, _) => Verdict::Typed,
            // The kernel had read it ahead in another piece, and did not ask again.
            Ended::Frame(joined) if joined == frame => Verdict::Right,
            other => other.into(),
        }
    });
    assert!(count.typed >= TABLES, "{what}: the hangs were not felt");
}

/// Each join of which a read hangs or fails for good is right by a second root.
fn by_the_second_root(what: &str, options: &Options) {
    let tables = Tables::new(Profile::default());
    let frame = tables.frame();
    let copy = tables.copy();
    let mounts = Mounts::new(&tables, options, SIDE_BY_SIDE);
    let requests = mounts.requests(&frame);
    let mut cases = for_good(&requests, "EIO", &Fault::Error(Errno::Eio));
    cases.extend(for_good(&requests, "hang", &Fault::Hang));
    let count = mounts.run(&format!("{what}, second root"), &cases, |mount, _| {
        match join_within(&[mount, copy.path()], Some("2s")).0 {
            Ended::Frame(joined) if joined == frame => Verdict::Right,
            other => other.into(),
        }
    });
    assert!(count.right - count.unmet >= 2 * TABLES, "{what}: the faults were not felt");
}

fn check(of: fn(&str, &Options)) {
    if let Err(why) = is_available() {
        println!("NOT RUN: {why}");
        return;
    }
    of("no page cache", &Options { direct_io: true, ..Options::default() });
    of("page cache", &Options::default());
}

#[test]
fn a_read_that_hangs_is_told_in_time() {
    let _turn = alone();
    check(in_time);
}

#[test]
fn a_second_root_answers_for_what_the_first_does_not() {
    let _turn = beside_others();
    check(by_the_second_root);
}
