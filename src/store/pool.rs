//! The threads that joins work on: pools by their number of threads, shared by all stores of the process.
//!
//! The global pool of rayon is left to the program: in a forked child its threads do not exist, and whoever waits
//! for them waits for ever.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use hypostyle_engine::{Floats, Order};
use hypostyle_io::{ByProcess, Run};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::workers::Workers;
use crate::{Error, Result};

/// Pools that are kept, of those used last. One in use lives on until its work is done.
const KEPT: usize = 4;

const MOST_THREADS: usize = 1024;

static POOLS: ByProcess<Pools> = ByProcess::new();

/// The pool used last stands last.
#[derive(Debug, Default)]
struct Pools(Mutex<Vec<Arc<Workers>>>);

thread_local!(static IS_OURS: Cell<bool> = const { Cell::new(false) });

/// The pool of so many threads: as many as there are cores when left out.
pub(super) fn of(threads: Option<usize>) -> Result<Arc<Workers>> {
    let threads = match threads {
        Some(0) => return Err(Error::invalid("0 threads can do no work").hint("ask for 1 or more")),
        Some(many) if many > MOST_THREADS => {
            return Err(Error::invalid(format!("{many} threads are too many"))
                .hint(format!("ask for {MOST_THREADS} at most, or leave it out for one a core")));
        }
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    let pools = POOLS.get();
    // What is under the lock is whole at every moment, also when a thread that held it panicked.
    let mut pools = pools.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pool = match pools.iter().position(|pool| pool.threads() == threads) {
        Some(at) => pools.remove(at),
        None => Arc::new(Workers::new(build(threads)?)),
    };
    if pools.len() >= KEPT {
        pools.remove(0);
    }
    pools.push(Arc::clone(&pool));
    Ok(pool)
}

fn build(threads: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("hypostyle-{i}"))
        .start_handler(|_| IS_OURS.set(true))
        .build()
        .map_err(|e| Error::limit(format!("{threads} threads could not be started: {e}")))
}

/// Runs work on the pool of so many threads, in its turn; right here, if this is one of them already.
pub(super) fn run<T: Send>(
    threads: Option<usize>,
    run: Option<&Run>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    if IS_OURS.get() && threads.is_none_or(|threads| threads == rayon::current_num_threads()) {
        return work();
    }
    of(threads)?.install(run, work)
}

/// Fills `out` with all columns of a batch as one matrix of floats, on the threads that joins work on.
///
/// # Errors
/// Those of the engine's: a column whose values are no numbers, memory of another size than the matrix.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Int64Array, RecordBatch};
/// use hypostyle::{Floats, Order, fill_matrix};
/// # let batch = RecordBatch::try_from_iter([
/// #     ("a", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
/// #     ("b", Arc::new(Int64Array::from(vec![3, 4])) as _),
/// # ])?;
///
/// let mut numbers = vec![0.0; batch.num_rows() * batch.num_columns()];
/// fill_matrix(&batch, Order::RowMajor, Floats::F64(&mut numbers))?;
/// assert!(numbers[2].is_nan() && numbers[3] == 4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fill_matrix(batch: &RecordBatch, order: Order, out: Floats<'_>) -> Result<()> {
    run(None, None, || hypostyle_engine::fill_matrix(batch, order, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_shared_bounded_and_entered_once() {
        let three = of(Some(3)).unwrap();
        assert!(Arc::ptr_eq(&three, &of(Some(3)).unwrap()));
        for threads in 4..4 + KEPT {
            assert_eq!(of(Some(threads)).unwrap().threads(), threads);
        }
        assert_eq!(POOLS.get().0.lock().unwrap().len(), KEPT);
        // One that was given up still works for those who have it.
        assert_eq!(three.install(None, || Ok(rayon::current_num_threads())).unwrap(), 3);
        let here = || Ok((std::thread::current().id(), rayon::current_num_threads()));
        let nested = run(Some(2), None, || {
            let inner = |threads| run(threads, None, here);
            Ok((here()?, inner(None)?, inner(Some(2))?, inner(Some(1))?))
        });
        let (outer, open, same, other) = nested.unwrap();
        assert_eq!((outer, outer), (open, same));
        assert_eq!((outer.1, other.1), (2, 1));
        for wrong in [0, MOST_THREADS + 1, usize::MAX] {
            assert_eq!(of(Some(wrong)).unwrap_err().kind(), crate::ErrorKind::InvalidRequest);
        }
    }
}
