//! A lease that is kept alive in the background, and says at once when it is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use etcd_client::{EventType, GetOptions, WatchOptions};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, Failure};
use crate::LockError;

/// A lease, and the threads of work that look after it. They end when it is dropped; the lease itself ends when it
/// is revoked, or was not kept alive.
///
/// One set at a time is held under it. Once that was given back, it may serve for the next.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) id: i64,
    ttl: Duration,
    cluster: Arc<Cluster>,
    shared: Arc<Shared>,
    keep: Option<JoinHandle<()>>,
    watch: Mutex<Option<JoinHandle<()>>>,
    /// Something that puts keys under it was sent more than once. A copy may arrive long after, and would put keys
    /// that nobody knows of under a lease that goes on.
    serves_once: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The same for those who wait without a thread.
    told: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    /// After this, others may hold what we held. Counted from before the last renewal was asked for, on a clock
    /// that runs on while this process is stopped.
    until: Instant,
    lost: Option<String>,
    /// Which of the sets that were held under it one after another this is.
    turn: u64,
    /// Why the set of this turn is held no more, though the lease goes on.
    gone: Option<String>,
}

impl Shared {
    /// Why it has ended, if it has. An end that passed unseen counts from when it is seen, and for ever.
    fn ended(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost.is_none() && Instant::now() >= state.until {
            state.lost = Some("its lease was not renewed in time".to_owned());
            self.tell();
        }
        state.lost.clone()
    }

    /// Why nothing is held under it any more, if so.
    fn lost(&self) -> Option<String> {
        let ended = self.ended();
        ended.or_else(|| self.state.lock().unwrap_or_else(PoisonError::into_inner).gone.clone())
    }

    fn turn(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).turn
    }

    /// The set of that turn is held no more.
    fn gone(&self, turn: u64, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.turn == turn {
            state.gone.get_or_insert_with(|| why.to_owned());
            self.tell();
        }
    }

    fn lose(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lost.get_or_insert_with(|| why.to_owned());
        self.tell();
    }

    fn tell(&self) {
        self.changed.notify_all();
        self.told.notify_waiters();
    }

    /// `false`: too late.
    fn renewed(&self, until: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost.is_some() || Instant::now() >= state.until {
            return false;
        }
        state.until = state.until.max(until);
        true
    }

    fn left(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.saturating_duration_since(Instant::now())
    }
}

