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
    cached: bool,
    frame: Vec<u8>,
    /// With the table of this name of the next generation.
    with_next: BTreeMap<String, Vec<u8>>,
}

/// One request of one join, and what happens to it.
struct Case {
    name: String,
    file: String,
    rule: Rule,
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
    fn of(tables: &Tables, cached: bool) -> Self {
        let with_next = (0..TABLES)
            .map(|table| (format!("{}.parquet", table_name(table)), tables.frame_with_next(table)));
        Self { cached, frame: tables.frame(), with_next: with_next.collect() }
    }

    fn count(&self, count: &mut Count, case: &Case, ended: Ended) {
        let Case { name: case, file, rule } = case;
        let fault = &rule.fault;
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
            // Where a reply is short, the page cache may hold zeros that nobody can tell from the file's.
            Ended::Failed(3, _) if self.cached && matches!(fault, Fault::Short(_) | Fault::Empty) => {
                count.typed += 1;
            }
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

/// The requests of a join that nothing is done to.
fn requests(mounted: &Mounted, expected: &Expected) -> Vec<Request> {
    mounted.set_rules(Rules::default()).unwrap();
    mounted.clear_requests();
    assert_eq!(join(mounted.path()), Ended::Frame(expected.frame.clone()));
    let mut requests = mounted.requests();
    requests.sort_by(|a, b| (&a.file, a.offset, a.number).cmp(&(&b.file, b.offset, b.number)));
    requests
}

/// Each read meets each fault: once where there is no page cache, which would ask again, else always.
fn reading(requests: &[Request], direct_io: bool) -> impl Iterator<Item = Case> {
    let reads = requests.iter().filter(|request| request.kind == Kind::Read);
    let pairs = reads.flat_map(|read| FAULTS.map(|(name, fault)| (read, name, fault(read))));
    pairs.map(move |(read, name, fault)| {
        let mut rule = Rule::new(fault);
        rule.files = Some(read.file.clone());
        rule.requests = vec![Kind::Read];
        rule.offsets = Some((read.offset, read.offset + read.length));
        rule.nth = Some(Nth::One(1));
        // Whoever is interrupted reads again, as often as that happens: it must not be for ever.
        rule.sticky = !direct_io && rule.fault != Fault::Error(Errno::Eintr);
        let name = format!("{name} at {} of {} bytes of {}", read.offset, read.length, read.file);
        Case { name, file: read.file.clone(), rule }
    })
}

/// What is asked before one table can be read fails as well: each such request with each error.
fn resolving(requests: &[Request]) -> impl Iterator<Item = Case> {
    let file = format!("{}.parquet", table_name(TABLES / 2));
    let mut cases = Vec::new();
    for kind in [Kind::Lookup, Kind::Getattr, Kind::Open] {
        let of_kind = requests.iter().filter(|request| request.file == file && request.kind == kind).count();
        for nth in 1..=of_kind as u64 {
            for error in [Errno::Eio, Errno::Estale, Errno::Eintr] {
                let mut rule = Rule::new(Fault::Error(error));
                rule.files = Some(file.clone());
                rule.requests = vec![kind];
                rule.nth = Some(Nth::One(nth));
                cases.push(Case { name: format!("{error:?} for {kind:?} {nth}"), file: file.clone(), rule });
            }
        }
    }
    cases.into_iter()
}

fn check(what: &str, profile: Profile, options: &Options) {
    let tables = Tables::new(profile);
    let expected = Expected::of(&tables, !options.direct_io);
    let mount =
        |folder: &tempfile::TempDir| Mount::new(options.clone()).spawn(tables.path(), folder.path()).unwrap();
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    let folders: Vec<_> = (0..workers).map(|_| tempfile::tempdir().unwrap()).collect();
    let mounts: Vec<_> = folders.iter().map(mount).collect();
    let requests = requests(&mounts[0], &expected);
    let reads = requests.iter().filter(|request| request.kind == Kind::Read).count();
    let cases: Vec<Case> = reading(&requests, options.direct_io).chain(resolving(&requests)).collect();
    let (next, count) = (AtomicUsize::new(0), Mutex::new(Count::default()));
    std::thread::scope(|scope| {
        for mounted in &mounts {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    mounted.set_rules(Rules::one(case.rule.clone())).unwrap();
                    mounted.clear_requests();
                    let ended = join(mounted.path());
                    let met = mounted.requests().iter().any(|request| !request.rules.is_empty());
                    let mut count = count.lock().unwrap();
                    count.unmet += usize::from(!met);
                    expected.count(&mut count, case, ended);
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
        reads,
        cases.len(),
        wrong.len(),
        deaths.len()
    );
    println!("{what}: {misnamed} of the errors call a file corrupt that was replaced");
    assert!(wrong.is_empty() && deaths.is_empty(), "{what}: see above");
    assert!(right > 0 && typed > 0 && reads >= TABLES, "{what}: the faults were not felt");
    // What the kernel reads ahead differs from time to time.
    assert!(
        unmet == 0 || !options.direct_io,
        "{what}: {unmet} cases in which the request did not come again"
    );
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
