//! A stand-in for a model: fixed lines, seeded choices, planted defects. It is compiled into the program so that
//! orders, journals and exports can be tried through the command line without weights.

mod dials;
mod lines;
mod people;

pub use dials::{DialError, Dials};

use dials::Defect;

use super::{Ask, ChatError, ChatRole, Completion, Finish, Grammar, ModelIdentity, View};
use crate::hash;
use crate::record::OPENER;
use crate::rng::Stream;

/// Raised when the lines change, so that old journals are not taken for new ones.
const SCRIPT_VERSION: u32 = 2;

/// Tokens a chat template might add to each message.
const MESSAGE_OVERHEAD_TOKENS: usize = 4;

/// A model that follows a script. Its replies are a function of view, tail, grammar and draw alone.
#[derive(Clone, Debug)]
pub struct ScriptedModel {
    dials: Dials,
    identity: ModelIdentity,
}

impl ScriptedModel {
    /// A scripted model with these dials.
    #[must_use]
    pub fn new(dials: Dials) -> Self {
        let identity = ModelIdentity {
            reference: "scripted".to_owned(),
            hash: hash::of_bytes(format!("script {SCRIPT_VERSION} {dials}").as_bytes()),
            profile: "scripted".to_owned(),
            licence: env!("CARGO_PKG_LICENSE").to_owned(),
            demo: true,
            prompt_pack: if dials.full_prompts {
                "full"
            } else {
                "compact"
            }
            .to_owned(),
        };
        Self { dials, identity }
    }

    /// The model a reference names: `scripted` or `scripted:echo=0.1,long=0.1`.
    ///
    /// # Errors
    /// When the reference cannot be read.
    pub fn parse(reference: &str) -> Result<Self, DialError> {
        let mut model = Self::new(Dials::parse(reference)?);
        reference.clone_into(&mut model.identity.reference);
        Ok(model)
    }

