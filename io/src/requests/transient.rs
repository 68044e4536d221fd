//! Errors that go away by themselves, tried again.

use std::time::Duration;

use rustix::io::Errno;

/// How often a call is made in all. A mount that is cold or under load fails one call, seldom three in a row.
const MOST: u32 = 4;

/// The pause after the first failure; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(2);

/// Whether the same call may well succeed at once. A daemon says `EIO` for whatever went wrong behind it.
fn is_transient(error: &std::io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INTR | Errno::AGAIN | Errno::BUSY | Errno::TIMEDOUT | Errno::IO | Errno::NOBUFS)
    )
}

/// Makes a call again when it fails for a reason that passes, a few times, as long as its result is wanted.
pub(crate) fn retried<T>(
    wanted: impl Fn() -> bool,
    mut call: impl FnMut() -> std::io::Result<T>,
) -> std::io::Result<T> {
    let mut made = 0;
    loop {
        let outcome = call();
        made += 1;
        match &outcome {
            Err(error) if made < MOST && is_transient(error) && wanted() => {
                std::thread::sleep(jittered(PAUSE * 2u32.pow(made - 1)));
            }
            _ => return outcome,
        }
    }
}

/// Between half of it and the whole, so that those that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    // A new state is seeded by chance.
    let chance = RandomState::new().hash_one(0) % 512;
    pause.mul_f64(0.5 + chance as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_a_few_times_and_nothing_else_is() {
        let check = |errno: Errno, failures: u32, wanted: bool| {
            let mut calls = 0;
            let outcome = retried(
                || wanted,
                || {
                    calls += 1;
                    if calls <= failures { Err(errno.into()) } else { Ok(()) }
                },
            );
            (calls, outcome.is_ok())
        };
        for (errno, failures, wanted, expected) in [
            (Errno::IO, 1, true, (2, true)),
            (Errno::AGAIN, 3, true, (4, true)),
            (Errno::IO, 9, true, (4, false)),
            (Errno::IO, 1, false, (1, false)),
            (Errno::NOENT, 1, true, (1, false)),
            (Errno::STALE, 1, true, (1, false)),
            (Errno::NOTCONN, 1, true, (1, false)),
        ] {
            assert_eq!(check(errno, failures, wanted), expected, "{errno} {failures}");
        }
    }
}
