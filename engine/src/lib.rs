//! The join engine of `hypostyle`: which row of each table belongs to which row of the output, and the columns
//! that follow from it.
//!
//! It never sees a path: a [`JoinRequest`] holds opened tables. [`join`] goes one way, without turning back: names
//! and types are checked, keys are read (only of rows that the statistics leave), brought to common terms and
//! aligned, then features are decoded straight into the columns of the [`Frame`]. [`explain`] stops before the
//! features.
//!
//! Three alignments give the same answer: *identity* when the keys are equal row by row, *merge* when both ascend,
//! *hash* always.
mod ahead;
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
mod matrix;
mod picked;
mod plan;
mod point;
mod remembered;
mod request;
mod side;
mod sides;
mod spine;
mod stats;
mod twins;
mod window;

#[cfg(feature = "arrow2")]
pub use arrow2::Arrow2Frame;
pub use explain::{Explanation, TableExplanation};
pub use frame::{Frame, column_position};
pub use inspect::{KeySummary, key_ahead, summarise_key};
pub use join::{explain, join};
pub use matrix::{Floats, Order, fill_matrix};
pub use point::KeyPoint;
pub use remembered::Remembered;
pub use request::{Duplicates, Feature, How, JoinRequest, JoinTable, Rows, Spine, Strategy};
pub use spine::read_table;
pub use stats::{JoinStats, Stage, TableStats};
