use super::Kind;

/// What a judge model is asked about a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    Naturalness,
    Coherence,
    Topic,
    Situation,
    Qualities,
    SpeechStyle,
    Age,
    Lifestyle,
    Memory,
    Relations,
    /// Each line against the person who says it.
    Persona,
    /// Each line against the earlier ones of the same person.
    Consistency,
    /// Each sentence of the agent's that claims something against the passages that it saw.
    Groundedness,
    Tone,
    Style,
    Helpfulness,
    Overall,
}

impl Aspect {
    /// Every aspect, in the order in which they are shown.
    pub const ALL: &[Self] = &[
        Self::Naturalness,
        Self::Coherence,
        Self::Topic,
        Self::Situation,
        Self::Qualities,
        Self::SpeechStyle,
        Self::Age,
        Self::Lifestyle,
        Self::Memory,
        Self::Relations,
        Self::Persona,
        Self::Consistency,
        Self::Groundedness,
        Self::Tone,
        Self::Style,
        Self::Helpfulness,
        Self::Overall,
    ];

    /// The name in flags, records and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Naturalness => "naturalness",
            Self::Coherence => "coherence",
            Self::Topic => "topic",
            Self::Situation => "situation",
            Self::Qualities => "qualities",
            Self::SpeechStyle => "speech_style",
            Self::Age => "age",
            Self::Lifestyle => "lifestyle",
            Self::Memory => "memory",
            Self::Relations => "relations",
            Self::Persona => "persona",
            Self::Consistency => "consistency",
            Self::Groundedness => "groundedness",
            Self::Tone => "tone",
            Self::Style => "style",
            Self::Helpfulness => "helpfulness",
            Self::Overall => "overall",
        }
    }

    /// The aspect of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|aspect| aspect.name() == name)
    }

    /// Whether conversations of a kind are judged by it.
    #[must_use]
    pub fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::Naturalness | Self::Coherence | Self::Overall => true,
            Self::Topic
            | Self::Situation
            | Self::Qualities
            | Self::SpeechStyle
            | Self::Age
            | Self::Lifestyle
            | Self::Memory
            | Self::Relations
            | Self::Persona
            | Self::Consistency => kind == Kind::Group,
            Self::Groundedness | Self::Tone | Self::Style | Self::Helpfulness => {
                kind == Kind::Support
            }
        }
    }

    /// Whether it is judged by itself: its control is a conversation whose lines are not all its own.
    #[must_use]
    pub fn is_bare(self) -> bool {
        matches!(self, Self::Naturalness | Self::Coherence)
    }
}

impl std::fmt::Display for Aspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
