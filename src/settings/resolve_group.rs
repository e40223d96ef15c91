use std::collections::BTreeMap;

use super::decide::Decide;
use super::{
    ExperienceRules, GROUP_SIZES, GroupRules, GroupSize, HubGate, PersonaMode, PersonaRules,
    SettingsError, ShotChoice, SpeakerMethod,
};
use crate::record::MoveSigns;

/// Sentences for one move, and the letters of one.
const MOST_SIGNS: usize = 8;
const LONGEST_SIGN: usize = 80;

impl Decide<'_> {
    pub(super) fn experiences(&self) -> Result<ExperienceRules, SettingsError> {
        let file = &self.layered.file.experiences;
        let path = |key: &str, given: &Option<String>| {
            given
                .as_deref()
                .map(|given| self.path(&format!("experiences.{key}"), given))
                .transpose()
        };
        let rules = ExperienceRules {
            from: path("from", &file.from)?,
            seeds: path("seeds", &file.seeds)?,
            hub_from: path("hub_from", &file.hub_from)?,
            per_call: self.number("experiences.per_call", file.per_call, 4, 1..=64)?,
            per_round: self.number("experiences.per_round", file.per_round, 16, 1..=4096)?,
            shots: self.number("experiences.shots", file.shots, 1, 0..=16)?,
            shot_choice: self.one_of(
                "experiences.shot_choice",
                file.shot_choice.as_deref(),
                ShotChoice::Coverage,
                ShotChoice::ALL,
                ShotChoice::name,
            )?,
            hub: self.one_of(
                "experiences.hub",
                file.hub.as_deref(),
                HubGate::Gated,
                HubGate::ALL,
                HubGate::name,
            )?,
            max_depth: self.number("experiences.max_depth", file.max_depth, 4, 0..=1000)?,
            participants: self
                .shares::<GroupSize>("experiences.participants", file.participants.as_ref())?,
        };
        Ok(rules)
    }

    pub(super) fn personas(&self) -> Result<PersonaRules, SettingsError> {
        let file = &self.layered.file.personas;
        let from = file
            .from
            .as_deref()
            .map(|path| self.path("personas.from", path))
            .transpose()?;
        let mode = self.one_of(
            "personas.mode",
            file.mode.as_deref(),
            if from.is_some() {
                PersonaMode::Sampled
            } else {
                PersonaMode::Generated
            },
            PersonaMode::ALL,
            PersonaMode::name,
        )?;
        match (mode, &from) {
            (PersonaMode::Generated, Some(_)) => Err(self.refuse(
                "personas.mode",
                "\"generated\" beside personas.from",
                "\"sampled\" or \"reused\" where a file of personas is named",
            )),
            (PersonaMode::Reused, None) => Err(self.refuse(
                "personas.mode",
                "\"reused\" without personas.from",
                "personas.from = \"groups.jsonl\" (a group in each line) beside it",
            )),
            _ => Ok(PersonaRules {
                mode,
                from,
                strict: file.strict.unwrap_or(false),
            }),
        }
    }

    pub(super) fn group(&self) -> Result<GroupRules, SettingsError> {
        let file = &self.layered.file.group;
        let english = MoveSigns::default();
        let rules = GroupRules {
            min_turns: self.number("group.min_turns", file.min_turns, 10, 2..=1000)?,
            max_turns: self.number("group.max_turns", file.max_turns, 12, 2..=1000)?,
            words: self.number("group.words", file.words, 30, 3..=2000)?,
            speaker: self.one_of(
                "group.speaker",
                file.speaker.as_deref(),
                SpeakerMethod::Auto,
                SpeakerMethod::ALL,
                SpeakerMethod::name,
            )?,
            order: self.people("group.order", file.order.as_deref().unwrap_or_default())?,
            transitions: self.transitions()?,
            repeats: file.repeats.unwrap_or(false),
            leave: self.signs("group.leave", file.leave.as_ref(), english.leave)?,
            pause: self.signs("group.pause", file.pause.as_ref(), english.pause)?,
            interrupt: self.signs(
                "group.interrupt",
                file.interrupt.as_ref(),
                english.interrupt,
            )?,
        };
        if rules.min_turns > rules.max_turns {
            return Err(self.refuse(
                "group.min_turns",
                &rules.min_turns.to_string(),
                &format!("at most group.max_turns, which is {}", rules.max_turns),
            ));
        }
        if rules.speaker == SpeakerMethod::Manual && rules.order.is_empty() {
            return Err(self.refuse(
                "group.speaker",
                "\"manual\" without group.order",
                "group.order = [1, 2, 3] beside it: who speaks in turn, by number",
            ));
        }
        Ok(rules)
    }

    /// Sentences to be told and looked for: few, short, each with words in it.
    fn signs(
        &self,
        path: &str,
        given: Option<&Vec<String>>,
        default: Vec<String>,
    ) -> Result<Vec<String>, SettingsError> {
        let Some(given) = given else {
            return Ok(default);
        };
        if given.len() > MOST_SIGNS {
            let expected = format!("at most {MOST_SIGNS} sentences");
            return Err(self.refuse(path, &format!("{} sentences", given.len()), &expected));
        }
        let bad = |sign: &&String| {
            let letters = sign.chars().count();
            letters > LONGEST_SIGN || !sign.contains(char::is_alphanumeric) || sign.contains('\n')
        };
        if let Some(sign) = given.iter().find(bad) {
            let shown: String = sign.chars().take(LONGEST_SIGN).collect();
            let expected =
                format!("sentences of one line with words in them, {LONGEST_SIGN} letters at most");
            return Err(self.refuse(path, &format!("{shown:?}"), &expected));
        }
        Ok(given.iter().map(|sign| sign.trim().to_owned()).collect())
    }

    /// Who may follow whom. A list that leaves nobody to follow is a dead end.
    fn transitions(&self) -> Result<BTreeMap<String, Vec<u32>>, SettingsError> {
        let file = &self.layered.file.group;
        let repeats = file.repeats.unwrap_or(false);
        let mut table = BTreeMap::new();
        for (from, after) in file.transitions.iter().flatten() {
            let path = format!("group.transitions.{from}");
            let place = from.parse::<u64>().ok();
            let [place] = self.people(&path, &[place.unwrap_or(0)])?[..] else {
                unreachable!("one number in, one number out");
            };
            let after = self.people(&path, after)?;
            if !after.iter().any(|next| repeats || *next != place) {
                let expected = if repeats {
                    "at least one who may speak next"
                } else {
                    "at least one other who may speak next (group.repeats is false)"
                };
                return Err(self.refuse(&path, "a dead end", expected));
            }
            // In the smallest group somebody must be there to follow.
            let smallest = self
                .layered
                .file
                .experiences
                .participants
                .iter()
                .flat_map(BTreeMap::keys)
                .filter_map(|size| size.parse::<u32>().ok())
                .min();
            let dead = smallest.filter(|size| {
                place <= *size
                    && !after
                        .iter()
                        .any(|next| next <= size && (repeats || *next != place))
            });
            if let Some(size) = dead {
                return Err(self.refuse(
                    &path,
                    &format!("a dead end in a group of {size}"),
                    "someone among its members who may speak next",
                ));
            }
            table.insert(from.clone(), after);
        }
        Ok(table)
    }

    /// Numbers of participants, from 1.
    fn people(&self, path: &str, given: &[u64]) -> Result<Vec<u32>, SettingsError> {
        let most = *GROUP_SIZES.end() as u64;
        given
            .iter()
            .map(|number| {
                u32::try_from(*number)
                    .ok()
                    .filter(|_| (1..=most).contains(number))
                    .ok_or_else(|| {
                        self.refuse(
                            path,
                            &number.to_string(),
                            &format!("numbers of participants, 1 to {most}"),
                        )
                    })
            })
            .collect()
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        path: &str,
        given: Option<&str>,
        default: T,
        all: &[T],
        name_of: fn(T) -> &'static str,
    ) -> Result<T, SettingsError> {
        given.map_or(Ok(default), |name| self.named(path, name, all, name_of))
    }
}
