//! `colloquy models pull`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;

use super::sizes::size;
use crate::cli::args::PullArgs;
use crate::cli::failure::{Code, Failure};
use crate::cli::generate::stop::listen;
use crate::cli::workshop::cache_places;
use crate::hub::CachePlaces;
use crate::hub::pull::{self, Access, Event, HUB, PullError, Pulled, Token, Wish};
use crate::model::{ModelSpec, shipped, shipped_for};
use crate::settings::Environment;
use crate::settings::env;

pub fn run(args: &PullArgs) -> Result<ExitCode, Failure> {
    let reference = args.reference.as_str();
    if ["demo", "scripted"].contains(&reference) {
        return Err(Failure::new(
            Code::Usage,
            format!("{reference} is part of the program: there is nothing to fetch"),
        ));
    }
    if Path::new(reference).exists() {
        return Err(Failure::new(
            Code::Usage,
            format!("{reference} is on this machine already"),
        )
        .hint("models that are fetched are named org/name"));
    }
    let mut wish = Wish::parse(reference).map_err(|error| named(error.into(), reference))?;
    let manifest = shipped_for(&wish.repo);
    if wish.revision.is_none() {
        wish.revision = manifest.and_then(|manifest| manifest.revision.clone());
    }
    let environment = Environment::from_process();
    let places = cache_places(&environment);
    let access = access(&environment, &places)?;
    let started = Instant::now();
    let shown = Shown::new(args.quiet);
    end_at_once_when_told(&shown)?;
    let accept = |config: &Path| accept(config);
    let pulled = pull::pull(&wish, &places, &access, &accept, &mut |event| {
        shown.tell(event);
    });
    shown.clear();
    let pulled = pulled.map_err(|error| named(error, &wish.repo))?;
    if !args.quiet {
        tell(&pulled, started);
        if let Some(terms) = manifest.and_then(|manifest| manifest.output_terms.as_deref()) {
            eprintln!("  terms of what it writes: {terms}");
        }
    }
    crate::cli::print(&if args.json {
        let facts = json!({
            "repository": pulled.repo,
            "commit": pulled.commit,
            "path": pulled.path,
            "files": pulled.files,
            "bytes": pulled.bytes,
            "fetched_bytes": pulled.fetched_bytes,
        });
        format!("{facts}\n")
    } else {
        format!("{}\n", pulled.path.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tell(pulled: &Pulled, started: Instant) {
    let short = pulled.commit.get(..7).unwrap_or(&pulled.commit);
    let done = if pulled.fetched_bytes == 0 {
        "was here already".to_owned()
    } else {
        let seconds = started.elapsed().as_secs();
        format!(
            "{} fetched in {}:{:02}",
            size(pulled.fetched_bytes),
            seconds / 60,
            seconds % 60
        )
    };
    eprintln!(
        "✔ {} at {short}: {} file{}, {}, {done}",
        pulled.repo,
        pulled.files,
        if pulled.files == 1 { "" } else { "s" },
        size(pulled.bytes)
    );
}

/// Ends the process on Ctrl-C or a polite kill. What has come is kept whenever that happens, so nothing is left to do.
fn end_at_once_when_told(shown: &Shown) -> Result<(), Failure> {
    let shown = shown.clone();
    listen(move || {
        shown.clear();
        eprintln!("interrupted: what has come is kept; the same command goes on");
        std::process::exit(i32::from(Code::Later as u8));
    })
    .map_err(|error| Failure::new(Code::Bug, format!("cannot listen for Ctrl-C: {error}")))
}

/// Refuses a model before its weights are fetched, where its configuration says that they could not be used.
fn accept(config: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(config).map_err(|error| error.to_string())?;
    ModelSpec::from_config(&text)
        .map(|_| ())
        .map_err(|error| format!("its config.json: {error}; its weights were not fetched"))
}

/// A failure; where the model is not known, with names like the one that was meant.
fn named(error: PullError, repo: &str) -> Failure {
    /// Below, suggestions only puzzle.
    const ALIKE: f64 = 0.75;
    let unknown = matches!(
        error,
        PullError::NoRepository { .. } | PullError::Reference(_)
    );
    let failure = Failure::from(error);
    if !unknown {
        return failure;
    }
    let meant = repo.to_lowercase();
    let meant = meant.rsplit('/').next().unwrap_or(&meant);
    let alike = |known: &str| {
        let known = known.to_lowercase();
        let name = known.rsplit('/').next().unwrap_or(&known);
        strsim::jaro_winkler(meant, name)
    };
    let mut near: Vec<(f64, &str)> = shipped()
        .iter()
        .filter_map(|manifest| manifest.repository.as_deref())
        .map(|known| (alike(known), known))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.truncate(3);
    if near.is_empty() {
        return failure;
    }
    let near: Vec<&str> = near.iter().map(|(_, known)| *known).collect();
    let near = format!("did you mean {}?", near.join(" or "));
    let hint = match &failure.hint {
        Some(hint) => format!("{near} {hint}"),
        None => near,
    };
    failure.hint(hint)
}

/// How the hub is reached, as the environment says it.
fn access(environment: &Environment, places: &CachePlaces) -> Result<Access, Failure> {
    let get = |name: &str| environment.get(name).map(ToOwned::to_owned);
    let all = get(env::ALL_PROXY);
    Ok(Access {
        endpoint: get(env::HF_ENDPOINT).unwrap_or_else(|| HUB.into()),
        token: token(environment, places)?,
        offline: environment.is_on(env::HF_HUB_OFFLINE),
        https_proxy: get(env::HTTPS_PROXY).or_else(|| all.clone()),
        http_proxy: get(env::HTTP_PROXY).or(all),
        no_proxy: get(env::NO_PROXY),
        certificates: get(env::SSL_CERT_FILE).map(PathBuf::from),
        ..Access::default()
    })
}

/// The token of the environment, or of the file that Python tools leave it in.
fn token(environment: &Environment, places: &CachePlaces) -> Result<Option<Token>, Failure> {
    if let Some(token) = environment.get(env::HF_TOKEN) {
        return checked(Token::new(token), "HF_TOKEN");
    }
    let path = match environment.get(env::HF_TOKEN_PATH) {
        Some(path) => PathBuf::from(path),
        None => match places.home_folder() {
            Some(home) => home.join("token"),
            None => return Ok(None),
        },
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => checked(Token::new(&text), &path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::read(&path, &error)),
    }
}

/// A token goes into a header, where not every character can stand.
fn checked(token: Option<Token>, from: &str) -> Result<Option<Token>, Failure> {
    match &token {
        Some(token) if !token.is_plain() => Err(Failure::new(
            Code::Usage,
            format!("{from} holds no token: it has characters that no token has"),
        )
        .hint("set it to the token alone, which begins with hf_")),
        _ => Ok(token),
    }
}

/// What is seen on the way: a bar in a terminal, and nothing elsewhere.
#[derive(Clone)]
struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        Self {
            bar: terminal.then(|| super::bytes_bar("fetching")),
        }
    }

    fn tell(&self, event: Event<'_>) {
        let Some(bar) = &self.bar else { return };
        match event {
            Event::Files {
                files,
                bytes,
                missing_bytes,
            } => {
                if missing_bytes < bytes {
                    let here = size(bytes - missing_bytes);
                    bar.println(format!(
                        "{files} files, {}, {here} of them here",
                        size(bytes)
                    ));
                }
                bar.inc_length(missing_bytes);
            }
            Event::File { name, .. } => bar.set_message(name.to_owned()),
            Event::Bytes(bytes) => bar.inc(bytes),
            Event::Back(bytes) => bar.inc_length(bytes),
            Event::Waiting { reason, wait } => {
                let then = match wait.as_secs() {
                    0 => String::new(),
                    seconds => format!("; again in {seconds} s"),
                };
                bar.println(format!("{reason}{then}"));
            }
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
