use super::Message;

/// Which messages a model is to learn, as their `train` says. A turn that a guard cut is never one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainOn {
    /// The assistant's.
    Assistant,
    /// Everyone's; not the system message.
    All,
    /// The assistant's last.
    Last,
}

impl TrainOn {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Assistant, Self::All, Self::Last];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::All => "all",
            Self::Last => "last",
        }
    }

    /// Marks the messages of a row; `cut` says that a guard ended it.
    pub(super) fn mark(self, messages: &mut [Message], cut: bool) {
        let last = messages.len().saturating_sub(1);
        let own = messages
            .iter()
            .rposition(|message| message.role == "assistant");
        for (place, message) in messages.iter_mut().enumerate() {
            let meant = match self {
                Self::Assistant => message.role == "assistant",
                Self::All => message.role != "system",
                Self::Last => Some(place) == own,
            };
            message.train = Some(meant && !(cut && place == last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_turns_and_other_sides_are_not_learned() {
        let flags = |rule: TrainOn, roles: &[&'static str], cut| -> Vec<bool> {
            let mut messages: Vec<Message> = roles
                .iter()
                .map(|role| Message::new(role, "x".into()))
                .collect();
            rule.mark(&mut messages, cut);
            messages
                .iter()
                .map(|message| message.train.unwrap())
                .collect()
        };
        let roles = ["system", "user", "assistant", "user", "assistant"];
        assert_eq!(
            flags(TrainOn::Assistant, &roles, false),
            [false, false, true, false, true]
        );
        assert_eq!(
            flags(TrainOn::Assistant, &roles, true),
            [false, false, true, false, false]
        );
        assert_eq!(
            flags(TrainOn::All, &roles, false),
            [false, true, true, true, true]
        );
        assert_eq!(
            flags(TrainOn::Last, &roles, false),
            [false, false, false, false, true]
        );
        assert_eq!(flags(TrainOn::Last, &roles, true), [false; 5]);
        assert_eq!(
            flags(TrainOn::Last, &roles[..4], true),
            [false, false, true, false]
        );
        assert!(flags(TrainOn::All, &[], true).is_empty());
    }
}
