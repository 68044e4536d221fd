//! A second oracle, of other hands: what the crate `parquet2` reads of flat columns.
//!
//! It gives physical values, so columns are compared by the bytes of those: not compared are nested columns,
//! 96-bit times, values that the stored Arrow schema makes something else of, and encodings it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use hypostyle_io::{RowRanges, Run};
use parquet2::encoding::{
    Encoding, delta_bitpacked, delta_byte_array, delta_length_byte_array,
    hybrid_rle::{BitmapIter, HybridRleDecoder},
    plain_byte_array::BinaryIter,
};
use parquet2::error::Error;
use parquet2::page::{DataPage, Page, split_buffer};
use parquet2::read::{decompress, get_page_iterator, read_metadata};
use parquet2::schema::types::PhysicalType;

use crate::{MEMORY, columns, corpus, files};

type Values = Vec<Option<Vec<u8>>>;

#[test]
fn golden_columns_are_what_parquet2_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/data");
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<PathBuf> =
        files.map(walkdir::DirEntry::into_path).filter(|p| p.extension().is_some()).collect();
    let compared = compare_all(&files);
    // Those that pyarrow, Polars and DuckDB write.
    for codec in ["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4_RAW"] {
        assert!(compared.get(codec).is_some_and(|columns| *columns > 3), "{codec}: {compared:?}");
    }
    assert!(compared.values().sum::<usize>() > 300, "{compared:?}");
}

#[test]
fn flat_columns_of_the_corpus_are_what_parquet2_reads() {
    let Some(corpus) = corpus() else { return };
    let files: Vec<_> = files(&corpus).iter().map(|file| corpus.join(file)).collect();
    let compared = compare_all(&files);
    assert!(compared.get("LZ4").is_some_and(|columns| *columns > 3), "{compared:?}");
    assert!(compared.values().sum::<usize>() > 100, "{compared:?}");
}

