//! The queue in etcd: tickets whose revision is their place, and their fence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, PutOptions, Txn, TxnOp, TxnResponse};
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::lease::{Lease, deleted};
use super::{Queue, idle, read_out};
use crate::{Fence, LockError, LockSet, Mode, Owner, Standing, Ticket};

/// The most resources at once. etcd takes 128 operations in a transaction.
pub(super) const MOST: usize = 100;
const OPERATIONS: usize = 128;

/// How long a watch is trusted before the queue is read again: a member that was cut off says nothing.
const LOOK: Duration = Duration::from_secs(2);

/// What a ticket's key holds.
#[derive(Serialize, Deserialize)]
struct Note {
    owner: Owner,
    /// Nanoseconds since 1970.
    since: u64,
}

/// A ticket that is in the queue.
struct Place {
    fence: i64,
    /// Nobody was before us, and our fence is on record: what said so.
    granted: Option<TxnResponse>,
}

/// What somebody asks for.
pub(super) struct Request {
    pub(super) owner: Owner,
    pub(super) set: LockSet,
    /// Keys that are to be read as of the grant.
    pub(super) reads: Vec<String>,
    pub(super) begun: Instant,
    pub(super) timeout: Duration,
}

/// What he gets.
pub(super) struct Granted {
    pub(super) lease: Arc<Lease>,
    pub(super) fence: i64,
    /// Of the transaction that made it the grant.
    pub(super) answer: TxnResponse,
}

impl Request {
    /// What is read beside putting tickets, or records.
    fn look(&self, keys: &Keys) -> impl Iterator<Item = TxnOp> {
        let reads = std::iter::once(keys.identity()).chain(self.reads.clone());
        reads.map(|key| TxnOp::get(key, None))
    }
}

/// What a set is called: a lease serves for one set after another, in another revision each.
pub(super) fn id(lease: i64, revision: i64) -> String {
    format!("{lease:016x}-{revision:x}")
}

/// The lease in what a set is called.
pub(super) fn lease_of(id: &str) -> Option<i64> {
    let (lease, _) = id.split_once('-')?;
    u64::from_str_radix(lease, 16).ok().map(u64::cast_signed)
}

/// Takes a place in the queue and waits until it is the first. All of it goes by `until`, when nothing is kept.
pub(super) async fn acquire(queue: Arc<Queue>, request: Request) -> Result<Granted, LockError> {
    let Request { begun, timeout, ref set, .. } = request;
    let until = begun.checked_add(timeout).unwrap_or_else(|| begun + Duration::from_secs(1 << 30));
    // Even without any time to wait, one try has the time of a call.
    let patient = until.max(Instant::now() + queue.cluster.settings.call);
    let (lease, place) = enter(&queue, &request, patient).await?;
    let fence = place.fence;
    let granted = async {
        match place.granted {
            Some(answer) => Ok(answer),
            None => {
                wait(&queue, &lease, set, fence, begun, until, patient).await?;
                record(&queue, &lease, &request, fence, patient).await
            }
        }
    };
    match granted.await {
        Ok(answer) => {
            let first = queue.keys.all(set, lease.id).into_iter().next().unwrap_or_default();
            lease.watch(first, fence);
            Ok(Granted { lease, fence, answer })
        }
        Err(error) => {
            let tickets = queue.proofs(set, lease.id, fence);
            // Without an answer the ticket ends with its lease, which nobody renews.
            let _ = idle::give_back(&queue, lease, tickets).await;
            Err(error)
        }
    }
}

/// A place in the queue, under a lease that is at hand or a new one.
async fn enter(queue: &Queue, request: &Request, until: Instant) -> Result<(Arc<Lease>, Place), LockError> {
    if let Some(lease) = queue.idle.take() {
        match enqueue(queue, &lease, request, until).await {
            Ok(place) => return Ok((lease, place)),
            // It had ended, which nobody here had seen: then nothing was put under it, and nothing ever will be.
            Err(LockError::Lost(_)) => {}
            Err(error) => {
                let _ = lease.revoke().await;
                return Err(error);
            }
        }
    }
    let lease = Arc::new(Lease::grant(&queue.cluster, until).await?);
    match enqueue(queue, &lease, request, until).await {
        Ok(place) => Ok((lease, place)),
        Err(error) => {
            // Without an answer the ticket ends with its lease, which nobody renews.
            let _ = lease.revoke().await;
            Err(error)
        }
    }
}

