use std::ops::Range;

use super::questions::{LineOf, Question, Subject};
use super::score::{DIGITS, Weighed, YES_NO, first_of_two, mean, mean_digit};
use crate::engine::{ChatError, ChatRole, Session, View};
use crate::pipeline::{Caller, PipelineError};
use crate::prompt::{JudgeQuestionVars, JudgeVars, NumberedVar, PromptError, Prompts};
use crate::record::{Aspect, Control, Harm, Judgement, LineScore, ModelRole, Score};

/// Tokens of an answer, and what joining texts may add.
const SPARE_TOKENS: usize = 24;

/// What all judgements of a run share.
#[derive(Clone)]
pub struct JudgeContext {
    pub caller: Caller,
    /// As prompts name it.
    pub language: String,
    pub aspects: Vec<Aspect>,
}

/// What came of judging a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    pub judgement: Judgement,
    /// Aspects whose question does not fit into the judge's context with the conversation.
    pub left_out: Vec<Aspect>,
}

/// An aspect with its questions and those of its control.
struct Asked<'a> {
    aspect: Aspect,
    own: Vec<Question>,
    control: Option<(&'a Subject, Vec<Question>)>,
}

/// Judges a conversation: in every aspect of the context that it can be judged by, with controls from the first of `others`
/// that was made from something else, and whether the `doubtful` lines (turn, bytes) are harmful. Calls are remembered
/// under `j/<id>/…`.
///
/// # Errors
/// When a call fails for another reason than that its prompt is too long, or the conversation does not fit the judge's
/// memory.
pub async fn judge(
    context: &JudgeContext,
    subject: &Subject,
    others: &[Subject],
    doubtful: &[(usize, Range<usize>)],
) -> Result<Judged, PipelineError> {
    let asked = asked(&context.aspects, subject, others);
    let id = subject.id();
    let mut judged = Judged {
        judgement: Judgement {
            id: id.to_owned(),
            asked: context
                .aspects
                .iter()
                .map(|aspect| aspect.name().to_owned())
                .collect(),
            ..Judgement::default()
        },
        left_out: Vec::new(),
    };
    if asked.is_empty() && doubtful.is_empty() {
        return Ok(judged);
    }
    let bench = Bench::open(context, subject, &asked, doubtful).await?;
    for one in &asked {
        match bench.score(one).await {
            Ok(Some(score)) => {
                let name = one.aspect.name().to_owned();
                judged.judgement.scores.insert(name, score);
            }
            Ok(None) => {}
            Err(error) if is_too_long(&error) => judged.left_out.push(one.aspect),
            Err(error) => return Err(error),
        }
    }
    for (turn, span) in doubtful {
        if let Some(harm) = bench.harm(*turn, span.clone()).await? {
            judged.judgement.harm.push(harm);
        }
    }
    Ok(judged)
}

fn is_too_long(error: &PipelineError) -> bool {
    matches!(
        error,
        PipelineError::Chat {
            source: ChatError::Context { .. } | ChatError::Room { .. },
            ..
        }
    )
}

/// What is to be asked about a conversation.
fn asked<'a>(aspects: &[Aspect], subject: &'a Subject, others: &'a [Subject]) -> Vec<Asked<'a>> {
    let mut asked = Vec::new();
    for &aspect in aspects {
        let own = subject.questions(aspect, subject);
        if own.is_empty() {
            continue;
        }
        let told = |other: &'a Subject| {
            if aspect.is_bare() {
                let mixed = !subject.mixed_with(other).is_empty();
                return mixed.then(|| (other, own.clone()));
            }
            let questions = subject.questions(aspect, other);
            // What is the same is no control.
            let same = questions.iter().any(|question| own.contains(question));
            (!questions.is_empty() && !same).then_some((other, questions))
        };
        asked.push(Asked {
            aspect,
            control: others.iter().find_map(told),
            own,
        });
    }
    asked
}

