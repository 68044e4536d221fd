//! Rows after a write, in all modes.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use rand_pcg::rand_core::Rng;

use super::*;
use crate::ErrorKind;

#[test]
fn each_mode_makes_the_rows_it_promises() {
    let world = World::new();
    let check =
        |batch: &[(i64, f64)], mode: WriteMode, range: (Option<&str>, Option<&str>), after: &[(i64, f64)]| {
            let options = WriteOptions::new(mode).key(["k"]);
            let options = options.range(range.0.map(str::to_owned), range.1.map(str::to_owned));
            world.store.write("t", &rows(batch), &options).unwrap();
            assert_eq!(world.read("t").unwrap(), after, "{batch:?} {mode:?} {range:?}");
        };
    let all = (None, None);
    check(&[(3, 0.3), (1, 0.1)], WriteMode::Append, all, &[(1, 0.1), (3, 0.3)]);
    check(&[(2, 0.2)], WriteMode::Append, all, &[(1, 0.1), (2, 0.2), (3, 0.3)]);
    check(&[], WriteMode::Append, all, &[(1, 0.1), (2, 0.2), (3, 0.3)]);
    check(&[(2, 2.0), (9, 9.0)], WriteMode::Upsert, all, &[(1, 0.1), (2, 2.0), (3, 0.3), (9, 9.0)]);
    check(&[], WriteMode::Upsert, all, &[(1, 0.1), (2, 2.0), (3, 0.3), (9, 9.0)]);
    check(&[(2, 5.0)], WriteMode::Replace, (Some("2"), Some("4")), &[(1, 0.1), (2, 5.0), (9, 9.0)]);
    check(&[], WriteMode::Replace, (Some("9"), None), &[(1, 0.1), (2, 5.0)]);
    check(&[(7, 7.0)], WriteMode::Replace, all, &[(7, 7.0)]);
    check(&[], WriteMode::Replace, all, &[]);
    check(&[(4, 4.0)], WriteMode::Upsert, all, &[(4, 4.0)]);
    world.store.delete("t", Some("4"), Some("5")).unwrap();
    assert_eq!(world.read("t").unwrap(), []);
}

#[test]
fn what_clashes_with_the_table_is_refused_and_nothing_changes() {
    let world = World::new();
    world.write("t", &rows(&[(1, 0.1), (2, 0.2)]), WriteMode::Append).unwrap();
    let before = (world.all_files(), world.store.snapshot(None).unwrap());
    let check = |batch: &RecordBatch, options: &WriteOptions, kind: ErrorKind, message: &str| {
        let error = world.store.write("t", batch, options).expect_err(message);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
        assert_eq!((world.all_files(), world.store.snapshot(None).unwrap()), before, "{message}");
    };
    let wrong = ErrorKind::InvalidRequest;
    let append = WriteOptions::new(WriteMode::Append);
    check(&rows(&[(3, 0.0), (2, 0.0)]), &append, wrong, "table `t`: the key 2 is in the table already");
    check(
        &rows(&[(3, 0.0), (3, 0.0)]),
        &append,
        wrong,
        "table `t`: the key 3 stands twice in the data, in rows 1 and 2",
    );
    check(
        &rows(&[(3, 0.0)]),
        &append.clone().key(["x"]),
        wrong,
        "table `t`: the table's key is k, and cannot become x",
    );
    check(
        &rows(&[(3, 0.0)]).project(&[0]).unwrap(),
        &append,
        wrong,
        "table `t`, column `x`: the table has this column, and the data lacks it",
    );
    let replace = WriteOptions::new(WriteMode::Replace).range(Some("5".to_owned()), None);
    check(
        &rows(&[(3, 0.0)]),
        &replace,
        wrong,
        "table `t`: the key 3 lies outside the range that is replaced",
    );
    check(
        &rows(&[(3, 0.0)]),
        &WriteOptions::new(WriteMode::Upsert).range(None, Some("5".to_owned())),
        wrong,
        "table `t`: `upsert` takes no range of keys",
    );
    let backwards = WriteOptions::new(WriteMode::Replace).range(Some("5".to_owned()), Some("4".to_owned()));
    check(&rows(&[]), &backwards, wrong, "table `t`: `from` (5) is after `to` (4)");
    let error = world.store.delete("none", None, None).unwrap_err();
    assert_eq!(kind_and_text(&error), "NotFound: table `none`: the store has no such table");
    for name in ["a/b", "..", "a\0b", "_t", &"x".repeat(300), ""] {
        let error = world.write(name, &rows(&[(1, 0.0)]), WriteMode::Append).unwrap_err();
        assert_eq!(error.kind(), wrong, "{name:?}");
    }
    assert_eq!(world.all_files(), before.0);
}

