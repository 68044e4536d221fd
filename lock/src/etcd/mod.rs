//! Locks for the processes of many machines, through etcd.
//!
//! [`EtcdSettings`] say where it is, [`EtcdLocks`] are the locks. Whoever commits through the same etcd puts
//! [`Held::proofs`] into the comparisons of its transaction, and sends that with [`EtcdLocks::send`].

mod cluster;
mod held;
mod idle;
mod keys;
mod lease;
mod queue;
mod settings;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The client, in the version that [`EtcdLocks::send`] hands out.
pub use etcd_client;
use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse};

use self::cluster::{Cluster, Failure};
use self::held::EtcdHeld;
use self::idle::Idle;
use self::keys::Keys;
pub use self::settings::EtcdSettings;
use crate::{Condemned, Fence, Held, LockError, LockSet, Locks, Owner, Proof, Ticket};

/// Locks for the processes of many machines, through etcd.
///
/// A holder that is silent for longer than its lease holds nothing any more. It has threads and connections of its
/// own, and may be used from within another runtime as well as without any; a forked child connects anew.
///
/// ```no_run
/// use std::time::Duration;
/// use hypostyle_lock::etcd::{EtcdLocks, EtcdSettings};
/// use hypostyle_lock::{LockSet, Locks, Mode};
///
/// let locks = EtcdLocks::connect(EtcdSettings::new("etcd://10.0.0.1:2379,10.0.0.2:2379")?)?;
/// let held = locks.acquire(&LockSet::new([("wind", Mode::Exclusive)])?, Duration::from_secs(10))?;
/// println!("{} in {}, fence {}", held.set(), locks.cluster_id(), held.fence());
/// # Ok::<(), hypostyle_lock::LockError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EtcdLocks {
    queue: Arc<Queue>,
    name: String,
}

/// What the clones of an [`EtcdLocks`] share.
#[derive(Debug)]
struct Queue {
    cluster: Arc<Cluster>,
    keys: Keys,
    /// What stands under [`Keys::identity`].
    identity: String,
    cluster_id: String,
    idle: Idle,
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.cluster.is_forked() {
            return;
        }
        // Nothing is held under them; what cannot be told now ends by itself.
        for lease in self.idle.drain() {
            self.cluster.spawn(async move { lease.revoke().await });
        }
    }
}

impl Queue {
    fn new(cluster: Arc<Cluster>, keys: Keys, identity: String, cluster_id: String) -> Arc<Self> {
        Arc::new(Self { cluster, keys, identity, cluster_id, idle: Idle::default() })
    }

    /// What shows that a set was granted in this revision, and is held still.
    fn proofs(&self, set: &LockSet, lease: i64, create_revision: i64) -> Vec<Proof> {
        let keys = self.keys.all(set, lease).into_iter();
        keys.map(|key| Proof { key: key.into_bytes(), create_revision }).collect()
    }

    fn other_cluster(&self, found: Option<String>) -> LockError {
        let found =
            found.map_or_else(|| "one without our data".to_owned(), |found| format!("one called {found}"));
        LockError::OtherCluster { expected: self.cluster_id.clone(), found }
    }
}

impl EtcdLocks {
    /// Connects, and finds out which cluster it is. Who we are comes from the environment, see [`EtcdSettings`].
    ///
    /// # Errors
    /// [`LockError::Unavailable`], [`LockError::Denied`], [`LockError::Settings`];
    /// [`LockError::OtherCluster`] if it is not the [expected](EtcdSettings::expect_cluster) one.
    pub fn connect(settings: EtcdSettings) -> Result<Self, LockError> {
        let keys = Keys::new(&settings.prefix);
        let expected = settings.expected.clone();
        let cluster = Arc::new(Cluster::new(settings)?);
        let (task, key) = (Arc::clone(&cluster), keys.identity());
        let (identity, id) = cluster.block(async move { identify(&task, &key, expected.is_none()).await })?;
        let cluster_id = format!("{id:016x}-{}", identity.as_deref().unwrap_or("none"));
        match (identity, &cluster.settings.expected) {
            (Some(identity), expected) if expected.as_ref().is_none_or(|id| *id == cluster_id) => {
                Ok(Self { queue: Queue::new(cluster, keys, identity, cluster_id), name: String::new() })
            }
            (_, expected) => Err(LockError::OtherCluster {
                expected: expected.clone().unwrap_or_default(),
                found: cluster_id,
            }),
        }
    }

