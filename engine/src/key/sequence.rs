//! The keys of one table's rows, comparable with those of any other table of the join.

use std::cmp::Ordering;
use std::hash::Hash;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use arrow_row::{Row, RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType};
use hypostyle_io::{Error, Result};

/// Keys without nulls, in row order.
pub(crate) enum KeySequence {
    /// One column that can be counted: integers, dates, timestamps, bool.
    Ints(ScalarBuffer<i64>),
    /// Anything else, and several columns: byte strings that compare as the keys do.
    Rows(Rows),
}

/// How a sequence ascends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each key is greater than the one before.
    Strict,
    /// No key is less than the one before.
    Ascending,
    /// Neither.
    None,
}

/// Random access to comparable keys: what alignments are written against, once for both forms.
pub(crate) trait Keys: Sync {
    /// One key.
    type Key<'a>: Ord + Hash + Copy
    where
        Self: 'a;

    /// How many.
    fn len(&self) -> usize;

    /// The key at a position below [`Self::len`].
    fn at(&self, position: usize) -> Self::Key<'_>;

    /// Whether all keys of both are equal, one by one.
    fn equals(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|i| self.at(i) == other.at(i))
    }

    /// How the keys ascend.
    fn order(&self) -> Order {
        let mut order = Order::Strict;
        for i in 1..self.len() {
            match self.at(i - 1).cmp(&self.at(i)) {
                Ordering::Less => {}
                Ordering::Equal => order = Order::Ascending,
                Ordering::Greater => return Order::None,
            }
        }
        order
    }
}

impl Keys for [i64] {
    type Key<'a> = i64;

    fn len(&self) -> usize {
        self.len()
    }

    fn at(&self, position: usize) -> i64 {
        self[position]
    }

    fn equals(&self, other: &Self) -> bool {
        self == other
    }

    fn order(&self) -> Order {
        // Without an early end, so that the compiler takes many rows at a time.
        let (mut ascends, mut strict) = (true, true);
        for (a, b) in self.iter().zip(self.iter().skip(1)) {
            ascends &= a <= b;
            strict &= a < b;
        }
        match (ascends, strict) {
            (true, true) => Order::Strict,
            (true, false) => Order::Ascending,
            _ => Order::None,
        }
    }
}

impl Keys for Rows {
    type Key<'a> = Row<'a>;

    fn len(&self) -> usize {
        self.num_rows()
    }

    fn at(&self, position: usize) -> Row<'_> {
        self.row(position)
    }
}

impl KeySequence {
    /// Memory that it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.inner().len(),
            Self::Rows(rows) => rows.size(),
        }
    }

    /// Positions of the least and the greatest key, if there are any.
    pub(crate) fn extremes(&self) -> Option<(usize, usize)> {
        fn of<K: Keys + ?Sized>(keys: &K) -> Option<(usize, usize)> {
            let least = (0..keys.len()).min_by_key(|i| keys.at(*i))?;
            Some((least, (0..keys.len()).max_by_key(|i| keys.at(*i))?))
        }
        match self {
            Self::Ints(ints) => of(ints.as_ref()),
            Self::Rows(rows) => of(rows),
        }
    }

    pub(crate) fn order(&self) -> Order {
        match self {
            Self::Ints(ints) => ints.as_ref().order(),
            Self::Rows(rows) => rows.order(),
        }
    }
}

/// Turns canonical key columns into sequences; all tables of a join must use the same one.
pub(crate) struct KeyEncoder {
    converter: Option<RowConverter>,
}

impl KeyEncoder {
    /// An encoder for canonical columns of these types.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        if types == [DataType::Int64] {
            return Ok(Self { converter: None });
        }
        let fields = types.iter().cloned().map(SortField::new).collect();
        Ok(Self { converter: Some(RowConverter::new(fields).map_err(|e| not_comparable(&e))?) })
    }

    /// The sequence of keys in canonical columns that have no nulls.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<KeySequence> {
        match (&self.converter, columns) {
            (None, [ints]) => match ints.as_primitive_opt::<Int64Type>() {
                Some(ints) => Ok(KeySequence::Ints(ints.values().clone())),
                None => {
                    Err(Error::internal(format!("a key of {} where integers were planned", ints.data_type())))
                }
            },
            (Some(converter), columns) => {
                converter.convert_columns(columns).map(KeySequence::Rows).map_err(|e| not_comparable(&e))
            }
            (None, _) => Err(Error::internal("several key columns where one was planned")),
        }
    }
}

fn not_comparable(error: &ArrowError) -> Error {
    Error::internal(format!("the keys could not be made comparable: {error}"))
}
