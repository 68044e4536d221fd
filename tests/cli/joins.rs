use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use serde_json::Value;

use crate::world::World;

const WIND_AND_SUN: &str = "--key ts --table wind.parquet:speed_80m --table sun.parquet:ghi=sunshine";

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn flags_and_a_spec_say_the_same_join() {
    let world = World::new();
    let flags = world.run(&format!("join {WIND_AND_SUN} --format csv")).text();
    assert_eq!(world.run("join join.yaml --format csv").text(), flags);
    let rows = lines(&flags);
    assert_eq!((rows.len(), rows[0]), (49, "ts,speed_80m,sunshine"));
    assert_eq!(rows[1], "1970-01-01T00:00:00,0.0,");
    assert_eq!(rows[48], "1970-01-02T23:00:00,47.0,47");
}

#[test]
fn flags_override_the_spec_and_add_tables() {
    let world = World::new();
    let check = |arguments: &str, expected: &[&str]| {
        let text = world.run(&format!("join join.yaml --format csv {arguments}")).text();
        assert_eq!(lines(&text), expected, "{arguments}");
    };
    check(
        "--last 2",
        &["ts,speed_80m,sunshine", "1970-01-02T22:00:00,46.0,46", "1970-01-02T23:00:00,47.0,47"],
    );
    check(
        "--from 1970-01-01T07:00:00 --to 1970-01-01T08:00:00 --full-names",
        &["ts,wind__speed_80m,sunshine", "1970-01-01T07:00:00,7.0,7"],
    );
    check(
        "--table late.parquet:price --to 1970-01-02T01:00:00",
        &["ts,speed_80m,sunshine,price", "1970-01-02T00:00:00,24.0,,p24"],
    );
    check(
        "--how left --table x=late.parquet:price=p --from 1970-01-01T23:00:00 --to 1970-01-02T01:00:00",
        &["ts,speed_80m,sunshine,p", "1970-01-01T23:00:00,23.0,23,", "1970-01-02T00:00:00,24.0,,p24"],
    );
    check("--spine late.parquet --last 1", &["ts,price,speed_80m,sunshine", "1970-01-03T11:00:00,p59,,"]);
}

#[test]
fn a_path_in_the_spec_begins_at_the_spec_and_one_in_a_flag_where_the_user_stands() {
    let world = World::new();
    std::fs::create_dir(world.path("specs")).unwrap();
    std::fs::rename(world.path("wind.parquet"), world.path("specs/wind.parquet")).unwrap();
    world.write("specs/wind.yaml", b"key: ts\ntables: [{path: wind.parquet, columns: [speed_80m]}]");
    let joined = world.run("join specs/wind.yaml --table sun.parquet:ghi --format csv --last 1").text();
    assert_eq!(lines(&joined)[1], "1970-01-02T23:00:00,47.0,47");
    // With a root all paths begin there.
    let rooted = world.run("join specs/wind.yaml --root specs --format csv --last 1").text();
    assert_eq!(lines(&rooted)[1], "1970-01-02T23:00:00,47.0");
    // A spec out of a pipe has no folder.
    let piped = world.shell("$HYPOSTYLE join /dev/stdin --root specs --format csv --last 1 <specs/wind.yaml");
    assert_eq!(piped.text(), rooted);
    world.write("price.yaml", b"key: ts\ntables: [{path: late.parquet, columns: [price]}]");
    let piped = world.shell("cat price.yaml | $HYPOSTYLE join /dev/stdin --format csv --last 1");
    assert_eq!(piped.text(), "ts,price\n1970-01-03T11:00:00,p59\n");
    let elsewhere = world.run("join specs/wind.yaml --root .");
    assert_eq!(elsewhere.code, Some(2), "{}", elsewhere.stderr);
}

#[test]
fn a_table_may_be_a_folder_a_glob_or_a_name_under_the_root() {
    let world = World::new();
    std::fs::create_dir_all(world.path("air/2024")).unwrap();
    std::fs::copy(world.path("wind.parquet"), world.path("air/2024/part.parquet")).unwrap();
    world.write("named.yaml", b"key: ts\nfull_names: true\ntables: [{name: air, columns: [speed_80m]}]");
    for arguments in [
        "--key ts --full-names --table air:speed_80m",
        "--key ts --full-names --table air=air/*/part.parquet:speed_80m",
        "--root . named.yaml",
    ] {
        let text = world.run(&format!("join {arguments} --format csv --last 1")).text();
        assert_eq!(lines(&text), ["ts,air__speed_80m", "1970-01-02T23:00:00,47.0"], "{arguments}");
    }
}

