//! Compact thrift, taken apart into its numbers, lengths and heads, each with its place and its path.
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use std::ops::Range;

/// What can be written anew in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A signed number of so many bits.
    Number(u32),
    /// How many bytes a text has.
    Length,
    /// How many elements a list has, and of which type.
    List(u8),
    /// A field's head: its number and its type.
    Head,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The numbers of fields, and of elements in lists, from the outside in.
    pub(crate) path: Vec<i64>,
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
    pub(crate) value: i64,
}

/// The parts of the struct that begins at `from`, and where it ends.
pub(crate) fn parts(bytes: &[u8], from: usize) -> (Vec<Part>, usize) {
    let mut walk = Walk { bytes, at: from, path: Vec::new(), parts: Vec::new() };
    walk.structure();
    (walk.parts, walk.at)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<i64>,
    parts: Vec<Part>,
}

impl Walk<'_> {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn unsigned(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn note(&mut self, kind: Kind, from: usize, value: i64) {
        self.parts.push(Part { path: self.path.clone(), kind, at: from..self.at, value });
    }

    fn structure(&mut self) {
        let mut number = 0;
        loop {
            let from = self.at;
            let head = self.byte();
            if head & 0x0f == 0 {
                return;
            }
            number = if head >> 4 == 0 { unzigzag(self.unsigned()) } else { number + i64::from(head >> 4) };
            self.path.push(number);
            self.note(Kind::Head, from, i64::from(head));
            if !matches!(head & 0x0f, 1 | 2) {
                self.value(head & 0x0f);
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) {
        let from = self.at;
        match kind {
            1..=3 => self.at += 1,
            4..=6 => {
                let value = unzigzag(self.unsigned());
                self.note(Kind::Number(8 << (kind - 3)), from, value);
            }
            7 => self.at += 8,
            8 => {
                let len = self.unsigned();
                self.note(Kind::Length, from, len as i64);
                self.at += len as usize;
            }
            9 | 10 => {
                let head = self.byte();
                let len = if head >> 4 == 15 { self.unsigned() } else { u64::from(head >> 4) };
                self.note(Kind::List(head & 0x0f), from, len as i64);
                for element in 0..len {
                    self.path.push(element as i64);
                    self.value(head & 0x0f);
                    self.path.pop();
                }
            }
            12 => self.structure(),
            other => panic!("type {other} at {from}"),
        }
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

pub(crate) fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)) as u64)
}

/// The head of a list of so many elements, in its long form.
pub(crate) fn list(kind: u8, len: u64) -> Vec<u8> {
    [vec![0xf0 | kind], varint(len)].concat()
}

/// The bytes with another content at a place.
pub(crate) fn replaced(bytes: &[u8], at: &Range<usize>, with: &[u8]) -> Vec<u8> {
    [&bytes[..at.start], with, &bytes[at.end..]].concat()
}
