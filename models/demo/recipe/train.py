#!/usr/bin/env python3
"""Trains the demo model: a small Llama on freshly generated text, on the CPU.

    python train.py --minutes 110

Wall-clock budget, learning rate constant and then falling to zero over the last part, a checkpoint
every two minutes (start again with the same command to go on), weights written to models/demo/ now
and then and at the end.  The loss counts the assistant's replies only.
"""
import argparse
import json
import math
import os
import random
import signal
import time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from generate import TASKS, TOPICS, Generator, load_topics

DEMO = Path(__file__).resolve().parents[1]
# what a scored token of a task counts: many where the answer is one word, few where it is mostly form
WEIGHTS = {"E": 0.7, "N": 4.0, "P": 3.0}
END, PAD = 1, 0
ROLE = {"system": 2, "user": 3, "assistant": 4}

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 6144, "hidden_size": 256,
    "intermediate_size": 704, "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 64, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False,
    "tie_word_embeddings": True, "initializer_range": 0.02, "bos_token_id": None, "eos_token_id": END,
    "pad_token_id": PAD, "pretraining_tp": 1, "use_cache": True, "torch_dtype": "bfloat16",
}
GENERATION = {"do_sample": True, "temperature": 0.5, "top_p": 0.9, "eos_token_id": END, "pad_token_id": PAD}


# --------------------------------------------------------------------------- model


def init_params(cfg, seed):
    g = torch.Generator().manual_seed(seed)
    d, ff = cfg["hidden_size"], cfg["intermediate_size"]
    hd = cfg["head_dim"]
    q, kv = cfg["num_attention_heads"] * hd, cfg["num_key_value_heads"] * hd

    def normal(rows, cols, std):
        return torch.randn(rows, cols, generator=g) * std

    p = {"model.embed_tokens.weight": normal(cfg["vocab_size"], d, 0.04), "model.norm.weight": torch.ones(d)}
    for i in range(cfg["num_hidden_layers"]):
        b = f"model.layers.{i}."
        p[b + "self_attn.q_proj.weight"] = normal(q, d, d ** -0.5)
        p[b + "self_attn.k_proj.weight"] = normal(kv, d, d ** -0.5)
        p[b + "self_attn.v_proj.weight"] = normal(kv, d, d ** -0.5)
        p[b + "self_attn.o_proj.weight"] = torch.zeros(d, q)
        p[b + "mlp.gate_proj.weight"] = normal(ff, d, d ** -0.5)
        p[b + "mlp.up_proj.weight"] = normal(ff, d, d ** -0.5)
        p[b + "mlp.down_proj.weight"] = torch.zeros(d, ff)
        p[b + "input_layernorm.weight"] = torch.ones(d)
        p[b + "post_attention_layernorm.weight"] = torch.ones(d)
    return p


def warm_start(p, folder, tok):
    """Weights of a model with fewer entries: each new entry starts as the mean of the old ones it is made of."""
    old = Tokenizer.from_file(str(folder / "tokenizer.json"))
    weights = load_file(str(folder / "model.safetensors"))
    table = weights.pop("model.embed_tokens.weight").float()
    for k, v in weights.items():
        p[k].copy_(v.float())
    new = p["model.embed_tokens.weight"]
    new[:len(table)] = table
    for i in range(len(table), len(new)):
        parts = old.encode(tok.decode([i]), add_special_tokens=False).ids
        new[i] = table[parts].mean(0)


def norm(x, w, eps=1e-5):
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * w).to(torch.bfloat16)


def rotate(x, cos, sin):
    h = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., h:], x[..., :h]), -1) * sin


