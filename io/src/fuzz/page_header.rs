//! Page headers, ours and the `parquet` crate's.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Type;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type as SchemaType};

use crate::footer::guarded;
use crate::page::header::{DataHeader, Levels, PageHeader, PageKind};

pub(super) fn target(bytes: &[u8]) {
    let Ok((header, len)) = PageHeader::read(bytes) else { return };
    assert!(len <= bytes.len());
    // What is shorter is not a header, and is not said to be none whatever follows.
    for short in 0..len {
        assert_eq!(
            PageHeader::read(&bytes[..short]),
            Err(crate::page::thrift::ThriftError::Short),
            "{short}"
        );
    }
    if header.stored < 1 << 16
        && let Some(page) = theirs(&bytes[..len], header.stored)
    {
        compare(&header, &page);
    }
}

/// The page that the crate makes of the header and as many zeros as it asks for.
fn theirs(header: &[u8], stored: usize) -> Option<Page> {
    let chunk = [header, &vec![0; stored]].concat();
    let primitive = SchemaType::primitive_type_builder("column", Type::INT64).build().unwrap();
    let descriptor = ColumnDescriptor::new(Arc::new(primitive), 1, 0, ColumnPath::from("column"));
    let metadata = ColumnChunkMetaData::builder(Arc::new(descriptor))
        .set_data_page_offset(0)
        .set_total_compressed_size(chunk.len() as i64)
        .build()
        .unwrap();
    let read =
        || SerializedPageReader::new(Arc::new(Bytes::from(chunk)), &metadata, 0, None)?.get_next_page();
    guarded(read).ok().flatten()
}

fn compare(ours: &PageHeader, theirs: &Page) {
    match (&ours.page, theirs) {
        (PageKind::Dictionary { values, encoding }, Page::DictionaryPage { num_values, encoding: e, .. }) => {
            assert_eq!((*values, *encoding), (*num_values as usize, *e));
        }
        (
            PageKind::Data(DataHeader { values, encoding, levels: Levels::Within { definition } }),
            Page::DataPage { num_values, encoding: e, def_level_encoding, .. },
        ) => {
            let expected = (*num_values as usize, *e, *def_level_encoding);
            assert_eq!((*values, *encoding, *definition), expected);
        }
        (
            PageKind::Data(DataHeader { values, encoding, levels }),
            Page::DataPageV2 {
                num_values,
                encoding: e,
                num_nulls,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                ..
            },
        ) => {
            assert_eq!((*values, *encoding), (*num_values as usize, *e));
            let expected = Levels::Before {
                repetition: *rep_levels_byte_len as usize,
                definition: *def_levels_byte_len as usize,
                nulls: *num_nulls as usize,
                compressed: *is_compressed,
            };
            assert_eq!(*levels, expected);
        }
        (ours, theirs) => panic!("{ours:?} is {theirs:?}"),
    }
    assert_eq!(ours.stored, theirs.buffer().len());
}

#[test]
fn headers_of_real_pages_are_what_the_parquet_crate_makes_of_them() {
    let headers = super::seeds::page_headers();
    assert!(headers.len() > 30, "{}", headers.len());
    let mut kinds = [0; 3];
    for bytes in headers {
        let (header, len) = PageHeader::read(&bytes).unwrap();
        let page = theirs(&bytes[..len], header.stored).unwrap();
        compare(&header, &page);
        kinds[match page {
            Page::DataPage { .. } => 0,
            Page::DataPageV2 { .. } => 1,
            Page::DictionaryPage { .. } => 2,
        }] += 1;
    }
    assert!(kinds.iter().all(|count| *count > 3), "{kinds:?}");
}
