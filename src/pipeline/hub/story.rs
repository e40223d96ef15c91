use std::collections::BTreeSet;

use super::stems::{is_common, stem};
use crate::record::Experience;

/// Words this close to each other make a pair.
const REACH: usize = 2;

/// Where in an experience a word stands. What happens now and what happened once are compared each with its own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// Situation, topic and starter.
    Event,
    /// The participants' memories.
    Memory,
}

pub(super) type Stem = (Part, String);

/// The words by which experiences are compared: stems without function words, numbers and the participants' own names, and
/// pairs of stems that stand close to each other. What describes people, and how they stand to each other, does not count:
/// neighbours, siblings and colleagues come in experiences that are nothing alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryWords {
    pub(super) stems: BTreeSet<Stem>,
    /// Alphabetical within the pair.
    pub(super) pairs: BTreeSet<(Stem, Stem)>,
}

impl StoryWords {
    /// The words of an experience.
    #[must_use]
    pub fn of(experience: &Experience) -> Self {
        let names: BTreeSet<String> = experience.names().flat_map(words).collect();
        let mut found = Self {
            stems: BTreeSet::new(),
            pairs: BTreeSet::new(),
        };
        for text in [
            &experience.situation,
            &experience.topic,
            &experience.starter,
        ] {
            found.take(Part::Event, text, &names);
        }
        for individual in &experience.participants {
            if let Some(memory) = &individual.memory {
                found.take(Part::Memory, memory, &names);
            }
        }
        found
    }

    fn take(&mut self, part: Part, text: &str, names: &BTreeSet<String>) {
        let stems: Vec<Stem> = words(text)
            .into_iter()
            .filter(|word| !names.contains(word) && !is_common(word))
            .map(|word| (part, stem(&word)))
            .collect();
        for (at, first) in stems.iter().enumerate() {
            for second in stems[at + 1..].iter().take(REACH).filter(|s| *s != first) {
                let (low, high) = (first.min(second), first.max(second));
                self.pairs.insert((low.clone(), high.clone()));
            }
        }
        self.stems.extend(stems);
    }
}

/// Words in lower case without apostrophes and a genitive's `'s`; numbers are left out. Scripts that put no spaces between
/// words give each two neighbouring characters as a word.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = text.to_lowercase().replace('’', "'");
    for chunk in lower.split(|c: char| !c.is_alphanumeric() && c != '\'') {
        let chunk = chunk.trim_matches('\'');
        let word = chunk.strip_suffix("'s").unwrap_or(chunk).replace('\'', "");
        if word.is_empty() || word.contains(char::is_numeric) {
            continue;
        }
        if word.contains(is_unspaced) {
            let letters: Vec<char> = word.chars().collect();
            let pairs = letters.windows(2.min(letters.len()));
            found.extend(pairs.map(|pair| pair.iter().collect::<String>()));
        } else {
            found.push(word);
        }
    }
    found
}

/// Whether a letter is of a script that puts no spaces between words: Thai to Myanmar, kana and Han.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Individual;

    #[test]
    fn words_have_neither_numbers_nor_genitives() {
        assert_eq!(
            words("Mara’s 40 boats aren't 'late', the captains' 3rd"),
            ["mara", "boats", "arent", "late", "the", "captains"]
        );
        assert_eq!(words("渡し船 x"), ["渡し", "し船", "x"]);
        assert_eq!(words("' '' 's"), ["s"]);
    }

    #[test]
    fn names_are_no_likeness() {
        let with = |name: &str| Experience {
            participants: vec![Individual {
                name: name.into(),
                memory: Some(format!("{name} painted the twelve boats")),
                ..Individual::default()
            }],
            situation: format!(
                "{}'s boat is painted again",
                name.split(' ').next().unwrap()
            ),
            ..Experience::default()
        };
        let words = StoryWords::of(&with("Mara Lind"));
        assert_eq!(words, StoryWords::of(&with("Joseph")));
        let stems: Vec<_> = words.stems.iter().map(|(p, s)| (*p, s.as_str())).collect();
        let (event, memory) = (Part::Event, Part::Memory);
        assert_eq!(
            stems,
            [
                (event, "boat"),
                (event, "paint"),
                (memory, "boat"),
                (memory, "paint")
            ]
        );
        assert_eq!(
            words.pairs.into_iter().collect::<Vec<_>>(),
            [event, memory].map(|part| ((part, "boat".to_owned()), (part, "paint".to_owned())))
        );
    }
}
