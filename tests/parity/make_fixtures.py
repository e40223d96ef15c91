"""Makes the parity fixtures: tiny random models in the Hugging Face layout, and what transformers computes with them.

    python make_fixtures.py FOLDER [--only NAME ...] [--check]

needs torch and transformers (made with torch 2.15.0 and transformers 5.23.0). Each FOLDER/<name>/ gets config.json,
model*.safetensors and expected.json; `families.py` holds the table. Everything is seeded, so a second run writes the
same numbers up to the last bits of a float32 sum. With --check nothing is written: what lies in FOLDER is compared with
two other forms of attention, torch's own and one written out below without masks.

expected.json, all natural logarithms, float32 arithmetic over the stored weights, eager attention:
  texts[]            exact ids, no special tokens
    ids              the token ids
    logprobs[i]      log p(ids[i + 1] | ids[..=i]); one fewer than ids
    last             the log-softmax of the last position, over the whole vocabulary
    greedy           the likeliest continuation
    margins          for each of its ids the lead over the second likeliest, in nats
  flips              fields of the configuration; changing one alone moves some log-probability by the given amount
  context            only where it changes the numbers: the longest context, in tokens, for which they hold

Tolerances: float32 here is within 2e-5 of float64, so a program that also computes in float32 and sums in another order
is expected within 1e-4 of every number; whatever rounds weights, keys or activations is further off, and is held to a
mean instead (tests/parity.rs).

The script refuses a fixture that would prove little: log-probabilities must spread (std >= 1.5), float32 must agree
with float64 to 2e-5, every greedy step must lead by 0.01, every choice of experts by 0.002 in the router's logits, and
every field in `flips` must matter by 1e-3.
"""

import argparse
import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from families import FIXTURES
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AttentionInterface
from transformers.utils.logging import disable_progress_bar, set_verbosity_error


