//! Bytes that nobody wrote, as specs and as the files of a join. `fuzz/README.md` says how long, and what is kept.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

#[path = "../io/src/fuzz/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};

use hypostyle::{ErrorKind, How, JoinOptions, JoinSpec, Store, TableSpec};

use harness::{Target, fuzz};

const TARGETS: [Target; 2] = [("spec", specs, spec), ("join", files, join)];

#[test]
fn a_spec_of_any_bytes_is_a_spec_that_survives_a_round_trip_or_a_refusal() {
    fuzz(&TARGETS[0]);
}

#[test]
fn a_join_of_any_bytes_is_a_frame_or_a_typed_error() {
    fuzz(&TARGETS[1]);
}

fn specs() -> Vec<Vec<u8>> {
    let cases = walkdir::WalkDir::new(golden("cases")).sort_by_file_name();
    let found = cases.into_iter().map(Result::unwrap).filter(|e| e.file_name() == "spec.yaml");
    let mut specs: Vec<Vec<u8>> = found.map(|e| std::fs::read(e.path()).unwrap()).collect();
    specs.push(
        br#"{"key": ["ts"], "tables": [{"name": "wind", "columns": "*"}], "rows": {"last": 3}}"#.to_vec(),
    );
    specs
}

fn spec(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match JoinSpec::from_yaml(text) {
        Ok(spec) => {
            let json = serde_json::to_string(&spec).unwrap();
            let again = JoinSpec::from_json(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
            assert_eq!(again, spec, "{json}");
        }
        Err(e) => {
            let known = [ErrorKind::InvalidRequest, ErrorKind::LimitExceeded, ErrorKind::Unsupported];
            assert!(known.contains(&e.kind()) && !e.to_string().contains('\n'), "{e:?}");
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden").join(name)
}

/// Small files of each writer; all have a key `ts`, of the hours of the same days.
fn files() -> Vec<Vec<u8>> {
    let names =
        ["pyarrow/wind", "pyarrow/price", "pyarrow/nodes", "polars/wind", "duckdb/wind", "pyarrow/zstd_v2"];
    names.map(|name| std::fs::read(golden(&format!("data/{name}.parquet"))).unwrap()).to_vec()
}

/// The bytes as the first table, beside a sound one, and as the second.
fn join(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let mut file = std::fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    // Of a file that was written a moment ago, what looks wrong is looked at twice.
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
    drop(file);
    let sound = golden("data/pyarrow/wind.parquet");
    let table = |path: &Path, name: &str| TableSpec::new(path.to_str().unwrap()).name(name).all_columns();
    let mut options = JoinOptions::default();
    options.memory_limit = Some(64 << 20);
    options.threads = Some(1);
    for (first, second, how) in [(&path, &sound, How::Left), (&sound, &path, How::Inner)] {
        let spec = JoinSpec::new(["ts"]).how(how).table(table(first, "first")).table(table(second, "second"));
        if let Err(e) = Store::unrooted("").join_with(&spec, &options) {
            let known = [
                ErrorKind::Corrupt,
                ErrorKind::Unsupported,
                ErrorKind::LimitExceeded,
                ErrorKind::InvalidRequest,
                ErrorKind::NotFound,
            ];
            assert!(known.contains(&e.kind()) && !e.to_string().contains('\n'), "{e:?}");
        }
    }
}
