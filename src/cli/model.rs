//! `hypostyle model`: models in a managed store.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hypostyle::{
    AsOf, Error, IoMode, JoinOptions, ModelData, ModelInfo, ModelReport, ModelVersion, PutOptions, Result,
    Store,
};

use super::arguments::{bytes, duration};
use super::root::Root;
use super::{Common, figures, stdout};

/// Store, read and name versions of models: files, folders or bytes in the same snapshots as tables
#[derive(Debug, clap::Args)]
pub(super) struct Model {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Put(Put),
    Get(Get),
    Ls(Ls),
    Rm(Rm),
    Alias(Alias),
}

impl Model {
    pub(super) fn run(&self, common: Common) -> Result<()> {
        match &self.what {
            What::Put(put) => put.run(common),
            What::Get(get) => get.run(common),
            What::Ls(ls) => ls.run(common),
            What::Rm(rm) => rm.run(common),
            What::Alias(alias) => alias.run(common),
        }
    }

    /// After which time it is to end, whatever a mount does.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match &self.what {
            What::Get(get) => get.reading.timeout,
            What::Ls(ls) => ls.reading.timeout,
            _ => None,
        }
    }
}

/// How models are read.
#[derive(Debug, clap::Args)]
struct Reading {
    /// The store's folder. May be given again, for the same store elsewhere: what the first cannot give is read from
    /// the next
    #[arg(long = "root", value_name = "DIR", default_value = ".")]
    roots: Vec<PathBuf>,
    /// As of a snapshot: a number, a time or a tag; else the newest
    #[arg(long, value_name = "S")]
    as_of: Option<AsOf>,
    /// How files are read; `auto` maps those of a local store
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = io_mode())]
    io: IoMode,
    /// Bytes to hold at most, such as 500M or 2GiB; half of the memory when left out
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_limit: Option<u64>,
    /// End with exit code 4 when it takes longer, such as 200ms or 5s, also when a mount hangs
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Do not compare what is read with its checksum
    #[arg(long)]
    no_verify: bool,
}

impl Reading {
    fn open(&self) -> Result<(Store, JoinOptions)> {
        let mut options = JoinOptions::default();
        options.as_of.clone_from(&self.as_of);
        options.io = self.io;
        options.memory_limit = self.memory_limit;
        options.timeout = self.timeout;
        options.verify = Some(!self.no_verify);
        Ok((Store::open_all(&self.roots)?, options))
    }
}

/// Store a version of a model, durably when it returns
#[derive(Debug, clap::Args)]
struct Put {
    /// The model: letters, digits, `_`, `-` and dots
    name: String,
    /// A file, a folder, or `-` for standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    root: Root,
    /// A JSON object to store with it, or @FILE for one in a file
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// The features that it was trained on
    #[arg(long = "feature", value_name = "TABLE:COLUMN[,…]", value_delimiter = ',')]
    features: Vec<String>,
    /// The snapshot that it was trained on: a number, a time or a tag
    #[arg(long, value_name = "S")]
    trained_on: Option<AsOf>,
}

impl Put {
    fn run(&self, common: Common) -> Result<()> {
        let store = self.root.open()?;
        let mut options = PutOptions::default();
        options.features.clone_from(&self.features);
        options.trained_on = self.trained_on.as_ref().map(|as_of| store.snapshot(Some(as_of))).transpose()?;
        if let Some(text) = &self.metadata {
            options.metadata = metadata(text)?;
        }
        let data = match self.from == Path::new("-") {
            true => ModelData::Reader(Box::new(std::io::stdin())),
            false => ModelData::Path(self.from.clone()),
        };
        let version = store.models().put_with(&self.name, data, &options)?;
        if common.json {
            return stdout::print_json(&serde_json::json!({"name": self.name, "version": version}));
        }
        stdout::print(&format!("{} has version {version}\n", self.name))
    }
}

fn metadata(text: &str) -> Result<serde_json::Map<String, serde_json::Value>> {
    let from_file;
    let text = match text.strip_prefix('@') {
        Some(path) => {
            let path = Path::new(path);
            from_file = std::fs::read_to_string(path).map_err(|e| Error::from_io(path, e))?;
            from_file.as_str()
        }
        None => text,
    };
    serde_json::from_str(text).map_err(|e| {
        Error::invalid(format!("the metadata is no JSON object: {e}"))
            .hint("write it as '{\"loss\": 0.25}', or @FILE")
    })
}

/// Bring a version of a model to a file, a folder or standard output, or show what was stored with it
#[derive(Debug, clap::Args)]
struct Get {
    /// The model
    name: String,
    /// A number, `latest`, or an alias
    #[arg(long, value_name = "V", default_value = "latest")]
    version: ModelVersion,
    /// Where it goes: a file, or the new folder of a folder; `-` for standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "info")]
    output: Option<PathBuf>,
    /// Show its metadata, features and more, and not its bytes
    #[arg(long, conflicts_with = "output")]
    info: bool,
    #[command(flatten)]
    reading: Reading,
}

