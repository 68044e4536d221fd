//! Numbers for people.

use std::time::Duration;

pub(super) use indicatif::HumanCount as Count;

/// `35.1 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().si().to_string()
}

/// `0.21 ms`, `21.3 ms`, `213 ms`, `2.13 s`.
pub(super) fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

/// A duration in milliseconds.
pub(super) fn in_ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_tell_enough() {
        for (value, text) in
            [(0.0, "0.00 ms"), (9.876, "9.88 ms"), (21.34, "21.3 ms"), (213.4, "213 ms"), (2134.0, "2.13 s")]
        {
            assert_eq!(ms(value), text);
        }
        assert_eq!(bytes(35_100_000), "35.1 MB");
        assert_eq!(Count(1_234_567).to_string(), "1,234,567");
    }
}
