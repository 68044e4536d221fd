//! What etcd adds: members that die, data that is wiped, leases that end, users.

use std::time::{Duration, Instant};

use hypostyle_lock::etcd::etcd_client::{Compare, CompareOp, Txn, TxnOp};
use hypostyle_lock::etcd::{EtcdLocks, EtcdSettings};
use hypostyle_lock::{Fence, Held, LockError, Locks};
use rustix::process::Signal;

use crate::server::{Servers, shared};
use crate::world::{LONG, World, etcd, set, take};

fn settings(endpoints: &str) -> EtcdSettings {
    EtcdSettings::new(endpoints).unwrap().lease(Duration::from_secs(2)).call_timeout(Duration::from_secs(1))
}

/// A commit as a store makes it: only while all of the set is held.
fn commit(locks: &EtcdLocks, held: &dyn Held, key: &str) -> bool {
    let proofs = held.proofs().iter();
    let proofs = proofs.map(|p| Compare::create_revision(p.key.clone(), CompareOp::Equal, p.create_revision));
    let txn = Txn::new().when(proofs.collect::<Vec<_>>()).and_then([TxnOp::put(key, "done", None)]);
    locks.send(|client| async move { client.kv_client().txn(txn).await }).unwrap().succeeded()
}

#[test]
fn a_commit_that_compares_the_proofs_is_refused_once_the_lock_is_broken() {
    let world = World::etcd(&shared());
    let prefix = world.address.rsplit(' ').next().unwrap();
    let locks = etcd(&shared(), prefix);
    let held = take(&locks, "A b");
    assert_eq!(held.proofs().len(), 2);
    assert!(held.proofs().iter().all(|p| p.create_revision.cast_unsigned() == held.fence().0));
    let key = format!("{prefix}/head");
    assert!(commit(&locks, &*held, &key));
    locks.break_lock(held.id()).unwrap();
    assert!(!commit(&locks, &*held, &key));
    let next = take(&locks, "A");
    assert!(commit(&locks, &*next, &key) && !commit(&locks, &*held, &key));
}

#[test]
fn it_works_inside_of_another_runtime_and_may_be_dropped_there() {
    let world = World::etcd(&shared());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let locks = world.open("");
        let held = take(&*locks, "A");
        held.check().unwrap();
        drop(held);
        drop(locks);
    });
    assert_eq!(world.open("").list().unwrap(), []);
}

