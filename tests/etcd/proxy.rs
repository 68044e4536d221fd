//! A way to etcd that can be made slow, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

fn pass(mut from: TcpStream, to: TcpStream, rules: &Rules, is_answer: bool) {
    // What is on its way does not keep what follows it.
    let (sender, on_its_way) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
    let (ended, mut end) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        for (due, bytes) in on_its_way {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if end.write_all(&bytes).is_err() {
                break;
            }
        }
        for stream in [ended, end] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if is_answer && rules.answers_are_lost.load(Ordering::SeqCst) {
            rules.lost.fetch_add(1, Ordering::SeqCst);
            break;
        }
        let due = Instant::now() + Duration::from_millis(rules.delay.load(Ordering::SeqCst));
        if sender.send((due, buffer[..count].to_vec())).is_err() {
            break;
        }
    }
}
