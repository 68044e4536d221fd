//! The alignments: keys are read and aligned, no feature is decoded.

use criterion::Criterion;
use hypostyle::{JoinOptions, Store, Strategy};

use crate::fixture::{Fixture, PROFILES};

/// Each strategy on tables that it fits, all with the same keys; reading the keys is the same part of each.
pub fn all(criterion: &mut Criterion) {
    let (name, profile) = PROFILES[0];
    let fixture = Fixture::of(profile);
    let store = Store::open(&fixture.root).unwrap();
    let mut group = criterion.benchmark_group(format!("align/{name}"));
    for (strategy, label) in
        [(Strategy::Identity, "identity"), (Strategy::Merge, "merge"), (Strategy::Hash, "hash")]
    {
        let mut options = JoinOptions::default();
        options.strategy = strategy;
        group.bench_function(label, |b| b.iter(|| store.explain(&fixture.training(), &options).unwrap()));
    }
    group.finish();
}
