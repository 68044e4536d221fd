//! Leases that serve for one set after another, and when they must not.

use std::time::Duration;

use hypostyle_lock::etcd::EtcdLocks;
use hypostyle_lock::etcd::etcd_client::{Compare, CompareOp, Txn, TxnOp};
use hypostyle_lock::{Fence, Held, LockError, Locks};

use crate::proxy::Proxy;
use crate::server::shared;
use crate::world::{LONG, World, etcd, set, take, within};

const NOW: Duration = Duration::ZERO;

/// Two who do not share their leases.
fn two() -> (EtcdLocks, EtcdLocks, World) {
    let world = World::etcd(&shared());
    let prefix = world.address.rsplit(' ').next().unwrap();
    (etcd(&shared(), prefix), etcd(&shared(), prefix), world)
}

fn lease(held: &dyn Held) -> i64 {
    let (lease, _) = held.id().split_once('-').unwrap();
    u64::from_str_radix(lease, 16).unwrap().cast_signed()
}

fn goes_on(locks: &EtcdLocks, lease: i64) -> bool {
    let asked =
        locks.send(move |client| async move { client.lease_client().time_to_live(lease, None).await });
    asked.unwrap().ttl() > 0
}

/// A commit that gives back what it compares.
fn spend(locks: &EtcdLocks, held: &dyn Held, key: &str) -> bool {
    let proofs = held.proofs();
    let still =
        proofs.iter().map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
    let gone = proofs.iter().map(|p| TxnOp::delete(p.key.clone(), None));
    let put = TxnOp::put(key, "done", None);
    let txn = Txn::new().when(still.collect::<Vec<_>>()).and_then(gone.chain([put]).collect::<Vec<_>>());
    locks.send(|client| async move { client.kv_client().txn(txn).await }).unwrap().succeeded()
}

#[test]
fn one_set_after_another_is_held_under_a_lease_and_none_is_taken_for_another() {
    let (one, other, _world) = two();
    let first = take(&one, "A b");
    let (id, fence, lease_of_first) = (first.id().to_owned(), first.fence(), lease(&*first));
    // Two at the same time have two.
    let beside = take(&one, "C");
    assert_ne!(lease(&*beside), lease_of_first);
    drop(first);
    let next = take(&one, "A");
    assert_eq!(lease(&*next), lease_of_first);
    assert!(next.fence() > fence);
    assert!(other.acquire(&set("A"), NOW).is_err());
    drop(take(&other, "B"));
    // Whoever meant the first does not break the next.
    assert!(matches!(other.break_lock(&id), Err(LockError::NoSuchTicket(_))));
    next.check().unwrap();
    assert!(!next.wait_lost(Duration::from_millis(300)));
    // Who waits in vain keeps his lease as well; what is held is still told at once of its end.
    let waits = other.acquire(&set("A"), NOW);
    assert!(matches!(waits, Err(LockError::Timeout { .. })));
    other.break_lock(next.id()).unwrap();
    assert!(next.wait_lost(Duration::from_secs(1)) && next.check().is_err());
    drop(next);
    let after = take(&one, "A");
    assert_ne!(lease(&*after), lease_of_first, "a broken one's lease was revoked");
    after.check().unwrap();
    assert!(other.list().unwrap().iter().all(|ticket| ticket.id == after.id() || ticket.id == beside.id()));
}

#[test]
fn a_commit_that_deletes_what_it_compares_gives_the_set_back() {
    let (one, other, world) = two();
    let key = format!("{}/head", world.address.rsplit(' ').next().unwrap());
    let mut last = (Fence::NEVER, None);
    for _ in 0..20 {
        let mut held = take(&one, "A b");
        assert!(held.fence() > last.0);
        assert!(last.1.is_none_or(|before| before == lease(&*held)));
        last = (held.fence(), Some(lease(&*held)));
        assert!(spend(&one, &*held, &key));
        assert!(!spend(&one, &*held, &key), "once");
        held.was_given_back();
        assert!(held.is_lost() && matches!(held.check(), Err(LockError::Lost(_))));
        let next = other.acquire(&set("A"), NOW).unwrap();
        // What is given back is not given back once more.
        held.release().unwrap();
        next.check().unwrap();
    }
    assert_eq!(other.list().unwrap(), []);
}

#[test]
fn what_was_read_is_as_of_the_grant() {
    let (one, other, world) = two();
    let key = format!("{}/head", world.address.rsplit(' ').next().unwrap());
    let read = |locks: &EtcdLocks| {
        let (held, answer) = locks.acquire_and_read(&set("A"), LONG, &[&key]).unwrap();
        let mut found = Vec::new();
        for response in answer.op_responses() {
            if let hypostyle_lock::etcd::etcd_client::TxnOpResponse::Get(get) = response {
                found.extend(
                    get.kvs().iter().map(|kv| (kv.key_str().unwrap().to_owned(), kv.create_revision())),
                );
            }
        }
        assert!(found.iter().any(|(key, _)| *key == locks.identity_key()));
        (held, found.into_iter().find(|(found, _)| *found == key).map(|(_, created)| created))
    };
    let (held, before) = read(&one);
    assert_eq!(before, None);
    std::thread::scope(|scope| {
        // Whoever waits sees what the one before committed last.
        let waiting = scope.spawn(|| read(&other));
        within(LONG, "it waits", || one.list().unwrap().len() == 2);
        assert!(spend(&one, &*held, &key));
        let (next, found) = waiting.join().unwrap();
        assert!(found.unwrap().cast_unsigned() > held.fence().0);
        next.check().unwrap();
    });
}

/// A request whose answer was lost was sent again: the first copy may still be on its way.
#[test]
fn a_lease_under_which_something_was_put_twice_ends_with_its_set() {
    let proxy = Proxy::to(&shared());
    let world = World::etcd(&shared());
    let prefix = world.address.rsplit(' ').next().unwrap();
    let locks = etcd(&proxy.address, prefix);
    let first = lease(&*take(&locks, "A"));
    let lost = proxy.lost();
    proxy.lose_answers(true);
    let held = std::thread::scope(|scope| {
        scope.spawn(|| {
            within(LONG, "an answer is lost", || proxy.lost() > lost);
            proxy.lose_answers(false);
        });
        take(&locks, "A")
    });
    assert_eq!(lease(&*held), first);
    held.check().unwrap();
    drop(held);
    assert!(!goes_on(&locks, first));
    let next = take(&locks, "A");
    assert_ne!(lease(&*next), first);
}

#[test]
fn a_lease_that_ended_unseen_is_made_anew() {
    let (one, other, _world) = two();
    let first = lease(&*take(&one, "A"));
    assert!(goes_on(&other, first));
    other.send(move |client| async move { client.lease_client().revoke(first).await }).unwrap();
    let next = take(&one, "A");
    assert_ne!(lease(&*next), first);
    next.check().unwrap();
    // It goes on for as long as it may serve, and is revoked with the last one who might have used it.
    let second = lease(&*next);
    drop(next);
    std::thread::sleep(Duration::from_millis(3500));
    assert!(goes_on(&other, second));
    drop(one);
    within(Duration::from_secs(1), "it is revoked", || !goes_on(&other, second));
}
