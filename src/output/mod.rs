//! Frames to bytes, in the formats that other programs read.

mod file;
mod format;
mod readable;

use std::io::Write;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::{Error, ErrorKind, Result};

pub use file::OutputFile;
pub use format::Format;
pub use readable::{readable, shortened};

/// Buffers of a column are written as they stand; only headers and text are gathered first.
const BUFFER: usize = 256 << 10;

/// Writes a batch, whole: an Arrow file or stream has it as one batch, uncompressed.
///
/// In CSV a null is an empty field, and in NDJSON `null`; both give times of a named zone in UTC.
///
/// # Errors
/// [`InvalidRequest`](ErrorKind::InvalidRequest) when the format cannot hold a column's type,
/// [`Unavailable`](ErrorKind::Unavailable) when `out` takes no more.
pub fn write_batch(batch: &RecordBatch, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
    let mut out = Watched { out, failure: None };
    let written = encode(batch, format, &mut out);
    match (out.failure, written) {
        // Whatever the encoder made of it.
        (Some(failure), _) => Err(from_write(failure)),
        (None, Err(Refusal(message))) => {
            Err(Error::invalid(format!("{format} cannot hold this frame: {message}"))
                .hint("write .arrow, .parquet or .ndjson, or leave the column out"))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// Writes a batch to a file, which appears whole or not at all; see [`OutputFile`].
///
/// # Errors
/// Those of [`write_batch`] and [`OutputFile`], with the path.
pub fn write_file(batch: &RecordBatch, path: &Path, format: Format) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    write_batch(batch, format, &mut file).map_err(|e| e.path(path))?;
    file.commit()
}

/// What an encoder says of data that its format cannot hold.
struct Refusal(String);

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn encode(batch: &RecordBatch, format: Format, out: &mut Watched<'_>) -> Result<(), Refusal> {
    let schema = batch.schema();
    let mut out = std::io::BufWriter::with_capacity(BUFFER, out);
    match format {
        Format::Arrow => {
            let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut out, &schema)?;
            writer.write(batch)?;
            writer.finish()?;
        }
        Format::Stream => {
            let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut out, &schema)?;
            writer.write(batch)?;
            writer.finish()?;
        }
        Format::Parquet => {
            let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::default());
            let properties = WriterProperties::builder().set_compression(zstd).build();
            let mut writer = ArrowWriter::try_new(&mut out, schema, Some(properties))?;
            writer.write(batch)?;
            writer.close()?;
        }
        Format::Csv => {
            readable::check_flat(batch).map_err(Refusal)?;
            let batch = readable(batch)?;
            readable::check_times(&batch).map_err(Refusal)?;
            let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(&mut out);
            writer.write(&batch)?;
        }
        Format::Ndjson => {
            let batch = readable(batch)?;
            readable::check_times(&batch).map_err(Refusal)?;
            let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, arrow_json::writer::LineDelimited>(&mut out);
            writer.write(&batch)?;
            writer.finish()?;
        }
    }
    Ok(out.flush()?)
}

/// A writer that keeps the operating system's error, which some encoders turn into text.
struct Watched<'a> {
    out: &'a mut (dyn Write + Send),
    failure: Option<std::io::Error>,
}

impl Watched<'_> {
    fn note<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        result.map_err(|error| {
            let again = std::io::Error::from(error.kind());
            if error.kind() != std::io::ErrorKind::Interrupted {
                self.failure.get_or_insert(error);
            }
            again
        })
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.out.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.out.flush();
        self.note(result)
    }
}

/// An error of writing, sorted as [`Error::from_io`] does, where no path is known yet.
fn from_write(error: std::io::Error) -> Error {
    let kind = Error::from_io(Path::new(""), std::io::Error::from(error.kind())).kind();
    let kind = if kind == ErrorKind::Changed { ErrorKind::Unavailable } else { kind };
    Error::new(kind, format!("cannot write: {error}")).source(error)
}

#[cfg(test)]
mod tests;
