//! Joins of tables on a mount that is slow, fails, hangs or is gone.

#![cfg(target_os = "linux")]

mod deadlines;
mod roots;
mod waves;
mod world;
