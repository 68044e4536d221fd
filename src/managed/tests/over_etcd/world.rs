//! What the helper that starts etcd needs.

use std::time::{Duration, Instant};

/// Waits until it holds, at most `limit`.
pub(super) fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
