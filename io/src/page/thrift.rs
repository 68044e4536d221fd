//! The compact protocol of Thrift, as far as footers and page headers need it, read from bytes that may lie.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use std::ops::Range;

/// Why bytes are no Thrift structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThriftError {
    /// They end too early: more of them may make one.
    Short,
    /// They are none, whatever follows.
    Malformed(&'static str),
}

type Result<T> = std::result::Result<T, ThriftError>;

/// Structures within structures deeper than this are forged: a page header has three levels.
const DEEPEST: u8 = 32;

/// The types of fields, by their numbers on the wire.
pub(crate) mod kind {
    pub(crate) const TRUE: u8 = 1;
    pub(crate) const FALSE: u8 = 2;
    pub(crate) const BYTE: u8 = 3;
    pub(crate) const I16: u8 = 4;
    pub(crate) const I32: u8 = 5;
    pub(crate) const I64: u8 = 6;
    pub(crate) const DOUBLE: u8 = 7;
    pub(crate) const BINARY: u8 = 8;
    pub(crate) const LIST: u8 = 9;
    pub(crate) const SET: u8 = 10;
    pub(crate) const MAP: u8 = 11;
    pub(crate) const STRUCT: u8 = 12;
    pub(crate) const UUID: u8 = 13;
}

/// A field's number within its structure, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) id: i16,
    pub(crate) kind: u8,
}

