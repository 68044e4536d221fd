//! Values of fixed width, from pages into a slot.

use arrow_buffer::NullBuffer;
use parquet::basic::{Encoding, Type as Physical};

use super::direct::{Nulls, ReadPage};
use super::stored::{Convert, Stored};
use crate::encoding::byte_stream_split::Streams;
use crate::encoding::delta_binary_packed::DeltaValues;
use crate::encoding::delta_byte_array::PrefixedValues;
use crate::encoding::dictionary::{Dictionary, Indexed};
use crate::encoding::levels::{Validity, spread};
use crate::encoding::plain::Plain;
use crate::encoding::{Decoded, Fault, Values, corrupt};
use crate::page::{DictionaryPage, Want, keep, placed};
use crate::run::Reserved;

/// Bytes that are converted at once, on the stack.
const BATCH: usize = 4 << 10;

/// A slot, and what of it is still to be filled.
pub(super) struct Slot<'a, 'p> {
    stored: Stored,
    rest: &'a mut [u8],
    nulls: Nulls,
    dictionary: Option<(Dictionary, Reserved<'p>)>,
}

impl<'a, 'p> Slot<'a, 'p> {
    pub(super) fn new(stored: Stored, values: &'a mut [u8]) -> Self {
        Self { stored, rest: values, nulls: Nulls::default(), dictionary: None }
    }

    pub(super) fn finish(self) -> Option<NullBuffer> {
        if let Some((dictionary, _)) = self.dictionary {
            keep(dictionary.into_bytes());
        }
        self.nulls.finish()
    }

