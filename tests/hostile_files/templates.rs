//! Chat templates that never end, or grow without end.

use super::room::Folder;

const USUAL: &str = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

fn template(before: &str) -> Folder {
    let folder = Folder::new();
    folder.write("chat_template.jinja", format!("{before}{USUAL}"));
    folder
}

#[test]
fn templates_that_never_end() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for x in [[]] recursive %}{{ loop([[]]) }}{{ loop([[]]) }}{% endfor %}",
        "{% include 'chat' %}",
        "{% extends 'chat' %}",
        "{% import 'chat' as c %}{{ c }}",
        "{% import i and j as c | sum %}",
        "{% from 'chat' import c %}",
        "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{% if ns.a == ns.b %}x{% endif %}",
    ] {
        template(source).refused(&["chat template"]);
    }
}

#[test]
fn templates_that_grow_without_end() {
    for source in [
        "{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|list|length }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x|replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
        "{{ ('a' * 99999999)|replace('a', 'b' * 99999999) }}",
        "{{ ([1] * 99999999)|join('b' * 99999999) }}",
        "{{ [1]|tojson(indent=1000000000000) }}",
        "{{ [[[1]]]|tojson(indent=18446744073709551615) }}",
        "{{ 'a\nb'|indent(1000000000000) }}",
        "{{ '%1000000000000d'|format(1) }}",
        "{{ '%.1000000000000f'|format(1) }}",
        "{{ 'a'.center(1000000000000) }}",
        "{{ 'a'.ljust(1000000000000) }}",
        "{{ 'a'.zfill(1000000000000) }}",
        "{{ '\t'.expandtabs(1000000000000) }}",
        "{{ '{:1000000000000}'.format(1) }}",
        "{{ [1]|batch(1000000000000, 'x')|list }}",
        "{{ [1]|slice(1000000000000)|list }}",
        "{{ lipsum(1000000000000) }}",
        "{{ ([1] * 99999999)|list|length }}",
        "{{ ([1] * 99999999)|sort|length }}",
    ] {
        let read = template(source).read();
        assert!(
            read.is_ok() || read.as_ref().is_err_and(|e| e.len() < 1000),
            "{source}: {read:?}"
        );
    }
}

/// A piece again and again, up to the longest source that is read.
fn filled(piece: &str) -> String {
    piece.repeat(120_000 / piece.len())
}

#[test]
fn templates_that_nest() {
    let nested = |open: &str, close: &str| {
        let n = 120_000 / (open.len() + close.len());
        format!("{}{}", open.repeat(n), close.repeat(n))
    };
    let chain = |step: &str, after: &str| {
        format!(
            "{{% set ns = namespace(x=[1]) %}}{{% for i in range(90000) %}}{{% set ns.x = {step} %}}{{% endfor %}}{after}"
        )
    };
    for source in [
        nested("{% if 1 %}", "{% endif %}"),
        nested("{% for a in [1] %}", "{% endfor %}"),
        format!("{{{{ {} }}}}", nested("(", ")")),
        format!("{{{{ {} }}}}", nested("[", "]")),
        format!("{{{{ {}1 }}}}", filled("not ")),
        format!("{{{{ {}1 }}}}", filled("-")),
        format!("{{{{ 1{} }}}}", filled("+1")),
        format!("{{{{ 1{} }}}}", filled("**1")),
        format!("{{{{ 'a'{} }}}}", filled("~'a'")),
        format!("{{{{ 'a'{} }}}}", filled("|upper")),
        format!("{{{{ messages{} }}}}", filled("[0]")),
        format!("{{{{ messages{} }}}}", filled(".a")),
        format!("{{{{ 1{} }}}}", filled(" if 1 else 2")),
        format!("{{% if 1 %}}{}{{% endif %}}", filled("{% elif 1 %}")),
        filled("{% if 1 %}"),
        filled("{{ ("),
        filled("{% raw %}"),
        filled("{#"),
        chain("[ns.x]", ""),
        chain("[ns.x]", "{{ ns.x }}"),
        chain("[ns.x]", "{{ ns.x|tojson }}"),
        chain("[ns.x]", "{{ ns.x|tojson(indent=2) }}"),
        chain("[ns.x]", "{{ ns.x|pprint }}"),
        chain("{'a': ns.x}", "{{ ns.x == [1] }}{{ ns.x < [1] }}"),
        chain("ns.x + [1]", "{{ ns.x|length }}"),
    ] {
        let read = template(&source).read();
        assert!(
            read.is_ok() || read.as_ref().is_err_and(|e| e.len() < 1000),
            "{source:.60}: {:.300}",
            read.unwrap_err()
        );
    }
}

#[test]
fn templates_that_are_none() {
    for (config, says) in [
        (serde_json::json!(3), "chat_template"),
        (serde_json::json!(vec![1; 1_000_000]), "chat_template"),
        (
            serde_json::json!({"a": vec!["x"; 100_000]}),
            "chat_template",
        ),
        (
            serde_json::json!([{"name": "a", "template": "x"}, {"name": "b", "template": "x"}]),
            "default",
        ),
        (serde_json::json!("x".repeat(1 << 20)), "chat template"),
        (
            serde_json::json!("{{ raise_exception('x' * 99999999) }}"),
            "chat template",
        ),
    ] {
        let folder = Folder::new();
        folder.edit("tokenizer_config.json", |c| c["chat_template"] = config);
        folder.refused(&[says]);
    }
}
