//! `hypostyle join` on files that pyarrow, Polars and DuckDB wrote, against joins that those programs made.
//!
//! `fixtures/golden/README.md` says what the files are and how they were made.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;

#[test]
fn every_golden_join_is_what_the_other_programs_make_of_it() {
    let mut cases: Vec<PathBuf> = fs::read_dir(golden().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 80, "{} cases: where are the others?", cases.len());

    let out = tempfile::tempdir().unwrap();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let name = case.file_name().unwrap().to_string_lossy();
            let differs = |flags: &[&str]| {
                let difference = check(case, flags, out.path()).err()?;
                Some(format!(
                    "{name}{}: {difference}",
                    flags.iter().map(|f| format!(" {f}")).collect::<String>()
                ))
            };
            differs(&[]).or_else(|| differs(&["--strategy", "hash", "--io", "mmap", "--threads", "1"]))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} golden joins differ:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden")
}

fn check(case: &Path, flags: &[&str], out: &Path) -> Result<(), String> {
    let file = out.join("out.arrow");
    let run = Command::new(env!("CARGO_BIN_EXE_hypostyle"))
        .arg("join")
        .arg(case.join("spec.yaml"))
        .arg("-o")
        .arg(&file)
        .args(flags)
        .output()
        .unwrap();
    if !run.status.success() {
        return Err(format!("{}, {}", run.status, String::from_utf8_lossy(&run.stderr).trim()));
    }
    let found = read(&file)?;
    fs::remove_file(&file).unwrap();
    compare(&found, &read(&case.join("expected.arrow"))?)
}

fn read(path: &Path) -> Result<RecordBatch, String> {
    let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| about(&error))?;
    let reader = FileReader::try_new(file, None).map_err(|error| about(&error))?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| about(&error))?;
    concat_batches(&schema, &batches).map_err(|error| about(&error))
}

/// Names, types and cells; whether a column could have nulls is not compared, only whether it has.
fn compare(found: &RecordBatch, expected: &RecordBatch) -> Result<(), String> {
    let (found_schema, expected_schema) = (found.schema(), expected.schema());
    for (found, expected) in found_schema.fields().iter().zip(expected_schema.fields()) {
        if found.name() != expected.name() || !is_same_type(found.data_type(), expected.data_type()) {
            let text = |field: &Field| format!("`{}: {:?}`", field.name(), field.data_type());
            return Err(format!("column {}, expected {}", text(found), text(expected)));
        }
    }
    if found.num_columns() != expected.num_columns() {
        return Err(format!("{} columns, expected {}", found.num_columns(), expected.num_columns()));
    }
    if found.num_rows() != expected.num_rows() {
        return Err(format!("{} rows, expected {}", found.num_rows(), expected.num_rows()));
    }
    for (i, field) in expected_schema.fields().iter().enumerate() {
        let (name, found, expected) = (field.name(), found.column(i), expected.column(i));
        // Arrow's equality takes floating-point numbers by their bits, and dictionaries by their values.
        if let Some(row) = (0..found.len()).find(|row| found.slice(*row, 1) != expected.slice(*row, 1)) {
            let (found, expected) = (cell(found, row), cell(expected, row));
            return Err(format!("column `{name}`, row {row}: {found}, expected {expected}"));
        }
    }
    Ok(())
}

fn is_same_type(found: &DataType, expected: &DataType) -> bool {
    match found {
        // The entries of a map have a name without meaning, and pyarrow has no way to choose it.
        DataType::Map(..) => found.equals_datatype(expected),
        _ => found == expected,
    }
}

fn cell(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_null("null");
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_comparison_sees_a_difference_in_names_types_rows_nulls_and_bits() {
    use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array};
    use std::sync::Arc;

    let batch = |name: &str, array: ArrayRef| RecordBatch::try_from_iter([(name, array)]).unwrap();
    let floats = |values: Vec<Option<f64>>| batch("x", Arc::new(Float64Array::from(values)));
    let sound = floats(vec![Some(0.0), None, Some(f64::NAN)]);
    assert_eq!(compare(&sound, &sound.clone()), Ok(()));
    for (other, says) in [
        (batch("y", sound.column(0).clone()), "column `y: Float64`, expected `x: Float64`"),
        (floats(vec![Some(0.0), None]), "2 rows, expected 3"),
        (floats(vec![Some(-0.0), None, Some(f64::NAN)]), "row 0: -0.0, expected 0.0"),
        (floats(vec![Some(0.0), Some(0.0), Some(f64::NAN)]), "row 1: 0.0, expected null"),
        (floats(vec![Some(0.0), None, None]), "row 2: null, expected NaN"),
        (sound.project(&[]).unwrap(), "0 columns, expected 1"),
    ] {
        let difference = compare(&other, &sound).unwrap_err();
        assert!(difference.contains(says), "{difference}");
    }
    let int = compare(
        &batch("n", Arc::new(Int32Array::from(vec![1]))),
        &batch("n", Arc::new(Int64Array::from(vec![1]))),
    );
    assert_eq!(int, Err("column `n: Int32`, expected `n: Int64`".to_owned()));
}
