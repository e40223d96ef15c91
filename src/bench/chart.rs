//! A picture of what was measured: one SVG file that needs nothing else, readable on light and on dark ground.

use std::fmt::Write;

/// A model's bars.
#[derive(Clone, Debug)]
pub struct Bars {
    pub name: String,
    /// Batch size and tokens per second.
    pub decode: Vec<(usize, f64)>,
    /// What was counted, and percent; none where there was nothing to count.
    pub fitness: Vec<(&'static str, Option<f64>)>,
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const PANEL: f64 = 220.0;
const LINE: f64 = 20.0;

/// Fills with enough contrast against white and against near-black; told apart by lightness too.
const COLOURS: &[&str] = &[
    "#3f7fc1", "#d9742b", "#3a9d78", "#a964b0", "#b8911f", "#c4525a", "#6b7a8c", "#4ba3c3",
];

/// A group of bars: a label below, one value per model.
struct Group {
    label: String,
    values: Vec<Option<f64>>,
}

/// What a panel says around its bars.
struct Words<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
    unit: &'a str,
}

/// The picture. `about` is the line below the title: machine and settings.
#[must_use]
pub fn svg(about: &str, models: &[Bars]) -> String {
    let mut sizes: Vec<usize> = models
        .iter()
        .flat_map(|model| model.decode.iter().map(|(batch, _)| *batch))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let speed: Vec<Group> = sizes
        .iter()
        .map(|size| Group {
            label: size.to_string(),
            values: models
                .iter()
                .map(|model| model.decode.iter().find(|(batch, _)| batch == size))
                .map(|found| found.map(|(_, rate)| *rate))
                .collect(),
        })
        .collect();
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in models.iter().flat_map(|model| &model.fitness) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let fitness: Vec<Group> = names
        .iter()
        .map(|name| Group {
            label: (*name).to_owned(),
            values: models
                .iter()
                .map(|model| model.fitness.iter().find(|(other, _)| other == name))
                .map(|found| found.and_then(|(_, percent)| *percent))
                .collect(),
        })
        .collect();
    let fastest = speed
        .iter()
        .flat_map(|group| group.values.iter().flatten())
        .fold(0.0, |most: f64, rate| most.max(*rate));

    let legend = 64.0;
    let first = legend + LINE * count(models.len()) + 34.0;
    let second = first + PANEL + 96.0;
    let has_fitness = !fitness.is_empty();
    let height = if has_fitness { second } else { first } + PANEL + 56.0;
    let mut out = head(
        WIDTH,
        height,
        "Chat models on this machine",
        "Bars of decoding speed over batch sizes, and of fitness as a conversation simulator, by model.",
    );
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="26" class="strong" font-size="17" font-weight="600">Chat models on this machine</text>"#
    );
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="46" font-size="12">{}</text>"#,
        escape(about)
    );
    for (model, at) in models.iter().zip(0..) {
        let y = legend + LINE * f64::from(at);
        let _ = writeln!(
            out,
            r#"<rect x="{LEFT}" y="{y:.0}" width="12" height="12" rx="2" fill="{}"/><text x="{:.0}" y="{:.0}" font-size="13">{}</text>"#,
            colour(usize::try_from(at).unwrap_or(0)),
            LEFT + 20.0,
            y + 10.5,
            escape(&model.name),
        );
    }
    let words = Words {
        title: "Decoding speed, all sequences together",
        x: "sequences decoded together",
        y: "tokens per second",
        unit: "tokens/s",
    };
    panel(&mut out, first, &words, &speed, models, fastest);
    if has_fitness {
        let words = Words {
            title: "Fitness as a simulator",
            x: "share of replies, conversations or turns that keep the rule",
            y: "percent",
            unit: "%",
        };
        panel(&mut out, second, &words, &fitness, models, 100.0);
    }
    out.push_str("</svg>\n");
    out
}

