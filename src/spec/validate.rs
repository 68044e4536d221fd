//! What can be wrong with a spec before any table is opened.

use std::collections::HashMap;

use hypostyle_engine::How;

use super::{Columns, JoinSpec, TableSpec};
use crate::{Error, Result};

pub(super) fn check(spec: &JoinSpec, spine_in_memory: bool) -> Result<()> {
    check_names(&spec.key)?;
    check_how(spec, spine_in_memory)?;
    if spec.tables.is_empty() {
        return Err(Error::invalid("the join has no tables")
            .hint("name them under `tables:` in the spec, or with --table PATH:COLUMN,…"));
    }
    if let Some(spine) = &spec.spine {
        check_path(&spine.path).map_err(|e| e.table("spine"))?;
        check_own_key(&spine.key, &spec.key).map_err(|e| e.table("spine"))?;
    }
    for (at, table) in spec.tables.iter().enumerate() {
        check_table(table, &spec.key).map_err(|e| match table.label() {
            label if label.is_empty() => e.table(format!("#{}", at + 1)),
            label => e.table(label),
        })?;
    }
    check_labels(&spec.tables)?;
    if spec.rows.last == Some(0) {
        return Err(Error::invalid("`last` is 0, and a frame without rows helps nobody")
            .hint("leave it out for all rows, or ask for one at least"));
    }
    Ok(())
}

/// Names of key columns: none empty, none twice.
pub(crate) fn check_names(key: &[String]) -> Result<()> {
    for (at, name) in key.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::invalid("a key column has an empty name"));
        }
        if key.iter().take(at).any(|earlier| earlier == name) {
            return Err(Error::invalid("the key names this column twice").column(name));
        }
    }
    Ok(())
}

fn check_own_key(own: &[String], join: &[String]) -> Result<()> {
    if !own.is_empty() && !join.is_empty() && own.len() != join.len() {
        return Err(Error::invalid(format!(
            "its key has {} columns ({}), and the join's has {} ({})",
            own.len(),
            own.join(", "),
            join.len(),
            join.join(", ")
        )));
    }
    check_names(own)
}

fn check_how(spec: &JoinSpec, spine_in_memory: bool) -> Result<()> {
    if spine_in_memory {
        return match (spec.how, &spec.spine) {
            (_, Some(_)) => Err(Error::invalid("there are two spines: one in the spec and one in memory")
                .hint("leave one of them out")),
            (How::Left, None) => {
                Err(Error::invalid("a spine is given, but `how` is `left`").hint("leave one of them out"))
            }
            _ => Ok(()),
        };
    }
    match (spec.how, &spec.spine) {
        (How::Spine, None) => Err(Error::invalid("a join with `how: spine` needs a spine")
            .hint("say where the rows are: `spine: {path: keys.parquet}`, or --spine PATH")),
        (How::Inner | How::Left, Some(_)) => Err(Error::invalid(format!(
            "a spine is given, but `how` is `{}`",
            if spec.how == How::Left { "left" } else { "inner" }
        ))
        .hint("leave `how` out, or leave the spine out")),
        _ => Ok(()),
    }
}

fn check_table(table: &TableSpec, join_key: &[String]) -> Result<()> {
    match (&table.name, &table.path) {
        (None, None) => {
            return Err(Error::invalid("the table has neither a name nor a path")
                .hint("give it a `path`, or a `name` for <root>/<name>.parquet"));
        }
        (Some(name), _) if !is_identifier(name) => {
            return Err(Error::invalid(format!("`{name}` is no table name"))
                .hint("a name has letters, digits and `_`, and does not begin with a digit"));
        }
        (_, Some(path)) => check_path(path)?,
        _ => {}
    }
    check_own_key(&table.key, join_key)?;
    if let Columns::Named(columns) = &table.columns {
        for column in columns {
            if column.column.is_empty() {
                return Err(Error::invalid("a column has an empty name"));
            }
            if column.rename.as_deref() == Some("") {
                return Err(Error::invalid("its new name is empty").column(&column.column));
            }
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        return Err(Error::invalid("the path is empty"));
    }
    if path.contains('\0') {
        return Err(Error::invalid("the path holds a NUL character"));
    }
    Ok(())
}

fn check_labels(tables: &[TableSpec]) -> Result<()> {
    let mut seen = HashMap::new();
    for (at, table) in tables.iter().enumerate() {
        if let Some(first) = seen.insert(table.label(), at) {
            return Err(Error::invalid(format!(
                "two tables have this name: number {} and number {}",
                first + 1,
                at + 1
            ))
            .table(table.label())
            .hint("give one of them a `name` of its own (NAME=PATH:… on the command line)"));
        }
    }
    Ok(())
}

/// Whether `name` is `[A-Za-z_][A-Za-z0-9_]*`.
pub(crate) fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
