//! A frame's columns as one matrix of floats: what a model takes.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, FieldRef};
use hypostyle_io::{Error, Result};
use rayon::prelude::*;

/// Memory to fill with a matrix's numbers.
#[derive(Debug)]
pub enum Floats<'a> {
    /// Numbers of four bytes.
    F32(&'a mut [f32]),
    /// Numbers of eight bytes.
    F64(&'a mut [f64]),
}

/// What stands side by side in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The values of a row, as C has it.
    RowMajor,
    /// The values of a column, as Fortran has it.
    ColumnMajor,
}

/// Rows that are filled together: the lines of the matrix that they touch stay in the cache from the first column
/// to the last.
const BLOCK: usize = 128;

/// Rows of one task, a multiple of the above.
const TASK: usize = 16 * BLOCK;

/// Fills `out` with all columns of a batch as one matrix of floats, rows × columns without gaps.
///
/// Integers, floats, decimals and booleans (0 and 1) become the nearest float; null becomes NaN, and so does all of a
/// column of the type null. Work is spread over the rayon pool of the calling thread.
///
/// # Errors
/// [`InvalidRequest`](hypostyle_io::ErrorKind::InvalidRequest) for a column whose values are no numbers, and when
/// `out` has another size than the matrix.
pub fn fill_matrix(batch: &RecordBatch, order: Order, out: Floats<'_>) -> Result<()> {
    let numbers = |(field, column): (&FieldRef, &ArrayRef)| match column.data_type() {
        decimal if decimal.is_decimal() => arrow_cast::cast(column, &DataType::Float64)
            .map_err(|e| Error::internal(format!("decimals made no floats: {e}")).column(field.name())),
        DataType::Boolean | DataType::Null => Ok(column.clone()),
        number if number.is_numeric() => Ok(column.clone()),
        other => Err(not_a_number(field.name(), other)),
    };
    let schema = batch.schema_ref();
    let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).collect();
    let columns = columns.into_par_iter().map(numbers).collect::<Result<Vec<_>>>()?;
    match out {
        Floats::F32(out) => fill(&columns, batch.num_rows(), order, out),
        Floats::F64(out) => fill(&columns, batch.num_rows(), order, out),
    }
}

fn not_a_number(name: &str, data_type: &DataType) -> Error {
    let hint = match data_type {
        kind if kind.is_temporal() => "leave the column out, or make a number of it first",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            "leave the column out, or encode it as numbers first"
        }
        _ => "leave the column out",
    };
    Error::invalid(format!("{data_type} values are no numbers")).column(name).hint(hint)
}

fn fill<T: Cell>(columns: &[ArrayRef], rows: usize, order: Order, out: &mut [T]) -> Result<()> {
    if rows.checked_mul(columns.len()) != Some(out.len()) {
        return Err(Error::invalid(format!(
            "{rows} rows of {} columns were to go into {} numbers",
            columns.len(),
            out.len()
        )));
    }
    if out.is_empty() {
        return Ok(());
    }
    let sources: Vec<Source<'_, T>> = columns.iter().map(Source::of).collect::<Result<_>>()?;
    match order {
        Order::RowMajor => by_rows(&sources, out),
        Order::ColumnMajor => by_columns(&sources, rows, out),
    }
    Ok(())
}

/// Each block of rows takes its part of one column after the other.
fn by_rows<T: Cell>(sources: &[Source<'_, T>], cells: &mut [T]) {
    let width = sources.len();
    cells.par_chunks_mut(TASK * width).enumerate().for_each(|(task, cells)| {
        let mut numbers = [T::NAN; BLOCK];
        for (block, cells) in cells.chunks_mut(BLOCK * width).enumerate() {
            let (numbers, _) = numbers.split_at_mut(cells.len() / width);
            for (at, source) in sources.iter().enumerate() {
                source.read(task * TASK + block * BLOCK, numbers);
                for (row, number) in cells.chunks_exact_mut(width).zip(numbers.iter()) {
                    if let Some(cell) = row.get_mut(at) {
                        *cell = *number;
                    }
                }
            }
        }
    });
}

fn by_columns<T: Cell>(sources: &[Source<'_, T>], rows: usize, cells: &mut [T]) {
    cells.par_chunks_mut(rows).zip(sources).for_each(|(cells, source)| {
        cells.par_chunks_mut(TASK).enumerate().for_each(|(task, cells)| {
            source.read(task * TASK, cells);
        });
    });
}

/// A number of the matrix.
trait Cell: Copy + Send + Sync + 'static {
    const NAN: Self;
    fn signed(value: i64) -> Self;
    fn unsigned(value: u64) -> Self;
    fn float(value: f64) -> Self;
}

macro_rules! cell {
    ($type:ty) => {
        impl Cell for $type {
            const NAN: Self = <$type>::NAN;

            fn signed(value: i64) -> Self {
                value as Self
            }

            fn unsigned(value: u64) -> Self {
                value as Self
            }

            fn float(value: f64) -> Self {
                value as Self
            }
        }
    };
}

cell!(f32);
cell!(f64);

type Numbers<'a, T> = Box<dyn Fn(usize, &mut [T]) + Send + Sync + 'a>;

/// A column that gives its numbers a block at a time.
struct Source<'a, T> {
    numbers: Numbers<'a, T>,
    nulls: Option<&'a NullBuffer>,
}

