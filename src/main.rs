use std::process::ExitCode;

fn main() -> ExitCode {
    colloquy::cli::main()
}
