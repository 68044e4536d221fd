//! Joins through the store as a program that links the library makes them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_array::types::{Int8Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt8Array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use crate::{ErrorKind, Format, How, JoinOptions, JoinSpec, SpineSpec, Store, TableSpec, write_file};

const DAY: i64 = 86_400;

pub(super) fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// A root with tables whose keys are the days 0, 1, 2 in several forms, and whose `x` is 0.5, 1.5, 2.5.
pub(super) fn world() -> (tempfile::TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().unwrap();
    let x: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]));
    let micros = TimestampMicrosecondArray::from_iter_values((0..3).map(|d| d * DAY * 1_000_000));
    let keys: [(&str, ArrayRef); 6] = [
        ("naive", Arc::new(micros.clone())),
        ("zoned", Arc::new(micros.with_timezone("UTC"))),
        ("date", Arc::new(Date32Array::from(vec![0, 1, 2]))),
        ("text", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ("int", Arc::new(Int32Array::from(vec![0, 1, 2]))),
        ("bool", Arc::new(BooleanArray::from(vec![Some(false), Some(true), None]))),
    ];
    for (name, key) in keys {
        let path = folder.path().join(format!("{name}.parquet"));
        write_file(&batch([("k", key), ("x", Arc::clone(&x))]), &path, Format::Parquet).unwrap();
    }
    let store = Arc::new(Store::open(folder.path()).unwrap());
    (folder, store)
}

fn with_spine(spine: RecordBatch) -> JoinOptions {
    JoinOptions { spine: Some(spine), ..JoinOptions::default() }
}

#[test]
fn rows_in_memory_are_filled_whatever_form_their_key_has() {
    let (_folder, store) = world();
    // Days 2, none, 1, 7 and 2 again.
    let check = |table: &str, key: ArrayRef| {
        let rows = key.len();
        let found: Vec<Option<f64>> = [Some(2.5), None, Some(1.5), None, Some(2.5)][..rows].to_vec();
        let found = if key.logical_null_count() == rows { vec![None; rows] } else { found };
        let spine = batch([("k", Arc::clone(&key)), ("id", Arc::new(UInt8Array::from(vec![9; rows])))]);
        let spec = JoinSpec::new(["k"]).table(TableSpec::named(table).columns(["x"]));
        let what = format!("{table} by {}", key.data_type());
        let frame = store.join_with(&spec, &with_spine(spine.clone())).expect(&what);
        let expected = batch([
            ("k", key),
            ("id", Arc::clone(spine.column(1))),
            ("x", Arc::new(Float64Array::from(found))),
        ]);
        assert_eq!(frame.batch(), &expected, "{what}");
        let named = store.join_with(&spec.how(How::Spine), &with_spine(spine)).unwrap();
        assert_eq!(named.batch(), frame.batch(), "{what}");
    };
    let days = |unit: i64| [Some(2), None, Some(1), Some(7), Some(2)].map(|d| d.map(|d: i64| d * DAY * unit));
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from_iter(days(1)));
    let nanos = TimestampNanosecondArray::from_iter(days(1_000_000_000));
    check("naive", Arc::clone(&seconds));
    check("naive", Arc::new(TimestampMillisecondArray::from_iter(days(1_000))));
    check("naive", Arc::new(TimestampMicrosecondArray::from_iter(days(1_000_000))));
    check("naive", Arc::new(nanos.clone()));
    check("zoned", Arc::new(nanos.with_timezone("Europe/Berlin")));
    check("date", Arc::new(Date64Array::from_iter(days(1_000))));
    check("date", Arc::new(Date32Array::from(vec![Some(2), None, Some(1), Some(7), Some(2)])));
    check("int", Arc::new(UInt8Array::from(vec![Some(2), None, Some(1), Some(7), Some(2)])));
    check("int", Arc::new(Int64Array::from(vec![Some(2), None, Some(1), Some(7 << 40), Some(2)])));
    let words = [Some("c"), None, Some("b"), Some("a longer word than fits a view"), Some("c")];
    let text: ArrayRef = Arc::new(StringArray::from_iter(words));
    check("text", Arc::clone(&text));
    check("text", Arc::new(LargeStringArray::from_iter(words)));
    check("text", Arc::new(StringViewArray::from_iter(words)));
    check("text", Arc::new(words.into_iter().collect::<DictionaryArray<Int8Type>>()));
    for value in [DataType::LargeUtf8, DataType::Utf8View] {
        let dictionary = words.into_iter().collect::<DictionaryArray<UInt32Type>>();
        let values = cast(dictionary.values(), &value).unwrap();
        check("text", Arc::new(DictionaryArray::new(dictionary.keys().clone(), values)));
    }
    let dictionary = |value: DataType| DataType::Dictionary(Box::new(DataType::UInt32), Box::new(value));
    let encoded = cast(&seconds, &dictionary(DataType::Timestamp(TimeUnit::Second, None))).unwrap();
    check("naive", encoded);
    // Pieces of larger arrays, and without rows.
    for (table, column) in [("naive", &seconds), ("text", &text)] {
        let before = column.slice(3, 1);
        let longer = arrow_select::concat::concat(&[before.as_ref(), column.as_ref()]).unwrap();
        check(table, longer.slice(1, 5));
        check(table, longer.slice(1, 1));
        check(table, longer.slice(1, 0));
    }
    for table in ["naive", "zoned", "date", "text", "int", "bool"] {
        check(table, Arc::new(NullArray::new(3)));
        check(table, Arc::new(NullArray::new(0)));
    }
    check("bool", Arc::new(BooleanArray::from(vec![None, None])));
}

