//! PLAIN: values one after the other; strings with their lengths before them.

use super::{Decoded, Texts, Values, take, take_with_length, too_few_values};

/// Values of one width.
#[derive(Debug)]
pub(crate) struct Plain<'a> {
    rest: &'a [u8],
    width: usize,
}

impl<'a> Plain<'a> {
    pub(crate) fn new(bytes: &'a [u8], width: usize) -> Self {
        Self { rest: bytes, width }
    }
}

impl Values for Plain<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        match count.checked_mul(self.width).and_then(|len| self.rest.get(len..)) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => too_few_values(),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        let Some((head, tail)) = self.rest.split_at_checked(out.len()) else { return too_few_values() };
        out.copy_from_slice(head);
        self.rest = tail;
        Ok(())
    }
}

/// Strings.
#[derive(Debug)]
pub(crate) struct PlainTexts<'a> {
    rest: &'a [u8],
}

impl<'a> PlainTexts<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Texts for PlainTexts<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        (0..count).try_for_each(|_| take_with_length(&mut self.rest).map(|_| ()))
    }

    fn read(&mut self, count: usize, each: &mut impl FnMut(&[u8]) -> Decoded<()>) -> Decoded<()> {
        (0..count).try_for_each(|_| each(take_with_length(&mut self.rest)?))
    }
}

/// Where the strings of a page lie in its bytes: each one's beginning and end.
pub(crate) fn places(bytes: &[u8], count: usize) -> Decoded<Vec<(u32, u32)>> {
    let mut rest = bytes;
    // Each takes four bytes at least: a count that lies reserves no more than that.
    let mut places = Vec::with_capacity(count.min(bytes.len() / 4));
    for _ in 0..count {
        let text = take_with_length(&mut rest)?;
        let end = bytes.len() - rest.len();
        let (Ok(start), Ok(end)) = (u32::try_from(end - text.len()), u32::try_from(end)) else {
            return super::corrupt("it is too large");
        };
        places.push((start, end));
    }
    Ok(places)
}

/// Bits, least significant first.
pub(crate) fn bits<'a>(bytes: &mut &'a [u8], count: usize) -> Decoded<&'a [u8]> {
    take(bytes, count.div_ceil(8)).or_else(|_| too_few_values())
}