/// A place in the bytes. It allocates nothing, and every step forward takes at least one byte.
#[derive(Clone, Debug)]
pub(crate) struct Compact<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Compact<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len() }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.len - self.bytes.len()
    }

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().ok_or(ThriftError::Short)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ThriftError::Malformed("a number has more than ten bytes"))
    }

    fn skip_varint(&mut self) -> Result<()> {
        self.bytes = behind_varint(self.bytes)?;
        Ok(())
    }

    fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The next field of a structure, whose last one had the number `last`; `None` at the structure's end.
    #[inline]
    pub(crate) fn field(&mut self, last: &mut i16) -> Result<Option<Field>> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == 0 {
            return Ok(None);
        }
        let id = match i16::from(byte >> 4) {
            0 => i16::try_from(self.zigzag()?).ok(),
            delta => last.checked_add(delta),
        };
        *last = id.ok_or(ThriftError::Malformed("a field has a number that is too large"))?;
        Ok(Some(Field { id: *last, kind }))
    }

    /// The value of an `i32` field. Integers of all widths are written alike, so a wrong width does no harm.
    pub(crate) fn i32(&mut self, field: Field) -> Result<i32> {
        if !matches!(field.kind, kind::I16 | kind::I32 | kind::I64) {
            return Err(ThriftError::Malformed("a field that is a number has another type"));
        }
        i32::try_from(self.zigzag()?).map_err(|_| ThriftError::Malformed("a number does not fit 32 bits"))
    }

    /// The value of an integer field.
    pub(crate) fn i64(&mut self, field: Field) -> Result<i64> {
        if !matches!(field.kind, kind::I16 | kind::I32 | kind::I64) {
            return Err(ThriftError::Malformed("a field that is a number has another type"));
        }
        self.zigzag()
    }

    /// The bytes of a field, and where they are.
    pub(crate) fn binary(&mut self, field: Field) -> Result<(&'a [u8], Range<usize>)> {
        if field.kind != kind::BINARY {
            return Err(ThriftError::Malformed("a field that is a text has another type"));
        }
        let len = self.varint()?;
        let (all, start) = (self.bytes, self.position());
        self.skip_bytes(len)?;
        let taken = self.position() - start;
        Ok((all.get(..taken).unwrap_or(&[]), start..start + taken))
    }

    /// The length of a list, of which the elements follow. Each takes a byte at least.
    pub(crate) fn list(&mut self, field: Field, of: u8) -> Result<u64> {
        if field.kind != kind::LIST {
            return Err(ThriftError::Malformed("a field that is a list has another type"));
        }
        let (kind, count) = self.list_head()?;
        if count > 0 && kind != of {
            return Err(ThriftError::Malformed("a list has elements of another type"));
        }
        Ok(count)
    }

    /// The type of a list's elements, and how many follow. Each takes a byte at least.
    pub(crate) fn list_head(&mut self) -> Result<(u8, u64)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        if count > self.bytes.len() as u64 { Err(ThriftError::Short) } else { Ok((head & 0x0f, count)) }
    }

    /// Steps over a structure.
    pub(crate) fn skip_struct(&mut self) -> Result<()> {
        self.skip_value(kind::STRUCT, DEEPEST)
    }

    /// The value of a `bool` field, which lies in its type.
    pub(crate) fn bool(&self, field: Field) -> Result<bool> {
        match field.kind {
            kind::TRUE => Ok(true),
            kind::FALSE => Ok(false),
            _ => Err(ThriftError::Malformed("a field that is true or false has another type")),
        }
    }

    /// Steps over a field's value.
    pub(crate) fn skip(&mut self, field: Field) -> Result<()> {
        match field.kind {
            kind::TRUE | kind::FALSE => Ok(()),
            other => self.skip_value(other, DEEPEST),
        }
    }

    fn skip_value(&mut self, kind: u8, depth: u8) -> Result<()> {
        let deeper = || depth.checked_sub(1).ok_or(ThriftError::Malformed("structures are nested too deep"));
        match kind {
            // Outside of a field they are a byte each, or nothing, as one reads the specification or its readers. No
            // page header has such a list.
            kind::TRUE | kind::FALSE => Err(ThriftError::Malformed("a list has booleans")),
            kind::BYTE => self.byte().map(|_| ()),
            kind::I16 | kind::I32 | kind::I64 => self.skip_varint(),
            kind::DOUBLE => self.skip_bytes(8),
            kind::UUID => self.skip_bytes(16),
            kind::BINARY => {
                let len = self.varint()?;
                self.skip_bytes(len)
            }
            kind::LIST | kind::SET => {
                let depth = deeper()?;
                let (kind, count) = self.list_head()?;
                if matches!(kind, kind::I16 | kind::I32 | kind::I64) {
                    return (0..count).try_for_each(|_| self.skip_varint());
                }
                (0..count).try_for_each(|_| self.skip_value(kind, depth))
            }
            kind::MAP => {
                let depth = deeper()?;
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_value(kinds >> 4, depth)?;
                    self.skip_value(kinds & 0x0f, depth)
                })
            }
            kind::STRUCT => self.skip_fields(deeper()?),
            _ => Err(ThriftError::Malformed("a field has a type that there is not")),
        }
    }

    /// Steps over the fields of a structure to its end, and over the structures among them on the way: most of a
    /// footer is gone over here, so it is a loop over bytes at hand, and does not add up the numbers of fields that
    /// nobody asks for.
    fn skip_fields(&mut self, depth: u8) -> Result<()> {
        let mut within = 0;
        let mut bytes = self.bytes;
        loop {
            let (head, rest) = bytes.split_first().ok_or(ThriftError::Short)?;
            bytes = rest;
            if head & 0x0f == 0 {
                if within == 0 {
                    self.bytes = bytes;
                    return Ok(());
                }
                within -= 1;
                continue;
            }
            if head & 0xf0 == 0 {
                bytes = behind_varint(bytes)?;
            }
            match head & 0x0f {
                kind::TRUE | kind::FALSE => {}
                kind::I16 | kind::I32 | kind::I64 => bytes = behind_varint(bytes)?,
                kind::BINARY => bytes = behind_binary(bytes)?,
                kind::STRUCT if within < depth => within += 1,
                kind::STRUCT => return Err(ThriftError::Malformed("structures are nested too deep")),
                kind::LIST => match bytes {
                    // A few numbers or texts.
                    [few @ (0x05..0xf0), rest @ ..] if few & 0x0f == kind::I32 => {
                        bytes = (0..few >> 4).try_fold(rest, |bytes, _| behind_varint(bytes))?;
                    }
                    [few @ (0x08..0xf0), rest @ ..] if few & 0x0f == kind::BINARY => {
                        bytes = (0..few >> 4).try_fold(rest, |bytes, _| behind_binary(bytes))?;
                    }
                    _ => {
                        self.bytes = bytes;
                        self.skip_value(kind::LIST, depth - within)?;
                        bytes = self.bytes;
                    }
                },
                other => {
                    self.bytes = bytes;
                    self.skip_value(other, depth - within)?;
                    bytes = self.bytes;
                }
            }
        }
    }

    /// Steps over so many bytes.
    #[inline]
    pub(crate) fn skip_bytes(&mut self, len: u64) -> Result<()> {
        let len = usize::try_from(len).map_err(|_| ThriftError::Malformed("a length does not fit"))?;
        self.bytes = self.bytes.get(len..).ok_or(ThriftError::Short)?;
        Ok(())
    }
}

