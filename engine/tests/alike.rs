//! Tables whose keys are stored alike, and nearly alike: whatever is spared, the frame is what loops over loops give.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by failing")]

mod support;

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch, cast::AsArray};
use hypostyle_engine::{
    Duplicates, Feature, How, JoinRequest, JoinTable, Remembered, Rows, Strategy as Way, join,
};
use hypostyle_io::{IoMode, Missing, ParquetFile, Run, Table};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use support::checked::{check, judge, no_poison, request};
use support::{Case, GROUPS, Key, KeyForm, PlainTable, Written, oracle};

/// How a table's keys are other than the first table's; most of it cannot be seen in the bytes of the chunk, or in
/// nothing but them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    None,
    /// One key is another one.
    OneKey(usize, u8),
    /// One key is null.
    OneNull(usize),
    /// The same bytes, or others, in another type.
    Type(usize),
    RowGroups(usize),
    Files(usize),
    Required,
    Codec,
    Plain,
    PageStatistics,
    Duplicates(Duplicates),
    /// Part of the rows: one table's keys are a run of the other's.
    Run(usize, usize),
    Reversed,
    /// A row more at the end, and the same row count by one less at the beginning.
    Shifted(u8),
}

fn changed(of: &PlainTable, change: Change) -> PlainTable {
    let mut table = of.clone();
    let rows = table.keys.len();
    match change {
        Change::None => {}
        Change::OneKey(row, key) if rows > 0 => table.keys[row % rows][0] = Some(key % domain(of)),
        Change::OneNull(row) if rows > 0 => *table.keys[row % rows].last_mut().unwrap() = None,
        Change::OneKey(..) | Change::OneNull(_) => {}
        Change::Type(which) => {
            for form in &mut table.forms {
                let group = GROUPS.iter().find(|g| g.contains(form)).unwrap();
                *form = group[which % group.len()];
            }
        }
        Change::RowGroups(rows) => table.group = rows,
        Change::Files(split) => table.split = split,
        Change::Required => table.written.required = !table.written.required,
        Change::Codec => table.written.compressed = !table.written.compressed,
        Change::Plain => table.written.plain = !table.written.plain,
        Change::PageStatistics => table.written.page_statistics = Some(false),
        Change::Duplicates(rule) => table.duplicates = Some(rule),
        Change::Run(from, len) => {
            let from = from.min(rows);
            let to = (from + len).min(rows);
            table.keys = table.keys[from..to].to_vec();
            table.nulls = table.nulls[from..to].to_vec();
        }
        Change::Reversed => table.keys.reverse(),
        Change::Shifted(key) if rows > 0 => {
            table.keys.remove(0);
            table.keys.push(vec![Some(key % domain(of)); of.forms.len()]);
        }
        Change::Shifted(_) => {}
    }
    table
}

fn domain(table: &PlainTable) -> u8 {
    if table.forms.contains(&KeyForm::Bool) { 2 } else { 24 }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => Just(Change::None),
        2 => (0..30usize, 0..24u8).prop_map(|(row, key)| Change::OneKey(row, key)),
        1 => (0..30usize).prop_map(Change::OneNull),
        2 => (0..5usize).prop_map(Change::Type),
        1 => (1..12usize).prop_map(Change::RowGroups),
        1 => (0..30usize).prop_map(Change::Files),
        1 => Just(Change::Required),
        1 => Just(Change::Codec),
        1 => Just(Change::Plain),
        1 => Just(Change::PageStatistics),
        1 => prop::sample::select(vec![Duplicates::Error, Duplicates::First, Duplicates::Last])
            .prop_map(Change::Duplicates),
        2 => (0..20usize, 0..24usize).prop_map(|(from, len)| Change::Run(from, len)),
        1 => Just(Change::Reversed),
        1 => (0..24u8).prop_map(Change::Shifted),
    ]
}