impl<'a, T: Cell> Source<'a, T> {
    fn of(column: &'a ArrayRef) -> Result<Self> {
        fn each<'a, P: ArrowPrimitiveType, T: 'static>(
            column: &'a ArrayRef,
            number: impl Fn(P::Native) -> T + Send + Sync + 'static,
        ) -> Numbers<'a, T> {
            let values: &[P::Native] = column.as_primitive::<P>().values();
            Box::new(move |first, into| {
                for (out, value) in into.iter_mut().zip(values.get(first..).unwrap_or_default()) {
                    *out = number(*value);
                }
            })
        }
        let numbers: Numbers<'a, T> = match column.data_type() {
            DataType::Int8 => each::<Int8Type, T>(column, |v| T::signed(v.into())),
            DataType::Int16 => each::<Int16Type, T>(column, |v| T::signed(v.into())),
            DataType::Int32 => each::<Int32Type, T>(column, |v| T::signed(v.into())),
            DataType::Int64 => each::<Int64Type, T>(column, T::signed),
            DataType::UInt8 => each::<UInt8Type, T>(column, |v| T::unsigned(v.into())),
            DataType::UInt16 => each::<UInt16Type, T>(column, |v| T::unsigned(v.into())),
            DataType::UInt32 => each::<UInt32Type, T>(column, |v| T::unsigned(v.into())),
            DataType::UInt64 => each::<UInt64Type, T>(column, T::unsigned),
            DataType::Float16 => each::<Float16Type, T>(column, |v| T::float(v.into())),
            DataType::Float32 => each::<Float32Type, T>(column, |v| T::float(v.into())),
            DataType::Float64 => each::<Float64Type, T>(column, T::float),
            DataType::Boolean => {
                let bits = column.as_boolean().values();
                Box::new(move |first, into| {
                    for (i, out) in into.iter_mut().enumerate() {
                        *out = T::unsigned(bits.value(first + i).into());
                    }
                })
            }
            DataType::Null => Box::new(|_, into| into.fill(T::NAN)),
            other => return Err(Error::internal(format!("{other} got among numbers"))),
        };
        Ok(Self { numbers, nulls: column.nulls().filter(|nulls| nulls.null_count() > 0) })
    }

    /// The numbers of the rows from `first` on.
    fn read(&self, first: usize, into: &mut [T]) {
        (self.numbers)(first, into);
        if let Some(nulls) = self.nulls {
            for (i, out) in into.iter_mut().enumerate() {
                if nulls.is_null(first + i) {
                    *out = T::NAN;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Float64Array, Int64Array, NullArray, StringArray, TimestampSecondArray};
    use proptest::prelude::*;

    use super::*;

    const TYPES: [DataType; 17] = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Boolean,
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Decimal128(38, 5),
        DataType::Decimal256(60, 3),
        DataType::Null,
    ];

    /// A column of whole numbers from 0 to 100 as some type, and what the matrix should have of it.
    fn column(data_type: &DataType, values: &[Option<i64>]) -> (ArrayRef, Vec<f64>) {
        let ints: ArrayRef = Arc::new(values.iter().copied().collect::<Int64Array>());
        let array: ArrayRef = match data_type {
            DataType::Null => Arc::new(NullArray::new(values.len())),
            DataType::Boolean => {
                Arc::new(values.iter().map(|v| v.map(|v| v % 2 == 1)).collect::<BooleanArray>())
            }
            other => arrow_cast::cast(&ints, other).unwrap(),
        };
        let number = |v: &Option<i64>| match (v, data_type) {
            (None, _) | (_, DataType::Null) => f64::NAN,
            (Some(v), DataType::Boolean) => (v % 2) as f64,
            (Some(v), _) => *v as f64,
        };
        (array, values.iter().map(number).collect())
    }

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let named = columns.into_iter().enumerate().map(|(i, c)| (format!("c{i}"), c, true));
        RecordBatch::try_from_iter_with_nullable(named).unwrap()
    }

    fn f64s(batch: &RecordBatch, order: Order) -> Result<Vec<f64>> {
        let mut out = vec![0.0; batch.num_rows() * batch.num_columns()];
        fill_matrix(batch, order, Floats::F64(&mut out)).map(|()| out)
    }

    fn f32s(batch: &RecordBatch, order: Order) -> Result<Vec<f32>> {
        let mut out = vec![0.0; batch.num_rows() * batch.num_columns()];
        fill_matrix(batch, order, Floats::F32(&mut out)).map(|()| out)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn each_cell_is_the_number_of_its_row_and_column(
            types in prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..6),
            rows in prop::sample::select(vec![0, 1, 5, BLOCK - 1, BLOCK, BLOCK + 3, TASK, TASK + BLOCK + 7]),
            cut in 0..9usize,
            seed in any::<u64>(),
            with_nulls in any::<bool>(),
        ) {
            let (arrays, expected): (Vec<ArrayRef>, Vec<Vec<f64>>) = types.iter().enumerate().map(|(c, t)| {
                let values: Vec<Option<i64>> = (0..rows + cut).map(|r| {
                    let random = seed.wrapping_mul((r * 31 + c + 1) as u64) >> 13;
                    (!with_nulls || !random.is_multiple_of(5)).then_some((random % 101) as i64)
                }).collect();
                let (array, numbers) = column(t, &values);
                (array.slice(cut, rows), numbers[cut..].to_vec())
            }).unzip();
            let batch = batch(arrays);
            for order in [Order::RowMajor, Order::ColumnMajor] {
                let f64s = f64s(&batch, order).unwrap();
                let f32s = f32s(&batch, order).unwrap();
                for (at, numbers) in expected.iter().enumerate() {
                    for (row, number) in numbers.iter().enumerate() {
                        let cell = match order {
                            Order::RowMajor => row * types.len() + at,
                            Order::ColumnMajor => at * rows + row,
                        };
                        prop_assert_eq!(f64s[cell].to_bits(), number.to_bits());
                        prop_assert_eq!(f32s[cell].to_bits(), (*number as f32).to_bits());
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_are_rounded_once_and_floats_keep_their_bits() {
        let odd = (1i64 << 54) + (1 << 30) + 1;
        let made = batch(vec![
            Arc::new(Int64Array::from(vec![odd, i64::MIN])),
            Arc::new(Float64Array::from(vec![-0.0, f64::NEG_INFINITY])),
            arrow_cast::cast(&StringArray::from(vec!["-1.25", "0.1"]), &DataType::Decimal128(20, 3)).unwrap(),
        ]);
        let expected = [odd as f32, -0.0, -1.25, i64::MIN as f32, f32::NEG_INFINITY, 0.1];
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&f32s(&made, Order::RowMajor).unwrap()), bits(&expected));
    }

    #[test]
    fn what_is_no_number_is_named_and_memory_of_another_size_refused() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]));
        for (column, words) in [
            (text, "column `c0`: Utf8 values are no numbers"),
            (time, "column `c0`: Timestamp(s) values are no numbers"),
        ] {
            let error = f64s(&batch(vec![column]), Order::RowMajor).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (hypostyle_io::ErrorKind::InvalidRequest, words)
            );
            assert!(error.hint_text().is_some());
        }
        let numbers = batch(vec![Arc::new(Int64Array::from(vec![1, 2]))]);
        let error = fill_matrix(&numbers, Order::RowMajor, Floats::F64(&mut [0.0; 3])).unwrap_err();
        assert_eq!(error.to_string(), "2 rows of 1 columns were to go into 3 numbers");
        assert!(f64s(&batch(vec![Arc::new(Int64Array::from(vec![0i64; 0]))]), Order::ColumnMajor).is_ok());
    }
}
