//! RLE_DICTIONARY: indices into the values of the chunk's dictionary page.

use bytes::Bytes;

use super::rle::{Hybrid, Sink};
use super::{Decoded, Texts, Values, corrupt, plain};

/// A chunk's distinct values, of one width.
#[derive(Debug)]
pub(crate) struct Dictionary {
    bytes: Bytes,
    width: usize,
}

impl Dictionary {
    /// `bytes` are whole values.
    pub(crate) fn new(bytes: Bytes, width: usize) -> Self {
        Self { bytes, width }
    }

    /// Its memory, for other uses.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Where the indices of a page begin: behind a byte that says how many bits each has.
fn indices(bytes: &[u8]) -> Decoded<Hybrid<'_>> {
    match bytes.split_first() {
        Some((width, rest)) => Hybrid::new(rest, *width),
        // Nothing but nulls: writers leave out even the width.
        None => Hybrid::new(bytes, 0),
    }
}

#[cold]
fn no_such_value<T>(index: u32, values: usize) -> Decoded<T> {
    corrupt(format!("it names the value {index} of a dictionary of {values}"))
}

/// Values of a fixed width, fetched from the dictionary.
#[derive(Debug)]
pub(crate) struct Indexed<'a> {
    indices: Hybrid<'a>,
    dictionary: &'a Dictionary,
}

impl<'a> Indexed<'a> {
    pub(crate) fn new(bytes: &'a [u8], dictionary: &'a Dictionary) -> Decoded<Self> {
        Ok(Self { indices: indices(bytes)?, dictionary })
    }

    fn read_width<const WIDTH: usize>(&mut self, out: &mut [u8]) -> Decoded<()> {
        let (values, _) = self.dictionary.bytes.as_chunks::<WIDTH>();
        let (out, _) = out.as_chunks_mut::<WIDTH>();
        let count = out.len();
        self.indices.read(count, &mut Fixed { values, rest: out })
    }
}

impl Values for Indexed<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.indices.skip(count)
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        match self.dictionary.width {
            1 => self.read_width::<1>(out),
            2 => self.read_width::<2>(out),
            4 => self.read_width::<4>(out),
            8 => self.read_width::<8>(out),
            16 => self.read_width::<16>(out),
            32 => self.read_width::<32>(out),
            width => {
                let count = out.len() / width.max(1);
                self.indices.read(count, &mut AnyWidth { values: &self.dictionary.bytes, width, rest: out })
            }
        }
    }
}

/// Values of a width that the compiler knows: a load and a store each.
struct Fixed<'a, const WIDTH: usize> {
    values: &'a [[u8; WIDTH]],
    rest: &'a mut [[u8; WIDTH]],
}

impl<const WIDTH: usize> Fixed<'_, WIDTH> {
    fn advance(&mut self, count: usize) -> &mut [[u8; WIDTH]] {
        let rest = std::mem::take(&mut self.rest);
        let (head, tail) = rest.split_at_mut_checked(count).unwrap_or((&mut [], &mut []));
        self.rest = tail;
        head
    }
}

impl<const WIDTH: usize> Sink for Fixed<'_, WIDTH> {
    fn repeated(&mut self, number: u32, count: usize) -> Decoded<()> {
        match self.values.get(number as usize) {
            Some(value) => {
                self.advance(count).fill(*value);
                Ok(())
            }
            None => no_such_value(number, self.values.len()),
        }
    }

    fn each(&mut self, numbers: &[u32]) -> Decoded<()> {
        let values = self.values;
        for (out, number) in self.advance(numbers.len()).iter_mut().zip(numbers) {
            match values.get(*number as usize) {
                Some(value) => *out = *value,
                None => return no_such_value(*number, values.len()),
            }
        }
        Ok(())
    }
}

/// Values of any other width.
struct AnyWidth<'a> {
    values: &'a [u8],
    width: usize,
    rest: &'a mut [u8],
}

impl Sink for AnyWidth<'_> {
    fn repeated(&mut self, number: u32, count: usize) -> Decoded<()> {
        (0..count).try_for_each(|_| self.each(&[number]))
    }

    fn each(&mut self, numbers: &[u32]) -> Decoded<()> {
        for number in numbers {
            let from = (*number as usize).saturating_mul(self.width);
            let value = self.values.get(from..from.saturating_add(self.width));
            let Some(value) = value else { return no_such_value(*number, self.values.len() / self.width) };
            let rest = std::mem::take(&mut self.rest);
            let (out, tail) = rest.split_at_mut_checked(self.width).unwrap_or((&mut [], &mut []));
            if out.len() == value.len() {
                out.copy_from_slice(value);
            }
            self.rest = tail;
        }
        Ok(())
    }
}

/// A chunk's distinct strings.
#[derive(Debug)]
pub(crate) struct TextDictionary {
    bytes: Bytes,
    places: Vec<(u32, u32)>,
}

impl TextDictionary {
    /// The `count` strings of a dictionary page.
    pub(crate) fn new(bytes: Bytes, count: usize) -> Decoded<Self> {
        let places = plain::places(&bytes, count)?;
        Ok(Self { bytes, places })
    }

    fn text(&self, index: u32) -> Decoded<&[u8]> {
        let place = self.places.get(index as usize);
        match place.and_then(|(start, end)| self.bytes.get(*start as usize..*end as usize)) {
            Some(text) => Ok(text),
            None => no_such_value(index, self.places.len()),
        }
    }
}

/// Strings, fetched from the dictionary.
#[derive(Debug)]
pub(crate) struct IndexedTexts<'a> {
    indices: Hybrid<'a>,
    dictionary: &'a TextDictionary,
}

impl<'a> IndexedTexts<'a> {
    pub(crate) fn new(bytes: &'a [u8], dictionary: &'a TextDictionary) -> Decoded<Self> {
        Ok(Self { indices: indices(bytes)?, dictionary })
    }
}

impl Texts for IndexedTexts<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.indices.skip(count)
    }

    fn read(&mut self, count: usize, each: &mut impl FnMut(&[u8]) -> Decoded<()>) -> Decoded<()> {
        self.indices.read(count, &mut TextSink { dictionary: self.dictionary, each })
    }
}

struct TextSink<'a, F> {
    dictionary: &'a TextDictionary,
    each: &'a mut F,
}

impl<F: FnMut(&[u8]) -> Decoded<()>> Sink for TextSink<'_, F> {
    fn repeated(&mut self, number: u32, count: usize) -> Decoded<()> {
        (0..count).try_for_each(|_| self.each(&[number]))
    }

    fn each(&mut self, numbers: &[u32]) -> Decoded<()> {
        for number in numbers {
            let text = self.dictionary.text(*number)?;
            (self.each)(text)?;
        }
        Ok(())
    }
}
