//! A light stemmer: enough to see that two forms are one word.

/// Forms that no rule finds.
const IRREGULAR: &[(&str, &str)] = &[
    ("abroad", "abroad"),
    ("bought", "buy"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("children", "child"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("did", "do"),
    ("died", "die"),
    ("dying", "die"),
    ("fallen", "fall"),
    ("feet", "foot"),
    ("fell", "fall"),
    ("felt", "feel"),
    ("forgot", "forget"),
    ("forgotten", "forget"),
    ("found", "find"),
    ("froze", "freeze"),
    ("frozen", "freeze"),
    ("grew", "grow"),
    ("held", "hold"),
    ("hidden", "hide"),
    ("kept", "keep"),
    ("leaved", "leave"),
    ("left", "leave"),
    ("lent", "lend"),
    ("lost", "lose"),
    ("lying", "lie"),
    ("met", "meet"),
    ("news", "news"),
    ("paid", "pay"),
    ("payed", "pay"),
    ("people", "person"),
    ("ran", "run"),
    ("rang", "ring"),
    ("rung", "ring"),
    ("sent", "send"),
    ("shown", "show"),
    ("slept", "sleep"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("spun", "spin"),
    ("stole", "steal"),
    ("stolen", "steal"),
    ("stood", "stand"),
    ("thought", "think"),
    ("threw", "throw"),
    ("thrown", "throw"),
    ("tore", "tear"),
    ("torn", "tear"),
    ("wives", "wife"),
    ("wore", "wear"),
    ("worn", "wear"),
    ("written", "write"),
    ("wrote", "write"),
];

/// The stem of a lower-case word: regular endings are cut off, irregular forms looked up.
pub(in crate::augment) fn stem(word: &str) -> String {
    if let Ok(at) = IRREGULAR.binary_search_by_key(&word, |(form, _)| form) {
        return stem_regular(IRREGULAR[at].1);
    }
    stem_regular(word)
}

fn stem_regular(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    let mut stem = if let Some(rest) = word.strip_suffix("ies").filter(|rest| rest.len() > 2) {
        format!("{rest}y")
    } else if let Some(rest) = word.strip_suffix("ied").filter(|rest| rest.len() > 2) {
        format!("{rest}y")
    } else if word.ends_with("sses")
        || word.ends_with("shes")
        || word.ends_with("ches")
        || word.ends_with("xes")
    {
        word[..word.len() - 2].to_owned()
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        word[..word.len() - 1].to_owned()
    } else {
        word.to_owned()
    };
    for ending in ["ing", "ed"] {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() > 2
            && rest.contains(['a', 'e', 'i', 'o', 'u', 'y'])
        {
            stem = undoubled(rest).to_owned();
            break;
        }
    }
    for (ending, least) in [("ation", 5), ("ement", 4), ("ment", 4), ("ly", 4)] {
        if let Some(rest) = stem.strip_suffix(ending).filter(|rest| rest.len() >= least) {
            stem = rest.to_owned();
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    if stem.len() > 3 && stem.ends_with('y') {
        stem.pop();
        stem.push('i');
    }
    undoubled(&stem).to_owned()
}

/// Without the second of two equal consonants at the end, so that `cancelled` and `cancel` meet.
fn undoubled(stem: &str) -> &str {
    let bytes = stem.as_bytes();
    match bytes {
        [.., a, b] if a == b && bytes.len() > 3 && !b"aeiouy".contains(b) => {
            &stem[..stem.len() - 1]
        }
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            "cancel cancels cancelled cancelling",
            "charge charges charged charging",
            "delivery deliveries",
            "deliver delivered delivers",
            "buy bought buying buys",
            "stop stopped stopping stops",
            "install installed installation installing",
            "replace replaced replacement",
            "child children",
            "box boxes boxed",
            "usual usually",
            "process processed processes processing",
            "crack cracked cracks",
        ] {
            let stems: Vec<String> = forms.split(' ').map(stem).collect();
            assert!(stems.iter().all(|s| *s == stems[0]), "{stems:?}");
        }
        for different in [
            "cancel chancel",
            "return refund",
            "order older",
            "part party",
            "later late",
        ] {
            let (a, b) = different.split_once(' ').unwrap();
            assert_ne!(stem(a), stem(b));
        }
    }

    #[test]
    fn irregular_forms_are_sorted() {
        assert!(IRREGULAR.is_sorted_by_key(|(form, _)| form));
    }
}
