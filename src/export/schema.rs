use super::{Format, Row, Shape};
use crate::record::{ModelRole, Verdict};

/// A column of a format: what Parquet declares, what a card names, and what JSON lines hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Type,
}

/// What a column holds. Every value may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Flag,
    /// A count.
    Whole,
    /// 64 bits, all of them.
    Seed,
    List(Box<Self>),
    Struct(Vec<Column>),
}

/// What an export has beside the columns of its format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column, or a group of them, by itself"
)]
pub struct Contents {
    /// Which kinds of conversations.
    pub support: bool,
    pub group: bool,
    /// Rows say which run they are of.
    pub runs: bool,
    /// Rows say which split they are in.
    pub split: bool,
    /// Rows say whether they were kept, and why not.
    pub verdicts: bool,
}

fn text(name: &'static str) -> Column {
    Column {
        name,
        kind: Type::Text,
    }
}

fn texts(name: &'static str) -> Column {
    Column {
        name,
        kind: Type::List(Box::new(Type::Text)),
    }
}

fn flag(name: &'static str) -> Column {
    Column {
        name,
        kind: Type::Flag,
    }
}

fn whole(name: &'static str) -> Column {
    Column {
        name,
        kind: Type::Whole,
    }
}

fn group_of(name: &'static str, columns: Vec<Column>) -> Column {
    Column {
        name,
        kind: Type::Struct(columns),
    }
}

fn list_of(name: &'static str, columns: Vec<Column>) -> Column {
    Column {
        name,
        kind: Type::List(Box::new(Type::Struct(columns))),
    }
}

/// The columns of an export. None for ConvoGen's shape: its `speakerMap` has a key for every name.
#[must_use]
pub fn columns(shape: &Shape, contents: Contents) -> Option<Vec<Column>> {
    let message = || vec![text("role"), text("content")];
    let mut columns = match shape {
        Shape::Messages(rules) => {
            let mut message = message();
            message.extend(rules.train.map(|_| flag("train")));
            message.extend(rules.links.as_ref().map(|_| links()));
            let mut columns = vec![text("id"), list_of("messages", message)];
            columns.extend(flat(contents));
            columns
        }
        Shape::ShareGpt(rules) => {
            let mut turn = vec![text("from"), text("value")];
            turn.extend(rules.train.map(|_| flag("train")));
            let mut columns = vec![text("id"), list_of("conversations", turn)];
            if rules.system.depth != super::SystemDepth::None {
                columns.push(text("system"));
            }
            columns.extend(flat(contents));
            columns
        }
        Shape::Preference(_) => {
            let mut columns = vec![
                text("id"),
                list_of("prompt", message()),
                list_of("chosen", message()),
                list_of("rejected", message()),
                group_of("chosen_message", message()),
                group_of("rejected_message", message()),
                text("guard"),
                text("detail"),
                text("side"),
                whole("turn"),
            ];
            columns.extend(flat(contents));
            columns
        }
        Shape::Asynth(_) => {
            let turn = vec![text("content"), text("role"), text("name")];
            vec![
                text("title"),
                text("tone"),
                text("style"),
                list_of("conversation", turn),
                whole("length"),
                text("status"),
                text("error"),
                flag("demo"),
            ]
        }
        Shape::Experiences => return Some(experience()),
        Shape::Convogen { .. } => return None,
    };
    if contents.verdicts {
        columns.extend([text("verdict"), text("reason"), text("verdict_detail")]);
    }
    if contents.runs {
        columns.push(text("run"));
    }
    if contents.split && !is_of_others(shape.format()) {
        columns.push(text("split"));
    }
    Some(columns)
}

/// What every row says of its conversation.
fn flat(contents: Contents) -> Vec<Column> {
    let mut columns = Vec::new();
    if contents.support {
        columns.push(text("outcome"));
    }
    if contents.group {
        columns.extend([
            text("perspective"),
            texts("participants"),
            text("topic"),
            text("situation"),
            text("relations"),
        ]);
    }
    columns.push(text("end_reason"));
    if contents.support {
        columns.extend(
            [
                "tone",
                "style",
                "first_language",
                "cooperation",
                "cause",
                "product",
                "page",
                "query_id",
                "query",
            ]
            .map(text),
        );
    }
    if contents.group {
        columns.push(text("experience"));
    }
    columns.push(text("model"));
    columns.push(Column {
        name: "seed",
        kind: Type::Seed,
    });
    columns.push(flag("demo"));
    columns.push(provenance());
    columns
}

fn links() -> Column {
    list_of(
        "links",
        vec![
            whole("start"),
            whole("end"),
            text("support"),
            whole("paragraph"),
            text("source"),
            text("why"),
        ],
    )
}

fn provenance() -> Column {
    let mark = || vec![text("model"), text("model_hash"), text("profile")];
    let models = ModelRole::ALL.iter();
    let models = models.map(|role| group_of(role.name(), mark())).collect();
    group_of(
        "provenance",
        vec![
            text("program"),
            text("recipe"),
            text("stage"),
            text("model"),
            text("model_hash"),
            text("profile"),
            Column {
                name: "seed",
                kind: Type::Seed,
            },
            flag("demo"),
            group_of("models", models),
        ],
    )
}

fn experience() -> Vec<Column> {
    let individual = vec![
        text("name"),
        text("nationality"),
        whole("age"),
        texts("qualities"),
        text("speech_style"),
        text("work"),
        texts("hobbies"),
        text("memory"),
        text("persona"),
    ];
    vec![
        text("id"),
        list_of("participants", individual),
        text("relations"),
        text("situation"),
        text("topic"),
        text("starter"),
        whole("depth"),
        texts("shots"),
    ]
}

/// Whether a shape is another system's, and has no columns that can be spared it.
fn is_of_others(format: Format) -> bool {
    [Format::Asynth, Format::Convogen].contains(&format)
}

/// The column that says which one of all a row is.
fn id_of(format: Format) -> Option<&'static str> {
    match format {
        Format::Messages | Format::ShareGpt | Format::Preference | Format::Experiences => {
            Some("id")
        }
        Format::Convogen => Some("meetingID"),
        Format::Asynth => None,
    }
}

/// What rows are told beside their format's columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// Where there are several.
    pub run: Option<&'a str>,
    pub split: Option<&'a str>,
    /// Kept, or reason and detail.
    pub verdict: Option<&'a Verdict>,
}

impl Stamp<'_> {
    /// Adds to a row. Experiences are read back as they are: only their ids change, where they would be there twice.
    pub fn put(&self, row: &mut Row, format: Format) {
        if let (Some(run), Some(column)) = (self.run, id_of(format))
            && let Some(id) = row.get(column).and_then(|id| id.as_str())
        {
            let id = format!("{run}/{id}");
            row.insert(column.into(), id.into());
        }
        if format == Format::Experiences {
            return;
        }
        if let Some(verdict) = self.verdict {
            let (name, reason, detail) = match verdict {
                Verdict::Keep => ("keep", None, None),
                Verdict::Reject { reason, detail } => {
                    ("reject", Some(reason.as_str()), Some(detail.as_str()))
                }
            };
            row.insert("verdict".into(), name.into());
            row.insert("reason".into(), reason.into());
            row.insert("verdict_detail".into(), detail.into());
        }
        if let Some(run) = self.run {
            row.insert("run".into(), run.into());
        }
        if let Some(split) = self.split.filter(|_| !is_of_others(format)) {
            row.insert("split".into(), split.into());
        }
    }
}
