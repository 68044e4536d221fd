//! Positioned reads of exact length.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Descriptor, Source, past_the_end};
use crate::error::{Error, ErrorKind};
use crate::platform::{self, Identity};

#[derive(Debug)]
pub(super) struct PreadSource {
    file: Opened,
    len: u64,
}

#[derive(Debug)]
enum Opened {
    Kept(Descriptor),
    /// There are too few descriptors to keep one: it is opened for each read, and must still be the same.
    EachTime(PathBuf, Identity),
}

impl PreadSource {
    pub(super) fn new(path: &Path, file: Descriptor, identity: Identity) -> Self {
        let file =
            if file.may_stay() { Opened::Kept(file) } else { Opened::EachTime(path.to_owned(), identity) };
        Self { file, len: identity.size() }
    }

    fn with<T>(&self, work: impl FnOnce(&File) -> std::io::Result<T>) -> std::io::Result<T> {
        match &self.file {
            Opened::Kept(file) => work(file.get()),
            Opened::EachTime(path, identity) => {
                let file = Descriptor::open(path)?;
                if !Identity::of(file.get())?.same_content(identity) {
                    return Err(std::io::Error::other(replaced()));
                }
                work(file.get())
            }
        }
    }
}

/// Another file is where the one was that a join began with.
pub(crate) fn replaced() -> Error {
    Error::new(ErrorKind::Changed, "the file was replaced while it was read").hint("ask again")
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
        self.with(|file| read_exactly(file, offset, len))
    }

    fn read_in(&self, offset: u64, len: usize, mut space: Vec<u8>) -> std::io::Result<Bytes> {
        if space.capacity() < len {
            return self.read(offset, len);
        }
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(past_the_end(offset, len, self.len));
        }
        space.resize(len, 0);
        self.with(|file| {
            let mut rest = space.as_mut_slice();
            let mut at = offset;
            while !rest.is_empty() {
                let many = platform::read_at(file, rest, at)?;
                if many == 0 {
                    return Err(past_the_end(offset, len, at));
                }
                at += many as u64;
                rest = rest.split_at_mut_checked(many).map_or(&mut [], |(_, rest)| rest);
            }
            Ok(())
        })?;
        Ok(Bytes::from(space))
    }

    fn identity(&self) -> std::io::Result<Identity> {
        match &self.file {
            Opened::Kept(file) => Identity::of(file.get()),
            Opened::EachTime(path, _) => Identity::at(path),
        }
    }
}

/// So many bytes from there, into fresh memory.
pub(crate) fn read_exactly(file: &File, offset: u64, len: usize) -> std::io::Result<Bytes> {
    let mut bytes: Vec<u8> = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
    while bytes.len() < len {
        let at = offset + bytes.len() as u64;
        // The capacity may be more than was asked for; what is read beyond it is cut off below.
        if platform::append_at(file, &mut bytes, at)? == 0 {
            return Err(past_the_end(offset, len, at));
        }
    }
    bytes.truncate(len);
    Ok(Bytes::from(bytes))
}
