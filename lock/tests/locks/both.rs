//! What is promised whatever the backend.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use hypostyle_lock::{Fence, LockError, Locks, Standing};
use rustix::process::Signal;

use crate::child::Other;
use crate::world::{LONG, World, check, set, take, within};

const NOW: Duration = Duration::ZERO;

#[test]
fn an_exclusive_holder_is_alone_and_shared_ones_are_not() {
    check(|world| {
        let (one, two) = (world.open("one"), world.open("two"));
        for (held, asked, granted) in [
            ("A", "A", false),
            ("A", "a", false),
            ("a", "A", false),
            ("a", "a", true),
            ("A", "B", true),
            ("A b", "b C", true),
            ("A b", "B C", false),
            ("A B C", "c", false),
        ] {
            let first = take(&*one, held);
            let second = two.acquire(&set(asked), NOW);
            assert_eq!(second.is_ok(), granted, "{held} and {asked}");
            if let Err(error) = second {
                let LockError::Timeout { before, .. } = error else { panic!("{error}") };
                assert_eq!(before.len(), 1);
                assert_eq!((before[0].owner.name.as_str(), before[0].owner.pid), ("one", std::process::id()));
                assert_eq!(before[0].id, first.id());
            }
        }
    });
}

/// Each asks in the order of the list, the first holds; then each is given back as soon as it is held.
#[test]
fn who_asked_first_is_served_first() {
    check(|world| {
        let locks = world.open("");
        let first = take(&*locks, "A B");
        let (sender, order) = channel();
        std::thread::scope(|scope| {
            for (nth, names) in ["A", "a", "a b", "B", "A B", "b"].into_iter().enumerate() {
                let (sender, locks) = (sender.clone(), &locks);
                scope.spawn(move || {
                    let held = take(&**locks, names);
                    sender.send((nth, held.fence())).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                });
                within(LONG, "it stands in the queue", || locks.list().unwrap().len() == nth + 2);
            }
            drop(first);
        });
        drop(sender);
        let order: Vec<(usize, Fence)> = order.iter().collect();
        let place = |of: usize| order.iter().position(|(nth, _)| *nth == of).unwrap();
        for (earlier, later) in [(0, 1), (0, 2), (2, 3), (3, 4), (1, 4), (2, 4), (4, 5)] {
            assert!(place(earlier) < place(later), "{earlier} before {later}: {order:?}");
            assert!(order[place(earlier)].1 < order[place(later)].1, "conflicting fences grow: {order:?}");
        }
    });
}

#[test]
fn a_later_shared_one_does_not_pass_an_exclusive_one_that_waits() {
    check(|world| {
        let locks = world.open("");
        let reader = take(&*locks, "a");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| take(&*locks, "A"));
            within(LONG, "the writer waits", || locks.list().unwrap().len() == 2);
            assert!(locks.acquire(&set("a"), NOW).is_err());
            drop(reader);
            drop(writer.join().unwrap());
        });
        drop(locks.acquire(&set("a"), NOW).unwrap());
    });
}

#[test]
fn a_set_is_held_whole_or_not_at_all_and_a_timeout_leaves_nothing() {
    check(|world| {
        let (one, two) = (world.open("one"), world.open("two"));
        let held = take(&*one, "B");
        let begun = Instant::now();
        let error = two.acquire(&set("A B C"), Duration::from_millis(200)).err().unwrap();
        assert!(matches!(error, LockError::Timeout { .. }), "{error}");
        assert!(error.to_string().contains("one (process"), "{error}");
        assert!(begun.elapsed() >= Duration::from_millis(200) && begun.elapsed() < Duration::from_secs(2));
        assert_eq!(one.list().unwrap().len(), 1);
        drop(one.acquire(&set("A C"), NOW).unwrap());
        drop(held);
        drop(two.acquire(&set("A B C"), NOW).unwrap());
        assert_eq!(one.list().unwrap(), []);
    });
}

#[test]
fn fences_grow_and_the_newest_exclusive_one_is_known_after_all_is_opened_anew() {
    check(|world| {
        let mut last = Fence::NEVER;
        assert_eq!(world.open("").newest_exclusive(&["a", "b"]).unwrap(), Fence::NEVER);
        for _ in 0..5 {
            let locks = world.open("");
            let held = take(&*locks, "A b");
            assert!(held.fence() > last);
            last = held.fence();
            assert_eq!(locks.newest_exclusive(&["x", "a"]).unwrap(), last);
            assert_eq!(locks.newest_exclusive(&["b"]).unwrap(), Fence::NEVER, "b was only shared");
            held.check().unwrap();
            held.release().unwrap();
            assert_eq!(world.open("").newest_exclusive(&["a"]).unwrap(), last);
        }
        let locks = world.open("");
        let shared = take(&*locks, "a");
        assert!(shared.fence() > last, "a shared one is newer than the exclusive one before it");
        assert_eq!(locks.newest_exclusive(&["a"]).unwrap(), last);
        locks.ensure_beyond(last).unwrap();
    });
}

