use crate::guards::Utterance;
use crate::record::{Link, Rejected, Role, Turn};

/// What was said, in order, as nobody's view. It only ever grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    turns: Vec<Turn>,
    /// Each turn as it was generated, before rule engines; repeats are found in these.
    said: Vec<Utterance>,
    /// Each turn as the other side saw it, where that is not as it was generated.
    heard: Vec<Option<Utterance>>,
}

impl Log {
    /// Appends a turn that was said as generated.
    pub fn say(
        &mut self,
        speaker: Role,
        said: impl Into<Utterance>,
        tokens: Vec<u32>,
        rejected: Vec<Rejected>,
    ) {
        let said = said.into();
        self.turns.push(Turn {
            speaker,
            text: said.text().to_owned(),
            tokens,
            edits: 0,
            links: Vec::new(),
            restyled: None,
            rejected,
        });
        self.said.push(said);
        self.heard.push(None);
    }

    /// Appends a turn whose text a rule engine changed from `said` in `edits` places, where it put a style back with what
    /// had been missing; ids would no longer fit it.
    pub fn say_edited(
        &mut self,
        speaker: Role,
        said: impl Into<Utterance>,
        text: String,
        edits: u32,
        restyled: Option<String>,
        rejected: Vec<Rejected>,
    ) {
        self.said.push(said.into());
        self.heard.push(Some(Utterance::new(&text)));
        self.turns.push(Turn {
            speaker,
            text,
            tokens: Vec::new(),
            edits,
            links: Vec::new(),
            restyled,
            rejected,
        });
    }

    /// Says of the last turn what backs each of its sentences.
    pub fn link(&mut self, links: Vec<Link>) {
        if let Some(turn) = self.turns.last_mut() {
            turn.links = links;
        }
    }

    /// The turns so far.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// How many turns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether nothing has been said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// One side's turns as generated, oldest first.
    #[must_use]
    pub fn said_by(&self, speaker: Role) -> Vec<&Utterance> {
        let both = self.turns.iter().zip(&self.said);
        both.filter(|(turn, _)| turn.speaker == speaker)
            .map(|(_, said)| said)
            .collect()
    }

    /// The other side's turns as one side saw them, oldest first.
    #[must_use]
    pub fn heard_by(&self, side: Role) -> Vec<&Utterance> {
        let all = self.turns.iter().zip(self.said.iter().zip(&self.heard));
        all.filter(|(turn, _)| turn.speaker != side)
            .map(|(_, (said, heard))| heard.as_ref().unwrap_or(said))
            .collect()
    }

    /// The turns for a record.
    #[must_use]
    pub fn into_turns(self) -> Vec<Turn> {
        self.turns
    }
}
