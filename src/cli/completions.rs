//! `hypostyle completions`.

use clap::CommandFactory;
use clap_complete::Shell;
use hypostyle::Result;

use super::{Hypostyle, stdout};

/// Print the completions for a shell, to be put where it looks for them
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Hypostyle::command(), "hypostyle", &mut script);
        stdout::print(&String::from_utf8_lossy(&script))
    }
}
