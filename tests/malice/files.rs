//! Small sound files, their pages, and what becomes of a file when a piece of it is changed.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date64Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::thrift::{Kind, Part, parts, replaced, zigzag};

/// A sound file.
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) key: &'static str,
}

/// A page in a file.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) header: Range<usize>,
    pub(crate) body: Range<usize>,
}

const ROWS: usize = 24;

fn batch() -> RecordBatch {
    let some = |row: usize| row % 5 != 2;
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..ROWS).map(|row| some(row).then(|| (0..row % 3).map(move |i| Some((row + i) as i32)))),
    );
    let columns: [(&str, ArrayRef); 6] = [
        ("ts", Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| row as i64 * 3_600)))),
        (
            "float",
            Arc::new(Float64Array::from_iter((0..ROWS).map(|row| some(row).then_some(row as f64 / 8.0)))),
        ),
        (
            "text",
            Arc::new(StringArray::from_iter((0..ROWS).map(|row| some(row).then(|| format!("s{}", row % 4))))),
        ),
        ("bit", Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| some(row).then_some(row % 3 == 0))))),
        ("list", Arc::new(lists)),
        ("day", Arc::new(Date64Array::from_iter((0..ROWS).map(|row| Some(row as i64 * 86_400_000))))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, n != "ts"))).unwrap()
}

fn written(columns: &[&str], properties: parquet::file::properties::WriterPropertiesBuilder) -> Vec<u8> {
    let batch = batch();
    let indices: Vec<usize> = columns.iter().map(|c| batch.schema().index_of(c).unwrap()).collect();
    let batch = batch.project(&indices).unwrap();
    let properties = properties.set_write_batch_size(8).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Files of all that the readers tell apart: codecs, versions of pages, dictionaries, indexes, row groups, and columns
/// of both ways of reading.
pub(crate) fn sound() -> Vec<File> {
    let file = |name, bytes| File { name, bytes, key: "ts" };
    let properties = WriterProperties::builder;
    let bare = |name: &'static str, column: &'static str, codec: Compression, version| {
        let properties = properties()
            .set_compression(codec)
            .set_writer_version(version)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true);
        file(name, written(&["ts", column], properties))
    };
    let zstd = || Compression::ZSTD(Default::default());
    vec![
        bare("floats, snappy, version 1", "float", Compression::SNAPPY, WriterVersion::PARQUET_1_0),
        bare("texts, zstd, version 2", "text", zstd(), WriterVersion::PARQUET_2_0),
        bare("lists, version 1", "list", Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0),
        bare("lists, zstd, version 2", "list", zstd(), WriterVersion::PARQUET_2_0),
        file(
            "all columns, row groups, indexes",
            written(
                &["ts", "float", "text", "bit", "list", "day"],
                properties()
                    .set_compression(zstd())
                    .set_max_row_group_row_count(Some(16))
                    .set_data_page_row_count_limit(8),
            ),
        ),
        file(
            "plain, pages, statistics in their headers",
            written(
                &["ts", "bit", "day"],
                properties()
                    .set_dictionary_enabled(false)
                    .set_data_page_row_count_limit(8)
                    .set_write_page_header_statistics(true),
            ),
        ),
    ]
}

/// Where a file's footer is.
pub(crate) fn footer(bytes: &[u8]) -> Range<usize> {
    let end = bytes.len() - 8;
    let len = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    end - len..end
}

/// The file with another footer.
pub(crate) fn with_footer(bytes: &[u8], new: &[u8]) -> Vec<u8> {
    let len = (new.len() as u32).to_le_bytes();
    [&bytes[..footer(bytes).start], new, &len, b"PAR1"].concat()
}

/// Offsets and sizes of column chunks: first byte and length.
fn chunks(footer: &[Part]) -> Vec<(Vec<i64>, Range<usize>)> {
    let mut out: Vec<(Vec<i64>, Range<usize>)> = Vec::new();
    let is_chunk = |p: &&Part| matches!(p.kind, Kind::Number(_)) && matches!(p.path[..], [4, _, 1, _, 3, 7]);
    for size in footer.iter().filter(is_chunk) {
        let of = |field: i64| {
            let path = [&size.path[..5], &[field]].concat();
            footer.iter().find(|p| p.path == path && p.kind != Kind::Head).map(|p| p.value as usize)
        };
        let start = of(11).or(of(9)).unwrap();
        out.push((size.path[..4].to_vec(), start..start + size.value as usize));
    }
    out
}

/// All pages of a file.
pub(crate) fn pages(bytes: &[u8]) -> Vec<Page> {
    let (footer, _) = parts(bytes, footer(bytes).start);
    let mut pages = Vec::new();
    for (_, range) in chunks(&footer) {
        let mut at = range.start;
        while at < range.end {
            let (header, end) = parts(bytes, at);
            let stored =
                header.iter().find(|p| p.path == [3] && p.kind != Kind::Head).unwrap().value as usize;
            pages.push(Page { header: at..end, body: end..end + stored });
            at = end + stored;
        }
    }
    pages
}

/// The file with another header of a page; what the footer says of places and sizes moves along.
pub(crate) fn with_header(bytes: &[u8], header: &Range<usize>, new: &[u8]) -> Vec<u8> {
    let by = new.len() as i64 - header.len() as i64;
    let place = footer(bytes);
    let old = &bytes[place.clone()];
    let (parts, _) = parts(bytes, place.start);
    let within: Vec<Vec<i64>> =
        chunks(&parts).into_iter().filter(|(_, c)| c.contains(&header.start)).map(|(path, _)| path).collect();
    let mut moved = old.to_vec();
    for part in parts.iter().rev().filter(|p| matches!(p.kind, Kind::Number(_))) {
        let is_size =
            matches!(part.path[..], [4, _, 1, _, 3, 7]) && within.contains(&part.path[..4].to_vec());
        let is_place = matches!(part.path[..], [4, _, 1, _, 3, 9 | 11] | [4, _, 1, _, 4 | 6])
            && part.value > header.start as i64;
        if is_size || is_place {
            let at = part.at.start - place.start..part.at.end - place.start;
            moved = replaced(&moved, &at, &zigzag(part.value + by));
        }
    }
    let changed = replaced(&bytes[..place.start], header, new);
    let len = (moved.len() as u32).to_le_bytes();
    [&changed[..], &moved, &len, b"PAR1"].concat()
}

/// The same file with the checksum of each page in its header.
pub(crate) fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in (0..pages(bytes).len()).rev() {
        let page = pages(&out)[at].clone();
        let (header, _) = parts(&out, page.header.start);
        let stored = header.iter().find(|p| p.path == [3] && p.kind != Kind::Head).unwrap().at.end;
        let sum = i64::from(crc32(&out[page.body.clone()]) as i32);
        let next = out[stored] - 0x10;
        let new = [
            &out[page.header.start..stored],
            &[0x15],
            &zigzag(sum),
            &[next],
            &out[stored + 1..page.header.end],
        ];
        out = with_header(&out, &page.header, &new.concat());
    }
    out
}

/// <https://www.rfc-editor.org/rfc/rfc1952#section-8>
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}
