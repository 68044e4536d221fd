//! Memory and codec contexts that a thread keeps from page to page.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use zstd_safe::DCtx;

use crate::encoding::Decoded;
use crate::error::Error;

/// More than this a thread does not keep: pages are a megabyte as a rule, and forged ones need not be remembered.
const KEPT: usize = 4 << 20;

/// What a thread needs to decompress pages.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Initialised memory, of which a page takes a part.
    page: Vec<u8>,
    zstd: Option<DCtx<'static>>,
}

thread_local!(static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) });

/// Does work with this thread's scratch.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    // Taken out while it is used: should the work come back here, it gets another one.
    let mut scratch = SCRATCH.take().unwrap_or_default();
    let done = work(&mut scratch);
    if scratch.page.len() > KEPT {
        scratch.page = Vec::new();
    }
    SCRATCH.set(Some(scratch));
    done
}

impl Scratch {
    /// Room for `size` bytes of any content, and the context to fill it.
    pub(super) fn room(&mut self, size: usize) -> Decoded<(&mut [u8], &mut Option<DCtx<'static>>)> {
        if self.page.len() < size {
            self.page = zeroed(size)?;
        }
        Ok((self.page.get_mut(..size).unwrap_or(&mut []), &mut self.zstd))
    }

    /// The context alone.
    pub(super) fn zstd(&mut self) -> &mut Option<DCtx<'static>> {
        &mut self.zstd
    }
}

/// How many buffers of what is read a thread keeps, and how large ones.
const SPACES: usize = 3;
const LARGEST_SPACE: usize = 1 << 20;

thread_local!(static READ: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) });

/// Memory of this thread for `len` bytes of a file, if it has some.
pub(crate) fn space(len: usize) -> Vec<u8> {
    READ.with_borrow_mut(|spaces| {
        let at = spaces.iter().position(|space| space.capacity() >= len);
        at.map(|at| spaces.swap_remove(at)).unwrap_or_default()
    })
}

/// Keeps the memory of bytes that nobody else holds, for what this thread reads next.
pub(crate) fn keep(bytes: Bytes) {
    // Those of a map are never of one holder.
    if bytes.is_unique() && (1..=LARGEST_SPACE).contains(&bytes.len()) {
        let space = Vec::from(bytes);
        READ.with_borrow_mut(|spaces| {
            if spaces.len() >= SPACES {
                spaces.remove(0);
            }
            spaces.push(space);
        });
    }
}

/// Zeros that the kernel provides, and counts, only where they are touched: a size that lies costs nothing.
pub(super) fn zeroed(size: usize) -> Decoded<Vec<u8>> {
    let mut probe: Vec<u8> = Vec::new();
    if probe.try_reserve_exact(size).is_err() {
        return Err(Error::limit(format!("the memory for a page of {size} bytes could not be had")).into());
    }
    drop(probe);
    Ok(vec![0; size])
}