    /// The same for somebody who has the cluster's id on record, without a word to etcd yet: whether it is there,
    /// and that cluster, is found out by the first call.
    ///
    /// # Errors
    /// [`LockError::Settings`] without an [expected](EtcdSettings::expect_cluster) id, or with one that is none.
    pub fn expecting(settings: EtcdSettings) -> Result<Self, LockError> {
        let cluster_id = settings.expected.clone().unwrap_or_default();
        let word = cluster_id.split_once('-').map(|(_, word)| word.to_owned());
        let identity = word.filter(|word| !word.is_empty()).ok_or_else(|| {
            LockError::Settings(format!("`{cluster_id}` is no id of a cluster, as `cluster_id` gives it"))
        })?;
        let keys = Keys::new(&settings.prefix);
        let cluster = Arc::new(Cluster::new(settings)?);
        Ok(Self { queue: Queue::new(cluster, keys, identity, cluster_id), name: String::new() })
    }

    /// The same locks, asked for under a name that others see.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { queue: Arc::clone(&self.queue), name: name.into() }
    }

    /// Which cluster this is, to be kept on record and [expected](EtcdSettings::expect_cluster) by those who come
    /// later. It is another one after the data was wiped, even where etcd's own number stays the same.
    pub fn cluster_id(&self) -> &str {
        &self.queue.cluster_id
    }

    /// The key whose value is [`identity`](Self::identity) in this cluster and no other: a transaction that compares
    /// it, or reads it, finds out whether the data was wiped.
    pub fn identity_key(&self) -> String {
        self.queue.keys.identity()
    }

    /// The random word in [`cluster_id`](Self::cluster_id).
    pub fn identity(&self) -> &str {
        &self.queue.identity
    }

    /// What to say when another word than [`identity`](Self::identity) was found, or none.
    pub fn other_cluster(&self, found: Option<String>) -> LockError {
        self.queue.other_cluster(found)
    }

    /// Where it is.
    pub fn settings(&self) -> &EtcdSettings {
        &self.queue.cluster.settings
    }

    /// Sends what the caller has to say over the same connection, once, and waits for the answer, at most for the
    /// [call timeout](EtcdSettings::call_timeout).
    ///
    /// ```no_run
    /// # use hypostyle_lock::etcd::{EtcdLocks, EtcdSettings, etcd_client};
    /// # use hypostyle_lock::{Held, LockError};
    /// # fn commit(locks: &EtcdLocks, held: &dyn Held) -> Result<bool, LockError> {
    /// use etcd_client::{Compare, CompareOp, Txn, TxnOp};
    ///
    /// let proofs = held.proofs().iter();
    /// let held = proofs.map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
    /// let txn = Txn::new().when(held.collect::<Vec<_>>()).and_then([TxnOp::put("head", "43", None)]);
    /// let answer = locks.send(|client| async move { client.kv_client().txn(txn).await })?;
    /// Ok(answer.succeeded())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LockError::Unavailable`] if no answer came: what was asked may have been done, or be done yet.
    /// [`LockError::Denied`], [`LockError::Settings`].
    pub fn send<T, F>(
        &self,
        call: impl FnOnce(etcd_client::Client) -> F + Send + 'static,
    ) -> Result<T, LockError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, etcd_client::Error>> + Send + 'static,
    {
        let cluster = Arc::clone(&self.queue.cluster);
        self.queue.cluster.block(async move {
            cluster.once(call).await.map_err(|failure| match failure {
                Failure::Final(error) => error,
                Failure::Passing(why) => cluster.unavailable(why),
            })
        })
    }

    /// [`acquire`](Locks::acquire), and what stands under `keys` and [`identity_key`](Self::identity_key) at the very
    /// revision in which the set was granted: what the holders before have committed is seen, for no further round
    /// trip. Some 20 keys are enough for every set; with more a large one may be refused.
    ///
    /// # Errors
    /// Those of [`acquire`](Locks::acquire).
    pub fn acquire_and_read(
        &self,
        set: &LockSet,
        timeout: Duration,
        keys: &[&str],
    ) -> Result<(Box<dyn Held>, etcd_client::TxnResponse), LockError> {
        let begun = Instant::now();
        if set.len() > queue::MOST {
            return Err(LockError::TooMany { asked: set.len(), most: queue::MOST });
        }
        let queue = Arc::clone(&self.queue);
        let request = queue::Request {
            owner: Owner::here(&self.name),
            set: set.clone(),
            reads: keys.iter().map(|key| (*key).to_owned()).collect(),
            begun,
            timeout,
        };
        let asking = queue::acquire(Arc::clone(&queue), request);
        let queue::Granted { lease, fence, answer } = queue.cluster.block(asking)?;
        let held = EtcdHeld {
            id: queue::id(lease.id, fence),
            proofs: queue.proofs(set, lease.id, fence),
            queue,
            lease,
            set: set.clone(),
            fence: Fence(fence.cast_unsigned()),
            released: false,
        };
        Ok((Box::new(held), answer))
    }

    /// Sends a transaction that does no harm when it is done twice, to one member after another until there is an
    /// answer, at most for the [patience](EtcdSettings::patience).
    ///
    /// # Errors
    /// [`LockError::Unavailable`] if none came; [`LockError::Denied`], [`LockError::Settings`].
    pub fn ask(&self, txn: Txn) -> Result<etcd_client::TxnResponse, LockError> {
        let mut answers = self.read(vec![txn])?;
        answers.pop().ok_or_else(|| self.queue.cluster.unavailable("no answer"))
    }

    /// Sends what does no harm when it is done twice, until there is an answer.
    fn read(&self, txns: Vec<Txn>) -> Result<Vec<etcd_client::TxnResponse>, LockError> {
        let cluster = Arc::clone(&self.queue.cluster);
        self.queue.cluster.block(async move {
            let until = Instant::now() + cluster.settings.patience;
            let mut answers = Vec::new();
            for txn in txns {
                let ask = |client: etcd_client::Client| {
                    let txn = txn.clone();
                    async move { client.kv_client().txn(txn).await }
                };
                answers.push(cluster.call(until, ask).await?);
            }
            Ok(answers)
        })
    }

    fn tickets(&self) -> Result<Vec<etcd_client::KeyValue>, LockError> {
        let all = TxnOp::get(self.queue.keys.tickets(), Some(GetOptions::new().with_prefix()));
        let mut kvs: Vec<_> =
            self.read(vec![Txn::new().and_then([all])])?.iter().flat_map(read_out).collect();
        kvs.sort_by_key(etcd_client::KeyValue::create_revision);
        Ok(kvs)
    }
}

