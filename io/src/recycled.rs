//! Large memory that frames leave behind, kept a while for the next ones: its pages are there already, where those of
//! new memory cost a page fault each, or the zeroing of huge ones.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use memmap2::MmapMut;

use crate::platform::{self, default_memory_limit};

/// Memory that nobody took for this long goes back to the operating system.
const IDLE: Duration = Duration::from_secs(5);

/// No more pieces than this are kept, so that looking through them takes no time.
const PIECES: usize = 64;

static KEPT: Mutex<Kept> = Mutex::new(Kept { pieces: VecDeque::new(), bytes: 0, trimmed_by: None });

struct Kept {
    /// The one that came last stands last.
    pieces: VecDeque<(MmapMut, Instant)>,
    bytes: usize,
    /// The process whose thread lets go of what is idle; a forked child has no such thread.
    trimmed_by: Option<u32>,
}

/// Memory of the operating system's, which comes back here when it is dropped.
#[derive(Debug)]
pub(crate) struct Recycled(Option<MmapMut>);

impl Recycled {
    /// At least `len` bytes of any content, but for the parts that no frame has had, which are zero.
    pub(crate) fn new(len: usize) -> std::io::Result<Self> {
        let mut map = match take(len) {
            Some(map) => map,
            None => {
                let map = MmapMut::map_anon(len)?;
                platform::prefer_huge_pages(&map);
                map
            }
        };
        // Nobody may rely on zeros, and in tests nobody can.
        if cfg!(debug_assertions) {
            map.fill(0xA5);
        }
        Ok(Self(Some(map)))
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or(&mut [])
    }
}

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        if let Some(map) = self.0.take() {
            keep(map);
        }
    }
}

/// The most that is kept: a small part of the memory that joins may have.
fn most() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| usize::try_from(default_memory_limit() / 16).unwrap_or(usize::MAX))
}

/// The kept pieces, unless somebody else has them at hand: new memory is better than to wait, above all in a forked
/// child, where that somebody may not exist.
fn kept() -> Option<std::sync::MutexGuard<'static, Kept>> {
    match KEPT.try_lock() {
        Ok(kept) => Some(kept),
        Err(TryLockError::Poisoned(kept)) => Some(PoisonError::into_inner(kept)),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The smallest piece that is large enough, and not so large that most of it would lie idle.
fn take(len: usize) -> Option<MmapMut> {
    let mut kept = kept()?;
    let fits = |map: &MmapMut| map.len() >= len && map.len() / 2 <= len;
    let fitting = kept.pieces.iter().enumerate().filter(|(_, (map, _))| fits(map));
    let (at, _) = fitting.min_by_key(|(_, (map, _))| map.len())?;
    let (map, _) = kept.pieces.remove(at)?;
    kept.bytes -= map.len();
    Some(map)
}

fn keep(map: MmapMut) {
    if map.len() > most() {
        return;
    }
    // What is let go of here goes back to the system when the lock is free again.
    let mut let_go = Vec::new();
    let Some(mut kept) = kept() else { return };
    kept.bytes += map.len();
    kept.pieces.push_back((map, Instant::now()));
    while kept.bytes > most() || kept.pieces.len() > PIECES {
        let Some((map, _)) = kept.pieces.pop_front() else { break };
        kept.bytes -= map.len();
        let_go.push(map);
    }
    let process = std::process::id();
    if kept.trimmed_by != Some(process) {
        let thread = std::thread::Builder::new().name("hypostyle-trim".to_owned()).spawn(trim);
        kept.trimmed_by = thread.is_ok().then_some(process);
    }
    drop(kept);
}

/// Lets go of what is idle, until nothing is left.
fn trim() {
    loop {
        std::thread::sleep(IDLE / 2);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = kept.pieces.iter().take_while(|(_, since)| since.elapsed() >= IDLE).count();
        let let_go: Vec<_> = kept.pieces.drain(..idle).collect();
        kept.bytes -= let_go.iter().map(|(map, _)| map.len()).sum::<usize>();
        let is_empty = kept.pieces.is_empty();
        if is_empty {
            kept.trimmed_by = None;
        }
        drop(kept);
        drop(let_go);
        if is_empty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Other tests of this process use the same pieces: sizes that they don't have tell these apart.
    const SIZE: usize = (37 << 20) + 4096;

    #[test]
    fn memory_comes_back_is_used_again_and_goes_when_idle() {
        let mut first = Recycled::new(SIZE).unwrap();
        first.as_mut()[SIZE - 1] = 7;
        let place = first.as_ref().as_ptr() as usize;
        drop(first);
        let again = Recycled::new(SIZE - 4096).unwrap();
        let other = Recycled::new(SIZE).unwrap();
        assert_eq!(again.as_ref().as_ptr() as usize, place);
        assert_ne!(other.as_ref().as_ptr() as usize, place);
        // Far too large a piece is not taken for a small one.
        drop((again, other));
        assert!(Recycled::new(SIZE / 3).unwrap().as_ref().len() < SIZE);
        std::thread::sleep(IDLE * 2);
        let left = KEPT.lock().unwrap().pieces.iter().filter(|(map, _)| map.len() == SIZE).count();
        assert_eq!(left, 0, "what is idle goes back");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: Vec<Recycled> = (0..PIECES + 9).map(|i| Recycled::new((2 << 20) + i).unwrap()).collect();
        drop(many);
        let kept = KEPT.lock().unwrap();
        assert!(kept.pieces.len() <= PIECES && kept.bytes <= most());
        assert_eq!(kept.bytes, kept.pieces.iter().map(|(map, _)| map.len()).sum::<usize>());
    }
}
