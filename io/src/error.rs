//! The one error type of the engine's crates, sorted by what the caller must do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Shorthand for a result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error; the command's exit codes follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong: mend the spec, the flag or the argument.
    InvalidRequest,
    /// A table or file that was asked for does not exist.
    NotFound,
    /// The bytes contradict themselves: the file must be written again.
    Corrupt,
    /// The file is sound, but uses something that this engine does not read.
    Unsupported,
    /// Storage did not answer: the same call may succeed later.
    Unavailable,
    /// A file changed while it was read: the same call will see the new one.
    Changed,
    /// The deadline passed.
    Timeout,
    /// A configured limit (memory, sizes, counts) would be passed.
    LimitExceeded,
    /// Another writer was first.
    Conflict,
    /// The caller asked for the work to stop.
    Cancelled,
    /// A bug in this project.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed when repeated without a change.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Changed | Self::Timeout)
    }
}

/// An error that says what went wrong, where, and how to mend it.
///
/// Its [`Display`](fmt::Display) form is one line that names the table, the file and the column.
///
/// ```
/// use hypostyle_io::{Error, ErrorKind};
/// let error = Error::invalid("there is no column `sped`").table("wind").hint("did you mean `speed`?");
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// assert_eq!(error.to_string(), "table `wind`: there is no column `sped`");
/// ```
pub struct Error(Box<Details>);

struct Details {
    kind: ErrorKind,
    message: String,
    table: Option<String>,
    path: Option<PathBuf>,
    column: Option<String>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` says what is wrong without naming table, file or column again.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            message: message.into(),
            table: None,
            path: None,
            column: None,
            hint: None,
            source: None,
        }))
    }

    /// [`ErrorKind::InvalidRequest`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// [`ErrorKind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// [`ErrorKind::LimitExceeded`].
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitExceeded, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What the operating system said about `path`, sorted into a kind.
    pub fn from_io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        // What was typed already comes out as it went in.
        let error = match error.downcast::<Self>() {
            Ok(own) => return own.path(path),
            Err(error) => error,
        };
        let kind = match error.kind() {
            _ if crate::platform::is_out_of_descriptors(&error) => ErrorKind::LimitExceeded,
            Os::NotFound | Os::NotADirectory => ErrorKind::NotFound,
            _ if crate::platform::is_link_loop(&error) => ErrorKind::InvalidRequest,
            Os::PermissionDenied
            | Os::InvalidInput
            | Os::IsADirectory
            | Os::InvalidFilename
            | Os::AlreadyExists
            | Os::ReadOnlyFilesystem => ErrorKind::InvalidRequest,
            Os::StaleNetworkFileHandle => ErrorKind::Changed,
            Os::TimedOut => ErrorKind::Timeout,
            Os::OutOfMemory => ErrorKind::LimitExceeded,
            Os::UnexpectedEof => ErrorKind::Changed,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).path(path).source(error)
    }

    /// Names the table, unless one is named already.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.0.table.get_or_insert_with(|| name.into());
        self
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path.get_or_insert_with(|| path.into());
        self
    }

    /// Takes the path back, for a caller that names a better one.
    #[must_use]
    pub(crate) fn without_path(mut self) -> Self {
        self.0.path = None;
        self
    }

    /// Names the column, unless one is named already.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.0.column.get_or_insert_with(|| name.into());
        self
    }

    /// Says how to mend it, unless that is said already.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn source(mut self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(error.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed when repeated without a change.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The table's name, where there is one.
    pub fn table_name(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// The file, where there is one.
    pub fn file_path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The column's name, where there is one.
    pub fn column_name(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// How to mend it, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        let mut place = Vec::with_capacity(3);
        if let Some(table) = &details.table {
            place.push(format!("table `{table}`"));
        }
        if let Some(path) = &details.path {
            place.push(format!("file {}", path.display()));
        }
        if let Some(column) = &details.column {
            place.push(format!("column `{column}`"));
        }
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        // One line, whatever a path or a library's message holds.
        for c in details.message.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        if let Some(hint) = &self.0.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

/// Ends a sentence with the nearest of `known`: `did you mean `speed_80m`?`, or lists a few.
pub fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, name))
            if distance <= 1 + wanted.chars().count() / 4 && distance < wanted.chars().count() =>
        {
            Some(format!("did you mean `{name}`?"))
        }
        Some(_) => {
            let shown: Vec<String> = known.iter().take(8).map(|n| format!("`{n}`")).collect();
            let more = known.len().saturating_sub(shown.len());
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("there are {}{rest}", shown.join(", ")))
        }
        None => None,
    }
}
