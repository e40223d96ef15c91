//! Where human conversations lie, as published. What has no source has no band.

use super::Band;

fn band(low: f64, high: f64, source: &str) -> Band {
    Band {
        low,
        high,
        source: source.to_owned(),
    }
}

/// MTLD of one conversation.
#[must_use]
pub fn mtld() -> Band {
    band(
        50.0,
        63.0,
        "the human sets of Gody et al., ConvoGen, 2025 (arXiv 2503.17460), mean MTLD per conversation",
    )
}
