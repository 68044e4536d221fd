//! Files of many writers, sound and broken: each reads as the `parquet` crate reads it, or is a typed error.
//!
//! The files are those of `parquet-testing`, beside this repository in `../shared/corpora`; and, for the second
//! oracle, `parquet2`, also the golden ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod columns;
mod expectations;
mod parquet2;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_array::Array;
use arrow_select::concat::concat;
use hypostyle::{Duplicates, ErrorKind, How, JoinOptions, JoinSpec, SpineSpec, Store, TableSpec};
use hypostyle_io::{RowRanges, Run, is_key_type};

use expectations::{EXPECTATIONS, Expected};

/// More than any sound file here takes, and less than the 2 GB that one of them would.
const MEMORY: u64 = 1 << 30;

#[test]
fn every_file_of_the_corpus_reads_as_the_parquet_crate_reads_it_or_is_a_typed_error() {
    let Some(corpus) = corpus() else { return };
    let expected: BTreeMap<&str, Expected> = EXPECTATIONS.iter().copied().collect();
    assert_eq!(expected.len(), EXPECTATIONS.len(), "an expectation stands twice");
    let files = files(&corpus);
    let there: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = expected.keys().copied().collect();
    let unknown: Vec<_> = there.difference(&known).collect();
    let absent: Vec<_> = known.difference(&there).collect();
    assert!(unknown.is_empty(), "files without an expectation: {unknown:#?}");
    assert!(absent.is_empty(), "expectations without a file: {absent:#?}");

    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let difference = check(&corpus.join(file), expected[file.as_str()]).err()?;
            Some(format!("{file}: {difference}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), files.len(), failures.join("\n"));
}

#[test]
fn an_encrypted_file_is_said_to_be_encrypted() {
    let Some(corpus) = corpus() else { return };
    let files = files(&corpus);
    let encrypted: Vec<_> = files.iter().filter(|f| f.ends_with(".encrypted")).collect();
    assert!(encrypted.len() > 10, "{encrypted:?}");
    for file in encrypted {
        let error = columns::open(&corpus.join(file), &Run::new(MEMORY)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("encrypted"), "{error}");
    }
}

/// The corpus, unless it is absent, which is said loudly.
pub(crate) fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/parquet-testing");
    if path.is_dir() {
        return Some(path);
    }
    // Past the capture of output, which a test that passes would vanish in.
    let text = format!("NOT RUN: the corpus is absent: {}\n", path.display());
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
    None
}

/// All files under `data` and `bad_data`, as paths relative to the corpus.
pub(crate) fn files(corpus: &Path) -> Vec<String> {
    let walk =
        ["data", "bad_data"].map(|folder| walkdir::WalkDir::new(corpus.join(folder)).sort_by_file_name());
    let entries = walk.into_iter().flatten().map(Result::unwrap).filter(|e| e.file_type().is_file());
    entries.map(|e| e.path().strip_prefix(corpus).unwrap().to_str().unwrap().to_owned()).collect()
}

fn check(path: &Path, expected: Expected) -> Result<(), String> {
    let read = read_all(path)?;
    match (expected, read) {
        (Expected::Reads, None) => {
            check_rows(path)?;
            check_joins(path)
        }
        (Expected::Fails(kind), Some(found)) if found == kind => match join(path, How::Left) {
            None => Ok(()),
            Some(Err(e)) if e.kind() == kind => Ok(()),
            Some(Err(e)) => Err(format!("the join fails with {:?}: {e}", e.kind())),
            Some(Ok(_)) => Err("the join succeeds".to_owned()),
        },
        (expected, found) => Err(format!("expected {expected:?}, found an error: {found:?}")),
    }
}

/// Compares each column with the oracle: the same values, or an error from both. Gives the kind of the errors.
fn read_all(path: &Path) -> Result<Option<ErrorKind>, String> {
    let run = Run::new(MEMORY);
    let table = match columns::open(path, &run) {
        Ok(table) => table,
        Err(e) => {
            // The oracle opens a file with a plain footer and reads those of its columns that are not encrypted.
            if e.kind() != ErrorKind::Unsupported && columns::oracle(path, 0).is_ok() {
                return Err(format!("the oracle reads it, and here it is: {e}"));
            }
            return Ok(Some(e.kind()));
        }
    };
    let mut kind = None;
    for (root, name) in table.column_names().iter().enumerate() {
        let place = |what: String| format!("column `{name}`: {what}");
        let found = table.column(name);
        let found =
            found.and_then(|column| columns::read(&table, &column, &RowRanges::all(table.rows()), &run));
        if let Err(e) = &found {
            if *kind.get_or_insert(e.kind()) != e.kind() {
                return Err(place(format!("{:?} where another column gave {kind:?}: {e}", e.kind())));
            }
            if e.kind() == ErrorKind::LimitExceeded {
                continue;
            }
        }
        match (found, columns::oracle(path, root)) {
            (Ok(found), Ok(batches)) => columns::compare(&found, &batches).map_err(place)?,
            (Err(_), Err(_)) => {}
            // The oracle refuses a file for what its footer says of another column.
            (Ok(_), Err(_)) if table.files()[0].metadata().is_err() => {}
            (Ok(_), Err(e)) => return Err(place(format!("it reads, and the oracle says: {e}"))),
            (Err(e), Ok(_)) => return Err(place(format!("the oracle reads it, and here it is: {e}"))),
        }
    }
    Ok(kind)
}

/// Some of a file's rows are the same as those among all of them.
fn check_rows(path: &Path) -> Result<(), String> {
    let run = Run::new(MEMORY);
    let table = columns::open(path, &run).unwrap();
    let rows = table.rows();
    let sets = [
        RowRanges::from_ranges([0..rows.min(1)]),
        RowRanges::from_ranges([rows.saturating_sub(3)..rows]),
        RowRanges::from_ranges([rows / 3..rows / 2]),
        (0..rows).step_by(1 + rows as usize / 9).map(|row| row..row + 1).collect(),
        (0..rows).step_by(7).map(|row| row..(row + 5).min(rows)).collect(),
    ];
    for name in table.column_names() {
        let column = table.column(&name).unwrap();
        let all = columns::read(&table, &column, &RowRanges::all(rows), &run).unwrap();
        for set in &sets {
            let place = |e: String| format!("column `{name}`, rows {:?}: {e}", set.ranges());
            let found = columns::read(&table, &column, set, &run).map_err(|e| place(e.to_string()))?;
            let slice = |r: &std::ops::Range<u64>| all.slice(r.start as usize, (r.end - r.start) as usize);
            let parts: Vec<_> = set.ranges().iter().map(slice).collect();
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            let same = match parts.as_slice() {
                [] => found.is_empty(),
                parts => *found == *concat(parts).unwrap(),
            };
            if !same {
                return Err(place("they are not those among all rows".to_owned()));
            }
        }
    }
    Ok(())
}

/// The file joined with itself, as a first table and as a spine: its columns come out as they are.
fn check_joins(path: &Path) -> Result<(), String> {
    let run = Run::new(MEMORY);
    let table = columns::open(path, &run).unwrap();
    for how in [How::Left, How::Spine] {
        let Some(frame) = join(path, how) else { return Ok(()) };
        let frame = frame.map_err(|e| format!("{how:?} join: {e}"))?;
        let batch = frame.batch();
        for name in table.column_names() {
            let column = table.column(&name).unwrap();
            let expected = columns::read(&table, &column, &RowRanges::all(table.rows()), &run).unwrap();
            if batch.column_by_name(&name) != Some(&expected) {
                return Err(format!("{how:?} join: column `{name}` differs"));
            }
        }
        if how == How::Spine && batch.column(0) != batch.column_by_name(AGAIN).unwrap() {
            return Err("spine join: a key does not find itself".to_owned());
        }
    }
    Ok(())
}

const AGAIN: &str = "the key, found by itself";

/// Joins a file with itself, by its first column that can be a key; `None` if there is none.
fn join(path: &Path, how: How) -> Option<hypostyle::Result<hypostyle::Frame>> {
    let table = columns::open(path, &Run::new(MEMORY)).ok()?;
    let names = table.column_names();
    let key =
        names.iter().find(|n| table.column(n).map_or(true, |column| is_key_type(column.data_type())))?;
    let path = path.to_str().unwrap();
    let spec = JoinSpec::new([key]);
    let spec = if how == How::Spine {
        let again = TableSpec::new(path).name("again").duplicates(Duplicates::First).column_as(key, AGAIN);
        spec.spine(SpineSpec::new(path)).table(again)
    } else {
        spec.how(how).table(TableSpec::new(path).name("first").columns(names.iter().filter(|n| *n != key)))
    };
    let mut options = JoinOptions::default();
    options.memory_limit = Some(MEMORY);
    Some(Store::unrooted("").join_with(&spec, &options))
}
