//! The join that is asked for, as people write it: in YAML or JSON, on the command line, or in Rust.

mod features;
mod json;
mod schema;
mod short;
mod validate;
mod wire;
mod yaml;

use std::path::Path;

use hypostyle_engine::{Duplicates, How};
use serde::{Deserialize, Serialize};

pub(crate) use validate::{check_names, is_identifier};
pub(crate) use wire::names;

/// What to join: the key, the tables with their columns, and the rows wanted.
///
/// It is read from YAML or JSON ([`JoinSpec::from_yaml`]), or built:
///
/// ```
/// use hypostyle::{JoinSpec, TableSpec};
///
/// let built = JoinSpec::new(["ts"])
///     .full_names(true)
///     .table(TableSpec::new("wind.parquet").columns(["speed_80m", "speed_120m"]))
///     .table(TableSpec::new("sun/*.parquet").name("sun").column_as("ghi", "sunshine"))
///     .last(24);
/// built.validate()?;
///
/// let read = JoinSpec::from_yaml("
/// key: ts
/// full_names: true
/// tables:
///   - {path: wind.parquet, columns: [speed_80m, speed_120m]}
///   - {path: sun/*.parquet, name: sun, columns: {ghi: sunshine}}
/// rows: {last: 24}
/// ")?;
/// assert_eq!(built, read);
/// # Ok::<(), hypostyle::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "hypostyle join spec")]
#[schemars(description = "What to join: the key, the tables with their columns, and the rows wanted.")]
#[non_exhaustive]
pub struct JoinSpec {
    /// The key columns, by the names that the output has: one name or a list. Left out: those that `hypostyle.yaml`
    /// in the root names, else the one column that all tables have, and the spine, and that can be a key.
    #[serde(default, serialize_with = "wire::names::serialize", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "schema::Names")]
    pub key: Vec<String>,
    /// Which rows the output has; `inner` when left out, or `spine` when a spine is given.
    #[schemars(with = "Option<schema::HowName>")]
    pub how: How,
    /// Whether the output's columns are named `table__column`; else a clash of names is an error.
    #[serde(default, skip_serializing_if = "wire::is_default")]
    pub full_names: bool,
    /// The rows to fill, of a `spine` join; its other columns are carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spine: Option<SpineSpec>,
    /// The tables; without a spine the first one gives the rows and their order.
    #[schemars(length(min = 1))]
    pub tables: Vec<TableSpec>,
    /// Which of the rows are wanted; all, when left out.
    #[serde(default, skip_serializing_if = "wire::is_default")]
    pub rows: RowsSpec,
    /// The snapshot that is read, in a managed store: a number, a time or a tag; the newest, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Scalar")]
    pub as_of: Option<String>,
}

/// Where the rows to fill come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SpineSpec {
    /// A file, a folder or a glob; relative to the root, else to the spec.
    pub path: String,
    /// Its key columns; those of the join, when left out.
    #[serde(default, with = "wire::names", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "schema::Names")]
    pub key: Vec<String>,
}

/// One table of a join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TableSpec {
    /// Its name, in errors, statistics and full column names; the file's stem, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: Option<String>,
    /// A file, a folder (recursive) or a glob; relative to the root, else to the spec.
    /// Left out: `<root>/<name>.parquet` or `<root>/<name>/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub path: Option<String>,
    /// Its key columns; those of the join, when left out.
    #[serde(default, with = "wire::names", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "schema::Names")]
    pub key: Vec<String>,
    /// The columns wanted: a list of names, a map of names to new names, or `*` for all.
    #[schemars(with = "schema::ColumnsForm")]
    pub columns: Columns,
    /// Which row counts when a key is repeated; the rule of the table's place, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::DuplicatesName")]
    pub duplicates: Option<Duplicates>,
    /// What it means when a column is missing from one of the table's files.
    #[serde(default, skip_serializing_if = "wire::is_default")]
    #[schemars(with = "schema::MissingForm")]
    pub missing: Missing,
}

/// The columns that are wanted of a table, in output order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Every column but the key.
    All,
    /// These.
    Named(Vec<ColumnSpec>),
}

impl Default for Columns {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// One column and what it is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name in the table.
    pub column: String,
    /// Its name in the output; `None` keeps its name.
    pub rename: Option<String>,
}

/// What it means when a column is missing from one of a table's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The files don't belong together: an error.
    #[default]
    Error,
    /// The column is null in that file's rows.
    Null,
}

/// Which rows are wanted. Bounds are half open and hold for the first key column.
///
/// They are kept as text, and read by the engine once it knows the key's type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RowsSpec {
    /// The first key that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Scalar")]
    pub from: Option<String>,
    /// The first key that is no longer wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Scalar")]
    pub to: Option<String>,
    /// Only so many rows, those with the greatest first keys, in the join's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1))]
    pub last: Option<u64>,
}

impl JoinSpec {
    /// An inner join without tables.
    pub fn new<S: Into<String>>(key: impl IntoIterator<Item = S>) -> Self {
        Self { key: strings(key), ..Self::default() }
    }

    /// Reads a spec from YAML, of which JSON is a part. [`JoinSpec::validate`] is left to the join.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) that names line and column;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) for a text that is too large, too deep, or
    /// grows too large by its aliases.
    pub fn from_yaml(text: &str) -> crate::Result<Self> {
        yaml::parse(text)
    }

    /// Reads a spec from JSON alone, many times faster than [`JoinSpec::from_yaml`]: the same keys and values, and
    /// where the parser allows the same words in errors. Bounds that are written as numbers are read as numbers:
    /// write a decimal bound as text for it to keep its digits.
    ///
    /// # Errors
    /// Those of [`JoinSpec::from_yaml`].
    pub fn from_json(text: &str) -> crate::Result<Self> {
        json::parse(text)
    }

