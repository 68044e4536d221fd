//! What a forked child must not share with its parent.
//!
//! A child of `fork` has a copy of all memory, but only the one thread that forked. A lock that another thread of
//! the parent held stays held there for ever, and a pool of threads is a pool of none. So neither is touched:
//! values that hold such things are made anew in the child.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A value for each process: made anew in a forked child, where the parent's is never touched nor dropped.
///
/// It is found without a lock, for the reason above.
#[derive(Debug)]
pub struct ByProcess<T>(ArcSwapOption<Owned<T>>);

#[derive(Debug)]
struct Owned<T> {
    process: u32,
    value: Arc<T>,
}

impl<T> ByProcess<T> {
    /// Nothing yet: it is made when it is first asked for.
    pub const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }
}

impl<T> Default for ByProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Default> ByProcess<T> {
    /// This process's value.
    pub fn get(&self) -> Arc<T> {
        let process = std::process::id();
        loop {
            let current = self.0.load();
            if let Some(own) = current.as_ref().filter(|owned| owned.process == process) {
                return Arc::clone(&own.value);
            }
            // Whichever thread is first has its value taken by all.
            let made = Arc::new(Owned { process, value: Arc::new(T::default()) });
            self.0.compare_and_swap(&*current, Some(made));
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // One count is kept, so that the value, which is the parent's, is never dropped here.
            std::mem::forget(Arc::clone(&self.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static DROPPED: AtomicUsize = AtomicUsize::new(0);

    #[derive(Default)]
    struct Noted;

    impl Drop for Noted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    // The fork itself is tested from Python; here the parent's value is one with another process's number.
    #[test]
    fn a_value_of_another_process_is_replaced_and_never_dropped() {
        let kept: ByProcess<Noted> = ByProcess::new();
        let of_parent = Arc::new(Noted);
        let owned = Owned { process: std::process::id() + 1, value: Arc::clone(&of_parent) };
        kept.0.store(Some(Arc::new(owned)));
        let own = kept.get();
        assert!(!Arc::ptr_eq(&own, &of_parent));
        assert!(Arc::ptr_eq(&own, &kept.get()));
        drop(of_parent);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop((own, kept));
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn all_threads_get_the_same_value() {
        let kept: ByProcess<Vec<u8>> = ByProcess::new();
        let own = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| kept.get())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(own.iter().all(|o| Arc::ptr_eq(o, &own[0])));
    }
}
