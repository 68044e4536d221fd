//! One opened Parquet file: its source, its metadata, its columns by name.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::Field;
use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::{Error, Result};
use crate::footer::{self, Footer, Named, Part, Tail};
use crate::opening::Opening;
use crate::platform::Identity;
use crate::reach::{Place, Reach, unless_changed, written_to};
use crate::reading::Reading;
use crate::requests::{Request, goes_on};
use crate::run::Run;
use crate::source::{self, IoMode, Source, past_the_end};

/// Where a file's bytes come from.
#[derive(Debug)]
struct From {
    /// The file itself, when it is read by whoever wants its bytes: it is on a local disk.
    here: Option<Arc<dyn Source>>,
    /// The ways to it, when others are asked for its bytes: always, or when it cannot be read here.
    reach: Option<Arc<Reach>>,
    /// What was read with the footer and will be wanted, and where it begins.
    tail: Option<(u64, Bytes)>,
    /// Indexes that were read since, and where they begin.
    indexes: Mutex<Vec<(u64, Bytes)>>,
}

/// An opened Parquet file. It keeps its descriptor, so it is one version of the file for its life.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    number: u64,
    from: From,
    identity: Identity,
    footer: Footer,
}

impl ParquetFile {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// Typed by what is wrong with the file, naming the path.
    pub fn open(path: &Path, mode: IoMode, run: &Run) -> Result<Arc<Self>> {
        Opening::begin(Place::one(path), mode, None, run).wait(run)
    }

    /// Opens a file on the thread that this is.
    pub(crate) fn open_here(place: &Place, mode: IoMode, run: &Run) -> Result<Self> {
        let path = place.path();
        let (source, identity) = source::open(path, mode)?;
        let opened = Self::of_source(place, Arc::clone(&source), identity, run);
        let file = opened.map_err(|error| {
            unless_changed(error, || source.identity().is_ok_and(|now| !identity.same_content(&now)))
                .path(path)
        })?;
        tracing::info!(path = %path.display(), rows = file.rows(), groups = file.row_groups(), "opened");
        Ok(file)
    }

    fn of_source(place: &Place, source: Arc<dyn Source>, identity: Identity, run: &Run) -> Result<Self> {
        let path = place.path();
        let tail = footer::find(source.len(), |from, to| {
            run.counters.read(to - from);
            let len = usize::try_from(to - from).map_err(|_| Error::limit("the footer is too large"))?;
            source.read(from, len).map_err(|e| Error::from_io(path, e))
        })?;
        let reach = (place.ways().len() > 1).then(|| Reach::new(place));
        if let Some(reach) = &reach {
            reach.seal_with(&tail);
        }
        let from = From { here: Some(source), reach, tail: None, indexes: Mutex::default() };
        Self::from_tail(path, from, identity, &tail, run)
    }

    /// A file that a thread of its mount has opened.
    pub(crate) fn open_there(
        reach: Arc<Reach>,
        root: usize,
        identity: Identity,
        tail: &Tail,
        run: &Run,
    ) -> Result<Self> {
        let path = reach.path_at(root).unwrap_or(Path::new("")).to_owned();
        let from = From { here: None, reach: Some(reach), tail: None, indexes: Mutex::default() };
        let mut file = Self::from_tail(&path, from, identity, tail, run).map_err(|e| e.path(&path))?;
        let before = tail.bytes.get(..tail.metadata.start).unwrap_or(&[]);
        // Page indexes lie before the metadata; of a small file all its pages do.
        if !before.is_empty() && (tail.start == 0 || file.footer.has_page_index()) {
            file.from.tail = Some((tail.start, Bytes::copy_from_slice(before)));
        }
        tracing::info!(path = %path.display(), rows = file.rows(), groups = file.row_groups(), "opened");
        Ok(file)
    }

