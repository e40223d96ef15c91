//! What rules do in a recipe's language.

use crate::augment;
use crate::knowledge::grounding;
use crate::record::{Kind, MoveSigns};
use crate::settings::{FirstMessage, RunSpec};

/// Which settings of a recipe ask for rules that do not know its language, and what becomes of them.
pub fn unread(spec: &RunSpec) -> Vec<String> {
    let language = &spec.language;
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(format!("language = \"{language}\": {text}"));
    let support = spec.has(Kind::Support);
    if support && !grounding::knows(language) && spec.conversation.check_facts {
        note(
            "conversation.check_facts does nothing: what the agent states is compared with the page in English only",
        );
    }
    if !augment::knows(language) {
        if support && spec.conversation.is_steered() {
            note(
                "conversation.thank and conversation.ask are asked for and not checked well: thanks are recognised in English only, so many replies are made a second time in vain",
            );
        }
        let styles = spec
            .customer
            .style
            .values()
            .any(|style| style.name() == "typos");
        if support && styles && spec.customer.typos_per_turn > 0 {
            note("typing mistakes are those of an English keyboard and of English sounds");
        }
        if support && spec.customer.first_message == FirstMessage::Query {
            note(
                "rewrites of questions (customer.first_message = \"query\") are proved by rules for English: they refuse much, or nothing",
            );
        }
        if support || spec.has(Kind::Group) {
            note(
                "guards against meta talk, thanks without end and openings told again look for English phrases; the others hold",
            );
        }
        if spec.has(Kind::Group) {
            let english = MoveSigns::default();
            let group = &spec.group;
            let same: Vec<&str> = [
                ("group.leave", group.leave == english.leave),
                ("group.pause", group.pause == english.pause),
                ("group.interrupt", group.interrupt == english.interrupt),
            ]
            .into_iter()
            .filter_map(|(key, same)| same.then_some(key))
            .collect();
            if !same.is_empty() {
                note(&format!(
                    "members are told to say the English sentences of {}; give those of your language, as group.leave = [\"Ich muss jetzt gehen.\"]",
                    same.join(", ")
                ));
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{EMBEDDED, Environment, Overrides, RecipeText, resolve};

    fn notes(recipe: &str, set: &[&str]) -> Vec<String> {
        let embedded = EMBEDDED.iter().find(|one| one.name == recipe).unwrap();
        let overrides = Overrides {
            model: vec!["scripted".into()],
            set: set.iter().map(|text| (*text).to_owned()).collect(),
            ..Overrides::default()
        };
        let environment = Environment::from_lookup(|_| None);
        let settings = resolve(&RecipeText::embedded(embedded), &overrides, &environment).unwrap();
        unread(&settings.spec)
    }

    #[test]
    fn english_is_read_and_other_languages_are_told_of() {
        assert!(notes("mixed", &["conversation.thank=0.3"]).is_empty());
        assert!(notes("support", &["language=en-GB"]).is_empty());
        let german = notes("support", &["language=de", "conversation.thank=0.3"]).join("\n");
        for told in [
            "check_facts",
            "conversation.thank",
            "guards",
            "typing mistakes",
        ] {
            assert!(german.contains(told), "{told}: {german}");
        }
        assert!(!german.contains("group.leave"), "{german}");
        let quiet = notes(
            "support",
            &["language=de", "conversation.check_facts=false"],
        )
        .join("\n");
        assert!(!quiet.contains("check_facts"), "{quiet}");
        let group = notes("groupchat-generated", &["language=de"]).join("\n");
        assert!(
            group.contains("group.leave, group.pause, group.interrupt"),
            "{group}"
        );
        assert!(!group.contains("check_facts"), "{group}");
        let own = notes(
            "groupchat-generated",
            &[
                "language=de",
                "group.leave=['Ich muss los.']",
                "group.pause=[]",
            ],
        )
        .join("\n");
        assert!(own.contains("sentences of group.interrupt;"), "{own}");
    }
}
