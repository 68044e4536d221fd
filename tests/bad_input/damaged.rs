//! Files that were cut, changed or encrypted.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hypostyle::{ErrorKind, How, JoinOptions, JoinSpec, Store, TableSpec};

use crate::world::World;
use crate::{check, check_failure};

/// Files of each writer, with a key of each: several pages, several row groups, nested columns.
const FILES: [(&str, &str); 13] = [
    ("pyarrow/wind", "ts"),
    ("pyarrow/price", "ts"),
    ("pyarrow/nodes", "ts"),
    ("pyarrow/zstd_v2", "ts"),
    ("polars/wind", "ts"),
    ("polars/codec_snappy", "ts"),
    ("duckdb/wind", "ts"),
    ("duckdb/codec_gzip", "ts"),
    ("duckdb/types_all", "id"),
    ("polars/types_all", "id"),
    ("pyarrow/types_nested", "id"),
    ("pyarrow/types_times", "id"),
    ("pyarrow/encodings_fallback", "ts"),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/golden/data/{name}.parquet"))
}

/// Writes a file as if long ago: who finds a fault in what was written a moment ago looks again, and again.
fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// Reads all columns of a file as a join does.
fn join(path: &Path, key: &str) -> hypostyle::Result<usize> {
    let table = TableSpec::new(path.to_str().unwrap()).name("t").all_columns();
    let mut options = JoinOptions::default();
    options.memory_limit = Some(64 << 20);
    let spec = JoinSpec::new([key]).how(How::Left).table(table);
    Ok(Store::unrooted("").join_with(&spec, &options)?.num_rows())
}

#[test]
fn a_file_cut_anywhere_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.parquet");
    for (name, key) in FILES {
        let whole = std::fs::read(golden(name)).unwrap();
        assert!(join(&golden(name), key).unwrap() > 0, "{name}");
        for part in 0..64 {
            let len = whole.len() * part / 64;
            put(&cut, &whole[..len]);
            let error = join(&cut, key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}, {len} bytes: {error}");
            assert_eq!(error.file_path(), Some(cut.as_path()), "{name}, {len} bytes");
        }
    }
}

#[test]
fn the_command_says_which_file_is_cut_empty_encrypted_or_no_parquet() {
    let world = World::new();
    let whole = std::fs::read(golden("polars/wind")).unwrap();
    for part in [0, 1, 31, 32, 63] {
        world.write("cut.parquet", &whole[..whole.len() * part / 64]);
        check(&world, "--key ts --table cut.parquet:*", 3, "corrupt", &["cut.parquet"]);
    }
    world.write("short.parquet", &whole[..whole.len() - 1]);
    check(&world, "--key ts --table short.parquet:*", 3, "corrupt", &["short.parquet", "not a Parquet file"]);
    check(&world, "--key ts --table empty.parquet:*", 3, "corrupt", &["empty.parquet", "is empty"]);
    check(&world, "--key ts --table text.parquet:*", 3, "corrupt", &["text.parquet", "not a Parquet file"]);
    let mut encrypted = whole.clone();
    encrypted.splice(whole.len() - 4.., *b"PARE");
    world.write("secret.parquet", &encrypted);
    check(&world, "--key ts --table secret.parquet:*", 3, "unsupported", &["secret.parquet", "encrypted"]);
    world.write("signed.parquet", &signed(&whole));
    check(&world, "--key ts --table signed.parquet:*", 3, "unsupported", &["signed.parquet", "encrypted"]);
}

/// The file as if columns of it were encrypted: its footer names an algorithm, and a signature follows.
fn signed(whole: &[u8]) -> Vec<u8> {
    let (rest, end) = whole.split_at(whole.len() - 8);
    let len = u32::from_le_bytes(end[..4].try_into().unwrap());
    // Instead of the zero that ends the footer: field 8 with its number in full, a struct in a struct.
    let more = [&[0x0c, 16, 0x1c, 0, 0, 0][..], &[7; 28]].concat();
    let len = len - 1 + more.len() as u32;
    [&rest[..rest.len() - 1], &more, &len.to_le_bytes(), b"PAR1"].concat()
}

#[test]
fn a_flipped_bit_never_panics_hangs_or_ends_in_another_kind_of_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.parquet");
    for (name, key) in FILES {
        let whole = std::fs::read(golden(name)).unwrap();
        for seed in 0..flips() {
            let flipped = flip(&whole, seed);
            put(&path, &flipped);
            let started = Instant::now();
            let outcome = std::panic::catch_unwind(|| join(&path, key));
            let Ok(outcome) = outcome else { panic!("{name}, seed {seed}: a panic") };
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{name}, seed {seed}: {:?}",
                started.elapsed()
            );
            if let Err(e) = outcome {
                let is_known = matches!(
                    e.kind(),
                    ErrorKind::Corrupt
                        | ErrorKind::Unsupported
                        | ErrorKind::InvalidRequest
                        | ErrorKind::NotFound
                        | ErrorKind::LimitExceeded
                );
                assert!(is_known, "{name}, seed {seed}: {e:?}");
            }
        }
    }
}

#[test]
fn the_command_reads_a_flipped_file_or_fails_in_one_line() {
    let world = World::new();
    let mut failed = 0;
    for (name, key) in [FILES[0], FILES[4], FILES[6]] {
        let whole = std::fs::read(golden(name)).unwrap();
        for seed in 0..20 {
            world.write("flipped.parquet", &flip(&whole, seed));
            let ran = world.run(&format!("join --key {key} --table flipped.parquet:* -o out.arrow"));
            let what = format!("{name}, seed {seed}");
            match ran.code {
                Some(0) => std::fs::remove_file(world.path("out.arrow")).unwrap(),
                Some(code @ (2 | 3 | 5)) => {
                    failed += 1;
                    check_failure(&ran, &what, code);
                    assert!(!world.path("out.arrow").exists(), "{what}");
                }
                code => panic!("{what}: {code:?}, {}", ran.stderr),
            }
        }
    }
    assert!(failed > 20, "only {failed} of 60 were noticed");
}

/// The panic was caught, and yet the panic hook told of a bug on another `error:` line.
#[test]
fn what_makes_the_parquet_crate_panic_is_one_line_too() {
    let world = World::new();
    // Should the crate learn to refuse this one, more are to be found with `HYPOSTYLE_FLIPS`.
    let whole = std::fs::read(golden("pyarrow/types_nested")).unwrap();
    world.write("flipped.parquet", &flip(&whole, 3244));
    let words = ["flipped.parquet", "the bytes contradict themselves"];
    check(&world, "--key id --table flipped.parquet:*", 3, "corrupt", &words);
}

/// How many times a file is damaged; the variable `HYPOSTYLE_FLIPS` asks for more.
fn flips() -> u64 {
    std::env::var("HYPOSTYLE_FLIPS").map_or(300, |flips| flips.parse().unwrap())
}

/// One to four bytes of a file changed, of every second one in its footer: the same for the same seed.
fn flip(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut random = move |below: usize| {
        // SplitMix64, <https://prng.di.unimi.it/splitmix64.c>
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % below
    };
    let mut bytes = whole.to_vec();
    let end = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let from = if seed.is_multiple_of(2) { 0 } else { end - footer };
    for _ in 0..=random(4) {
        let at = from + random(bytes.len() - from);
        bytes[at] ^= 1 + random(255) as u8;
    }
    bytes
}