/// A waiter's place in the queue is no grant: it must not make the commit of the one before it stale.
#[test]
fn one_that_waits_makes_no_holder_stale() {
    check(|world| {
        let locks = world.open("");
        let held = take(&*locks, "A");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| take(&*locks, "A"));
            within(LONG, "it waits", || locks.list().unwrap().len() == 2);
            assert_eq!(locks.newest_exclusive(&["a"]).unwrap(), held.fence());
            drop(held);
            let next = waiting.join().unwrap();
            assert_eq!(locks.newest_exclusive(&["a"]).unwrap(), next.fence());
        });
    });
}

#[test]
fn who_holds_and_waits_is_listed() {
    check(|world| {
        let (one, two) = (world.open("night run"), world.open(""));
        let held = take(&*one, "A b");
        let begun = std::time::SystemTime::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| take(&*two, "B"));
            within(LONG, "it waits", || one.list().unwrap().len() == 2);
            let list = two.list().unwrap();
            assert_eq!(
                (list[0].id.as_str(), &list[0].set, list[0].fence()),
                (held.id(), &set("A b"), Some(held.fence()))
            );
            assert_eq!((&list[1].set, list[1].standing), (&set("B"), Standing::Waiting));
            assert_eq!((list[0].owner.name.as_str(), list[0].owner.pid), ("night run", std::process::id()));
            assert!(!list[0].owner.host.is_empty() && list[1].owner.name.is_empty());
            assert!(begun.duration_since(list[0].since).unwrap() < LONG);
            assert!(list[0].to_string().contains("night run (process"), "{}", list[0]);
            drop(held);
            waiting.join().unwrap();
        });
        assert_eq!(one.list().unwrap(), []);
    });
}

#[test]
fn a_broken_holder_is_told_at_once_and_is_stale() {
    check(|world| {
        let (one, two) = (world.open("one"), world.open("two"));
        let held = take(&*one, "A b");
        assert!(!held.wait_lost(Duration::from_millis(50)) && !held.is_lost());
        let next = std::thread::scope(|scope| {
            let next = scope.spawn(|| take(&*two, "A"));
            within(LONG, "it waits", || two.list().unwrap().len() == 2);
            let told = scope.spawn(|| {
                assert!(held.wait_lost(LONG));
                Instant::now()
            });
            let broken = Instant::now();
            assert_eq!(two.break_lock(held.id()).unwrap().id, held.id());
            assert!(matches!(held.check(), Err(LockError::Lost(_))));
            let next = next.join().unwrap();
            let late = told.join().unwrap() - broken;
            assert!(late < Duration::from_millis(700), "told after {late:?}");
            assert!(held.is_lost());
            assert!(held.fence() < two.newest_exclusive(&["a"]).unwrap());
            assert!(next.fence() >= two.newest_exclusive(&["a"]).unwrap());
            next
        });
        // What the broken one does now is in nobody's way.
        drop(held);
        next.check().unwrap();
        assert!(one.acquire(&set("A"), NOW).is_err());
        assert!(matches!(two.break_lock("0123456789abcdef"), Err(LockError::NoSuchTicket(_))));
        assert!(matches!(two.break_lock("../x"), Err(LockError::NoSuchTicket(_))));
    });
}

#[test]
fn one_that_waits_can_be_sent_away() {
    check(|world| {
        let locks = world.open("");
        let held = take(&*locks, "A");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| locks.acquire(&set("A"), LONG).err());
            within(LONG, "it waits", || locks.list().unwrap().len() == 2);
            let id = locks.list().unwrap()[1].id.clone();
            locks.break_lock(&id).unwrap();
            let error = waiting.join().unwrap().unwrap();
            assert!(matches!(error, LockError::Lost(_)), "{error}");
        });
        held.check().unwrap();
        assert!(held.fence() >= locks.newest_exclusive(&["a"]).unwrap());
    });
}

