//! Larger files, at random.

use hypostyle_io::RowRanges;
use parquet::file::properties::WriterVersion;
use proptest::prelude::*;
use proptest::sample::select;

use crate::columns::{NULLS, Nulls, VALUES, Values, column, types};
use crate::written::{CODECS, How, encodings, file};
use crate::{By, check};

fn how(data_type: &arrow_schema::DataType) -> impl Strategy<Value = How> + use<> {
    let encodings: Vec<_> = encodings(data_type).into_iter().map(Some).chain([None, None]).collect();
    let versions = select(vec![WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]);
    (
        select(encodings),
        versions,
        select(CODECS.to_vec()),
        1..3000usize,
        200..4000usize,
        20..5000usize,
        any::<bool>(),
    )
        .prop_map(|(encoding, version, codec, page_rows, group_rows, dictionary_bytes, index)| How {
            encoding,
            version,
            codec: codec(),
            page_rows,
            group_rows,
            dictionary_bytes,
            index,
        })
}

fn rows() -> impl Strategy<Value = RowRanges> {
    proptest::collection::vec((1..400u64, 1..400u64), 0..12).prop_map(|steps| {
        let mut at = 0;
        let ranges = steps.into_iter().map(|(gap, len)| {
            let start = at + gap;
            at = start + len;
            start..at
        });
        ranges.collect()
    })
}

#[derive(Clone, Debug)]
struct Case {
    data_type: arrow_schema::DataType,
    how: How,
    values: Values,
    nulls: Nulls,
    rows: usize,
    seed: u64,
    sets: Vec<RowRanges>,
}

fn case() -> impl Strategy<Value = Case> {
    select(types()).prop_flat_map(|data_type| {
        let sets = proptest::collection::vec(rows(), 3);
        let columns = (select(VALUES.to_vec()), select(NULLS.to_vec()), 0..4000usize, any::<u32>());
        (Just(data_type.clone()), how(&data_type), columns, sets).prop_map(
            |(data_type, how, (values, nulls, rows, seed), sets)| Case {
                data_type,
                how,
                values,
                nulls,
                rows,
                seed: u64::from(seed),
                sets,
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_what_the_parquet_crate_reads(case in case()) {
        let array = column(&case.data_type, case.values, case.nulls, case.rows, case.seed);
        let bytes = file(&array, case.nulls, case.how);
        check(&bytes, &case.sets, By::Own, &format!("{case:?}"));
    }
}
