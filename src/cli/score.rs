//! `colloquy score`

use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::args::ScoreArgs;
use super::failure::{Code, Failure};
use super::talk::grouped;
use super::workshop::{load_options, read_parts};
use crate::engine::{ScoreRequest, TokenId, start_engine};
use crate::model::tokenizer::{Detokenizer, Tokenizer};
use crate::record::ModelRole;
use crate::settings::{self, EMBEDDED, Environment, Overrides, RecipeText};

/// What was found. Field order is column order.
#[derive(Serialize)]
struct Scored {
    tokens: Vec<ScoredToken>,
    /// `exp` of the mean negative log-probability of all tokens but the first; none where there is only one.
    perplexity: Option<f64>,
}

#[derive(Serialize)]
struct ScoredToken {
    id: TokenId,
    /// The characters it completes; the texts of all tokens joined are the text.
    text: String,
    /// Natural logarithm. None for the first: nothing comes before it.
    logprob: Option<f32>,
}

/// The text is tokenised as plain text: names of control tokens are words, and neither a chat template nor the tokenizer's
/// own begin or end tokens are put around it.
pub fn run(args: &ScoreArgs) -> Result<ExitCode, Failure> {
    let text = read(&args.text_file)?;
    if text.is_empty() {
        return Err(Failure::new(
            Code::Data,
            format!("{} is empty; expected a text", args.text_file.display()),
        ));
    }
    if args.model == "scripted" || args.model.starts_with("scripted:") {
        return Err(Failure::new(
            Code::Usage,
            "the scripted model has no probabilities of texts",
        )
        .hint("score with demo, a folder or org/name"));
    }
    // For threads and memory, which the environment may set.
    let overrides = Overrides {
        model: vec![args.model.clone()],
        engine: args.engine.overrides(),
        ..Overrides::default()
    };
    let recipe = RecipeText::embedded(&EMBEDDED[0]);
    let spec = settings::resolve(&recipe, &overrides, &Environment::from_process())?.spec;
    let options = load_options(&spec.model_of(ModelRole::Agent), &spec.engine)?;
    let parts = read_parts(&args.model, false, options.threads)?;
    let ids = parts
        .tokenizer
        .encode_plain(&text)
        .map_err(|error| Failure::new(Code::Data, error.to_string()))?;
    let Some((first, rest)) = ids.split_first() else {
        return Err(Failure::new(
            Code::Data,
            format!(
                "{}: the tokenizer makes no token of this text",
                args.text_file.display()
            ),
        ));
    };
    let scores = if rest.is_empty() {
        Vec::new()
    } else {
        let engine = start_engine(&parts, &[], &options)?.engine;
        let context = engine.context_tokens();
        if ids.len() > context {
            return Err(Failure::new(
                Code::Data,
                format!(
                    "{} has {} tokens; the model's context holds {}",
                    args.text_file.display(),
                    grouped(ids.len() as u64),
                    grouped(context as u64)
                ),
            )
            .hint("score it in parts"));
        }
        let request = ScoreRequest {
            prompt: vec![*first],
            continuations: vec![rest.to_vec()],
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| {
                Failure::new(
                    Code::Bug,
                    format!("the async runtime does not start: {error}"),
                )
            })?;
        let scores = runtime.block_on(async {
            let session = engine.open(&[ids.len()]).await?;
            engine.score(&session, request).await
        })?;
        scores.concat()
    };
    let scored = put_together(&parts.tokenizer, &ids, &scores);
    if args.json {
        let json = serde_json::to_string(&scored).expect("plain data serialises to JSON");
        super::print(&format!("{json}\n"))?;
    } else {
        super::print(&as_text(&scored))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::read(Path::new("standard input"), &error))?;
    } else {
        bytes = std::fs::read(path).map_err(|error| Failure::read(path, &error))?;
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Code::Data,
            format!(
                "{}: not UTF-8 at byte {at}; expected UTF-8 text",
                path.display()
            ),
        )
    })
}

fn put_together(tokenizer: &Arc<Tokenizer>, ids: &[TokenId], scores: &[f32]) -> Scored {
    let mut detokenizer = Detokenizer::new(Arc::clone(tokenizer), &[]);
    let logprobs = std::iter::once(None).chain(scores.iter().copied().map(Some));
    let mut tokens: Vec<ScoredToken> = ids
        .iter()
        .zip(logprobs)
        .map(|(id, logprob)| ScoredToken {
            id: *id,
            text: detokenizer.push(*id),
            logprob,
        })
        .collect();
    if let Some(last) = tokens.last_mut() {
        last.text.push_str(&detokenizer.finish());
    }
    #[expect(clippy::cast_precision_loss, reason = "a context's length")]
    let perplexity = (!scores.is_empty()).then(|| {
        let sum: f64 = scores.iter().map(|score| f64::from(*score)).sum();
        (-sum / scores.len() as f64).exp()
    });
    Scored { tokens, perplexity }
}

fn as_text(scored: &Scored) -> String {
    let mut text = String::new();
    for token in &scored.tokens {
        let logprob = token
            .logprob
            .map_or("        –".into(), |logprob| format!("{logprob:>9.4}"));
        let _ = writeln!(text, "{logprob}  {:>7}  {:?}", token.id, token.text);
    }
    let count = scored.tokens.len() as u64;
    let _ = match scored.perplexity {
        Some(perplexity) => writeln!(
            text,
            "{} tokens, perplexity {perplexity:.4} (tokenised as plain text, no begin token before it)",
            grouped(count)
        ),
        None => writeln!(text, "1 token, no perplexity: nothing comes before it"),
    };
    text
}
