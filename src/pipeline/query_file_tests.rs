use super::*;

fn pages(ids: &[&str]) -> Vec<Page> {
    let page = |id: &&str| Page {
        id: (*id).to_owned(),
        title: id.replace('_', " "),
        paragraphs: Vec::new(),
    };
    ids.iter().map(page).collect()
}

fn parse(name: &str, text: &str, ids: &[&str]) -> Result<Vec<Query>, String> {
    let path = Path::new(name);
    parse_queries(path, QueryFormat::of(path).unwrap(), text, &pages(ids))
        .map_err(|error| error.to_string())
}

fn texts(given: &[Query]) -> Vec<(&str, &str, &str)> {
    given
        .iter()
        .map(|g| (g.id.as_str(), g.page.as_str(), g.text.as_str()))
        .collect()
}

#[test]
fn lists_by_title_lose_their_numbers_and_keep_their_tone() {
    let text = "{\"title\": \"Track Your Package\", \"customer_queries\": [\"1. Where is it?\", \"12. How  long?\", \"2024 is over\"], \
                \"tone\": \"annoyed\", \"style\": \"colloquial\"}\r\n\r\n{\"title\": \"Returns\", \"customer_queries\": [\"3) ok\"], \"tone\": \"\"}\r\n";
    let given = parse(
        "sub/seed_queries.jsonl",
        text,
        &["Returns", "Track_Your_Package"],
    )
    .unwrap();
    assert_eq!(
        texts(&given),
        [
            ("seed_queries/0", "Track_Your_Package", "Where is it?"),
            ("seed_queries/1", "Track_Your_Package", "How long?"),
            ("seed_queries/2", "Track_Your_Package", "2024 is over"),
            ("seed_queries/3", "Returns", "ok"),
        ]
    );
    assert_eq!(
        (given[0].tone, given[0].style),
        (Some(Tone::Annoyed), Some(Style::Colloquial))
    );
    assert_eq!((given[3].tone, given[3].style), (None, None));
}

#[test]
fn a_missing_page_is_an_error_that_names_it() {
    let text = "{\"page\": \"Retruns\", \"text\": \"a\"}\n{\"page\": \"Pets\", \"text\": \"b\"}\n{\"page\": \"returns\", \"text\": \"c\"}";
    let error = parse("q.jsonl", text, &["Returns"]).unwrap_err();
    assert_eq!(
        error,
        "q.jsonl: 2 of its pages are not among the help pages: `Pets`, `Retruns` (did you mean `Returns`?)"
    );
}

#[test]
fn tables_need_their_header() {
    let given = parse(
        "q.csv",
        "\u{feff}id,Page,query\r\n1,Returns,\"How long, please?\"\r\n",
        &["Returns"],
    )
    .unwrap();
    assert_eq!(texts(&given), [("q/0", "Returns", "How long, please?")]);
    assert!(
        parse("q.csv", "a,b\n1,2\n", &["Returns"])
            .unwrap_err()
            .contains("q.csv:1:1: no column `page`")
    );
    assert!(
        parse("q.csv", "page,query\nReturns\n", &["Returns"])
            .unwrap_err()
            .contains("q.csv:2:1: 1 fields; expected 2")
    );
    assert!(
        parse("q.csv", "page,query\nReturns,\"x\n", &["Returns"])
            .unwrap_err()
            .contains("q.csv:2:9: a quote")
    );
}

#[test]
fn lines_belong_to_the_only_page_or_name_theirs() {
    let given = parse("q.txt", "1. How long?\n\n- How much?\r\n", &["Returns"]).unwrap();
    assert_eq!(
        texts(&given),
        [
            ("q/0", "Returns", "How long?"),
            ("q/1", "Returns", "How much?")
        ]
    );
    let two = parse("q.txt", "billing\tHow much?\n", &["Returns", "Billing"]).unwrap();
    assert_eq!(two[0].page, "Billing");
    assert!(
        parse("q.txt", "How much?\n", &["Returns", "Billing"])
            .unwrap_err()
            .contains("q.txt:1:1: no page; with 2")
    );
}

#[test]
fn broken_files_say_what_was_expected() {
    assert!(
        parse(
            "q.jsonl",
            "{\"page\": \"Returns\", \"text\": \"a\"}\n{\"page\": 3}\n",
            &["Returns"]
        )
        .unwrap_err()
        .starts_with("q.jsonl:2:")
    );
    assert!(
        parse("q.jsonl", "{\"page\": \"Returns\"}", &["Returns"])
            .unwrap_err()
            .contains("either `text` or `customer_queries`")
    );
    assert!(
        parse("q.txt", "\n\n", &["Returns"])
            .unwrap_err()
            .contains("no questions")
    );
    let error = read_queries(Path::new("q.xlsx"), &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected .jsonl, .csv or .txt"), "{error}");
    assert!(
        read_queries(Path::new("/nowhere/q.txt"), &[])
            .unwrap_err()
            .to_string()
            .contains("/nowhere/q.txt")
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("q.txt");
    std::fs::write(&path, b"abc\xff").unwrap();
    assert!(
        read_queries(&path, &[])
            .unwrap_err()
            .to_string()
            .contains("not UTF-8 at byte 3")
    );
}
