//! Whether customers keep the tone and style they were given, by rules over words. The rules see words, not meaning: they
//! tell models apart, they do not judge a single conversation.

use crate::augment::style::{self, Manner};
use crate::record::{FirstLanguage, Style, Tone};

/// Impatience and anger.
const CROSS: &[&str] = &[
    "a joke",
    "a mess",
    "absurd",
    "annoyed",
    "annoying",
    "awful",
    "come on",
    "disappointed",
    "disappointing",
    "doing my head in",
    "dreadful",
    "fed up",
    "for ages",
    "frustrated",
    "frustrating",
    "get a grip",
    "had enough",
    "hopeless",
    "how many times",
    "ignored",
    "last time",
    "losing patience",
    "never again",
    "no excuse",
    "no one",
    "nobody",
    "nonsense",
    "not acceptable",
    "not good enough",
    "nothing works",
    "once again",
    "poor service",
    "ridiculous",
    "rubbish",
    "seriously",
    "sick of",
    "so hard",
    "still no",
    "still not",
    "still waiting",
    "terrible",
    "third time",
    "tired of",
    "unacceptable",
    "unbelievable",
    "useless",
    "waste of",
    "wasted",
    "yet again",
];

/// Good cheer, mere politeness included.
const WARM: &[&str] = &[
    "appreciate",
    "cheers",
    "excellent",
    "fab",
    "glad",
    "good news",
    "great",
    "happy",
    "hope you",
    "looking forward",
    "nice",
    "no worries",
    "perfect",
    "pleased",
    "sweet",
    "thank you",
    "thanks",
];

/// More than politeness: what neither a neutral nor an annoyed customer says.
const ELATED: &[&str] = &[
    "amazing",
    "awesome",
    "brilliant",
    "delighted",
    "excited",
    "fantastic",
    "hooray",
    "love it",
    "lovely",
    "superb",
    "thrilled",
    "wonderful",
    "yay",
];

/// Everyday chat.
const CASUAL: &[&str] = &[
    "bit of a",
    "btw",
    "cheers",
    "cool",
    "cos",
    "cuz",
    "dunno",
    "gonna",
    "gotta",
    "guys",
    "hey",
    "hi there",
    "hiya",
    "kinda",
    "lol",
    "mate",
    "nope",
    "ok",
    "okay",
    "pls",
    "plz",
    "quick one",
    "ta",
    "thx",
    "u",
    "ur",
    "wanna",
    "yeah",
    "yep",
];

/// Words before `'s` that make a contraction; elsewhere it is a genitive.
const BEFORE_S: &[&str] = &[
    "he", "here", "how", "it", "let", "she", "that", "there", "what", "where", "who",
];

/// Whether a conversation's customer turns keep a tone.
///
/// - cheerful: warm or elated words, a smile or an exclamation mark somewhere; no cross words.
/// - neutral: no cross words, no elated words, no exclamation marks.
/// - annoyed: cross words somewhere; no elated words.
/// - angry: cross words somewhere; no elated and no warm words.
pub fn keeps_tone(tone: Tone, turns: &[&str]) -> bool {
    let said: Vec<String> = turns.iter().map(|turn| bare(turn)).collect();
    let any = |words: &[&str]| said.iter().any(|turn| has_any(turn, words));
    let sign = |signs: &[&str]| turns.iter().any(|t| signs.iter().any(|s| t.contains(s)));
    match tone {
        Tone::Cheerful => {
            (any(WARM) || any(ELATED) || sign(&["!", ":)", ":-)", "🙂", "😊"])) && !any(CROSS)
        }
        Tone::Neutral => !any(CROSS) && !any(ELATED) && !sign(&["!"]),
        Tone::Annoyed => any(CROSS) && !any(ELATED),
        Tone::Angry => any(CROSS) && !any(ELATED) && !any(WARM),
    }
}

