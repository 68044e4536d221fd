//! `hypostyle lock`.

use hypostyle::{LockReport, Result};

use super::root::Root;
use super::{Common, stdout};

/// Show who holds or waits for which tables, or break a lock
#[derive(Debug, clap::Args)]
pub(super) struct Lock {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List them, in the order in which they asked
    Ls {
        #[command(flatten)]
        root: Root,
    },
    /// Break one: its holder, even if it lives, can commit nothing any more
    Break {
        /// Its id, as `ls` shows it
        id: String,
        #[command(flatten)]
        root: Root,
    },
}

impl Lock {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        match &self.what {
            What::Ls { root } => {
                let locks = root.open()?.locks()?;
                if common.json {
                    return stdout::print_json(&locks);
                }
                stdout::print(&locks.iter().map(line).collect::<String>())
            }
            What::Break { id, root } => {
                let snapshot = root.open()?.break_lock(id)?;
                if common.json {
                    return stdout::print_json(&serde_json::json!({"broken": id, "snapshot": snapshot}));
                }
                stdout::print(&format!("broken, in snapshot {snapshot}\n"))
            }
        }
    }
}

fn line(lock: &LockReport) -> String {
    let tables: Vec<String> = lock.tables.iter().map(|(name, mode)| format!("{name} ({mode})")).collect();
    let LockReport { id, owner, standing, seconds, .. } = lock;
    format!("{id}  {standing}  {}  {owner}, {seconds} s\n", tables.join(", "))
}
