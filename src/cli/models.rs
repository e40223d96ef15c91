//! `colloquy models`

pub fn show(_: &str, _: bool) -> Result<std::process::ExitCode, super::failure::Failure> {
    Err(super::failure::Failure::new(
        super::failure::Code::Bug,
        "being written",
    ))
}
