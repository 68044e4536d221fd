//! Joins many Parquet tables into one Arrow frame.

mod output;
mod spec;
mod store;

pub use hypostyle_engine::{Duplicates, Explanation, Frame, How, JoinStats, Strategy, TableStats};
pub use hypostyle_io::{Error, ErrorKind, IoMode, Result, Run};
pub use output::{Format, OutputFile, readable, write_batch, write_file};
pub use spec::{ColumnSpec, Columns, JoinSpec, Missing, RowsSpec, SpineSpec, TableSpec};
pub use store::{FileReport, JoinOptions, Store};
