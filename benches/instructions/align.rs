//! Alignment: a join of two tables is planned, which reads their keys (plain values, nothing to decode) and finds for
//! each row of one that of the other. Nothing is remembered from one time to the next.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use hypostyle_engine::{How, JoinRequest, JoinTable, Rows, Strategy, explain};
use hypostyle_io::Run;
use parquet::basic::Encoding;

use crate::Case;
use crate::files::{COLUMN, encoded, noise, open, write};

const ROWS: i64 = 40_000;

/// Writes the tables, a key column each.
pub fn make(folder: &Path) {
    let hours = || 0..ROWS;
    let plain = |name: &str, keys: Vec<i64>| {
        let keys: ArrayRef = Arc::new(Int64Array::from(keys));
        write(&folder.join(name), &keys, encoded(Encoding::PLAIN));
    };
    plain("hours", hours().collect());
    plain("same-hours", hours().collect());
    plain("middle-hours", hours().skip(5_000).take(20_000).collect());
    plain("some-hours", hours().filter(|hour| !noise(*hour as u64).is_multiple_of(11)).collect());
    plain("other-hours", hours().filter(|hour| !noise(*hour as u64 + 1).is_multiple_of(7)).collect());
    let mut shuffled: Vec<i64> = hours().collect();
    shuffled.sort_by_key(|hour| noise(*hour as u64));
    plain("shuffled-hours", shuffled.clone());
    // The same keys in other bytes, so that they must be compared one by one.
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(hours()));
    write(&folder.join("same-hours-otherwise"), &keys, encoded(Encoding::DELTA_BINARY_PACKED));
    let texts = |name: &str, keys: &mut dyn Iterator<Item = i64>| {
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(keys.map(|key| format!("{key:08}"))));
        write(&folder.join(name), &keys, encoded(Encoding::PLAIN));
    };
    texts("texts", &mut hours());
    texts("shuffled-texts", &mut shuffled.into_iter());
}

/// Each way to align, on tables that it fits.
pub fn cases(folder: &Path) -> Vec<Case> {
    [
        ("alike", "hours", "same-hours", Strategy::Auto, "identity"),
        ("identity", "hours", "same-hours-otherwise", Strategy::Auto, "identity"),
        ("run", "middle-hours", "hours", Strategy::Auto, "run"),
        ("merge", "some-hours", "other-hours", Strategy::Auto, "merge"),
        ("hash", "hours", "shuffled-hours", Strategy::Auto, "hash"),
        ("merge-of-equal", "hours", "same-hours-otherwise", Strategy::Merge, "merge"),
        ("hash-of-texts", "texts", "shuffled-texts", Strategy::Auto, "hash"),
    ]
    .map(|(name, base, table, strategy, way)| case(folder, name, [base, table], strategy, way))
    .into()
}

fn case(folder: &Path, name: &str, tables: [&str; 2], strategy: Strategy, way: &str) -> Case {
    let table = |name: &str| JoinTable {
        name: name.to_owned(),
        table: Arc::new(open(&folder.join(name))),
        key: vec![COLUMN.to_owned()],
        features: Vec::new(),
        duplicates: None,
    };
    let request = JoinRequest {
        how: How::Inner,
        key: vec![COLUMN.to_owned()],
        spine: None,
        tables: tables.map(table).into(),
        rows: Rows::default(),
        remembered: None,
        strategy,
    };
    let way = way.to_owned();
    let work = move || {
        let explained = explain(&request, &Run::default()).unwrap();
        // A count of another way than the case is named after would be worth nothing.
        assert_eq!(explained.tables[1].stats.alignment, way);
        black_box(explained);
    };
    Case { name: format!("align/{name}"), work: Box::new(work) }
}
