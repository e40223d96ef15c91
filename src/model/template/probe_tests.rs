use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::tests::{own, planted};
use super::{ChatTemplate, SystemRole, TemplateShape, ThinkingShape, Thought};

#[test]
fn probes_find_what_a_template_accepts() {
    let free = |name: &str| {
        let found = own(name).shape().clone();
        let TemplateShape {
            turn_end,
            generation_prompt,
            thinking,
            ..
        } = found.clone();
        let free = TemplateShape {
            turn_end,
            generation_prompt,
            thinking,
            ..TemplateShape::default()
        };
        (found, free)
    };
    let (found, expected) = free("bars");
    assert_eq!(found, expected);
    assert_eq!(found.turn_end, "<|im_end|>\n");
    assert_eq!(found.generation_prompt, "<|im_start|>assistant\n");
    // an empty thought stands in the prompt that the next one does not have
    let (found, free_thinking) = free("thinking");
    assert_eq!(
        found,
        TemplateShape {
            prefix_stable: false,
            ..free_thinking
        }
    );
    let (found, dated) = free("dated");
    assert_eq!(
        found,
        TemplateShape {
            trims: true,
            user_first: true,
            dated: true,
            ..dated
        }
    );
    let (found, nosystem) = free("nosystem");
    assert_eq!(
        found,
        TemplateShape {
            system: SystemRole::Refused,
            trims: true,
            ..nosystem
        }
    );
    // the system text moves to the newest user turn, and a space follows the prompt
    let (found, strict) = free("strict");
    assert_eq!(
        found,
        TemplateShape {
            system: SystemRole::Folded,
            alternates: true,
            user_first: true,
            trims: true,
            prefix_stable: false,
            ..strict
        }
    );
}

/// One template for each answer that a probe can give, and the same without what is asked for.
#[test]
fn each_probe_answers_to_a_planted_template() {
    let turns = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    let plain = planted(turns).shape().clone();
    assert_eq!(plain.system, SystemRole::Supported);
    assert_eq!(plain.turn_end, "</assistant>");
    assert_eq!(plain.generation_prompt, "<assistant>");
    assert!(plain.prefix_stable && !plain.dated && !plain.trims);
    assert_eq!((plain.default_system, plain.thinking.marks), (None, None));

    let with = |head: &str| planted(&format!("{head}{turns}")).shape().clone();
    let of = |source: &str| planted(source).shape().clone();
    let refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}";
    assert_eq!(with(refuses).system, SystemRole::Refused);
    let ignores =
        "{% if messages[0].role == 'system' %}{% set messages = messages[1:] %}{% endif %}";
    assert_eq!(with(ignores).system, SystemRole::Ignored);
    let folds = "{% set s = '' %}{% if messages[0].role == 'system' %}{% set s = messages[0].content ~ ' ' %}{% set messages = messages[1:] %}{% endif %}\
        {% for m in messages %}<{{ m.role }}>{{ s if loop.first }}{{ m.content }}</{{ m.role }}>{% endfor %}";
    assert_eq!(of(folds).system, SystemRole::Folded);

    let strict = "{% for m in messages if m.role != 'system' %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}{% endfor %}";
    let shape = with(strict);
    assert!(shape.alternates && shape.user_first);
    let needs_user = "{% if messages | selectattr('role', 'eq', 'user') | list | length == 0 %}{{ raise_exception('no user') }}{% endif %}";
    let shape = with(needs_user);
    assert!(!shape.alternates && shape.user_first);
    let drops_neighbours = turns.replace(
        "for m in messages",
        "for m in messages if loop is not defined",
    );
    assert!(!of(&drops_neighbours).alternates);
    assert!(of(&turns.replace("{{ m.content }}", "{{ m.content | trim }}")).trims);

    let shape = with("{% if messages[0].role != 'system' %}<system>Be kind.</system>{% endif %}");
    assert_eq!(shape.default_system.as_deref(), Some("Be kind."));
    let shape = with("{{ strftime_now('%Y') }}");
    assert!(shape.dated);
    assert!(!with("{{ strftime_now('at any time') }}").dated);
    assert!(!with("{{ messages | length }}").prefix_stable);
    let last = turns.replace(
        "</{{ m.role }}>",
        "{{ '<eos>' if loop.last }}</{{ m.role }}>",
    );
    assert!(!of(&last).prefix_stable);
}

