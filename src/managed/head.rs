//! The number of the newest snapshot, without listing all of them.
//!
//! A small file holds a number that was the newest not long ago. It is a hint: it may be missing, behind, or nonsense
//! after a power cut. From it on the numbers are tried in growing steps, and then by halves; snapshots stand without
//! gaps from the oldest that is kept to the newest.

use super::files::Files;
use super::layout::Layout;
use super::unique::unique;
use crate::{Error, Result};

/// The newest snapshot, not before `known`, which this process has seen.
pub(super) fn newest(layout: &Layout, known: u64) -> Result<u64> {
    let exists = |number: u64| exists(layout, number);
    let hint = std::fs::read_to_string(layout.head()).ok().and_then(|text| parse(&text));
    let start = match hint.filter(|hint| *hint >= known) {
        Some(hint) if exists(hint)? => hint,
        _ if known > 0 && exists(known)? => known,
        _ => return by_list(layout),
    };
    let mut low = start;
    let mut step = 1;
    // The first number that is not there.
    let mut high = loop {
        let next = low.saturating_add(step);
        if !exists(next)? {
            break next;
        }
        low = next;
        step = step.saturating_mul(2);
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if exists(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    // A commit upon a snapshot that is not the newest would be a second line.
    if exists(low + 2)? {
        if exists(low + 1)? {
            // It came just now.
            return newest(layout, low + 1);
        }
        return Err(Error::corrupt(format!("the manifest of snapshot {} is missing", low + 1))
            .path(layout.snapshot(low + 1))
            .hint("`hypostyle repair` says what can be done"));
    }
    Ok(low)
}

fn exists(layout: &Layout, number: u64) -> Result<bool> {
    let path = layout.snapshot(number);
    path.try_exists().map_err(|e| Error::from_io(&path, e))
}

/// The newest by all names that there are: slow, and right whatever the hint says.
pub(super) fn by_list(layout: &Layout) -> Result<u64> {
    numbers(layout)?.last().copied().ok_or_else(|| {
        Error::corrupt("the store has no snapshot")
            .path(layout.snapshots())
            .hint("`hypostyle repair` says what can be done")
    })
}

/// The numbers of all manifests, sorted.
pub(super) fn numbers(layout: &Layout) -> Result<Vec<u64>> {
    let folder = layout.snapshots();
    let from_io = |e| Error::from_io(&folder, e);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(from_io)? {
        numbers.extend(Layout::snapshot_number(&entry.map_err(from_io)?.file_name()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Tells those who come next where the newest is. Nobody is served by a failure to do so.
pub(super) fn note(layout: &Layout, files: &Files, number: u64) {
    let path = layout.head();
    let before = std::fs::read_to_string(&path).ok().and_then(|text| parse(&text));
    if before.is_none_or(|before| before < number) {
        let beside = layout.staging().join(format!("{}.head", unique()));
        if let Err(error) = files.replace(&path, &beside, format!("{number}\n").as_bytes()) {
            tracing::debug!(%error, "the hint of the newest snapshot was not written");
            let _ = std::fs::remove_file(&beside);
        }
    }
}

fn parse(text: &str) -> Option<u64> {
    text.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_found_whatever_the_hint_says() {
        for newest_number in [0, 1, 2, 3, 7, 8, 100] {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::of(folder.path());
            std::fs::create_dir_all(layout.snapshots()).unwrap();
            for number in 0..=newest_number {
                std::fs::write(layout.snapshot(number), "").unwrap();
            }
            std::fs::write(layout.snapshots().join("x"), "").unwrap();
            for hint in ["", "0\n", "1\n", "7\n", "50\n", "4000\n", "12", "-3\n", "\u{0}\u{0}"] {
                std::fs::write(layout.head(), hint).unwrap();
                for known in [0, 1, newest_number] {
                    if known <= newest_number {
                        assert_eq!(newest(&layout, known).unwrap(), newest_number, "{hint:?} {known}");
                    }
                }
            }
            std::fs::remove_file(layout.head()).unwrap();
            assert_eq!(newest(&layout, 0).unwrap(), newest_number);
        }
    }

    #[test]
    fn a_missing_manifest_is_named_rather_than_taken_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        std::fs::create_dir_all(layout.snapshots()).unwrap();
        for number in [0, 1, 2, 4, 5] {
            std::fs::write(layout.snapshot(number), "").unwrap();
        }
        std::fs::write(layout.head(), "2\n").unwrap();
        let error = newest(&layout, 0).unwrap_err();
        assert!(error.to_string().contains("snapshot 3 is missing"), "{error}");
        std::fs::write(layout.head(), "5\n").unwrap();
        assert_eq!(newest(&layout, 0).unwrap(), 5);
    }
}
