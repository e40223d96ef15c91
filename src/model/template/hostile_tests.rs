use std::collections::BTreeMap;

use super::tests::{DAY, own};
use super::{ChatTemplate, TemplateError};

/// Templates come with models, and models come from anywhere.
#[test]
fn hostile_templates_end_in_an_error() {
    let turns = "{% for m in messages %}{{ m.content }}{% endfor %}";
    let started = std::time::Instant::now();
    for hostile in [
        "{% set ns = namespace(s='ha') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ha') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ha') %}{% for i in range(64) %}{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l | length }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor %}",
        "{% set ns = namespace(l={}) %}{% for i in range(90000) %}{% set ns.l = {'a': ns.l} %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}some text that is written over and over again{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000000 }}",
        "{{ [0] * 1000000000000 }}",
        "{{ ('x' * 1000000) * 1000000 }}",
        "{{ 'x' | center(1000000000000) }}",
        "{{ 'x' | indent(1000000000000, true) }}",
        "{{ 'x'.ljust(1000000000000) }}",
        "{{ '%1000000000000d' % 1 }}",
        "{{ '%1000000000000s' | format('x') }}",
        "{{ '{:>1000000000000}'.format('x') }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
        "{{ ('x' * 100000).join(('y' * 100000) | list) }}",
        "{{ (['x' * 100000] * 100) | join('y' * 1000000) }}",
        "{{ [1] | batch(1000000000000, 0) | list }}",
        "{{ [1] | slice(1000000000000) | list }}",
        "{{ [[1, [2]]] | tojson(indent=1000000000000) }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(90) }}",
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
        "{% set big = 'x' * 16000000 %}{% for i in range(99999) %}{% for j in range(99999) %}{% if 'y' in big %}{% endif %}{% endfor %}{% endfor %}",
        "{{ range(99999) | map('string') | map('center', 9999) | list }}",
        "{{ 2 ** 100000000 }}",
    ] {
        let template = ChatTemplate::new(&format!("{turns}{hostile}"), BTreeMap::new(), DAY);
        let error = template.map(drop).unwrap_err();
        assert!(
            matches!(
                error,
                TemplateError::Exhausted(_) | TemplateError::Render(_)
            ),
            "{hostile}: {error}"
        );
        assert!(error.to_string().len() < 1000, "{error}");
    }
    let deep = |open: &str, close: &str| {
        format!(
            "{turns}{{{{ {}1{} }}}}",
            open.repeat(5000),
            close.repeat(5000)
        )
    };
    for source in [
        deep("(", ")"),
        deep("[", "]"),
        deep("-", ""),
        deep("not ", ""),
        deep("x[", "]"),
        deep("f(", ")"),
        deep("x.a", ""),
        deep("1 and ", ""),
        deep("1 + ", ""),
        deep("1 ~ ", ""),
        format!("{turns}{{{{ x{} }}}}", "|e".repeat(5000)),
        format!(
            "{turns}{}1{}",
            "{% if 1 %}".repeat(5000),
            "{% endif %}".repeat(5000)
        ),
        format!(
            "{turns}{}1{}",
            "{% set x %}".repeat(5000),
            "{% endset %}".repeat(5000)
        ),
        format!("{turns}{}", "{# long #}".repeat(50_000)),
    ] {
        let error = ChatTemplate::new(&source, BTreeMap::new(), DAY).map(drop);
        assert!(
            matches!(error, Err(TemplateError::Compile(_))),
            "{source:.200}: {error:?}"
        );
    }
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

/// The same work that a hostile template hides behind, done by an honest one.
#[test]
fn long_conversations_stay_within_the_budget() {
    for name in [
        "tools_head",
        "strict",
        "thinking_switch",
        "mistral_tools",
        "channels",
    ] {
        let template = own(name);
        let text = "A long turn of a long conversation, as long as one gets. ".repeat(20);
        let turns = (0..600).map(|n| (["user", "assistant"][n % 2], text.as_str()));
        let messages = [("system", text.as_str())]
            .into_iter()
            .chain(turns)
            .chain([("user", "?")]);
        template
            .render_pairs(messages, true)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