    /// An inner join of the features that are named, `table:column` each: the tables by name, in the order in which
    /// they first appear. The key is left open, for the store to find.
    ///
    /// ```
    /// use hypostyle::{JoinSpec, TableSpec};
    ///
    /// let spec = JoinSpec::from_features(&["wind:speed_80m", "load:mw", "wind:speed_120m"].map(String::from))?;
    /// let wind = TableSpec::named("wind").columns(["speed_80m", "speed_120m"]);
    /// assert_eq!(spec.tables, [wind, TableSpec::named("load").columns(["mw"])]);
    /// # Ok::<(), hypostyle::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) that names the reference: without a colon or with two,
    /// with an empty part, with a word that is no table name, or standing twice.
    pub fn from_features(references: &[String]) -> crate::Result<Self> {
        features::spec(references)
    }

    /// Reads a spec from a file, as [`JoinSpec::from_yaml`] does.
    ///
    /// # Errors
    /// Those of [`JoinSpec::from_yaml`] and of reading a file; each names the file.
    pub fn from_path(path: &Path) -> crate::Result<Self> {
        yaml::read(path).and_then(|text| yaml::parse(&text)).map_err(|e| e.path(path))
    }

    /// The JSON Schema of the spec, for editors and other programs.
    pub fn json_schema() -> serde_json::Value {
        schema::document()
    }

    /// Checks what can be checked without opening a table. Every join does this first.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) that names the table.
    pub fn validate(&self) -> crate::Result<()> {
        self.validate_beside(false)
    }

    /// The same for a join whose spine may lie in memory, beside the spec.
    pub(crate) fn validate_beside(&self, spine_in_memory: bool) -> crate::Result<()> {
        validate::check(self, spine_in_memory)
    }

    /// Which rows the output has.
    #[must_use]
    pub fn how(mut self, how: How) -> Self {
        self.how = how;
        self
    }

    /// Whether the output's columns are named `table__column`.
    #[must_use]
    pub fn full_names(mut self, full_names: bool) -> Self {
        self.full_names = full_names;
        self
    }

    /// Reads the snapshot of that number, moment or tag, in a managed store.
    #[must_use]
    pub fn as_of(mut self, as_of: impl Into<String>) -> Self {
        self.as_of = Some(as_of.into());
        self
    }

    /// Fills exactly the rows of `spine`, which makes this a spine join.
    #[must_use]
    pub fn spine(mut self, spine: SpineSpec) -> Self {
        self.spine = Some(spine);
        self.how = How::Spine;
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: TableSpec) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds tables.
    #[must_use]
    pub fn tables(mut self, tables: impl IntoIterator<Item = TableSpec>) -> Self {
        self.tables.extend(tables);
        self
    }

    /// Only rows whose first key is `from` or greater, such as `2024-12-25T00:00:00` or `17`.
    #[must_use]
    pub fn from(mut self, from: impl Into<String>) -> Self {
        self.rows.from = Some(from.into());
        self
    }

    /// Only rows whose first key is less than `to`.
    #[must_use]
    pub fn to(mut self, to: impl Into<String>) -> Self {
        self.rows.to = Some(to.into());
        self
    }

    /// Only the `count` rows with the greatest first keys.
    #[must_use]
    pub fn last(mut self, count: u64) -> Self {
        self.rows.last = Some(count);
        self
    }
}

impl SpineSpec {
    /// The spine at `path`, with the join's key.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), key: Vec::new() }
    }

    /// Its key columns, where they are not called as the join's.
    #[must_use]
    pub fn key<S: Into<String>>(mut self, key: impl IntoIterator<Item = S>) -> Self {
        self.key = strings(key);
        self
    }
}

impl TableSpec {
    /// The table at `path`, as yet without columns.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// The table that the root holds as `<name>.parquet` or `<name>/`, as yet without columns.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Its name, in errors, statistics and full column names.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its key columns, where they are not called as the join's.
    #[must_use]
    pub fn key<S: Into<String>>(mut self, key: impl IntoIterator<Item = S>) -> Self {
        self.key = strings(key);
        self
    }

    /// Adds columns that keep their names.
    #[must_use]
    pub fn columns<S: Into<String>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        columns.into_iter().fold(self, |table, c| table.push(ColumnSpec { column: c.into(), rename: None }))
    }

    /// Adds a column under a new name.
    #[must_use]
    pub fn column_as(self, column: impl Into<String>, rename: impl Into<String>) -> Self {
        self.push(ColumnSpec { column: column.into(), rename: Some(rename.into()) })
    }

    /// Takes every column but the key.
    #[must_use]
    pub fn all_columns(mut self) -> Self {
        self.columns = Columns::All;
        self
    }

    /// Which row counts when a key is repeated.
    #[must_use]
    pub fn duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = Some(duplicates);
        self
    }

    /// What it means when a column is missing from one of the table's files.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// The name, or else that of the file or folder which the path leads to or searches.
    pub fn label(&self) -> String {
        match (&self.name, &self.path) {
            (Some(name), _) => name.clone(),
            (None, Some(path)) => crate::store::name_of(path),
            (None, None) => String::new(),
        }
    }

    fn push(mut self, column: ColumnSpec) -> Self {
        match &mut self.columns {
            Columns::Named(columns) => columns.push(column),
            Columns::All => self.columns = Columns::Named(vec![column]),
        }
        self
    }
}

fn strings<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests;
