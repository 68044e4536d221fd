//! The root of a store, as all verbs about a managed one take it.

use std::path::PathBuf;

use hypostyle::{Result, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Root {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) root: PathBuf,
}

impl Root {
    pub(super) fn open(&self) -> Result<Store> {
        Store::open(&self.root)
    }
}
