/// Tags that read other templates.
const OTHER_FILES: &[&str] = &["import", "from", "include", "extends"];

/// The first tag of a source that asks for another template, with its line. The engine stops the program at some of them
/// that it cannot read, so none is let through.
pub(super) fn asks_for_another(source: &str) -> Option<(usize, &'static str)> {
    let mut at = 0;
    while let Some(found) = source[at..].find("{%").map(|found| at + found) {
        // What a comment says is no tag.
        if let Some(comment) = source[at..found].find("{#").map(|begin| at + begin) {
            at = comment + 2 + source[comment + 2..].find("#}")? + 2;
            continue;
        }
        let inner = source[found + 2..]
            .trim_start_matches(['-', '+'])
            .trim_start();
        let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = &inner[..end.unwrap_or(inner.len())];
        if let Some(word) = OTHER_FILES.iter().find(|other| **other == word) {
            return Some((source[..found].matches('\n').count() + 1, word));
        }
        at = found + 2;
        if word == "raw" {
            at = end_of_raw(source, at)?;
        }
    }
    None
}

/// Where the tag begins that ends a raw block.
fn end_of_raw(source: &str, from: usize) -> Option<usize> {
    source[from..].match_indices("{%").find_map(|(found, tag)| {
        let inner = source[from + found + tag.len()..].trim_start_matches(['-', '+']);
        let ends = inner.trim_start().starts_with("endraw");
        ends.then_some(from + found + tag.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_and_nothing_else() {
        for (source, found) in [
            ("{% import 'x' as y %}", Some((1, "import"))),
            ("a\n{%- from\n'x' import y %}", Some((2, "from"))),
            ("{%+include x%}", Some((1, "include"))),
            (
                "{% if a %}\n{% endif %}\n{%-  extends",
                Some((3, "extends")),
            ),
            ("{% import", Some((1, "import"))),
            ("{# {% include 'x' %} #}ok", None),
            ("{# a #}{% include 'x' %}", Some((1, "include"))),
            ("{% raw %}{% include 'x' %}{% endraw %}", None),
            (
                "{% raw %}{%- endraw -%}{% include 'x' %}",
                Some((1, "include")),
            ),
            ("{{ include }} import {% set from = 1 %}", None),
            ("{% includes %}", None),
            ("{# never ends {% include 'x' %}", None),
            ("{% raw %}", None),
            ("{%", None),
            ("{%é", None),
        ] {
            assert_eq!(asks_for_another(source), found, "{source}");
        }
    }
}
