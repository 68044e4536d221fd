//! The exhaustive table, of small files.

use hypostyle_io::RowRanges;
use parquet::basic::Encoding;
use parquet::file::properties::WriterVersion;

use crate::columns::{NULLS, VALUES, Values, column, general_types, types};
use crate::written::{CODECS, How, encodings, file};
use crate::{By, check};

const ROWS: usize = 330;

/// All sorts: one row, the last, some of the middle, many small ones, across pages.
fn sets() -> Vec<RowRanges> {
    let rows = ROWS as u64;
    vec![
        RowRanges::from_ranges([0..1]),
        RowRanges::from_ranges([rows - 3..rows]),
        RowRanges::from_ranges([95..105, 150..151, 299..301]),
        (0..rows).step_by(7).map(|row| row..row + 2).collect(),
        RowRanges::from_ranges([10..rows - 10]),
        RowRanges::default(),
    ]
}

fn versions() -> [WriterVersion; 2] {
    [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]
}

#[test]
fn every_type_in_every_encoding_version_and_density_of_nulls_is_what_the_parquet_crate_reads() {
    let mut files = 0;
    for data_type in types() {
        let plain_or = encodings(&data_type).into_iter().map(Some);
        for encoding in plain_or.chain([None]) {
            for version in versions() {
                for (i, nulls) in NULLS.into_iter().enumerate() {
                    let values = VALUES[(i + files) % VALUES.len()];
                    let index = files % 2 == 0;
                    let how = How { encoding, version, index, ..How::default() };
                    let array = column(&data_type, values, nulls, ROWS, files as u64);
                    let what = format!("{data_type}, {values:?}, {nulls:?}, {how:?}");
                    check(&file(&array, nulls, how), &sets(), By::Own, &what);
                    files += 1;
                }
            }
        }
    }
    assert!(files > 1500, "{files}");
}

#[test]
fn every_codec_brings_back_what_went_in() {
    use arrow_schema::DataType::{Boolean, Float64, Int64, Utf8};
    for data_type in [Boolean, Int64, Float64, Utf8] {
        for codec in CODECS {
            for version in versions() {
                for (values, nulls) in VALUES.into_iter().zip(NULLS) {
                    for encoding in [Some(Encoding::PLAIN), None] {
                        let how = How { encoding, version, codec: codec(), ..How::default() };
                        let array = column(&data_type, values, nulls, ROWS, 7);
                        let what = format!("{data_type}, {values:?}, {nulls:?}, {how:?}");
                        check(&file(&array, nulls, how), &sets(), By::Own, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn types_of_the_general_reader_come_out_the_same() {
    for data_type in general_types() {
        for nulls in NULLS {
            if data_type == arrow_schema::DataType::Null && nulls == crate::columns::Nulls::Required {
                continue;
            }
            let array = column(&data_type, Values::Few, nulls, ROWS, 3);
            check(&file(&array, nulls, How::default()), &sets(), By::Any, &format!("{data_type}, {nulls:?}"));
        }
    }
}

#[test]
fn a_dictionary_that_grows_too_large_is_followed_by_plain_pages() {
    for data_type in types() {
        for version in versions() {
            for index in [true, false] {
                let how = How { version, index, dictionary_bytes: 200, ..How::default() };
                let nulls = crate::columns::Nulls::Some(50);
                let array = column(&data_type, Values::Wild, nulls, ROWS, 5);
                check(&file(&array, nulls, how), &sets(), By::Own, &format!("{data_type}, {how:?}"));
            }
        }
    }
}
