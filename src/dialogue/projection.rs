use super::Log;
use crate::engine::{ChatRole, View};
use crate::record::{OPENER, Remark, Role};

/// The log as `side` sees it: its system message, itself as `assistant`, the other as `user`. When it speaks first, an
/// opener stands where templates expect a user. Turns that follow each other from one side become one message, since
/// many templates insist on alternation. A longer log only ever appends messages when speakers alternate, so what a
/// model has cached of the view stays valid.
#[must_use]
pub fn project(system: &str, side: Role, log: &Log) -> View {
    let mut view = View::with_system(system);
    if log.turns().first().is_none_or(|turn| turn.speaker == side) && side == Role::Customer {
        view.push(ChatRole::User, OPENER, Vec::new());
    }
    for turn in log.turns() {
        let own = turn.speaker == side;
        let role = if own {
            ChatRole::Assistant
        } else {
            ChatRole::User
        };
        match view.messages.last_mut() {
            Some(last) if last.role == role => {
                last.content.push('\n');
                last.content.push_str(&turn.text);
                last.tokens.clear();
            }
            _ => view.push(
                role,
                turn.text.clone(),
                if own { turn.tokens.clone() } else { Vec::new() },
            ),
        }
    }
    view
}

/// A group chat as one member sees it: its system message, the opening and the others' turns as `user`, each turn after its
/// speaker's name, its own as `assistant`. Turns between two of its own become one message.
#[must_use]
pub fn project_member(
    system: &str,
    opening: &str,
    member: usize,
    names: &[&str],
    remarks: &[Remark],
) -> View {
    let mut view = View::with_system(system);
    view.push(ChatRole::User, opening, Vec::new());
    for remark in remarks {
        let own = remark.speaker == member;
        let role = if own {
            ChatRole::Assistant
        } else {
            ChatRole::User
        };
        let text = if own {
            remark.text.clone()
        } else {
            format!("{}: {}", names[remark.speaker], remark.text)
        };
        match view.messages.last_mut() {
            Some(last) if last.role == role => {
                last.content.push('\n');
                last.content.push_str(&text);
                last.tokens.clear();
            }
            _ => {
                let tokens = if own {
                    remark.tokens.clone()
                } else {
                    Vec::new()
                };
                view.push(role, text, tokens);
            }
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(turns: usize) -> Log {
        let mut log = Log::default();
        for index in 0..turns {
            let speaker = if index % 2 == 0 {
                Role::Customer
            } else {
                Role::Agent
            };
            if index == 2 {
                log.say_edited(speaker, "turn 2", "trun 2".into(), 1, None, Vec::new());
            } else {
                log.say(
                    speaker,
                    format!("turn {index}"),
                    vec![u32::try_from(index).unwrap()],
                    Vec::new(),
                );
            }
        }
        log
    }

    #[test]
    fn each_side_sees_itself_as_assistant() {
        let customer = project("be a customer", Role::Customer, &log_of(4));
        let agent = project("be an agent", Role::Agent, &log_of(4));
        let of = |view: &View| -> Vec<(&'static str, String, Vec<u32>)> {
            view.messages
                .iter()
                .map(|m| (m.role.name(), m.content.clone(), m.tokens.clone()))
                .collect()
        };
        let message = |role, text: &str, tokens: &[u32]| (role, text.to_owned(), tokens.to_vec());
        assert_eq!(
            of(&customer),
            [
                message("system", "be a customer", &[]),
                message("user", "Start the chat.", &[]),
                message("assistant", "turn 0", &[0]),
                message("user", "turn 1", &[]),
                message("assistant", "trun 2", &[]),
                message("user", "turn 3", &[]),
            ]
        );
        assert_eq!(
            of(&agent)[1..],
            [
                message("user", "turn 0", &[]),
                message("assistant", "turn 1", &[1]),
                message("user", "trun 2", &[]),
                message("assistant", "turn 3", &[3]),
            ]
        );
    }

    #[test]
    fn views_only_grow() {
        for side in [Role::Customer, Role::Agent] {
            for turns in 0..12 {
                let shorter = project("s", side, &log_of(turns));
                let longer = project("s", side, &log_of(turns + 1));
                assert_eq!(longer.messages[..shorter.messages.len()], shorter.messages);
                assert_eq!(longer.messages.len(), shorter.messages.len() + 1);
            }
        }
    }

    #[test]
    fn neighbours_of_one_side_become_one_message() {
        let mut log = log_of(2);
        log.say(Role::Agent, "and another thing", vec![9], Vec::new());
        let view = project("s", Role::Agent, &log);
        let last = view.messages.last().unwrap();
        assert_eq!(
            (last.content.as_str(), last.tokens.len()),
            ("turn 1\nand another thing", 0)
        );
    }
}