/// All that a transaction read.
fn read_out(answer: &etcd_client::TxnResponse) -> Vec<etcd_client::KeyValue> {
    let of = |response| match response {
        TxnOpResponse::Get(mut get) => get.take_kvs(),
        _ => Vec::new(),
    };
    answer.op_responses().into_iter().flat_map(of).collect()
}

/// The random word that stands in our prefix, made if there is none yet, and etcd's own number.
async fn identify(cluster: &Cluster, key: &str, make: bool) -> Result<(Option<String>, u64), LockError> {
    use std::hash::{BuildHasher, Hasher, RandomState};

    let word = RandomState::new().build_hasher().finish() ^ u64::from(std::process::id()).rotate_left(40);
    let absent = Compare::create_revision(key, CompareOp::Equal, 0);
    let put = TxnOp::put(key, format!("{word:016x}"), Some(PutOptions::new()));
    let get = TxnOp::get(key, None);
    let txn = match make {
        true => Txn::new().when([absent]).and_then([put, get.clone()]).or_else([get]),
        false => Txn::new().and_then([get]),
    };
    let until = Instant::now() + cluster.settings.patience;
    let ask = |client: etcd_client::Client| {
        let txn = txn.clone();
        async move { client.kv_client().txn(txn).await }
    };
    let answer = cluster.call(until, ask).await?;
    let identity = read_out(&answer).first().map(|kv| String::from_utf8_lossy(kv.value()).into_owned());
    Ok((identity, answer.header().map_or(0, etcd_client::ResponseHeader::cluster_id)))
}