#[test]
fn a_column_may_be_added_and_older_rows_have_nulls_there() {
    let world = World::new();
    world.write("t", &many(0..20_000, 1.0), WriteMode::Append).unwrap();
    let values: ArrayRef = Arc::new(Float64Array::from(vec![7.0]));
    let columns = [
        ("k", Arc::new(Int64Array::from(vec![30_000])) as ArrayRef, true),
        ("y", Arc::clone(&values), true),
        ("x", values, true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    world.write("t", &batch, WriteMode::Append).unwrap();
    let spec = JoinSpec::default().table(TableSpec::named("t").columns(["x", "y"]));
    let frame = world.store.join(&spec).unwrap();
    assert_eq!((frame.num_rows(), frame.snapshot()), (20_001, Some(2)));
    let added = frame.column("y").unwrap();
    assert_eq!((added.null_count(), added.as_primitive::<Float64Type>().value(20_000)), (20_000, 7.0));
}

#[test]
fn a_write_rewrites_the_files_it_must_and_no_others() {
    let world = World::new();
    world.write("t", &many(0..70_000, 1.0), WriteMode::Append).unwrap();
    let files = |world: &World| world.store.files("t", None).unwrap();
    let first = files(&world);
    assert_eq!(first.len(), 2, "the newest rows stand in a file of their own");
    world.write("t", &many(69_990..70_014, 2.0), WriteMode::Upsert).unwrap();
    let second = files(&world);
    assert_eq!((second.len(), &second[0]), (2, &first[0]));
    assert_ne!(second[1], first[1]);
    // Hour by hour: not a file an hour.
    for hour in 70_014..70_060 {
        world.write("t", &many(hour..hour + 1, 1.0), WriteMode::Append).unwrap();
    }
    assert!(world.files("t") <= 3);
    assert_eq!(world.read("t").unwrap().len(), 70_060);
    world.store.compact("t").unwrap();
    let compacted = files(&world);
    assert_eq!(world.store.compact("t").unwrap().tables, BTreeMap::new());
    assert_eq!(files(&world), compacted);
    assert_eq!(world.read("t").unwrap().len(), 70_060);
    assert!(first.iter().all(|path| path.exists()));
}

/// They go the general way, in writing and reading, but are columns like others.
#[test]
fn nested_columns_are_written_merged_added_and_read_back() {
    use arrow_array::types::Int32Type;
    use arrow_array::{FixedSizeListArray, LargeListArray, ListArray, MapArray, StringArray, StructArray};
    use arrow_schema::{DataType, Field};

    /// The columns of some rows: the values of row `k` are made of `k`.
    fn nested(keys: &[i64]) -> Vec<(&'static str, ArrayRef)> {
        let some = |k: &i64| (k % 3 != 0).then_some(*k as i32);
        let list = || keys.iter().map(|k| some(k).map(|k| vec![Some(k), None, Some(-k)]));
        let ints: ArrayRef = Arc::new(Int64Array::from_iter_values(keys.iter().copied()));
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter(keys.iter().map(|k| some(k).map(|k| format!("t{k}")))));
        let field = |name: &str, of: &ArrayRef| Arc::new(Field::new(name, of.data_type().clone(), true));
        let within =
            StructArray::from(vec![(field("n", &ints), Arc::clone(&ints)), (field("text", &texts), texts)]);
        let within: ArrayRef = Arc::new(within);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(list());
        let of_lists: ArrayRef = Arc::new(lists.clone());
        let deep = StructArray::from(vec![
            (field("lists", &of_lists), of_lists),
            (field("within", &within), Arc::clone(&within)),
        ]);
        let mut map = arrow_array::builder::MapBuilder::new(
            None,
            arrow_array::builder::StringBuilder::new(),
            arrow_array::builder::Int64Builder::new(),
        );
        for key in keys {
            for at in 0..key % 3 {
                map.keys().append_value(format!("k{at}"));
                map.values().append_value(key * at);
            }
            map.append(key % 5 != 0).unwrap();
        }
        let map: MapArray = map.finish();
        vec![
            ("k", ints),
            ("list", Arc::new(lists)),
            ("large", Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(list()))),
            ("fixed", Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(list(), 3))),
            ("within", within),
            ("deep", Arc::new(deep)),
            ("map", Arc::new(map)),
        ]
    }
    let batch = |keys: &[i64]| {
        let columns = nested(keys).into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let world = World::new();
    let write = |batch: &RecordBatch, mode| world.write("t", batch, mode).unwrap();
    let names = ["list", "large", "fixed", "within", "deep", "map"];
    let read = || {
        let spec = JoinSpec::new(["k"]).table(TableSpec::named("t").columns(names));
        Store::open(world.folder.path()).unwrap().join(&spec).unwrap().batch().clone()
    };
    let check = |keys: &[i64]| {
        let (found, expected) = (read(), batch(keys));
        for (name, column) in nested(keys) {
            assert_eq!(found.column_by_name(name).unwrap(), &column, "{name} of {keys:?}");
        }
        assert_eq!(found.num_rows(), expected.num_rows());
    };
    write(&batch(&[7, 1, 4]), WriteMode::Append);
    check(&[1, 4, 7]);
    write(&batch(&[2, 4, 9]), WriteMode::Upsert);
    check(&[1, 2, 4, 7, 9]);
    let many: Vec<i64> = (10..3_000).collect();
    write(&batch(&many), WriteMode::Append);
    world.store.compact("t").unwrap();
    check(&[&[1, 2, 4, 7, 9], many.as_slice()].concat());
    world.store.delete("t", Some("5"), Some("8")).unwrap();
    check(&[&[1, 2, 4, 9], many.as_slice()].concat());
    write(&batch(&[]), WriteMode::Replace);
    check(&[]);
    // Added to a table that has rows.
    world.write("u", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    let mut columns = nested(&[2]);
    columns.push(("x", Arc::new(Float64Array::from(vec![2.0]))));
    let added = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
    world.write("u", &added.unwrap(), WriteMode::Append).unwrap();
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("u").columns(names));
    let frame = world.store.join(&spec).unwrap();
    assert!(names.iter().all(|name| frame.column(name).unwrap().null_count() >= 1), "{:?}", frame.batch());
    let schema = world.store.schema("u").unwrap().unwrap();
    assert!(
        matches!(schema.field_with_name("deep").unwrap().data_type(), DataType::Struct(fields) if fields.len() == 2)
    );
    // Another inner type is another type.
    let other = StructArray::from(vec![(
        Arc::new(Field::new("n", DataType::Float64, true)),
        Arc::new(Float64Array::from(vec![1.0])) as ArrayRef,
    )]);
    let mut columns = nested(&[3]);
    columns.retain(|(name, _)| *name != "within");
    columns.push(("within", Arc::new(other)));
    let other = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
    let error = world.write("t", &other.unwrap(), WriteMode::Append).unwrap_err();
    assert_eq!((error.kind(), error.column_name()), (ErrorKind::InvalidRequest, Some("within")), "{error}");
    // And none of them is a key.
    let keyed = WriteOptions::default().key(["list"]);
    let error = world.store.write("v", &batch(&[1]), &keyed).unwrap_err();
    assert_eq!((error.kind(), error.column_name()), (ErrorKind::InvalidRequest, Some("list")), "{error}");
}

