//! What a footer says of one root column: a footer of this column alone, put together from the bytes of the whole
//! one, and parsed by the `parquet` crate.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Fields, Schema};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::SchemaDescriptor;

use super::hints::ArrowFields;
use super::outline::Outline;
use super::{decode, guarded};
use crate::error::{Error, Result};

/// One root column of a file, in the words of the `parquet` crate.
#[derive(Debug)]
pub(crate) struct Part {
    metadata: Arc<ParquetMetaData>,
    /// The column's place in that metadata, and that of its first leaf.
    root: usize,
    first_leaf: usize,
    fields: Fields,
    /// About how many bytes of memory it takes.
    memory: u64,
}

impl Part {
    /// A column of a footer that was parsed whole.
    pub(super) fn of_whole(
        metadata: Arc<ParquetMetaData>,
        root: usize,
        first_leaf: usize,
        fields: Fields,
        memory: u64,
    ) -> Self {
        Self { metadata, root, first_leaf, fields, memory }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Metadata in which the column stands, alone or beside others.
    pub(crate) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// Its schema.
    pub(crate) fn schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Its place among the root columns of that schema.
    pub(crate) fn root(&self) -> usize {
        self.root
    }

    /// The place in that schema of a leaf of the column, counted from the column's first.
    pub(crate) fn leaf(&self, of_column: usize) -> usize {
        self.first_leaf + of_column
    }

    /// The name and Arrow type, as the `parquet` crate's reader gives them.
    pub(crate) fn field(&self) -> Result<&Field> {
        let field = self.fields.get(self.root).map(AsRef::as_ref);
        field.ok_or_else(|| Error::internal("a column without a field"))
    }

    /// The fields of all columns of its schema.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// A row group, of which only the column's chunks are to be looked at.
    pub(crate) fn group(&self, group: usize) -> Option<&RowGroupMetaData> {
        self.metadata.row_groups().get(group)
    }

    /// The column chunk of a leaf of the column, counted from the column's first.
    pub(crate) fn chunk(&self, group: usize, of_column: usize) -> Option<&ColumnChunkMetaData> {
        self.group(group)?.columns().get(self.leaf(of_column))
    }
}

/// Parses what an outlined footer says of a root column.
pub(super) fn parse(
    footer: &[u8],
    outline: &Outline,
    arrow: Option<&ArrowFields>,
    root: usize,
) -> Result<Part> {
    let alone = footer_of(footer, outline, root)
        .ok_or_else(|| Error::internal("the outline of a footer is not that of its bytes"))?;
    let metadata = decode(&alone)?;
    let hint = arrow.map(|arrow| arrow.field(root)).transpose()?;
    let field = field(metadata.file_metadata().schema_descr(), hint)?;
    // What the crate makes of a chunk, and the statistics, which are most of what may be long.
    let chunks = metadata.row_groups().iter().map(|group| group.columns().len()).sum::<usize>();
    let memory = (alone.len() + chunks * size_of::<ColumnChunkMetaData>()) as u64;
    let (metadata, fields) = (Arc::new(metadata), [field].into_iter().collect());
    Ok(Part { metadata, root: 0, first_leaf: 0, fields, memory })
}

/// The Arrow field of the one column of a schema; `hint` is what its writer said that it was.
///
/// The crate takes a hint in the form in which it stands in a file, and for all columns at once.
fn field(schema: &SchemaDescriptor, hint: Option<Field>) -> Result<FieldRef> {
    let of = |schema: Schema| {
        let field = schema.fields().first().cloned();
        field.ok_or_else(|| Error::unsupported("a column of the file has no leaf"))
    };
    if let Some(hint) = &hint {
        // A hint that says what the file says adds its metadata, and nothing else.
        let told = of(guarded(|| parquet_to_arrow_schema(schema, None))?)?;
        if told.data_type() == hint.data_type() && !told.data_type().is_nested() && told.name() == hint.name()
        {
            let nullable = told.is_nullable();
            let field = Field::new(told.name(), told.data_type().clone(), nullable);
            return Ok(Arc::new(field.with_metadata(hint.metadata().clone())));
        }
    }
    of(guarded(|| {
        let hint = hint.map(|hint| {
            let encoded = encode_arrow_schema(&Schema::new(vec![hint]));
            vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encoded)]
        });
        parquet_to_arrow_schema(schema, hint.as_ref())
    })?)
}

/// Writes a footer in which the root column is alone.
fn footer_of(footer: &[u8], outline: &Outline, root: usize) -> Option<Vec<u8>> {
    let at = outline.roots.get(root)?;
    let first = at.first_leaf as usize;
    let end = outline.roots.get(root + 1).map_or(outline.leaves, |next| next.first_leaf as usize);
    let bytes = |range: &Range<u32>| footer.get(range.start as usize..range.end as usize);
    // As much as there is of it, and no more: a forged footer has many chunks of one byte.
    let of_group =
        |group| (first..end).filter_map(move |leaf| outline.chunk(group, leaf)).map(|r| r.len()).sum();
    let chunks: usize = (0..outline.rows.len()).map(|group| -> usize { of_group(group) }).sum();
    let mut out = Vec::with_capacity(256 + at.elements.len() + chunks + 32 * outline.rows.len());
    // version: 1; schema: a list of structures, the first of which has a name and one child.
    out.extend([0x15, 2]);
    out.push(0x19);
    list_of_structs(&mut out, u64::from(at.count) + 1);
    out.extend([0x48, 1, b'r', 0x15, 2, 0]);
    out.extend(bytes(&at.elements)?);
    // The file's rows; row groups.
    out.push(0x16);
    signed(&mut out, outline.rows.iter().sum());
    out.push(0x19);
    list_of_structs(&mut out, outline.rows.len() as u64);
    for (group, rows) in outline.rows.iter().enumerate() {
        out.push(0x19);
        list_of_structs(&mut out, (end - first) as u64);
        for leaf in first..end {
            out.extend(bytes(&outline.chunk(group, leaf)?)?);
        }
        // The group's bytes, of which nobody asks, and its rows.
        out.extend([0x16, 0, 0x16]);
        signed(&mut out, *rows);
        out.push(0);
    }
    out.push(0);
    Some(out)
}

fn list_of_structs(out: &mut Vec<u8>, len: u64) {
    match u8::try_from(len) {
        Ok(few @ 0..15) => out.push(few << 4 | 12),
        _ => {
            out.push(0xfc);
            varint(out, len);
        }
    }
}

/// A number that is not negative, in zigzag.
fn signed(out: &mut Vec<u8>, value: u64) {
    varint(out, value << 1);
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
