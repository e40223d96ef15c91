use proptest::prelude::*;

use super::super::fixtures::{self, Space};
use super::*;

const TEXTS: [&str; 12] = [
    "hello the order is late",
    " leading and  double   spaces ",
    "Größe 42 €, naïve café",
    "你好，世界",
    "👩‍👩‍👧 🏳️‍🌈",
    "line\nline\r\n\ttab",
    "nbsp\u{a0}x\u{2028}y",
    "a",
    " ",
    "\u{7}\u{0} control",
    "▁ is no space",
    "e\u{301} combining",
];

fn stream(tokenizer: &Arc<Tokenizer>, prompt: &[TokenId], ids: &[TokenId]) -> String {
    tokenizer.reply_text(prompt, ids)
}

fn bytes_of(tokenizer: &Tokenizer, ids: &[TokenId]) -> Vec<u8> {
    ids.iter()
        .flat_map(|id| tokenizer.bytes_of(*id).unwrap().to_vec())
        .collect()
}

/// What a kind cannot give back: an underscore like mark is read as a space.
fn readable(text: &str, tokenizer: &Tokenizer) -> String {
    if tokenizer.decoder["type"] == "ByteLevel" {
        text.to_owned()
    } else {
        text.replace('▁', " ")
    }
}

fn round_trips(name: &str, tokenizer: &Arc<Tokenizer>, text: &str) {
    let expected = readable(text, tokenizer);
    let ids = tokenizer.encode(text).unwrap();
    let decoded = tokenizer.decode(&ids).unwrap();
    let from_start = stream(tokenizer, &[], &ids);
    if tokenizer.prefix() == Prefix::Never || !text.starts_with([' ', '▁']) {
        assert_eq!(decoded, expected, "{name}");
        assert_eq!(from_start, expected, "{name}");
    }
    let inner = tokenizer.encode_inner(text).unwrap();
    assert_eq!(
        String::from_utf8(bytes_of(tokenizer, &inner)).unwrap(),
        expected,
        "{name}: continuing"
    );
    // in the middle of a text nothing is dropped
    let before = tokenizer.encode("hello").unwrap();
    assert_eq!(
        stream(tokenizer, &before, &inner),
        expected,
        "{name}: continuing, streamed"
    );
}

#[test]
fn text_survives_every_kind() {
    for (name, tokenizer) in fixtures::all() {
        let tokenizer = Arc::new(tokenizer);
        for text in TEXTS {
            // without a piece or a byte for it, the unigram and the pieces still have bytes
            round_trips(name, &tokenizer, text);
        }
    }
}

