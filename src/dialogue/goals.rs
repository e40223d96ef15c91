use crate::knowledge::sentences;
use crate::record::{Goal, GoalState};

/// Words of a sentence that says nothing beside a question: `Happy to help.`
const COURTESY_WORDS: usize = 4;

/// The questions a customer came with: a small table beside the texts. A question is open until the agent replies to it,
/// attempted from then on, and done when a reply settles it; only then can the customer take it for resolved.
///
/// What settles a question is the caller's to say. What the table cannot see: whether the customer was content, whether a reply
/// that settled the question was later taken back, whether the customer brought up its second question when it was told to, and a
/// question that it came upon on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goals(Vec<Goal>);

impl Goals {
    /// Nothing was said yet; the customer opens with the first question and has the others in store.
    #[must_use]
    pub fn new(questions: impl IntoIterator<Item = String>) -> Self {
        let goal = |(place, question)| Goal::new(question, (place == 0).then_some(0));
        Self(questions.into_iter().enumerate().map(goal).collect())
    }

    /// Whether something was brought up that no reply has settled.
    #[must_use]
    pub fn any_open(&self) -> bool {
        self.0.iter().any(is_open)
    }

    /// Whether all that was brought up is settled, and there is more in store.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.any_open() && self.0.iter().any(|goal| goal.raised.is_none())
    }

    /// Lets the customer bring up the next question with this turn.
    pub fn raise(&mut self, turn: usize) {
        if let Some(goal) = self.0.iter_mut().find(|goal| goal.raised.is_none()) {
            goal.raised = Some(turn);
        }
    }

    /// Takes in the agent's turn. `settles` is asked once for each question that is not done, with its place and whether the
    /// reply says anything: one that only asks back leaves a question as it is, unless it settles it all the same.
    pub fn hear(&mut self, turn: usize, reply: &str, mut settles: impl FnMut(usize, bool) -> bool) {
        if !self.any_open() {
            return;
        }
        let says = !only_asks(reply);
        for (place, goal) in self.0.iter_mut().enumerate() {
            if !is_open(goal) {
                continue;
            }
            let settled = settles(place, says);
            if says || settled {
                goal.attempted.get_or_insert(turn);
            }
            if settled {
                goal.done = Some(turn);
            }
        }
    }

    /// For a record.
    #[must_use]
    pub fn into_goals(self) -> Vec<Goal> {
        self.0
    }
}

fn is_open(goal: &Goal) -> bool {
    goal.raised.is_some() && goal.state() != GoalState::Done
}

/// Whether a reply does nothing but ask back: a question, and beside it courtesies at most. Told by marks and lengths, in any
/// language that asks with a question mark and parts its words, so a short answer before a question (`Yes, you can. Anything
/// else?`) is one too, as is, in Chinese or Japanese, an answer that a question follows.
#[must_use]
pub fn only_asks(reply: &str) -> bool {
    let mut asks = false;
    let idle = sentences(reply).into_iter().all(|at| {
        let sentence = reply[at].trim_end();
        let question = sentence.ends_with(['?', '？', '؟']);
        asks |= question;
        question || sentence.split_whitespace().count() <= COURTESY_WORDS
    });
    asks && idle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_back_is_told_from_answering() {
        for reply in [
            "What is the order number?",
            "Happy to help. Which model do you have, and since when?",
            "Gern. Um welches Gerät geht es?",
            "ご注文番号を教えていただけますか？",
        ] {
            assert!(only_asks(reply), "{reply}");
        }
        for reply in [
            "You have 30 days from delivery. What is the order number?",
            "You have 30 days.",
            "Sie haben dreißig Tage Zeit dafür. Sonst noch etwas?",
            "Sorry.",
            "",
        ] {
            assert!(!only_asks(reply), "{reply}");
        }
    }

    #[test]
    fn goals_go_from_open_to_attempted_to_done_and_stay_there() {
        let mut goals = Goals::new(["How long?".to_owned()]);
        let never = |_: usize, _: bool| false;
        goals.hear(1, "Which item is it?", never);
        assert_eq!(goals, Goals::new(["How long?".to_owned()]));
        goals.hear(3, "That depends on the item that you bought.", never);
        goals.hear(5, "As I said, it depends on the item.", never);
        assert!(goals.any_open());
        goals.hear(7, "You have 30 days for most items.", |_, says| says);
        assert!(!goals.any_open());
        goals.hear(9, "You have 30 days.", |_, _| panic!("it is done"));
        let goal = goals.into_goals().remove(0);
        assert_eq!((goal.attempted, goal.done), (Some(3), Some(7)));
        assert_eq!(goal.state(), GoalState::Done);
    }

    #[test]
    fn a_second_question_waits_for_the_first() {
        let mut goals = Goals::new(["How long?", "How much?"].map(ToOwned::to_owned));
        assert!(goals.any_open() && !goals.has_more());
        goals.hear(1, "You have 30 days for most items.", |place, _| {
            assert_eq!(place, 0, "the second was not brought up yet");
            true
        });
        assert!(!goals.any_open() && goals.has_more());
        goals.raise(2);
        assert!(goals.any_open() && !goals.has_more());
        goals.hear(3, "The label costs £3.95 in all.", |place, _| place == 1);
        assert!(!goals.any_open() && !goals.has_more());
        let goals = goals.into_goals();
        let turns = |goal: &Goal| (goal.raised, goal.attempted, goal.done);
        assert_eq!(turns(&goals[0]), (Some(0), Some(1), Some(1)));
        assert_eq!(turns(&goals[1]), (Some(2), Some(3), Some(3)));
    }

    #[test]
    fn a_question_that_settles_it_is_an_answer() {
        let mut goals = Goals::new(["How long?".to_owned()]);
        goals.hear(1, "Did you know that you have 30 days?", |_, says| !says);
        let goal = goals.into_goals().remove(0);
        assert_eq!((goal.attempted, goal.done), (Some(1), Some(1)));
    }
}
