//! The bytes of one column chunk, whole or as they are asked for.

use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::encoding::Fault;
use crate::error::{Error, Result};
use crate::file::ParquetFile;
use crate::page::check_size;
use crate::page::header::{PageHeader, PageKind};
use crate::page::thrift::ThriftError;
use crate::reading::Reading;
use crate::run::Run;

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

/// What a page may become: the `parquet` crate makes room for whatever a header says, and fills it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    codec: Compression,
    bytes: u64,
}

impl Allowed {
    /// As much as is left of the run's memory.
    pub(super) fn of(codec: Compression, run: &Run) -> Self {
        Self { codec, bytes: run.memory_left() }
    }

    /// Refuses the page whose header these bytes begin with; `None` if they do not have all of it.
    fn check(self, bytes: &[u8]) -> Option<Result<()>> {
        let header = match PageHeader::read(bytes) {
            Ok((header, _)) => header,
            Err(ThriftError::Short) => return None,
            Err(ThriftError::Malformed(why)) => {
                return Some(Err(Error::corrupt(format!("the header of a page makes no sense: {why}"))));
            }
        };
        if header.size as u64 > self.bytes {
            return Some(Err(Error::limit(format!(
                "a page would take {} bytes, and {} are left of the memory limit",
                header.size, self.bytes
            ))
            .hint("raise --memory-limit")));
        }
        if let PageKind::Dictionary { values, .. } = header.page
            && values > header.size
        {
            // No value of a dictionary takes less than a byte.
            return Some(Err(Error::corrupt(format!(
                "{} bytes are not the {values} values of a dictionary",
                header.size
            ))));
        }
        Some(match check_size(self.codec, header.stored, header.size) {
            Err(Fault::Corrupt(what)) => Err(Error::corrupt(what)),
            _ => Ok(()),
        })
    }
}

/// One column chunk, addressed by offsets in the file; nothing outside of the chunk can be read.
pub(super) struct ChunkBytes {
    file: Arc<ParquetFile>,
    range: Range<u64>,
    whole: Option<Bytes>,
    reading: Arc<Reading>,
    failure: SourceFailure,
    allowed: Option<Allowed>,
    /// Pages are asked for together with their headers, as those of an offset index are.
    with_headers: bool,
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
            allowed: None,
            with_headers: false,
        };
        if whole {
            let len = usize::try_from(chunk.range.end - chunk.range.start)
                .map_err(|_| Error::corrupt("a column chunk is too large"))?;
            chunk.whole = Some(fetch(&chunk.file, &chunk.reading, chunk.range.start, len)?);
        }
        Ok(chunk)
    }

    /// The same, of which no page may become larger than is allowed.
    pub(super) fn checked(mut self, allowed: Allowed, with_headers: bool) -> Self {
        self.allowed = Some(allowed);
        self.with_headers = with_headers;
        self
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
    /// What is to be checked when the header is read; nobody reads from where no header is.
    allowed: Option<Allowed>,
}

impl HeaderRead {
    fn check(&mut self, allowed: Allowed) -> Result<()> {
        loop {
            match allowed.check(&self.ahead) {
                Some(outcome) => return outcome,
                // The `parquet` crate will say that the header does not end.
                None if self.rest.is_empty() => return Ok(()),
                None => {
                    let left = self.rest.end - self.rest.start;
                    let len = left.min(16 * (self.ahead.len() as u64).max(HEADER));
                    let more = fetch(
                        &self.file,
                        &self.reading,
                        self.rest.start,
                        usize::try_from(len).unwrap_or(usize::MAX),
                    )?;
                    self.ahead = Bytes::from([&self.ahead[..], &more[..]].concat());
                    self.rest.start += len;
                }
            }
        }
    }
}

impl Read for HeaderRead {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if let Some(allowed) = self.allowed.take() {
            self.check(allowed).map_err(|e| self.failure.keep(e))?;
        }
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
            allowed: self.allowed,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.bytes(start, length)?;
        match self.allowed.filter(|_| self.with_headers).and_then(|allowed| allowed.check(&bytes)) {
            Some(Err(e)) => Err(ParquetError::from(self.failure.keep(e))),
            _ => Ok(bytes),
        }
    }
}
