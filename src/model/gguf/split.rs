//! How vocabularies of the byte-level kind cut text before they merge: the expressions that the original tokenizers carry,
//! by the names that the format gives to them.

use serde_json::{Value as Json, json};

/// GPT-2's words: contractions, letters, digits and the rest, each with a space before it.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Contractions in either case, a letter word with one sign before it, runs of up to three digits.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with single digits.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Words end where small letters are followed by capitals.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with contractions and runs of up to three digits.
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DIGIT: &str = r"\p{N}";

/// How a kind of vocabulary prepares text.
pub(super) struct Splitting {
    /// Applied one after the other, each to the pieces of the one before.
    expressions: &'static [&'static str],
    /// Composed characters (NFC) come first.
    pub(super) composes: bool,
    /// A piece that is a token as a whole is never merged from parts.
    pub(super) whole_pieces: bool,
}

impl Splitting {
    /// The splitting with a name in the format; `None` for one that is not known.
    pub(super) fn named(name: &str) -> Option<Self> {
        let of = |expressions| Self {
            expressions,
            composes: false,
            whole_pieces: false,
        };
        Some(match name {
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "pixtral" => Self {
                whole_pieces: true,
                ..of(&[LLAMA3])
            },
            "dbrx" | "smaug-bpe" => of(&[LLAMA3]),
            "qwen2" | "megrez" => Self {
                composes: true,
                ..of(&[QWEN2])
            },
            "deepseek-r1-qwen" | "stablelm2" => of(&[QWEN2]),
            "tekken" => Self {
                whole_pieces: true,
                ..of(&[TEKKEN])
            },
            "gpt-4o" | "llama4" => of(&[GPT4O]),
            "smollm" | "refact" | "starcoder" | "codeshell" | "exaone" | "minerva-7b" => {
                of(&[DIGIT, GPT2])
            }
            "command-r" => Self {
                composes: true,
                ..of(&[DIGIT, GPT2])
            },
            "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling" => {
                of(&[GPT2])
            }
            "default" => of(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"]),
            _ => return None,
        })
    }

    /// Its part of a `tokenizer.json`.
    pub(super) fn pre_tokenizer(&self) -> Json {
        let split = |expression: &&str| json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false});
        let mut steps: Vec<Json> = self.expressions.iter().map(split).collect();
        steps.push(json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}));
        json!({"type": "Sequence", "pretokenizers": steps})
    }
}
