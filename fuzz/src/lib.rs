//! What the targets share.

use std::path::PathBuf;
use std::sync::{Arc, Once, OnceLock};

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

/// Lets panics that are caught be: the fuzzer would take them for finds. The tokenizers library panics at some malformed files,
/// which is caught and told. Panics that nobody catches still are finds.
pub fn mind_uncaught_panics_only() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(std::panic::take_hook()));
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
