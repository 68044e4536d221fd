//! Where a case runs: a fresh folder, or a fresh prefix in an etcd that runs for all cases.

use std::time::Duration;

use hypostyle_lock::{Held, LocalLocks, LockSet, Locks, Mode};

/// Long enough for whatever should happen.
pub const LONG: Duration = Duration::from_secs(20);

/// A backend without anything in it.
pub struct World {
    /// What a child process, or another program, needs to get there.
    pub address: String,
    /// How long a holder may be silent.
    pub lease: Duration,
    pub is_local: bool,
    _folder: tempfile::TempDir,
}

impl World {
    pub fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("local {}", folder.path().join("locks").display());
        Self { address, lease: Duration::ZERO, is_local: true, _folder: folder }
    }

    #[cfg(feature = "etcd")]
    pub fn etcd(endpoints: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("etcd {endpoints} {}", folder.path().display());
        Self { address, lease: Duration::from_secs(2), is_local: false, _folder: folder }
    }

    /// As another process would open it.
    pub fn open(&self, name: &str) -> Box<dyn Locks> {
        open(&self.address, name)
    }
}

pub fn open(address: &str, name: &str) -> Box<dyn Locks> {
    let words: Vec<_> = address.split(' ').collect();
    match words[..] {
        ["local", dir] => Box::new(LocalLocks::open(dir).unwrap().named(name)),
        #[cfg(feature = "etcd")]
        ["etcd", endpoints, prefix] => Box::new(etcd(endpoints, prefix).named(name)),
        _ => panic!("{address}"),
    }
}

#[cfg(feature = "etcd")]
pub fn etcd(endpoints: &str, prefix: &str) -> hypostyle_lock::etcd::EtcdLocks {
    let settings = hypostyle_lock::etcd::EtcdSettings::new(endpoints).unwrap().prefix(prefix);
    hypostyle_lock::etcd::EtcdLocks::connect(settings.lease(Duration::from_secs(2))).unwrap()
}

/// Runs a case over every backend that this build has.
pub fn check(case: impl Fn(&World)) {
    case(&World::local());
    #[cfg(feature = "etcd")]
    case(&World::etcd(&crate::server::shared()));
}

/// `A b`: a exclusive, b shared.
pub fn set(text: &str) -> LockSet {
    let mode = |name: &str| if name.starts_with(char::is_uppercase) { Mode::Exclusive } else { Mode::Shared };
    LockSet::new(text.split(' ').map(|name| (name.to_lowercase(), mode(name)))).unwrap()
}

pub fn take(locks: &dyn Locks, text: &str) -> Box<dyn Held> {
    locks.acquire(&set(text), LONG).unwrap()
}

/// Waits until it holds, at most `limit`, and says how long that took.
pub fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) -> Duration {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}
