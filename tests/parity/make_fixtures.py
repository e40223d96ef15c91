"""Makes the parity fixtures: tiny random models in the Hugging Face layout, and what transformers computes with them.

    python make_fixtures.py FOLDER

needs torch and transformers. Each FOLDER/<name>/ gets config.json, model*.safetensors and expected.json. Everything is
seeded, so a second run writes the same numbers up to the last bits of a float32 sum.

expected.json, all natural logarithms, float32 arithmetic, eager attention:
  texts[]            two texts, exact ids, no special tokens
    ids              the token ids
    logprobs[i]      log p(ids[i + 1] | ids[..=i]); one fewer than ids
    last             the log-softmax of the last position, over the whole vocabulary
    greedy           twelve ids: the likeliest continuation
    margins          for each of them the lead over the second likeliest, in nats
  flips              fields of the configuration; changing one alone moves some log-probability by the given amount

The script refuses a fixture that would prove little: log-probabilities must spread (std >= 1.5), float32 must agree
with float64 to 2e-5, every greedy step must lead by 0.01, and every field in `flips` must matter by 1e-3.
"""

import copy
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

ARCHITECTURES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM"}
DROP = object()


def base(model_type, **keys):
    config = {
        "architectures": [ARCHITECTURES[model_type]],
        "model_type": model_type,
        "vocab_size": 97,
        "hidden_size": 32,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "hidden_act": "silu",
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    config.update(keys)
    return {key: value for key, value in config.items() if value is not DROP}


LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

EPS = {"rms_norm_eps": 1e-6}
ACT = {"hidden_act": "gelu"}

# name -> (config.json, options, flips: label -> keys to change)
FIXTURES = {
    "llama2": (
        base("llama", rope_theta=10000.0, rope_scaling=None, pretraining_tp=1, attention_bias=False, num_key_value_heads=DROP),
        {"inv_freq": True},
        {"rms_norm_eps": EPS, "hidden_act": ACT, "rope_theta": {"rope_theta": 500000.0}},
    ),
    "llama3": (
        base(
            "llama", vocab_size=128, num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=False, mlp_bias=False,
            rope_theta=500000.0, rope_scaling=LLAMA3_SCALING, eos_token_id=[2, 3],
        ),
        {},
        {
            "rms_norm_eps": EPS, "hidden_act": ACT, "rope_theta": {"rope_theta": 10000.0}, "rope_scaling": {"rope_scaling": None},
            "rope_scaling.factor": {"rope_scaling": {**LLAMA3_SCALING, "factor": 4.0}},
            "rope_scaling.low_freq_factor": {"rope_scaling": {**LLAMA3_SCALING, "low_freq_factor": 2.0}},
            "rope_scaling.high_freq_factor": {"rope_scaling": {**LLAMA3_SCALING, "high_freq_factor": 8.0}},
            "rope_scaling.original_max_position_embeddings": {
                "rope_scaling": {**LLAMA3_SCALING, "original_max_position_embeddings": 32}
            },
        },
    ),
    "llama3-new-keys": (
        base(
            "llama", vocab_size=131, num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=False, mlp_bias=False,
            rope_parameters={"rope_theta": 500000.0, **LLAMA3_SCALING}, torch_dtype=DROP, dtype="float32",
        ),
        {},
        {
            "rms_norm_eps": EPS,
            "rope_parameters.rope_theta": {"rope_parameters": {"rope_theta": 10000.0, **LLAMA3_SCALING}},
            "rope_parameters.rope_type": {"rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"}},
        },
    ),
    "llama-linear": (
        base("llama", num_key_value_heads=1, rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0}),
        {},
        {
            "rope_scaling": {"rope_scaling": None},
            "rope_scaling.factor": {"rope_scaling": {"type": "linear", "factor": 2.0}},
        },
    ),
    "llama-bias": (
        base("llama", num_key_value_heads=2, rope_theta=10000.0, rope_scaling=None, attention_bias=True, mlp_bias=True),
        {},
        {"rms_norm_eps": EPS, "attention_bias": {"attention_bias": False}, "mlp_bias": {"mlp_bias": False}},
    ),
    "llama-gelu": (
        base(
            "llama", hidden_size=40, head_dim=24, num_attention_heads=2, num_key_value_heads=1, hidden_act="gelu_pytorch_tanh",
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
        ),
        {},
        {"hidden_act": {"hidden_act": "silu"}, "rms_norm_eps": EPS},
    ),
    "smollm2": (
        base(
            "llama", vocab_size=160, hidden_size=48, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=3, tie_word_embeddings=True,
            rope_interleaved=False, rope_theta=100000, rope_scaling=None, is_llama_config=True, mlp_bias=False, attention_bias=False,
        ),
        {},
        {"rms_norm_eps": EPS, "rope_theta": {"rope_theta": 10000.0}, "hidden_act": ACT},
    ),
    "mistral": (
        base(
            "mistral", hidden_size=40, head_dim=24, num_attention_heads=4, num_key_value_heads=2, sliding_window=None,
            rope_theta=1000000.0, attention_dropout=0.0,
        ),
        {},
        {"rms_norm_eps": EPS, "rope_theta": {"rope_theta": 10000.0}, "sliding_window": {"sliding_window": 16}},
    ),
    "mistral-window": (
        base(
            "mistral", num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=16, rope_theta=10000.0,
            torch_dtype="float16",
        ),
        {"dtype": torch.float16},
        {"sliding_window": {"sliding_window": None}, "sliding_window by one": {"sliding_window": 17}, "rms_norm_eps": EPS},
    ),
    "qwen2": (
        base(
            "qwen2", vocab_size=151, hidden_size=48, num_attention_heads=6, num_key_value_heads=1, tie_word_embeddings=True,
            rms_norm_eps=1e-6, rope_theta=1000000.0, sliding_window=32, max_window_layers=2, use_sliding_window=False,
        ),
        {},
        {
            "rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 10000.0},
            "use_sliding_window": {"use_sliding_window": True, "max_window_layers": 0},
        },
    ),
    "qwen2-window": (
        base(
            "qwen2", num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, use_sliding_window=True, sliding_window=12,
            max_window_layers=1, layer_types=["full_attention", "sliding_attention"],
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, torch_dtype=DROP, dtype="float32",
        ),
        {},
        {
            "layer_types": {"layer_types": ["sliding_attention", "sliding_attention"], "max_window_layers": 0},
            "use_sliding_window": {"use_sliding_window": False, "layer_types": ["full_attention", "full_attention"]},
        },
    ),
    "qwen2.5": (
        base(
            "qwen2", vocab_size=128, hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6,
            rope_theta=1000000.0, sliding_window=None, max_window_layers=2, use_sliding_window=False,
        ),
        {},
        {"rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 10000.0}, "hidden_act": ACT},
    ),
    "qwen2.5-bf16": (
        base(
            "qwen2", vocab_size=128, hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6,
            rope_theta=1000000.0, sliding_window=131072, max_window_layers=2, use_sliding_window=False, use_mrope=False, torch_dtype="bfloat16",
        ),
        {"dtype": torch.bfloat16},
        {"rms_norm_eps": {"rms_norm_eps": 1e-5}},
    ),
    "sharded": (
        base("llama", vocab_size=128, num_attention_heads=4, num_key_value_heads=2, rope_theta=10000.0, rope_scaling=None),
        {"shard": "40KB"},
        {"rms_norm_eps": EPS},
    ),
}


