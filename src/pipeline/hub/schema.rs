//! What an experience must be before anyone asks whether it is new.

use super::HubRules;
use crate::record::{Experience, Individual};

/// How far into a starter a label may stand.
const LABEL_LETTERS: usize = 40;
const MAX_AGE: u32 = 120;

/// Whether an experience has the form; else what it lacks, for people.
pub(super) fn check(experience: &Experience, rules: &HubRules) -> Result<(), String> {
    let participants = &experience.participants;
    if !(rules.min_participants..=rules.max_participants).contains(&participants.len()) {
        return Err(format!(
            "{} participants, {} to {} expected",
            participants.len(),
            rules.min_participants,
            rules.max_participants
        ));
    }
    for (at, individual) in participants.iter().enumerate() {
        let lacking = |what: &str| Err(format!("participant {}: {what}", at + 1));
        if is_blank(&individual.name) {
            return lacking("no name");
        }
        if experience.place_of(&individual.name) != Some(at) {
            return lacking(&format!("another is called `{}` too", individual.name));
        }
        if let Some(field) = blank_field(individual) {
            return lacking(&format!("{field} is empty"));
        }
        if individual.age.is_some_and(|age| age == 0 || age > MAX_AGE) {
            return lacking(&format!("an age outside 1 to {MAX_AGE}"));
        }
        if !is_described(individual) {
            return lacking("nothing but a name");
        }
    }
    let fields = [
        ("relations", &experience.relations),
        ("situation", &experience.situation),
        ("topic", &experience.topic),
        ("starter", &experience.starter),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, text)| is_blank(text)) {
        return Err(format!("{field} is empty"));
    }
    match misspoken(experience) {
        Some(what) => Err(format!("the starter is not what somebody says: {what}")),
        None => Ok(()),
    }
}

fn is_blank(text: &str) -> bool {
    !text.contains(char::is_alphanumeric)
}

/// The first field that is there and says nothing.
fn blank_field(individual: &Individual) -> Option<&'static str> {
    let blank = |text: &Option<String>| text.as_deref().is_some_and(is_blank);
    let fields = [
        ("nationality", blank(&individual.nationality)),
        (
            "qualities",
            individual.qualities.iter().any(|q| is_blank(q)),
        ),
        ("speech style", blank(&individual.speech_style)),
        ("work", blank(&individual.work)),
        ("hobbies", individual.hobbies.iter().any(|h| is_blank(h))),
        ("memory", blank(&individual.memory)),
        ("persona", blank(&individual.persona)),
    ];
    fields
        .iter()
        .find(|(_, blank)| *blank)
        .map(|(name, _)| *name)
}

fn is_described(individual: &Individual) -> bool {
    let Individual {
        name: _,
        nationality,
        age,
        qualities,
        speech_style,
        work,
        hobbies,
        memory,
        persona,
    } = individual;
    let texts = [nationality, speech_style, work, memory, persona];
    texts.iter().any(|text| text.is_some())
        || age.is_some()
        || !qualities.is_empty()
        || !hobbies.is_empty()
}

/// How a narrator begins who reports a conversation instead of speaking in it. Lower case, matched at the start, by word.
const NARRATED: &[&str] = &[
    "a conversation",
    "a debate",
    "a discussion",
    "all of them",
    "as the group",
    "as they",
    "discuss how",
    "discuss the",
    "discuss what",
    "discuss whether",
    "everyone begins",
    "everyone is",
    "one of them",
    "one of the participants",
    "participant",
    "speaker",
    "the conversation",
    "the debate",
    "the dialogue",
    "the discussion",
    "the friends",
    "the group",
    "the participants",
    "the scene",
    "the speaker",
    "the three of them",
    "the two of them",
    "they are",
    "they begin",
    "they discuss",
    "they start",
    "they talk",
];

/// Verbs by which speech is reported.
const REPORTED: &[&str] = &[
    "adds",
    "announced",
    "announces",
    "asked",
    "asks",
    "began",
    "begins",
    "breaks",
    "explains",
    "jokes",
    "laughs",
    "looks",
    "mutters",
    "opens",
    "remarks",
    "replies",
    "said",
    "says",
    "shouts",
    "sighs",
    "smiles",
    "starts",
    "turns",
    "whispers",
    "wonders",
];

/// Why a starter is not what the first participant says aloud: a label, a stage direction, or somebody who tells of it. The
/// labels and brackets are seen in every language, the narrator in English alone.
fn misspoken(experience: &Experience) -> Option<String> {
    let starter = experience.starter.trim();
    if starter.starts_with(['*', '(', '[', '<', '#']) {
        return Some("it begins with a stage direction".to_owned());
    }
    let bare = starter.trim_start_matches(['"', '“', '„', '«', '»', '\'', '‘', ' ']);
    if let Some(name) = experience
        .participants
        .iter()
        .flat_map(|p| [p.name.trim(), p.first_name()])
        .find(|name| {
            after_words(bare, name).is_some_and(|rest| rest.trim_start().starts_with([':', '：']))
        })
    {
        return Some(format!("it is labelled `{name}:`"));
    }
    let label = bare
        .chars()
        .take(LABEL_LETTERS)
        .collect::<String>()
        .to_lowercase();
    if [
        "starter:",
        "conversation starter:",
        "opening line:",
        "opening:",
        "speaker:",
        "narrator:",
    ]
    .iter()
    .any(|mark| label.starts_with(mark))
    {
        return Some("it begins with a label".to_owned());
    }
    if let Some(phrase) = NARRATED
        .iter()
        .find(|phrase| after_words(bare, phrase).is_some_and(|rest| !rest.starts_with(',')))
        && !bare.ends_with('?')
    {
        return Some(format!("a narrator begins with `{phrase}`"));
    }
    reported_by(experience, starter, bare)
}

