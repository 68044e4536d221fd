//! Whole files, read by the decoders here and by the general reader.

use std::io::Write;
use std::sync::LazyLock;

use arrow_array::{ArrayRef, make_array};
use arrow_data::ArrayData;

use crate::error::{Error, ErrorKind};
use crate::read::force_general;
use crate::{Filled, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slot, Table};

const MEMORY: u64 = 64 << 20;

/// One thread, so that what is asked of this thread is asked of all that work for it.
static POOL: LazyLock<rayon::ThreadPool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap());

pub(super) fn target(bytes: &[u8]) {
    POOL.install(|| compare(bytes));
}

fn compare(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let run = Run::new(MEMORY);
    let opened = ParquetFile::open(file.path(), IoMode::Pread, &run);
    let opened = opened.and_then(|f| Table::new("table", vec![f], Missing::Error));
    let Ok(table) = opened else { return };
    for name in table.column_names() {
        let rows = table.rows();
        let sets =
            [RowRanges::all(rows), RowRanges::from_ranges([rows / 3..rows / 2, rows - rows.min(2)..rows])];
        for rows in &sets {
            let ours = read(&table, &name, rows);
            let theirs = force_general(|| read(&table, &name, rows));
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) if ours != theirs => {
                    let differ = |row: &usize| ours.slice(*row, 1) != theirs.slice(*row, 1);
                    let row = (0..ours.len().min(theirs.len())).find(differ).unwrap_or(0);
                    panic!("{name}, {row}:\n{:?}\n{:?}", ours.slice(row, 1), theirs.slice(row, 1));
                }
                (Ok(_), Ok(_)) => {}
                (Err(e), _) => {
                    is_known(e);
                    assert!(e.file_path().is_some() || e.kind() != ErrorKind::Corrupt, "{e:?}");
                }
                (Ok(_), Err(_)) => {}
            }
        }
    }
}

/// Whether an error is of a kind that bytes can be the cause of.
pub(super) fn is_known(e: &Error) {
    let known = [
        ErrorKind::Corrupt,
        ErrorKind::Unsupported,
        ErrorKind::LimitExceeded,
        ErrorKind::InvalidRequest,
        ErrorKind::NotFound,
    ];
    assert!(known.contains(&e.kind()), "{e:?}");
}

fn read(table: &Table, name: &str, rows: &RowRanges) -> Result<ArrayRef, Error> {
    let run = Run::new(MEMORY);
    let column = table.column(name)?;
    let reader = Reader::new(table, rows, &run);
    let _declared = run.reserve(reader.declared_bytes(&column), "the column")?;
    let Some(width) = column.fixed_width() else {
        return match reader.read(&column, Slot::Array)? {
            Filled::Array(array) => Ok(array),
            Filled::Values(_) => panic!("values came where an array was asked for"),
        };
    };
    let len = usize::try_from(rows.len()).unwrap();
    let _slot = run.reserve(rows.len().saturating_mul(width as u64), "the slot")?;
    let mut values = vec![0; width * len];
    match reader.read(&column, Slot::Values(&mut values))? {
        Filled::Values(nulls) => {
            let data = ArrayData::builder(column.data_type().clone()).len(len);
            // Through a buffer of Arrow's own, whose alignment is what it should be.
            let values = arrow_buffer::MutableBuffer::from_iter(values);
            Ok(make_array(data.add_buffer(values.into()).nulls(nulls).build().unwrap()))
        }
        Filled::Array(_) => panic!("an array came where a slot was given"),
    }
}
