use std::path::PathBuf;

use super::*;
use crate::model::ChatRole;
use crate::model::template::OPENER;

const DAY: Day = Day {
    year: 2026,
    month: 11,
    day: 20,
};

fn own_templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates")
}

fn role(name: &str) -> &'static str {
    match name {
        "system" => "system",
        "user" => "user",
        _ => "assistant",
    }
}

/// Renders every golden of a folder; returns how many agreed.
fn agree(folder: &Path) -> usize {
    let goldens: Json =
        serde_json::from_str(&std::fs::read_to_string(folder.join("goldens.json")).unwrap())
            .unwrap();
    let mut count = 0;
    for (name, rows) in goldens["goldens"].as_object().unwrap() {
        let source =
            std::fs::read_to_string(folder.join(name).with_added_extension("jinja")).unwrap();
        let variables = goldens["variables"].as_object().unwrap();
        let variables = variables
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let template = ChatTemplate::new(&source, variables, DAY)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (case, row) in rows.as_object().unwrap() {
            let (case_name, kind) = case.split_once('/').unwrap();
            let messages = goldens["cases"][case_name].as_array().unwrap().iter();
            let messages = messages.map(|message| {
                (
                    role(message["role"].as_str().unwrap()),
                    message["content"].as_str().unwrap(),
                )
            });
            let found = template.render_pairs(messages, kind == "prompt");
            match (found, row["text"].as_str(), row["error"].as_str()) {
                (Ok(found), Some(expected), _)
                | (Err(TemplateError::Refused(found)), _, Some(expected)) => {
                    assert_eq!(found, expected, "{name} {case}");
                }
                (found, expected, error) => {
                    panic!("{name} {case}: {found:?} instead of {expected:?} {error:?}")
                }
            }
            count += 1;
        }
    }
    count
}

#[test]
fn own_templates_render_as_the_reference_does() {
    assert_eq!(agree(&own_templates()), 7 * 16);
}

/// Templates of published models are not part of the project; they are tried where a copy lies beside it.
#[test]
fn published_templates_render_as_the_reference_does() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/assets/chat_templates"));
    if let Some(folder) = folders
        .into_iter()
        .find(|folder| folder.join("goldens.json").is_file())
    {
        assert_eq!(agree(&folder), 9 * 20);
    }
}