#[test]
fn every_format_holds_the_same_frame() {
    let world = World::new();
    let whole = |batches: Vec<RecordBatch>| {
        assert_eq!(batches.len(), 1);
        batches.into_iter().next().unwrap()
    };
    let stream = |bytes: Vec<u8>| {
        let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
        whole(reader.collect::<Result<_, _>>().unwrap())
    };
    // Not a terminal: an IPC stream.
    let piped = world.run(&format!("join {WIND_AND_SUN}"));
    assert_eq!((piped.code, piped.stderr.as_str()), (Some(0), ""));
    let frame = stream(piped.stdout);
    assert_eq!((frame.num_rows(), frame.num_columns()), (48, 3));

    let written = |name: &str, flags: &str| {
        world.run(&format!("join {WIND_AND_SUN} -o {name} {flags}")).text();
        std::fs::read(world.path(name)).unwrap()
    };
    assert_eq!(stream(written("out.arrows", "")), frame);
    assert_eq!(stream(written("out.bin", "--format stream")), frame);
    let file = FileReader::try_new(Cursor::new(written("out.arrow", "")), None).unwrap();
    assert_eq!(whole(file.collect::<Result<_, _>>().unwrap()), frame);
    // Parquet can be joined again.
    written("out.parquet", "");
    let again = world.run("join --key ts --table out.parquet:*");
    assert_eq!(stream(again.stdout), frame, "{}", again.stderr);
    let csv = String::from_utf8(written("out.csv", "")).unwrap();
    assert_eq!(csv.lines().nth(7), Some("1970-01-01T06:00:00,6.0,6"));
    let ndjson = String::from_utf8(written("out.ndjson", "")).unwrap();
    assert_eq!(
        ndjson.lines().next(),
        Some(r#"{"ts":"1970-01-01T00:00:00","speed_80m":0.0,"sunshine":null}"#)
    );
}

#[test]
fn json_is_the_figures_and_stats_are_for_people() {
    let world = World::new();
    let ran = world.run(&format!("join {WIND_AND_SUN} -o out.arrow --json --stats"));
    let figures = ran.json();
    assert_eq!(figures["rows"], 48);
    assert_eq!(figures["columns"], 3);
    assert_eq!(figures["output"], "out.arrow");
    assert_eq!(figures["format"], "arrow");
    assert_eq!(figures["tables"][1]["name"], "sun");
    assert!(figures["bytes_read"].as_u64() > Some(0));
    assert!(ran.stderr.starts_with("48 rows × 3 columns in "), "{}", ran.stderr);
    for word in ["stages", "pages decoded", "identity", "wind", "then write"] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    // There is one stdout.
    let both = world.run(&format!("join {WIND_AND_SUN} --json"));
    assert_eq!(both.code, Some(2));
    assert_eq!(both.json()["hint"], "add -o FILE");
}

#[test]
fn the_trace_is_one_that_chrome_reads() {
    let world = World::new();
    world.run(&format!("join {WIND_AND_SUN} -o out.arrow --trace trace.json")).text();
    let trace: Value = serde_json::from_slice(&std::fs::read(world.path("trace.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let complete: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X").collect();
    assert!(complete.len() > 3, "{trace}");
    for event in &complete {
        assert!(event["ts"].as_f64() >= Some(0.0) && event["dur"].as_f64() >= Some(0.0), "{event}");
        assert!(event["tid"].is_u64() && event["name"].is_string() && event["cat"].is_string(), "{event}");
    }
    assert_eq!(complete[0]["args"]["rows"], 48);
}

#[test]
fn explain_takes_the_arguments_of_join_and_writes_nothing() {
    let world = World::new();
    let before = world.names();
    let arguments = format!("explain {WIND_AND_SUN} --last 3 -o out.arrow --stats --trace t.json");
    let text = world.run(&arguments).text();
    assert!(text.starts_with("3 rows × 3 columns") && text.contains("identity"), "{text}");
    let json = world.run(&format!("{arguments} --json")).json();
    assert_eq!((&json["rows"], &json["tables"][0]["name"]), (&Value::from(3), &Value::from("wind")));
    assert_eq!(world.names(), before);
}

#[test]
fn inspect_reports_each_file() {
    let world = World::new();
    let text = world.run("inspect wind.parquet sun.parquet --key ts").text();
    assert!(text.contains("wind.parquet") && text.contains("sun.parquet"), "{text}");
    let json = world.run("inspect wind.parquet sun.parquet --json").json();
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    for (path, code) in [("none.parquet", 2), ("text.parquet", 3), ("wind.parquet --key tz", 2)] {
        let ran = world.run(&format!("inspect {path} --json"));
        assert_eq!(ran.code, Some(code), "{path}: {}", ran.stderr);
        assert!(ran.json()["message"].is_string());
    }
}

#[test]
fn fixture_makes_tables_that_can_be_joined() {
    let world = World::new();
    for profile in ["pyarrow", "polars", "tuned"] {
        let arguments =
            format!("fixture made/{profile} --tables 2 --rows 30 --columns 3 --profile {profile}");
        let made = world.run(&format!("{arguments} --json")).json();
        assert_eq!((&made["tables"], &made["profile"]), (&Value::from(2), &Value::from(profile)));
        assert!(world.run(&arguments).text().starts_with("2 tables of 30 rows and 3 features in made/"));
        let root = format!("--root made/{profile} --full-names --key ts");
        let joined =
            format!("join {root} --table table00.parquet:* --table table01.parquet:f002 --format csv");
        let text = world.run(&joined).text();
        let rows = lines(&text);
        assert_eq!(rows[0], "ts,table00__f000,table00__f001,table00__f002,table01__f002");
        assert_eq!((rows.len(), rows[1].starts_with("2017-01-01T00:00:00")), (31, true), "{}", rows[1]);
    }
    let nothing = world.run("fixture none --tables 0");
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
}

#[test]
fn words_about_the_work_go_to_stderr() {
    let world = World::new();
    let quiet = world.run(&format!("join {WIND_AND_SUN} --format csv")).text();
    let chatty = world.run(&format!("join {WIND_AND_SUN} --format csv -vvv --no-progress"));
    assert_eq!((chatty.code, String::from_utf8(chatty.stdout).unwrap()), (Some(0), quiet));
}
