//! The output's columns: one slab for all of fixed width, filled side by side.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::{Field, FieldRef, Schema};
use hypostyle_io::{Column, Error, Filled, Reader, Result, Run, Slab, Slot};
use rayon::prelude::*;

use crate::align::RowMap;
use crate::check::Checked;
use crate::gather;
use crate::picked::Picked;
use crate::plan::Planned;
use crate::request::How;
use crate::side::read_column;

/// One feature column to be made.
struct Work<'a> {
    table: &'a str,
    column: &'a Column,
    reader: &'a Reader<'a>,
    picked: &'a Picked,
}

/// What became of it: nulls of a slot, or an array.
enum Made {
    Slot(Option<NullBuffer>),
    Array(ArrayRef),
}

impl Checked<'_> {
    /// Reads the features of the planned rows and puts the frame together.
    pub(crate) fn assemble(&self, planned: &Planned, run: &Run) -> Result<RecordBatch> {
        let rows = planned.rows.len();
        let picked = planned.tables.par_iter().map(|t| Picked::of(t, run)).collect::<Result<Vec<_>>>()?;
        let readers: Vec<Reader<'_>> = self
            .tables
            .iter()
            .zip(&picked)
            .map(|(t, p)| Reader::new(&t.request.table, &p.rows, run))
            .collect();
        self.features_ahead(&readers, run)?;
        let work: Vec<Work<'_>> = self
            .tables
            .iter()
            .zip(readers.iter().zip(&picked))
            .flat_map(|(table, (reader, picked))| {
                let name = table.request.name.as_str();
                table.features.iter().map(move |column| Work { table: name, column, reader, picked })
            })
            .collect();
        let sizes = work
            .iter()
            .filter_map(|w| w.column.fixed_width())
            .map(|width| width.checked_mul(rows).ok_or_else(|| Error::limit("the frame is too large")))
            .collect::<Result<Vec<usize>>>()?;
        let total = sizes.iter().fold(0u64, |sum, size| sum.saturating_add(*size as u64));
        run.reserve(total, "the frame's columns")?.keep();
        let mut slab = Slab::new(sizes)?;
        let mut slots = slab.slots_mut().into_iter();
        let jobs: Vec<(&Work<'_>, Option<&mut [u8]>)> =
            work.iter().map(|w| (w, w.column.fixed_width().and_then(|_| slots.next()))).collect();
        let made = jobs
            .into_par_iter()
            .map(|(work, slot)| {
                let detail = || format!("{}.{}", work.table, work.column.name());
                run.span("columns", detail, || work.make(slot, run)).map_err(|e| e.table(work.table))
            })
            .collect::<Result<Vec<Made>>>()?;
        drop(slots);
        self.put_together(planned, made, slab, &work, run)
    }

    fn put_together(
        &self,
        planned: &Planned,
        made: Vec<Made>,
        slab: Slab,
        work: &[Work<'_>],
        run: &Run,
    ) -> Result<RecordBatch> {
        let rows = planned.rows.len();
        let (mut fields, mut columns) = self.base_columns(planned, run)?;
        let mut buffers = slab.into_buffers().into_iter();
        let names = self.tables.iter().flat_map(|t| &t.request.features).map(|f| &f.output);
        for ((made, work), name) in made.into_iter().zip(work).zip(names) {
            let field = work.column.field();
            let array = match made {
                Made::Array(array) => array,
                Made::Slot(nulls) => {
                    let buffer =
                        buffers.next().ok_or_else(|| Error::internal("a slab with too few slots"))?;
                    let data = ArrayData::builder(field.data_type().clone())
                        .len(rows)
                        .add_buffer(buffer)
                        .nulls(nulls);
                    make_array(
                        data.build()
                            .map_err(|e| Error::internal(format!("a filled slot is no array: {e}")))?,
                    )
                }
            };
            let nullable = field.is_nullable() || self.request.how != How::Inner;
            fields.push(Arc::new(in_frame(field, name).with_nullable(nullable)));
            columns.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|e| Error::internal(format!("the columns make no frame: {e}")))
    }

    /// The key columns, and what a spine carries along.
    fn base_columns(&self, planned: &Planned, run: &Run) -> Result<(Vec<FieldRef>, Vec<ArrayRef>)> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        let mut add = |field: FieldRef, column: &ArrayRef| -> Result<()> {
            fields.push(field);
            columns.push(pick(column, &planned.rows, run)?);
            Ok(())
        };
        let keys = self.request.key.iter().zip(&planned.base.columns);
        match &self.request.spine {
            Some(spine) => {
                let schema = spine.batch.schema();
                for ((name, column), own) in keys.zip(&spine.key) {
                    let field = schema.field_with_name(own).map_err(|e| Error::internal(e.to_string()))?;
                    add(Arc::new(in_frame(field, name)), column)?;
                }
                let rows = RowMap::of(
                    planned.base.rows.iter().map(|r| u32::try_from(r).unwrap_or(u32::MAX)).collect(),
                );
                for (field, column) in schema.fields().iter().zip(spine.batch.columns()) {
                    if !spine.key.contains(field.name()) {
                        add(Arc::new(in_frame(field, field.name())), &pick(column, &rows, run)?)?;
                    }
                }
            }
            None => {
                let own = self.tables.first().map(|t| t.key.as_slice()).unwrap_or_default();
                for ((name, column), own) in keys.zip(own) {
                    add(Arc::new(in_frame(own.field(), name)), column)?;
                }
            }
        }
        Ok((fields, columns))
    }
}

