//! Arrow values as Python objects.

use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions as temporal;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Int64Array};
use arrow_schema::{DataType, TimeUnit};
use chrono::{NaiveDateTime, TimeDelta, Timelike};
use hypostyle::{Error, ErrorKind, Result};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::errors::raise;

/// Why values could not be made: an error of the engine's kind, or an exception.
pub(crate) enum Failure {
    Error(Error),
    Raised(PyErr),
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Names the column.
pub(crate) fn place(py: Python<'_>, failure: Failure, column: &str) -> PyErr {
    match failure {
        Failure::Error(error) => raise(py, &error.column(column)),
        Failure::Raised(error) => error,
    }
}

type Made<'py> = Result<Bound<'py, PyAny>, Failure>;

/// All values of an array.
pub(crate) fn list<'py>(py: Python<'py>, array: &ArrayRef) -> Result<Bound<'py, PyList>, Failure> {
    let all = PyList::empty(py);
    let one = reader(py, array)?;
    let nulls = array.logical_nulls();
    for row in 0..array.len() {
        match nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            true => all.append(py.None())?,
            false => all.append(one(row)?)?,
        }
    }
    Ok(all)
}

type Reader<'a, 'py> = Box<dyn Fn(usize) -> Made<'py> + 'a>;

/// What makes the value of one row that is not null.
fn reader<'a, 'py: 'a>(py: Python<'py>, array: &'a ArrayRef) -> Result<Reader<'a, 'py>, Failure> {
    fn number<'a, 'py: 'a, T>(py: Python<'py>, array: &'a ArrayRef) -> Reader<'a, 'py>
    where
        T: ArrowPrimitiveType,
        T::Native: IntoPyObject<'py>,
    {
        let values = array.as_primitive::<T>();
        Box::new(move |row| object(py, values.value(row)))
    }
    macro_rules! convert {
        ($array:expr, |$value:ident| $made:expr) => {{
            let values = $array;
            Box::new(move |row| {
                let $value = values.value(row);
                Ok($made)
            }) as Reader<'a, 'py>
        }};
    }
    Ok(match array.data_type() {
        DataType::Null => Box::new(move |_| Ok(py.None().into_bound(py))),
        DataType::Boolean => convert!(array.as_boolean(), |v| object(py, v)?),
        DataType::Int8 => number::<Int8Type>(py, array),
        DataType::Int16 => number::<Int16Type>(py, array),
        DataType::Int32 => number::<Int32Type>(py, array),
        DataType::Int64 => number::<Int64Type>(py, array),
        DataType::UInt8 => number::<UInt8Type>(py, array),
        DataType::UInt16 => number::<UInt16Type>(py, array),
        DataType::UInt32 => number::<UInt32Type>(py, array),
        DataType::UInt64 => number::<UInt64Type>(py, array),
        DataType::Float16 => convert!(array.as_primitive::<Float16Type>(), |v| object(py, v.to_f32())?),
        DataType::Float32 => number::<Float32Type>(py, array),
        DataType::Float64 => number::<Float64Type>(py, array),
        DataType::Utf8 => convert!(array.as_string::<i32>(), |v| object(py, v)?),
        DataType::LargeUtf8 => convert!(array.as_string::<i64>(), |v| object(py, v)?),
        DataType::Utf8View => convert!(array.as_string_view(), |v| object(py, v)?),
        DataType::Binary => convert!(array.as_binary::<i32>(), |v| PyBytes::new(py, v).into_any()),
        DataType::LargeBinary => convert!(array.as_binary::<i64>(), |v| PyBytes::new(py, v).into_any()),
        DataType::BinaryView => convert!(array.as_binary_view(), |v| PyBytes::new(py, v).into_any()),
        DataType::FixedSizeBinary(_) => {
            convert!(array.as_fixed_size_binary(), |v| PyBytes::new(py, v).into_any())
        }
        DataType::Date32 => convert!(array.as_primitive::<Date32Type>(), |v| {
            object(py, in_range(temporal::date32_to_datetime(v))?.date())?
        }),
        DataType::Date64 => convert!(array.as_primitive::<Date64Type>(), |v| {
            object(py, in_range(temporal::date64_to_datetime(v))?.date())?
        }),
        DataType::Time32(TimeUnit::Second) => convert!(array.as_primitive::<Time32SecondType>(), |v| {
            object(py, in_range(temporal::time32s_to_time(v))?)?
        }),
        DataType::Time32(_) => convert!(array.as_primitive::<Time32MillisecondType>(), |v| {
            object(py, in_range(temporal::time32ms_to_time(v))?)?
        }),
        DataType::Time64(TimeUnit::Nanosecond) => {
            convert!(array.as_primitive::<Time64NanosecondType>(), |v| {
                let time = in_range(temporal::time64ns_to_time(v))?;
                object(py, whole(time, time.nanosecond())?)?
            })
        }
        DataType::Time64(_) => convert!(array.as_primitive::<Time64MicrosecondType>(), |v| {
            object(py, in_range(temporal::time64us_to_time(v))?)?
        }),
        DataType::Timestamp(unit, zone) => timestamps(py, array, *unit, zone.as_deref())?,
        DataType::Duration(unit) => {
            let of: fn(i64) -> Option<TimeDelta> = match unit {
                TimeUnit::Second => |v| TimeDelta::try_seconds(v),
                TimeUnit::Millisecond => |v| TimeDelta::try_milliseconds(v),
                TimeUnit::Microsecond => |v| Some(TimeDelta::microseconds(v)),
                TimeUnit::Nanosecond => |v| (v % 1000 == 0).then(|| TimeDelta::microseconds(v / 1000)),
            };
            let counts = counts(array)?;
            Box::new(move |row| object(py, in_range(of(counts.value(row)))?))
        }
        DataType::Decimal32(_, _) => {
            decimals(py, move |row| array.as_primitive::<Decimal32Type>().value_as_string(row))?
        }
        DataType::Decimal64(_, _) => {
            decimals(py, move |row| array.as_primitive::<Decimal64Type>().value_as_string(row))?
        }
        DataType::Decimal128(_, _) => {
            decimals(py, move |row| array.as_primitive::<Decimal128Type>().value_as_string(row))?
        }
        DataType::Decimal256(_, _) => {
            decimals(py, move |row| array.as_primitive::<Decimal256Type>().value_as_string(row))?
        }
        DataType::List(_) => nested(py, move |row| array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => nested(py, move |row| array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => nested(py, move |row| array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let of = array.as_struct();
            let parts = of.columns().iter().map(|c| reader(py, c)).collect::<Result<Vec<_>, _>>()?;
            let nulls: Vec<_> = of.columns().iter().map(Array::logical_nulls).collect();
            Box::new(move |row| {
                let made = PyDict::new(py);
                for ((field, part), nulls) in fields.iter().zip(&parts).zip(&nulls) {
                    match nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                        true => made.set_item(field.name(), py.None())?,
                        false => made.set_item(field.name(), part(row)?)?,
                    }
                }
                Ok(made.into_any())
            })
        }
        DataType::Map(_, _) => Box::new(move |row| {
            let entries = array.as_map().value(row);
            let keys = list(py, entries.column(0))?;
            let values = list(py, entries.column(1))?;
            let pairs = PyList::empty(py);
            for (key, value) in keys.iter().zip(values.iter()) {
                pairs.append((key, value))?;
            }
            Ok(pairs.into_any())
        }),
        DataType::Dictionary(_, values) => {
            let plain = arrow_cast::cast(array, values).map_err(|e| unsupported(&e.to_string()))?;
            let all = list(py, &plain)?;
            Box::new(move |row| all.get_item(row).map_err(Failure::Raised))
        }
        other => return Err(unsupported(&format!("values of the type {other} have no Python form here"))),
    })
}

