//! A system that says no: full disks, closed pipes, too few descriptors, files that change.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use hypostyle::{ErrorKind, IoMode};
use hypostyle_io::{Missing, ParquetFile, Reader, RowRanges, Run, Slot, Table};

use crate::check_failure;
use crate::world::World;

const JOIN: &str = "join --key ts --table wind.parquet:*";

#[test]
fn a_full_disk_and_a_closed_pipe() {
    let world = World::new();
    let full = world.run(&format!("{JOIN} -o /dev/full --format csv --json"));
    check_failure(&full, "/dev/full", 4);
    assert_eq!(full.json()["retryable"], true);
    let full = world.shell(&format!("$HYPOSTYLE {JOIN} --format ndjson > /dev/full"));
    check_failure(&full, "> /dev/full", 4);

    // More than a pipe holds, so that the writer meets the closed end.
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
    let names: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..20_000).map(|n| format!("row number {n}"))));
    world.table("large.parquet", vec![("ts", keys), ("name", names)]);
    for format in ["arrow", "stream", "parquet", "csv", "ndjson"] {
        let script = format!(
            "{{ $HYPOSTYLE join --key ts --table large.parquet:* --format {format}; echo $? >code; }} | head -c 1"
        );
        let ran = world.shell(&script);
        assert_eq!((ran.stderr.as_str(), ran.stdout.len()), ("", 1), "{format}");
        assert_eq!(std::fs::read_to_string(world.path("code")).unwrap(), "0\n", "{format}");
    }
}

#[test]
fn few_descriptors_are_enough_and_too_few_are_a_limit() {
    let world = World::new();
    for number in 0..40 {
        std::fs::copy(world.path("wind.parquet"), world.path(&format!("w{number}.parquet"))).unwrap();
    }
    let tables: String = (0..40).map(|n| format!(" --table w{n}.parquet:speed_80m")).collect();
    let join = format!("join --key ts --full-names{tables} --format csv --last 1");
    let ran = world.shell(&format!("ulimit -n 5; $HYPOSTYLE {join} -o out.csv"));
    check_failure(&ran, "ulimit -n 5", 5);
    assert!(!world.path("out.csv").exists());
    // One table of many files comes to the same.
    let ran = world.shell("ulimit -n 5; $HYPOSTYLE join --key ts --table 'w=w[0-9]*.parquet:*' -o out.csv");
    check_failure(&ran, "ulimit -n 5, a glob", 5);
    let all = world.shell(&format!("$HYPOSTYLE {join}")).text();
    assert_eq!(all.lines().count(), 2);
    assert_eq!(world.shell(&format!("ulimit -n 20; $HYPOSTYLE {join}")).text(), all);
}

#[test]
fn a_file_that_must_not_be_read_is_named() {
    let world = World::new();
    std::fs::set_permissions(world.path("wind.parquet"), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(world.path("wind.parquet")).is_ok() {
        let text = "NOT RUN: a file without permissions: this user may read every file\n";
        std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
        return;
    }
    crate::check(
        &world,
        "--key ts --table wind.parquet:*",
        2,
        "invalid_request",
        &["wind.parquet", "ermission"],
    );
}

/// The `parquet` crate hands on what a source said as text; a file that became shorter was called corrupt.
#[test]
fn a_file_that_shrinks_while_it_is_read_has_changed_and_is_not_corrupt() {
    for name in ["pyarrow/long", "polars/long", "duckdb/long", "pyarrow/price"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/golden/data/{name}.parquet"));
        std::fs::copy(golden, &path).unwrap();
        let run = Run::default();
        let file = ParquetFile::open(&path, IoMode::Pread, &run).unwrap();
        let table = Table::new("t", vec![file], Missing::Error).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4).unwrap();
        let rows = table.rows();
        // All rows take one read of a chunk, a few take a read for each page.
        for rows in [RowRanges::all(rows), RowRanges::from_ranges([rows - 2..rows])] {
            for name in table.column_names() {
                let column = table.column(&name).unwrap();
                let reader = Reader::new(&table, &rows, &run);
                let mut values = vec![0; column.fixed_width().unwrap_or(0) * rows.len() as usize];
                let slot = if values.is_empty() { Slot::Array } else { Slot::Values(&mut values) };
                let error = reader.read(&column, slot).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Changed, "{name}, {:?}: {error}", rows.ranges());
                assert!(error.is_retryable());
            }
        }
    }
}