    fn from_tail(path: &Path, from: From, identity: Identity, tail: &Tail, run: &Run) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let footer = Footer::parse(tail, run)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { path: path.to_owned(), number, from, identity, footer })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The footer's metadata. A join looks at what the footer says of its columns, and never asks for all of it.
    ///
    /// # Errors
    /// Those of parsing it.
    pub fn metadata(&self) -> Result<&Arc<ParquetMetaData>> {
        self.footer.whole().map_err(|e| e.path(&self.path))
    }

    /// The name of the program that wrote the file, by its own word.
    pub(crate) fn writer(&self) -> Option<&str> {
        self.footer.writer()
    }

    /// The name of a leaf column: its path in the schema, joined with dots.
    pub(crate) fn leaf_name(&self, leaf: usize) -> String {
        let root = self.root_of(leaf);
        let path = |part: &Part| {
            let leaf = part.leaf(leaf - self.leaves(root).start);
            part.schema().columns().get(leaf).map(|column| column.path().parts().join("."))
        };
        let name = self.part(root).ok().and_then(path);
        name.unwrap_or_else(|| self.footer.names().get(root).unwrap_or_default().to_owned())
    }

    /// The names of the root columns.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.footer.names().iter()
    }

    /// The file's rows.
    pub fn rows(&self) -> u64 {
        self.footer.rows()
    }

    /// A number that no other file opened by this process has, nor this one when it is opened again.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What told this version of the file from others when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// How many row groups.
    pub fn row_groups(&self) -> usize {
        self.footer.groups()
    }

    /// The rows of a row group, numbered within the file.
    pub fn group_rows(&self, group: usize) -> Range<u64> {
        self.footer.group_rows(group)
    }

    /// Whether others are asked for its bytes: it is on a mount that can hang.
    pub fn is_asked(&self) -> bool {
        self.from.here.is_none()
    }

    /// The CRC-32 of the footer with its length and magic: what a list of files says of this one, checked without
    /// reading its pages.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn footer_checksum(&self, run: &Run) -> Result<u32> {
        let size = self.len();
        let read = |from, len| self.read(from, len, Vec::new(), &run.reading);
        let end = read(size.saturating_sub(8), 8)?;
        let length = end.first_chunk::<4>().map_or(0, |l| u64::from(u32::from_le_bytes(*l)));
        let start = size.checked_sub(length + 8);
        let start =
            start.ok_or_else(|| Error::corrupt("the footer is larger than the file").path(&self.path))?;
        let length = usize::try_from(size - start).map_err(|_| Error::limit("the footer is too large"))?;
        Ok(crc32fast::hash(&read(start, length)?))
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.identity.size()
    }

    /// Exactly `len` bytes from `offset`, in `space` if they must be copied and it is large enough.
    pub(crate) fn read(&self, offset: u64, len: usize, space: Vec<u8>, reading: &Reading) -> Result<Bytes> {
        let From { here, reach, .. } = &self.from;
        let mut skip = 0;
        if let Some(source) = here {
            reading.counters.read(len as u64);
            match source.read_in(offset, len, space).map_err(|e| Error::from_io(&self.path, e)) {
                Ok(bytes) => {
                    self.note_root(usize::MAX, bytes.len() as u64, reading);
                    return Ok(bytes);
                }
                Err(error) if reach.is_none() || !goes_on(&error) => return Err(error),
                Err(_) => skip = 1,
            }
        }
        let range = offset..offset.saturating_add(len as u64);
        if range.end > self.len() {
            return Err(Error::from_io(&self.path, past_the_end(offset, len, self.len())));
        }
        if let Some(bytes) = self.at_hand(&range) {
            return Ok(bytes);
        }
        if let Some(bytes) = reading.ahead.take(self, offset, len as u64, reading)? {
            return Ok(bytes);
        }
        let reach = reach.as_ref().ok_or_else(|| Error::internal("a file without a way to it"))?;
        reading.counters.read(len as u64);
        let (root, bytes) = reach.read(&range, skip, &reading.rules).wait()?;
        self.note_root(root, len as u64, reading);
        Ok(bytes)
    }

    /// Asks for a range without waiting for it.
    pub(crate) fn request(&self, range: &Range<u64>, reading: &Reading) -> Option<Request<Bytes>> {
        self.from.reach.as_ref().map(|reach| reach.read(range, 0, &reading.rules))
    }

    /// Whether a range was read with the footer, or need not be asked for ahead.
    pub(crate) fn has_at_hand(&self, range: &Range<u64>) -> bool {
        !self.is_asked() || self.at_hand(range).is_some()
    }

    fn at_hand(&self, range: &Range<u64>) -> Option<Bytes> {
        let of_tail = self.from.tail.as_ref().and_then(|tail| part(tail, range));
        of_tail.or_else(|| {
            let indexes = self.from.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            indexes.iter().find_map(|index| part(index, range))
        })
    }

    /// Keeps what was read of a file that others answer for, for as long as the file is open.
    pub(crate) fn keep_at_hand(&self, start: u64, bytes: &Bytes) {
        if !self.has_at_hand(&(start..start.saturating_add(bytes.len() as u64))) {
            let mut indexes = self.from.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            indexes.push((start, Bytes::copy_from_slice(bytes)));
        }
    }

    /// Notes from which root bytes came; the greatest number is that of the file that is read here.
    pub(crate) fn note_root(&self, root: usize, bytes: u64, reading: &Reading) {
        if let Some(reach) = self.from.reach.as_ref().filter(|reach| reach.has_others()) {
            reading.came_from(if root == usize::MAX { reach.first_root() } else { root }, bytes);
        }
    }

    /// The position of the root column of that name.
    pub(crate) fn root(&self, name: &str) -> Result<Option<usize>> {
        match self.footer.names().find(name) {
            Named::None => Ok(None),
            Named::One(at) => Ok(Some(at)),
            Named::Several => Err(Error::unsupported("two columns of the file have this name")
                .column(name)
                .path(&self.path)
                .hint("write the file with different names")),
        }
    }

    /// How many root columns.
    pub(crate) fn root_columns(&self) -> usize {
        self.footer.names().len()
    }

    /// What the footer says of a root column.
    pub(crate) fn part(&self, root: usize) -> Result<&Part> {
        self.footer.part(root).map_err(|e| e.path(&self.path))
    }

    /// The name and Arrow type of a root column, as the `parquet` crate's reader gives them.
    pub(crate) fn field(&self, root: usize) -> Result<&Field> {
        self.part(root)?.field()
    }

    /// The leaf columns of a root column.
    pub(crate) fn leaves(&self, root: usize) -> Range<usize> {
        self.footer.leaves(root)
    }

    /// The root column of a leaf.
    pub(crate) fn root_of(&self, leaf: usize) -> usize {
        self.footer.root_of(leaf)
    }

    /// A column chunk whose place is inside the file.
    pub(crate) fn chunk(&self, group: usize, leaf: usize) -> Result<(&ColumnChunkMetaData, Range<u64>)> {
        let root = self.root_of(leaf);
        let of_column = leaf - self.leaves(root).start;
        let chunk = self
            .part(root)?
            .chunk(group, of_column)
            .ok_or_else(|| Error::corrupt("a row group has fewer columns than the schema"))?;
        let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()));
        let len = u64::try_from(chunk.compressed_size());
        match (start, len, chunk.data_page_offset() >= 0) {
            (Ok(start), Ok(len), true) if start.checked_add(len).is_some_and(|end| end <= self.len()) => {
                Ok((chunk, start..start + len))
            }
            _ => Err(Error::corrupt(format!(
                "row group {group} puts a column at {} with {} bytes, the file has {}",
                chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()),
                chunk.compressed_size(),
                self.len()
            ))),
        }
    }
}

/// The part of a file's end that a range is.
fn part((start, bytes): &(u64, Bytes), range: &Range<u64>) -> Option<Bytes> {
    let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
    let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}

/// Fails with [`ErrorKind::Changed`](crate::ErrorKind::Changed) if one of the files was written to since it was
/// opened, as far as its file system tells. Those on mounts that can hang are asked for at once.
///
/// # Errors
/// Also those of asking, each with its file.
pub fn check_unchanged<'a>(files: impl IntoIterator<Item = &'a ParquetFile>, run: &Run) -> Result<()> {
    let mut asked = Vec::new();
    let mut outcome = Ok(());
    for file in files {
        if let Some(source) = &file.from.here {
            let now = source.identity().map_err(|e| Error::from_io(&file.path, e))?;
            // A rename over the path, or an unlink, changes the inode's change time but neither its bytes.
            if !now.same_content(&file.identity) {
                outcome = outcome.and(Err(written_to().path(&file.path)));
            }
        }
        if let Some(reach) = &file.from.reach {
            asked.extend(reach.check(&run.reading.rules));
        }
    }
    outcome?;
    asked.into_iter().try_for_each(|request| request.wait().map(drop))
}
