use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Perspective, SystemRule, TrainOn};
use crate::record::{
    Cause, Conversation, Cooperation, EndReason, FirstLanguage, Outcome, Page, Provenance, Role,
    Style, Support, Tone, Turn,
};

/// What is asked of the `messages` format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRules {
    pub perspective: Perspective,
    /// Say of each sentence of an agent what backs it, from these pages by id.
    pub links: Option<BTreeMap<String, Page>>,
    /// What stands before the first message.
    pub system: SystemRule,
    /// Say of each message whether it is to be learned.
    pub train: Option<TrainOn>,
}

/// A row of the `messages` format. Field order is column order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRow<'a> {
    pub id: &'a str,
    pub messages: Vec<Message<'a>>,
    pub outcome: Option<Outcome>,
    pub end_reason: EndReason,
    pub tone: Tone,
    pub style: Style,
    /// Of a customer who writes in the style `non_native`.
    pub first_language: Option<FirstLanguage>,
    pub cooperation: Cooperation,
    /// The planned one, of conversations that came out as planned: `UNRESOLVED`.
    pub cause: Option<Cause>,
    pub product: Option<&'a str>,
    pub page: &'a str,
    pub query_id: &'a str,
    pub query: &'a str,
    pub model: &'a str,
    pub seed: u64,
    pub demo: bool,
    pub provenance: &'a Provenance,
}

/// A turn, or turns of one side: the customer is the `user`, the agent the `assistant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message<'a> {
    pub role: &'static str,
    pub content: Cow<'a, str>,
    /// Whether it is to be learned, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
    /// One for each sentence of an agent's message, where links are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<MessageLink<'a>>>,
}

/// What backs a sentence of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageLink<'a> {
    /// Characters of the content (Unicode scalar values).
    pub start: usize,
    pub end: usize,
    /// `supported`, `unsupported` or `no_claim`.
    pub support: &'static str,
    /// Index of the page's paragraph that says so.
    pub paragraph: Option<usize>,
    /// The words there; none when the page is gone.
    pub source: Option<&'a str>,
    /// What is wrong, for people.
    pub why: Option<String>,
}

impl<'a> Message<'a> {
    pub(super) fn new(role: &'static str, content: Cow<'a, str>) -> Self {
        Self {
            role,
            content,
            train: None,
            links: None,
        }
    }
}

impl<'a> MessageLink<'a> {
    fn of(turn: &'a Turn, page: Option<&'a Page>) -> Vec<Self> {
        let characters = |to: usize| turn.text.get(..to).map_or(0, |text| text.chars().count());
        turn.links
            .iter()
            .map(|link| {
                let mut row = Self {
                    start: characters(link.sentence.start),
                    end: characters(link.sentence.end),
                    support: link.verdict.name(),
                    paragraph: None,
                    source: None,
                    why: None,
                };
                match &link.verdict {
                    Support::NoClaim => {}
                    Support::Unsupported { why } => row.why = Some(why.to_string()),
                    Support::Supported { paragraph, span } => {
                        row.paragraph = Some(*paragraph);
                        row.source = page
                            .and_then(|page| page.paragraphs.get(*paragraph))
                            .and_then(|paragraph| paragraph.text.get(span.clone()));
                    }
                }
                row
            })
            .collect()
    }
}

