//! The threads that joins work on: pools by their number of threads, shared by all stores of the process whose files
//! are on local disks. A mount that can hang has a pool of its own: joins that wait for it hold up nobody else.
//!
//! The global pool of rayon is left to the program: in a forked child its threads do not exist, and whoever waits
//! for them waits for ever.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use hypostyle_engine::{Floats, Order};
use hypostyle_io::{ByProcess, Run};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::workers::Workers;
use crate::{Error, Result};

/// Pools that are kept, of those used last. One in use lives on until its work is done.
const KEPT: usize = 8;

/// Joins at a time on a mount that can hang: they wait more than they work.
const WAITING: usize = 16;

/// Threads of one such join, where there are fewer cores: some wait while others decode.
const BESIDE_A_MOUNT: usize = 4;

const MOST_THREADS: usize = 1024;

static POOLS: ByProcess<Pools> = ByProcess::new();

/// The pool used last stands last.
#[derive(Debug, Default)]
struct Pools(Mutex<Vec<(Lane, Arc<Workers>)>>);

/// Which pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    /// As many threads as there are cores, or as fit a mount, when left out.
    pub(super) threads: Option<usize>,
    /// The root on a mount that can hang.
    pub(super) mount: Option<PathBuf>,
}

impl Lane {
    /// Local disks.
    pub(crate) fn here(threads: Option<usize>) -> Self {
        Self { threads, mount: None }
    }
}

thread_local!(static IS_OURS: Cell<bool> = const { Cell::new(false) });

/// The pool of a lane.
pub(super) fn of(lane: Lane) -> Result<Arc<Workers>> {
    let threads = match lane.threads {
        Some(0) => return Err(Error::invalid("0 threads can do no work").hint("ask for 1 or more")),
        Some(many) if many > MOST_THREADS => {
            return Err(Error::invalid(format!("{many} threads are too many"))
                .hint(format!("ask for {MOST_THREADS} at most, or leave it out for one a core")));
        }
        Some(threads) => threads,
        None => {
            let cores = hypostyle_io::cores();
            if lane.mount.is_some() { cores.max(BESIDE_A_MOUNT) } else { cores }
        }
    };
    // Who says how many threads has no more than those.
    let more = match lane {
        Lane { threads: None, mount: Some(_) } => WAITING.div_ceil(threads) - 1,
        _ => 0,
    };
    let lane = if more > 0 { lane } else { Lane { threads: Some(threads), ..lane } };
    let pools = POOLS.get();
    // What is under the lock is whole at every moment, also when a thread that held it panicked.
    let mut pools = pools.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pool = match pools.iter().position(|(other, _)| *other == lane) {
        Some(at) => pools.remove(at).1,
        None => Arc::new(Workers::new(build(threads)?, more)),
    };
    if pools.len() >= KEPT {
        pools.remove(0);
    }
    pools.push((lane, Arc::clone(&pool)));
    Ok(pool)
}

pub(super) fn build(threads: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("hypostyle-{i}"))
        .start_handler(|_| IS_OURS.set(true))
        .build()
        .map_err(|e| Error::limit(format!("{threads} threads could not be started: {e}")))
}

/// Runs work on the pool of a lane, in its turn; right here, if this is one of as many threads already.
pub(crate) fn run<T: Send>(
    lane: Lane,
    run: Option<&Run>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    if IS_OURS.get() && lane.threads.is_none_or(|threads| threads == rayon::current_num_threads()) {
        return work();
    }
    of(lane)?.install(run, work)
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
    run(Lane::default(), None, || hypostyle_engine::fill_matrix(batch, order, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(threads: usize) -> Lane {
        Lane::here(Some(threads))
    }

    #[test]
    fn pools_are_shared_bounded_and_entered_once() {
        let three = of(some(3)).unwrap();
        assert!(Arc::ptr_eq(&three, &of(some(3)).unwrap()));
        for threads in 4..4 + KEPT {
            assert_eq!(of(some(threads)).unwrap().threads(), threads);
        }
        assert_eq!(POOLS.get().0.lock().unwrap().len(), KEPT);
        // One that was given up still works for those who have it.
        assert_eq!(three.install(None, || Ok(rayon::current_num_threads())).unwrap(), 3);
        let here = || Ok((std::thread::current().id(), rayon::current_num_threads()));
        let nested = run(some(2), None, || {
            let inner = |threads| run(Lane::here(threads), None, here);
            Ok((here()?, inner(None)?, inner(Some(2))?, inner(Some(1))?))
        });
        let (outer, open, same, other) = nested.unwrap();
        assert_eq!((outer, outer), (open, same));
        assert_eq!((outer.1, other.1), (2, 1));
        for wrong in [0, MOST_THREADS + 1, usize::MAX] {
            assert_eq!(of(some(wrong)).unwrap_err().kind(), crate::ErrorKind::InvalidRequest);
        }
    }
}
