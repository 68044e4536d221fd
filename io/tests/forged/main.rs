//! Pages that lie: what is said of them, where, and at what cost. And some that look so, and are sound.
#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod bytes;

use std::path::Path;

use arrow_array::{ArrayRef, cast::AsArray, make_array};
use arrow_data::ArrayData;
use hypostyle_io::{
    Error, ErrorKind, Filled, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table,
};
use parquet::basic::{Compression, Type};

use bytes::{
    BYTE_STREAM_SPLIT, Column, DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, FIRST, PLAIN,
    Page, RLE_DICTIONARY, file, varint, zigzag,
};

const REQUIRED: Column = Column {
    physical: Type::INT64,
    optional: false,
    codec: Compression::UNCOMPRESSED,
    rows: 4,
    decimal: false,
};
const OPTIONAL: Column = Column { optional: true, ..REQUIRED };
const TEXT: Column = Column { physical: Type::BYTE_ARRAY, ..REQUIRED };

fn zstd() -> Compression {
    Compression::ZSTD(Default::default())
}

fn read(path: &Path, rows: &RowRanges, run: &Run) -> Result<ArrayRef, Error> {
    let file = ParquetFile::open(path, IoMode::Auto, run)?;
    let table = Table::new("table", vec![file], Missing::Error)?;
    let column = table.column("column")?;
    let reader = Reader::new(&table, rows, run);
    let Some(width) = column.fixed_width() else {
        let Filled::Array(array) = reader.read(&column, Slot::Array)? else { panic!("no array") };
        return Ok(array);
    };
    let mut slab = Slab::new([width * rows.len() as usize])?;
    let mut nulls = None;
    for slot in slab.slots_mut() {
        let Filled::Values(found) = reader.read(&column, Slot::Values(slot))? else { panic!("no values") };
        nulls = found;
    }
    let data = ArrayData::builder(column.data_type().clone()).len(rows.len() as usize);
    Ok(make_array(data.add_buffer(slab.into_buffers().remove(0)).nulls(nulls).build().unwrap()))
}

fn of_file<T>(bytes: &[u8], work: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forged.parquet");
    std::fs::write(&path, bytes).unwrap();
    work(&path)
}

/// Reading all rows fails as corrupt, with these words, at the page that is the `at`th, for no memory to speak of.
fn refused(column: Column, pages: &[Page], at: usize, words: &str) {
    let place = FIRST + pages[..at].iter().map(|page| page.bytes().len() as u64).sum::<u64>();
    let bytes = file(column, pages);
    of_file(&bytes, |path| {
        let run = Run::new(8 << 20);
        let error = read(path, &RowRanges::all(column.rows as u64), &run).unwrap_err();
        let what = format!("{words}: {error}");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}");
        assert!(error.message().contains(words), "{what}");
        assert_eq!((error.file_path(), error.column_name()), (Some(path), Some("column")), "{what}");
        // Rows that are not there are nowhere.
        let has_place = !error.message().starts_with("the footer says");
        assert!(!has_place || error.message().starts_with(&format!("the page at byte {place}:")), "{what}");
        assert!(run.memory_peak() < 1 << 20, "{what}: {} bytes", run.memory_peak());
        // However few rows are wanted: an error or sound values, and no panic.
        for row in 0..column.rows as u64 {
            let _ = read(path, &RowRanges::from_ranges([row..row + 1]), &Run::default());
        }
    });
}

