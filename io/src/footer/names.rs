//! The root columns of a file by their names.

use std::ops::Range;
use std::sync::OnceLock;

use ahash::RandomState;
use bytes::Bytes;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The names of a file's root columns, in order, and their positions by the hashes of the names.
#[derive(Debug)]
pub(crate) struct Names {
    text: Bytes,
    places: Vec<Range<u32>>,
    index: OnceLock<Index>,
}

#[derive(Debug)]
struct Index {
    hasher: RandomState,
    /// The first column of each name, and whether there is another one. A forged file has thousands of one name.
    places: HashTable<(usize, bool)>,
}

/// What there is under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    None,
    One(usize),
    Several,
}

impl Names {
    /// Names that lie in `text`, which is UTF-8 there.
    pub(super) fn new(text: Bytes, places: Vec<Range<u32>>) -> Self {
        Self { text, places, index: OnceLock::new() }
    }

    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        let mut places = Vec::new();
        for name in names {
            let start = text.len();
            text.push_str(name);
            // A footer has fewer bytes.
            places.push(start as u32..text.len() as u32);
        }
        Self::new(text.into(), places)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, root: usize) -> Option<&str> {
        let place = self.places.get(root)?;
        std::str::from_utf8(self.text.get(place.start as usize..place.end as usize)?).ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|root| self.get(root))
    }

    /// The columns of a name.
    pub(crate) fn find(&self, name: &str) -> Named {
        let name_of = |at: usize| self.get(at).unwrap_or_default();
        let Index { hasher, places } = self.index.get_or_init(|| {
            let hasher = RandomState::new();
            let mut places = HashTable::with_capacity(self.len());
            for at in 0..self.len() {
                let name = name_of(at);
                let same = |(other, _): &(usize, bool)| name_of(*other) == name;
                let rehash = |(other, _): &(usize, bool)| hasher.hash_one(name_of(*other));
                match places.entry(hasher.hash_one(name), same, rehash) {
                    Entry::Occupied(mut first) => first.get_mut().1 = true,
                    Entry::Vacant(free) => drop(free.insert((at, false))),
                }
            }
            Index { hasher, places }
        });
        match places.find(hasher.hash_one(name), |(at, _)| name_of(*at) == name) {
            None => Named::None,
            Some((at, false)) => Named::One(*at),
            Some(_) => Named::Several,
        }
    }
}
