//! The Arrow schema that Arrow's writers leave in a footer, a field at a time.
//!
//! It is a flatbuffer, in which a table says by offsets where its parts are: so a field can be read without the
//! others, once the list of fields is made to have this one alone. What comes out is checked and converted by the
//! `arrow-ipc` crate, as if the file had had one column.
//! <https://arrow.apache.org/docs/format/Columnar.html#schema-message>, <https://flatbuffers.dev/internals/>

use std::sync::{Mutex, PoisonError};

use arrow_schema::Field;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flatbuffers::VerifierOptions;

use super::guarded;
use crate::error::{Error, Result};

/// Where a table lists where its parts are: a field's number times two, behind the lengths of list and table.
const HEADER_OF_MESSAGE: usize = 4 + 2 * 2;
const FIELDS_OF_SCHEMA: usize = 4 + 2;
const METADATA_OF_SCHEMA: usize = 4 + 2 * 2;

/// The fields of a message with a schema.
#[derive(Debug)]
pub(super) struct ArrowFields {
    /// The message. Its list of fields is overwritten for each field that is read.
    message: Mutex<Vec<u8>>,
    /// Where the list's length is.
    list: usize,
    /// Where the fields are.
    fields: Vec<usize>,
}

impl ArrowFields {
    /// Finds the fields of a schema in base64; `None` where they are not found as they should be.
    pub(super) fn find(text: &[u8]) -> Option<Self> {
        let mut message = BASE64_STANDARD.decode(text).ok()?;
        // A mark and a length stand before it, but not in the oldest files.
        if message.len() > 8 && message.starts_with(&[0xff; 4]) {
            message.drain(..8);
        }
        let schema = part(&message, follow(&message, 0)?, HEADER_OF_MESSAGE)?;
        let list = part(&message, schema, FIELDS_OF_SCHEMA)?;
        // What is said of the table as a whole (by pandas, of each column) would be checked for each column again.
        if let Some(metadata) = part(&message, schema, METADATA_OF_SCHEMA) {
            message.get_mut(metadata..metadata.checked_add(4)?)?.fill(0);
        }
        let len = number(&message, list)?;
        let end = len.checked_mul(4).and_then(|bytes| list.checked_add(4)?.checked_add(bytes))?;
        message.get(list..end)?;
        let fields = (0..len).map(|i| follow(&message, list + 4 + 4 * i)).collect::<Option<Vec<_>>>()?;
        Some(Self { message: Mutex::new(message), list, fields })
    }

    /// How many fields.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if what is said of it makes no sense.
    pub(super) fn field(&self, index: usize) -> Result<Field> {
        // Of forged unions the crate makes a panic.
        guarded(|| Ok(self.alone(index)))?.ok_or_else(|| {
            Error::corrupt("the Arrow schema in the footer makes no sense").hint("write the file again")
        })
    }

    fn alone(&self, index: usize) -> Option<Field> {
        let field = *self.fields.get(index)?;
        let first = self.list + 4;
        let offset = u32::try_from(field.checked_sub(first)?).ok()?;
        let alone = [1u32.to_le_bytes(), offset.to_le_bytes()];
        let mut message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        let all = *message.get(self.list..)?.first_chunk::<8>()?;
        message.get_mut(self.list..first + 4)?.copy_from_slice(alone.as_flattened());
        let field = first_field(&message);
        // In a forged message something else may lie there as well.
        message.get_mut(self.list..first + 4)?.copy_from_slice(&all);
        field
    }
}

fn first_field(message: &[u8]) -> Option<Field> {
    // Tables that stand in several places are looked at in each: in a sound message there are few.
    let bounds = VerifierOptions {
        max_tables: 64 + message.len() / 8,
        max_apparent_size: 1024 + 16 * message.len(),
        ..VerifierOptions::default()
    };
    let schema = arrow_ipc::root_as_message_with_opts(&bounds, message).ok()?.header_as_schema()?;
    let schema = arrow_ipc::convert::try_fb_to_schema(schema).ok()?;
    schema.fields().first().map(|field| field.as_ref().clone())
}

/// Where a part of the table at `table` is, of which the table says at `entry` of its list.
fn part(bytes: &[u8], table: usize, entry: usize) -> Option<usize> {
    let back = i32::from_le_bytes(*bytes.get(table..)?.first_chunk()?);
    let list = usize::try_from(i64::try_from(table).ok()? - i64::from(back)).ok()?;
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    if short(list)? < entry + 2 {
        return None;
    }
    match short(list + entry)? {
        0 => None,
        offset => follow(bytes, table.checked_add(offset)?),
    }
}

/// Where the offset at a place leads.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(number(bytes, at)?).filter(|to| *to < bytes.len())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}
