use super::*;
use crate::kernels::{InstructionSet, Threads};
use crate::rng::Stream;

#[expect(clippy::cast_possible_truncation, reason = "test data")]
fn numbers(name: &str, n: usize) -> Vec<f32> {
    let s = Stream::root(2).child(name);
    (0..n)
        .map(|i| (s.unit(i as u64) * 4.0 - 2.0) as f32)
        .collect()
}

struct World {
    shape: AttentionShape,
    qkv: Vec<f32>,
    pages: Vec<u32>,
    norm: Option<QkWeights>,
}

impl World {
    fn new(
        heads: usize,
        kv_heads: usize,
        head_dim: usize,
        tokens: usize,
        window: Option<usize>,
    ) -> Self {
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim,
            scale: 0.3,
            cap: None,
            window,
        };
        let count = tokens.div_ceil(PAGE_TOKENS);
        let pages = (0..count)
            .map(|i| u32::try_from((i * 5 + 2) % (count + 6)).unwrap())
            .collect();
        Self {
            shape,
            qkv: numbers("qkv", tokens * shape.qkv_len()),
            pages,
            norm: None,
        }
    }

    /// With a norm over every head, or over all of a kind at once, and a cap that bends most scores.
    fn normalised(mut self, whole: bool) -> Self {
        let d = self.shape.head_dim;
        let len = |heads: usize| if whole { heads * d } else { d };
        self.norm = Some(QkWeights {
            query: numbers("query norm", len(self.shape.heads)).into(),
            key: numbers("key norm", len(self.shape.kv_heads)).into(),
            eps: 1e-3,
        });
        self.shape.cap = Some(2.5);
        self
    }

    /// Runs all tokens in the given chunks; unwritten slots hold NaN.
    fn chunked(&self, rope: &RopeTable, chunks: &[usize], kv: KvType, cpu: &Cpu) -> Vec<f32> {
        let (len, q_len) = (self.shape.qkv_len(), self.shape.heads * self.shape.head_dim);
        // Bits of NaN in every type.
        let mut pool =
            vec![0xffu8; (self.pages.len() + 6) * self.shape.page_len() * kv.bytes() + 64];
        let pool = aligned(&mut pool);
        let mut result = Vec::new();
        let mut position = 0;
        for &rows in chunks {
            let span = [Span {
                first_row: 0,
                rows,
                position,
                pages: &self.pages,
            }];
            let qkv = &self.qkv[position * len..(position + rows) * len];
            let mut q = vec![0.0; rows * q_len];
            let mut out = vec![f32::NAN; rows * q_len];
            // SAFETY: the pool belongs to this test and holds every page.
            unsafe {
                let q_out = q.as_mut_ptr();
                let rotation = Rotation {
                    norm: self.norm.as_ref(),
                    rope: Some(rope),
                };
                rope_and_write(self.shape, kv, rotation, qkv, &span, pool, q_out, cpu);
                attend(self.shape, kv, &q, &span, pool, out.as_mut_ptr(), cpu);
            }
            result.extend(out);
            position += rows;
        }
        result
    }

    /// The definition, in f64.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the twin is compared in f32"
    )]
    fn naive(&self, rope: &RopeTable) -> Vec<f32> {
        let AttentionShape {
            heads,
            kv_heads,
            head_dim: d,
            scale,
            cap,
            window,
        } = self.shape;
        let rows: Vec<&[f32]> = self.qkv.chunks_exact(self.shape.qkv_len()).collect();
        let head = |t: usize, h: usize, rotate: bool| {
            let mut x = rows[t][h * d..(h + 1) * d].to_vec();
            if let Some(norm) = self.norm.as_ref().filter(|_| rotate) {
                let (weight, from, count) = if h < heads {
                    (&norm.query, 0, heads)
                } else {
                    (&norm.key, heads, kv_heads)
                };
                let whole = weight.len() > d;
                let over = if whole {
                    &rows[t][from * d..(from + count) * d]
                } else {
                    &x[..]
                };
                let squares: f64 = over.iter().map(|&v| f64::from(v).powi(2)).sum();
                #[expect(clippy::cast_precision_loss, reason = "test data")]
                let root = (squares / over.len() as f64 + f64::from(norm.eps)).sqrt();
                let first = if whole { (h - from) * d } else { 0 };
                for (j, x) in x.iter_mut().enumerate() {
                    *x = (f64::from(*x) / root) as f32 * weight[first + j];
                }
            }
            if rotate {
                let (cos, sin) = rope.at(t);
                for (j, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                    let (a, b) = (x[j], x[cos_len(rope) + j]);
                    x[j] = a * cos - b * sin;
                    x[cos_len(rope) + j] = b * cos + a * sin;
                }
            }
            x
        };
        let mut out = Vec::new();
        for t in 0..rows.len() {
            for h in 0..heads {
                let q = head(t, h, true);
                let kv = h / (heads / kv_heads);
                let from = window.map_or(0, |w| (t + 1).saturating_sub(w));
                let score = |j: usize| -> f64 {
                    let k = head(j, heads + kv, true);
                    let product = q
                        .iter()
                        .zip(&k)
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum::<f64>()
                        * f64::from(scale);
                    cap.map_or(product, |c| f64::from(c) * (product / f64::from(c)).tanh())
                };
                let scores: Vec<f64> = (from..=t).map(score).collect();
                let top = scores.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = scores.iter().map(|s| (s - top).exp()).sum();
                for j in 0..d {
                    let sum: f64 = (from..=t)
                        .map(|k| {
                            (scores[k - from] - top).exp()
                                * f64::from(head(k, heads + kv_heads + kv, false)[j])
                        })
                        .sum();
                    out.push((sum / total) as f32);
                }
            }
        }
        out
    }
}

