//! `hypostyle explain`.

use hypostyle::Result;

use super::arguments::Query;
use super::destination::Output;
use super::{Common, stdout};

/// Say what a join would read and how it would be joined, without decoding features
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    #[command(flatten)]
    query: Query,
    // A join's command line can be explained as it stands.
    #[command(flatten)]
    _ignored: Output,
}

impl Explain {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let request = self.query.request()?;
        let explanation = request.store.explain(&request.spec, &request.options)?;
        if common.json { stdout::print_json(&explanation) } else { stdout::print(&explanation.to_string()) }
    }
}
