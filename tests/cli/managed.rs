//! A managed store, as its users meet it.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::world::World;

fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("store")).unwrap();
    let text = world.run("init --root store").text();
    assert!(text.starts_with("store is a managed store now, on "), "{text}");
    world
}

#[test]
fn rows_are_written_read_and_traced_back() {
    let world = world();
    let text = world.run("write wind wind.parquet --root store --key ts").text();
    assert!(text.starts_with("snapshot 1 at ") && text.ends_with(", wind has 48 rows\n"), "{text}");
    world.run("write sun sun.parquet --root store --key ts").text();
    let newer = "ts,speed_80m,speed_120m\n1970-01-02T23:00:00,99.5,1\n1970-01-03T00:00:00,7,2\n";
    world.write("newer.csv", newer.as_bytes());
    let text = world.shell("cat newer.csv | $HYPOSTYLE write wind - --root store --mode upsert").text();
    assert!(text.starts_with("snapshot 3 ") && text.ends_with(", wind has 49 rows\n"), "{text}");

    let join = "join --root store --table wind:speed_80m --last 2 --format csv";
    let header = "ts,speed_80m\n";
    assert_eq!(
        world.run(join).text(),
        format!("{header}1970-01-02T23:00:00,99.5\n1970-01-03T00:00:00,7.0\n")
    );
    let old = "1970-01-02T22:00:00,46.0\n1970-01-02T23:00:00,47.0\n";
    world.run("tag before --root store --as-of 2").text();
    for as_of in ["1", "2", "before"] {
        assert_eq!(world.run(&format!("{join} --as-of {as_of}")).text(), format!("{header}{old}"), "{as_of}");
    }
    world.write(
        "spec.yaml",
        b"tables: [{name: wind, columns: [speed_80m]}]\nrows: {last: 2}\nas_of: before\n",
    );
    assert_eq!(world.run("join spec.yaml --root store --format csv").text(), format!("{header}{old}"));
    let stats = world.run("join spec.yaml --root store -o out.arrow --json").json();
    assert_eq!(stats["snapshot"], 2);

    let files = world.run("files wind --root store --json").json();
    assert_eq!(files.as_array().unwrap().len(), 1);
    let file = files[0].as_str().unwrap();
    assert!(world.path(file).is_file() && file.starts_with("store/wind/"), "{file}");
    assert_ne!(world.run("files wind --root store --as-of before --json").json(), files);
    let log = world.run("log --root store --json").json();
    let what: Vec<&str> = log.as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["tag before", "upsert wind", "append sun", "append wind", "init"]);
    assert_eq!(log[2]["tags"][0], "before");
    assert_eq!(world.run("log wind --root store").text().lines().count(), 2);
    let diff = world.run("diff before 3 --root store").text();
    assert!(diff.starts_with("snapshot 2 → 3\nwind: rows 48 → 49\n  + wind/"), "{diff}");
    assert_eq!(world.run("tag --root store").text(), "before 2\n");

    let text = world.run("delete wind --root store --from 1970-01-03").text();
    assert!(text.ends_with(", wind has 48 rows\n"), "{text}");
    assert_eq!(
        world.run("delete wind --root store --from 1980-01-01").text(),
        "nothing to change; the newest snapshot is 5\n"
    );
    assert_eq!(world.run("lock ls --root store").text(), "");
    assert!(world.run("gc --root store").text().starts_with("0 files, 0 B, to be removed with --remove"));
    let text = world.run("gc --root store --remove --grace 0").text();
    assert!(text.contains(" removed; snapshots are kept from "), "{text}");
    assert_eq!(world.run(&format!("{join} --as-of before")).text(), format!("{header}{old}"));
    assert_eq!(world.run("repair --root store").text(), "nothing is wrong; the newest snapshot is 6\n");
}

#[test]
fn what_cannot_be_done_is_one_line_with_its_exit_code() {
    let world = world();
    world.run("write wind wind.parquet --root store --key ts").text();
    let check = |arguments: &str, code: i32, error: &str| {
        let ran = world.run(arguments);
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert_eq!((ran.code, line), (Some(code), format!("error: {error}").as_str()), "{arguments}");
    };
    check("init --root store", 2, "file store: the root is a managed store already");
    check("init --root none", 2, "file none: No such file or directory (os error 2)");
    let (code, why) = match cfg!(feature = "etcd") {
        false => {
            let why = "this build of hypostyle cannot coordinate through etcd: it was built without the feature `etcd`";
            (3, why)
        }
        true => (
            2,
            "a user does not belong into etcd's address: set HYPOSTYLE_ETCD_USER and HYPOSTYLE_ETCD_PASSWORD",
        ),
    };
    check("init --coordination etcd://me:secret@127.0.0.1:2379", code, why);
    check("write wind wind.parquet", 2, "table `wind`, file .: the root is no managed store");
    check("write _w wind.parquet --root store --key ts", 2, "`_w` is no table name");
    check("write w wind.parquet --root store", 2, "table `w`: the table is new, and has no key");
    check(
        "write w twice.parquet --root store --key ts",
        2,
        "table `w`: the key 1970-01-01T00:00:00 stands twice in the data, in rows 1 and 2",
    );
    check(
        "write wind wind.parquet --root store",
        2,
        "table `wind`: the key 1970-01-01T00:00:00 is in the table already",
    );
    check(
        "write wind sun.parquet --root store",
        2,
        "table `wind`, column `speed_80m`: the table has this column, and the data lacks it",
    );
    check(
        "write wind text.parquet --root store",
        3,
        "file text.parquet: it is not a Parquet file: it does not end in PAR1",
    );
    check("delete wind --root store", 2, "which rows are to be deleted?");
    check("delete sun --root store --all", 2, "table `sun`: the store has no such table");
    check("files wnd --root store", 2, "table `wnd`: the store has no such table");
    check("files wind --root store --as-of 9", 2, "there is no snapshot 9 yet; the newest is 1");
    check("join --root store --table wnd:x", 2, "table `wnd`: the store has no such table");
    check(
        "join --table wind.parquet:speed_80m --as-of 1",
        2,
        "`as_of` needs a managed store, and the root is none",
    );
    check("lock break nobody --root store", 2, "nobody holds or waits under \"nobody\"");
    world.run("tag a --root store --as-of 0").text();
    check("tag a --root store --as-of 1", 6, "the tag `a` names snapshot 0");
    check("tag 8a --root store", 2, "`8a` is no tag name");
    let manifest = world.path("store/_hypostyle/snapshots/00000000000000000001.manifest");
    std::fs::write(&manifest, "").unwrap();
    check(
        "join --root store --table wind:speed_80m",
        3,
        &format!(
            "table `wind`, file {}: the manifest of snapshot 1 does not begin as one",
            "store/_hypostyle/snapshots/00000000000000000001.manifest"
        ),
    );
}

