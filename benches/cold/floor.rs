//! What the requests of a cold join take when nobody does anything with the answers.
//!
//! `floor DEPTH < LIST`, each line of the list a file, an offset and a length; the first of a file is its end, which is
//! read when it is opened. All files are opened and their ends read at once; then all else. `benches/cold/floor` makes it.

use std::fs::File;
use std::io::{Read, stdin};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::time::Instant;

type Range = (String, u64, usize);

fn read(file: &File, offset: u64, length: usize) {
    let mut bytes = vec![0; length];
    let _ = file.read_at(&mut bytes, offset);
}

fn at_once(depth: usize, work: Vec<Box<dyn FnOnce() + Send>>) {
    let work = Mutex::new(work.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..depth {
            scope.spawn(|| {
                loop {
                    let next = work.lock().unwrap().next();
                    match next {
                        Some(job) => job(),
                        None => return,
                    }
                }
            });
        }
    });
}

fn main() {
    let depth = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut text = String::new();
    stdin().read_to_string(&mut text).unwrap();
    let parsed = |line: &str| -> Range {
        let words: Vec<&str> = line.split(' ').collect();
        (words[0].to_owned(), words[1].parse().unwrap(), words[2].parse().unwrap())
    };
    let ranges: Vec<Range> = text.lines().map(parsed).collect();
    let began = Instant::now();
    let opened: &'static Mutex<std::collections::HashMap<String, &'static File>> = Box::leak(Box::default());
    let mut first: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    let mut later: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (path, offset, length) in ranges {
        if seen.insert(path.clone()) {
            first.push(Box::new(move || {
                let file: &'static File = Box::leak(Box::new(File::open(&path).unwrap()));
                read(file, offset, length);
                opened.lock().unwrap().insert(path, file);
            }));
        } else {
            later.push(Box::new(move || {
                let file = opened.lock().unwrap()[&path];
                read(file, offset, length);
            }));
        }
    }
    at_once(depth, first);
    at_once(depth, later);
    println!("{:.1}", began.elapsed().as_secs_f64() * 1e3);
}
