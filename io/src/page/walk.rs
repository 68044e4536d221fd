//! Which pages of a chunk hold the wanted rows, by its offset index or from header to header.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::file::page_index::offset_index::PageLocation;

use super::codec;
use super::header::{DataHeader, PageHeader, PageKind};
use super::scratch::{Scratch, keep, space, zeroed};
use super::thrift::ThriftError;
use crate::encoding::{Decoded, Fault, corrupt};
use crate::error::Error;
use crate::file::ParquetFile;
use crate::index;
use crate::run::{Reserved, Run};

/// Room for a page header with statistics, and for a small page with it; longer ones take another read.
pub(crate) const HEADER: usize = 1 << 10;

/// A data page that holds wanted rows, as it lies in the file.
#[derive(Debug)]
pub(crate) struct DataPage {
    /// Where its header is in the file.
    pub(crate) at: u64,
    pub(crate) header: DataHeader,
    /// Bytes that it has when decompressed.
    pub(crate) size: usize,
    pub(crate) stored: Bytes,
    /// Its rows, numbered within the row group.
    pub(crate) rows: Range<u64>,
}

/// A chunk's dictionary, decompressed.
#[derive(Debug)]
pub(crate) struct DictionaryPage<'a> {
    /// Where its header is in the file.
    pub(crate) at: u64,
    /// How many values its header says it has.
    pub(crate) values: usize,
    pub(crate) bytes: Bytes,
    _memory: Reserved<'a>,
}

/// The pages of one column chunk, from first to last.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    chunk: Chunk<'a>,
    codec: Compression,
    run: &'a Run,
    /// Where the next header is, and the first row behind it.
    next: u64,
    row: u64,
    group_rows: u64,
    locations: Option<std::vec::IntoIter<PageLocation>>,
    dictionary: Dictionary,
}

/// Where the dictionary page is.
#[derive(Debug)]
enum Dictionary {
    /// It has not been met.
    None,
    /// Its header is there.
    At(u64),
    Read,
}

impl<'a> Pages<'a> {
    /// The pages of a chunk of which `wanted` rows matter.
    pub(crate) fn new(
        file: &'a Arc<ParquetFile>,
        group: usize,
        leaf: usize,
        wanted: u64,
        run: &'a Run,
    ) -> Decoded<Self> {
        let (metadata, range) = file.chunk(group, leaf)?;
        let rows = file.group_rows(group);
        let group_rows = rows.end - rows.start;
        let mut chunk = Chunk { file, range: range.clone(), run, held: Bytes::new(), held_at: range.start };
        let (whole, locations) = index::whole_or_pages(file, group, leaf, wanted, run)?;
        if whole {
            let Ok(len) = usize::try_from(range.end - range.start) else {
                return corrupt("a column chunk is too large");
            };
            chunk.get(range.start, len, 0)?;
        }
        // A dictionary lies before the first page that the index names.
        let first = locations.as_ref().and_then(|l| l.first()).and_then(|l| u64::try_from(l.offset).ok());
        let dictionary = match first {
            Some(first) if first > range.start => Dictionary::At(range.start),
            _ => Dictionary::None,
        };
        Ok(Self {
            chunk,
            codec: metadata.compression(),
            run,
            next: range.start,
            row: 0,
            group_rows,
            locations: locations.map(Vec::into_iter),
            dictionary,
        })
    }

    /// How the pages are compressed.
    pub(crate) fn codec(&self) -> Compression {
        self.codec
    }

    /// The page that holds `row`, which must lie behind those of the page before; pages between are stepped over.
    pub(crate) fn holding(&mut self, row: u64) -> Decoded<DataPage> {
        let page = match &self.locations {
            Some(_) => self.by_index(row)?,
            None => self.by_walk(Some(row))?,
        };
        match page {
            Some(page) => {
                count(&self.run.counters.pages_decoded, 1);
                Ok(page)
            }
            None => corrupt(format!(
                "the footer says the row group has {} rows, the pages have {}",
                self.group_rows, self.row
            )),
        }
    }

