//! The limit for a caller that speaks C: `benches/peers/limit.py`, by ctypes.
#![expect(unsafe_code, reason = "a C interface takes addresses; this is the only module that does")]

use std::num::NonZeroUsize;
use std::{ptr, slice};

use crate::{Limit, Page};

/// [`Page`] with the address of its frame.
#[repr(C)]
pub struct RawPage {
    frame: *const u8,
    compressed: usize,
    uncompressed: usize,
}

/// [`Limit::new`], or null. To be given back to [`hypostyle_limit_free`].
#[unsafe(no_mangle)]
pub extern "C" fn hypostyle_limit_new(threads: usize, largest: usize, output: usize) -> *mut Limit {
    let limit = NonZeroUsize::new(threads).and_then(|threads| Limit::new(threads, largest, output));
    limit.map_or(ptr::null_mut(), |limit| Box::into_raw(Box::new(limit)))
}

/// [`Limit::run`]: 0 if it is true, else −1.
///
/// # Safety
///
/// `limit` is null or came from [`hypostyle_limit_new`] and was not freed. `pages` points to `count` pages, each of
/// whose `frame` points to `compressed` bytes; all of that stays as it is until this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hypostyle_limit_run(
    limit: *const Limit,
    pages: *const RawPage,
    count: usize,
    copy: bool,
) -> i32 {
    // SAFETY: null is checked by `as_ref`; the caller promises that it is alive otherwise.
    let Some(limit) = (unsafe { limit.as_ref() }) else { return -1 };
    let raw = if count == 0 || pages.is_null() {
        &[]
    } else {
        // SAFETY: not null, checked above; the caller promises `count` pages there.
        unsafe { slice::from_raw_parts(pages, count) }
    };
    if raw.iter().any(|page| page.frame.is_null()) {
        return -1;
    }
    let page = |raw: &RawPage| Page {
        // SAFETY: not null, checked above; the caller promises `compressed` bytes there.
        frame: unsafe { slice::from_raw_parts(raw.frame, raw.compressed) },
        uncompressed: raw.uncompressed,
    };
    let pages: Vec<_> = raw.iter().map(page).collect();
    if limit.run(&pages, copy) { 0 } else { -1 }
}

/// Ends the threads and gives the memory back.
///
/// # Safety
///
/// `limit` is null or came from [`hypostyle_limit_new`], was not freed and is not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hypostyle_limit_free(limit: *mut Limit) {
    if !limit.is_null() {
        // SAFETY: not null, checked above; the caller promises that it is one of ours, alive and unused.
        drop(unsafe { Box::from_raw(limit) });
    }
}
