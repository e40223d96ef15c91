//! Runs a planned step: the forward pass, then what each sequence does with its logits.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use candle_core::{CpuStorage, Storage};
use toktrie::SimpleVob;

use super::constraint::Constraint;
use super::lane::Vocabulary;
use super::sampler::{SampleError, log_probability, sample};
use super::scheduler::{Part, StepPlan};
use super::sequence::{Generation, Sequence, Work};
use super::{ChatError, Completion, Finish, TokenId};
use crate::kernels::{Cpu, Span};
use crate::model::{Decoder, KvPool, StepRows};

/// A decoder and the threads it runs on. Nothing above it sees a tensor.
pub struct ModelRunner {
    pub decoder: Decoder,
    pub cpu: Arc<Cpu>,
}

/// How a sequence ended in this step.
pub(super) enum End {
    /// `keep` tokens are worth remembering.
    Done {
        keep: usize,
        completion: Option<Completion>,
    },
    Failed(ChatError),
}

/// What a step did.
#[derive(Default)]
pub(super) struct StepOutcome {
    /// Sequences that ended, by index, ascending.
    pub ended: Vec<(usize, End)>,
    pub prefill_tokens: usize,
    pub new_tokens: usize,
    /// Keys read by all rows, per layer.
    pub attended_tokens: usize,
    /// The forward pass alone.
    pub forward: Duration,
    /// Grammar masks, summed over rows that were worked on side by side.
    pub masks: Duration,
}

