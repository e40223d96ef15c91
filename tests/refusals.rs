//! What the program refuses: one error each, with what, where, what was expected and a hint; a documented exit code; never a
//! panic, and nothing half-written.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;
use std::process::Command;

use program::{Ended, Place, edited, model_folder, without_template};
use serde_json::Value;

/// A finished scripted run of a few conversations.
fn small_run(place: &Place) -> String {
    place.ok(&[
        "generate", "--model", "scripted", "--set", "count=6", "--out", "runs",
    ]);
    place.only_run("runs")
}

/// Fails with one error that says certain things, and leaves everything as it was.
fn refused(place: &Place, arguments: &[&str], code: i32, says: &[&str]) {
    let before = place.listing();
    let told = place.fails(arguments, code);
    for part in says {
        assert!(
            told.contains(part),
            "{arguments:?}: {part:?} is not in {told}"
        );
    }
    assert_eq!(place.listing(), before, "{arguments:?} left something");
}

#[test]
fn recipes_that_are_wrong() {
    let place = Place::new();
    let recipe = |name: &str, text: &str| {
        let file = format!("{name}.toml");
        place.write(&file, &format!("model = \"scripted\"\n{text}\n"));
        file
    };
    place.write("pages/a.md", "# A\n\nIt takes 3 days.\n");
    let cases = [
        (
            recipe("key", "cuont = 3"),
            "key.toml:2:1: unknown key `cuont`; did you mean `count`?",
        ),
        (
            recipe("shape", "count = \"many\""),
            "shape.toml:2:1: `count` is the text \"many\"; expected a whole number",
        ),
        (
            recipe("range", "[conversation]\nmax_turns = 1"),
            "range.toml:3:1: `conversation.max_turns` is 1; expected 2 to 1000",
        ),
        (
            recipe("tone", "[customer]\ntone = { anoyed = 1 }"),
            "did you mean `annoyed`?",
        ),
        (recipe("syntax", "count = = 3"), "syntax.toml:2:"),
    ];
    for (file, says) in &cases {
        for command in ["generate", "validate", "preview"] {
            refused(&place, &[command, file], 78, &[says]);
        }
    }
    let scripted = ["generate", "--model", "scripted"];
    refused(
        &place,
        &[&scripted[..], &["--set", "brand.nmae=X"]].concat(),
        78,
        &["did you mean `brand.name`"],
    );
    refused(
        &place,
        &[&scripted[..], &["--set", "nonsense"]].concat(),
        78,
        &["expected key=value"],
    );
    refused(
        &place,
        &["generate", "no-such-recipe"],
        66,
        &["no recipe `no-such-recipe`", "hint:"],
    );
}

#[test]
fn inputs_that_are_wrong() {
    let place = Place::new();
    let with = |dir: &str| {
        let dir = format!("pages.dir={dir}");
        vec![
            "generate".to_owned(),
            "--model".into(),
            "scripted".into(),
            "--set".into(),
            dir,
        ]
    };
    place.write("hollow/a.md", "# A\n\nIt takes 3 days.\n");
    place.write("hollow/b.md", "\n\n");
    fs::create_dir(place.path("none")).unwrap();
    fs::create_dir(place.path("bytes")).unwrap();
    fs::write(place.path("bytes/a.md"), b"caf\xe9 opens at 9").unwrap();
    for (dir, code, says) in [
        ("nowhere", 66, "no such folder"),
        ("none", 66, "no help pages"),
        ("hollow", 65, "hollow/b.md: the page is empty"),
        ("bytes", 65, "not UTF-8 at byte 3"),
        ("hollow/a.md", 66, "is not a folder"),
    ] {
        let arguments = with(dir);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(&place, &arguments, code, &[says, "expected"]);
    }
    // A page without facts is worth a note, not an error.
    place.write("vague/a.md", "# A\n\nWell, maybe\n");
    let arguments = with("vague");
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["--set", "count=1"]);
    let ended = place.run(&arguments);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("states no facts"), "{}", ended.err);

    place.write(
        "lost.jsonl",
        "{\"page\": \"retorns\", \"text\": \"How long?\"}\n",
    );
    place.write("broken.jsonl", "{\"page\": \"returns\", \n");
    for (file, code, says) in [
        (
            "lost.jsonl",
            65,
            "not among the help pages: `retorns` (did you mean `returns`?)",
        ),
        ("broken.jsonl", 65, "broken.jsonl:1:"),
        ("gone.jsonl", 66, "gone.jsonl"),
    ] {
        let from = format!("queries.from={file}");
        refused(
            &place,
            &["generate", "--model", "scripted", "--set", &from],
            code,
            &[says],
        );
    }
    place.write("odd/agent.j2", "You are {{ agnet }}.");
    refused(
        &place,
        &["generate", "--model", "scripted", "--set", "prompts=odd"],
        78,
        &["unknown variable `agnet`", "did you mean `agent`?"],
    );
}

