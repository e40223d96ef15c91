use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entry::{Entry, PageQueries};
use super::journal::read_journal;
use super::manifest::{Manifest, manifests_in};
use super::store::RunDir;
use super::variants::QueryProducts;
use crate::pipeline::RoundResult;
use crate::settings::Stage;

/// What a new run need not make, as other runs in the same folder have it.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Complete pages.
    pub queries: Vec<PageQueries>,
    /// Of single questions.
    pub products: Vec<QueryProducts>,
    /// From the first on, without a gap, all of one run.
    pub rounds: Vec<RoundResult>,
}

impl Neighbours {
    /// Looks for records of early stages that are the same by fingerprint.
    pub(super) fn look(runs: &Path, dir: &RunDir) -> Self {
        let mut pages = BTreeMap::new();
        let mut products = BTreeMap::new();
        let mut rounds = Vec::new();
        let own = &dir.manifest;
        for (path, manifest) in manifests_in(runs) {
            let same = |stage| {
                manifest.stages.contains_key(&stage)
                    && manifest.fingerprint(stage) == own.fingerprint(stage)
            };
            let same_queries = same(Stage::Queries);
            let same_products = same(Stage::Products);
            // How often a place is tried decides which places a round is for.
            let same_rounds =
                same(Stage::Experiences) && manifest.spec.max_attempts == own.spec.max_attempts;
            if path == dir.path || !(same_queries || same_products || same_rounds) {
                continue;
            }
            let neighbour = RunDir { path, manifest };
            let mut found: BTreeMap<u64, RoundResult> = BTreeMap::new();
            // A neighbour that cannot be read has nothing to give; that is no fault of this run.
            let _ = read_journal(&neighbour.journal_path(), |_, entry| match entry {
                Entry::Queries(queries) if same_queries && queries.problem.is_none() => {
                    pages.entry(queries.page.clone()).or_insert(queries);
                }
                Entry::Products(found) if same_products && found.problem.is_none() => {
                    products.entry(found.query.clone()).or_insert(found);
                }
                Entry::Round(round) if same_rounds => {
                    found.entry(round.round).or_insert(*round);
                }
                _ => {}
            });
            let whole: Vec<RoundResult> = found
                .into_values()
                .zip(0..)
                .take_while(|(round, n)| round.round == *n)
                .map(|(round, _)| round)
                .collect();
            if whole.len() > rounds.len() {
                rounds = whole;
            }
        }
        Self {
            queries: pages.into_values().collect(),
            products: products.into_values().collect(),
            rounds,
        }
    }
}

/// The run of the same name in `runs` that is most like a manifest without being it, and what has changed since: for
/// telling a user why a recipe makes a new run.
#[must_use]
pub fn nearest_run(runs: &Path, manifest: &Manifest) -> Option<(PathBuf, Vec<String>)> {
    let others = manifests_in(runs)
        .into_iter()
        .filter(|(_, other)| other.name == manifest.name);
    let changes = others
        .map(|(path, other)| (path, other.changed_keys(manifest)))
        .filter(|(_, changed)| !changed.is_empty());
    changes.min_by_key(|(_, changed)| changed.len())
}
