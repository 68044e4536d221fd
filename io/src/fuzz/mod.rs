//! Bytes that nobody wrote, at the decoders: no panic, no endless loop, no memory beyond the limit, and where the
//! `parquet` crate accepts what these accept, the same values.
//!
//! Each target is a function of bytes. `cargo test` replays `fuzz/corpus` and a fixed number of changed inputs;
//! `HYPOSTYLE_FUZZ_SECONDS` says how long each target is to go on; see `fuzz/README.md`.

mod chunk;
mod encodings;
mod footer;
mod harness;
mod page_header;
mod seeds;

use harness::{Target, fuzz};

const TARGETS: [Target; 4] = [
    ("page_header", seeds::page_headers, page_header::target),
    ("encodings", seeds::encodings, encodings::target),
    ("chunk", seeds::files, chunk::target),
    ("footer", seeds::footers, footer::target),
];

#[test]
fn the_page_header_reader_withstands_any_bytes() {
    fuzz(&TARGETS[0]);
}

#[test]
fn every_encoding_withstands_any_bytes() {
    fuzz(&TARGETS[1]);
}

#[test]
fn a_whole_chunk_of_any_bytes_is_read_as_the_parquet_crate_reads_it_or_is_a_typed_error() {
    fuzz(&TARGETS[2]);
}

#[test]
fn a_footer_of_any_bytes_is_a_file_or_a_typed_error() {
    fuzz(&TARGETS[3]);
}
