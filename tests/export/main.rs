//! Datasets as they leave: folders with their papers, splits that stay, Parquet that holds what JSON lines hold, several runs,
//! and what comes back when an export is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../program/mod.rs"]
mod program;

mod law;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use arrow_array::{Array, RecordBatch, cast::AsArray, types};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use program::Place;
use serde_json::{Value, json};

const SCRIPTED: &str = "scripted:echo=0.2,long=0.1";

fn made(place: &Place, recipe: &str, count: u32, runs: &str) -> String {
    let count = format!("count={count}");
    place.ok(&[
        "generate", recipe, "--model", SCRIPTED, "--set", &count, "--out", runs,
    ]);
    place.only_run(runs)
}

fn lines(place: &Place, file: &str) -> Vec<Value> {
    let text = place.read(file);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_folder_has_its_splits_and_its_papers() {
    let place = Place::new();
    let run = made(&place, "mixed", 40, "runs");
    let split = "train=0.6,validation=0.2,test=0.2";
    let ended = place.ok(&["export", &run, "--out", "data", "--split", split]);
    let mut homes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut rows = 0;
    for part in ["train", "validation", "test"] {
        let file = format!("data/{part}.jsonl");
        assert!(ended.err.contains(&file), "{}", ended.err);
        for row in lines(&place, &file) {
            assert_eq!(row["split"], part);
            rows += 1;
            let lineage = row["query_id"].as_str().or(row["experience"].as_str());
            homes
                .entry(lineage.unwrap().into())
                .or_default()
                .insert(part);
        }
    }
    let whole = |run: &str| place.ok(&["export", run, "--out", "-"]).json_lines().len();
    assert_eq!(rows, whole(&run));
    assert!(homes.values().all(|parts| parts.len() == 1), "{homes:?}");
    let card = place.read("data/README.md");
    for told in [
        "license: ",
        "- split: validation\n    path: validation.jsonl",
        "- n<1K",
        "- synthetic",
        "Demo data",
        "- name: messages\n    list:\n    - name: role\n      dtype: string",
        "| tone: annoyed |",
    ] {
        assert!(card.contains(told), "{told} in\n{card}");
    }
    let info: Value = serde_json::from_str(&place.read("data/dataset_info.json")).unwrap();
    assert_eq!(info["mixed_test"]["file_name"], "test.jsonl");
    assert!(place.read("data/axolotl.yaml").contains("test_datasets:"));

    // A run that has grown keeps what it had where it was, and an earlier export is written over.
    let before: BTreeMap<String, String> = ["train", "validation", "test"]
        .iter()
        .flat_map(|part| lines(&place, &format!("data/{part}.jsonl")))
        .map(|row| (row["id"].to_string(), row["split"].to_string()))
        .collect();
    let run = made(&place, "mixed", 60, "runs");
    let ended = place.ok(&[
        "export", &run, "--out", "data", "--split", split, "--as", "parquet",
    ]);
    assert!(
        ended.err.contains("also holds test.jsonl, train.jsonl"),
        "{}",
        ended.err
    );
    place.ok(&["export", &run, "--out", "data", "--split", split]);
    let mut after = 0;
    for part in ["train", "validation", "test"] {
        for row in lines(&place, &format!("data/{part}.jsonl")) {
            after += 1;
            if let Some(home) = before.get(&row["id"].to_string()) {
                assert_eq!(*home, format!("\"{part}\""));
            }
        }
    }
    assert_eq!(after, whole(&run));
    assert!(after > before.len());

    // Whoever shares a person stays together.
    let by = [
        "--split",
        "a=1,b=1",
        "--split-by",
        "persona",
        "--where",
        "kind=group",
    ];
    place.ok(&[&["export", &run, "--out", "people"], &by[..]].concat());
    let mut homes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for part in ["a", "b"] {
        if !place.path(&format!("people/{part}.jsonl")).exists() {
            continue;
        }
        for row in lines(&place, &format!("people/{part}.jsonl")) {
            let id = row["id"].as_str().unwrap();
            let topic = row["experience"].to_string();
            assert!(id.starts_with("c/"));
            homes.entry(topic).or_default().insert(part);
        }
    }
    assert!(homes.values().all(|parts| parts.len() == 1), "{homes:?}");
}

/// A cell of a column as JSON, missing where it is null.
fn cell(array: &dyn Array, at: usize) -> Option<Value> {
    if array.is_null(at) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(at).into(),
        DataType::Boolean => array.as_boolean().value(at).into(),
        DataType::Int64 => array.as_primitive::<types::Int64Type>().value(at).into(),
        DataType::UInt64 => array.as_primitive::<types::UInt64Type>().value(at).into(),
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(at);
            let values = (0..list.len()).map(|at| cell(&list, at).unwrap_or(Value::Null));
            values.collect::<Vec<_>>().into()
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let known = fields.iter().zip(columns);
            let known =
                known.filter_map(|(field, column)| Some((field.name().clone(), cell(column, at)?)));
            Value::Object(known.collect())
        }
        other => panic!("no column is {other}"),
    })
}

