//! What a footer may not look like: what the `parquet` crate would make room for, go down to or count through before
//! it sees that it is not there.
//!
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `FileMetaData` and
//! `SchemaElement`

use super::signed::Thrift;
use crate::error::{Error, Result};

/// `schema` of `FileMetaData`, and `num_children` of its elements.
const SCHEMA: i64 = 2;
const CHILDREN: i64 = 5;

/// Groups in groups. The deepest that anybody was seen to write has some ten levels; the crate goes down into each
/// with a function of its own, and so does whoever walks its types.
pub(super) const DEEPEST: usize = 100;

/// Levels of thrift that are walked.
const LEVELS: u32 = 64;

/// Refuses footers whose schema is too deep, or has fewer elements than it says.
pub(super) fn check_footer(footer: &[u8]) -> Result<()> {
    check_lists(footer)?;
    // What cannot be walked is left to the crate to complain of.
    check_schema(footer).unwrap_or(Ok(()))
}

/// Refuses thrift with lists that are longer than their bytes.
///
/// The crate counts through lists of booleans that it does not know without a look at a byte: two billion rounds for
/// each. Such lists are in no footer; only where there may be one are all lists looked at.
pub(crate) fn check_lists(thrift: &[u8]) -> Result<()> {
    // A list of more than 14 elements of type 1 or 2, and more than 2²¹ of them: four bytes of a number.
    let may_be = |bytes: &[u8]| match bytes {
        [0xf1 | 0xf2, a, b, c, ..] => (a & b & c) >= 0x80,
        _ => false,
    };
    // The crate reads fields that it knows without a look at their types, and then goes another way than this walk,
    // which ends elsewhere.
    let mut walk = Thrift(thrift);
    let ends =
        |walk: &mut Thrift<'_>| walk.find_field(Thrift::NO_FIELD, LEVELS).is_some() && walk.0.is_empty();
    if thrift.windows(4).any(may_be) && !ends(&mut walk) {
        return Err(Error::corrupt("its lists are longer than its bytes").hint("write the file again"));
    }
    Ok(())
}

fn check_schema(footer: &[u8]) -> Option<Result<()>> {
    let mut from = Thrift(footer);
    if !from.find_field(SCHEMA, LEVELS)? {
        return None;
    }
    let (kind, mut left) = from.list()?;
    if kind != Thrift::STRUCT {
        return None;
    }
    // For each group that is open, the children still to come.
    let mut open: Vec<u64> = Vec::new();
    while left > 0 {
        left -= 1;
        let mut children = 0;
        if from.find_field(CHILDREN, LEVELS)? {
            children = from.signed()?;
            // The numbers of the fields behind it do not matter.
            from.find_field(Thrift::NO_FIELD, LEVELS)?;
        }
        match u64::try_from(children) {
            Ok(0) => {
                while let Some(last) = open.last_mut() {
                    *last -= 1;
                    if *last > 0 {
                        break;
                    }
                    open.pop();
                }
            }
            Ok(children) if children <= left => open.push(children),
            _ => {
                return Some(Err(Error::corrupt(format!(
                    "a group of the schema says it has {children} children, and {left} elements follow"
                ))
                .hint("write the file again")));
            }
        }
        if open.len() > DEEPEST {
            return Some(Err(Error::limit(format!("the schema is more than {DEEPEST} levels deep"))));
        }
    }
    Some(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// An element of the schema with so many children.
    fn element(children: u8) -> Vec<u8> {
        if children == 0 { vec![0x48, 1, b'l', 0] } else { vec![0x48, 1, b'g', 0x15, children * 2, 0] }
    }

    fn footer(children: &[u8]) -> Vec<u8> {
        let elements: Vec<u8> = children.iter().flat_map(|c| element(*c)).collect();
        [&[0x15, 2, 0x19, 0xfc, children.len() as u8][..], &elements, &[0x16, 0, 0x19, 0x0c, 0]].concat()
    }

    #[test]
    fn schemas_that_lie_or_are_deep_are_refused_and_sound_ones_are_not() {
        let deep = |levels: usize| [vec![1; levels], vec![0]].concat();
        for (children, expected) in [
            (vec![2, 0, 0], None),
            (vec![0], None),
            (vec![3, 2, 0, 0, 1, 0, 0], None),
            (vec![1, 1], Some(ErrorKind::Corrupt)),
            (vec![3, 0, 0], Some(ErrorKind::Corrupt)),
            (vec![63], Some(ErrorKind::Corrupt)),
            (deep(DEEPEST), None),
            (deep(DEEPEST + 1), Some(ErrorKind::LimitExceeded)),
            // Pairs: the second of each pair is the next pair.
            ([[2, 0].repeat(60), vec![0]].concat(), None),
        ] {
            let found = check_footer(&footer(&children)).err().map(|e| e.kind());
            assert_eq!(found, expected, "{children:?}");
        }
        for len in 0..20 {
            let _ = check_footer(&footer(&[2, 0, 0])[..len]);
        }
    }

    #[test]
    fn a_list_of_two_billion_booleans_is_refused_where_it_is_a_list() {
        let list = [0xf1, 0xff, 0xff, 0xff, 0xff, 0x07];
        let sound = footer(&[1, 0]);
        let open = &sound[..sound.len() - 1];
        // Field 100: the list, and a text that has the same bytes.
        let forged = [open, &[0x09, 0xc8, 0x01], &list, &[0]].concat();
        // In the field -1, which a walk to a field that there is none of must not take for it.
        let negative = [open, &[0x09, 0x01], &list, &[0]].concat();
        assert_eq!(check_footer(&negative).unwrap_err().kind(), ErrorKind::Corrupt);
        let text = [open, &[0x08, 0xc8, 0x01, 6], &list, &[0]].concat();
        assert_eq!(check_footer(&forged).unwrap_err().kind(), ErrorKind::Corrupt);
        check_footer(&text).unwrap();
    }
}
