use super::language::Language;
use super::{Harm, character, pii, repetition};
use crate::metrics::words;
use crate::record::{Dialogue, Kind, Link, Sample, Support, Utterance, Verdict};
use crate::settings::{HarmRule, PiiRule, QualityRules};

/// What a filter found wrong with a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// What was seen and where, for people.
    pub detail: String,
}

impl Finding {
    /// The conversation is turned down for it.
    #[must_use]
    pub fn into_verdict(self) -> Verdict {
        Verdict::Reject {
            reason: self.kind.name().to_owned(),
            detail: self.detail,
        }
    }
}

/// Why a conversation is turned down after it is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    TooFewWords,
    TooManyWords,
    Language,
    /// The same words over and over.
    Loop,
    /// Too much of it stood in it before.
    Repetition,
    /// Too many claims that the page does not back.
    Unsupported,
    /// The customer writes otherwise than planned.
    Style,
    /// The customer sounds otherwise than planned.
    Tone,
    /// A member of a group takes itself for somebody else.
    Persona,
    Pii,
    Harm,
    /// One of the recipe's own words.
    Words,
    /// Resembles a conversation that is kept, or one of the files to compare with.
    NearDuplicate,
    /// Begins like too many that are kept.
    SameOpening,
}

impl FindingKind {
    /// The reason in records and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooFewWords => "too_few_words",
            Self::TooManyWords => "too_many_words",
            Self::Language => "language",
            Self::Loop => "loop",
            Self::Repetition => "repetition",
            Self::Unsupported => "unsupported",
            Self::Style => "style",
            Self::Tone => "tone",
            Self::Persona => "persona",
            Self::Pii => "pii",
            Self::Harm => "harm",
            Self::Words => "words",
            Self::NearDuplicate => "near_duplicate",
            Self::SameOpening => "same_opening",
        }
    }
}

/// Claims below which a share of them says nothing.
const FEWEST_CLAIMS: usize = 2;

/// The filters that look at one conversation alone.
#[derive(Clone, Debug)]
pub struct Filters {
    rules: QualityRules,
    /// None where it is not looked at or cannot be told.
    language: Option<Language>,
    is_english: bool,
    listed: Harm,
}

impl Filters {
    /// The filters of a recipe whose conversations are in a language (ISO 639-1).
    #[must_use]
    pub fn new(rules: &QualityRules, language: &str) -> Self {
        Self {
            language: rules.language.then(|| Language::of(language)).flatten(),
            is_english: crate::augment::knows(language),
            listed: Harm::listed(&rules.words),
            rules: rules.clone(),
        }
    }

    /// The first thing that is wrong with a conversation.
    #[must_use]
    pub fn look(&self, sample: &Sample) -> Option<Finding> {
        self.size(sample)
            .or_else(|| self.tongue(sample))
            .or_else(|| self.again(sample))
            .or_else(|| self.claims(sample))
            .or_else(|| self.character(sample))
            .or_else(|| self.personal(sample))
            .or_else(|| self.harmful(sample))
    }

    fn size(&self, sample: &Sample) -> Option<Finding> {
        let (min, max) = (self.rules.min_words, self.rules.max_words);
        if min.is_none() && max.is_none() {
            return None;
        }
        let count: usize = sample
            .turns
            .iter()
            .map(|turn| words(&turn.text).count())
            .sum();
        if let Some(min) = min.filter(|min| count < *min as usize) {
            return finding(
                FindingKind::TooFewWords,
                format!("{count} words, at least {min}"),
            );
        }
        let max = max.filter(|max| count > *max as usize)?;
        finding(
            FindingKind::TooManyWords,
            format!("{count} words, at most {max}"),
        )
    }

    /// Each speaker's turns together: long enough to tell, short enough that one in another language shows.
    fn tongue(&self, sample: &Sample) -> Option<Finding> {
        let language = self.language.as_ref()?;
        sample
            .speakers
            .iter()
            .enumerate()
            .find_map(|(nth, speaker)| {
                let turns = sample.turns.iter().filter(|turn| turn.speaker == nth);
                let texts: Vec<&str> = turns.map(|turn| turn.text.as_str()).collect();
                let foreign = language.foreign(&texts.join("\n"))?;
                finding(
                    FindingKind::Language,
                    format!("{}: {foreign}", speaker.name),
                )
            })
    }

    fn again(&self, sample: &Sample) -> Option<Finding> {
        let bound = self.rules.repetition?;
        for (nth, turn) in sample.turns.iter().enumerate() {
            if let Some(loop_) = repetition::looped(&turn.text) {
                return finding(
                    FindingKind::Loop,
                    format!("turn {nth} says over and over: {loop_}"),
                );
            }
        }
        let texts = sample.turns.iter().map(|turn| turn.text.as_str());
        let share = repetition::repeated(texts).filter(|share| *share > bound)?;
        finding(
            FindingKind::Repetition,
            format!(
                "{} of its runs of four words stood in it before, at most {}",
                percent(share),
                percent(bound)
            ),
        )
    }

