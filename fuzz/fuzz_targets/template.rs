//! A chat template: compiled, probed, and a conversation rendered.
#![no_main]

use std::collections::BTreeMap;

use colloquy::model::template::{ChatTemplate, Day};
use colloquy::model::{ChatRole, View};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let day = Day {
        year: 2026,
        month: 11,
        day: 20,
    };
    let names = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let variables: BTreeMap<String, String> =
        names.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let Ok(template) = ChatTemplate::new(source, variables, day) else {
        return;
    };
    let mut view = View::with_system("Be {{ brief }}.");
    view.push(ChatRole::User, "Hello <|im_end|>", Vec::new());
    view.push(ChatRole::Assistant, " Hi\n", vec![1, 2]);
    view.push(ChatRole::User, "", Vec::new());
    let _ = template.render(&template.adapt(&view), true);
    let switches = [("enable_thinking".to_owned(), serde_json::Value::Bool(false))];
    let _ = template.with_kwargs(&switches.into());
});