fn own(name: &str) -> ChatTemplate {
    let source =
        std::fs::read_to_string(own_templates().join(name).with_added_extension("jinja")).unwrap();
    let variables = [("bos_token", "<s>"), ("eos_token", "</s>")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    ChatTemplate::new(&source, variables.into(), DAY).unwrap()
}

#[test]
fn probes_find_what_a_template_accepts() {
    let free = TemplateShape::default();
    assert_eq!(*own("bars").shape(), free);
    assert_eq!(*own("thinking").shape(), free);
    assert_eq!(
        *own("dated").shape(),
        TemplateShape {
            trims: true,
            user_first: true,
            ..free
        }
    );
    assert_eq!(
        *own("nosystem").shape(),
        TemplateShape {
            system: false,
            trims: true,
            ..free
        }
    );
    // the system text moves to the newest user turn, and a space follows the prompt
    assert_eq!(
        *own("strict").shape(),
        TemplateShape {
            alternates: true,
            user_first: true,
            trims: true,
            prefix_stable: false,
            ..free
        }
    );
}

fn view(messages: &[(ChatRole, &str)]) -> View {
    let mut view = View::default();
    for (role, content) in messages {
        view.push(*role, *content, vec![7]);
    }
    view
}

fn adapted(shape: TemplateShape, messages: &[(ChatRole, &str)]) -> Vec<(ChatRole, String, usize)> {
    let adapted = shape.adapt(&view(messages));
    adapted
        .into_iter()
        .map(|message| (message.role, message.content, message.tokens.len()))
        .collect()
}

#[test]
fn views_are_adapted_to_the_template() {
    use ChatRole::{Assistant, System, User};
    let free = TemplateShape::default();
    let own = |role, text: &str, tokens| (role, text.to_owned(), tokens);

    let whole = [(System, "s"), (Assistant, "a"), (User, "u"), (User, "v")];
    assert_eq!(
        adapted(free, &whole),
        [
            own(System, "s", 1),
            own(Assistant, "a", 1),
            own(User, "u", 1),
            own(User, "v", 1)
        ]
    );
    let strict = TemplateShape {
        alternates: true,
        user_first: true,
        ..free
    };
    assert_eq!(
        adapted(strict, &whole),
        [
            own(System, "s", 1),
            own(User, OPENER, 0),
            own(Assistant, "a", 1),
            own(User, "u\nv", 0)
        ]
    );
    let bare = TemplateShape {
        system: false,
        ..free
    };
    let folded = format!("s\n\n{OPENER}");
    assert_eq!(
        adapted(bare, &whole),
        [
            own(User, &folded, 0),
            own(Assistant, "a", 1),
            own(User, "u", 1),
            own(User, "v", 1)
        ]
    );
    assert_eq!(
        adapted(bare, &[(System, "s"), (User, "u"), (Assistant, "a")]),
        [own(User, "s\n\nu", 0), own(Assistant, "a", 1)]
    );

    // a view with a system message only, as of someone who is to speak first
    assert_eq!(adapted(free, &[(System, "s")]), [own(System, "s", 1)]);
    assert_eq!(
        adapted(strict, &[(System, "s")]),
        [own(System, "s", 1), own(User, OPENER, 0)]
    );
    assert_eq!(adapted(bare, &[(System, "s")]), [own(User, &folded, 0)]);
    assert_eq!(
        adapted(strict, &[(System, "s"), (System, "t")]),
        [own(System, "s\nt", 0), own(User, OPENER, 0)]
    );
}

#[test]
fn adapted_views_are_accepted_by_every_template() {
    use ChatRole::{Assistant, System, User};
    let views: [&[(ChatRole, &str)]; 6] = [
        &[(System, "rules")],
        &[(System, "rules"), (Assistant, "one"), (User, "two")],
        &[
            (System, "rules"),
            (User, "one"),
            (User, "two"),
            (Assistant, "three"),
            (User, "four"),
        ],
        &[(User, "one")],
        &[(Assistant, "one"), (Assistant, "two"), (User, "three")],
        &[
            (System, "rules"),
            (User, "one"),
            (Assistant, "two"),
            (Assistant, "three"),
            (User, "four"),
        ],
    ];
    for name in [
        "bars", "strict", "nosystem", "dated", "thinking", "training",
    ] {
        let template = own(name);
        for messages in views {
            let text = template
                .render(&template.adapt(&view(messages)), true)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for (_, content) in messages {
                assert!(
                    text.contains(content),
                    "{name} lost {content:?} in {text:?}"
                );
            }
        }
    }
}

#[test]
fn thinking_can_be_switched_off() {
    let messages = [("user", "x")];
    let template = own("thinking").with_thinking(false).unwrap();
    let text = template.render_pairs(messages.into_iter(), true).unwrap();
    assert!(
        text.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        "{text:?}"
    );
}

#[test]
fn templates_are_found_in_a_model_folder() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let load = || ChatTemplate::load(folder.path(), DAY);
    assert!(matches!(load(), Err(TemplateError::Missing { .. })));
    write("tokenizer_config.json", "{\"bos_token\": null}");
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains("no chat template in")
    );

    let source = "{{ bos_token }}{{ eos_token }}{{ pad_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
    let config = serde_json::json!({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "add_bos_token": true, "chat_template": source});
    write("tokenizer_config.json", &config.to_string());
    let render = |template: ChatTemplate| {
        template
            .render_pairs([("user", "x")].into_iter(), false)
            .unwrap()
    };
    assert_eq!(render(load().unwrap()), "<b><e>user:x;");

    let named = |names: [&str; 2]| {
        let list = names.map(|name| serde_json::json!({"name": name, "template": source.replace("bos_token", "'B'")}));
        serde_json::json!({"chat_template": list}).to_string()
    };
    write("tokenizer_config.json", &named(["tool_use", "default"]));
    assert_eq!(render(load().unwrap()), "Buser:x;");
    write("tokenizer_config.json", &named(["tool_use", "rag"]));
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains("expected a template named `default` among [tool_use, rag]")
    );

    write(
        "chat_template.jinja",
        "{% for m in messages %}[{{ m.content }}]{% endfor %}\n",
    );
    assert_eq!(render(load().unwrap()), "[x]");
    write("chat_template.jinja", "{% for m in messages %}");
    assert!(matches!(load(), Err(TemplateError::Compile(_))));
    write("chat_template.jinja", "nothing of the conversation");
    assert!(matches!(load(), Err(TemplateError::Useless(_))));
    write("tokenizer_config.json", "{");
    assert!(matches!(load(), Err(TemplateError::Malformed { .. })));
}
