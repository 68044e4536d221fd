//! Key columns of any width and unit as columns of one type, by value and without loss.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, Decimal256Array, Int64Array, PrimitiveArray, new_null_array,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};
use hypostyle_io::{Error, Result};

use super::class::{Class, KeyType, nanoseconds};

/// How wide the common type must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 64 bits (decimals: 128): almost all keys.
    Usual,
    /// 128 bits (decimals: 256): when a value of some table does not fit the usual width.
    Wide,
}

const DAY: i64 = 86_400_000;

/// The column in the common terms: `Int64` for whatever can be counted (`Decimal128` when wide), `Decimal128`
/// (`Decimal256` when wide), `LargeUtf8` or `LargeBinary`.
///
/// `None` if a value does not fit the usual width; every value fits the wide one, or it is an error.
pub(crate) fn canonical(array: &ArrayRef, key: KeyType, width: Width) -> Result<Option<ArrayRef>> {
    if let DataType::Dictionary(_, value) = array.data_type() {
        return canonical(&cast(array, value)?, key, width);
    }
    if array.data_type() == &DataType::Null {
        return Ok(Some(new_null_array(&common_type(key.class, width), array.len())));
    }
    match key.class {
        Class::Text => cast(array, &DataType::LargeUtf8).map(Some),
        Class::Binary => cast(array, &DataType::LargeBinary).map(Some),
        Class::Decimal => decimal(array, key.scale, width),
        Class::Bool => {
            let bits = array.as_boolean();
            let values = (0..bits.len()).map(|i| i64::from(bits.values().value(i)));
            let ints = Int64Array::new(values.collect(), bits.nulls().cloned());
            Ok(Some(in_width(ints, width)))
        }
        Class::Integer | Class::Date | Class::Time | Class::Timestamp { .. } => counted(array, key, width),
    }
}

fn common_type(class: Class, width: Width) -> DataType {
    match (class, width) {
        (Class::Text, _) => DataType::LargeUtf8,
        (Class::Binary, _) => DataType::LargeBinary,
        (Class::Decimal, Width::Wide) => DataType::Decimal256(76, 0),
        (Class::Decimal, Width::Usual) | (_, Width::Wide) => DataType::Decimal128(38, 0),
        (_, Width::Usual) => DataType::Int64,
    }
}

/// Integers, and what is stored as a count of days or time units.
fn counted(array: &ArrayRef, key: KeyType, width: Width) -> Result<Option<ArrayRef>> {
    let times = |unit: &TimeUnit| nanoseconds(*unit) / key.step;
    macro_rules! widen {
        ($type:ty) => {{
            let values = array.as_primitive::<$type>();
            let ints = Int64Array::new(
                values.values().iter().map(|v| i64::from(*v)).collect(),
                values.nulls().cloned(),
            );
            Ok(Some(in_width(ints, width)))
        }};
    }
    match array.data_type() {
        DataType::Int8 => widen!(Int8Type),
        DataType::Int16 => widen!(Int16Type),
        DataType::Int32 => widen!(Int32Type),
        DataType::UInt8 => widen!(UInt8Type),
        DataType::UInt16 => widen!(UInt16Type),
        DataType::UInt32 => widen!(UInt32Type),
        DataType::Int64 => Ok(Some(in_width(array.as_primitive::<Int64Type>().clone(), width))),
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>(), width),
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            let values = days.values().iter().map(|d| i64::from(*d) * DAY).collect();
            Ok(Some(in_width(Int64Array::new(values, days.nulls().cloned()), width)))
        }
        DataType::Date64 => {
            let days = array.as_primitive::<Date64Type>();
            Ok(Some(in_width(Int64Array::new(days.values().clone(), days.nulls().cloned()), width)))
        }
        DataType::Time32(unit) => {
            scaled(&reinterpreted(&cast(array, &DataType::Int32)?)?, times(unit), width)
        }
        DataType::Time64(unit) | DataType::Timestamp(unit, _) => {
            scaled(&reinterpreted(array)?, times(unit), width)
        }
        other => Err(Error::internal(format!("a key of {other} got past the check of key types"))),
    }
}

/// The stored counts, whatever they count; no copy for 64 bits.
fn reinterpreted(array: &ArrayRef) -> Result<Int64Array> {
    cast(array, &DataType::Int64).map(|ints| ints.as_primitive::<Int64Type>().clone())
}

fn scaled(values: &Int64Array, factor: i64, width: Width) -> Result<Option<ArrayRef>> {
    if factor == 1 {
        return Ok(Some(in_width(values.clone(), width)));
    }
    match width {
        Width::Usual => {
            let mut fits = true;
            let product = values
                .values()
                .iter()
                .zip(validity(values))
                .map(|(v, valid)| {
                    let (product, overflows) = v.overflowing_mul(factor);
                    fits &= !(overflows && valid);
                    product
                })
                .collect();
            Ok(fits.then(|| Arc::new(Int64Array::new(product, values.nulls().cloned())) as ArrayRef))
        }
        Width::Wide => {
            let product = values.values().iter().map(|v| i128::from(*v) * i128::from(factor)).collect();
            Ok(Some(wide(Decimal128Array::new(product, values.nulls().cloned()))))
        }
    }
}

fn unsigned(values: &PrimitiveArray<UInt64Type>, width: Width) -> Result<Option<ArrayRef>> {
    match width {
        Width::Usual => {
            let fits = values
                .values()
                .iter()
                .zip(validity(values))
                .all(|(v, valid)| !valid || i64::try_from(*v).is_ok());
            let ints = || values.values().iter().map(|v| i64::try_from(*v).unwrap_or(0)).collect();
            Ok(fits.then(|| Arc::new(Int64Array::new(ints(), values.nulls().cloned())) as ArrayRef))
        }
        Width::Wide => {
            let ints = values.values().iter().map(|v| i128::from(*v)).collect();
            Ok(Some(wide(Decimal128Array::new(ints, values.nulls().cloned()))))
        }
    }
}

