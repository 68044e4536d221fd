//! Work whose instructions are counted, one case after the other, in one thread.
//!
//! `tools/instructions` runs this under callgrind and compares with the counts that are kept. Run otherwise, as
//! `cargo bench` does, each case is done once.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot do its work should stop")]

mod align;
mod decode;
mod files;

use std::hint::black_box;
use std::io::Write;
use std::path::Path;

/// One piece of work and its name in the kept counts.
struct Case {
    name: String,
    work: Box<dyn FnMut()>,
}

/// The name of this function is what callgrind is told to begin and end at. Not generic, and without closures of its
/// own, so that no other function has it in its name.
#[inline(never)]
fn counted_under_callgrind(work: &mut dyn FnMut()) {
    work();
    // Something to come back for: a call at the very end might be made a jump.
    black_box(());
}

fn main() {
    // This very thread is the pool: what another one does would not be counted.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    // By a relative path: one of another length moves what lies behind it in memory, and how many instructions a copy
    // takes depends on where it begins.
    std::env::set_current_dir(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = Path::new("instructions");
    // Under callgrind the files are there already: writing them would take longer than all else.
    if !std::env::args().any(|argument| argument == "--count") {
        std::fs::create_dir_all(folder).unwrap();
        decode::make(folder);
        align::make(folder);
    }
    if std::env::args().any(|argument| argument == "--make") {
        return;
    }
    let mut out = std::io::stdout();
    for mut case in decode::cases(folder).into_iter().chain(align::cases(folder)) {
        // What is allocated, opened and looked up once is no part of the count.
        (case.work)();
        counted_under_callgrind(&mut case.work);
        writeln!(out, "{}", case.name).unwrap();
    }
}
