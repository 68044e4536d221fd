//! Every read, and every fault.

use std::collections::BTreeMap;

use hypostyle_faultfs::{Errno, Fault, Kind, Nth, Options, Request, Rule, Rules, is_available};
use hypostyle_fixtures::{Profile, table_name};

use crate::cases::{Case, Mounts, Verdict, beside_others};
use crate::join::{Ended, TABLES, Tables, join};

/// A fault, and what it is called in reports.
type Named = (&'static str, fn(&Request) -> Fault);

/// All reads of those bytes are interrupted, for ever.
const ENDLESS: &str = "endless EINTR";

const FAULTS: [Named; 9] = [
    ("EIO", |_| Fault::Error(Errno::Eio)),
    ("ESTALE", |_| Fault::Error(Errno::Estale)),
    ("EINTR", |_| Fault::Error(Errno::Eintr)),
    (ENDLESS, |_| Fault::Error(Errno::Eintr)),
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

impl Expected {
    fn of(tables: &Tables, cached: bool) -> Self {
        let with_next = (0..TABLES)
            .map(|table| (format!("{}.parquet", table_name(table)), tables.frame_with_next(table)));
        Self { cached, frame: tables.frame(), with_next: with_next.collect() }
    }

    fn verdict(&self, case: &Case, ended: Ended) -> Verdict {
        let fault = &case.rules.rules[0].fault;
        match ended {
            Ended::Frame(frame) if frame == self.frame => Verdict::Right,
            // All of a table is of one generation, be it the old or the new one.
            Ended::Frame(frame)
                if matches!(fault, Fault::Replace(_)) && self.with_next.get(&case.file) == Some(&frame) =>
            {
                Verdict::Right
            }
            // Storage failed or changed under the read: to try again is what a caller should do.
            Ended::Failed(4, _) => Verdict::Typed,
            // It stays no Parquet file: who reads it again finds it corrupt.
            Ended::Failed(3, _) if matches!(fault, Fault::Shrink(_) | Fault::Grow(_)) => Verdict::Typed,
            // Where a reply is short, the page cache may hold zeros that nobody can tell from the file's.
            Ended::Failed(3, _) if self.cached && matches!(fault, Fault::Short(_) | Fault::Empty) => {
                Verdict::Typed
            }
            other => other.into(),
        }
    }
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
        rule.sticky = !direct_io;
        if name == ENDLESS {
            rule.nth = Some(Nth::Range(1, None));
        }
        let name = format!("{name} at {} of {} bytes of {}", read.offset, read.length, read.file);
        Case { name, file: read.file.clone(), rules: Rules::one(rule) }
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
                let name = format!("{error:?} for {kind:?} {nth}");
                cases.push(Case { name, file: file.clone(), rules: Rules::one(rule) });
            }
        }
    }
    cases.into_iter()
}

fn check(what: &str, profile: Profile, options: &Options) {
    let tables = Tables::new(profile);
    let expected = Expected::of(&tables, !options.direct_io);
    let mounts = Mounts::usual(&tables, options);
    let requests = mounts.requests(&expected.frame);
    let cases: Vec<Case> = reading(&requests, options.direct_io).chain(resolving(&requests)).collect();
    let count = mounts.run(what, &cases, |mount, case| expected.verdict(case, join(mount)));
    assert!(count.right > 0 && count.typed > 0, "{what}: the faults were not felt");
    // What the kernel reads ahead differs from time to time.
    let unmet = count.unmet;
    assert!(
        unmet == 0 || !options.direct_io,
        "{what}: {unmet} cases in which the request did not come again"
    );
}

#[test]
fn a_join_of_which_one_read_fails_is_right_or_says_so() {
    let _turn = beside_others();
    if let Err(why) = is_available() {
        println!("NOT RUN: {why}");
        return;
    }
    check("no page cache", Profile::default(), &Options { direct_io: true, ..Options::default() });
    check("page cache", Profile::default(), &Options::default());
}
