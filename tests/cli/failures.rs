use crate::world::World;

#[test]
fn a_failure_is_one_line_with_its_exit_code_and_leaves_no_file() {
    let world = World::new();
    let before = world.names();
    let check = |arguments: &str, code: i32, kind: &str, words: &[&str]| {
        let ran = world.run(&format!("join {arguments} -o out.arrow"));
        assert_eq!((ran.code, ran.stdout.len()), (Some(code), 0), "{arguments}: {}", ran.stderr);
        let mut lines = ran.stderr.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("error: ")), "{arguments}: {}", ran.stderr);
        assert!(lines.all(|line| line.starts_with("help: ")), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.lines().count() <= 2, "{arguments}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{arguments}: {word} is missing in {}", ran.stderr);
        }
        let json = world.run(&format!("join {arguments} -o out.arrow --json"));
        assert_eq!((json.code, &json.stderr), (Some(code), &ran.stderr), "{arguments}");
        let object = json.json();
        assert_eq!(object["kind"], kind, "{arguments}: {object}");
        assert_eq!(object["retryable"], code == 4, "{arguments}");
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = ["kind", "message", "table", "path", "column", "hint", "retryable"];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected, "{arguments}");
        assert_eq!(world.names(), before, "{arguments}");
    };
    let request = "invalid_request";
    // Nothing, or nothing sensible, was asked for.
    check("", 2, request, &["nothing to join", "--table"]);
    check("--table sun.parquet:*", 2, request, &["no key", "`ts`, `ghi`", "--key"]);
    check("--table wind.parquet:* --table odd.parquet:x", 2, request, &["no key", "no column", "--key"]);
    check("--key ts --table wind.parquet", 2, request, &["`wind.parquet` names no columns", "PATH:COLUMN"]);
    check("--key ts --table wind.parquet:* --last 0", 2, request, &["`last` is 0"]);
    check("--key ts --table wind.parquet:* --how spine", 2, request, &["needs a spine", "--spine PATH"]);
    check(
        "--key ts --table wind.parquet:* --how left --spine sun.parquet",
        2,
        request,
        &["a spine is given, but `how` is `left`"],
    );
    // The spec.
    check("none.yaml", 2, "not_found", &["none.yaml", "No such file"]);
    // Tables and columns that are not there.
    check("--key ts --table wimd.parquet:*", 2, "not_found", &["wimd", "did you mean `wind.parquet`?"]);
    check("--key ts --table hollow:*", 2, "not_found", &["hollow", "no Parquet file"]);
    check("--key ts --table x*.parquet:*", 2, "not_found", &["no Parquet file matches"]);
    check("--key ts --root none --table wind.parquet:*", 2, "not_found", &["none"]);
    check(
        "--key ts --table wind.parquet:speed_8m",
        2,
        request,
        &["table `wind`", "wind.parquet", "speed_8m", "did you mean `speed_80m`?"],
    );
    check("--key tz --table wind.parquet:speed_80m", 2, request, &["tz", "did you mean `ts`?"]);
    // A root is not left.
    check("--key ts --root hollow --table ../wind.parquet:*", 2, request, &["out of the root"]);
    check("--key ts --root hollow --table /wind.parquet:*", 2, request, &["out of the root"]);
    // Names, keys and bounds that don't fit.
    check("--key ts --table wind.parquet:speed_80m,speed_80m", 2, request, &["speed_80m"]);
    check(
        "--key ts --table wind.parquet:speed_80m --table w=wind.parquet:speed_80m",
        2,
        request,
        &["speed_80m"],
    );
    check("--key list --table odd.parquet:x", 2, request, &["list"]);
    check("--key float --table odd.parquet:x", 2, request, &["float"]);
    check("--key ts --table wind.parquet:speed_80m --table odd.parquet:x", 2, request, &["odd", "ts"]);
    check("--key ts --table twice.parquet:x", 2, request, &["twice"]);
    check("--key ts --table wind.parquet:speed_80m --table twice.parquet:x", 2, request, &["twice"]);
    check("--key ts --table wind.parquet:* --from 1970-01-03 --to 1970-01-02", 2, request, &["1970-01-03"]);
    check("--key ts --table wind.parquet:* --from yesterday", 2, request, &["yesterday"]);
    check(
        "--key ts --table wind.parquet:* --table late.parquet:* --strategy identity",
        2,
        request,
        &["identity"],
    );
    // Bytes that are no table.
    check("--key ts --table text.parquet:*", 3, "corrupt", &["text.parquet"]);
    check("--key ts --table empty.parquet:*", 3, "corrupt", &["empty.parquet"]);
    check("--key ts --table cut.parquet:*", 3, "corrupt", &["cut.parquet"]);
    // Limits.
    check("--key ts --table wind.parquet:* --memory-limit 10", 5, "limit_exceeded", &["memory limit"]);
}

#[test]
fn a_wrong_spec_names_its_file_and_line() {
    let world = World::new();
    let check = |spec: &[u8], code: i32, words: &[&str]| {
        world.write("wrong.yaml", spec);
        let ran = world.run("join wrong.yaml -o out.arrow");
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{word} is missing in {}", ran.stderr);
        }
    };
    check(
        b"key: ts\ntables:\n\t- path: a\n",
        2,
        &["file wrong.yaml: line 3, column 2", "indent with spaces"],
    );
    check(b"key: ts\nkey: ts\n", 2, &["line 2, column 1: the key `key` stands twice"]);
    check(b"key: ts\nhou: left\n", 2, &["unknown key `hou`", "did you mean `how`?"]);
    check(b"key: ts\ntables: []\n", 2, &["no tables"]);
    check(b"\xff\xfe", 2, &["wrong.yaml", "not UTF-8"]);
    check(format!("key: {}", "x".repeat(10 << 20)).as_bytes(), 5, &["file wrong.yaml: line 1"]);
}

#[test]
fn five_hundred_tables_are_joined_or_refused_with_a_word() {
    let world = World::new();
    let mut spec = String::from("key: ts\nfull_names: true\ntables:\n");
    for number in 0..500 {
        spec += &format!("  - {{name: t{number}, path: wind.parquet, columns: [speed_80m]}}\n");
    }
    world.write("many.yaml", spec.as_bytes());
    let text = world.run("join many.yaml --last 1 --format csv").text();
    assert_eq!(text.lines().nth(1).map(|line| line.split(',').count()), Some(501));
}
