//! Footers alone, behind a file's beginning that no chunk of theirs lies in.

use std::io::Write;

use super::chunk::is_known;
use crate::{IoMode, ParquetFile, Run};

const MEMORY: u64 = 64 << 20;

pub(super) fn target(footer: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let len = (footer.len() as u32).to_le_bytes();
    for part in [b"PAR1", &[0; 1000][..], footer, &len, b"PAR1"] {
        file.write_all(part).unwrap();
    }
    match ParquetFile::open(file.path(), IoMode::Pread, &Run::new(MEMORY)) {
        Ok(file) => {
            for name in file.column_names() {
                let _ = file.root(name).map(|root| file.field(root.unwrap_or(0)).map_err(|e| is_known(&e)));
            }
            let _ = file.metadata().map_err(|e| is_known(&e));
            for group in 0..file.row_groups().min(100) {
                for leaf in 0..file.leaves(0).end {
                    let _ = file.chunk(group, leaf).map_err(|e| is_known(&e));
                }
            }
        }
        Err(e) => is_known(&e),
    }
}