/// A conversation as its judge sees it.
struct Bench<'a> {
    context: &'a JudgeContext,
    subject: &'a Subject,
    session: Session,
    view: View,
}

fn prompts(context: &JudgeContext) -> &Prompts {
    &context.caller.cast().of(ModelRole::Judge).prompts
}

/// The lines of a conversation to a judge, before any question.
fn view_of(
    prompts: &Prompts,
    language: &str,
    subject: &Subject,
    lines: &[(&str, &str)],
) -> Result<View, PromptError> {
    let vars = JudgeVars {
        kind: subject.dialogue.kind(),
        language,
    };
    let lines: Vec<NumberedVar<'_>> = (1..)
        .zip(lines)
        .map(|(number, &(speaker, text))| NumberedVar {
            number,
            speaker,
            text,
        })
        .collect();
    let (system, transcript) = prompts.judge(vars, &lines)?;
    let mut view = View::with_system(&system);
    view.push(ChatRole::User, &transcript, Vec::new());
    Ok(view)
}

/// A question as it joins the conversation.
fn tail(prompts: &Prompts, subject: &Subject, question: &Question) -> Result<String, PromptError> {
    let lines = subject.lines();
    let line = question.line.as_ref();
    prompts.judge_question(&JudgeQuestionVars {
        aspect: question.aspect.name(),
        matter: &question.matter,
        number: line.map_or(0, |line| line.turn + 1),
        speaker: line.map_or("", |line| lines[line.turn].0),
        line: line.map_or("", |line| &line.text),
    })
}

