//! Parquet bytes to Arrow columns.
mod describe;
mod error;
mod file;
mod footer;
mod index;
mod platform;
mod prune;
mod read;
mod rows;
mod run;
mod slab;
mod source;
mod table;
mod types;

pub use describe::{ColumnDescription, FileDescription, GroupDescription};
pub use error::{Error, ErrorKind, Result, did_you_mean};
pub use file::ParquetFile;
pub use platform::{Identity, default_memory_limit};
pub use prune::{KeyStatistics, group_statistics, page_statistics};
pub use read::{Filled, Reader, Slot};
pub use rows::RowRanges;
pub use run::{Counters, Reserved, Run, Span};
pub use slab::Slab;
pub use source::{IoMode, Source};
pub use table::{Column, Missing, Table};
pub use types::{fixed_width, is_key_type, widen};