/// What is behind a number. Most have one byte or two.
#[inline]
fn behind_varint(bytes: &[u8]) -> Result<&[u8]> {
    match bytes {
        [0..0x80, rest @ ..] | [_, 0..0x80, rest @ ..] | [_, _, 0..0x80, rest @ ..] => Ok(rest),
        _ => {
            let mut from = Compact::new(bytes);
            from.varint()?;
            Ok(from.bytes)
        }
    }
}

/// What is behind a text, most of which are short.
#[inline]
fn behind_binary(bytes: &[u8]) -> Result<&[u8]> {
    match bytes {
        [len @ 0..0x80, rest @ ..] => rest.get(usize::from(*len)..).ok_or(ThriftError::Short),
        _ => {
            let mut from = Compact::new(bytes);
            let len = from.varint()?;
            from.skip_bytes(len)?;
            Ok(from.bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(bytes: &[u8], kind: u8) -> Result<usize> {
        let mut compact = Compact::new(bytes);
        compact.skip(Field { id: 1, kind })?;
        Ok(compact.position())
    }

    #[test]
    fn values_of_every_type_are_stepped_over() {
        for (bytes, kind, expected) in [
            (&[][..], kind::TRUE, Ok(0)),
            (&[7], kind::BYTE, Ok(1)),
            (&[0x80, 0x01], kind::I64, Ok(2)),
            (&[0; 8], kind::DOUBLE, Ok(8)),
            (&[0; 16], kind::UUID, Ok(16)),
            (&[3, b'a', b'b', b'c', 9], kind::BINARY, Ok(4)),
            (&[0x23, 1, 2], kind::LIST, Ok(3)),
            (&[0x23, 1, 2], kind::SET, Ok(3)),
            (&[0x21, 1, 2], kind::LIST, Err(ThriftError::Malformed("a list has booleans"))),
            (&[0xf3, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], kind::LIST, Ok(18)),
            (&[0], kind::MAP, Ok(1)),
            (&[1, 0x58, 4, 2, b'x', b'y'], kind::MAP, Ok(6)),
            // A number, a boolean, a structure that is empty.
            (&[0x15, 2, 0x11, 0x1c, 0, 0], kind::STRUCT, Ok(6)),
            (&[0; 7], kind::DOUBLE, Err(ThriftError::Short)),
            (&[0x80], kind::I32, Err(ThriftError::Short)),
            (&[0xff; 10], kind::I32, Err(ThriftError::Malformed("a number has more than ten bytes"))),
            (&[5, 0], kind::BINARY, Err(ThriftError::Short)),
            // A list of two billion, and one of four: neither is believed.
            (&[0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0], kind::LIST, Err(ThriftError::Short)),
            (&[0x4c, 0, 0, 0], kind::LIST, Err(ThriftError::Short)),
            (&[0x1c; 64], kind::STRUCT, Err(ThriftError::Malformed("structures are nested too deep"))),
            (&[0x19; 64], kind::LIST, Err(ThriftError::Malformed("structures are nested too deep"))),
            (&[], 14, Err(ThriftError::Malformed("a field has a type that there is not"))),
        ] {
            assert_eq!(skip(bytes, kind), expected, "{bytes:?} as {kind}");
        }
    }

    #[test]
    fn numbers_of_fields_add_up_or_are_refused() {
        let mut last = 32_760;
        assert_eq!(Compact::new(&[0x75]).field(&mut last), Ok(Some(Field { id: 32_767, kind: kind::I32 })));
        let too_large = Err(ThriftError::Malformed("a field has a number that is too large"));
        assert_eq!(Compact::new(&[0x15]).field(&mut last), too_large);
        assert_eq!(Compact::new(&[0x05, 4]).field(&mut last), Ok(Some(Field { id: 2, kind: kind::I32 })));
        assert_eq!(Compact::new(&[0]).field(&mut last), Ok(None));
    }
}
