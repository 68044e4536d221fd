//! The files that a commit writes, of the same sizes and synced in the same order, and nothing else of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hypostyle::Store;
use serde::Serialize;
use serde_json::{Value, json};

use super::Outcome;

/// Bytes of a commit's data file and of its manifest.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sizes {
    data: u64,
    manifest: u64,
}

/// What the upsert of 24 rows of 200 columns writes, about.
const USUAL: Sizes = Sizes { data: 1_700_000, manifest: 9_000 };

impl Sizes {
    /// Those of the newest commit, which wrote `table`.
    pub(super) fn of_newest(root: &Path, store: &Store, table: &str) -> Outcome<Self> {
        let data = store.files(table, None)?.into_iter().next_back().ok_or("no files")?;
        let manifest = root.join(format!("_hypostyle/snapshots/{:020}.manifest", store.snapshot(None)?));
        let size = |path: &Path| std::fs::metadata(path).map_or(USUAL.manifest, |metadata| metadata.len());
        Ok(Self { data: size(&data), manifest: size(&manifest) })
    }
}

fn put(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(&vec![7; usize::try_from(bytes).unwrap_or(0)])?;
    file.sync_all()
}

/// Data, the folder of the data, the manifest, its second name, the folder of the manifests.
pub(super) fn once(folder: &Path, sizes: Sizes) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = |what: &str| {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        folder.join(format!(".alone-{}-{count}-{what}", std::process::id()))
    };
    let (data, staged, linked) = (name("data"), name("staged"), name("linked"));
    put(&data, sizes.data)?;
    File::open(folder)?.sync_all()?;
    put(&staged, sizes.manifest)?;
    std::fs::hard_link(&staged, &linked)?;
    std::fs::remove_file(&staged)?;
    File::open(folder)?.sync_all()?;
    std::fs::remove_file(&data)?;
    std::fs::remove_file(&linked)
}

/// How many commits' worth of files a disk takes from so many streams at once.
pub(super) fn streams(folder: &Path, streams: usize, lasts: Duration) -> Outcome<Value> {
    std::fs::create_dir_all(folder)?;
    let begun = Instant::now();
    let stream = || -> io::Result<u64> {
        let mut count = 0;
        while begun.elapsed() < lasts {
            once(folder, USUAL)?;
            count += 1;
        }
        Ok(count)
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..streams).map(|_| scope.spawn(stream)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
            .collect::<io::Result<Vec<u64>>>()
    })?;
    Ok(json!({ "per_second": counts.iter().sum::<u64>() as f64 / begun.elapsed().as_secs_f64() }))
}
