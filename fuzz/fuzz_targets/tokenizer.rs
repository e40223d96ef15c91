//! `tokenizer.json`: read, then texts there and back.
#![no_main]

use std::sync::Arc;

use colloquy::model::tokenizer::{Detokenizer, Tokenizer};
use libfuzzer_sys::fuzz_target;

const TEXTS: [&str; 4] = [
    "The kettle is late.",
    " <|im_start|>user\n12.50 €, or <s> naïve</s>?  ",
    "\u{1F9D1}\u{200D}\u{1F4BB} a\u{0301}\u{FEFF}\0",
    "",
];

fuzz_target!(|data: &[u8]| {
    colloquy_fuzz::mind_uncaught_panics_only();
    let path = colloquy_fuzz::file("tokenizer.json", data);
    let Ok(tokenizer) = Tokenizer::load(&path, None) else {
        return;
    };
    let tokenizer = Arc::new(tokenizer);
    let _ = tokenizer.check_rows(512);
    for text in TEXTS {
        let Ok(ids) = tokenizer.encode(text) else {
            continue;
        };
        assert!(
            ids.iter().all(|id| (*id as usize) < tokenizer.size()),
            "{ids:?}"
        );
        let _ = tokenizer.decode(&ids);
        let _ = tokenizer.reply_text(&[], &ids);
        for plain in [tokenizer.encode_plain(text), tokenizer.encode_inner(text)]
            .into_iter()
            .flatten()
        {
            assert!(
                plain.iter().all(|id| (*id as usize) < tokenizer.size()),
                "{plain:?}"
            );
        }
    }
    let mut reply = Detokenizer::new(Arc::clone(&tokenizer), &[]);
    for id in 0..tokenizer.size().min(64) {
        reply.push(u32::try_from(id).expect("small"));
    }
    reply.finish();
    if tokenizer.size() < 4096 {
        let _ = tokenizer.token_env(&[0]);
    }
});
