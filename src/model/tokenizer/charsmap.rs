//! The `precompiled_charsmap` of a normalizer, as SentencePiece writes it: base64 of the length of a trie in bytes (32 bits, the
//! lowest byte first), the trie (a double array of 32-bit units, as in github.com/s-yata/darts-clone), and texts that each end
//! with a zero byte. A key of the trie leads to the place of the text that its letters become.
//!
//! The tokenizers library follows all of it unchecked.

use std::collections::VecDeque;

/// The longest text that a key becomes, in bytes; NFKC's longest has 33.
const LONGEST_TEXT: usize = 256;

struct Charsmap {
    trie: Vec<u32>,
    texts: String,
}

/// How many times as long a charsmap can make a text.
///
/// # Errors
/// When a text could lead the library beyond the trie or the texts.
pub(super) fn growth(base64: &str) -> Result<f64, String> {
    Charsmap::read(base64)?.growth()
}

impl Charsmap {
    fn read(base64: &str) -> Result<Self, String> {
        let bytes = decode(base64).ok_or("it is no base64")?;
        let (length, rest) = bytes.split_first_chunk().ok_or("it is empty")?;
        let length = u32::from_le_bytes(*length) as usize;
        let (trie, texts) = rest.split_at_checked(length / 4 * 4).ok_or_else(|| {
            format!(
                "it tells of a trie of {length} bytes and has {}",
                rest.len()
            )
        })?;
        let (units, _) = trie.as_chunks();
        Ok(Self {
            trie: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            texts: String::from_utf8(texts.to_vec()).map_err(|_| "its texts are no UTF-8")?,
        })
    }

    /// Walks from the root over every byte that a key may go on with.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn growth(&self) -> Result<f64, String> {
        let outside = || "its trie leads outside itself".to_owned();
        let root = *self.trie.first().ok_or("its trie is empty")?;
        let mut seen = vec![false; self.trie.len()];
        // places of nodes, and the length of the shortest key that leads there
        let mut open = VecDeque::from([(offset(root), 0.0)]);
        let mut most: f64 = 1.0;
        while let Some((node, key)) = open.pop_front() {
            if std::mem::replace(seen.get_mut(node).ok_or_else(outside)?, true) {
                continue;
            }
            for byte in 1..=u8::MAX {
                let at = node ^ usize::from(byte);
                let unit = *self.trie.get(at).ok_or_else(outside)?;
                // The highest bit marks a leaf, which no byte leads to.
                if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                    continue;
                }
                let next = at ^ offset(unit);
                if unit >> 8 & 1 == 1 {
                    let leaf = *self.trie.get(next).ok_or_else(outside)?;
                    let text = self.text((leaf & ((1 << 31) - 1)) as usize)?;
                    most = most.max(text.len() as f64 / (key + 1.0));
                }
                open.push_back((next, key + 1.0));
            }
        }
        Ok(most)
    }

    fn text(&self, at: usize) -> Result<&str, String> {
        let rest = self
            .texts
            .get(at..)
            .ok_or("its trie leads outside its texts")?;
        let start = &rest.as_bytes()[..rest.len().min(LONGEST_TEXT + 1)];
        let end = start
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(start.len());
        if end > LONGEST_TEXT {
            return Err(format!(
                "one of its texts has more than {LONGEST_TEXT} bytes"
            ));
        }
        Ok(&rest[..end])
    }
}

/// From a node's place to that of its children, by exclusive or.
fn offset(unit: u32) -> usize {
    (unit as usize >> 10) << ((unit & 1 << 9) >> 6)
}

/// Bytes of a base64 text, padded or not.
fn decode(base64: &str) -> Option<Vec<u8>> {
    let letters = base64.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 3);
    for four in letters.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for letter in four {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - four.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for three in bytes.chunks(3) {
            let mut bits = 0u32;
            for i in 0..3 {
                bits = bits << 8 | u32::from(three.get(i).copied().unwrap_or(0));
            }
            for i in 0..=three.len() {
                text.push(char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]));
            }
        }
        text
    }

    fn charsmap(trie: &[u32], texts: &[u8]) -> String {
        let units = trie.iter().flat_map(|unit| unit.to_le_bytes());
        let length = u32::try_from(4 * trie.len()).unwrap().to_le_bytes();
        let bytes: Vec<u8> = length
            .into_iter()
            .chain(units)
            .chain(texts.iter().copied())
            .collect();
        encode(&bytes)
    }

    /// A trie of the one key `K`, whose text is at some place.
    fn one_key(text: u32) -> Vec<u32> {
        let mut trie = vec![1 << 31; 768];
        trie[0] = 256 << 10;
        // K's own unit: its label, a leaf below it, and the place of that at 512
        let at = 256 ^ u32::from(b'K');
        trie[at as usize] = (at ^ 512) << 10 | 1 << 8 | u32::from(b'K');
        trie[512] = 1 << 31 | text;
        trie
    }

    /// The Kelvin sign's key is long; `K` becomes `kelvin` here.
    pub fn kelvin() -> String {
        charsmap(&one_key(2), b"a\0kelvin\0")
    }

    #[test]
    fn base64_is_what_it_is() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes));
            assert_eq!(encode(bytes), text.trim_end_matches('='));
        }
        assert_eq!(decode("Zm9v?"), None);
    }

    /// The library reads the same: what a sound one does there is what it was measured to do here.
    #[test]
    fn a_sound_one_is_read() {
        assert_eq!(growth(&kelvin()), Ok(6.0));
        let json = format!(
            r#"{{"type": "Precompiled", "precompiled_charsmap": "{}"}}"#,
            kelvin()
        );
        let read: tokenizers::normalizers::Precompiled = serde_json::from_str(&json).unwrap();
        assert_eq!(read.transform("K"), Some("kelvin"));
        assert_eq!(read.transform("k"), None);
    }

    #[test]
    fn what_leads_astray_is_told() {
        let told = |trie: &[u32], texts: &[u8]| growth(&charsmap(trie, texts)).unwrap_err();
        assert!(growth("/////w==").unwrap_err().contains("4294967295 bytes"));
        assert!(growth("AAAA").is_err());
        assert!(growth("AAAAAA").is_err());
        assert!(told(&[0], b"").contains("outside itself"));
        assert!(told(&one_key(3), b"a\0").contains("outside its texts"));
        assert!(told(&one_key(1), "ä\0".as_bytes()).contains("outside its texts"));
        assert!(told(&one_key(0), &[b'a'; 257]).contains("256 bytes"));
        assert!(told(&one_key(0), b"\xFF\0").contains("UTF-8"));
        let mut far = one_key(0);
        far[0] = 1 << 30;
        assert!(told(&far, b"a\0").contains("outside itself"));
        let mut short = one_key(0);
        short.truncate(512);
        assert!(told(&short, b"a\0").contains("outside itself"));
    }

    /// Keys may be as long as one likes; the walk ends all the same.
    #[test]
    fn a_ring_is_walked_once() {
        let mut ring = vec![1 << 31; 256];
        ring[0] = 0;
        ring[usize::from(b'K')] = u32::from(b'K') << 10 | u32::from(b'K');
        assert_eq!(growth(&charsmap(&ring, b"a\0")), Ok(1.0));
    }
}
