//! Calls into the `parquet` crate: what it says, or dies of, becomes a typed error.

use std::cell::Cell;

use crate::error::{Error, Result};

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
fn from_parquet(error: parquet::errors::ParquetError) -> Error {
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
