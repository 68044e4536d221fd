//! Random tables as plain values, the same as Parquet files, and a nested-loop join over the plain values.

pub(crate) mod checked;
pub(crate) mod files;
pub(crate) mod oracle;

use hypostyle_engine::{Duplicates, How};

/// A key before it has a type: the k-th value of the type, or null.
pub(crate) type Key = Vec<Option<u8>>;

/// How the k-th key is written in a column. Those of one group are comparable with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyForm {
    Int8,
    Int32,
    Int64,
    UInt16,
    UInt64,
    Date32,
    Date64,
    Seconds,
    Millis,
    Micros,
    Nanos,
    SecondsUtc,
    MicrosUtc,
    Time32,
    Time64,
    Utf8,
    LargeUtf8,
    Dictionary,
    Binary,
    Fixed,
    Decimal2,
    Decimal4,
    Decimal40,
    Bool,
}

/// Groups of forms that may meet in one key column.
pub(crate) const GROUPS: [&[KeyForm]; 9] = [
    &[KeyForm::Int8, KeyForm::Int32, KeyForm::Int64, KeyForm::UInt16, KeyForm::UInt64],
    &[KeyForm::Date32, KeyForm::Date64],
    &[KeyForm::Seconds, KeyForm::Millis, KeyForm::Micros, KeyForm::Nanos],
    &[KeyForm::SecondsUtc, KeyForm::MicrosUtc],
    &[KeyForm::Time32, KeyForm::Time64],
    &[KeyForm::Utf8, KeyForm::LargeUtf8, KeyForm::Dictionary],
    &[KeyForm::Binary, KeyForm::Fixed],
    &[KeyForm::Decimal2, KeyForm::Decimal4, KeyForm::Decimal40],
    &[KeyForm::Bool],
];

/// A table: keys, and in which rows the features are null. A feature's value tells its table and row.
#[derive(Clone, Debug)]
pub(crate) struct PlainTable {
    pub(crate) forms: Vec<KeyForm>,
    pub(crate) keys: Vec<Key>,
    pub(crate) nulls: Vec<bool>,
    pub(crate) duplicates: Option<Duplicates>,
    /// Rows of a row group, and rows of the first file.
    pub(crate) group: usize,
    pub(crate) split: usize,
    pub(crate) written: Written,
}

/// What of a file can be another way without another value in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// The key columns say that they have no nulls, where they have none.
    pub(crate) required: bool,
    pub(crate) compressed: bool,
    /// No dictionaries.
    pub(crate) plain: bool,
    /// Pages have statistics, whatever the table's place.
    pub(crate) page_statistics: Option<bool>,
}

/// A join over plain tables.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) how: How,
    /// With a spine, the first table is the spine.
    pub(crate) tables: Vec<PlainTable>,
    pub(crate) from: Option<u8>,
    pub(crate) to: Option<u8>,
    pub(crate) last: Option<u64>,
}
