//! Whether a plain footer belongs to a file with encrypted columns.
//!
//! Such a footer names the algorithm in field 8 of its `FileMetaData`, and its signature follows it: 12 bytes of
//! nonce and 16 of tag. The `parquet` crate steps over both unless it is built to decrypt, and the encrypted
//! columns then look like broken ones. <https://parquet.apache.org/docs/file-format/data-pages/encryption/>,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

const SIGNATURE: usize = 12 + 16;

/// `encryption_algorithm` of `FileMetaData`.
const ALGORITHM: i64 = 8;

/// A footer is some six levels deep.
const DEEPEST: u32 = 32;

/// Whether the footer of these bytes says that its file has encrypted columns.
pub(super) fn has_encrypted_columns(footer: &[u8]) -> bool {
    // A struct ends in a zero. Where the last byte is one, and none stands before a possible signature, there
    // is no signature, and the walk over thousands of fields is spared.
    // Many a footer ends in an order for each column, always the same, which no signature looks like.
    let orders = footer.len().checked_sub(1 + SIGNATURE).and_then(|at| footer.get(at..footer.len() - 1));
    if footer.last() == Some(&0) && orders.is_some_and(is_orders) {
        return false;
    }
    let is_zero = |from_end| footer.len().checked_sub(from_end).and_then(|at| footer.get(at)) == Some(&0);
    if is_zero(1) && !is_zero(1 + SIGNATURE) {
        return false;
    }
    Thrift(footer).find_field(ALGORITHM, DEEPEST).unwrap_or(false)
}

/// Whether bytes are the end of a list of column orders: structs with an empty struct in field 1.
fn is_orders(bytes: &[u8]) -> bool {
    bytes.rchunks_exact(3).all(|order| order == [0x1c, 0, 0])
}

/// Bytes in thrift's compact form; `None` from its methods means that they end too early or make no sense.
pub(super) struct Thrift<'a>(pub(super) &'a [u8]);

impl Thrift<'_> {
    /// To be looked for by who wants to come to the end of a struct.
    pub(crate) const NO_FIELD: i64 = i64::MIN;

    /// The type of a struct.
    pub(crate) const STRUCT: u8 = 12;

    /// Steps over a struct to its end, or to the field with the number `wanted`.
    pub(crate) fn find_field(&mut self, wanted: i64, depth: u32) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let mut number = 0i64;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Some(false);
            }
            number = match head >> 4 {
                0 => self.signed()?,
                step => number.saturating_add(i64::from(step)),
            };
            // Numbers have 16 bits, and so none is the one that stands for no field.
            i16::try_from(number).ok()?;
            if number == wanted {
                return Some(true);
            }
            // Booleans of a struct lie in the head.
            if !matches!(kind, 1 | 2) {
                self.step_over(kind, depth)?;
            }
        }
    }

    fn step_over(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.skip(8),
            8 => self.unsigned().and_then(|len| self.skip(len)),
            9 | 10 => {
                let (kind, len) = self.list()?;
                // Every element takes a byte at least, so a forged length ends with the bytes.
                let depth = depth.checked_sub(1)?;
                (0..len).try_for_each(|_| self.step_over(kind, depth))
            }
            12 => self.find_field(Self::NO_FIELD, depth).map(drop),
            _ => None,
        }
    }

    /// The head of a list: the type of its elements, and how many.
    pub(crate) fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let len = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        Some((head & 0x0f, len))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, len: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(len).ok()?..)?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Zigzag: 0, -1, 1, -2, …
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        let half = i64::try_from(value >> 1).ok()?;
        Some(if value & 1 == 0 { half } else { -half - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2, a list of one struct with an i32, and what `more` appends.
    fn footer(more: &[u8]) -> Vec<u8> {
        [&[0x15, 0x04, 0x19, 0x1c, 0x15, 0x02, 0x00][..], more].concat()
    }

    #[test]
    fn encrypted_columns_are_seen_in_a_signed_footer_and_nowhere_else() {
        // Field 8, with the number as a step or in full: a struct with an empty struct in it.
        let (step, full) = ([0x6c, 0x1c, 0, 0, 0], [0x0c, 16, 0x1c, 0, 0, 0]);
        let signature = |last: u8| [vec![7; SIGNATURE - 1], vec![last]].concat();
        for (more, expected) in [
            (vec![0], false),
            ([&[0][..], &signature(1)].concat(), false),
            ([&step[..], &signature(1)].concat(), true),
            ([&full[..], &signature(1)].concat(), true),
            // One signature in 256 ends as a plain footer does.
            ([&step[..], &signature(0)].concat(), true),
            // Column orders at the end: an algorithm before them would not be seen, but stands behind them always.
            ([&[0x1c, 0, 0].repeat(12)[..], &[0]].concat(), false),
            ([&step[..], &[0x1c, 0, 0].repeat(4)[..], &signature(1)].concat(), true),
            (vec![0xff; 40], false),
            (vec![0x19; 4000], false),
            (vec![0x1c; 4000], false),
            ([&[0x28][..], &[0xff; 9], &[1]].concat(), false),
            ([&[0x29, 0xfc][..], &[0xff; 9], &[1]].concat(), false),
        ] {
            assert_eq!(has_encrypted_columns(&footer(&more)), expected, "{more:x?}");
        }
        assert!(!has_encrypted_columns(&[]));
        let whole = footer(&[&step[..], &signature(1)].concat());
        for len in 0..8 {
            assert!(!has_encrypted_columns(&whole[..len]), "{len}");
        }
    }
}