def before_attention(x, w_norm, w_qkv, cos, sin, nh: int, nkv: int, hd: int):
    qkv = F.linear(norm(x, w_norm), w_qkv)
    n = x.shape[0]
    q, k, v = qkv.split((nh * hd, nkv * hd, nkv * hd), -1)
    q = rotate(q.view(n, nh, hd), cos, sin)
    k = rotate(k.view(n, nkv, hd), cos, sin)
    r = nh // nkv
    k = k[:, :, None].expand(n, nkv, r, hd).reshape(n, nh, hd)
    v = v.reshape(n, nkv, 1, hd).expand(n, nkv, r, hd).reshape(n, nh, hd)
    return q, k, v


def after_attention(x, a, w_o, w_norm, w_gu, w_down):
    x = x + F.linear(a, w_o)
    g, u = F.linear(norm(x, w_norm), w_gu).chunk(2, -1)
    return x + F.linear(F.silu(g) * u, w_down)


class Attention(torch.autograd.Function):
    """Causal attention as plain matrix products: on a CPU in bf16 much faster than the fused kernel."""

    @staticmethod
    def forward(ctx, q, k, v, mask):
        mask = mask.repeat_interleave(q.shape[0] // mask.shape[0], 0)
        s = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
        w = torch.softmax(s, -1)
        ctx.save_for_backward(q, k, v, w)
        return torch.bmm(w, v)

    @staticmethod
    def backward(ctx, go):
        q, k, v, w = ctx.saved_tensors
        gv = torch.bmm(w.transpose(1, 2), go)
        gs = torch._softmax_backward_data(torch.bmm(go, v.transpose(1, 2)), w, -1, w.dtype)
        scale = q.shape[-1] ** -0.5
        return torch.bmm(gs, k) * scale, torch.bmm(gs.transpose(1, 2), q) * scale, gv, None


def forward(p, cfg, batch, compiled):
    """Losses at the positions that carry loss, and the best token there."""
    pre, post = compiled
    nh, nkv, hd = cfg["num_attention_heads"], cfg["num_key_value_heads"], cfg["head_dim"]
    bf = torch.bfloat16
    emb = p["model.embed_tokens.weight"]
    x = F.embedding(batch["ids"], emb)
    cos, sin = batch["cos"], batch["sin"]
    last = cfg["num_hidden_layers"] - 1
    for i in range(last + 1):
        b = f"model.layers.{i}."
        w = lambda name: p[b + name + ".weight"]
        qkv = torch.cat((w("self_attn.q_proj"), w("self_attn.k_proj"), w("self_attn.v_proj"))).to(bf)
        q, k, v = pre(x, w("input_layernorm"), qkv, cos, sin, nh, nkv, hd)
        outs, end = [], 0
        for start, rows, length, mask in batch["groups"]:
            end = start + rows * length
            s = lambda t: t[start:end].view(rows, length, nh, hd).transpose(1, 2).reshape(rows * nh, length, hd)
            o = Attention.apply(s(q), s(k), s(v), mask)
            outs.append(o.view(rows, nh, length, hd).transpose(1, 2).reshape(rows * length, nh * hd))
        if end < x.shape[0]:
            outs.append(torch.zeros(x.shape[0] - end, nh * hd, dtype=bf))
        a = torch.cat(outs)
        gu = torch.cat((w("mlp.gate_proj"), w("mlp.up_proj"))).to(bf)
        if i == last:  # only the positions that are scored are needed from here on
            x, a = x[batch["at"]], a[batch["at"]]
            x = after_attention(x, a, w("self_attn.o_proj").to(bf), w("post_attention_layernorm"), gu,
                                w("mlp.down_proj").to(bf))
        else:
            x = post(x, a, w("self_attn.o_proj").to(bf), w("post_attention_layernorm"), gu, w("mlp.down_proj").to(bf))
    logits = F.linear(norm(x, p["model.norm.weight"]), emb.to(bf)).float()
    return F.cross_entropy(logits, batch["targets"], reduction="none"), logits.detach()


# --------------------------------------------------------------------------- data


class Data:
    def __init__(self, tokenizer, topics, seed, size, cfg, max_len):
        self.tok, self.size, self.max_len = tokenizer, size, max_len
        self.gen = Generator(topics, seed)
        self.pool = []
        hd = cfg["head_dim"]
        inv = cfg["rope_theta"] ** (-torch.arange(0, hd, 2).float() / hd)
        ang = torch.arange(cfg["max_position_embeddings"]).float()[:, None] * inv[None]
        self.cos = torch.cat((ang.cos(), ang.cos()), -1).to(torch.bfloat16)
        self.sin = torch.cat((ang.sin(), ang.sin()), -1).to(torch.bfloat16)
        self.digits = torch.zeros(cfg["vocab_size"], dtype=torch.bool)
        for ch in "0123456789":
            self.digits[tokenizer.token_to_id(ch)] = True

    def encode(self, tree):
        """A task and, token by token, ids, whether they carry loss, position and branch (0: in common)."""
        task, head, text, branches = tree
        parts = [(0, role, t, loss) for role, t, loss in head]
        for b, msgs in enumerate(branches):
            parts += [(b + 1, role, t, loss) for role, t, loss in msgs]
        coded = self.tok.encode_batch_fast([t for _, _, t, _ in parts] + [text], add_special_tokens=False)
        ids, scored, pos, seg = [], [], [], []
        at = start = here = 0
        opened = not text
        for (b, role, _, loss), e in zip(parts, coded):
            if b and not opened:
                part = [ROLE[role]] + coded[-1].ids
                ids += part
                scored += [False] * len(part)
                pos += range(at, at + len(part))
                seg += [0] * len(part)
                at += len(part)
                opened = True
            if b != here:
                if here == 0:
                    start = at
                at, here, first = start, b, True
            else:
                first = False
            part = e.ids + [END] if text and b and first else [ROLE[role]] + e.ids + [END]
            flags = [loss] * len(part) if text and b and first else [False] + [loss] * (len(part) - 1)
            ids += part
            scored += flags
            pos += range(at, at + len(part))
            seg += [b] * len(part)
            at += len(part)
        return TASKS.index(task), ids, scored, pos, seg

    def draw(self):
        while True:
            s = self.encode(self.gen.tree())
            if len(s[1]) <= self.max_len and max(s[3]) < self.cos.shape[0] - 8:
                return s

    def batch(self):
        """About `size` tokens: samples sorted by length, in groups padded to a common length."""
        if len(self.pool) < 48:
            self.pool += [self.draw() for _ in range(48)]
        docs, total = [], 0
        while self.pool and total + len(self.pool[-1][1]) <= self.size * 0.97:
            docs.append(self.pool.pop())
            total += len(docs[-1][1])
        docs.sort(key=lambda d: len(d[1]))
        while True:
            groups, flat = [], 0
            i = 0
            while i < len(docs):
                j = i + 1
                while j < len(docs) and len(docs[j][1]) <= len(docs[i][1]) * 1.1 + 4:
                    j += 1
                length = len(docs[j - 1][1])
                groups.append((flat, i, j, length))
                flat += (j - i) * length
                i = j
            if flat <= self.size:
                break
            self.pool.insert(0, docs.pop(random.Random(flat).randrange(len(docs))))
        ids = torch.zeros(self.size, dtype=torch.long)
        pos = torch.zeros(self.size, dtype=torch.long)
        flags = torch.zeros(self.size + 1, dtype=torch.bool)
        tasks = torch.zeros(self.size, dtype=torch.long)
        out_groups, real = [], 0
        for start, i, j, length in groups:
            seg = torch.full((j - i, length), 99)
            for r, (task, doc, scored, where, branch) in enumerate(docs[i:j]):
                s, n = start + r * length, len(doc)
                real += n
                ids[s:s + n] = torch.tensor(doc)
                pos[s:s + n] = torch.tensor(where)
                flags[s:s + n] = torch.tensor(scored)
                tasks[s:s + n] = task
                seg[r, :n] = torch.tensor(branch)
            see = (seg[:, None, :] == 0) | (seg[:, None, :] == seg[:, :, None])
            see &= torch.ones(length, length, dtype=torch.bool).tril()
            mask = torch.zeros(see.shape, dtype=torch.bfloat16).masked_fill_(~see, float("-inf"))
            out_groups.append((start, j - i, length, mask))
        at = flags[1:].nonzero()[:, 0]
        return {"ids": ids, "cos": self.cos[pos][:, None], "sin": self.sin[pos][:, None], "groups": out_groups,
                "at": at, "targets": ids[at + 1], "tasks": tasks[at], "real": real}


# --------------------------------------------------------------------------- optimiser


def orthogonal(g, steps=5):
    x = g.to(torch.bfloat16)
    flip = x.shape[0] > x.shape[1]
    if flip:
        x = x.t()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.t() if flip else x


class Optimiser:
    """Matrices inside the layers: momentum with orthogonalised steps (Muon).  The rest: AdamW."""

    def __init__(self, p, matrix_lr, other_lr):
        self.p, self.matrix_lr, self.other_lr = p, matrix_lr, other_lr
        self.state, self.step_no = {}, 0
        for k, v in p.items():
            self.state[k] = [torch.zeros_like(v)] if self.is_matrix(k) else [torch.zeros_like(v), torch.zeros_like(v)]

    @staticmethod
    def is_matrix(name):
        return name.endswith("_proj.weight")

    @torch.no_grad()
    def step(self, scale, grads, shared, rank, world, wait):
        """`grads`: name to gradient, the same for all workers.  The matrices' steps are shared out."""
        self.step_no += 1
        norm_sq = sum(grads[k].square().sum() for k in self.p if not self.is_matrix(k))
        clip = min(1.0, 1.0 / (norm_sq.sqrt().item() + 1e-6))
        momentum = 0.85 + 0.10 * min(1.0, self.step_no / 200)
        mats = [k for k in self.p if self.is_matrix(k)]
        for i, k in enumerate(mats):
            self.state[k][0].lerp_(grads[k], 1 - momentum)
            if i % world == rank:
                shared[k].copy_(orthogonal(grads[k].lerp(self.state[k][0], momentum)))
        for k, v in self.p.items():
            if self.is_matrix(k):
                continue
            g, st = grads[k] * clip, self.state[k]
            st[0].lerp_(g, 0.1)
            st[1].lerp_(g.square(), 0.02)
            m = st[0] / (1 - 0.9 ** self.step_no)
            s = st[1] / (1 - 0.98 ** self.step_no)
            lr = self.other_lr * scale
            if v.dim() > 1:
                v.mul_(1 - lr * 0.02)
            v.sub_(lr * m / (s.sqrt() + 1e-8))
        wait()
        lr = self.matrix_lr * scale
        for k in mats:
            v = self.p[k]
            v.mul_(1 - lr * 0.05)
            v.add_(shared[k], alpha=-lr * max(1.0, v.shape[0] / v.shape[1]) ** 0.5)


# --------------------------------------------------------------------------- files


def write_atomic(path, write):
    tmp = path.with_name(path.name + ".tmp")
    write(tmp)
    os.chmod(tmp, 0o644)
    os.replace(tmp, path)


def export(p, cfg, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().to(torch.bfloat16).contiguous() for k, v in p.items()}
    write_atomic(folder / "model.safetensors", lambda t: save_file(tensors, str(t), metadata={"format": "pt"}))
    for name, data in (("config.json", cfg), ("generation_config.json", GENERATION)):
        write_atomic(folder / name, lambda t, data=data: t.write_text(json.dumps(data, indent=2) + "\n"))


def worker(rank, a, cfg, shared, barrier):
    """One process, one thread: workers meet only twice a step, so that a busy machine slows them little."""
    torch.set_num_threads(1)
    world = a.workers
    wait = barrier.wait if world > 1 else (lambda: None)
    tok = Tokenizer.from_file(str(a.out / "tokenizer.json"))
    topics = load_topics(a.topics)
    ckpt = a.work / "checkpoint.pt"
    p = init_params(cfg, a.seed)
    if a.warm:
        warm_start(p, a.warm, tok)
    ema = {k: v.clone() for k, v in p.items()}
    for v in p.values():
        v.requires_grad_(True)
    opt = Optimiser(p, a.matrix_lr, a.other_lr)
    spent = tokens = runs = 0
    if ckpt.exists():
        c = torch.load(ckpt)
        with torch.no_grad():
            for k in p:
                p[k].copy_(c["p"][k])
        ema, opt.state, opt.step_no = c["ema"], c["state"], c["step"]
        spent, tokens, runs = c["spent"], c["tokens"], c["runs"] + 1
    wait()
    data = Data(tok, topics, f"train-{a.seed}-{runs}-{rank}", a.tokens, cfg, a.max_len)
    if a.no_compile:
        compiled = before_attention, after_attention
    else:
        compiled = torch.compile(before_attention), torch.compile(after_attention)
    total = a.minutes * 60
    log = open(a.work / "train.log", "a", buffering=1) if rank == 0 else None
    ctrl, left, stats, sums = shared["ctrl"], shared["left"], shared["stats"], shared["grads"]

    def say(text):
        print(text, flush=True)
        log.write(text + "\n")

    def save():
        write_atomic(ckpt, lambda t: torch.save(
            {"p": {k: v.detach() for k, v in p.items()}, "ema": ema, "state": opt.state, "step": opt.step_no,
             "spent": spent, "tokens": tokens, "runs": runs}, t))

    weight = torch.tensor([WEIGHTS.get(t, 1.0) for t in TASKS])
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # a polite stop keeps everything
    if rank == 0:
        say(f"{time.strftime('%H:%M:%S')} start: {sum(v.numel() for v in p.values())/1e6:.2f} M parameters, "
            f"{len(topics)} topics, {spent/60:.1f} of {a.minutes} minutes spent, step {opt.step_no}")
    t0 = time.time() - spent
    last_log = last_save = last_export = time.time()
    log_tokens = log_steps = 0
    nt = len(TASKS)
    seen = torch.zeros(2 + 2 * nt)
    while True:
        if rank == 0:
            spent = time.time() - t0
            progress = min(1.0, spent / total)
            scale = min(1.0, (opt.step_no + 1) / 50) * min(1.0, (1 - progress) / a.decay)
            ctrl[0], ctrl[1], ctrl[2] = scale, float(bool(stop) or progress >= 1), spent
            left.value = a.parts
        wait()
        scale, end, spent = ctrl[0].item(), ctrl[1].item(), ctrl[2].item()
        progress = spent / total
        if end:
            break
        g = data.gen
        g.short = spent < a.short * 60
        g.long_share = 0.06
        for v in p.values():
            v.grad = None
        stats[rank].zero_()
        while True:
            with left.get_lock():
                left.value -= 1
                if left.value < 0:
                    break
            b = data.batch()
            losses, logits = forward(p, cfg, b, compiled)
            (losses * weight[b["tasks"]]).sum().backward()
            d = losses.detach()
            stats[rank, 0] += b["real"]
            stats[rank, 1] += len(d)
            stats[rank, 2:2 + nt].index_add_(0, b["tasks"], d)
            stats[rank, 2 + nt:2 + 2 * nt].index_add_(0, b["tasks"], torch.ones_like(d))
            digit = data.digits[b["targets"]] & (b["tasks"] == 0)
            stats[rank, -2] += (logits[digit].argmax(-1) == b["targets"][digit]).sum()
            stats[rank, -1] += digit.sum()
        for k, v in p.items():
            if v.grad is None:
                sums[rank][k].zero_()
            else:
                sums[rank][k].copy_(v.grad)
        wait()
        with torch.no_grad():
            n = stats[:, 1].sum().item()
            grads = {k: sum(sums[r][k] for r in range(world)) / n for k in p}
        if rank == 0:
            tokens += int(stats[:, 0].sum())
            log_tokens += int(stats[:, 0].sum())
            log_steps += 1
            seen += stats[:, 2:].sum(0)
        opt.step(scale, grads, shared["steps"], rank, world, wait)
        if rank:
            continue
        keep = min(0.995, opt.step_no / (opt.step_no + 10))
        with torch.no_grad():
            for k, v in p.items():
                ema[k].lerp_(v, 1 - keep)
        now = time.time()
        if now - last_log > 20:
            per = " ".join(f"{t} {x:.3f}" for t, x in zip(TASKS, (seen[:nt] / seen[nt:2 * nt].clamp(min=1)).tolist()) if x)
            say(f"{time.strftime('%H:%M:%S')} min {spent/60:.1f} step {opt.step_no} tokens {tokens/1e6:.2f}M loss {per} "
                f"digits {100*seen[-2]/max(1,seen[-1]):.1f}% lr {scale:.2f} {log_tokens/(now-last_log):.0f} tok/s "
                f"scored {100*seen[nt:2 * nt].sum()/log_tokens:.0f}%")
            seen.zero_()
            log_tokens, last_log = 0, now
        if now - last_save > 120:
            save()
            last_save = time.time()
        if not a.no_export and now - last_export > a.export_every * 60:
            export(p if scale < 0.1 else ema, cfg, a.out)
            say("exported")
            last_export = time.time()
    if rank == 0:
        save()
        if not a.no_export and progress >= 1:
            export(p, cfg, a.out)
        say(f"{time.strftime('%H:%M:%S')} {'finished' if progress >= 1 else 'stopped'} at step {opt.step_no}, "
            f"{tokens/1e6:.2f}M tokens")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--minutes", type=float, default=110, help="wall-clock budget, earlier starts counted in")
    ap.add_argument("--decay", type=float, default=0.3, help="last part of the budget in which the rate falls")
    ap.add_argument("--short", type=float, default=4, help="minutes of short prompts at the start")
    ap.add_argument("--matrix-lr", type=float, default=0.02)
    ap.add_argument("--other-lr", type=float, default=0.003)
    ap.add_argument("--tokens", type=int, default=3072, help="tokens in one part of a step")
    ap.add_argument("--parts", type=int, default=4, help="parts in a step, handed to whichever worker is free")
    ap.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    ap.add_argument("--max-len", type=int, default=2000)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--export-every", type=float, default=15, help="minutes")
    ap.add_argument("--topics", type=Path, default=TOPICS)
    ap.add_argument("--out", type=Path, default=DEMO)
    ap.add_argument("--work", type=Path, required=True, help="folder for the checkpoint and the log")
    ap.add_argument("--warm", type=Path, help="folder of a model to start from")
    ap.add_argument("--no-export", action="store_true")
    ap.add_argument("--no-compile", action="store_true")
    a = ap.parse_args()
    try:
        os.nice(19 - os.nice(0))
    except OSError:
        pass
    a.work.mkdir(parents=True, exist_ok=True)
    ctx = mp.get_context("spawn")
    zeros = lambda: {k: torch.zeros_like(v).share_memory_() for k, v in init_params(CONFIG, 0).items()}
    shared = {"ctrl": torch.zeros(3).share_memory_(), "stats": torch.zeros(a.workers, 4 + 2 * len(TASKS)).share_memory_(),
              "grads": [zeros() for _ in range(a.workers)], "steps": zeros(), "left": ctx.Value("i", 0)}
    barrier = ctx.Barrier(a.workers)
    helpers = [ctx.Process(target=worker, args=(r, a, CONFIG, shared, barrier), daemon=True)
               for r in range(1, a.workers)]
    for h in helpers:
        h.start()
    worker(0, a, CONFIG, shared, barrier)


if __name__ == "__main__":
    main()