    /// Fails if there are rows behind those of the last page. To be asked where the chunk has been read anyway.
    pub(crate) fn end(&mut self) -> Decoded<()> {
        let is_whole = self.chunk.held.len() as u64 == self.chunk.range.end - self.chunk.range.start;
        if self.locations.is_none() && is_whole {
            self.by_walk(None)?;
        }
        Ok(())
    }

    fn by_index(&mut self, row: u64) -> Decoded<Option<DataPage>> {
        let Some(locations) = &mut self.locations else { return Ok(None) };
        while let Some(location) = locations.next() {
            let first = u64::try_from(location.first_row_index).unwrap_or(u64::MAX);
            let end = locations
                .as_slice()
                .first()
                .map_or(self.group_rows, |next| u64::try_from(next.first_row_index).unwrap_or(u64::MAX));
            if end <= row {
                count(&self.run.counters.pages_skipped, 1);
                continue;
            }
            let at = u64::try_from(location.offset).unwrap_or(u64::MAX);
            let len = usize::try_from(location.compressed_page_size).unwrap_or(usize::MAX);
            let (header, header_len) = self.chunk.header(at, len)?;
            let PageKind::Data(data) = header.page else {
                return placed(corrupt("the offset index leads to a page without data"), at);
            };
            if header_len.saturating_add(header.stored) > len
                || end.checked_sub(first) != Some(data.values as u64)
            {
                return placed(corrupt("its header contradicts the offset index"), at);
            }
            let stored = self.chunk.get(at + header_len as u64, header.stored, 0)?;
            placed(self.verify(header.checksum, &stored), at)?;
            self.row = end;
            return Ok(Some(DataPage { at, header: data, size: header.size, stored, rows: first..end }));
        }
        Ok(None)
    }

    /// The next page with rows at or behind `row`; without one, nothing but rows that are too many are looked for.
    fn by_walk(&mut self, row: Option<u64>) -> Decoded<Option<DataPage>> {
        while self.next < self.chunk.range.end {
            let at = self.next;
            let (header, header_len) = self.chunk.header(at, 0)?;
            let body = at + header_len as u64;
            self.next = body + header.stored as u64;
            if self.next > self.chunk.range.end {
                return placed(corrupt("it does not end within its column chunk"), at);
            }
            match header.page {
                PageKind::Index => {}
                PageKind::Dictionary { .. } => match self.dictionary {
                    Dictionary::None => self.dictionary = Dictionary::At(at),
                    _ => return placed(corrupt("it is a second dictionary"), at),
                },
                PageKind::Data(data) => {
                    let first = self.row;
                    self.row += data.values as u64;
                    if self.row > self.group_rows {
                        return placed(
                            corrupt(format!(
                                "the footer says the row group has {} rows, the pages have more",
                                self.group_rows
                            )),
                            at,
                        );
                    }
                    let Some(row) = row else { continue };
                    if self.row <= row {
                        count(&self.run.counters.pages_skipped, 1);
                        continue;
                    }
                    let stored = self.chunk.get(body, header.stored, HEADER)?;
                    placed(self.verify(header.checksum, &stored), at)?;
                    let rows = first..self.row;
                    return Ok(Some(DataPage { at, header: data, size: header.size, stored, rows }));
                }
            }
        }
        Ok(None)
    }

