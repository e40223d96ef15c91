//! What words mean to each other: groups that say the same, opposites, kinds of which a thing can be only one, and
//! words that say nothing about a policy. English, for shops and services.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::knowledge::passages::stem;

/// Words that say the same for this purpose; a word in two groups may mean either.
const SAME: &str = include_str!("words/same.txt");

/// Forms whose stem is another word's.
const IRREGULAR: &str = include_str!("words/irregular.txt");

/// Words that say nothing about a policy by themselves.
const PLAIN: &str = include_str!("words/plain.txt");

/// Two words of which one denies the other.
pub(super) const OPPOSITE: &[(&str, &str)] = &[
    ("open", "close"),
    ("raise", "lower"),
    ("minimum", "maximum"),
    ("weekday", "weekend"),
    ("all", "most"),
    ("every", "most"),
    ("largest", "smallest"),
    ("cheap", "dear"),
    ("buyer", "recipient"),
    ("new", "refurbished"),
];

/// Kinds of which a statement means some and no others.
const KINDS_TEXT: &str = include_str!("words/kinds.txt");

/// Words that turn a statement into its denial.
pub(super) fn negates(word: &str) -> bool {
    matches!(
        word,
        "not"
            | "no"
            | "never"
            | "nobody"
            | "none"
            | "nothing"
            | "neither"
            | "nor"
            | "without"
            | "unable"
            | "nowhere"
            | "except"
            | "exception"
            | "exclude"
            | "excluded"
            | "excludes"
            | "excluding"
            | "exclusion"
            | "free"
            | "complimentary"
            | "gratis"
            | "impossible"
            | "forbidden"
            | "prohibited"
            | "ineligible"
            | "invalid"
            | "waive"
            | "waived"
            | "nonrefundable"
            | "non"
            | "hardly"
            | "unavailable"
            | "optional"
    )
}

/// Words of what something costs.
pub(super) fn is_price(word: &str) -> bool {
    matches!(
        word,
        "charge"
            | "charges"
            | "charged"
            | "charging"
            | "fee"
            | "fees"
            | "cost"
            | "costs"
            | "costing"
            | "price"
            | "surcharge"
            | "pay"
            | "pays"
            | "paid"
            | "paying"
            | "penalty"
            | "expense"
            | "free"
    )
}

/// Phrases of several words that are one; up to four other words may stand before the last.
const PHRASES: &str = include_str!("words/phrases.txt");

/// Terms of a shop's conditions that a reply may not bring in by itself.
const POLICY: &[&str] = &[
    "discount",
    "compensation",
    "interest",
    "insurance",
    "loyalty",
    "cashback",
    "restocking",
    "upgrade",
    "membership",
    "subscription",
    "coupon",
    "deposit",
    "bonus",
    "voucher",
    "refund",
    "warranty",
    "guarantee",
    "fee",
    "surcharge",
    "penalty",
    "fine",
    "free",
    "instalment",
    "exchange",
    "replacement",
    "credit",
    "waive",
    "gift",
    "prepaid",
];

/// How many of them, from the first, no other word of a page can stand for.
const WITHOUT_SYNONYM: usize = 14;

/// Whether a base form is such a term, and whether one that no other word can stand for.
pub(super) fn policy(base: &str) -> Option<bool> {
    POLICY_STEMS.get(base).copied()
}

static POLICY_STEMS: LazyLock<HashMap<String, bool>> = LazyLock::new(|| {
    let places = POLICY.iter().enumerate();
    places
        .map(|(index, word)| (base(word), index < WITHOUT_SYNONYM))
        .collect()
});

/// A word's meaning: the number of its stem, or of up to three groups.
pub(super) type Meaning = [u64; 3];

static GROUPS: LazyLock<HashMap<String, Meaning>> = LazyLock::new(|| {
    let mut groups: HashMap<String, Meaning> = HashMap::new();
    for (index, words) in SAME.lines().enumerate() {
        let stems: std::collections::BTreeSet<String> = words.split(' ').map(base).collect();
        for stem in stems {
            let meaning = groups.entry(stem).or_default();
            if let Some(free) = meaning.iter_mut().find(|group| **group == 0) {
                *free = index as u64 + 1;
            }
        }
    }
    groups
});

static PLAIN_STEMS: LazyLock<std::collections::HashSet<String>> =
    LazyLock::new(|| PLAIN.split_whitespace().map(base).collect());

static IRREGULAR_FORMS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    IRREGULAR
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect()
});

/// The last word and what is meant, by the first word.
static PHRASES_BY_FIRST: LazyLock<HashMap<String, Vec<(String, String)>>> = LazyLock::new(|| {
    let mut phrases: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for line in PHRASES.lines() {
        let mut words = line.split(' ');
        if let (Some(first), Some(last), Some(meaning)) = (words.next(), words.next(), words.next())
        {
            phrases
                .entry(base(first))
                .or_default()
                .push((base(last), meaning.to_owned()));
        }
    }
    phrases
});

/// Phrases that begin with a base form: the base form of the last word, and the word that says the same.
pub(super) fn phrases(first: &str) -> &'static [(String, String)] {
    PHRASES_BY_FIRST.get(first).map_or(&[], Vec::as_slice)
}

/// A word without its endings, irregular forms included.
pub(super) fn base(word: &str) -> String {
    stem(IRREGULAR_FORMS.get(word).copied().unwrap_or(word))
}

/// The meaning of a base form.
pub(super) fn meaning(base: &str) -> Meaning {
    GROUPS
        .get(base)
        .copied()
        .unwrap_or_else(|| [own(base), 0, 0])
}

/// Whether a base form is in a group: a word of the trade.
pub(super) fn is_known(base: &str) -> bool {
    GROUPS.contains_key(base)
}

/// Whether a base form says nothing about a policy by itself.
pub(super) fn is_plain(base: &str) -> bool {
    PLAIN_STEMS.contains(base)
}

/// The number of a base form alone (FNV-1a), apart from those of groups.
pub(super) fn own(base: &str) -> u64 {
    let hash = base.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash | 1 << 63
}

/// A kind of which a statement means some and no others.
pub(super) struct Exclusive {
    /// Base forms.
    pub(super) members: Vec<String>,
    /// Things for sale: a customer's own may stand for the page's.
    pub(super) products: bool,
}

/// Every such kind; days and months come first.
pub(super) static KINDS: LazyLock<Vec<Exclusive>> = LazyLock::new(|| {
    KINDS_TEXT
        .lines()
        .map(|line| Exclusive {
            members: line.split(' ').map(base).collect(),
            products: line.starts_with("kettle"),
        })
        .collect()
});
