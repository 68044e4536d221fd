//! All that is done to a file: what there is of each kind of malice.

use crate::files::{File, footer, pages, with_footer, with_header};
use crate::thrift::{Kind, Part, list, parts, replaced, varint, zigzag};

/// Where in a file a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Region {
    PageBody,
    PageHeader,
    Footer,
    /// The magic words, the footer's length, indexes.
    Rest,
}

/// Takes a change: what it is, where, and the changed file.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&dyn Fn() -> String, Region, &dyn Fn() -> Vec<u8>);

pub(crate) fn truncations(file: &File, each: Each<'_>) {
    for len in 0..file.bytes.len() {
        each(&|| format!("cut to {len} bytes"), Region::Rest, &|| file.bytes[..len].to_vec());
    }
}

pub(crate) fn flips(file: &File, each: Each<'_>) {
    let (pages, end) = (pages(&file.bytes), footer(&file.bytes));
    for at in 0..file.bytes.len() {
        let region = match pages.iter().find(|p| (p.header.start..p.body.end).contains(&at)) {
            Some(page) if page.header.contains(&at) => Region::PageHeader,
            Some(_) => Region::PageBody,
            None if end.contains(&at) => Region::Footer,
            None => Region::Rest,
        };
        for bit in 0..8 {
            let flipped = || {
                let mut bytes = file.bytes.clone();
                bytes[at] ^= 1 << bit;
                bytes
            };
            each(&|| format!("bit {bit} of byte {at}"), region, &flipped);
        }
    }
}

/// What a part may be instead, in bytes. `others` are the numbers of the same file: places and sizes that are right
/// elsewhere.
fn instead(part: &Part, others: &[i64]) -> Vec<Vec<u8>> {
    match part.kind {
        Kind::Number(bits) => {
            let most = if bits >= 64 { i64::MAX } else { (1 << (bits - 1)) - 1 };
            let value = part.value;
            let mut numbers = vec![0, -1, 1, most, most - 1, -most - 1, value.wrapping_neg(), value ^ 1];
            numbers.extend([value.wrapping_add(1), value.wrapping_sub(1), value.wrapping_mul(2), value / 2]);
            numbers.extend([i64::MAX, i64::MIN, 1 << 31, 1 << 32, 1 << 20]);
            // Every enumeration is small.
            if (0..=20).contains(&value) && bits == 32 {
                numbers.extend(0..=20);
            }
            if bits == 64 {
                numbers.extend(others);
            }
            numbers.sort_unstable();
            numbers.dedup();
            let mut all: Vec<Vec<u8>> = numbers.into_iter().filter(|n| *n != value).map(zigzag).collect();
            // A number that does not end, and one in more bytes than it needs.
            all.push(vec![0xff; 12]);
            all.push([vec![0x80; 9], vec![1]].concat());
            all
        }
        Kind::Length => {
            let value = part.value as u64;
            [
                0,
                1,
                value + 1,
                value.saturating_sub(1),
                1 << 20,
                1 << 31,
                u64::from(u32::MAX),
                1 << 62,
                u64::MAX,
            ]
            .into_iter()
            .filter(|len| *len != value)
            .map(varint)
            .collect()
        }
        Kind::List(kind) => {
            let value = part.value as u64;
            let lengths = [
                0,
                1,
                value + 1,
                value.saturating_sub(1),
                14,
                1000,
                1 << 16,
                (1 << 31) - 1,
                (1 << 31) - 2,
                1 << 31,
                u64::from(u32::MAX),
                1 << 40,
                u64::MAX,
            ];
            let lengths = lengths.into_iter().filter(|len| *len != value).map(|len| list(kind, len));
            lengths.chain((0..14).map(|kind| list(kind, value))).collect()
        }
        Kind::Head => {
            let head = part.value as u8;
            let kinds = (0..14).map(|kind| head & 0xf0 | kind);
            let numbers = [0, 1, 2, 3, 15].map(|step| step << 4 | head & 0x0f);
            kinds.chain(numbers).filter(|h| *h != head).map(|h| vec![h]).collect()
        }
    }
}