    fn advance(&mut self, rows: usize) -> Decoded<&'a mut [u8]> {
        let rest = std::mem::take(&mut self.rest);
        match rest.split_at_mut_checked(rows * self.stored.slot_width) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => corrupt("its rows are more than were asked for"),
        }
    }

    /// Decodes the wanted rows of a page.
    pub(super) fn take(&mut self, read: ReadPage<'_, 'p>) -> Decoded<()> {
        let ReadPage { page, optional, wanted, pages, scratch, job } = read;
        let Stored { physical, width, slot_width, convert } = self.stored;
        let codec = pages.codec();
        let encoding = page.header.encoding;
        let is_fixed_binary = physical == Physical::FIXED_LEN_BYTE_ARRAY;
        let is_plain = encoding == Encoding::PLAIN;
        let last = wanted.last().map_or(0, |range| range.end);
        if is_plain && !is_fixed_binary && convert.is_none() && wanted == [0..page.len()] {
            let out = self.rest.get_mut(..page.len() * slot_width);
            if let Some(out) = out
                && page.whole_into(codec, optional, out, scratch)?
            {
                self.advance(page.len())?;
                self.nulls.append(&Validity::All, 0, page.len());
                return Ok(());
            }
        }
        let is_dictionary = matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
        if is_dictionary && self.dictionary.is_none() {
            let page = pages.dictionary(scratch)?;
            // As many values as its bytes can be, whatever its header says.
            let memory = (page.bytes.len() / width).saturating_mul(slot_width);
            let memory = job.run.reserve(memory as u64, "a dictionary")?;
            let at = page.at;
            self.dictionary = Some((placed(self.dictionary_of(page), at)?, memory));
        }
        // Of fixed binaries all is needed: old writers laid them out in ways that only the page's size tells.
        let want = if is_plain && !is_fixed_binary { Want::Values(last * width) } else { Want::All };
        let parts = page.parts(codec, optional, want, scratch)?;
        let there = parts.validity.count(0, page.len());
        if is_fixed_binary && is_plain && parts.values.len() != there * width {
            return Err(Fault::Unknown);
        }
        let bytes = parts.values;
        let validity = &parts.validity;
        match (encoding, physical, width) {
            (Encoding::PLAIN, ..) => self.fill(Plain::new(bytes, width), validity, wanted),
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, ..) => {
                let Some((dictionary, memory)) = self.dictionary.take() else { return Err(Fault::Unknown) };
                let outcome = self.fill_slots(&mut Indexed::new(bytes, &dictionary)?, validity, wanted);
                self.dictionary = Some((dictionary, memory));
                outcome
            }
            (Encoding::DELTA_BINARY_PACKED, Physical::INT32, _) => {
                self.fill(DeltaValues::<4>::new(bytes)?, validity, wanted)
            }
            (Encoding::DELTA_BINARY_PACKED, Physical::INT64, _) => {
                self.fill(DeltaValues::<8>::new(bytes)?, validity, wanted)
            }
            (Encoding::DELTA_BYTE_ARRAY, Physical::FIXED_LEN_BYTE_ARRAY, _) => {
                let _memory = job.run.reserve(8 * page.len() as u64, "a page's lengths")?;
                self.fill(PrefixedValues::new(bytes, page.len(), width)?, validity, wanted)
            }
            (Encoding::BYTE_STREAM_SPLIT, Physical::INT96, _) => Err(Fault::Unknown),
            (Encoding::BYTE_STREAM_SPLIT, ..) => {
                self.fill(Streams::new(bytes, width, there)?, validity, wanted)
            }
            _ => Err(Fault::Unknown),
        }
    }

    /// The dictionary, in values as the slot has them.
    fn dictionary_of(&self, page: DictionaryPage<'_>) -> Decoded<Dictionary> {
        let Stored { physical, width, slot_width, convert } = self.stored;
        let DictionaryPage { values, mut bytes, .. } = page;
        let len = values.saturating_mul(width);
        if physical == Physical::FIXED_LEN_BYTE_ARRAY && len != bytes.len() {
            return Err(Fault::Unknown);
        }
        if len > bytes.len() {
            return corrupt(format!("its {} bytes are not {values} values", bytes.len()));
        }
        bytes.truncate(len);
        let bytes = match convert {
            None => bytes,
            Some(convert) => {
                let mut out = vec![0; values * slot_width];
                convert(&bytes, width, &mut out);
                out.into()
            }
        };
        Ok(Dictionary::new(bytes, slot_width))
    }

    /// Brings stored values, converted where they are not as the slot has them.
    fn fill(
        &mut self,
        mut values: impl Values,
        validity: &Validity,
        wanted: &[std::ops::Range<usize>],
    ) -> Decoded<()> {
        match self.stored.convert {
            None => self.fill_slots(&mut values, validity, wanted),
            Some(convert) => {
                let Stored { width, slot_width, .. } = self.stored;
                self.fill_slots(&mut Converted { values, convert, width, slot_width }, validity, wanted)
            }
        }
    }

    fn fill_slots(
        &mut self,
        values: &mut dyn Values,
        validity: &Validity,
        wanted: &[std::ops::Range<usize>],
    ) -> Decoded<()> {
        let width = self.stored.slot_width;
        let mut row = 0;
        for range in wanted {
            values.skip(validity.count(row, range.start - row))?;
            let rows = range.len();
            let there = validity.count(range.start, rows);
            let out = self.advance(rows)?;
            values.read(out.get_mut(..there * width).unwrap_or(&mut []))?;
            if let Validity::Some(bits) = validity
                && there < rows
            {
                spread(&bits.slice(range.start, rows), width, out);
            }
            self.nulls.append(validity, range.start, rows);
            row = range.end;
        }
        Ok(())
    }
}

/// Stored values as the slot has them.
struct Converted<V> {
    values: V,
    convert: Convert,
    width: usize,
    slot_width: usize,
}

impl<V: Values> Values for Converted<V> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.values.skip(count)
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        let mut stored = [0; BATCH];
        let many = BATCH / self.width.max(1);
        for out in out.chunks_mut(many * self.slot_width) {
            let stored = stored.get_mut(..out.len() / self.slot_width * self.width).unwrap_or(&mut []);
            self.values.read(stored)?;
            (self.convert)(stored, self.width, out);
        }
        Ok(())
    }
}
