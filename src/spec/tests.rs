use std::time::{Duration, Instant};

use hypostyle_engine::{Duplicates, How};

use super::{JoinSpec, Missing, SpineSpec, TableSpec};
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
    check(
        "key: ts\nhow: outer",
        "line 2, column 6: unknown value `outer`",
        Some("there are `inner`, `left`, `spine`"),
    );
    check("key: ts\nhow: lft", "line 2, column 6: unknown value `lft`", Some("did you mean `left`?"));
    check(
        "key: ts\ntables:\n\t- path: a\n",
        "line 3, column 2: tabs disallowed within this context (block indentation)",
        Some("indent with spaces"),
    );
    check(
        "key: ts\ntables: [{path: a}]",
        "line 2, column 11: the key `columns` is missing",
        Some("for all columns write `columns: \"*\"`"),
    );
    check(
        "key: ts\ntables: [{path: a, columns: b}]",
        "line 2, column 29: one column is a list too: [b]; all are \"*\"",
        None,
    );
    check(
        "key: ts\ntables: [{path: a, columns: [b], missing: zero}]",
        "line 2, column 34: unknown value `zero`",
        Some("there are `error`, `null`"),
    );
    check(
        "key: {a: b}\n",
        "line 1, column 6: invalid type: map, expected a column name or a list of column names",
        None,
    );
    check("key: ts\nfull_names: yes\n", "line 2, column 13: invalid boolean (true or false expected)", None);
    let whole = "line 2, column 14: a whole number that is not negative is expected here";
    check("key: ts\nrows: {last: -1}\n", whole, None);
    check("key: ts\nrows: {last: many}\n", whole, None);
    check("key: ts\nrows: {from: [1]}\n", "line 2, column 14: text or a number is expected here", None);
    check("key: ts\ntables: [\n", "line 2, column 9: unclosed bracket '['", None);
    check("- a\n- b\n", "line 1, column 1: a map (`name: value`) is expected here", None);
    check("just words", "line 1, column 1: a map (`name: value`) is expected here", None);
    check("a: 1\n---\nb: 2\n", "line 1, column 1: unknown key `a`", Some(KEYS));
    check("key: ts\n---\nkey: ts\n", "line 3, column 1: a second document begins here: a spec is one", None);
    check("key: *nowhere\n", "line 1, column 6: reference to unknown value", None);
    check("key: \0", "line 1, column 6: unexpected character: `\\u{0}'", None);
    check("", "the spec is empty", None);
    check(" \n\n", "the spec is empty", None);
}

const KEYS: &str = "there are `key`, `how`, `full_names`, `spine`, `tables`, `rows`, `as_of`";

#[test]
fn hostile_yaml_is_refused_quickly() {
    let check = |what: &str, text: &str, kind: ErrorKind| {
        let start = Instant::now();
        let error = JoinSpec::from_yaml(text).expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.to_string().len() < 400, "{what}: {error}");
        assert!(start.elapsed() < Duration::from_secs(10), "{what} took {:?}", start.elapsed());
    };
    let table = "{path: a, columns: [b, c, d, e]}";
    check("deep lists", &"[".repeat(100_000), ErrorKind::InvalidRequest);
    check("deep maps", &format!("tables: {}", "{a: ".repeat(100_000)), ErrorKind::InvalidRequest);
    check("a large scalar", &format!("key: {}", "x".repeat(10 << 20)), ErrorKind::LimitExceeded);
    check("a large text", &"# nothing\n".repeat(2 << 20), ErrorKind::LimitExceeded);
    check("many items", &format!("key: [{}]", "a,".repeat(4 << 20)), ErrorKind::LimitExceeded);
    let aliases = format!("tables:\n- &t {table}\n{}", "- *t\n".repeat(300_000));
    check("many aliases", &aliases, ErrorKind::LimitExceeded);
    let mut bomb = String::from("key: &k0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..10 {
        let below = format!("*k{}, ", level - 1).repeat(10);
        bomb += &format!("rows{level}: &k{level} [{below}]\n");
    }
    check("aliases of aliases", &bomb, ErrorKind::InvalidRequest);
    let nested = bomb.replace("rows", "- rows").replace("key: ", "tables:\n- key: ");
    check("aliases of aliases in a table", &nested, ErrorKind::InvalidRequest);
}

