//! The formats and their names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use hypostyle_io::did_you_mean;

use crate::{Error, Result};

/// A format that frames are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The Arrow IPC file format, also called Feather.
    Arrow,
    /// The Arrow IPC stream format.
    Stream,
    /// Parquet, compressed by zstd.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a row.
    Ndjson,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Arrow, Self::Stream, Self::Parquet, Self::Csv, Self::Ndjson];

    /// Its name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Stream => "stream",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The suffix of its files, with the dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Arrow => ".arrow",
            Self::Stream => ".arrows",
            Self::Parquet => ".parquet",
            Self::Csv => ".csv",
            Self::Ndjson => ".ndjson",
        }
    }

    /// Whether people can read it on a terminal.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Ndjson)
    }

    /// The format that a path's suffix tells.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) that lists the suffixes.
    pub fn from_path(path: &Path) -> Result<Self> {
        let suffix = path.extension().map(|s| format!(".{}", s.to_string_lossy().to_lowercase()));
        let suffix = suffix.unwrap_or_default();
        Self::ALL.into_iter().find(|f| f.suffix() == suffix).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.into_iter().map(Self::suffix).collect();
            let what = match suffix.as_str() {
                "" => "the output has no suffix to tell its format".to_owned(),
                suffix => format!("the suffix `{suffix}` tells no format"),
            };
            Error::invalid(what).path(path).hint(format!("use one of {}, or --format", known.join(" ")))
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
            let error = Error::invalid(format!("there is no format `{name}`"));
            match did_you_mean(name, Self::ALL.into_iter().map(Self::name)) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