fn unsupported(message: &str) -> Failure {
    let error = Error::new(ErrorKind::Unsupported, message);
    Failure::Error(error.hint("take the column through to_arrow()"))
}

fn object<'py>(py: Python<'py>, value: impl IntoPyObject<'py>) -> Made<'py> {
    value.into_bound_py_any(py).map_err(Failure::Raised)
}

fn in_range<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| {
        let error = Error::new(
            ErrorKind::Unsupported,
            "a time lies beyond, or between, those that Python's datetime has",
        );
        Failure::Error(error.hint("take it through to_numpy() or to_arrow()"))
    })
}

/// `value`, if it is one of whole microseconds, which is as fine as Python's datetime is.
fn whole<T>(value: T, nanoseconds: u32) -> Result<T, Failure> {
    in_range(nanoseconds.is_multiple_of(1000).then_some(value))
}

fn nested<'a, 'py: 'a>(py: Python<'py>, part: impl Fn(usize) -> ArrayRef + 'a) -> Reader<'a, 'py> {
    Box::new(move |row| list(py, &part(row)).map(Bound::into_any))
}

fn decimals<'a, 'py: 'a>(
    py: Python<'py>,
    text: impl Fn(usize) -> String + 'a,
) -> Result<Reader<'a, 'py>, Failure> {
    let class = py.import("decimal")?.getattr("Decimal")?;
    Ok(Box::new(move |row| Ok(class.call1((text(row),))?)))
}

/// Times as the numbers that they are kept as.
fn counts(array: &ArrayRef) -> Result<Int64Array, Failure> {
    let cast = arrow_cast::cast(array, &DataType::Int64).map_err(|e| unsupported(&e.to_string()))?;
    Ok(cast.as_primitive::<Int64Type>().clone())
}

fn timestamps<'a, 'py: 'a>(
    py: Python<'py>,
    array: &'a ArrayRef,
    unit: TimeUnit,
    zone: Option<&str>,
) -> Result<Reader<'a, 'py>, Failure> {
    let of: fn(i64) -> Option<NaiveDateTime> = match unit {
        TimeUnit::Second => temporal::timestamp_s_to_datetime,
        TimeUnit::Millisecond => temporal::timestamp_ms_to_datetime,
        TimeUnit::Microsecond => temporal::timestamp_us_to_datetime,
        TimeUnit::Nanosecond => temporal::timestamp_ns_to_datetime,
    };
    let counts = counts(array)?;
    let naive = move |row| {
        let time = in_range(of(counts.value(row)))?;
        whole(time, time.nanosecond())
    };
    let Some(zone) = zone else {
        return Ok(Box::new(move |row| object(py, naive(row)?)));
    };
    let zone = py.import("hypostyle._zones")?.call_method1("zone", (zone,))?;
    Ok(Box::new(move |row| {
        let utc = object(py, naive(row)?.and_utc())?;
        Ok(utc.call_method1("astimezone", (&zone,))?)
    }))
}
