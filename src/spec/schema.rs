//! The JSON Schema of the spec.
//!
//! The types below exist for their schemas alone: they say what `wire` accepts.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// One column name, or a list of them.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

/// `inner`: keys that are in every table, in the row order of the first. `left`: all rows of the first
/// table. `spine`: exactly the spine's rows.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum HowName {
    Inner,
    Left,
    Spine,
}

/// Which row counts when a key is repeated in the table.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DuplicatesName {
    Error,
    First,
    Last,
}

/// `null`: the column is null in the rows of a file that lacks it.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum MissingForm {
    Word(MissingName),
    Null(()),
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MissingName {
    Error,
    Null,
}

/// A list of columns, a map of columns to new names, or `*` for all.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum ColumnsForm {
    All(Star),
    List(Vec<ColumnItem>),
    Map(BTreeMap<String, Option<String>>),
}

#[derive(JsonSchema)]
pub(super) enum Star {
    #[serde(rename = "*")]
    All,
}

/// A column's name, or a map of a column to its new name.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum ColumnItem {
    Name(String),
    Renamed(BTreeMap<String, Option<String>>),
}

/// A bound on the first key column: a time such as `2024-12-25T00:00:00`, a number, a string.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

pub(super) fn document() -> serde_json::Value {
    schemars::schema_for!(super::JoinSpec).to_value()
}
