//! Other processes: this test program once more, told by its environment what to do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::world::{LONG, open, take};

const ROLE: &str = "HYPOSTYLE_LOCK_CHILD";

/// A process that does what it is told, and is killed with this.
pub struct Other {
    child: Child,
    said: Receiver<String>,
    _stdin: ChildStdin,
}

impl Other {
    /// `role` is a line of words, see [`child`].
    pub fn start(role: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child::child", "--nocapture"]).env(ROLE, role);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // The test harness writes into the same pipe, and ends none of its lines before ours.
                if let Some((_, said)) = line.split_once("@ ") {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        let _stdin = child.stdin.take().unwrap();
        Self { child, said, _stdin }
    }

    /// One that takes a set and keeps it.
    pub fn holding(address: &str, names: &str) -> Self {
        let other = Self::start(&format!("hold {address}|{names}"));
        assert_eq!(other.hear(), "held");
        other
    }

    pub fn hear(&self) -> String {
        self.said.recv_timeout(LONG).expect("the other process says something")
    }

    pub fn is_silent(&self) -> bool {
        self.said.try_recv().is_err()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn wait(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "@ {text}").unwrap();
    stdout.flush().unwrap();
}

/// No test, but what another process does.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (verb, rest) = role.split_once(' ').unwrap();
    match verb {
        "hold" => {
            let (address, names) = rest.split_once('|').unwrap();
            let locks = open(address, "child");
            let held = take(&*locks, names);
            say("held");
            while !held.wait_lost(Duration::from_secs(3600)) {}
            let checked = held.check().is_err();
            say(&format!("lost {checked}"));
            // Until our parent ends.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        "race" => crate::histories::race(rest),
        _ => panic!("{role}"),
    }
}
