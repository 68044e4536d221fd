//! What is said of single columns, beside what the `parquet` crate says of all at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::*;
use crate::ErrorKind;

/// Everything that the crate accepts is outlined to the same, and what is not outlined is left to it.
///
/// Says whether it was outlined, and how many of its columns were told.
fn check(footer: &[u8], what: &str) -> (bool, usize) {
    let Ok(whole) = Footer::entire(footer) else { return (false, 0) };
    let metadata = Arc::clone(whole.whole().unwrap());
    let tail = Tail { start: 0, bytes: Bytes::copy_from_slice(footer), metadata: 0..footer.len() };
    let footer = Footer::parse(&tail, &Run::default()).unwrap();
    let mut told = 0;
    assert_eq!(footer.names().iter().collect::<Vec<_>>(), whole.names().iter().collect::<Vec<_>>(), "{what}");
    assert_eq!((footer.rows(), footer.groups()), (whole.rows(), whole.groups()), "{what}");
    assert_eq!(footer.first_leaf, whole.first_leaf, "{what}");
    assert_eq!(
        (footer.writer(), footer.has_page_index()),
        (whole.writer(), whole.has_page_index()),
        "{what}"
    );
    for root in 0..whole.names().len() {
        let (own, theirs) = (footer.part(root).unwrap(), whole.part(root).unwrap());
        told += 1;
        // What the crate keeps of a schema is little, and not counted.
        assert!(own.memory() + 4096 >= own.metadata().memory_size() as u64, "{what}, column {root}");
        assert_eq!(own.field().unwrap(), theirs.field().unwrap(), "{what}, column {root}");
        for leaf in whole.leaves(root) {
            assert_eq!(footer.root_of(leaf), root, "{what}");
            let of_column = leaf - whole.leaves(root).start;
            let (a, b) = (
                &own.schema().columns()[own.leaf(of_column)],
                metadata.file_metadata().schema_descr().column(leaf),
            );
            assert_eq!(
                (a.path(), a.max_def_level(), a.max_rep_level()),
                (b.path(), b.max_def_level(), b.max_rep_level())
            );
            assert_eq!((a.physical_type(), a.logical_type_ref()), (b.physical_type(), b.logical_type_ref()));
            for group in 0..whole.groups() {
                assert_eq!(footer.group_rows(group), whole.group_rows(group));
                let theirs = metadata.row_group(group).column(leaf);
                // As text: a statistic that is NaN equals nothing.
                let own = format!("{:?}", own.chunk(group, of_column).unwrap());
                assert_eq!(own, format!("{theirs:?}"), "{what}, column {root}, group {group}");
            }
        }
    }
    (footer.outline.is_some(), told)
}

fn footer_of(path: &Path) -> Option<Vec<u8>> {
    let bytes = Bytes::from(std::fs::read(path).ok()?);
    let tail = find(bytes.len() as u64, |from, to| Ok(bytes.slice(from as usize..to as usize))).ok()?;
    Some(tail.bytes[tail.metadata].to_vec())
}

#[test]
fn a_column_alone_is_told_as_among_the_others_in_every_public_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/parquet-testing/data");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("NOT RUN: there is no {}", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "parquet"));
    files.sort();
    let (mut outlined, mut sound) = (0, 0);
    for path in &files {
        let Some(footer) = footer_of(path) else { continue };
        let (is_outlined, columns) = check(&footer, &path.display().to_string());
        let all = Footer::entire(&footer).map_or(0, |whole| whole.names().len());
        assert_eq!(columns, all, "{}", path.display());
        sound += usize::from(columns > 0);
        outlined += usize::from(is_outlined && columns > 0);
        if columns > 0 && !is_outlined {
            println!("whole: {}", path.display());
        }
    }
    println!("{outlined} of {sound} sound files are outlined");
    assert!(sound > 40 && outlined + 3 >= sound, "{outlined} of {sound}");
}