fn numbers(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Levels of version 1: their length, and a run.
fn with_levels(length: u32, levels: &[u8], values: &[i64]) -> Vec<u8> {
    [&length.to_le_bytes(), levels, &numbers(values)].concat()
}

fn delta(header: [u64; 3], first: i64, blocks: &[u8]) -> Vec<u8> {
    let header: Vec<u8> = header.into_iter().flat_map(varint).collect();
    [header, zigzag(first), blocks.to_vec()].concat()
}

#[test]
fn sizes_and_counts_that_lie_are_corrupt() {
    let four = numbers(&[1, 2, 3, 4]);
    let sound = Page::v1(4, PLAIN, &four);
    for (pages, words) in [
        (vec![sound.clone().with(|p| p.stored = 33)], "it does not end within its column chunk"),
        (vec![sound.clone().with(|p| p.stored = i64::from(i32::MAX))], "it does not end within"),
        (vec![sound.clone().with(|p| p.stored = -1)], "a size or a count is negative"),
        (vec![sound.clone().with(|p| p.size = -32)], "a size or a count is negative"),
        (vec![sound.clone().with(|p| p.stored = 1 << 40)], "a number does not fit 32 bits"),
        (vec![Page::v1(5, PLAIN, &numbers(&[1; 5]))], "the row group has 4 rows, the pages have more"),
        (vec![Page::v1(-4, PLAIN, &four)], "a size or a count is negative"),
        (vec![Page::v1(4, 77, &four)], "there is no such encoding"),
        (vec![Page::v1(4, PLAIN, &four[..31])], "fewer values"),
        (vec![Page::v1(3, PLAIN, &four)], "the footer says the row group has 4 rows, the pages have 3"),
    ] {
        refused(REQUIRED, &pages, 0, words);
    }
    let more = [sound.clone(), Page::v1(1, PLAIN, &numbers(&[5]))];
    refused(REQUIRED, &more, 1, "the row group has 4 rows, the pages have more");
}

#[test]
fn levels_that_lie_are_corrupt() {
    let values = [1, 2, 3, 4];
    for (page, words) in [
        (Page::v1(4, PLAIN, &with_levels(100, &[8, 1], &values)), "it ends too early"),
        (Page::v1(4, PLAIN, &with_levels(u32::MAX, &[8, 1], &values)), "it ends too early"),
        (Page::v1(4, PLAIN, &with_levels(2, &[6, 1], &values)), "fewer values"),
        (Page::v1(4, PLAIN, &with_levels(0, &[], &values)), "fewer values"),
        (Page::v1(4, PLAIN, &with_levels(2, &[8, 2], &values)), "more than 1 bits"),
        (Page::v1(4, PLAIN, &with_levels(2, &[8, 1], &values[..3])), "fewer values"),
        (Page::v1(4, PLAIN, &[1, 2]), "it ends too early"),
        (Page::v2(4, 0, PLAIN, (0, 99), &[8, 1, 0]), "it ends too early"),
        (Page::v2(4, 0, PLAIN, (99, 2), &[8, 1, 0]), "it ends too early"),
        (Page::v2(4, 5, PLAIN, (0, 2), &[8, 1, 0]), "5 nulls among 4 values"),
        (Page::v2(4, 0, PLAIN, (0, -2), &[8, 1, 0]), "a size or a count is negative"),
        (Page::v2(4, 0, PLAIN, (0, 2), &[8, 1, 0]).with(|p| p.size = 1), "longer than the page"),
    ] {
        refused(OPTIONAL, &[page], 0, words);
    }
}

#[test]
fn dictionaries_and_indices_that_lie_are_corrupt() {
    let dictionary = Page::dictionary(2, &numbers(&[10, 20]));
    let data = |body: &[u8]| Page::v1(4, RLE_DICTIONARY, body);
    for (pages, at, words) in [
        (vec![data(&[1, 8, 1])], 0, "in a dictionary that is not there"),
        (vec![dictionary.clone(), data(&[2, 8, 2])], 1, "it names the value 2 of a dictionary of 2"),
        (
            vec![dictionary.clone(), data(&[2, 3, 0b11_10_01_00, 0])],
            1,
            "it names the value 2 of a dictionary of 2",
        ),
        (vec![dictionary.clone(), data(&[33, 8, 1])], 1, "33 bits"),
        (vec![dictionary.clone(), data(&[1, 8])], 1, "it ends too early"),
        (vec![dictionary.clone(), data(&[1, 6, 1])], 1, "fewer values"),
        (vec![dictionary.clone(), data(&[1, 8, 2])], 1, "more than 1 bits"),
        (vec![Page::dictionary(3, &numbers(&[10, 20])), data(&[1, 8, 1])], 0, "16 bytes are not 3 values"),
        (vec![Page::dictionary(i64::from(i32::MAX), &[]), data(&[1, 8, 1])], 0, "bytes are not"),
        (vec![dictionary.clone(), dictionary.clone(), data(&[1, 8, 1])], 1, "it is a second dictionary"),
    ] {
        refused(REQUIRED, &pages, at, words);
    }
    for (dictionary, words) in [
        (Page::dictionary(2, &[1, 0, 0, 0, b'a', 9, 0, 0, 0, b'b']), "it ends too early"),
        (Page::dictionary(3, &[1, 0, 0, 0, b'a', 0, 0, 0, 0]), "it ends too early"),
    ] {
        refused(TEXT, &[dictionary, data(&[1, 8, 1])], 0, words);
    }
}

#[test]
fn encodings_that_lie_are_corrupt() {
    for (encoding, body, words) in [
        (DELTA_BINARY_PACKED, delta([0, 4, 4], 1, &[0, 0, 0, 0, 0]), "its blocks have 0 values"),
        (DELTA_BINARY_PACKED, delta([100, 4, 4], 1, &[0, 0, 0, 0, 0]), "its blocks have 100 values"),
        (DELTA_BINARY_PACKED, delta([128, 0, 4], 1, &[0]), "0 parts"),
        (DELTA_BINARY_PACKED, delta([128, 4, 3], 1, &[0, 0, 0, 0, 0]), "fewer values"),
        (DELTA_BINARY_PACKED, delta([128, 4, 4], 1, &[0, 65, 0, 0, 0]), "65 bits, more than 64"),
        (DELTA_BINARY_PACKED, delta([128, 4, 4], 1, &[0, 60, 0, 0, 0, 1, 2]), "fewer values"),
        (DELTA_BINARY_PACKED, delta([1 << 50, 1, 4], 1, &[0, 0]), "its blocks have"),
        (BYTE_STREAM_SPLIT, numbers(&[1, 2, 3]), "are not 4 values of 8 bytes"),
        (BYTE_STREAM_SPLIT, numbers(&[1, 2, 3, 4, 5]), "are not 4 values of 8 bytes"),
    ] {
        refused(REQUIRED, &[Page::v1(4, encoding, &body)], 0, words);
    }
    let lengths = |all: u64, first: i64| delta([128, 4, all], first, &[0, 0, 0, 0, 0]);
    for (encoding, body, words) in [
        (PLAIN, [&[1, 0, 0, 0, b'a'][..], &[255, 255, 255, 255]].concat(), "it ends too early"),
        (PLAIN, [1, 0, 0, 0, b'a'].repeat(3), "it ends too early"),
        (DELTA_LENGTH_BYTE_ARRAY, lengths(4, 2), "it ends too early"),
        (DELTA_LENGTH_BYTE_ARRAY, lengths(4, -1), "a length is negative"),
        (DELTA_LENGTH_BYTE_ARRAY, lengths(3, 0), "fewer values"),
        (DELTA_LENGTH_BYTE_ARRAY, lengths(1 << 30, 0), "for at most 4 values"),
        (DELTA_BYTE_ARRAY, [lengths(4, 1), lengths(4, 0)].concat(), "a value shares 1 bytes with one of 0"),
        (DELTA_BYTE_ARRAY, [lengths(4, 0), lengths(3, 0)].concat(), "4 prefixes for 3 suffixes"),
    ] {
        refused(TEXT, &[Page::v1(4, encoding, &body)], 0, words);
    }
    let no_text = [&[2, 0, 0, 0, 0xc3, 0x28][..], &[0; 12]].concat();
    of_file(&file(TEXT, &[Page::v1(4, PLAIN, &no_text)]), |path| {
        let error = read(path, &RowRanges::all(4), &Run::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("a value is no text"), "{error}");
    });
}

#[test]
fn what_does_not_decompress_to_its_declared_size_is_corrupt() {
    let four = numbers(&[1, 2, 3, 4]);
    let compressed = |values: &[u8]| {
        let mut out = Vec::with_capacity(1000);
        zstd_safe::compress(&mut out, values, 3).unwrap();
        out
    };
    let column = Column { codec: zstd(), ..REQUIRED };
    let page = |body: &[u8], size: i64| Page::v1(4, PLAIN, body).with(|p| p.size = size);
    let frame = compressed(&four);
    for (column, page, words) in [
        (column, page(b"this is no frame at all", 32), "it cannot be decompressed"),
        (column, page(&frame[..frame.len() - 1], 32), "it cannot be decompressed"),
        (column, page(&compressed(&four[..24]), 32), "it has 24 bytes when decompressed, its header says 32"),
        (column, page(&compressed(&[four.clone(), four.clone()].concat()), 32), "it cannot be decompressed"),
        (column, page(&frame, i64::from(i32::MAX)), "bytes cannot become"),
        (
            Column { codec: Compression::SNAPPY, ..REQUIRED },
            page(&[32, 1, 2], i64::from(i32::MAX)),
            "cannot become",
        ),
        (
            Column { codec: Compression::SNAPPY, ..REQUIRED },
            page(&[32, 1, 2], 32),
            "it cannot be decompressed",
        ),
        (
            Column { codec: Compression::LZ4_RAW, ..REQUIRED },
            page(&[255; 40], 32),
            "it cannot be decompressed",
        ),
        (Column { codec: Compression::LZ4, ..REQUIRED }, page(&[255; 40], 32), "it cannot be decompressed"),
        (
            Column { codec: Compression::GZIP(Default::default()), ..REQUIRED },
            page(&[0x1f, 0x8b, 8], 32),
            "it cannot be decompressed",
        ),
        (
            Column { codec: Compression::BROTLI(Default::default()), ..REQUIRED },
            page(&[1, 2, 3], 32),
            "it cannot be decompressed",
        ),
    ] {
        refused(column, &[page], 0, words);
    }
}

#[test]
fn a_wrong_checksum_is_corrupt_unless_nobody_is_to_look() {
    let four = numbers(&[1, 2, 3, 4]);
    let right = crc32fast::hash(&four);
    for (checksum, codec) in [(right, Compression::UNCOMPRESSED), (right ^ 1, Compression::UNCOMPRESSED)] {
        let column = Column { codec, ..REQUIRED };
        let page = Page::v1(4, PLAIN, &four).with(|p| p.checksum = Some(checksum));
        if checksum != right {
            refused(column, std::slice::from_ref(&page), 0, "its checksum is");
        }
        of_file(&file(column, &[page]), |path| {
            let all = RowRanges::all(4);
            assert_eq!(read(path, &all, &Run::default()).is_ok(), checksum == right);
            assert!(read(path, &all, &Run::default().with_verify(false)).is_ok());
        });
    }
}

#[test]
fn what_looks_odd_and_is_sound_reads() {
    let four = numbers(&[1, 2, 3, 4]);
    // A frame that does not say its size: what a streaming writer leaves.
    let mut unsized_frame = Vec::with_capacity(1000);
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::ContentSizeFlag(false)).unwrap();
    context.compress2(&mut unsized_frame, &four).unwrap();
    assert_eq!(zstd_safe::get_frame_content_size(&unsized_frame).unwrap(), None);
    let zstd = Column { codec: zstd(), ..REQUIRED };
    let unsized_page = Page::v1(4, PLAIN, &unsized_frame).with(|p| p.size = 32);
    let half = |from: usize| Page::v1(2, PLAIN, &four[from..from + 16]);
    let dictionary = Page::dictionary(2, &numbers(&[1, 2]));
    for (column, pages, expected) in [
        (zstd, vec![unsized_page], [Some(1), Some(2), Some(3), Some(4)]),
        (REQUIRED, vec![half(0), Page::index(), half(16)], [Some(1), Some(2), Some(3), Some(4)]),
        (REQUIRED, vec![Page::v1(0, PLAIN, &[]), half(0), half(16)], [Some(1), Some(2), Some(3), Some(4)]),
        (
            OPTIONAL,
            vec![Page::v1(4, PLAIN, &with_levels(2, &[3, 0b0101], &[7, 8]))],
            [Some(7), None, Some(8), None],
        ),
        (OPTIONAL, vec![Page::v2(4, 4, PLAIN, (0, 2), &[8, 0])], [None; 4]),
        // Nulls alone: the dictionary is empty and not even the width of an index is there.
        (
            OPTIONAL,
            vec![Page::dictionary(0, &[]), Page::v1(4, RLE_DICTIONARY, &with_levels(2, &[8, 0], &[]))],
            [None; 4],
        ),
        // Runs that are padded, and one that is cut off behind its last number.
        (
            REQUIRED,
            vec![dictionary.clone(), Page::v1(4, RLE_DICTIONARY, &[1, 4, 0, 4, 1, 0, 0])],
            [Some(1), Some(1), Some(2), Some(2)],
        ),
        (
            REQUIRED,
            vec![dictionary, Page::v1(4, RLE_DICTIONARY, &[1, 5, 0b1010])],
            [Some(1), Some(2), Some(1), Some(2)],
        ),
    ] {
        of_file(&file(column, &pages), |path| {
            let expected = arrow_array::Int64Array::from_iter(expected);
            for from in 0..4u64 {
                for to in from..=4 {
                    let found = read(path, &RowRanges::from_ranges([from..to]), &Run::default()).unwrap();
                    let part = expected.slice(from as usize, (to - from) as usize);
                    assert_eq!(found.as_primitive::<arrow_array::types::Int64Type>(), &part, "{pages:?}");
                }
            }
        });
    }
}

