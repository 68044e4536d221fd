//! DELTA_BYTE_ARRAY: of each string, what it shares with the one before, and the rest of it.

use super::delta_binary_packed::lengths;
use super::{Decoded, Texts, Values, corrupt, take, too_few_values};

/// Strings that begin as the one before them does.
#[derive(Debug)]
pub(crate) struct Prefixed<'a> {
    prefixes: Vec<u32>,
    suffixes: Vec<u32>,
    next: usize,
    rest: &'a [u8],
    last: Vec<u8>,
    longest: usize,
}

impl<'a> Prefixed<'a> {
    /// Strings of a page of `most` rows, none longer than `longest`.
    pub(crate) fn new(bytes: &'a [u8], most: usize, longest: usize) -> Decoded<Self> {
        let (prefixes, rest) = lengths(bytes, most)?;
        let (suffixes, rest) = lengths(rest, most)?;
        if prefixes.len() != suffixes.len() {
            return corrupt(format!("it has {} prefixes for {} suffixes", prefixes.len(), suffixes.len()));
        }
        Ok(Self { prefixes, suffixes, next: 0, rest, last: Vec::new(), longest })
    }
}

impl Texts for Prefixed<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.read(count, &mut |_| Ok(()))
    }

    fn read(&mut self, count: usize, each: &mut impl FnMut(&[u8]) -> Decoded<()>) -> Decoded<()> {
        let Some(end) = self.next.checked_add(count).filter(|end| *end <= self.prefixes.len()) else {
            return too_few_values();
        };
        let prefixes = self.prefixes.get(self.next..end).unwrap_or(&[]);
        let suffixes = self.suffixes.get(self.next..end).unwrap_or(&[]);
        self.next = end;
        for (prefix, suffix) in prefixes.iter().zip(suffixes) {
            if *prefix as usize > self.last.len() {
                return corrupt(format!("a value shares {prefix} bytes with one of {}", self.last.len()));
            }
            let suffix = take(&mut self.rest, *suffix as usize)?;
            self.last.truncate(*prefix as usize);
            if suffix.len() > self.longest.saturating_sub(self.last.len()) {
                return corrupt(format!("a value has more than {} bytes", self.longest));
            }
            self.last.extend_from_slice(suffix);
            each(&self.last)?;
        }
        Ok(())
    }
}

/// Values of one width in this encoding.
#[derive(Debug)]
pub(crate) struct PrefixedValues<'a> {
    texts: Prefixed<'a>,
    width: usize,
}

impl<'a> PrefixedValues<'a> {
    pub(crate) fn new(bytes: &'a [u8], most: usize, width: usize) -> Decoded<Self> {
        Ok(Self { texts: Prefixed::new(bytes, most, width)?, width })
    }
}

impl Values for PrefixedValues<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        self.texts.skip(count)
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        let width = self.width;
        let count = out.len() / width.max(1);
        let mut places = out.chunks_exact_mut(width.max(1));
        self.texts.read(count, &mut |text| match places.next() {
            Some(place) if place.len() == text.len() => {
                place.copy_from_slice(text);
                Ok(())
            }
            _ => corrupt(format!("a value has {} bytes instead of {width}", text.len())),
        })
    }
}
