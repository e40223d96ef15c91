use std::fs;
use std::path::Path;

use super::passages::stem;
use super::*;

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn page_of(paragraphs: &[&str]) -> Page {
    parse("p", Format::Markdown, &paragraphs.join("\n\n"))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn folders_of_all_layouts_are_read_in_order_of_ids() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "leafdirs/Track_Your_Package/t.txt",
        b"Open the list of orders and pick one.\r\n\r\nIt shows a map.",
    );
    write(
        dir.path(),
        "leafdirs/IssueWithRefund/t.txt",
        b"Refunds take 5 days.",
    );
    write(
        dir.path(),
        "billing.md",
        b"# Bills and payment\n\nBills come on day 3.\n",
    );
    write(dir.path(), "notes.json", b"{}");
    write(dir.path(), ".hidden.md", b"x");
    let all = load_folder(dir.path(), &[], &[]).unwrap();
    let ids: Vec<&str> = all.pages.iter().map(|page| page.id.as_str()).collect();
    assert_eq!(ids, ["IssueWithRefund", "Track_Your_Package", "billing"]);
    assert_eq!(
        all.get("Track_Your_Package").unwrap().title,
        "Track Your Package"
    );
    assert_eq!(all.get("Track_Your_Package").unwrap().paragraphs.len(), 2);
    assert_eq!(all.get("billing").unwrap().title, "Bills and payment");
    assert_eq!(all.get("nothing"), None);

    let some = load_folder(
        dir.path(),
        &["*[a-z]*".to_owned()],
        &["IssueWithRefund".to_owned()],
    )
    .unwrap();
    assert_eq!(some.pages.len(), 2);
    let by_path = load_folder(dir.path(), &["leafdirs/*/t.txt".to_owned()], &[]).unwrap();
    assert_eq!(by_path.pages.len(), 2);
}

#[test]
fn files_compiled_in_are_pages_too() {
    let file = |id: &str| PageFile {
        id: id.to_owned(),
        path: format!("pages/{id}.md").into(),
        format: Format::Markdown,
        bytes: b"# T\n\nIt takes 3 days.".to_vec(),
    };
    let glob = |glob: &str| vec![glob.to_owned()];
    let pages = collect(vec![file("b"), file("a"), file("c")], &[], &glob("c")).unwrap();
    assert_eq!(
        pages
            .pages
            .iter()
            .map(|page| page.id.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    let nothing = collect(vec![file("a")], &glob("x"), &[])
        .unwrap_err()
        .to_string();
    assert!(nothing.contains("none of its 1 pages passes"), "{nothing}");
}

#[test]
fn unusable_folders_are_refused_with_what_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let message = |folder: &Path, include: &[&str]| {
        let include: Vec<String> = include.iter().map(|&glob| glob.to_owned()).collect();
        load_folder(folder, &include, &[]).unwrap_err().to_string()
    };
    assert!(
        message(&dir.path().join("nowhere"), &[])
            .contains("nowhere: no such folder; expected a folder")
    );
    assert!(message(dir.path(), &[]).contains("no help pages; expected"));
    write(
        dir.path(),
        "a.md",
        b"Ten words of text are here for you to read.",
    );
    assert!(message(&dir.path().join("a.md"), &[]).contains("is not a folder"));
    assert!(message(dir.path(), &["b*"]).contains("none of its 1 pages passes"));
    assert!(message(dir.path(), &["[b"]).contains("pages.include: `[b` is not a glob"));
    write(dir.path(), "sub/a.txt", b"Another one.");
    assert!(message(dir.path(), &[]).contains("would both be page `a`"));
    fs::remove_dir_all(dir.path().join("sub")).unwrap();
    write(dir.path(), "b.md", b"# Only a title\n\n   \n");
    assert!(message(dir.path(), &[]).contains("b.md: the page is empty"));
    write(dir.path(), "b.md", b"Fine so far \xff and no further");
    assert!(message(dir.path(), &[]).contains("b.md: not UTF-8 at byte 12"));
}

#[test]
fn a_page_without_facts_is_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.txt", b"Hello there\n\nMore soon");
    write(
        dir.path(),
        "b.txt",
        b"You can always send an item back to us.",
    );
    write(dir.path(), "c.txt", b"30 days");
    let pages = load_folder(dir.path(), &[], &[]).unwrap();
    assert_eq!(pages.warnings.len(), 1);
    assert!(
        pages.warnings[0].to_string().starts_with("page `a` ("),
        "{}",
        pages.warnings[0]
    );
}

#[test]
fn markdown_becomes_paragraphs_under_headings() {
    let text = "---\ntags: x\n---\n# Returns *and* refunds\n\nYou can **return** most\nitems [within](http://x) `30` days.\n\n\
                ## How\n\nPack it:\n- use the _box_\n- add snake_case notes\n1. tape it\n\n<!-- not\nshown -->\n\
                Second way\n----------\n\n> Bring it.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\nUse 3 * 4 cm.\n";
    let page = parse("x", Format::Markdown, text);
    assert_eq!(page.title, "Returns and refunds");
    let got: Vec<(&str, &str)> = page
        .paragraphs
        .iter()
        .map(|p| (p.heading.as_str(), p.text.as_str()))
        .collect();
    assert_eq!(
        got,
        [
            ("", "You can return most items within 30 days."),
            (
                "How",
                "Pack it:\n- use the box\n- add snake_case notes\n1. tape it"
            ),
            ("Second way", "Bring it."),
            ("Second way", "a | b\n1 | 2"),
            ("Second way", "Use 3 * 4 cm."),
        ]
    );
}

