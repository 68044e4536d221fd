//! The bounds `from` and `to`: text, read in the terms of the first key column.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, i256};
use arrow_schema::DataType;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use hypostyle_io::{Error, Result};

use super::class::{Class, KeyType};

/// Half-open bounds on a key column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) from: Option<Bound>,
    pub(crate) to: Option<Bound>,
}

/// A value in the common terms of a key column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Bound {
    Number(i256),
    Bytes(Vec<u8>),
}

impl Bounds {
    /// Reads both bounds for a key of this type.
    ///
    /// # Errors
    /// `InvalidRequest` for text that is no such value, a zone where the key has none, or `from` after `to`.
    pub(crate) fn parse(from: Option<&str>, to: Option<&str>, key: KeyType) -> Result<Self> {
        let read = |what, text: Option<&str>| {
            text.map(|text| parse(text.trim(), key).map_err(|e| named(&e, what, text))).transpose()
        };
        let bounds = Self { from: read("from", from)?, to: read("to", to)? };
        if let (Some(first), Some(end)) = (&bounds.from, &bounds.to)
            && first > end
        {
            return Err(Error::invalid(format!(
                "`from` ({}) is after `to` ({})",
                from.unwrap_or_default(),
                to.unwrap_or_default()
            ))
            .hint("exchange them: rows are wanted from `from` up to, without, `to`"));
        }
        Ok(bounds)
    }

    /// Whether every row is wanted.
    pub(crate) fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The same bounds, but not before `from`.
    pub(crate) fn not_before(&self, from: Bound) -> Self {
        let from = match &self.from {
            Some(first) if *first >= from => first.clone(),
            _ => from,
        };
        Self { from: Some(from), to: self.to.clone() }
    }

    /// For each value of a canonical column, whether it lies within; a null does not.
    pub(crate) fn contains(&self, canonical: &ArrayRef) -> BooleanBuffer {
        if let Some(ints) = canonical.as_primitive_opt::<Int64Type>() {
            // The usual case, without a wide integer for each row.
            let bound = |bound: &Option<Bound>, open| match bound {
                Some(Bound::Number(number)) => {
                    number.to_i128().unwrap_or(if number.is_negative() { i128::MIN } else { i128::MAX })
                }
                _ => open,
            };
            let (from, to) = (bound(&self.from, i128::MIN), bound(&self.to, i128::MAX));
            let values = ints.values();
            let within = BooleanBuffer::collect_bool(values.len(), |i| {
                let value = values.get(i).map_or(0, |v| i128::from(*v));
                from <= value && value < to
            });
            return match ints.nulls() {
                Some(nulls) => &within & nulls.inner(),
                None => within,
            };
        }
        BooleanBuffer::collect_bool(canonical.len(), |i| {
            value(canonical, i).is_some_and(|v| {
                self.from.as_ref().is_none_or(|from| v >= *from) && self.to.as_ref().is_none_or(|to| v < *to)
            })
        })
    }

    /// For each run of rows, whether its least and greatest value leave room for a wanted one.
    pub(crate) fn may_contain(&self, min: &ArrayRef, max: &ArrayRef) -> Vec<bool> {
        (0..min.len().min(max.len()))
            .map(|i| {
                let before = matches!((&self.from, value(max, i)), (Some(from), Some(max)) if max < *from);
                let after = matches!((&self.to, value(min, i)), (Some(to), Some(min)) if min >= *to);
                !before && !after
            })
            .collect()
    }

    /// For each run of rows, whether all of its values lie within.
    pub(crate) fn cover(&self, min: &ArrayRef, max: &ArrayRef) -> Vec<bool> {
        (0..min.len().min(max.len()))
            .map(|i| {
                let (Some(min), Some(max)) = (value(min, i), value(max, i)) else { return false };
                self.from.as_ref().is_none_or(|from| min >= *from)
                    && self.to.as_ref().is_none_or(|to| max < *to)
            })
            .collect()
    }
}

/// The value of a canonical column at a position; `None` for null.
pub(crate) fn value(canonical: &ArrayRef, i: usize) -> Option<Bound> {
    if canonical.is_null(i) {
        return None;
    }
    Some(match canonical.data_type() {
        DataType::Int64 => {
            Bound::Number(i256::from_i128(i128::from(canonical.as_primitive::<Int64Type>().value(i))))
        }
        DataType::Decimal128(..) => {
            Bound::Number(i256::from_i128(canonical.as_primitive::<Decimal128Type>().value(i)))
        }
        DataType::Decimal256(..) => Bound::Number(canonical.as_primitive::<Decimal256Type>().value(i)),
        DataType::LargeUtf8 => Bound::Bytes(canonical.as_string::<i64>().value(i).as_bytes().to_vec()),
        _ => Bound::Bytes(canonical.as_binary::<i64>().value(i).to_vec()),
    })
}

fn named(error: &Error, what: &str, text: &str) -> Error {
    let out = Error::invalid(format!("`{what}: {text}`: {}", error.message()));
    match error.hint_text() {
        Some(hint) => out.hint(hint),
        None => out,
    }
}

