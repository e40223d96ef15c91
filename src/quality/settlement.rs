use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Finding, FindingKind, Likeness, Runs};
use crate::metrics::words;
use crate::record::Sample;
use crate::settings::QualityRules;

/// Words that an opening is told by.
const OPENING: usize = 4;

/// Settles which of the conversations that a run makes are kept, where that depends on the others: as if they came one by one
/// in the order of their places, each compared with those kept before it. They may come in any order; what is settled does not
/// depend on it.
///
/// That a conversation is turned down is said as soon as it is certain, so that its place can go on: it is like one kept at an
/// earlier place. Why is said when all earlier places are settled: only then it is known what it is most like.
#[derive(Debug)]
pub struct Settlement {
    most_alike: Option<u32>,
    /// Everything kept, waiting, or to compare with.
    likeness: Option<Likeness<Known>>,
    names: Vec<String>,
    /// Places kept, by side and opening.
    openings: HashMap<(usize, String), BTreeSet<u64>>,
    kept: BTreeSet<u64>,
    /// Places that are not settled and of which something is known.
    open: BTreeMap<u64, Open>,
    /// Places settled earlier, beyond the frontier.
    recalled: BTreeSet<u64>,
    /// The first place that is not settled.
    frontier: u64,
}

/// The first words of each side.
type Openings = Vec<(usize, String)>;

/// A place that is not settled.
#[derive(Debug, Default)]
struct Open {
    /// What was turned down there.
    turned_down: Vec<Tried>,
    /// What nothing has turned down yet.
    waiting: Option<Tried>,
    /// Nothing more comes.
    given_up: bool,
}

#[derive(Debug)]
struct Tried {
    attempt: u32,
    runs: Runs,
    openings: Openings,
}

/// Something to compare with. What stands in files comes before every place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Known {
    Foreign(usize),
    Place(u64),
}

/// What became of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Its conversation is turned down, for this or something else that will be said; the next may come.
    Again(FindingKind),
    /// It is settled: by the conversation that came last, or by nothing.
    Done {
        kept: bool,
        /// Why attempts before it were turned down.
        turned_down: Vec<(u32, Finding)>,
    },
}

impl Settlement {
    /// For these rules; `foreign` are other conversations that none may resemble.
    #[must_use]
    pub fn new(rules: &QualityRules, foreign: &[Sample]) -> Self {
        let mut likeness = rules.near_duplicates.map(Likeness::new);
        if let Some(likeness) = &mut likeness {
            for (nth, sample) in foreign.iter().enumerate() {
                likeness.add(Known::Foreign(nth), runs(sample));
            }
        }
        Self {
            most_alike: rules.same_opening,
            likeness,
            names: foreign.iter().map(|sample| sample.id.clone()).collect(),
            openings: HashMap::new(),
            kept: BTreeSet::new(),
            open: BTreeMap::new(),
            recalled: BTreeSet::new(),
            frontier: 0,
        }
    }

    /// A place that was settled earlier, with the conversation that is kept there. Such places are recalled before anything
    /// else is said.
    pub fn recall(&mut self, place: u64, kept: Option<&Sample>) {
        if let Some(sample) = kept {
            if let Some(likeness) = &mut self.likeness {
                likeness.add(Known::Place(place), runs(sample));
            }
            self.keep(place, &openings(sample));
        }
        self.recalled.insert(place);
    }

    /// A place has no more conversations to offer. Says what is settled by it.
    pub fn give_up(&mut self, place: u64) -> Vec<(u64, Settled)> {
        self.open.entry(place).or_default().given_up = true;
        self.advance()
    }

