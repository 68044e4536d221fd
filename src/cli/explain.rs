//! `hypostyle explain`.

use hypostyle::Result;

use super::arguments::{Query, Request};
use super::destination::Output;
use super::progress::Progress;
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
    pub(super) fn timeout(&self) -> Option<std::time::Duration> {
        self.query.timeout
    }

    pub(super) fn run(&self, common: Common) -> Result<()> {
        let Request { store, spec, mut options } = self.query.request()?;
        let explanation = {
            let _progress = Progress::watch_run(common, "looking", &mut options);
            store.explain(&spec, &options)?
        };
        if common.json { stdout::print_json(&explanation) } else { stdout::print(&explanation.to_string()) }
    }
}
