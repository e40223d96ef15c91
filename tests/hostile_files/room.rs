//! A model folder to spoil, and a reader that is watched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use colloquy::engine::{LoadOptions, LocalModel};
use colloquy::hub::{CachePlaces, resolve};
use colloquy::model::ModelParts;
use colloquy::model::template::Day;
use serde_json::Value;

/// Counts what threads have taken that are watched; other tests run beside them.
struct Counting;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let at = unsafe { System.alloc(layout) };
        if WATCHED.try_with(Cell::get).unwrap_or(false) {
            let taken = TAKEN.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            MOST.fetch_max(taken, Ordering::Relaxed);
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if WATCHED.try_with(Cell::get).unwrap_or(false) {
            // What another thread took and this one gives back was never counted.
            let less = |taken: usize| Some(taken.saturating_sub(layout.size()));
            let _ = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Memory is counted for all watched threads together, so that one reads at a time.
static ONE: Mutex<()> = Mutex::new(());
/// Bytes that reading a spoilt folder may take beside the length of its files.
const ALLOWED: usize = 256 << 20;
/// Time that reading a spoilt folder may take, on a machine with other work.
const PATIENCE: Duration = Duration::from_mins(1);

const FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

pub const DAY: Day = Day {
    year: 2026,
    month: 11,
    day: 20,
};

/// A copy of the demo model, to be spoilt.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for file in FILES {
            std::fs::copy(demo(file), folder.path(file)).unwrap();
        }
        folder
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), bytes).unwrap();
    }

    /// Changes a JSON file.
    pub fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap();
        change(&mut value);
        self.write(file, value.to_string());
    }

    /// Reads the folder as the program does: all files, then the engine and a prompt. `Ok` or the message.
    pub fn read(&self) -> Result<(), String> {
        let folder = self.0.path().to_owned();
        watched(move || {
            let files = resolve(folder.to_str().unwrap(), &CachePlaces::default())
                .map_err(|e| e.to_string())?;
            let parts = ModelParts::read(&files, DAY, true, 1).map_err(|e| e.to_string())?;
            let options = LoadOptions {
                reference: "odd".into(),
                threads: 1,
                profile: None,
                kv: None,
                memory_bytes: None,
                available_bytes: 1 << 30,
            };
            let model = LocalModel::start(parts, &options).map_err(|e| e.to_string())?;
            let _ = model.count_tokens("The kettle is late. <|end|>");
            Ok(())
        })
    }

    /// Reads the folder, which is to be refused with a message that says certain things.
    pub fn refused(&self, says: &[&str]) {
        let told = self.read().expect_err(&format!("refused with {says:?}"));
        assert!(
            told.len() < 1000,
            "a message of {} bytes: {:.300}",
            told.len(),
            told
        );
        for part in says {
            assert!(told.contains(part), "{part:?} is not in {told:?}");
        }
    }
}

pub fn demo(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models/demo")
        .join(file)
}

/// Runs something that must end, without a panic, in little memory, on a thread with a usual stack.
pub fn watched<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    TAKEN.store(0, Ordering::Relaxed);
    MOST.store(0, Ordering::Relaxed);
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            WATCHED.set(true);
            let result = work();
            WATCHED.set(false);
            let _ = sender.send(result);
        })
        .unwrap();
    let result = match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            drop(one);
            panic!(
                "it panicked: {:?}",
                thread.join().err().map(|p| {
                    p.downcast_ref::<String>()
                        .cloned()
                        .or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                })
            )
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no answer in {PATIENCE:?}"),
    };
    thread.join().unwrap();
    let most = MOST.load(Ordering::Relaxed);
    if result.is_err() {
        assert!(most < ALLOWED, "{most} bytes were taken");
    }
    result
}