    /// The next conversation of a place. Says what is settled by it: this one, others, or nothing yet.
    pub fn enter(&mut self, place: u64, attempt: u32, sample: &Sample) -> Vec<(u64, Settled)> {
        let tried = Tried {
            attempt,
            runs: runs(sample),
            openings: openings(sample),
        };
        if let Some(finding) = self.finding(place, &tried) {
            self.open.entry(place).or_default().turned_down.push(tried);
            return vec![(place, Settled::Again(finding.kind))];
        }
        if let Some(likeness) = &mut self.likeness {
            likeness.add(Known::Place(place), tried.runs.clone());
        }
        self.open.entry(place).or_default().waiting = Some(tried);
        self.advance()
    }

    /// Settles what nothing can change any more, and turns down what is like it.
    fn advance(&mut self) -> Vec<(u64, Settled)> {
        let mut said = Vec::new();
        loop {
            while self.recalled.remove(&self.frontier) {
                self.frontier += 1;
            }
            let place = self.frontier;
            let ready = |open: &Open| open.given_up || open.waiting.is_some();
            if !self.open.get(&place).is_some_and(ready) {
                return said;
            }
            let open = self.open.remove(&place).expect("it was just there");
            let turned_down = open.turned_down.iter().map(|tried| {
                let finding = self.finding(place, tried);
                (
                    tried.attempt,
                    finding.expect("what is kept before a place is never taken back"),
                )
            });
            said.push((
                place,
                Settled::Done {
                    kept: open.waiting.is_some(),
                    turned_down: turned_down.collect(),
                },
            ));
            self.frontier += 1;
            if let Some(tried) = open.waiting {
                self.keep(place, &tried.openings);
                self.turn_down_after(place, &tried.runs, &mut said);
            }
        }
    }

    fn keep(&mut self, place: u64, openings: &Openings) {
        if self.most_alike.is_some() {
            for opening in openings {
                self.openings
                    .entry(opening.clone())
                    .or_default()
                    .insert(place);
            }
        }
        self.kept.insert(place);
    }

    /// Turns down what waits and cannot be kept now that a place is.
    fn turn_down_after(&mut self, place: u64, runs: &Runs, said: &mut Vec<(u64, Settled)>) {
        let mut found = BTreeMap::new();
        if let Some(likeness) = &self.likeness {
            for (other, _) in likeness.like(runs) {
                if let Known::Place(later) = other
                    && later > place
                {
                    found.insert(later, FindingKind::NearDuplicate);
                }
            }
        }
        if self.most_alike.is_some() {
            for (later, open) in &self.open {
                if let Some(tried) = &open.waiting
                    && let Some(finding) = self.begins_alike(*later, &tried.openings)
                {
                    found.entry(*later).or_insert(finding.kind);
                }
            }
        }
        for (later, kind) in found {
            // One that is recalled as kept stays so.
            if let Some(open) = self.open.get_mut(&later)
                && let Some(tried) = open.waiting.take()
            {
                open.turned_down.push(tried);
                if let Some(likeness) = &mut self.likeness {
                    likeness.remove(Known::Place(later));
                }
                said.push((later, Settled::Again(kind)));
            }
        }
    }

    /// What turns a conversation down, as far as places are settled.
    fn finding(&self, place: u64, tried: &Tried) -> Option<Finding> {
        self.like(place, &tried.runs)
            .or_else(|| self.begins_alike(place, &tried.openings))
    }

    /// The most like of what is kept before a place, or stands in a file; the first of equals.
    fn like(&self, place: u64, runs: &Runs) -> Option<Finding> {
        let all = self.likeness.as_ref()?.like(runs).into_iter();
        let before = all.filter(|(other, _)| match other {
            Known::Foreign(_) => true,
            Known::Place(other) => *other < place && self.kept.contains(other),
        });
        let (other, resemblance) =
            before.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let name = match other {
            Known::Foreign(nth) => format!("{} of quality.against", self.names[nth]),
            Known::Place(place) => format!("place {place}"),
        };
        Some(Finding {
            kind: FindingKind::NearDuplicate,
            detail: format!("{:.0} % the same as {name}", resemblance * 100.0),
        })
    }