/// Whether one customer turn keeps a style; none for typing mistakes, which a rule engine puts in and no model.
///
/// - plain: begins with a capital or a digit, no casual words.
/// - casual: begins in lower case, or has casual words or a contraction, or ends without a stop.
/// - formal: begins with a capital or a digit and ends with a stop; no casual words, no contractions.
pub fn keeps_style(style: Style, turn: &str) -> Option<bool> {
    let said = bare(turn);
    let first = turn.chars().find(|c| c.is_alphanumeric());
    let capital = first.is_some_and(|c| !c.is_lowercase());
    let stopped = turn
        .trim_end()
        .ends_with(['.', '!', '?', '…', '"', '”', ')']);
    let casual = has_any(&said, CASUAL);
    match style {
        Style::Plain => Some(capital && !casual),
        Style::Casual => Some(!capital || casual || contracts(&said) || !stopped),
        Style::Formal => Some(capital && stopped && !casual && !contracts(&said)),
        Style::Typos => None,
        // The language says what is put in, not what is looked for.
        Style::Colloquial | Style::Polite | Style::Rude | Style::NonNative => {
            Manner::of(style, Some(FirstLanguage::Polish))
                .map(|manner| style::holds(manner, turn).is_held())
        }
    }
}

/// Lower-case words with single spaces around each; of signs only apostrophes inside words are left.
fn bare(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
        let word = word.trim_matches(['\'', '’']);
        if !word.is_empty() {
            out.push_str(&word.to_lowercase().replace('’', "'"));
            out.push(' ');
        }
    }
    out
}

fn has_any(bare: &str, phrases: &[&str]) -> bool {
    phrases
        .iter()
        .any(|phrase| bare.contains(&format!(" {phrase} ")))
}

fn contracts(bare: &str) -> bool {
    bare.split(' ').any(|word| match word.split_once('\'') {
        Some((before, "s")) => BEFORE_S.contains(&before),
        Some((_, after)) => ["t", "re", "ll", "ve", "d", "m"].contains(&after),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_told_apart_by_words() {
        let cases = [
            (Tone::Cheerful, "Hi, hope you are well. How long?", true),
            (Tone::Cheerful, "How long do I have?", false),
            (Tone::Cheerful, "Great, still waiting!", false),
            (Tone::Neutral, "How long do I have? Thank you.", true),
            (Tone::Neutral, "This is ridiculous.", false),
            (Tone::Neutral, "How wonderful.", false),
            (Tone::Neutral, "Tell me!", false),
            (
                Tone::Annoyed,
                "Nobody could tell me this so far, thanks.",
                true,
            ),
            (Tone::Annoyed, "How long do I have?", false),
            (Tone::Annoyed, "Fed up? No, wonderful.", false),
            (Tone::Angry, "FED UP. Refund me!", true),
            (Tone::Angry, "Fed up, thanks.", false),
        ];
        for (tone, text, kept) in cases {
            assert_eq!(keeps_tone(tone, &[text]), kept, "{tone}: {text}");
        }
        // One sign is enough for a conversation, and one slip is too much.
        assert!(keeps_tone(Tone::Annoyed, &["How long?", "Yet again."]));
        assert!(!keeps_tone(Tone::Neutral, &["How long?", "Yet again."]));
    }

    #[test]
    fn words_are_whole() {
        assert!(!has_any(&bare("A greater mate-less fabric"), WARM));
        assert!(!has_any(&bare("Utah tarot"), CASUAL));
        assert!(has_any(&bare("so… “OK”!"), CASUAL));
        for (list, name) in [
            (CROSS, "cross"),
            (WARM, "warm"),
            (ELATED, "elated"),
            (CASUAL, "casual"),
        ] {
            assert!(list.is_sorted(), "{name}");
            assert!(
                list.iter().all(|phrase| bare(phrase).trim() == *phrase),
                "{name}"
            );
        }
    }

    #[test]
    fn styles_are_told_apart_turn_by_turn() {
        let cases = [
            (Style::Plain, "I can't find it.", true),
            (Style::Plain, "i can't find it.", false),
            (Style::Plain, "Hey, where is it?", false),
            (Style::Casual, "where is it?", true),
            (Style::Casual, "It's late.", true),
            (Style::Casual, "Where is it", true),
            (Style::Casual, "Where is it?", false),
            (Style::Formal, "I should like to know the fee.", true),
            (Style::Formal, "The customer's order is late.", true),
            (Style::Formal, "It’s late.", false),
            (Style::Formal, "I don't agree.", false),
            (Style::Formal, "Yeah, I agree.", false),
            (Style::Formal, "I agree", false),
        ];
        for (style, text, kept) in cases {
            assert_eq!(keeps_style(style, text), Some(kept), "{style}: {text}");
        }
        assert_eq!(keeps_style(Style::Typos, "teh"), None);
    }
}
