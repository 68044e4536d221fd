//! Copies that share no memory with what they were made from.

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use rayon::prelude::*;

/// A copy of an array's rows alone, in memory of its own, whose every value has been checked.
pub(crate) fn array(array: &dyn Array) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    let copy = copy.freeze();
    if leans(copy.data_type()) {
        return deep(&copy).map(make_array);
    }
    copy.validate_full()?;
    Ok(make_array(copy))
}

/// Whether a copy of such an array still has buffers of the original: views, and the values of dictionaries.
fn leans(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => leans(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| leans(f.data_type())),
        DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Union(..)
        | DataType::RunEndEncoded(..) => true,
        _ => false,
    }
}

fn deep(data: &ArrayData) -> Result<ArrayData, ArrowError> {
    let children = data.child_data().iter().map(deep).collect::<Result<_, _>>()?;
    let buffers = data.buffers().iter().map(|b| Buffer::from_slice_ref(b.as_slice())).collect();
    let nulls = data.nulls().map(|n| n.iter().collect::<NullBuffer>());
    ArrayData::builder(data.data_type().clone())
        .len(data.len())
        .offset(data.offset())
        .nulls(nulls)
        .buffers(buffers)
        .child_data(children)
        .align_buffers(true)
        .build()
}

/// One batch of chunks that came from elsewhere, in memory of its own. Called on the threads that joins work on.
pub(crate) fn batch(field: &FieldRef, chunks: &[ArrayRef]) -> Result<RecordBatch, ArrowError> {
    let DataType::Struct(fields) = field.data_type() else {
        return Err(ArrowError::SchemaError(format!("it has rows of {}, not columns", field.data_type())));
    };
    let mut rows = 0;
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); fields.len()];
    for chunk in chunks {
        let (_, parts, nulls) = arrow_array::StructArray::from(chunk.to_data()).into_parts();
        if nulls.is_some_and(|n| n.null_count() > 0) {
            return Err(ArrowError::SchemaError("whole rows of it are null".to_owned()));
        }
        rows += chunk.len();
        for (column, part) in columns.iter_mut().zip(parts) {
            column.push(part);
        }
    }
    let fields_of: Vec<&FieldRef> = fields.iter().collect();
    let columns = columns.par_iter().zip(fields_of).map(|(parts, field)| joined(field, parts));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    // A producer's word that nothing is null is not relied on.
    let fields = fields.iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    RecordBatch::try_new_with_options(
        Schema::new(fields).into(),
        columns.collect::<Result<_, _>>()?,
        &options,
    )
}

/// The parts of a column in one piece, in memory of its own.
pub(crate) fn joined(field: &FieldRef, parts: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    match parts {
        [] => Ok(arrow_array::new_empty_array(field.data_type())),
        [one] => array(one),
        many => {
            let many: Vec<&dyn Array> = many.iter().map(AsRef::as_ref).collect();
            array(&arrow_select::concat::concat(&many)?)
        }
    }
}
