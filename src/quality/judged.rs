//! What a judge's scores make of a conversation that the filters let pass.

use std::collections::BTreeMap;

use crate::record::{Judgement, Verdict};

/// Why a conversation is turned down for what a judge made of it: a score below its aspect's minimum (`judge_<aspect>`), or a
/// line that the judge takes for harmful where it stands (`harm`). `None` where it is not; aspects that were not judged
/// turn nothing down.
#[must_use]
pub fn judged(judgement: &Judgement, minimums: &BTreeMap<String, f64>) -> Option<Verdict> {
    let below = |(aspect, least): (&String, &f64)| {
        let value = judgement.value(aspect)?;
        (value < *least).then(|| Verdict::Reject {
            reason: format!("judge_{aspect}"),
            detail: format!("{value:.2} of 5, below {least}"),
        })
    };
    let harmful = || {
        let harm = judgement.harm.iter().find(|harm| harm.is_harmful())?;
        Some(Verdict::Reject {
            reason: "harm".into(),
            detail: format!(
                "turn {}: the judge takes it for harmful there ({:.0} %)",
                harm.turn,
                100.0 * harm.yes
            ),
        })
    };
    harmful().or_else(|| minimums.iter().find_map(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Harm, Score};

    #[test]
    fn minimums_and_harm_turn_down() {
        let score = |value| Score {
            value,
            mass: 1.0,
            lines: Vec::new(),
            control: None,
        };
        let mut judgement = Judgement {
            id: "c/0/0".into(),
            scores: BTreeMap::from([
                ("naturalness".to_owned(), score(3.0)),
                ("tone".to_owned(), score(1.4)),
            ]),
            ..Judgement::default()
        };
        let minimums = |all: &[(&str, f64)]| {
            let all = all.iter().map(|(name, least)| ((*name).to_owned(), *least));
            all.collect::<BTreeMap<_, _>>()
        };
        let reason = |judgement: &Judgement, all| match judged(judgement, &minimums(all)) {
            Some(Verdict::Reject { reason, .. }) => Some(reason),
            _ => None,
        };
        assert_eq!(reason(&judgement, &[]), None);
        assert_eq!(
            reason(&judgement, &[("naturalness", 3.0), ("age", 5.0)]),
            None
        );
        let low = reason(&judgement, &[("naturalness", 3.0), ("tone", 1.5)]);
        assert_eq!(low.as_deref(), Some("judge_tone"));
        let harm = |yes| Harm {
            turn: 2,
            span: 0..4,
            yes,
            mass: 1.0,
        };
        judgement.harm = vec![harm(0.4)];
        assert_eq!(reason(&judgement, &[]), None);
        judgement.harm.push(harm(0.7));
        assert_eq!(reason(&judgement, &[]).as_deref(), Some("harm"));
    }
}
