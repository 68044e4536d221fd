//! The same histories in stores that etcd coordinates, which itself is killed, stopped, cut off, wiped and started again.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use rustix::process::Signal;

use hypostyle::{Coordination, ErrorKind, Store};

use super::network::Network;
use super::server::Servers;
use super::worker;
use super::{histories, history};

/// Long enough for leases to end and begin again.
const LASTS: Duration = Duration::from_secs(5);

#[test]
fn every_history_over_etcd_is_one_line_of_snapshots_in_which_nothing_is_lost_or_done_twice() {
    let servers = AssertUnwindSafe(RefCell::new(Servers::start(1)));
    histories(3, move |seed, root| {
        let servers = &servers;
        let coordination = format!("etcd://{}", servers.borrow().endpoints()).parse().unwrap();
        history(seed, root, &coordination, LASTS, None, &mut |chance| match chance {
            2 => {
                let mut servers = servers.borrow_mut();
                servers.kill(0);
                servers.run(0);
            }
            3 => {
                let servers = servers.borrow();
                servers.signal(0, Signal::STOP);
                std::thread::sleep(Duration::from_millis(300));
                servers.signal(0, Signal::CONT);
            }
            _ => {}
        })
    });
}

/// Three members, of which one after another is killed or stopped, so that the leader is too.
#[test]
fn every_history_over_a_cluster_goes_on_when_members_are_lost() {
    let servers = AssertUnwindSafe(RefCell::new(Servers::start(3)));
    histories(1, move |seed, root| {
        let servers = &servers;
        let coordination = format!("etcd://{}", servers.borrow().endpoints()).parse().unwrap();
        let mut turn = 0;
        history(seed, root, &coordination, LASTS, None, &mut |chance| {
            turn += 1;
            match chance {
                2 | 3 => {
                    let mut servers = servers.borrow_mut();
                    servers.kill(turn % 3);
                    std::thread::sleep(Duration::from_millis(300));
                    servers.run(turn % 3);
                    servers.wait();
                }
                4 => {
                    let servers = servers.borrow();
                    servers.signal(turn % 3, Signal::STOP);
                    std::thread::sleep(Duration::from_millis(700));
                    servers.signal(turn % 3, Signal::CONT);
                }
                _ => {}
            }
        })
    });
}

/// Three members, each on a cable that is pulled: one alone, which may be the leader and goes on believing it for a
/// moment; two, so that nobody has a majority; all of them.
#[test]
fn every_history_over_a_cluster_that_falls_apart_loses_nothing_and_does_nothing_twice() {
    let network = match Network::new(3) {
        Ok(network) => AssertUnwindSafe(network),
        Err(why) => return println!("NOT RUN: no network can be made here ({why})"),
    };
    let servers = AssertUnwindSafe(Servers::start_in(&network.members()));
    histories(1, move |seed, root| {
        let (servers, network) = (&servers, &network);
        let coordination: Coordination = format!("etcd://{}", servers.endpoints()).parse().unwrap();
        let mut turn = 0;
        history(seed, root, &coordination, 2 * LASTS, None, &mut |chance| {
            turn += 1;
            let pulled: &[usize] = match chance {
                // The cable of the leader is among them, whichever that is.
                2 | 3 => &[[0], [1], [2]][turn % 3],
                4 => &[[0, 1], [1, 2], [2, 0]][turn % 3],
                _ if turn % 4 == 0 => &[0, 1, 2],
                _ => return,
            };
            for member in pulled {
                network.pull(*member, true);
            }
            // Longer than it takes to elect a leader.
            std::thread::sleep(Duration::from_millis(if pulled.len() == 1 { 2_500 } else { 1_200 }));
            for member in pulled {
                network.pull(*member, false);
            }
            servers.wait();
        })
    });
}

/// In the middle of a history etcd loses all that it knew. From then on nothing is read or written; when its own data
/// is put back, all that was acknowledged is there.
#[test]
fn a_history_whose_etcd_is_wiped_stops_there_and_goes_on_when_its_data_is_back() {
    let servers = AssertUnwindSafe(RefCell::new(Servers::start(1)));
    histories(1, move |seed, root| {
        let servers = &servers;
        let coordination = format!("etcd://{}", servers.borrow().endpoints()).parse().unwrap();
        let kept = tempfile::tempdir().unwrap();
        let (begun, mut is_wiped) = (std::time::Instant::now(), false);
        history(seed, root, &coordination, LASTS, None, &mut |_| {
            let mut servers = servers.borrow_mut();
            if !is_wiped && begun.elapsed() > LASTS / 3 {
                is_wiped = true;
                std::fs::write(root.join(worker::WIPED), "").unwrap();
                servers.kill(0);
                super::copy(&servers.data(0), kept.path());
                servers.wipe(0);
                servers.run(0);
                servers.wait();
                let store = Store::open(root).unwrap();
                for error in [
                    worker::read(&store, &super::TABLES, None).map(drop).unwrap_err(),
                    store.transaction(["a"]).map(drop).unwrap_err(),
                ] {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                }
                std::thread::sleep(Duration::from_millis(700));
                servers.kill(0);
                std::fs::remove_dir_all(servers.data(0)).unwrap();
                super::copy(kept.path(), &servers.data(0));
                servers.run(0);
                servers.wait();
            }
        })
    });
}
