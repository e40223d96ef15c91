//! What the targets share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use colloquy::kernels::{Cpu, InstructionSet, Threads};

/// A file of this process with the given bytes.
///
/// # Panics
/// When it cannot be written.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

/// One thread to compute with.
pub fn cpu() -> Arc<Cpu> {
    static CPU: OnceLock<Arc<Cpu>> = OnceLock::new();
    let cpu = || {
        Arc::new(Cpu {
            threads: Threads::new(1),
            set: InstructionSet::detect(),
        })
    };
    Arc::clone(CPU.get_or_init(cpu))
}
