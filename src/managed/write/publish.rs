//! Rows to data files that nobody sees yet, and data files back to rows.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hypostyle_engine::read_table;
use hypostyle_io::{IoMode, Missing, ParquetFile, Run, Table, fast_file};

use super::super::files::{Files, Syncing};
use super::super::layout::Layout;
use super::super::manifest::FileEntry;
use super::super::unique::unique;
use super::rows::{fit, range};
use crate::store::{Lane, on_threads};
use crate::{Error, ErrorKind, Result};

/// Writes data files, and takes them away again if they come to nothing.
#[derive(Debug)]
pub(in super::super) struct Publisher<'s> {
    layout: &'s Layout,
    files: &'s Files,
    run: &'s Run,
    fence: u64,
    written: Vec<PathBuf>,
    syncing: Vec<Syncing>,
}

impl<'s> Publisher<'s> {
    pub(in super::super) fn new(layout: &'s Layout, files: &'s Files, run: &'s Run, fence: u64) -> Self {
        Self { layout, files, run, fence, written: Vec::new(), syncing: Vec::new() }
    }

    /// The files that were written, whose owner the caller is from now on, and what must be waited for before they
    /// are durable.
    pub(in super::super) fn keep(mut self) -> (Vec<PathBuf>, Vec<Syncing>) {
        (std::mem::take(&mut self.written), std::mem::take(&mut self.syncing))
    }

    /// Writes rows to a new file, and begins to make it durable.
    pub(in super::super) fn publish(
        &mut self,
        table: &str,
        rows: &RecordBatch,
        key: &[String],
    ) -> Result<FileEntry> {
        self.run.check()?;
        // On the threads that joins use; what waits for a disk does not, and keeps no join waiting.
        let bytes = on_threads(Lane::default(), Some(self.run), || fast_file(rows, key))
            .map_err(|e| e.table(table))?;
        let name = Layout::data_name(table, self.fence, &unique());
        let path = self.layout.data(table, &name)?;
        let folder = self.layout.table(table);
        let is_new = self.files.make_folder(&folder).map_err(|e| e.table(table))?;
        if is_new {
            self.syncing.push(self.files.begin_sync_folder(self.layout.root())?);
        }
        self.written.push(path.clone());
        let write = || {
            let mut file = self.files.begin(&path)?;
            self.files.append(&path, &mut file, &bytes)?;
            self.files.begin_sync(&path, file)
        };
        self.syncing.push(write().map_err(|e| e.table(table))?);
        let fields = rows.schema_ref().fields().iter();
        let schema: String = fields.map(|f| format!("{}:{}\n", f.name(), f.data_type())).collect();
        Ok(FileEntry {
            name,
            bytes: bytes.len() as u64,
            checksum: crc32fast::hash(&bytes),
            footer: footer_checksum(&bytes)?,
            rows: rows.num_rows() as u64,
            keys: range(rows, key)?,
            sorted: true,
            schema: crc32fast::hash(schema.as_bytes()),
            fence: self.fence,
        })
    }

    /// Begins to make the names of what was written durable.
    pub(in super::super) fn settle(&mut self, table: &str) -> Result<()> {
        let folder = self.layout.table(table);
        self.syncing.push(self.files.begin_sync_folder(&folder).map_err(|e| e.table(table))?);
        Ok(())
    }

    /// The rows of some of a table's files, in the columns of `schema`.
    pub(in super::super) fn read(
        &self,
        table: &str,
        files: &[&FileEntry],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let open = |file: &&FileEntry| {
            let path = self.layout.data(table, &file.name)?;
            let opened = ParquetFile::open(&path, IoMode::Pread, self.run).map_err(|e| gone(e, table))?;
            open(&opened, file, table, self.run)?;
            Ok(opened)
        };
        let opened = files.iter().map(open).collect::<Result<Vec<_>>>()?;
        let opened = Table::new(table, opened, Missing::Null)?;
        let rows = on_threads(Lane::default(), Some(self.run), || read_table(&opened, self.run))?;
        fit(&rows, schema)
    }
}

impl Drop for Publisher<'_> {
    fn drop(&mut self) {
        discard(self.files, &self.written);
    }
}

/// Takes away files that no manifest names. What stays behind is for gc.
pub(in super::super) fn discard(files: &Files, written: &[PathBuf]) {
    for path in written {
        if let Err(error) = files.remove(path) {
            tracing::debug!(%error, "a file was left behind");
        }
    }
}

/// Checks that an opened file is the one that the manifest lists.
pub(in super::super) fn open(opened: &ParquetFile, listed: &FileEntry, table: &str, run: &Run) -> Result<()> {
    let wrong = |what: String| {
        Error::corrupt(what)
            .table(table)
            .path(opened.path())
            .hint("published files never change: restore the file, or see `hypostyle repair`")
    };
    let size = opened.identity().size();
    if size != listed.bytes {
        return Err(wrong(format!("the file has {size} bytes, and the manifest says {}", listed.bytes)));
    }
    let footer = opened.footer_checksum(run).map_err(|e| e.table(table))?;
    if footer != listed.footer || opened.rows() != listed.rows {
        return Err(wrong("the file was replaced: its footer is not the one that was written".to_owned()));
    }
    Ok(())
}

/// A file that a manifest names and that is not there is no wrong request.
pub(in super::super) fn gone(error: Error, table: &str) -> Error {
    let missing = error.kind() == ErrorKind::NotFound;
    match error.file_path().map(Path::to_owned) {
        Some(path) if missing => Error::corrupt("the manifest names this file, and it is missing")
            .table(table)
            .path(path)
            .hint("restore the file, read an older snapshot, or see `hypostyle repair`"),
        _ => error.table(table),
    }
}

fn footer_checksum(bytes: &[u8]) -> Result<u32> {
    let length = bytes.len().checked_sub(8).and_then(|at| bytes.get(at..)?.first_chunk::<4>());
    let length = length.map_or(0, |l| u32::from_le_bytes(*l) as usize);
    let footer = bytes.len().checked_sub(length + 8).and_then(|at| bytes.get(at..));
    footer.map(crc32fast::hash).ok_or_else(|| Error::internal("a written file has no footer"))
}
