//! Whether bytes are what the format says, field by field, before the `parquet` crate reads them.
//!
//! The crate reads a field that it knows without a look at the type that the bytes give it, and takes the last of
//! fields that come twice. So bytes can be forged that are one thing to it and another one to whoever goes by their
//! types: a schema of a million levels, into which it goes down until the stack ends. What passes here is the same
//! thing to both, and has as many elements in each list as it says.

use super::format::{COLUMN_INDEX, ELEMENT, FILE, Fields};
use super::shape::Levels;
use crate::error::{Error, Result};
use crate::page::thrift::{Compact, Field, ThriftError, kind};

/// What a field holds, or an element of a list.
#[derive(Debug)]
pub(super) enum Holds {
    Flag,
    Byte,
    /// Of any width: all are written alike.
    Number,
    Double,
    /// Text, or bytes.
    Text,
    Struct(Fields),
    List(&'static Self),
    /// The elements of a schema.
    Schema,
    /// How many children such an element has.
    Children,
    /// Something that the crate steps over, and that only files with encrypted columns have.
    Algorithm,
    /// Something that the crate steps over.
    Any,
}

/// Refuses footers that are not what the format says, or whose schema is too deep. Says whether one names the
/// algorithm with which columns of its file are encrypted.
pub(super) fn check_footer(footer: &[u8]) -> Result<bool> {
    Walk::over(footer, FILE, "footer").map(|walk| walk.is_encrypted)
}

/// Refuses column indexes that are not what the format says.
pub(crate) fn check_column_index(index: &[u8]) -> Result<()> {
    Walk::over(index, COLUMN_INDEX, "column index").map(drop)
}

struct Walk<'a> {
    from: Compact<'a>,
    /// What is walked over.
    what: &'static str,
    /// The children of the last element.
    children: i64,
    is_encrypted: bool,
}

impl<'a> Walk<'a> {
    fn over(bytes: &'a [u8], fields: Fields, what: &'static str) -> Result<Self> {
        let mut walk = Self { from: Compact::new(bytes), what, children: 0, is_encrypted: false };
        walk.fields(fields)?;
        Ok(walk)
    }

    fn fields(&mut self, known: Fields) -> Result<()> {
        let (mut last, mut seen) = (0, 0u32);
        while let Some(field) = self.from.field(&mut last).map_err(|e| self.broken(e))? {
            let place = usize::from(field.id.cast_unsigned()).wrapping_sub(1);
            let Some((name, holds)) = known.get(place) else {
                // The crate steps over it by its type as well.
                self.from.skip(field).map_err(|e| self.broken(e))?;
                continue;
            };
            if seen >> place & 1 == 1 {
                return Err(self.wrong(&format!("the field `{name}` comes twice")));
            }
            seen |= 1 << place;
            self.value(field, holds, name)?;
        }
        Ok(())
    }

    fn value(&mut self, field: Field, holds: &Holds, name: &str) -> Result<()> {
        match (holds, field.kind) {
            (Holds::Struct(fields), kind::STRUCT) => self.fields(fields),
            (Holds::List(of), kind::LIST) => {
                let (kind, len) = self.from.list_head().map_err(|e| self.broken(e))?;
                if let (Holds::Flag, kind::TRUE | kind::FALSE) = (of, kind) {
                    // In a list they are a byte each.
                    return self.from.skip_bytes(len).map_err(|e| self.broken(e));
                }
                (0..len).try_for_each(|_| self.value(Field { id: field.id, kind }, of, name))
            }
            (Holds::Schema, kind::LIST) => {
                let (kind, len) = self.from.list_head().map_err(|e| self.broken(e))?;
                let mut levels = Levels::of(len);
                (0..len).try_for_each(|_| {
                    self.children = 0;
                    self.value(Field { id: field.id, kind }, &Holds::Struct(ELEMENT), name)?;
                    levels.element(self.children)
                })
            }
            (Holds::Children, kind::I16 | kind::I32 | kind::I64) => {
                self.children = self.from.i64(field).map_err(|e| self.broken(e))?;
                Ok(())
            }
            (Holds::Flag, kind::TRUE | kind::FALSE)
            | (Holds::Byte, kind::BYTE)
            | (Holds::Number, kind::I16 | kind::I32 | kind::I64)
            | (Holds::Double, kind::DOUBLE)
            | (Holds::Text, kind::BINARY)
            | (Holds::Any | Holds::Algorithm, _) => {
                self.is_encrypted |= matches!(holds, Holds::Algorithm);
                self.from.skip(field).map_err(|e| self.broken(e))
            }
            _ => {
                Err(self.wrong(&format!("the field `{name}` has a type that it does not have in the format")))
            }
        }
    }

    fn broken(&self, error: ThriftError) -> Error {
        match error {
            ThriftError::Short => self.wrong("it ends too early"),
            ThriftError::Malformed(why) => self.wrong(why),
        }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::corrupt(format!("the {} makes no sense: {why}", self.what)).hint("write the file again")
    }
}
