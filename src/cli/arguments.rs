//! The arguments that say what to join, and the spec, the store and the options they make.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hypostyle::{
    AsOf, Error, How, IoMode, JoinOptions, JoinSpec, Result, SpineSpec, Store, Strategy, TableSpec,
};

/// How long the roots are waited for at most, and four times as long.
const PATIENCE: Duration = Duration::from_secs(4);

/// What to join, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to join")]
pub(super) struct Query {
    /// The join, in YAML or JSON; flags add tables to it, and override the rest
    #[arg(value_name = "SPEC", help_heading = None::<&'static str>)]
    spec: Option<PathBuf>,
    /// The folder that all paths are relative to, and may not leave.
    /// Without it, paths in a spec are relative to the spec, and those in flags to the current folder.
    /// May be given again, for the same tables elsewhere: what the first cannot give is read from the next
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// The key columns. Without it: those in hypostyle.yaml in the root (or where paths begin), else the one column
    /// that all tables have and that can be a key
    #[arg(long, value_name = "K[,K…]", value_delimiter = ',')]
    key: Option<Vec<String>>,
    /// A table and its columns, or `PATH:*` for all of them; may be given many times.
    /// It is split at its last `:`; write `./a=b/x.parquet` for a path that looks as if it had a name
    #[arg(long = "table", value_name = "[NAME=]PATH:COL[=NEWNAME][,COL…]")]
    tables: Vec<String>,
    /// Which rows the frame has: keys that are in every table, all of the first table, or the spine's
    #[arg(long, value_name = "HOW", value_parser = how())]
    how: Option<How>,
    /// The rows to fill: a table whose rows the frame has, in their order and number
    #[arg(long, value_name = "PATH")]
    spine: Option<String>,
    /// Only rows whose first key is V or greater, such as 2024-12-25 or 17
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    from: Option<String>,
    /// Only rows whose first key is less than V
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only the N rows with the greatest first keys
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// The snapshot to read, in a managed store: a number, a time or a tag; the newest when left out
    #[arg(long, value_name = "S")]
    as_of: Option<AsOf>,
    /// Name columns `table__column`
    #[arg(long)]
    full_names: bool,
    /// How files are read; mmap is for files that nobody changes meanwhile
    #[arg(long, help_heading = "How to join", value_name = "MODE", default_value = "auto", value_parser = io_mode())]
    io: IoMode,
    /// Threads to work with; all cores when left out
    #[arg(long, help_heading = "How to join", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Bytes of decoded data to hold at most, such as 500M or 2GiB; half of the memory when left out
    #[arg(long, help_heading = "How to join", value_name = "BYTES", value_parser = bytes)]
    memory_limit: Option<u64>,
    /// End with exit code 4 when the join takes longer, such as 200ms or 5s, also when a mount hangs
    #[arg(long, help_heading = "How to join", value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Requests in flight at once on a FUSE or network mount; 32 when left out
    #[arg(long, help_heading = "How to join", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    io_depth: Option<u16>,
    /// Ask the next root too as soon as one is slower than it usually is
    #[arg(long, help_heading = "How to join")]
    hedge: bool,
    /// Do not compare pages with their checksums: what is damaged may then go unnoticed
    #[arg(long, help_heading = "How to join")]
    no_verify: bool,
    /// How tables are aligned: the cheapest way that fits, or this one
    #[arg(long, help_heading = "How to join", value_name = "WAY", default_value = "auto", value_parser = strategy())]
    strategy: Strategy,
}

/// A join that is ready to run.
pub(super) struct Request {
    pub(super) store: Store,
    pub(super) spec: JoinSpec,
    pub(super) options: JoinOptions,
}

