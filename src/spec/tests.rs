use std::time::{Duration, Instant};

use hypostyle_engine::{Duplicates, How};

use super::{ColumnSpec, Columns, JoinSpec, Missing, SpineSpec, TableSpec};
use crate::ErrorKind;

fn table() -> TableSpec {
    TableSpec::new("w.parquet").columns(["a"])
}

fn spec() -> JoinSpec {
    JoinSpec::new(["ts"]).table(table())
}

#[test]
fn yaml_says_what_the_builder_says() {
    let check = |yaml: &str, expected: JoinSpec| {
        assert_eq!(JoinSpec::from_yaml(yaml).unwrap(), expected, "{yaml}");
    };
    let one = "tables: [{path: w.parquet, columns: [a]}]";
    check(&format!("key: ts\n{one}"), spec());
    check(&format!("key: [ts, node]\n{one}"), JoinSpec::new(["ts", "node"]).table(table()));
    check(&format!("key: 2024\n{one}"), JoinSpec::new(["2024"]).table(table()));
    check(&format!("key: ts\nhow: left\nfull_names: true\n{one}"), spec().how(How::Left).full_names(true));
    check(&format!("key: ts\nspine: {{path: k.parquet}}\n{one}"), spec().spine(SpineSpec::new("k.parquet")));
    check(
        &format!("key: ts\nhow: spine\nspine: {{path: k.parquet, key: valid_time}}\n{one}"),
        spec().spine(SpineSpec::new("k.parquet").key(["valid_time"])),
    );
    let inner = spec().spine(SpineSpec::new("k.parquet")).how(How::Inner);
    check(&format!("key: ts\nhow: inner\nspine: {{path: k.parquet}}\n{one}"), inner);
    check(
        "key: ts
tables:
  - name: wind
    path: wind/*.parquet
    key: valid_time
    columns: {speed_80m: wind80, speed_120m: }
    duplicates: last
    missing: null
  - name: sun
    columns: '*'
    duplicates: first
    missing: 'null'
  - {path: c.parquet, columns: [2020, b, {c: d}], duplicates: error, missing: error}
",
        JoinSpec::new(["ts"]).tables([
            TableSpec::new("wind/*.parquet")
                .name("wind")
                .key(["valid_time"])
                .column_as("speed_80m", "wind80")
                .columns(["speed_120m"])
                .duplicates(Duplicates::Last)
                .missing(Missing::Null),
            TableSpec::named("sun").all_columns().duplicates(Duplicates::First).missing(Missing::Null),
            TableSpec::new("c.parquet")
                .columns(["2020", "b"])
                .column_as("c", "d")
                .duplicates(Duplicates::Error),
        ]),
    );
}

#[test]
fn bounds_keep_their_spelling() {
    let check = |rows: &str, from: Option<&str>, to: Option<&str>, last: Option<u64>| {
        let yaml = format!("key: ts\nrows: {rows}\ntables: [{{path: w.parquet, columns: [a]}}]");
        let spec = JoinSpec::from_yaml(&yaml).unwrap();
        assert_eq!((spec.rows.from.as_deref(), spec.rows.to.as_deref(), spec.rows.last), (from, to, last));
    };
    check(
        "{from: 2024-12-25T00:00:00, to: 2024-12-26T00:00:00+01:00}",
        Some("2024-12-25T00:00:00"),
        Some("2024-12-26T00:00:00+01:00"),
        None,
    );
    check("{from: 0012, to: 12345678901234567890.50}", Some("0012"), Some("12345678901234567890.50"), None);
    check("{from: -5, to: true}", Some("-5"), Some("true"), None);
    check("{from: 'null', to: null, last: 24}", Some("null"), None, Some(24));
    check("", None, None, None);
}

#[test]
fn json_is_yaml_and_serde_json_reads_it_alike() {
    let json = r#"{"key": ["ts"], "how": "left", "rows": {"from": 17, "to": true, "last": 3},
        "tables": [{"path": "w.parquet", "columns": {"b": "c", "a": null}, "missing": null},
                   {"name": "n", "columns": "*", "duplicates": "first"}]}"#;
    let expected = JoinSpec::new(["ts"]).how(How::Left).from("17").to("true").last(3).tables([
        TableSpec::new("w.parquet").column_as("b", "c").columns(["a"]).missing(Missing::Null),
        TableSpec::named("n").all_columns().duplicates(Duplicates::First),
    ]);
    assert_eq!(JoinSpec::from_yaml(json).unwrap(), expected);
    assert_eq!(serde_json::from_str::<JoinSpec>(json).unwrap(), expected);
}

#[test]
fn what_is_written_reads_the_same() {
    let specs = [
        spec(),
        JoinSpec::default(),
        JoinSpec::new(["2024", "null"]).from("0012").to("null").last(1).table(table().name("true")),
        spec().spine(SpineSpec::new("- k: [").key(["yes"])).full_names(true),
        spec().how(How::Left).table(TableSpec::named("x").all_columns().missing(Missing::Null)),
        spec().table(
            TableSpec::new("a: b#c\n\td")
                .key(["k", "l"])
                .columns(["*", "1.50", ""])
                .column_as("*", "~")
                .duplicates(Duplicates::Last),
        ),
        // One column under two names cannot be a map.
        spec().table(TableSpec::new("t").column_as("a", "x").column_as("a", "y")),
        spec().table(TableSpec::new("t").column_as("a", "a").column_as("b", "c")),
        spec().spine(SpineSpec::new("k.parquet")).how(How::Inner),
    ];
    for spec in specs {
        let yaml = serde_saphyr::to_string(&spec).unwrap();
        assert_eq!(JoinSpec::from_yaml(&yaml).unwrap(), spec, "{yaml}");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(JoinSpec::from_yaml(&json).unwrap(), spec, "{json}");
        assert_eq!(serde_json::from_str::<JoinSpec>(&json).unwrap(), spec, "{json}");
    }
}

#[test]
fn wrong_yaml_is_an_error_that_names_the_line_and_the_mend() {
    let check = |yaml: &str, message: &str, hint: Option<&str>| {
        let error = JoinSpec::from_yaml(yaml).expect_err(yaml);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{yaml}: {error}");
        assert_eq!((error.to_string().as_str(), error.hint_text()), (message, hint), "{yaml}");
    };
    check("key: ts\ntabels: []\n", "line 2, column 1: unknown key `tabels`", Some("did you mean `tables`?"));
    check(
        "key: ts\ntables:\n  - path: a\n    colums: [a]\n",
        "line 4, column 5: unknown key `colums`",
        Some("did you mean `columns`?"),
    );
    check("key: ts\nrows: {form: 3}", "line 2, column 8: unknown key `form`", Some("did you mean `from`?"));
    check(
        "key: ts\nspine: {path: a, columns: []}",
        "line 2, column 18: unknown key `columns`",
        Some("there are `path`, `key`"),
    );
    check("key: ts\nkey: ts\n", "line 2, column 1: the key `key` stands twice", Some("keep one of the two"));
    check(
        "key: ts\ntables: [{path: a, columns: {a: b, a: c}}]",
        "line 2, column 36: the key `a` stands twice",
        Some("keep one of the two"),
    );
    check("key: ts\nhow: outer", "", None);
    check("key: ts\nhow: lft", "", None);
    check("key: ts\ntables:\n\t- path: a\n", "", None);
    check("key: ts\ntables: [{path: a}]", "", None);
    check("key: ts\ntables: [{path: a, columns: b}]", "", None);
    check("key: ts\ntables: [{path: a, columns: [[b]]}]", "", None);
    check("key: ts\ntables: [{path: a, columns: [b], missing: zero}]", "", None);
    check("key: 1.5\n", "", None);
    check("key: {a: b}\n", "", None);
    check("key: ts\nfull_names: yes\n", "", None);
    check("key: ts\nrows: {last: -1}\n", "", None);
    check("key: ts\nrows: {last: many}\n", "", None);
    check("key: ts\nrows: {from: [1]}\n", "", None);
    check("key: ts\ntables: [\n", "", None);
    check("- a\n- b\n", "", None);
    check("just words", "", None);
    check("key: ts\n---\nkey: ts\n", "", None);
    check("key: *nowhere\n", "", None);
    check("", "the spec is empty", None);
    check(" \n\n", "the spec is empty", None);
    check("# a comment\n", "", None);
}