impl Lease {
    /// A new lease.
    pub(super) async fn grant(cluster: &Arc<Cluster>, until: Instant) -> Result<Self, LockError> {
        let ttl = i64::try_from(cluster.settings.lease.as_secs().max(1)).unwrap_or(i64::MAX);
        let (asked, answer) = cluster
            .call(until, |client| async move {
                let asked = Instant::now();
                Ok((asked, client.lease_client().grant(ttl, None).await?))
            })
            .await?;
        let ttl = Duration::from_secs(u64::try_from(answer.ttl()).unwrap_or(1));
        let state = Mutex::new(State { until: asked + ttl, lost: None, turn: 0, gone: None });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), told: tokio::sync::Notify::new() });
        let keep = cluster.spawn(keep_alive(Arc::clone(cluster), Arc::clone(&shared), answer.id(), ttl));
        Ok(Self {
            id: answer.id(),
            ttl,
            cluster: Arc::clone(cluster),
            shared,
            keep,
            watch: Mutex::default(),
            serves_once: AtomicBool::new(false),
        })
    }

    /// Also takes the deletion of `key`, which was created in revision `created`, for the end.
    pub(super) fn watch(&self, key: String, created: i64) {
        let (cluster, shared) = (Arc::clone(&self.cluster), Arc::clone(&self.shared));
        let watch = self.cluster.spawn(watch(cluster, shared, self.shared.turn(), key, created));
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    }

    /// It must not serve for another set.
    pub(super) fn serve_once(&self) {
        self.serves_once.store(true, Ordering::Relaxed);
    }

    /// What was held under it is about to be given back, or was: from now on its end is all that matters.
    pub(super) fn rest(&self) {
        if let Some(task) = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.turn, state.gone) = (state.turn + 1, None);
    }

    /// Whether it may serve for another set, if nothing is held under it.
    pub(super) fn serves_again(&self) -> bool {
        !self.serves_once.load(Ordering::Relaxed)
            && self.shared.ended().is_none()
            && self.shared.left() >= self.ttl / 2
    }

    pub(super) fn lost(&self) -> Option<String> {
        self.shared.lost()
    }

    /// What is held under it is held no more.
    pub(super) fn lose(&self, why: &str) {
        self.shared.gone(self.shared.turn(), why);
    }

    /// Waits for the end, at most `timeout`, and says whether it came.
    pub(super) fn wait_lost(&self, timeout: Duration) -> bool {
        let end = Instant::now().checked_add(timeout);
        loop {
            if self.lost().is_some() {
                return true;
            }
            let mut left = self.shared.left();
            if let Some(end) = end {
                let mine = end.saturating_duration_since(Instant::now());
                if mine.is_zero() {
                    return false;
                }
                left = left.min(mine);
            }
            let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.lost.is_none() && state.gone.is_none() {
                drop(self.shared.changed.wait_timeout(state, left));
            }
        }
    }

    /// Comes back when the lease is lost.
    pub(super) async fn end(&self) {
        loop {
            let told = self.shared.told.notified();
            if self.lost().is_some() {
                return;
            }
            let _ = tokio::time::timeout(self.shared.left(), told).await;
        }
    }

    /// Gives it back, with all keys under it.
    pub(super) async fn revoke(&self) -> Result<(), LockError> {
        self.stop();
        self.shared.lose("it was given back");
        let id = self.id;
        let revoke = |client: etcd_client::Client| async move { client.lease_client().revoke(id).await };
        match self.cluster.call(Instant::now() + self.cluster.settings.call, revoke).await {
            // It had ended.
            Ok(_) | Err(LockError::Lost(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn stop(&self) {
        // In a forked child there are no such tasks, and what they would be told by may be locked for ever.
        if self.cluster.is_forked() {
            return;
        }
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        for task in watch.iter().chain(&self.keep) {
            task.abort();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn keep_alive(cluster: Arc<Cluster>, shared: Arc<Shared>, id: i64, ttl: Duration) {
    loop {
        tokio::time::sleep(ttl / 3).await;
        loop {
            if shared.ended().is_some() {
                return;
            }
            let asked = Instant::now();
            let renewal = |client: etcd_client::Client| async move {
                // The first answer of a stream is seen by the library alone, which fails for a lease that is gone;
                // only asking for its time tells that from other failures.
                if client.lease_client().keep_alive(id).await.is_ok() {
                    return Ok(true);
                }
                Ok(client.lease_client().time_to_live(id, None).await?.ttl() > 0)
            };
            match cluster.once(renewal).await {
                Ok(true) => {
                    if !shared.renewed(asked + ttl) {
                        shared.ended();
                        return;
                    }
                    break;
                }
                Ok(false) | Err(Failure::Final(LockError::Lost(_))) => {
                    return shared.lose("its lease ended, or the lock was broken");
                }
                Err(_) => tokio::time::sleep((ttl / 20).min(Duration::from_millis(200))).await,
            }
        }
    }
}

async fn watch(cluster: Arc<Cluster>, shared: Arc<Shared>, turn: u64, key: String, created: i64) {
    const GONE: &str = "its ticket is gone: the lock was broken, or its lease ended";
    let mut from = created + 1;
    while shared.lost().is_none() {
        if deleted(&cluster, &key, from).await == Some(true) {
            return shared.gone(turn, GONE);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let get = |client: etcd_client::Client| {
            let (key, options) = (key.clone(), GetOptions::new().with_keys_only());
            async move { client.kv_client().get(key, Some(options)).await }
        };
        let read = cluster.once(get).await;
        if let Ok(answer) = read {
            if answer.kvs().first().map(etcd_client::KeyValue::create_revision) != Some(created) {
                return shared.gone(turn, GONE);
            }
            from = answer.header().map_or(from, |header| header.revision() + 1);
        }
    }
}

/// Waits until `key` is deleted in revision `from` or later. `None`: the watch ended before.
pub(super) async fn deleted(cluster: &Cluster, key: &str, from: i64) -> Option<bool> {
    let options = WatchOptions::new().with_start_revision(from);
    let (_, client) = cluster.client().await.ok()?;
    let opening = async { client.watch_client().watch(key, Some(options)).await };
    let mut stream = tokio::time::timeout(cluster.settings.call, opening).await.ok()?.ok()?;
    while let Some(message) = stream.message().await.ok()? {
        if message.canceled() {
            return None;
        }
        if message.events().iter().any(|event| event.event_type() == EventType::Delete) {
            return Some(true);
        }
    }
    None
}
