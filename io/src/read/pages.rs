//! Pages of one row group, handed to the `parquet` crate, and counted on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::RowGroups;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::Job;
use super::chunk::{Allowed, ChunkBytes, SourceFailure};
use crate::error::Result;
use crate::file::ParquetFile;
use crate::footer::{Part, guarded};
use crate::index;
use crate::run::{Counters, Run};

/// One row group as the `parquet` crate wants to see it.
pub(super) struct OneGroup<'a> {
    job: &'a Job<'a>,
    part: &'a Part,
    /// The column's first leaf in the file.
    first_leaf: usize,
    failure: SourceFailure,
}

impl<'a> OneGroup<'a> {
    pub(super) fn new(job: &'a Job<'a>, root: usize, part: &'a Part) -> Self {
        let first_leaf = job.group.file.leaves(root).start;
        Self { job, part, first_leaf, failure: SourceFailure::default() }
    }

    /// Why pages could not be had, where that was the source's fault.
    pub(super) fn failure(&self) -> &SourceFailure {
        &self.failure
    }

    fn pages(&self, leaf: usize) -> Result<CountedPages> {
        let Job { group, rows, run } = self.job;
        let (chunk, range) = group.file.chunk(group.group, leaf)?;
        // In one piece; else the offset index, or a walk of the page headers, finds the few pages that matter.
        let (whole, locations) = index::whole_or_pages(group.file, group.group, leaf, rows.len(), run)?;
        let bytes = ChunkBytes::new(group.file, range, whole, &run.reading, &self.failure)?;
        let bytes = Arc::new(bytes.checked(Allowed::of(chunk.compression(), run), locations.is_some()));
        let rows = usize::try_from(self.job.group_rows()).unwrap_or(usize::MAX);
        let inner = guarded(|| SerializedPageReader::new(bytes, chunk, rows, locations))?;
        Ok(CountedPages { inner, counters: Arc::clone(&run.counters) })
    }
}

impl RowGroups for OneGroup<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.job.group_rows()).unwrap_or(usize::MAX)
    }

    fn column_chunks(&self, leaf: usize) -> ParquetResult<Box<dyn PageIterator>> {
        let of_column = leaf.saturating_sub(self.part.leaf(0));
        let pages =
            self.pages(self.first_leaf + of_column).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.part.group(self.job.group.group).into_iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.part.metadata()
    }
}

/// The pages of one column chunk.
struct OneChunk(Option<CountedPages>);

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for OneChunk {}

/// Counts what is decompressed and what is stepped over.
struct CountedPages {
    inner: SerializedPageReader<ChunkBytes>,
    counters: Arc<Counters>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Iterator for CountedPages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CountedPages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if page.is_some() {
            count(&self.counters.pages_decoded);
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        count(&self.counters.pages_skipped);
        self.inner.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.inner.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.inner.take_deferred_dictionary()?;
        if page.is_some() {
            count(&self.counters.pages_decoded);
            self.counters.pages_skipped.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(page)
    }

    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        self.inner.at_record_boundary()
    }
}

/// Data pages and dictionary pages of a column chunk, by walking the page headers.
pub(crate) fn count_pages(
    file: &Arc<ParquetFile>,
    group: usize,
    leaf: usize,
    run: &Run,
) -> Result<(u64, u64)> {
    let (chunk, range) = file.chunk(group, leaf)?;
    // Where each look is a request to another machine, an index says it without the chunk.
    if file.is_asked()
        && let Some(locations) = index::page_locations(file, group, leaf, run)?
    {
        let first = locations.first().and_then(|page| u64::try_from(page.offset).ok());
        let dictionary = first.is_some_and(|first| first > range.start);
        return Ok((locations.len() as u64, u64::from(dictionary)));
    }
    let failure = SourceFailure::default();
    let bytes = Arc::new(ChunkBytes::new(file, range, file.is_asked(), &run.reading, &failure)?);
    guarded(|| {
        let mut pages = SerializedPageReader::new(bytes, chunk, 0, None)?;
        let (mut data, mut dictionary) = (0, 0);
        while let Some(page) = pages.peek_next_page()? {
            *if page.is_dict { &mut dictionary } else { &mut data } += 1;
            pages.skip_next_page()?;
        }
        Ok((data, dictionary))
    })
    .map_err(|e| failure.or(e))
}
