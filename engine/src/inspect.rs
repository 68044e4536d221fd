//! What a table's key is like: its range, its order, its repetitions.

use arrow_array::Array;
use hypostyle_io::{Column, ReadAhead, Reader, Result, RowRanges, Run, Table, is_key_type};
use serde::Serialize;

use crate::align::is_unique;
use crate::key::{Bounds, KeyEncoder, KeyType, Order, in_words};
use crate::side::{NullKeys, RawKeys, in_common_terms};

/// A key over all rows of a table.
#[derive(Clone, Debug, Serialize)]
pub struct KeySummary {
    /// The key columns.
    pub columns: Vec<String>,
    /// The least key, its columns joined with commas; `None` without rows.
    pub min: Option<String>,
    /// The greatest key.
    pub max: Option<String>,
    /// `strictly ascending`, `ascending` or `unsorted`.
    pub order: &'static str,
    /// Whether no key stands twice.
    pub unique: bool,
    /// Rows without a key.
    pub nulls: u64,
}

/// The columns of a key: those that are named, or the first one that can be a key.
fn key_columns(table: &Table, key: &[String]) -> Result<Vec<Column>> {
    if !key.is_empty() {
        return key.iter().map(|name| table.column(name)).collect();
    }
    let named = |name: &String| table.column(name).ok().filter(|c| is_key_type(c.data_type()));
    Ok(table.column_names().iter().find_map(named).into_iter().collect())
}

/// What [`summarise_key`] will read of a table that others answer for.
///
/// # Errors
/// Those of finding the columns.
pub fn key_ahead(table: &Table, key: &[String], run: &Run) -> Result<Vec<ReadAhead>> {
    if !table.is_asked() {
        return Ok(Vec::new());
    }
    let columns = key_columns(table, key)?;
    let rows = RowRanges::all(table.rows());
    Reader::new(table, &rows, run).pages_ahead(&columns.iter().collect::<Vec<_>>(), run)
}

/// Summarises a key. Without names, the first column whose type can be a key is taken; `None` if there is none.
///
/// # Errors
/// Those of finding and reading the columns.
pub fn summarise_key(table: &Table, key: &[String], run: &Run) -> Result<Option<KeySummary>> {
    let columns = key_columns(table, key)?;
    if columns.is_empty() {
        return Ok(None);
    }
    let types = columns
        .iter()
        .map(|c| KeyType::of(c.data_type()).map_err(|e| e.table(table.name()).column(c.name())))
        .collect::<Result<Vec<_>>>()?;
    let raw = RawKeys::read(table, &columns, RowRanges::all(table.rows()), run)?;
    let canonical = in_common_terms(std::slice::from_ref(&raw), &types, run)?.pop().unwrap_or_default();
    let encoder = KeyEncoder::new(&canonical.iter().map(|c| c.data_type().clone()).collect::<Vec<_>>())?;
    let side = raw.into_side(canonical, &Bounds::default(), NullKeys::Go, &encoder, run)?;
    let (least, greatest) = side.keys.extremes().unzip();
    let text = |position: usize| in_words(&side.columns, position);
    Ok(Some(KeySummary {
        columns: columns.iter().map(|c| c.name().to_owned()).collect(),
        min: least.map(text),
        max: greatest.map(text),
        order: match side.order {
            Order::Strict => "strictly ascending",
            Order::Ascending => "ascending",
            Order::None => "unsorted",
        },
        unique: is_unique(&side.keys, side.order, run)?,
        nulls: side.nulls,
    }))
}
