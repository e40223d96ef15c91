use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use crate::hash;
use crate::metrics::words;

/// What kind of harm words point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HarmKind {
    Profanity,
    Threat,
    SelfHarm,
    Violence,
    Sexual,
    Hate,
    /// The user's own words.
    Listed,
}

impl HarmKind {
    /// The name in the lexicon, in reasons and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Profanity => "profanity",
            Self::Threat => "threat",
            Self::SelfHarm => "self_harm",
            Self::Violence => "violence",
            Self::Sexual => "sexual",
            Self::Hate => "hate",
            Self::Listed => "listed",
        }
    }

    const ALL: &'static [Self] = &[
        Self::Profanity,
        Self::Threat,
        Self::SelfHarm,
        Self::Violence,
        Self::Sexual,
        Self::Hate,
        Self::Listed,
    ];
}

/// Words and phrases to look for.
#[derive(Clone, Debug, Default)]
pub struct Harm {
    /// Phrases by their first word; a word's ending star is cut off and noted.
    phrases: HashMap<String, Vec<Phrase>>,
    /// First words that any ending may follow.
    begins: Vec<(String, HarmKind)>,
    hashes: HashSet<String>,
}

#[derive(Clone, Debug)]
struct Phrase {
    kind: HarmKind,
    /// After the first word: the word, and whether any ending may follow.
    rest: Vec<(String, bool)>,
}

const LEXICON: &str = include_str!("lexicon.txt");

impl Harm {
    /// The lexicon that comes with the program. It knows English; it points to what somebody should look at, no more.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Harm> = OnceLock::new();
        SHIPPED.get_or_init(|| Self::parse(LEXICON))
    }

    /// These words and phrases; a star at the end of a word stands for any ending.
    #[must_use]
    pub fn listed(list: &[String]) -> Self {
        let mut harm = Self::default();
        for line in list {
            harm.add(HarmKind::Listed, line);
        }
        harm
    }

    fn parse(lexicon: &str) -> Self {
        let mut harm = Self::default();
        let mut kind = HarmKind::Listed;
        for line in lexicon.lines().map(str::trim) {
            let heading = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'));
            let hash = line
                .strip_prefix('#')
                .filter(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
            if let Some(name) = heading {
                let mut kinds = HarmKind::ALL.iter();
                kind = *kinds
                    .find(|kind| kind.name() == name)
                    .expect("a test reads the lexicon");
            } else if let Some(hash) = hash {
                harm.hashes.insert(hash.to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                harm.add(kind, line);
            }
        }
        harm
    }

    fn add(&mut self, kind: HarmKind, line: &str) {
        let mut parts = line.split_whitespace().flat_map(|part| {
            let open = part.ends_with('*');
            // A part like `know-how` is two words to whoever compares.
            let words: Vec<String> = words(part).collect();
            let last = words.len().saturating_sub(1);
            let open = move |(nth, word)| (word, open && nth == last);
            words.into_iter().enumerate().map(open).collect::<Vec<_>>()
        });
        let Some((first, open)) = parts.next() else {
            return;
        };
        let rest: Vec<(String, bool)> = parts.collect();
        if open && rest.is_empty() {
            self.begins.push((first, kind));
        } else {
            self.phrases
                .entry(first)
                .or_default()
                .push(Phrase { kind, rest });
        }
    }

    /// The first that a text holds: what kind, and the words as they were compared.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<(HarmKind, String)> {
        let words: Vec<String> = words(text).collect();
        words.iter().enumerate().find_map(|(at, word)| {
            let begun = self
                .begins
                .iter()
                .find(|(begin, _)| word.starts_with(begin.as_str()))
                .map(|(_, kind)| (*kind, word.clone()));
            begun
                .or_else(|| {
                    let hit = self.phrases.get(word)?.iter().find(|phrase| {
                        let mut rest = phrase.rest.iter().zip(&words[at + 1..]);
                        words.len() > at + phrase.rest.len()
                            && rest.all(|((wanted, open), word)| {
                                word == wanted || (*open && word.starts_with(wanted.as_str()))
                            })
                    })?;
                    Some((hit.kind, words[at..=at + hit.rest.len()].join(" ")))
                })
                .or_else(|| {
                    let hashed = !self.hashes.is_empty()
                        && self.hashes.contains(&hash::of_bytes(word.as_bytes()));
                    // Not said back: the reason is shown to people.
                    hashed
                        .then(|| (HarmKind::Hate, format!("{}…", word.chars().next()?)).into())
                        .flatten()
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_found_whole() {
        let harm = Harm::shipped();
        for (text, kind) in [
            ("This is bullshit.", Some(HarmKind::Profanity)),
            ("I'll kill you!", Some(HarmKind::Threat)),
            ("I want to, you know, end my life", Some(HarmKind::SelfHarm)),
            ("He FUCKING said so", Some(HarmKind::Profanity)),
            (
                "Scunthorpe's shuttle has a cockpit; the shiitake are classic.",
                None,
            ),
            ("The battery is dead and this kills the fun.", None),
            ("I want to kill", None),
            ("", None),
        ] {
            assert_eq!(harm.find(text).map(|found| found.0), kind, "{text}");
        }
    }

    #[test]
    fn every_heading_is_a_kind_and_has_words() {
        let harm = Harm::parse(LEXICON);
        for kind in HarmKind::ALL
            .iter()
            .filter(|kind| **kind != HarmKind::Listed)
        {
            let phrases = harm.phrases.values().flatten();
            let kinds = phrases.map(|phrase| phrase.kind);
            let mut all = kinds.chain(harm.begins.iter().map(|(_, kind)| *kind));
            assert!(all.any(|other| other == *kind), "{}", kind.name());
            assert!(LEXICON.contains(&format!("[{}]", kind.name())));
        }
        assert!(harm.hashes.len() > 20);
    }

    #[test]
    fn a_hashed_word_is_found_and_not_said_back() {
        let mut harm = Harm::default();
        harm.hashes.insert(hash::of_bytes(b"zounds"));
        let (kind, words) = harm.find("Oh, Zounds!").unwrap();
        assert_eq!((kind, words.as_str()), (HarmKind::Hate, "z…"));
    }

    #[test]
    fn own_words_are_a_list() {
        let harm = Harm::listed(&["rival corp".into(), "free trial*".into(), "know-how".into()]);
        let (kind, words) = harm.find("Ask Rival Corp, they know").unwrap();
        assert_eq!((kind, words.as_str()), (HarmKind::Listed, "rival corp"));
        assert!(harm.find("two free trials").is_some());
        assert!(harm.find("our know-how").is_some());
        assert!(harm.find("a rival of the corp").is_none());
    }
}
