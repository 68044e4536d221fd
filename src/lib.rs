//! Joins many Parquet tables into one Arrow frame.

mod spec;

pub use hypostyle_engine::{Duplicates, Frame, How, JoinStats, Strategy, TableStats};
pub use hypostyle_io::{Error, ErrorKind, Result};
pub use spec::{ColumnSpec, Columns, JoinSpec, Missing, RowsSpec, SpineSpec, TableSpec};
