//! Positioned reads of exact length.

use std::fs::File;

use bytes::Bytes;

use super::{Source, past_the_end};
use crate::platform::{self, Identity};

#[derive(Debug)]
pub(super) struct PreadSource {
    file: File,
    len: u64,
}

impl PreadSource {
    pub(super) fn new(file: File, len: u64) -> Self {
        Self { file, len }
    }
}

impl Source for PreadSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> std::io::Result<Bytes> {
        // Checked before the allocation: a length from a forged footer must not reserve memory.
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(past_the_end(offset, len, self.len));
        }
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            // The capacity may be more than was asked for; what is read beyond it is cut off below.
            if platform::append_at(&self.file, &mut bytes, at)? == 0 {
                return Err(past_the_end(offset, len, at));
            }
        }
        bytes.truncate(len);
        Ok(Bytes::from(bytes))
    }

    fn read_in(&self, offset: u64, len: usize, mut space: Vec<u8>) -> std::io::Result<Bytes> {
        if space.capacity() < len {
            return self.read(offset, len);
        }
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(past_the_end(offset, len, self.len));
        }
        space.resize(len, 0);
        let mut rest = space.as_mut_slice();
        let mut at = offset;
        while !rest.is_empty() {
            let many = platform::read_at(&self.file, rest, at)?;
            if many == 0 {
                return Err(past_the_end(offset, len, at));
            }
            at += many as u64;
            rest = rest.split_at_mut_checked(many).map_or(&mut [], |(_, rest)| rest);
        }
        Ok(Bytes::from(space))
    }

    fn identity(&self) -> std::io::Result<Identity> {
        Identity::of(&self.file)
    }
}
