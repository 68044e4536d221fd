//! `hypostyle inspect`.

use std::time::Duration;

use hypostyle::{JoinOptions, Result, Store};

use super::arguments::duration;
use super::progress::Progress;
use super::{Common, stdout};

/// Show what Parquet files hold: schema, row groups, pages, codecs, encodings, key range, sortedness
#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// Files, folders or globs
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// The key columns, to see their range and whether they ascend; else the first column that could be one
    #[arg(long, value_name = "K[,K…]", value_delimiter = ',')]
    key: Vec<String>,
    /// End with exit code 4 when it takes longer, such as 200ms or 5s, also when a mount hangs
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

impl Inspect {
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) fn run(&self, common: Common) -> Result<()> {
        let store = Store::unrooted("");
        let mut options = JoinOptions::default();
        options.timeout = self.timeout;
        let files = {
            let _progress = Progress::watch_run(common, "looking", &mut options);
            store.inspect_all(&self.paths, &self.key, &options)?
        };
        if common.json {
            return stdout::print_json(&files);
        }
        let texts: Vec<String> = files.iter().map(ToString::to_string).collect();
        stdout::print(&texts.join("\n"))
    }
}
