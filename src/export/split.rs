use std::collections::{BTreeSet, HashMap};

use super::Item;
use crate::record::{Dialogue, Role, Sample};

/// Parts of a dataset by name, with their shares. Which part a conversation belongs to depends on where it comes from and on
/// nothing else, so a rerun and a run that has grown keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// Names with where their range in `[0, 1)` ends.
    parts: Vec<(String, f64)>,
}

/// Why a text names no splits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("{0:?} is no split; expected name=share, as train=0.9")]
    Malformed(String),
    #[error("{0:?} is no name for a split; expected letters, digits and _")]
    Name(String),
    #[error("the split {0} is named twice")]
    Twice(String),
    #[error("the share of {name} is {share}; expected a number above 0")]
    Share { name: String, share: String },
}

impl Splits {
    /// Reads `train=0.9,validation=0.05,test=0.05`. Shares are in proportion to each other: 18, 1 and 1 are the same.
    ///
    /// # Errors
    /// When a part is none, is there twice, or has no share above 0.
    pub fn parse(text: &str) -> Result<Self, SplitError> {
        let mut shares: Vec<(String, f64)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (name, share) = part
                .split_once('=')
                .ok_or_else(|| SplitError::Malformed(part.to_owned()))?;
            let (name, share) = (name.trim(), share.trim());
            // What `datasets` takes as the name of a split, less the dots.
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_word) {
                return Err(SplitError::Name(name.to_owned()));
            }
            if shares.iter().any(|(other, _)| other == name) {
                return Err(SplitError::Twice(name.to_owned()));
            }
            let number = share.parse().ok();
            let number = number.filter(|share: &f64| share.is_finite() && *share > 0.0);
            let number = number.ok_or_else(|| SplitError::Share {
                name: name.to_owned(),
                share: share.to_owned(),
            })?;
            shares.push((name.to_owned(), number));
        }
        let whole: f64 = shares.iter().map(|(_, share)| share).sum();
        let mut end = 0.0;
        let parts = shares.into_iter().map(|(name, share)| {
            end += share / whole;
            (name, end)
        });
        Ok(Self {
            parts: parts.collect(),
        })
    }

    /// All in one: `train`.
    #[must_use]
    pub fn one() -> Self {
        Self {
            parts: vec![("train".into(), 1.0)],
        }
    }

    /// The names, in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(name, _)| name.as_str())
    }

    /// The share that each was given, of 1.
    pub fn shares(&self) -> impl Iterator<Item = f64> {
        let ends = self.parts.iter().map(|(_, end)| *end);
        ends.clone()
            .zip([0.0].into_iter().chain(ends))
            .map(|(end, start)| end - start)
    }

    /// Which part a lineage belongs to.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn place_of(&self, lineage: &str) -> usize {
        let hash = blake3::hash(&[SALT, lineage.as_bytes()].concat());
        let bits = u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes of 32"));
        let at = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let place = self.parts.iter().position(|(_, end)| at < *end);
        place.unwrap_or(self.parts.len() - 1)
    }
}

/// Part of what a split depends on; another one would move every conversation.
const SALT: &[u8] = b"colloquy split v1\0";

/// What stays together in a split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SplitBy {
    /// A question with everything made of it; of group chats their experience.
    #[default]
    SeedQuery,
    /// A help page with all its questions; of group chats their experience.
    Page,
    /// Whoever takes part: chats that share a person, directly or over others, and the customer of support conversations.
    Persona,
    /// Nothing: each conversation is on its own.
    Id,
}

