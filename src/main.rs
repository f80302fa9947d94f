//! tuneboard: launch, watch, compare and remember fine-tuning runs without leaving the terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(tuneboard::cli::main(std::env::args_os()))
}
