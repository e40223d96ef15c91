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

/// Turns of a conversation with a support desk or a booking office.
#[must_use]
pub fn support_turns() -> Band {
    band(5.2, 22.1, TASKS)
}

/// Words of a turn there. The source counts marks as well, so that words are a tenth or so fewer.
#[must_use]
pub fn support_words() -> Band {
    band(8.0, 13.2, TASKS)
}

const TASKS: &str = "KVRET, MultiWOZ and ABCD, the corpora of two people that Chen et al., Action-Based Conversations Dataset, 2021 (arXiv 2104.00783) compare";

/// Words of a turn in a group.
#[must_use]
pub fn group_words() -> Band {
    band(
        12.0,
        14.0,
        "the human sets of Gody et al., ConvoGen, 2025 (arXiv 2503.17460), words per turn",
    )
}