#[test]
fn models_that_are_wrong() {
    let place = Place::new();
    let config = |key: &'static str, value: Value| {
        move |file: &str, bytes: Vec<u8>| {
            edited(file, bytes, "config.json", |config| {
                config[key] = value.clone();
            })
        }
    };
    let base = model_folder(&place, "base", without_template);
    let mamba = model_folder(
        &place,
        "mamba",
        config("architectures", serde_json::json!(["MambaForCausalLM"])),
    );
    let dynamic = model_folder(
        &place,
        "dynamic",
        config(
            "rope_scaling",
            serde_json::json!({ "rope_type": "dynamic", "factor": 4.0 }),
        ),
    );
    let small = model_folder(&place, "small", config("vocab_size", 300.into()));
    let layers = model_folder(&place, "layers", config("num_hidden_layers", 6.into()));
    let cut = model_folder(&place, "cut", |file, mut bytes| {
        if file == "model.safetensors" {
            bytes.truncate(bytes.len() / 2);
        }
        Some(bytes)
    });
    let pointer = model_folder(&place, "pointer", |file, bytes| {
        Some(if file == "model.safetensors" {
            b"version https://git-lfs.github.com/spec/v1\n".to_vec()
        } else {
            bytes
        })
    });
    let part = model_folder(&place, "part", |file, bytes| {
        (file != "tokenizer.json").then_some(bytes)
    });
    let garbled = model_folder(&place, "garbled", |file, bytes| {
        Some(if file == "tokenizer.json" {
            b"{".to_vec()
        } else {
            bytes
        })
    });
    let whole = include_bytes!("gguf/qwen2.gguf");
    let put = |name: &str| {
        let path = place.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        path
    };
    let cut_gguf = put("cut.gguf").to_str().unwrap().to_owned();
    let two_gguf = put("two/one.gguf")
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    put("two/two.gguf");
    for (model, code, says) in [
        (base.as_str(), 65, &["no chat template", "hint:"][..]),
        (
            &mamba,
            65,
            &[
                "MambaForCausalLM is not supported",
                "supported are LlamaForCausalLM",
            ],
        ),
        (&dynamic, 65, &["rope_scaling.rope_type", "dynamic"]),
        (
            &small,
            65,
            &["embeddings for 300 only", "do not belong together"],
        ),
        (&layers, 65, &["model.layers.5."]),
        (&cut, 65, &["model.safetensors", "cut short"]),
        (&pointer, 65, &["git-lfs pointer", "hint:"]),
        (&part, 66, &["it lacks: tokenizer.json"]),
        (&garbled, 65, &["tokenizer.json"]),
        ("./nowhere", 66, &["no such folder", "hint:"]),
        (
            "no-such-org/no-such-model",
            66,
            &["is not on this machine", "colloquy models pull"],
        ),
        ("./model.gguf", 66, &["./model.gguf: no such file"]),
        (
            &cut_gguf,
            65,
            &["cut.gguf: not a whole GGUF file: at byte ", "cut short"],
        ),
        (
            &two_gguf,
            65,
            &["several GGUF models: one.gguf, two.gguf", "hint:"],
        ),
        ("a b", 2, &["no model reference", "hint:"]),
        ("scripted:ecko=1", 2, &["it has echo"]),
    ] {
        refused(&place, &["generate", "--model", model], code, says);
    }
    refused(
        &place,
        &[
            "generate",
            "--model",
            "demo",
            "--set",
            "engine.memory=1 MiB",
        ],
        2,
        &["memory", "hint:"],
    );
}

#[test]
fn places_that_cannot_be_written() {
    let place = Place::new();
    let run = small_run(&place);
    place.write("file", "mine");
    refused(
        &place,
        &["generate", "--model", "scripted", "--out", "file/runs"],
        74,
        &["file/runs"],
    );
    refused(
        &place,
        &["export", &run, "--out", "file/x.jsonl"],
        74,
        &["cannot write file/x.jsonl", "hint:"],
    );
    refused(
        &place,
        &["export", &run, "--out", "none/x.jsonl"],
        66,
        &[
            "cannot write none/x.jsonl",
            "hint: its folder does not exist",
        ],
    );
    refused(
        &place,
        &["export", &run, "--out", "runs"],
        2,
        &["is a folder", "hint: try --out runs/messages.jsonl"],
    );
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::FileTypeExt;
        refused(
            &place,
            &["export", &run, "--out", "/dev/full"],
            74,
            &["cannot write /dev/full", "hint: make room"],
        );
        let device = fs::metadata("/dev/full").unwrap();
        assert!(
            device.file_type().is_char_device(),
            "a device is never replaced"
        );
    }
}

