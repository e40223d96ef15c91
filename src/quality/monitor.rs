use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use super::{Likeness, Runs};
use crate::metrics::{Corpus, Openers, distinct, words};
use crate::record::{Role, Sample, Support};
use crate::settings::{MonitorRules, Watched};

/// Resemblance that counts as one conversation told twice, to a watcher.
const TWIN: f64 = 0.5;
/// Conversations before which a share says nothing, and between two looks.
const FEWEST: usize = 20;
const EVERY: usize = 10;
/// Words that an opening is told by.
const OPENING: usize = 3;
/// Words that pairs are counted in.
const BUDGET: usize = 10_000;

/// Watches a run's last conversations. Decides nothing: what it sees is said, and others may end the run for it.
#[derive(Debug)]
pub struct Monitor {
    rules: MonitorRules,
    window: VecDeque<Seen>,
    /// Attempts of the window's length: whether each was kept.
    attempts: VecDeque<bool>,
    likeness: Likeness<u64>,
    /// Conversations so far.
    count: u64,
    /// What was said and holds still.
    said: BTreeSet<(Watched, bool)>,
}

/// What stays of a conversation.
#[derive(Debug)]
struct Seen {
    id: u64,
    runs: Runs,
    texts: Vec<String>,
    opening: String,
    claims: u32,
    unsupported: u32,
    turns: u32,
    guarded: u32,
    words: u32,
}

/// A figure that is beyond a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    pub watched: Watched,
    pub value: f64,
    pub bound: f64,
    /// Conversations that it was taken over.
    pub over: usize,
    /// The recipe wants the run to end for it.
    pub stops: bool,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.watched.is_floor() {
            "below"
        } else {
            "above"
        };
        write!(
            f,
            "{} is {:.3} over the last {}, {side} {}",
            self.watched.name(),
            self.value,
            self.over,
            self.bound
        )
    }
}

impl Monitor {
    /// For these bounds; none where there are none.
    #[must_use]
    pub fn new(rules: &MonitorRules) -> Option<Self> {
        let watches = !rules.warn.is_empty() || !rules.stop.is_empty();
        watches.then(|| Self {
            rules: rules.clone(),
            window: VecDeque::new(),
            attempts: VecDeque::new(),
            likeness: Likeness::new(TWIN),
            count: 0,
            said: BTreeSet::new(),
        })
    }

    /// An attempt is over, with this conversation where it is kept. Says what is beyond a bound now and was not before.
    pub fn take(&mut self, kept: Option<&Sample>) -> Vec<Alarm> {
        let length = self.rules.window as usize;
        self.attempts.push_back(kept.is_some());
        if self.attempts.len() > length {
            self.attempts.pop_front();
        }
        if let Some(sample) = kept {
            self.see(sample);
            if self.window.len() > length
                && let Some(oldest) = self.window.pop_front()
            {
                self.likeness.remove(oldest.id);
            }
        }
        if self.attempts.len() < FEWEST.min(length)
            || !self.attempts.len().is_multiple_of(EVERY) && self.attempts.len() < length
        {
            return Vec::new();
        }
        self.look()
    }

    fn see(&mut self, sample: &Sample) {
        let id = self.count;
        self.count += 1;
        let texts: Vec<String> = sample.turns.iter().map(|turn| turn.text.clone()).collect();
        let runs = Runs::of(texts.iter().map(String::as_str));
        self.likeness.add(id, runs.clone());
        let links = || sample.turns.iter().flat_map(|turn| &turn.links);
        let count = |found: usize| u32::try_from(found).unwrap_or(u32::MAX);
        let reply = sample.turns_of(Role::Agent).next().or(sample.turns.first());
        let opening = reply.map_or(String::new(), |turn| {
            words(&turn.text)
                .take(OPENING)
                .collect::<Vec<_>>()
                .join(" ")
        });
        let is_claim = |verdict: &Support| *verdict != Support::NoClaim;
        let is_bad = |verdict: &Support| matches!(verdict, Support::Unsupported { .. });
        self.window.push_back(Seen {
            id,
            runs,
            opening,
            claims: count(links().filter(|link| is_claim(&link.verdict)).count()),
            unsupported: count(links().filter(|link| is_bad(&link.verdict)).count()),
            turns: count(sample.turns.len()),
            guarded: count(
                sample
                    .turns
                    .iter()
                    .filter(|turn| !turn.rejected.is_empty())
                    .count(),
            ),
            words: count(texts.iter().map(|text| words(text).count()).sum()),
            texts,
        });
    }

