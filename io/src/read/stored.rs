//! How values of an Arrow type lie in a file, and what makes the one of the other.

use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, validate_decimal_precision_and_scale,
};
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::Type as Physical;

/// Values of a fixed width, as a file has them and as Arrow has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) physical: Physical,
    /// Bytes of a value in the file.
    pub(super) width: usize,
    /// Bytes of a value in the slot.
    pub(super) slot_width: usize,
    /// Makes slots of values, where they are not the same.
    pub(super) convert: Option<Convert>,
}

/// Makes Arrow's values of a file's, whose width is given.
pub(super) type Convert = fn(&[u8], usize, &mut [u8]);

impl Stored {
    /// `None` for pairs of types that the general reader is there for.
    pub(super) fn new(physical: Physical, length: usize, data_type: &DataType) -> Option<Self> {
        use DataType::{
            Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Duration, FixedSizeBinary, Float16,
            Float32, Float64, Int8, Int16, Int32, Int64, Time32, Time64, Timestamp, UInt8, UInt16, UInt32,
            UInt64,
        };
        if cfg!(target_endian = "big") || !is_sound(data_type) {
            return None;
        }
        let slot_width = data_type.primitive_width().unwrap_or(length);
        let (width, convert): (usize, Option<Convert>) = match (physical, data_type) {
            (Physical::INT32, Int32 | UInt32 | Date32 | Time32(_) | Decimal32(..)) => (4, None),
            (Physical::INT32, Int8 | UInt8) => (4, Some(low_bytes::<4, 1>)),
            (Physical::INT32, Int16 | UInt16) => (4, Some(low_bytes::<4, 2>)),
            (Physical::INT32, Decimal64(..)) => (4, Some(sign_extend::<4, 8>)),
            (Physical::INT32, Decimal128(..)) => (4, Some(sign_extend::<4, 16>)),
            (Physical::INT32, Decimal256(..)) => (4, Some(sign_extend::<4, 32>)),
            (
                Physical::INT64,
                Int64 | UInt64 | Date64 | Time64(_) | Timestamp(..) | Duration(_) | Decimal64(..),
            ) => (8, None),
            (Physical::INT64, Decimal128(..)) => (8, Some(sign_extend::<8, 16>)),
            (Physical::INT64, Decimal256(..)) => (8, Some(sign_extend::<8, 32>)),
            (Physical::FLOAT, Float32) => (4, None),
            (Physical::DOUBLE, Float64) => (8, None),
            (Physical::INT96, Timestamp(TimeUnit::Second, _)) => (12, Some(int96::<1>)),
            (Physical::INT96, Timestamp(TimeUnit::Millisecond, _)) => (12, Some(int96::<1_000>)),
            (Physical::INT96, Timestamp(TimeUnit::Microsecond, _)) => (12, Some(int96::<1_000_000>)),
            (Physical::INT96, Timestamp(TimeUnit::Nanosecond, _)) => (12, Some(int96::<1_000_000_000>)),
            (Physical::FIXED_LEN_BYTE_ARRAY, FixedSizeBinary(width)) => {
                (usize::try_from(*width).ok().filter(|width| *width == length)?, None)
            }
            (Physical::FIXED_LEN_BYTE_ARRAY, Float16) if length == 2 => (2, None),
            (Physical::FIXED_LEN_BYTE_ARRAY, Decimal32(..)) => (length, Some(big_endian::<4>)),
            (Physical::FIXED_LEN_BYTE_ARRAY, Decimal64(..)) => (length, Some(big_endian::<8>)),
            (Physical::FIXED_LEN_BYTE_ARRAY, Decimal128(..)) => (length, Some(big_endian::<16>)),
            (Physical::FIXED_LEN_BYTE_ARRAY, Decimal256(..)) => (length, Some(big_endian::<32>)),
            _ => return None,
        };
        let fits = width > 0
            && (convert.is_none() || physical != Physical::FIXED_LEN_BYTE_ARRAY || width <= slot_width);
        fits.then_some(Self { physical, width, slot_width, convert })
    }
}

/// Whether a decimal has the digits that its width can hold; a footer can say otherwise.
fn is_sound(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal32(p, s) => validate_decimal_precision_and_scale::<Decimal32Type>(*p, *s).is_ok(),
        DataType::Decimal64(p, s) => validate_decimal_precision_and_scale::<Decimal64Type>(*p, *s).is_ok(),
        DataType::Decimal128(p, s) => validate_decimal_precision_and_scale::<Decimal128Type>(*p, *s).is_ok(),
        DataType::Decimal256(p, s) => validate_decimal_precision_and_scale::<Decimal256Type>(*p, *s).is_ok(),
        _ => true,
    }
}

/// Narrow integers are stored in 32 bits.
fn low_bytes<const FROM: usize, const TO: usize>(stored: &[u8], _width: usize, out: &mut [u8]) {
    for (value, to) in stored.as_chunks::<FROM>().0.iter().zip(out.as_chunks_mut::<TO>().0) {
        if let Some(low) = value.first_chunk::<TO>() {
            *to = *low;
        }
    }
}

