//! The join.
mod align;
mod check;
mod columns;
mod explain;
mod frame;
mod gather;
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

pub use explain::{Explanation, TableExplanation};
pub use frame::Frame;
pub use join::{explain, join};
pub use request::{Duplicates, Feature, How, JoinRequest, JoinTable, Rows, Spine, Strategy};
pub use spine::read_table;
pub use stats::{JoinStats, Stage, TableStats};
