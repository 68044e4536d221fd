//! How deep a schema is, and whether it has the elements that it says it has: the `parquet` crate would go down into
//! it, and make room for them, before it sees.

use crate::error::{Error, Result};

/// Groups in groups. The deepest that anybody was seen to write has some ten levels; the crate goes down into each
/// with a function of its own, and so does whoever walks its types.
pub(super) const DEEPEST: usize = 100;

/// The groups of a schema that are open, as its elements come one by one.
pub(super) struct Levels {
    /// Elements still to come.
    left: u64,
    /// For each group that is open, the children still to come.
    open: Vec<u64>,
}

impl Levels {
    pub(super) fn of(elements: u64) -> Self {
        Self { left: elements, open: Vec::new() }
    }

    /// The next element, which has so many children.
    pub(super) fn element(&mut self, children: i64) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        match u64::try_from(children) {
            Ok(0) => {
                while let Some(last) = self.open.last_mut() {
                    *last -= 1;
                    if *last > 0 {
                        break;
                    }
                    self.open.pop();
                }
            }
            Ok(children) if children <= self.left => self.open.push(children),
            _ => {
                return Err(Error::corrupt(format!(
                    "a group of the schema says it has {children} children, and {} elements follow",
                    self.left
                ))
                .hint("write the file again"));
            }
        }
        if self.open.len() > DEEPEST {
            return Err(Error::limit(format!("the schema is more than {DEEPEST} levels deep")));
        }
        Ok(())
    }
}
