//! What stands before each page: its kind, its sizes, its checksum, how its values are encoded.
//!
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `PageHeader`

use parquet::basic::Encoding;

use super::thrift::{Compact, ThriftError, kind};

/// A page's header. Its sizes are not negative; nothing else is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) page: PageKind,
    /// Bytes that follow the header in the file.
    pub(crate) stored: usize,
    /// Bytes that the page has when decompressed.
    pub(crate) size: usize,
    /// The CRC-32 of the bytes in the file, where the writer left one.
    pub(crate) checksum: Option<u32>,
}

/// The kinds of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    Data(DataHeader),
    Dictionary {
        values: usize,
        encoding: Encoding,
    },
    /// Nobody writes them; to be stepped over.
    Index,
}

/// How a data page of either version is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataHeader {
    /// With nulls.
    pub(crate) values: usize,
    pub(crate) encoding: Encoding,
    pub(crate) levels: Levels,
}

/// Where a data page's levels are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Levels {
    /// Version 1: within what is compressed, before the values, each sort with its length.
    Within {
        /// How the definition levels are encoded.
        definition: Encoding,
    },
    /// Version 2: before what is compressed.
    Before {
        repetition: usize,
        definition: usize,
        /// Nulls among the values.
        nulls: usize,
        /// Whether the values are compressed at all.
        compressed: bool,
    },
}

type Result<T> = std::result::Result<T, ThriftError>;

const ABSENT: ThriftError = ThriftError::Malformed("a field that must be there is absent");

impl PageHeader {
    /// Reads a header; gives also how many bytes it takes.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut from = Compact::new(bytes);
        let header = Self::read_fields(&mut from)?;
        Ok((header, from.position()))
    }

    fn read_fields(from: &mut Compact<'_>) -> Result<Self> {
        let (mut number, mut size, mut stored, mut checksum) = (None, None, None, None);
        let (mut data, mut dictionary) = (None, None);
        let mut last = 0;
        while let Some(field) = from.field(&mut last)? {
            match (field.id, field.kind) {
                (1, _) => number = Some(from.i32(field)?),
                (2, _) => size = Some(length(from.i32(field)?)?),
                (3, _) => stored = Some(length(from.i32(field)?)?),
                (4, _) => checksum = Some(from.i32(field)?.cast_unsigned()),
                (5, kind::STRUCT) => data = Some((0, data_v1(from)?)),
                (7, kind::STRUCT) => dictionary = Some(dictionary_page(from)?),
                (8, kind::STRUCT) => data = Some((3, data_v2(from)?)),
                (5..=8, other) if other != kind::STRUCT => {
                    return Err(ThriftError::Malformed("a field that is a structure has another type"));
                }
                _ => from.skip(field)?,
            }
        }
        let page = match number.ok_or(ABSENT)? {
            number @ (0 | 3) => match data {
                Some((version, header)) if version == number => PageKind::Data(header),
                _ => return Err(ABSENT),
            },
            1 => PageKind::Index,
            2 => dictionary.ok_or(ABSENT)?,
            _ => return Err(ThriftError::Malformed("there is no such kind of page")),
        };
        Ok(Self { page, stored: stored.ok_or(ABSENT)?, size: size.ok_or(ABSENT)?, checksum })
    }
}

fn data_v1(from: &mut Compact<'_>) -> Result<DataHeader> {
    let (mut values, mut encoding, mut definition) = (None, None, None);
    let mut last = 0;
    while let Some(field) = from.field(&mut last)? {
        match field.id {
            1 => values = Some(length(from.i32(field)?)?),
            2 => encoding = Some(encoding_of(from.i32(field)?)?),
            3 => definition = Some(encoding_of(from.i32(field)?)?),
            // How repetition levels are encoded: of no use here, and yet it must be what it should be.
            4 => _ = encoding_of(from.i32(field)?)?,
            _ => from.skip(field)?,
        }
    }
    Ok(DataHeader {
        values: values.ok_or(ABSENT)?,
        encoding: encoding.ok_or(ABSENT)?,
        levels: Levels::Within { definition: definition.ok_or(ABSENT)? },
    })
}

fn data_v2(from: &mut Compact<'_>) -> Result<DataHeader> {
    let (mut values, mut nulls, mut encoding, mut definition, mut repetition) =
        (None, None, None, None, None);
    let mut compressed = true;
    let mut last = 0;
    while let Some(field) = from.field(&mut last)? {
        match field.id {
            1 => values = Some(length(from.i32(field)?)?),
            2 => nulls = Some(length(from.i32(field)?)?),
            3 => _ = length(from.i32(field)?)?,
            4 => encoding = Some(encoding_of(from.i32(field)?)?),
            5 => definition = Some(length(from.i32(field)?)?),
            6 => repetition = Some(length(from.i32(field)?)?),
            7 => compressed = from.bool(field)?,
            _ => from.skip(field)?,
        }
    }
    let levels = Levels::Before {
        repetition: repetition.ok_or(ABSENT)?,
        definition: definition.ok_or(ABSENT)?,
        nulls: nulls.ok_or(ABSENT)?,
        compressed,
    };
    Ok(DataHeader { values: values.ok_or(ABSENT)?, encoding: encoding.ok_or(ABSENT)?, levels })
}

fn dictionary_page(from: &mut Compact<'_>) -> Result<PageKind> {
    let (mut values, mut encoding) = (None, None);
    let mut last = 0;
    while let Some(field) = from.field(&mut last)? {
        match field.id {
            1 => values = Some(length(from.i32(field)?)?),
            2 => encoding = Some(encoding_of(from.i32(field)?)?),
            3 => _ = from.bool(field)?,
            _ => from.skip(field)?,
        }
    }
    Ok(PageKind::Dictionary { values: values.ok_or(ABSENT)?, encoding: encoding.ok_or(ABSENT)? })
}

fn length(number: i32) -> Result<usize> {
    usize::try_from(number).map_err(|_| ThriftError::Malformed("a size or a count is negative"))
}

fn encoding_of(number: i32) -> Result<Encoding> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "old files have it")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        10 => Encoding::ALP,
        _ => return Err(ThriftError::Malformed("there is no such encoding")),
    })
}
