//! `colloquy completions`

use std::process::ExitCode;

use clap::CommandFactory;

use super::args::Cli;
use super::failure::Failure;

pub fn run(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "colloquy", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