impl<'a> Bench<'a> {
    /// Reserves room for the longest question.
    async fn open(
        context: &'a JudgeContext,
        subject: &'a Subject,
        asked: &[Asked<'_>],
        doubtful: &[(usize, Range<usize>)],
    ) -> Result<Self, PipelineError> {
        let prompts = prompts(context);
        let model = context.caller.cast().model(ModelRole::Judge);
        let tokens = |view: &View| -> usize {
            let messages = view.messages.iter();
            messages
                .map(|message| model.count_tokens(&message.content))
                .sum()
        };
        let view = view_of(prompts, &context.language, subject, &subject.lines())?;
        let mut longest = 0;
        for one in asked {
            let control = one.control.iter().flat_map(|(_, questions)| questions);
            for question in one.own.iter().chain(control) {
                let tail = tail(prompts, subject, question)?;
                longest = longest.max(model.count_tokens(&tail));
            }
        }
        for (turn, span) in doubtful {
            let tail = prompts.judge_harm(line_of(subject, *turn, span.clone()))?;
            longest = longest.max(model.count_tokens(&tail));
        }
        let mut views = vec![(ModelRole::Judge, tokens(&view) + longest + SPARE_TOKENS)];
        let mut mixed = 0;
        for one in asked.iter().filter(|one| one.aspect.is_bare()) {
            if let Some((other, _)) = one.control {
                let lines = subject.mixed_with(other);
                let view = view_of(prompts, &context.language, subject, &lines)?;
                mixed = mixed.max(tokens(&view) + longest + SPARE_TOKENS);
            }
        }
        if mixed > 0 {
            views.push((ModelRole::Judge, mixed));
        }
        let key = format!("j/{}", subject.id());
        Ok(Self {
            session: context.caller.open(&key, &views).await?,
            context,
            subject,
            view,
        })
    }

    async fn score(&self, asked: &Asked<'_>) -> Result<Option<Score>, PipelineError> {
        let key = format!("j/{}/{}", self.subject.id(), asked.aspect);
        let mut all = Vec::new();
        let mut lines = Vec::new();
        for question in &asked.own {
            let answer = self.ask(&self.view, &key, question).await?;
            if let Some(LineOf { turn, span, .. }) = &question.line {
                lines.push(LineScore {
                    turn: *turn,
                    span: span.clone(),
                    value: answer.value,
                });
            }
            all.push(answer);
        }
        let control = match &asked.control {
            None => None,
            Some((other, questions)) => Some(self.control(&key, other, questions).await?),
        };
        Ok(mean(&all).map(|Weighed { value, mass }| Score {
            value,
            mass,
            lines,
            control: control.flatten(),
        }))
    }

    async fn control(
        &self,
        key: &str,
        other: &Subject,
        questions: &[Question],
    ) -> Result<Option<Control>, PipelineError> {
        let key = format!("{key}/control/{}", other.id());
        let bare = questions.iter().any(|question| question.aspect.is_bare());
        let mixed;
        let view = if bare {
            let lines = self.subject.mixed_with(other);
            mixed = view_of(
                prompts(self.context),
                &self.context.language,
                self.subject,
                &lines,
            )?;
            &mixed
        } else {
            &self.view
        };
        let mut all = Vec::new();
        for question in questions {
            all.push(self.ask(view, &key, question).await?);
        }
        Ok(mean(&all).map(|Weighed { value, mass }| Control {
            with: other.id().to_owned(),
            value,
            mass,
        }))
    }

    async fn ask(
        &self,
        view: &View,
        key: &str,
        question: &Question,
    ) -> Result<Weighed, PipelineError> {
        let key = match &question.line {
            None => key.to_owned(),
            Some(LineOf { turn, span, .. }) => {
                let begin = span.as_ref().map_or(0, |span| span.start);
                format!("{key}/{turn}/{begin}")
            }
        };
        let tail = tail(prompts(self.context), self.subject, question)?;
        self.weigh(view, &key, &tail, DIGITS, mean_digit).await
    }

    async fn harm(&self, turn: usize, span: Range<usize>) -> Result<Option<Harm>, PipelineError> {
        let line = line_of(self.subject, turn, span.clone());
        let tail = prompts(self.context).judge_harm(line)?;
        let key = format!("j/{}/harm/{turn}/{}", self.subject.id(), span.start);
        match self
            .weigh(&self.view, &key, &tail, YES_NO, first_of_two)
            .await
        {
            Ok(Weighed { value: yes, mass }) => Ok(Some(Harm {
                turn,
                span,
                yes,
                mass,
            })),
            Err(error) if is_too_long(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn weigh(
        &self,
        view: &View,
        key: &str,
        tail: &str,
        choices: &[&str],
        read: fn(&[f32]) -> Option<Weighed>,
    ) -> Result<Weighed, PipelineError> {
        let caller = &self.context.caller;
        let role = ModelRole::Judge;
        let scores = caller
            .weigh(&self.session, role, key, view, tail, choices)
            .await?;
        read(&scores).ok_or_else(|| PipelineError::NoChoice {
            key: key.to_owned(),
        })
    }
}

fn line_of(subject: &Subject, turn: usize, span: Range<usize>) -> NumberedVar<'_> {
    let (speaker, text) = subject.lines().get(turn).copied().unwrap_or_default();
    NumberedVar {
        number: turn + 1,
        speaker,
        text: text.get(span).unwrap_or(text),
    }
}

/// What a judge would be asked first for an aspect: system message, conversation and question. None where nothing can be
/// asked.
///
/// # Errors
/// When a template fails on this data.
pub fn sample_question(
    prompts: &Prompts,
    language: &str,
    subject: &Subject,
    aspect: Aspect,
) -> Result<Option<[String; 3]>, PromptError> {
    let questions = subject.questions(aspect, subject);
    let Some(question) = questions.first() else {
        return Ok(None);
    };
    let view = view_of(prompts, language, subject, &subject.lines())?;
    let tail = tail(prompts, subject, question)?;
    let [system, transcript] = &view.messages[..] else {
        return Ok(None);
    };
    Ok(Some([
        system.content.clone(),
        transcript.content.clone(),
        tail,
    ]))
}
