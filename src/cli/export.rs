//! `colloquy export`

pub fn run(_: &super::args::ExportArgs) -> Result<std::process::ExitCode, super::failure::Failure> {
    Err(super::failure::Failure::new(
        super::failure::Code::Bug,
        "being written",
    ))
}
