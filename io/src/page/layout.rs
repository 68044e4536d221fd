//! The parts of a data page, decompressed: which rows have a value, and the values.

use parquet::basic::{Compression, Encoding};

use super::codec::{check_size, decompress, decompress_beginning};
use super::header::Levels;
use super::scratch::Scratch;
use super::walk::DataPage;
use crate::encoding::levels::Validity;
use crate::encoding::{Decoded, Fault, corrupt, take, take_with_length};

/// What of a page is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// All of it.
    All,
    /// As many bytes of the values.
    Values(usize),
}

/// A page's parts.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) validity: Validity,
    pub(crate) values: &'a [u8],
}

impl DataPage {
    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.header.values
    }

    /// The memory that it takes when decompressed, unless no page of its stored size can take as much.
    pub(crate) fn checked_size(&self, codec: Compression) -> Decoded<usize> {
        if codec == Compression::UNCOMPRESSED {
            return Ok(0);
        }
        check_size(codec, self.stored.len(), self.size)?;
        Ok(self.size)
    }

    /// Takes the page apart; `optional` says whether there are definition levels.
    pub(crate) fn parts<'a>(
        &'a self,
        codec: Compression,
        optional: bool,
        want: Want,
        scratch: &'a mut Scratch,
    ) -> Decoded<Parts<'a>> {
        match self.header.levels {
            Levels::Within { definition } => {
                let mut values = self.inflate(codec, &self.stored, self.size, optional, want, scratch)?;
                let validity = match (optional, definition) {
                    (false, _) => Validity::All,
                    (true, Encoding::RLE) => Validity::read(take_with_length(&mut values)?, self.len())?,
                    // Deprecated, and packed in another order.
                    (true, _) => return Err(Fault::Unknown),
                };
                Ok(Parts { validity, values })
            }
            Levels::Before { .. } => {
                let (validity, stored, size, codec) = self.version_2(codec, optional)?;
                let values = self.inflate(codec, stored, size, false, want, scratch)?;
                Ok(Parts { validity, values })
            }
        }
    }

    /// Decompresses values of fixed width straight to where they stay, if the page is nothing but `out`.
    pub(crate) fn whole_into(
        &self,
        codec: Compression,
        optional: bool,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Decoded<bool> {
        let (stored, size, codec) = match self.header.levels {
            Levels::Within { .. } if optional => return Ok(false),
            Levels::Within { .. } => (&self.stored[..], self.size, codec),
            Levels::Before { .. } => match self.version_2(codec, optional)? {
                (Validity::All, stored, size, codec) => (stored, size, codec),
                (Validity::Some(_), ..) => return Ok(false),
            },
        };
        if size != out.len() || stored.len() != size && codec == Compression::UNCOMPRESSED {
            return Ok(false);
        }
        decompress(codec, stored, out, scratch.zstd())?;
        Ok(true)
    }

    /// Of a page of version 2, the levels, and the values as they are stored, with their size and codec.
    fn version_2(
        &self,
        codec: Compression,
        optional: bool,
    ) -> Decoded<(Validity, &[u8], usize, Compression)> {
        let Levels::Before { repetition, definition, nulls, compressed } = self.header.levels else {
            return Err(Fault::Unknown);
        };
        let mut rest = &self.stored[..];
        take(&mut rest, repetition)?;
        let levels = take(&mut rest, definition)?;
        let Some(size) = self.size.checked_sub(repetition + definition) else {
            return corrupt("its levels are longer than the page");
        };
        if nulls > self.len() {
            return corrupt(format!("it has {nulls} nulls among {} values", self.len()));
        }
        let validity = if optional { Validity::read(levels, self.len())? } else { Validity::All };
        Ok((validity, rest, size, if compressed { codec } else { Compression::UNCOMPRESSED }))
    }

    fn inflate<'a>(
        &self,
        codec: Compression,
        stored: &'a [u8],
        size: usize,
        levels_first: bool,
        want: Want,
        scratch: &'a mut Scratch,
    ) -> Decoded<&'a [u8]> {
        if codec == Compression::UNCOMPRESSED {
            return Ok(stored);
        }
        let (room, zstd) = scratch.room(size)?;
        let filled = match want {
            // Half a page is not worth the slower way.
            Want::Values(values) if values.saturating_mul(2) < size => {
                let before = if levels_first {
                    // First to learn how long the levels are.
                    let filled = decompress_beginning(codec, stored, room, 4, zstd)?;
                    let length = room.get(..filled).and_then(<[u8]>::first_chunk::<4>).copied();
                    let Some(length) = length else { return corrupt("it ends before its levels") };
                    4usize.saturating_add(u32::from_le_bytes(length) as usize)
                } else {
                    0
                };
                decompress_beginning(codec, stored, room, before.saturating_add(values), zstd)?
            }
            _ => {
                decompress(codec, stored, room, zstd)?;
                size
            }
        };
        Ok(room.get(..filled).unwrap_or(&[]))
    }
}