impl SplitBy {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::SeedQuery, Self::Page, Self::Persona, Self::Id];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SeedQuery => "seed_query",
            Self::Page => "page",
            Self::Persona => "persona",
            Self::Id => "id",
        }
    }

    /// Where an item comes from. `kin` knows who goes with whom, where that is asked for.
    #[must_use]
    pub fn lineage(self, item: &Item, kin: &Kin) -> String {
        match (self, item) {
            (Self::Id, Item::Dialogue(dialogue)) => format!("id/{}", dialogue.id()),
            (Self::Persona, item) => match kin.of(&people(item)) {
                Some(first) => format!("persona/{first}"),
                None => format!("id/{}", id_of(item)),
            },
            (Self::SeedQuery, Item::Dialogue(dialogue)) => match &**dialogue {
                Dialogue::Support(conversation) => format!("query/{}", conversation.query_id),
                Dialogue::Group(chat) => format!("experience/{}", chat.experience.id),
            },
            (Self::Page, Item::Dialogue(dialogue)) => match &**dialogue {
                Dialogue::Support(conversation) => format!("page/{}", conversation.cell.page),
                Dialogue::Group(chat) => format!("experience/{}", chat.experience.id),
            },
            (Self::Page, Item::Empty(place)) => format!("page/{}", place.cell.page),
            (_, item) => id_of(item),
        }
    }
}

fn id_of(item: &Item) -> String {
    match item {
        Item::Dialogue(dialogue) => dialogue.id().to_owned(),
        Item::Empty(place) => format!("place/{}", place.slot),
        Item::Experience(experience) => format!("experience/{}", experience.id),
    }
}

/// Who goes with whom: people who are in one conversation, and whoever is with them in another, are one kin. It is named by
/// the first of them that was seen, so that kin which grows keeps its name; where a later chat makes two of them one, the
/// later one changes.
#[derive(Clone, Debug, Default)]
pub struct Kin {
    /// Places in `parents`, by a hash of the person.
    places: HashMap<[u8; 16], usize>,
    /// Of each person, one that was seen no later and is of the same kin.
    parents: Vec<usize>,
    names: Vec<[u8; 16]>,
}

impl Kin {
    /// Takes in the people of an item.
    pub fn add(&mut self, item: &Item) {
        let mut first: Option<usize> = None;
        for person in people(item) {
            let place = *self.places.entry(person).or_insert_with(|| {
                self.parents.push(self.parents.len());
                self.names.push(person);
                self.parents.len() - 1
            });
            let root = self.root(place);
            first = Some(match first {
                None => root,
                Some(other) => {
                    let (low, high) = (root.min(other), root.max(other));
                    self.parents[high] = low;
                    low
                }
            });
        }
    }

    fn root(&mut self, mut place: usize) -> usize {
        while self.parents[place] != place {
            // Half the way is remembered.
            self.parents[place] = self.parents[self.parents[place]];
            place = self.parents[place];
        }
        place
    }

    /// The name of the kin of these people.
    fn of(&self, people: &BTreeSet<[u8; 16]>) -> Option<String> {
        let mut place = *self.places.get(people.first()?)?;
        while self.parents[place] != place {
            place = self.parents[place];
        }
        Some(
            self.names[place]
                .iter()
                .fold(String::new(), |name, byte| format!("{name}{byte:02x}")),
        )
    }
}

