//! One place of the plan: what it starts from, and its attempts.

use std::sync::Arc;

use super::super::entry::{EntryRef, Failed, PageQueries};
use super::super::event::{AttemptResult, RunEvent};
use super::super::maker::{About, MakeError, Maker};
use super::super::plan::{Slot, Task, query_of, second_query_of};
use super::super::replay::{NO_EXPERIENCE, NO_QUERIES};
use super::super::rounds::Found;
use super::super::store::RunError;
use super::judging::{Judged, Recorded};
use super::{Shared, SlotEnd};
use crate::record::{Experience, Verdict};

impl<M: Maker> Shared<M> {
    /// Makes a place until it is kept or out of attempts.
    pub(super) async fn finish(
        &self,
        slot: &Slot,
        first_attempt: u32,
    ) -> Result<SlotEnd, RunError> {
        let nothing = async |reason: &str, detail: String| {
            self.fail(slot, first_attempt, reason.into(), detail)?;
            self.give_up(slot.index, Judged::default()).await?;
            Ok(SlotEnd {
                kept: false,
                rejected: 1,
            })
        };
        match &slot.task {
            Task::Support(place) => {
                let page = &place.cell.page;
                let queries = &self.queries(page).await?.queries;
                if queries.is_empty() {
                    return nothing(NO_QUERIES, format!("page {page} has no queries")).await;
                }
                let index = place
                    .query
                    .unwrap_or_else(|| query_of(self.seed, page, place.page_use, queries.len()));
                let second = place
                    .second_question
                    .then(|| second_query_of(self.seed, page, place.page_use, queries.len()))
                    .flatten()
                    .filter(|second| *second != index);
                let second = second.map(|second| &queries[second]);
                let query = &queries[index];
                let place = place.asking(query, &self.languages, self.seed);
                let about = About::Query(&place, query, second);
                self.try_until_kept(slot, first_attempt, about).await
            }
            Task::Group(place) => {
                let Some(experience) = self.experience(place.experience).await? else {
                    return nothing(
                        NO_EXPERIENCE,
                        format!("no experience {} could be made", place.experience),
                    )
                    .await;
                };
                let about = About::Experience(&experience);
                self.try_until_kept(slot, first_attempt, about).await
            }
        }
    }

    async fn try_until_kept(
        &self,
        slot: &Slot,
        first_attempt: u32,
        about: About<'_>,
    ) -> Result<SlotEnd, RunError> {
        let mut rejected = 0;
        let mut judged = Judged::default();
        for attempt in first_attempt..self.max_attempts {
            let conversation = match self.recorded(slot.index, attempt)? {
                Recorded::Nothing => match self.maker.converse(slot, attempt, about).await {
                    Ok(conversation) => {
                        debug_assert_eq!(
                            conversation.place(),
                            (slot.index, attempt),
                            "a conversation knows its place"
                        );
                        self.journal.append((&conversation).into())?;
                        conversation
                    }
                    Err(MakeError::Failed { reason, detail }) => {
                        self.fail(slot, attempt, reason, detail)?;
                        self.watch(None);
                        rejected += 1;
                        continue;
                    }
                    Err(MakeError::Fatal(error)) => return Err(RunError::Fatal(error)),
                },
                Recorded::Conversation(conversation) => *conversation,
                // Counted when it was made.
                Recorded::TurnedDown => continue,
            };
            let result = match conversation.verdict() {
                Verdict::Keep => self.judge(slot.index, &conversation, &mut judged).await?,
                Verdict::Reject { reason, .. } => AttemptResult::Rejected {
                    reason: reason.clone(),
                },
            };
            let kept = result == AttemptResult::Kept;
            self.watch(kept.then_some(&conversation));
            (self.events)(&RunEvent::ConversationFinished {
                slot: slot.index,
                attempt,
                turns: conversation.turns(),
                result,
            });
            if kept {
                return Ok(SlotEnd { kept, rejected });
            }
            rejected += 1;
        }
        self.give_up(slot.index, judged).await?;
        Ok(SlotEnd {
            kept: false,
            rejected,
        })
    }

    fn fail(
        &self,
        slot: &Slot,
        attempt: u32,
        reason: String,
        detail: String,
    ) -> Result<(), RunError> {
        let failed = Failed {
            slot: slot.index,
            attempt,
            reason,
            detail,
        };
        self.journal.append(EntryRef::Failed(&failed))?;
        let result = AttemptResult::Failed {
            reason: failed.reason,
        };
        (self.events)(&RunEvent::ConversationFinished {
            slot: slot.index,
            attempt,
            turns: 0,
            result,
        });
        Ok(())
    }

    /// The experience of a place among the group chats. Rounds are made one after the other by whoever needs them first.
    pub(super) async fn experience(&self, place: u64) -> Result<Option<Arc<Experience>>, RunError> {
        if let Some(given) = self.maker.given_experience(place) {
            return Ok(Some(given));
        }
        let mut rounds = self.rounds.lock().await;
        loop {
            match rounds.of(place) {
                Found::Here(experience) => return Ok(Some(experience)),
                Found::GivenUp => return Ok(None),
                Found::NotYet => {}
            }
            let made = self
                .maker
                .experiences(rounds.next(), &rounds.places())
                .await
                .map_err(|error| match error {
                    MakeError::Fatal(error) => RunError::Fatal(error),
                    error @ MakeError::Failed { .. } => RunError::Fatal(Arc::new(error)),
                })?;
            self.journal.append(EntryRef::Round(&made))?;
            (self.events)(&RunEvent::Round {
                round: made.round,
                admitted: made.admitted().count(),
                refused: made.refused().count(),
            });
            rounds.take(&made);
        }
    }

    /// The queries of a page, made by the first place that needs them.
    pub(super) async fn queries(&self, page: &str) -> Result<&PageQueries, RunError> {
        let make = || async {
            let queries = match self.maker.queries(page).await {
                Ok(queries) if queries.is_empty() => PageQueries {
                    page: page.into(),
                    queries,
                    problem: Some("none were found".into()),
                },
                Ok(queries) => PageQueries {
                    page: page.into(),
                    queries,
                    problem: None,
                },
                Err(error @ MakeError::Failed { .. }) => PageQueries {
                    page: page.into(),
                    queries: Vec::new(),
                    problem: Some(error.to_string()),
                },
                Err(MakeError::Fatal(error)) => return Err(RunError::Fatal(error)),
            };
            self.journal.append(EntryRef::Queries(&queries))?;
            let PageQueries {
                page,
                queries: list,
                problem,
            } = &queries;
            (self.events)(&RunEvent::PageQueries {
                page: page.clone(),
                queries: list.len(),
                problem: problem.clone(),
            });
            Ok(queries)
        };
        self.queries
            .get(page)
            .expect("the plan names pages of the run only")
            .get_or_try_init(make)
            .await
    }
}