impl Locks for EtcdLocks {
    fn acquire(&self, set: &LockSet, timeout: Duration) -> Result<Box<dyn Held>, LockError> {
        self.acquire_and_read(set, timeout, &[]).map(|(held, _)| held)
    }

    fn newest_exclusive(&self, names: &[&str]) -> Result<Fence, LockError> {
        let get = |name: &&str| TxnOp::get(self.queue.keys.newest(name), None);
        let reads = names.chunks(queue::MOST);
        let reads = reads.map(|names| Txn::new().and_then(names.iter().map(get).collect::<Vec<_>>()));
        let kvs = self.read(reads.collect())?.iter().flat_map(read_out).collect::<Vec<_>>();
        let fence = |kv: &etcd_client::KeyValue| match kv.value() {
            [] => Some(kv.mod_revision().cast_unsigned()),
            digits => std::str::from_utf8(digits).ok()?.parse().ok(),
        };
        Ok(Fence(kvs.iter().filter_map(fence).max().unwrap_or(0)))
    }

    fn list(&self) -> Result<Vec<Ticket>, LockError> {
        Ok(queue::tickets(&self.queue.keys, &self.tickets()?))
    }

    fn condemn(&self, id: &str) -> Result<Condemned, LockError> {
        let keys = &self.queue.keys;
        let kvs = self.tickets()?;
        let ticket = queue::tickets(keys, &kvs).into_iter().find(|ticket| ticket.id == id);
        let ticket = ticket.ok_or_else(|| LockError::NoSuchTicket(id.to_owned()))?;
        let lease = queue::lease_of(id).ok_or_else(|| LockError::NoSuchTicket(id.to_owned()))?;
        let own = |kv: &&etcd_client::KeyValue| keys.parse(kv.key()).is_some_and(|key| key.lease == lease);
        let first = kvs.iter().find(own).map(|kv| (kv.key().to_vec(), kv.create_revision()));
        let deletes = keys.all(&ticket.set, lease).into_iter().map(|key| TxnOp::delete(key, None));
        let floor = Fence(ticket.fence().map_or(0, |fence| fence.0 + 1));
        let exclusive = ticket.set.exclusive().filter(|_| ticket.fence().is_some());
        let records = exclusive.map(|name| TxnOp::put(keys.newest(name), floor.to_string(), None));
        // Both lists together may be longer than a transaction, so each is one of its own within one. If the ticket
        // went by itself meanwhile, a newer fence may be on record already.
        let parts = [deletes.collect::<Vec<_>>(), records.collect()]
            .map(|part| TxnOp::txn(Txn::new().and_then(part)));
        let still = first.map(|(key, created)| Compare::create_revision(key, CompareOp::Equal, created));
        let txn = Txn::new().when(still.into_iter().collect::<Vec<_>>()).and_then(parts);
        if !self.read(vec![txn])?.iter().all(etcd_client::TxnResponse::succeeded) {
            return Err(LockError::NoSuchTicket(id.to_owned()));
        }
        // The tickets are gone, and not by their holder, who therefore holds nothing else under this lease, ever.
        // Without it the holder learns it sooner; if not now, then by its watch.
        let _ = self.send(move |client| async move { client.lease_client().revoke(lease).await });
        Ok(Condemned { ticket, floor })
    }

    fn free(&self, _condemned: &Condemned) -> Result<(), LockError> {
        // A commit compares the tickets themselves, so there was nothing to wait for.
        Ok(())
    }

    fn ensure_beyond(&self, fence: Fence) -> Result<(), LockError> {
        let identity = TxnOp::get(self.queue.keys.identity(), None);
        let answer = self.read(vec![Txn::new().and_then([identity])])?;
        let revision =
            answer.first().and_then(|a| a.header()).map_or(0, etcd_client::ResponseHeader::revision);
        if revision.cast_unsigned() < fence.0 {
            return Err(LockError::OtherCluster {
                expected: format!("one that has come to revision {fence}"),
                found: format!("one at revision {revision}"),
            });
        }
        Ok(())
    }
}
