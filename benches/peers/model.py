"""Random weights of known shapes, written twice from one source: as a Hugging Face folder and as GGUF.

Speed does not depend on the values, so they are cheap: one block of uniform numbers, scaled and rotated for each tensor.
The two files hold the same model: what one answers greedily, the other answers too, up to rounding.
"""
import array
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1_048_573  # a prime, so that no row of a matrix comes back


@dataclass(frozen=True)
class Shape:
    """What `config.json` says about a model."""

    family: str  # "llama" or "qwen2": the name both formats use
    hidden: int
    ff: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int
    theta: float
    eps: float = 1e-5
    context: int = 8192

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    @property
    def bias(self) -> bool:
        return self.family == "qwen2"

    def config(self) -> dict:
        classes = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
        return {
            "architectures": [classes[self.family]], "model_type": self.family, "vocab_size": self.vocab,
            "hidden_size": self.hidden, "intermediate_size": self.ff, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads, "hidden_act": "silu",
            "max_position_embeddings": self.context, "rms_norm_eps": self.eps, "rope_theta": self.theta,
            "tie_word_embeddings": True, "use_sliding_window": False, "torch_dtype": "bfloat16",
        }


SHAPES = {
    "smollm2-135m": Shape("llama", 576, 1536, 30, 9, 3, 49_152, 100_000.0),
    "qwen2.5-0.5b": Shape("qwen2", 896, 4864, 24, 14, 2, 151_936, 1_000_000.0),
}


@dataclass(frozen=True)
class Tensor:
    """One weight under both names; values are uniform in center ± spread."""

    name: str
    gguf_name: str
    rows: int  # 0: a vector
    columns: int
    center: float
    spread: float
    heads: int = 0  # rotary rows to be reordered for GGUF: this many heads

    @property
    def elements(self) -> int:
        return max(1, self.rows) * self.columns

    @property
    def dims(self) -> list[int]:
        return [self.rows, self.columns] if self.rows else [self.columns]


def tensors(s: Shape) -> Iterator[Tensor]:
    """All weights; the spreads keep activations near one through any depth."""
    q, kv = s.heads * s.head_dim, s.kv_heads * s.head_dim
    even = lambda k: (3.0 / k) ** 0.5
    yield Tensor("model.embed_tokens.weight", "token_embd.weight", s.vocab, s.hidden, 0.0, 0.05)
    yield Tensor("model.norm.weight", "output_norm.weight", 0, s.hidden, 1.0, 0.1)
    for i in range(s.layers):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        yield Tensor(f"{hf}input_layernorm.weight", f"{gg}attn_norm.weight", 0, s.hidden, 1.0, 0.1)
        yield Tensor(f"{hf}post_attention_layernorm.weight", f"{gg}ffn_norm.weight", 0, s.hidden, 1.0, 0.1)
        for name, rows, heads in (("q", q, s.heads), ("k", kv, s.kv_heads), ("v", kv, 0)):
            turned = heads if s.family == "llama" else 0
            at = f"{hf}self_attn.{name}_proj"
            yield Tensor(f"{at}.weight", f"{gg}attn_{name}.weight", rows, s.hidden, 0.0, even(s.hidden), turned)
            if s.bias:
                yield Tensor(f"{at}.bias", f"{gg}attn_{name}.bias", 0, rows, 0.0, 0.1)
        yield Tensor(f"{hf}self_attn.o_proj.weight", f"{gg}attn_output.weight", s.hidden, q, 0.0, even(q))
        yield Tensor(f"{hf}mlp.gate_proj.weight", f"{gg}ffn_gate.weight", s.ff, s.hidden, 0.0, even(s.hidden))
        yield Tensor(f"{hf}mlp.up_proj.weight", f"{gg}ffn_up.weight", s.ff, s.hidden, 0.0, even(s.hidden))
        yield Tensor(f"{hf}mlp.down_proj.weight", f"{gg}ffn_down.weight", s.hidden, s.ff, 0.0, even(s.ff))


class Values:
    """bf16 values of each tensor, little-endian."""

    def __init__(self) -> None:
        draw = random.Random(11)
        self._unit = [2.0 * draw.random() - 1.0 for _ in range(BLOCK)]
        self._blocks: dict[tuple[float, float], bytes] = {}
        self._start = random.Random(12)

    def _block(self, center: float, spread: float) -> bytes:
        key = (center, spread)
        if key not in self._blocks:
            wide = array.array("f", (center + spread * x for x in self._unit)).tobytes()
            narrow = bytearray(2 * BLOCK)
            narrow[0::2], narrow[1::2] = wide[2::4], wide[3::4]
            self._blocks[key] = bytes(narrow)
        return self._blocks[key]

    def bf16(self, t: Tensor) -> bytes:
        block, start = self._block(t.center, t.spread), 2 * self._start.randrange(BLOCK)
        turned = block[start:] + block[:start]
        whole, rest = divmod(2 * t.elements, len(turned))
        return turned * whole + turned[:rest]


