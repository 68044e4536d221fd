//! Which snapshot a reader means: a number, a moment, or a tag.

use std::fmt;
use std::str::FromStr;

use arrow_schema::{DataType, TimeUnit};
use hypostyle_engine::KeyPoint;

use super::snapshot::Snapshot;
use super::{Managed, layout, unique};
use crate::{Error, ErrorKind, Result};

/// A snapshot by its number, by a moment (the newest then), or by its tag.
///
/// ```
/// use hypostyle::AsOf;
///
/// assert_eq!("42".parse::<AsOf>()?, AsOf::Snapshot(42));
/// assert_eq!("release_7".parse::<AsOf>()?, AsOf::Tag("release_7".to_owned()));
/// assert!(matches!("2024-12-25T06:00:00Z".parse::<AsOf>()?, AsOf::Time(_)));
/// # Ok::<(), hypostyle::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// The number.
    Snapshot(u64),
    /// Nanoseconds since 1970, UTC.
    Time(u64),
    /// The tag.
    Tag(String),
}

impl FromStr for AsOf {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Snapshot(number));
        }
        if layout::check_tag(text).is_ok() {
            return Ok(Self::Tag(text.to_owned()));
        }
        let wrong = || {
            Error::invalid(format!("`{}` names no snapshot", crate::output::shortened(text, 80)))
                .hint("write a number, a time such as 2024-12-25T06:00:00Z, or a tag")
        };
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let (moment, _) = KeyPoint::bounds(Some(text), None, &utc).map_err(|_| wrong())?;
        moment.and_then(|m| m.to_string().parse().ok()).map(Self::Time).ok_or_else(wrong)
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(number) => write!(f, "{number}"),
            Self::Time(time) => f.write_str(&unique::moment(*time)),
            Self::Tag(tag) => f.write_str(tag),
        }
    }
}

/// The snapshot that is meant, for somebody who sees `newest`.
pub(super) fn resolve<'s>(managed: &'s Managed, newest: &Snapshot<'s>, as_of: &AsOf) -> Result<Snapshot<'s>> {
    let read = |number| Snapshot::read(&managed.layout, &managed.kept, number);
    let horizon = newest.manifest.horizon;
    match as_of {
        AsOf::Snapshot(number) if *number > newest.number() => Err(Error::not_found(format!(
            "there is no snapshot {number} yet; the newest is {}",
            newest.number()
        ))),
        AsOf::Snapshot(number) => {
            if *number < horizon && !newest.tags()?.values().any(|tagged| tagged == number) {
                return Err(removed(*number, horizon));
            }
            read(*number)
        }
        AsOf::Tag(tag) => match newest.tag(tag)? {
            Some(number) => read(number),
            None => {
                let tags = newest.tags()?;
                let error = Error::not_found(format!("there is no tag `{tag}`"));
                Err(match hypostyle_io::did_you_mean(tag, tags.keys().map(String::as_str)) {
                    Some(hint) => error.hint(hint),
                    None => error.hint("`hypostyle tag NAME` names a snapshot"),
                })
            }
        },
        AsOf::Time(time) => {
            let (mut low, mut high) = (horizon, newest.number() + 1);
            let first = read(low)?;
            if first.manifest.time > *time {
                return Err(Error::not_found(format!(
                    "there was no snapshot at {}, or it is gone; the oldest, {low}, is of {}",
                    unique::moment(*time),
                    unique::moment(first.manifest.time)
                )));
            }
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if read(middle)?.manifest.time <= *time {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            read(low)
        }
    }
}

fn removed(number: u64, horizon: u64) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("snapshot {number} is gone: `hypostyle gc` removed those before {horizon}"),
    )
    .hint("a tag would have kept it")
}