#[test]
fn timestamps_of_96_bits_are_nanoseconds() {
    let value = |day: i32, nanoseconds: i64| [&nanoseconds.to_le_bytes()[..], &day.to_le_bytes()].concat();
    let column = Column { physical: Type::INT96, rows: 3, ..REQUIRED };
    let values = [value(2_440_588, 5), value(2_440_589, 0), value(2_440_587, 1)].concat();
    let indexed = [Page::dictionary(3, &values), Page::v1(3, RLE_DICTIONARY, &[2, 3, 0b10_01_00, 0])];
    for pages in [vec![Page::v1(3, PLAIN, &values)], indexed.to_vec()] {
        of_file(&file(column, &pages), |path| {
            let found = read(path, &RowRanges::all(3), &Run::default()).unwrap();
            let day = 86_400_000_000_000;
            let expected = arrow_array::TimestampNanosecondArray::from(vec![5, day, 1 - day]);
            assert_eq!(found.as_primitive::<arrow_array::types::TimestampNanosecondType>(), &expected);
        });
    }
}

/// A page that decompresses to much more than its file has must count against the limit before it does.
#[test]
fn a_page_larger_than_the_memory_limit_is_refused_before_it_is_decompressed() {
    let rows = 1 << 20;
    let mut frame = Vec::with_capacity(1 << 16);
    zstd_safe::compress(&mut frame, &vec![0; rows * 8], 3).unwrap();
    let column = Column { codec: zstd(), rows: rows as i64, ..OPTIONAL };
    let page = Page::v1(rows as i64, PLAIN, &frame).with(|p| p.size = rows as i64 * 8);
    of_file(&file(column, &[page]), |path| {
        let run = Run::new(1 << 20);
        let error = read(path, &RowRanges::from_ranges([0..10]), &run).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        assert!(run.memory_peak() <= 1 << 20);
    });
}

