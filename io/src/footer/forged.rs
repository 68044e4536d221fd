//! Footers and column indexes that are not what the format says, some of them made to look so to whoever goes by the types.

use bytes::Bytes;

use super::*;
use crate::ErrorKind::{Corrupt, LimitExceeded, Unsupported};

/// As deep as ends the stack of a thread, if the crate goes down.
const DEEP: usize = 100_000;

const LEAF: &[u8] = &[0x15, 2, 0x25, 0, 0x18, 1, b'l', 0];
const GROUP_OF_ONE: &[u8] = &[0x48, 1, b'g', 0x15, 2, 0];
/// No rows, no row groups, the end.
const REST: &[u8] = &[0x16, 0, 0x19, 0x0c, 0];

fn number(value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    part::varint(&mut out, value as u64);
    out
}

/// The field `schema` behind the field `version`.
fn schema(elements: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x19, 0xfc], number(elements.len()), elements.concat()].concat()
}

fn footer(elements: &[Vec<u8>]) -> Vec<u8> {
    [&[0x15, 2][..], &schema(elements), REST].concat()
}

/// Elements with so many children each.
fn elements(children: &[u8]) -> Vec<Vec<u8>> {
    let element = |children: &u8| match children {
        0 => LEAF.to_vec(),
        _ => vec![0x48, 1, b'g', 0x15, children * 2, 0],
    };
    children.iter().map(element).collect()
}

/// A chain of groups.
fn deep() -> Vec<Vec<u8>> {
    [vec![GROUP_OF_ONE.to_vec(); DEEP], vec![LEAF.to_vec()]].concat()
}

fn parse(footer: &[u8]) -> Result<Footer> {
    let tail = Tail { start: 0, bytes: Bytes::copy_from_slice(footer), metadata: 0..footer.len() };
    Footer::parse(&tail, &Run::default())
}

#[test]
fn a_schema_that_only_the_crate_sees_is_refused_before_it_goes_down_into_it() {
    // `version` is a text, in which the crate reads on behind its length.
    let within = [schema(&deep()), REST.to_vec()].concat();
    let harmless = [&schema(&elements(&[1, 0]))[..], REST].concat();
    let hidden = [vec![0x18], number(within.len()), within, harmless].concat();
    // Every group says twice how many children it has: none, and one.
    let twice = [&GROUP_OF_ONE[..3], &[0x15, 0, 0x05, 10, 2, 0]].concat();
    let twice = footer(&[vec![twice; DEEP], vec![LEAF.to_vec()]].concat());
    for (forged, field) in [(hidden, "`version` has a type"), (twice, "`num_children` comes twice")] {
        let error = parse(&forged).unwrap_err();
        assert_eq!(error.kind(), Corrupt);
        assert!(error.message().contains(field), "{error}");
    }
}

#[test]
fn a_column_that_only_the_crate_sees_deep_is_refused_before_it_goes_down_into_it() {
    // `type_length` of the column is a text, in which the crate reads on behind its length. Beside it, the column is
    // a group of so many leaves.
    let within = [&[0x28, 1, b'g', 0x15, 2, 0][..], &deep().concat()].concat();
    let children = number(DEEP * 2);
    let head = [vec![0x28], number(within.len()), within, vec![0x28, 1, b'a', 0x15], children, vec![0]];
    let column = [vec![head.concat()], vec![LEAF.to_vec(); DEEP]].concat();
    let footer = parse(&footer(&[elements(&[1]), column].concat())).unwrap();
    assert!(footer.outline.is_some());
    let error = footer.part(0).unwrap_err();
    assert_eq!(error.kind(), Corrupt);
    assert!(error.message().contains("`type_length` has a type"), "{error}");
}

