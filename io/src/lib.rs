//! Parquet bytes to Arrow columns, for the joins of `hypostyle`.
//!
//! Three nouns carry it. A [`Table`] is one logical table over opened [`ParquetFile`]s, its columns reconciled by
//! name. [`RowRanges`] say which of its rows are meant. A [`Reader`] brings those rows of a [`Column`] into a
//! [`Slot`]: a piece of a [`Slab`] for types of fixed width, an array of its own for the others.
//!
//! ```
//! use std::sync::Arc;
//! use hypostyle_io::{Filled, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table};
//! # use arrow_array::{Int64Array, RecordBatch};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("load.parquet");
//! # let batch = RecordBatch::try_from_iter([("mw", Arc::new(Int64Array::from(vec![10, 20, 30, 40])) as _)])?;
//! # let file = std::fs::File::create(&path)?;
//! # let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None)?;
//! # writer.write(&batch)?;
//! # writer.close()?;
//!
//! let run = Run::default();
//! let file = ParquetFile::open(&path, IoMode::Auto, &run)?;
//! let table = Table::new("load", vec![file], Missing::Error)?;
//! let column = table.column("mw")?;
//! let reader = Reader::new(&table, &RowRanges::from_ranges([1..2, 3..4]), &run);
//! let mut slab = Slab::new([2 * 8])?;
//! for slot in slab.slots_mut() {
//!     assert!(matches!(reader.read(&column, Slot::Values(slot))?, Filled::Values(None)));
//! }
//! let values = arrow_buffer::ScalarBuffer::<i64>::from(slab.into_buffers().remove(0));
//! assert_eq!(values.as_ref(), [20, 40]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every byte of a file is hostile until checked: lengths before allocation, offsets before slicing. What goes
//! wrong is an [`Error`], sorted by what the caller can do about it.
#![deny(clippy::indexing_slicing)]

mod ahead;
mod alike;
mod describe;
mod encoding;
mod error;
mod file;
mod footer;
#[cfg(test)]
mod fuzz;
mod immutable;
mod index;
mod lately;
mod mount;
mod opening;
mod page;
mod platform;
mod process;
mod prune;
mod reach;
mod read;
mod reading;
mod recycled;
mod requests;
mod rows;
mod run;
mod slab;
mod source;
mod table;
mod types;
mod write;

pub use ahead::ReadAhead;
pub use alike::StoredColumn;
pub use describe::{ColumnDescription, FileDescription, GroupDescription};
pub use error::{Error, ErrorKind, Result, did_you_mean};
pub use file::{ParquetFile, check_unchanged};
pub use footer::{panic_is_caught, read_metadata};
pub use immutable::{Immutable, check_bytes};
pub use lately::{Lately, cores};
pub use mount::{MountReport, any_remote, is_remote, mount_of};
pub use opening::{Opening, unless_being_written};
pub use platform::{Identity, default_memory_limit, descriptors_for_files, read_small};
pub use process::ByProcess;
pub use prune::{KeyStatistics, group_statistics, page_indexes_ahead, page_statistics};
pub use reach::{Asked, Place};
pub use read::{Filled, Reader, Slot, read_ahead};
pub use reading::RootReads;
pub use requests::{Depth, threads_left_behind};
pub use rows::RowRanges;
pub use run::{Counters, Reserved, Run, Span};
pub use slab::Slab;
pub use source::{IoMode, Source, open as open_source};
pub use table::{Column, Missing, Table};
pub use types::{fixed_width, is_key_type, widen};
pub use write::{fast_file, fast_properties};
