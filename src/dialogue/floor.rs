//! Who may speak in a group, and who does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DecisionRule;
use crate::record::{Move, MoveSigns};
use crate::rng::Stream;

/// Turns for which someone who paused is not called on.
const PAUSE_TURNS: usize = 2;

/// What being spoken to is worth beside the likelihood of a name, in log-odds.
const ADDRESSED: f32 = 4.0;

/// An interruption of so many words leaves what it announces for the next turn.
const ANNOUNCEMENT_WORDS: usize = 7;

/// How the next speaker is found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FloorRules {
    pub method: Method,
    /// Who may speak after whom, by place among the participants; anyone after who is not named.
    pub transitions: BTreeMap<usize, Vec<usize>>,
    /// Whether someone may speak twice in a row.
    pub repeats: bool,
}

/// The way to choose among those who may speak.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The model's likelihood of each name.
    #[default]
    Auto,
    /// One after the other.
    RoundRobin,
    Random,
    /// In this order, by place among the participants; who is not there or may not speak is passed over.
    Manual(Vec<usize>),
}

/// The state of the floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    left: Vec<bool>,
    /// Until which turn someone has paused.
    paused: Vec<usize>,
    last: Option<usize>,
    /// Who broke in and has not yet said what for.
    claimed: Option<usize>,
    /// Turns that were taken.
    turn: usize,
    /// Where the manual order stands.
    at: usize,
}

/// Who is next, as far as rules can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody else may speak.
    Speaker(usize),
    /// One of these, at least two; the model's choice.
    Among(Vec<usize>),
    /// Nobody is left to talk to.
    Nobody,
}

impl Floor {
    /// Everyone is there and nobody has spoken.
    #[must_use]
    pub fn new(participants: usize) -> Self {
        Self {
            left: vec![false; participants],
            paused: vec![0; participants],
            last: None,
            claimed: None,
            turn: 0,
            at: 0,
        }
    }

    /// Who is still there.
    #[must_use]
    pub fn present(&self) -> usize {
        self.left.iter().filter(|left| !**left).count()
    }

    /// Someone has spoken.
    pub fn took(&mut self, speaker: usize, text: &str, moves: &[Move]) {
        self.turn += 1;
        self.last = Some(speaker);
        self.left[speaker] |= moves.contains(&Move::Leave);
        if moves.contains(&Move::Pause) {
            self.paused[speaker] = self.turn + PAUSE_TURNS;
        }
        let announces = moves.contains(&Move::Interrupt)
            && text.split_whitespace().count() <= ANNOUNCEMENT_WORDS;
        self.claimed = (announces && !self.left[speaker]).then_some(speaker);
    }

    /// Who is next. Whoever broke in has the floor; those who left never speak again; those who paused are passed over while
    /// others can speak; where the rules leave nobody, anyone present may go on.
    #[must_use]
    pub fn next(&mut self, rules: &FloorRules, draw: Stream) -> Next {
        if self.present() < 2 {
            return Next::Nobody;
        }
        if let Some(speaker) = self.claimed.take() {
            return Next::Speaker(speaker);
        }
        let able = self.able(rules);
        match (&rules.method, &able[..]) {
            (_, []) => Next::Nobody,
            (_, [only]) => Next::Speaker(*only),
            (Method::Auto, _) => Next::Among(able),
            (Method::Random, _) => Next::Speaker(*draw.pick(0, &able)),
            (Method::RoundRobin, _) => {
                let people = self.left.len();
                let first = self.last.map_or(0, |last| last + 1);
                let next = (0..people).map(|step| (first + step) % people);
                Next::Speaker(
                    next.into_iter()
                        .find(|place| able.contains(place))
                        .unwrap_or(able[0]),
                )
            }
            (Method::Manual(order), _) => {
                for step in 0..order.len() {
                    let at = (self.at + step) % order.len();
                    if able.contains(&order[at]) {
                        self.at = at + 1;
                        return Next::Speaker(order[at]);
                    }
                }
                Next::Speaker(able[0])
            }
        }
    }

