//! Steps of a tokenizer as the library understands them: they must not make a text much longer, since one after the other they
//! could make it longer than any memory; nor may they be such that the library stops at the first text.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokenizers::{DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::charsmap;
use super::variant::flat;
use crate::brief::brief;

/// How much longer a text may become. Llama 2's normalizer makes spaces three times as long, and GPT-2's letters most bytes
/// twice; NFKC as SentencePiece writes it makes the longest of its letters eleven times as long.
const MOST: f64 = 256.0;
/// Bytes of the text that is imagined to pass through.
const TEXT_BYTES: f64 = 1000.0;

/// The steps of a `tokenizer.json`, whichever way they are written; the rest is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Steps {
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    decoder: Option<DecoderWrapper>,
}

/// Refuses a tokenizer whose steps could make a text much longer, before any of them runs: the library lets the normalizer run
/// over the added tokens as it reads them.
///
/// # Errors
/// Names the part of the file.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let steps: Steps = stopped(|| serde_json::from_slice(json))?.map_err(brief)?;
    let before = [
        ("normalizer", written(&steps.normalizer)?),
        ("pre_tokenizer", written(&steps.pre_tokenizer)?),
    ];
    let after = [("decoder", written(&steps.decoder)?)];
    for parts in [&before[..], &after] {
        let mut length = TEXT_BYTES;
        for (name, part) in parts {
            for step in flat(part) {
                runs(step).map_err(|reason| format!("{name}: {reason}"))?;
                length = grown(length, step);
            }
            if length > MOST * TEXT_BYTES {
                return Err(format!(
                    "{name}: its steps could make a text more than {MOST} times as long"
                ));
            }
        }
    }
    Ok(())
}

/// Does what the library would stop the program in, at a part that is malformed.
pub(super) fn stopped<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    std::panic::catch_unwind(work)
        .map_err(|_| "a part of it is malformed: the tokenizers library stops at it".to_owned())
}

/// A part as published files write it.
fn written(part: &impl Serialize) -> Result<Json, String> {
    serde_json::to_value(part).map_err(|error| error.to_string())
}

fn runs(step: &Json) -> Result<(), String> {
    match step["type"].as_str() {
        Some("FixedLength") if step["length"] == 0 => Err("FixedLength of length 0".to_owned()),
        // The library counts beyond the start of a token that holds nothing else.
        Some("Strip") if step["stop"].as_u64().is_some_and(|stop| stop > 0) => {
            Err("Strip at the end of tokens is not supported; expected \"stop\": 0".to_owned())
        }
        _ => Ok(()),
    }
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
        Some("ByteLevel" | "CTC") => length * 2.0,
        Some("Precompiled") => {
            let map = step["precompiled_charsmap"].as_str();
            // Read before, or it would not be here.
            length * map.map_or(Ok(1.0), charsmap::growth).unwrap_or(1.0)
        }
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
        let strip = r#"{"type": "Strip", "content": " ", "start": 1, "stop": 0}"#;
        assert_eq!(told("decoder", strip), Ok(()));
    }

    #[test]
    fn what_the_library_would_stop_at_is_told() {
        assert!(told("pre_tokenizer", r#"{"type": "FixedLength", "length": 0}"#).is_err());
        let strip = r#"{"type": "Strip", "content": " ", "start": 1, "stop": 1}"#;
        assert!(told("decoder", strip).unwrap_err().contains("\"stop\": 0"));
    }

    /// Its one key of a letter becomes six.
    #[test]
    fn charsmaps_make_longer() {
        let map = charsmap::tests::kelvin();
        let step = format!(r#"{{"type": "Precompiled", "precompiled_charsmap": "{map}"}}"#);
        let of = |n| {
            format!(
                r#"{{"type": "Sequence", "normalizers": [{}]}}"#,
                vec![&*step; n].join(",")
            )
        };
        assert_eq!(told("normalizer", &of(3)), Ok(()));
        assert!(told("normalizer", &of(4)).is_err());
    }

    #[test]
    fn what_doubles_and_doubles_is_not() {
        let double = r#"{"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}"#;
        let letters = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}"#;
        for (part, list, step) in [
            ("normalizer", "normalizers", double),
            ("normalizer", "normalizers", letters),
            ("pre_tokenizer", "pretokenizers", letters),
            ("decoder", "decoders", double),
            ("decoder", "decoders", letters),
        ] {
            let of = |n| {
                let steps = vec![step; n].join(",");
                format!(r#"{{"type": "Sequence", "{list}": [{steps}]}}"#)
            };
            assert_eq!(told(part, &of(8)), Ok(()));
            assert!(told(part, &of(9)).unwrap_err().starts_with(part));
        }
    }

    /// The library takes these for the same steps.
    #[test]
    fn steps_in_other_words() {
        let content = "e".repeat(300);
        for step in [
            format!(r#"{{"pattern": {{"String": "e"}}, "content": "{content}"}}"#),
            format!(r#"[{{"String": "e"}}, "{content}"]"#),
            format!(
                r#"{{"type": "Replace", "normalizers": [], "pattern": {{"String": "e"}}, "content": "{content}"}}"#
            ),
        ] {
            assert!(told("normalizer", &step).is_err(), "{step:.30}");
        }
    }
}
