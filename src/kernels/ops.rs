//! The kernels as candle custom ops: what the forward pass is written in. CPU here; a CUDA implementation joins each one
//! as its `cuda_fwd`.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp1, Layout, Result, Shape, bail};

use super::attention::{self, AttentionShape, KvType, QkWeights, RopeTable, Rotation, Span};
use super::buffer::Buffer;
use super::elementwise::{Activation, add_scaled_into, cap_in_place, norm_into};
use super::linear::{Input, Output, PackedLinear, unwritten};
use super::{InstructionSet, Threads};

/// What CPU kernels run on.
pub struct Cpu {
    pub threads: Threads,
    pub set: InstructionSet,
}

pub(super) fn floats<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
    columns: usize,
    op: &str,
) -> Result<(&'a [f32], usize)> {
    let CpuStorage::F32(data) = storage else {
        bail!("{op} takes f32")
    };
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!("{op} takes contiguous rows")
    };
    let (rows, width) = layout.shape().dims2()?;
    if width != columns {
        bail!("{op} takes rows of {columns}, not {width}");
    }
    Ok((&data[from..to], rows))
}

fn ids<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [u32]> {
    let CpuStorage::U32(data) = storage else {
        bail!("token ids are u32")
    };
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!("token ids are contiguous")
    };
    Ok(&data[from..to])
}

pub(super) fn rows(data: Vec<f32>, rows: usize, columns: usize) -> (CpuStorage, Shape) {
    (CpuStorage::F32(data), Shape::from((rows, columns)))
}

/// What happens to a layer's input before the weights.
#[derive(Clone)]
pub enum Before {
    Nothing,
    /// RMS norm with this weight and epsilon.
    Norm(Arc<[f32]>, f32),
    /// Rows are gate and up, side by side: `activation(gate) · up`.
    Gate(Activation),
}

/// A linear layer with what comes before it: `[rows, k] → [rows, n]` (`[rows, 2k]` before a gate). With two operands, the
/// first is the stream that the result is added to: `[rows, n], [rows, k] → [rows, n]`.
#[derive(Clone)]
pub struct Linear {
    pub before: Before,
    pub weights: Arc<PackedLinear>,
    pub cpu: Arc<Cpu>,
}

impl Linear {
    fn forward(
        &self,
        (storage, layout): (&CpuStorage, &Layout),
        stream: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let (k, n) = (self.weights.k(), self.weights.n());
        let width = match self.before {
            Before::Gate(_) => 2 * k,
            _ => k,
        };
        let (x, m) = floats(storage, layout, width, "linear")?;
        let residual = match stream {
            None => None,
            Some((storage, layout)) => {
                let (residual, rows) = floats(storage, layout, n, "linear")?;
                if rows != m {
                    bail!("{rows} rows and {m} rows do not add up");
                }
                Some(residual)
            }
        };
        let input = match &self.before {
            Before::Nothing => Input::Rows(x),
            Before::Norm(weight, eps) => Input::Norm {
                x,
                weight,
                eps: *eps,
            },
            Before::Gate(activation) => Input::Gate {
                x,
                activation: *activation,
            },
        };
        Ok(rows(self.weights.forward(input, residual, &self.cpu), m, n))
    }
}

impl CustomOp1 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward((storage, layout), None)
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear-residual"
    }

    fn cpu_fwd(
        &self,
        stream: &CpuStorage,
        stream_layout: &Layout,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((storage, layout), Some((stream, stream_layout)))
    }
}

/// Token ids `[rows]` → `[rows, hidden]`, from rows of a packed matrix (which may be the head's).
#[derive(Clone)]
pub struct Embedding {
    pub table: Arc<PackedLinear>,
    /// Multiplies every number.
    pub scale: f32,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ids = ids(storage, layout)?;
        let k = self.table.k();
        let mut out = vec![0.0f32; ids.len() * k];
        let place = Output(out.as_mut_ptr());
        let per_chunk = 8;
        self.cpu
            .threads
            .run(ids.len().div_ceil(per_chunk), &|chunk| {
                let first = chunk * per_chunk;
                for (i, id) in ids.iter().enumerate().skip(first).take(per_chunk) {
                    // SAFETY: this row's own part.
                    let row = unsafe { std::slice::from_raw_parts_mut(place.at(i * k), k) };
                    self.table.copy_row(*id as usize, row);
                    // Times one is the same number.
                    for x in row {
                        *x *= self.scale;
                    }
                }
            });
        Ok(rows(out, ids.len(), k))
    }
}

/// How a branch joins the stream where a linear layer's own addition does not do: `stream + scale · norm(branch)`, both
/// `[rows, n]`.
#[derive(Clone)]
pub struct Join {
    /// RMS norm with this weight and epsilon.
    pub norm: Option<(Arc<[f32]>, f32)>,
    pub scale: f32,
    pub cpu: Arc<Cpu>,
}

