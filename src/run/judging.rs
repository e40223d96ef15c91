//! Judging a run: every wanted conversation once, several at a time, written down as they are done.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::{JoinSet, LocalSet};

use super::event::Cancel;
use super::judged::JudgeWriter;
use super::replay::Replay;
use super::store::{RunDir, RunError};
use crate::engine::ChatError;
use crate::pipeline::PipelineError;
use crate::pipeline::judge::{JudgeContext, Judged, Subject, judge};
use crate::record::{Aspect, Dialogue, Page, Sample};

/// Other conversations that are looked at for one that was made from something else.
const OTHERS: usize = 8;

/// The lines of a conversation that need a second look: turn and bytes.
pub type Doubts = dyn Fn(&Sample) -> Vec<(usize, Range<usize>)>;

/// What is to be judged, and what for.
pub struct Docket {
    pub dir: RunDir,
    pub replay: Replay,
    /// Ids of the conversations, in the order in which they are begun.
    pub wanted: Vec<String>,
    /// Help pages by id, as far as they are needed.
    pub pages: BTreeMap<String, Arc<Page>>,
    pub doubts: Box<Doubts>,
}

/// How judging ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Someone wished to stop; what was unfinished goes on next time.
    pub interrupted: bool,
    /// Judged in this session.
    pub judged: u64,
    /// By aspect: conversations in which its question does not fit the judge's context.
    pub left_out: BTreeMap<Aspect, u64>,
    /// Conversations that could not be judged, with the reason.
    pub failed: Vec<(String, String)>,
}

impl Docket {
    /// The conversations that this judge has not judged yet in all of these aspects.
    #[must_use]
    pub fn open(&self, writer: &JudgeWriter, aspects: &[Aspect]) -> Vec<String> {
        let wanted = self.wanted.iter();
        let open = wanted.filter(|id| !writer.is_done(id, aspects));
        open.cloned().collect()
    }

    fn subject(&self, id: &str) -> Result<Option<Subject>, RunError> {
        let mut parts = id.split('/').skip(1);
        let (Some(Ok(slot)), Some(Ok(attempt))) = (
            parts.next().map(str::parse::<u64>),
            parts.next().map(str::parse::<u32>),
        ) else {
            return Ok(None);
        };
        let found = self.dir.conversation(&self.replay, slot, attempt)?;
        Ok(found.map(|dialogue| {
            let page = match &dialogue {
                Dialogue::Support(conversation) => self.pages.get(&conversation.cell.page).cloned(),
                Dialogue::Group(_) => None,
            };
            Subject { dialogue, page }
        }))
    }

    /// Those that a conversation's controls may come from, the nearest first.
    fn others(&self, writer: &JudgeWriter, id: &str) -> Result<Vec<Subject>, RunError> {
        let mut others = Vec::new();
        let mut at = id;
        while let Some(Some(next)) = writer.pairs.get(at) {
            let seen = |other: &Subject| other.dialogue.id() == next;
            if next == id || others.len() == OTHERS || others.iter().any(seen) {
                break;
            }
            others.extend(self.subject(next)?);
            at = next;
        }
        Ok(others)
    }
}

/// Judges what of a docket is open, up to `concurrency` conversations at once; what comes of it does not depend on that, nor
/// on where an earlier session stopped. `done` is told how many are judged after each. On `cancel`, what is unfinished is
/// left where it is; its calls are not lost.
///
/// Runs on the current thread; call it from a current-thread runtime.
///
/// # Errors
/// When something cannot be read or written, or the engine has stopped.
pub async fn judge_all(
    docket: Docket,
    writer: Arc<JudgeWriter>,
    context: JudgeContext,
    concurrency: usize,
    done: impl Fn(u64),
    cancel: &Cancel,
) -> Result<Session, RunError> {
    let open = docket.open(&writer, &context.aspects);
    let shared = Rc::new((docket, Arc::clone(&writer), context));
    let mut session = Session::default();
    let work = async {
        let mut next = open.into_iter();
        let mut live: JoinSet<Result<Ended, RunError>> = JoinSet::new();
        let result = loop {
            while live.len() < concurrency.max(1) && !cancel.is_cancelled() {
                let Some(id) = next.next() else { break };
                let shared = Rc::clone(&shared);
                live.spawn_local(async move { one(&shared.0, &shared.1, &shared.2, id).await });
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    session.interrupted = true;
                    break Ok(());
                }
                joined = live.join_next() => match joined {
                    None => break Ok(()),
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    Some(Ok(Err(error))) => break Err(error),
                    Some(Ok(Ok(Ended::Judged(left_out)))) => {
                        session.judged += 1;
                        for aspect in left_out {
                            *session.left_out.entry(aspect).or_default() += 1;
                        }
                        done(session.judged);
                    }
                    Some(Ok(Ok(Ended::Failed(id, reason)))) => session.failed.push((id, reason)),
                },
            }
        };
        live.shutdown().await;
        result
    };
    let result = LocalSet::new().run_until(work).await;
    // A failure to write is the cause of whatever else went wrong.
    writer.flush()?;
    result?;
    session.failed.sort();
    Ok(session)
}

/// How judging one conversation ended.
enum Ended {
    /// With the aspects that did not fit.
    Judged(Vec<Aspect>),
    Failed(String, String),
}

async fn one(
    docket: &Docket,
    writer: &JudgeWriter,
    context: &JudgeContext,
    id: String,
) -> Result<Ended, RunError> {
    let Some(subject) = docket.subject(&id)? else {
        return Ok(Ended::Failed(id, "it is not in the journal".into()));
    };
    let others = docket.others(writer, &id)?;
    let doubtful = (docket.doubts)(&Sample::of(&subject.dialogue));
    // What was asked before is asked again, and found in the journal.
    let mut context = context.clone();
    let before = writer.judged.get(&id);
    for name in before.iter().flat_map(|judged| &judged.asked) {
        if let Some(aspect) = Aspect::named(name)
            && !context.aspects.contains(&aspect)
        {
            context.aspects.push(aspect);
        }
    }
    match judge(&context, &subject, &others, &doubtful).await {
        Ok(Judged {
            judgement,
            left_out,
        }) => {
            writer.put(&judgement)?;
            Ok(Ended::Judged(left_out))
        }
        Err(
            error @ (PipelineError::Log(_)
            | PipelineError::Chat {
                source: ChatError::Stopped(_),
                ..
            }),
        ) => Err(RunError::Fatal(Arc::new(error))),
        Err(error) => Ok(Ended::Failed(id, error.to_string())),
    }
}