/// A file's footer with columns of types that the Arrow schema alone tells, so many and one with metadata.
fn hinted(first: usize, groups: usize) -> Vec<u8> {
    use arrow_array::{ArrayRef, RecordBatch, new_null_array};
    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    let texts = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let list = DataType::LargeList(Arc::new(Field::new("item", DataType::LargeUtf8, true)));
    let inner =
        [Field::new("a", DataType::Duration(TimeUnit::Second), true), Field::new("b", list.clone(), true)];
    let noted = Field::new("noted", DataType::Float64, true)
        .with_metadata(HashMap::from([("unit".to_owned(), "m/s".to_owned())]));
    let types = [
        ("plain", DataType::Float64),
        ("texts", texts),
        ("large", DataType::LargeUtf8),
        ("view", DataType::BinaryView),
        ("seconds", DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()))),
        ("duration", DataType::Duration(TimeUnit::Microsecond)),
        ("old", DataType::Date64),
        ("list", list),
        ("group", DataType::Struct(inner.into_iter().collect())),
    ];
    let fields = types.into_iter().take(first).map(|(name, data_type)| Field::new(name, data_type, true));
    let schema = Arc::new(Schema::new_with_metadata(
        fields.chain([noted]).collect::<Vec<_>>(),
        [("who".to_owned(), "a test".to_owned())],
    ));
    let columns: Vec<ArrayRef> = schema.fields().iter().map(|f| new_null_array(f.data_type(), 3)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
    for _ in 0..groups {
        writer.write(&batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let bytes = Bytes::from(bytes);
    let tail = find(bytes.len() as u64, |from, to| Ok(bytes.slice(from as usize..to as usize))).unwrap();
    tail.bytes[tail.metadata].to_vec()
}

#[test]
fn types_that_only_the_arrow_schema_tells_are_told_of_a_column_alone() {
    assert_eq!(check(&hinted(9, 20), "hinted"), (true, 10));
}

#[test]
fn a_footer_with_a_changed_bit_says_of_a_column_alone_what_it_says_of_all_or_is_refused() {
    let sound = hinted(2, 1);
    let (mut outlined, mut told) = (0, 0);
    for at in 0..sound.len() {
        for bit in 0..8 {
            let mut bent = sound.clone();
            bent[at] ^= 1 << bit;
            let (is_outlined, columns) = check(&bent, &format!("byte {at}, bit {bit}"));
            outlined += usize::from(is_outlined);
            told += columns;
        }
    }
    println!("of {} changed footers {outlined} are outlined, {told} columns told", sound.len() * 8);
    assert!(outlined > sound.len() && told > 2 * outlined);
}

/// A schema of one field `a` in base64, which is a union of so many children without their numbers; they are the same
/// list of children again for so many levels.
fn forged_arrow_schema(children: usize, levels: usize) -> Vec<u8> {
    use arrow_ipc::{
        FieldArgs, Int, IntArgs, Message, MessageArgs, MessageHeader, SchemaArgs, Type, Union, UnionArgs,
    };
    use base64::Engine;
    let mut to = flatbuffers::FlatBufferBuilder::new();
    let name = to.create_string("a");
    let int = Int::create(&mut to, &IntArgs { bitWidth: 32, is_signed: true }).as_union_value();
    let args = FieldArgs { name: Some(name), type_type: Type::Int, type_: Some(int), ..Default::default() };
    let mut field = arrow_ipc::Field::create(&mut to, &args);
    for _ in 0..levels {
        let list = to.create_vector(&vec![field; children]);
        let union = Union::create(&mut to, &UnionArgs::default()).as_union_value();
        let (type_type, type_) = (Type::Union, Some(union));
        let args =
            FieldArgs { name: Some(name), type_type, type_, children: Some(list), ..Default::default() };
        field = arrow_ipc::Field::create(&mut to, &args);
    }
    let fields = to.create_vector(&[field]);
    let schema =
        arrow_ipc::Schema::create(&mut to, &SchemaArgs { fields: Some(fields), ..Default::default() });
    let header = Some(schema.as_union_value());
    let args = MessageArgs { header_type: MessageHeader::Schema, header, ..Default::default() };
    let message = Message::create(&mut to, &args);
    to.finish(message, None);
    base64::prelude::BASE64_STANDARD.encode(to.finished_data()).into_bytes()
}

#[test]
fn a_forged_arrow_schema_is_corrupt_and_neither_a_panic_nor_a_bomb() {
    // The crate panicked of a union of more than 128; and some hundred bytes stand for a hundred million fields.
    for (children, levels, what) in [(129, 1, "a union too wide"), (100, 4, "a bomb of fields")] {
        let hints = ArrowFields::find(&forged_arrow_schema(children, levels)).unwrap();
        let begun = std::time::Instant::now();
        assert_eq!(hints.field(0).unwrap_err().kind(), ErrorKind::Corrupt, "{what}");
        assert!(begun.elapsed().as_secs() < 5, "{what}");
    }
    assert!(ArrowFields::find(&forged_arrow_schema(2, 1)).unwrap().field(0).unwrap().data_type().is_nested());
}
