//! The real program in a place of its own: an empty home, no model cache, a folder to work in.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    reason = "each test program uses its own part, stops where it cannot go on, and changes files as `model_folder` asks"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that is home and working directory of the programs started in it; gone when dropped.
pub struct Place(tempfile::TempDir);

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap()
    }

    /// Every file and folder below, sorted.
    pub fn listing(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(self.0.path(), self.0.path(), &mut found);
        found.sort();
        found
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_colloquy"));
        command.args(arguments);
        self.isolate(&mut command);
        command
    }

    /// Nothing of the caller's leaks into a program.
    pub fn isolate(&self, command: &mut Command) {
        command
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env("HOME", self.0.path())
            .env("HF_HOME", self.path("no-models"))
            .env("HF_HUB_OFFLINE", "1")
            .env("NO_COLOR", "1");
        for name in [
            "HF_HUB_CACHE",
            "HF_TOKEN",
            "HF_TOKEN_PATH",
            "HF_ENDPOINT",
            "XDG_CACHE_HOME",
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
            "SSL_CERT_FILE",
            "COLLOQUY_MODEL",
            "COLLOQUY_THREADS",
            "COLLOQUY_MEMORY",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Runs what must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:#?}");
        assert!(
            !ended.err.contains("error:"),
            "{arguments:?}: {}",
            ended.err
        );
        ended
    }

    /// Runs what must fail with one error, and gives its text.
    pub fn fails(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.run(arguments);
        ended.is_one_error(code, &format!("{arguments:?}"));
        ended.err
    }

    /// The one run in a folder of runs.
    pub fn only_run(&self, runs: &str) -> String {
        let mut found: Vec<_> = std::fs::read_dir(self.path(runs))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        format!("{runs}/{}", found.remove(0))
    }
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// One error, nothing of a panic.
    pub fn is_one_error(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{what}: {self:#?}");
        assert_eq!(
            self.err.matches("error:").count(),
            1,
            "{what}: {}",
            self.err
        );
        assert!(
            !self.err.contains("panicked") && !self.err.contains("RUST_BACKTRACE"),
            "{what}: {}",
            self.err
        );
    }
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(
            path.strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned(),
        );
        if path.is_dir() {
            list(root, &path, found);
        }
    }
}

/// A copy of the shipped demo model as a folder, changed file by file: `None` leaves a file out.
pub fn model_folder(
    place: &Place,
    name: &str,
    change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>,
) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    let to = place.path(name);
    std::fs::create_dir_all(&to).unwrap();
    for file in [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        let bytes = std::fs::read(from.join(file)).unwrap();
        if let Some(bytes) = change(file, bytes) {
            std::fs::write(to.join(file), bytes).unwrap();
        }
    }
    format!("./{name}")
}

/// For [`model_folder`]: a base model.
pub fn without_template(file: &str, bytes: Vec<u8>) -> Option<Vec<u8>> {
    edited(file, bytes, "tokenizer_config.json", |config| {
        config.as_object_mut().unwrap().remove("chat_template");
    })
}

/// For [`model_folder`]: one JSON file changed, the others as they are.
pub fn edited(
    file: &str,
    bytes: Vec<u8>,
    wanted: &str,
    change: impl Fn(&mut serde_json::Value),
) -> Option<Vec<u8>> {
    if file != wanted {
        return Some(bytes);
    }
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    change(&mut value);
    Some(serde_json::to_vec(&value).unwrap())
}
