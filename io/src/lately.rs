//! What the system said a moment ago, and need not be asked again for each of a join's twenty tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

/// A value that is asked for anew only once it is older than some time. It is found without a lock.
#[derive(Debug)]
pub struct Lately<T> {
    known: ArcSwapOption<(Instant, T)>,
    good_for: Duration,
}

impl<T: Clone> Lately<T> {
    /// Nothing yet; what will be known is good for so long.
    pub const fn good_for(good_for: Duration) -> Self {
        Self { known: ArcSwapOption::const_empty(), good_for }
    }

    /// The value, asked for if what is known is too old. Of several who ask at once the last is remembered.
    pub fn get(&self, ask: impl FnOnce() -> T) -> T {
        let now = Instant::now();
        if let Some(known) = self.known.load().as_deref()
            && now.saturating_duration_since(known.0) < self.good_for
        {
            return known.1.clone();
        }
        let value = ask();
        self.known.store(Some(Arc::new((now, value.clone()))));
        value
    }
}

/// How many threads this process may use at once, as of the last second: to learn it takes a dozen system calls.
pub fn cores() -> usize {
    static CORES: Lately<usize> = Lately::good_for(Duration::from_secs(1));
    CORES.get(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_asked_for_again_once_it_is_too_old() {
        let for_ever = Lately::good_for(Duration::MAX);
        assert_eq!((for_ever.get(|| 1), for_ever.get(|| 2)), (1, 1));
        let for_no_time = Lately::good_for(Duration::ZERO);
        assert_eq!((for_no_time.get(|| 1), for_no_time.get(|| 2)), (1, 2));
    }
}
