//! A frame for services that still use `arrow2`, over the C data interface: no buffer is copied.
//! One of the named modules that may use `unsafe`.
//!
//! <https://arrow.apache.org/docs/format/CDataInterface.html>
#![expect(unsafe_code, reason = "the C data interface hands pointers from one library to the other")]

use arrow_array::Array;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::Field;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow2::array::Array as Array2;
use arrow2::chunk::Chunk;
use arrow2::datatypes::{Field as Field2, Schema as Schema2};
use arrow2::ffi as ffi2;
use hypostyle_io::{Error, Result};

use crate::frame::Frame;

/// A schema and its columns, as `arrow2` has them.
pub type Arrow2Frame = (Schema2, Chunk<Box<dyn Array2>>);

// Both libraries declare the structures of the C data interface, field by field in the same order.
const _: () = assert!(
    size_of::<FFI_ArrowArray>() == size_of::<ffi2::ArrowArray>()
        && align_of::<FFI_ArrowArray>() == align_of::<ffi2::ArrowArray>()
        && size_of::<FFI_ArrowSchema>() == size_of::<ffi2::ArrowSchema>()
        && align_of::<FFI_ArrowSchema>() == align_of::<ffi2::ArrowSchema>()
);

impl Frame {
    /// Hands the frame over to `arrow2`; the columns keep this frame's memory.
    ///
    /// # Errors
    /// [`Unsupported`](hypostyle_io::ErrorKind::Unsupported) for types that `arrow2` does not know, such as views.
    pub fn into_arrow2(self) -> Result<Arrow2Frame> {
        let batch = self.into_batch();
        let schema = batch.schema();
        let mut fields = Vec::with_capacity(schema.fields().len());
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let (field, column) = hand_over(field, column.as_ref()).map_err(|e| e.column(field.name()))?;
            fields.push(field);
            columns.push(column);
        }
        let chunk = Chunk::try_new(columns)
            .map_err(|e| Error::internal(format!("the columns make no chunk: {e}")))?;
        Ok((Schema2::from(fields), chunk))
    }
}

fn hand_over(field: &Field, column: &dyn Array) -> Result<(Field2, Box<dyn Array2>)> {
    let unknown =
        |what: String| Error::unsupported(format!("arrow2 cannot take {}: {what}", field.data_type()));
    let schema = FFI_ArrowSchema::try_from(field).map_err(|e| unknown(e.to_string()))?;
    // SAFETY: same size and alignment (asserted above) and the same fields, which the C data interface fixes; what
    // was exported is moved whole, so its release callback runs once, on the other side.
    let schema: ffi2::ArrowSchema = unsafe { std::mem::transmute(schema) };
    // SAFETY: the structure was exported by arrow-schema in the line above and follows the interface.
    let field2 = unsafe { ffi2::import_field_from_c(&schema) }.map_err(|e| unknown(e.to_string()))?;
    let array = FFI_ArrowArray::new(&column.to_data());
    // SAFETY: as for the schema: same layout, moved whole, released once.
    let array: ffi2::ArrowArray = unsafe { std::mem::transmute(array) };
    // SAFETY: the structure was exported from a valid array of exactly this type: the field describes it.
    let column2 = unsafe { ffi2::import_array_from_c(array, field2.data_type.clone()) };
    Ok((field2, column2.map_err(|e| unknown(e.to_string()))?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Float64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    };

    use super::*;
    use crate::stats::JoinStats;

    fn frame(columns: Vec<(&str, ArrayRef)>) -> Frame {
        Frame::new(
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
            0,
            JoinStats::default(),
        )
    }

    #[test]
    fn values_nulls_names_and_types_arrive_without_a_copy() {
        let floats = Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]);
        let address = floats.values().as_ptr();
        let (schema, chunk) = frame(vec![
            ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3]).with_timezone("UTC"))),
            ("x", Arc::new(floats)),
            ("s", Arc::new(StringArray::from(vec![Some("a"), Some(""), None]))),
        ])
        .into_arrow2()
        .unwrap();
        let names: Vec<&str> = schema.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!((names, chunk.len()), (vec!["ts", "x", "s"], 3));
        let x = chunk.arrays()[1].as_any().downcast_ref::<arrow2::array::Float64Array>().unwrap();
        assert_eq!(x.values().as_slice().as_ptr(), address);
        assert_eq!((x.get(0), x.get(1), x.get(2).unwrap().is_nan()), (Some(1.5), None, true));
        let s = chunk.arrays()[2].as_any().downcast_ref::<arrow2::array::Utf8Array<i32>>().unwrap();
        assert_eq!(s.iter().collect::<Vec<_>>(), vec![Some("a"), Some(""), None]);
    }

    #[test]
    fn a_type_that_arrow2_does_not_know_is_named() {
        let error =
            frame(vec![("v", Arc::new(StringViewArray::from(vec!["a"])))]).into_arrow2().err().unwrap();
        assert_eq!((error.kind(), error.column_name()), (hypostyle_io::ErrorKind::Unsupported, Some("v")));
    }
}
