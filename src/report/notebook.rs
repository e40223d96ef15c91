use super::counts::{counted, decimal, number, percent, percent_of, plain};
use super::{Material, Metric, Section, Table, Unit};
use crate::metrics::bootstrap::{mean, quantile};
use crate::record::{Outcome, Sample};

/// Messages beyond which the notebook calls a conversation an outlier.
const LONG: usize = 30;

/// What product mentions are looked for.
const PRODUCTS: &[&str] = &[
    "smartphone",
    "laptop",
    "washing machine",
    "microwave oven",
    "smart watch",
    "camera",
];

/// The figures that asynth's analysis notebook prints, under its definitions and under ours.
///
/// Theirs: a length is the number of stored messages, a word that ends the conversation included where it stands alone; errors
/// have 0. Outliers have more than 30, and are left out of lengths and of nothing else. A conversation of status `ERROR` is
/// unresolved. Rates are per file; the deviation among files is that of a population (divided by their number: of the six
/// published rates it gives the published 10.29, while a sample's would be 11.28). A product is mentioned where its name
/// stands anywhere in a message, letter case aside.
///
/// Ours: messages that say something, of conversations that are there; rates among those that ended; names as whole words.
#[must_use]
pub fn notebook(material: &Material) -> Section {
    let rows: Vec<Row> = material.samples.iter().map(Row::of).collect();
    let lengths = |keep: &dyn Fn(&Row) -> bool, of: &dyn Fn(&Row) -> usize| {
        let mut lengths: Vec<f64> = rows
            .iter()
            .filter(|row| keep(row))
            .map(|row| number(of(row)))
            .collect();
        lengths.sort_by(f64::total_cmp);
        lengths
    };
    let theirs = lengths(&|row| row.stored <= LONG, &|row| row.stored);
    let ours = lengths(&|row| !row.error, &|row| row.said);
    let rates: Vec<f64> = material
        .files
        .iter()
        .filter(|file| !file.samples.is_empty())
        .map(|file| {
            let rows = &rows[file.samples.clone()];
            number(rows.iter().filter(|row| row.resolved).count()) / number(rows.len())
        })
        .collect();
    let average = mean(rates.iter().copied());
    let deviation = average
        .and_then(|average| mean(rates.iter().map(|rate| (rate - average).powi(2))).map(f64::sqrt));
    let share = |part: usize, whole: usize| (whole > 0).then(|| number(part) / number(whole));
    let resolved = rows.iter().filter(|row| row.resolved).count();
    let errors = rows.iter().filter(|row| row.error).count();
    let outliers = rows.iter().filter(|row| row.stored > LONG).count();
    let long = rows.iter().filter(|row| row.said > LONG).count();
    let ended = rows.iter().filter(|row| row.ended).count();
    let measured = |key: &str, title: &str, unit: Unit, value: Option<f64>, told: &'static str| {
        Metric::new(key, title, unit, value).read(plain(told, ""))
    };
    let metrics = vec![
        measured(
            "notebook.rows",
            "rows",
            Unit::Count,
            Some(number(rows.len())),
            "All rows of all files.",
        ),
        measured(
            "notebook.outliers",
            "outliers (notebook)",
            Unit::Count,
            Some(number(outliers)),
            "Conversations of more than 30 stored messages.",
        ),
        measured(
            "notebook.outliers.ours",
            "outliers (ours)",
            Unit::Count,
            Some(number(long)),
            "Conversations of more than 30 messages that say something.",
        ),
        measured(
            "notebook.length.median",
            "median length (notebook)",
            Unit::Number,
            quantile(&theirs, 0.5),
            "Stored messages of rows with 30 at most, errors as 0.",
        ),
        measured(
            "notebook.length.mean",
            "mean length (notebook)",
            Unit::Number,
            mean(theirs.iter().copied()),
            "Stored messages of rows with 30 at most, errors as 0.",
        ),
        measured(
            "notebook.length.median.ours",
            "median length (ours)",
            Unit::Number,
            quantile(&ours, 0.5),
            "Messages that say something, of all conversations that are there.",
        ),
        measured(
            "notebook.length.mean.ours",
            "mean length (ours)",
            Unit::Number,
            mean(ours.iter().copied()),
            "Messages that say something, of all conversations that are there.",
        ),
        measured(
            "notebook.resolution.files",
            "resolved, mean of files",
            Unit::Share,
            average,
            "The unweighted mean of the files' rates, errors as unresolved.",
        ),
        measured(
            "notebook.resolution.deviation",
            "resolved, deviation of files",
            Unit::Share,
            deviation,
            "The standard deviation of the files' rates, divided by their number.",
        ),
        measured(
            "notebook.resolution.pooled",
            "resolved, all rows (notebook)",
            Unit::Share,
            share(resolved, rows.len()),
            "Resolved rows of all rows, errors as unresolved.",
        ),
        measured(
            "notebook.resolution.ours",
            "resolved, of ended (ours)",
            Unit::Share,
            share(resolved, ended),
            "Resolved conversations of those that say how they ended.",
        ),
        measured(
            "notebook.errors",
            "errors",
            Unit::Count,
            Some(number(errors)),
            "Rows of status ERROR.",
        ),
    ];
    let files = material.files.iter().map(|file| {
        let rows = &rows[file.samples.clone()];
        let count = |of: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| of(row)).count();
        let (resolved, ended) = (count(&|row| row.resolved), count(&|row| row.ended));
        vec![
            file.name.clone(),
            rows.len().to_string(),
            percent_of(resolved, rows.len()),
            percent_of(resolved, ended),
            count(&|row| row.error).to_string(),
            count(&|row| row.stored > LONG).to_string(),
        ]
    });
    let mut tables = vec![
        table(
            "Resolution by file",
            &[
                "file",
                "rows",
                "resolved",
                "of what ended",
                "errors",
                "over 30 messages",
            ],
            files.collect(),
        ),
        table(
            "Product mentions, in conversations",
            &["product", "anywhere (notebook)", "as a word (ours)"],
            PRODUCTS
                .iter()
                .map(|product| mentions(product, &material.samples))
                .collect(),
        ),
    ];
    for axis in ["tone", "style"] {
        let counts = counted(material.samples.iter().map(|sample| {
            sample
                .fields
                .get(axis)
                .cloned()
                .unwrap_or_else(|| "none".to_owned())
        }));
        let rows = counts.iter().map(|(value, n)| {
            vec![
                value.clone(),
                n.to_string(),
                percent(number(*n) / number(rows.len().max(1))),
            ]
        });
        tables.push(table(
            &format!("Rows by {axis}"),
            &[axis, "rows", "share"],
            rows.collect(),
        ));
    }
    let said = mean(ours.iter().copied()).map_or("–".to_owned(), decimal);
    Section {
        key: "notebook".to_owned(),
        title: "As asynth's notebook counts".to_owned(),
        about: format!(
            "What the notebook prints, under its own definitions, and the same as we would count it: a word such as RESOLVED that stands alone is no message, and what failed is no conversation ({said} messages in the mean)."
        ),
        metrics,
        charts: Vec::new(),
        tables,
    }
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.to_owned(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows,
    }
}