/// Each number, length, list and head of the footer, one after the other.
pub(crate) fn footer_fields(file: &File, each: Each<'_>) {
    let place = footer(&file.bytes);
    let old = &file.bytes[place.clone()];
    let (parts, _) = parts(old, 0);
    let mut others: Vec<i64> = parts.iter().filter(|p| p.kind == Kind::Number(64)).map(|p| p.value).collect();
    others.sort_unstable();
    others.dedup();
    for part in &parts {
        for with in instead(part, &others) {
            let what = || format!("footer {:?} {:?} {} as {with:02x?}", part.path, part.kind, part.value);
            each(&what, Region::Footer, &|| with_footer(&file.bytes, &replaced(old, &part.at, &with)));
        }
    }
    // Places and sizes of one chunk in another's stead: chunks that overlap, that are swapped.
    let numbers: Vec<&Part> = parts.iter().filter(|p| p.kind == Kind::Number(64) && p.path[0] == 4).collect();
    for (i, a) in numbers.iter().enumerate() {
        for b in numbers.iter().skip(i + 1).filter(|b| b.value != a.value && b.path.last() == a.path.last()) {
            let swapped = || {
                let later = replaced(old, &b.at, &zigzag(a.value));
                with_footer(&file.bytes, &replaced(&later, &a.at, &zigzag(b.value)))
            };
            each(&|| format!("footer {:?} and {:?} swapped", a.path, b.path), Region::Footer, &swapped);
        }
    }
}

/// The same of every page's header.
pub(crate) fn page_fields(file: &File, each: Each<'_>) {
    for page in pages(&file.bytes) {
        let old = &file.bytes[page.header.clone()];
        let (parts, _) = parts(old, 0);
        for part in &parts {
            for with in instead(part, &[]) {
                let what = || {
                    let Part { path, kind, value, .. } = part;
                    format!("page at {}: {path:?} {kind:?} {value} as {with:02x?}", page.header.start)
                };
                let changed = || with_header(&file.bytes, &page.header, &replaced(old, &part.at, &with));
                each(&what, Region::PageHeader, &changed);
            }
        }
        // The first bytes of what follows are lengths and widths.
        for at in page.body.clone().take(12) {
            for value in [0, 1, 2, 0x20, 0x21, 0x40, 0x41, 0x7f, 0x80, 0xfe, 0xff] {
                let changed = || replaced(&file.bytes, &(at..at + 1), &[value]);
                each(&|| format!("byte {at} of a page as {value}"), Region::PageBody, &changed);
            }
            let run = at..(at + 4).min(page.body.end);
            for word in [0xff, 0x00, 0x7f] {
                let changed = || replaced(&file.bytes, &run, &vec![word; run.len()]);
                each(&|| format!("bytes from {at} of a page as {word}"), Region::PageBody, &changed);
            }
        }
    }
}