impl Work<'_> {
    fn make(&self, slot: Option<&mut [u8]>, run: &Run) -> Result<Made> {
        match (slot, &self.picked.gather) {
            (Some(slot), None) => match self.reader.read(self.column, Slot::Values(slot))? {
                Filled::Values(nulls) => Ok(Made::Slot(nulls)),
                Filled::Array(_) => Err(Error::internal("an array came where a slot was given")),
            },
            (Some(slot), Some(gather)) => {
                let width = self.column.fixed_width().unwrap_or(1);
                let rows = usize::try_from(self.reader.rows()).unwrap_or(usize::MAX);
                let bytes =
                    rows.checked_mul(width).ok_or_else(|| Error::limit("more rows than fit memory"))?;
                let _working_memory = run.reserve(bytes as u64, "the rows to pick from")?;
                let mut read = Slab::new([bytes])?;
                let mut nulls = None;
                for values in read.slots_mut() {
                    if let Filled::Values(found) = self.reader.read(self.column, Slot::Values(values))? {
                        nulls = found;
                    }
                    gather::values(values, slot, width, &gather.map, run)?;
                }
                Ok(Made::Slot(gather::nulls(nulls.as_ref(), gather.present.as_ref(), &gather.map)))
            }
            (None, None) => read_column(self.reader, self.column, run).map(Made::Array),
            (None, Some(gather)) => {
                let read = read_column(self.reader, self.column, run)?;
                // As many values as the map has, of the size that those read have on the average.
                let rows = (gather.map.len() as u64).saturating_mul(read.get_buffer_memory_size() as u64);
                run.reserve(rows / (read.len() as u64).max(1), "the rows picked")?.keep();
                gather::array(&read, &gather.map, gather.present.as_ref(), run).map(Made::Array)
            }
        }
        .map_err(|e| e.column(self.column.name()))
    }
}

/// A field of a file as a field of the frame. The number that it has in its file would clash with other files'.
fn in_frame(field: &Field, name: &str) -> Field {
    let mut field = field.clone().with_name(name);
    field.metadata_mut().remove(PARQUET_FIELD_ID);
    field
}

const PARQUET_FIELD_ID: &str = "PARQUET:field_id";

/// A column that is in memory already, at the rows of a total map.
fn pick(column: &ArrayRef, rows: &RowMap, run: &Run) -> Result<ArrayRef> {
    match rows {
        RowMap::Run { first, len } => Ok(column.slice(*first as usize, *len as usize)),
        RowMap::Each(map) => gather::array(column, map, None, run),
    }
}
