//! Products by their names: which of them a text speaks of, whatever it calls them.

/// What a product is called: the first name is the one that stands for all. Names are lower case, words apart by spaces.
const PRODUCTS: &[&[&str]] = &[
    &[
        "smartphone",
        "smart phone",
        "phone",
        "mobile phone",
        "mobile",
        "cell phone",
        "cellphone",
        "handset",
        "iphone",
        "android phone",
    ],
    &[
        "laptop",
        "notebook",
        "notebook computer",
        "laptop computer",
        "chromebook",
    ],
    &["computer", "desktop", "desktop computer", "pc"],
    &["tablet", "tablet computer", "ipad"],
    &["washing machine", "washer", "clothes washer"],
    &[
        "dryer",
        "tumble dryer",
        "tumble drier",
        "drier",
        "clothes dryer",
    ],
    &["dishwasher", "dish washer"],
    &["microwave oven", "microwave"],
    &["oven", "stove", "cooker", "range cooker"],
    &["hob"],
    &["fridge", "refrigerator", "fridge freezer"],
    &["freezer", "chest freezer"],
    &["smart watch", "smartwatch", "watch"],
    &["camera", "digital camera"],
    &[
        "television",
        "tv",
        "telly",
        "tv set",
        "television set",
        "smart tv",
    ],
    &["vacuum cleaner", "hoover", "vacuum"],
    &["headphones", "headphone", "headset"],
    &["earphones", "earphone", "earbuds", "earbud"],
    &["speaker", "loudspeaker"],
    &["printer"],
    &["monitor"],
    &["kettle"],
    &["toaster"],
    &["blender"],
    &["mixer", "stand mixer"],
    &["coffee machine", "coffee maker", "espresso machine"],
    &["iron", "steam iron"],
    &["router", "wifi router"],
    &["console", "games console", "game console"],
    &["keyboard"],
    &["charger"],
    &["mattress"],
    &["sofa", "couch", "settee"],
    &["bicycle", "bike"],
    &["lawn mower", "lawnmower", "mower"],
    &["drill", "power drill"],
    &["heater"],
    &["fan heater"],
];

/// Words after which a product's name is none: a phone number is no phone.
const NOT_BEFORE: &[&str] = &[
    "number", "numbers", "call", "calls", "line", "support", "out", "over",
];

/// The name that stands for all names of a product, when the whole phrase is one; plural or not, in any case.
#[must_use]
pub fn canonical(phrase: &str) -> Option<&'static str> {
    let lower = phrase.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    match at(&words, 0) {
        Some((name, length)) if length == words.len() => Some(name),
        _ => None,
    }
}

/// The products a text names, each once, in the order of their first mention.
#[must_use]
pub fn named(text: &str) -> Vec<&'static str> {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    let mut place = 0;
    while place < words.len() {
        match at(&words, place) {
            Some((name, length)) => {
                if !found.contains(&name) {
                    found.push(name);
                }
                place += length;
            }
            None => place += 1,
        }
    }
    found
}

/// The product whose longest name begins at a word, with the number of its words.
pub(super) fn at(words: &[&str], place: usize) -> Option<(&'static str, usize)> {
    let first = *words.get(place)?;
    if first.len() < 2 {
        return None;
    }
    let mut best: Option<(&'static str, usize)> = None;
    for names in PRODUCTS {
        for name in *names {
            let length = begins(name, &words[place..]);
            if length > best.map_or(0, |(_, length)| length) {
                best = Some((names[0], length));
            }
        }
    }
    best.filter(|(_, length)| {
        !words
            .get(place + length)
            .is_some_and(|next| NOT_BEFORE.contains(next))
    })
}

/// How many words of the text a name takes at its beginning; 0 when it is not there.
fn begins(name: &str, words: &[&str]) -> usize {
    let mut length = 0;
    for part in name.split(' ') {
        match words.get(length) {
            Some(word) if is_form(word, part) => length += 1,
            _ => return 0,
        }
    }
    length
}

/// Whether a word is a name's part, or its plural.
fn is_form(word: &str, part: &str) -> bool {
    word.strip_prefix(part)
        .is_some_and(|rest| matches!(rest, "" | "s" | "es"))
}

/// Words of letters and digits, lower case; a genitive's end is cut off.
fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.trim_end_matches("'s").trim_end_matches("’s"))
        .map(|word| word.trim_matches(['\'', '’']).to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_product_are_one() {
        assert_eq!(canonical("Washer"), Some("washing machine"));
        assert_eq!(canonical("phones"), Some("smartphone"));
        assert_eq!(canonical("garden gnome"), None);
        assert_eq!(canonical("phone number"), None);
        assert_eq!(canonical(""), None);
    }

    #[test]
    fn the_longest_name_counts() {
        assert_eq!(
            named("My microwave oven, not the oven."),
            ["microwave oven", "oven"]
        );
        assert_eq!(named("the washing-machine's door"), ["washing machine"]);
        assert_eq!(named("Which phone number do I ring?"), Vec::<&str>::new());
        assert_eq!(
            named("a tumble dryer and a smart watch"),
            ["dryer", "smart watch"]
        );
        assert_eq!(named("phones, mobiles and iPhones"), ["smartphone"]);
    }
}
