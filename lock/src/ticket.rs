//! Who holds or waits for what.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Fence, LockSet};

/// Who asks for locks, for people to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of the machine.
    pub host: String,
    /// The number of the process there.
    pub pid: u32,
    /// What the user calls it; empty without a name.
    pub name: String,
}

impl Owner {
    /// This process, under a name of the user's choice.
    ///
    /// ```
    /// let owner = hypostyle_lock::Owner::here("nightly load");
    /// assert!(owner.to_string().starts_with("nightly load (process "));
    /// ```
    pub fn here(name: impl Into<String>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host, pid: std::process::id(), name: name.into() }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "process {} on {}", self.pid, self.host),
            name => write!(f, "{name} (process {} on {})", self.pid, self.host),
        }
    }
}

/// How far a ticket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for others.
    Waiting,
    /// Its set is held.
    Held(Fence),
    /// It was broken, and its owner may not know yet.
    Broken,
}

/// A place in the queue, or a set that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What [`break_lock`](crate::Locks::break_lock) calls it.
    pub id: String,
    /// Who asked.
    pub owner: Owner,
    /// For what.
    pub set: LockSet,
    /// Since when, by the clock of who asked: for people, never compared.
    pub since: SystemTime,
    /// How far it has come.
    pub standing: Standing,
}

impl Ticket {
    /// The fence, if the set is held.
    pub fn fence(&self) -> Option<Fence> {
        match self.standing {
            Standing::Held(fence) => Some(fence),
            Standing::Waiting | Standing::Broken => None,
        }
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.since.elapsed().unwrap_or_default().as_secs();
        let verb = match self.standing {
            Standing::Waiting => "waits for",
            Standing::Held(_) => "holds",
            Standing::Broken => "held, until it was broken,",
        };
        write!(f, "{} {verb} {}, asked {seconds} s ago", self.owner, self.set)
    }
}

/// A ticket that counts no more, and still keeps others out until it is [freed](crate::Locks::free).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condemned {
    /// As it was.
    pub ticket: Ticket,
    /// Newer than the condemned grant; no grant to come that conflicts with it is older.
    pub floor: Fence,
}