/// The rows of a Parquet file, without what is null, and how many row groups it has.
fn table(place: &Place, file: &str) -> Vec<Value> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(place.path(file)).unwrap());
    let batches = reader.unwrap().build().unwrap();
    let rows = |batch: RecordBatch| {
        let array = arrow_array::StructArray::from(batch);
        (0..array.len())
            .map(|at| cell(&array, at).unwrap())
            .collect::<Vec<_>>()
    };
    batches.flat_map(|batch| rows(batch.unwrap())).collect()
}

/// Without what is null, at every depth, and without structs that hold nothing.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key.clone(), bare(value)))
                    .collect(),
            )
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

#[test]
fn parquet_holds_what_json_lines_hold() {
    let place = Place::new();
    let run = made(&place, "mixed", 24, "runs");
    for (format, more) in [
        (
            "messages",
            &["--links", "--train-on", "assistant", "--system", "page"][..],
        ),
        (
            "messages",
            &["--where", "verdict=any", "--perspective", "each"],
        ),
        ("sharegpt", &["--system", "short", "--train-on", "all"]),
        ("preference", &["--side", "both", "--system", "short"]),
        ("asynth", &["--with-rejected"]),
        ("experiences", &[]),
    ] {
        let export = |out: &str, encoding: &str| {
            let base = [
                "export", &run, "--format", format, "--out", out, "--as", encoding,
            ];
            place.ok(&[&base[..], more].concat());
        };
        export("rows.jsonl", "jsonl");
        export("rows.parquet", "parquet");
        let told: Vec<Value> = lines(&place, "rows.jsonl").iter().map(bare).collect();
        // What JSON lines leave out, Parquet has as nothing; what is empty is written by neither of them.
        let held: Vec<Value> = table(&place, "rows.parquet");
        assert!(!told.is_empty(), "{format}");
        assert_eq!(told.len(), held.len(), "{format}");
        for (told, held) in told.iter().zip(&held) {
            assert_eq!(told, held, "{format}");
        }
        assert!(place.listing().iter().all(|name| !name.contains(".tmp")));
    }
    let refused = place.fails(
        &[
            "export", &run, "--format", "convogen", "--as", "parquet", "--out", "x",
        ],
        2,
    );
    assert!(
        refused.contains("speakerMap") && !place.path("x").exists(),
        "{refused}"
    );
}