#[test]
fn plain_text_knows_wrapped_lines_from_lines_that_stand_alone() {
    let alone = parse(
        "x",
        Format::Text,
        "\u{feff}First thing to know.\r\nSecond thing to know.\r\n- an item\r\nThird:\r\n",
    );
    let texts: Vec<&str> = alone.paragraphs.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "First thing to know.",
            "Second thing to know.\n- an item",
            "Third:"
        ]
    );
    let wrapped = parse(
        "x",
        Format::Text,
        "A sentence that\nis wrapped over\nthree lines.\n\nAnother.",
    );
    assert_eq!(
        wrapped.paragraphs[0].text,
        "A sentence that is wrapped over three lines."
    );
    assert_eq!(wrapped.paragraphs.len(), 2);
}

#[test]
fn a_page_of_one_long_line_is_cut_between_sentences() {
    let text = "This sentence has seven words in it. ".repeat(60);
    let page = parse("x", Format::Text, &text);
    assert_eq!(page.paragraphs.len(), 3);
    assert!(
        page.paragraphs
            .iter()
            .all(|p| words(&p.text) <= 150 && p.text.ends_with("it."))
    );
    let joined = page
        .paragraphs
        .iter()
        .map(|p| p.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(joined, text.trim_end());
}

#[test]
fn endings_do_not_hide_a_word() {
    for (a, b) in [
        ("returns", "returned"),
        ("policies", "policy"),
        ("shipping", "shipped"),
        ("prices", "price"),
    ] {
        assert_eq!(stem(a), stem(b), "{a} {b}");
    }
    assert_eq!(stem("glass"), "glass");
    assert_eq!(stem("bus"), "bus");
}

#[test]
fn passages_answer_the_query_and_keep_page_order() {
    let page = page_of(&[
        "Our shop has many kinds of goods and friendly people in it.",
        "Refunds reach your bank card within 5 working days of the check.",
        "Delivery to islands takes 3 more days than to the mainland.",
        "A refund for delivery costs is paid only if the item was faulty.",
    ]);
    assert_eq!(
        choose_passages(&page, "anything", 1000, words),
        [0, 1, 2, 3]
    );
    assert_eq!(
        choose_passages(&page, "When will I be refunded on my card?", 13, words),
        [1]
    );
    assert_eq!(
        choose_passages(&page, "refund to my card for a faulty item", 28, words),
        [1, 3]
    );
    assert_eq!(choose_passages(&page, "paid if faulty", 1, words), [3]);
    assert_eq!(choose_passages(&page, "???", 13, words), [0]);
}

#[test]
fn what_answers_a_question_can_be_kept_back() {
    let page = page_of(&[
        "Opening a parcel does not stop you from sending it back.",
        "Refunds reach your bank card within 5 working days of the check.",
        "A refund goes to the card that you paid with.",
        "Delivery to islands takes 3 more days than to the mainland.",
    ]);
    let question = "When will the refund reach my bank card?";
    let passages = Passages::of(&page, words);
    let kept_back = passages.bearing(question);
    assert_eq!(kept_back, [1, 2]);
    let chosen = |tokens, kept_back: &[usize]| passages.choose(question, tokens, kept_back);
    assert_eq!(chosen(1000, &kept_back), [0, 3]);
    assert_eq!(chosen(12, &kept_back), [0]);
    assert_eq!(chosen(1000, &[0, 1, 2, 3]), [0; 0]);
    // Nothing is known of a question in other words, so nothing is left to chance.
    assert_eq!(passages.bearing("???"), [0, 1, 2, 3]);
    let short = page_of(&["We open at nine."]);
    let short = Passages::of(&short, words);
    assert_eq!(short.bearing("When do you open?"), [0]);
}

/// What is said of [`Passages::bearing`] in its documentation.
#[test]
fn answers_are_among_the_paragraphs_that_bear_on_a_question() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/pages");
    let (mut found, mut all, mut shown, mut paragraphs) = (0, 0, 0, 0);
    for page in load_folder(&folder, &[], &[]).unwrap().pages {
        let facts = std::fs::read_to_string(folder.join(format!("{}.facts.json", page.id)));
        let facts: serde_json::Value = serde_json::from_str(&facts.unwrap()).unwrap();
        let passages = Passages::of(&page, words);
        for fact in facts["facts"].as_array().unwrap() {
            let text = fact["text"].as_str().unwrap();
            let holds = |index: &usize| page.paragraphs[*index].text.contains(text);
            for question in fact["questions"].as_array().unwrap() {
                let bearing = passages.bearing(question.as_str().unwrap());
                found += usize::from(bearing.iter().any(holds));
                all += 1;
                shown += bearing.len();
                paragraphs += page.paragraphs.len();
            }
        }
    }
    assert!(all > 1000, "{all}");
    assert!(found * 100 >= all * 91, "{found} of {all}");
    assert!(shown * 100 < paragraphs * 56, "{shown} of {paragraphs}");
}

#[test]
fn chunks_cover_the_page_once_and_evenly() {
    let page = page_of(&["a b c d e", "a b c d e", "a b c d e", "a b c d e", "a b"]);
    assert_eq!(chunks(&page, 100, words), [vec![0, 1, 2, 3, 4]]);
    assert_eq!(chunks(&page, 24, words), [vec![0, 1], vec![2, 3, 4]]);
    assert_eq!(chunks(&page, 1, words).len(), 5);
}
