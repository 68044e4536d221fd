//! One opened Parquet file: its source, its metadata, its columns by name.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ahash::RandomState;
use arrow_schema::{Field, SchemaRef};
use hashbrown::HashTable;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::{Error, ErrorKind, Result};
use crate::footer::{self, guarded};
use crate::platform::Identity;
use crate::run::Run;
use crate::source::{self, IoMode, Source};

/// An opened Parquet file. It keeps its descriptor, so it is one version of the file for its life.
#[derive(Debug)]
pub struct ParquetFile {
    path: PathBuf,
    number: u64,
    source: Arc<dyn Source>,
    identity: Identity,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    /// For each root column, its first leaf; one more at the end.
    first_leaf: Vec<usize>,
    /// For each row group, its first row; one more at the end.
    first_row: Vec<u64>,
    names: OnceLock<Names>,
}

/// The positions of root columns by the hashes of their names.
#[derive(Debug)]
struct Names {
    hasher: RandomState,
    places: HashTable<usize>,
}

impl ParquetFile {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// Typed by what is wrong with the file, naming the path.
    pub fn open(path: &Path, mode: IoMode, run: &Run) -> Result<Self> {
        let (source, identity) = source::open(path, mode)?;
        let file = Self::from_source(path, source, identity, run).map_err(|e| e.path(path))?;
        tracing::info!(path = %path.display(), rows = file.rows(), groups = file.row_groups(), "opened");
        Ok(file)
    }

    fn from_source(path: &Path, source: Arc<dyn Source>, identity: Identity, run: &Run) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let metadata = footer::read(source.as_ref(), run)?;
        let file = metadata.file_metadata();
        let schema = guarded(|| parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()))?;
        let descriptor = file.schema_descr();
        let mut first_leaf = Vec::with_capacity(schema.fields().len() + 1);
        for leaf in 0..descriptor.num_columns() {
            if descriptor.get_column_root_idx(leaf) >= first_leaf.len() {
                first_leaf.push(leaf);
            }
        }
        first_leaf.push(descriptor.num_columns());
        if first_leaf.len() != schema.fields().len() + 1 {
            return Err(Error::unsupported("a column of the file has no leaf"));
        }
        let mut first_row = vec![0u64];
        let mut rows = 0u64;
        for group in metadata.row_groups() {
            let in_group = u64::try_from(group.num_rows())
                .map_err(|_| Error::corrupt("a row group has a negative number of rows"))?;
            rows = rows
                .checked_add(in_group)
                .ok_or_else(|| Error::corrupt("the rows add up to more than fits"))?;
            first_row.push(rows);
        }
        Ok(Self {
            path: path.to_owned(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            source,
            identity,
            metadata: Arc::new(metadata),
            schema: Arc::new(schema),
            first_leaf,
            first_row,
            names: OnceLock::new(),
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The footer's metadata.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// The columns' names and Arrow types, as the `parquet` crate's reader gives them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The file's rows.
    pub fn rows(&self) -> u64 {
        self.first_row.last().copied().unwrap_or(0)
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
        self.metadata.num_row_groups()
    }

    /// The rows of a row group, numbered within the file.
    pub fn group_rows(&self, group: usize) -> Range<u64> {
        let at = |i: usize| self.first_row.get(i).copied().unwrap_or(self.rows());
        at(group)..at(group + 1)
    }

    /// Fails with [`ErrorKind::Changed`] if the file was written to since it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = self.source.identity().map_err(|e| Error::from_io(&self.path, e))?;
        // A rename over the path, or an unlink, changes the inode's change time but neither its bytes.
        if now.same_content(&self.identity) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Changed, "the file was written to while it was read")
            .path(&self.path)
            .hint("write a new file and rename it over the old one, and ask again"))
    }

    /// The CRC-32 of the footer with its length and magic: what a list of files says of this one, checked without
    /// reading its pages.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn footer_checksum(&self) -> Result<u32> {
        let from_io = |e| Error::from_io(&self.path, e);
        let size = self.source.len();
        let end = self.source.read(size.saturating_sub(8), 8).map_err(from_io)?;
        let length = end.first_chunk::<4>().map_or(0, |l| u64::from(u32::from_le_bytes(*l)));
        let start = size.checked_sub(length + 8);
        let start =
            start.ok_or_else(|| Error::corrupt("the footer is larger than the file").path(&self.path))?;
        let length = usize::try_from(size - start).map_err(|_| Error::limit("the footer is too large"))?;
        Ok(crc32fast::hash(&self.source.read(start, length).map_err(from_io)?))
    }

    pub(crate) fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The position of the root column of that name.
    pub(crate) fn root(&self, name: &str) -> Result<Option<usize>> {
        let fields = self.schema.fields();
        let Names { hasher, places } = self.names.get_or_init(|| {
            let hasher = RandomState::new();
            let hash = |at: &usize| hasher.hash_one(fields.get(*at).map_or("", |field| field.name()));
            let mut places = HashTable::with_capacity(fields.len());
            for at in 0..fields.len() {
                places.insert_unique(hash(&at), at, hash);
            }
            Names { hasher, places }
        });
        let mut found = places
            .iter_hash(hasher.hash_one(name))
            .filter(|at| fields.get(**at).is_some_and(|field| field.name() == name));
        let first = found.next().copied();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(Error::unsupported("two columns of the file have this name")
                .column(name)
                .path(&self.path)
                .hint("write the file with different names")),
        }
    }

    pub(crate) fn field(&self, root: usize) -> Result<&Field> {
        self.schema
            .fields()
            .get(root)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::internal("no such root column"))
    }

    /// The leaf columns of a root column.
    pub(crate) fn leaves(&self, root: usize) -> Range<usize> {
        let at = |i: usize| self.first_leaf.get(i).copied().unwrap_or(0);
        at(root)..at(root + 1)
    }

    /// A column chunk whose place is inside the file.
    pub(crate) fn chunk(&self, group: usize, leaf: usize) -> Result<(&ColumnChunkMetaData, Range<u64>)> {
        let chunk = self
            .metadata
            .row_groups()
            .get(group)
            .and_then(|g| g.columns().get(leaf))
            .ok_or_else(|| Error::corrupt("a row group has fewer columns than the schema"))?;
        let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()));
        let len = u64::try_from(chunk.compressed_size());
        match (start, len, chunk.data_page_offset() >= 0) {
            (Ok(start), Ok(len), true)
                if start.checked_add(len).is_some_and(|end| end <= self.source.len()) =>
            {
                Ok((chunk, start..start + len))
            }
            _ => Err(Error::corrupt(format!(
                "row group {group} puts a column at {} with {} bytes, the file has {}",
                chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()),
                chunk.compressed_size(),
                self.source.len()
            ))),
        }
    }
}