/// How many columns were compared, by codec.
fn compare_all(files: &[PathBuf]) -> BTreeMap<String, usize> {
    let mut compared = BTreeMap::new();
    let mut failures = Vec::new();
    for path in files {
        let run = Run::new(MEMORY);
        let Ok(table) = columns::open(path, &run) else { continue };
        for (root, name) in table.column_names().iter().enumerate() {
            let Ok(file) = table.files()[0].metadata() else { continue };
            let column = table.column(name).unwrap();
            let Ok(found) = columns::read(&table, &column, &RowRanges::all(table.rows()), &run) else {
                continue;
            };
            let leaf = (0..file.file_metadata().schema_descr().num_columns())
                .find(|leaf| file.file_metadata().schema_descr().get_column_root_idx(*leaf) == root)
                .unwrap();
            // It panics on some of what it cannot read.
            let theirs = catch_unwind(AssertUnwindSafe(|| read(path, leaf)));
            let Ok(Ok((physical, theirs))) = theirs else { continue };
            let Some(ours) = physical_values(&found, physical) else { continue };
            if ours != theirs {
                let row = ours.iter().zip(&theirs).position(|(a, b)| a != b);
                failures.push(format!("{}: column `{name}`, row {row:?}", path.display()));
            }
            let codecs: BTreeSet<_> = file
                .row_groups()
                .iter()
                .map(|group| group.column(leaf).compression().to_string())
                .map(|codec| codec.split('(').next().unwrap().to_owned())
                .collect();
            for codec in codecs {
                *compared.entry(codec).or_default() += 1;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    compared
}

/// A column's values as they lie in a file of that physical type, where that can be told.
fn physical_values(array: &ArrayRef, physical: PhysicalType) -> Option<Values> {
    if let DataType::Dictionary(_, values) = array.data_type() {
        return physical_values(&arrow_cast::cast(array, values).unwrap(), physical);
    }
    let of = |value: &dyn Fn(usize) -> Vec<u8>| -> Option<Values> {
        Some((0..array.len()).map(|row| array.is_valid(row).then(|| value(row))).collect())
    };
    let width = match physical {
        PhysicalType::Boolean => {
            let bits = array.as_boolean_opt()?;
            return of(&|row| vec![u8::from(bits.value(row))]);
        }
        PhysicalType::ByteArray => {
            let is_text = matches!(
                array.data_type(),
                DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Utf8View
                    | DataType::Binary
                    | DataType::LargeBinary
                    | DataType::BinaryView
            );
            let bytes = is_text.then(|| arrow_cast::cast(array, &DataType::LargeBinary).unwrap())?;
            return of(&|row| bytes.as_binary::<i64>().value(row).to_vec());
        }
        PhysicalType::Int32 | PhysicalType::Float => 4,
        PhysicalType::Int64 | PhysicalType::Double => 8,
        PhysicalType::FixedLenByteArray(width) => width,
        PhysicalType::Int96 => return None,
    };
    match array.data_type() {
        // Files have no seconds, and days rather than Arrow's milliseconds.
        DataType::Timestamp(TimeUnit::Second, _) | DataType::Time32(TimeUnit::Second) | DataType::Date64 => {
            None
        }
        DataType::Decimal128(..) => {
            let numbers = array.as_primitive::<arrow_array::types::Decimal128Type>();
            match physical {
                PhysicalType::FixedLenByteArray(width) if width <= 16 => {
                    of(&|row| numbers.value(row).to_be_bytes()[16 - width..].to_vec())
                }
                PhysicalType::Int32 | PhysicalType::Int64 => {
                    of(&|row| numbers.value(row).to_le_bytes()[..width].to_vec())
                }
                _ => None,
            }
        }
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal256(..) => None,
        DataType::FixedSizeBinary(_) => of(&|row| array.as_fixed_size_binary().value(row).to_vec()),
        other => {
            let own = other.primitive_width().filter(|own| *own <= width && !other.is_nested())?;
            let is_narrower = own < width;
            if is_narrower && !(other.is_integer() && physical == PhysicalType::Int32) {
                return None;
            }
            let data = array.to_data();
            let values = &data.buffers()[0].as_slice()[data.offset() * own..];
            let is_negative = |bytes: &[u8]| other.is_signed_integer() && bytes[own - 1] >= 0x80;
            of(&|row| {
                let bytes = &values[row * own..(row + 1) * own];
                let sign = if is_negative(bytes) { 0xff } else { 0 };
                bytes.iter().copied().chain(std::iter::repeat(sign)).take(width).collect()
            })
        }
    }
}

/// The physical values of a leaf column, if `parquet2` can read it and it is flat.
fn read(path: &Path, leaf: usize) -> Result<(PhysicalType, Values), Error> {
    let mut file = File::open(path)?;
    let metadata = read_metadata(&mut file)?;
    let descriptor = &metadata.schema().columns()[leaf].descriptor;
    if descriptor.max_rep_level > 0 || descriptor.max_def_level > 1 {
        return Err(unknown("nested"));
    }
    let physical = descriptor.primitive_type.physical_type;
    let mut values = Values::new();
    for group in &metadata.row_groups {
        let pages = get_page_iterator(&group.columns()[leaf], &mut file, None, Vec::new(), 1 << 28)?;
        let mut dictionary = Vec::new();
        for page in pages {
            match decompress(page?, &mut Vec::new())? {
                Page::Dict(page) => dictionary = plain(physical, &page.buffer, page.num_values)?,
                Page::Data(page) => data_page(&page, physical, &dictionary, &mut values)?,
            }
        }
    }
    Ok((physical, values))
}

fn data_page(
    page: &DataPage,
    physical: PhysicalType,
    dictionary: &[Vec<u8>],
    into: &mut Values,
) -> Result<(), Error> {
    let (_, levels, bytes) = split_buffer(page)?;
    let valid: Vec<bool> = if page.descriptor.max_def_level == 0 {
        vec![true; page.num_values()]
    } else {
        let levels = HybridRleDecoder::try_new(levels, 1, page.num_values())?;
        levels.map(|level| Ok(level? == 1)).collect::<Result<_, Error>>()?
    };
    let present = valid.iter().filter(|v| **v).count();
    let decoded = if present == 0 {
        Vec::new()
    } else {
        decode(page.encoding(), physical, bytes, present, dictionary)?
    };
    assert_eq!(decoded.len(), present);
    let mut decoded = decoded.into_iter();
    into.extend(valid.into_iter().map(|v| if v { decoded.next() } else { None }));
    Ok(())
}

fn decode(
    encoding: Encoding,
    physical: PhysicalType,
    bytes: &[u8],
    count: usize,
    dictionary: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Error> {
    match encoding {
        Encoding::Plain => plain(physical, bytes, count),
        Encoding::PlainDictionary | Encoding::RleDictionary => {
            HybridRleDecoder::try_new(&bytes[1..], u32::from(bytes[0]), count)?
                .map(|index| Ok(dictionary[index? as usize].clone()))
                .collect()
        }
        Encoding::Rle => HybridRleDecoder::try_new(&bytes[4..], 1, count)?
            .map(|bit| Ok(vec![u8::from(bit? == 1)]))
            .collect(),
        Encoding::DeltaBinaryPacked => {
            let width = if physical == PhysicalType::Int32 { 4 } else { 8 };
            let numbers = delta_bitpacked::Decoder::try_new(bytes)?;
            numbers.map(|number| Ok(number?.to_le_bytes()[..width].to_vec())).collect()
        }
        Encoding::DeltaLengthByteArray => suffixes(delta_length_byte_array::Decoder::try_new(bytes)?),
        Encoding::DeltaByteArray => {
            let mut decoder = delta_byte_array::Decoder::try_new(bytes)?;
            let prefixes = decoder.by_ref().collect::<Result<Vec<_>, _>>()?;
            let suffixes = suffixes(decoder.into_lengths()?)?;
            let mut last = Vec::new();
            let add = |(prefix, suffix): (u32, Vec<u8>)| {
                last.truncate(prefix as usize);
                last.extend(suffix);
                last.clone()
            };
            Ok(prefixes.into_iter().zip(suffixes).map(add).collect())
        }
        _ => Err(unknown("the encoding")),
    }
}

fn suffixes(mut decoder: delta_length_byte_array::Decoder<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let lengths = decoder.by_ref().collect::<Result<Vec<_>, _>>()?;
    let mut rest = decoder.into_values();
    let cut = |length: i32| {
        let (value, tail) = rest.split_at(length as usize);
        rest = tail;
        value.to_vec()
    };
    Ok(lengths.into_iter().map(cut).collect())
}

fn plain(physical: PhysicalType, bytes: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Error> {
    let fixed = |width: usize| Ok(bytes.chunks_exact(width).take(count).map(<[u8]>::to_vec).collect());
    match physical {
        PhysicalType::Boolean => {
            Ok(BitmapIter::new(bytes, 0, count).map(|bit| vec![u8::from(bit)]).collect())
        }
        PhysicalType::Int32 | PhysicalType::Float => fixed(4),
        PhysicalType::Int64 | PhysicalType::Double => fixed(8),
        PhysicalType::Int96 => fixed(12),
        PhysicalType::FixedLenByteArray(width) => fixed(width),
        PhysicalType::ByteArray => {
            BinaryIter::new(bytes, Some(count)).map(|value| value.map(<[u8]>::to_vec)).collect()
        }
    }
}

fn unknown(what: &str) -> Error {
    Error::FeatureNotSupported(what.to_owned())
}
