//! From fused q, k, v to normalised, rotated queries and filled pages.

use super::super::elementwise::{inverse_rms, weighted};
use super::super::lanes::{Lanes, for_each_set};
use super::element::{Bf16, Element, F16};
use super::{
    AttentionShape, Cpu, KvType, MAX_HEAD_DIM, Output, PAGE_TOKENS, QkWeights, RopeTable, Span,
};

/// What happens to queries and keys before they meet.
#[derive(Clone, Copy, Default)]
pub struct Rotation<'a> {
    pub norm: Option<&'a QkWeights>,
    pub rope: Option<&'a RopeTable>,
}

/// Normalises and rotates q and k, writes k and v to their pages in `pool` (one layer), and leaves q in `q`
/// (`rows × heads · head_dim`). `qkv` is `rows × qkv_len`.
///
/// # Safety
/// Pages that are written here must not be read or written by anyone else meanwhile; every page id must lie in the pool;
/// `q` must have room for as many rows as `qkv` has.
///
/// # Panics
/// When a position is outside the table, a head is wider than [`MAX_HEAD_DIM`] or narrower than what is rotated, or a norm's
/// weight is neither a head's nor all heads'.
#[expect(
    clippy::too_many_arguments,
    reason = "what a layer's attention is made of"
)]
pub unsafe fn rope_and_write(
    shape: AttentionShape,
    kv: KvType,
    rotation: Rotation<'_>,
    qkv: &[f32],
    spans: &[Span<'_>],
    pool: *mut u8,
    q: *mut f32,
    cpu: &Cpu,
) {
    let Rotation { norm, rope } = rotation;
    let (half, d) = (rope.map_or(0, RopeTable::half), shape.head_dim);
    assert!(
        d <= MAX_HEAD_DIM && 2 * half <= d,
        "a head that fits the table and the tiles"
    );
    let fits = |weight: &[f32], heads: usize| weight.len() == d || weight.len() == d * heads;
    assert!(
        norm.is_none_or(|n| fits(&n.query, shape.heads) && fits(&n.key, shape.kv_heads)),
        "norm weights of a head or of all heads"
    );
    let rows: Vec<(usize, &Span<'_>)> = spans
        .iter()
        .flat_map(|s| (0..s.rows).map(move |i| (i, s)))
        .collect();
    let (q, pool) = (Output(q), Output(pool));
    let per_chunk = 4;
    cpu.threads.run(rows.len().div_ceil(per_chunk), &|chunk| {
        for &(i, span) in &rows[chunk * per_chunk..((chunk + 1) * per_chunk).min(rows.len())] {
            let (row, position) = (span.first_row + i, span.position + i);
            let job = &Row {
                shape,
                norm,
                angles: rope.map(|rope| rope.at(position)),
                qkv: &qkv[row * shape.qkv_len()..(row + 1) * shape.qkv_len()],
                q: q.at(row * shape.heads * shape.head_dim),
                pool: pool.at(0),
                page: span.pages[position / PAGE_TOKENS] as usize,
                slot: position % PAGE_TOKENS,
            };
            match kv {
                KvType::F32 => for_each_set!(cpu.set, row_f32(job: &Row<'_>)),
                KvType::F16 => for_each_set!(cpu.set, row_f16(job: &Row<'_>)),
                KvType::Bf16 => for_each_set!(cpu.set, row_bf16(job: &Row<'_>)),
            }
        }
    });
}

/// One token of one layer.
struct Row<'a> {
    shape: AttentionShape,
    norm: Option<&'a QkWeights>,
    /// Cosines and sines at its position.
    angles: Option<(&'a [f32], &'a [f32])>,
    qkv: &'a [f32],
    q: *mut f32,
    pool: *mut u8,
    page: usize,
    slot: usize,
}

#[inline(always)]
unsafe fn row_f32<V: Lanes>(row: &Row<'_>) {
    unsafe { write::<V, f32>(row) }
}

#[inline(always)]
unsafe fn row_f16<V: Lanes>(row: &Row<'_>) {
    unsafe { write::<V, F16>(row) }
}

#[inline(always)]
unsafe fn row_bf16<V: Lanes>(row: &Row<'_>) {
    unsafe { write::<V, Bf16>(row) }
}

#[inline(always)]
unsafe fn write<V: Lanes, E: Element>(row: &Row<'_>) {
    let shape = row.shape;
    let d = shape.head_dim;
    // SAFETY: the row's own part of q and its own slot of the page.
    unsafe {
        let (queries, rest) = row.qkv.split_at(shape.heads * d);
        let (keys, values) = rest.split_at(shape.kv_heads * d);
        let query_norm = row
            .norm
            .map(|norm| HeadNorm::of::<V>(&norm.query, norm.eps, queries));
        let key_norm = row
            .norm
            .map(|norm| HeadNorm::of::<V>(&norm.key, norm.eps, keys));
        let mut level = [0.0f32; MAX_HEAD_DIM];
        for h in 0..shape.heads {
            let query = normalised::<V>(query_norm, h, &queries[h * d..][..d], &mut level);
            rotate::<V>(row.angles, query, row.q.add(h * d));
        }
        // Whole vectors, so that the last one of an odd width has room.
        let mut turned = [0.0f32; MAX_HEAD_DIM + 16];
        let mut stored: [E; MAX_HEAD_DIM + 16] = std::mem::zeroed();
        for h in 0..shape.kv_heads {
            let base = row
                .pool
                .cast::<E>()
                .add(row.page * shape.page_len() + h * d * PAGE_TOKENS * 2);
            let key = normalised::<V>(key_norm, h, &keys[h * d..][..d], &mut level);
            rotate::<V>(row.angles, key, turned.as_mut_ptr());
            for j in (0..d).step_by(16) {
                E::store(V::load(turned.as_ptr().add(j)), stored.as_mut_ptr().add(j));
            }
            // A key that its type cannot hold would silently lose its place: it shows as NaN instead.
            let lost = (0..d).step_by(16).any(|j| {
                let kept = E::load::<V>(stored.as_ptr().add(j)).array();
                kept[..(d - j).min(16)].iter().any(|k| !k.is_finite())
            });
            if lost {
                E::store(V::splat(f32::NAN), stored.as_mut_ptr());
            }
            for (j, &k) in stored[..d].iter().enumerate() {
                *base.add(j * PAGE_TOKENS + row.slot) = k;
            }
            let value = &values[h * d..][..d];
            for j in (0..d).step_by(16) {
                let part = V::load_n(value.as_ptr().add(j), (d - j).min(16));
                E::store(part, stored.as_mut_ptr().add(j));
            }
            let place = base.add((PAGE_TOKENS + row.slot) * d);
            std::ptr::copy_nonoverlapping(stored.as_ptr(), place, d);
        }
    }
}

/// The norm of a row's heads of one kind.
#[derive(Clone, Copy)]
struct HeadNorm<'a> {
    weight: &'a [f32],
    eps: f32,
    /// Of all heads, where the norm is taken over them.
    whole: Option<f32>,
}

impl<'a> HeadNorm<'a> {
    #[inline(always)]
    unsafe fn of<V: Lanes>(weight: &'a [f32], eps: f32, x: &[f32]) -> Self {
        // One head is both; the two ways agree then.
        let whole = (weight.len() == x.len())
            // SAFETY: the slice's own numbers.
            .then(|| unsafe { inverse_rms::<V>(x.as_ptr(), eps, x.len()) });
        Self { weight, eps, whole }
    }
}

/// Head `h`, normalised into `out` where there is a norm.
#[inline(always)]
unsafe fn normalised<'a, V: Lanes>(
    norm: Option<HeadNorm<'_>>,
    h: usize,
    x: &'a [f32],
    out: &'a mut [f32; MAX_HEAD_DIM],
) -> &'a [f32] {
    let Some(norm) = norm else { return x };
    let d = x.len();
    // SAFETY: a head's numbers; the weight is as long as one head or as all of them.
    unsafe {
        let (scale, weight) = match norm.whole {
            Some(scale) => (scale, &norm.weight[h * d..][..d]),
            None => (inverse_rms::<V>(x.as_ptr(), norm.eps, d), norm.weight),
        };
        weighted::<V>(x.as_ptr(), scale, weight.as_ptr(), out.as_mut_ptr(), d);
    }
    &out[..d]
}

/// Rotates the first numbers of a head, twice as many as there are angles, as halves (x1, x2); the others stay.
#[inline(always)]
unsafe fn rotate<V: Lanes>(angles: Option<(&[f32], &[f32])>, x: &[f32], out: *mut f32) {
    // SAFETY: `out` has room for the head; the table's rows are half as long as what is rotated.
    unsafe {
        let (cos, sin) = angles.unwrap_or_default();
        let half = cos.len();
        for j in (0..half).step_by(16) {
            let lanes = (half - j).min(16);
            let at = |p: &[f32], j: usize| V::load_n(p.as_ptr().add(j), lanes);
            let (a, b) = (at(x, j), at(x, half + j));
            let (cos, sin) = (at(cos, j), at(sin, j));
            a.mul(cos).sub(b.mul(sin)).store_n(out.add(j), lanes);
            b.mul(cos).add(a.mul(sin)).store_n(out.add(half + j), lanes);
        }
        std::ptr::copy_nonoverlapping(
            x.as_ptr().add(2 * half),
            out.add(2 * half),
            x.len() - 2 * half,
        );
    }
}
