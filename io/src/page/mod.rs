//! Pages of a column chunk: found, read, checked and decompressed. What their values mean is not known here.

mod codec;
pub(crate) mod header;
mod layout;
mod scratch;
pub(crate) mod thrift;
mod walk;

pub(crate) use codec::{check_size, is_known};
pub(crate) use layout::Want;
pub(crate) use scratch::{Scratch, keep, space, with_scratch};
pub(crate) use walk::{DataPage, DictionaryPage, HEADER, Pages, placed};
