//! Which types of key can be compared with one another, and in what common terms.

use arrow_schema::{DataType, TimeUnit};
use hypostyle_io::{Error, Result};

/// What a key column's values are, whatever their width or unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Integer,
    Bool,
    Date,
    Time,
    Timestamp { zoned: bool },
    Decimal,
    Text,
    Binary,
}

/// The common terms in which one key column of all tables is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyType {
    pub(crate) class: Class,
    /// Nanoseconds in one step, for times and timestamps: that of the finest column.
    pub(crate) step: i64,
    /// Digits behind the point, for decimals: those of the finest column.
    pub(crate) scale: i8,
}

impl KeyType {
    /// The terms of one column.
    ///
    /// # Errors
    /// `InvalidRequest` for types that are no keys.
    pub(crate) fn of(data_type: &DataType) -> Result<Self> {
        let plain = |class| Self { class, step: 1, scale: 0 };
        Ok(match data_type {
            DataType::Dictionary(_, value) => return Self::of(value),
            DataType::Boolean => plain(Class::Bool),
            DataType::Date32 | DataType::Date64 => plain(Class::Date),
            DataType::Time32(unit) | DataType::Time64(unit) => {
                Self { class: Class::Time, step: nanoseconds(*unit), scale: 0 }
            }
            DataType::Timestamp(unit, zone) => {
                Self { class: Class::Timestamp { zoned: zone.is_some() }, step: nanoseconds(*unit), scale: 0 }
            }
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => Self { class: Class::Decimal, step: 1, scale: *scale },
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => plain(Class::Text),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => plain(Class::Binary),
            other if other.is_integer() => plain(Class::Integer),
            other if other.is_floating() => {
                return Err(Error::invalid(format!(
                    "a key cannot be {other}: equal floating-point numbers are chance"
                ))
                .hint("write the key as an integer, a decimal or a timestamp"));
            }
            other => {
                return Err(Error::invalid(format!("a key cannot be {other}"))
                    .hint("keys are integers, dates, times, timestamps, decimals, strings, binary or bool"));
            }
        })
    }

    /// Common terms of two columns, if their values can be compared at all.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        (self.class == other.class).then_some(Self {
            class: self.class,
            step: self.step.min(other.step),
            scale: self.scale.max(other.scale),
        })
    }
}

/// How to mend a pair of key types that cannot be compared.
pub(crate) fn mend(a: Class, b: Class) -> &'static str {
    match (a, b) {
        (Class::Timestamp { .. }, Class::Timestamp { .. }) => {
            "one has a time zone and the other has none: write both with a zone, or both without"
        }
        (Class::Date, Class::Timestamp { .. }) | (Class::Timestamp { .. }, Class::Date) => {
            "a date is a whole day, a timestamp a moment: write both as one of them"
        }
        _ => "write both with one kind of key, or name another key column for the table",
    }
}

pub(crate) fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}
