//! Names that nobody else makes, and who made them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// 32 hexadecimal digits. The standard library's hash keys come from the operating system's random numbers; time,
/// process and a counter are mixed in, so that a forked child, which has its parent's keys, makes other names.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let part = |salt: u64| {
        let mut hasher = RandomState::new().build_hasher();
        for word in [salt, count, u64::from(std::process::id()), now()] {
            hasher.write_u64(word);
        }
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(1), part(2))
}

/// Nanoseconds since 1970; 0 for a clock that stands before.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// User, host and process, for people who ask who it was.
pub(super) fn who() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}, process {}", std::process::id())
}

/// A moment as people and specs write it: `2024-12-25T06:00:00.000000001Z`.
pub(super) fn moment(time: u64) -> String {
    use arrow_array::TimestampNanosecondArray;
    let array =
        TimestampNanosecondArray::from(vec![i64::try_from(time).unwrap_or(i64::MAX)]).with_timezone("+00:00");
    arrow_cast::display::array_value_to_string(&array, 0).unwrap_or_else(|_| format!("{time} ns"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_made_twice() {
        let names: std::collections::HashSet<String> = (0..1_000).map(|_| unique()).collect();
        assert_eq!(names.len(), 1_000);
        assert!(names.iter().all(|name| name.len() == 32));
        assert_eq!(moment(1_735_106_400_000_000_001), "2024-12-25T06:00:00.000000001Z");
    }
}
