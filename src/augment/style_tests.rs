use proptest::prelude::*;

use super::*;

const MANNERS: &[Manner] = &[
    Manner::Plain,
    Manner::Casual,
    Manner::Formal,
    Manner::Polite,
    Manner::Rude,
    Manner::Typos,
    Manner::Colloquial,
    Manner::NonNative(FirstLanguage::Polish),
];
const TONES: &[Tone] = &[Tone::Cheerful, Tone::Neutral, Tone::Annoyed, Tone::Angry];

#[test]
fn manners_are_told_apart() {
    for (manner, text, held) in [
        (Manner::Plain, "I can't find my order.", true),
        (Manner::Plain, "i can't find my order.", false),
        (Manner::Plain, "Hey, where is my order?", false),
        (Manner::Casual, "Where is it? I can't find my order.", true),
        (Manner::Casual, "Where is my order? It is late.", false),
        (Manner::Casual, "It is LK-1.", true),
        (Manner::Colloquial, "where's my order, it's late", true),
        (Manner::Colloquial, "Where's my order? It's late.", false),
        (
            Manner::Formal,
            "I would like to know where my order is.",
            true,
        ),
        (Manner::Formal, "I'd like to know where my order is.", false),
        (Manner::Formal, "Tell me where it is!", false),
        (Manner::Polite, "Could you tell me where my order is?", true),
        (Manner::Polite, "Tell me where my order is.", false),
        (Manner::Rude, "Tell me where my stupid order is.", true),
        (Manner::Rude, "Please tell me where my order is.", false),
        (
            Manner::Typos,
            "My ordre has not arrived and I wnat it back.",
            true,
        ),
        (
            Manner::Typos,
            "My order has not arrived and I want it back.",
            false,
        ),
        (Manner::Typos, "Yes, LK-48213.", true),
        (
            Manner::NonNative(FirstLanguage::Polish),
            "I bought it before two week and I want return camera.",
            true,
        ),
        (
            Manner::NonNative(FirstLanguage::Polish),
            "I bought it two weeks ago and I want to return the camera.",
            false,
        ),
    ] {
        assert_eq!(
            holds(manner, text).is_held(),
            held,
            "{manner:?}: {text}: {:?}",
            holds(manner, text)
        );
    }
}

#[test]
fn tones_are_told_apart() {
    for (tone, text, held) in [
        (Tone::Cheerful, "Brilliant, that is good to know.", true),
        (Tone::Cheerful, "And what does it cost to send it?", false),
        (Tone::Cheerful, "Great, this is ridiculous!", false),
        (Tone::Neutral, "And what does it cost to send it?", true),
        (Tone::Neutral, "And what does it cost!", false),
        (Tone::Neutral, "This is a ridiculous price.", false),
        (
            Tone::Annoyed,
            "The order is LK-48213, as I said before.",
            true,
        ),
        (Tone::Annoyed, "The order is LK-48213, thank you.", false),
        (Tone::Angry, "This is unacceptable. Where is it?", true),
        (Tone::Angry, "WHERE is it then, tell me now", true),
        (Tone::Angry, "Could you tell me where it is?", false),
        (Tone::Angry, "It is LK-1.", true),
    ] {
        assert_eq!(
            holds_tone(tone, text).is_held(),
            held,
            "{tone}: {text}: {:?}",
            holds_tone(tone, text)
        );
    }
}

#[test]
fn manners_are_given_back() {
    let text = "Hello, I would like to know whether you can collect order LK-48213 on Friday. It is too heavy for the post.";
    for manner in [Manner::Casual, Manner::Colloquial, Manner::Typos] {
        let given = (0..50)
            .filter(|&seed| {
                holds(
                    manner,
                    &impose(manner, text, &["LK-48213"], Stream::root(seed)).text,
                )
                .is_held()
            })
            .count();
        assert!(given > 40, "{manner:?}: {given}");
    }
    for language in [FirstLanguage::Polish, FirstLanguage::Spanish] {
        let given = (0..50)
            .filter(|&seed| {
                impose(
                    Manner::NonNative(language),
                    text,
                    &["LK-48213"],
                    Stream::root(seed),
                )
                .edits
                    > 0
            })
            .count();
        assert!(given > 40, "{language:?}: {given}");
    }
    let from_chat = "hey can u collect order LK-48213 on friday, it's too heavy for the post lol";
    for manner in [Manner::Plain, Manner::Formal] {
        let given = impose(manner, from_chat, &["LK-48213"], Stream::root(1));
        assert!(
            holds(manner, &given.text).is_held() && given.edits > 0,
            "{manner:?}: {}",
            given.text
        );
    }
    let polite = impose(
        Manner::Polite,
        "Can you tell me where my order is?",
        &[],
        Stream::root(1),
    );
    assert_eq!(polite.text, "Can you please tell me where my order is?");
    let rude = impose(
        Manner::Rude,
        "Tell me where it is, please. Thank you so much.",
        &[],
        Stream::root(1),
    );
    assert_eq!(rude.text, "Tell me where it is.");
}

