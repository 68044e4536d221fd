//! The queue, as a value: who holds and waits, which fences were given out. Nothing here touches a file.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::live::Process;
use crate::{Fence, LockSet, Owner, Standing, Ticket};

/// So many names have their newest exclusive fence listed, before those that nobody can fall behind are put together.
const MOST_NAMES: usize = 64;

/// A fence that is greater comes from no counter.
pub(super) const GREATEST: u64 = 1 << 62;

/// All there is to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The run of the operating system in which this was written: nobody lives on from an earlier one.
    pub(super) boot: String,
    /// The fence of the next grant.
    pub(super) next: u64,
    /// Fences up to this one are known on the medium to be given out.
    pub(super) bound: u64,
    /// The newest exclusive fence of all names that are not in `newest`.
    rest: u64,
    newest: BTreeMap<String, u64>,
    /// In the order in which they asked.
    tickets: Vec<Entry>,
}

/// A [`Ticket`], as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) set: LockSet,
    pub(super) owner: Owner,
    pub(super) process: Process,
    /// Nanoseconds since 1970.
    pub(super) since: u64,
    pub(super) fence: Option<u64>,
    /// The floor, once it is broken.
    pub(super) condemned: Option<u64>,
}

impl Entry {
    fn standing(&self) -> Standing {
        match (self.condemned, self.fence) {
            (Some(_), _) => Standing::Broken,
            (None, Some(fence)) => Standing::Held(Fence(fence)),
            (None, None) => Standing::Waiting,
        }
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket {
            id: self.id.clone(),
            owner: self.owner.clone(),
            set: self.set.clone(),
            since: SystemTime::UNIX_EPOCH + Duration::from_nanos(self.since),
            standing: self.standing(),
        }
    }
}

impl State {
    /// Nobody holds anything, and all fences up to `bound` are of the past.
    pub(super) fn after(bound: u64, boot: &str) -> Self {
        Self {
            boot: boot.to_owned(),
            next: bound + 1,
            bound,
            rest: bound,
            newest: BTreeMap::new(),
            tickets: Vec::new(),
        }
    }

    pub(super) fn tickets(&self) -> &[Entry] {
        &self.tickets
    }

    pub(super) fn find(&self, id: &str) -> Option<&Entry> {
        self.tickets.iter().find(|entry| entry.id == id)
    }

    pub(super) fn standing(&self, id: &str) -> Option<Standing> {
        self.find(id).map(Entry::standing)
    }

    /// Puts a ticket at the end of the queue, if it is not in it.
    pub(super) fn enqueue(&mut self, entry: &Entry) {
        if self.find(&entry.id).is_none() {
            self.tickets.push(entry.clone());
        }
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.tickets.retain(|entry| entry.id != id);
    }

    /// Takes away the tickets whose owners are dead.
    pub(super) fn bury(&mut self, dead: &dyn Fn(&Entry) -> bool) {
        self.tickets.retain(|entry| !dead(entry));
    }

    /// Those that a ticket waits for: all that asked before, and conflict.
    pub(super) fn before<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Entry> {
        let set = self.find(id).map(|entry| &entry.set);
        let earlier = self.tickets.iter().take_while(move |entry| entry.id != id);
        earlier.filter(move |entry| set.is_some_and(|set| set.conflicts_with(&entry.set)))
    }

    /// Grants what can be granted, in the order in which it was asked for. The dead are in nobody's way.
    pub(super) fn advance(&mut self, dead: &dyn Fn(&Entry) -> bool) {
        let mut known: HashMap<String, bool> = HashMap::new();
        let mut earlier: Vec<Entry> = Vec::with_capacity(self.tickets.len());
        for mut entry in std::mem::take(&mut self.tickets) {
            if entry.fence.is_none() && entry.condemned.is_none() {
                earlier.retain(|other| {
                    !(other.set.conflicts_with(&entry.set)
                        && *known.entry(other.id.clone()).or_insert_with(|| dead(other)))
                });
                if !earlier.iter().any(|other| other.set.conflicts_with(&entry.set)) {
                    entry.fence = Some(self.grant(&entry.set));
                }
            }
            earlier.push(entry);
        }
        self.tickets = earlier;
        self.fold();
    }

    fn grant(&mut self, set: &LockSet) -> u64 {
        let fence = self.next;
        self.next += 1;
        self.raise(set, fence);
        fence
    }