    /// What identifies it.
    #[must_use]
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// Tokens a prompt and its reply may have together.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.dials.context
    }

    /// Whether its replies may come after a thought.
    #[must_use]
    pub fn thinks(&self) -> bool {
        self.dials.think > 0.0
    }

    /// Four tokens for three words.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        (text.split_whitespace().count() * 4).div_ceil(3)
    }

    /// One reply.
    ///
    /// # Errors
    /// When the view does not fit, the grammar is no JSON schema, or the `error` dial says so.
    pub async fn reply(&self, ask: Ask<'_>) -> Result<Completion, ChatError> {
        let thinking_tokens = if self.thinks() {
            ask.thinking_tokens
        } else {
            0
        };
        let new_tokens = thinking_tokens + ask.max_new_tokens;
        self.check_context(ask.view, ask.tail.unwrap_or_default(), new_tokens)?;
        self.take_time(ask.draw.child("pause").below(0, 4)).await;
        let defect = self
            .dials
            .defect(ask.draw.child("defect").unit(0), ask.grammar.is_some());
        let words = ask.draw.child("words");
        let mut text = match ask.grammar.as_deref() {
            Some(Grammar::JsonSchema(schema)) => {
                let schema = serde_json::from_str(schema)
                    .map_err(|error| ChatError::Grammar(error.to_string()))?;
                let manner = lines::Manner {
                    duplicate: defect == Some(Defect::Duplicate),
                    shown: people::Shown::in_prompt(ask.view, self.dials.copy),
                };
                lines::value_for(&schema, ask.view, words, &manner)
                    .map(|value| crate::json::spaced(&value))
                    .ok_or_else(|| {
                        ChatError::Grammar("a kind of schema the script does not know".to_owned())
                    })?
            }
            Some(Grammar::Regex(_)) => {
                return Err(ChatError::Grammar(
                    "the script follows JSON schemas only".to_owned(),
                ));
            }
            None if people::is_member(ask.view) => {
                let line = people::member(ask.view, words);
                self.with_move(line, ask.view, ask.draw.child("move"))
            }
            None if lines::is_rewriting(ask.view) => lines::rewritten(ask.view),
            None if opens_the_chat(ask.view) => {
                let line = match ask.tail.and_then(lines::told_question) {
                    Some(question) => question.to_owned(),
                    None => lines::asker(ask.view, words),
                };
                let thank = ask.draw.child("thank").unit(0) < self.dials.thank;
                if thank && lines::own_turns(ask.view) > 0 {
                    format!("Thank you so much. {line}")
                } else {
                    line
                }
            }
            None if ask.draw.child("ask back").unit(0) < self.dials.ask_back => {
                lines::asked_back(ask.view)
            }
            None if ask.draw.child("evade").unit(0) < self.dials.evade => lines::evaded(ask.view),
            None => {
                let deaf = ask.draw.child("deaf").unit(0) < self.dials.deaf;
                let note = ask.tail.filter(|_| !deaf);
                let mut line = lines::answerer(ask.view, words);
                if ask.draw.child("invent").unit(0) < self.dials.invent {
                    line.push_str(" That comes to £987 in all.");
                }
                lines::steered(&line, note)
            }
        };
        let last = lines::texts_of(ask.view, ChatRole::User)
            .last()
            .unwrap_or_default();
        let mut finish = Finish::Accepted;
        match defect {
            None | Some(Defect::Duplicate) => {}
            Some(Defect::Error) => {
                return Err(ChatError::Numeric("planted by the `error` dial".to_owned()));
            }
            Some(Defect::Empty) => text.clear(),
            Some(Defect::Echo) => last.clone_into(&mut text),
            Some(Defect::Long) => text = format!("{text} {}", lines::rambling()),
            Some(Defect::Leak) => text.insert_str(0, "Customer: "),
            Some(Defect::Truncated) => {
                text = text.chars().take(text.chars().count() / 2).collect();
                finish = Finish::Truncated;
            }
        }
        if let Some(cut) = ask
            .stop
            .iter()
            .filter_map(|stop| text.find(stop.as_str()))
            .min()
        {
            text.truncate(cut);
            finish = Finish::Stopped;
        }
        Ok(Completion {
            tokens: text.bytes().map(u32::from).collect(),
            prompt_tokens: self.prompt_tokens(ask.view, ask.tail.unwrap_or_default()),
            reused_tokens: 0,
            text,
            finish,
            thinking_tokens: self.thought(thinking_tokens, ask.draw.child("thinking")),
        })
    }

    /// The log-probability of each choice: an end decision gets likelier with every turn and follows the mood that the
    /// system message states; other choices get fixed weights of their own.
    ///
    /// # Errors
    /// When the view does not fit.
    pub async fn choose(
        &self,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        self.check_context(view, tail, choices.len())?;
        self.take_time(lines::own_turns(view) % 3).await;
        let system = lines::system_of(view);
        let own = lines::own_turns(view);
        let last = lines::texts_of(view, ChatRole::User)
            .last()
            .unwrap_or_default();
        let weights: Vec<f64> = if choices.contains(&"CONTINUE") {
            let go_on = if share(system) < self.dials.endless {
                1.0
            } else {
                0.75f64.powi(i32::try_from(own).unwrap_or(99))
            };
            let planned = mood(system);
            let others = choices.len().saturating_sub(2).max(1);
            let weight = |choice: &&str| match *choice {
                "CONTINUE" => go_on,
                word if word == planned => (1.0 - go_on) * 0.9,
                _ => (1.0 - go_on) * 0.1 / f64::from(u32::try_from(others).unwrap_or(1)),
            };
            choices.iter().map(weight).collect()
        } else {
            choices
                .iter()
                .map(|choice| 0.05 + share(&format!("{system}\n{last}\n{tail}\n{choice}")))
                .collect()
        };
        let total: f64 = weights.iter().sum();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "log-probabilities are single precision"
        )]
        Ok(weights
            .iter()
            .map(|weight| (weight.max(1e-9) / total).ln() as f32)
            .collect())
    }

    /// The log-probability of each choice as the beginning of a reply. Digits are likely as in throws of a coin for each
    /// step of the scale, so that their mean is known: the `score` dial, or as far from 1 to 5 as words of the question
    /// stand in the conversation. They have nine tenths of all replies. Other choices get fixed weights of their own.
    ///
    /// # Errors
    /// When the view does not fit.
    pub async fn weigh(
        &self,
        view: &View,
        tail: &str,
        choices: &[&str],
    ) -> Result<Vec<f32>, ChatError> {
        if choices.first() != Some(&"1") {
            return self.choose(view, tail, choices).await;
        }
        self.check_context(view, tail, 1)?;
        self.take_time(tail.len() % 3).await;
        let last = lines::texts_of(view, ChatRole::User)
            .last()
            .unwrap_or_default();
        let heads = if self.dials.score > 0.0 {
            (self.dials.score - 1.0) / 4.0
        } else {
            shared(tail, last)
        };
        let steps = i32::try_from(choices.len()).unwrap_or(1) - 1;
        let mut ways = 1.0;
        let likelihood = |step: i32| {
            let share = 0.9 * ways * heads.powi(step) * (1.0 - heads).powi(steps - step);
            ways *= f64::from(steps - step) / f64::from(step + 1);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "log-probabilities are single precision"
            )]
            let score = share.ln() as f32;
            score
        };
        Ok((0..=steps).map(likelihood).collect())
    }

    /// A member's turn with what the dials make it do beyond saying something.
    fn with_move(&self, line: String, view: &View, draw: Stream) -> String {
        let uniform = draw.unit(0);
        let others = people::others(view);
        let moves = [
            (self.dials.leave, format!("{line} I have to go now.")),
            (self.dials.pause, "I need a minute.".to_owned()),
            (self.dials.interrupt, "I have a question.".to_owned()),
            (
                self.dials.address,
                match &others[..] {
                    [] => line.clone(),
                    others => format!("{}, what do you say? {line}", draw.pick(1, others)),
                },
            ),
        ];
        let mut upper = 0.0;
        for (chance, text) in moves {
            upper += chance;
            if uniform < upper {
                return text;
            }
        }
        line
    }

    fn prompt_tokens(&self, view: &View, tail: &str) -> usize {
        let messages = view
            .messages
            .iter()
            .map(|message| self.count_tokens(&message.content) + MESSAGE_OVERHEAD_TOKENS);
        messages.sum::<usize>() + self.count_tokens(tail)
    }

    fn check_context(&self, view: &View, tail: &str, new_tokens: usize) -> Result<(), ChatError> {
        let prompt_tokens = self.prompt_tokens(view, tail);
        if prompt_tokens + new_tokens > self.dials.context {
            return Err(ChatError::Context {
                prompt_tokens,
                new_tokens,
                context_tokens: self.dials.context,
            });
        }
        Ok(())
    }

    /// Tokens of the thought before a reply.
    fn thought(&self, most: usize, draw: Stream) -> usize {
        if most > 0 && draw.unit(0) < self.dials.think {
            1 + draw.child("length").below(0, most)
        } else {
            0
        }
    }

    /// Lets other conversations run in between, as a real engine does.
    async fn take_time(&self, pauses: usize) {
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        if self.dials.delay_ms > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(self.dials.delay_ms)).await;
        }
    }
}

fn opens_the_chat(view: &View) -> bool {
    lines::texts_of(view, ChatRole::User).next() == Some(OPENER)
}

fn mood(system: &str) -> &'static str {
    let system = system.to_lowercase();
    let refuses = ["not accept", "take no substitute", "leave it as it is"];
    if refuses.iter().any(|words| system.contains(words)) {
        "UNRESOLVED"
    } else if system.contains("leave early") {
        "ABANDONED"
    } else {
        "RESOLVED"
    }
}

/// How much of the longer words of one text stand in another, from 0.02 to 0.98.
fn shared(text: &str, other: &str) -> f64 {
    let long = |text: &str| -> std::collections::BTreeSet<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 4)
            .map(str::to_lowercase)
            .collect()
    };
    let (words, others) = (long(text), long(other));
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    (count(words.intersection(&others).count()) / count(words.len().max(1))).clamp(0.02, 0.98)
}

/// A fixed number in `[0, 1)` that belongs to a text.
fn share(text: &str) -> f64 {
    let hash = blake3::hash(text.as_bytes());
    let word = u32::from_le_bytes(
        hash.as_bytes()[..4]
            .try_into()
            .expect("four bytes of a 32-byte hash"),
    );
    f64::from(word) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
