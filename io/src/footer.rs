//! A file's footer: found, measured and parsed.
//!
//! Layout of a Parquet file's end: the metadata (thrift), its length in four bytes, `PAR1`.
//! <https://parquet.apache.org/docs/file-format/>

use std::cell::Cell;
use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use crate::error::{Error, Result};
use crate::run::Run;
use crate::shape::check_footer;
use crate::signed::has_encrypted_columns;

/// The tail that is read at once; most footers lie within it.
const TAIL: u64 = 64 << 10;

/// No footer may be larger: a forged length must not reserve memory.
const LARGEST: u64 = 256 << 20;

const END: u64 = 8;

/// A file's end, which holds at least its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where in the file it begins.
    pub(crate) start: u64,
    /// All of the file from there.
    pub(crate) bytes: Bytes,
    /// Where in these bytes the metadata is.
    pub(crate) metadata: Range<usize>,
}

/// Finds the footer of a file of `size` bytes; `fetch` gives the bytes between two offsets. None is fetched twice.
pub(crate) fn find(size: u64, mut fetch: impl FnMut(u64, u64) -> Result<Bytes>) -> Result<Tail> {
    if size == 0 {
        return Err(Error::corrupt("the file is empty").hint("write it again"));
    }
    if size < END + 4 {
        return Err(not_parquet());
    }
    let tail_start = size.saturating_sub(TAIL);
    let tail = fetch(tail_start, size)?;
    let (body, end) = tail.split_at_checked(tail.len().wrapping_sub(8)).ok_or_else(not_parquet)?;
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
    match usize::try_from(metadata_start.wrapping_sub(tail_start)) {
        Ok(at) if metadata_start >= tail_start => {
            Ok(Tail { start: tail_start, metadata: at..body.len(), bytes: tail })
        }
        _ => {
            let before = fetch(metadata_start, tail_start)?;
            let metadata = 0..before.len() + body.len();
            Ok(Tail { start: metadata_start, metadata, bytes: [before, tail].concat().into() })
        }
    }
}

/// Parses a footer.
pub(crate) fn parse(tail: &Tail, run: &Run) -> Result<ParquetMetaData> {
    let bytes = tail.bytes.get(tail.metadata.clone()).ok_or_else(not_parquet)?;
    let _memory = run.reserve((bytes.len() as u64).saturating_mul(4), "the footer's metadata")?;
    if has_encrypted_columns(bytes) {
        return Err(encrypted());
    }
    check_footer(bytes)?;
    // What nobody here looks at is stepped over.
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    guarded(|| ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options)))
        .map_err(|e| e.hint("write the file again"))
}

thread_local!(static GUARDED: Cell<bool> = const { Cell::new(false) });

/// Whether a panic that happens now, on this thread, will be caught and become an [`Error`].
///
/// For the panic hook of a program that reports errors itself: it can keep silent about such a panic.
pub fn panic_is_caught() -> bool {
    GUARDED.get()
}

/// Runs a call into the `parquet` crate: its errors become typed ones, and so does a panic.
///
/// The crate checks its input, but it has panicked on forged bytes before; a panic on bytes of a file
/// must not end the process that reads it.
pub(crate) fn guarded<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    let before = GUARDED.replace(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(before);
    match outcome {
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
                    Err(cause) => from_text(&cause.to_string()),
                },
                Ok(None) => Error::corrupt("the bytes end too early"),
                Err(other) => from_text(&other.to_string()).source(other),
            },
        },
        other => from_text(&other.to_string()),
    }
}

/// What the crate's Arrow reader says comes as text alone, with the kinds of the errors before it.
fn from_text(text: &str) -> Error {
    let mut message = text;
    let kinds = ["External: ", "Parquet argument error: ", "Parquet error: ", "Arrow: ", "EOF: ", "NYI: "];
    while let Some(rest) = kinds.iter().find_map(|kind| message.strip_prefix(kind)) {
        message = rest;
    }
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["index overflow decoding byte array"]) {
        return Error::limit("its values have more bytes than one array can address")
            .hint("bound the rows with --from/--to/--last");
    }
    if says(&["nyi: ", "not supported", "unsupported", "not yet implemented", "not implemented"]) {
        return Error::unsupported(message);
    }
    Error::corrupt(message)
}

fn not_parquet() -> Error {
    Error::corrupt("it is not a Parquet file: it does not end in PAR1")
        .hint("is it the right file, and whole?")
}

fn encrypted() -> Error {
    Error::unsupported("the file, or a column of it, is encrypted").hint("write it without encryption")
}

fn too_large(length: u64) -> Error {
    Error::limit(format!("the footer has {length} bytes, more than the {LARGEST} that are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use parquet::errors::ParquetError;

    #[test]
    fn errors_of_the_crate_are_sorted_by_what_the_caller_can_do() {
        let general = |text: &str| ParquetError::General(text.to_owned());
        // As the Arrow reader hands them on.
        let through_arrow =
            |error: ParquetError| ParquetError::External(Box::new(arrow_schema::ArrowError::from(error)));
        for (error, kind, message) in [
            (general("a page is cut"), ErrorKind::Corrupt, "a page is cut"),
            (through_arrow(general("a page is cut")), ErrorKind::Corrupt, "a page is cut"),
            (through_arrow(ParquetError::EOF("it ends".to_owned())), ErrorKind::Corrupt, "it ends"),
            (ParquetError::NYI("LZO".to_owned()), ErrorKind::Unsupported, "LZO"),
            (through_arrow(ParquetError::NYI("LZO".to_owned())), ErrorKind::Unsupported, "LZO"),
            (
                through_arrow(general("Encoding BIT_PACKED is not supported")),
                ErrorKind::Unsupported,
                "Encoding BIT_PACKED is not supported",
            ),
            (
                through_arrow(general("index overflow decoding byte array")),
                ErrorKind::LimitExceeded,
                "its values have more bytes than one array can address",
            ),
            (
                ParquetError::External(Box::new(Error::new(ErrorKind::Unavailable, "the mount is gone"))),
                ErrorKind::Unavailable,
                "the mount is gone",
            ),
        ] {
            let found = from_parquet(error);
            assert_eq!((found.kind(), found.message()), (kind, message));
        }
    }

    #[test]
    fn a_panic_is_an_error_and_is_known_to_be_caught() {
        assert!(!panic_is_caught());
        let error = guarded(|| -> parquet::errors::Result<()> {
            assert!(panic_is_caught());
            guarded(|| Ok(())).unwrap();
            assert!(panic_is_caught());
            panic!("index out of bounds");
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().ends_with("index out of bounds"), "{error}");
        assert!(!panic_is_caught());
    }
}
