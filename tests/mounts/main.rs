//! Joins of tables on a mount that is slow, fails, hangs or is gone.

#![cfg(target_os = "linux")]

mod command;
mod deadlines;
mod descriptors;
mod killed;
mod rewrites;
mod roots;
mod waves;
mod world;
