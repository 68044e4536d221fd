//! Times the decoding of columns, here and in the `parquet` crate, and the decompression of their pages alone:
//! `decode FOLDER COLUMNS LAST THREADS ROUNDS`, where 0 as LAST means all rows.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot do its work should stop"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hypostyle_io::{Column, IoMode, Missing, ParquetFile, Reader, RowRanges, Run, Slab, Slot, Table};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::ColumnChunkMetaData;
use rayon::prelude::*;
use zstd_safe::DCtx;

struct Work {
    path: PathBuf,
    table: Arc<Table>,
    column: Column,
    leaf: usize,
    rows: RowRanges,
    metadata: ArrowReaderMetadata,
    frames: Vec<(Bytes, usize)>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(default, |a| a.parse().unwrap());
    let (columns, last, threads, rounds) = (number(1, 4), number(2, 0) as u64, number(3, 1), number(4, 30));
    let mut paths: Vec<_> = std::fs::read_dir(&arguments[0]).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "parquet"));
    paths.sort();
    let work: Vec<Work> = paths.iter().flat_map(|path| of_file(path, columns, last)).collect();
    let mut slab = Slab::new(work.iter().map(|w| w.rows.len() as usize * 8)).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut report = |what: &str, one: &(dyn Fn(&Work, &mut [u8]) + Sync)| {
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let slots = slab.slots_mut();
                let started = Instant::now();
                pool.install(|| slots.into_par_iter().zip(&work).for_each(|(slot, work)| one(work, slot)));
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{what:<24} median {:7.2} ms, least {:7.2} ms", times[rounds / 2], times[0]);
    };
    report("zstd alone, all pages", &|work, _| {
        thread_local!(static SPACE: std::cell::RefCell<(DCtx<'static>, Vec<u8>)> =
            std::cell::RefCell::new((DCtx::create(), Vec::new())));
        SPACE.with_borrow_mut(|(context, out)| {
            for (frame, size) in &work.frames {
                out.clear();
                out.reserve(*size);
                context.decompress(out, frame).unwrap();
            }
        });
    });
    // One for all: making one asks the system how much memory there is.
    let run = Run::default();
    report("here", &|work, slot| {
        Reader::new(&work.table, &work.rows, &run).read(&work.column, Slot::Values(slot)).unwrap();
    });
    report("the parquet crate", &|work, _| {
        let file = File::open(&work.path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, work.metadata.clone());
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [work.leaf]);
        let mut builder = builder.with_projection(mask).with_batch_size(16 << 10);
        if work.rows.len() < work.table.rows() {
            let skipped = work.table.rows() - work.rows.len();
            builder = builder.with_row_selection(RowSelection::from(vec![
                RowSelector::skip(skipped as usize),
                RowSelector::select(work.rows.len() as usize),
            ]));
        }
        assert!(builder.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>() > 0);
    });
}

fn of_file(path: &Path, columns: usize, last: u64) -> Vec<Work> {
    let opened = ParquetFile::open(path, IoMode::Auto, &Run::default()).unwrap();
    let table = Arc::new(Table::new("table", vec![opened], Missing::Error).unwrap());
    let rows = RowRanges::from_ranges([if last == 0 { 0 } else { table.rows() - last }..table.rows()]);
    let metadata = ArrowReaderMetadata::load(&File::open(path).unwrap(), Default::default()).unwrap();
    let bytes = Bytes::from(std::fs::read(path).unwrap());
    (1..=columns)
        .map(|leaf| Work {
            path: path.to_owned(),
            column: table.column(&table.column_names()[leaf]).unwrap(),
            table: Arc::clone(&table),
            leaf,
            rows: rows.clone(),
            frames: frames(metadata.metadata().row_group(0).column(leaf), &bytes),
            metadata: metadata.clone(),
        })
        .collect()
}

/// The zstd frames of a chunk, found by what they begin with, and their sizes.
fn frames(chunk: &ColumnChunkMetaData, file: &Bytes) -> Vec<(Bytes, usize)> {
    let (start, len) = chunk.byte_range();
    let bytes = file.slice(start as usize..(start + len) as usize);
    let mut frames = Vec::new();
    let mut at = 0;
    while at + 4 < bytes.len() {
        let rest = &bytes[at..];
        let frame =
            rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]).then(|| zstd_safe::find_frame_compressed_size(rest));
        match frame {
            Some(Ok(len)) => {
                let size = zstd_safe::get_frame_content_size(rest).ok().flatten().unwrap_or(4 << 20);
                frames.push((bytes.slice(at..at + len), size as usize));
                at += len;
            }
            _ => at += 1,
        }
    }
    frames
}
