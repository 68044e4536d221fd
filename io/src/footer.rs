//! A file's footer: found, measured and parsed.
//!
//! Layout of a Parquet file's end: the metadata (thrift), its length in four bytes, `PAR1`.
//! <https://parquet.apache.org/docs/file-format/>

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, Result};
use crate::run::Run;
use crate::source::Source;

/// The tail that is read at once; most footers lie within it.
const TAIL: u64 = 64 << 10;

/// No footer may be larger: a forged length must not reserve memory.
const LARGEST: u64 = 256 << 20;

const END: u64 = 8;

/// Reads and parses the footer of a file.
pub(crate) fn read(source: &dyn Source, run: &Run) -> Result<ParquetMetaData> {
    let size = source.len();
    if size == 0 {
        return Err(Error::corrupt("the file is empty").hint("write it again"));
    }
    if size < END + 4 {
        return Err(not_parquet());
    }
    let fetch = |from: u64, to: u64| {
        let len = usize::try_from(to - from).map_err(|_| too_large(to - from))?;
        run.counters.read(to - from);
        source.read(from, len).map_err(|e| Error::from_io(std::path::Path::new(""), e).without_path())
    };
    let tail_start = size.saturating_sub(TAIL);
    let tail = fetch(tail_start, size)?;
    let (body, end) = tail.split_at_checked(tail.len() - 8).ok_or_else(not_parquet)?;
    let [l0, l1, l2, l3, magic @ ..] = end else { return Err(not_parquet()) };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted()),
        _ => return Err(not_parquet()),
    }
    let length = u64::from(u32::from_le_bytes([*l0, *l1, *l2, *l3]));
    if length > size - END - 4 {
        return Err(Error::corrupt(format!("the footer says it has {length} bytes, the file has {size}"))
            .hint("the file may be cut off; write it again"));
    }
    if length > LARGEST {
        return Err(too_large(length));
    }
    let metadata_start = size - END - length;
    let _memory = run.reserve(length.saturating_mul(4), "the footer's metadata")?;
    let parse = |bytes: &[u8]| {
        guarded(|| ParquetMetaDataReader::decode_metadata(bytes)).map_err(|e| e.hint("write the file again"))
    };
    match usize::try_from(metadata_start.wrapping_sub(tail_start)).ok().and_then(|at| body.get(at..)) {
        Some(bytes) if metadata_start >= tail_start => parse(bytes),
        _ => parse(&fetch(metadata_start, size - END)?),
    }
}

/// Runs a call into the `parquet` crate: its errors become typed ones, and so does a panic.
///
/// The crate checks its input, but it has panicked on forged bytes before; a panic on bytes of a file
/// must not end the process that reads it.
pub(crate) fn guarded<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(from_parquet),
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(Error::corrupt(format!("the bytes contradict themselves: {text}")))
        }
    }
}

/// Sorts an error of the `parquet` crate by what the caller can do about it.
///
/// What our own source said travels inside and comes out unchanged: a failed read is no corruption.
pub(crate) fn from_parquet(error: parquet::errors::ParquetError) -> Error {
    use parquet::errors::ParquetError;
    match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => match other.downcast::<std::io::Error>().map(|e| e.into_inner()) {
                Ok(Some(cause)) => match cause.downcast::<Error>() {
                    Ok(own) => *own,
                    Err(cause) => Error::corrupt(cause.to_string()),
                },
                Ok(None) => Error::corrupt("the bytes end too early"),
                Err(other) => Error::corrupt(other.to_string()).source(other),
            },
        },
        ParquetError::NYI(message) => Error::unsupported(message),
        ParquetError::General(message) if says_unsupported(&message) => Error::unsupported(message),
        ParquetError::ArrowError(message) if says_unsupported(&message) => Error::unsupported(message),
        ParquetError::General(message) | ParquetError::EOF(message) | ParquetError::ArrowError(message) => {
            Error::corrupt(message)
        }
        other => Error::corrupt(other.to_string()),
    }
}

fn says_unsupported(message: &str) -> bool {
    let lower = message.to_lowercase();
    ["not supported", "unsupported", "not yet implemented", "not implemented"]
        .iter()
        .any(|w| lower.contains(w))
}

fn not_parquet() -> Error {
    Error::corrupt("it is not a Parquet file: it does not end in PAR1")
        .hint("is it the right file, and whole?")
}

fn encrypted() -> Error {
    Error::unsupported("the file is encrypted").hint("write it without encryption")
}

fn too_large(length: u64) -> Error {
    Error::limit(format!("the footer has {length} bytes, more than the {LARGEST} that are allowed"))
}
