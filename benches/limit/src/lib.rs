//! The least work with which the columns of a join can be had from zstd-compressed Parquet files: decompress the
//! pages that hold them, and write as many bytes as the output has into warm memory.
//!
//! [`Limit`] does that on a number of threads. Nothing is decoded, aligned or allocated, no metadata is read: which
//! pages are needed is told beforehand, outside of the time taken (`benches/peers/pages.py` finds them). [`ffi`] is
//! the same for a caller that speaks C.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};
use zstd::bulk::Decompressor;

pub mod ffi;

/// The output is written in pieces of this many bytes. Half of a second-level cache, so that their source stays there.
const PIECE: usize = 256 << 10;

/// A zstd frame and the size of what is in it, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The frame as it lies in the file.
    pub frame: &'a [u8],
    /// The size after decompression that the page's header gives.
    pub uncompressed: usize,
}

/// Threads that wait, the warm memory that they write to, and a decompressor for each.
pub struct Limit {
    pool: ThreadPool,
    workers: Vec<Mutex<Worker>>,
    output: Vec<Mutex<Box<[u8]>>>,
}

struct Worker {
    zstd: Decompressor<'static>,
    /// Where pages are decompressed to, and what the output is copied from: as bytes that were just decompressed,
    /// these are in the cache of their core.
    scratch: Vec<u8>,
}

impl Limit {
    /// Starts `threads` threads. `largest` is the size of the largest page, `output` that of the output, in bytes;
    /// all of it is touched here, so that a run finds it warm. `None` if threads or memory cannot be had.
    #[must_use]
    pub fn new(threads: NonZeroUsize, largest: usize, output: usize) -> Option<Self> {
        let pool = ThreadPoolBuilder::new().num_threads(threads.get()).build().ok()?;
        let worker = || {
            let zstd = Decompressor::new().ok()?;
            Some(Mutex::new(Worker { zstd, scratch: vec![1; largest.max(PIECE)] }))
        };
        let workers = (0..threads.get()).map(|_| worker()).collect::<Option<Vec<_>>>()?;
        let piece = |number| Mutex::new(vec![1; PIECE.min(output - number * PIECE)].into_boxed_slice());
        let output = (0..output.div_ceil(PIECE)).map(piece).collect();
        Some(Self { pool, workers, output })
    }

    /// Decompresses each page, then, if `copy`, fills the output; each thread takes the next piece of work when it is
    /// done with one. Pages are taken in the order given: the largest first keeps the threads busy to the end.
    /// False if a page is not what it was said to be.
    #[must_use]
    pub fn run(&self, pages: &[Page<'_>], copy: bool) -> bool {
        let pieces: &[_] = if copy { &self.output } else { &[] };
        let next = AtomicUsize::new(0);
        let sound = AtomicBool::new(true);
        self.pool.broadcast(|context| {
            let Some(Ok(mut worker)) = self.workers.get(context.index()).map(Mutex::lock) else {
                sound.store(false, Ordering::Relaxed);
                return;
            };
            loop {
                let unit = next.fetch_add(1, Ordering::Relaxed);
                if let Some(page) = pages.get(unit) {
                    if !worker.decompress(page) {
                        sound.store(false, Ordering::Relaxed);
                    }
                } else if let Some(Ok(mut piece)) = pieces.get(unit - pages.len()).map(Mutex::lock) {
                    let bytes = piece.len();
                    piece.copy_from_slice(&worker.scratch[..bytes]);
                } else {
                    return;
                }
            }
        });
        sound.into_inner()
    }
}

impl Worker {
    fn decompress(&mut self, page: &Page<'_>) -> bool {
        let Some(slot) = self.scratch.get_mut(..page.uncompressed) else { return false };
        self.zstd.decompress_to_buffer(page.frame, slot).is_ok_and(|written| written == page.uncompressed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    fn check(what: &str, frames: &[(Vec<u8>, usize)], expected: bool) {
        let largest = 1 << 20;
        let limit = Limit::new(THREADS, largest, 3 * PIECE + 5).unwrap();
        let pages: Vec<_> =
            frames.iter().map(|(frame, uncompressed)| Page { frame, uncompressed: *uncompressed }).collect();
        for copy in [false, true] {
            assert_eq!(limit.run(&pages, copy), expected, "{what}, copy {copy}");
        }
    }

    #[test]
    fn a_run_tells_whether_every_page_was_what_it_was_said_to_be() {
        let whole = zstd::bulk::compress(&[7; 100_000], 1).unwrap();
        let many = vec![(whole.clone(), 100_000); 50];
        check("nothing", &[], true);
        check("pages", &many, true);
        check(
            "a page cut short",
            &[many.as_slice(), &[(whole[..whole.len() - 1].to_vec(), 100_000)]].concat(),
            false,
        );
        check("a page larger than said", &[(whole.clone(), 99_999)], false);
        check("a page smaller than said", &[(whole.clone(), 100_001)], false);
        check("a page beyond the largest", &[(whole, (1 << 20) + 1)], false);
    }

    #[test]
    fn the_output_is_written_only_when_asked_for() {
        // One thread, so that the one that copies is the one that has decompressed.
        let limit = Limit::new(NonZeroUsize::MIN, PIECE, 2 * PIECE + 1).unwrap();
        let page = zstd::bulk::compress(&vec![7; PIECE], 1).unwrap();
        let pages = [Page { frame: &page, uncompressed: PIECE }; 8];
        let written = || limit.output.iter().filter(|piece| piece.lock().unwrap()[0] == 7).count();
        assert!(limit.run(&pages, false));
        assert_eq!(written(), 0);
        assert!(limit.run(&pages, true));
        assert_eq!(written(), 3);
        assert_eq!(
            limit.output.iter().map(|piece| piece.lock().unwrap().len()).sum::<usize>(),
            2 * PIECE + 1
        );
    }
}