#[test]
fn without_etcd_it_is_unavailable_by_name_and_soon() {
    let begun = Instant::now();
    let settings = settings("127.0.0.1:1,127.0.0.1:2").patience(Duration::from_secs(1));
    let error = EtcdLocks::connect(settings).unwrap_err();
    let LockError::Unavailable { endpoints, why } = error else { panic!("{error}") };
    assert_eq!(endpoints, "127.0.0.1:1,127.0.0.1:2");
    assert!(why.contains("refused"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn etcd_may_be_killed_and_started_again() {
    let mut servers = Servers::start(1);
    let locks = EtcdLocks::connect(settings(&servers.endpoints()).patience(Duration::from_secs(1))).unwrap();
    let held = take(&locks, "A");
    let fence = held.fence();
    servers.kill(0);
    let begun = Instant::now();
    let error = locks.acquire(&set("B"), LONG).err().unwrap();
    assert!(matches!(error, LockError::Unavailable { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Without renewal the lock is lost when its lease ends, by our own clock.
    assert!(held.wait_lost(Duration::from_secs(4)));
    assert!(begun.elapsed() < Duration::from_secs(5));
    servers.run(0);
    servers.wait();
    let next = take(&locks, "A");
    assert!(next.fence() > fence);
    assert!(held.check().is_err(), "lost is lost");
    next.check().unwrap();
    drop(next);
    // If that takes less than a lease, nobody notices.
    let locks = EtcdLocks::connect(settings(&servers.endpoints()).lease(Duration::from_secs(12))).unwrap();
    let next = take(&locks, "A");
    servers.kill(0);
    servers.run(0);
    servers.wait();
    assert!(!next.wait_lost(Duration::from_secs(5)));
    next.check().unwrap();
}

#[test]
fn a_cluster_whose_data_was_wiped_is_another_one() {
    let mut servers = Servers::start(1);
    let locks = EtcdLocks::connect(settings(&servers.endpoints())).unwrap();
    let id = locks.cluster_id().to_owned();
    assert_eq!(
        EtcdLocks::connect(settings(&servers.endpoints()).expect_cluster(&id)).unwrap().cluster_id(),
        id
    );
    let other_prefix = settings(&servers.endpoints()).prefix("/other").expect_cluster(&id);
    assert!(matches!(EtcdLocks::connect(other_prefix), Err(LockError::OtherCluster { .. })));
    let held = take(&locks, "A");
    let fence = (0..20).map(|_| take(&locks, "B").fence()).max().unwrap();
    locks.ensure_beyond(fence).unwrap();

    servers.wipe(0);
    servers.run(0);
    servers.wait();
    assert!(held.wait_lost(Duration::from_secs(4)));
    // etcd's own number is made from its addresses, and is the same as before.
    let error = EtcdLocks::connect(settings(&servers.endpoints()).expect_cluster(&id)).unwrap_err();
    assert!(matches!(&error, LockError::OtherCluster { expected, .. } if *expected == id), "{error}");
    let error = locks.acquire(&set("A"), LONG).err().unwrap();
    assert!(matches!(error, LockError::OtherCluster { .. }), "{error}");
    let error = locks.ensure_beyond(fence).unwrap_err();
    assert!(matches!(error, LockError::OtherCluster { .. }), "{error}");
    assert_eq!(locks.newest_exclusive(&["a"]).unwrap(), Fence::NEVER, "nothing was written there");
    let anew = EtcdLocks::connect(settings(&servers.endpoints())).unwrap();
    assert_ne!(anew.cluster_id(), id);
    drop(take(&anew, "A"));
}

/// One member after another is killed or stopped, so that the leader is, whichever it was.
#[test]
fn a_cluster_goes_on_when_its_leader_is_lost() {
    let mut servers = Servers::start(3);
    let locks = EtcdLocks::connect(settings(&servers.endpoints()).lease(Duration::from_secs(10))).unwrap();
    let mut last = Fence::NEVER;
    let held = take(&locks, "X");
    for node in 0..3 {
        match node {
            0 | 1 => servers.kill(node),
            _ => servers.signal(node, Signal::STOP),
        }
        let granted = take(&locks, "A");
        assert!(granted.fence() > last);
        last = granted.fence();
        granted.check().unwrap();
        drop(granted);
        match node {
            0 | 1 => servers.run(node),
            _ => servers.signal(node, Signal::CONT),
        }
        servers.wait();
    }
    held.check().unwrap();
    assert!(!held.is_lost());
    // Without a majority nothing is granted, and after its lease nothing is held.
    servers.kill(0);
    servers.kill(1);
    let error = locks.acquire(&set("B"), Duration::from_millis(500)).err().unwrap();
    assert!(matches!(error, LockError::Unavailable { .. }), "{error}");
    assert!(held.wait_lost(Duration::from_secs(12)));
}

/// In a process of its own, since the environment is everybody's.
#[test]
fn who_is_not_let_in_is_told() {
    let servers = Servers::start(1);
    let endpoints = servers.endpoints();
    let locks = EtcdLocks::connect(settings(&endpoints)).unwrap();
    let enable = locks.send(|client| async move {
        let mut auth = client.auth_client();
        auth.user_add("root", "secret", None).await?;
        auth.role_add("root").await?;
        auth.user_grant_role("root", "root").await?;
        auth.auth_enable().await
    });
    enable.unwrap();
    let try_as = |user: &str, password: &str| {
        let mut other = std::process::Command::new(std::env::current_exe().unwrap());
        other
            .args(["--exact", "cluster::as_a_user", "--nocapture"])
            .env("HYPOSTYLE_LOCK_AS_USER", &endpoints);
        other.env("HYPOSTYLE_ETCD_USER", user).env("HYPOSTYLE_ETCD_PASSWORD", password);
        String::from_utf8_lossy(&other.output().unwrap().stdout).into_owned()
    };
    for (user, password, expected) in [
        ("root", "secret", "@granted"),
        ("root", "wrong-one", "refuses us"),
        ("nobody", "x", "refuses us"),
        ("", "", "refuses us"),
    ] {
        let said = try_as(user, password);
        assert!(said.contains(expected), "{user}: {said}");
        assert!(!said.contains("wrong-one"), "the password is told: {said}");
    }
}

/// No test, but what another process does.
#[test]
fn as_a_user() {
    let Ok(endpoints) = std::env::var("HYPOSTYLE_LOCK_AS_USER") else { return };
    match EtcdLocks::connect(settings(&endpoints)).and_then(|l| l.acquire(&set("A"), LONG)) {
        Ok(held) => println!("@granted {}", held.fence()),
        Err(error) => println!("@{error} {error:?}"),
    }
}
