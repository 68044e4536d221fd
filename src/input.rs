//! Rows from files that other programs wrote, and from standard input.

use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use hypostyle_io::read_metadata;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use crate::{Error, Format, Result};

/// Lines of CSV that are looked at to tell the types of columns that no table has yet.
const LOOKED_AT: usize = 10_000;

/// Reads the rows of a file, Parquet, Arrow IPC or CSV by its name, as one batch. A column of CSV that `table` has is
/// read in the table's type; the types of others are guessed.
///
/// # Errors
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for another format; [`Corrupt`](crate::ErrorKind::Corrupt)
/// for what is not as its name says; those of reading a file.
pub fn read_rows(path: &Path, format: Option<Format>, table: Option<&Schema>) -> Result<RecordBatch> {
    let format = format.map_or_else(|| Format::from_path(path), Ok)?;
    let file = std::fs::File::open(path).map_err(|e| Error::from_io(path, e))?;
    match format {
        Format::Parquet => parquet(file),
        Format::Arrow => arrow(std::io::BufReader::new(file)),
        Format::Stream => stream(std::io::BufReader::new(file)),
        Format::Csv => csv(file, table),
        Format::Ndjson => Err(not_read(format)),
    }
    .map_err(|e| e.path(path))
}

/// Reads the rows of what is not a file, such as standard input. Its first bytes tell the format, unless it is given.
///
/// # Errors
/// Those of [`read_rows`].
pub fn read_rows_from(
    from: &mut dyn Read,
    format: Option<Format>,
    table: Option<&Schema>,
) -> Result<RecordBatch> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|e| Error::from_io(Path::new("-"), e))?;
    let by_magic = || match bytes.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => Format::Parquet,
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Format::Arrow,
        [0xff, 0xff, 0xff, 0xff, ..] => Format::Stream,
        _ => Format::Csv,
    };
    match format.unwrap_or_else(by_magic) {
        Format::Parquet => parquet(bytes::Bytes::from(bytes)),
        Format::Arrow => arrow(Cursor::new(bytes)),
        Format::Stream => stream(Cursor::new(bytes)),
        Format::Csv => csv(Cursor::new(bytes), table),
        Format::Ndjson => Err(not_read(Format::Ndjson)),
    }
}

fn not_read(format: Format) -> Error {
    Error::unsupported(format!("{format} is written, but not read")).hint("give Parquet, Arrow IPC or CSV")
}

fn wrong(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupt(error.to_string()).source(error)
}

fn parquet(from: impl ChunkReader + 'static) -> Result<RecordBatch> {
    let fetch = |start: u64, end: u64| from.get_bytes(start, (end - start) as usize).map_err(wrong);
    let metadata = read_metadata(from.len(), fetch)?;
    let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::default()).map_err(wrong)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(from, metadata);
    gathered(reader.with_batch_size(1 << 16).build().map_err(wrong)?)
}

fn arrow(from: impl Read + Seek) -> Result<RecordBatch> {
    gathered(arrow_ipc::reader::FileReader::try_new(from, None).map_err(wrong)?)
}

fn stream(from: impl Read) -> Result<RecordBatch> {
    gathered(arrow_ipc::reader::StreamReader::try_new(from, None).map_err(wrong)?)
}

fn csv(mut from: impl Read + Seek, table: Option<&Schema>) -> Result<RecordBatch> {
    let format = arrow_csv::reader::Format::default().with_header(true);
    let (guessed, _) = format.infer_schema(&mut from, Some(LOOKED_AT)).map_err(wrong)?;
    from.rewind().map_err(|e| Error::from_io(Path::new("-"), e))?;
    let known = |name: &str| table.and_then(|table| table.field_with_name(name).ok());
    let field = |field: &Arc<arrow_schema::Field>| {
        let data_type = known(field.name()).unwrap_or(field).data_type().clone();
        field.as_ref().clone().with_data_type(data_type).with_nullable(true)
    };
    let schema = Arc::new(Schema::new(guessed.fields().iter().map(field).collect::<Vec<_>>()));
    let reader = arrow_csv::ReaderBuilder::new(SchemaRef::clone(&schema)).with_format(format).build(from);
    let batches = reader.map_err(wrong)?.collect::<Result<Vec<_>, ArrowError>>().map_err(wrong)?;
    concat_batches(&schema, &batches).map_err(wrong)
}

fn gathered(reader: impl RecordBatchReader) -> Result<RecordBatch> {
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, ArrowError>>().map_err(wrong)?;
    concat_batches(&schema, &batches).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, TimestampMicrosecondArray};
    use arrow_schema::{DataType, Field, TimeUnit};

    use super::*;
    use crate::write_batch;

    #[test]
    fn every_format_is_read_from_a_file_and_from_a_pipe() {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, 3_600_000_000]));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        let columns = [("ts", times, true), ("x", values, true)];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let table =
            Schema::new(vec![Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), false)]);
        let folder = tempfile::tempdir().unwrap();
        for format in [Format::Parquet, Format::Arrow, Format::Stream, Format::Csv] {
            let path = folder.path().join(format!("rows{}", format.suffix()));
            let mut bytes = Vec::new();
            write_batch(&batch, format, &mut bytes).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read_rows(&path, None, Some(&table)).unwrap(), batch, "{format}");
            assert_eq!(read_rows_from(&mut bytes.as_slice(), None, Some(&table)).unwrap(), batch, "{format}");
            bytes.truncate(bytes.len() / 2);
            assert!(
                format == Format::Csv || read_rows_from(&mut bytes.as_slice(), Some(format), None).is_err()
            );
        }
        assert!(read_rows(&folder.path().join("rows.txt"), None, None).is_err());
        assert!(read_rows(&folder.path().join("none.csv"), None, None).is_err());
    }

    #[test]
    fn a_footer_that_is_not_what_the_format_says_is_refused_before_the_parquet_crate_goes_down_into_it() {
        // A schema of groups in groups, in which each says twice how many children it has: none, and one.
        let group = [0x48, 1, b'g', 0x15, 0, 0x05, 10, 2, 0];
        let schema = [&[0x15, 2, 0x19, 0xfc, 0xa0, 0x8d, 6][..], &group.repeat(100_000)].concat();
        let footer = [&schema[..], &[0x16, 0, 0x19, 0x0c, 0]].concat();
        let len = (footer.len() as u32).to_le_bytes();
        let file = [b"PAR1", &footer[..], &len, b"PAR1"].concat();
        let error = read_rows_from(&mut file.as_slice(), None, None).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
        assert!(error.message().contains("`num_children` comes twice"), "{error}");
    }
}