#[test]
fn a_spine_in_memory_that_makes_no_join_is_refused() {
    let (_folder, store) = world();
    let check = |spec: JoinSpec, spine: RecordBatch, message: &str| {
        let error = store.join_with(&spec, &with_spine(spine)).expect_err(message);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidRequest, message));
    };
    let spec = || JoinSpec::new(["k"]).table(TableSpec::named("int").columns(["x"]));
    let ints = || -> ArrayRef { Arc::new(Int64Array::from(vec![1])) };
    let spine = || batch([("k", ints())]);
    check(spec().how(How::Left), spine(), "a spine is given, but `how` is `left`");
    let two = "there are two spines: one in the spec and one in memory";
    check(spec().spine(SpineSpec::new("int.parquet")), spine(), two);
    check(spec(), batch([("kk", ints())]), "table `spine`, column `k`: there is no column `k`");
    check(
        spec(),
        batch([("k", ints()), ("k", ints())]),
        "table `spine`, column `k`: the spine has two columns of this name",
    );
    check(
        spec(),
        batch([("k", Arc::new(Float64Array::from(vec![1.0])))]),
        "table `spine`, column `k`: a key cannot be Float64: equal floating-point numbers are chance",
    );
    check(
        spec(),
        batch([("k", Arc::new(StringArray::from(vec!["1"])))]),
        "table `int`, column `k`: the keys cannot be compared: `spine:k` is Utf8, `int:k` is Int32",
    );
}

#[test]
fn a_deadline_ends_the_join_and_one_beyond_the_clock_is_none() {
    let (_folder, store) = world();
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("int").columns(["x"]));
    let within = |timeout| {
        let options = JoinOptions { timeout: Some(timeout), ..JoinOptions::default() };
        store.join_with(&spec, &options).map(|frame| frame.num_rows()).map_err(|e| e.kind())
    };
    assert_eq!(within(Duration::ZERO), Err(ErrorKind::Timeout));
    assert_eq!(within(Duration::from_secs(60)), Ok(3));
    assert_eq!(within(Duration::MAX), Ok(3));
}

