use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::World;

const WIND: &str = "--key ts --table wind.parquet:*";

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let world = World::new();
    world.shell("$HYPOSTYLE fixture big --tables 1 --rows 20000 --columns 20").text();
    let join = "$HYPOSTYLE join --key ts --table 'big/table00.parquet:*'";
    for command in [
        join.to_owned(),
        format!("{join} --format csv"),
        format!("{join} --format ndjson"),
        format!("{join} --format parquet"),
        format!("{join} --format arrow"),
        "$HYPOSTYLE completions bash".to_owned(),
        "$HYPOSTYLE join --help".to_owned(),
    ] {
        let ran = world.shell(&format!("{{ {command}; echo $? >code; }} | head -c 1 >/dev/null"));
        assert_eq!(ran.stderr, "", "{command}");
        assert_eq!(std::fs::read_to_string(world.path("code")).unwrap(), "0\n", "{command}");
    }
}

#[test]
fn a_full_disk_is_an_error_that_may_be_retried() {
    let world = World::new();
    for format in ["arrow", "stream", "parquet", "csv", "ndjson"] {
        let ran = world.run(&format!("join {WIND} -o /dev/full --format {format} --json"));
        assert_eq!(ran.code, Some(4), "{format}: {}", ran.stderr);
        let object = ran.json();
        assert_eq!((object["path"].as_str(), object["retryable"].as_bool()), (Some("/dev/full"), Some(true)));
    }
    for command in [format!("join {WIND}"), "schema".to_owned(), format!("explain {WIND}")] {
        let ran = world.shell(&format!("$HYPOSTYLE {command} >/dev/full"));
        assert_eq!(ran.code, Some(4), "{command}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: cannot write"), "{}", ran.stderr);
    }
    let trace = world.run(&format!("join {WIND} -o out.arrow --trace /dev/full"));
    assert_eq!(trace.code, Some(4), "{}", trace.stderr);
}

#[test]
fn what_is_no_regular_file_is_written_and_not_replaced() {
    let world = World::new();
    world.run(&format!("join {WIND} -o /dev/null --format csv")).text();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let pipe = world.shell(&format!(
        "mkfifo pipe.csv && {{ $HYPOSTYLE join {WIND} --last 1 -o pipe.csv & cat pipe.csv; wait; }}"
    ));
    assert_eq!(pipe.text().lines().nth(1), Some("1970-01-02T23:00:00,47.0,70.5"));
    assert!(std::fs::metadata(world.path("pipe.csv")).unwrap().file_type().is_fifo());
}

#[test]
fn a_failed_join_leaves_the_old_output_as_it_was() {
    let world = World::new();
    world.write("out.csv", b"precious\n");
    let before = world.names();
    for arguments in [
        "--key ts --table cut.parquet:*",
        "--key ts --table nested.parquet:*",
        "--key ts --table twice.parquet:x",
    ] {
        let ran = world.run(&format!("join {arguments} -o out.csv"));
        assert_ne!(ran.code, Some(0), "{arguments}");
        assert_eq!(std::fs::read(world.path("out.csv")).unwrap(), b"precious\n", "{arguments}");
        assert_eq!(world.names(), before, "{arguments}");
    }
    let nested = world.run("join --key ts --table nested.parquet:* -o out.csv");
    assert_eq!(nested.code, Some(2));
    assert!(nested.stderr.contains("column `list` is nested") && nested.stderr.contains("help: "));
}

#[test]
fn a_table_may_be_replaced_by_its_own_join() {
    let world = World::new();
    world.run("join --key ts --table wind.parquet:speed_80m -o wind.parquet").text();
    let text = world.run(&format!("join {WIND} --format csv --last 1")).text();
    assert_eq!(text, "ts,speed_80m\n1970-01-02T23:00:00,47.0\n");
}