#[test]
fn a_spec_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, content: Option<&[u8]>, kind: ErrorKind, message: &str| {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = JoinSpec::from_path(&path).expect_err(name);
        assert_eq!((error.kind(), error.file_path()), (kind, Some(path.as_path())), "{error}");
        assert!(error.message().contains(message), "{error}");
    };
    check("missing.yaml", None, ErrorKind::NotFound, "No such file");
    check("keys.yaml", Some(b"kei: ts"), ErrorKind::InvalidRequest, "line 1, column 1: unknown key `kei`");
    check("table.parquet", Some(b"PAR1\xff\xfe"), ErrorKind::InvalidRequest, "not UTF-8");
    check(".", None, ErrorKind::InvalidRequest, "directory");
}

#[test]
fn a_wrong_join_is_refused_before_any_file_is_opened() {
    let check = |spec: JoinSpec, message: &str| {
        let error = spec.validate().expect_err(message);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!(error.to_string(), message);
    };
    let with = |table: TableSpec| JoinSpec::new(["ts"]).table(table);
    spec().validate().unwrap();
    check(JoinSpec::new(["ts"]), "the join has no tables");
    JoinSpec::default().table(table()).validate().unwrap();
    check(JoinSpec::new([""]).table(table()), "a key column has an empty name");
    check(JoinSpec::new(["a", "b", "a"]).table(table()), "column `a`: the key names this column twice");
    check(spec().how(How::Spine), "a join with `how: spine` needs a spine");
    let spine = SpineSpec::new("k.parquet");
    check(spec().spine(spine.clone()).how(How::Left), "a spine is given, but `how` is `left`");
    check(spec().spine(spine.clone()).how(How::Inner), "a spine is given, but `how` is `inner`");
    check(
        spec().spine(spine.key(["a", "b"])),
        "table `spine`: its key has 2 columns (a, b), and the join's has 1 (ts)",
    );
    check(spec().spine(SpineSpec::new("")), "table `spine`: the path is empty");
    check(spec().last(0), "`last` is 0, and a frame without rows helps nobody");
    check(with(TableSpec::default()), "table `#1`: the table has neither a name nor a path");
    check(with(TableSpec::new("")), "table `#1`: the path is empty");
    check(with(TableSpec::new("a\0b")), "table `a\0b`: the path holds a NUL character");
    check(with(table().name("2x")), "table `2x`: `2x` is no table name");
    check(with(table().name("")), "table `#1`: `` is no table name");
    check(with(table().name("a-b")), "table `a-b`: `a-b` is no table name");
    check(
        with(table().key(["a", "b"])),
        "table `w`: its key has 2 columns (a, b), and the join's has 1 (ts)",
    );
    check(with(table().columns([""])), "table `w`: a column has an empty name");
    check(with(table().column_as("x", "")), "table `w`, column `x`: its new name is empty");
    check(
        spec().table(TableSpec::new("other/w.parquet")),
        "table `w`: two tables have this name: number 1 and number 2",
    );
    check(spec().table(TableSpec::named("w")), "table `w`: two tables have this name: number 1 and number 2");
}

#[test]
fn a_table_without_a_name_is_called_after_its_file() {
    let check = |path: &str, label: &str| assert_eq!(TableSpec::new(path).label(), label, "{path}");
    check("wind.parquet", "wind");
    check("/data/v1.0/wind speed.parquet", "wind speed");
    check("data/wind.v2/", "wind.v2");
    check("data/wind", "wind");
    check("data/wind/", "wind");
    check("./wind/./", "wind");
    check("data/wind/*.parquet", "wind");
    check("data/wind/**/part-[0-9].parquet", "wind");
    check("*", "*");
    assert_eq!(TableSpec::new("wind.parquet").name("air").label(), "air");
    assert_eq!(TableSpec::named("air").label(), "air");
}

