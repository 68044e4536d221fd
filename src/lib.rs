//! Joins many Parquet tables into one Arrow frame: an offline feature store engine, without a server.
//!
//! A [`Store`] is a folder of tables. A [`JoinSpec`] says which columns of which tables are wanted, on what key and
//! for which rows. A [`Frame`] is the answer: one Arrow record batch, and what it took ([`JoinStats`]).
//!
//! ```
//! use hypostyle::{JoinSpec, Store, TableSpec};
//! # use std::sync::Arc;
//! # use arrow_array::{Float64Array, Int64Array, RecordBatch};
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! # for (name, column) in [("wind", "speed_80m"), ("load", "mw")] {
//! #     let keys = Int64Array::from_iter_values(0..48);
//! #     let values = Float64Array::from_iter_values((0..48).map(|hour| f64::from(hour) / 2.0));
//! #     let batch = RecordBatch::try_from_iter([("ts", Arc::new(keys) as _), (column, Arc::new(values) as _)])?;
//! #     hypostyle::write_file(&batch, &root.join(format!("{name}.parquet")), hypostyle::Format::Parquet)?;
//! # }
//!
//! let store = Store::open(root)?;
//! let spec = JoinSpec::new(["ts"])
//!     .table(TableSpec::new("wind.parquet").columns(["speed_80m"]))
//!     .table(TableSpec::new("load.parquet").columns(["mw"]))
//!     .last(24);
//! let frame = store.join(&spec)?;
//! assert_eq!((frame.num_rows(), frame.num_columns()), (24, 3));
//! println!("{:.1} ms, {} bytes read", frame.stats().total_ms, frame.stats().bytes_read);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Errors say what the caller can do about them: see [`ErrorKind`].

mod doctor;
mod input;
mod managed;
mod output;
mod spec;
mod store;

pub use doctor::{
    Answer, DoctorOptions, DoctorReport, Probe, ReadFigures, Reading, Settings, doctor, doctor_with,
};
pub use hypostyle_engine::{
    Duplicates, Explanation, Floats, Frame, How, JoinStats, KeySummary, Order, Strategy, TableStats,
    column_position,
};
pub use hypostyle_io::{
    Error, ErrorKind, IoMode, Result, RootReads, Run, any_remote, is_remote, threads_left_behind,
};
pub use hypostyle_lock as lock;
pub use input::{read_rows, read_rows_from};
pub use managed::{
    AsOf, Committed, Coordination, Difference, Finding, GcOptions, GcReport, Initialized, LockReport,
    ModelChange, ModelData, ModelInfo, ModelKind, ModelReport, ModelVersion, NewModel, PutOptions,
    RepairReport, SnapshotReport, TableChange, Transaction, TransactionOptions, WriteMode, WriteOptions,
    init,
};
pub use output::{Format, OutputFile, readable, shortened, write_batch, write_file};
pub use spec::{ColumnSpec, Columns, JoinSpec, Missing, RowsSpec, SpineSpec, TableSpec};
pub use store::{
    AtSnapshot, Blobs, FileReport, JoinOptions, Models, Pending, Store, TableColumn, TableReport,
    fill_matrix, spawn, spawn_apart,
};
