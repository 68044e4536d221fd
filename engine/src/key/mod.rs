//! Keys: which types may meet, how their values become comparable, and where bounds lie among them.

mod bound;
mod canonical;
mod class;
mod sequence;
mod text;

pub(crate) use bound::{Bound, Bounds, value};
pub(crate) use canonical::{Width, canonical};
pub(crate) use class::{KeyType, mend};
pub(crate) use sequence::{KeyEncoder, KeySequence, Keys, Order};
pub(crate) use text::text_of;
