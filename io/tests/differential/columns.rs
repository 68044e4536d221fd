//! Columns of every type, of values that encodings treat in different ways.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, TimeUnit};

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>
pub(crate) fn mixed(seed: u64) -> u64 {
    let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// How values follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Values {
    /// Few distinct ones.
    Few,
    /// One, then another, in long runs.
    Runs,
    /// Each a little more than the one before.
    Ascending,
    /// Of all bits.
    Wild,
}

pub(crate) const VALUES: [Values; 4] = [Values::Few, Values::Runs, Values::Ascending, Values::Wild];

impl Values {
    fn at(self, row: usize, seed: u64) -> u64 {
        match self {
            Self::Few => mixed(seed + mixed(seed + row as u64) % 7),
            Self::Runs => mixed(seed + row as u64 / 150) % 3,
            Self::Ascending => 1_000_000 + row as u64 * 10 + mixed(seed + row as u64) % 9,
            Self::Wild => mixed(seed + row as u64),
        }
    }
}

/// Which rows are null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Nulls {
    /// The column says that none can be.
    Required,
    /// None is.
    None,
    /// Every so many, more or less.
    Some(u64),
    /// Long runs of them.
    Runs,
    /// All are.
    All,
}

pub(crate) const NULLS: [Nulls; 6] =
    [Nulls::Required, Nulls::None, Nulls::Some(2), Nulls::Some(50), Nulls::Runs, Nulls::All];

impl Nulls {
    fn of(self, rows: usize, seed: u64) -> Option<NullBuffer> {
        let is_valid = |row: usize| match self {
            Self::Required | Self::None => true,
            Self::Some(every) => !mixed(seed ^ row as u64).is_multiple_of(every),
            Self::Runs => !mixed(seed ^ (row as u64 / 37)).is_multiple_of(2),
            Self::All => false,
        };
        (self != Self::Required).then(|| NullBuffer::new((0..rows).map(is_valid).collect()))
    }
}

/// All types that the decoders know, and how many bytes a value has in Arrow.
pub(crate) fn types() -> Vec<DataType> {
    use DataType::*;
    let mut types = vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Date32,
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Duration(TimeUnit::Microsecond),
        Decimal32(7, 2),
        Decimal64(16, 3),
        Decimal128(9, 2),
        Decimal128(18, 4),
        Decimal128(38, 10),
        Decimal256(9, 0),
        Decimal256(70, 4),
        FixedSizeBinary(1),
        FixedSizeBinary(5),
        FixedSizeBinary(16),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
    ];
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        types.push(Timestamp(unit, None));
        types.push(Timestamp(unit, Some("UTC".into())));
    }
    types
}

/// Types that the general reader is there for.
pub(crate) fn general_types() -> Vec<DataType> {
    use DataType::*;
    vec![
        Date64,
        Time32(TimeUnit::Second),
        Interval(arrow_schema::IntervalUnit::DayTime),
        Dictionary(Box::new(Int32), Box::new(Utf8)),
        Null,
    ]
}

/// A column of `rows` rows.
pub(crate) fn column(data_type: &DataType, values: Values, nulls: Nulls, rows: usize, seed: u64) -> ArrayRef {
    let validity = nulls.of(rows, seed);
    let at = |row: usize| values.at(row, seed);
    let is_null = |row: usize| validity.as_ref().is_some_and(|n| n.is_null(row));
    match data_type {
        DataType::Null => arrow_array::new_null_array(data_type, rows),
        DataType::Boolean => {
            let bits: BooleanBuffer = (0..rows).map(|row| at(row) % 3 == 0).collect();
            Arc::new(BooleanArray::new(bits, validity))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let mut builder = StringBuilder::new();
            (0..rows).for_each(|row| builder.append_option((!is_null(row)).then(|| text(at(row)))));
            arrow_cast::cast(&builder.finish(), data_type).unwrap()
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let mut builder = BinaryBuilder::new();
            let bytes = |row: usize| text(at(row)).bytes().map(|b| b.wrapping_mul(201)).collect::<Vec<u8>>();
            (0..rows).for_each(|row| builder.append_option((!is_null(row)).then(|| bytes(row))));
            arrow_cast::cast(&builder.finish(), data_type).unwrap()
        }
        other => {
            let width = match other {
                DataType::FixedSizeBinary(width) => *width as usize,
                other => other.primitive_width().unwrap(),
            };
            let bytes = (0..rows).flat_map(|row| {
                let low = at(row);
                let high = if values == Values::Wild { mixed(low) } else { 0 };
                let words = [low, high, mixed(high) * high.min(1), high];
                words.iter().flat_map(|w| w.to_le_bytes()).take(width).collect::<Vec<u8>>()
            });
            let data = ArrayData::builder(other.clone())
                .len(rows)
                .add_buffer(Buffer::from_iter(bytes))
                .nulls(validity);
            make_array(data.build().unwrap())
        }
    }
}

/// Strings of all lengths; many share their beginnings.
fn text(number: u64) -> String {
    match number % 11 {
        0 => String::new(),
        1 => "é€😀".to_owned(),
        2 => format!("{:0>300}", number % 1000),
        _ => format!("station-{}-{}", number % 100, number),
    }
}
