//! Fingerprints: short, stable names for content.

use serde::Serialize;

/// The first 16 hex digits of the BLAKE3 hash of `bytes`.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// The fingerprint of a serialisable value, through its canonical JSON (field order is the declaration order).
#[must_use]
pub fn of_value<T: Serialize>(value: &T) -> String {
    of_bytes(&serde_json::to_vec(value).expect("plain data serialises to JSON"))
}

/// The fingerprint of a file's bytes, read in pieces.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn of_file(path: &std::path::Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path)?;
    std::io::copy(&mut file, &mut hasher)?;
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}