fn sign_extend<const FROM: usize, const TO: usize>(stored: &[u8], _width: usize, out: &mut [u8]) {
    for (value, to) in stored.as_chunks::<FROM>().0.iter().zip(out.as_chunks_mut::<TO>().0) {
        *to = [sign(value.last()); TO];
        if let Some(low) = to.first_chunk_mut::<FROM>() {
            *low = *value;
        }
    }
}

/// Numbers of any width up to `TO`, the most significant byte first.
fn big_endian<const TO: usize>(stored: &[u8], width: usize, out: &mut [u8]) {
    for (value, to) in stored.chunks_exact(width).zip(out.as_chunks_mut::<TO>().0) {
        *to = [sign(value.first()); TO];
        for (to, byte) in to.iter_mut().zip(value.iter().rev()) {
            *to = *byte;
        }
    }
}

/// What fills the bytes above the most significant one.
fn sign(most_significant: Option<&u8>) -> u8 {
    if most_significant.is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 }
}

/// Nanoseconds of a day in 64 bits and a Julian day in 32, to units of which a second has `PER_SECOND`.
fn int96<const PER_SECOND: i64>(stored: &[u8], _width: usize, out: &mut [u8]) {
    const EPOCH: i64 = 2_440_588;
    for (value, to) in stored.as_chunks::<12>().0.iter().zip(out.as_chunks_mut::<8>().0) {
        let [a, b, c, d, e, f, g, h, day @ ..] = *value;
        let nanoseconds = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let days = i64::from(i32::from_le_bytes(day)) - EPOCH;
        let time =
            days.wrapping_mul(86_400 * PER_SECOND).wrapping_add(nanoseconds / (1_000_000_000 / PER_SECOND));
        *to = time.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_what_arrow_has() {
        let decimal = DataType::Decimal128(20, 0);
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let second_day = [&1_500_000_000i64.to_le_bytes()[..], &2_440_589i32.to_le_bytes()].concat();
        for (physical, stored, data_type, expected) in [
            (Physical::INT32, (-2i32).to_le_bytes().to_vec(), DataType::Int8, (-2i8).to_le_bytes().to_vec()),
            (
                Physical::INT32,
                70_000i32.to_le_bytes().to_vec(),
                DataType::UInt16,
                4464u16.to_le_bytes().to_vec(),
            ),
            (
                Physical::INT32,
                (-2i32).to_le_bytes().to_vec(),
                decimal.clone(),
                (-2i128).to_le_bytes().to_vec(),
            ),
            (
                Physical::INT64,
                i64::MIN.to_le_bytes().to_vec(),
                decimal.clone(),
                i128::from(i64::MIN).to_le_bytes().to_vec(),
            ),
            (
                Physical::FIXED_LEN_BYTE_ARRAY,
                vec![0xff, 0xfe, 0x00],
                decimal.clone(),
                (-512i128).to_le_bytes().to_vec(),
            ),
            (
                Physical::FIXED_LEN_BYTE_ARRAY,
                vec![0x01, 0x02],
                DataType::Decimal64(4, 0),
                258i64.to_le_bytes().to_vec(),
            ),
            (Physical::FIXED_LEN_BYTE_ARRAY, vec![1, 2, 3], DataType::FixedSizeBinary(3), vec![1, 2, 3]),
            (Physical::INT96, second_day.clone(), seconds, 86_401i64.to_le_bytes().to_vec()),
            (Physical::INT96, second_day, nanoseconds, 86_401_500_000_000i64.to_le_bytes().to_vec()),
        ] {
            let how = Stored::new(physical, stored.len(), &data_type).unwrap();
            assert_eq!(
                (how.width, how.slot_width),
                (stored.len(), expected.len()),
                "{physical} to {data_type}"
            );
            let mut out = vec![0; expected.len() * 2];
            match how.convert {
                Some(convert) => convert(&stored.repeat(2), stored.len(), &mut out),
                None => out = stored.repeat(2),
            }
            assert_eq!(out, expected.repeat(2), "{physical} to {data_type}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_left_to_the_general_reader() {
        for (physical, length, data_type) in [
            (Physical::INT32, 0, DataType::Int64),
            (Physical::INT32, 0, DataType::Date64),
            (Physical::FIXED_LEN_BYTE_ARRAY, 17, DataType::Decimal128(38, 0)),
            (Physical::FIXED_LEN_BYTE_ARRAY, 0, DataType::FixedSizeBinary(0)),
            (Physical::FIXED_LEN_BYTE_ARRAY, 3, DataType::FixedSizeBinary(4)),
            (Physical::INT64, 0, DataType::Decimal128(60, 0)),
            (Physical::BYTE_ARRAY, 0, DataType::Decimal128(10, 0)),
        ] {
            assert!(Stored::new(physical, length, &data_type).is_none(), "{physical} to {data_type}");
        }
    }
}
