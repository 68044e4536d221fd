//! What a run will read, asked for before it is decoded: all at once instead of one after another.
//!
//! Ranges that lie near one another become one piece, and a piece is asked for once. It stays until all that was
//! wanted of it has been taken, or the run ends. Pieces for which there is no memory wait for others to be taken.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Result;
use crate::file::ParquetFile;
use crate::reading::{Memory, Reading};
use crate::requests::Request;

/// Bytes between two ranges that are read along: on the way they take less time than another request.
const GAP: u64 = 8 << 10;

/// A piece grows no further than to this, so that several of a large file come at the same time.
const LARGEST: u64 = 4 << 20;

/// The part of a run's memory that pieces may take, and the most.
const PART: u64 = 4;
const MOST: u64 = 512 << 20;

/// The pieces of a run.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<Pieces>);

#[derive(Debug, Default)]
struct Pieces {
    /// By file, in the order of their places.
    of_file: HashMap<u64, Vec<Arc<Piece>>>,
    /// Those that were not asked for yet.
    later: VecDeque<(Arc<ParquetFile>, Arc<Piece>)>,
    bytes: u64,
}

#[derive(Debug)]
struct Piece {
    range: Range<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that were wanted and not taken yet.
    wanted: u64,
    bytes: Content,
}

enum Content {
    Later,
    Asked(Request<Bytes>),
    Here(Bytes),
    /// It could not be read, or all of it was taken.
    Gone,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Later => "Later",
            Self::Asked(_) => "Asked",
            Self::Here(_) => "Here",
            Self::Gone => "Gone",
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Piece {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Asks for it, unless that has been done.
    fn ask(&self, file: &ParquetFile, reading: &Reading) {
        let mut state = lock(&self.state);
        if matches!(state.bytes, Content::Later) {
            reading.counters.read(self.len());
            state.bytes = file.request(&self.range, reading).map_or(Content::Gone, Content::Asked);
        }
    }
}

/// The ranges of one file that a stage of a run is going to read.
#[derive(Clone, Debug)]
pub struct ReadAhead {
    pub(crate) file: Arc<ParquetFile>,
    pub(crate) ranges: Vec<Range<u64>>,
}

/// A piece's range, and the bytes of it that are wanted.
fn pieces_of(mut ranges: Vec<Range<u64>>) -> Vec<(Range<u64>, u64)> {
    ranges.retain(|r| !r.is_empty());
    ranges.sort_unstable_by_key(|r| r.start);
    let mut pieces: Vec<(Range<u64>, u64)> = Vec::new();
    for range in ranges {
        let len = range.end - range.start;
        match pieces.last_mut() {
            Some((last, wanted))
                if range.end <= last.end
                    || (range.start <= last.end + GAP && range.end - last.start <= LARGEST) =>
            {
                last.end = last.end.max(range.end);
                *wanted += len;
            }
            // It must not begin before the end of the last: a byte is read once.
            Some((last, _)) if range.start < last.end => {
                let range = last.end..range.end;
                pieces.push((range.clone(), range.end - range.start));
            }
            _ => pieces.push((range, len)),
        }
    }
    pieces
}

impl Ahead {
    /// Asks for as much of it as fits the memory, in this order; the rest when something was taken.
    pub(crate) fn ask(&self, wishes: Vec<ReadAhead>, reading: &Reading) {
        let mut pieces = lock(&self.0);
        for ReadAhead { file, ranges } in wishes {
            for (range, wanted) in pieces_of(ranges) {
                let of_file = pieces.of_file.entry(file.number()).or_default();
                let at = of_file.partition_point(|p| p.range.start < range.start);
                let state = Mutex::new(State { wanted, bytes: Content::Later });
                let piece = Arc::new(Piece { range, state });
                of_file.insert(at, Arc::clone(&piece));
                pieces.later.push_back((Arc::clone(&file), piece));
            }
        }
        pieces.go_on(reading);
    }

