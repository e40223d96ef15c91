//! The commands themselves: what they print, and how they end.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::program::{Ended, Place, model_folder};
use super::server::{Reply, Repo, Server};

/// A repository that holds the demo model.
fn demo() -> Repo {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    let files = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    .map(|name| (name, fs::read(folder.join(name)).unwrap()));
    Repo::new("org/demo", &files)
}

fn online(place: &Place, server: &Server, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command
        .env("HF_HUB_OFFLINE", "0")
        .env("HF_ENDPOINT", server.url());
    command
}

fn run(place: &Place, server: &Server, arguments: &[&str]) -> Ended {
    Ended::of(online(place, server, arguments).output().unwrap())
}

#[test]
fn a_model_is_fetched_listed_shown_checked_and_used() {
    let place = Place::new();
    let repo = demo();
    let server = {
        let repo = repo.clone();
        Server::new(move |request| match request.header("authorization") {
            Some("Bearer hf_geheim") => repo.reply(request),
            _ => Reply::new(401, "").with("x-error-code", "GatedRepo"),
        })
    };
    // Not here yet: nobody but `pull` looks for it on the hub.
    let missing = run(&place, &server, &["generate", "--model", "org/demo"]);
    missing.is_one_error(66, "generate");
    assert!(
        missing.err.contains("colloquy models pull org/demo"),
        "{}",
        missing.err
    );
    assert!(server.asked().is_empty());

    let refused = run(&place, &server, &["models", "pull", "org/demo"]);
    refused.is_one_error(69, "gated");
    assert!(refused.err.contains("HF_TOKEN"), "{}", refused.err);
    // The token of the file that Python tools keep it in.
    place.write("no-models/token", "hf_geheim\n");
    let pulled = run(&place, &server, &["models", "pull", "org/demo"]);
    assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    let folder = place
        .path("no-models/hub/models--org--demo/snapshots")
        .join(&repo.commit);
    assert_eq!(pulled.out.trim(), folder.to_str().unwrap());
    assert!(
        pulled.err.contains("org/demo at 0123456: 5 files"),
        "{}",
        pulled.err
    );
    assert!(!format!("{pulled:?}").contains("geheim"));
    let quiet = ["models", "pull", "org/demo", "--json", "--quiet"];
    let again = run(&place, &server, &quiet);
    assert_eq!(again.json()["fetched_bytes"], 0);
    assert_eq!(again.err, "");

    let asked = server.asked().len();
    let shown = place.ok(&["models", "show", "org/demo", "--json"]).json();
    assert_eq!(shown["family"], "llama");
    let listed = place.ok(&["models", "list", "--json"]).json();
    let models = listed["models"].as_array().unwrap();
    let found = models.iter().find(|model| model["reference"] == "org/demo");
    let found = found.unwrap();
    assert_eq!(
        (&found["here"], &found["shipped"]),
        (&true.into(), &false.into())
    );
    let checked = place.ok(&["models", "verify", "org/demo", "--json"]).json();
    let files = checked["files"].as_array().unwrap();
    assert_eq!(files.len(), 5);
    assert!(
        files.iter().all(|file| file["state"] == "right"),
        "{checked}"
    );
    place.write("text.txt", "Hello there");
    place.ok(&["score", "--model", "org/demo", "--text-file", "text.txt"]);
    assert_eq!(server.asked().len(), asked);

    // One byte changed, then the whole blob gone.
    let blob = fs::canonicalize(folder.join("model.safetensors")).unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&blob, bytes).unwrap();
    let wrong = place.run(&["models", "verify", "org/demo"]);
    wrong.is_one_error(65, "verify");
    assert!(wrong.err.contains(blob.to_str().unwrap()), "{}", wrong.err);
    fs::remove_file(&blob).unwrap();
    let gone = place.run(&["models", "verify", "org/demo"]);
    gone.is_one_error(66, "verify");
    assert!(
        gone.err.contains("colloquy models pull org/demo"),
        "{}",
        gone.err
    );
    let mended = run(&place, &server, &["models", "pull", "org/demo"]);
    assert_eq!(mended.code, Some(0), "{mended:#?}");
    place.ok(&["models", "verify", "org/demo"]);
}

