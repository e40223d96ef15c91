use std::collections::HashMap;

use serde_json::Value as Json;

use crate::model::TokenId;

/// The bytes each id stands for inside a text. Pieces of one character (an emoji of four tokens) are no UTF-8 by
/// themselves, so text is made from bytes, not from tokens.
#[derive(Debug)]
pub(super) struct TokenBytes {
    ends: Vec<usize>,
    data: Vec<u8>,
}

/// How a vocabulary spells bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// GPT-2's: every byte is a printable character.
    ByteLevel,
    /// SentencePiece's: `▁` is a space; with `fallback`, `<0x0A>` is a byte.
    Pieces { fallback: bool },
}

impl TokenBytes {
    /// The table, or `None` when the decoder does not simply join pieces.
    ///
    /// `decoder` is its part of `tokenizer.json`; `tokens` gives each id below `size` its name and whether it was added
    /// to the vocabulary by hand.
    pub(super) fn new(
        decoder: &Json,
        size: usize,
        tokens: impl Fn(TokenId) -> Option<(String, bool)>,
    ) -> Option<Self> {
        let spelling = spelling(decoder)?;
        let letters = byte_letters();
        let mut table = Self {
            ends: Vec::with_capacity(size),
            data: Vec::new(),
        };
        for id in 0..u32::try_from(size).ok()? {
            if let Some((name, added)) = tokens(id) {
                match spelling {
                    Spelling::ByteLevel if added => table.data.extend_from_slice(name.as_bytes()),
                    Spelling::ByteLevel => match name
                        .chars()
                        .map(|c| letters.get(&c).copied())
                        .collect::<Option<Vec<u8>>>()
                    {
                        Some(bytes) => table.data.extend(bytes),
                        None => table.data.extend_from_slice(name.as_bytes()),
                    },
                    Spelling::Pieces { fallback } => match byte_piece(&name).filter(|_| fallback) {
                        Some(byte) => table.data.push(byte),
                        None => table.data.extend(name.replace('▁', " ").into_bytes()),
                    },
                }
            }
            table.ends.push(table.data.len());
        }
        Some(table)
    }

    /// Empty for ids the vocabulary does not use.
    pub(super) fn of(&self, id: TokenId) -> &[u8] {
        let index = id as usize;
        let Some(&end) = self.ends.get(index) else {
            return &[];
        };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.data[start..end]
    }
}

fn spelling(decoder: &Json) -> Option<Spelling> {
    let sequence = decoder["decoders"]
        .as_array()
        .map_or_else(|| vec![decoder], |steps| steps.iter().collect());
    let has = |kind: &str| sequence.iter().any(|step| step["type"] == kind);
    let spaces = has("Metaspace")
        || sequence
            .iter()
            .any(|step| step["pattern"]["String"] == "▁" && step["content"] == " ");
    if has("ByteLevel") {
        Some(Spelling::ByteLevel)
    } else if spaces || has("ByteFallback") {
        Some(Spelling::Pieces {
            fallback: has("ByteFallback"),
        })
    } else {
        None
    }
}

/// `<0x0A>` → 10.
fn byte_piece(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// The characters GPT-2's vocabulary writes for bytes: printable ones stand for themselves, the others are counted
/// upwards from U+0100.
fn byte_letters() -> HashMap<char, u8> {
    let mut next = 0x100_u32;
    let letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).expect("U+0100 to U+0143 are characters")
        }
    };
    let letters: Vec<char> = (0..=255).map(letter).collect();
    letters.into_iter().zip(0..=255).collect()
}

/// The character of each byte, for tests that write vocabularies.
#[cfg(test)]
pub(super) fn letters_of_bytes() -> Vec<char> {
    let mut pairs: Vec<_> = byte_letters()
        .into_iter()
        .map(|(letter, byte)| (byte, letter))
        .collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, letter)| letter).collect()
}