impl Get {
    fn run(&self, common: Common) -> Result<()> {
        let (store, options) = self.reading.open()?;
        let models = store.models_with(&options);
        let info = match &self.output {
            None => models.info(&self.name, &self.version)?,
            Some(path) if path == Path::new("-") => {
                if common.json {
                    return Err(
                        Error::invalid("--json and the model would both go to stdout").hint("add -o FILE")
                    );
                }
                let mut out = stdout::raw()?;
                models.write_to(&self.name, &self.version, &mut out)?;
                return out.flush().map_err(|e| Error::from_io(path, e));
            }
            Some(path) => models.save(&self.name, &self.version, path)?,
        };
        match (common.json, self.info) {
            (true, _) => stdout::print_json(&info),
            (false, true) => stdout::print(&text(&info)),
            (false, false) => Ok(()),
        }
    }
}

fn text(info: &ModelInfo) -> String {
    let mut text = format!(
        "{} version {}: {}, checksum {:08x}\n  written {} by {}, in snapshot {}\n",
        info.name,
        info.version,
        figures::bytes(info.bytes),
        info.checksum,
        info.time,
        info.who,
        info.since
    );
    let trained_on = info.trained_on.map(|number| format!("snapshot {number}"));
    let metadata = info.metadata.as_object().filter(|map| !map.is_empty());
    for (what, said) in [
        ("aliases", (!info.aliases.is_empty()).then(|| info.aliases.join(", "))),
        ("features", (!info.features.is_empty()).then(|| info.features.join(", "))),
        ("trained on", trained_on),
        ("metadata", metadata.map(|_| info.metadata.to_string())),
    ] {
        if let Some(said) = said {
            text += &format!("  {what}: {said}\n");
        }
    }
    text
}

/// List the models, or the versions of one
#[derive(Debug, clap::Args)]
struct Ls {
    /// The model
    name: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

impl Ls {
    fn run(&self, common: Common) -> Result<()> {
        let (store, options) = self.reading.open()?;
        let models = store.models_with(&options);
        if let Some(name) = &self.name {
            let versions = models.versions(name)?;
            return match common.json {
                true => stdout::print_json(&versions),
                false => stdout::print(&versions.iter().map(text).collect::<String>()),
            };
        }
        let list = models.list()?;
        match common.json {
            true => stdout::print_json(&list),
            false => stdout::print(&list.iter().map(line).collect::<String>()),
        }
    }
}

fn line(model: &ModelReport) -> String {
    let aliases = model.aliases.iter().map(|(alias, version)| format!("  {alias} = {version}"));
    let count = model.versions.len();
    let versions = if count == 1 { "1 version".to_owned() } else { format!("{count} versions") };
    let ModelReport { name, latest, bytes, .. } = model;
    format!(
        "{name}  latest {latest}, {versions}, {}{}\n",
        figures::bytes(*bytes),
        aliases.collect::<String>()
    )
}

/// Take a version of a model away, or all; older snapshots have it until gc removes them
#[derive(Debug, clap::Args)]
struct Rm {
    /// The model
    name: String,
    /// The version's number
    #[arg(long, value_name = "N", required_unless_present = "all")]
    version: Option<u64>,
    /// All versions
    #[arg(long, conflicts_with = "version")]
    all: bool,
    #[command(flatten)]
    root: Root,
}

impl Rm {
    fn run(&self, common: Common) -> Result<()> {
        let removed = self.root.open()?.models().remove(&self.name, self.version)?;
        if common.json {
            return stdout::print_json(&serde_json::json!({"name": self.name, "removed": removed}));
        }
        let numbers: Vec<String> = removed.iter().map(u64::to_string).collect();
        stdout::print(&format!("{} has lost version {}\n", self.name, numbers.join(", ")))
    }
}

/// Let an alias of a model lead to a version, or to another alias; it moves at once for all who read
#[derive(Debug, clap::Args)]
struct Alias {
    /// The model
    name: String,
    /// The alias, such as `production`
    alias: String,
    /// A number, `latest` (the version that is it now), or another alias
    #[arg(value_name = "VERSION", required_unless_present = "delete")]
    to: Option<ModelVersion>,
    /// Take the alias away
    #[arg(long, conflicts_with = "to")]
    delete: bool,
    #[command(flatten)]
    root: Root,
}

impl Alias {
    fn run(&self, common: Common) -> Result<()> {
        self.root.open()?.models().alias(&self.name, &self.alias, self.to.as_ref())?;
        let to = self.to.as_ref().map(ToString::to_string);
        if common.json {
            let told = serde_json::json!({"name": self.name, "alias": self.alias, "to": to});
            return stdout::print_json(&told);
        }
        stdout::print(&match to {
            Some(to) => format!("{} of {} leads to {to}\n", self.alias, self.name),
            None => format!("{} has no alias {} any more\n", self.name, self.alias),
        })
    }
}

fn io_mode() -> impl TypedValueParser<Value = IoMode> {
    PossibleValuesParser::new(["auto", "mmap", "pread"]).try_map(|word| word.parse::<IoMode>())
}
