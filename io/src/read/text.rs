//! Strings and binaries, from pages into an array.

use std::sync::Arc;

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::{ArrayRef, GenericBinaryArray, GenericStringArray, OffsetSizeTrait};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use parquet::basic::Encoding;

use super::direct::{Nulls, ReadPage};
use crate::encoding::delta_byte_array::Prefixed;
use crate::encoding::delta_length_byte_array::LengthsFirst;
use crate::encoding::dictionary::{IndexedTexts, TextDictionary};
use crate::encoding::levels::Validity;
use crate::encoding::plain::PlainTexts;
use crate::encoding::{Decoded, Fault, Texts};
use crate::error::{Error, Result};
use crate::page::{DictionaryPage, Want, placed};
use crate::run::{Reserved, Run};

/// No string of a page can be longer: pages are smaller.
const LONGEST: usize = i32::MAX as usize;

/// Where strings go.
pub(super) trait Output {
    /// Appends a string.
    fn push(&mut self, text: &[u8]) -> Decoded<()>;

    /// Appends nulls.
    fn nulls(&mut self, count: usize) -> Decoded<()>;

    /// The array.
    fn finish(self, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef>;
}

/// A column of strings that is being put together.
pub(super) struct Column<'p, T> {
    out: T,
    nulls: Nulls,
    dictionary: Option<(TextDictionary, Reserved<'p>)>,
}

impl<'p, T: Output> Column<'p, T> {
    pub(super) fn new(out: T) -> Self {
        Self { out, nulls: Nulls::default(), dictionary: None }
    }

    /// Decodes the wanted rows of a page.
    pub(super) fn take(&mut self, read: ReadPage<'_, 'p>) -> Decoded<()> {
        let ReadPage { page, optional, wanted, pages, scratch, job } = read;
        let encoding = page.header.encoding;
        let is_dictionary = matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
        if is_dictionary && self.dictionary.is_none() {
            let DictionaryPage { at, values, bytes, .. } = pages.dictionary(scratch)?;
            // Its bytes, and where each string is in them.
            let memory = bytes.len() + values.min(bytes.len() / 4) * 8;
            let memory = job.run.reserve(memory as u64, "a dictionary")?;
            self.dictionary = Some((placed(TextDictionary::new(bytes, values), at)?, memory));
        }
        let parts = page.parts(pages.codec(), optional, Want::All, scratch)?;
        let (bytes, validity) = (parts.values, &parts.validity);
        let lengths = |each: u64| job.run.reserve(each * page.len() as u64, "a page's lengths");
        let rows = Rows { validity, wanted, out: &mut self.out, nulls: &mut self.nulls };
        match (encoding, &self.dictionary) {
            (Encoding::PLAIN, _) => rows.fill(PlainTexts::new(bytes)),
            (_, Some((dictionary, _))) if is_dictionary => rows.fill(IndexedTexts::new(bytes, dictionary)?),
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, _) => {
                let _memory = lengths(4)?;
                rows.fill(LengthsFirst::new(bytes, page.len())?)
            }
            (Encoding::DELTA_BYTE_ARRAY, _) => {
                let _memory = lengths(8)?;
                rows.fill(Prefixed::new(bytes, page.len(), LONGEST)?)
            }
            _ => Err(Fault::Unknown),
        }
    }

    pub(super) fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        self.out.finish(self.nulls.finish(), data_type)
    }
}

/// The wanted rows of one page, and where they go.
struct Rows<'a, T> {
    validity: &'a Validity,
    wanted: &'a [std::ops::Range<usize>],
    out: &'a mut T,
    nulls: &'a mut Nulls,
}

impl<T: Output> Rows<'_, T> {
    fn fill(self, mut texts: impl Texts) -> Decoded<()> {
        let Self { validity, wanted, out, nulls } = self;
        let mut row = 0;
        for range in wanted {
            texts.skip(validity.count(row, range.start - row))?;
            match validity {
                Validity::All => texts.read(range.len(), &mut |text| out.push(text))?,
                Validity::Some(bits) => {
                    let bits = bits.slice(range.start, range.len());
                    let mut there = bits.set_indices();
                    let mut done = 0;
                    texts.read(validity.count(range.start, range.len()), &mut |text| {
                        let at = there.next().unwrap_or(done);
                        out.nulls(at - done)?;
                        done = at + 1;
                        out.push(text)
                    })?;
                    out.nulls(range.len() - done)?;
                }
            }
            nulls.append(validity, range.start, range.len());
            row = range.end;
        }
        Ok(())
    }
}