/// Hashes of who takes part: what is known of a person, else the name; agents are nobody.
fn people(item: &Item) -> BTreeSet<[u8; 16]> {
    let told = |persona: &str, name: &str| {
        let told = if persona.is_empty() { name } else { persona };
        let hash = blake3::hash(told.as_bytes());
        hash.as_bytes()[..16]
            .try_into()
            .expect("sixteen bytes of 32")
    };
    match item {
        Item::Dialogue(dialogue) => Sample::of(dialogue)
            .speakers
            .iter()
            .filter(|speaker| speaker.role != Some(Role::Agent))
            .map(|speaker| told(&speaker.persona, &speaker.name))
            .collect(),
        Item::Experience(experience) => experience
            .participants
            .iter()
            .map(|member| told(&member.summary(), &member.name))
            .collect(),
        Item::Empty(_) => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::group::tests::chat;
    use crate::export::messages::tests::conversation;
    use crate::record::Individual;
    use proptest::prelude::*;

    fn item(dialogue: Dialogue) -> Item {
        dialogue.into()
    }

    #[test]
    fn splits_are_read() {
        let splits = Splits::parse("train=18, validation=1,test=1").unwrap();
        assert_eq!(
            splits.names().collect::<Vec<_>>(),
            ["train", "validation", "test"]
        );
        let shares: Vec<f64> = splits.shares().collect();
        assert!((shares[0] - 0.9).abs() < 1e-12 && (shares[2] - 0.05).abs() < 1e-12);
        for (text, told) in [
            ("train", "is no split"),
            ("", "is no split"),
            ("tr ain=1", "no name"),
            ("../x=1", "no name"),
            ("=1", "no name"),
            ("a=1,a=2", "named twice"),
            ("a=0", "share of a is 0"),
            ("a=-1", "share of a is -1"),
            ("a=nan", "expected a number"),
            ("a=inf", "expected a number"),
            ("a=x", "expected a number"),
        ] {
            let error = Splits::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn places_are_what_they_were() {
        // Whoever changes these moves every conversation that anyone has split.
        let splits = Splits::parse("train=0.9,validation=0.05,test=0.05").unwrap();
        let places: String = (0..60)
            .map(|n| splits.place_of(&format!("query/returns/{n}")).to_string())
            .collect();
        insta::assert_snapshot!(places, @"002000000000000000000100001000011002000000001000000000000000");
    }

    #[test]
    fn shares_are_kept() {
        let splits = Splits::parse("a=0.7,b=0.2,c=0.1").unwrap();
        let mut counts = [0u32; 3];
        for n in 0..20_000 {
            counts[splits.place_of(&format!("query/{n}"))] += 1;
        }
        for (count, expected) in counts.iter().zip([14_000u32, 4000, 2000]) {
            assert!(count.abs_diff(expected) < 200, "{counts:?}");
        }
    }

    #[test]
    fn variants_of_a_question_stay_together() {
        let kin = Kin::default();
        let one = conversation();
        let mut other = conversation();
        other.id = "c/9/0".into();
        other.cell.product = None;
        let [one, other] = [one, other].map(|c| item(Dialogue::Support(c)));
        for by in [SplitBy::SeedQuery, SplitBy::Page] {
            assert_eq!(by.lineage(&one, &kin), by.lineage(&other, &kin));
        }
        assert_ne!(
            SplitBy::Id.lineage(&one, &kin),
            SplitBy::Id.lineage(&other, &kin)
        );
    }

    fn chat_of(id: u64, people: &[u8]) -> Item {
        let mut chat = chat();
        chat.id = format!("c/{id}/0");
        chat.experience.participants = people
            .iter()
            .map(|person| Individual::of_persona(format!("person {person}")))
            .collect();
        item(Dialogue::Group(chat))
    }

    proptest! {
        /// Whoever shares a person shares a kin; nobody else does; the naive twin joins sets until nothing changes.
        #[test]
        fn kin_is_whoever_is_reached(groups in prop::collection::vec(prop::collection::vec(0..12u8, 1..4), 1..12)) {
            let items: Vec<Item> = groups.iter().zip(0..).map(|(group, id)| chat_of(id, group)).collect();
            let mut kin = Kin::default();
            for item in &items {
                kin.add(item);
            }
            let mut reached: Vec<BTreeSet<u8>> = groups.iter().map(|group| group.iter().copied().collect()).collect();
            for _ in 0..groups.len() {
                for i in 0..groups.len() {
                    for j in 0..groups.len() {
                        if !reached[i].is_disjoint(&reached[j]) {
                            let both = &reached[i] | &reached[j];
                            (reached[i], reached[j]) = (both.clone(), both);
                        }
                    }
                }
            }
            for i in 0..groups.len() {
                for j in 0..groups.len() {
                    let same = SplitBy::Persona.lineage(&items[i], &kin) == SplitBy::Persona.lineage(&items[j], &kin);
                    prop_assert_eq!(same, reached[i] == reached[j]);
                }
            }
        }
    }
}
