//! Steps of a tokenizer that make a text longer: one after the other they could make it longer than any memory. And steps
//! that the tokenizers library takes at their word, and stops the program over.

use serde::Deserialize;
use serde_json::Value as Json;

use super::variant::flat;

/// How much longer a text may become. Llama 2's normalizer makes spaces three times as long, and GPT-2's letters most bytes
/// twice.
const MOST: f64 = 64.0;
/// Bytes of the text that is imagined to pass through.
const TEXT_BYTES: f64 = 1000.0;

/// The steps of a `tokenizer.json`; the rest is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Steps {
    normalizer: Json,
    pre_tokenizer: Json,
    decoder: Json,
}

/// Refuses a tokenizer whose steps could make a text much longer, before any of them runs.
///
/// # Errors
/// Names the part of the file.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let steps: Steps = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let before = [
        ("normalizer", &steps.normalizer),
        ("pre_tokenizer", &steps.pre_tokenizer),
    ];
    for parts in [&before[..], &[("decoder", &steps.decoder)]] {
        let mut length = TEXT_BYTES;
        for (name, part) in parts {
            for step in flat(part) {
                sound(step).map_err(|reason| format!("{name}: {reason}"))?;
            }
            length = flat(part).into_iter().fold(length, grown);
            if length > MOST * TEXT_BYTES {
                return Err(format!(
                    "{name}: its steps could make a text more than {MOST} times as long"
                ));
            }
        }
    }
    Ok(())
}

fn sound(step: &Json) -> Result<(), String> {
    match step["type"].as_str() {
        Some("FixedLength") if step["length"] == 0 => Err("FixedLength of length 0".to_owned()),
        Some("Precompiled") => {
            let map = step["precompiled_charsmap"].as_str().unwrap_or_default();
            match trie_bytes(map) {
                Some(bytes) if bytes > map.len() / 4 * 3 => Err(format!(
                    "precompiled_charsmap tells of {bytes} bytes and has {}",
                    map.len() / 4 * 3
                )),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// The first number of a base64 text: four bytes, the lowest first.
fn trie_bytes(base64: &str) -> Option<usize> {
    let bits = base64.bytes().take(6).try_fold(0u64, |bits, letter| {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(bits << 6 | u64::from(value))
    })?;
    let [_, _, _, a, b, c, d, _] = (bits << 4).to_be_bytes();
    usize::try_from(u32::from_le_bytes([a, b, c, d]))
        .ok()
        .filter(|_| base64.len() >= 6)
}

/// The length of a text after a step, at worst.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn grown(length: f64, step: &Json) -> f64 {
    let bytes = |text: &Json| text.as_str().map_or(0.0, |text| text.len() as f64);
    match step["type"].as_str() {
        Some("Replace") => {
            let (pattern, content) = (bytes(&step["pattern"]["String"]), bytes(&step["content"]));
            // A regular expression may find nothing between every two letters.
            let factor = if pattern > 0.0 {
                content / pattern
            } else {
                1.0 + content
            };
            length * factor.max(1.0)
        }
        Some("Prepend") => length + bytes(&step["prepend"]),
        Some("ByteLevel") => length * 2.0,
        Some("Metaspace") => length * bytes(&step["replacement"]).max(1.0),
        _ => length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(part: &str, steps: &str) -> Result<(), String> {
        check(format!("{{\"{part}\": {steps}, \"model\": {{}}}}").as_bytes())
    }

    #[test]
    fn what_published_files_do_is_fine() {
        let llama = r#"{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}"#;
        assert_eq!(told("normalizer", llama), Ok(()));
        let spaces = r#"{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}"#;
        assert_eq!(told("normalizer", spaces), Ok(()));
        assert_eq!(told("normalizer", "null"), Ok(()));
        assert_eq!(told("other", "[[[3]]]"), Ok(()));
        assert!(told("normalizer", "[").is_err());
    }

    #[test]
    fn what_the_library_would_stop_at_is_told() {
        let map = |text: &str| {
            let step = format!(r#"{{"type": "Precompiled", "precompiled_charsmap": "{text}"}}"#);
            told("normalizer", &step)
        };
        assert!(map("/////w==").unwrap_err().contains("4294967295 bytes"));
        // four bytes that tell of four more, and those
        assert_eq!(map("BAAAAAECAwQ="), Ok(()));
        assert_eq!(trie_bytes("BAAAAAECAwQ="), Some(4));
        assert!(told("pre_tokenizer", r#"{"type": "FixedLength", "length": 0}"#).is_err());
    }

    #[test]
    fn what_doubles_and_doubles_is_not() {
        let double = r#"{"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}"#;
        let times = |step: &str, n: usize| vec![step; n].join(",");
        for (part, list) in [
            ("normalizer", "normalizers"),
            ("pre_tokenizer", "pretokenizers"),
            ("decoder", "decoders"),
        ] {
            let of = |n| {
                format!(
                    r#"{{"type": "Sequence", "{list}": [{}]}}"#,
                    times(double, n)
                )
            };
            assert_eq!(told(part, &of(6)), Ok(()));
            assert!(told(part, &of(7)).unwrap_err().starts_with(part));
            let letters = format!(
                r#"{{"type": "Sequence", "{list}": [{}]}}"#,
                times(r#"{"type": "ByteLevel"}"#, 7)
            );
            assert!(told(part, &letters).is_err());
        }
    }
}
