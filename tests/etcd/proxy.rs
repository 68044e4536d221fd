//! A way to etcd that can be made slow, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What is done to what goes through.
#[derive(Default)]
struct Rules {
    /// Answers do not come back, and connections are cut after a while.
    answers_are_lost: AtomicBool,
    /// Milliseconds in each direction.
    delay: AtomicU64,
    lost: AtomicUsize,
}

/// Ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    rules: Arc<Rules>,
}

impl Proxy {
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let rules = Arc::new(Rules::default());
        let (server, shared) = (server.to_owned(), Arc::clone(&rules));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                }
                let (a, b) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (one, other) = (Arc::clone(&shared), Arc::clone(&shared));
                std::thread::spawn(move || pass(client, server, &one, false));
                std::thread::spawn(move || pass(b, a, &other, true));
            }
        });
        Self { address, rules }
    }

    /// From now on requests arrive, and their answers do not.
    pub(crate) fn lose_answers(&self, lose: bool) {
        self.rules.answers_are_lost.store(lose, Ordering::SeqCst);
    }

    pub(crate) fn lost(&self) -> usize {
        self.rules.lost.load(Ordering::SeqCst)
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.rules.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, rules: &Rules, is_answer: bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(rules.delay.load(Ordering::SeqCst)));
        if is_answer && rules.answers_are_lost.load(Ordering::SeqCst) {
            rules.lost.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