impl CustomOp2 for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn cpu_fwd(
        &self,
        stream: &CpuStorage,
        stream_layout: &Layout,
        branch: &CpuStorage,
        branch_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n) = stream_layout.shape().dims2()?;
        let (stream, m) = floats(stream, stream_layout, n, "join")?;
        let (branch, rows_too) = floats(branch, branch_layout, n, "join")?;
        if rows_too != m || self.norm.as_ref().is_some_and(|(w, _)| w.len() != n) {
            bail!("{m} rows of {n} and {rows_too} rows do not add up");
        }
        let mut out = vec![0.0f32; m * n];
        let place = Output(out.as_mut_ptr());
        let (set, per_chunk) = (self.cpu.set, (4096 / n).max(1));
        self.cpu.threads.run(m.div_ceil(per_chunk), &|chunk| {
            let mut level = vec![0.0; if self.norm.is_some() { n } else { 0 }];
            for row in chunk * per_chunk..((chunk + 1) * per_chunk).min(m) {
                let at = row * n..(row + 1) * n;
                // SAFETY: this row's own part.
                let out = unsafe { std::slice::from_raw_parts_mut(place.at(row * n), n) };
                let branch = match &self.norm {
                    None => &branch[at.clone()],
                    Some((weight, eps)) => {
                        norm_into(&branch[at.clone()], weight, *eps, &mut level, set);
                        &level
                    }
                };
                add_scaled_into(&stream[at], branch, self.scale, out, set);
            }
        });
        Ok(rows(out, m, n))
    }
}

/// Logits divided, then capped softly, in place.
#[derive(Clone)]
pub struct Cap {
    pub divisor: f32,
    pub cap: Option<f32>,
    pub cpu: Arc<Cpu>,
}

impl InplaceOp1 for Cap {
    fn name(&self) -> &'static str {
        "cap"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let CpuStorage::F32(data) = storage else {
            bail!("cap takes f32")
        };
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("cap takes contiguous rows")
        };
        let data = &mut data[from..to];
        let per_chunk = 8192;
        let (len, place) = (data.len(), Output(data.as_mut_ptr()));
        self.cpu.threads.run(len.div_ceil(per_chunk), &|chunk| {
            let first = chunk * per_chunk;
            let n = per_chunk.min(len - first);
            // SAFETY: this chunk's own part.
            let part = unsafe { std::slice::from_raw_parts_mut(place.at(first), n) };
            cap_in_place(part, self.divisor, self.cap, self.cpu.set);
        });
        Ok(())
    }
}

/// Fused q, k, v `[rows, qkv_len] → [rows, heads · head_dim]`: normalises and rotates, writes k and v to their pages, attends.
pub struct Attention<'a> {
    pub shape: AttentionShape,
    pub norm: Option<&'a QkWeights>,
    pub rope: Option<&'a RopeTable>,
    /// The rows of the step, by sequence; together they cover every row.
    pub spans: &'a [Span<'a>],
    pub pool: Arc<Buffer<u8>>,
    pub kv: KvType,
    /// The layer's bytes of the pool.
    pub layer: std::ops::Range<usize>,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for Attention<'_> {
    fn name(&self) -> &'static str {
        "paged-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (qkv, m) = floats(storage, layout, self.shape.qkv_len(), self.name())?;
        // One span after the other, every row once.
        let covered = self.spans.iter().fold(0, |next, span| {
            if span.first_row == next {
                next + span.rows
            } else {
                usize::MAX / 2
            }
        });
        let pages = self.layer.len() / (self.shape.page_len() * self.kv.bytes());
        let last = |span: &Span<'_>| (span.position + span.rows).div_ceil(attention::PAGE_TOKENS);
        if covered != m || self.layer.end > self.pool.len() {
            bail!("spans cover {covered} of {m} rows");
        }
        if let Some(span) = self
            .spans
            .iter()
            .find(|s| last(s) > s.pages.len() || s.pages.iter().any(|&p| p as usize >= pages))
        {
            bail!(
                "position {} lies outside its pages",
                span.position + span.rows - 1
            );
        }
        let columns = self.shape.heads * self.shape.head_dim;
        let (mut q, mut out) = (unwritten(m * columns), unwritten(m * columns));
        // SAFETY: the range was checked; pages were checked to lie in it. The engine thread runs one step at a time, and
        // within a step every page that is written belongs to one sequence. Both passes write every row of their output,
        // since the spans cover all rows.
        let out = unsafe {
            let pool = self.pool.as_ptr().add(self.layer.start);
            let (shape, kv) = (self.shape, self.kv);
            let rotation = Rotation {
                norm: self.norm,
                rope: self.rope,
            };
            let queries = q.as_mut_ptr().cast();
            let spans = self.spans;
            attention::rope_and_write(shape, kv, rotation, qkv, spans, pool, queries, &self.cpu);
            let q = q.assume_init();
            let results = out.as_mut_ptr().cast();
            attention::attend(shape, kv, &q, self.spans, pool, results, &self.cpu);
            out.assume_init()
        };
        Ok(rows(out.into_vec(), m, columns))
    }
}
