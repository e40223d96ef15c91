//! Stages that are made whole before the next begins.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use super::super::entry::EntryRef;
use super::super::event::RunEvent;
use super::super::maker::{MakeError, Maker};
use super::super::plan::{Slot, Task};
use super::super::store::RunError;
use super::super::variants::{QueryProducts, Sources};
use super::{Cancel, Shared};
use crate::record::Query;
use crate::settings::Stage;

impl<M: Maker> Shared<M> {
    /// Makes the queries that open places need, all of them, then gets ready for conversations. Says whether it came to the
    /// end: no conversation is alive yet that would be finished when the time is over.
    pub(super) async fn begin_in_turn(
        self: &Rc<Self>,
        open: impl Iterator<Item = Slot>,
        concurrency: usize,
        cancel: &Cancel,
    ) -> Result<bool, RunError>
    where
        M: 'static,
    {
        let mut wanted = BTreeSet::new();
        let mut last_experience = None;
        let mut any = false;
        for slot in open {
            any = true;
            match slot.task {
                Task::Support(place) => drop(wanted.insert(place.cell.page)),
                Task::Group(place) => last_experience = Some(place.experience),
            }
        }
        if !self.ask(wanted, concurrency, cancel).await? {
            return Ok(false);
        }
        if let Some(last) = last_experience {
            if self.maker.given_experience(last).is_none() {
                self.begin(Stage::Experiences)?;
            }
            let all = async {
                for place in 0..=last {
                    self.experience(place).await?;
                }
                Ok::<_, RunError>(())
            };
            tokio::select! {
                biased;
                () = cancel.closing() => return Ok(false),
                made = all => made?,
            }
        }
        if any {
            self.begin(Stage::Conversations)?;
        }
        Ok(true)
    }

    /// Gets ready for a stage, where stages take turns.
    fn begin(&self, stage: Stage) -> Result<(), RunError> {
        match self.maker.begin(stage) {
            Ok(()) => Ok(()),
            Err(MakeError::Fatal(error)) => Err(RunError::Fatal(error)),
            Err(error) => Err(RunError::Fatal(Arc::new(error))),
        }
    }

    /// Makes the queries of pages, all of them. Says whether it came to the end.
    async fn ask(
        self: &Rc<Self>,
        mut pages: BTreeSet<String>,
        concurrency: usize,
        cancel: &Cancel,
    ) -> Result<bool, RunError>
    where
        M: 'static,
    {
        pages.retain(|page| !self.queries.get(page).is_some_and(OnceCell::initialized));
        if !pages.is_empty() && self.maker.in_phases() {
            self.begin(Stage::Queries)?;
        }
        let make = |page: String| {
            let shared = Rc::clone(self);
            async move { shared.queries(&page).await.map(drop) }
        };
        each(pages, make, concurrency, cancel).await
    }

    /// Makes all that a plan of all variants is made from: every page's queries, then the products of each. None when it did
    /// not come to the end.
    pub(super) async fn lay_out(
        self: &Rc<Self>,
        concurrency: usize,
        cancel: &Cancel,
    ) -> Result<Option<Sources>, RunError>
    where
        M: 'static,
    {
        let pages = self.queries.keys().cloned().collect();
        if !self.ask(pages, concurrency, cancel).await? {
            return Ok(None);
        }
        let by_page = self.queries.iter().map(|(page, made)| {
            let queries = made.get().map(|made| made.queries.clone());
            (page.clone(), queries.unwrap_or_default())
        });
        let queries: BTreeMap<String, Vec<Query>> = by_page.collect();
        let open: Vec<Query> = {
            let fitted = self.products.borrow();
            let all = queries.values().flatten();
            all.filter(|query| !fitted.contains_key(&query.id))
                .cloned()
                .collect()
        };
        let count = queries.values().map(Vec::len).sum::<usize>();
        (self.events)(&RunEvent::Fitting {
            queries: count as u64,
            fitted: (count - open.len()) as u64,
        });
        if !open.is_empty() && self.maker.in_phases() {
            self.begin(Stage::Products)?;
        }
        let make = |query: Query| {
            let shared = Rc::clone(self);
            async move { shared.fit(&query).await }
        };
        if !each(open, make, concurrency, cancel).await? {
            return Ok(None);
        }
        let fitted = self.products.borrow();
        let products = fitted
            .iter()
            .map(|(query, fitted)| (query.clone(), fitted.products.clone()));
        Ok(Some(Sources {
            products: products.collect(),
            queries,
        }))
    }

    /// Finds the products that fit a question. Where that fails it has none, and is asked as it is.
    async fn fit(&self, query: &Query) -> Result<(), RunError> {
        let (products, problem) = match self.maker.products(query).await {
            Ok(products) => (products, None),
            Err(error @ MakeError::Failed { .. }) => (Vec::new(), Some(error.to_string())),
            Err(MakeError::Fatal(error)) => return Err(RunError::Fatal(error)),
        };
        let fitted = QueryProducts {
            query: query.id.clone(),
            page: query.page.clone(),
            products,
            problem,
        };
        self.journal.append(EntryRef::Products(&fitted))?;
        (self.events)(&RunEvent::QueryProducts {
            query: fitted.query.clone(),
            products: fitted.products.len(),
            problem: fitted.problem.clone(),
        });
        self.products.borrow_mut().insert(query.id.clone(), fitted);
        Ok(())
    }
}

/// Makes each of some things, up to `concurrency` at once. Says whether it came to the end: what is alive when the time is over
/// is left, as it is no conversation.
async fn each<T, F: Future<Output = Result<(), RunError>> + 'static>(
    things: impl IntoIterator<Item = T>,
    make: impl Fn(T) -> F,
    concurrency: usize,
    cancel: &Cancel,
) -> Result<bool, RunError> {
    let mut things = things.into_iter();
    let mut live: JoinSet<Result<(), RunError>> = JoinSet::new();
    loop {
        for thing in things.by_ref().take(concurrency.max(1) - live.len()) {
            live.spawn_local(make(thing));
        }
        tokio::select! {
            biased;
            () = cancel.closing() => {
                live.shutdown().await;
                return Ok(false);
            }
            joined = live.join_next() => match joined {
                None => return Ok(true),
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Some(Ok(made)) => made?,
            },
        }
    }
}