    fn look(&mut self) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for (stops, bounds) in [(false, &self.rules.warn), (true, &self.rules.stop)] {
            for (watched, bound) in bounds {
                let Some(value) = self.value(*watched) else {
                    continue;
                };
                if !watched.is_beyond(value, *bound) {
                    self.said.remove(&(*watched, stops));
                } else if self.said.insert((*watched, stops)) {
                    alarms.push(Alarm {
                        watched: *watched,
                        value,
                        bound: *bound,
                        over: if *watched == Watched::Rejected {
                            self.attempts.len()
                        } else {
                            self.window.len()
                        },
                        stops,
                    });
                }
            }
        }
        alarms
    }

    /// A figure as it is now; none where there is too little to tell.
    #[must_use]
    pub fn value(&self, watched: Watched) -> Option<f64> {
        let share = |part: usize, whole: usize| (whole > 0).then(|| of(part) / of(whole));
        let sum = |of: fn(&Seen) -> u32| self.window.iter().map(|seen| of(seen) as usize).sum();
        if watched == Watched::Rejected {
            let lost = self.attempts.iter().filter(|kept| !**kept).count();
            return share(lost, self.attempts.len());
        }
        if self.window.len() < FEWEST.min(self.rules.window as usize) {
            return None;
        }
        match watched {
            Watched::Rejected => None,
            Watched::NearDuplicates => {
                let is_twin = |seen: &&Seen| self.likeness.like(&seen.runs).len() > 1;
                share(
                    self.window.iter().filter(is_twin).count(),
                    self.window.len(),
                )
            }
            Watched::SameOpening => {
                let openings = self.window.iter().map(|seen| seen.opening.as_str());
                Openers::of(openings, OPENING).share_of_top(1)
            }
            Watched::Unsupported => share(sum(|seen| seen.unsupported), sum(|seen| seen.claims)),
            Watched::Guarded => share(sum(|seen| seen.guarded), sum(|seen| seen.turns)),
            Watched::Distinct2 => {
                let mut left = BUDGET;
                let texts = self.window.iter().flat_map(|seen| &seen.texts);
                let texts = texts.take_while(|text| {
                    let fits = left > 0;
                    left = left.saturating_sub(words(text).count());
                    fits
                });
                distinct(&Corpus::of(texts.map(String::as_str)), 2)
            }
            Watched::WordsPerTurn => share(sum(|seen| seen.words), sum(|seen| seen.turns)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn of(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Dialogue, Link, Rejected, examples};
    use crate::record::{GuardHit, GuardKind};

    fn sample(text: &str) -> Sample {
        let mut conversation = examples::conversation();
        conversation.turns[0].text = text.to_owned();
        conversation.turns[1].text = format!("Of course I can: {text}");
        Sample::of(&Dialogue::Support(conversation))
    }

    fn rules(warn: &[(Watched, f64)], stop: &[(Watched, f64)]) -> MonitorRules {
        MonitorRules {
            window: 20,
            warn: warn.iter().copied().collect(),
            stop: stop.iter().copied().collect(),
        }
    }

    fn different(nth: usize) -> Sample {
        let words: Vec<String> = (0..12)
            .map(|word| format!("w{}", nth * 50 + word))
            .collect();
        sample(&words.join(" "))
    }

    #[test]
    fn a_crossing_is_said_once_and_again_after_it_was_mended() {
        let mut monitor = Monitor::new(&rules(&[(Watched::Rejected, 0.4)], &[])).unwrap();
        let mut said = Vec::new();
        // Half, then none, then all.
        for nth in 0..90 {
            let kept = match nth {
                0..30 => nth % 2 == 0,
                30..60 => true,
                _ => false,
            };
            let one = different(nth);
            for alarm in monitor.take(kept.then_some(&one)) {
                said.push((nth, alarm.to_string(), alarm.stops));
            }
        }
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(said[0].1, "rejected is 0.500 over the last 20, above 0.4");
        assert!(said[0].0 == 19 && said[1].0 == 68 && !said[1].2);
    }

    #[test]
    fn each_figure_is_what_it_says() {
        let all: Vec<(Watched, f64)> = Watched::ALL.iter().map(|watched| (*watched, 0.5)).collect();
        let mut monitor = Monitor::new(&rules(&all, &[])).unwrap();
        for nth in 0..20 {
            // A quarter are told twice; one claim of two is not backed; every second turn was made again.
            let mut one = different(if nth < 5 { 0 } else { nth });
            let link = |verdict| Link {
                sentence: 0..1,
                verdict,
            };
            one.turns[1].links = vec![
                link(Support::Supported {
                    paragraph: 0,
                    span: 0..1,
                }),
                link(Support::NoClaim),
                link(Support::Unsupported {
                    why: crate::record::Why::Number("7".into()),
                }),
            ];
            one.turns[1].rejected.push(Rejected {
                text: String::new(),
                hit: GuardHit {
                    kind: GuardKind::Echo,
                    detail: String::new(),
                },
            });
            monitor.take(Some(&one));
        }
        let value = |watched| monitor.value(watched).unwrap();
        let near = |watched, wanted: f64| (value(watched) - wanted).abs() < 1e-9;
        assert!(near(Watched::Rejected, 0.0));
        assert!(near(Watched::NearDuplicates, 0.25));
        assert!(near(Watched::SameOpening, 1.0));
        assert!(near(Watched::Unsupported, 0.5));
        assert!(near(Watched::Guarded, 0.5));
        // 12 words, and 4 more before them.
        assert!(near(Watched::WordsPerTurn, 14.0));
        assert!((0.3..0.7).contains(&value(Watched::Distinct2)));
    }

    #[test]
    fn nothing_is_watched_where_there_is_no_bound_and_little_says_nothing() {
        assert!(Monitor::new(&rules(&[], &[])).is_none());
        let mut monitor = Monitor::new(&rules(&[], &[(Watched::SameOpening, 0.1)])).unwrap();
        for nth in 0..19 {
            assert!(monitor.take(Some(&different(nth))).is_empty());
        }
        let alarms = monitor.take(Some(&different(19)));
        assert!(alarms.len() == 1 && alarms[0].stops);
    }
}