    fn able(&self, rules: &FloorRules) -> Vec<usize> {
        let present = |place: &usize| !self.left[*place];
        let allowed = |place: &usize| {
            self.last.is_none_or(|last| {
                (rules.repeats || *place != last)
                    && rules
                        .transitions
                        .get(&last)
                        .is_none_or(|after| after.contains(place))
            })
        };
        let awake = |place: &usize| self.paused[*place] <= self.turn;
        let people = 0..self.left.len();
        let mut able: Vec<usize> = people.clone().filter(present).filter(allowed).collect();
        if able.is_empty() {
            // The only ones who might follow have left.
            able = people
                .filter(present)
                .filter(|place| rules.repeats || Some(*place) != self.last)
                .collect();
        }
        if able.iter().any(awake) {
            able.retain(awake);
        }
        able
    }
}

/// Chooses among names. `scores` are log-probabilities of the names as whole replies given what was said, `priors` the same
/// given that nothing was said: their difference knows neither the length of a name nor what the model thinks of it by
/// itself. Who is spoken to in the last turn comes before all that. `None` when there is no number to go by.
#[must_use]
pub fn choose_speaker(
    scores: &[f32],
    priors: &[f32],
    addressed: &[bool],
    rule: DecisionRule,
    draw: Stream,
) -> Option<usize> {
    let weighed: Vec<f32> = scores
        .iter()
        .zip(priors)
        .zip(addressed)
        .map(|((score, prior), addressed)| {
            let prior = if prior.is_finite() { *prior } else { 0.0 };
            score - prior + if *addressed { ADDRESSED } else { 0.0 }
        })
        .collect();
    super::decision::choose(&weighed, rule, draw)
}

/// Whether a text speaks to someone: the first name set apart by a comma or a sign, or at either end of a sentence that asks.
#[must_use]
pub fn addresses(text: &str, name: &str) -> bool {
    let first = name.split_whitespace().next().unwrap_or_default();
    let mut found = [name, first].into_iter().filter(|name| !name.is_empty());
    found.any(|name| {
        text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            let apart =
                |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '\'' && c != '’');
            if !(apart(before) && apart(after)) {
                return false;
            }
            let head = text[..at].trim_end();
            let opens = head.is_empty() || head.ends_with(['.', '!', '?', '\n', ':', '–', '—']);
            let closes_clause = head.ends_with(',');
            let tail = &text[at + name.len()..];
            let set_apart = tail
                .trim_start()
                .starts_with([',', '?', '!', ':', '–', '—']);
            let asks = sentence_asks(tail);
            (opens && (set_apart || asks))
                || (closes_clause
                    && (tail.trim().is_empty() || tail.starts_with(['.', ',', '?', '!'])))
        })
    })
}

/// Whether the sentence that goes on here is a question.
fn sentence_asks(rest: &str) -> bool {
    rest.find(['.', '!', '?'])
        .is_some_and(|at| rest[at..].starts_with('?'))
}

/// What a turn does beyond saying something, by the sentences that members are told to use; a promise is recognised in
/// English.
#[must_use]
pub fn moves_of(text: &str, signs: &MoveSigns) -> Vec<Move> {
    let sentences: Vec<String> = text
        .split_inclusive(['.', '!', '?', '\n', '…'])
        .map(plain)
        .filter(|sentence| !sentence.is_empty())
        .collect();
    let begins = |sentence: &str, phrase: &str| {
        sentence
            .strip_prefix(phrase)
            .is_some_and(|rest| rest.starts_with(' '))
    };
    let mut moves = Vec::new();
    let any = |signs: &[String], holds: &dyn Fn(&str) -> bool| {
        let signs = signs.iter().map(|sign| plain(sign));
        signs
            .into_iter()
            .any(|sign| !sign.is_empty() && holds(&sign))
    };
    let closes = |sign: &str| {
        let mut all = sentences.iter();
        all.any(|s| s == sign || s.ends_with(&format!(" {sign}")))
    };
    if any(&signs.leave, &closes) {
        moves.push(Move::Leave);
    }
    if any(&signs.pause, &|sign| {
        sentences.iter().any(|s| begins(s, sign))
    }) {
        moves.push(Move::Pause);
    }
    if any(&signs.interrupt, &|sign| {
        sentences.first().is_some_and(|s| s == sign)
    }) {
        moves.push(Move::Interrupt);
    }
    if sentences
        .iter()
        .any(|s| begins(s, "i will") || begins(s, "i'll"))
    {
        moves.push(Move::Promise);
    }
    moves
}

