//! How values lie in pages: one module an encoding.
//!
//! A decoder is made over the bytes of one page and walks forward: it steps over values or brings them. None does
//! I/O, none trusts a length, a width or an index that it read. <https://parquet.apache.org/docs/file-format/data-pages/encodings/>
//!
//! Values of a fixed width are arrays of bytes here, little-endian as they are stored and as Arrow has them: what
//! they mean is the business of `read`.

mod bits;
pub(crate) mod boolean;
pub(crate) mod byte_stream_split;
pub(crate) mod delta_binary_packed;
pub(crate) mod delta_byte_array;
pub(crate) mod delta_length_byte_array;
pub(crate) mod dictionary;
pub(crate) mod levels;
pub(crate) mod plain;
pub(crate) mod rle;

use std::borrow::Cow;

use crate::error::Error;

/// Why a page, or a part of it, could not be decoded.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Its bytes contradict themselves. Whoever knows where they are says so.
    Corrupt(Cow<'static, str>),
    /// It may be sound; the general reader knows, or says that nobody does.
    Unknown,
    /// What else went wrong: a limit, the source, a cancellation.
    Other(Error),
}

/// Shorthand for the result of decoding.
pub(crate) type Decoded<T> = std::result::Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Bytes that contradict themselves.
pub(crate) fn corrupt<T>(what: impl Into<Cow<'static, str>>) -> Decoded<T> {
    Err(Fault::Corrupt(what.into()))
}

#[cold]
pub(crate) fn too_few_values<T>() -> Decoded<T> {
    corrupt("it has fewer values than its header says")
}

/// Values of one fixed width.
pub(crate) trait Values {
    /// Steps over the next `count` values.
    fn skip(&mut self, count: usize) -> Decoded<()>;

    /// Fills `out`, whose length is a multiple of the values' width, with the next values.
    fn read(&mut self, out: &mut [u8]) -> Decoded<()>;
}

/// Strings, or whatever else has a length of its own.
pub(crate) trait Texts {
    /// Steps over the next `count` values.
    fn skip(&mut self, count: usize) -> Decoded<()>;

    /// Hands on the next `count` values, one by one.
    fn read(&mut self, count: usize, each: &mut impl FnMut(&[u8]) -> Decoded<()>) -> Decoded<()>;
}

/// Takes the first `len` bytes away.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Decoded<&'a [u8]> {
    match bytes.split_at_checked(len) {
        Some((head, tail)) => {
            *bytes = tail;
            Ok(head)
        }
        None => corrupt("it ends too early"),
    }
}

/// Takes a length of four bytes, and that many bytes after it.
pub(crate) fn take_with_length<'a>(bytes: &mut &'a [u8]) -> Decoded<&'a [u8]> {
    match bytes.split_first_chunk::<4>() {
        Some((len, tail)) => {
            *bytes = tail;
            let len = u32::from_le_bytes(*len);
            take(bytes, usize::try_from(len).unwrap_or(usize::MAX))
        }
        None => corrupt("it ends too early"),
    }
}

/// Takes an unsigned number of variable length (LEB128).
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Decoded<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { return corrupt("it ends within a number") };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    corrupt("a number has more than ten bytes")
}

/// Takes a signed number of variable length (zigzag).
pub(crate) fn take_zigzag(bytes: &mut &[u8]) -> Decoded<i64> {
    let value = take_varint(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}