def build_config(raw):
    """The library's own reading of a config.json, in whichever spelling."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(raw))
        config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    return config


def fill(model, seed):
    """Random weights whose scales make every field of the configuration matter.

    The residual stream is kept near 0.05 so that the norm's epsilon is felt; the head brings logits to a spread of
    about 2.5; norms and biases are far from their neutral values.
    """
    draw = torch.Generator().manual_seed(seed)
    hidden = model.config.hidden_size
    tied = model.config.tie_word_embeddings
    state = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=draw, dtype=torch.float32)
        if name.endswith("norm.weight"):
            value = 1.0 + 0.3 * noise
            if tied and name == "model.norm.weight":
                value *= 2.5 / (0.03 * hidden**0.5)
        elif name.endswith("q_proj.bias") or name.endswith("k_proj.bias"):
            value = 0.7 * noise
        elif name.endswith("o_proj.bias") or name.endswith("down_proj.bias"):
            value = 0.03 * noise
        elif name.endswith(".bias"):
            value = 0.4 * noise
        elif name.endswith("embed_tokens.weight"):
            value = 0.03 * noise
        elif name == "lm_head.weight":
            value = 2.5 / hidden**0.5 * noise
        elif name.endswith("o_proj.weight") or name.endswith("down_proj.weight"):
            value = 0.08 / tensor.shape[1] ** 0.5 * noise
        else:
            value = 1.3 / tensor.shape[1] ** 0.5 * noise
        state[name] = value
    if tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)


@torch.no_grad()
def logprobs(model, ids):
    logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    return torch.log_softmax(logits, dim=-1)


def next_tokens(table, ids):
    return table[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]


def greedy(model, ids, steps=12):
    ids, new, margins = list(ids), [], []
    for _ in range(steps):
        first, second = logprobs(model, ids)[-1].topk(2).values.tolist()
        new.append(int(logprobs(model, ids)[-1].argmax()))
        margins.append(first - second)
        ids.append(new[-1])
    return new, margins


def seven(values):
    return [float(f"{float(value):.7g}") for value in values]


def pick_texts(model, lengths, seed):
    """Random texts whose greedy continuation is never close to a tie."""
    draw = torch.Generator().manual_seed(seed)
    texts = []
    for length in lengths:
        for _ in range(200):
            ids = torch.randint(3, model.config.vocab_size, (length,), generator=draw).tolist()
            new, margins = greedy(model, ids)
            if min(margins) >= 0.01:
                texts.append((ids, new, margins))
                break
        else:
            raise SystemExit("no text without a near-tie was found")
    return texts


def reload(folder, raw, dtype):
    """The saved weights under a changed configuration."""
    with tempfile.TemporaryDirectory() as other:
        for path in folder.glob("model*"):
            shutil.copy(path, other)
        Path(other, "config.json").write_text(json.dumps(raw))
        model = AutoModelForCausalLM.from_pretrained(other, dtype=dtype, attn_implementation="eager")
    return model.eval()


def make(root, name, raw, options, flips, seed):
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(build_config(raw), dtype=torch.float32)
    fill(model, seed)
    if "dtype" in options:
        model = model.to(options["dtype"])
    model.save_pretrained(folder, max_shard_size=options.get("shard", "1GB"))
    for extra in folder.glob("generation_config.json"):
        extra.unlink()
    if options.get("inv_freq"):
        # checkpoints of the first Llama years carry these buffers
        path = folder / "model.safetensors"
        state = load_file(path)
        for layer in range(raw["num_hidden_layers"]):
            state[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        save_file(state, path, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(raw, indent=2) + "\n")

    model = reload(folder, raw, torch.float32)
    exact = reload(folder, raw, torch.float64)
    expected = {"texts": [], "flips": {}}
    chosen = pick_texts(model, (64, 47), seed + 1)
    for ids, new, margins in chosen:
        table = logprobs(model, ids)
        scored = next_tokens(table, ids)
        spread = scored.std().item()
        assert spread >= 1.5 and table.std(dim=-1).min() >= 1.5, f"{name}: log-probabilities spread by {spread:.2f} only"
        error = (table.double() - logprobs(exact, ids)).abs().max().item()
        assert error < 2e-5, f"{name}: float32 and float64 differ by {error:.1e}"
        expected["texts"].append({
            "ids": ids, "logprobs": seven(scored), "last": seven(table[-1]), "greedy": new, "margins": seven(margins),
        })
    for label, keys in flips.items():
        changed = copy.deepcopy(raw)
        changed.update(keys)
        other = reload(folder, changed, torch.float32)
        moved = max((next_tokens(logprobs(other, ids), ids) - next_tokens(logprobs(model, ids), ids)).abs().max().item() for ids, _, _ in chosen)
        assert moved >= 1e-3, f"{name}: {label} moves nothing ({moved:.1e})"
        expected["flips"][label] = float(f"{moved:.3g}")
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size <= 250_000, f"{name}: {size} bytes"
    print(f"{name:16} {size:7} bytes  spread {spread:.2f}  flips {expected['flips']}")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    torch.set_num_threads(1)
    for number, (name, (raw, options, flips)) in enumerate(FIXTURES.items()):
        make(Path(sys.argv[1]), name, raw, options, flips, 1000 + 10 * number)


if __name__ == "__main__":
    main()
