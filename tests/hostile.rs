//! Model files with arbitrary damage: read or refused, but never a panic, and never more memory than the file is worth.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use colloquy::hub::ModelFiles;
use colloquy::kernels::Profile;
use colloquy::model::template::Day;
use colloquy::model::{ModelParts, Weights};
use colloquy::rng::Stream;

/// Counts the bytes that are taken, and the most at any time.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(taken, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that reading may take on top of what is taken already: tables, a tokenizer, one matrix.
const ALLOWED: usize = 64 << 20;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// Some damage: bytes changed, numbers blown up, parts cut out or doubled, most of it where the header is.
fn damaged(original: &[u8], header: usize, draw: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=draw(3) {
        let end = if draw(8) == 0 {
            bytes.len()
        } else {
            header.min(bytes.len())
        };
        if end == 0 {
            break;
        }
        let at = draw(end);
        match draw(6) {
            0 => bytes[at] ^= 1 << draw(8),
            1 => bytes[at] = u8::try_from(draw(256)).unwrap(),
            2 => {
                let huge = [u64::MAX, 1 << 63, 1 << 40, u64::from(u32::MAX), 1 << 31, 0];
                let number = huge[draw(huge.len())].to_le_bytes();
                let len = number.len().min(bytes.len() - at);
                bytes[at..at + len].copy_from_slice(&number[..len]);
            }
            3 => {
                let len = draw(64).min(bytes.len() - at);
                bytes.drain(at..at + len);
            }
            4 => {
                let len = draw(64).min(bytes.len() - at);
                let copy = bytes[at..at + len].to_vec();
                let to = draw(end);
                bytes.splice(to..to, copy);
            }
            _ => bytes.truncate(at + draw(bytes.len() - at)),
        }
    }
    bytes
}

/// Runs `read` on many damaged copies and returns how many it took for whole.
fn damage(
    name: &str,
    original: &[u8],
    header: usize,
    rounds: usize,
    read: impl Fn(&Path) -> bool,
) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let (random, mut position) = (Stream::root(17), 0);
    let mut draw = |below: usize| {
        position += 1;
        random.below(position, below)
    };
    let mut whole = 0;
    for round in 0..rounds {
        let bytes = damaged(original, header, &mut draw);
        std::fs::write(&path, &bytes).unwrap();
        let before = TAKEN.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        whole += usize::from(read(&path));
        let most = MOST.load(Ordering::Relaxed).saturating_sub(before);
        assert!(
            most < ALLOWED,
            "{name}, round {round}: {most} bytes were taken"
        );
    }
    whole
}

/// Everything that reading a model does, up to the first matrices. Both kinds of file, one after the other: the memory is
/// counted for the whole program.
#[test]
fn damaged_files_are_refused_without_a_panic() {
    let original = std::fs::read(file("gguf/blocks-of-32.gguf")).unwrap();
    let day = Day::parse("2026-11-20").unwrap();
    let whole = damage("model.gguf", &original, 12_000, 1500, |path| {
        let Ok(files) = ModelFiles::gguf(path, None) else {
            return false;
        };
        let Ok(parts) = ModelParts::read(&files, day, true, 1) else {
            return false;
        };
        let (spec, weights) = (&parts.spec, &parts.weights);
        let width = spec.heads.saturating_mul(spec.head_dim);
        let parts = [("model.layers.0.self_attn.q_proj", width)];
        let packed = weights.linear(&parts, spec.hidden, false, Profile::F32);
        packed.is_ok() && weights.packed_bytes(Profile::Int8) > 0
    });
    println!("{whole} of 1500 damaged GGUF files are whole");
    assert!(whole > 0 && whole < 1400);

    let original = std::fs::read(file("parity/qwen2/model.safetensors")).unwrap();
    let whole = damage("model.safetensors", &original, 3000, 1500, |path| {
        let Ok(weights) = Weights::open(&[path.to_owned()]) else {
            return false;
        };
        let parts = [("model.layers.0.self_attn.q_proj", 48)];
        let packed = weights.linear(&parts, 48, true, Profile::F32);
        packed.is_ok() && weights.packed_bytes(Profile::Int8) > 0
    });
    println!("{whole} of 1500 damaged safetensors files are whole");
    assert!(whole > 0 && whole < 1400);
}
