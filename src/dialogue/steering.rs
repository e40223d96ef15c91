use crate::augment::style::{asks, thanks};
use crate::rng::Stream;

/// How the agent's next turn is to be. Drawn for every turn by itself, so that shares hold over a dataset and no
/// conversation is a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steering {
    pub greet: bool,
    /// `None` leaves it to the model.
    pub thank: Option<bool>,
    pub ask: Option<bool>,
}

impl Steering {
    /// For one turn of the agent, from the shares that are wanted; the first greets.
    #[must_use]
    pub fn draw(thank: Option<f64>, ask: Option<f64>, first: bool, draw: Stream) -> Self {
        let wanted =
            |name: &str, share: Option<f64>| share.map(|share| draw.child(name).unit(0) < share);
        Self {
            greet: first,
            thank: wanted("thank", thank),
            ask: wanted("ask", ask),
        }
    }

    /// What a turn does otherwise, for people; nothing where it does as it should.
    #[must_use]
    pub fn missed(&self, text: &str) -> Option<String> {
        let thanked = thanks(text);
        if self.thank.is_some_and(|wanted| wanted != thanked) {
            let told = if thanked {
                "thanks, and was not to"
            } else {
                "was to thank"
            };
            return Some(told.to_owned());
        }
        let asked = asks(text);
        self.ask.is_some_and(|wanted| wanted != asked).then(|| {
            let told = if asked {
                "ends in a question, and was not to"
            } else {
                "was to end in a question"
            };
            told.to_owned()
        })
    }
}
