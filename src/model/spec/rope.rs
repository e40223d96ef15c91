//! Rotary position embedding (Su et al. 2021) and what stretches it for long contexts.

use serde_json::{Map, Value};

use super::keys::Keys;
use super::{Family, SpecError};

/// The rotation of one layer's queries and keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    pub theta: f64,
    /// Leading numbers of a head that are rotated; even.
    pub dim: usize,
    pub scaling: RopeScaling,
}

/// How frequencies are stretched for long contexts; all fixed at load.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    None,
    /// Positions divided by `factor`.
    Linear {
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// YaRN (Peng et al. 2023): as above with the ramp over dimensions, from those that turn `fast` times within `original`
    /// positions to those that turn `slow` times; cosines and sines times `magnitude`.
    Yarn {
        factor: f64,
        fast: f64,
        slow: f64,
        original: f64,
        /// Ends of the ramp are whole dimensions.
        whole: bool,
        magnitude: f32,
    },
    /// LongRoPE (Ding et al. 2024): a divisor for every frequency, the `short` ones for contexts up to `original` and the
    /// `long` ones beyond; cosines and sines times `magnitude`.
    Long {
        short: Vec<f32>,
        long: Vec<f32>,
        original: usize,
        magnitude: f32,
    },
}

impl RopeScaling {
    /// The name in configurations.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Linear { .. } => "linear",
            Self::Llama3 { .. } => "llama3",
            Self::Yarn { .. } => "yarn",
            Self::Long { .. } => "longrope",
        }
    }
}

impl Rope {
    /// Whether frequencies and magnitude are numbers, for contexts of up to `original` positions and beyond.
    fn is_finite(&self, original: usize) -> bool {
        [original, original + 1]
            .iter()
            .flat_map(|positions| self.inverse_frequencies(*positions))
            .chain([self.magnitude()])
            .all(f32::is_finite)
    }

    /// What cosines and sines are multiplied by.
    #[must_use]
    pub fn magnitude(&self) -> f32 {
        match self.scaling {
            RopeScaling::Yarn { magnitude, .. } | RopeScaling::Long { magnitude, .. } => magnitude,
            _ => 1.0,
        }
    }

    /// Inverse frequencies of `dim / 2` pairs, in the reference's own precision, for a context of `positions` positions: the
    /// reference chooses LongRoPE's divisors anew as a text grows, which leaves cached keys with the old ones.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the reference computes these in f32"
    )]
    pub fn inverse_frequencies(&self, positions: usize) -> Vec<f32> {
        let half = self.dim / 2;
        let period = |i: usize| (self.theta as f32).powf((2 * i) as f32 / self.dim as f32);
        let plain = |i: usize| 1.0 / period(i);
        match &self.scaling {
            RopeScaling::None => (0..half).map(plain).collect(),
            RopeScaling::Linear { factor } => {
                (0..half).map(|i| plain(i) / *factor as f32).collect()
            }
            RopeScaling::Llama3 {
                factor,
                low,
                high,
                original,
            } => (0..half)
                .map(|i| {
                    let f = f64::from(plain(i));
                    let wavelength = 2.0 * std::f64::consts::PI / f;
                    if wavelength < original / high {
                        f as f32
                    } else if wavelength > original / low {
                        (f / factor) as f32
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        ((1.0 - smooth) * f / factor + smooth * f) as f32
                    }
                })
                .collect(),
            RopeScaling::Yarn {
                factor,
                fast,
                slow,
                original,
                whole,
                ..
            } => {
                let dimension = |turns: f64| {
                    self.dim as f64 * (original / (turns * 2.0 * std::f64::consts::PI)).ln()
                        / (2.0 * self.theta.ln())
                };
                let (mut from, mut to) = (dimension(*fast), dimension(*slow));
                if *whole {
                    (from, to) = (from.floor(), to.ceil());
                }
                let (from, mut to) = (from.max(0.0), to.min((self.dim - 1) as f64));
                #[expect(clippy::float_cmp, reason = "a ramp without length")]
                if from == to {
                    to += 0.001;
                }
                (0..half)
                    .map(|i| {
                        let ramp = (i as f32 - from as f32) / (to - from) as f32;
                        let kept = 1.0 - ramp.clamp(0.0, 1.0);
                        let stretched = 1.0 / (*factor as f32 * period(i));
                        stretched * (1.0 - kept) + plain(i) * kept
                    })
                    .collect()
            }
            RopeScaling::Long {
                short,
                long,
                original,
                ..
            } => {
                let divisors = if positions > *original { long } else { short };
                (0..half).map(|i| 1.0 / (divisors[i] * period(i))).collect()
            }
        }
    }
}