    /// The chunk's dictionary, which can be had once.
    pub(crate) fn dictionary(&mut self, scratch: &mut Scratch) -> Decoded<DictionaryPage<'a>> {
        let Dictionary::At(at) = self.dictionary else {
            return corrupt("its values are in a dictionary that is not there");
        };
        self.dictionary = Dictionary::Read;
        let (header, header_len) = self.chunk.header(at, 0)?;
        let PageKind::Dictionary { values, encoding } = header.page else {
            return placed(corrupt("a dictionary was expected there"), at);
        };
        if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) {
            return Err(Fault::Unknown);
        }
        let stored = self.chunk.get(at + header_len as u64, header.stored, 0)?;
        count(&self.run.counters.pages_decoded, 1);
        let mut decompressed = || -> Decoded<Bytes> {
            self.verify(header.checksum, &stored)?;
            if self.codec == Compression::UNCOMPRESSED {
                return Ok(stored.clone());
            }
            let mut bytes = zeroed(header.size)?;
            codec::decompress(self.codec, &stored, &mut bytes, scratch.zstd())?;
            Ok(Bytes::from(bytes))
        };
        let size = if self.codec == Compression::UNCOMPRESSED { stored.len() } else { header.size };
        placed(codec::check_size(self.codec, stored.len(), size), at)?;
        let memory = self.run.reserve(size as u64, "a dictionary")?;
        Ok(DictionaryPage { at, values, bytes: placed(decompressed(), at)?, _memory: memory })
    }

    fn verify(&self, checksum: Option<u32>, stored: &[u8]) -> Decoded<()> {
        match checksum {
            Some(expected) if self.run.verifies() => {
                let found = crc32fast::hash(stored);
                if found == expected {
                    return Ok(());
                }
                corrupt(format!("its checksum is {found:08x}, its header says {expected:08x}"))
            }
            _ => Ok(()),
        }
    }
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Says where in the file the fault is.
pub(crate) fn placed<T>(outcome: Decoded<T>, at: u64) -> Decoded<T> {
    outcome.map_err(|fault| match fault {
        Fault::Corrupt(what) => Error::corrupt(format!("the page at byte {at}: {what}")).into(),
        other => other,
    })
}

/// The bytes of one column chunk; nothing outside of it can be read.
#[derive(Debug)]
struct Chunk<'a> {
    file: &'a ParquetFile,
    range: Range<u64>,
    run: &'a Run,
    /// What was read last, and where it begins.
    held: Bytes,
    held_at: u64,
}

impl Drop for Chunk<'_> {
    fn drop(&mut self) {
        keep(std::mem::take(&mut self.held));
    }
}

impl Chunk<'_> {
    /// `len` bytes at `at`; if they are not there yet, up to `ahead` more are read with them.
    fn get(&mut self, at: u64, len: usize, ahead: usize) -> Decoded<Bytes> {
        let left = usize::try_from(self.range.end.saturating_sub(at)).unwrap_or(usize::MAX);
        if at < self.range.start || len > left {
            return placed(corrupt("it does not lie within its column chunk"), at);
        }
        if let Some(bytes) = self.held_bytes(at, len) {
            return Ok(bytes);
        }
        let many = len.saturating_add(ahead).min(left);
        keep(std::mem::take(&mut self.held));
        self.held = self.file.read(at, many, space(many), &self.run.reading)?;
        self.held_at = at;
        match self.held_bytes(at, len) {
            Some(bytes) => Ok(bytes),
            None => Err(Error::internal("a source gave fewer bytes than were asked for").into()),
        }
    }

    fn held_bytes(&self, at: u64, len: usize) -> Option<Bytes> {
        let from = usize::try_from(at.checked_sub(self.held_at)?).ok()?;
        let end = from.checked_add(len)?;
        (end <= self.held.len()).then(|| self.held.slice(from..end))
    }

    /// The header at `at`, and its length. With it, as much of its page is read as is known to be wanted.
    fn header(&mut self, at: u64, wanted: usize) -> Decoded<(PageHeader, usize)> {
        let left = usize::try_from(self.range.end.saturating_sub(at)).unwrap_or(usize::MAX);
        // All that is here already, if that is more.
        let here = self.held_at.saturating_add(self.held.len() as u64).saturating_sub(at);
        let here = if at < self.held_at { 0 } else { usize::try_from(here).unwrap_or(0) };
        let mut window = if here >= HEADER { here } else { HEADER.max(wanted) }.min(left);
        loop {
            let bytes = self.get(at, window, 0)?;
            match PageHeader::read(&bytes) {
                Ok(read) => return Ok(read),
                Err(ThriftError::Short) if window < left => window = window.saturating_mul(16).min(left),
                Err(ThriftError::Short) => return placed(corrupt("its header does not end"), at),
                Err(ThriftError::Malformed(why)) => {
                    return placed(corrupt(format!("its header makes no sense: {why}")), at);
                }
            }
        }
    }
}
