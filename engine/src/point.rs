//! Places on the axis of a first key column: what bounds in text and ranges of files have in common.

use std::fmt;
use std::str::FromStr;

use arrow_array::ArrayRef;
use arrow_buffer::i256;
use arrow_schema::DataType;
use hypostyle_io::{Error, Result};

use crate::key::{Bound, Bounds, KeyType, Width, canonical, value};

/// A value of a key column, in terms that compare and that can be written down. Values of one type compare; those of
/// two types need not.
///
/// Its text is a whole number (of days, units of time, or the last digit) or `x` and bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPoint(Bound);

impl KeyPoint {
    /// Reads half-open bounds for a key of this type.
    ///
    /// # Errors
    /// [`InvalidRequest`](hypostyle_io::ErrorKind::InvalidRequest) for text that is no such value, or bounds in the
    /// wrong order.
    pub fn bounds(
        from: Option<&str>,
        to: Option<&str>,
        data_type: &DataType,
    ) -> Result<(Option<Self>, Option<Self>)> {
        let bounds = Bounds::parse(from, to, KeyType::of(data_type)?)?;
        Ok((bounds.from.map(Self), bounds.to.map(Self)))
    }

    /// The value in each row of a key column; `None` for nulls.
    ///
    /// # Errors
    /// For types that are no keys.
    pub fn column(array: &ArrayRef) -> Result<Vec<Option<Self>>> {
        let key = KeyType::of(array.data_type())?;
        let common = match canonical(array, key, Width::Usual)? {
            Some(usual) => usual,
            None => canonical(array, key, Width::Wide)?
                .ok_or_else(|| Error::internal("a key does not fit the widest type"))?,
        };
        Ok((0..common.len()).map(|row| value(&common, row).map(Self)).collect())
    }
}

impl fmt::Display for KeyPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Bound::Number(number) => write!(f, "{number}"),
            Bound::Bytes(bytes) => {
                f.write_str("x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl FromStr for KeyPoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::corrupt(format!("`{text}` is no place on a key's axis"));
        let Some(hex) = text.strip_prefix('x') else {
            return i256::from_string(text).map(|n| Self(Bound::Number(n))).ok_or_else(wrong);
        };
        if !hex.is_ascii() || hex.len() % 2 != 0 {
            return Err(wrong());
        }
        let byte = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes = (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>();
        bytes.map(|bytes| Self(Bound::Bytes(bytes))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, TimestampSecondArray, UInt64Array};

    use super::*;

    #[test]
    fn a_point_survives_its_text_and_keeps_its_order() {
        for column in [
            Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, 7, i64::MAX])) as ArrayRef,
            Arc::new(UInt64Array::from(vec![0, u64::MAX])),
            Arc::new(StringArray::from(vec!["", "a", "ab", "b", "é"])),
            Arc::new(TimestampSecondArray::from(vec![-5, 0, 1_700_000_000])),
        ] {
            let points: Vec<KeyPoint> = KeyPoint::column(&column).unwrap().into_iter().flatten().collect();
            assert_eq!(points.len(), column.len());
            assert!(points.is_sorted(), "{points:?}");
            for point in points {
                assert_eq!(point.to_string().parse::<KeyPoint>().unwrap(), point);
            }
        }
        for wrong in ["", "x1", "xzz", "1.5", "x\u{e9}\u{e9}"] {
            assert!(wrong.parse::<KeyPoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bounds_stand_among_the_points_of_their_type() {
        let column: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(86_400), None]));
        let points = KeyPoint::column(&column).unwrap();
        let (from, to) =
            KeyPoint::bounds(Some("1970-01-02"), Some("1970-01-03"), column.data_type()).unwrap();
        assert_eq!((&from, &points[1]), (&points[0], &None));
        assert!(to > from);
        assert!(KeyPoint::bounds(Some("soon"), None, column.data_type()).is_err());
    }
}