fn in_width(ints: Int64Array, width: Width) -> ArrayRef {
    match width {
        Width::Usual => Arc::new(ints),
        Width::Wide => wide(Decimal128Array::new(
            ints.values().iter().map(|v| i128::from(*v)).collect(),
            ints.nulls().cloned(),
        )),
    }
}

/// The type's digits are of no meaning here: only the stored integers are compared.
fn wide(values: Decimal128Array) -> ArrayRef {
    Arc::new(values.with_data_type(DataType::Decimal128(38, 0)))
}

fn decimal(array: &ArrayRef, scale: i8, width: Width) -> Result<Option<ArrayRef>> {
    let (nulls, own_scale) = match array.data_type() {
        DataType::Decimal32(_, s)
        | DataType::Decimal64(_, s)
        | DataType::Decimal128(_, s)
        | DataType::Decimal256(_, s) => (array.nulls().cloned(), *s),
        other => return Err(Error::internal(format!("{other} got among decimal keys"))),
    };
    let shift = u32::try_from(i16::from(scale) - i16::from(own_scale)).unwrap_or(0);
    let values: Box<dyn Iterator<Item = i256> + '_> = match array.data_type() {
        DataType::Decimal32(..) => Box::new(
            array.as_primitive::<Decimal32Type>().values().iter().map(|v| i256::from_i128(i128::from(*v))),
        ),
        DataType::Decimal64(..) => Box::new(
            array.as_primitive::<Decimal64Type>().values().iter().map(|v| i256::from_i128(i128::from(*v))),
        ),
        DataType::Decimal128(..) => {
            Box::new(array.as_primitive::<Decimal128Type>().values().iter().map(|v| i256::from_i128(*v)))
        }
        _ => Box::new(array.as_primitive::<Decimal256Type>().values().iter().copied()),
    };
    let too_wide = || Error::unsupported("decimal keys of this precision and scale do not fit 256 bits");
    let factor = i256::from_i128(10).checked_pow(shift).ok_or_else(too_wide)?;
    let valid = |i: usize| array.is_valid(i);
    match width {
        Width::Usual => {
            let mut out = Vec::with_capacity(array.len());
            for (i, value) in values.enumerate() {
                match value.checked_mul(factor).and_then(i256::to_i128) {
                    Some(value) => out.push(value),
                    None if !valid(i) => out.push(0),
                    None => return Ok(None),
                }
            }
            let out = Decimal128Array::new(out.into(), nulls).with_data_type(DataType::Decimal128(38, 0));
            Ok(Some(Arc::new(out)))
        }
        Width::Wide => {
            let mut out = Vec::with_capacity(array.len());
            for (i, value) in values.enumerate() {
                match value.checked_mul(factor) {
                    Some(value) => out.push(value),
                    None if !valid(i) => out.push(i256::ZERO),
                    None => return Err(too_wide()),
                }
            }
            let out = Decimal256Array::new(out.into(), nulls).with_data_type(DataType::Decimal256(76, 0));
            Ok(Some(Arc::new(out)))
        }
    }
}

fn validity<'a>(array: &'a dyn Array) -> impl Iterator<Item = bool> + 'a {
    (0..array.len()).map(|i| array.is_valid(i))
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    arrow_cast::cast_with_options(array, to, &options)
        .map_err(|e| Error::unsupported(format!("the key cannot be compared: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Date32Array, TimestampMillisecondArray, TimestampSecondArray, UInt64Array};

    fn key(array: &dyn Array) -> KeyType {
        KeyType::of(array.data_type()).unwrap()
    }

    #[test]
    fn units_that_differ_meet_by_value() {
        let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(-2), None, Some(7)]));
        let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(-2000), None, Some(7000)]));
        let common = key(&seconds).with(key(&millis)).unwrap();
        let of = |a| canonical(a, common, Width::Usual).unwrap().unwrap();
        assert_eq!(&of(&seconds), &of(&millis));
    }

    #[test]
    fn what_does_not_fit_the_usual_width_asks_for_the_wide_one() {
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]));
        assert!(canonical(&large, key(&large), Width::Usual).unwrap().is_none());
        let wide = canonical(&large, key(&large), Width::Wide).unwrap().unwrap();
        assert_eq!(wide.as_primitive::<Decimal128Type>().value(0), i128::from(u64::MAX));

        let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX / 10]));
        let fine = KeyType { step: 1, ..key(&far) };
        assert!(canonical(&far, fine, Width::Usual).unwrap().is_none());
        assert!(canonical(&far, fine, Width::Wide).unwrap().is_some());
    }

    #[test]
    fn decimals_of_other_scales_meet_by_value() {
        let cents = |p, s, v| {
            Arc::new(Decimal128Array::from(vec![v]).with_precision_and_scale(p, s).unwrap()) as ArrayRef
        };
        let (a, b) = (cents(10, 2, 150i128), cents(12, 4, 15_000i128));
        let common = key(&a).with(key(&b)).unwrap();
        assert_eq!(
            &canonical(&a, common, Width::Usual).unwrap().unwrap(),
            &canonical(&b, common, Width::Usual).unwrap().unwrap()
        );
    }

    #[test]
    fn the_extreme_dates_fit() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MIN, i32::MAX]));
        assert!(canonical(&days, key(&days), Width::Usual).unwrap().is_some());
    }
}
