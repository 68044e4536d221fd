//! Random tables, key types, orders, overlaps and nulls: every alignment agrees with loops over loops.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by failing")]

mod support;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use hypostyle_engine::{
    Duplicates, Feature, Frame, How, JoinRequest, JoinTable, Remembered, Rows, Spine, Strategy as Alignment,
    join,
};
use hypostyle_io::{Error, ErrorKind, Run};
use proptest::prelude::*;
use support::{Case, GROUPS, Key, PlainTable, files, oracle};

const FEATURES: [&str; 5] = ["float", "string", "bit", "short", "list"];

fn request(case: &Case, folder: &std::path::Path) -> JoinRequest {
    let run = Run::default();
    let key: Vec<String> = (0..case.tables[0].forms.len()).map(|i| format!("k{i}")).collect();
    let mut tables = Vec::new();
    let spine = (case.how == How::Spine).then(|| Spine { batch: case.tables[0].batch(0), key: key.clone() });
    for (i, plain) in case.tables.iter().enumerate().skip(usize::from(spine.is_some())) {
        tables.push(JoinTable {
            name: format!("t{i}"),
            table: Arc::new(plain.open(i, folder, &run)),
            key: key.clone(),
            features: FEATURES
                .map(|f| Feature { column: f.to_owned(), output: format!("t{i}__{f}") })
                .to_vec(),
            duplicates: plain.duplicates,
        });
    }
    let form = case.tables[0].forms[0];
    let rows = Rows {
        from: case.from.map(|k| files::text(form, k)),
        to: case.to.map(|k| files::text(form, k)),
        last: case.last,
    };
    JoinRequest { how: case.how, key, spine, tables, rows, strategy: Alignment::Auto, remembered: None }
}

/// The joins of one case, each of which gives the same answer: by every strategy, and where other joins of the same
/// files, and this one before, told what they had found.
fn joins(case: &Case, folder: &std::path::Path) -> Vec<(Alignment, Result<Frame, Error>)> {
    let request = request(case, folder);
    let join = |request: &JoinRequest| join(request, &Run::default());
    let mut joins = Vec::new();
    for strategy in [Alignment::Auto, Alignment::Hash, Alignment::Merge, Alignment::Identity] {
        joins.push((strategy, join(&JoinRequest { strategy, ..request.clone() })));
    }
    let remembering = JoinRequest { remembered: Some(Arc::new(Remembered::new(1 << 20))), ..request };
    for how in [How::Inner, How::Left] {
        let _ = join(&JoinRequest { how, spine: None, rows: Rows::default(), ..remembering.clone() });
    }
    joins.push((Alignment::Auto, join(&remembering)));
    joins.push((Alignment::Auto, join(&remembering)));
    joins
}

/// The frame that the oracle's rows make.
fn expected(case: &Case, rows: &oracle::Rows) -> Vec<(String, ArrayRef)> {
    let pick = |batch: &RecordBatch, name: &str, rows: UInt32Array| {
        arrow_select::take::take(batch.column_by_name(name).unwrap(), &rows, None).unwrap()
    };
    let mut out = Vec::new();
    let base: UInt32Array = rows.iter().map(|(base, _)| Some(*base as u32)).collect();
    let base_batch = case.tables[0].batch(0);
    for i in 0..case.tables[0].forms.len() {
        out.push((format!("k{i}"), pick(&base_batch, &format!("k{i}"), base.clone())));
    }
    for feature in FEATURES {
        let name = if case.how == How::Spine { feature.to_owned() } else { format!("t0__{feature}") };
        out.push((name, pick(&base_batch, feature, base.clone())));
    }
    for (i, plain) in case.tables.iter().enumerate().skip(1) {
        let batch = plain.batch(i);
        let of: UInt32Array = rows.iter().map(|(_, matches)| matches[i - 1].map(|r| r as u32)).collect();
        for feature in FEATURES {
            out.push((format!("t{i}__{feature}"), pick(&batch, feature, of.clone())));
        }
    }
    out
}

fn check(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let wanted = oracle::join(case);
    for (strategy, got) in joins(case, folder.path()) {
        match (&got, &wanted) {
            (Ok(frame), Ok(rows)) => {
                let columns = expected(case, rows);
                assert_eq!(frame.num_columns(), columns.len());
                for (name, column) in columns {
                    let found = frame.batch().column_by_name(&name).unwrap_or_else(|| panic!("no {name}"));
                    assert_eq!(found, &column, "{strategy:?} {name}");
                }
            }
            (Err(error), _) if error.message().starts_with("the strategy") => {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                assert!(matches!(strategy, Alignment::Merge | Alignment::Identity), "{error}");
            }
            (Err(error), Err(oracle::Refusal::Repeated(_))) => {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
                assert!(error.message().contains("stands twice"), "{error}");
            }
            // Only as many keys are read as the last rows take: a repetition far from them may stay unseen.
            (Ok(_), Err(_)) if case.last.is_some() => {}
            (got, wanted) => panic!("{strategy:?}: {got:?} where {wanted:?} was expected"),
        }
    }
}

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
            PlainTable { forms, keys, nulls, duplicates, group, split }
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