/// What the rotation of a model is read from.
pub(super) struct Source<'a> {
    pub keys: Keys<'a>,
    pub family: Family,
    pub head_dim: usize,
    pub max_positions: usize,
}

impl Source<'_> {
    /// Rotations of layers that see everything and of those that see a window.
    ///
    /// Both spellings in circulation: `rope_theta` + `rope_scaling`, and `rope_parameters`, the latter also with one table per
    /// type of layer.
    pub fn read(&self) -> Result<(Rope, Rope), SpecError> {
        let keys = &self.keys;
        let empty = Map::new();
        let (name, table) = ["rope_scaling", "rope_parameters"]
            .into_iter()
            .find_map(|name| keys.find(name).map(|value| (name, value)))
            .map_or(Ok(("rope_scaling", &empty)), |(name, value)| {
                value
                    .as_object()
                    .map(|map| (name, map))
                    .ok_or_else(|| keys.wrong(name, value, "an object or null"))
            })?;
        const KINDS: [&str; 2] = ["full_attention", "sliding_attention"];
        let nested = KINDS.iter().any(|kind| table.contains_key(*kind));
        let theta = keys
            .number("rope_theta")?
            .unwrap_or(self.family.defaults().theta);
        // Gemma 3 alone has a rotation of its own for layers with a window.
        let local = match self.family {
            Family::Gemma3 => Some(keys.number("rope_local_base_freq")?.unwrap_or(10_000.0)),
            _ => None,
        };
        if !nested {
            let full = self.parse(table, &keys.named(name), theta)?;
            let sliding = match local {
                Some(theta) => self.parse(&empty, "", theta)?,
                None => full.clone(),
            };
            return Ok((full, sliding));
        }
        let one = |kind: &str, theta: f64| match table.get(kind) {
            None | Some(Value::Null) => self.parse(&empty, "", theta),
            Some(Value::Object(inner)) => {
                self.parse(inner, &keys.named(&format!("{name}.{kind}")), theta)
            }
            Some(other) => Err(keys.wrong(&format!("{name}.{kind}"), other, "an object or null")),
        };
        if let Some(other) = table.keys().find(|key| !KINDS.contains(&key.as_str())) {
            return Err(keys.unsupported(&format!("{name}.{other}"), &table[other]));
        }
        Ok((
            one(KINDS[0], theta)?,
            one(KINDS[1], local.unwrap_or(theta))?,
        ))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a head's width and a context length"
    )]
    fn parse(&self, table: &Map<String, Value>, name: &str, theta: f64) -> Result<Rope, SpecError> {
        const ORIGINAL: &str = "original_max_position_embeddings";
        let prefix = format!("{name}.");
        let inner = Keys::new(table, &prefix);
        let theta = inner.number("rope_theta")?.unwrap_or(theta);
        let partial = match inner.number("partial_rotary_factor")? {
            Some(partial) => partial,
            None => self.keys.number("partial_rotary_factor")?.unwrap_or(1.0),
        };
        if partial > 1.0 || (partial < 1.0 && self.family != Family::Phi3) {
            return Err(inner.unsupported("partial_rotary_factor", partial));
        }
        let dim = (self.head_dim as f64 * partial) as usize;
        if dim < 2 || dim % 2 == 1 {
            return Err(inner.wrong(
                "partial_rotary_factor",
                partial,
                &format!("a share of head_dim {} that is even", self.head_dim),
            ));
        }
        let kind = match (inner.text("rope_type")?, inner.text("type")?) {
            (Some(kind), _) | (None, Some(kind)) => kind,
            _ => "default",
        };
        // Phi 3's early files name it by its authors' drafts.
        let kind = match (self.family, kind) {
            (Family::Phi3, "su" | "yarn") => "longrope",
            _ => kind,
        };
        let need = |key: &str| inner.number(key)?.ok_or_else(|| inner.missing(key));
        let read: &[&str] = match kind {
            "default" => &[],
            "linear" => &["factor"],
            "llama3" => &["factor", "low_freq_factor", "high_freq_factor"],
            "yarn" => &[
                "factor",
                "attention_factor",
                "beta_fast",
                "beta_slow",
                "mscale",
                "mscale_all_dim",
                "truncate",
            ],
            "longrope" => &["factor", "attention_factor", "short_factor", "long_factor"],
            _ => return Err(inner.unsupported("rope_type", kind)),
        };
        let always = [
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            ORIGINAL,
        ];
        let unread = table
            .iter()
            .filter(|(_, value)| !value.is_null())
            .find(|(key, _)| !read.contains(&key.as_str()) && !always.contains(&key.as_str()));
        if let Some((key, value)) = unread.filter(|_| kind != "default") {
            return Err(inner.unsupported(key, value));
        }
        let original = match (self.keys.size(ORIGINAL)?, self.family) {
            (Some(original), _) => original,
            // Its class has the key, and what a class has goes before the table.
            (None, Family::Phi3) => 4096,
            (None, _) => inner.size(ORIGINAL)?.unwrap_or(self.max_positions),
        };
        if original < 2 {
            return Err(inner.wrong(ORIGINAL, original, "2 or more"));
        }
        let ratio = self.max_positions as f64 / original as f64;
        let scaling = match kind {
            "linear" => RopeScaling::Linear {
                factor: need("factor")?,
            },
            "llama3" => {
                let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
                if low >= high {
                    return Err(inner.wrong("high_freq_factor", high, &format!("more than {low}")));
                }
                RopeScaling::Llama3 {
                    factor: need("factor")?,
                    low,
                    high,
                    original: original as f64,
                }
            }
            "yarn" => {
                let factor = inner.number("factor")?.unwrap_or(ratio);
                let scale = |m: f64| {
                    if factor <= 1.0 {
                        1.0
                    } else {
                        0.1 * m * factor.ln() + 1.0
                    }
                };
                let magnitude = match (inner.number("mscale")?, inner.number("mscale_all_dim")?) {
                    (Some(one), Some(all)) => scale(one) / scale(all),
                    _ => scale(1.0),
                };
                RopeScaling::Yarn {
                    factor,
                    fast: inner.number("beta_fast")?.unwrap_or(32.0),
                    slow: inner.number("beta_slow")?.unwrap_or(1.0),
                    original: original as f64,
                    whole: inner.flag("truncate")?.unwrap_or(true),
                    magnitude: inner.factor("attention_factor", magnitude as f32)?,
                }
            }
            "longrope" => {
                let factor = inner.number("factor")?.unwrap_or(ratio);
                let magnitude = if factor <= 1.0 {
                    1.0
                } else {
                    (1.0 + factor.ln() / (original as f64).ln()).sqrt()
                };
                RopeScaling::Long {
                    short: divisors(&inner, "short_factor", dim / 2)?,
                    long: divisors(&inner, "long_factor", dim / 2)?,
                    original,
                    magnitude: inner.factor("attention_factor", magnitude as f32)?,
                }
            }
            _ => RopeScaling::None,
        };
        let rope = Rope {
            theta,
            dim,
            scaling,
        };
        if !rope.is_finite(original) {
            let expected = "numbers that give finite frequencies";
            return Err(inner.wrong(
                "rope_theta",
                format!("{theta:e}, {}", rope.scaling.name()),
                expected,
            ));
        }
        Ok(rope)
    }
}

/// A list of `count` positive numbers.
fn divisors(keys: &Keys<'_>, key: &str, count: usize) -> Result<Vec<f32>, SpecError> {
    let list = keys.list(key)?.ok_or_else(|| keys.missing(key))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the reference keeps them as f32"
    )]
    let numbers: Vec<f32> = list
        .iter()
        .filter_map(|n| n.as_f64().map(|n| n as f32))
        .filter(|n| n.is_finite() && *n > 0.0)
        .collect();
    if numbers.len() == list.len() && list.len() == count {
        Ok(numbers)
    } else {
        Err(keys.wrong(
            key,
            format!("a list of {}", list.len()),
            &format!("a list of {count} positive numbers"),
        ))
    }
}
