use proptest::prelude::*;

use super::*;
use crate::kernels::exp_in_place;
use crate::rng::Stream;

fn set() -> InstructionSet {
    InstructionSet::detect()
}

#[expect(clippy::cast_possible_truncation, reason = "test data")]
fn row(n: usize, width: f64, seed: u64) -> Vec<f32> {
    let s = Stream::root(seed);
    (0..n)
        .map(|i| ((s.unit(i as u64) - 0.5) * width) as f32)
        .collect()
}

fn all(n: usize) -> Vec<u32> {
    vec![u32::MAX; n.div_ceil(32)]
}

fn draw(logits: &[f32], sampling: &Sampling, uniform: f64) -> TokenId {
    sample(
        logits,
        sampling,
        &[],
        &all(logits.len()),
        None,
        uniform,
        set(),
    )
    .unwrap()
}

/// What is kept with its weights, by the definitions and a full sort.
fn kept_by_definition(
    logits: &[f32],
    s: &Sampling,
    recent: &[TokenId],
    allowed: &dyn Fn(usize) -> bool,
) -> Result<Vec<(TokenId, f32)>, SampleError> {
    if !logits.iter().all(|l| l.is_finite()) {
        return Err(SampleError::NotFinite);
    }
    let window = s.penalised(recent);
    let mut kept: Vec<(TokenId, f32)> = (0..logits.len())
        .filter(|&id| allowed(id))
        .map(|id| {
            let id = TokenId::try_from(id).unwrap();
            let count = window.iter().filter(|&&t| t == id).count();
            let logit = logits[id as usize];
            if s.penalises() && count > 0 {
                (id, s.penalise(logit, count))
            } else {
                (id, logit)
            }
        })
        .collect();
    let by_value = |a: &(TokenId, f32), b: &(TokenId, f32)| {
        b.1.partial_cmp(&a.1)
            .expect("finite numbers")
            .then(a.0.cmp(&b.0))
    };
    kept.sort_by(by_value);
    let peak = kept.first().ok_or(SampleError::NothingAllowed)?.1;
    if s.temperature <= 0.0 {
        kept.truncate(1);
        return Ok(kept);
    }
    kept.retain(|&(_, l)| l >= peak - CUTOFF * s.temperature);
    for (_, l) in &mut kept {
        *l = (*l - peak) / s.temperature;
    }
    kept.sort_by(by_value);
    if s.top_k > 0 {
        kept.truncate(s.top_k);
    }
    let mut weights: Vec<f32> = kept.iter().map(|&(_, z)| z).collect();
    exp_in_place(&mut weights, InstructionSet::Portable);
    kept.iter_mut().zip(weights).for_each(|(k, w)| k.1 = w);
    kept.sort_by(by_value);
    if s.top_p < 1.0 {
        let total: f64 = kept.iter().map(|&(_, w)| f64::from(w)).sum();
        let mut sum = 0.0;
        let enough = kept.iter().position(|&(_, w)| {
            sum += f64::from(w);
            sum >= f64::from(s.top_p) * total
        });
        kept.truncate(enough.map_or(kept.len(), |last| last + 1));
    }
    kept.retain(|&(_, w)| w >= s.min_p);
    kept.sort_by_key(|&(id, _)| id);
    Ok(kept)
}

/// The first kept id whose running weight exceeds the uniform share.
fn drawn_by_definition(kept: &[(TokenId, f32)], uniform: f64) -> TokenId {
    let target = uniform * kept.iter().map(|&(_, w)| f64::from(w)).sum::<f64>();
    let mut sum = 0.0;
    kept.iter()
        .find(|&&(_, w)| {
            sum += f64::from(w);
            sum > target
        })
        .or(kept.last())
        .unwrap()
        .0
}