/// The general reader filled whatever a header declared, and counted it afterwards.
#[test]
fn a_page_of_the_general_reader_is_refused_before_it_is_decompressed_too() {
    let rows: i64 = 4 << 20;
    let size = rows * 4;
    let mut frame = Vec::with_capacity(1 << 16);
    zstd_safe::compress(&mut frame, &vec![0; size as usize], 3).unwrap();
    let column = Column { physical: Type::BYTE_ARRAY, decimal: true, codec: zstd(), rows, ..REQUIRED };
    let sound = Column { codec: Compression::UNCOMPRESSED, rows: 2, ..column };
    of_file(&file(sound, &[Page::v1(2, PLAIN, &[1, 0, 0, 0, 7, 1, 0, 0, 0, 9])]), |path| {
        let run = Run::default();
        let found = read(path, &RowRanges::all(2), &run).unwrap();
        assert_eq!(found.as_primitive::<arrow_array::types::Decimal128Type>().values(), &[7, 9]);
        assert_eq!(run.counters.units_general.load(std::sync::atomic::Ordering::Relaxed), 1);
    });
    for (declared, kind) in [
        (size, ErrorKind::LimitExceeded),
        (i64::from(i32::MAX), ErrorKind::LimitExceeded),
        (-1, ErrorKind::Corrupt),
    ] {
        let page = Page::v1(rows, PLAIN, &frame).with(|p| p.size = declared);
        of_file(&file(column, &[page]), |path| {
            for rows in [RowRanges::from_ranges([0..10]), RowRanges::all(rows as u64 / 2 + 1)] {
                let error = read(path, &rows, &Run::new(12 << 20)).unwrap_err();
                assert_eq!(error.kind(), kind, "{declared}: {error}");
            }
        });
    }
    // A dictionary that says it has more values than bytes: the crate made room for two billion.
    let dictionary = Page::dictionary(i64::from(i32::MAX), &[1, 0, 0, 0, 7]);
    let indexed = [dictionary, Page::v1(2, RLE_DICTIONARY, &[1, 4, 0])];
    of_file(&file(sound, &indexed), |path| {
        let error = read(path, &RowRanges::all(2), &Run::default()).unwrap_err();
        assert!(error.message().contains("values of a dictionary"), "{error}");
    });
    // More than its bytes can become, although there is memory for it.
    let small = Page::v1(rows, PLAIN, &frame[..100]).with(|p| p.size = 64 << 20);
    of_file(&file(column, &[small]), |path| {
        let error = read(path, &RowRanges::from_ranges([0..10]), &Run::default()).unwrap_err();
        assert!(error.message().contains("bytes cannot become 67108864"), "{error}");
    });
}