fn cos_len(rope: &RopeTable) -> usize {
    rope.at(0).0.len()
}

/// The first place in the slice that storage types and vectors may stand at.
fn aligned(bytes: &mut [u8]) -> *mut u8 {
    let p = bytes.as_mut_ptr();
    p.wrapping_add(p.align_offset(64))
}

fn table(head_dim: usize) -> RopeTable {
    let f: Vec<f32> = (0..head_dim / 2)
        .map(|i| 1.0 / 10f32.powi(i32::try_from(i).unwrap()))
        .collect();
    RopeTable::new(&f, 200, 1.0)
}

#[test]
fn close_to_the_definition_and_equal_in_every_chunking() {
    let plain = World::new;
    for world in [
        plain(1, 1, 8, 5, None),
        plain(4, 2, 24, 70, None),
        plain(6, 2, 64, 40, Some(9)),
        plain(7, 1, 32, 67, Some(33)),
        plain(2, 2, 80, 33, None),
        plain(4, 2, 24, 50, None).normalised(false),
        plain(6, 2, 40, 37, Some(11)).normalised(true),
    ] {
        let (d, tokens) = (
            world.shape.head_dim,
            world.qkv.len() / world.shape.qkv_len(),
        );
        let rope = table(d);
        let naive = world.naive(&rope);
        let chunkings = [vec![tokens], vec![1; tokens], vec![3, 1, tokens - 4]];
        for (kv, tolerance) in [
            (KvType::F32, 2e-5),
            (KvType::F16, 3e-3),
            (KvType::Bf16, 3e-2),
        ] {
            let mut first: Option<Vec<f32>> = None;
            for set in InstructionSet::available() {
                for count in [1, 2] {
                    let threads = Threads::new(count);
                    let cpu = Cpu { threads, set };
                    for chunks in &chunkings {
                        let out = world.chunked(&rope, chunks, kv, &cpu);
                        for (a, b) in out.iter().zip(&naive) {
                            assert!((a - b).abs() < tolerance, "{kv:?} {a} {b}");
                        }
                        let first = first.get_or_insert_with(|| out.clone());
                        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
                        assert!(
                            first.iter().zip(&out).all(same),
                            "{kv:?} {set:?} {chunks:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sequences_do_not_see_each_other() {
    let rope = table(16);
    let cpu = Cpu {
        threads: Threads::new(2),
        set: InstructionSet::detect(),
    };
    let kv = KvType::F32;
    let world = World::new(4, 2, 16, 37, None);
    let alone = world.chunked(&rope, &[37], kv, &cpu);
    let (len, q_len) = (world.shape.qkv_len(), 64);
    let other = numbers("other", 11 * len);
    let qkv = [other, world.qkv.clone()].concat();
    let spans = [
        Span {
            first_row: 0,
            rows: 11,
            position: 0,
            pages: &[0],
        },
        Span {
            first_row: 11,
            rows: 37,
            position: 0,
            pages: &[3, 1],
        },
    ];
    let mut pool = vec![0u8; 4 * world.shape.page_len() * kv.bytes() + 64];
    let pool = aligned(&mut pool);
    let (mut q, mut out) = (vec![0.0; 48 * q_len], vec![0.0; 48 * q_len]);
    // SAFETY: the pool belongs to this test and holds every page.
    unsafe {
        let q_out = q.as_mut_ptr();
        rope_and_write(
            world.shape,
            kv,
            Rotation {
                norm: None,
                rope: Some(&rope),
            },
            &qkv,
            &spans,
            pool,
            q_out,
            &cpu,
        );
        attend(world.shape, kv, &q, &spans, pool, out.as_mut_ptr(), &cpu);
    }
    assert_eq!(out[11 * q_len..], alone);
}

/// A key that its type cannot hold would have weight 0 or 1 for no reason: the row says so instead.
#[test]
fn keys_beyond_their_type_show() {
    let cpu = Cpu {
        threads: Threads::new(1),
        set: InstructionSet::detect(),
    };
    let mut world = World::new(2, 1, 24, 40, None);
    let rope = table(24);
    let len = world.shape.qkv_len();
    // One number of the key at position 7.
    world.qkv[7 * len + 2 * 24 + 20] = -7e4;
    for (kv, shows) in [(KvType::F16, true), (KvType::Bf16, false)] {
        let out = world.chunked(&rope, &[40], kv, &cpu);
        let (before, after) = out.split_at(7 * 48);
        assert!(before.iter().all(|v| v.is_finite()), "{kv:?}");
        assert!(after.iter().all(|v| v.is_nan() == shows), "{kv:?}");
    }
}
