//! The join.
mod frame;
mod request;
mod stats;
pub use frame::Frame;
pub use request::{Duplicates, Feature, How, JoinRequest, JoinTable, Rows, Spine, Strategy};
pub use stats::{JoinStats, Stage, TableStats};
