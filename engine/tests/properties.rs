//! Random tables, key types, orders, overlaps and nulls: every alignment agrees with loops over loops.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by failing")]

mod support;

use hypostyle_engine::{Duplicates, How};
use proptest::prelude::*;
use support::checked::check;
use support::{Case, GROUPS, Key, PlainTable, Written};

fn table(groups: Vec<usize>, unique: bool) -> impl Strategy<Value = PlainTable> {
    let forms: Vec<_> = groups.iter().map(|g| prop::sample::select(GROUPS[*g])).collect();
    let domain = move |group: usize| if GROUPS[group].len() == 1 { 0..2u8 } else { 0..24u8 };
    let key: Vec<_> = groups.iter().map(|g| prop::option::weighted(0.95, domain(*g))).collect();
    let rule =
        prop::option::of(prop::sample::select(vec![Duplicates::Error, Duplicates::First, Duplicates::Last]));
    (forms, prop::collection::vec(key, 0..30), any::<u64>(), 0..3u8, rule, 1..12usize, 0..30usize).prop_map(
        move |(forms, mut keys, bits, order, duplicates, group, split)| {
            match order {
                0 => keys.sort(),
                1 => keys = (0..keys.len()).map(|i| vec![Some(i as u8 % 24); keys[i].len()]).collect(),
                _ => {}
            }
            if unique {
                let mut seen: Vec<Key> = Vec::new();
                keys.retain(|k| {
                    !seen.contains(k) && {
                        seen.push(k.clone());
                        true
                    }
                });
            }
            if groups.iter().any(|g| GROUPS[*g].len() == 1) {
                keys.iter_mut().flatten().for_each(|k| *k = k.map(|k| k % 2));
            }
            let nulls = (0..keys.len()).map(|i| bits >> (i % 64) & 3 == 0).collect();
            PlainTable { forms, keys, nulls, duplicates, group, split, written: Written::default() }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let groups = prop::collection::vec(0..GROUPS.len(), 1..3);
    let how = prop::sample::select(vec![How::Inner, How::Left, How::Spine]);
    (groups, how, prop::bool::weighted(0.8)).prop_flat_map(|(groups, how, unique)| {
        let tables = prop::collection::vec(table(groups, unique), 2..5);
        (tables, Just(how), prop::option::of(0..24u8), prop::option::of(0..24u8), prop::option::of(1..20u64))
            .prop_map(|(tables, how, from, to, last)| {
                // Bounds in order, and for the few values of bool none at all.
                let few = GROUPS[8].contains(&tables[0].forms[0]);
                let (from, to) = match (from, to) {
                    _ if few => (None, None),
                    (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
                    bounds => bounds,
                };
                Case { how, tables, from, to, last }
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_alignment_gives_what_loops_over_loops_give(case in case()) {
        check(&case);
    }
}
