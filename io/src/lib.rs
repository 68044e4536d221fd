//! Parquet bytes to Arrow columns.
mod error;
mod platform;
mod run;
pub use error::{Error, ErrorKind, Result, did_you_mean};
pub use run::{Counters, Reserved, Run, Span};
/// placeholder until the table module lands
#[derive(Debug)]
pub struct Table;
