//! References to features, as feature stores write them: `table:column`.

use std::collections::HashMap;

use super::{ColumnSpec, Columns, JoinSpec, TableSpec, validate};
use crate::{Error, Result};

/// One table for each that is named, in the order in which they are first named.
pub(super) fn spec(references: &[String]) -> Result<JoinSpec> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for reference in references {
        let (table, column) = parts(reference)?;
        let at = *places.entry(table).or_insert_with(|| {
            tables.push((table, Vec::new()));
            tables.len() - 1
        });
        let Some((_, columns)) = tables.get_mut(at) else { continue };
        columns.push(column);
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = references.iter().find(|reference| !seen.insert(reference.as_str())) {
        return Err(wrong(twice, "stands twice").hint("name each feature once"));
    }
    let column = |name: &str| ColumnSpec { column: name.to_owned(), rename: None };
    let tables = tables.into_iter().map(|(name, columns)| TableSpec {
        columns: Columns::Named(columns.into_iter().map(column).collect()),
        ..TableSpec::named(name)
    });
    Ok(JoinSpec { tables: tables.collect(), ..JoinSpec::default() })
}

fn parts(reference: &str) -> Result<(&str, &str)> {
    let form = |why| wrong(reference, why).hint("write table:column, such as wind:speed_80m");
    let Some((table, column)) = reference.split_once(':') else { return Err(form("has no colon")) };
    if column.contains(':') {
        return Err(form("has two colons"));
    }
    if table.is_empty() {
        return Err(form("names no table"));
    }
    if column.is_empty() {
        return Err(form("names no column"));
    }
    if !validate::is_identifier(table) {
        return Err(wrong(reference, "has a word before its colon that is no table name")
            .hint("a name has letters, digits and `_`, and does not begin with a digit"));
    }
    Ok((table, column))
}

fn wrong(reference: &str, why: &str) -> Error {
    Error::invalid(format!("the feature reference `{reference}` {why}"))
}