/// One transaction puts all tickets; if nobody is in the way, it is the grant as well.
async fn enqueue(
    queue: &Queue,
    lease: &Lease,
    request: &Request,
    until: Instant,
) -> Result<Place, LockError> {
    let (keys, set) = (&queue.keys, &request.set);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let note = Note { owner: request.owner.clone(), since: u64::try_from(since).unwrap_or(u64::MAX) };
    let note = serde_json::to_string(&note).map_err(|e| LockError::Settings(e.to_string()))?;
    let tickets = keys.all(set, lease.id);
    let put =
        |key: &String| TxnOp::put(key.as_str(), note.as_str(), Some(PutOptions::new().with_lease(lease.id)));
    let puts: Vec<TxnOp> = tickets.iter().map(put).collect();
    // What tells which place we got, and whether this is still the cluster that we know.
    let look = [TxnOp::get(tickets.first().map_or("", String::as_str), None)];
    let look: Vec<TxnOp> = look.into_iter().chain(request.look(keys)).collect();
    let records = set.exclusive().map(|name| TxnOp::put(keys.newest(name), "", None));
    let at_once: Vec<TxnOp> = puts.iter().cloned().chain(records).chain(look.clone()).collect();
    let queued: Vec<TxnOp> = puts.into_iter().chain(look).collect();
    let same = Compare::value(keys.identity(), CompareOp::Equal, queue.identity.as_str());
    let is_small = at_once.len() <= OPERATIONS;
    let txn = if is_small {
        let rivals = set.iter().map(|(name, mode)| keys.rivals(name, mode));
        let free = rivals.map(|rivals| Compare::create_revision(rivals, CompareOp::Equal, 0).with_prefix());
        Txn::new().when(free.chain([same]).collect::<Vec<_>>()).and_then(at_once).or_else(queued)
    } else {
        Txn::new().and_then(queued)
    };
    // Done twice, because an answer was lost, the tickets keep the revision that they were created in. Done once more
    // after they were given back, they would be nobody's: so the lease then ends with this set.
    let mut sent = 0;
    let put = |client| {
        sent += 1;
        if sent > 1 {
            lease.serve_once();
        }
        client_txn(client, txn.clone())
    };
    let answer = queue.cluster.call(until, put).await?;
    let kvs = read_out(&answer);
    let value = |key: &str| kvs.iter().find(|kv| kv.key() == key.as_bytes());
    if value(&keys.identity()).map(|kv| kv.value().to_vec()) != Some(queue.identity.clone().into_bytes()) {
        let found = value(&keys.identity()).map(|kv| String::from_utf8_lossy(kv.value()).into_owned());
        return Err(queue.other_cluster(found));
    }
    let ticket = tickets.first().and_then(|key| value(key));
    let fence = ticket.map(KeyValue::create_revision);
    let fence = fence.ok_or_else(|| queue.cluster.unavailable("a ticket that was put is not there"))?;
    Ok(Place { fence, granted: Some(answer).filter(|answer| is_small && answer.succeeded()) })
}

async fn client_txn(client: etcd_client::Client, txn: Txn) -> Result<TxnResponse, etcd_client::Error> {
    client.kv_client().txn(txn).await
}

