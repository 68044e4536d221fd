//! The borders where memory is shared with other libraries, and the only `unsafe` of this crate: Arrow's C data
//! interface in PyCapsules, and Python's buffer protocol.
#![expect(unsafe_code, reason = "memory is handed over by pointers here")]

use std::ffi::{CStr, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{Array, ArrayReader, ArrayRef, RecordBatch, RecordBatchIterator, make_array};
use arrow_buffer::Buffer;
use arrow_schema::{Field, FieldRef, Schema};
use hypostyle::{Error, Result};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyBufferError, PyImportError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::{OrRaise, from_arrow};

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// A stream of one batch, whose buffers are shared and not copied.
pub(crate) fn stream_of<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyCapsule>> {
    let reader = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

/// A schema.
pub(crate) fn schema_of<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let exported = FFI_ArrowSchema::try_from(schema).map_err(from_arrow("the schema cannot be exported"));
    PyCapsule::new_with_value(py, exported.or_raise(py)?, SCHEMA)
}

/// The type of one column.
pub(crate) fn field_of<'py>(py: Python<'py>, field: &Field) -> PyResult<Bound<'py, PyCapsule>> {
    let exported = FFI_ArrowSchema::try_from(field).map_err(from_arrow("the type cannot be exported"));
    PyCapsule::new_with_value(py, exported.or_raise(py)?, SCHEMA)
}

/// An array, whose buffers are shared and not copied.
pub(crate) fn array_of<'py>(py: Python<'py>, array: &dyn Array) -> PyResult<Bound<'py, PyCapsule>> {
    let exported = to_ffi(&array.to_data()).map_err(from_arrow("the array cannot be exported"));
    PyCapsule::new_with_value(py, exported.or_raise(py)?.0, ARRAY)
}

/// The arrays of a stream that another library made, and their type. Its memory stays its own.
pub(crate) fn read_stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<(FieldRef, Vec<ArrayRef>)> {
    let py = capsule.py();
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: the capsule's name, checked above, promises an `ArrowArrayStream` there. It is moved out, and what is
    // left is marked as released, so the capsule does not release it again.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    // What makes the batches may need the interpreter, and takes it by itself.
    py.detach(move || -> Result<(FieldRef, Vec<ArrayRef>)> {
        let failed = from_arrow("the Arrow stream failed");
        guarded(|| {
            let reader = ArrayStreamReader::try_new(stream).map_err(&failed)?;
            let field = reader.field().clone();
            Ok((field, reader.collect::<Result<_, _>>().map_err(&failed)?))
        })
    })
    .or_raise(py)
}

/// An array that another library made, and its type. Its memory stays its own.
pub(crate) fn read_array(
    schema: &Bound<'_, PyCapsule>,
    array: &Bound<'_, PyCapsule>,
) -> PyResult<(FieldRef, ArrayRef)> {
    let py = schema.py();
    let schema = schema.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(ARRAY))?.cast::<FFI_ArrowArray>();
    // SAFETY: the capsules' names, checked above, promise these types there. The array is moved out, and what is
    // left is marked as released; the schema is only looked at while its capsule lives.
    let (array, released, schema) = unsafe {
        let released = is_released(schema.as_ptr());
        (FFI_ArrowArray::from_raw(array.as_ptr()), released, schema.as_ref())
    };
    if released || array.is_released() {
        let error = Error::invalid("the Arrow array cannot be read: it was taken before");
        return Err(error.hint("a capsule gives its array once")).or_raise(py);
    }
    let failed = from_arrow("the Arrow array cannot be read");
    let read = || {
        let field = Field::try_from(schema).map_err(&failed)?;
        // SAFETY: an array under the protocol fits the schema that came with it.
        let data = unsafe { from_ffi(array, schema) }.map_err(&failed)?;
        Ok((field.into(), make_array(data)))
    };
    guarded(read).or_raise(py)
}

/// Arrow asserts what an exporter promised, and panics where it did not keep that; `PanicException` would pass by
/// every `except Exception`.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    let broken = || Error::invalid("the Arrow data is broken: it is not what its type says");
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(broken()))
}

/// Fails in a subinterpreter. What this module keeps for all calls, such as the classes of errors, belongs to one
/// interpreter, and dies with it.
pub(crate) fn only_in_main_interpreter() -> PyResult<()> {
    // SAFETY: called while a module is initialised, by a thread that is attached to an interpreter.
    match unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) } {
        0 => Ok(()),
        _ => Err(PyImportError::new_err(
            "hypostyle does not work in subinterpreters: use threads or processes",
        )),
    }
}

/// Whether somebody has moved the schema out, after which nothing in it may be looked at.
///
/// # Safety
/// `schema` points to an `ArrowSchema`.
unsafe fn is_released(schema: *const FFI_ArrowSchema) -> bool {
    /// Of the nine words (two of them are 64-bit numbers) of the struct in the C data interface.
    #[repr(C)]
    struct Layout {
        texts: [*const c_void; 3],
        numbers: [i64; 2],
        children: [*const c_void; 2],
        release: *const c_void,
        private: *const c_void,
    }
    // SAFETY: the C data interface fixes this layout, and the caller promises the struct.
    unsafe { (*schema.cast::<Layout>()).release.is_null() }
}

/// Bytes of a column that Python may look at, and not change. They live as long as any view of them.
#[pyclass(frozen, module = "hypostyle._native")]
#[derive(Debug)]
pub(crate) struct Memory {
    buffer: Buffer,
}

impl Memory {
    pub(crate) fn new(buffer: Buffer) -> Self {
        Self { buffer }
    }
}

#[pymethods]
impl Memory {
    fn __len__(&self) -> usize {
        self.buffer.len()
    }

    /// # Safety
    /// Called by the interpreter, with a `view` to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        const READ_ONLY: c_int = 1;
        let buffer = &slf.get().buffer;
        let len = ffi::Py_ssize_t::try_from(buffer.len()).map_err(|_| PyBufferError::new_err("too long"))?;
        let start = buffer.as_ptr().cast_mut().cast::<c_void>();
        // SAFETY: `start` and `len` are those of a buffer that `slf` owns and never changes; the view holds a
        // reference to `slf`, and is read-only.
        match unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len, READ_ONLY, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// Lets `work` fill the memory of `target`, a contiguous writable buffer of exactly `len` values.
pub(crate) fn fill<T: Element + Send>(
    target: &Bound<'_, PyAny>,
    len: usize,
    work: impl FnOnce(&mut [T]) -> Result<()> + Send,
) -> PyResult<()> {
    let py = target.py();
    let buffer = PyBuffer::<T>::get(target)?;
    if buffer.readonly() || !buffer.is_c_contiguous() || buffer.item_count() != len {
        return Err(Error::internal("the memory to fill has another shape")).or_raise(py);
    }
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the buffer is writable, contiguous and of `len` values of this type, as checked above and by
    // `PyBuffer::get`; it stays as long as `buffer` lives. `target` is an array that the Python half made for this
    // call and has shown to nobody, so nothing else reads or writes it meanwhile.
    let values = unsafe { std::slice::from_raw_parts_mut(buffer.buf_ptr().cast::<T>(), len) };
    py.detach(|| work(values)).or_raise(py)
}

/// A view of memory that another library owns, as bytes that are copied at once.
pub(crate) fn copy_of(source: &Bound<'_, PyAny>) -> PyResult<Buffer> {
    let buffer = PyBuffer::<u8>::get(source)?;
    let mut bytes = vec![0; buffer.item_count()];
    buffer.copy_to_slice(source.py(), &mut bytes)?;
    Ok(Buffer::from_vec(bytes))
}
