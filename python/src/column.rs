//! One column: of a frame, or on its way into a spine.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, TimeUnit};
use hypostyle::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList};

use crate::errors::{OrRaise, from_arrow};
use crate::ffi::Memory;
use crate::{ffi, own, sequence, values};

/// A name and an Arrow array.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Clone, Debug)]
pub(crate) struct Column {
    field: Field,
    array: ArrayRef,
}

#[pymethods]
impl Column {
    /// From `__arrow_c_stream__` of a chunked array, in memory of its own.
    #[staticmethod]
    fn from_stream(py: Python<'_>, name: &str, capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        let (field, chunks) = ffi::read_stream(capsule)?;
        let owned =
            || ffi::guarded(|| own::joined(&field, &chunks).map_err(from_arrow("the values cannot be read")));
        py.detach(owned).or_raise(py).map(|array| Self::named(name, array))
    }

    /// From `__arrow_c_array__`, in memory of its own.
    #[staticmethod]
    fn from_array(
        py: Python<'_>,
        name: &str,
        schema: &Bound<'_, PyCapsule>,
        array: &Bound<'_, PyCapsule>,
    ) -> PyResult<Self> {
        let (_, array) = ffi::read_array(schema, array)?;
        let owned = || ffi::guarded(|| own::array(&array).map_err(from_arrow("the values cannot be read")));
        py.detach(owned).or_raise(py).map(|array| Self::named(name, array))
    }

    /// From the bytes of a numpy array, which are copied. `kind` is numpy's letter and width, such as `i8` or `M8`;
    /// `unit` that of a time; `valid` one byte for each value, or nothing when all are.
    #[staticmethod]
    #[pyo3(signature = (name, kind, unit, zone, source, valid=None))]
    fn from_buffer(
        py: Python<'_>,
        name: &str,
        kind: &str,
        unit: Option<&str>,
        zone: Option<&str>,
        source: &Bound<'_, PyAny>,
        valid: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let bytes = ffi::copy_of(source)?;
        let valid = valid.map(ffi::copy_of).transpose()?;
        of_bytes(kind, unit, zone, bytes, valid.as_ref()).or_raise(py).map(|array| Self::named(name, array))
    }

    /// From Python values, whose type is found by looking at them all.
    #[staticmethod]
    fn from_sequence(name: &str, items: &Bound<'_, PyAny>, nan_is_null: bool) -> PyResult<Self> {
        sequence::array(name, items, nan_is_null).map(|array| Self::named(name, array))
    }

    fn __len__(&self) -> usize {
        self.array.len()
    }

    #[getter]
    fn name(&self) -> &str {
        self.field.name()
    }

    /// The Arrow type, spelled out.
    #[getter]
    fn data_type(&self) -> String {
        self.field.data_type().to_string()
    }

    #[getter]
    fn null_count(&self) -> usize {
        self.array.logical_null_count()
    }

    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        ffi::field_of(py, &self.field)
    }

    fn export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        ffi::array_of(py, &self.array)
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        let copied = py.detach(|| own::array(&self.array));
        let copied = copied.map_err(from_arrow("the column cannot be copied")).or_raise(py)?;
        Ok(Self { field: self.field.clone(), array: copied })
    }

    /// What numpy needs: a dtype, the values, and one byte for each value that says whether it is there (nothing when
    /// all are). `None` for types that numpy has no dtype for. Values of 1 bit and 4-byte dates are widened; all
    /// others are shared.
    fn numpy(&self) -> Option<(String, Memory, Option<Memory>)> {
        let (dtype, values) = numpy_parts(&self.array)?;
        let valid = self.array.nulls().filter(|n| n.null_count() > 0).map(|nulls| bytes_of(nulls.inner()));
        Some((dtype, Memory::new(values), valid.map(Memory::new)))
    }

    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        values::list(py, &self.array).map_err(|e| values::place(py, e, self.field.name()))
    }
}

impl Column {
    pub(crate) fn new(field: Field, array: ArrayRef) -> Self {
        Self { field, array }
    }

    fn named(name: &str, array: ArrayRef) -> Self {
        Self::new(Field::new(name, array.data_type().clone(), true), array)
    }

