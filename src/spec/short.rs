//! A table in one word, as the command line takes it: `[NAME=]PATH:COL[=NEWNAME][,COL…]`.

use std::str::FromStr;

use super::{ColumnSpec, Columns, TableSpec, validate};
use crate::{Error, Result};

const FORM: &str = "write [NAME=]PATH:COLUMN[=NEWNAME][,COLUMN…], or PATH:* for all columns";

/// Reads `[NAME=]PATH:COL[=NEWNAME][,COL…]`, or `[NAME=]PATH:*` for all columns.
///
/// It is split at its last `:`. What stands before the first `=` is a name if it can be one, else it is
/// part of the path: a path that begins so is written `./a=b/x.parquet`.
///
/// ```
/// use hypostyle::TableSpec;
///
/// let table: TableSpec = "wind=data/wind.parquet:speed_80m=wind80,speed_120m".parse()?;
/// let built = TableSpec::new("data/wind.parquet").name("wind");
/// assert_eq!(table, built.column_as("speed_80m", "wind80").columns(["speed_120m"]));
/// # Ok::<(), hypostyle::Error>(())
/// ```
impl FromStr for TableSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid(format!("`{text}` {why}")).hint(FORM);
        let Some((place, columns)) = text.rsplit_once(':') else {
            return Err(wrong("names no columns"));
        };
        let (name, path) = match place.split_once('=') {
            Some((name, path)) if validate::is_identifier(name) => (Some(name.to_owned()), path),
            _ => (None, place),
        };
        if path.is_empty() {
            return Err(wrong("names no path"));
        }
        let columns = match columns {
            "" => return Err(wrong("names no columns")),
            "*" => Columns::All,
            list => Columns::Named(
                list.split(',')
                    .map(|item| column(item).ok_or_else(|| wrong("has an empty column name")))
                    .collect::<Result<_>>()?,
            ),
        };
        Ok(Self { name, path: Some(path.to_owned()), columns, ..Self::default() })
    }
}

fn column(item: &str) -> Option<ColumnSpec> {
    let (column, rename) = match item.split_once('=') {
        Some((column, rename)) => (column, Some(rename.to_owned())),
        None => (item, None),
    };
    let empty = column.is_empty() || rename.as_deref() == Some("");
    (!empty).then(|| ColumnSpec { column: column.to_owned(), rename })
}