impl<'a> MessageRow<'a> {
    /// The row of a conversation.
    #[must_use]
    pub fn new(
        conversation: &'a Conversation,
        provenance: &'a Provenance,
        rules: &'a MessageRules,
    ) -> Self {
        let role = |role| match role {
            Role::Customer => "user",
            Role::Agent => "assistant",
        };
        let cell = &conversation.cell;
        let system = rules.system.of_agent(conversation);
        let turns = conversation.turns.iter().map(|turn| Message {
            links: rules
                .links
                .as_ref()
                .map(|pages| MessageLink::of(turn, pages.get(&cell.page))),
            ..Message::new(role(turn.speaker), turn.text.as_str().into())
        });
        let system = system.map(|text| Message::new("system", text.into()));
        let mut messages: Vec<Message> = system.into_iter().chain(turns).collect();
        if let Some(train) = rules.train {
            train.mark(
                &mut messages,
                conversation.end_reason == EndReason::GuardCut,
            );
        }
        Self {
            id: &conversation.id,
            messages,
            outcome: conversation.outcome,
            end_reason: conversation.end_reason,
            tone: cell.tone,
            style: cell.style,
            first_language: cell.first_language,
            cooperation: cell.cooperation,
            cause: cell.cause_of(conversation.outcome),
            product: cell.product.as_deref(),
            page: &cell.page,
            query_id: &conversation.query_id,
            query: &conversation.query,
            model: &provenance.model,
            seed: provenance.seed,
            demo: provenance.demo,
            provenance,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    pub use crate::record::examples::conversation;
    use std::io;
    use std::path::Path;

    use crate::export::{ExportError, Shape, to_file, to_writer};
    use crate::record::{Dialogue, Link, ModelMark, ModelRole, Paragraph, Why};

    pub fn provenance() -> Provenance {
        Provenance {
            program: "colloquy 0.1.0".into(),
            recipe: "support".into(),
            stage: "0123".into(),
            model: "demo".into(),
            model_hash: "cafe".into(),
            profile: "f32".into(),
            seed: 7,
            demo: true,
            models: BTreeMap::new(),
        }
    }

    #[test]
    fn a_row_names_all_its_models() {
        let mark = |model: &str| ModelMark {
            model: model.into(),
            model_hash: "f00d".into(),
            profile: "int8".into(),
        };
        let provenance = Provenance {
            models: [
                (ModelRole::Customer, mark("small")),
                (ModelRole::Agent, mark("demo")),
            ]
            .into(),
            ..provenance()
        };
        let conversation = conversation();
        let rules = MessageRules::default();
        let row =
            serde_json::to_value(MessageRow::new(&conversation, &provenance, &rules)).unwrap();
        assert_eq!(row["model"], "demo");
        let models = &row["provenance"]["models"];
        assert_eq!(models["customer"]["model"], "small");
        assert_eq!(models["agent"]["profile"], "int8");
    }

    #[test]
    fn links_are_asked_for_and_count_characters() {
        let page = Page {
            id: "returns".into(),
            title: "Returns".into(),
            paragraphs: vec![Paragraph {
                heading: String::new(),
                text: "Please note: pick-up costs £9.".into(),
            }],
        };
        let mut conversation = conversation();
        let turn = &mut conversation.turns[1];
        turn.text = "It’s £9. It is free!".into();
        turn.links = vec![
            Link {
                sentence: 0..11,
                verdict: Support::Supported {
                    paragraph: 0,
                    span: 13..31,
                },
            },
            Link {
                sentence: 12..23,
                verdict: Support::Unsupported {
                    why: Why::Number("free".into()),
                },
            },
        ];
        let provenance = provenance();
        let row = |links| {
            let rules = MessageRules {
                links,
                ..MessageRules::default()
            };
            let row = MessageRow::new(&conversation, &provenance, &rules);
            serde_json::to_value(row).unwrap()["messages"].clone()
        };
        assert!(row(None)[1].get("links").is_none());
        let links = row(Some([("returns".to_owned(), page)].into()));
        assert_eq!(links[0]["links"], serde_json::json!([]));
        assert_eq!(
            links[1]["links"],
            serde_json::json!([
                { "start": 0, "end": 8, "support": "supported", "paragraph": 0, "source": "pick-up costs £9.", "why": null },
                { "start": 9, "end": 20, "support": "unsupported", "paragraph": null, "source": null,
                  "why": "`free` is not what the page gives for this" },
            ])
        );
        let gone = row(Some(BTreeMap::new()));
        assert!(gone[1]["links"][0]["source"].is_null() && gone[1]["links"][0]["paragraph"] == 0);
    }

    #[test]
    fn a_row_is_exactly_this() {
        let mut bytes = Vec::new();
        let rows = to_writer::<_, io::Error>(
            [Ok(Dialogue::Support(conversation()))],
            &Shape::default(),
            &provenance(),
            Path::new("x"),
            &mut bytes,
        )
        .unwrap();
        let expected = concat!(
            r#"{"id":"c/3/1","messages":[{"role":"user","content":"why \"£19\"\n?"},{"role":"assistant","content":"It is heavy."}],"#,
            r#""outcome":null,"end_reason":"max_turns","tone":"annoyed","style":"typos","first_language":null,"cooperation":"forthcoming","cause":null,"product":"washing machine","page":"returns","#,
            r#""query_id":"returns/2","query":"Why?","model":"demo","seed":7,"demo":true,"#,
            r#""provenance":{"program":"colloquy 0.1.0","recipe":"support","stage":"0123","model":"demo","model_hash":"cafe","profile":"f32","seed":7,"demo":true}}"#,
            "\n"
        );
        assert_eq!(
            (rows, String::from_utf8(bytes).unwrap().as_str()),
            (1, expected)
        );
    }

    #[test]
    fn a_record_that_cannot_be_read_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages.jsonl");
        assert_eq!(
            to_file::<_, io::Error>(
                [Ok(Dialogue::Support(conversation()))],
                &Shape::default(),
                &provenance(),
                &path
            )
            .unwrap(),
            1
        );
        let before = std::fs::read(&path).unwrap();
        let failed = to_file(
            [
                Ok(Dialogue::Support(conversation())),
                Err(io::Error::other("gone")),
            ],
            &Shape::default(),
            &provenance(),
            &path,
        )
        .unwrap_err();
        assert!(matches!(&failed, ExportError::Records(error) if error.to_string() == "gone"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let failed = to_file::<_, io::Error>(
            [Ok(Dialogue::Support(conversation()))],
            &Shape::default(),
            &provenance(),
            &dir.path().join("no/such.jsonl"),
        )
        .unwrap_err();
        assert!(failed.to_string().starts_with("cannot write "), "{failed}");
    }
}
