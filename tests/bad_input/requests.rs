//! Requests that are wrong, and some at the edge that are not.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

use crate::check;
use crate::world::World;

const REQUEST: &str = "invalid_request";

/// The world of the command's tests, with tables whose keys do not fit those of the others.
fn world() -> World {
    let world = World::new();
    let hours = || TimestampMicrosecondArray::from_iter_values((0..2).map(|hour| hour * 3_600_000_000));
    let x = |from: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![from, from + 1.0])) };
    world.table("zoned.parquet", vec![("ts", Arc::new(hours().with_timezone("UTC"))), ("x", x(0.0))]);
    world.table("number.parquet", vec![("ts", Arc::new(Int64Array::from(vec![1, 2]))), ("y", x(1.0))]);
    world.table("text_key.parquet", vec![("ts", Arc::new(StringArray::from(vec!["1", "2"]))), ("z", x(2.0))]);
    let none: ArrayRef = Arc::new(TimestampMicrosecondArray::from(Vec::<i64>::new()));
    world.table("zero.parquet", vec![("ts", none), ("n", Arc::new(Int64Array::from(Vec::<i64>::new())))]);
    let twice: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 3_600_000_000, 0]));
    let zoned: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 0]).with_timezone("UTC"));
    world.table("repeated_zoned.parquet", vec![("ts", zoned), ("w", x(3.0))]);
    let again: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    world.table("repeated.parquet", vec![("ts", twice), ("w", again)]);
    world
}

#[test]
fn a_wrong_request_is_said_in_one_line_and_leaves_the_output_alone() {
    let world = world();
    let check = |arguments: &str, code: i32, kind: &str, words: &[&str]| {
        check(&world, arguments, code, kind, words);
    };
    // What is not there.
    check("--key ts --table none.parquet:*", 2, "not_found", &["none.parquet"]);
    check("--key ts --table wimd.parquet:*", 2, "not_found", &["did you mean `wind.parquet`?"]);
    check("--key ts --table hollow:*", 2, "not_found", &["hollow", "no Parquet file"]);
    check(
        "--key ts --table wind.parquet:sped_80m",
        2,
        REQUEST,
        &["table `wind`", "wind.parquet", "column `sped_80m`", "did you mean `speed_80m`?"],
    );
    // What contradicts itself.
    check("--key ts --table wind.parquet:*,speed_80m", 2, REQUEST, &["`*`"]);
    check(
        "--key ts --table a=wind.parquet:* --table b=wind.parquet:*",
        2,
        REQUEST,
        &["speed_80m", "full names"],
    );
    check(
        "--key ts --table wind.parquet:* --from 1970-01-02 --to 1970-01-01",
        2,
        REQUEST,
        &["1970-01-02", "1970-01-01"],
    );
    check("--key ts --table wind.parquet:* --last 0", 2, REQUEST, &["`last` is 0"]);
    check("--key ts", 2, REQUEST, &["nothing to join"]);
    // Keys that are none, or do not fit.
    check("--key float --table odd.parquet:x", 2, REQUEST, &["table `odd`", "column `float`", "Float64"]);
    check("--key list --table odd.parquet:x", 2, REQUEST, &["table `odd`", "column `list`", "List"]);
    check(
        "--key ts --table wind.parquet:speed_80m --table zoned.parquet:x",
        2,
        REQUEST,
        &["table `zoned`", "`wind:ts`", "`zoned:ts`", "zone"],
    );
    check(
        "--key ts --table number.parquet:y --table text_key.parquet:z",
        2,
        REQUEST,
        &["table `text_key`", "`number:ts` is Int64", "`text_key:ts` is Utf8"],
    );
    check(
        "--key ts --table wind.parquet:* --from 1970-01-01T00:00:00Z",
        2,
        REQUEST,
        &["1970-01-01T00:00:00Z"],
    );
    check(
        "--key ts --table wind.parquet:speed_80m --table repeated.parquet:w",
        2,
        REQUEST,
        &["table `repeated`", "column `ts`", "1970-01-01", "rows 0 and 2", "duplicates"],
    );
    // The key was told as `?`: only its offset, not its name, says what a zone is.
    check(
        "--key ts --table repeated_zoned.parquet:w",
        2,
        REQUEST,
        &["the key 1970-01-01T00:00:00Z stands twice"],
    );
    // Out of the root.
    check("--root hollow --key ts --table ../wind.parquet:*", 2, REQUEST, &["out of the root"]);
    check("--root hollow --key ts --table x/../../wind.parquet:*", 2, REQUEST, &["out of the root"]);
    let absolute = world.path("wind.parquet");
    let absolute = format!("--root hollow --key ts --table {}:*", absolute.display());
    check(&absolute, 2, REQUEST, &["out of the root"]);
    // Limits.
    check(
        "--key ts --table wind.parquet:* --memory-limit 100",
        5,
        "limit_exceeded",
        &["memory limit is 100"],
    );
}