    /// `len` bytes at `offset`, if they were asked for: when they are there.
    pub(crate) fn take(
        &self,
        file: &ParquetFile,
        offset: u64,
        len: u64,
        reading: &Reading,
    ) -> Result<Option<Bytes>> {
        let end = offset.saturating_add(len);
        let piece = {
            let mut pieces = lock(&self.0);
            let Some(of_file) = pieces.of_file.get(&file.number()) else { return Ok(None) };
            // Pieces of later stages may lie over earlier ones: the nearest that holds all of it.
            let before = of_file.partition_point(|p| p.range.start <= offset);
            let found = of_file.iter().take(before).rev().find(|p| p.range.end >= end);
            let Some(piece) = found.map(Arc::clone) else { return Ok(None) };
            // It is needed now, before its turn.
            if let Some(at) = pieces.later.iter().position(|(_, p)| Arc::ptr_eq(p, &piece)) {
                reading.memory.take(piece.len(), "what is read")?;
                pieces.bytes += piece.len();
                pieces.later.remove(at);
                piece.ask(file, reading);
            }
            piece
        };
        let mut state = lock(&piece.state);
        // Others that want some of it wait at the lock meanwhile.
        let outcome = match std::mem::replace(&mut state.bytes, Content::Gone) {
            Content::Asked(request) => request.wait(),
            Content::Here(bytes) => Ok((usize::MAX, bytes)),
            Content::Later | Content::Gone => return Ok(None),
        };
        let outcome = outcome.map(|(root, bytes)| {
            if root < usize::MAX {
                file.note_root(root, bytes.len() as u64, reading);
            }
            let at = |o: u64| usize::try_from(o - piece.range.start).unwrap_or(usize::MAX);
            let part = (at(end) <= bytes.len()).then(|| bytes.slice(at(offset)..at(end)));
            state.wanted = state.wanted.saturating_sub(len);
            if state.wanted > 0 {
                state.bytes = Content::Here(bytes);
            }
            part
        });
        let is_gone = matches!(state.bytes, Content::Gone);
        drop(state);
        if is_gone {
            self.let_go(file.number(), &piece, reading);
        }
        outcome
    }

    /// Forgets a piece; its memory is for the next.
    fn let_go(&self, number: u64, piece: &Arc<Piece>, reading: &Reading) {
        let mut pieces = lock(&self.0);
        let Some(of_file) = pieces.of_file.get_mut(&number) else { return };
        let before = of_file.len();
        of_file.retain(|p| !Arc::ptr_eq(p, piece));
        if of_file.len() < before {
            pieces.bytes = pieces.bytes.saturating_sub(piece.len());
            reading.memory.give(piece.len());
        }
        pieces.go_on(reading);
    }

    /// Forgets all of it.
    pub(crate) fn forget(&self, memory: &Memory) {
        let mut pieces = lock(&self.0);
        memory.give(pieces.bytes);
        *pieces = Pieces::default();
    }
}

impl Pieces {
    /// Asks for what there is memory for.
    fn go_on(&mut self, reading: &Reading) {
        let most = (reading.memory.limit() / PART).min(MOST);
        while let Some((_, piece)) = self.later.front() {
            let len = piece.len();
            if self.bytes.saturating_add(len) > most
                || reading.memory.take(len, "what is read ahead").is_err()
            {
                return;
            }
            self.bytes += len;
            if let Some((file, piece)) = self.later.pop_front() {
                piece.ask(&file, reading);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ranges_are_one_piece_and_no_byte_is_in_two() {
        let check = |ranges: &[Range<u64>], expected: &[(Range<u64>, u64)]| {
            assert_eq!(pieces_of(ranges.to_vec()), expected, "{ranges:?}");
        };
        check(&[], &[]);
        check(&[5..5], &[]);
        check(&[10..20, 0..10], &[(0..20, 20)]);
        check(&[0..10, GAP + 10..GAP + 20], &[(0..GAP + 20, 20)]);
        check(&[0..10, GAP + 11..GAP + 20], &[(0..10, 10), (GAP + 11..GAP + 20, 9)]);
        check(&[0..100, 20..30, 50..120], &[(0..120, 180)]);
        check(&[0..LARGEST, LARGEST..LARGEST + 5], &[(0..LARGEST, LARGEST), (LARGEST..LARGEST + 5, 5)]);
        check(&[0..LARGEST, 5..LARGEST + 5], &[(0..LARGEST, LARGEST), (LARGEST..LARGEST + 5, 5)]);
    }
}
