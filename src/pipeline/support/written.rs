//! What is said as it stands in the log: with the mistakes of a customer who makes them, or the style that a turn dropped.

use super::{Assignment, Talk};
use crate::augment::style::{self, Hold, Manner};
use crate::augment::{Edited, typos};
use crate::engine::Completion;
use crate::guards::Utterance;
use crate::pipeline::Facts;
use crate::record::{Rejected, Role, Style};

/// At most every third word is mistyped, however many mistakes are asked for.
const WORDS_PER_TYPO: usize = 3;

impl Talk<'_> {
    pub(super) fn say(
        &mut self,
        speaker: Role,
        turn: usize,
        said: Utterance,
        completion: Completion,
        rejected: Vec<Rejected>,
    ) {
        // Ids stand for the whole reply; where white space was cut off they would not give the text back.
        let tokens = if completion.text == said.text() {
            completion.tokens
        } else {
            Vec::new()
        };
        self.write(speaker, turn, said, tokens, rejected);
    }

    /// Puts a turn into the log, with the mistakes of a customer who makes them, or the style that it dropped.
    pub(super) fn write(
        &mut self,
        speaker: Role,
        turn: usize,
        said: Utterance,
        tokens: Vec<u32>,
        rejected: Vec<Rejected>,
    ) {
        let Assignment { query, cell, .. } = self.assignment;
        // The question as a file has it, or as it is where nothing is asked for, opens as it is.
        let styled = query.style.is_some();
        let opens = self.context.settings.opens_with_query && turn == 0;
        let edited = match (speaker, cell.style) {
            (Role::Agent, _) => None,
            (Role::Customer, style) if opens && (styled || style == Style::Plain) => None,
            (Role::Customer, Style::Typos) => Some((self.mistyped(turn, said.text()), None)),
            (Role::Customer, _) => self
                .restyled(turn, said.text())
                .map(|(edited, lacked)| (edited, Some(lacked))),
        };
        if let Some((Edited { text, edits }, lacked)) = edited
            && edits > 0
        {
            self.hear(&text);
            self.log
                .say_edited(speaker, said, text, edits, lacked, rejected);
            return;
        }
        if speaker == Role::Customer {
            self.hear(said.text());
        }
        self.log.say(speaker, said, tokens, rejected);
    }

    /// The agent takes in what the customer says.
    fn hear(&mut self, text: &str) {
        if self.context.settings.facts != Facts::Unread {
            self.told.hear(text);
        }
    }

    fn mistyped(&self, turn: usize, text: &str) -> Edited {
        let count = self
            .context
            .settings
            .typos_per_turn
            .min(text.split_whitespace().count() / WORDS_PER_TYPO);
        let draw = self.draw.child("typos").at(turn as u64);
        typos::apply(text, count, &self.facts(), draw)
    }

    /// A customer's turn with its style put back, and what it lacked. None where it has it, where rules are not to help, and
    /// where the text would outgrow what is reserved for it.
    fn restyled(&self, turn: usize, text: &str) -> Option<(Edited, String)> {
        let (settings, cell) = (&self.context.settings, &self.assignment.cell);
        if !settings.hold_style {
            return None;
        }
        let manner = Manner::of(cell.style, cell.first_language)?;
        let Hold::Dropped(lacked) = style::holds(manner, text) else {
            return None;
        };
        let draw = self.draw.child("restyle").at(turn as u64);
        let edited = style::impose(manner, text, &self.facts(), draw);
        let cast = self.context.caller.cast();
        self.sides
            .has_room(settings, cast, &edited.text)
            .then_some((edited, lacked))
    }

    /// What no rule engine may touch.
    pub(super) fn facts(&self) -> [&str; 8] {
        let (case, settings) = (&self.assignment.case, &self.context.settings);
        [
            &case.name,
            &case.item,
            &case.order_id,
            &case.order_date,
            &case.price,
            self.assignment.cell.product.as_deref().unwrap_or_default(),
            &settings.brand,
            &settings.agent,
        ]
    }
}
