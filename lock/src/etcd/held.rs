//! A set that is held in etcd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Compare, CompareOp, Txn};

use super::lease::Lease;
use super::{Queue, idle};
use crate::{Fence, Held, LockError, LockSet, Proof};

#[derive(Debug)]
pub(super) struct EtcdHeld {
    pub(super) queue: Arc<Queue>,
    pub(super) lease: Arc<Lease>,
    pub(super) id: String,
    pub(super) set: LockSet,
    pub(super) fence: Fence,
    pub(super) proofs: Vec<Proof>,
    pub(super) released: bool,
}

impl EtcdHeld {
    /// Whether it is held by another process, or the lease serves for another set already.
    fn is_nobodys(&self) -> bool {
        self.released || self.queue.cluster.is_forked()
    }

    fn give_back(&mut self) -> Result<(), LockError> {
        // A forked child has a copy of everything, and no right to give it back.
        if std::mem::replace(&mut self.released, true) || self.queue.cluster.is_forked() {
            return Ok(());
        }
        let (queue, lease) = (Arc::clone(&self.queue), Arc::clone(&self.lease));
        let tickets = std::mem::take(&mut self.proofs);
        self.queue.cluster.block(async move { idle::give_back(&queue, lease, tickets).await })
    }
}

impl Drop for EtcdHeld {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}

impl Held for EtcdHeld {
    fn fence(&self) -> Fence {
        self.fence
    }

    fn set(&self) -> &LockSet {
        &self.set
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn is_lost(&self) -> bool {
        self.is_nobodys() || self.lease.lost().is_some()
    }

    fn check(&self) -> Result<(), LockError> {
        if self.queue.cluster.is_forked() {
            return Err(LockError::Lost("it is held by the process that forked this one".to_owned()));
        }
        let given_back = self.released.then(|| "it was given back".to_owned());
        if let Some(why) = given_back.or_else(|| self.lease.lost()) {
            return Err(LockError::Lost(why));
        }
        let held = |proof: &Proof| {
            Compare::create_revision(proof.key.clone(), CompareOp::Equal, proof.create_revision)
        };
        let txn = Txn::new().when(self.proofs.iter().map(held).collect::<Vec<_>>());
        let (cluster, lease) = (Arc::clone(&self.queue.cluster), Arc::clone(&self.lease));
        self.queue.cluster.block(async move {
            let until = Instant::now() + cluster.settings.patience;
            let ask = |client: etcd_client::Client| {
                let txn = txn.clone();
                async move { client.kv_client().txn(txn).await }
            };
            if cluster.call(until, ask).await?.succeeded() {
                return Ok(());
            }
            lease.lose("its ticket is gone: the lock was broken, or its lease ended");
            Err(LockError::Lost(lease.lost().unwrap_or_default()))
        })
    }

    fn wait_lost(&self, timeout: Duration) -> bool {
        self.is_nobodys() || self.lease.wait_lost(timeout)
    }

    fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    fn was_given_back(&mut self) {
        if !std::mem::replace(&mut self.released, true) && !self.queue.cluster.is_forked() {
            idle::keep(&self.queue, Arc::clone(&self.lease));
        }
    }

    fn release(mut self: Box<Self>) -> Result<(), LockError> {
        self.give_back()
    }
}
