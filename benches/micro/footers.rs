//! Footers: opening twenty files and reading what they say of themselves.

use criterion::Criterion;
use hypostyle_io::{IoMode, ParquetFile, Run};

use crate::fixture::{Fixture, PROFILES};

/// One after another on one core: on a store's first join the tables share all cores.
pub fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("footers");
    for (name, profile) in PROFILES {
        let fixture = Fixture::of(profile);
        group.bench_function(name, |b| {
            b.iter(|| {
                let run = Run::default();
                let open = |path| ParquetFile::open(path, IoMode::default(), &run).unwrap();
                fixture.files.iter().map(|path| open(path)).collect::<Vec<_>>()
            });
        });
    }
    group.finish();
}