/// Memory for bytes, taken from the run's limit before it is there.
struct Budget<'p> {
    run: &'p Run,
    taken: Vec<Reserved<'p>>,
    all: usize,
}

impl<'p> Budget<'p> {
    fn new(run: &'p Run, bytes: usize) -> Result<Self> {
        let taken = vec![run.reserve(bytes as u64, "the decoded column")?];
        Ok(Self { run, taken, all: 0 })
    }

    /// Takes `bytes` at least; gives how many.
    #[cold]
    fn take(&mut self, bytes: usize) -> Result<usize> {
        // As much again, so that asking stays rare.
        let more = bytes.max(self.all).max(4 << 10);
        self.taken.push(self.run.reserve(more as u64, "the decoded column")?);
        self.all = self.all.saturating_add(more);
        Ok(more)
    }
}

/// Strings one after the other, and where each ends.
pub(super) struct Offsets<'p, O> {
    ends: Vec<O>,
    bytes: Vec<u8>,
    budget: Budget<'p>,
}

impl<'p, O: OffsetSizeTrait> Offsets<'p, O> {
    pub(super) fn new(rows: usize, run: &'p Run) -> Result<Self> {
        let budget = Budget::new(run, (rows + 1).saturating_mul(size_of::<O>()))?;
        let mut ends = Vec::new();
        ends.try_reserve_exact(rows + 1)
            .map_err(|e| Error::limit("the column has too many rows").source(e))?;
        ends.push(O::zero());
        Ok(Self { ends, bytes: Vec::new(), budget })
    }

    #[cold]
    fn grow(&mut self, bytes: usize) -> Result<()> {
        let more = self.budget.take(bytes)?;
        self.bytes.try_reserve_exact(more).map_err(|e| too_many_bytes().source(e))
    }
}

impl<O: OffsetSizeTrait> Output for Offsets<'_, O> {
    #[inline]
    fn push(&mut self, text: &[u8]) -> Decoded<()> {
        if text.len() > self.bytes.capacity() - self.bytes.len() {
            self.grow(text.len())?;
        }
        self.bytes.extend_from_slice(text);
        match O::from_usize(self.bytes.len()) {
            Some(end) => {
                self.ends.push(end);
                Ok(())
            }
            None => Err(too_many_bytes().into()),
        }
    }

    fn nulls(&mut self, count: usize) -> Decoded<()> {
        let end = self.ends.last().copied().unwrap_or_default();
        self.ends.extend(std::iter::repeat_n(end, count));
        Ok(())
    }

    fn finish(self, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let bytes = Buffer::from_vec(self.bytes);
        let array: std::result::Result<ArrayRef, ArrowError> = match data_type {
            DataType::Utf8 | DataType::LargeUtf8 => {
                GenericStringArray::<O>::try_new(ends, bytes, nulls).map(|a| Arc::new(a) as ArrayRef)
            }
            _ => GenericBinaryArray::<O>::try_new(ends, bytes, nulls).map(|a| Arc::new(a) as ArrayRef),
        };
        array.map_err(|e| not_text(&e))
    }
}

/// Strings in blocks, and a view of each.
pub(super) struct Views<'p> {
    builder: BinaryViewBuilder,
    budget: Budget<'p>,
    /// Bytes that are taken and not used.
    left: usize,
}

impl<'p> Views<'p> {
    pub(super) fn new(rows: usize, run: &'p Run) -> Result<Self> {
        let budget = Budget::new(run, rows.saturating_mul(16))?;
        Ok(Self { builder: BinaryViewBuilder::with_capacity(rows), budget, left: 0 })
    }
}

impl Output for Views<'_> {
    #[inline]
    fn push(&mut self, text: &[u8]) -> Decoded<()> {
        // Short ones lie in their views.
        if text.len() > 12 {
            if text.len() > self.left {
                self.left += self.budget.take(text.len())?;
            }
            self.left -= text.len();
        }
        self.builder.try_append_value(text).map_err(|_| too_many_bytes().into())
    }

    fn nulls(&mut self, count: usize) -> Decoded<()> {
        (0..count).for_each(|_| self.builder.append_null());
        Ok(())
    }

    fn finish(mut self, _nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
        let binary = self.builder.finish();
        if *data_type == DataType::BinaryView {
            return Ok(Arc::new(binary));
        }
        binary.to_string_view().map(|a| Arc::new(a) as ArrayRef).map_err(|e| not_text(&e))
    }
}

fn too_many_bytes() -> Error {
    Error::limit("its values have more bytes than one array can address")
        .hint("bound the rows with --from/--to/--last")
}

fn not_text(error: &ArrowError) -> Error {
    Error::corrupt(format!("a value is no text: {error}"))
}
