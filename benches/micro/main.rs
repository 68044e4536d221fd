//! Where the time of a join goes: the joins, and their parts alone, on twenty synthetic tables.
//!
//! `cargo bench` measures; `cargo bench -- --test` runs each once, on small tables. One program for all, since
//! linking one takes longer than compiling it.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot do its work should stop")]

mod align;
mod decode;
mod fixture;
mod footers;
mod join;
mod matrix;
mod protection;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, join::all, align::all, matrix::all, decode::all, footers::all, protection::all);
criterion_main!(benches);