/// Every instruction set against the definition, at many uniform numbers, the ends of every kept token's share among them.
fn check(
    logits: &[f32],
    sampling: &Sampling,
    recent: &[TokenId],
    drawable: &[u32],
    grammar: Option<&[u32]>,
) {
    let bit = |words: &[u32], id: usize| words.get(id / 32).is_some_and(|w| w >> (id % 32) & 1 > 0);
    let allowed = |id: usize| bit(drawable, id) && grammar.is_none_or(|words| bit(words, id));
    let want = kept_by_definition(logits, sampling, recent, &allowed);
    let mut uniforms = vec![0.0, 0.3, 0.5, 0.77, 1.0 - f64::EPSILON / 2.0];
    if let Ok(kept) = &want
        && sampling.temperature > 0.0
    {
        let total: f64 = kept.iter().map(|&(_, w)| f64::from(w)).sum();
        let mut sum = 0.0;
        for (i, &(_, w)) in kept.iter().enumerate() {
            // The middles of shares: where they meet, and in shares as narrow as that, the rounding of a sum decides.
            let looked_at = i < 40 || i + 40 > kept.len() || i % 97 == 0;
            if looked_at && f64::from(w) > 1e-11 * total {
                uniforms.push((sum + f64::from(w) / 2.0) / total);
            }
            sum += f64::from(w);
        }
    }
    for uniform in uniforms {
        for set in InstructionSet::available() {
            let got = sample(logits, sampling, recent, drawable, grammar, uniform, set);
            let want = want
                .as_ref()
                .map(|kept| drawn_by_definition(kept, uniform))
                .map_err(|&e| e);
            assert_eq!(
                got,
                want,
                "{sampling:?} {set:?} {uniform} {} logits",
                logits.len()
            );
        }
    }
}

fn samplings() -> Vec<Sampling> {
    let mut all = vec![Sampling::greedy()];
    for temperature in [0.05, 0.8, 1.0, 7.0] {
        for (top_k, top_p, min_p) in [
            (0, 1.0, 0.0),
            (1, 1.0, 0.0),
            (7, 1.0, 0.0),
            (50, 0.9, 0.0),
            (300, 0.6, 0.01),
            (100_000, 0.3, 0.0),
            (0, 0.9, 0.0),
            (0, 0.5, 0.05),
            (0, 0.01, 0.0),
            (0, 0.999_999, 0.0),
            (0, 1.0, 0.1),
            (40, 1.0, 0.5),
        ] {
            all.push(Sampling {
                temperature,
                top_k,
                top_p,
                min_p,
                ..Sampling::default()
            });
        }
    }
    all
}

#[test]
fn draws_by_definition_from_random_rows() {
    for (i, n) in [1, 2, 15, 16, 17, 31, 33, 127, 128, 129, 700, 2049, 5000]
        .into_iter()
        .enumerate()
    {
        for (sampling, width) in samplings()
            .iter()
            .zip([0.3, 4.0, 20.0, 300.0].iter().cycle())
        {
            check(&row(n, *width, i as u64), sampling, &[], &all(n), None);
        }
    }
}

#[test]
fn draws_by_definition_from_a_large_vocabulary() {
    let n = 49_157;
    for width in [1.0, 12.0, 60.0] {
        let mut logits = row(n, width, 5);
        logits[40_000] += 15.0;
        logits[17] += 14.0;
        for (top_k, top_p) in [(50, 0.9), (0, 0.9), (0, 0.2), (2000, 1.0), (0, 1.0)] {
            let sampling = Sampling {
                top_k,
                top_p,
                ..Sampling::default()
            };
            check(&logits, &sampling, &[], &all(n), None);
        }
    }
}

