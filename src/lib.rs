//! Joins many Parquet tables into one Arrow frame.
pub use hypostyle_io::{Error, ErrorKind, Result};
