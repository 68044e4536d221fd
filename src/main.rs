//! The command line of hypostyle.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