/// How a picture begins: its size, what it is to those who cannot see it, and colours that follow the reader's ground.
pub(super) fn head(width: f64, height: f64, title: &str, about: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" font-family="system-ui, sans-serif" fill="#767676">
<title>{}</title>
<desc>{}</desc>
<style>
  text {{ fill: #4a4a4a }} .strong {{ fill: #1c1c1c }} .grid {{ stroke: #76767655 }}
  @media (prefers-color-scheme: dark) {{ text {{ fill: #b5b5b5 }} .strong {{ fill: #ededed }} }}
</style>
"##,
        escape(title),
        escape(about)
    )
}

fn panel(
    out: &mut String,
    top: f64,
    words: &Words<'_>,
    groups: &[Group],
    models: &[Bars],
    most: f64,
) {
    let (step, ticks) = scale(most);
    let full = step * f64::from(ticks);
    let bottom = top + PANEL;
    let y_of = |value: f64| bottom - value / full * PANEL;
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="{:.0}" class="strong" font-size="14" font-weight="600">{}</text>"#,
        top - 14.0,
        words.title
    );
    for tick in 0..=ticks {
        let value = step * f64::from(tick);
        let y = y_of(value);
        let _ = writeln!(
            out,
            r##"<line x1="{LEFT}" y1="{y:.1}" x2="{:.0}" y2="{y:.1}" class="grid" stroke="#767676" stroke-opacity="0.35"/><text x="{:.0}" y="{:.1}" font-size="11" text-anchor="end">{}</text>"##,
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            short(value),
        );
    }
    let _ = writeln!(
        out,
        r#"<text x="{:.0}" y="{:.0}" font-size="12" text-anchor="middle">{}</text>"#,
        f64::midpoint(LEFT, WIDTH - RIGHT),
        bottom + 42.0,
        words.x
    );
    let middle = f64::midpoint(top, bottom);
    let _ = writeln!(
        out,
        r#"<text x="16" y="{middle:.0}" font-size="12" text-anchor="middle" transform="rotate(-90 16 {middle:.0})">{}</text>"#,
        words.y
    );
    let group_width = (WIDTH - LEFT - RIGHT) / count(groups.len()).max(1.0);
    let bar = (group_width * 0.76 / count(models.len()).max(1.0)).min(72.0);
    let all = bar * count(models.len());
    for (group, at) in groups.iter().zip(0..) {
        let centre = LEFT + group_width * (f64::from(at) + 0.5);
        let _ = writeln!(
            out,
            r#"<text x="{centre:.1}" y="{:.0}" font-size="12" text-anchor="middle">{}</text>"#,
            bottom + 20.0,
            escape(&group.label)
        );
        for (place, (value, model)) in group.values.iter().zip(models).enumerate() {
            let Some(value) = value else { continue };
            let (x, y) = (centre - all / 2.0 + bar * count(place), y_of(*value));
            let _ = writeln!(
                out,
                r#"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" rx="2" fill="{}"><title>{}, {}: {value:.1} {}</title></rect>"#,
                x + 1.0,
                (bar - 2.0).max(1.0),
                bottom - y,
                colour(place),
                escape(&model.name),
                escape(&group.label),
                words.unit,
            );
            if bar >= 26.0 {
                let _ = writeln!(
                    out,
                    r#"<text x="{:.1}" y="{:.1}" font-size="10" text-anchor="middle">{}</text>"#,
                    x + bar / 2.0,
                    y - 4.0,
                    short(*value)
                );
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten, and how many of them reach `most`.
fn scale(most: f64) -> (f64, u32) {
    let most = if most.is_finite() && most > 0.0 {
        most
    } else {
        1.0
    };
    let power = 10f64.powf((most / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|n| n * power)
        .into_iter()
        .find(|step| step * 5.0 >= most * 0.999_999)
        .unwrap_or(most);
    let ticks = (1..=10).find(|n| step * f64::from(*n) >= most * 0.999_999);
    (step, ticks.unwrap_or(10))
}

pub(super) fn short(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1000.0)
    } else if value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

pub(super) fn colour(place: usize) -> &'static str {
    COLOURS[place % COLOURS.len()]
}

#[expect(clippy::cast_precision_loss, reason = "a handful of models")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

/// Text as XML may hold it: markup escaped, characters that XML forbids left out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn bars(name: &str, rates: &[(usize, f64)], percent: Option<f64>) -> Bars {
        Bars {
            name: name.into(),
            decode: rates.to_vec(),
            fitness: vec![("format", percent), ("words", Some(97.5))],
        }
    }

    /// Tags are balanced, attributes quoted, entities known: enough of XML for what is written here.
    pub(in crate::bench) fn is_well_formed(svg: &str) -> Result<(), String> {
        let mut open: Vec<String> = Vec::new();
        let mut rest = svg;
        while let Some(at) = rest.find('<') {
            let text = &rest[..at];
            let entities = text.matches('&').count();
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"]
                .iter()
                .map(|entity| text.matches(entity).count())
                .sum::<usize>();
            if entities != known || text.contains('>') {
                return Err(format!("text: {text}"));
            }
            let end = rest[at..].find('>').ok_or("an open tag")? + at;
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if !tag.matches('"').count().is_multiple_of(2) || tag.contains('<') {
                return Err(format!("attributes: {tag}"));
            }
            let name = |tag: &str| tag.split([' ', '/']).next().unwrap_or("").to_owned();
            if let Some(closing) = tag.strip_prefix('/') {
                if open.pop().as_deref() != Some(closing) {
                    return Err(format!("closes {closing}"));
                }
            } else if !tag.ends_with('/') {
                open.push(name(tag));
            }
        }
        if open.is_empty() {
            Ok(())
        } else {
            Err(format!("still open: {open:?}"))
        }
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_every_bar() {
        let models = [
            bars(
                "demo <\"a\" & b>\u{1}",
                &[(1, 100.0), (8, 500.0)],
                Some(100.0),
            ),
            bars("other", &[(1, 50.0)], None),
        ];
        let picture = svg("a & b", &models);
        is_well_formed(&picture).unwrap();
        // Two legend marks, three speeds, one format and two words.
        assert_eq!(picture.matches("<rect").count(), 2 + 3 + 3);
        for text in [
            "demo &lt;&quot;a&quot; &amp; b&gt;, 8: 500.0 tokens/s",
            "tokens per second",
            "percent",
            "other, words: 97.5 %",
        ] {
            assert!(picture.contains(text), "{text}\n{picture}");
        }
        assert!(!picture.contains("href") && !picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn nothing_measured_is_still_a_picture() {
        let mut lone = bars("x", &[(1, 0.0)], None);
        lone.fitness.clear();
        let picture = svg("", &[lone]);
        is_well_formed(&picture).unwrap();
        assert!(!picture.contains("Fitness as"), "{picture}");
        is_well_formed(&svg("", &[])).unwrap();
    }

    #[test]
    fn the_check_itself_can_fail() {
        for wrong in ["<a>", "<a></b>", "<a b=\"c></a>", "<a>&nbsp;</a>"] {
            assert!(is_well_formed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scales_are_round_and_reach_the_top() {
        for (most, step, ticks) in [
            (100.0, 20.0, 5),
            (739.0, 200.0, 4),
            (5.0, 1.0, 5),
            (1004.0, 500.0, 3),
            (0.0, 0.2, 5),
            (f64::NAN, 0.2, 5),
        ] {
            let (found, count) = scale(most);
            assert!(
                (found - step).abs() < 1e-9 && count == ticks,
                "{most}: {found} {count}"
            );
        }
    }

    #[test]
    fn bars_are_as_high_as_their_values() {
        let models = [bars("x", &[(1, 50.0), (2, 100.0)], None)];
        let picture = svg("", &models);
        let height = |label: &str| -> f64 {
            let at = picture.find(&format!("<title>x, {label}:")).unwrap();
            let from = picture[..at].rfind("height=\"").unwrap() + 8;
            picture[from..].split('"').next().unwrap().parse().unwrap()
        };
        assert!((height("2") - 2.0 * height("1")).abs() < 0.2);
        assert!((height("2") - PANEL).abs() < 0.2);
    }
}
