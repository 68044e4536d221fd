//! Every read, and every fault.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hypostyle_faultfs::{
    Errno, Fault, Kind, Mount, Mounted, Nth, Options, Request, Rule, Rules, is_available,
};
use hypostyle_fixtures::{Profile, table_name};

use crate::join::{Ended, TABLES, Tables, join};

/// A fault, and what it is called in reports.
type Named = (&'static str, fn(&Request) -> Fault);

const FAULTS: [Named; 8] = [
    ("EIO", |_| Fault::Error(Errno::Eio)),
    ("ESTALE", |_| Fault::Error(Errno::Estale)),
    ("EINTR", |_| Fault::Error(Errno::Eintr)),
    ("short", |read| Fault::Short(u32::try_from(read.length / 2).unwrap())),
    ("empty", |_| Fault::Empty),
    ("shrink", |read| Fault::Shrink(read.offset + read.length / 2)),
    ("grow", |_| Fault::Grow(5000)),
    ("replace", |read| Fault::Replace(format!("next/{}", read.file).into())),
];

/// What may come of a case.
struct Expected {
    frame: Vec<u8>,
    /// With the table of this name of the next generation.
    with_next: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Count {
    right: usize,
    typed: usize,
    wrong: Vec<String>,
    deaths: Vec<String>,
    unmet: usize,
    /// Typed errors that say `Corrupt` where `Changed` would be better.
    misnamed: usize,
}

impl Expected {
    fn of(tables: &Tables) -> Self {
        let with_next = (0..TABLES)
            .map(|table| (format!("{}.parquet", table_name(table)), tables.frame_with_next(table)));
        Self { frame: tables.frame(), with_next: with_next.collect() }
    }

    fn count(&self, count: &mut Count, case: &str, file: &str, fault: &Fault, ended: Ended) {
        match ended {
            Ended::Frame(frame) if frame == self.frame => count.right += 1,
            // All of a table is of one generation, be it the old or the new one.
            Ended::Frame(frame)
                if matches!(fault, Fault::Replace(_)) && self.with_next.get(file) == Some(&frame) =>
            {
                count.right += 1;
            }
            Ended::Frame(_) => count.wrong.push(format!("{case}: another frame")),
            // Storage failed or changed under the read: to try again is what a caller should do.
            Ended::Failed(4, _) => count.typed += 1,
            // It stays no Parquet file: who reads it again finds it corrupt.
            Ended::Failed(3, _) if matches!(fault, Fault::Shrink(_) | Fault::Grow(_)) => count.typed += 1,
            // The old size and the new bytes are no file; that it is another one by now should be said instead.
            Ended::Failed(3, _) if matches!(fault, Fault::Replace(_)) => {
                count.typed += 1;
                count.misnamed += 1;
            }
            Ended::Failed(code, said) => count.wrong.push(format!("{case}: exit code {code}: {said}")),
            Ended::Died(how) => count.deaths.push(format!("{case}: {how}")),
            Ended::Hung => count.deaths.push(format!("{case}: no end")),
        }
    }
}

/// The reads of a join that nothing is done to.
fn reads(mounted: &Mounted, expected: &Expected) -> Vec<Request> {
    mounted.set_rules(Rules::default()).unwrap();
    mounted.clear_requests();
    assert_eq!(join(mounted.path()), Ended::Frame(expected.frame.clone()));
    let mut reads = mounted.requests();
    reads.retain(|request| request.kind == Kind::Read);
    reads.sort_by(|a, b| (&a.file, a.offset, a.number).cmp(&(&b.file, b.offset, b.number)));
    reads
}

/// One of a mount's reads meets one fault: once where there is no page cache, which would ask again, else always.
fn rule(read: &Request, fault: Fault, direct_io: bool) -> Rule {
    let mut rule = Rule::new(fault);
    rule.files = Some(read.file.clone());
    rule.requests = vec![Kind::Read];
    rule.offsets = Some((read.offset, read.offset + read.length));
    rule.nth = Some(Nth::One(1));
    rule.sticky = !direct_io;
    rule
}

fn check(what: &str, profile: Profile, options: &Options) {
    let tables = Tables::new(profile);
    let expected = Expected::of(&tables);
    let mount =
        |folder: &tempfile::TempDir| Mount::new(options.clone()).spawn(tables.path(), folder.path()).unwrap();
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    let folders: Vec<_> = (0..workers).map(|_| tempfile::tempdir().unwrap()).collect();
    let mounts: Vec<_> = folders.iter().map(mount).collect();
    let reads = reads(&mounts[0], &expected);
    let cases: Vec<_> = reads.iter().flat_map(|read| FAULTS.map(|fault| (read, fault))).collect();
    let (next, count) = (AtomicUsize::new(0), Mutex::new(Count::default()));
    std::thread::scope(|scope| {
        for mounted in &mounts {
            scope.spawn(|| {
                while let Some((read, (name, fault))) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fault = fault(read);
                    let rule = rule(read, fault.clone(), options.direct_io);
                    mounted.set_rules(Rules::one(rule)).unwrap();
                    mounted.clear_requests();
                    let ended = join(mounted.path());
                    let met = mounted.requests().iter().any(|request| !request.rules.is_empty());
                    let case = format!("{name} at {} of {} bytes of {}", read.offset, read.length, read.file);
                    let mut count = count.lock().unwrap();
                    count.unmet += usize::from(!met);
                    expected.count(&mut count, &case, &read.file, &fault, ended);
                }
            });
        }
    });
    let Count { right, typed, wrong, deaths, unmet, misnamed } = count.into_inner().unwrap();
    for line in wrong.iter().chain(&deaths) {
        println!("{what}: {line}");
    }
    println!(
        "{what}, {} reads: {} cases, {right} right, {typed} typed errors, {} wrong, {} deaths",
        reads.len(),
        cases.len(),
        wrong.len(),
        deaths.len()
    );
    println!("{what}: {misnamed} of the errors call a file corrupt that was replaced");
    assert!(wrong.is_empty() && deaths.is_empty(), "{what}: see above");
    assert!(right > 0 && typed > 0 && reads.len() >= TABLES, "{what}: the faults were not felt");
    assert_eq!(unmet, 0, "{what}: cases in which the read did not come again");
}

#[test]
fn a_join_of_which_one_read_fails_is_right_or_says_so() {
    if let Err(why) = is_available() {
        println!("NOT RUN: {why}");
        return;
    }
    check("no page cache", Profile::default(), &Options { direct_io: true, ..Options::default() });
    check("page cache", Profile::default(), &Options::default());
}
