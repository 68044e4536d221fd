//! Leases that nothing is held under, kept alive for whoever asks for locks next: that saves a round trip.
//!
//! A lease gets here only if nothing that was sent can still put a key under it: every transaction that puts tickets
//! was sent once, and answered; and the tickets were seen to go, by a transaction that found all of them and deleted
//! them. So whoever breaks a lock, and then revokes its lease, revokes no other holder's.

use std::sync::{Arc, Mutex, PoisonError};

use etcd_client::{Compare, CompareOp, Txn, TxnOp};

use super::Queue;
use super::lease::Lease;
use crate::{LockError, Proof};

/// As many as threads that write at the same time, in most processes; what is left over is revoked.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Vec<Arc<Lease>>>);

impl Idle {
    /// The one that was given back last, if it has not ended.
    pub(super) fn take(&self) -> Option<Arc<Lease>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped, those that have ended are looked after no more.
        idle.retain(|lease| lease.serves_again());
        idle.pop()
    }

    /// Keeps a lease that nothing is held under; gives it back if it serves for nothing more.
    fn put(&self, lease: Arc<Lease>) -> Option<Arc<Lease>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST || !lease.serves_again() {
            return Some(lease);
        }
        idle.push(lease);
        None
    }

    pub(super) fn drain(&self) -> Vec<Arc<Lease>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Gives a set back: its tickets go, and the lease stays, if it may.
pub(super) async fn give_back(
    queue: &Queue,
    lease: Arc<Lease>,
    tickets: Vec<Proof>,
) -> Result<(), LockError> {
    lease.rest();
    if !lease.serves_again() {
        return lease.revoke().await;
    }
    let held =
        tickets.iter().map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
    let deletes = tickets.iter().map(|p| TxnOp::delete(p.key.clone(), None));
    let txn = Txn::new().when(held.collect::<Vec<_>>()).and_then(deletes.collect::<Vec<_>>());
    let until = std::time::Instant::now() + queue.cluster.settings.call;
    let delete = |client: etcd_client::Client| {
        let txn = txn.clone();
        async move { client.kv_client().txn(txn).await }
    };
    // Without an answer they end with their lease, which nobody renews once it is dropped.
    let answer = queue.cluster.call(until, delete).await?;
    // Who did not find them may have deleted them, or others have: nobody knows what else they do to the lease.
    let left_over = if answer.succeeded() { queue.idle.put(lease) } else { Some(lease) };
    match left_over {
        Some(lease) => lease.revoke().await,
        None => Ok(()),
    }
}

/// The same for a set whose tickets somebody else's transaction has found and deleted.
pub(super) fn keep(queue: &Queue, lease: Arc<Lease>) {
    lease.rest();
    if let Some(lease) = queue.idle.put(lease) {
        queue.cluster.spawn(async move { lease.revoke().await });
    }
}
