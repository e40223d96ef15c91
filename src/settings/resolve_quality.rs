use std::collections::BTreeMap;

use super::decide::Decide;
use super::{HarmRule, MonitorRules, PiiRule, QualityRules, SettingsError, VariantRule, Watched};
use crate::record::Aspect;

/// Far beyond any conversation.
const MOST_WORDS: u32 = 10_000_000;
/// Above it two conversations share nearly every run of five words: twins, whatever else they are.
const NEAR_DUPLICATES: f64 = 0.8;
/// People repeat few runs of four words; more than half is a loop.
const REPETITION: f64 = 0.5;

impl Decide<'_> {
    pub(super) fn quality(&self) -> Result<QualityRules, SettingsError> {
        let file = &self.layered.file.quality;
        let words = |key: &str, given: Option<u64>| {
            given
                .map(|given| {
                    let path = format!("quality.{key}");
                    self.number(&path, Some(given), 0, 1..=MOST_WORDS)
                })
                .transpose()
        };
        let against = file.against.iter().flatten();
        let rules = QualityRules {
            min_words: words("min_words", file.min_words)?,
            max_words: words("max_words", file.max_words)?,
            language: file.language.unwrap_or(true),
            repetition: self.bound("repetition", file.repetition, Some(REPETITION))?,
            near_duplicates: self.near_duplicates()?,
            against: against
                .map(|path| self.path("quality.against", path))
                .collect::<Result<_, _>>()?,
            same_opening: words("same_opening", file.same_opening)?,
            unsupported: self.bound("unsupported", file.unsupported, None)?,
            in_character: file.in_character.unwrap_or(false),
            pii: self.one_of(
                "quality.pii",
                file.pii.as_deref(),
                PiiRule::Keep,
                PiiRule::ALL,
                PiiRule::name,
            )?,
            harm: self.one_of(
                "quality.harm",
                file.harm.as_deref(),
                HarmRule::Reject,
                HarmRule::ALL,
                HarmRule::name,
            )?,
            words: file.words.clone().unwrap_or_default(),
            judge: self.minimums()?,
        };
        if let (Some(min), Some(max)) = (rules.min_words, rules.max_words)
            && min > max
        {
            let expected = format!("at most quality.max_words, which is {max}");
            return Err(self.refuse("quality.min_words", &min.to_string(), &expected));
        }
        if let Some(word) = rules
            .words
            .iter()
            .find(|word| !word.contains(char::is_alphanumeric))
        {
            return Err(self.refuse(
                "quality.words",
                &format!("{word:?}"),
                "words or phrases with letters in them",
            ));
        }
        if !rules.against.is_empty() && rules.near_duplicates.is_none() {
            return Err(self.refuse(
                "quality.against",
                "files to compare with, beside near_duplicates = 1",
                "quality.near_duplicates below 1: the resemblance from which a conversation is turned down",
            ));
        }
        Ok(rules)
    }

    pub(super) fn monitor(&self) -> Result<MonitorRules, SettingsError> {
        let file = &self.layered.file.monitor;
        let bounds = |key: &str, given: Option<&BTreeMap<String, f64>>| {
            let mut bounds = BTreeMap::new();
            for (name, bound) in given.into_iter().flatten() {
                let path = format!("monitor.{key}.{name}");
                let watched = self.named(&path, name, Watched::ALL, Watched::name)?;
                if !(bound.is_finite() && *bound >= 0.0) {
                    return Err(self.refuse(&path, &bound.to_string(), "0 or more"));
                }
                bounds.insert(watched, *bound);
            }
            Ok(bounds)
        };
        let default = MonitorRules::default();
        Ok(MonitorRules {
            window: self.number("monitor.window", file.window, default.window, 10..=100_000)?,
            warn: bounds("warn", file.warn.as_ref())?,
            stop: bounds("stop", file.stop.as_ref())?,
        })
    }

    fn minimums(&self) -> Result<BTreeMap<String, f64>, SettingsError> {
        let given = self.layered.file.quality.judge.iter().flatten();
        for (name, least) in given.clone() {
            let path = format!("quality.judge.{name}");
            self.named(&path, name, Aspect::ALL, Aspect::name)?;
            if !(1.0..=5.0).contains(least) {
                return Err(self.refuse(&path, &least.to_string(), "a score, 1 to 5"));
            }
        }
        Ok(given.map(|(name, least)| (name.clone(), *least)).collect())
    }

    fn near_duplicates(&self) -> Result<Option<f64>, SettingsError> {
        let file = &self.layered.file;
        // Variants of one question are meant to be alike.
        let all_variants = file.plan.variants.as_deref() == Some(VariantRule::All.name());
        match file.quality.near_duplicates {
            // Below it conversations on one page would be turned down for being on one page.
            Some(share) if !(0.1..=1.0).contains(&share) => Err(self.refuse(
                "quality.near_duplicates",
                &share.to_string(),
                "0.1 to 1; 1 turns nothing down",
            )),
            None if all_variants => Ok(None),
            given => self.bound("near_duplicates", given, Some(NEAR_DUPLICATES)),
        }
    }

    /// A share above which conversations are turned down; none at 1, where there is nothing above.
    fn bound(
        &self,
        key: &str,
        given: Option<f64>,
        default: Option<f64>,
    ) -> Result<Option<f64>, SettingsError> {
        match given {
            None => Ok(default),
            Some(share) if (0.0..1.0).contains(&share) => Ok(Some(share)),
            Some(share) if (share - 1.0).abs() < f64::EPSILON => Ok(None),
            Some(share) => Err(self.refuse(
                &format!("quality.{key}"),
                &share.to_string(),
                "0 to 1; 1 turns nothing down",
            )),
        }
    }
}