#[test]
fn tones_are_given_back_by_small_means() {
    for (tone, from, to) in [
        (
            Tone::Neutral,
            "I have it now! Where is the rest?!",
            "I have it now. Where is the rest?",
        ),
        (
            Tone::Cheerful,
            "I will take it to the post office.",
            "I will take it to the post office!",
        ),
        (
            Tone::Annoyed,
            "Thank you for the answer. It is still broken.",
            "It is still broken.",
        ),
        (
            Tone::Angry,
            "Thanks. I want my money back for this.",
            "I want my money back for this!",
        ),
        (Tone::Annoyed, "Thanks!", "Thanks!"),
        (
            Tone::Annoyed,
            "It is still broken, thank you.",
            "It is still broken.",
        ),
    ] {
        assert_eq!(impose_tone(tone, from, &[]).text, to, "{tone}");
    }
}

/// How often the typing mistakes and learners' mistakes that the engines make are seen, and how often they are seen where
/// nobody made any.
#[test]
fn mistakes_of_the_engines_are_seen_on_the_shipped_questions() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/pages");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut questions: Vec<String> = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.to_string_lossy().ends_with(".facts.json"))
    {
        let facts: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for fact in facts["facts"].as_array().unwrap() {
            questions.extend(
                fact["questions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|q| q.as_str().unwrap().to_owned()),
            );
        }
    }
    let long: Vec<&String> = questions
        .iter()
        .filter(|q| q.split_whitespace().count() >= 8)
        .step_by(3)
        .collect();
    let share = |manner: Manner, make: &dyn Fn(u64, &str) -> Edited| {
        let made: Vec<Edited> = (0..)
            .zip(&long)
            .map(|(seed, text)| make(seed, text))
            .collect();
        let changed: Vec<&Edited> = made.iter().filter(|edited| edited.edits > 0).collect();
        let held = changed
            .iter()
            .filter(|edited| holds(manner, &edited.text).is_held())
            .count();
        let alarms = long
            .iter()
            .filter(|text| holds(manner, text).is_held())
            .count();
        println!(
            "{:<10} seen in {held} of {}, where there are none in {alarms} of {}",
            manner.name(),
            changed.len(),
            long.len()
        );
        (held * 100 / changed.len(), alarms * 100 / long.len())
    };
    let (seen, alarms) = share(Manner::Typos, &|seed, text| {
        typos::apply(text, 4, &[], Stream::root(seed))
    });
    assert!(seen >= 90 && alarms <= 10, "{seen} {alarms}");
    let (seen, alarms) = share(Manner::Colloquial, &|seed, text| {
        colloquial::apply(text, 0.8, &[], Stream::root(seed))
    });
    assert!(seen >= 90 && alarms <= 10, "{seen} {alarms}");
    // A learner's mistakes are seen where three words show them; most take more.
    let mut most = 0;
    for language in FirstLanguage::ALL {
        let manner = Manner::NonNative(*language);
        let (seen, alarms) = share(manner, &|seed, text| {
            non_native::apply(text, *language, 0.8, &[], Stream::root(seed))
        });
        println!("    {}: {seen} %", language.name());
        assert!(alarms <= 10, "{}: {alarms}", language.name());
        most = most.max(seen);
    }
    assert!(most >= 40, "{most}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_held_stays_and_facts_stay_always(words in proptest::collection::vec("[a-zA-Z]{1,8}[.,!?]?|£[0-9]{1,3}|LK-[0-9]{5}|Thanks[.,!]|please|can you|\\PC{1,3}", 0..20), seed: u64) {
        let text = words.join(" ");
        let digits = |text: &str| text.split_whitespace().filter(|w| w.contains(|c: char| c.is_ascii_digit())).map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()).collect::<Vec<_>>();
        let all = check(Manner::Polite, Tone::Angry, &text);
        prop_assert_eq!(all, Check { manner: holds(Manner::Polite, &text), tone: holds_tone(Tone::Angry, &text), thanks: thanks(&text), asks: asks(&text) });
        for manner in MANNERS {
            let edited = impose(*manner, &text, &["can you"], Stream::root(seed));
            prop_assert_eq!(&edited, &impose(*manner, &text, &["can you"], Stream::root(seed)));
            prop_assert_eq!(digits(&text), digits(&edited.text));
            if holds(*manner, &text).is_held() {
                prop_assert_eq!(&text, &edited.text);
            }
        }
        for tone in TONES {
            let edited = impose_tone(*tone, &text, &[]);
            prop_assert_eq!(digits(&text), digits(&edited.text));
            if holds_tone(*tone, &text).is_held() {
                prop_assert_eq!(&text, &edited.text);
            }
        }
    }
}