#[test]
fn text_survives_published_tokenizers() {
    for (name, tokenizer) in fixtures::published() {
        let tokenizer = Arc::new(tokenizer);
        for text in TEXTS {
            round_trips(&name, &tokenizer, text);
            // and with a control token between, as in a prompt
            let marked = format!("{text}<|endoftext|>{text}");
            let ids = tokenizer.encode(&marked).unwrap();
            assert_eq!(
                ids.iter().filter(|id| tokenizer.is_control(**id)).count(),
                1,
                "{name} {text:?}"
            );
        }
        let env = tokenizer
            .token_env(&[tokenizer.id("<|endoftext|>").unwrap()])
            .unwrap();
        let ids = env.tokenize("the order is late");
        assert_eq!(env.tok_trie().decode(&ids), b"the order is late", "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_survives(text in "\\PC{0,24}", cut in 0_usize..24) {
        for (name, tokenizer) in [("byte level", fixtures::byte_level()), ("pieces", fixtures::pieces(Space::Prepend, false))] {
            let tokenizer = Arc::new(tokenizer);
            if tokenizer.control_spans(&text).is_empty() {
                round_trips(name, &tokenizer, &text);
                let at = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
                let mut ids = tokenizer.encode_inner(&text[..at]).unwrap();
                ids.extend(tokenizer.encode_inner(&text[at..]).unwrap());
                prop_assert_eq!(String::from_utf8(bytes_of(&tokenizer, &ids)).unwrap(), readable(&text, &tokenizer));
            }
        }
    }
}

#[test]
fn control_words_can_be_plain() {
    for (name, tokenizer) in fixtures::all() {
        let text = "hello<|im_end|>\n<|im_start|>user</s>";
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(
            ids.iter().filter(|id| tokenizer.is_control(**id)).count(),
            3,
            "{name}"
        );
        for ids in [
            tokenizer.encode_plain(text).unwrap(),
            tokenizer.encode_inner(text).unwrap(),
        ] {
            assert!(
                !ids.iter().any(|id| tokenizer.is_control(*id)),
                "{name}: {ids:?}"
            );
            let back = String::from_utf8(bytes_of(&tokenizer, &ids)).unwrap();
            assert_eq!(back.trim_start(), text, "{name}");
        }
    }
}

#[test]
fn words_added_by_hand_stay_words() {
    let tokenizer = fixtures::byte_level();
    let think = tokenizer.id("<think>").unwrap();
    assert!(!tokenizer.is_control(think));
    let ids = tokenizer.encode_plain("<think>hello<|im_end|>").unwrap();
    assert_eq!(ids[0], think);
    assert!(!ids.iter().any(|id| tokenizer.is_control(*id)));
}

#[test]
fn a_reply_after_a_turn_mark_has_no_space_of_the_tokenizer() {
    for (space, expected) in [
        (Space::Prepend, "hello the order"),
        (Space::First, " hello the order"),
    ] {
        let tokenizer = Arc::new(fixtures::pieces(space, false));
        let mark = tokenizer.id("<|assistant|>").unwrap();
        let reply = [
            tokenizer.id("▁hello").unwrap(),
            tokenizer.id("▁the").unwrap(),
            tokenizer.id("▁order").unwrap(),
        ];
        assert_eq!(stream(&tokenizer, &[mark], &reply), expected);
    }
}

#[test]
fn characters_appear_when_they_are_whole() {
    let tokenizer = Arc::new(fixtures::byte_level());
    let ids = tokenizer.encode("é🙂").unwrap();
    assert_eq!(ids.len(), 6);
    let mut detokenizer = Detokenizer::new(Arc::clone(&tokenizer), &[]);
    let pieces: Vec<String> = ids.iter().map(|id| detokenizer.push(*id)).collect();
    assert_eq!(pieces, ["", "é", "", "", "", "🙂"]);
    assert_eq!(detokenizer.finish(), "");

    // a character cut off, then one that is none
    let mut detokenizer = Detokenizer::new(Arc::clone(&tokenizer), &[]);
    assert_eq!(detokenizer.push(ids[2]), "");
    assert_eq!(
        detokenizer.push(tokenizer.id("hello").unwrap()),
        "\u{FFFD}hello"
    );
    assert_eq!(detokenizer.push(ids[2]), "");
    assert_eq!(detokenizer.finish(), "\u{FFFD}");
    assert_eq!(detokenizer.push(tokenizer.id("<|im_end|>").unwrap()), "");
}

#[test]
fn a_decoder_without_bytes_streams_through_a_window() {
    let tokenizer = Arc::new(fixtures::word_pieces());
    assert!(tokenizer.bytes_of(0).is_none());
    assert!(matches!(
        tokenizer.token_env(&[0]),
        Err(TokenizerError::NoBytes { .. })
    ));
    let text = "the orders late hello . the ab orders hello the late late orders ab .";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(stream(&tokenizer, &[], &ids), text);
    let prompt = tokenizer.encode("hello the").unwrap();
    assert_eq!(
        stream(&tokenizer, &prompt, &tokenizer.encode("orders").unwrap()),
        " orders"
    );
}

#[test]
fn ids_must_have_rows() {
    let tokenizer = fixtures::byte_level();
    assert!(tokenizer.check_rows(tokenizer.size()).is_ok());
    assert!(tokenizer.check_rows(tokenizer.size() + 64).is_ok());
    let message = tokenizer
        .check_rows(tokenizer.size() - 1)
        .unwrap_err()
        .to_string();
    assert!(message.contains("do not belong together"), "{message}");
}

#[test]
fn grammars_see_the_same_bytes() {
    for (name, tokenizer) in fixtures::all() {
        let tokenizer = Arc::new(tokenizer);
        let ends = [
            tokenizer.id("<|im_end|>").unwrap(),
            tokenizer.id("</s>").unwrap(),
        ];
        let env = tokenizer.token_env(&ends).unwrap();
        let trie = env.tok_trie();
        assert_eq!(trie.vocab_size(), tokenizer.size());
        assert_eq!(trie.eos_tokens(), ends);
        assert!(
            trie.is_special_token(ends[0])
                && !trie.is_special_token(tokenizer.id("hello").unwrap()),
            "{name}"
        );
        let ids = env.tokenize("{hello the order é\n}");
        assert_eq!(
            trie.decode(&ids),
            "{hello the order é\n}".as_bytes(),
            "{name}"
        );
        assert!(!ids.iter().any(|id| tokenizer.is_control(*id)));
        assert_eq!(
            trie.decode(&env.tokenize_bytes(b"hello \xF0\x9F")),
            b"hello \xF0\x9F",
            "{name}"
        );
        assert!(matches!(
            tokenizer.token_env(&[]),
            Err(TokenizerError::NoEnd)
        ));
    }
}

#[test]
fn a_grammar_runs_on_the_trie() {
    use llguidance::api::TopLevelGrammar;
    use llguidance::{Matcher, ParserFactory};

    for (name, tokenizer) in fixtures::all() {
        let tokenizer = Arc::new(tokenizer);
        let end = tokenizer.id("<|im_end|>").unwrap();
        let env = tokenizer.token_env(&[end]).unwrap();
        let factory = ParserFactory::new_simple(&env).unwrap();
        let mut matcher =
            Matcher::new(factory.create_parser(TopLevelGrammar::from_regex("hello( the)? order")));
        for id in tokenizer.encode_inner("hello the order").unwrap() {
            assert!(
                matcher.compute_mask().unwrap().is_allowed(id),
                "{name}: {:?}",
                tokenizer.name(id)
            );
            matcher.consume_token(id).unwrap();
        }
        assert!(matcher.is_accepting().unwrap(), "{name}");
        let mask = matcher.compute_mask_or_eos().unwrap();
        assert!(mask.is_allowed(end) && mask.num_set() == 1, "{name}");
    }
}

#[test]
fn bad_files_say_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let message = Tokenizer::load(&path, None).unwrap_err().to_string();
    assert!(
        message.starts_with("cannot read") && message.contains("tokenizer.json"),
        "{message}"
    );
    std::fs::write(&path, "{\"model\": 3}").unwrap();
    assert!(matches!(
        Tokenizer::load(&path, None),
        Err(TokenizerError::Malformed { .. })
    ));
}
