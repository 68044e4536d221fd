//! The keys of one table's rows, comparable with those of any other table of the join.

use std::cmp::Ordering;
use std::hash::Hash;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use arrow_row::{Row, RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType};
use hypostyle_io::{Error, Result, Run};

/// Keys without nulls, in row order.
pub(crate) enum KeySequence {
    /// One column that can be counted: integers, dates, timestamps, bool.
    Ints(ScalarBuffer<i64>),
    /// Anything else, and several columns: byte strings that compare as the keys do.
    Rows(Rows),
}

/// Keys between two looks at whether the work is still wanted.
const CHECKED: usize = 32 << 10;

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
    fn equals(&self, other: &Self, run: &Run) -> Result<bool> {
        if self.len() != other.len() {
            return Ok(false);
        }
        for i in 0..self.len() {
            if i.is_multiple_of(CHECKED) {
                run.check()?;
            }
            if self.at(i) != other.at(i) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How the keys ascend.
    fn order(&self, run: &Run) -> Result<Order> {
        let mut order = Order::Strict;
        for i in 1..self.len() {
            if i.is_multiple_of(CHECKED) {
                run.check()?;
            }
            match self.at(i - 1).cmp(&self.at(i)) {
                Ordering::Less => {}
                Ordering::Equal => order = Order::Ascending,
                Ordering::Greater => return Ok(Order::None),
            }
        }
        Ok(order)
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

    fn equals(&self, other: &Self, _run: &Run) -> Result<bool> {
        Ok(self == other)
    }

    fn order(&self, _run: &Run) -> Result<Order> {
        // Without an early end, so that the compiler takes many rows at a time.
        let (mut ascends, mut strict) = (true, true);
        for (a, b) in self.iter().zip(self.iter().skip(1)) {
            ascends &= a <= b;
            strict &= a < b;
        }
        Ok(match (ascends, strict) {
            (true, true) => Order::Strict,
            (true, false) => Order::Ascending,
            _ => Order::None,
        })
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

    /// Where memory begins that others may hold too.
    pub(crate) fn address(&self) -> Option<usize> {
        match self {
            Self::Ints(ints) => Some(ints.inner().data_ptr().as_ptr().addr()),
            Self::Rows(_) => None,
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

    pub(crate) fn order(&self, run: &Run) -> Result<Order> {
        match self {
            Self::Ints(ints) => ints.as_ref().order(run),
            Self::Rows(rows) => rows.order(run),
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
    pub(crate) fn encode(&self, columns: &[ArrayRef], run: &Run) -> Result<KeySequence> {
        match (&self.converter, columns) {
            (None, [ints]) => match ints.as_primitive_opt::<Int64Type>() {
                Some(ints) => Ok(KeySequence::Ints(ints.values().clone())),
                None => {
                    Err(Error::internal(format!("a key of {} where integers were planned", ints.data_type())))
                }
            },
            (Some(converter), columns) => {
                let len = columns.first().map_or(0, Array::len);
                let mut rows = converter.empty_rows(len, 0);
                for first in (0..len).step_by(CHECKED) {
                    run.check()?;
                    let part: Vec<ArrayRef> =
                        columns.iter().map(|c| c.slice(first, CHECKED.min(len - first))).collect();
                    converter.append(&mut rows, &part).map_err(|e| not_comparable(&e))?;
                }
                Ok(KeySequence::Rows(rows))
            }
            (None, _) => Err(Error::internal("several key columns where one was planned")),
        }
    }
}

fn not_comparable(error: &ArrowError) -> Error {
    Error::internal(format!("the keys could not be made comparable: {error}"))
}
