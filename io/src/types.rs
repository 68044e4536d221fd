//! What Arrow types mean for reading: their width in a slot, and which two of them are one.

use arrow_schema::{DataType, Field, TimeUnit};

/// Bytes a value of this type takes in a slot; `None` for types that do not lie in slots (bits,
/// strings, nested types).
pub fn fixed_width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok().filter(|w| *w > 0),
        DataType::Boolean => None,
        other => other.primitive_width(),
    }
}

/// The type that holds every value of both without loss, if there is one.
///
/// Two files of one table may differ so: a narrower integer became a wider one, seconds became
/// microseconds, a string a large string.
pub fn widen(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Date32, Date64, Decimal128, Decimal256, Dictionary, Float16, Float32, Float64,
        LargeBinary, LargeUtf8, Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    if a.equals_datatype(b) {
        return Some(a.clone());
    }
    match (a, b) {
        (Timestamp(x, zone), Timestamp(y, other)) if zone == other => {
            Some(Timestamp(finer(*x, *y), zone.clone()))
        }
        (Time32(_), Time32(_)) => Some(Time32(TimeUnit::Millisecond)),
        (Time32(_), Time64(unit)) | (Time64(unit), Time32(_)) => Some(Time64(*unit)),
        (Time64(_), Time64(_)) => Some(Time64(TimeUnit::Nanosecond)),
        (Date32, Date64) | (Date64, Date32) => Some(Date64),
        (Float16, Float32) | (Float32, Float16) => Some(Float32),
        (Float16 | Float32, Float64) | (Float64, Float16 | Float32) => Some(Float64),
        (Utf8, LargeUtf8) | (LargeUtf8, Utf8) => Some(LargeUtf8),
        (Utf8View, Utf8 | LargeUtf8) | (Utf8 | LargeUtf8, Utf8View) => Some(Utf8View),
        (Binary, LargeBinary) | (LargeBinary, Binary) => Some(LargeBinary),
        (BinaryView, Binary | LargeBinary) | (Binary | LargeBinary, BinaryView) => Some(BinaryView),
        (Dictionary(_, value), other) | (other, Dictionary(_, value)) => match other {
            Dictionary(_, other_value) => widen(value, other_value),
            plain => widen(value, plain),
        },
        (Decimal128(p, s), Decimal128(q, t)) => decimal(*p, *s, *q, *t),
        (Decimal256(p, s), Decimal128(q, t) | Decimal256(q, t)) | (Decimal128(p, s), Decimal256(q, t)) => {
            decimal(*p, *s, *q, *t).map(|wide| match wide {
                Decimal128(precision, scale) => Decimal256(precision, scale),
                other => other,
            })
        }
        _ => integers(a, b),
    }
}

/// Whether a column of this type may be a key.
pub fn is_key_type(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_key_type(value),
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => true,
        other => other.is_integer(),
    }
}

/// The field under a common type; null is possible where it is in either.
pub(crate) fn widen_field(a: &Field, b: &Field) -> Option<Field> {
    let data_type = widen(a.data_type(), b.data_type())?;
    Some(a.clone().with_data_type(data_type).with_nullable(a.is_nullable() || b.is_nullable()))
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    if rank(&a) >= rank(&b) { a } else { b }
}

/// The integer type that holds both: signed and unsigned meet in the next wider signed one.
fn integers(a: &DataType, b: &DataType) -> Option<DataType> {
    let (a_bits, a_signed) = integer(a)?;
    let (b_bits, b_signed) = integer(b)?;
    let bits = match (a_signed, b_signed) {
        (true, false) if b_bits >= a_bits => b_bits * 2,
        (false, true) if a_bits >= b_bits => a_bits * 2,
        _ => a_bits.max(b_bits),
    };
    Some(match (bits, a_signed || b_signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return None,
    })
}

fn integer(data_type: &DataType) -> Option<(u32, bool)> {
    data_type
        .is_integer()
        .then(|| (data_type.primitive_width().map_or(0, |w| w as u32 * 8), data_type.is_signed_integer()))
}

fn decimal(p: u8, s: i8, q: u8, t: i8) -> Option<DataType> {
    let scale = s.max(t);
    let whole = (i16::from(p) - i16::from(s)).max(i16::from(q) - i16::from(t));
    let precision = u8::try_from(whole + i16::from(scale)).ok()?;
    match precision {
        0..=38 => Some(DataType::Decimal128(precision, scale)),
        39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;

    #[test]
    fn types_widen_without_loss_or_not_at_all() {
        let us = |zone: Option<&str>| Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (a, b, expected) in [
            (Int32, Int64, Some(Int64)),
            (UInt8, Int8, Some(Int16)),
            (UInt32, Int64, Some(Int64)),
            (UInt64, Int64, None),
            (Int64, Float64, None),
            (Float32, Float64, Some(Float64)),
            (Timestamp(TimeUnit::Second, None), us(None), Some(us(None))),
            (us(None), us(Some("UTC")), None),
            (us(Some("UTC")), us(Some("Europe/Berlin")), None),
            (Utf8, LargeUtf8, Some(LargeUtf8)),
            (Utf8, Binary, None),
            (Dictionary(Box::new(Int32), Box::new(Utf8)), Utf8, Some(Utf8)),
            (Decimal128(10, 2), Decimal128(12, 4), Some(Decimal128(12, 4))),
            (Decimal128(38, 0), Decimal128(38, 10), Some(Decimal256(48, 10))),
            (Date32, us(None), None),
        ] {
            assert_eq!(widen(&a, &b), expected, "{a} and {b}");
            assert_eq!(widen(&b, &a), expected, "{b} and {a}");
        }
    }
}
