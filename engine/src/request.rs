//! What is asked of a join, in the engine's terms: opened tables, names, rules. No path appears here.

use std::sync::Arc;

use arrow_array::RecordBatch;
use hypostyle_io::Table;
use serde::{Deserialize, Serialize};

use crate::remembered::Remembered;

/// Which rows the output has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Keys that are in every table, in the row order of the first.
    #[default]
    Inner,
    /// All rows of the first table.
    Left,
    /// Exactly the spine's rows, in its order and number.
    Spine,
}

/// Which row counts when a key is repeated in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// None: the repetition is an error.
    Error,
    /// The first in row order.
    First,
    /// The last in row order.
    Last,
}

/// How a table's rows are found for the output's keys; each gives the same answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The cheapest that fits the keys.
    #[default]
    Auto,
    /// The key columns are equal, row by row: the columns stack.
    Identity,
    /// Both key columns ascend: one pass over both.
    Merge,
    /// A hash table of the keys.
    Hash,
}

/// Bounds on the first key column, and how many rows are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The first key that is wanted, in text.
    pub from: Option<String>,
    /// The first key that is no longer wanted, in text.
    pub to: Option<String>,
    /// Only the rows with the greatest first keys.
    pub last: Option<u64>,
}

/// One feature column and its name in the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name in the table.
    pub column: String,
    /// Its name in the output.
    pub output: String,
}

/// One table of a join.
#[derive(Clone, Debug)]
pub struct JoinTable {
    /// The name that errors and statistics use.
    pub name: String,
    /// The opened table.
    pub table: Arc<Table>,
    /// Its key columns, as many as the join has.
    pub key: Vec<String>,
    /// The columns wanted, in output order.
    pub features: Vec<Feature>,
    /// What a repeated key means; `None` is the rule of the table's place in the join.
    pub duplicates: Option<Duplicates>,
}

/// The rows to fill, of a spine join.
#[derive(Clone, Debug)]
pub struct Spine {
    /// Key columns and columns to carry.
    pub batch: RecordBatch,
    /// The names of its key columns.
    pub key: Vec<String>,
}

/// A whole join.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// Which rows the output has.
    pub how: How,
    /// The names of the output's key columns.
    pub key: Vec<String>,
    /// The rows to fill, when `how` is [`How::Spine`].
    pub spine: Option<Spine>,
    /// The tables; without a spine the first one gives the rows and their order.
    pub tables: Vec<JoinTable>,
    /// Which of the rows are wanted.
    pub rows: Rows,
    /// What earlier joins of the same files found out, and this one may tell later ones.
    pub remembered: Option<Arc<Remembered>>,
    /// How to align; anything but [`Strategy::Auto`] is an error where it does not fit.
    pub strategy: Strategy,
}
