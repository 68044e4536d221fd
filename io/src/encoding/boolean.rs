//! Booleans: PLAIN, a bit each, or in runs.

use arrow_buffer::BooleanBufferBuilder;

use super::rle::{Bits, Hybrid};
use super::{Decoded, plain, take_with_length, too_few_values};

/// The booleans of a page.
#[derive(Debug)]
pub(crate) enum Booleans<'a> {
    /// Bits, the next one and their end.
    Plain { bits: &'a [u8], next: usize, end: usize },
    /// Runs.
    Runs(Hybrid<'a>),
}

impl<'a> Booleans<'a> {
    /// `count` booleans, a bit each.
    pub(crate) fn plain(mut bytes: &'a [u8], count: usize) -> Decoded<Self> {
        Ok(Self::Plain { bits: plain::bits(&mut bytes, count)?, next: 0, end: count })
    }

    /// Booleans in runs, with their length before them.
    pub(crate) fn runs(mut bytes: &'a [u8]) -> Decoded<Self> {
        Ok(Self::Runs(Hybrid::new(take_with_length(&mut bytes)?, 1)?))
    }

    /// Steps over `count` booleans.
    pub(crate) fn skip(&mut self, count: usize) -> Decoded<()> {
        match self {
            Self::Plain { next, end, .. } if count <= *end - *next => {
                *next += count;
                Ok(())
            }
            Self::Plain { .. } => too_few_values(),
            Self::Runs(runs) => runs.skip(count),
        }
    }

    /// Appends the next `count` booleans.
    pub(crate) fn read(&mut self, count: usize, out: &mut BooleanBufferBuilder) -> Decoded<()> {
        match self {
            Self::Plain { bits, next, end } if count <= *end - *next => {
                out.packed(bits, *next, count);
                *next += count;
                Ok(())
            }
            Self::Plain { .. } => too_few_values(),
            Self::Runs(runs) => runs.read_bits(count, out),
        }
    }
}
