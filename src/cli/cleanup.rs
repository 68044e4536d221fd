//! Temporary files and folders that an interrupt leaves to be removed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes a file or a folder if the process is interrupted before this is dropped.
pub(super) struct OnInterrupt(PathBuf);

impl OnInterrupt {
    pub(super) fn remove(path: &Path) -> Self {
        static LISTEN: Once = Once::new();
        LISTEN.call_once(listen);
        if let Ok(mut unfinished) = UNFINISHED.lock() {
            unfinished.push(path.to_owned());
        }
        Self(path.to_owned())
    }
}

impl Drop for OnInterrupt {
    fn drop(&mut self) {
        if let Ok(mut unfinished) = UNFINISHED.lock() {
            unfinished.retain(|path| *path != self.0);
        }
    }
}

/// Waits for signals on a thread of its own, where it may do whatever it needs to. Without it, an interrupt
/// ends the process as it does any other, only less tidily.
fn listen() {
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) else { return };
    let listener = move || {
        let Some(signal) = signals.forever().next() else { return };
        let Ok(unfinished) = UNFINISHED.lock() else { return };
        unfinished.iter().for_each(|path| remove(path));
        // Dies with the lock held: nothing can be begun that would be left over.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    };
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(listener);
}

fn remove(path: &Path) {
    if path.is_dir() {
        // Threads that still write there may put a file behind the first sweep.
        let _ = std::fs::remove_dir_all(path).or_else(|_| std::fs::remove_dir_all(path));
    } else {
        let _ = std::fs::remove_file(path);
    }
}
