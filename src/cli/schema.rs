//! `hypostyle schema`.

use hypostyle::{JoinSpec, Result};

use super::stdout;

/// Print the JSON Schema of the spec, for editors that check while one types
#[derive(Debug, clap::Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(&self) -> Result<()> {
        stdout::print_json(&JoinSpec::json_schema())
    }
}