impl ModelRunner {
    pub(super) fn step(
        &self,
        plan: &StepPlan,
        running: &mut [Sequence],
        kv: &KvPool,
        vocabulary: &Vocabulary,
        drawable: &SimpleVob,
    ) -> StepOutcome {
        let fail_all = |why: String| StepOutcome {
            ended: plan
                .parts
                .iter()
                .map(|p| (p.sequence, End::Failed(ChatError::Stopped(why.clone()))))
                .collect(),
            ..StepOutcome::default()
        };
        let started = Instant::now();
        let logits = {
            let spans: Vec<Span<'_>> = plan
                .parts
                .iter()
                .map(|part| {
                    let sequence = &running[part.sequence];
                    Span {
                        first_row: part.first_row,
                        rows: part.rows,
                        position: sequence.computed,
                        pages: &sequence.pages,
                    }
                })
                .collect();
            let rows = StepRows {
                tokens: &plan.tokens,
                spans: &spans,
                logits: &plan.logit_rows,
            };
            match self.decoder.forward(&rows, kv) {
                Ok(logits) => logits,
                Err(error) => return fail_all(format!("forward pass: {error}")),
            }
        };
        let guard = logits.as_ref().map(candle_core::Tensor::storage_and_layout);
        let values: &[f32] = match guard.as_ref().map(|(storage, _)| &**storage) {
            Some(Storage::Cpu(CpuStorage::F32(values))) => values,
            None => &[],
            Some(_) => return fail_all("logits are not f32 on the CPU".into()),
        };
        let vocab = self.decoder.spec.vocab_size;
        let mut outcome = StepOutcome {
            forward: started.elapsed(),
            ..StepOutcome::default()
        };
        let masks = AtomicU64::new(0);
        let mut rows_before = 0;
        // Every part's logits and sequence, worked on in parallel: a row's result depends on nothing but itself.
        let mut jobs = Vec::new();
        let mut sequences = running.iter_mut().enumerate();
        for part in &plan.parts {
            let (_, sequence) = sequences
                .by_ref()
                .find(|(i, _)| *i == part.sequence)
                .expect("parts are in running order");
            if sequence.remaining() > 1 {
                outcome.prefill_tokens += part.rows;
            }
            outcome.attended_tokens += (1..=part.rows)
                .map(|i| sequence.computed + i)
                .sum::<usize>();
            let logits = &values[rows_before * vocab..(rows_before + part.logits) * vocab];
            rows_before += part.logits;
            jobs.push(Mutex::new((part, sequence, logits, None)));
        }
        self.cpu.threads.run(jobs.len(), &|i| {
            let mut job = jobs[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (part, sequence, logits, end) = &mut *job;
            *end = self.advance(part, sequence, logits, vocabulary, drawable, &masks);
        });
        outcome.masks = Duration::from_nanos(masks.into_inner());
        for job in jobs {
            let (part, sequence, _, end) = job.into_inner().unwrap_or_else(PoisonError::into_inner);
            outcome.new_tokens +=
                usize::from(part.logits > 0 && matches!(sequence.work, Work::Generate(_)));
            if let Some(end) = end {
                outcome.ended.push((part.sequence, end));
            }
        }
        outcome
    }

    /// One sequence's share of a step is computed: use its logits.
    fn advance(
        &self,
        part: &Part,
        sequence: &mut Sequence,
        logits: &[f32],
        vocabulary: &Vocabulary,
        drawable: &SimpleVob,
        masks: &AtomicU64,
    ) -> Option<End> {
        let first = sequence.computed + part.rows - part.logits;
        sequence.computed += part.rows;
        match &mut sequence.work {
            Work::ScoreStart(_) => {
                let keep = sequence.computed;
                (sequence.remaining() == 0).then_some(End::Done {
                    keep,
                    completion: None,
                })
            }
            Work::Branch {
                targets,
                log_probabilities,
                ..
            } => {
                let vocab = self.decoder.spec.vocab_size;
                for (row, &target) in logits
                    .chunks_exact(vocab)
                    .zip(&targets[first - sequence.logits_from.min(first)..])
                {
                    match log_probability(row, target, self.cpu.set) {
                        Ok(value) => log_probabilities.push(value),
                        Err(error) => {
                            return Some(End::Failed(ChatError::Numeric(error.to_string())));
                        }
                    }
                }
                (sequence.remaining() == 0).then_some(End::Done {
                    keep: 0,
                    completion: None,
                })
            }
            Work::Generate(generation) if part.logits > 0 => {
                let (prompt, reused) = (generation.request.prompt.len(), sequence.reused);
                let kept = generation.request.keep;
                let tokens = &mut sequence.tokens;
                match self.draw(generation, tokens, logits, vocabulary, drawable, masks) {
                    Ok(None) => None,
                    Ok(Some((new, text, finish))) => {
                        let tokens = sequence.tokens[prompt..prompt + new].to_vec();
                        let completion = Completion {
                            tokens,
                            text,
                            finish,
                            thinking_tokens: 0,
                            prompt_tokens: prompt,
                            reused_tokens: reused,
                        };
                        Some(End::Done {
                            keep: kept.unwrap_or(usize::MAX).min(prompt + new),
                            completion: Some(completion),
                        })
                    }
                    Err(error) => Some(End::Failed(error)),
                }
            }
            Work::Generate(_) => None,
        }
    }

    /// Draws the next token. When the reply is over: how many new tokens it has, its text, and why.
    fn draw(
        &self,
        generation: &mut Generation,
        tokens: &mut Vec<TokenId>,
        logits: &[f32],
        vocabulary: &Vocabulary,
        drawable: &SimpleVob,
        masks: &AtomicU64,
    ) -> Result<Option<(usize, String, Finish)>, ChatError> {
        let request = &generation.request;
        let prompt = request.prompt.len();
        let made = tokens.len() - prompt;
        let grammar: Option<SimpleVob> = match &mut generation.constraint {
            None => None,
            Some(constraint) => {
                let started = Instant::now();
                let mask = constraint.mask().map_err(ChatError::Grammar)?;
                let nanoseconds = u64::try_from(started.elapsed().as_nanos());
                masks.fetch_add(nanoseconds.unwrap_or(0), Ordering::Relaxed);
                Some(mask)
            }
        };
        let uniform = request.draw.unit(made as u64);
        let stops = vocabulary
            .stops
            .iter()
            .filter(|(_, text)| request.stop.contains(text));
        let stops: Vec<TokenId> = stops.map(|(id, _)| *id).collect();
        let mut drawable = Cow::Borrowed(drawable);
        for &id in &stops {
            drawable.to_mut().set(id as usize, true);
        }
        let token = sample(
            logits,
            &request.sampling,
            &tokens[prompt..],
            drawable.as_slice(),
            grammar.as_ref().map(SimpleVob::as_slice),
            uniform,
            self.cpu.set,
        )
        .map_err(|e| match e {
            SampleError::NotFinite => ChatError::Numeric(e.to_string()),
            SampleError::NothingAllowed => ChatError::Grammar(e.to_string()),
        })?;
        let text = |tokens: &[TokenId]| (vocabulary.decode)(tokens);
        if vocabulary.end.contains(&token) {
            return Ok(Some((made, text(&tokens[prompt..]), Finish::Accepted)));
        }
        if stops.contains(&token) {
            return Ok(Some((made, text(&tokens[prompt..]), Finish::Stopped)));
        }
        tokens.push(token);
        let made = made + 1;
        if let Some(constraint) = &mut generation.constraint {
            constraint.accept(token).map_err(ChatError::Grammar)?;
            if constraint.is_complete() {
                return Ok(Some((made, text(&tokens[prompt..]), Finish::Accepted)));
            }
        }
        if let Some((keep, text)) = stop_hit(&request.stop, &tokens[prompt..], &vocabulary.decode) {
            return Ok(Some((keep, text, Finish::Stopped)));
        }
        if made >= request.max_new_tokens || tokens.len() >= self.decoder.positions() {
            let ended = generation
                .constraint
                .as_mut()
                .is_some_and(Constraint::may_end);
            return Ok(Some((
                made,
                text(&tokens[prompt..]),
                if ended {
                    Finish::Accepted
                } else {
                    Finish::Truncated
                },
            )));
        }
        Ok(None)
    }
}

/// Where a stop text was reached: the tokens wholly before it, and their text.
fn stop_hit(
    stop: &[String],
    tokens: &[TokenId],
    decode: &dyn Fn(&[TokenId]) -> String,
) -> Option<(usize, String)> {
    let longest = stop.iter().map(String::len).max()?;
    // Only the end of the text can be new; a token is at least a byte, and a few more cover split characters.
    let window = tokens.len().min(longest + 8);
    let tail = decode(&tokens[tokens.len() - window..]);
    if !stop
        .iter()
        .any(|s| !s.is_empty() && tail.contains(s.as_str()))
    {
        return None;
    }
    let whole = decode(tokens);
    let at = stop
        .iter()
        .filter(|s| !s.is_empty())
        .filter_map(|s| whole.find(s.as_str()))
        .min()?;
    let keep = (0..=tokens.len()).rev().find(|&n| {
        let text = decode(&tokens[..n]);
        text.len() <= at && whole.starts_with(&text)
    })?;
    Some((keep, decode(&tokens[..keep])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens are pieces of two characters, the second of which may be half a character away.
    fn decode(tokens: &[TokenId]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|t| t.to_be_bytes())
            .filter(|&b| b != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn ids(pieces: &[&str]) -> Vec<TokenId> {
        pieces
            .iter()
            .map(|p| p.bytes().fold(0, |id, b| id << 8 | TokenId::from(b)))
            .collect()
    }

    #[test]
    fn stops_cut_to_whole_tokens_before_them() {
        let stop = ["\nCus".to_owned(), "##".to_owned()];
        let tokens = ids(&["abc", "d.\n", "Cu", "st"]);
        assert_eq!(stop_hit(&stop, &tokens, &decode), Some((1, "abc".into())));
        assert_eq!(stop_hit(&stop, &tokens[..3], &decode), None);
        assert_eq!(
            stop_hit(&stop, &ids(&["a#", "#b"]), &decode),
            Some((0, String::new()))
        );
        assert_eq!(
            stop_hit(&stop, &ids(&["ab", "##"]), &decode),
            Some((1, "ab".into()))
        );
        assert_eq!(stop_hit(&[], &tokens, &decode), None);
        let accents = ids(&["caf", "\u{e9}#", "#"]);
        assert_eq!(stop_hit(&stop, &accents, &decode), Some((1, "caf".into())));
    }
}
