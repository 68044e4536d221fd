//! The join.
mod align;
#[cfg(feature = "arrow2")]
mod arrow2;
mod check;
mod columns;
mod explain;
mod frame;
mod gather;
mod inspect;
mod join;
mod key;
mod last;
mod picked;
mod plan;
mod request;
mod side;
mod sides;
mod spine;
mod stats;
mod window;

#[cfg(feature = "arrow2")]
pub use arrow2::Arrow2Frame;
pub use explain::{Explanation, TableExplanation};
pub use frame::Frame;
pub use inspect::{KeySummary, summarise_key};
pub use join::{explain, join};
pub use request::{Duplicates, Feature, How, JoinRequest, JoinTable, Rows, Spine, Strategy};
pub use spine::read_table;
pub use stats::{JoinStats, Stage, TableStats};
