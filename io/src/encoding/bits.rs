//! Numbers of a few bits each, packed from the least significant bit on.

use super::{Decoded, corrupt};

/// Numbers that are unpacked at once: 32 of them, of `w` bits each, take `4 * w` bytes.
pub(super) const GROUP: usize = 32;

/// Unpacks as many whole groups as both sides have.
type Unpack = fn(&[u8], &mut [u32]);

/// Numbers of one width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacker {
    unpack: Unpack,
    width: usize,
}

impl Unpacker {
    /// For numbers of `width` bits, 32 at most.
    pub(super) fn new(width: u8) -> Decoded<Self> {
        match UNPACK.get(usize::from(width)) {
            Some(unpack) => Ok(Self { unpack: *unpack, width: usize::from(width) }),
            None => corrupt(format!("its numbers have {width} bits, more than 32")),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Bytes that a group takes.
    pub(super) fn group_bytes(&self) -> usize {
        GROUP / 8 * self.width
    }

    /// Unpacks `out.len()` numbers, whose bytes may end with the last of them.
    pub(super) fn unpack(&self, packed: &[u8], out: &mut [u32]) {
        let whole = (out.len() / GROUP).min(packed.len() / self.group_bytes().max(1)) * GROUP;
        let Some((head, tail)) = out.split_at_mut_checked(whole) else { return };
        (self.unpack)(packed, head);
        let mut rest = packed.get(whole / 8 * self.width..).unwrap_or(&[]);
        for group in tail.chunks_mut(GROUP) {
            let mut bytes = [0; GROUP / 8 * 32];
            for (to, from) in bytes.iter_mut().zip(rest) {
                *to = *from;
            }
            let mut numbers = [0; GROUP];
            (self.unpack)(&bytes, &mut numbers);
            for (to, from) in group.iter_mut().zip(numbers) {
                *to = from;
            }
            rest = rest.get(self.group_bytes()..).unwrap_or(&[]);
        }
    }
}

/// The number of `width` bits, 64 at most, that begins at `bit`; bytes that are not there are zeros.
pub(super) fn number_at(bytes: &[u8], bit: usize, width: usize) -> u64 {
    let mut nine = [0; 16];
    for (to, byte) in nine.iter_mut().zip(bytes.get(bit / 8..).unwrap_or(&[]).iter().take(9)) {
        *to = *byte;
    }
    let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
    #[expect(clippy::cast_possible_truncation, reason = "64 bits are what is asked for")]
    let shifted = (u128::from_le_bytes(nine) >> (bit % 8)) as u64;
    shifted & mask
}

const UNPACK: [Unpack; 33] = [
    unpack::<0>,
    unpack::<1>,
    unpack::<2>,
    unpack::<3>,
    unpack::<4>,
    unpack::<5>,
    unpack::<6>,
    unpack::<7>,
    unpack::<8>,
    unpack::<9>,
    unpack::<10>,
    unpack::<11>,
    unpack::<12>,
    unpack::<13>,
    unpack::<14>,
    unpack::<15>,
    unpack::<16>,
    unpack::<17>,
    unpack::<18>,
    unpack::<19>,
    unpack::<20>,
    unpack::<21>,
    unpack::<22>,
    unpack::<23>,
    unpack::<24>,
    unpack::<25>,
    unpack::<26>,
    unpack::<27>,
    unpack::<28>,
    unpack::<29>,
    unpack::<30>,
    unpack::<31>,
    unpack::<32>,
];

fn unpack<const WIDTH: usize>(packed: &[u8], out: &mut [u32]) {
    if WIDTH == 0 {
        return out.fill(0);
    }
    let (groups, _) = out.as_chunks_mut::<GROUP>();
    for (group, packed) in groups.iter_mut().zip(packed.chunks_exact(GROUP / 8 * WIDTH.max(1))) {
        // One word more than the widest group has, so that no place needs a case of its own.
        let mut words = [0u32; GROUP + 1];
        for (word, bytes) in words.iter_mut().zip(packed.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        // Written out, so that each shift and each word is a constant.
        macro_rules! places {
            ($($place:literal)*) => { [$(number::<WIDTH, $place>(&words)),*] };
        }
        *group =
            places!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    }
}

#[inline(always)]
fn number<const WIDTH: usize, const PLACE: usize>(words: &[u32; GROUP + 1]) -> u32 {
    let shift = PLACE * WIDTH % 32;
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let low = word(PLACE * WIDTH / 32) >> shift;
    let high = if shift + WIDTH > 32 { word(PLACE * WIDTH / 32 + 1) << (32 - shift) } else { 0 };
    let mask = if WIDTH >= 32 { u32::MAX } else { (1 << WIDTH) - 1 };
    (low | high) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_out_as_they_were_packed() {
        for width in 0..=32u8 {
            let bits = usize::from(width);
            let packed: Vec<u8> = (0..bits * 20).map(|i| (i * 167 + 13) as u8).collect();
            let unpacker = Unpacker::new(width).unwrap();
            for count in [0, 1, 31, 32, 33, 64, 100, 160] {
                let expected: Vec<u32> =
                    (0..count).map(|i| number_at(&packed, i * bits, bits) as u32).collect();
                let mut found = vec![9; count];
                unpacker.unpack(packed.get(..(count * bits).div_ceil(8)).unwrap(), &mut found);
                assert_eq!(found, expected, "{width} bits, {count} numbers");
            }
        }
        assert!(Unpacker::new(33).is_err());
    }

    #[test]
    fn a_number_is_what_its_bits_say_one_by_one() {
        let bytes: Vec<u8> = (0..40).map(|i| (i * 37 + 5) as u8).collect();
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |b| u64::from(b >> (at % 8) & 1));
        for width in 0..=64 {
            for at in 0..320 {
                let expected = (0..width).fold(0, |sum, i| sum | bit(at + i) << i);
                assert_eq!(number_at(&bytes, at, width), expected, "{width} bits at {at}");
            }
        }
    }
}
