//! A frame of 70,000 rows × 80 columns as one matrix of floats.

use criterion::{Criterion, Throughput};
use hypostyle::{Floats, Order, Store, fill_matrix};

use crate::fixture::{Fixture, PROFILES};

/// By rows and by columns, in both widths.
pub fn all(criterion: &mut Criterion) {
    let (_, profile) = PROFILES[0];
    let fixture = Fixture::of(profile);
    let frame = Store::open(&fixture.root).unwrap().join(&fixture.training()).unwrap();
    let features: Vec<usize> = (frame.base_columns()..frame.num_columns()).collect();
    let features = frame.batch().project(&features).unwrap();
    let mut f64s = vec![0.0; features.num_rows() * features.num_columns()];
    let mut f32s = vec![0.0; f64s.len()];
    let mut group = criterion.benchmark_group("matrix");
    group.throughput(Throughput::Elements(fixture.values()));
    for (label, order) in [("rows", Order::RowMajor), ("columns", Order::ColumnMajor)] {
        group.bench_function(format!("f64/{label}"), |b| {
            b.iter(|| fill_matrix(&features, order, Floats::F64(&mut f64s)).unwrap());
        });
        group.bench_function(format!("f32/{label}"), |b| {
            b.iter(|| fill_matrix(&features, order, Floats::F32(&mut f32s)).unwrap());
        });
    }
    group.finish();
}