impl Query {
    /// Reads the spec, lays the flags over it, and opens the store.
    pub(super) fn request(&self) -> Result<Request> {
        let began = Instant::now();
        let mut spec = match &self.spec {
            Some(path) => JoinSpec::from_path(path)?,
            None if self.tables.is_empty() => {
                return Err(Error::invalid("there is nothing to join")
                    .hint("give a SPEC, or --table PATH:COLUMN,… for each table"));
            }
            None => JoinSpec::default(),
        };
        self.override_spec(&mut spec)?;
        spec.validate()?;
        let store = match self.roots.as_slice() {
            [] => Store::unrooted(self.spec_folder()),
            // A root that does not answer yet may still do so for the join.
            roots => Store::open_within(roots, self.timeout.unwrap_or(PATIENCE).min(PATIENCE) / 4)?,
        };
        let mut options = JoinOptions::default();
        options.threads = self.threads.map(usize::from);
        options.memory_limit = self.memory_limit;
        options.io = self.io;
        options.strategy = self.strategy;
        options.as_of.clone_from(&self.as_of);
        options.io_depth = self.io_depth.map(usize::from);
        options.hedge = self.hedge;
        options.verify = Some(!self.no_verify);
        options.timeout = self.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        Ok(Request { store, spec, options })
    }

    fn override_spec(&self, spec: &mut JoinSpec) -> Result<()> {
        if let Some(key) = &self.key {
            spec.key.clone_from(key);
        }
        if let Some(path) = &self.spine {
            let key = spec.spine.take().map(|spine| spine.key).unwrap_or_default();
            spec.spine = Some(SpineSpec::new(self.flag_path(path)?).key(key));
            spec.how = How::Spine;
        }
        if let Some(how) = self.how {
            spec.how = how;
        }
        for table in &self.tables {
            let mut table: TableSpec = table.parse()?;
            if let Some(path) = &mut table.path {
                *path = self.flag_path(path)?;
            }
            spec.tables.push(table);
        }
        let rows = &mut spec.rows;
        for (given, kept) in [(&self.from, &mut rows.from), (&self.to, &mut rows.to)] {
            if given.is_some() {
                kept.clone_from(given);
            }
        }
        rows.last = self.last.or(rows.last);
        spec.full_names |= self.full_names;
        Ok(())
    }

    /// Where the paths of the spec begin; those of one from a pipe begin where the user stands.
    fn spec_folder(&self) -> &Path {
        let file = self.spec.as_deref().filter(|path| path.is_file() && !path.starts_with("/dev"));
        file.and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// A path as a flag gives it, for a store whose paths may begin elsewhere.
    fn flag_path(&self, path: &str) -> Result<String> {
        if !self.roots.is_empty() || path.is_empty() || self.spec_folder().as_os_str().is_empty() {
            return Ok(path.to_owned());
        }
        let absolute = std::path::absolute(path).map_err(|e| Error::from_io(Path::new(path), e))?;
        absolute
            .into_os_string()
            .into_string()
            .map_err(|_| Error::invalid("the current folder's path is not UTF-8; give absolute paths"))
    }
}

fn how() -> impl TypedValueParser<Value = How> {
    PossibleValuesParser::new(["inner", "left", "spine"]).map(|word| match word.as_str() {
        "left" => How::Left,
        "spine" => How::Spine,
        _ => How::Inner,
    })
}

fn strategy() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(["auto", "identity", "merge", "hash"]).map(|word| match word.as_str() {
        "identity" => Strategy::Identity,
        "merge" => Strategy::Merge,
        "hash" => Strategy::Hash,
        _ => Strategy::Auto,
    })
}

fn io_mode() -> impl TypedValueParser<Value = IoMode> {
    PossibleValuesParser::new(["auto", "mmap", "pread"]).try_map(|word| word.parse::<IoMode>())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("nothing can be done in no time".to_owned()),
        Ok(time) => Ok(time),
        Err(_) => Err("write a time with its unit, such as 200ms, 5s or 2m".to_owned()),
    }
}

