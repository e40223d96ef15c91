//! Against values that other programs computed: `tests/metrics/make_values.py` names them.

use serde_json::Value;

use super::*;

fn values() -> Value {
    serde_json::from_str(include_str!("../../tests/metrics/values.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn counts(value: &Value) -> Vec<usize> {
    let whole = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    value.as_array().unwrap().iter().map(whole).collect()
}

fn lines(value: &Value) -> Vec<&str> {
    let lines = value.as_array().unwrap().iter();
    lines.map(|line| line.as_str().unwrap()).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, within: f64) {
    assert!(
        (found - expected).abs() <= within * expected.abs().max(1e-9),
        "{found} is not {expected}"
    );
}

#[test]
fn lexical_measures_are_those_of_lexicalrichness() {
    let values = values();
    let rows = values["lexical"].as_array().unwrap();
    assert_eq!(rows.len(), 9);
    for row in rows {
        let corpus = Corpus::of([row["text"].as_str().unwrap()]);
        let text = &corpus.texts()[0];
        assert_eq!(text.len() as u64, row["words"].as_u64().unwrap());
        close(mtld(text).unwrap(), number(&row["mtld"]), 1e-9);
        close(hdd(text).unwrap(), number(&row["hdd"]), 1e-7);
        close(mattr(text).unwrap(), number(&row["mattr"]), 1e-9);
    }
}

#[test]
fn bleu_is_that_of_nltk_and_runs_are_counted_as_it_does() {
    let values = values();
    let corpus = Corpus::of(lines(&values["lines"]));
    let expected = numbers(&values["bleu"]);
    assert_eq!(expected.len(), 12);
    for (found, expected) in self_bleu::self_bleu(&corpus).into_iter().zip(expected) {
        close(found.unwrap(), expected, 1e-9);
    }
    for (n, expected) in (1..).zip(numbers(&values["distinct"])) {
        close(distinct(&corpus, n).unwrap(), expected, 1e-12);
    }
    let of_nearest = numbers(&values["nearest"]);
    for (found, expected) in near::nearest(&corpus, 2).into_iter().zip(of_nearest) {
        close(found.map_or(0.0, |near| near.resemblance), expected, 1e-12);
    }
    let (mut all, mut group) = (lines(&values["lines"]), counts(&values["group"]));
    all.push(all[2]);
    group.push(5);
    let found = self_repetition(&Corpus::of(all), &group);
    let expected: Vec<Vec<usize>> = values["repetition"]
        .as_array()
        .unwrap()
        .iter()
        .map(counts)
        .collect();
    let found: Vec<Vec<usize>> = found
        .into_iter()
        .map(|(shared, all)| vec![shared, all])
        .collect();
    assert_eq!(found, expected);
    let closers = Openers::closing(lines(&values["lines"]), 2);
    assert_eq!(
        closers.counts()[0].1 as u64,
        values["most_common_closing"].as_u64().unwrap()
    );
}

#[test]
fn vectors_of_words_are_those_of_scikit_learn_and_vendi_scores_those_of_their_authors() {
    let values = values();
    let vectors = tfidf(&Corpus::of(lines(&values["lines"])));
    let words = &values["words"];
    for (other, expected) in vectors.iter().zip(numbers(&words["first_row"])) {
        assert!((super::tfidf::dot(&vectors[0], other) - expected).abs() < 1e-12);
    }
    let cosines = Cosines::of_words(&vectors, 2);
    close(cosines.mean().unwrap(), number(&words["mean"]), 1e-10);
    close(cosines.vendi().unwrap(), number(&words["vendi"]), 1e-9);
    let dense = &values["dense"];
    #[expect(clippy::cast_possible_truncation, reason = "written as f32")]
    let vectors: Vec<Vec<f32>> = dense["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| numbers(row).into_iter().map(|x| x as f32).collect())
        .collect();
    let cosines = Cosines::of_vectors(&vectors, 2);
    assert_eq!(cosines.len(), 40);
    close(cosines.mean().unwrap(), number(&dense["mean"]), 1e-9);
    close(cosines.vendi().unwrap(), number(&dense["vendi"]), 1e-8);
}

#[test]
fn eigenvalues_are_those_of_lapack() {
    let values = values();
    let symmetric = &values["symmetric"];
    let mut found = eigenvalues(numbers(&symmetric["matrix"]), 17).unwrap();
    found.sort_by(f64::total_cmp);
    for (found, expected) in found.into_iter().zip(numbers(&symmetric["values"])) {
        assert!(
            (found - expected).abs() < 1e-11,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn shares_are_those_of_scipy_and_of_the_definition() {
    let values = values();
    for row in values["shares"].as_array().unwrap() {
        let counts = counts(&row["counts"]);
        assert!((evenness(&counts).unwrap() - number(&row["evenness"])).abs() < 1e-12);
        assert!((gini(&counts).unwrap() - number(&row["gini"])).abs() < 1e-12);
    }
}

#[test]
fn texts_pack_as_with_gzip() {
    let values = values();
    let packed = &values["packed"];
    // Another compressor of the same format finds other matches: sizes differ by a few parts in a hundred.
    close(
        compression(lines(&packed["pages"])).unwrap(),
        number(&packed["of_pages"]),
        0.02,
    );
    let all = lines(&values["lines"]);
    let many = (0..30).flat_map(|_| all.iter().copied());
    close(
        compression(many).unwrap(),
        number(&packed["of_lines_thirty_times"]),
        0.06,
    );
}