/// What the notebook sees of a row.
struct Row {
    /// Messages as the row says.
    stored: usize,
    /// Messages that say something.
    said: usize,
    error: bool,
    resolved: bool,
    ended: bool,
}

impl Row {
    fn of(sample: &Sample) -> Self {
        let said = sample.turns.len();
        let error = !sample.is_kept();
        let length = sample
            .fields
            .get("length")
            .and_then(|length| length.parse().ok());
        Self {
            stored: if error { 0 } else { length.unwrap_or(said) },
            said,
            error,
            resolved: !error && sample.outcome == Some(Outcome::Resolved),
            ended: !error && sample.outcome.is_some(),
        }
    }
}

/// In how many conversations a product comes, by either definition.
fn mentions(product: &str, samples: &[Sample]) -> Vec<String> {
    let (mut anywhere, mut whole) = (0, 0);
    for sample in samples {
        let texts: Vec<String> = sample
            .turns
            .iter()
            .map(|turn| turn.text.to_lowercase())
            .collect();
        anywhere += usize::from(texts.iter().any(|text| text.contains(product)));
        whole += usize::from(texts.iter().any(|text| as_words(text, product)));
    }
    vec![product.to_owned(), anywhere.to_string(), whole.to_string()]
}

/// Whether a name stands in a text with no letter or digit beside it, but for the `s` of a plural.
fn as_words(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        let after = after.strip_prefix('s').unwrap_or(after).chars().next();
        [before, after]
            .iter()
            .flatten()
            .all(|c| !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// Files of so many rows: `(resolved, unresolved, errors)`, all of as many messages, the last of them the word alone.
    fn corpus(files: &[(usize, usize, usize)], messages: usize) -> Material {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (nth, (resolved, unresolved, errors)) in files.iter().enumerate() {
            let mut text = String::new();
            let turn = |at: usize| {
                let name = ["Customer", "Support_Agent"][at % 2];
                format!(r#"{{"content":"My laptops, {at}","role":"user","name":"{name}"}}"#)
            };
            let mut row = |status: &str, said: usize| {
                let mut turns: Vec<String> = (0..said).map(turn).collect();
                let length = if said == 0 { 0 } else { said + 1 };
                if said > 0 {
                    turns.push(format!(
                        r#"{{"content":"{status}","role":"user","name":"Customer"}}"#
                    ));
                }
                let _ = writeln!(
                    text,
                    "{{\"title\":\"P\",\"tone\":\"angry\",\"style\":null,\"conversation\":[{}],\"length\":{length},\"status\":\"{status}\"}}",
                    turns.join(",")
                );
            };
            for _ in 0..*resolved {
                row("RESOLVED", messages - 1);
            }
            for _ in 0..*unresolved {
                row("UNRESOLVED", messages - 1);
            }
            for _ in 0..*errors {
                row("ERROR", 0);
            }
            let path = dir.path().join(format!("{nth}.jsonl"));
            std::fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let paths: Vec<&std::path::Path> = paths.iter().map(AsRef::as_ref).collect();
        Material::of_files(&paths, None, |_| {}).unwrap()
    }

    fn value(section: &Section, key: &str) -> f64 {
        let mut metrics = section.metrics.iter();
        let found = metrics.find(|metric| metric.key == key).unwrap();
        found.value.unwrap()
    }

    /// Six files whose rates round to the published ones: the mean and deviation of their rates do as well, and the deviation
    /// is a population's.
    #[test]
    fn rates_like_the_published_ones() {
        let files = [
            (867, 130, 3),
            (883, 110, 7),
            (614, 386, 0),
            (770, 230, 0),
            (663, 337, 0),
            (673, 327, 0),
        ];
        let section = notebook(&corpus(&files, 8));
        assert!((value(&section, "notebook.resolution.files") - 0.745).abs() < 1e-9);
        let deviation = value(&section, "notebook.resolution.deviation");
        assert!((deviation - 0.1029).abs() < 2e-4, "{deviation}");
        assert!((value(&section, "notebook.errors") - 10.0).abs() < 1e-9);
        let ended = 4470.0 / 5990.0;
        assert!((value(&section, "notebook.resolution.ours") - ended).abs() < 1e-9);
        assert_eq!(section.tables[0].rows[0][2..5], ["86.7 %", "87.0 %", "3"]);
        assert_eq!(section.tables[1].rows[1], ["laptop", "5990", "5990"]);
        assert_eq!(section.tables[2].rows, [["angry", "6000", "100.0 %"]]);
        assert_eq!(section.tables[3].rows, [["none", "6000", "100.0 %"]]);
    }

    #[test]
    fn lengths_by_hand() {
        // Stored 8, 8, 8 and an error: 6 in the mean. Said: 7.
        let section = notebook(&corpus(&[(2, 1, 1)], 8));
        assert!((value(&section, "notebook.length.mean") - 6.0).abs() < 1e-9);
        assert!((value(&section, "notebook.length.median") - 8.0).abs() < 1e-9);
        assert!((value(&section, "notebook.length.mean.ours") - 7.0).abs() < 1e-9);
        assert!((value(&section, "notebook.resolution.pooled") - 0.5).abs() < 1e-9);
        // Of 31 stored messages 30 are said: too long there, and not here.
        let section = notebook(&corpus(&[(2, 0, 0)], 31));
        assert!((value(&section, "notebook.outliers") - 2.0).abs() < 1e-9);
        assert!(value(&section, "notebook.outliers.ours").abs() < 1e-9);
        assert!(section.metrics[3].value.is_none());
    }

    #[test]
    fn names_as_words() {
        assert!(as_words("my cameras, sir", "camera") && as_words("camera", "camera"));
        assert!(!as_words("a cameraman", "camera") && !as_words("xcamera", "camera"));
    }
}