    fn claims(&self, sample: &Sample) -> Option<Finding> {
        let bound = self.rules.unsupported?;
        let links = sample.turns.iter().flat_map(|turn| &turn.links);
        let (mut claims, mut unsupported) = (0_u32, 0_u32);
        let mut first = None;
        for link in links {
            claims += u32::from(link.verdict != Support::NoClaim);
            if let Support::Unsupported { why } = &link.verdict {
                unsupported += 1;
                first.get_or_insert(why);
            }
        }
        let share = f64::from(unsupported) / f64::from(claims.max(1));
        if (claims as usize) < FEWEST_CLAIMS || share <= bound {
            return None;
        }
        let why = first.map_or(String::new(), |why| format!("; the first: {why}"));
        finding(
            FindingKind::Unsupported,
            format!(
                "{unsupported} of {claims} claims are not backed, at most {}{why}",
                percent(bound)
            ),
        )
    }

    fn character(&self, sample: &Sample) -> Option<Finding> {
        if !self.rules.in_character || !self.is_english {
            return None;
        }
        match sample.kind {
            Kind::Support => character::of_customer(sample),
            Kind::Group => character::of_members(sample),
        }
    }

    fn personal(&self, sample: &Sample) -> Option<Finding> {
        if self.rules.pii != PiiRule::Reject {
            return None;
        }
        let published = published(sample);
        sample.turns.iter().enumerate().find_map(|(nth, turn)| {
            let found = pii::find(&turn.text)
                .into_iter()
                .find(|found| !published.contains(&&turn.text[found.range.clone()]))?;
            // Not said back: reasons are shown, and kept.
            finding(
                FindingKind::Pii,
                format!("turn {nth}: {}", found.kind.name()),
            )
        })
    }

    fn harmful(&self, sample: &Sample) -> Option<Finding> {
        let look = |harm: &Harm, kind: FindingKind| {
            sample.turns.iter().enumerate().find_map(|(nth, turn)| {
                let (harm, words) = harm.find(&turn.text)?;
                finding(kind, format!("turn {nth}: {} `{words}`", harm.name()))
            })
        };
        let harm = (self.rules.harm == HarmRule::Reject)
            .then(|| look(Harm::shipped(), FindingKind::Harm))
            .flatten();
        harm.or_else(|| look(&self.listed, FindingKind::Words))
    }

    /// Turns with words that a judge should look at a second time: the turn, what kind of harm, and the words.
    #[must_use]
    pub fn doubtful(&self, sample: &Sample) -> Vec<(usize, &'static str, String)> {
        if self.rules.harm != HarmRule::Judge {
            return Vec::new();
        }
        let turns = sample.turns.iter().enumerate();
        turns
            .filter_map(|(nth, turn)| {
                let (kind, words) = Harm::shipped().find(&turn.text)?;
                Some((nth, kind.name(), words))
            })
            .collect()
    }

    /// Marks personal data, where the recipe wants that: in what was said, what was turned down, and the question it is about.
    pub fn redact(&self, dialogue: &mut Dialogue) {
        if self.rules.pii != PiiRule::Redact {
            return;
        }
        let sample = Sample::of(dialogue);
        let published = published(&sample);
        let none = &mut Vec::new();
        match dialogue {
            Dialogue::Support(conversation) => {
                mark(&mut conversation.query, none, &published);
                for rewrite in &mut conversation.rewrites {
                    mark(&mut rewrite.text, none, &published);
                }
                for turn in &mut conversation.turns {
                    if mark(&mut turn.text, &mut turn.links, &published) {
                        turn.tokens.clear();
                    }
                    for rejected in &mut turn.rejected {
                        mark(&mut rejected.text, none, &published);
                    }
                }
            }
            Dialogue::Group(chat) => {
                for turn in &mut chat.turns {
                    if mark(&mut turn.text, none, &published) {
                        turn.tokens.clear();
                    }
                    for rejected in &mut turn.rejected {
                        mark(&mut rejected.text, none, &published);
                    }
                }
            }
        }
    }
}

/// Puts marks for personal data that is not published; links to the text move along. Whether there was any.
fn mark(text: &mut String, links: &mut [Link], published: &[&str]) -> bool {
    let mut found = pii::find(text);
    found.retain(|found| !published.contains(&&text[found.range.clone()]));
    // From the end on, so that what is before stays where it is.
    for found in found.iter().rev() {
        let mark = found.kind.mark();
        let moved = |at: usize| {
            if at >= found.range.end {
                at + mark.len() - found.range.len()
            } else {
                // Within it: to one of its ends.
                at.min(found.range.start)
            }
        };
        for link in &mut *links {
            link.sentence = moved(link.sentence.start)..moved(link.sentence.end);
        }
        text.replace_range(found.range.clone(), &mark);
    }
    !found.is_empty()
}

/// Personal data that the shop itself publishes: it stands in a sentence that the page backs.
fn published(sample: &Sample) -> Vec<&str> {
    let is_backed = |turn: &Utterance, found: &pii::Found| {
        turn.links.iter().any(|link| {
            matches!(link.verdict, Support::Supported { .. })
                && link.sentence.start <= found.range.start
                && found.range.end <= link.sentence.end
        })
    };
    let mut published = Vec::new();
    for turn in &sample.turns {
        let found = pii::find(&turn.text).into_iter();
        let backed = found.filter(|found| is_backed(turn, found));
        published.extend(backed.map(|found| &turn.text[found.range]));
    }
    published
}

#[expect(clippy::unnecessary_wraps, reason = "what every filter gives")]
pub(super) fn finding(kind: FindingKind, detail: String) -> Option<Finding> {
    Some(Finding { kind, detail })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