#[test]
fn schemas_that_lie_or_are_deep_are_refused_and_sound_ones_are_not() {
    let groups = |levels: usize| [vec![1; levels], vec![0]].concat();
    for (children, expected) in [
        (vec![2, 0, 0], None),
        (vec![0], None),
        (vec![3, 2, 0, 0, 1, 0, 0], None),
        (vec![1, 1], Some(Corrupt)),
        (vec![3, 0, 0], Some(Corrupt)),
        (vec![63], Some(Corrupt)),
        (groups(shape::DEEPEST), None),
        (groups(shape::DEEPEST + 1), Some(LimitExceeded)),
        // Pairs: the second of each pair is the next pair.
        ([[2, 0].repeat(60), vec![0]].concat(), None),
    ] {
        let found = check_footer(&footer(&elements(&children))).err().map(|e| e.kind());
        assert_eq!(found, expected, "{children:?}");
    }
    let sound = footer(&elements(&[2, 0, 0]));
    for len in 0..sound.len() {
        assert_eq!(check_footer(&sound[..len]).unwrap_err().kind(), Corrupt, "{len}");
    }
}

#[test]
fn a_footer_is_what_the_format_says_or_is_refused() {
    let sound = footer(&elements(&[1, 0]));
    let open = &sound[..sound.len() - 1];
    // Two billion booleans, and structures.
    let list = |of: u8| [0xf0 | of, 0xff, 0xff, 0xff, 0xff, 0x07];
    let signature = |last: u8| [vec![7; 27], vec![last]].concat();
    // Field 8, with the number as a step or in full: a structure with an empty structure in it.
    let (step, full) = ([0x4c, 0x1c, 0, 0, 0], [0x0c, 16, 0x1c, 0, 0, 0]);
    let orders = [0x39, 0x1c, 0x1c, 0, 0];
    for (more, expected) in [
        (vec![0], None),
        // A signature behind it, and encrypted columns.
        ([&[0][..], &signature(1)].concat(), None),
        ([&step[..], &signature(1)].concat(), Some(Unsupported)),
        ([&full[..], &signature(1)].concat(), Some(Unsupported)),
        ([&step[..], &signature(0)].concat(), Some(Unsupported)),
        ([&orders[..], &[0]].concat(), None),
        ([&orders[..], &[0x1c, 0x1c, 0, 0, 0], &signature(0)].concat(), Some(Unsupported)),
        // Field 100 is of a later format: the list, and a text that has the same bytes.
        ([&[0x09, 0xc8, 1][..], &list(1), &[0]].concat(), Some(Corrupt)),
        ([&[0x09, 0xc8, 1][..], &list(12), &[0]].concat(), Some(Corrupt)),
        ([&[0x08, 0xc8, 1, 6][..], &list(1), &[0]].concat(), None),
        // Field -1.
        ([&[0x09, 1][..], &list(2), &[0]].concat(), Some(Corrupt)),
        // `created_by` as a number, `schema` once more, an end that is missing.
        (vec![0x25, 2, 0], Some(Corrupt)),
        (vec![0x09, 4, 0x0c, 0], Some(Corrupt)),
        (vec![], Some(Corrupt)),
        (vec![0x1c; 4000], Some(Corrupt)),
        (vec![0x39; 4000], Some(Corrupt)),
    ] {
        let found = decode(&[open, &more].concat()).err().map(|e| e.kind());
        assert_eq!(found, expected, "{more:x?}");
    }
}

#[test]
fn a_column_index_is_what_the_format_says_or_is_refused() {
    for (bytes, expected) in [
        // Booleans, each a byte; texts; a number.
        (vec![0x19, 0x21, 1, 2, 0x19, 0x28, 1, b'a', 0, 0x19, 0x08, 0x15, 2, 0], None),
        (vec![0x19, 0x32, 0, 0, 0, 0], None),
        (vec![0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 7], Some(Corrupt)),
        (vec![0x19, 0x32, 0, 0], Some(Corrupt)),
        (vec![0x19, 0x15, 2, 0], Some(Corrupt)),
        (vec![0x11, 0], Some(Corrupt)),
    ] {
        assert_eq!(check_column_index(&bytes).err().map(|e| e.kind()), expected, "{bytes:x?}");
    }
}
