use crate::metrics::semantic::Embed;
use crate::rng::Stream;

/// What sections may use beside the conversations.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Threads to share work among; no figure depends on how many.
    pub threads: usize,
    /// What samples and intervals are drawn from: the same draws, the same report.
    pub draw: Stream,
    /// Turns texts into vectors; without one, the semantic section counts words.
    pub embedder: Option<&'a dyn Embed>,
    /// Counts the tokens of a text, where turns do not say how many they have.
    pub tokens: Option<&'a (dyn Fn(&str) -> usize + Sync)>,
}

impl Context<'_> {
    /// What needs nothing from outside.
    #[must_use]
    pub fn plain(threads: usize) -> Self {
        Self {
            threads,
            draw: Stream::root(0).child("report"),
            embedder: None,
            tokens: None,
        }
    }
}
