//! What the templates of a judge may use.

use serde::Serialize;

use super::registry::Sample;
use super::{PromptError, Prompts, Template};
use crate::record::Kind;

/// What a judge's system message may use.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JudgeVars<'a> {
    #[serde(serialize_with = "kind_name")]
    pub kind: Kind,
    pub language: &'a str,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn kind_name<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// A turn with its number.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NumberedVar<'a> {
    /// From 1.
    pub number: usize,
    pub speaker: &'a str,
    pub text: &'a str,
}

/// What a question to a judge may use.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct JudgeQuestionVars<'a> {
    /// The name of an aspect, like `naturalness`.
    pub aspect: &'a str,
    /// What the conversation, or a line of it, is held against; empty where it is judged by itself.
    pub matter: &'a str,
    /// Of the line that is asked about: its number, who says it, and it or a sentence of it; 0 and empty where the whole
    /// conversation is.
    pub number: usize,
    pub speaker: &'a str,
    pub line: &'a str,
}

impl Prompts {
    /// System message and transcript for a judge: what all questions about a conversation begin with.
    ///
    /// # Errors
    /// When a template fails on this data; the sample data at load made that unlikely.
    pub fn judge(
        &self,
        vars: JudgeVars<'_>,
        transcript: &[NumberedVar<'_>],
    ) -> Result<(String, String), PromptError> {
        #[derive(Serialize)]
        struct Transcript<'a> {
            transcript: &'a [NumberedVar<'a>],
        }
        Ok((
            self.render(Template::JudgeSystem, &vars)?,
            self.render(Template::JudgeTranscript, &Transcript { transcript })?,
        ))
    }

    /// What joins the transcript, on a line of its own, when a judge is asked for an aspect.
    ///
    /// # Errors
    /// As for [`Self::judge`].
    pub fn judge_question(&self, vars: &JudgeQuestionVars<'_>) -> Result<String, PromptError> {
        self.render(Template::JudgeQuestion, vars)
    }

    /// The same when it is asked whether a line is harmful.
    ///
    /// # Errors
    /// As for [`Self::judge`].
    pub fn judge_harm(&self, line: NumberedVar<'_>) -> Result<String, PromptError> {
        #[derive(Serialize)]
        struct Harm<'a> {
            number: usize,
            speaker: &'a str,
            line: &'a str,
        }
        let NumberedVar {
            number,
            speaker,
            text: line,
        } = line;
        self.render(
            Template::JudgeHarm,
            &Harm {
                number,
                speaker,
                line,
            },
        )
    }

    /// The templates of a judge rendered with sample data.
    pub(super) fn judge_samples(&self) -> Result<Vec<Sample>, PromptError> {
        let lines = [
            ("Customer", "How long do I have to send a kettle back?"),
            ("Agent", "You have 30 days from delivery."),
        ];
        let lines: Vec<NumberedVar<'_>> = (1..)
            .zip(lines)
            .map(|(number, (speaker, text))| NumberedVar {
                number,
                speaker,
                text,
            })
            .collect();
        let judge = |kind| {
            let language = "English";
            self.judge(JudgeVars { kind, language }, &lines)
        };
        judge(Kind::Group)?;
        let (system, transcript) = judge(Kind::Support)?;
        let question = |aspect, matter, number, line| {
            self.judge_question(&JudgeQuestionVars {
                aspect,
                matter,
                number,
                speaker: if number > 0 { "Agent" } else { "" },
                line,
            })
        };
        for aspect in JUDGED {
            question(aspect, "Somebody: words", 0, "")?;
        }
        let texts = [
            (Template::JudgeSystem, system),
            (Template::JudgeTranscript, transcript),
            (
                Template::JudgeQuestion,
                question(
                    "groundedness",
                    "Most items can be sent back within 30 days of delivery.",
                    2,
                    lines[1].text,
                )?,
            ),
            (Template::JudgeHarm, self.judge_harm(lines[0])?),
        ];
        Ok(texts
            .map(|(template, text)| Sample { template, text })
            .into())
    }
}

/// Every aspect that a judge may be asked for, as templates know them.
pub const JUDGED: &[&str] = &[
    "naturalness",
    "coherence",
    "topic",
    "situation",
    "qualities",
    "speech_style",
    "age",
    "lifestyle",
    "memory",
    "relations",
    "persona",
    "consistency",
    "groundedness",
    "tone",
    "style",
    "helpfulness",
    "overall",
];
