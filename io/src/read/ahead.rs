//! What reading columns will ask of files that others answer for, so that it can be asked for at once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Piece, Reader};
use crate::ahead::ReadAhead;
use crate::error::Result;
use crate::file::ParquetFile;
use crate::index;
use crate::page::HEADER;
use crate::run::Run;
use crate::table::Column;

/// The ranges of each file, in the order of the files.
#[derive(Default)]
struct Wishes(Vec<ReadAhead>);

impl Wishes {
    fn add(&mut self, file: &Arc<ParquetFile>, range: Range<u64>) {
        if file.has_at_hand(&range) {
            return;
        }
        match self.0.last_mut() {
            Some(last) if Arc::ptr_eq(&last.file, file) => last.ranges.push(range),
            _ => self.0.push(ReadAhead { file: Arc::clone(file), ranges: vec![range] }),
        }
    }
}

impl Reader<'_> {
    fn each_chunk(
        &self,
        columns: &[&Column],
        mut each: impl FnMut(&Piece<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        for piece in self.pieces.iter().filter(|piece| piece.group.file.is_asked()) {
            let roots = columns.iter().filter_map(|column| column.root(piece.group.file_index));
            for leaf in roots.flat_map(|root| piece.group.file.leaves(root)) {
                each(piece, leaf).map_err(|e| e.path(piece.group.file.path()))?;
            }
        }
        Ok(())
    }

    /// The indexes that say which pages of the columns are wanted. None for files that are read here.
    ///
    /// # Errors
    /// Those of footers that contradict themselves.
    pub fn indexes_ahead(&self, columns: &[&Column]) -> Result<Vec<ReadAhead>> {
        let mut wishes = Wishes::default();
        self.each_chunk(columns, |piece, leaf| {
            let file = piece.group.file;
            let (chunk, _) = file.chunk(piece.group.group, leaf)?;
            let rows = piece.group.rows.end - piece.group.rows.start;
            if !index::is_whole(piece.rows.len(), rows) {
                chunk.offset_index_range().into_iter().for_each(|range| wishes.add(file, range));
            }
            Ok(())
        })?;
        Ok(wishes.0)
    }

    /// The pages of the columns that are wanted, or whole chunks where no index tells them. This reads the indexes.
    ///
    /// # Errors
    /// Those of reading the indexes.
    pub fn pages_ahead(&self, columns: &[&Column], run: &Run) -> Result<Vec<ReadAhead>> {
        let mut wishes = Wishes::default();
        self.each_chunk(columns, |piece, leaf| {
            let (file, group) = (piece.group.file, piece.group.group);
            let (_, chunk) = file.chunk(group, leaf)?;
            let (_, locations) = index::whole_or_pages(file, group, leaf, piece.rows.len(), run)?;
            let Some(locations) = locations else {
                wishes.add(file, chunk);
                return Ok(());
            };
            // As the pages are asked for by those who decode them: with room for a header.
            let with_header =
                |start: u64, end: u64| start..end.max(start.saturating_add(HEADER as u64)).min(chunk.end);
            let first = |at: usize| {
                let page = locations.get(at)?;
                Some((u64::try_from(page.offset).ok()?, u64::try_from(page.first_row_index).ok()?))
            };
            if let Some((offset, _)) = first(0).filter(|(offset, _)| *offset > chunk.start) {
                // A dictionary, of which the header is looked at beforehand.
                wishes.add(file, with_header(chunk.start, chunk.start));
                wishes.add(file, with_header(chunk.start, offset));
            }
            let rows = piece.group.rows.end - piece.group.rows.start;
            for (at, page) in locations.iter().enumerate() {
                let Some((offset, row)) = first(at) else { continue };
                let end = first(at + 1).map_or(rows, |(_, next)| next);
                if !piece.rows.within(&(row..end.max(row))).is_empty() {
                    let len = u64::try_from(page.compressed_page_size).unwrap_or(0);
                    wishes.add(file, with_header(offset, offset.saturating_add(len)));
                }
            }
            Ok(())
        })?;
        Ok(wishes.0)
    }
}

/// Asks for what a stage is going to read, all of it at once; whoever reads it waits for it then.
pub fn read_ahead(wishes: Vec<ReadAhead>, run: &Run) {
    let mut of_file: Vec<ReadAhead> = Vec::with_capacity(wishes.len());
    let mut places = HashMap::with_capacity(wishes.len());
    // What is wanted of a file twice is asked for once.
    for wish in wishes.into_iter().filter(|wish| !wish.ranges.is_empty()) {
        let next = of_file.len();
        match of_file.get_mut(*places.entry(wish.file.number()).or_insert(next)) {
            Some(first) => first.ranges.extend(wish.ranges),
            None => of_file.push(wish),
        }
    }
    if !of_file.is_empty() {
        run.reading.ahead.ask(of_file, &run.reading);
    }
}
