use serde::{Deserialize, Serialize};

use crate::dialogue::{DecisionRule, Steering};
use crate::engine::Sampling;
use crate::prompt::Pack;
use crate::record::Role;
use crate::rng::Stream;

/// Tokens a word may take, and what a reply may have beyond its words. A reply cut off by its limit is over the word
/// budget in any case, so the limit only has to be generous.
const TOKENS_PER_WORD: usize = 3;
const SPARE_TOKENS: usize = 16;

/// What shapes a support conversation. Part of the stage's fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the recipe"
)]
pub struct SupportSettings {
    pub brand: String,
    /// The agent's name.
    pub agent: String,
    /// As prompts name it: `chat`, `e-mail`, `phone call`.
    pub channel: String,
    pub language: String,
    /// Turns of both sides together, an end being decided after an agent's turn: no end before `min_turns`, no turn
    /// beyond `max_turns`. The recipe's check sees to it that an even number lies between.
    pub min_turns: usize,
    pub max_turns: usize,
    /// Words one turn may have.
    pub customer_words: usize,
    pub agent_words: usize,
    pub customer_sampling: Sampling,
    pub agent_sampling: Sampling,
    /// Tokens that one side may think before each reply.
    pub customer_thinking: usize,
    pub agent_thinking: usize,
    /// How the customer's end decision is taken from its log-probabilities.
    pub decision: DecisionRule,
    /// Tokens of the page that the agent sees.
    pub passage_tokens: usize,
    /// Typing mistakes per turn of a customer whose style is `typos`.
    pub typos_per_turn: usize,
    /// Put a customer's style back by rule where a turn dropped it.
    pub hold_style: bool,
    /// The customer opens with the question itself, rewritten for product, tone and style, and not in its own words.
    pub opens_with_query: bool,
    /// The products of places are known to fit their questions.
    pub products_fit: bool,
    /// What is made of the facts that the agent states.
    pub facts: Facts,
    /// Share of the agent's turns that thank, and that end in a question. With either, every turn of the agent is steered.
    pub thank: Option<f64>,
    pub ask: Option<f64>,
    /// Turn down what came out otherwise than planned.
    pub keep_only_planned_outcome: bool,
    /// Texts that end a reply.
    pub stop: Vec<String>,
}

/// What is made of the facts that an agent states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facts {
    /// Nothing: the rules do not know the language.
    #[default]
    Unread,
    /// Each sentence is linked to what backs it.
    Linked,
    /// As well, a reply with a number, code or policy that is neither on the page nor in the case is turned down, once.
    Checked,
}

impl Default for SupportSettings {
    fn default() -> Self {
        Self {
            brand: "Larkmoor".to_owned(),
            agent: "Robin".to_owned(),
            channel: "chat".to_owned(),
            language: "English".to_owned(),
            min_turns: 4,
            max_turns: 12,
            customer_words: 40,
            agent_words: 60,
            customer_sampling: Sampling::default(),
            agent_sampling: Sampling::default(),
            customer_thinking: 0,
            agent_thinking: 0,
            decision: DecisionRule::Draw { temperature: 1.0 },
            passage_tokens: 170,
            typos_per_turn: 3,
            hold_style: false,
            opens_with_query: false,
            facts: Facts::Unread,
            products_fit: false,
            thank: None,
            ask: None,
            keep_only_planned_outcome: false,
            stop: Vec::new(),
        }
    }
}

impl SupportSettings {
    /// Whether the customer decides, after this many turns, whether to go on.
    #[must_use]
    pub fn decides_after(&self, turns: usize) -> bool {
        turns >= self.min_turns || self.is_full(turns)
    }

    /// Whether after this many turns there is no room for another exchange.
    #[must_use]
    pub fn is_full(&self, turns: usize) -> bool {
        turns + 2 > self.max_turns
    }

    /// The word budget of one side's turn.
    #[must_use]
    pub fn max_words(&self, role: Role) -> usize {
        match role {
            Role::Customer => self.customer_words,
            Role::Agent => self.agent_words,
        }
    }

    /// Whether the agent is told for each turn how to behave.
    #[must_use]
    pub fn is_steered(&self) -> bool {
        self.thank.is_some() || self.ask.is_some()
    }

    /// How a turn is to be; nothing where it is the model's own affair. `draw` is the conversation's stream.
    #[must_use]
    pub fn steering(&self, speaker: Role, turn: usize, draw: Stream) -> Option<Steering> {
        let steered = speaker == Role::Agent && self.is_steered();
        steered.then(|| {
            let draw = draw.child("steer").at(turn as u64);
            Steering::draw(self.thank, self.ask, turn <= 1, draw)
        })
    }

    /// The token limit of one side's reply.
    #[must_use]
    pub fn reply_tokens(&self, role: Role) -> usize {
        self.max_words(role) * TOKENS_PER_WORD + SPARE_TOKENS
    }

    /// Tokens that one side may think before each reply.
    #[must_use]
    pub fn thinking_tokens(&self, role: Role) -> usize {
        match role {
            Role::Customer => self.customer_thinking,
            Role::Agent => self.agent_thinking,
        }
    }

    /// How one side's words are drawn.
    #[must_use]
    pub fn sampling(&self, role: Role) -> Sampling {
        match role {
            Role::Customer => self.customer_sampling,
            Role::Agent => self.agent_sampling,
        }
    }
}

/// What shapes the questions written for a page. Part of the stage's fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuerySettings {
    pub brand: String,
    pub language: String,
    pub sampling: Sampling,
    /// Tokens that the model may think before each list.
    pub thinking: usize,
    /// Tokens of the page that one call sees.
    pub passage_tokens: usize,
}

/// Tokens of help page for a prompt when the recipe gives none: what the compact prompts were trained with, else a
/// quarter of the context, which leaves room for the rules and a long conversation.
#[must_use]
pub fn passage_budget(pack: Pack, context_tokens: usize) -> usize {
    const TRAINED: usize = 170;
    match pack {
        Pack::Compact => TRAINED.min(context_tokens / 4),
        Pack::Full => context_tokens / 4,
    }
}
