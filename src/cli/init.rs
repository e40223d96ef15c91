//! `colloquy init`

pub fn run(_: &super::args::InitArgs) -> Result<std::process::ExitCode, super::failure::Failure> {
    Err(super::failure::Failure::new(
        super::failure::Code::Bug,
        "being written",
    ))
}