/// The system refuses files beyond a size, as a full disk would.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let arguments = "generate --model scripted --set count=20 --out";
    let program = env!("CARGO_BIN_EXE_colloquy");
    let mut shell = Command::new("bash");
    place.isolate(shell.args([
        "-c",
        &format!("trap '' XFSZ; ulimit -f 24; exec {program} {arguments} runs"),
    ]));
    let ended = Ended::of(shell.output().unwrap());
    ended.is_one_error(74, "a full disk");
    assert!(
        ended.err.contains("cannot write") && ended.err.contains("hint:"),
        "{}",
        ended.err
    );
    let run = place.only_run("runs");
    place.ok(&["status", &run]);
    for out in ["runs", "roomy"] {
        let arguments: Vec<&str> = arguments.split(' ').chain([out]).collect();
        place.ok(&arguments);
    }
    let roomy = place.only_run("roomy");
    assert!(
        place.read(&format!("{run}/messages.jsonl"))
            == place.read(&format!("{roomy}/messages.jsonl"))
    );
}

#[test]
fn runs_that_are_wrong() {
    let place = Place::new();
    let run = small_run(&place);
    for command in ["status", "show", "resume"] {
        refused(&place, &[command, "runs"], 66, &["no run in runs", "hint:"]);
    }
    refused(
        &place,
        &["export", "nowhere", "--out", "-"],
        66,
        &["no run in nowhere"],
    );
    refused(
        &place,
        &["show", &run, "99"],
        66,
        &["no place 99", "the plan has 6"],
    );
    refused(&place, &["show", &run, "c/0/3"], 66, &["not made yet"]);
    refused(&place, &["show", &run, "c/x"], 2, &["expected an id like"]);

    let journal = format!("{run}/journal/stream-0.jsonl");
    let sound = place.read(&journal);
    place.write(&journal, &sound.replacen("customer", "custamer", 1));
    for arguments in [
        vec!["status", &run],
        vec!["export", &run, "--out", "-"],
        vec!["resume", &run],
    ] {
        refused(&place, &arguments, 65, &["damaged line", "hint:"]);
    }
    place.write(&journal, &sound);
    let manifest = format!("{run}/run.json");
    let text = place.read(&manifest);
    place.write(&manifest, &text.replace("\"format\": 1", "\"format\": 99"));
    refused(
        &place,
        &["status", &run],
        65,
        &["format 99", "reads up to format 1", "hint:"],
    );
}

#[test]
fn a_description_of_a_run_that_is_none() {
    let place = Place::new();
    let run = small_run(&place);
    place.write(&format!("{run}/run.json"), "{");
    refused(
        &place,
        &["status", &run],
        65,
        &["run.json", "not the description of a run"],
    );
}

#[test]
fn command_lines_that_are_wrong() {
    let place = Place::new();
    for arguments in [
        &["generate", "--modle", "demo"][..],
        &["generate", "--limit", "x"],
        &["export", "runs"],
        &["export", "runs", "--format", "parquet", "--out", "x"],
        &["score", "--model", "demo"],
        &["nonsense"],
    ] {
        refused(&place, arguments, 2, &[]);
    }
    for without_command in [&[][..], &["models"]] {
        let ended = place.run(without_command);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.err.contains("Usage:"), "{}", ended.err);
    }
    refused(
        &place,
        &["generate", "--model", "scripted", "--limit", "0"],
        78,
        &["limit"],
    );
    assert!(
        place
            .fails(&["generate", "--modle", "demo"], 2)
            .contains("--model")
    );
}

/// The figure that would work is part of the error, and nothing is begun.
#[test]
fn engines_that_cannot_be() {
    let place = Place::new();
    let refuse = |arguments: &[&str], says: &[&str]| {
        refused(
            &place,
            &[&["generate", "--limit", "1"], arguments].concat(),
            2,
            says,
        );
    };
    let cores = std::thread::available_parallelism().unwrap();
    refuse(
        &["--threads", "4000"],
        &["4000 threads", &format!("--threads {cores} at most")],
    );
    refuse(
        &["--memory", "5 MiB"],
        &["more than the 6 MB", "--memory \"", "is enough"],
    );
    refuse(
        &["--memory", "1000000 GiB"],
        &["can give", "--memory \"", "at most"],
    );
    let told = place.fails(&["generate", "--kv-dtype", "f8"], 78);
    assert!(
        told.contains("--kv-dtype") && told.contains("auto, f32, f16, bf16"),
        "{told}"
    );
    let told = place.fails(&["generate", "--quant", "q5"], 78);
    assert!(
        told.contains("--quant") && told.contains("auto, none, bf16, q8_0, q4"),
        "{told}"
    );
    // What an error names as enough is enough, for conversations that need no more than an engine has at least.
    let short = ["--set", "conversation.max_turns=4"];
    let told = place.fails(
        &[&["generate", "--memory", "5 MiB"], &short[..]].concat(),
        2,
    );
    let enough = told
        .split('"')
        .nth(1)
        .unwrap_or_else(|| panic!("a figure in {told}"));
    place.ok(&[
        &["generate", "--limit", "1", "--memory", enough],
        &short[..],
    ]
    .concat());
    // Where less fits than is wanted at once, the rest waits.
    let ended = place.ok(&[
        "generate",
        "--memory",
        "40 MB",
        "--kv-dtype",
        "f32",
        "--seed",
        "8",
    ]);
    assert!(ended.err.contains("the others wait"), "{}", ended.err);
}