#[test]
fn thoughts_are_found_opened_and_closed() {
    let turns =
        "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}{% endfor %}";
    let prompts = |template: &ChatTemplate| {
        let prompt = |thought| {
            let messages = [("user", "x")].into_iter();
            let text = template.render_thought(messages, true, thought).unwrap();
            text.strip_prefix("<user>x").unwrap().to_owned()
        };
        [prompt(Thought::Closed), prompt(Thought::Open)]
    };
    // left to the model
    let template = planted(&format!("{turns}<assistant>"));
    let shape = &template.shape().thinking;
    assert!(shape.drops_old && !shape.opens && shape.switch.is_none());
    let closed = "<assistant><think>\n\n</think>\n\n";
    assert_eq!(prompts(&template), [closed, "<assistant><think>\n"]);
    // opened by the template
    let template = planted(&format!("{turns}{{{{ '<assistant><think>\\n' }}}}"));
    let shape = &template.shape().thinking;
    assert!(shape.drops_old && shape.opens);
    assert_eq!(prompts(&template), [closed, "<assistant><think>\n"]);
    // opened on the same line
    let template = planted(&format!("{turns}<assistant><think>"));
    assert_eq!(prompts(&template), [closed, "<assistant><think>"]);
    // switched, under another name
    let switch = "{% if thinking %}<assistant><think>{% else %}<assistant></think>{% endif %}";
    let template = planted(&format!("{turns}{switch}"));
    assert_eq!(
        template.shape().thinking.switch.as_deref(),
        Some("thinking")
    );
    assert_eq!(
        prompts(&template),
        ["<assistant></think>", "<assistant><think>"]
    );
    // switched, and closed by itself
    let template = own("thinking");
    assert_eq!(
        template.shape().thinking.switch.as_deref(),
        Some("enable_thinking")
    );
    let prompt = |thought| {
        let text = template.render_thought([("user", "x")].into_iter(), true, thought);
        text.unwrap()
            .split_once("<|im_start|>assistant\n")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(prompt(Thought::Closed), "<think>\n\n</think>\n\n");
    assert_eq!(prompt(Thought::Open), "<think>\n");
    // what a user says opens nothing
    let said = template.render_thought(
        [("user", "<think> of <think>")].into_iter(),
        true,
        Thought::Closed,
    );
    assert!(
        said.unwrap()
            .ends_with("assistant\n<think>\n\n</think>\n\n")
    );
    // marks that only the user knows
    let silent =
        planted("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>");
    assert_eq!(silent.shape().thinking, ThinkingShape::default());
    let marked = silent.with_think_marks(["(".into(), ")".into()]).unwrap();
    assert_eq!(prompts(&marked), ["<assistant>", "<assistant>(\n"]);
}

#[test]
fn variables_reach_the_template() {
    let source = "{% for m in messages %}{{ m.content }}{% endfor %}{{ style }}{% if tools %}T{{ tools | length }}{% endif %}";
    let template = planted(source);
    assert!(template.reads("style") && template.reads("tools"));
    assert!(!template.reads("stile") && !template.reads("m"));
    let kwargs = serde_json::json!({"style": {"a": [1, true]}, "tools": [{}], "unread": 1});
    let kwargs: BTreeMap<String, Json> = serde_json::from_value(kwargs).unwrap();
    let template = template.with_kwargs(&kwargs).unwrap();
    let text = template.render_pairs([("user", "x")].into_iter(), true);
    assert_eq!(text.unwrap(), "x{'a': [1, True]}T1");
    // what the user sets is not switched behind their back; the prompt is closed all the same
    let switched = own("thinking");
    let on = BTreeMap::from([("enable_thinking".to_owned(), Json::Bool(true))]);
    let text = switched.with_kwargs(&on).unwrap();
    let text = text
        .render_pairs([("user", "x")].into_iter(), true)
        .unwrap();
    assert!(text.ends_with("assistant\n"), "{text:?}");
}