#[test]
fn an_output_that_cannot_be_is_refused() {
    let world = world();
    let join = "join --key ts --table wind.parquet:speed_80m";
    for (output, words) in [
        ("-o hollow --format csv", "the output is a folder"),
        ("-o none/out.csv", "the output's folder does not exist"),
        ("-o out.txt", "`.txt`"),
    ] {
        let ran = world.run(&format!("{join} {output}"));
        crate::check_failure(&ran, output, 2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn a_wrong_spec_is_said_with_its_place() {
    let world = world();
    let table = "tables: [{path: wind.parquet, columns: [speed_80m]}]\n";
    for (spec, words) in [
        ("key: ts\ntables:\n\t- path: wind.parquet\n".to_owned(), &["line 3", "spaces"][..]),
        (format!("key: ts\nkey: ts\n{table}"), &["line 2", "`key` stands twice"]),
        (format!("key: ts\nhwo: left\n{table}"), &["line 2", "`hwo`", "did you mean `how`?"]),
        (format!("key: ts\nhow: outer\n{table}"), &["line 2", "`outer`"]),
        ("key: ts\ntables: []\n".to_owned(), &["no tables"]),
        (format!("key: ts\nrows: {{last: 0}}\n{table}"), &["`last` is 0"]),
        (format!("key: ts\nrows: {{from: 1970-01-02, to: 1970-01-01}}\n{table}"), &["1970-01-02"]),
        (
            "key: ts\ntables: [{path: wind.parquet, columns: {speed_80m: x, speed_120m: x}}]".to_owned(),
            &["`x`"],
        ),
    ] {
        world.write("wrong.yaml", spec.as_bytes());
        check(&world, "wrong.yaml", 2, REQUEST, words);
    }
}

#[test]
fn what_is_at_the_edge_of_wrong_works() {
    let world = world();
    let rows = |arguments: &str| {
        let text = world.run(&format!("join {arguments} --format csv")).text();
        (text.lines().count() - 1, text.lines().next().unwrap().split(',').count())
    };
    // Tables without rows, as the first, as another, and as the spine.
    assert_eq!(rows("--key ts --table zero.parquet:n"), (0, 2));
    assert_eq!(rows("--key ts --table wind.parquet:speed_80m --table zero.parquet:n"), (0, 3));
    assert_eq!(rows("--key ts --how left --table wind.parquet:speed_80m --table zero.parquet:n"), (48, 3));
    assert_eq!(rows("--key ts --spine zero.parquet --table wind.parquet:speed_80m"), (0, 3));
    assert_eq!(rows("--key ts --table zero.parquet:n --last 3 --from 1970-01-01"), (0, 2));
    let tables: String = (0..500).map(|n| format!(" --table t{n}=wind.parquet:speed_80m")).collect();
    assert_eq!(rows(&format!("--key ts --full-names{tables} --last 2")), (2, 501));
    // A link that the user put inside the root is followed, wherever it leads.
    std::os::unix::fs::symlink(world.path("wind.parquet"), world.path("hollow/linked.parquet")).unwrap();
    assert_eq!(rows("--root hollow --key ts --table linked.parquet:speed_80m"), (48, 2));
    std::fs::create_dir(world.path("root")).unwrap();
    std::os::unix::fs::symlink(world.path("hollow"), world.path("root/linked")).unwrap();
    assert_eq!(rows("--root root --key ts --table linked:speed_80m"), (48, 2));
}