pub(super) fn bytes(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("nothing fits into 0 bytes".to_owned()),
        Ok(ByteSize(bytes)) => Ok(bytes),
        Err(_) => Err("write a number of bytes, such as 500000000, 500M or 2GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        query: Query,
    }

    fn request(arguments: &[&str]) -> Result<Request> {
        let command = Command::try_parse_from([&["join"], arguments].concat()).unwrap();
        command.query.request()
    }

    #[test]
    fn times_are_read_with_their_units() {
        for (text, expected) in [
            ("200ms", Some(200)),
            ("1.5s", Some(1_500)),
            ("2s", Some(2_000)),
            ("2m", Some(120_000)),
            ("5", None),
            ("0s", None),
        ] {
            assert_eq!(duration(text).ok().map(|t| t.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, expected) in [
            ("1", Some(1)),
            ("500M", Some(500_000_000)),
            ("2k", Some(2_000)),
            ("2KiB", Some(2_048)),
            ("1.5 GiB", Some(3 << 29)),
            ("0", None),
            ("0K", None),
            ("-1", None),
            ("many", None),
            ("", None),
            ("1Q", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn flags_add_tables_to_the_spec_and_override_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spec.yaml");
        let yaml = "key: ts\nhow: left\nrows: {from: 1, to: 9, last: 5}\n\
                    tables: [{path: a.parquet, columns: [x]}]";
        std::fs::write(&path, yaml).unwrap();
        let path = path.to_str().unwrap();
        let as_written = request(&[path]).unwrap();
        assert_eq!(as_written.spec, JoinSpec::from_yaml(yaml).unwrap());
        assert_eq!(as_written.store.base(), folder.path());

        let flags = ["--key", "a,b", "--how", "inner", "--from=-3", "--last", "7", "--full-names"];
        let changed = request(&[&[path, "--table", "n=b.parquet:y"], flags.as_slice()].concat()).unwrap();
        let absolute = std::path::absolute("b.parquet").unwrap();
        let expected = JoinSpec::new(["a", "b"])
            .from("-3")
            .to("9")
            .last(7)
            .full_names(true)
            .table(TableSpec::new("a.parquet").columns(["x"]))
            .table(TableSpec::new(absolute.to_str().unwrap()).name("n").columns(["y"]));
        assert_eq!(changed.spec, expected);

        let rooted = request(&[path, "--root", folder.path().to_str().unwrap(), "--spine", "k.parquet"]);
        let rooted = rooted.unwrap();
        assert_eq!((rooted.spec.how, &rooted.spec.spine), (How::Spine, &Some(SpineSpec::new("k.parquet"))));
    }

    #[test]
    fn without_a_spec_paths_stay_as_they_are_typed() {
        let request = request(&["--key", "ts", "--table", "w.parquet:a", "--io", "mmap"]).unwrap();
        let expected = JoinSpec::new(["ts"]).table(TableSpec::new("w.parquet").columns(["a"]));
        assert_eq!((request.spec, request.store.base()), (expected, Path::new("")));
        assert_eq!(request.options.io, IoMode::Mmap);
    }

    #[test]
    fn what_does_not_make_a_join_is_refused() {
        for (arguments, message) in [
            (&[][..], "there is nothing to join"),
            (&["--key", "ts"], "there is nothing to join"),
            (&["--key", "ts", "--table", "w.parquet"], "`w.parquet` names no columns"),
            (&["--key", "ts,", "--table", "w:a"], "a key column has an empty name"),
            (
                &["--key", "ts", "--table", "w:a", "--last", "0"],
                "`last` is 0, and a frame without rows helps nobody",
            ),
            (&["--key", "ts", "--table", "w:a", "--how", "spine"], "a join with `how: spine` needs a spine"),
            (
                &["--key", "ts", "--table", "w:a", "--how", "left", "--spine", "k"],
                "a spine is given, but `how` is `left`",
            ),
        ] {
            let error = request(arguments).err().unwrap();
            assert_eq!(error.to_string(), message, "{arguments:?}");
            assert_eq!(error.kind(), hypostyle::ErrorKind::InvalidRequest);
        }
    }
}
