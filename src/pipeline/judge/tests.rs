use crate::prompt::JUDGED;
use crate::record::{Aspect, Kind};

#[test]
fn templates_know_every_aspect() {
    let mut names: Vec<&str> = Aspect::ALL.iter().map(|aspect| aspect.name()).collect();
    assert_eq!(names.len(), JUDGED.len());
    names.sort_unstable();
    let mut judged = JUDGED.to_vec();
    judged.sort_unstable();
    assert_eq!(names, judged);
    for aspect in Aspect::ALL {
        assert_eq!(Aspect::named(aspect.name()), Some(*aspect));
        assert!(Kind::ALL.iter().any(|kind| aspect.is_of(*kind)));
    }
}

mod group {
    use super::super::questions::Question;
    use super::super::*;
    use crate::record::{
        Aspect, Dialogue, EndReason, Experience, GroupChat, Individual, Remark, Verdict,
    };

    fn subject(id: &str, names: [&str; 2], topic: &str, style: &str, lines: &[&str]) -> Subject {
        let person = |name: &str| Individual {
            name: name.into(),
            speech_style: Some(style.into()),
            memory: Some(format!("{name} once lost a kite.")),
            ..Individual::default()
        };
        let turn = |(place, text): (usize, &&str)| Remark {
            speaker: place % 2,
            text: (*text).into(),
            tokens: Vec::new(),
            moves: Vec::new(),
            rejected: Vec::new(),
        };
        let chat = GroupChat {
            id: id.into(),
            slot: 0,
            attempt: 0,
            experience: Experience {
                participants: names.map(person).into(),
                relations: format!("{} taught {} to sail.", names[0], names[1]),
                topic: topic.into(),
                ..Experience::default()
            },
            planned_turns: lines.len(),
            turns: lines.iter().enumerate().map(turn).collect(),
            end_reason: EndReason::MaxTurns,
            verdict: Verdict::Keep,
        };
        Subject {
            dialogue: Dialogue::Group(chat),
            page: None,
        }
    }

    fn two() -> [Subject; 2] {
        [
            subject(
                "c/0/0",
                ["Ana Bo", "Cy"],
                "boats",
                "slow",
                &["a", "b", "c", "d"],
            ),
            subject("c/1/0", ["Dee", "Eve"], "bread", "fast", &["p", "q", "r"]),
        ]
    }

    fn matters(questions: &[Question]) -> Vec<&str> {
        questions.iter().map(|one| one.matter.as_str()).collect()
    }

    #[test]
    fn controls_ask_the_same_of_what_another_was_made_from_under_the_own_names() {
        let [own, other] = two();
        let topic = |from| own.questions(Aspect::Topic, from);
        assert_eq!(matters(&topic(&own)), ["boats"]);
        assert_eq!(matters(&topic(&other)), ["bread"]);
        let style = own.questions(Aspect::SpeechStyle, &other);
        assert_eq!(matters(&style), ["Ana Bo: fast\nCy: fast"]);
        let memory = own.questions(Aspect::Memory, &other);
        assert_eq!(
            matters(&memory),
            ["Ana Bo: Ana Bo once lost a kite.\nCy: Cy once lost a kite."]
        );
        let relations = own.questions(Aspect::Relations, &other);
        assert_eq!(matters(&relations), ["Ana Bo taught Cy to sail."]);
        // Nothing is known of their ages.
        assert!(own.questions(Aspect::Age, &own).is_empty());
        assert!(own.questions(Aspect::Tone, &own).is_empty());
    }

    #[test]
    fn lines_are_held_against_persons_and_their_earlier_lines() {
        let [own, other] = two();
        let persona = own.questions(Aspect::Persona, &own);
        assert_eq!(persona.len(), 4);
        assert!(persona[1].matter.contains("slow") && persona[1].matter.contains("Cy once"));
        let lines = |from| {
            let asked = own.questions(Aspect::Consistency, from);
            let told = asked.iter().map(|one| {
                let line = one.line.as_ref().unwrap();
                (line.turn, line.text.clone(), one.matter.clone())
            });
            told.collect::<Vec<_>>()
        };
        let line = |turn, text: &str, matter: &str| (turn, text.to_owned(), matter.to_owned());
        assert_eq!(lines(&own), [line(2, "c", "a"), line(3, "d", "b")]);
        assert_eq!(lines(&other), [line(2, "c", "p"), line(3, "d", "q")]);
    }

    #[test]
    fn what_is_judged_by_itself_is_mixed_for_its_control() {
        let [own, other] = two();
        let mixed = own.mixed_with(&other);
        let texts: Vec<&str> = mixed.iter().map(|(_, text)| *text).collect();
        assert_eq!(texts, ["a", "q", "c", "p"]);
        assert_eq!(mixed[1].0, "Cy");
        assert!(own.mixed_with(&own).is_empty());
    }
}
