//! Booleans, from pages into an array of bits.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::BooleanBufferBuilder;
use parquet::basic::Encoding;

use super::direct::{Nulls, ReadPage, each_run};
use crate::encoding::boolean::Booleans;
use crate::encoding::{Decoded, Fault};
use crate::error::Result;
use crate::page::Want;
use crate::run::{Reserved, Run};

/// A column of booleans that is being put together.
pub(super) struct Column<'p> {
    bits: BooleanBufferBuilder,
    nulls: Nulls,
    _memory: Reserved<'p>,
}

impl<'p> Column<'p> {
    pub(super) fn new(rows: usize, run: &'p Run) -> Result<Self> {
        let memory = run.reserve(rows as u64 / 8, "the decoded column")?;
        Ok(Self { bits: BooleanBufferBuilder::new(rows), nulls: Nulls::default(), _memory: memory })
    }

    /// Decodes the wanted rows of a page.
    pub(super) fn take(&mut self, read: ReadPage<'_, 'p>) -> Decoded<()> {
        let ReadPage { page, optional, wanted, pages, scratch, .. } = read;
        let parts = page.parts(pages.codec(), optional, Want::All, scratch)?;
        let validity = &parts.validity;
        let mut booleans = match page.header.encoding {
            Encoding::PLAIN => Booleans::plain(parts.values, validity.count(0, page.len()))?,
            Encoding::RLE => Booleans::runs(parts.values)?,
            _ => return Err(Fault::Unknown),
        };
        let mut row = 0;
        for range in wanted {
            booleans.skip(validity.count(row, range.start - row))?;
            each_run(validity, range.start, range.len(), |nulls, values| {
                self.bits.append_n(nulls, false);
                booleans.read(values, &mut self.bits)
            })?;
            self.nulls.append(validity, range.start, range.len());
            row = range.end;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        Arc::new(BooleanArray::new(self.bits.finish(), self.nulls.finish()))
    }
}