#[test]
fn the_short_form_is_split_at_its_last_colon() {
    let check = |text: &str, expected: TableSpec| {
        assert_eq!(text.parse::<TableSpec>().unwrap(), expected, "{text}");
    };
    check("w.parquet:a", TableSpec::new("w.parquet").columns(["a"]));
    check("w.parquet:a,b=c", TableSpec::new("w.parquet").columns(["a"]).column_as("b", "c"));
    check("wind=w.parquet:a", TableSpec::new("w.parquet").name("wind").columns(["a"]));
    check("a:b/w.parquet:c", TableSpec::new("a:b/w.parquet").columns(["c"]));
    check("./a=b/x.parquet:c", TableSpec::new("./a=b/x.parquet").columns(["c"]));
    check("a=b/x.parquet:c", TableSpec::new("b/x.parquet").name("a").columns(["c"]));
    check("2=b.parquet:c", TableSpec::new("2=b.parquet").columns(["c"]));
    check("n=a=b.parquet:c", TableSpec::new("a=b.parquet").name("n").columns(["c"]));
    check("w/*.parquet:*", TableSpec::new("w/*.parquet").all_columns());
    check("w.parquet:a=b=c", TableSpec::new("w.parquet").column_as("a", "b=c"));
    for wrong in ["", ":", "w.parquet", "w.parquet:", ":a", "n=:a", "w:a,,b", "w:a,", "w:=b", "w:a="] {
        let error = wrong.parse::<TableSpec>().expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong}: {error}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("PATH:COLUMN")), "{wrong}: {error}");
    }
}

/// `UPDATE_SCHEMA=1 cargo test` writes it anew.
#[test]
fn the_published_schema_is_the_one_of_this_version() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/join-spec.schema.json");
    let current = serde_json::to_string_pretty(&JoinSpec::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).is_ok_and(|published| published == current),
        "docs/join-spec.schema.json is old: run UPDATE_SCHEMA=1 cargo test, and commit it"
    );
}

#[test]
fn the_schema_knows_the_words_that_the_parser_knows() {
    let schema = JoinSpec::json_schema().to_string();
    for how in [How::Inner, How::Left, How::Spine] {
        assert!(schema.contains(&serde_json::to_string(&how).unwrap()));
    }
    for rule in [Duplicates::Error, Duplicates::First, Duplicates::Last] {
        assert!(schema.contains(&serde_json::to_string(&rule).unwrap()));
    }
}

