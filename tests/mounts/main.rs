//! Joins of tables on a mount that is slow, fails, hangs or is gone.

#![cfg(target_os = "linux")]

mod command;
mod deadlines;
mod descriptors;
mod roots;
mod waves;
mod world;