/// Random writes against a map.
#[test]
fn random_writes_make_the_rows_of_a_map() {
    let mut random = rand_pcg::Pcg64Mcg::new(7);
    let mut below = |n: u64| (random.next_u64() % n) as i64;
    let world = World::new();
    let mut model: BTreeMap<i64, f64> = BTreeMap::new();
    for step in 0..60 {
        let start = below(30_000);
        let mut batch = BTreeMap::new();
        let count = [3, 40, 3_000, 12_000][below(4) as usize];
        for _ in 0..count {
            batch.insert(start + below(count as u64 * 2), step as f64);
        }
        let data = rows(&batch.iter().map(|(k, x)| (*k, *x)).collect::<Vec<_>>());
        match below(5) {
            0 => {
                let clash = batch.keys().any(|key| model.contains_key(key));
                assert_eq!(world.write("t", &data, WriteMode::Append).is_err(), clash);
                if !clash {
                    model.extend(batch);
                }
            }
            1 if !model.is_empty() => {
                let (from, to) = (start, start + below(8_000));
                model.retain(|key, _| !(from..to).contains(key));
                world.store.delete("t", Some(&from.to_string()), Some(&to.to_string())).unwrap();
            }
            2 if !model.is_empty() => drop(world.store.compact("t").unwrap()),
            _ => {
                world.write("t", &data, WriteMode::Upsert).unwrap();
                model.extend(batch);
            }
        }
        if !model.is_empty() {
            let read: BTreeMap<i64, f64> = world.read("t").unwrap().into_iter().collect();
            assert_eq!(read, model, "after step {step}");
        }
    }
}