    fn begins_alike(&self, place: u64, openings: &Openings) -> Option<Finding> {
        let most = self.most_alike? as usize;
        openings.iter().find_map(|opening| {
            let before = self.openings.get(opening)?.range(..place).count();
            (before >= most).then(|| Finding {
                kind: FindingKind::SameOpening,
                detail: format!("{before} kept before it begin with: {}", opening.1),
            })
        })
    }
}

fn runs(sample: &Sample) -> Runs {
    Runs::of(sample.turns.iter().map(|turn| turn.text.as_str()))
}

/// The first words of each role's first turn; of the first turn alone in groups, whose members are others each time.
fn openings(sample: &Sample) -> Openings {
    let mut openings: Openings = Vec::new();
    for turn in &sample.turns {
        let side = sample.role(turn).map_or(0, |role| role as usize + 1);
        if openings.iter().any(|(other, _)| *other == side) {
            continue;
        }
        let first: Vec<String> = words(&turn.text).take(OPENING).collect();
        openings.push((side, first.join(" ")));
    }
    openings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Dialogue, examples};

    fn sample(text: &str) -> Sample {
        let mut conversation = examples::conversation();
        conversation.turns.truncate(1);
        conversation.turns[0].text = text.into();
        Sample::of(&Dialogue::Support(conversation))
    }

    fn rules(near_duplicates: Option<f64>, same_opening: Option<u32>) -> QualityRules {
        QualityRules {
            near_duplicates,
            same_opening,
            ..QualityRules::none()
        }
    }

    const ONE: &str = "my kettle leaks and I want to send it back";
    const TWO: &str = "where is my parcel please it was due on Monday";

    fn done(turned_down: usize) -> impl Fn(&Settled) -> bool {
        move |settled| matches!(settled, Settled::Done { kept: true, turned_down: found } if found.len() == turned_down)
    }

    #[test]
    fn an_earlier_place_has_precedence_however_late_it_comes() {
        let mut settlement = Settlement::new(&rules(Some(0.5), None), &[]);
        assert_eq!(settlement.enter(2, 0, &sample(ONE)), []);
        assert_eq!(settlement.enter(1, 0, &sample(TWO)), []);
        let said = settlement.enter(0, 0, &sample(ONE));
        assert_eq!(said.len(), 3);
        assert!(said[0].0 == 0 && done(0)(&said[0].1));
        assert_eq!(said[1], (2, Settled::Again(FindingKind::NearDuplicate)));
        assert!(said[2].0 == 1 && done(0)(&said[2].1));
        // The next try at place 2 is like another.
        let again = settlement.enter(2, 1, &sample(TWO));
        assert_eq!(again, [(2, Settled::Again(FindingKind::NearDuplicate))]);
        let last = settlement.enter(2, 2, &sample("nothing like that"));
        let Settled::Done { kept, turned_down } = &last[0].1 else {
            panic!("{last:?}")
        };
        assert!(*kept);
        let details: Vec<&str> = turned_down
            .iter()
            .map(|(_, finding)| finding.detail.as_str())
            .collect();
        assert_eq!(
            details,
            ["100 % the same as place 0", "100 % the same as place 1"]
        );
    }

    #[test]
    fn what_stands_in_files_comes_first() {
        let mut foreign = sample(ONE);
        foreign.id = "eval/7".into();
        let mut settlement = Settlement::new(&rules(Some(0.5), None), &[foreign]);
        let again = settlement.enter(0, 0, &sample(ONE));
        assert_eq!(again, [(0, Settled::Again(FindingKind::NearDuplicate))]);
        let said = settlement.give_up(0);
        let Settled::Done {
            kept: false,
            turned_down,
        } = &said[0].1
        else {
            panic!("{said:?}")
        };
        assert!(
            turned_down[0]
                .1
                .detail
                .contains("eval/7 of quality.against")
        );
    }

    #[test]
    fn so_many_may_begin_alike() {
        let mut settlement = Settlement::new(&rules(None, Some(2)), &[]);
        let begin = |end: &str| sample(&format!("Hello I need help {end}"));
        settlement.recall(0, Some(&begin("a")));
        assert_eq!(settlement.enter(2, 0, &begin("b")), []);
        assert_eq!(settlement.enter(3, 0, &begin("c")), []);
        let said = settlement.enter(1, 0, &begin("d"));
        assert!(said.len() == 3 && said[0].0 == 1 && done(0)(&said[0].1));
        assert_eq!(said[1], (2, Settled::Again(FindingKind::SameOpening)));
        assert_eq!(said[2], (3, Settled::Again(FindingKind::SameOpening)));
        assert_eq!(settlement.give_up(2).len(), 1);
        let said = settlement.enter(3, 1, &sample("Good morning, I need help"));
        assert!(said.len() == 1 && done(1)(&said[0].1));
    }

    /// Places one after the other, each with the texts of its tries.
    fn one_by_one(rules: &QualityRules, tries: &[Vec<String>]) -> Vec<Option<usize>> {
        let mut kept: Vec<Sample> = Vec::new();
        tries
            .iter()
            .map(|tries| {
                let found = tries.iter().position(|text| {
                    let candidate = sample(text);
                    let like = kept.iter().any(|other| {
                        rules.near_duplicates.is_some_and(|least| {
                            runs(other).resemblance(&runs(&candidate)) >= least
                        })
                    });
                    let alike = rules.same_opening.is_some_and(|most| {
                        let same = kept
                            .iter()
                            .filter(|other| openings(other) == openings(&candidate));
                        same.count() >= most as usize
                    });
                    !like && !alike
                });
                if let Some(found) = found {
                    kept.push(sample(&tries[found]));
                }
                found
            })
            .collect()
    }

    /// Which try is kept, and why others were turned down.
    type Ended = (Option<usize>, Vec<(u32, Finding)>);

    /// Places in any order: which try is kept, and why others were turned down.
    fn in_order(
        rules: &QualityRules,
        tries: &[Vec<String>],
        order: &[prop::sample::Index],
    ) -> Vec<Ended> {
        let mut settlement = Settlement::new(rules, &[]);
        let mut result = vec![(None, Vec::new()); tries.len()];
        let mut next: Vec<usize> = vec![0; tries.len()];
        // Places whose next try may come now.
        let mut ready: Vec<usize> = (0..tries.len()).collect();
        let mut order = order.iter().cycle();
        while !ready.is_empty() {
            let place = ready.swap_remove(order.next().unwrap().index(ready.len()));
            let said = if next[place] == tries[place].len() {
                settlement.give_up(place as u64)
            } else {
                let attempt = u32::try_from(next[place]).unwrap();
                let text = &tries[place][next[place]];
                next[place] += 1;
                settlement.enter(place as u64, attempt, &sample(text))
            };
            for (place, settled) in said {
                let place = usize::try_from(place).unwrap();
                match settled {
                    Settled::Again(_) => ready.push(place),
                    Settled::Done { kept, turned_down } => {
                        result[place] = (kept.then(|| next[place] - 1), turned_down);
                    }
                }
            }
        }
        assert!(settlement.open.is_empty());
        assert_eq!(settlement.frontier, tries.len() as u64);
        result
    }

    proptest! {
        #[test]
        fn any_order_settles_as_one_by_one(
            tries in prop::collection::vec(prop::collection::vec("([ab] ){6,9}", 1..4), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 60),
            other in prop::collection::vec(any::<prop::sample::Index>(), 60),
            opening in prop::option::of(1..3u32),
        ) {
            let rules = rules(Some(0.6), opening);
            let one = in_order(&rules, &tries, &order);
            let kept: Vec<Option<usize>> = one.iter().map(|(kept, _)| *kept).collect();
            prop_assert_eq!(kept, one_by_one(&rules, &tries));
            // Reasons and all.
            prop_assert_eq!(one, in_order(&rules, &tries, &other));
        }
    }
}
