//! Ways of writing that are read as others: contractions without their apostrophe, chat spellings, verbs with a particle.

/// Words that are written in several ways, with what stands for them.
pub(super) const SPELLINGS: &[(&str, &[&str])] = &[
    ("aint", &["is", "not"]),
    ("alot", &["a", "lot"]),
    ("arent", &["are", "not"]),
    ("atm", &["now"]),
    ("b4", &["before"]),
    ("cannot", &["can", "not"]),
    ("cant", &["can", "not"]),
    ("cos", &["because"]),
    ("couldnt", &["could", "not"]),
    ("coz", &["because"]),
    ("cuz", &["because"]),
    ("didnt", &["did", "not"]),
    ("doesnt", &["does", "not"]),
    ("dont", &["do", "not"]),
    ("dunno", &["do", "not", "know"]),
    ("e-mail", &["email"]),
    ("e-mails", &["emails"]),
    ("gonna", &["going", "to"]),
    ("gotta", &["have", "to"]),
    ("gr8", &["great"]),
    ("hadnt", &["had", "not"]),
    ("hasnt", &["has", "not"]),
    ("havent", &["have", "not"]),
    ("hows", &["how", "is"]),
    ("im", &["i", "am"]),
    ("isnt", &["is", "not"]),
    ("ive", &["i", "have"]),
    ("kinda", &["kind", "of"]),
    ("nah", &["no"]),
    ("noone", &["nobody"]),
    ("pls", &["please"]),
    ("plz", &["please"]),
    ("shouldnt", &["should", "not"]),
    ("thats", &["that", "is"]),
    ("u", &["you"]),
    ("ur", &["your"]),
    ("w/o", &["without"]),
    ("wanna", &["want", "to"]),
    ("wasnt", &["was", "not"]),
    ("werent", &["were", "not"]),
    ("whats", &["what", "is"]),
    ("wheres", &["where", "is"]),
    ("wont", &["will", "not"]),
    ("wouldnt", &["would", "not"]),
];

/// Words in a row that are one.
pub(super) const PHRASES: &[(&[&str], &str)] = &[
    (&["any", "more"], "anymore"),
    (&["bring", "back"], "return"),
    (&["brought", "back"], "returned"),
    (&["dropped", "off"], "delivered"),
    (&["get", "hold", "of"], "reach"),
    (&["give", "back"], "return"),
    (&["gone", "through"], "processed"),
    (&["hook", "up"], "connect"),
    (&["how", "come"], "why"),
    (&["log", "in"], "login"),
    (&["logging", "in"], "login"),
    (&["in", "order", "to"], "to"),
    (&["no", "longer"], "not"),
    (&["no", "one"], "nobody"),
    (&["pick", "up"], "collect"),
    (&["picking", "up"], "collecting"),
    (&["picked", "up"], "collected"),
    (&["put", "in"], "place"),
    (&["run", "out"], "expire"),
    (&["runs", "out"], "expires"),
    (&["send", "back"], "return"),
    (&["sending", "back"], "returning"),
    (&["sent", "back"], "returned"),
    (&["show", "up"], "arrive"),
    (&["showed", "up"], "came"),
    (&["shows", "up"], "comes"),
    (&["sign", "in"], "login"),
    (&["sign", "up"], "subscribe"),
    (&["switch", "off"], "disable"),
    (&["switch", "on"], "enable"),
    (&["turn", "off"], "disable"),
    (&["turn", "on"], "enable"),
    (&["turn", "up"], "arrive"),
    (&["turned", "up"], "arrived"),
    (&["two", "times"], "twice"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_sorted() {
        assert!(SPELLINGS.is_sorted_by_key(|(from, _)| from));
        assert!(PHRASES.iter().all(|(phrase, _)| phrase.len() > 1));
    }
}
