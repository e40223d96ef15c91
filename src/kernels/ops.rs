//! The kernels as candle custom ops: what the forward pass is written in. CPU here; a CUDA implementation joins each one
//! as its `cuda_fwd`.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, bail};

use super::attention::{self, AttentionShape, RopeTable, Span};
use super::buffer::Buffer;
use super::elementwise::{self, Activation};
use super::linear::PackedLinear;
use super::{InstructionSet, Threads};

/// What CPU kernels run on.
pub struct Cpu {
    pub threads: Threads,
    pub set: InstructionSet,
}

fn floats<'a>(
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

fn rows(data: Vec<f32>, rows: usize, columns: usize) -> (CpuStorage, Shape) {
    (CpuStorage::F32(data), Shape::from((rows, columns)))
}

/// `[rows, k] → [rows, n]`.
#[derive(Clone)]
pub struct Linear {
    pub weights: Arc<PackedLinear>,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, m) = floats(storage, layout, self.weights.k(), self.name())?;
        let mut y = vec![0.0; m * self.weights.n()];
        self.weights
            .forward(x, &mut y, &self.cpu.threads, self.cpu.set);
        Ok(rows(y, m, self.weights.n()))
    }
}

/// Token ids `[rows]` → `[rows, hidden]`, from rows of a packed matrix (which may be the head's).
#[derive(Clone)]
pub struct Embedding {
    pub table: Arc<PackedLinear>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ids = ids(storage, layout)?;
        let k = self.table.k();
        let mut out = vec![0.0; ids.len() * k];
        for (id, out) in ids.iter().zip(out.chunks_exact_mut(k)) {
            self.table.copy_row(*id as usize, out);
        }
        Ok(rows(out, ids.len(), k))
    }
}

/// `[rows, n] + [rows, n]`: a layer's result joins the stream.
#[derive(Clone)]
pub struct Residual {
    pub cpu: Arc<Cpu>,
}

impl CustomOp2 for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, n) = a_layout.shape().dims2()?;
        let (a, m) = floats(a, a_layout, n, self.name())?;
        let (b, other) = floats(b, b_layout, n, self.name())?;
        if m != other {
            bail!("{m} rows and {other} rows do not add up");
        }
        let mut y = vec![0.0; a.len()];
        elementwise::add(a, b, &mut y, &self.cpu.threads);
        Ok(rows(y, m, n))
    }
}

/// `[rows, n] → [rows, n]`.
#[derive(Clone)]
pub struct RmsNorm {
    pub weight: Arc<[f32]>,
    pub eps: f32,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, m) = floats(storage, layout, self.weight.len(), self.name())?;
        let mut y = vec![0.0; x.len()];
        elementwise::rms_norm(
            x,
            &self.weight,
            self.eps,
            &mut y,
            &self.cpu.threads,
            self.cpu.set,
        );
        Ok(rows(y, m, self.weight.len()))
    }
}

/// `[rows, 2 · n] → [rows, n]`: `activation(gate) · up`.
#[derive(Clone)]
pub struct Gate {
    pub activation: Activation,
    pub n: usize,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, m) = floats(storage, layout, 2 * self.n, self.name())?;
        let mut y = vec![0.0; m * self.n];
        elementwise::gate(
            self.activation,
            x,
            self.n,
            &mut y,
            &self.cpu.threads,
            self.cpu.set,
        );
        Ok(rows(y, m, self.n))
    }
}

/// Fused q, k, v `[rows, qkv_len] → [rows, heads · head_dim]`: rotates, writes k and v to their pages, attends.
pub struct Attention<'a> {
    pub shape: AttentionShape,
    pub rope: Option<Arc<RopeTable>>,
    /// The rows of the step, by sequence; together they cover every row.
    pub spans: &'a [Span<'a>],
    pub pool: Arc<Buffer<f32>>,
    /// Where the layer begins in the pool, and how many numbers are its own.
    pub layer: std::ops::Range<usize>,
    pub cpu: Arc<Cpu>,
}

impl CustomOp1 for Attention<'_> {
    fn name(&self) -> &'static str {
        "paged-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (qkv, m) = floats(storage, layout, self.shape.qkv_len(), self.name())?;
        let covered: usize = self.spans.iter().map(|span| span.rows).sum();
        let pages = self.layer.len() / self.shape.page_len();
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
        let (mut q, mut out) = (vec![0.0; m * columns], vec![0.0; m * columns]);
        // SAFETY: the range was checked; pages were checked to lie in it. The engine thread runs one step at a time, and
        // within a step every page that is written belongs to one sequence.
        unsafe {
            let pool = self.pool.as_ptr().add(self.layer.start);
            let (cpu, rope) = (&*self.cpu, self.rope.as_deref());
            attention::rope_and_write(
                self.shape,
                rope,
                qkv,
                self.spans,
                pool,
                &mut q,
                &cpu.threads,
            );
            attention::attend(
                self.shape,
                &q,
                self.spans,
                pool,
                &mut out,
                &cpu.threads,
                cpu.set,
            );
        }
        Ok(rows(out, m, columns))
    }
}
