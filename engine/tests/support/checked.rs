//! The joins of a case, and what must come out.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use hypostyle_engine::{
    Feature, Frame, How, JoinRequest, JoinTable, Remembered, Rows, Spine, Strategy, join,
};
use hypostyle_io::{Error, ErrorKind, Run};

use super::{Case, files, oracle};

const FEATURES: [&str; 5] = ["float", "string", "bit", "short", "list"];

pub(crate) fn request(case: &Case, folder: &std::path::Path) -> JoinRequest {
    let run = Run::default();
    let key: Vec<String> = (0..case.tables[0].forms.len()).map(|i| format!("k{i}")).collect();
    let mut tables = Vec::new();
    let spine = (case.how == How::Spine).then(|| Spine { batch: case.tables[0].batch(0), key: key.clone() });
    for (i, plain) in case.tables.iter().enumerate().skip(usize::from(spine.is_some())) {
        tables.push(JoinTable {
            name: format!("t{i}"),
            table: Arc::new(plain.open(i, folder, &run)),
            key: key.clone(),
            features: FEATURES
                .map(|f| Feature { column: f.to_owned(), output: format!("t{i}__{f}") })
                .to_vec(),
            duplicates: plain.duplicates,
        });
    }
    let form = case.tables[0].forms[0];
    let rows = Rows {
        from: case.from.map(|k| files::text(form, k)),
        to: case.to.map(|k| files::text(form, k)),
        last: case.last,
    };
    JoinRequest { how: case.how, key, spine, tables, rows, strategy: Strategy::Auto, remembered: None }
}

/// The joins of one case, each of which gives the same answer: by every strategy, and where other joins of the same
/// files, and this one before, told what they had found.
fn joins(case: &Case, folder: &std::path::Path) -> Vec<(Strategy, Result<Frame, Error>)> {
    let request = request(case, folder);
    let join = |request: &JoinRequest| join(request, &Run::default());
    let mut joins = Vec::new();
    for strategy in [Strategy::Auto, Strategy::Hash, Strategy::Merge, Strategy::Identity] {
        joins.push((strategy, join(&JoinRequest { strategy, ..request.clone() })));
    }
    let remembering = JoinRequest { remembered: Some(Arc::new(Remembered::new(1 << 20))), ..request };
    for how in [How::Inner, How::Left] {
        let _ = join(&JoinRequest { how, spine: None, rows: Rows::default(), ..remembering.clone() });
    }
    joins.push((Strategy::Auto, join(&remembering)));
    joins.push((Strategy::Auto, join(&remembering)));
    joins
}

/// The frame that the oracle's rows make.
pub(crate) fn expected(case: &Case, rows: &oracle::Rows) -> Vec<(String, ArrayRef)> {
    let pick = |batch: &RecordBatch, name: &str, rows: UInt32Array| {
        arrow_select::take::take(batch.column_by_name(name).unwrap(), &rows, None).unwrap()
    };
    let mut out = Vec::new();
    let base: UInt32Array = rows.iter().map(|(base, _)| Some(*base as u32)).collect();
    let base_batch = case.tables[0].batch(0);
    for i in 0..case.tables[0].forms.len() {
        out.push((format!("k{i}"), pick(&base_batch, &format!("k{i}"), base.clone())));
    }
    for feature in FEATURES {
        let name = if case.how == How::Spine { feature.to_owned() } else { format!("t0__{feature}") };
        out.push((name, pick(&base_batch, feature, base.clone())));
    }
    for (i, plain) in case.tables.iter().enumerate().skip(1) {
        let batch = plain.batch(i);
        let of: UInt32Array = rows.iter().map(|(_, matches)| matches[i - 1].map(|r| r as u32)).collect();
        for feature in FEATURES {
            out.push((format!("t{i}__{feature}"), pick(&batch, feature, of.clone())));
        }
    }
    out
}

/// Joins a case in every way, and compares each frame with what loops over loops give.
pub(crate) fn check(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let wanted = oracle::join(case);
    for (strategy, got) in joins(case, folder.path()) {
        judge(case, strategy, &got, &wanted);
    }
}

/// Fails unless an outcome is the oracle's.
pub(crate) fn judge(
    case: &Case,
    strategy: Strategy,
    got: &Result<Frame, Error>,
    wanted: &Result<oracle::Rows, oracle::Refusal>,
) {
    match (got, wanted) {
        (Ok(frame), Ok(rows)) => {
            let columns = expected(case, rows);
            assert_eq!(frame.num_columns(), columns.len());
            for (name, column) in columns {
                let found = frame.batch().column_by_name(&name).unwrap_or_else(|| panic!("no {name}"));
                assert_eq!(found, &column, "{strategy:?} {name}");
                no_poison(found, &name);
            }
        }
        (Err(error), _) if error.message().starts_with("the strategy") => {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(matches!(strategy, Strategy::Merge | Strategy::Identity), "{error}");
        }
        (Err(error), Err(oracle::Refusal::Repeated(_))) => {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            assert!(error.message().contains("stands twice"), "{error}");
        }
        // Only as many keys are read as the last rows take: a repetition far from them may stay unseen.
        (Ok(_), Err(_)) if case.last.is_some() => {}
        (got, wanted) => panic!("{strategy:?}: {got:?} where {wanted:?} was expected"),
    }
}

/// What lies where a value is null is zero, and nothing of what the memory held before.
pub(crate) fn no_poison(column: &ArrayRef, name: &str) {
    let (Some(width), Some(nulls)) = (column.data_type().primitive_width(), column.nulls()) else { return };
    let data = column.to_data();
    for row in (0..column.len()).filter(|row| nulls.is_null(*row)) {
        let at = (data.offset() + row) * width;
        assert!(data.buffers()[0][at..at + width].iter().all(|b| *b == 0), "{name}: null {row} is not zero");
    }
}