/// Root may write everywhere, so this is done as another user.
#[test]
fn who_may_not_write_is_told_so_and_can_read() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let world = world();
    world.run("write wind wind.parquet --root store --key ts").text();
    std::fs::set_permissions(world.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_hypostyle"), world.path("hypostyle")).unwrap();
    let ran = world.shell("command -v setpriv && setpriv --reuid 65534 --clear-groups ./hypostyle write wind wind.parquet --root store");
    if ran.stdout.is_empty() {
        return;
    }
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("ermission denied"), "{}", ran.stderr);
    let ran = world.shell("setpriv --reuid 65534 --clear-groups ./hypostyle join --root store --table wind:speed_80m --format csv");
    assert_eq!(ran.text().lines().count(), 49);
}

#[test]
fn a_changed_bit_in_a_page_is_found_unless_checksums_are_left_alone() {
    let world = world();
    world.write("new.csv", b"ts,x\n1970-01-02T00:00:00,123.456\n1970-01-03T00:00:00,2.5\n");
    world.run("write new new.csv --root store --key ts").text();
    let file = world.run("files new --root store").text().trim().to_owned();
    let file = world.path(&file);
    let mut bytes = std::fs::read(&file).unwrap();
    let value = 123.456_f64.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == value).unwrap();
    bytes[at] ^= 1;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let join = "join --root store --table new:x --format csv";
    assert_eq!(world.run(join).code, Some(3));
    let text = world.run(&format!("{join} --no-verify")).text();
    assert_eq!(text, "ts,x\n1970-01-02T00:00:00,123.45599999999999\n1970-01-03T00:00:00,2.5\n");
}

#[test]
fn a_doctor_says_what_is_safe_where_and_leaves_nothing_behind() {
    let world = World::new();
    let before = world.names();
    let text = world.run("doctor .").text();
    for part in
        ["yes give a file a second name", "32 at once", "safe to publish with: local, etcd", "--io auto"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let report = world.run("doctor . --json").json();
    assert_eq!(report["settings"]["coordination"], "local");
    assert_eq!(report["probes"].as_array().unwrap().iter().filter(|p| p["answer"] == "yes").count(), 13);
    assert_eq!(world.names(), before);
    for (arguments, code, error) in [
        ("doctor none", 2, "file none: No such file or directory (os error 2)"),
        ("doctor wind.parquet", 2, "file wind.parquet: it is no folder"),
        ("doctor", 2, "the following required arguments were not provided: <PATH>"),
        (
            "doctor . --timeout 0s",
            2,
            "invalid value '0s' for '--timeout <TIME>': nothing can be done in no time",
        ),
    ] {
        let ran = world.run(arguments);
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert_eq!((ran.code, line), (Some(code), format!("error: {error}").as_str()), "{arguments}");
    }
    // Where nothing can be made it says what it could not probe, and why.
    let report = world.run("doctor /proc/self --json").json();
    assert_eq!((&report["settings"]["coordination"], &report["reading"]), (&Value::Null, &Value::Null));
    assert!(report["probes"].as_array().unwrap().iter().all(|probe| probe["answer"] == "unknown"));
}

/// Root may write everywhere, so this is done as another user.
#[test]
fn a_doctor_reads_what_is_there_where_it_may_not_write() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let world = World::new();
    std::fs::set_permissions(world.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_hypostyle"), world.path("hypostyle")).unwrap();
    let ran = world
        .shell("command -v setpriv >/dev/null && setpriv --reuid 65534 --clear-groups ./hypostyle doctor .");
    if ran.stdout.is_empty() {
        return;
    }
    let text = ran.text();
    assert!(text.contains("?   not probed: no folder can be made here (Permission denied"), "{text}");
    assert!(text.contains("reads of files that are there") && text.contains("publish with: none"), "{text}");
}
