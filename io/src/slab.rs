//! One allocation for all fixed-width columns of a frame.

use arrow_buffer::{Buffer, MutableBuffer};
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::recycled::Recycled;

/// Every slot begins at a multiple of this, as Arrow recommends for vector instructions.
const ALIGNMENT: usize = 64;

/// From this size on memory comes from earlier frames, or from the kernel in huge pages: the page faults of 45 MB in
/// 4 KiB pages cost as much as decompressing the data that goes there.
const HUGE: usize = 2 << 20;

/// Memory of any content, cut into slots that are filled side by side and then become Arrow buffers.
#[derive(Debug)]
pub struct Slab {
    memory: Memory,
    slots: Vec<std::ops::Range<usize>>,
}

#[derive(Debug)]
enum Memory {
    Small(MutableBuffer),
    Huge(Recycled),
}

impl Slab {
    /// A slab with one slot for each of `sizes`, in bytes.
    ///
    /// # Errors
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when the operating system refuses the memory.
    pub fn new(sizes: impl IntoIterator<Item = usize>) -> Result<Self> {
        let mut end = 0usize;
        let mut slots = Vec::new();
        for size in sizes {
            let start = end.checked_next_multiple_of(ALIGNMENT).ok_or_else(too_large)?;
            end = start.checked_add(size).ok_or_else(too_large)?;
            slots.push(start..end);
        }
        let memory = if end < HUGE {
            let mut buffer = MutableBuffer::from_len_zeroed(end);
            if cfg!(debug_assertions) {
                buffer.as_slice_mut().fill(0xA5);
            }
            Memory::Small(buffer)
        } else {
            Memory::Huge(Recycled::new(end).map_err(|e| too_large().source(e))?)
        };
        Ok(Self { memory, slots })
    }

    /// The slots, to be filled.
    pub fn slots_mut(&mut self) -> Vec<&mut [u8]> {
        let mut rest: &mut [u8] = match &mut self.memory {
            Memory::Small(buffer) => buffer.as_slice_mut(),
            Memory::Huge(map) => map.as_mut(),
        };
        let mut taken = 0;
        let mut out = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let (_gap, tail) = rest.split_at_mut(slot.start - taken);
            let (this, tail) = tail.split_at_mut(slot.end - slot.start);
            out.push(this);
            rest = tail;
            taken = slot.end;
        }
        out
    }

    /// The slots as buffers that share, and keep, this memory.
    pub fn into_buffers(self) -> Vec<Buffer> {
        let whole = match self.memory {
            Memory::Small(buffer) => Buffer::from(buffer),
            Memory::Huge(map) => Buffer::from(Bytes::from_owner(map)),
        };
        self.slots.iter().map(|s| whole.slice_with_length(s.start, s.end - s.start)).collect()
    }
}

fn too_large() -> Error {
    Error::limit("the memory for the frame's columns could not be had")
        .hint("take fewer columns, or bound the rows with --from/--to/--last")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_disjoint_aligned_and_keep_what_is_written() {
        for sizes in [vec![], vec![0, 0], vec![1, 7, 64, 65], vec![3 << 20, 1, 5]] {
            let mut slab = Slab::new(sizes.clone()).unwrap();
            for (i, slot) in slab.slots_mut().into_iter().enumerate() {
                assert_eq!(slot.len(), sizes[i]);
                slot.fill(i as u8 + 1);
            }
            for (i, buffer) in slab.into_buffers().into_iter().enumerate() {
                assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
                assert!(buffer.len() == sizes[i] && buffer.iter().all(|b| *b == i as u8 + 1));
            }
        }
    }
}
