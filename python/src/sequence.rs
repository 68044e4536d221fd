//! Python values to an Arrow array, whose type is the one that they all share.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Decimal128Builder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, TimestampMicrosecondArray,
    UInt64Array,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use hypostyle::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDate, PyDateTime, PyFloat, PyInt, PyString};

use crate::errors::OrRaise;

/// What one value is.
#[derive(Debug)]
enum Item {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Date(NaiveDate),
    Naive(NaiveDateTime),
    Zoned(DateTime<Utc>),
    Decimal(i128, i8),
}

impl Item {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "None",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "date",
            Self::Naive(_) => "datetime without a time zone",
            Self::Zoned(_) => "datetime with a time zone",
            Self::Decimal(..) => "Decimal",
        }
    }
}

/// An array of the values of a Python iterable.
///
/// `None`, and pandas' own words for it, are null; NaN only where `nan_is_null` says so, as pandas means it.
pub(crate) fn array(name: &str, items: &Bound<'_, PyAny>, nan_is_null: bool) -> PyResult<ArrayRef> {
    let py = items.py();
    let mut read = Vec::with_capacity(items.len().unwrap_or(0));
    for item in items.try_iter()? {
        read.push(item_of(name, read.len(), &item?, nan_is_null)?);
    }
    build(read).map_err(|e| e.column(name)).or_raise(py)
}