def build_config(raw):
    """The library's own reading of a config.json, in whichever spelling."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(raw))
        config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    return config


def as_reference(raw, fixture):
    """The configuration for the reference.

    It takes longrope's short factors for a text within the original context, whereas the program fixes the factors at
    load, by the context it is made for. `long_always` writes the long ones in both places: the reference then computes
    what it computes within a longer text; the attention factor depends on neither list.
    """
    if not fixture.long_always:
        return raw
    scaling = raw["rope_scaling"]
    return {**raw, "rope_scaling": {**scaling, "short_factor": scaling["long_factor"]}}


def fill(model, block, seed):
    """Random weights whose scales make every field of the configuration matter.

    The residual stream is kept near 0.05, to which each block adds about `block`, so that the norm's epsilon is felt; the head brings logits to a spread of
    about 2.5, or 3.5 before a cap; norms and biases are far from their neutral values.
    """
    draw = torch.Generator().manual_seed(seed)
    config = model.config
    hidden, tied = config.hidden_size, config.tie_word_embeddings
    gemma = config.model_type.startswith("gemma")
    spread = 3.5 if getattr(config, "final_logit_softcapping", None) else 2.5
    spread *= getattr(config, "logits_scaling", 1.0)
    embedding = 0.03 / (hidden**0.5 if gemma else getattr(config, "embedding_multiplier", 1.0))
    block = block / getattr(config, "residual_multiplier", 1.0)
    # Granite's scale of the scores is free: q and k make up for it
    sharp = getattr(config, "attention_multiplier", None)
    sharp = 1.0 if sharp is None else (sharp * (hidden / config.num_attention_heads) ** 0.5) ** 0.5
    # norms behind a block bring it to the stream's scale; without one before it, the block must bring up its own input
    norm_behind = any(name.endswith("post_feedforward_layernorm.weight") for name in model.state_dict())
    norm_before = config.model_type != "olmo2"
    state = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=draw, dtype=torch.float32)
        matrix = name.removesuffix(".weight")
        if name.endswith("norm.weight"):
            value = 1.0 + 0.3 * noise
            if tied and name == "model.norm.weight":
                value *= spread / (embedding * hidden**0.5)
            if norm_behind and "layers" in name and matrix.endswith(("post_attention_layernorm", "post_feedforward_layernorm")):
                value *= 0.8 * block
            if gemma:
                value -= 1.0
        elif name.endswith("q_proj.bias") or name.endswith("k_proj.bias"):
            value = 0.7 * noise
        elif name.endswith("o_proj.bias") or name.endswith("down_proj.bias"):
            value = 0.03 * noise
        elif name.endswith(".bias"):
            value = 0.4 * noise
        elif name.endswith("embed_tokens.weight"):
            value = embedding * noise
        elif name == "lm_head.weight":
            value = spread / hidden**0.5 * noise
        elif matrix.endswith(("o_proj", "down_proj")):
            value = block / tensor.shape[-1] ** 0.5 * noise
        else:
            value = 1.3 / tensor.shape[-1] ** 0.5 * noise
            if not norm_before and matrix.endswith(("v_proj", "gate_proj", "up_proj")):
                value *= 16.0
            if matrix.endswith(("q_proj", "k_proj")):
                value /= sharp
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


def greedy(model, ids, steps):
    ids, new, margins = list(ids), [], []
    for _ in range(steps):
        best = logprobs(model, ids)[-1].topk(2)
        first, second = best.values.tolist()
        new.append(int(best.indices[0]))
        margins.append(first - second)
        ids.append(new[-1])
    return new, margins


@torch.no_grad()
def routing_lead(model, ids):
    """The smallest lead, in logits, of a chosen expert over the best that is left out; infinite without experts."""
    leads = [float("inf")]

    def watch(router, _, output):
        best = output[0].topk(router.top_k + 1, dim=-1).values
        leads.append((best[:, -2] - best[:, -1]).min().item())

    hooks = [m.register_forward_hook(watch) for m in model.modules() if type(m).__name__.endswith("TopKRouter")]
    logprobs(model, ids)
    for hook in hooks:
        hook.remove()
    return min(leads)


def seven(values):
    return [float(f"{float(value):.7g}") for value in values]


def pick_texts(model, lengths, steps, seed):
    """Random texts whose greedy continuation is never close to a tie, nor any choice of experts."""
    draw = torch.Generator().manual_seed(seed)
    texts = []
    for length in lengths:
        for _ in range(200):
            ids = torch.randint(3, model.config.vocab_size, (length,), generator=draw).tolist()
            new, margins = greedy(model, ids, steps)
            if min(margins) >= 0.01 and routing_lead(model, ids + new) >= 0.002:
                texts.append((ids, new, margins))
                break
        else:
            raise SystemExit("no text without a near-tie was found")
    return texts


def reload(folder, raw, dtype, attention="eager"):
    """The saved weights under a changed configuration."""
    with tempfile.TemporaryDirectory() as other:
        for path in folder.glob("model*"):
            shutil.copy(path, other)
        Path(other, "config.json").write_text(json.dumps(raw))
        model = AutoModelForCausalLM.from_pretrained(other, dtype=dtype, attn_implementation=attention, experts_implementation="eager")
    return model.eval()


def save(folder, model, fixture):
    if fixture.dtype != torch.float32:
        model = model.to(fixture.dtype)
    model.save_pretrained(folder, max_shard_size=fixture.shard)
    for extra in folder.glob("generation_config.json"):
        extra.unlink()
    if fixture.inv_freq:
        # checkpoints of the first Llama years carry these buffers
        path = folder / "model.safetensors"
        state = load_file(path)
        for layer in range(fixture.config["num_hidden_layers"]):
            state[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        save_file(state, path, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(fixture.config, indent=2) + "\n")


def make(root, name):
    fixture = FIXTURES[name]
    seed = 1000 + 10 * list(FIXTURES).index(fixture.weights_of or name)
    raw = as_reference(fixture.config, fixture)
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(build_config(raw), dtype=torch.float32)
    fill(model, fixture.block, seed)
    save(folder, model, fixture)

    model = reload(folder, raw, torch.float32)
    exact = reload(folder, raw, torch.float64)
    expected = {"texts": [], "flips": {}}
    chosen = pick_texts(model, fixture.lengths, fixture.steps, seed + 1)
    spread = []
    for ids, new, margins in chosen:
        table = logprobs(model, ids)
        scored = next_tokens(table, ids)
        spread.append(scored)
        assert table.std(dim=-1).min() >= 1.5, f"{name}: the log-probabilities of one position spread by {table.std(dim=-1).min():.2f} only"
        error = (table.double() - logprobs(exact, ids)).abs().max().item()
        assert error < 2e-5, f"{name}: float32 and float64 differ by {error:.1e}"
        expected["texts"].append({
            "ids": ids, "logprobs": seven(scored), "last": seven(table[-1]), "greedy": new, "margins": seven(margins),
        })
    spread = torch.cat(spread).std().item()
    assert spread >= 1.5, f"{name}: log-probabilities spread by {spread:.2f} only"
    for label, keys in fixture.flips.items():
        changed = copy.deepcopy(fixture.config)
        changed.update(keys)
        other = reload(folder, as_reference(changed, fixture), torch.float32)
        moved = max((next_tokens(logprobs(other, ids), ids) - next_tokens(logprobs(model, ids), ids)).abs().max().item() for ids, _, _ in chosen)
        assert moved >= 1e-3, f"{name}: {label} moves nothing ({moved:.1e})"
        expected["flips"][label] = float(f"{moved:.3g}")
    if fixture.context is not None:
        longest = max(len(ids) + len(new) for ids, new, _ in chosen)
        assert longest <= fixture.context, f"{name}: a text of {longest} tokens for a context of {fixture.context}"
        expected["context"] = fixture.context
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size <= 250_000, f"{name}: {size} bytes"
    print(f"{name:22} {size:7} bytes  spread {spread:.2f}  flips {expected['flips']}")


def written_out(module, query, key, value, _, scaling=None, sliding_window=None, softcap=None, **__):
    """Attention one query after the other, no mask: the keys are those from the window's edge up to the query."""
    group = query.shape[1] // key.shape[1]
    out = torch.zeros_like(query)
    for head in range(query.shape[1]):
        for i in range(query.shape[2]):
            first = 0 if sliding_window is None else max(0, i - sliding_window + 1)
            scores = key[0, head // group, first : i + 1] @ query[0, head, i] * scaling
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            out[0, head, i] = scores.softmax(dim=-1) @ value[0, head // group, first : i + 1]
    return out.transpose(1, 2).contiguous(), None


def check(root, name):
    """Compares a fixture that lies in `root` with the reference under two other forms of attention."""
    fixture = FIXTURES[name]
    folder = root / name
    expected = json.loads((folder / "expected.json").read_text())
    raw = as_reference(json.loads((folder / "config.json").read_text()), fixture)
    # torch's own knows no cap on the scores
    capped = build_config(raw).to_dict().get("attn_logit_softcapping") is not None
    worst = {}
    for attention in ["written_out"] + ([] if capped else ["sdpa"]):
        model = reload(folder, raw, torch.float32, attention)
        worst[attention] = 0.0
        for text in expected["texts"]:
            table = logprobs(model, text["ids"])
            far = (next_tokens(table, text["ids"]) - torch.tensor(text["logprobs"])).abs().max()
            worst[attention] = max(worst[attention], far.item(), (table[-1] - torch.tensor(text["last"])).abs().max().item())
            assert greedy(model, text["ids"], len(text["greedy"]))[0] == text["greedy"], f"{name}: {attention} continues otherwise"
        assert worst[attention] < 2e-5, f"{name}: {attention} differs by {worst[attention]:.1e}"
    if fixture.weights_of and fixture.same_numbers:
        other = json.loads((place(root, fixture.weights_of) / "expected.json").read_text())
        assert other["texts"] == expected["texts"], f"{name}: not the numbers of {fixture.weights_of}"
    if fixture.long_always:
        model = reload(folder, fixture.config, torch.float32)
        ids = max((text["ids"] for text in expected["texts"]), key=len)
        assert len(ids) > raw["original_max_position_embeddings"], f"{name}: no text beyond the original context"
        same = next((t for t in expected["texts"] if t["ids"] == ids))
        far = (next_tokens(logprobs(model, ids), ids) - torch.tensor(same["logprobs"])).abs().max().item()
        assert far == 0.0 or far < 2e-5, f"{name}: the reference itself differs by {far:.1e} beyond the original context"
        worst["as published"] = far
    print(f"{name:22} " + "  ".join(f"{kind} {far:.1e}" for kind, far in worst.items()))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--only", nargs="+", choices=list(FIXTURES), default=list(FIXTURES), metavar="NAME")
    arguments.add_argument("--check", action="store_true")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    disable_progress_bar()
    set_verbosity_error()
    AttentionInterface.register("written_out", written_out)
    for name in given.only:
        (check if given.check else make)(given.folder, name)


if __name__ == "__main__":
    main()