#[test]
fn a_killed_holder_holds_nothing() {
    check(|world| {
        let mut other = Other::holding(&world.address, "A b");
        let locks = world.open("");
        assert_eq!(locks.list().unwrap()[0].owner.pid, other.id());
        assert!(locks.acquire(&set("B"), NOW).is_err());
        std::thread::scope(|scope| {
            let next = scope.spawn(|| take(&*locks, "A B"));
            within(LONG, "it waits", || locks.list().unwrap().len() == 2);
            let killed = Instant::now();
            other.signal(Signal::KILL);
            let next = next.join().unwrap();
            let late = killed.elapsed();
            assert!(late < Duration::from_secs(1) + 2 * world.lease, "granted after {late:?}");
            next.check().unwrap();
            other.wait();
        });
    });
}

/// Locally a stopped holder holds until it is broken; in etcd until its lease ends. Either way it knows it as soon as
/// it goes on.
#[test]
fn a_stopped_holder_learns_that_it_lost() {
    check(|world| {
        let other = Other::holding(&world.address, "A");
        let locks = world.open("");
        other.signal(Signal::STOP);
        if world.is_local {
            assert!(locks.acquire(&set("A"), Duration::from_millis(1500)).is_err());
            let id = locks.list().unwrap()[0].id.clone();
            locks.break_lock(&id).unwrap();
        }
        let next = take(&*locks, "A");
        assert!(other.is_silent());
        let going_on = Instant::now();
        other.signal(Signal::CONT);
        assert_eq!(other.hear(), "lost true");
        assert!(going_on.elapsed() < Duration::from_secs(1));
        next.check().unwrap();
    });
}

#[test]
fn many_resources_at_once() {
    check(|world| {
        let locks = world.open("");
        for count in [63, 64, 65, 100] {
            let names =
                |letter: &str| (0..count).map(|n| format!("{letter}{n}")).collect::<Vec<_>>().join(" ");
            let held = take(&*locks, &names("T"));
            assert_eq!((held.set().len(), locks.list().unwrap()[0].set.len()), (count, count));
            assert!(locks.acquire(&set("t62"), NOW).is_err());
            assert_eq!(locks.newest_exclusive(&["t62"]).unwrap(), held.fence());
            std::thread::scope(|scope| {
                let next = scope.spawn(|| take(&*locks, &names("T")));
                within(LONG, "it waits", || locks.list().unwrap().len() == 2);
                let fence = held.fence();
                drop(held);
                assert!(next.join().unwrap().fence() > fence);
            });
            let held = take(&*locks, &names("T"));
            locks.break_lock(held.id()).unwrap();
            assert!(held.check().is_err() && held.fence() < locks.newest_exclusive(&["t0"]).unwrap());
        }
        let most = take_many(&*locks, 101);
        match world.is_local {
            true => assert_eq!(most, Ok(101)),
            false => assert_eq!(most, Err(LockError::TooMany { asked: 101, most: 100 })),
        }
    });
}

fn take_many(locks: &dyn Locks, count: usize) -> Result<usize, LockError> {
    let names = (0..count).map(|n| format!("m{n}")).collect::<Vec<_>>().join(" ");
    locks.acquire(&set(&names), LONG).map(|held| held.set().len())
}

/// A thread for each, over few resources, beside a word that says who is inside.
#[test]
fn threads_that_race_are_never_inside_together() {
    use std::sync::atomic::{AtomicI64, Ordering};

    check(|world: &World| {
        // Below zero: one exclusive holder; above: so many shared ones.
        let inside: [AtomicI64; 3] = Default::default();
        let threads = if world.is_local { 8 } else { 4 };
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (locks, inside) = (world.open("racer"), &inside);
                scope.spawn(move || {
                    for round in 0..30 {
                        let mut names = Vec::new();
                        for (nth, letter) in ["a", "b", "c"].into_iter().enumerate() {
                            match (thread * 7 + round * 5 + nth * nth * 3) % 5 {
                                0 | 1 => names.push(letter.to_uppercase()),
                                2 => names.push(letter.to_owned()),
                                _ => {}
                            }
                        }
                        if names.is_empty() {
                            continue;
                        }
                        let held = take(&*locks, &names.join(" "));
                        for name in &names {
                            let nth = usize::from(name.to_lowercase().as_bytes()[0] - b'a');
                            let one = if name.starts_with(char::is_uppercase) { -1 } else { 1 };
                            let before = inside[nth].fetch_add(one, Ordering::SeqCst);
                            assert!(
                                if one < 0 { before == 0 } else { before >= 0 },
                                "{before} inside {name}"
                            );
                        }
                        std::thread::sleep(Duration::from_micros(200));
                        for name in &names {
                            let nth = usize::from(name.to_lowercase().as_bytes()[0] - b'a');
                            let one = if name.starts_with(char::is_uppercase) { -1 } else { 1 };
                            inside[nth].fetch_sub(one, Ordering::SeqCst);
                        }
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(world.open("").list().unwrap(), []);
    });
}
