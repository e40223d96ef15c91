//! Why a rewrite was turned down.

/// What a rewrite did not keep: the first thing found.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("nothing was written")]
    Empty,
    #[error("nothing was changed")]
    Unchanged,
    #[error("the model says that no product fits")]
    NoProductFits,
    #[error("{after} words for {before}, too many")]
    TooLong { before: u32, after: u32 },
    #[error("{after} words for {before}, too few")]
    TooShort { before: u32, after: u32 },
    #[error("{percent:.0} % of the words are others")]
    TooMuch { percent: f64 },
    #[error("it is not in English any more")]
    Language,
    #[error("it talks about the task: \"{0}\"")]
    MetaTalk(String),
    #[error("it answers instead of asking: \"{0}\"")]
    Answered(String),
    #[error("\"{0}\" must stay and is gone")]
    Protected(String),
    #[error("\"{lost}\" became \"{found}\"")]
    FactChanged { lost: String, found: String },
    #[error("\"{0}\" is gone")]
    FactLost(String),
    #[error("\"{0}\" is new")]
    FactInvented(String),
    #[error("the {0} is not named")]
    ProductMissing(String),
    #[error("it is no longer about the {0}")]
    ProductChanged(String),
    #[error("it names the {0}, which nobody asked for")]
    ProductInvented(String),
    #[error("the name \"{0}\" is gone")]
    NameLost(String),
    #[error("the name \"{0}\" is new")]
    NameInvented(String),
    #[error("it asks nothing any more")]
    QuestionLost,
    #[error("it asks where the source states")]
    QuestionInvented,
    #[error("the source asks {}, it asks {}", or_yes_no(.was), or_yes_no(.is))]
    AnotherQuestion { was: String, is: String },
    #[error("the negation \"{0}\" is gone")]
    NegationLost(String),
    #[error("the negation \"{0}\" is new")]
    NegationInvented(String),
    #[error("it denies something else")]
    NegationMoved,
    #[error("\"{was}\" became its opposite \"{is}\"")]
    Opposite { was: String, is: String },
    #[error("\"{0}\" and \"{1}\" changed places")]
    Swapped(String, String),
    #[error("gone: {0}")]
    WordsDropped(String),
    #[error("new: {0}")]
    WordsInvented(String),
    #[error("gone: {lost}; new: {found}")]
    WordsReplaced { lost: String, found: String },
}

fn or_yes_no(asked: &str) -> &str {
    if asked.is_empty() { "whether" } else { asked }
}

impl Refusal {
    /// The reason's name, as it is counted and written down.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unchanged => "unchanged",
            Self::NoProductFits => "no_product_fits",
            Self::TooLong { .. } => "too_long",
            Self::TooShort { .. } => "too_short",
            Self::TooMuch { .. } => "too_much",
            Self::Language => "language",
            Self::MetaTalk(_) => "meta_talk",
            Self::Answered(_) => "answered",
            Self::Protected(_) => "protected",
            Self::FactChanged { .. } | Self::FactLost(_) | Self::FactInvented(_) => "fact",
            Self::ProductMissing(_) | Self::ProductChanged(_) | Self::ProductInvented(_) => {
                "product"
            }
            Self::NameLost(_) | Self::NameInvented(_) => "name",
            Self::QuestionLost | Self::QuestionInvented | Self::AnotherQuestion { .. } => {
                "question"
            }
            Self::NegationLost(_) | Self::NegationInvented(_) | Self::NegationMoved => "negation",
            Self::Opposite { .. } => "opposite",
            Self::Swapped(..) => "swapped",
            Self::WordsDropped(_) | Self::WordsInvented(_) | Self::WordsReplaced { .. } => "words",
        }
    }
}