#[test]
fn draws_by_definition_from_adversarial_rows() {
    let n = 1003;
    let few = |values: &[f32]| -> Vec<f32> {
        let s = Stream::root(8);
        (0..n)
            .map(|i| values[s.below(i as u64, values.len())])
            .collect()
    };
    let mut lone = vec![f32::MIN; n];
    lone[501] = 3.0;
    let mut steps = vec![0.0f32; n];
    let mut next = 8.0f32;
    for value in &mut steps {
        next = next.next_down();
        *value = next;
    }
    let rows = [
        vec![2.5; n],
        vec![f32::MAX; n],
        vec![f32::MIN; n],
        few(&[1.0, 1.0, -1.0]),
        few(&[0.0, -0.0]),
        few(&[f32::MIN, f32::MAX, 0.0]),
        few(&[1e30, 1.000_000_1e30, -1e30]),
        few(&[5.0, 4.999_999_5, 4.999_999, -3.0]),
        lone,
        steps,
        (0..1003u16).map(f32::from).collect(),
        (0..1003u16).map(|i| -0.01 * f32::from(i)).collect(),
    ];
    for logits in &rows {
        for sampling in samplings() {
            check(logits, &sampling, &[], &all(n), None);
        }
    }
}

#[test]
fn draws_by_definition_under_masks_and_penalties() {
    let n = 1003;
    let logits = row(n, 8.0, 21);
    let one = |id: usize| {
        let mut words = vec![0u32; n.div_ceil(32)];
        words[id / 32] |= 1 << (id % 32);
        words
    };
    let mixed: Vec<u32> = (0..n.div_ceil(32))
        .map(|i| [u32::MAX, 0, 0x8001_f00f][i % 3])
        .collect();
    let recent: Vec<TokenId> = (0..90).map(|i| (i * i) % 1200).collect();
    for sampling in samplings() {
        let penalised = Sampling {
            repetition_penalty: 1.3,
            ..sampling
        };
        let encouraged = Sampling {
            repetition_penalty: 0.4,
            ..sampling
        };
        let counted = Sampling {
            presence_penalty: 0.7,
            frequency_penalty: -0.2,
            penalty_last_n: 33,
            ..sampling
        };
        for sampling in [sampling, penalised, encouraged, counted] {
            let full = all(n);
            for (drawable, grammar) in [
                (&full, Some(mixed.as_slice())),
                (&mixed, None),
                (&mixed, Some(&full[..10])),
                (&full, Some(&one(1002))),
                (&full, Some(&one(0))),
                (&full, Some(&[0; 32])),
                (&one(9), Some(&one(10))),
                (&Vec::new(), None),
            ] {
                check(&logits, &sampling, &recent, drawable, grammar);
            }
            // Every token penalised, and only penalised tokens allowed.
            let everything: Vec<TokenId> = (0..1003).collect();
            check(&logits, &sampling, &everything, &full, None);
            check(&logits, &sampling, &[5], &one(5), None);
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_found_everywhere() {
    for n in [1usize, 15, 16, 128, 130, 1003] {
        for place in [0, n / 2, n - 1] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut logits = row(n, 5.0, 2);
                logits[place] = bad;
                for set in InstructionSet::available() {
                    for words in [all(n), vec![0; n.div_ceil(32)]] {
                        let got =
                            sample(&logits, &Sampling::default(), &[], &words, None, 0.5, set);
                        assert_eq!(got, Err(SampleError::NotFinite), "{n} {place} {bad}");
                    }
                    assert_eq!(
                        log_probability(&logits, 0, set),
                        Err(SampleError::NotFinite)
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn draws_by_definition(
        logits in proptest::collection::vec(
            prop_oneof![-8.0f32..8.0, Just(0.5f32), Just(-2.0f32), -1e4f32..1e4], 1..600),
        words in proptest::collection::vec(
            prop_oneof![Just(u32::MAX), Just(0u32), any::<u32>()], 19),
        recent in proptest::collection::vec(0u32..700, 0..80),
        temperature in prop_oneof![Just(0.0f32), 0.05f32..3.0],
        top_k in prop_oneof![Just(0usize), 1usize..700],
        top_p in prop_oneof![Just(1.0f32), 0.001f32..1.0],
        min_p in prop_oneof![Just(0.0f32), 0.0f32..0.9],
        repetition_penalty in prop_oneof![Just(1.0f32), 0.2f32..4.0],
        presence_penalty in prop_oneof![Just(0.0f32), -2.0f32..2.0],
        frequency_penalty in prop_oneof![Just(0.0f32), -2.0f32..2.0],
        penalty_last_n in 0usize..90,
    ) {
        let sampling = Sampling {
            temperature, top_k, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty, penalty_last_n,
        };
        check(&logits, &sampling, &recent, &all(logits.len()), Some(&words));
        check(&logits, &sampling, &[], &words, None);
    }
}

#[test]
fn frequencies_follow_the_probabilities() {
    let logits = [0.0f32, 1.0, 2.0];
    let s = Stream::root(4);
    let mut counts = [0u32; 3];
    (0..30_000).for_each(|i| counts[draw(&logits, &Sampling::default(), s.unit(i)) as usize] += 1);
    let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
    for (count, l) in counts.iter().zip(logits) {
        assert!(
            (f64::from(*count) / 30_000.0 - f64::from(l).exp() / total).abs() < 0.01,
            "{counts:?}"
        );
    }
}

#[test]
fn greedy_ties_masks_penalties_and_errors() {
    let greedy = Sampling::greedy();
    let pick = |logits: &[f32], sampling: &Sampling, recent: &[TokenId], words: u32| {
        sample(logits, sampling, recent, &[words], None, 0.5, set())
    };
    assert_eq!(draw(&[1.0, 3.0, 3.0], &greedy, 0.5), 1);
    assert_eq!(pick(&[1.0, 3.0, 3.0], &greedy, &[], 0b101), Ok(2));
    let penalty = Sampling {
        repetition_penalty: 2.0,
        ..greedy
    };
    assert_eq!(pick(&[1.0, 3.0, 2.9], &penalty, &[1, 1], 7), Ok(2));
    assert_eq!(pick(&[-1.0, -1.1], &penalty, &[0], 3), Ok(1));
    let present = Sampling {
        presence_penalty: 1.0,
        ..greedy
    };
    assert_eq!(pick(&[3.0, 1.9, 0.0], &present, &[0, 0, 0], 7), Ok(0));
    assert_eq!(pick(&[3.0, 2.1, 0.0], &present, &[0, 0, 0], 7), Ok(1));
    let frequent = Sampling {
        frequency_penalty: 1.0,
        penalty_last_n: 2,
        ..greedy
    };
    assert_eq!(pick(&[3.0, 0.9, 0.0], &frequent, &[0, 0, 0], 7), Ok(0));
    assert_eq!(pick(&[3.0, 1.1, 0.0], &frequent, &[0, 0, 0], 7), Ok(1));
    assert_eq!(pick(&[3.0, 1.1, 0.0], &frequent, &[0, 2, 2], 7), Ok(0));
    assert_eq!(
        pick(&[0.0, f32::NAN], &greedy, &[], 3),
        Err(SampleError::NotFinite)
    );
    assert_eq!(
        pick(&[0.0, 1.0], &greedy, &[], 0),
        Err(SampleError::NothingAllowed)
    );
    assert_eq!(pick(&[], &greedy, &[], 1), Err(SampleError::NothingAllowed));
}

#[test]
fn log_probabilities_match_f64_and_are_equal_on_every_set() {
    for n in [1usize, 100, 1500, 49_157] {
        let logits = row(n, 10.0, 8);
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        for id in [0, n / 20, n - 1] {
            let want = f64::from(logits[id]) - total.ln();
            let mut first = None;
            for set in InstructionSet::available() {
                let got = log_probability(&logits, token(id), set).unwrap();
                assert!((f64::from(got) - want).abs() < 1e-5);
                assert_eq!(
                    *first.get_or_insert(got.to_bits()),
                    got.to_bits(),
                    "{set:?}"
                );
            }
        }
    }
}
