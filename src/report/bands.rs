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
    band(
        8.93,
        15.39,
        "MultiWOZ, people who book with a clerk, on one matter and on several: Budzianowski et al., 2018 (arXiv 1810.00278)",
    )
}

/// Words of a turn there.
#[must_use]
pub fn support_words() -> Band {
    band(
        11.75,
        15.12,
        "MultiWOZ, those who ask and the clerks who answer: Budzianowski et al., 2018 (arXiv 1810.00278)",
    )
}

/// Words of a turn in a group.
#[must_use]
pub fn group_words() -> Band {
    band(
        12.0,
        14.0,
        "the human sets of Gody et al., ConvoGen, 2025 (arXiv 2503.17460), words per turn",
    )
}
