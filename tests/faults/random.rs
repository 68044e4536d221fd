//! Several faults at once, drawn by lot: the same seed draws the same ones again.
//!
//! `HYPOSTYLE_FAULT_CASES` says how many cases there are, `HYPOSTYLE_FAULT_SEED` the seed of the first; each further
//! one has the next seed.

use std::collections::HashMap;
use std::path::Path;

use hypostyle_faultfs::{Errno, Fault, Kind, Latency, Nth, Options, Rule, Rules, is_available};
use hypostyle_fixtures::{Profile, table_name};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use tempfile::TempDir;

use crate::cases::{Case, Mounts, Verdict, beside_others};
use crate::join::{Ended, TABLES, Tables, join, join_within};

const CASES: u64 = 200;

/// Drawn from a seed.
struct Lot(Pcg64Mcg);

impl Lot {
    fn below(&mut self, many: u64) -> u64 {
        self.0.next_u64() % many
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn of<T: Copy>(&mut self, these: &[T]) -> T {
        these[usize::try_from(self.below(these.len() as u64)).unwrap()]
    }

    fn fault(&mut self, file: Option<&str>) -> Fault {
        let errors =
            [Errno::Eio, Errno::Estale, Errno::Eintr, Errno::Eagain, Errno::Enotconn, Errno::Etimedout];
        match (self.below(20), file) {
            (0, _) => Fault::Hang,
            (1..=2, _) => Fault::LatencyMs(Latency::Between(0.0, 20.0)),
            (3..=5, _) => Fault::Short(u32::try_from(1 + self.below(100_000)).unwrap()),
            (6, _) => Fault::Empty,
            (7, _) => Fault::WrongSize(self.of(&[-4096, -1, 1, 4096])),
            (8, _) => Fault::Shrink(self.below(100_000)),
            (9, _) => Fault::Grow(1 + self.below(10_000)),
            (10..=12, Some(file)) => Fault::Replace(format!("next/{file}").into()),
            _ => Fault::Error(self.of(&errors)),
        }
    }

    fn rule(&mut self) -> Rule {
        let file = format!("{}.parquet", table_name(usize::try_from(self.below(TABLES as u64)).unwrap()));
        let file = (!self.one_in(3)).then_some(file);
        let mut rule = Rule::new(self.fault(file.as_deref()));
        rule.requests = match self.below(3) {
            0 => vec![Kind::Lookup, Kind::Getattr, Kind::Open],
            _ => vec![Kind::Read],
        };
        if file.is_none() {
            rule.files = Some("*.parquet".to_owned());
            rule.chance = Some(self.of(&[0.01, 0.05, 0.3]));
        } else {
            rule.files = file;
            let nth = 1 + self.below(4);
            rule.nth = Some(if self.one_in(2) { Nth::One(nth) } else { Nth::Range(nth, None) });
        }
        rule.sticky = self.one_in(2);
        rule
    }

    fn rules(&mut self) -> Rules {
        let many = 1 + self.below(4);
        Rules { seed: self.0.next_u64(), rules: (0..many).map(|_| self.rule()).collect() }
    }
}

/// A frame's columns by their names.
type Columns = HashMap<String, Vec<String>>;

fn columns(csv: &[u8]) -> Columns {
    let text = std::str::from_utf8(csv).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    let rows: Vec<Vec<String>> = lines.collect();
    let column = |at: usize| rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect();
    names.into_iter().enumerate().map(|(at, name)| (name, column(at))).collect()
}

/// Right is a frame of which each table is wholly of the one generation or of the other.
fn is_right(frame: &Columns, generations: &[Columns; 2]) -> bool {
    let names = |columns: &Columns| {
        let mut names: Vec<String> = columns.keys().cloned().collect();
        names.sort();
        names
    };
    let all = names(&generations[0]);
    names(frame) == all
        && (0..TABLES).all(|table| {
            let of = |name: &&String| name.starts_with(&table_name(table)) || !name.contains("table");
            let mut wanted = generations.iter();
            wanted.any(|generation| all.iter().filter(of).all(|name| frame.get(name) == generation.get(name)))
        })
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn next_alone(tables: &Tables) -> Vec<u8> {
    match join(&tables.path().join("next")) {
        Ended::Frame(frame) => frame,
        failed => panic!("{failed:?}"),
    }
}

/// The cases of these seeds that go with a page cache, or of those that go without.
fn cases(seeds: std::ops::Range<u64>, cached: bool) -> Vec<Case> {
    let case = |seed: u64| {
        // Neighbouring seeds begin alike.
        let mut lot = Lot(Pcg64Mcg::new(u128::from(seed) << 64 | 0x9e37_79b9));
        for _ in 0..4 {
            lot.below(2);
        }
        let rules = lot.rules();
        let said = serde_json::to_string(&rules).unwrap();
        Case { name: format!("HYPOSTYLE_FAULT_SEED={seed}: {said}"), file: String::new(), rules }
    };
    seeds.filter(|seed| seed.is_multiple_of(2) == cached).map(case).collect()
}

fn run(mounts: &Mounts, what: &str, cases: &[Case], copy: &TempDir, generations: &[Columns; 2]) {
    let hangs = |case: &Case| case.rules.rules.iter().any(|rule| rule.fault == Fault::Hang);
    // One in four has a second root, by its seed.
    let two = |case: &Case| case.rules.seed.is_multiple_of(4);
    let count = mounts.run(what, cases, |mount: &Path, case| {
        let timeout = if hangs(case) { "500ms" } else { "5s" };
        let roots = [mount, copy.path()];
        match join_within(&roots[..if two(case) { 2 } else { 1 }], Some(timeout)).0 {
            Ended::Frame(frame) if is_right(&columns(&frame), generations) => Verdict::Right,
            Ended::Failed(3 | 4, _) => Verdict::Typed,
            other => other.into(),
        }
    });
    let many = cases.len();
    assert!(many < 50 || count.right > many / 10 && count.typed > many / 10, "{what}: it tells nothing");
}

#[test]
fn a_join_that_meets_many_faults_at_once_is_right_or_says_so() {
    let _turn = beside_others();
    if let Err(why) = is_available() {
        println!("NOT RUN: {why}");
        return;
    }
    let tables = Tables::new(Profile::default());
    let copy = tables.copy();
    let generations = [columns(&tables.frame()), columns(&next_alone(&tables))];
    let (from, many) = (number("HYPOSTYLE_FAULT_SEED", 1), number("HYPOSTYLE_FAULT_CASES", CASES));
    for (what, cached) in [("random, no page cache", false), ("random, page cache", true)] {
        let options = Options { direct_io: !cached, ..Options::default() };
        let cases = cases(from..from + many, cached);
        run(&Mounts::new(&tables, &options, 4), what, &cases, &copy, &generations);
    }
}
