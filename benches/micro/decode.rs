//! Decoding: the columns of the training join from pages into slots, without keys and without a join.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use hypostyle_fixtures::Profile;
use hypostyle_io::{IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table};
use rayon::prelude::*;

use crate::fixture::{Fixture, PROFILES};

/// All columns of all tables on all cores.
pub fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(30);
    for (name, profile) in PROFILES {
        let fixture = Fixture::of(profile);
        let tables = open(profile);
        let columns = fixture.columns();
        group.throughput(Throughput::Elements(fixture.values()));
        group.bench_function(name, |b| {
            b.iter(|| {
                let run = Run::default();
                let sizes = tables.iter().flat_map(|t| columns.iter().map(|_| slot_size(t)));
                let mut slab = Slab::new(sizes).unwrap();
                let work: Vec<_> = tables.iter().flat_map(|t| columns.iter().map(move |c| (t, c))).collect();
                slab.slots_mut().into_par_iter().zip(work).for_each(|(slot, (table, column))| {
                    let reader = Reader::new(table, &RowRanges::all(table.rows()), &run);
                    reader.read(&table.column(column).unwrap(), Slot::Values(slot)).unwrap();
                });
                slab
            });
        });
    }
    group.finish();
}

fn open(profile: Profile) -> Vec<Table> {
    let run = Run::default();
    let open = |path| {
        let file = ParquetFile::open(path, IoMode::default(), &run).unwrap();
        Table::new("table", vec![file], Missing::Error).unwrap()
    };
    Fixture::of(profile).files.iter().map(|path| open(path)).collect()
}

fn slot_size(table: &Table) -> usize {
    usize::try_from(table.rows()).unwrap() * size_of::<f64>()
}