fn parse(text: &str, key: KeyType) -> Result<Bound> {
    match key.class {
        Class::Integer => integer(text),
        Class::Bool => match text {
            "true" => Ok(number(1)),
            "false" => Ok(number(0)),
            _ => Err(Error::invalid("the key is true or false")),
        },
        Class::Date => moment(text, Some(false)).map(|ns| number(ceil(ns, 1_000_000))),
        Class::Timestamp { zoned } => moment(text, Some(zoned)).map(|ns| number(ceil(ns, key.step))),
        Class::Time => {
            let time: NaiveTime = text
                .parse()
                .map_err(|_| Error::invalid("the key is a time of day").hint("such as 13:30:00"))?;
            let ns = (time - NaiveTime::MIN).num_nanoseconds().unwrap_or(0);
            Ok(number(ceil(i128::from(ns), key.step)))
        }
        Class::Decimal => decimal(text, key.scale),
        Class::Text | Class::Binary => Ok(Bound::Bytes(text.as_bytes().to_vec())),
    }
}

fn number(value: i128) -> Bound {
    Bound::Number(i256::from_i128(value))
}

fn integer(text: &str) -> Result<Bound> {
    text.parse::<i128>().map(number).map_err(|_| Error::invalid("the key is an integer").hint("such as 42"))
}

/// Nanoseconds since 1970; without a zone the time is UTC, which for a naive key is the plain time.
fn moment(text: &str, zoned: Option<bool>) -> Result<i128> {
    let since_epoch = |t: DateTime<chrono::Utc>| {
        i128::from(t.timestamp()) * 1_000_000_000 + i128::from(t.timestamp_subsec_nanos())
    };
    for form in
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"]
    {
        // `%#z` takes `+02`, `+0200` and `+02:00`, and `Z` as zero.
        if let Ok(time) = DateTime::parse_from_str(text, form) {
            return match zoned {
                Some(false) => Err(Error::invalid("a time zone is given, but the key has none")
                    .hint("leave the zone out; the plain time is compared")),
                _ => Ok(since_epoch(time.to_utc())),
            };
        }
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(since_epoch(time.and_utc()));
        }
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => Ok(since_epoch(day.and_time(NaiveTime::MIN).and_utc())),
        Err(_) => {
            Err(Error::invalid("the key is a date or a time")
                .hint("such as 2024-12-25 or 2024-12-25T06:00:00"))
        }
    }
}

/// A number with a decimal point, rounded up to the key's digits: no key lies between.
fn decimal(text: &str, scale: i8) -> Result<Bound> {
    let wrong = || Error::invalid("the key is a decimal number").hint("such as 12.50");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || all.len() > 76 || !all.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let magnitude = i256::from_string(&all).ok_or_else(wrong)?;
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    let shift = i64::from(scale) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let power = u32::try_from(shift.unsigned_abs())
        .ok()
        .and_then(|p| i256::from_i128(10).checked_pow(p))
        .ok_or_else(wrong)?;
    let scaled = if shift >= 0 {
        value.checked_mul(power).ok_or_else(wrong)?
    } else {
        let down = value.checked_div(power).ok_or_else(wrong)?;
        let exact = down.checked_mul(power) == Some(value);
        if exact || negative { down } else { down.wrapping_add(i256::ONE) }
    };
    Ok(Bound::Number(scaled))
}

/// Both bounds mean *the first key not before this*, so what lies between two steps goes up.
fn ceil(value: i128, step: i64) -> i128 {
    let step = i128::from(step);
    value.div_euclid(step) + i128::from(value.rem_euclid(step) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONED_MS: KeyType = KeyType { class: Class::Timestamp { zoned: true }, step: 1_000_000, scale: 0 };
    const NAIVE_MS: KeyType = KeyType { class: Class::Timestamp { zoned: false }, step: 1_000_000, scale: 0 };

    #[test]
    fn text_becomes_the_first_key_not_before_it() {
        let plain = |class| KeyType { class, step: 1, scale: 0 };
        let decimal = KeyType { class: Class::Decimal, step: 1, scale: 1 };
        for (text, key, expected) in [
            ("1970-01-01T00:00:01", NAIVE_MS, Some(1000)),
            ("1970-01-01 00:00:01", NAIVE_MS, Some(1000)),
            ("1970-01-02", NAIVE_MS, Some(86_400_000)),
            ("1970-01-01T00:00:00.0000001", NAIVE_MS, Some(1)),
            ("1969-12-31T23:59:59.9999", NAIVE_MS, Some(0)),
            ("1970-01-01T02:00:00+02:00", ZONED_MS, Some(0)),
            ("1970-01-01T00:00:01Z", ZONED_MS, Some(1000)),
            ("1970-01-01T00:00:01", ZONED_MS, Some(1000)),
            ("1970-01-01T00:00:01Z", NAIVE_MS, None),
            ("yesterday", NAIVE_MS, None),
            ("1970-01-02", plain(Class::Date), Some(86_400_000)),
            ("-7", plain(Class::Integer), Some(-7)),
            ("18446744073709551615", plain(Class::Integer), Some(u64::MAX.into())),
            ("7.5", plain(Class::Integer), None),
            ("1.50", decimal, Some(15)),
            ("1.51", decimal, Some(16)),
            ("-1.51", decimal, Some(-15)),
            (".", decimal, None),
            ("true", plain(Class::Bool), Some(1)),
        ] {
            assert_eq!(parse(text, key).ok(), expected.map(number), "{text}");
        }
    }

    #[test]
    fn from_after_to_is_refused_and_equal_bounds_are_not() {
        assert!(Bounds::parse(Some("2024-01-02"), Some("2024-01-01"), NAIVE_MS).is_err());
        assert!(Bounds::parse(Some("2024-01-01"), Some("2024-01-01"), NAIVE_MS).is_ok());
    }
}