/// Lower case, one space between words, no signs at the ends.
fn plain(sentence: &str) -> String {
    let words: Vec<&str> = sentence
        .split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").to_lowercase().replace('’', "'")
}

/// A reply without the label that scripts put before a speech: `Mara: …`.
#[must_use]
pub fn without_label<'a>(text: &'a str, name: &str) -> &'a str {
    let text = text.trim();
    let first = name.split_whitespace().next().unwrap_or_default();
    for label in [name, first] {
        let Some(rest) = text.strip_prefix(label).filter(|_| !label.is_empty()) else {
            continue;
        };
        if let Some(speech) = rest.trim_start().strip_prefix(':') {
            return speech.trim_start();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(method: Method) -> FloorRules {
        FloorRules {
            method,
            ..FloorRules::default()
        }
    }

    fn order(rules: &FloorRules, people: usize, turns: usize) -> Vec<usize> {
        let mut floor = Floor::new(people);
        (0..turns)
            .map_while(
                |turn| match floor.next(rules, Stream::root(1).at(turn as u64)) {
                    Next::Speaker(speaker) => {
                        floor.took(speaker, "well", &[]);
                        Some(speaker)
                    }
                    Next::Among(_) | Next::Nobody => None,
                },
            )
            .collect()
    }

    #[test]
    fn rounds_go_round_and_orders_are_kept() {
        assert_eq!(order(&rules(Method::RoundRobin), 3, 5), [0, 1, 2, 0, 1]);
        assert_eq!(
            order(&rules(Method::Manual(vec![2, 0, 7, 1])), 3, 6),
            [2, 0, 1, 2, 0, 1]
        );
        let random = order(&rules(Method::Random), 4, 40);
        assert!(random.windows(2).all(|pair| pair[0] != pair[1]));
        assert!((0..4).all(|who| random.contains(&who)));
    }

    #[test]
    fn transitions_bind_and_leaving_is_for_good() {
        let rules = FloorRules {
            transitions: [(0, vec![1]), (1, vec![2]), (2, vec![0])].into(),
            ..rules(Method::Random)
        };
        let all = order(&rules, 3, 9);
        assert!(all.windows(2).all(|pair| (pair[0] + 1) % 3 == pair[1]));
        let mut floor = Floor::new(3);
        floor.took(1, "I have to go now.", &[Move::Leave]);
        for turn in 0..20 {
            match floor.next(&rules, Stream::root(turn)) {
                Next::Speaker(speaker) => {
                    assert_ne!(speaker, 1);
                    floor.took(speaker, "so", &[]);
                }
                other => panic!("{other:?}"),
            }
        }
        floor.took(0, "bye", &[Move::Leave]);
        assert_eq!(floor.next(&rules, Stream::root(0)), Next::Nobody);
    }

    #[test]
    fn pausing_yields_the_floor_and_breaking_in_takes_it() {
        let auto = rules(Method::Auto);
        let draw = Stream::root(3);
        let mut floor = Floor::new(4);
        floor.took(0, "I need a minute.", &[Move::Pause]);
        floor.took(1, "Fine.", &[]);
        assert_eq!(floor.next(&auto, draw), Next::Among(vec![2, 3]));
        floor.took(2, "So.", &[]);
        assert_eq!(floor.next(&auto, draw), Next::Among(vec![0, 1, 3]));
        floor.took(3, "I have a question.", &[Move::Interrupt]);
        assert_eq!(floor.next(&auto, draw), Next::Speaker(3));
        floor.took(3, "Who has the key?", &[]);
        assert_eq!(floor.next(&auto, draw), Next::Among(vec![0, 1, 2]));
        // Two people, one of whom pauses: the other goes on, then anyone.
        let mut two = Floor::new(2);
        two.took(0, "I need a coffee.", &[Move::Pause]);
        assert_eq!(two.next(&auto, draw), Next::Speaker(1));
        two.took(1, "Go on.", &[]);
        assert_eq!(two.next(&auto, draw), Next::Speaker(0));
    }

    #[test]
    fn moves_are_read_from_sentences() {
        use Move::{Interrupt, Leave, Pause, Promise};
        let cases: [(&str, &[Move]); 9] = [
            ("Lovely. I have to go now.", &[Leave]),
            ("My bus is here, I have to leave now!", &[Leave]),
            ("I have to go now and then to the dentist.", &[]),
            ("I need a coffee first. Talk among yourselves.", &[Pause]),
            ("What I need a lot is sleep.", &[]),
            ("I have a question. Who paid?", &[Interrupt]),
            ("Well, I have a question.", &[]),
            ("I’ll bring the ladder.", &[Promise]),
            ("I have something to say: I will pay.", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(moves_of(text, &MoveSigns::default()), expected, "{text}");
        }
        let german = MoveSigns {
            leave: vec!["Ich muss jetzt gehen.".into()],
            pause: vec!["Ich brauche einen".into(), "Ich brauche eine".into()],
            interrupt: vec!["Eine Frage!".into()],
        };
        let cases: [(&str, &[Move]); 6] = [
            ("Schön war's, ich muss jetzt gehen.", &[Leave]),
            ("Ich brauche eine Pause.", &[Pause]),
            ("Ich brauche einen.", &[]),
            ("Eine Frage. Wer zahlt?", &[Interrupt]),
            ("I have to go now. I need a coffee.", &[]),
            ("Gut, eine Frage.", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(moves_of(text, &german), expected, "{text}");
        }
        let none = MoveSigns {
            leave: Vec::new(),
            pause: vec!["...".into()],
            interrupt: Vec::new(),
        };
        assert!(moves_of("I have to go now. I need a coffee.", &none).is_empty());
    }

    #[test]
    fn being_spoken_to_is_noticed() {
        for text in [
            "Mara, what do you think?",
            "And you paid for it. Mara?",
            "I never said that, Mara.",
            "Tell us, Mara, who had the key?",
            "Mara do you remember this?",
        ] {
            assert!(addresses(text, "Mara Lind"), "{text}");
        }
        for text in [
            "Mara has the key.",
            "It was Mara's idea, not mine.",
            "Ask Maralene, she knows?",
            "I gave it to Mara and left.",
        ] {
            assert!(!addresses(text, "Mara Lind"), "{text}");
        }
    }

    #[test]
    fn what_was_said_counts_and_not_the_name() {
        let draw = Stream::root(5);
        let rule = DecisionRule::Likeliest;
        // The long name is unlikely by itself, and likelier than by itself here.
        let (scores, priors) = ([-1.0, -9.0, -2.0], [-0.5, -12.0, -1.5]);
        let no = [false; 3];
        assert_eq!(choose_speaker(&scores, &priors, &no, rule, draw), Some(1));
        let second = [false, false, true];
        assert_eq!(
            choose_speaker(&scores, &priors, &second, rule, draw),
            Some(2)
        );
        assert_eq!(
            choose_speaker(&[f32::NAN; 2], &[0.0; 2], &no[..2], rule, draw),
            None
        );
    }

    #[test]
    fn labels_are_taken_off() {
        assert_eq!(without_label(" Mara: No.", "Mara Lind"), "No.");
        assert_eq!(without_label("Mara Lind : No.", "Mara Lind"), "No.");
        assert_eq!(
            without_label("Mara said: no.", "Mara Lind"),
            "Mara said: no."
        );
    }
}