#[test]
fn where_the_output_cannot_go_is_said_before_the_work() {
    let world = World::new();
    let check = |output: &str, code: i32, words: &str| {
        // The table does not exist; the output is looked at first.
        let ran = world.run(&format!("join --key ts --table none.parquet:* -o {output}"));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    };
    check("none/out.arrow", 2, "the output's folder does not exist");
    check("hollow", 2, "no suffix");
    check("out.feather", 2, "`.feather` tells no format");
    let folder = world.run(&format!("join {WIND} --format csv -o hollow"));
    assert!(folder.stderr.contains("the output is a folder"), "{}", folder.stderr);
}

#[test]
fn a_new_file_has_the_mode_that_the_umask_gives() {
    let world = World::new();
    for (umask, mode) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        world.shell(&format!("umask {umask}; $HYPOSTYLE join {WIND} -o out{umask}.arrow")).text();
        let metadata = std::fs::metadata(world.path(&format!("out{umask}.arrow"))).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{umask}");
    }
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let world = World::new();
    let scratch = tempfile::tempdir().unwrap();
    let is_empty = || std::fs::read_dir(scratch.path()).unwrap().next().is_none();
    let wait_until = |what: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_secs(60), "it never happened");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let mut demo = world.command();
    let mut demo = demo.arg("demo").env("TMPDIR", scratch.path()).stdout(Stdio::null()).spawn().unwrap();
    wait_until(&|| !is_empty());
    // The listener starts right after the folder is made.
    std::thread::sleep(Duration::from_millis(100));
    let signal = rustix::process::Signal::INT;
    rustix::process::kill_process(rustix::process::Pid::from_child(&demo), signal).unwrap();
    let status = demo.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2), "{status}");
    assert!(is_empty());

    // A join that waits for the reader of its trace has its output's temporary file open.
    let mut join = world.command();
    join.args(["join", "--key", "ts", "--table", "wind.parquet:*", "-o", "out.arrow"]);
    join.args(["--trace", "pipe"]);
    world.shell("mkfifo pipe").text();
    let mut join = join.spawn().unwrap();
    let unfinished = || world.names().iter().any(|name| name.starts_with(".hypostyle"));
    wait_until(&unfinished);
    std::thread::sleep(Duration::from_millis(100));
    rustix::process::kill_process(rustix::process::Pid::from_child(&join), signal).unwrap();
    assert!(!join.wait().unwrap().success());
    assert!(!unfinished() && !world.path("out.arrow").exists());
}

#[test]
fn a_terminal_gets_a_preview_and_no_bytes() {
    let world = World::new();
    let script = |command: &str| {
        world.shell(&format!("script -qec \"stty cols 80; $HYPOSTYLE {command}\" /dev/null </dev/null"))
    };
    if script("--version").code != Some(0) {
        eprintln!("NOT RUN: there is no `script` here to make a terminal with");
        return;
    }
    let shown = script(&format!("join {WIND}")).text();
    assert!(shown.contains("│ ts") && shown.contains("48 rows × 3 columns in "), "{shown}");
    assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
    let csv = script(&format!("join {WIND} --format csv --last 1")).text();
    assert!(csv.contains("1970-01-02T23:00:00,47.0,70.5"), "{csv}");
    let refused = script(&format!("join {WIND} --format parquet"));
    assert_eq!(refused.code, Some(2));
}

#[test]
fn demo_shows_two_joins_and_tidies_up() {
    let world = World::new();
    let scratch = tempfile::tempdir().unwrap();
    let ran = world.shell(&format!("TMPDIR='{}' $HYPOSTYLE demo --json", scratch.path().display()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let figures = ran.json();
    assert_eq!(
        (figures["training"]["rows"].as_u64(), figures["training"]["columns"].as_u64()),
        (Some(70_000), Some(81))
    );
    assert_eq!(figures["inference"]["rows"].as_u64(), Some(24));
    assert!(std::fs::read_dir(scratch.path()).unwrap().next().is_none());
    assert!(!world.folder().join("demo").exists());
}
