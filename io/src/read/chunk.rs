//! The bytes of one column chunk, whole or as they are asked for.

use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::{Error, Result};
use crate::file::ParquetFile;
use crate::reading::Reading;

/// Room for a page header with the statistics of a numeric column; longer ones take another read.
const HEADER: u64 = 256;

/// What a source said while the `parquet` crate asked it for pages: the crate hands errors on as text, from which
/// nobody could tell a mount that is gone from a broken file.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceFailure(Arc<Mutex<Option<Error>>>);

impl SourceFailure {
    /// Keeps the first error; gives a stand-in for the crate to hand on.
    fn keep(&self, error: Error) -> std::io::Error {
        let stand_in = std::io::Error::other(error.to_string());
        if let Ok(mut kept) = self.0.lock() {
            kept.get_or_insert(error);
        }
        stand_in
    }

    /// The error of the source, if there was one, else what was made of it.
    pub(super) fn or(&self, error: Error) -> Error {
        self.0.lock().ok().and_then(|mut kept| kept.take()).unwrap_or(error)
    }
}

/// One column chunk, addressed by offsets in the file; nothing outside of the chunk can be read.
pub(super) struct ChunkBytes {
    file: Arc<ParquetFile>,
    range: Range<u64>,
    whole: Option<Bytes>,
    reading: Arc<Reading>,
    failure: SourceFailure,
}

impl ChunkBytes {
    /// Reads the chunk at once when `whole` says so; else each header and page when it is wanted.
    pub(super) fn new(
        file: &Arc<ParquetFile>,
        range: Range<u64>,
        whole: bool,
        reading: &Arc<Reading>,
        failure: &SourceFailure,
    ) -> Result<Self> {
        let mut chunk = Self {
            file: Arc::clone(file),
            range,
            whole: None,
            reading: Arc::clone(reading),
            failure: failure.clone(),
        };
        if whole {
            let len = usize::try_from(chunk.range.end - chunk.range.start)
                .map_err(|_| Error::corrupt("a column chunk is too large"))?;
            chunk.whole = Some(fetch(&chunk.file, &chunk.reading, chunk.range.start, len)?);
        }
        Ok(chunk)
    }

    /// `len` bytes at `offset`, if the chunk has them.
    fn bytes(&self, offset: u64, len: usize) -> ParquetResult<Bytes> {
        let end =
            offset.checked_add(len as u64).filter(|end| *end <= self.range.end && offset >= self.range.start);
        let Some(end) = end else {
            return Err(ParquetError::EOF(format!(
                "a page at {offset} with {len} bytes lies outside of its column chunk at {}..{}",
                self.range.start, self.range.end
            )));
        };
        match &self.whole {
            Some(whole) => {
                let at = |o: u64| usize::try_from(o - self.range.start).unwrap_or(usize::MAX);
                Ok(whole.slice(at(offset)..at(end)))
            }
            None => fetch(&self.file, &self.reading, offset, len)
                .map_err(|e| ParquetError::from(self.failure.keep(e))),
        }
    }
}

fn fetch(file: &ParquetFile, reading: &Reading, offset: u64, len: usize) -> Result<Bytes> {
    file.read(offset, len, Vec::new(), reading)
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.range.end
    }
}

/// A page header is read byte by byte from here.
pub(super) struct HeaderRead {
    ahead: Bytes,
    /// The bytes behind those ahead, still to be fetched.
    rest: Range<u64>,
    file: Arc<ParquetFile>,
    reading: Arc<Reading>,
    failure: SourceFailure,
}

impl Read for HeaderRead {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.ahead.is_empty() && !self.rest.is_empty() && !into.is_empty() {
            let len = (self.rest.end - self.rest.start).min(16 * HEADER);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            self.ahead =
                fetch(&self.file, &self.reading, self.rest.start, len).map_err(|e| self.failure.keep(e))?;
            self.rest.start += len as u64;
        }
        let n = self.ahead.len().min(into.len());
        self.ahead.split_to(n).copy_to_slice(into.split_at_mut(n).0);
        Ok(n)
    }
}

impl ChunkReader for ChunkBytes {
    type T = HeaderRead;

    fn get_read(&self, start: u64) -> ParquetResult<HeaderRead> {
        let len = self.range.end.saturating_sub(start);
        let window = if self.whole.is_some() { len } else { len.min(HEADER) };
        let ahead = self.bytes(start, usize::try_from(window).unwrap_or(usize::MAX))?;
        Ok(HeaderRead {
            rest: start + ahead.len() as u64..self.range.end,
            ahead,
            file: Arc::clone(&self.file),
            reading: Arc::clone(&self.reading),
            failure: self.failure.clone(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.bytes(start, length)
    }
}