#[test]
fn json_says_what_yaml_says() {
    let check = |text: &str| {
        let (json, yaml) = (JoinSpec::from_json(text), JoinSpec::from_yaml(text));
        match (json, yaml) {
            (Ok(json), Ok(yaml)) => assert_eq!(json, yaml, "{text}"),
            (Err(json), Err(yaml)) => {
                let words =
                    |e: &crate::Error| e.message().split_once(": ").map(|(_, words)| words.to_owned());
                assert_eq!((json.kind(), words(&json)), (yaml.kind(), words(&yaml)), "{text}");
            }
            (json, yaml) => panic!("{text}: {json:?} and {yaml:?}"),
        }
    };
    let tables = r#""tables": [{"name": "w", "columns": ["a", {"b": "c"}]}, {"path": "s/*.pq", "columns": "*",
        "missing": null, "duplicates": "last", "key": ["x", "y"]}, {"path": "t.pq", "columns": {"a": null}}]"#;
    for rest in [
        r#""key": "ts""#,
        r#""key": ["ts", "node"], "how": "left", "full_names": true, "rows": {"from": 1, "to": "2", "last": 3}"#,
        r#""spine": {"path": "k.pq", "key": "t"}"#,
        r#""kei": "ts""#,
        r#""how": "outer""#,
        r#""rows": {"last": 1, "last": 2}"#,
    ] {
        check(&format!("{{{rest}, {tables}}}"));
    }
    check(r#"{"tables": [{"columns": "a"}]}"#);
    check(r#"{"tables": [{"name": "w", "columns": 3}]}"#);
    for (text, message, hint) in [
        ("", "line 1, column 0: EOF while parsing a value", None),
        ("{", "line 1, column 1: EOF while parsing an object", None),
        (r#"{"kye": 1}"#, "line 1, column 6: unknown key `kye`", Some("did you mean `key`?")),
        (
            r#"{"tables": [{"name": "w"}]}"#,
            "line 1, column 25: the key `columns` is missing",
            Some("for all columns"),
        ),
        (r#"{"how": "iner"}"#, "line 1, column 14: unknown value `iner`", Some("did you mean `inner`?")),
        (r#"{"tables": {}}"#, "invalid type: map, expected a sequence", None),
    ] {
        let error = JoinSpec::from_json(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{text}");
        assert!(error.message().contains(message), "{text}: {error}");
        assert!(error.hint_text().unwrap_or_default().starts_with(hint.unwrap_or_default()), "{error:?}");
    }
}

#[test]
fn a_reference_that_names_no_feature_is_named() {
    for (references, message) in [
        (&["w"][..], "the feature reference `w` has no colon"),
        (&["w:a", ""], "the feature reference `` has no colon"),
        (&["w:a:b"], "the feature reference `w:a:b` has two colons"),
        (&[":a"], "the feature reference `:a` names no table"),
        (&["w:"], "the feature reference `w:` names no column"),
        (&["w:a", "s:a", "w:a"], "the feature reference `w:a` stands twice"),
        (&["../w:a"], "the feature reference `../w:a` has a word before its colon that is no table name"),
        (&["w 1:a"], "the feature reference `w 1:a` has a word before its colon that is no table name"),
    ] {
        let references: Vec<String> = references.iter().map(|r| (*r).to_owned()).collect();
        let error = JoinSpec::from_features(&references).expect_err(message);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidRequest, message));
    }
    assert_eq!(JoinSpec::from_features(&[]).unwrap(), JoinSpec::default());
}

/// `cargo test --release -- --ignored --nocapture spec_of_twenty`
#[test]
#[ignore = "a measurement"]
fn how_long_a_spec_of_twenty_tables_takes() {
    let columns = ["f000", "f050", "f100", "f150"];
    let tables = (0..20).map(|t| TableSpec::named(format!("table{t:02}")).columns(columns));
    let text = serde_json::to_string(&JoinSpec::new(["ts"]).full_names(true).tables(tables)).unwrap();
    let time = |parse: fn(&str) -> crate::Result<JoinSpec>| {
        let mut times: Vec<Duration> = (0..1000)
            .map(|_| {
                let started = Instant::now();
                parse(&text).unwrap();
                started.elapsed()
            })
            .collect();
        times.sort();
        times[500]
    };
    println!("JSON {:?}, YAML {:?}", time(JoinSpec::from_json), time(JoinSpec::from_yaml));
}

#[test]
fn the_snapshot_is_a_number_a_time_or_a_tag() {
    for (written, expected) in [
        ("as_of: 42", Some("42")),
        ("as_of: 2024-12-25T06:00:00Z", Some("2024-12-25T06:00:00Z")),
        ("as_of: release_7", Some("release_7")),
        ("", None),
    ] {
        let yaml = format!("tables: [{{path: w.parquet, columns: [a]}}]\n{written}");
        let spec = JoinSpec::from_yaml(&yaml).unwrap();
        assert_eq!(spec.as_of.as_deref(), expected, "{written}");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(JoinSpec::from_json(&json).unwrap(), spec, "{json}");
    }
    let json = r#"{"tables": [{"path": "w.parquet", "columns": ["a"]}], "as_of": 7}"#;
    assert_eq!(JoinSpec::from_json(json).unwrap().as_of.as_deref(), Some("7"));
}