#[test]
fn guards_leave_pairs_and_cut_turns_are_not_learned() {
    let place = Place::new();
    let run = made(&place, "support", 24, "runs");
    let export = |more: &[&str]| {
        let base = ["export", &run, "--out", "-"];
        place.ok(&[&base[..], more].concat()).json_lines()
    };
    let pairs = export(&["--format", "preference"]);
    assert!(!pairs.is_empty());
    for pair in &pairs {
        let prompt = pair["prompt"].as_array().unwrap();
        assert_eq!(prompt.first().unwrap()["role"], "user");
        assert_eq!(prompt.last().unwrap()["role"], "user");
        assert_eq!((prompt.len() % 2, &pair["side"]), (1, &"agent".into()));
        assert_eq!(pair["chosen"], json!([pair["chosen_message"]]));
        assert_ne!(pair["chosen"], pair["rejected"]);
    }
    assert!(export(&["--format", "preference", "--side", "both"]).len() >= pairs.len());

    let rows = export(&[
        "--train-on",
        "assistant",
        "--system",
        "short",
        "--where",
        "verdict=any",
    ]);
    let mut cut = 0;
    for row in &rows {
        let messages = row["messages"].as_array().unwrap();
        assert_eq!(messages[0]["role"], "system");
        let ended = row["end_reason"] == "guard_cut";
        for (place, message) in messages.iter().enumerate() {
            let is_cut = ended && place + 1 == messages.len();
            cut += u32::from(is_cut);
            let meant = message["role"] == "assistant" && !is_cut;
            assert_eq!(message["train"], meant);
        }
        let rejected = row["verdict"] == "reject";
        assert_eq!(rejected, row["reason"].is_string());
    }
    assert!(cut > 0 && rows.iter().any(|row| row["verdict"] == "keep"));
}

#[test]
fn several_runs_are_one_dataset() {
    let place = Place::new();
    let one = made(&place, "support", 20, "one");
    let other = made(&place, "groupchat-generated", 8, "other");
    let export = |more: &[&str]| {
        let base = ["export", &one, &other, "--out", "-"];
        place.ok(&[&base[..], more].concat()).json_lines()
    };
    let all = export(&[]);
    let ids: BTreeSet<&str> = all.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert!(all.len() == ids.len() && all.len() > 20);
    for row in &all {
        let (id, run) = (row["id"].as_str().unwrap(), row["run"].as_str().unwrap());
        assert!(id.starts_with(&format!("{run}/c/")), "{id}");
    }
    let of_first = all[0]["run"].clone();
    let mixed = export(&["--mix", "0.75,0.25"]);
    assert_eq!(mixed, export(&["--mix", "3,1"]));
    let mut first = 0.0;
    for (rows, row) in (1u32..).zip(&mixed) {
        first += f64::from(u8::from(row["run"] == of_first));
        let meant = 0.75 * f64::from(rows);
        assert!((first - meant).abs() <= 1.0, "{first} of {rows}");
    }
    assert!(mixed.len() > all.len() / 2, "{}", mixed.len());
    for (arguments, told) in [
        (vec!["export", &one, &one, "--out", "-"], "named twice"),
        (
            vec!["export", &one, "--mix", "1,1", "--out", "-"],
            "2 shares for 1 runs",
        ),
        (
            vec!["export", &one, "--split", "a=0", "--out", "x"],
            "share of a is 0",
        ),
        (
            vec!["export", &one, "--split", "a=1", "--out", "-"],
            "needs a folder",
        ),
        (
            vec!["export", &one, "--split-by", "page", "--out", "x"],
            "without --split",
        ),
    ] {
        let error = place.fails(&arguments, 2);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let place = Place::new();
    let run = made(&place, "support", 3, "runs");
    place.write("mine/notes.txt", "mine");
    let split = ["--split", "a=1,b=1"];
    for (out, code, told) in [
        ("mine", 2, "holds other things"),
        ("mine/notes.txt", 2, "is a file"),
        ("none/data", 66, "cannot write none/data"),
    ] {
        let arguments = [&["export", &run, "--out", out], &split[..]].concat();
        let error = place.fails(&arguments, code);
        assert!(error.contains(told), "{error}");
    }
    let page = ["--system", "page"];
    let journal = format!("{run}/journal/stream-0.jsonl");
    let whole = place.read(&journal);
    let at = whole.rfind("\"turns\"").unwrap();
    place.write(&journal, &format!("{}x{}", &whole[..at], &whole[at..]));
    place.fails(
        &[&["export", &run, "--out", "data"], &split[..], &page].concat(),
        65,
    );
    assert!(!place.path("data").exists());
    assert_eq!(place.read("mine/notes.txt"), "mine");
}