/// The table that the others are made from: ascending and unique keys mostly, as a grid has them.
fn grid() -> impl Strategy<Value = PlainTable> {
    let columns = prop::collection::vec((0..GROUPS.len(), 0..5usize), 1..3);
    let shape = (any::<u64>(), 1..12usize, prop::sample::select(vec![0, 0, 30, 7]), any::<[bool; 3]>());
    let rules = prop::option::weighted(
        0.3,
        prop::sample::select(vec![Duplicates::Error, Duplicates::First, Duplicates::Last]),
    );
    (columns, 0..25u8, 0..4u8, prop::bool::weighted(0.2), shape, rules).prop_map(
        |(
            columns,
            rows,
            step,
            with_null,
            (bits, group, split, [required, compressed, plain]),
            duplicates,
        )| {
            let forms: Vec<KeyForm> =
                columns.iter().map(|(g, at)| GROUPS[*g][at % GROUPS[*g].len()]).collect();
            let most = if forms.contains(&KeyForm::Bool) { 2 } else { 24 };
            let key = |row: u8| -> Key {
                let first = if step == 0 { row / 2 } else { row };
                vec![Some(first % most); forms.len()]
            };
            let mut keys: Vec<Key> = (0..rows.min(most)).map(key).collect();
            if with_null && !keys.is_empty() {
                let at = bits as usize % keys.len();
                *keys[at].last_mut().unwrap() = None;
            }
            let nulls = (0..keys.len()).map(|i| bits >> (i % 64) & 3 == 0).collect();
            let written = Written { required, compressed, plain, page_statistics: Some(true) };
            PlainTable { forms, keys, nulls, duplicates, group, split, written }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let how = prop::sample::select(vec![How::Inner, How::Left, How::Left, How::Spine]);
    let bound = || prop::option::weighted(0.3, 0..24u8);
    (
        grid(),
        prop::collection::vec(change(), 2..6),
        how,
        bound(),
        bound(),
        prop::option::weighted(0.3, 1..20u64),
    )
        .prop_map(|(grid, changes, how, from, to, last)| {
            let tables: Vec<PlainTable> = changes.iter().map(|c| changed(&grid, *c)).collect();
            let (from, to) = match (from, to) {
                _ if domain(&grid) == 2 => (None, None),
                (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
                bounds => bounds,
            };
            Case { how, tables, from, to, last }
        })
}

/// A case, and the same with one of its files written anew between two joins of one store.
fn rewritten() -> impl Strategy<Value = (Case, Case)> {
    (case(), any::<prop::sample::Index>(), change()).prop_map(|(before, which, change)| {
        let mut after = before.clone();
        let which = which.index(after.tables.len());
        after.tables[which] = changed(&before.tables[which], change);
        (before, after)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_stored_alike_or_nearly_alike_join_as_loops_over_loops_say(case in case()) {
        check(&case);
    }

    #[test]
    fn what_is_remembered_of_a_file_is_not_used_for_what_replaces_it((before, after) in rewritten()) {
        let remembered = Some(Arc::new(Remembered::new(1 << 20)));
        for case in [&before, &after, &before] {
            let folder = tempfile::tempdir().unwrap();
            let request = JoinRequest { remembered: remembered.clone(), ..request(case, folder.path()) };
            for _ in 0..2 {
                judge(case, Way::Auto, &join(&request, &Run::default()), &oracle::join(case));
            }
        }
    }
}

fn spans(run: &Run, stage: &str) -> usize {
    run.spans().iter().filter(|span| span.stage == stage).count()
}

/// Whose keys are decoded, and whose are seen to be the first table's.
#[test]
fn keys_are_decoded_once_where_the_bytes_are_the_same_and_mean_the_same() {
    let keys: Vec<Key> = (0..20).map(|k| vec![Some(k)]).collect();
    let first = PlainTable {
        forms: vec![KeyForm::Millis],
        nulls: vec![false; keys.len()],
        keys,
        duplicates: None,
        group: 8,
        split: 0,
        written: Written { page_statistics: Some(true), ..Written::default() },
    };
    for (change, decoded) in [
        (Change::None, 1),
        (Change::Duplicates(Duplicates::Last), 1),
        (Change::OneKey(19, 23), 2),
        (Change::OneNull(3), 2),
        (Change::Type(0), 2),
        (Change::Type(2), 2),
        (Change::RowGroups(10), 2),
        (Change::Files(8), 1),
        (Change::Files(4), 2),
        (Change::Required, 2),
        (Change::Codec, 2),
        (Change::Plain, 2),
        (Change::Run(0, 19), 2),
    ] {
        let case = Case {
            how: How::Inner,
            tables: vec![first.clone(), changed(&first, change)],
            from: None,
            to: None,
            last: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let run = Run::default();
        join(&request(&case, folder.path()), &run).unwrap();
        assert_eq!(spans(&run, "keys"), decoded, "{change:?}");
        check(&case);
    }
}

fn opened(folder: &Path, name: &str, columns: Vec<(&str, arrow_array::ArrayRef)>) -> Arc<Table> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let path = folder.join(format!("{name}.parquet"));
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), Some(properties.build()))
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let file = ParquetFile::open(&path, IoMode::Pread, &Run::default()).unwrap();
    Arc::new(Table::new(name, vec![file], Missing::Error).unwrap())
}

fn joined(tables: &[Arc<Table>], how: How) -> JoinRequest {
    let table = |table: &Arc<Table>| JoinTable {
        name: table.name().to_owned(),
        table: Arc::clone(table),
        key: vec!["k".to_owned()],
        features: vec![Feature { column: "v".to_owned(), output: format!("{}__v", table.name()) }],
        duplicates: None,
    };
    JoinRequest {
        how,
        key: vec!["k".to_owned()],
        spine: None,
        tables: tables.iter().map(table).collect(),
        rows: Rows::default(),
        strategy: Way::Auto,
        remembered: None,
    }
}

fn numbers(values: impl IntoIterator<Item = Option<i64>>) -> arrow_array::ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// Chunks of many parts, which differ in one key wherever a part begins or ends.
#[test]
fn one_key_among_many_that_is_another_is_found_wherever_it_is() {
    const ROWS: i64 = 70_000;
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str, odd: Option<i64>| {
        // Unlike another key for all its bytes, and in order.
        let keys = (0..ROWS).map(|k| Some(4 * k + i64::from(odd == Some(k))));
        opened(folder.path(), name, vec![("k", numbers(keys)), ("v", numbers((0..ROWS).map(Some)))])
    };
    let first = table("first", None);
    let part = (128 << 10) / 8;
    for odd in [0, 1, part - 8, part - 1, part, part + 1, 2 * part - 5, 2 * part, ROWS / 2, ROWS - 1] {
        let other = table("other", Some(odd));
        let frame = join(&joined(&[Arc::clone(&first), other], How::Left), &Run::default()).unwrap();
        let found = frame.batch().column_by_name("other__v").unwrap();
        let nulls: Vec<i64> = (0..ROWS).filter(|row| found.is_null(*row as usize)).collect();
        assert_eq!(nulls, [odd]);
        no_poison(found, "other__v");
    }
    let twin = table("twin", None);
    let run = Run::default();
    join(&joined(&[first, twin], How::Left), &run).unwrap();
    assert_eq!((spans(&run, "keys"), spans(&run, "compare keys")), (1, 1));
}

/// Frames of more than 2 MiB take the memory that others leave behind, in debug builds full of a pattern.
#[test]
fn memory_of_an_earlier_frame_shines_through_nowhere() {
    const ROWS: i64 = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let some = |every: i64| move |row: i64| (row % every != 0).then_some(row);
    let base = opened(
        folder.path(),
        "base",
        vec![("k", numbers((0..ROWS).map(Some))), ("v", numbers((0..ROWS).map(some(3))))],
    );
    let run = |from: i64, to: i64, name: &str| {
        let keys = (from..to).map(Some);
        opened(folder.path(), name, vec![("k", numbers(keys)), ("v", numbers((from..to).map(some(7))))])
    };
    let sparse = (0..ROWS).filter(|k| k % 5 != 0);
    let tables = [
        Arc::clone(&base),
        run(0, ROWS, "same"),
        run(1000, ROWS - 1000, "inside"),
        run(-500, ROWS + 500, "around"),
        opened(
            folder.path(),
            "sparse",
            vec![("k", numbers(sparse.clone().map(Some))), ("v", numbers(sparse.clone().map(Some)))],
        ),
    ];
    let nothing = opened(
        folder.path(),
        "nothing",
        vec![("k", numbers((0..ROWS).map(|k| Some(k + 10 * ROWS)))), ("v", numbers((0..ROWS).map(Some)))],
    );
    let all: Vec<Arc<Table>> = tables.iter().cloned().chain([nothing]).collect();
    for round in 0..3 {
        let frame = join(&joined(&all, How::Left), &Run::default()).unwrap();
        let value = |name: &str, row: i64| -> Option<i64> {
            match name {
                "base" => some(3)(row),
                "same" | "around" => some(7)(row),
                "inside" => some(7)(row).filter(|row| (1000..ROWS - 1000).contains(row)),
                "sparse" => (row % 5 != 0).then_some(row),
                _ => None,
            }
        };
        for table in &all {
            let name = format!("{}__v", table.name());
            let column = frame.batch().column_by_name(&name).unwrap();
            let expected: Int64Array = (0..ROWS).map(|row| value(table.name(), row)).collect();
            assert_eq!(column.as_primitive::<Int64Type>(), &expected, "{name}, round {round}");
            no_poison(column, &name);
        }
        assert_eq!(frame.num_rows(), ROWS as usize);
    }
}

/// One key that needs more than 64 bits makes all keys of its join wide; those are not the next join's.
#[test]
fn a_join_that_needs_wide_keys_leaves_nothing_wide_to_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str, last: Option<u64>| {
        let values = numbers([Some(1), Some(2), Some(3)]);
        match last {
            None => {
                opened(folder.path(), name, vec![("k", numbers([Some(1), Some(2), Some(3)])), ("v", values)])
            }
            Some(last) => {
                let keys: arrow_array::UInt64Array = [1, 2, last].into_iter().map(Some).collect();
                opened(folder.path(), name, vec![("k", Arc::new(keys)), ("v", values)])
            }
        }
    };
    let (a, b, c) = (table("a", None), table("b", Some(3)), table("c", None));
    let wide = table("wide", Some(u64::MAX));
    let remembered = Some(Arc::new(Remembered::new(1 << 20)));
    for (tables, rows) in [
        (vec![&a, &b], 3),
        (vec![&a, &wide], 2),
        (vec![&a, &b, &wide], 2),
        (vec![&a, &b, &c], 3),
        (vec![&b, &c], 3),
        (vec![&wide, &c], 2),
    ] {
        let tables: Vec<Arc<Table>> = tables.into_iter().cloned().collect();
        let names: Vec<&str> = tables.iter().map(|t| t.name()).collect();
        for strategy in [Way::Auto, Way::Hash] {
            let request =
                JoinRequest { remembered: remembered.clone(), strategy, ..joined(&tables, How::Inner) };
            let frame = join(&request, &Run::default()).unwrap_or_else(|e| panic!("{names:?}: {e}"));
            assert_eq!(frame.num_rows(), rows, "{names:?}");
        }
    }
}
