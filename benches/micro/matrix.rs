//! A frame of 70,000 rows × 80 columns as one matrix of floats.

use criterion::{Criterion, Throughput};
use hypostyle::{Float, Order, Store};

use crate::fixture::{Fixture, PROFILES};

/// By rows and by columns, in both widths.
pub fn all(criterion: &mut Criterion) {
    let (_, profile) = PROFILES[0];
    let fixture = Fixture::of(profile);
    let frame = Store::open(&fixture.root).unwrap().join(&fixture.training()).unwrap();
    let schema = frame.schema();
    let names: Vec<&str> = schema.fields().iter().skip(1).map(|f| f.name().as_str()).collect();
    let mut group = criterion.benchmark_group("matrix");
    group.throughput(Throughput::Elements(fixture.values()));
    for (label, float, order) in [
        ("f64/rows", Float::F64, Order::RowMajor),
        ("f32/rows", Float::F32, Order::RowMajor),
        ("f64/columns", Float::F64, Order::ColumnMajor),
        ("f32/columns", Float::F32, Order::ColumnMajor),
    ] {
        group.bench_function(label, |b| b.iter(|| frame.to_matrix(&names, float, order).unwrap()));
    }
    group.finish();
}