fn item_of(name: &str, row: usize, value: &Bound<'_, PyAny>, nan_is_null: bool) -> PyResult<Item> {
    let py = value.py();
    if value.is_none() {
        return Ok(Item::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Item::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        let too_large =
            || Error::invalid(format!("the whole number in row {row} does not fit 64 bits")).column(name);
        return value
            .extract::<i128>()
            .map(Item::Int)
            .map_err(|_| too_large())
            .or_else(|e| Err(e).or_raise(py));
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        let value = value.value();
        return Ok(if nan_is_null && value.is_nan() { Item::Null } else { Item::Float(value) });
    }
    if let Ok(value) = value.cast::<PyString>() {
        return Ok(Item::Text(value.to_str()?.to_owned()));
    }
    if let Ok(value) = value.cast::<PyBytes>() {
        return Ok(Item::Bytes(value.as_bytes().to_vec()));
    }
    let class = value.get_type().name()?.to_string();
    if class == "NAType" || class == "NaTType" {
        return Ok(Item::Null);
    }
    if value.is_instance_of::<PyDateTime>() {
        // pandas' own datetime has a part that Python's lacks, which must not be lost: it would match another key.
        if class == "Timestamp" && value.getattr("nanosecond")?.extract::<u32>()? != 0 {
            let error =
                Error::invalid(format!("the time in row {row} has nanoseconds, which a datetime has not"));
            let error = error.column(name).hint("give a pandas Series or a numpy array of times");
            return Err(error).or_raise(py);
        }
        return match value.getattr("tzinfo")?.is_none() {
            true => value.extract().map(Item::Naive),
            false => value.call_method1("astimezone", (utc(py)?,))?.extract().map(Item::Zoned),
        };
    }
    if value.is_instance_of::<PyDate>() {
        return value.extract().map(Item::Date);
    }
    if class == "Decimal" {
        return decimal(name, row, value);
    }
    // numpy's scalars, which are no Python numbers; what they give is one, and has no `item` of its own.
    if let Ok(inner) = value.call_method0("item")
        && !inner.hasattr("item")?
    {
        return item_of(name, row, &inner, nan_is_null);
    }
    let error = Error::invalid(format!("a value of the type {class} in row {row} cannot be taken"));
    Err(error.column(name).hint("give numbers, strings, bytes, dates, datetimes or booleans")).or_raise(py)
}

fn utc(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let load = || Ok::<_, PyErr>(py.import("datetime")?.getattr("timezone")?.getattr("utc")?.unbind());
    Ok(UTC.get_or_try_init(py, load)?.bind(py))
}

/// Sign, digits and exponent of a `decimal.Decimal`.
fn decimal(name: &str, row: usize, value: &Bound<'_, PyAny>) -> PyResult<Item> {
    let py = value.py();
    let refuse = || Error::invalid(format!("the Decimal in row {row} does not fit 38 digits")).column(name);
    let parts = value.call_method0("as_tuple")?;
    let Ok((negative, digits, exponent)) = parts.extract::<(u8, Vec<u8>, i32)>() else {
        return Err(refuse()).or_raise(py);
    };
    let mut number = Some(0i128);
    let zeros = std::iter::repeat_n(&0, usize::try_from(exponent).unwrap_or(0).min(40));
    for digit in digits.iter().chain(zeros) {
        number = number.and_then(|n| n.checked_mul(10)?.checked_add(i128::from(*digit)));
    }
    let number = number.filter(|n| *n < 10i128.pow(38)).map(|n| if negative == 1 { -n } else { n });
    match (number, i8::try_from(-exponent.min(0))) {
        (Some(number), Ok(scale)) if scale <= 38 => Ok(Item::Decimal(number, scale)),
        _ => Err(refuse()).or_raise(py),
    }
}

fn build(items: Vec<Item>) -> hypostyle::Result<ArrayRef> {
    let first = items.iter().find(|i| !matches!(i, Item::Null));
    let Some(first) = first else { return Ok(Arc::new(NullArray::new(items.len()))) };
    let mixed = |row: usize, item: &Item| {
        Error::invalid(format!(
            "its values are of mixed types: {}, and {} in row {row}",
            first.kind(),
            item.kind()
        ))
        .hint("make them of one type")
    };
    /// Takes one kind of item out of all; the first other one is the error.
    macro_rules! all {
        ($($pattern:pat $(if $guard:expr)? => $value:expr),+) => {
            items.iter().enumerate().map(|(row, item)| match item {
                Item::Null => Ok(None),
                $($pattern $(if $guard)? => Ok(Some($value)),)+
                other => Err(mixed(row, other)),
            })
        };
    }
    Ok(match first {
        Item::Null | Item::Bool(_) => {
            Arc::new(all!(Item::Bool(v) => *v).collect::<Result<BooleanArray, _>>()?)
        }
        Item::Int(_) | Item::Float(_) if items.iter().any(|i| matches!(i, Item::Float(_))) => {
            // As far as they are exact.
            let floats = all!(Item::Float(v) => *v, Item::Int(v) if v.unsigned_abs() <= 1 << 53 => *v as f64);
            Arc::new(floats.collect::<Result<Float64Array, _>>()?)
        }
        Item::Int(_) | Item::Float(_) => integers(all!(Item::Int(v) => *v).collect::<Result<_, _>>()?)?,
        Item::Text(_) => {
            let mut texts = StringBuilder::new();
            for text in all!(Item::Text(v) => v.as_str()) {
                texts.append_option(text?);
            }
            Arc::new(texts.finish())
        }
        Item::Bytes(_) => {
            let mut bytes = BinaryBuilder::new();
            for value in all!(Item::Bytes(v) => v.as_slice()) {
                bytes.append_option(value?);
            }
            Arc::new(bytes.finish())
        }
        Item::Date(_) => {
            let days = all!(Item::Date(v) => arrow_array::types::Date32Type::from_naive_date(*v));
            Arc::new(days.collect::<Result<Date32Array, _>>()?)
        }
        Item::Naive(_) => {
            let times = all!(Item::Naive(v) => v.and_utc().timestamp_micros());
            Arc::new(times.collect::<Result<TimestampMicrosecondArray, _>>()?)
        }
        Item::Zoned(_) => {
            let times = all!(Item::Zoned(v) => v.timestamp_micros());
            Arc::new(times.collect::<Result<TimestampMicrosecondArray, _>>()?.with_timezone("UTC"))
        }
        Item::Decimal(..) => {
            decimals(&all!(Item::Decimal(v, s) => (*v, *s)).collect::<Result<Vec<_>, _>>()?)?
        }
    })
}

fn integers(values: Vec<Option<i128>>) -> hypostyle::Result<ArrayRef> {
    let signed: Option<Int64Array> =
        values.iter().map(|v| v.map(|v| i64::try_from(v).ok())).map(transpose).collect();
    if let Some(signed) = signed {
        return Ok(Arc::new(signed));
    }
    let unsigned: Option<UInt64Array> =
        values.iter().map(|v| v.map(|v| u64::try_from(v).ok())).map(transpose).collect();
    let unsigned = unsigned.ok_or_else(|| Error::invalid("its whole numbers do not fit 64 bits"))?;
    Ok(Arc::new(unsigned))
}

/// A value that is there but does not fit ends the whole.
fn transpose<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(fits) => Some(fits),
    }
}

fn decimals(values: &[Option<(i128, i8)>]) -> hypostyle::Result<ArrayRef> {
    let scale = values.iter().flatten().map(|(_, scale)| *scale).max().unwrap_or(0);
    let refuse = || Error::invalid("its Decimals together need more than 38 digits");
    let mut builder = Decimal128Builder::with_capacity(values.len())
        .with_precision_and_scale(38, scale)
        .map_err(|_| refuse())?;
    for value in values {
        let scaled = value.map(|(value, of)| {
            let factor = u32::try_from(scale - of).ok().and_then(|places| 10i128.checked_pow(places));
            factor
                .and_then(|f| value.checked_mul(f))
                .filter(|v| v.unsigned_abs() < 10u128.pow(38))
                .ok_or_else(refuse)
        });
        builder.append_option(scaled.transpose()?);
    }
    Ok(Arc::new(builder.finish()))
}
