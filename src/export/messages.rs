use serde::Serialize;

use crate::record::{
    Cause, Conversation, Cooperation, EndReason, Outcome, Provenance, Role, Style, Tone,
};

/// A row of the `messages` format. Field order is column order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRow<'a> {
    pub id: &'a str,
    pub messages: Vec<Message<'a>>,
    pub outcome: Option<Outcome>,
    pub end_reason: EndReason,
    pub tone: Tone,
    pub style: Style,
    pub cooperation: Cooperation,
    /// The planned one, of conversations that came out as planned: `UNRESOLVED`.
    pub cause: Option<Cause>,
    pub product: &'a str,
    pub page: &'a str,
    pub query_id: &'a str,
    pub query: &'a str,
    pub model: &'a str,
    pub seed: u64,
    pub demo: bool,
    pub provenance: &'a Provenance,
}

/// A turn: the customer is the `user`, the agent the `assistant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message<'a> {
    pub role: &'static str,
    pub content: &'a str,
}

impl<'a> MessageRow<'a> {
    /// The row of a conversation.
    #[must_use]
    pub fn new(conversation: &'a Conversation, provenance: &'a Provenance) -> Self {
        let role = |role| match role {
            Role::Customer => "user",
            Role::Agent => "assistant",
        };
        let cell = &conversation.cell;
        Self {
            id: &conversation.id,
            messages: conversation
                .turns
                .iter()
                .map(|turn| Message {
                    role: role(turn.speaker),
                    content: &turn.text,
                })
                .collect(),
            outcome: conversation.outcome,
            end_reason: conversation.end_reason,
            tone: cell.tone,
            style: cell.style,
            cooperation: cell.cooperation,
            cause: cell.cause_of(conversation.outcome),
            product: &cell.product,
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
    use std::collections::BTreeMap;
    use std::io;
    use std::path::Path;

    use crate::export::{ExportError, Shape, to_file, to_writer};
    use crate::record::{Case, Cell, Dialogue, ModelMark, ModelRole, Turn, Verdict};

    pub fn conversation() -> Conversation {
        let turn = |speaker, text: &str| Turn {
            speaker,
            text: text.into(),
            tokens: vec![1],
            edits: 0,
            rejected: Vec::new(),
        };
        Conversation {
            id: "c/3/1".into(),
            slot: 3,
            attempt: 1,
            cell: Cell {
                page: "returns".into(),
                tone: Tone::Annoyed,
                style: Style::Typos,
                product: "washing machine".into(),
                outcome: Outcome::Resolved,
                cooperation: crate::record::Cooperation::Forthcoming,
                cause: None,
            },
            case: Case {
                name: "Ada".into(),
                item: "washing machine".into(),
                order_id: "LK-48213".into(),
                order_date: "3 May".into(),
                price: "£239".into(),
            },
            query_id: "returns/2".into(),
            query: "Why?".into(),
            rewrites: Vec::new(),
            passages: vec![0],
            turns: vec![
                turn(Role::Customer, "why \"£19\"\n?"),
                turn(Role::Agent, "It is heavy."),
            ],
            outcome: None,
            end_reason: EndReason::MaxTurns,
            verdict: Verdict::Keep,
        }
    }

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
        let row = serde_json::to_value(MessageRow::new(&conversation, &provenance)).unwrap();
        assert_eq!(row["model"], "demo");
        let models = &row["provenance"]["models"];
        assert_eq!(models["customer"]["model"], "small");
        assert_eq!(models["agent"]["profile"], "int8");
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
            r#""outcome":null,"end_reason":"max_turns","tone":"annoyed","style":"typos","cooperation":"forthcoming","cause":null,"product":"washing machine","page":"returns","#,
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