#[test]
fn columns_of_a_frame_are_found_by_name() {
    let (_folder, store) = world();
    let frame = store.join(&JoinSpec::new(["k"]).table(TableSpec::named("int").columns(["x"]))).unwrap();
    let names = |names: &[&str]| -> Result<Vec<String>, String> {
        let frame =
            frame.select(names).map_err(|e| format!("{e} ({})", e.hint_text().unwrap_or_default()))?;
        assert_eq!(frame.num_rows(), 3);
        Ok(frame.schema().fields().iter().map(|f| f.name().clone()).collect())
    };
    assert_eq!(names(&["x", "k"]), Ok(vec!["x".to_owned(), "k".to_owned()]));
    assert_eq!(names(&["x"]), Ok(vec!["x".to_owned()]));
    assert_eq!(names(&[]), Ok(vec![]));
    assert_eq!(names(&["y"]).unwrap_err(), "column `y`: the frame has no such column (there are `k`, `x`)");
    assert_eq!(names(&["x", "x"]).unwrap_err(), "column `x`: the column is named twice ()");
    assert_eq!(frame.column("x").unwrap(), frame.batch().column(1));
    assert_eq!(frame.column("X").unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_join_that_names_no_key_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let ints = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2])) };
    let floats = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.5, 1.5])) };
    let table = |name: &str, columns: &[&str]| {
        let column = |name: &str| if name.starts_with('f') { floats() } else { ints() };
        let columns = columns.iter().map(|name| (*name, column(name), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        write_file(&batch, &folder.path().join(format!("{name}.parquet")), Format::Parquet).unwrap();
    };
    table("a", &["k", "id", "f1", "f2"]);
    table("b", &["f1", "id", "k", "f2"]);
    table("c", &["k", "f1", "n"]);
    table("d", &["K", "f1"]);
    table("e", &["t", "n"]);
    let store = Store::open(folder.path()).unwrap();
    let spec = |tables: &str| {
        let named = |(at, name): (usize, &str)| TableSpec::named(name).column_as("f1", format!("x{at}"));
        JoinSpec::default().tables(tables.split(' ').enumerate().map(named))
    };
    let key = |spec: &JoinSpec, spine: Option<RecordBatch>| -> Result<Vec<String>, String> {
        let options = JoinOptions { spine, ..JoinOptions::default() };
        let frame = store.join_with(spec, &options).map_err(|e| {
            assert_eq!(e.kind(), ErrorKind::InvalidRequest, "{e}");
            e.to_string()
        })?;
        Ok(frame
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .take_while(|n| !n.starts_with('x'))
            .collect())
    };
    let found = |names: &[&str]| Ok(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let several = "the join has no key, and several columns could be it: `k`, `id`";
    assert_eq!(key(&spec("a c"), None), found(&["k"]));
    assert_eq!(key(&spec("d"), None), found(&["K"]));
    assert_eq!(key(&spec("a b"), None), Err(several.to_owned()));
    let none = key(&spec("a d"), None).unwrap_err();
    assert!(none.contains("the keys") || none.contains("a key cannot be Float64"), "{none}");
    // The spine says which.
    assert_eq!(key(&spec("a b"), Some(batch([("id", ints()), ("no", ints())]))), found(&["id", "no"]));
    assert_eq!(
        key(&spec("a b"), Some(batch([("id", ints()), ("k", ints())]))).map(drop),
        Err("the join has no key, and several columns could be it: `id`, `k`".to_owned())
    );
    let nothing = "the join has no key, and there is no column that could be it in all tables";
    assert_eq!(key(&spec("a b"), Some(batch([("no", ints())]))), Err(nothing.to_owned()));
    let in_file = spec("c").spine(SpineSpec::new("e.parquet"));
    assert_eq!(key(&in_file, None), found(&["n", "t"]));
    assert_eq!(
        key(&spec("c").spine(SpineSpec::new("e.parquet").key(["t"])), None)
            .map(drop)
            .unwrap_err()
            .split(':')
            .next(),
        Some("the join has no key, and several columns could be it")
    );
    let own = JoinSpec::default().tables([
        TableSpec::named("c").columns(["f1"]).key(["n"]),
        TableSpec::named("d").column_as("f1", "x"),
    ]);
    assert_eq!(key(&own, None), found(&["K", "f1"]));
    // The root's own word goes first, and a key that is given before it.
    let says = |text: &str| std::fs::write(folder.path().join("hypostyle.yaml"), text).unwrap();
    says("key: id");
    assert_eq!(key(&spec("a b"), None), found(&["id"]));
    says("key: [k, id]");
    assert_eq!(key(&spec("a b"), None), found(&["k", "id"]));
    let given = JoinSpec { key: vec!["k".to_owned()], ..spec("a b") };
    assert_eq!(key(&given, None), found(&["k"]));
    for nothing in ["", "key: []", "# key: id"] {
        says(nothing);
        assert_eq!(key(&spec("a b"), None), Err(several.to_owned()), "{nothing}");
    }
    for wrong in ["kei: id", "key: {a: b}", "key: [k, k]", "key: ''", "key: [", "\u{7f}\0"] {
        says(wrong);
        let error = store.join(&spec("a b")).expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong}: {error}");
        assert!(error.file_path().is_some_and(|path| path.ends_with("hypostyle.yaml")), "{wrong}: {error}");
        assert!(store.join(&given).is_ok());
    }
}

#[test]
fn a_second_join_reads_no_keys_and_a_table_that_was_rewritten_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, keys: Vec<i64>, add: f64| {
        let values = |by: f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(keys.iter().map(|k| *k as f64 * by + add)))
        };
        let columns = [
            ("k", Arc::new(Int64Array::from(keys.clone())) as ArrayRef),
            ("x", values(1.0)),
            ("y", values(2.0)),
        ];
        let path = folder.path().join(format!("{name}.parquet"));
        write_file(&batch(columns), &path, Format::Parquet).unwrap();
        left_alone(&path);
    };
    write("a", (0..1000).collect(), 0.0);
    write("b", (0..1000).rev().collect(), 0.0);
    let store = Store::open(folder.path()).unwrap();
    let join = |column: &str, last: Option<u64>| {
        let of = |name: &str| TableSpec::named(name).columns([column]);
        let mut spec = JoinSpec::new(["k"]).full_names(true).table(of("a")).table(of("b"));
        spec.rows.last = last;
        let frame = store.join(&spec).unwrap();
        let values = |at: usize| frame.batch().column(at).to_data().buffers()[0].typed_data::<f64>().to_vec();
        (values(1), values(2), frame.stats().bytes_read)
    };
    let upward = |by: f64| (0..1000).map(|k| f64::from(k) * by).collect::<Vec<_>>();
    let (a, b, first) = join("x", None);
    assert_eq!((a, b), (upward(1.0), upward(1.0)));
    let (a, b, second) = join("y", None);
    assert_eq!((a, b), (upward(2.0), upward(2.0)));
    assert!(second < first, "{second} bytes read after {first}");
    assert_eq!(join("x", Some(2)).0, [998.0, 999.0]);
    assert!(store.remembered.get().bytes() > 0);
    // Other keys under the same name, as a writer renames them into place.
    write("b", (500..1500).collect(), 0.5);
    let (a, b, _) = join("x", Some(2));
    assert_eq!((a, b), (vec![998.0, 999.0], vec![998.5, 999.5]));
    assert_eq!(join("y", None).0.len(), 500);
}