/// Thrift that is deep or wide, in a field that nobody knows.
fn shapes() -> Vec<(String, Vec<u8>)> {
    // Field 100 of a struct, in its long form.
    let field = |kind: u8, value: Vec<u8>| [vec![kind], zigzag(100), value].concat();
    let mut out = Vec::new();
    for depth in [10, 60, 70, 1_000, 100_000, 1_000_000] {
        let deep = |open: &[u8], close: &[u8]| [open.repeat(depth), vec![0], close.repeat(depth)].concat();
        out.push((format!("{depth} structs deep"), field(12, deep(&[0x1c], &[0]))));
        out.push((format!("{depth} structs that do not end"), field(12, vec![0x1c; depth])));
        out.push((format!("{depth} lists deep"), field(9, [vec![0x19; depth], vec![0x03]].concat())));
        out.push((format!("{depth} maps deep"), field(11, [0x01, 0xbb].repeat(depth))));
    }
    for wide in [1_000, 300_000] {
        let structs = [list(12, wide), vec![0; wide as usize]].concat();
        out.push((format!("{wide} empty structs"), field(9, structs)));
        out.push((format!("{wide} numbers"), field(9, [list(5, wide), vec![2; wide as usize]].concat())));
        let fields: Vec<u8> = (0..wide).flat_map(|_| [0x15, 2]).collect();
        out.push((format!("{wide} fields"), field(12, [fields, vec![0]].concat())));
    }
    for len in [1 << 20, (1 << 31) - 1, 1 << 31, 1 << 40, u64::MAX] {
        for kind in 1..13 {
            out.push((format!("a list of {len} of type {kind}"), field(9, list(kind, len))));
        }
        out.push((format!("a map of {len}"), field(11, [varint(len), vec![0x55]].concat())));
        out.push((format!("a text of {len}"), field(8, varint(len))));
    }
    out
}

/// Deep and wide thrift in the footer and in page headers, and schemas that are deep and wide.
pub(crate) fn structures(file: &File, each: Each<'_>) {
    let place = footer(&file.bytes);
    let old = &file.bytes[place];
    let (known, _) = parts(old, 0);
    // At the end of the outermost struct, and within the first column chunk.
    let inner = known.iter().find(|p| p.path == [4, 0, 1, 0, 3] && p.kind == Kind::Head).unwrap();
    for (name, shape) in shapes() {
        let end = old.len() - 1;
        each(&|| format!("footer: {name}"), Region::Footer, &|| {
            with_footer(&file.bytes, &replaced(old, &(end..end), &shape))
        });
        each(&|| format!("footer, inside: {name}"), Region::Footer, &|| {
            // Behind it, the number of the next field is in full: it is not a step.
            let at = inner.at.clone();
            with_footer(&file.bytes, &replaced(old, &at, &[&shape[..], &[0x0c], &zigzag(3)].concat()))
        });
        let page = &pages(&file.bytes)[0];
        let header = &file.bytes[page.header.clone()];
        let end = header.len() - 1;
        each(&|| format!("page header: {name}"), Region::PageHeader, &|| {
            with_header(&file.bytes, &page.header, &replaced(header, &(end..end), &shape))
        });
    }
    for many in [10u64, 1_000, 100_000] {
        for (name, schema) in schemas(many) {
            each(&|| format!("a schema of {many}: {name}"), Region::Footer, &|| {
                let elements = list(12, schema.1);
                // Version 1, the schema, no rows, no row groups.
                let footer = [&[0x15, 2, 0x19], &elements[..], &schema.0, &[0x16, 0, 0x19, 0x0c, 0]].concat();
                with_footer(&file.bytes, &footer)
            });
        }
    }
}

type Schema = (Vec<u8>, u64);

/// Schemas, each with its number of elements.
fn schemas(many: u64) -> Vec<(&'static str, Schema)> {
    let group = |repetition: u8, children: i64| {
        [&[0x35, repetition, 0x18, 1, b'g', 0x15][..], &zigzag(children), &[0]].concat()
    };
    let leaf = |repetition: u8| vec![0x15, 4, 0x25, repetition, 0x18, 1, b'l', 0];
    let mut out = Vec::new();
    for (name, repetition) in [("required", 0), ("optional", 2), ("repeated", 4)] {
        let deep = [group(0, 1), group(repetition, 1).repeat(many as usize), leaf(repetition)].concat();
        out.push((name, (deep, many + 2)));
    }
    out.push(("wide", ([group(0, many as i64), leaf(2).repeat(many as usize)].concat(), many + 1)));
    // Pairs, each inside the pair before: half as deep as it is long.
    let pairs = [group(0, 1), [group(2, 2), leaf(2)].concat().repeat(many as usize), leaf(2)].concat();
    out.push(("pairs", (pairs, 2 * many + 2)));
    out
}
