use super::*;
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
        }
    }

    /// Runs all tokens in the given chunks; unwritten slots hold NaN.
    fn chunked(
        &self,
        rope: &RopeTable,
        chunks: &[usize],
        set: InstructionSet,
        threads: &Threads,
    ) -> Vec<f32> {
        let (len, q_len) = (self.shape.qkv_len(), self.shape.heads * self.shape.head_dim);
        let mut pool = vec![f32::NAN; (self.pages.len() + 6) * self.shape.page_len()];
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
                rope_and_write(
                    self.shape,
                    Some(rope),
                    qkv,
                    &span,
                    pool.as_mut_ptr(),
                    &mut q,
                    threads,
                );
                attend(self.shape, &q, &span, pool.as_ptr(), &mut out, threads, set);
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
            window,
        } = self.shape;
        let rows: Vec<&[f32]> = self.qkv.chunks_exact(self.shape.qkv_len()).collect();
        let head = |t: usize, h: usize, rotate: bool| {
            let mut x = rows[t][h * d..(h + 1) * d].to_vec();
            if rotate {
                rope.rotate(t, &mut x);
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
                    q.iter()
                        .zip(&k)
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum::<f64>()
                        * f64::from(scale)
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

fn table(head_dim: usize) -> RopeTable {
    let f: Vec<f32> = (0..head_dim / 2)
        .map(|i| 1.0 / 10f32.powi(i32::try_from(i).unwrap()))
        .collect();
    RopeTable::new(&f, 200, 1.0)
}

#[test]
fn close_to_the_definition_and_equal_in_every_chunking() {
    for (heads, kv_heads, d, tokens, window) in [
        (1, 1, 8, 5, None),
        (4, 2, 24, 70, None),
        (6, 2, 64, 40, Some(9)),
        (7, 1, 32, 67, Some(33)),
        (2, 2, 80, 33, None),
    ] {
        let world = World::new(heads, kv_heads, d, tokens, window);
        let rope = table(d);
        let naive = world.naive(&rope);
        let mut first: Option<Vec<f32>> = None;
        let chunkings = [vec![tokens], vec![1; tokens], vec![3, 1, tokens - 4]];
        for set in InstructionSet::available() {
            for count in [1, 2] {
                let threads = Threads::new(count);
                for chunks in &chunkings {
                    let out = world.chunked(&rope, chunks, set, &threads);
                    for (a, b) in out.iter().zip(&naive) {
                        assert!((a - b).abs() < 2e-5, "{a} {b}");
                    }
                    let first = first.get_or_insert_with(|| out.clone());
                    assert!(
                        first
                            .iter()
                            .zip(&out)
                            .all(|(a, b)| a.to_bits() == b.to_bits()),
                        "{set:?} {chunks:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn sequences_do_not_see_each_other() {
    let rope = table(16);
    let threads = Threads::new(2);
    let set = InstructionSet::detect();
    let world = World::new(4, 2, 16, 37, None);
    let alone = world.chunked(&rope, &[37], set, &threads);
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
    let mut pool = vec![0.0; 4 * world.shape.page_len()];
    let (mut q, mut out) = (vec![0.0; 48 * q_len], vec![0.0; 48 * q_len]);
    // SAFETY: the pool belongs to this test and holds every page.
    unsafe {
        rope_and_write(
            world.shape,
            Some(&rope),
            &qkv,
            &spans,
            pool.as_mut_ptr(),
            &mut q,
            &threads,
        );
        attend(
            world.shape,
            &q,
            &spans,
            pool.as_ptr(),
            &mut out,
            &threads,
            set,
        );
    }
    assert_eq!(out[11 * q_len..], alone);
}
