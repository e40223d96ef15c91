use serde::Serialize;

use super::LocalFile;

/// The name of the object that names all others.
pub const MANIFEST: &str = "colloquy-publish.json";

/// What was published: the same files, the same bytes.
#[derive(Serialize)]
struct Manifest<'a> {
    format_version: u32,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    bytes: u64,
    sha256: &'a str,
}

/// The manifest of some files with their hashes.
pub(super) fn manifest(files: &[(&LocalFile, String)]) -> Vec<u8> {
    let files = files
        .iter()
        .map(|(file, sha256)| Entry {
            name: &file.name,
            bytes: file.bytes,
            sha256,
        })
        .collect();
    let manifest = Manifest {
        format_version: 1,
        files,
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest).expect("plain data serialises to JSON");
    bytes.push(b'\n');
    bytes
}
