//! `hypostyle init`.

use std::path::PathBuf;

use hypostyle::{Coordination, Result, init};

use super::{Common, stdout};

/// Make a folder a managed store: its tables can be written, and have snapshots
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// The store's folder, which must exist; files that are there stay as they are
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Who decides which commit is next: `local` for the processes of one machine
    #[arg(long, value_name = "local|etcd://H:P,…", default_value = "local")]
    coordination: String,
}

impl Init {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let coordination: Coordination = self.coordination.parse()?;
        let made = init(&self.root, &coordination)?;
        if common.json {
            return stdout::print_json(&made);
        }
        stdout::print(&format!("{} is a managed store now, on {}\n", made.root.display(), made.file_system))
    }
}