    fn raise(&mut self, set: &LockSet, fence: u64) {
        self.newest.extend(set.exclusive().map(|name| (name.to_owned(), fence)));
    }

    /// A name's newest exclusive fence says something as long as somebody with an older one holds a lock. Without
    /// this, the list would have every table that was ever written.
    fn fold(&mut self) {
        if self.newest.len() <= MOST_NAMES {
            return;
        }
        let held = self.tickets.iter().filter(|entry| entry.condemned.is_none());
        let oldest = held.filter_map(|entry| entry.fence).min().unwrap_or(self.next);
        let rest = &mut self.rest;
        self.newest.retain(|_, fence| {
            let stays = *fence >= oldest;
            if !stays {
                *rest = (*rest).max(*fence);
            }
            stays
        });
    }

    pub(super) fn newest_exclusive(&self, names: &[&str]) -> Fence {
        let of = |name: &&str| self.newest.get(*name).copied().unwrap_or(self.rest);
        Fence(names.iter().map(of).max().unwrap_or(0))
    }

    /// From now on the ticket counts for nothing but keeping others out.
    pub(super) fn condemn(&mut self, id: &str) -> Option<(Ticket, Fence)> {
        let at = self.tickets.iter().position(|entry| entry.id == id)?;
        let entry = self.tickets.get(at)?.clone();
        let mut ticket = entry.ticket();
        if let Some(floor) = entry.condemned {
            return Some((ticket, Fence(floor)));
        }
        let floor = self.next;
        self.next += 1;
        if entry.fence.is_some() {
            self.raise(&entry.set, floor);
        }
        self.tickets.get_mut(at)?.condemned = Some(floor);
        ticket.standing = Standing::Broken;
        Some((ticket, Fence(floor)))
    }