    pub(crate) fn field(&self) -> &Field {
        &self.field
    }

    pub(crate) fn array(&self) -> &ArrayRef {
        &self.array
    }
}

/// The dtype of an array and its values, one after the other.
fn numpy_parts(array: &ArrayRef) -> Option<(String, Buffer)> {
    let word = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    let (dtype, width) = match array.data_type() {
        DataType::Int8 => ("<i1".to_owned(), 1),
        DataType::Int16 => ("<i2".to_owned(), 2),
        DataType::Int32 => ("<i4".to_owned(), 4),
        DataType::Int64 => ("<i8".to_owned(), 8),
        DataType::UInt8 => ("<u1".to_owned(), 1),
        DataType::UInt16 => ("<u2".to_owned(), 2),
        DataType::UInt32 => ("<u4".to_owned(), 4),
        DataType::UInt64 => ("<u8".to_owned(), 8),
        DataType::Float16 => ("<f2".to_owned(), 2),
        DataType::Float32 => ("<f4".to_owned(), 4),
        DataType::Float64 => ("<f8".to_owned(), 8),
        DataType::Timestamp(unit, _) => (format!("<M8[{}]", word(unit)), 8),
        DataType::Duration(unit) => (format!("<m8[{}]", word(unit)), 8),
        DataType::Date64 => ("<M8[ms]".to_owned(), 8),
        DataType::Date32 => {
            let days = arrow_cast::cast(&arrow_cast::cast(array, &DataType::Int32).ok()?, &DataType::Int64);
            let days = days.ok()?;
            let days = days.as_primitive_opt::<Int64Type>()?;
            return Some(("<M8[D]".to_owned(), days.values().inner().clone()));
        }
        DataType::Boolean => return Some(("?".to_owned(), bytes_of(array.as_boolean_opt()?.values()))),
        _ => return None,
    };
    let data = array.to_data();
    let buffer = data.buffers().first()?;
    Some((dtype, buffer.slice_with_length(data.offset() * width, data.len() * width)))
}

/// One byte for each bit.
fn bytes_of(bits: &BooleanBuffer) -> Buffer {
    bits.iter().map(u8::from).collect()
}

/// An array of the bytes of a numpy array.
fn of_bytes(
    kind: &str,
    unit: Option<&str>,
    zone: Option<&str>,
    bytes: Buffer,
    valid: Option<&Buffer>,
) -> Result<ArrayRef> {
    let refuse = || Error::invalid(format!("values of numpy's type {kind:?} cannot be taken"));
    let time_unit = || match unit {
        Some("s") => Ok(TimeUnit::Second),
        Some("ms") => Ok(TimeUnit::Millisecond),
        Some("us") => Ok(TimeUnit::Microsecond),
        Some("ns") => Ok(TimeUnit::Nanosecond),
        _ => Err(refuse()),
    };
    let (data_type, width) = match kind {
        "i1" => (DataType::Int8, 1),
        "i2" => (DataType::Int16, 2),
        "i4" => (DataType::Int32, 4),
        "i8" => (DataType::Int64, 8),
        "u1" => (DataType::UInt8, 1),
        "u2" => (DataType::UInt16, 2),
        "u4" => (DataType::UInt32, 4),
        "u8" => (DataType::UInt64, 8),
        "f2" => (DataType::Float16, 2),
        "f4" => (DataType::Float32, 4),
        "f8" => (DataType::Float64, 8),
        "M8" => (DataType::Timestamp(time_unit()?, zone.map(Into::into)), 8),
        "m8" => (DataType::Duration(time_unit()?), 8),
        "b1" => (DataType::Boolean, 1),
        _ => return Err(refuse()),
    };
    let len = bytes.len() / width;
    let values = match data_type {
        DataType::Boolean => bytes.iter().map(|b| *b != 0).collect::<BooleanBuffer>().into_inner(),
        _ => bytes,
    };
    let nulls = valid.map(|valid| valid.iter().map(|v| *v != 0).collect::<NullBuffer>());
    let data =
        ArrayData::builder(data_type).len(len).add_buffer(values).nulls(nulls).align_buffers(true).build();
    data.map(make_array).map_err(from_arrow("the values cannot be taken"))
}
