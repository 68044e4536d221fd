//! What a join of files on local disks pays for those on others: the looks at the list of mounts before it, and the
//! comparison of what each file is after it. `training` and `inference` are what they are to be held against.

use std::hint::black_box;

use criterion::Criterion;
use hypostyle_io::{IoMode, ParquetFile, Run, any_remote, check_unchanged, is_remote};

use crate::fixture::{Fixture, PROFILES};

/// For the twenty files of a join.
pub fn all(criterion: &mut Criterion) {
    let (name, profile) = PROFILES[2];
    let fixture = Fixture::of(profile);
    let run = Run::default();
    let open = |path| ParquetFile::open(path, IoMode::default(), &run).unwrap();
    let files: Vec<_> = fixture.files.iter().map(|path| open(path)).collect();
    let mut group = criterion.benchmark_group("protection");
    group.bench_function(name, |b| {
        b.iter(|| {
            // As often as a join asks: once for all, and for each file where it lies.
            let mut found = any_remote();
            for path in &fixture.files {
                found |= any_remote() | is_remote(path);
            }
            check_unchanged(files.iter().map(AsRef::as_ref), &run).unwrap();
            black_box(found)
        });
    });
    group.finish();
}
