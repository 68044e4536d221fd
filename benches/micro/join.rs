//! The whole joins, as a program that links the library does them.

use criterion::{Criterion, Throughput};
use hypostyle::Store;

use crate::fixture::{Fixture, LAST, PROFILES};

/// `training` and `inference` on a store that has been used before: footers are known, files are open.
/// `…/first` opens the store anew each time.
pub fn all(criterion: &mut Criterion) {
    for (name, profile) in PROFILES {
        let fixture = Fixture::of(profile);
        let store = Store::open(&fixture.root).unwrap();
        let per_row = fixture.values() / store.join(&fixture.training()).unwrap().num_rows() as u64;
        for (query, spec, values) in [
            ("training", fixture.training(), fixture.values()),
            ("inference", fixture.inference(), LAST * per_row),
        ] {
            let mut group = criterion.benchmark_group(query);
            group.throughput(Throughput::Elements(values)).sample_size(30);
            group.bench_function(name, |b| b.iter(|| store.join(&spec).unwrap()));
            group.bench_function(format!("{name}/first"), |b| {
                b.iter(|| Store::open(&fixture.root).unwrap().join(&spec).unwrap());
            });
            group.finish();
        }
    }
}
