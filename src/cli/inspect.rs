//! `hypostyle inspect`.

use hypostyle::{JoinOptions, Result, Store};

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
}

impl Inspect {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        let store = Store::unrooted("");
        let mut options = JoinOptions::default();
        let mut files = Vec::new();
        {
            let _progress = Progress::watch_run(common, "looking", &mut options);
            for path in &self.paths {
                files.extend(store.inspect(path, &self.key, &options)?);
            }
        }
        if common.json {
            return stdout::print_json(&files);
        }
        let texts: Vec<String> = files.iter().map(ToString::to_string).collect();
        stdout::print(&texts.join("\n"))
    }
}