/// A frame whose window is larger than what a stream may reserve is read in one go.
#[test]
fn a_window_of_any_size_is_read() {
    let rows: i64 = 3 << 20;
    let body: Vec<u8> = numbers(&(0..rows).map(|row| row % 1000).collect::<Vec<_>>());
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::WindowLog(25)).unwrap();
    let mut frame = Vec::with_capacity(8 << 20);
    context.compress2(&mut frame, &body).unwrap();
    let column = Column { codec: zstd(), rows, ..REQUIRED };
    let page = Page::v1(rows, PLAIN, &frame).with(|p| p.size = body.len() as i64);
    of_file(&file(column, &[page]), |path| {
        let found = read(path, &RowRanges::from_ranges([1007..1009]), &Run::default()).unwrap();
        assert_eq!(found.as_primitive::<arrow_array::types::Int64Type>().values(), &[7, 8]);
    });
}

#[test]
fn only_pages_that_hold_wanted_rows_are_decompressed() {
    let pages: Vec<Page> = (0..8).map(|i| Page::v1(10, PLAIN, &numbers(&[i; 10]))).collect();
    let column = Column { rows: 80, ..REQUIRED };
    of_file(&file(column, &pages), |path| {
        for (ranges, decoded, skipped) in [
            (vec![0..1], 1, 0),
            (vec![9..10], 1, 0),
            (vec![10..11], 1, 1),
            (vec![79..80], 1, 7),
            (vec![9..11, 70..71], 3, 5),
            (vec![0..80], 8, 0),
        ] {
            let run = Run::default();
            let rows = RowRanges::from_ranges(ranges);
            read(path, &rows, &run).unwrap();
            let count =
                |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
            let found = (count(&run.counters.pages_decoded), count(&run.counters.pages_skipped));
            assert_eq!(found, (decoded, skipped), "{rows:?}");
        }
    });
}

