//! Decoding: a column of each family of encodings, from pages into a slot or an array.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray};
use hypostyle_io::{Reader, RowRanges, Run, Slab, Slot, fixed_width};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterPropertiesBuilder, WriterVersion};

use crate::Case;
use crate::files::{COLUMN, encoded, noise, open, write};

const ROWS: u64 = 60_000;

/// Which rows are read of each file.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    Last24,
    EveryOtherTen,
}

impl Wanted {
    fn rows(self) -> RowRanges {
        match self {
            Self::All => RowRanges::all(ROWS),
            Self::Last24 => RowRanges::from_ranges([ROWS - 24..ROWS]),
            Self::EveryOtherTen => RowRanges::from_ranges((0..ROWS / 20).map(|i| i * 20..i * 20 + 10)),
        }
    }
}

/// A file: its name, values, and how they are written.
type Written = (&'static str, ArrayRef, WriterPropertiesBuilder);

fn written() -> Vec<Written> {
    let v2 = |encoding| encoded(encoding).set_writer_version(WriterVersion::PARQUET_2_0);
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    vec![
        ("plain-f64", floats(), encoded(Encoding::PLAIN)),
        ("plain-f64-nulls", some_floats(), encoded(Encoding::PLAIN)),
        ("plain-f64-nulls-v2", some_floats(), v2(Encoding::PLAIN)),
        ("plain-bool", bits(), encoded(Encoding::PLAIN)),
        ("plain-text", texts(), encoded(Encoding::PLAIN)),
        ("dictionary-f64", floats(), encoded(Encoding::RLE_DICTIONARY)),
        ("dictionary-f64-nulls", some_floats(), encoded(Encoding::RLE_DICTIONARY)),
        ("dictionary-text", texts(), encoded(Encoding::RLE_DICTIONARY)),
        ("rle-bool", bits(), v2(Encoding::RLE)),
        (
            "delta-i64",
            Arc::new(Int64Array::from_iter_values(steps())),
            encoded(Encoding::DELTA_BINARY_PACKED),
        ),
        ("delta-i32", Arc::new(shorts()), encoded(Encoding::DELTA_BINARY_PACKED)),
        ("delta-length-text", texts(), encoded(Encoding::DELTA_LENGTH_BYTE_ARRAY)),
        ("delta-bytes-text", texts(), encoded(Encoding::DELTA_BYTE_ARRAY)),
        ("split-f64", floats(), encoded(Encoding::BYTE_STREAM_SPLIT)),
        ("split-f32", Arc::new(narrow()), encoded(Encoding::BYTE_STREAM_SPLIT)),
        ("dictionary-f64-zstd", floats(), encoded(Encoding::RLE_DICTIONARY).set_compression(zstd)),
        ("plain-f64-snappy", floats(), encoded(Encoding::PLAIN).set_compression(Compression::SNAPPY)),
    ]
}

/// Writes the files.
pub fn make(folder: &Path) {
    for (name, values, properties) in written() {
        write(&folder.join(name), &values, properties);
    }
}

/// All rows of each file; of some files also the newest, and rows here and there.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut cases: Vec<Case> =
        written().into_iter().map(|(name, ..)| case(folder, name, "all", Wanted::All)).collect();
    for name in ["plain-f64", "dictionary-f64-zstd", "dictionary-text", "delta-i64"] {
        cases.push(case(folder, name, "last-24", Wanted::Last24));
        cases.push(case(folder, name, "every-other-10", Wanted::EveryOtherTen));
    }
    cases
}

fn case(folder: &Path, name: &str, rows_are: &str, wanted: Wanted) -> Case {
    let table = open(&folder.join(name));
    let rows = wanted.rows();
    let width = fixed_width(table.column(COLUMN).unwrap().data_type());
    let size = width.map(|width| usize::try_from(rows.len()).unwrap() * width);
    let mut slab = Slab::new(size).unwrap();
    let work = move || {
        let run = Run::default();
        let column = table.column(COLUMN).unwrap();
        let reader = Reader::new(&table, &rows, &run);
        let slot = slab.slots_mut().pop().map_or(Slot::Array, Slot::Values);
        black_box(reader.read(&column, slot).unwrap());
    };
    Case { name: format!("decode/{name}/{rows_are}"), work: Box::new(work) }
}

/// Rounded measurements of a few thousand different values.
fn float(row: u64) -> f64 {
    (noise(row) % 4_000) as f64 / 100.0
}

fn floats() -> ArrayRef {
    Arc::new(Float64Array::from_iter_values((0..ROWS).map(float)))
}

fn some_floats() -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| (!noise(row + 7).is_multiple_of(10)).then(|| float(row)))
            .collect::<Float64Array>(),
    )
}

fn narrow() -> Float32Array {
    Float32Array::from_iter_values((0..ROWS).map(|row| float(row) as f32))
}

fn bits() -> ArrayRef {
    Arc::new((0..ROWS).map(|row| Some(noise(row / 3).is_multiple_of(2))).collect::<BooleanArray>())
}

/// Times that ascend by an hour, a little late or early.
fn steps() -> impl Iterator<Item = i64> {
    (0..ROWS).map(|row| (row * 3_600_000_000 + noise(row) % 1_000) as i64)
}

fn shorts() -> Int32Array {
    Int32Array::from_iter_values((0..ROWS).map(|row| (row * 4 + noise(row) % 64) as i32))
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("station {}", noise(row) % 900))))
}
