//! The command line: one file a subcommand. The only room that prints results.

#![expect(clippy::print_stderr, reason = "this is the room that prints")]

mod args;
mod bench;
mod completions;
mod doctor;
mod export;
mod failure;
mod generate;
mod init;
mod judge;
mod maker;
mod models;
mod preview;
mod publish;
mod recipes;
mod report;
mod review;
mod score;
mod scratch;
mod shipped;
mod show;
mod status;
mod talk;
mod validate;
mod workshop;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, ModelsCommand};
use failure::Failure;

use crate::settings::{self, Environment};

/// Reads the command line, does what it says, and tells how that went.
#[must_use]
pub fn main() -> ExitCode {
    if Environment::from_process()
        .get(settings::env::NO_COLOR)
        .is_some()
    {
        console::set_colors_enabled(false);
        console::set_colors_enabled_stderr(false);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(
                u8::try_from(error.exit_code()).unwrap_or(failure::Code::Usage as u8),
            );
        }
    };
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure);
            failure.code.into()
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Generate(args) => generate::run(&args),
        Command::Resume(args) => generate::resume(&args),
        Command::Preview(args) => preview::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Recipes(args) => recipes::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Review(args) => review::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Models(ModelsCommand::List { json }) => models::list(json),
        Command::Models(ModelsCommand::Show { reference, json }) => models::show(&reference, json),
        Command::Models(ModelsCommand::Pull(args)) => models::pull(&args),
        Command::Models(ModelsCommand::Verify { reference, json }) => {
            models::verify(&reference, json)
        }
        Command::Score(args) => score::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}

fn tell(failure: &Failure) {
    let style = console::Style::new().for_stderr().red().bold();
    eprintln!(
        "{} {}",
        style.apply_to("error:"),
        failure.message.trim_end()
    );
    if let Some(hint) = &failure.hint {
        eprintln!("  hint: {hint}");
    }
}

/// Prints to standard output; a reader that went away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(
            failure::Code::Io,
            format!("cannot write to standard output: {error}"),
        )),
    }
}