/// Seen by a frame that is broken behind what is needed.
#[test]
fn a_lone_large_page_is_decompressed_only_as_far_as_the_last_wanted_row() {
    let rows: i64 = 100_000;
    let values: Vec<i64> = (0..rows).map(|row| row * row).collect();
    for (column, body) in [
        (REQUIRED, numbers(&values)),
        (OPTIONAL, [&[4, 0, 0, 0][..], &varint(rows as u64 * 2), &[1], &numbers(&values)].concat()),
    ] {
        let mut frame = Vec::with_capacity(1 << 20);
        zstd_safe::compress(&mut frame, &body, 1).unwrap();
        let end = frame.len();
        frame[end - 300..].fill(0xff);
        let column = Column { codec: zstd(), rows, ..column };
        let page = Page::v1(rows, PLAIN, &frame).with(|p| p.size = body.len() as i64);
        of_file(&file(column, &[page]), |path| {
            let found = read(path, &RowRanges::from_ranges([1000..1003]), &Run::default()).unwrap();
            let expected = arrow_array::Int64Array::from(values[1000..1003].to_vec());
            assert_eq!(found.as_primitive::<arrow_array::types::Int64Type>(), &expected);
            let error = read(path, &RowRanges::all(rows as u64), &Run::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        });
    }
}
