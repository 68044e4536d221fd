//! What a file is made of: columns, row groups, pages, codecs, encodings. No page is decompressed for it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use serde::Serialize;

use crate::ahead::ReadAhead;
use crate::error::Result;
use crate::file::ParquetFile;
use crate::read::count_pages;
use crate::run::Run;

/// A file, in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct FileDescription {
    /// Where it was opened.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The program that wrote it, by its own word.
    pub created_by: Option<String>,
    /// Its row groups.
    pub row_groups: Vec<GroupDescription>,
    /// Its leaf columns, in the order of the schema.
    pub columns: Vec<ColumnDescription>,
}

/// A row group, in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct GroupDescription {
    /// Its rows.
    pub rows: u64,
    /// Bytes that its column chunks take.
    pub bytes: u64,
}

/// A leaf column over all row groups.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnDescription {
    /// Its path in the schema, joined with dots.
    pub name: String,
    /// The Arrow type of the root column that it belongs to.
    pub arrow_type: String,
    /// How its values are stored.
    pub physical_type: String,
    /// Whether the schema allows nulls.
    pub nullable: bool,
    /// Nulls, where every row group counts them.
    pub nulls: Option<u64>,
    /// Codecs of its chunks.
    pub codecs: Vec<String>,
    /// Encodings of its pages.
    pub encodings: Vec<String>,
    /// Data pages.
    pub data_pages: u64,
    /// Dictionary pages.
    pub dictionary_pages: u64,
    /// Bytes that its chunks take.
    pub bytes: u64,
    /// Bytes that its chunks have when decompressed.
    pub uncompressed_bytes: u64,
    /// Whether every chunk has an offset index.
    pub offset_index: bool,
    /// Whether every chunk has a column index.
    pub column_index: bool,
}

impl ParquetFile {
    /// Describes the file. Page headers are walked, pages are not read.
    ///
    /// # Errors
    /// Typed by what is wrong with the file, naming path and column.
    pub fn describe(self: &Arc<Self>, run: &Run) -> Result<FileDescription> {
        let mut row_groups: Vec<GroupDescription> = (0..self.row_groups())
            .map(|group| self.group_rows(group))
            .map(|rows| GroupDescription { rows: rows.end - rows.start, bytes: 0 })
            .collect();
        let mut columns = Vec::new();
        for root in 0..self.root_columns() {
            for leaf in self.leaves(root) {
                run.check()?;
                let column = self.describe_leaf(root, leaf, &mut row_groups, run);
                columns.push(column.map_err(|e| e.path(self.path()).column(self.leaf_name(leaf)))?);
            }
        }
        Ok(FileDescription {
            path: self.path().to_owned(),
            bytes: self.identity().size(),
            rows: self.rows(),
            created_by: self.writer().map(str::to_owned),
            row_groups,
            columns,
        })
    }

    /// What describing it will read, if others answer for it: the indexes that count its pages, or else whole chunks.
    ///
    /// # Errors
    /// Those of a footer that contradicts itself.
    pub fn describe_ahead(self: &Arc<Self>) -> Result<ReadAhead> {
        let mut ranges = Vec::new();
        let roots = 0..self.root_columns();
        for leaf in roots.flat_map(|root| self.leaves(root)).filter(|_| self.is_asked()) {
            for group in 0..self.row_groups() {
                let (chunk, range) =
                    self.chunk(group, leaf).map_err(|e| e.path(self.path()).column(self.leaf_name(leaf)))?;
                ranges.push(chunk.offset_index_range().unwrap_or(range));
            }
        }
        ranges.retain(|range| !self.has_at_hand(range));
        Ok(ReadAhead { file: Arc::clone(self), ranges })
    }

    /// Adds to `groups` what its chunks take there.
    fn describe_leaf(
        self: &Arc<Self>,
        root: usize,
        leaf: usize,
        groups: &mut [GroupDescription],
        run: &Run,
    ) -> Result<ColumnDescription> {
        let part = self.part(root)?;
        let field = part.field()?;
        let descriptor = part.schema().columns().get(part.leaf(leaf - self.leaves(root).start));
        let mut out = ColumnDescription {
            name: self.leaf_name(leaf),
            arrow_type: field.data_type().to_string(),
            physical_type: descriptor.map(|c| c.physical_type().to_string()).unwrap_or_default(),
            nullable: descriptor.is_some_and(|c| c.max_def_level() > 0),
            nulls: Some(0),
            codecs: Vec::new(),
            encodings: Vec::new(),
            data_pages: 0,
            dictionary_pages: 0,
            bytes: 0,
            uncompressed_bytes: 0,
            offset_index: self.row_groups() > 0,
            column_index: self.row_groups() > 0,
        };
        let mut codecs = BTreeSet::new();
        let mut encodings = BTreeSet::new();
        for (group, described) in groups.iter_mut().enumerate() {
            let (chunk, range) = self.chunk(group, leaf)?;
            // What a forged footer says may add up to more than fits.
            let bytes = range.end - range.start;
            described.bytes = described.bytes.saturating_add(bytes);
            codecs.insert(codec(chunk.compression()));
            encodings.extend(chunk.encodings().map(encoding));
            let (data, dictionary) = count_pages(self, group, leaf, run)?;
            out.data_pages += data;
            out.dictionary_pages += dictionary;
            out.bytes = out.bytes.saturating_add(bytes);
            let uncompressed = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
            out.uncompressed_bytes = out.uncompressed_bytes.saturating_add(uncompressed);
            let nulls = chunk.statistics().and_then(parquet::file::statistics::Statistics::null_count_opt);
            out.nulls = out.nulls.zip(nulls).map(|(sum, more)| sum.saturating_add(more));
            out.offset_index &= chunk.offset_index_offset().is_some();
            out.column_index &= chunk.column_index_offset().is_some();
        }
        if field.data_type().is_nested() || !out.nullable {
            out.nulls = if out.nullable { None } else { Some(0) };
        }
        out.codecs = codecs.into_iter().collect();
        out.encodings = encodings.into_iter().collect();
        Ok(out)
    }
}

fn codec(compression: Compression) -> String {
    match compression {
        Compression::UNCOMPRESSED => "none".to_owned(),
        Compression::SNAPPY => "snappy".to_owned(),
        Compression::GZIP(_) => "gzip".to_owned(),
        Compression::LZO => "lzo".to_owned(),
        Compression::BROTLI(_) => "brotli".to_owned(),
        Compression::LZ4 => "lz4".to_owned(),
        Compression::LZ4_RAW => "lz4_raw".to_owned(),
        Compression::ZSTD(_) => "zstd".to_owned(),
    }
}

fn encoding(encoding: Encoding) -> String {
    encoding.to_string().to_lowercase()
}