/// Makes a file look as if it had been written a while ago.
fn left_alone(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

#[test]
fn what_was_read_of_a_file_that_may_still_be_written_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let bytes_of = |first: i64| {
        let keys = Arc::new(Int64Array::from_iter_values(first..first + 1000)) as ArrayRef;
        write_file(&batch([("k", keys.clone()), ("x", keys)]), &path, Format::Parquet).unwrap();
        std::fs::read(&path).unwrap()
    };
    let (old, new) = (bytes_of(0), bytes_of(1 << 20));
    std::fs::write(&path, &old).unwrap();
    // A write moves the time when it begins: a file that was written just now may still be.
    let store = Store::open(folder.path()).unwrap();
    let first_key = || {
        let spec = JoinSpec::new(["k"]).table(TableSpec::named("a").columns(["x"]));
        let frame = store.join(&spec).unwrap();
        frame.batch().column(0).to_data().buffers()[0].typed_data::<i64>()[0]
    };
    assert_eq!(first_key(), 0);
    assert_eq!(store.files.get().len(), 0);
    std::fs::write(&path, &new).unwrap();
    assert_eq!(first_key(), 1 << 20);
    left_alone(&path);
    assert_eq!((first_key(), store.files.get().len()), (1 << 20, 1));
}

#[test]
fn a_spine_without_rows_has_a_key_of_whatever_type() {
    // pandas gives columns of nothing the type float64, which is no key.
    let (_folder, store) = world();
    let nothing: ArrayRef = Arc::new(Float64Array::from(Vec::<f64>::new()));
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("date").columns(["x"]));
    let frame = store.join_with(&spec, &with_spine(batch([("k", nothing)]))).unwrap();
    assert_eq!((frame.num_rows(), frame.schema().field(0).data_type()), (0, &DataType::Date32));
}