/// Who is before the ticket `fence`, by their keys, and as of which revision. Empty: nobody, ever again.
async fn before(
    queue: &Queue,
    set: &LockSet,
    fence: i64,
    until: Instant,
) -> Result<(i64, Vec<KeyValue>), LockError> {
    let older = || Some(GetOptions::new().with_prefix().with_max_create_revision(fence - 1));
    let reads: Vec<TxnOp> =
        set.iter().map(|(name, mode)| TxnOp::get(queue.keys.rivals(name, mode), older())).collect();
    let txn = Txn::new().and_then(reads);
    let answer = queue.cluster.call(until, |client| client_txn(client, txn.clone())).await?;
    let revision = answer.header().map_or(fence, etcd_client::ResponseHeader::revision);
    let mut kvs = read_out(&answer);
    kvs.sort_by_key(KeyValue::create_revision);
    Ok((revision, kvs))
}

/// Waits until nobody is before us. New ones come behind, so what is seen once is all there is to wait for.
async fn wait(
    queue: &Queue,
    lease: &Lease,
    set: &LockSet,
    fence: i64,
    begun: Instant,
    until: Instant,
    patient: Instant,
) -> Result<(), LockError> {
    loop {
        if let Some(why) = lease.lost() {
            return Err(LockError::Lost(why));
        }
        let patient = patient.max(Instant::now() + queue.cluster.settings.call);
        let (revision, kvs) = before(queue, set, fence, patient).await?;
        let Some(last) = kvs.last() else { return Ok(()) };
        let now = Instant::now();
        if now >= until {
            let before = tickets(&queue.keys, &kvs);
            return Err(LockError::Timeout { waited: begun.elapsed(), before });
        }
        // The newest of them goes last, most often.
        let key = String::from_utf8_lossy(last.key()).into_owned();
        tokio::select! {
            ended = deleted(&queue.cluster, &key, revision + 1) => if ended.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            },
            () = lease.end() => {}
            () = tokio::time::sleep((until - now).min(LOOK)) => {}
        }
    }
}

/// Puts it on record that we are granted, if our tickets are still there, and reads what is to be read.
async fn record(
    queue: &Queue,
    lease: &Lease,
    request: &Request,
    fence: i64,
    until: Instant,
) -> Result<TxnResponse, LockError> {
    let set = &request.set;
    let until = until.max(Instant::now() + queue.cluster.settings.call);
    let tickets = queue.keys.all(set, lease.id);
    let held = tickets.into_iter().map(|key| Compare::create_revision(key, CompareOp::Equal, fence));
    let records = set.exclusive().map(|name| TxnOp::put(queue.keys.newest(name), fence.to_string(), None));
    let records = records.chain(request.look(&queue.keys));
    let txn = Txn::new().when(held.collect::<Vec<_>>()).and_then(records.collect::<Vec<_>>());
    let answer = queue.cluster.call(until, |client| client_txn(client, txn.clone())).await?;
    if answer.succeeded() {
        Ok(answer)
    } else {
        lease.lose("its ticket is gone: the place in the queue was broken, or its lease ended");
        Err(LockError::Lost(lease.lost().unwrap_or_default()))
    }
}

/// Tickets from their keys, in the order in which they asked: a whole queue, or the part that is in one's way.
pub(super) fn tickets(keys: &Keys, kvs: &[KeyValue]) -> Vec<Ticket> {
    type Found = (Note, Vec<(String, Mode)>);
    let mut found: BTreeMap<(i64, i64), Found> = BTreeMap::new();
    for kv in kvs {
        let (Some(key), Ok(note)) = (keys.parse(kv.key()), serde_json::from_slice::<Note>(kv.value())) else {
            continue;
        };
        let place = found.entry((kv.create_revision(), key.lease)).or_insert((note, Vec::new()));
        place.1.push((key.name, key.mode));
    }
    let mut tickets: Vec<Ticket> = Vec::new();
    for ((revision, lease), (note, names)) in found {
        let Ok(set) = LockSet::new(names) else { continue };
        let waits = tickets.iter().any(|other: &Ticket| other.set.conflicts_with(&set));
        tickets.push(Ticket {
            id: id(lease, revision),
            owner: note.owner,
            set,
            since: SystemTime::UNIX_EPOCH + Duration::from_nanos(note.since),
            standing: match waits {
                true => Standing::Waiting,
                false => Standing::Held(Fence(revision.cast_unsigned())),
            },
        });
    }
    tickets
}
