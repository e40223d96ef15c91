//! What the tokenizers library takes at its word in a `tokenizer.json`, and stops the program over, or reads memory that is not
//! a text. Told before the library sees it.

use serde::Deserialize;
use serde_json::Value as Json;

use super::charsmap;
use crate::brief::brief;

/// What a pattern's counts may multiply to; GPT-4's come to 3. Where a part may match nothing, each is a step at every letter.
const MOST_REPEATS: u64 = 100_000;
/// The longest text in a step; a charsmap has some hundred thousand bytes.
const LONGEST_TEXT: usize = 4 << 20;

/// The parts of a `tokenizer.json` that are looked at; the rest is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts {
    normalizer: Json,
    pre_tokenizer: Json,
    decoder: Json,
    model: Model,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Model {
    continuing_subword_prefix: Option<String>,
}

/// The same file once more, for the few that have such a prefix.
#[derive(Deserialize)]
struct Merging {
    model: Merges,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Merges {
    merges: Vec<Json>,
}

/// Refuses what the library would not survive.
///
/// # Errors
/// Names the part of the file.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let parts: Parts = serde_json::from_slice(json).map_err(brief)?;
    for (name, part) in [
        ("normalizer", &parts.normalizer),
        ("pre_tokenizer", &parts.pre_tokenizer),
        ("decoder", &parts.decoder),
    ] {
        sound(part).map_err(|reason| format!("{name}: {reason}"))?;
    }
    match parts.model.continuing_subword_prefix.as_deref() {
        None | Some("") => Ok(()),
        Some(prefix) => {
            let file: Merging = serde_json::from_slice(json).map_err(brief)?;
            file.model
                .merges
                .iter()
                .try_for_each(|merge| continues(merge, prefix))
        }
    }
}

/// The library takes the prefix off the second part of a merge by its length alone.
fn continues(merge: &Json, prefix: &str) -> Result<(), String> {
    let second = match merge {
        Json::String(pair) => pair.split_once(' ').map(|(_, second)| second),
        pair => pair[1].as_str(),
    };
    match second {
        Some(second) if second.starts_with(prefix) => Ok(()),
        second => Err(format!(
            "model.merges: expected a second part that begins with the continuing_subword_prefix {:?}, found {:?}",
            brief(prefix),
            brief(second.unwrap_or_default())
        )),
    }
}

/// Looks for patterns and charsmaps anywhere in a part: the library knows more ways to write a step than published files use.
fn sound(part: &Json) -> Result<(), String> {
    match part {
        Json::Array(items) => items.iter().try_for_each(sound),
        Json::Object(entries) => entries.iter().try_for_each(|(key, value)| match value {
            Json::String(text) if text.len() > LONGEST_TEXT => Err(format!(
                "{}: a text of {} bytes; expected at most {LONGEST_TEXT}",
                brief(key),
                text.len()
            )),
            Json::String(pattern) if key == "Regex" => counted(pattern),
            Json::String(map) if key == "precompiled_charsmap" => charsmap::growth(map)
                .map(drop)
                .map_err(|reason| format!("precompiled_charsmap: {reason}")),
            value => sound(value),
        }),
        _ => Ok(()),
    }
}

fn counted(pattern: &str) -> Result<(), String> {
    if repeats(pattern) > MOST_REPEATS {
        return Err(format!(
            "pattern {:?}: its counts multiply to more than {MOST_REPEATS}",
            brief(pattern)
        ));
    }
    Ok(())
}

/// The product of all counts in a pattern, `{3}` or `{2,5}`: what they come to where each holds the next. A letter's number,
/// `\x{3042}`, is none.
fn repeats(pattern: &str) -> u64 {
    let parts: Vec<&str> = pattern.split('{').collect();
    let counts = parts.windows(2).filter_map(|pair| {
        let (count, _) = pair[1].split_once('}')?;
        let most = count.rsplit(',').find(|number| !number.trim().is_empty())?;
        let letter = ["\\x", "\\u", "\\U"]
            .iter()
            .any(|escape| pair[0].ends_with(escape));
        // One of more digits than a number holds is refused by the library.
        most.trim().parse::<u64>().ok().filter(|_| !letter)
    });
    counts.fold(1, |product, count| product.saturating_mul(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(part: &str, steps: &str) -> Result<(), String> {
        check(format!("{{\"{part}\": {steps}, \"model\": {{}}}}").as_bytes())
    }

    #[test]
    fn what_published_files_do_is_fine() {
        let spaces = r#"{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}"#;
        assert_eq!(told("normalizer", spaces), Ok(()));
        assert_eq!(told("normalizer", "null"), Ok(()));
        assert_eq!(told("other", "[[[3]]]"), Ok(()));
        assert!(told("normalizer", "[").is_err());
    }

    #[test]
    fn charsmaps_are_found_wherever_they_lie() {
        let step =
            |map: &str| format!(r#"{{"type": "Precompiled", "precompiled_charsmap": "{map}"}}"#);
        let within = |map: &str| {
            format!(
                r#"{{"type": "Sequence", "normalizers": [{{"a": [{}]}}]}}"#,
                step(map)
            )
        };
        let sound = charsmap::tests::kelvin();
        assert_eq!(told("normalizer", &step(&sound)), Ok(()));
        assert_eq!(told("normalizer", &within(&sound)), Ok(()));
        for text in [step("AAAA"), within("AAAA"), step("/////w==")] {
            assert!(
                told("normalizer", &text)
                    .unwrap_err()
                    .starts_with("normalizer: precompiled_charsmap: ")
            );
        }
    }

    #[test]
    fn merges_go_on_with_the_prefix() {
        let merging = |prefix: &str, merges: &str| {
            let model =
                format!(r#"{{"continuing_subword_prefix": {prefix}, "merges": [{merges}]}}"#);
            check(format!(r#"{{"model": {model}}}"#).as_bytes())
        };
        assert_eq!(
            merging(r###""##""###, r###""a ##b", ["a", "##b"]"###),
            Ok(())
        );
        assert_eq!(merging(r#""""#, r#""a b""#), Ok(()));
        assert_eq!(merging("null", r#""a b""#), Ok(()));
        for merge in [
            r#""a b""#,
            r#"["a", "b"]"#,
            r#"["a", "é#"]"#,
            r#""a""#,
            "3",
            "[]",
        ] {
            assert!(
                merging(r###""##""###, merge)
                    .unwrap_err()
                    .starts_with("model.merges: "),
                "{merge}"
            );
        }
    }

    #[test]
    fn counts_in_counts_are_told() {
        for (pattern, product) in [
            ("\\p{N}{1,3}| ?[^\\s\\p{L}]+|\\s+(?!\\S)", 3),
            ("[\\x{3040}-\\x{3090}]{2}", 2),
            ("((a{100}){100}){7,}", 70_000),
            ("a{99999999999999999999}", 1),
            ("{{3}", 3),
            ("a{0}{4}", 4),
        ] {
            assert_eq!(repeats(pattern), product, "{pattern}");
        }
        let deep = r#"{"type": "Split", "pattern": {"Regex": "((a{100}){100}){100}"}}"#;
        assert!(told("pre_tokenizer", deep).unwrap_err().contains("counts"));
    }
}
