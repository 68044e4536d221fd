//! The same histories in stores that etcd coordinates, which itself is killed, stopped and started again.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use rustix::process::Signal;

use super::server::Servers;
use super::{histories, history};

/// Long enough for leases to end and begin again.
const LASTS: Duration = Duration::from_secs(5);

#[test]
fn every_history_over_etcd_is_one_line_of_snapshots_in_which_nothing_is_lost_or_done_twice() {
    let servers = AssertUnwindSafe(RefCell::new(Servers::start(1)));
    histories(6, move |seed, root| {
        let servers = &servers;
        let coordination = format!("etcd://{}", servers.borrow().endpoints()).parse().unwrap();
        history(seed, root, &coordination, LASTS, &mut |chance| match chance {
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
    histories(2, move |seed, root| {
        let servers = &servers;
        let coordination = format!("etcd://{}", servers.borrow().endpoints()).parse().unwrap();
        let mut turn = 0;
        history(seed, root, &coordination, LASTS, &mut |chance| {
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