    /// Every fence up to `fence` is of the past.
    pub(super) fn ensure_beyond(&mut self, fence: u64) {
        if self.next <= fence {
            self.next = fence + 1;
            self.rest = fence;
            self.newest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Mode;

    fn entry(id: &str, names: &str) -> Entry {
        let mode = |c: char| if c.is_uppercase() { Mode::Exclusive } else { Mode::Shared };
        let set = LockSet::new(names.chars().map(|c| (c.to_ascii_lowercase(), mode(c)))).unwrap();
        let owner = Owner { host: "h".into(), pid: 1, name: String::new() };
        Entry {
            id: id.into(),
            set,
            owner,
            process: Process::default(),
            since: 0,
            fence: None,
            condemned: None,
        }
    }

    /// Each step is a name and the resources that it asks for (capitals are exclusive), `-name` for one that goes,
    /// `+name` for one that dies. What is expected is who holds after all steps.
    #[test]
    fn who_asked_first_is_served_first() {
        for (steps, expected) in [
            ("1:A 2:A 3:A", "1"),
            ("1:A 2:A 3:A -1", "2"),
            ("1:a 2:a 3:a", "1 2 3"),
            // A later shared one does not starve the exclusive one before it.
            ("1:a 2:A 3:a", "1"),
            ("1:a 2:A 3:a -1", "2"),
            ("1:a 2:A 3:a -1 -2", "3"),
            ("1:a 2:A 3:a -2", "1 3"),
            // All or nothing: who waits for B has not got A either, but keeps its place for both.
            ("1:B 2:AB 3:A 4:C", "1 4"),
            ("1:B 2:AB 3:A -1", "2"),
            ("1:B 2:AB 3:A -2", "1 3"),
            ("1:A 2:B 3:AB -1", "2"),
            ("1:A 2:BA 3:ab -1", "2"),
            // The dead are in nobody's way, whether they held or waited.
            ("1:A 2:A +1", "2"),
            ("1:A 2:A 3:A +2 -1", "3"),
            ("1:A 2:A 3:A +1 +2", "3"),
        ] {
            let mut state = State::after(0, "");
            let mut dead: Vec<String> = Vec::new();
            for step in steps.split(' ') {
                match step.split_at(1) {
                    ("-", id) => state.remove(id),
                    ("+", id) => dead.push(id.to_owned()),
                    _ => state
                        .enqueue(&entry(step.split(':').next().unwrap(), step.split(':').nth(1).unwrap())),
                }
                state.advance(&|entry| dead.contains(&entry.id));
            }
            let held: Vec<_> = state
                .tickets
                .iter()
                .filter(|t| t.fence.is_some() && !dead.contains(&t.id))
                .map(|t| &*t.id)
                .collect();
            assert_eq!(held.join(" "), expected, "{steps}");
        }
    }

    #[test]
    fn what_is_condemned_keeps_others_out_until_it_is_gone() {
        let mut state = State::after(0, "");
        state.enqueue(&entry("1", "Ab"));
        state.enqueue(&entry("2", "A"));
        state.advance(&|_| false);
        assert_eq!(state.standing("1"), Some(Standing::Held(Fence(1))));
        let (ticket, floor) = state.condemn("1").unwrap();
        assert_eq!((ticket.standing, floor), (Standing::Broken, Fence(2)));
        assert_eq!(state.condemn("1").unwrap().1, floor, "a second time changes nothing");
        state.advance(&|_| false);
        assert_eq!(state.standing("2"), Some(Standing::Waiting));
        assert_eq!(state.newest_exclusive(&["a"]), Fence(2));
        assert_eq!(
            state.newest_exclusive(&["b"]),
            Fence(0),
            "other holders of what it shared are as good as before"
        );
        state.remove("1");
        state.advance(&|_| false);
        assert_eq!(state.standing("2"), Some(Standing::Held(Fence(3))));
        assert_eq!(state.condemn("nobody"), None);
    }

    proptest! {
        /// Grants, ends and breaks in any order: no two holders conflict; fences grow; whoever holds is not older
        /// than the newest exclusive fence of its names; whoever was broken is older than it as soon as somebody
        /// else got what it held exclusively, however much was put together in between.
        #[test]
        fn holders_never_conflict_and_the_stale_are_known(steps in prop::collection::vec((0u8..4, 0usize..40, prop::collection::vec((0u8..90, any::<bool>()), 1..4)), 1..200)) {
            let mut state = State::after(0, "");
            let mut broken: Vec<(LockSet, u64)> = Vec::new();
            let mut newest = 0;
            for (nth, (kind, which, names)) in steps.into_iter().enumerate() {
                let pick = if state.tickets.is_empty() { None } else { Some(state.tickets[which % state.tickets.len()].id.clone()) };
                match (kind, pick) {
                    (0, Some(id)) => state.remove(&id),
                    (1, Some(id)) if which % 4 == 0 => {
                        let entry = state.find(&id).unwrap().clone();
                        if let Some(fence) = entry.fence {
                            broken.push((entry.set, fence));
                        }
                        state.condemn(&id).unwrap();
                        state.remove(&id);
                    }
                    _ => {
                        let mut new = entry(&format!("t{nth}"), "a");
                        new.set = LockSet::new(names.into_iter().map(|(n, x)| (format!("n{n}"), if x { Mode::Exclusive } else { Mode::Shared }))).unwrap();
                        state.enqueue(&new);
                    }
                }
                state.advance(&|_| false);
                let held: Vec<_> = state.tickets.iter().filter(|t| t.fence.is_some()).collect();
                for (i, a) in held.iter().enumerate() {
                    for b in &held[..i] {
                        prop_assert!(!a.set.conflicts_with(&b.set));
                    }
                    let names: Vec<_> = a.set.iter().map(|(n, _)| n).collect();
                    prop_assert!(a.fence.unwrap() >= state.newest_exclusive(&names).0, "a holder would be refused");
                }
                for (set, fence) in &broken {
                    let names: Vec<_> = set.exclusive().collect();
                    prop_assert!(names.is_empty() || *fence < state.newest_exclusive(&names).0, "a broken one would pass");
                }
                prop_assert!(state.next >= newest);
                newest = state.next;
            }
            prop_assert!(state.newest.len() <= MOST_NAMES.max(90));
        }
    }

    #[test]
    fn names_of_the_past_are_put_together() {
        let mut state = State::after(0, "");
        for n in 0..10_000 {
            let mut new = entry("x", "a");
            new.set = LockSet::new([(format!("table{n}"), Mode::Exclusive)]).unwrap();
            state.enqueue(&new);
            state.advance(&|_| false);
            state.remove("x");
        }
        assert!(state.newest.len() <= MOST_NAMES + 1, "{} names are kept", state.newest.len());
        assert_eq!(state.newest_exclusive(&["table9999"]), Fence(10_000));
        assert!(state.newest_exclusive(&["table0"]) < Fence(10_000));
    }
}