def _pair_rows(data: bytes, t: Tensor) -> bytes:
    """Rows of each head in the order llama.cpp's llama graph rotates them: i, i + d/2, i + 1, ... instead of halves."""
    width = 2 * t.columns
    half = t.rows // t.heads // 2
    rows = (head * 2 * half + side * half + i for head in range(t.heads) for i in range(half) for side in (0, 1))
    return b"".join(data[row * width:(row + 1) * width] for row in rows)


def _widen(data: bytes) -> bytes:
    """bf16 to f32."""
    wide = bytearray(2 * len(data))
    wide[2::4], wide[3::4] = data[0::2], data[1::2]
    return bytes(wide)


def write_folder(s: Shape, folder: Path) -> None:
    """`config.json` and `model.safetensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for t in tensors(s):
        header[t.name] = {"dtype": "BF16", "shape": t.dims, "data_offsets": [at, at + 2 * t.elements]}
        at += 2 * t.elements
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    values, part = Values(), folder / "model.safetensors.part"
    with part.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for t in tensors(s):
            out.write(values.bf16(t))
    (folder / "config.json").write_text(json.dumps(s.config(), indent=1))
    part.rename(folder / "model.safetensors")


# Value kinds and tensor types of the GGUF format, by its specification.
U32, F32, TEXT, ARRAY = 4, 6, 8, 9
TENSOR_F32, TENSOR_BF16 = 0, 30
ALIGNMENT = 32


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _entry(key: str, kind: int, value) -> bytes:
    if kind == TEXT:
        body = _text(value)
    elif kind == ARRAY:
        inner, items = value
        pack = _text if inner == TEXT else lambda x: struct.pack("<i", x)
        body = struct.pack("<IQ", inner, len(items)) + b"".join(map(pack, items))
    else:
        body = struct.pack("<f" if kind == F32 else "<I", value)
    return _text(key) + struct.pack("<I", kind) + body


def _vocabulary(size: int) -> list[str]:
    """An end token, a line break and made-up words: enough for the server to start; prompts come as ids."""
    return ["<end>", "\u010a", *(f"w{i:06}" for i in range(size - 2))]


def write_gguf(s: Shape, path: Path) -> None:
    """The same model in bf16, norms and biases in f32."""
    pre = {"llama": "smollm", "qwen2": "qwen2"}[s.family]
    a = s.family
    entries = [
        ("general.architecture", TEXT, a), ("general.name", TEXT, "random"), ("general.file_type", U32, 32),
        ("general.alignment", U32, ALIGNMENT),
        (f"{a}.context_length", U32, s.context), (f"{a}.embedding_length", U32, s.hidden),
        (f"{a}.block_count", U32, s.layers), (f"{a}.feed_forward_length", U32, s.ff),
        (f"{a}.attention.head_count", U32, s.heads), (f"{a}.attention.head_count_kv", U32, s.kv_heads),
        (f"{a}.attention.layer_norm_rms_epsilon", F32, s.eps), (f"{a}.rope.freq_base", F32, s.theta),
        (f"{a}.rope.dimension_count", U32, s.head_dim), (f"{a}.vocab_size", U32, s.vocab),
        ("tokenizer.ggml.model", TEXT, "gpt2"), ("tokenizer.ggml.pre", TEXT, pre),
        ("tokenizer.ggml.tokens", ARRAY, (TEXT, _vocabulary(s.vocab))),
        ("tokenizer.ggml.token_type", ARRAY, (5, [3] + [1] * (s.vocab - 1))),  # kind 5 is i32; type 3 is control
        ("tokenizer.ggml.merges", ARRAY, (TEXT, [])),
        ("tokenizer.ggml.bos_token_id", U32, 0), ("tokenizer.ggml.eos_token_id", U32, 0),
    ]
    infos, at, all_tensors = [], 0, list(tensors(s))
    for t in all_tensors:
        kind, size = (TENSOR_BF16, 2) if t.rows else (TENSOR_F32, 4)
        dims = t.dims[::-1]
        infos.append(_text(t.gguf_name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, at))
        at += t.elements * size + (-(t.elements * size) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(entries))
    head += b"".join(_entry(*e) for e in entries) + b"".join(infos)
    head += b"\0" * (-len(head) % ALIGNMENT)
    path.parent.mkdir(parents=True, exist_ok=True)
    values, part = Values(), path.with_suffix(".part")
    with part.open("wb") as out:
        out.write(head)
        for t in all_tensors:
            data = values.bf16(t)
            if t.heads:
                data = _pair_rows(data, t)
            if not t.rows:
                data = _widen(data)
            out.write(data + b"\0" * (-len(data) % ALIGNMENT))
    part.rename(path)
