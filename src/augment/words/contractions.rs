//! Contractions and chat spellings, both ways.

/// Two words and what they become, all in lower case.
pub(in crate::augment) const CONTRACTED: &[(&str, &str, &str)] = &[
    ("are", "not", "aren't"),
    ("can", "not", "can't"),
    ("could", "not", "couldn't"),
    ("did", "not", "didn't"),
    ("do", "not", "don't"),
    ("does", "not", "doesn't"),
    ("had", "not", "hadn't"),
    ("has", "not", "hasn't"),
    ("have", "not", "haven't"),
    ("here", "is", "here's"),
    ("how", "is", "how's"),
    ("i", "am", "i'm"),
    ("i", "have", "i've"),
    ("i", "will", "i'll"),
    ("i", "would", "i'd"),
    ("is", "not", "isn't"),
    ("it", "is", "it's"),
    ("it", "will", "it'll"),
    ("it", "would", "it'd"),
    ("let", "us", "let's"),
    ("should", "not", "shouldn't"),
    ("that", "is", "that's"),
    ("there", "is", "there's"),
    ("they", "are", "they're"),
    ("they", "have", "they've"),
    ("was", "not", "wasn't"),
    ("we", "are", "we're"),
    ("we", "have", "we've"),
    ("we", "will", "we'll"),
    ("were", "not", "weren't"),
    ("what", "is", "what's"),
    ("where", "is", "where's"),
    ("who", "is", "who's"),
    ("will", "not", "won't"),
    ("would", "not", "wouldn't"),
    ("you", "are", "you're"),
    ("you", "have", "you've"),
    ("you", "will", "you'll"),
    ("you", "would", "you'd"),
];

/// Words that lose their apostrophe without becoming another word.
pub(in crate::augment) const BARE: &[&str] = &[
    "aren't",
    "can't",
    "couldn't",
    "didn't",
    "doesn't",
    "don't",
    "hadn't",
    "hasn't",
    "haven't",
    "how's",
    "i'm",
    "i've",
    "isn't",
    "shouldn't",
    "that's",
    "wasn't",
    "what's",
    "where's",
    "won't",
    "wouldn't",
];

/// Everyday words for plain ones.
pub(in crate::augment) const EVERYDAY: &[(&str, &str)] = &[
    ("assistance", "help"),
    ("because", "cos"),
    ("children", "kids"),
    ("hello", "hey"),
    ("however", "but"),
    ("okay", "ok"),
    ("please", "pls"),
    ("purchase", "buy"),
    ("purchased", "bought"),
    ("repair", "fix"),
    ("repaired", "fixed"),
    ("television", "tv"),
    ("thanks", "thx"),
    ("though", "tho"),
    ("yes", "yeah"),
    ("you", "u"),
    ("your", "ur"),
];

/// Two words that are one in chat.
pub(in crate::augment) const MERGED: &[(&str, &str, &str)] =
    &[("going", "to", "gonna"), ("want", "to", "wanna")];

/// Chat spellings and slang with the words they stand for.
pub(in crate::augment) const SPELT_OUT: &[(&str, &str)] = &[
    ("btw", "by the way"),
    ("cos", "because"),
    ("coz", "because"),
    ("cuz", "because"),
    ("dunno", "do not know"),
    ("gonna", "going to"),
    ("gotta", "have to"),
    ("hey", "hello"),
    ("hiya", "hello"),
    ("kids", "children"),
    ("ok", "all right"),
    ("okay", "all right"),
    ("pls", "please"),
    ("plz", "please"),
    ("thanks", "thank you"),
    ("tho", "though"),
    ("thx", "thank you"),
    ("tv", "television"),
    ("u", "you"),
    ("ur", "your"),
    ("w/o", "without"),
    ("wanna", "want to"),
    ("yeah", "yes"),
    ("yep", "yes"),
];

/// Padding that a formal text does without.
pub(in crate::augment) const DROPPED: &[&str] = &["haha", "hmm", "lol", "mate", "omg", "uh", "um"];