/// `Mara looks up and asks …` by Mara herself, or `"…," says Mara`.
fn reported_by(experience: &Experience, starter: &str, bare: &str) -> Option<String> {
    let speaker = experience.participants.first()?;
    for name in [speaker.name.trim(), speaker.first_name()] {
        let verb = after_words(bare, name)
            .and_then(|rest| rest.split_whitespace().next())
            .map(|verb| verb.trim_end_matches([',', ':']).to_lowercase());
        if verb.is_some_and(|verb| REPORTED.contains(&verb.as_str())) {
            return Some(format!("`{name}` is told of"));
        }
    }
    let quote = starter.rfind(['"', '”', '“', '»', '«'])?;
    let after = &starter[quote..];
    let outside: Vec<String> = after
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let tells = |at: usize| {
        outside
            .get(at)
            .is_some_and(|w| REPORTED.contains(&w.as_str()))
    };
    let somebody = outside.first().is_some_and(|word| {
        ["he", "she", "they"].contains(&word.as_str()) || experience.place_of(word).is_some()
    });
    let reported = tells(0) || (somebody && tells(1));
    (reported && starter.starts_with(['"', '“', '«', '»']))
        .then(|| format!("it is reported: `{}`", outside.join(" ")))
}

/// What follows `phrase` at the start of a text, letter case aside, when the phrase ends there as a word.
fn after_words<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in phrase.chars().flat_map(char::to_lowercase) {
        if rest.next()?.to_lowercase().next()? != expected {
            return None;
        }
    }
    let rest = rest.as_str();
    (!phrase.is_empty() && !rest.starts_with(char::is_alphanumeric)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::tests::experience;
    use super::*;

    fn verdict(change: impl FnOnce(&mut Experience)) -> String {
        let mut experience = experience("e/0", "the ferry is late again");
        change(&mut experience);
        check(&experience, &HubRules::default())
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn what_lacks_a_part_is_named() {
        assert_eq!(verdict(|_| ()), "");
        for (change, expected) in [
            (
                (|e| e.participants.truncate(1)) as fn(&mut Experience),
                "1 participants, 2 to 8 expected",
            ),
            (
                |e| e.participants[1].name = " - ".into(),
                "participant 2: no name",
            ),
            (
                |e| e.participants[1].name = "mara ".into(),
                "participant 2: another is called `mara ` too",
            ),
            (
                |e| e.participants[0].qualities.push("…".into()),
                "participant 1: qualities is empty",
            ),
            (
                |e| e.participants[0].memory = Some(String::new()),
                "participant 1: memory is empty",
            ),
            (
                |e| e.participants[0].age = Some(0),
                "participant 1: an age outside 1 to 120",
            ),
            (
                |e| {
                    e.participants[0] = Individual {
                        name: "Mara".into(),
                        ..Individual::default()
                    }
                },
                "participant 1: nothing but a name",
            ),
            (|e| e.relations = " .".into(), "relations is empty"),
            (|e| e.situation.clear(), "situation is empty"),
            (|e| e.topic.clear(), "topic is empty"),
            (|e| e.starter = "?!".into(), "starter is empty"),
        ] {
            assert_eq!(verdict(change), expected);
        }
    }

    #[test]
    fn a_starter_is_said_by_somebody() {
        for said in [
            "Well, what now?",
            "Jon, you said it would float.",
            "Jon says you are selling the boat.",
            "Mara is my name, by the way.",
            "The conversation we had last week, can we finish it?",
            "They are late, aren't they?",
            "\"Closed until May\", it says on the door, and nobody told us.",
            "Look: it floats.",
            "I heard them shout \"fire\" and I ran.",
            "The group ticket, who has it?",
        ] {
            assert_eq!(verdict(|e| e.starter = said.into()), "", "{said}");
        }
        for told in [
            "Mara: Well, what now?",
            "\"Jon: What?\"",
            "JON : what now?",
            "Starter: Well?",
            "(sighing) Well?",
            "*looks up* Well?",
            "[Mara] Well?",
            "Mara looks up and asks what now.",
            "Mara asks, \"What now?\"",
            "\"What now?\" asks Mara.",
            "“What now?” she said.",
            "The group discusses the ferry.",
            "The conversation begins when the ferry is late.",
            "They discuss the ferry.",
            "Participant 1 asks about the ferry.",
            "A discussion about ferries.",
        ] {
            assert!(
                verdict(|e| e.starter = told.into()).starts_with("the starter is not"),
                "{told}"
            );
        }
    }
}