#[test]
fn what_cannot_be_fetched_ends_with_its_code() {
    let place = Place::new();
    let mut repo = demo();
    repo.name = "org/other".into();
    let server = Server::new(move |request| {
        let reply = repo.reply(request);
        if request.path.ends_with("/config.json") {
            let text = String::from_utf8(reply.body).unwrap();
            return Reply::new(200, text.replace("LlamaForCausalLM", "OtherForCausalLM"))
                .with("etag", "\"changed\"");
        }
        reply
    });
    let unknown = run(
        &place,
        &server,
        &["models", "pull", "Qwen/Qwen2.5-7b-Instrct"],
    );
    unknown.is_one_error(66, "unknown");
    assert!(
        unknown.err.contains("Qwen/Qwen2.5-7B-Instruct"),
        "{}",
        unknown.err
    );
    let other = run(&place, &server, &["models", "pull", "org/other"]);
    other.is_one_error(65, "architecture");
    assert!(other.err.contains("OtherForCausalLM"), "{}", other.err);
    assert_eq!(server.gets("model.safetensors"), 0);
    for (arguments, code, says) in [
        (&["models", "pull", "org/other"][..], 69, "HF_HUB_OFFLINE"),
        (&["models", "pull", "demo"], 2, "part of the program"),
        (&["models", "pull", "qwen3-8b"], 2, "Qwen/Qwen3-8B"),
        (&["models", "pull", "../x"], 2, "org/name"),
        (&["models", "verify", "demo"], 2, "part of the program"),
        (&["models", "verify", "no/such"], 66, "models pull"),
    ] {
        let told = place.fails(arguments, code);
        assert!(told.contains(says), "{arguments:?}: {told}");
    }
    let gone = Server::new(|_| Reply::new(200, "")).url();
    let mut command = place.command(&["models", "pull", "org/demo"]);
    command.env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", gone);
    Ended::of(command.output().unwrap()).is_one_error(69, "unreachable");
    let mut command = online(&place, &server, &["models", "pull", "org/demo"]);
    command.env("HF_TOKEN", "hf_ge heim");
    let ended = Ended::of(command.output().unwrap());
    ended.is_one_error(2, "token");
    assert!(!ended.err.contains("heim"), "{}", ended.err);
}

#[test]
fn what_is_known_of_models_is_shown_without_them() {
    let place = Place::new();
    let facts = place
        .ok(&["models", "show", "Qwen/Qwen2.5-7B-Instruct", "--json"])
        .json();
    assert_eq!(facts["here"], false);
    assert_eq!(facts["shape"]["parameters"], 7_615_616_512_u64);
    let memory = &facts["memory"];
    assert_eq!(memory["weight_bytes_at"]["bf16"], 15_231_233_024_u64);
    assert_eq!(memory["cache_bytes_per_1000_tokens"], 57_344_000);
    let text = place.ok(&["models", "show", "google/gemma-2-2b-it"]).out;
    for says in [
        "not on this machine",
        "gated",
        "refuses a system message",
        "not verified",
        "models pull google/gemma-2-2b-it",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let text = place.ok(&["models", "list"]).out;
    for says in [
        "part of the program",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "7.62 B",
        "Apache-2.0",
        "no; gated",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    place.fails(&["models", "show", "no/such"], 66);
}

#[test]
fn a_folder_takes_what_is_known_of_its_repository() {
    let place = Place::new();
    let folder = model_folder(&place, "model", |_, bytes| Some(bytes));
    place.write(
        "model/colloquy.toml",
        "repository = \"Qwen/Qwen3-8B\"\n[sampling]\ntop_p = 0.5\n",
    );
    let facts = place.ok(&["models", "show", &folder, "--json"]).json();
    assert_eq!(facts["licence"], "Apache-2.0");
    assert_eq!(facts["sampling"]["top_p"], 0.5);
    // These numbers are f32.
    assert_eq!(facts["sampling"]["temperature"], 0.7, "{facts}");
    place.write("model/colloquy.toml", "[sampling]\ntop_p = 7\n");
    let told = place.fails(&["models", "show", &folder], 65);
    assert!(told.contains("sampling.top_p"), "{told}");
}

#[test]
fn a_gguf_file_in_a_folder_is_checked_by_its_hash() {
    let place = Place::new();
    let repo = Repo::new(
        "org/name",
        &[("sub/m-Q8_0.gguf", b"GGUF\x03\0\0\0 more".to_vec())],
    );
    let server = Server::new(move |request| repo.reply(request));
    let pulled = run(&place, &server, &["models", "pull", "org/name:Q8_0"]);
    assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    let verify = ["models", "verify", "org/name/sub/m-Q8_0.gguf", "--json"];
    let checked = place.ok(&verify).json();
    assert_eq!(checked["files"][0]["state"], "right", "{checked}");
    let blob = fs::canonicalize(pulled.out.trim()).unwrap();
    fs::write(blob, b"GGUF\x03\0\0\0 less").unwrap();
    place.run(&verify).is_one_error(65, "verify");
}

#[cfg(unix)]
#[test]
fn an_interrupted_pull_says_so_and_goes_on() {
    let place = Place::new();
    let repo = demo();
    let server = Server::new(move |request| {
        let mut reply = repo.reply(request);
        if request.is_get_of("model.safetensors") && request.from() == 0 {
            reply.pause = Some((1_000_000, Duration::from_millis(500)));
        }
        reply
    });
    let part = format!("{}.incomplete", demo().etag("model.safetensors"));
    let part = place
        .path("no-models/hub/models--org--demo/blobs")
        .join(part);
    let child = online(&place, &server, &["models", "pull", "org/demo"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = || fs::metadata(&part).is_ok_and(|part| part.len() > 0);
    for _ in 0..2000 {
        if begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(begun());
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(
        ended.err.contains("the same command goes on"),
        "{}",
        ended.err
    );
    let kept = fs::metadata(&part).unwrap().len();
    let pulled = run(&place, &server, &["models", "pull", "org/demo"]);
    assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    let kept = usize::try_from(kept).unwrap();
    assert_eq!(server.ranges("model.safetensors"), [0, kept]);
    place.ok(&["models", "verify", "org/demo"]);
}
