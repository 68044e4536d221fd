//! Times decoding of the first columns of the tables in a folder: `decode FOLDER COLUMNS LAST THREADS`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot do its work should stop"
)]

use std::sync::Arc;
use std::time::Instant;

use hypostyle_io::{IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table};
use rayon::prelude::*;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| arguments.get(i).map_or(default, |a| a.parse().unwrap());
    let (columns, last, threads) = (number(1, 4) as usize, number(2, 0), number(3, 1) as usize);
    let mode: IoMode = arguments.get(4).map_or(IoMode::Auto, |a| a.parse().unwrap());
    let rounds = number(5, 30);
    let opening = Run::default();
    let mut paths: Vec<_> = std::fs::read_dir(&arguments[0]).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "parquet"));
    paths.sort();
    let tables: Vec<Table> = paths
        .iter()
        .map(|p| {
            Table::new("t", vec![Arc::new(ParquetFile::open(p, mode, &opening).unwrap())], Missing::Error)
                .unwrap()
        })
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let rows = |t: &Table| RowRanges::from_ranges([if last == 0 { 0 } else { t.rows() - last }..t.rows()]);
    let work: Vec<_> = tables
        .iter()
        .flat_map(|t| {
            t.column_names().into_iter().skip(1).take(columns).map(move |c| (t, t.column(&c).unwrap()))
        })
        .collect();
    let mut slab = Slab::new(work.iter().map(|(t, _)| rows(t).len() as usize * 8)).unwrap();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let run = Run::default();
        let slots = slab.slots_mut();
        let started = Instant::now();
        pool.install(|| {
            slots.into_par_iter().zip(&work).for_each(|(slot, (table, column))| {
                Reader::new(table, &rows(table), &run).read(column, Slot::Values(slot)).unwrap();
            });
        });
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{} columns, median {:.2} ms, least {:.2} ms", work.len(), times[times.len() / 2], times[0]);
}
