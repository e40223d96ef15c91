#!/usr/bin/env python3
"""Measures the demo model on freshly drawn pages and in conversations with itself.

    python evaluate.py                 # figures
    python evaluate.py --show 20       # and conversations to read

What is unseen here: the seeds, and so every page (values, wording, grouping) as a whole.  The topics
and the templates of the sentences are those of training.  For three topics, training never saw about
a fifth of the values each fact can take; pages of these topics are drawn from just those values and
reported on their own line ("values never trained").
"""
import argparse
import json
import random
import re
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import evaluate_more
from generate import (PASSAGE_TOKENS, START, STATUS_LINE, TOPICS, Generator, Page, agent_system, customer_system, held_topics,
                      load_topics, noise, queries_system, queries_user, rephrase, tokens_estimate, value_pool, words)

DEMO = Path(__file__).resolve().parents[1]
END = 1
ROLE = {"system": 2, "user": 3, "assistant": 4}
WORDS = ["CONTINUE", "RESOLVED", "UNRESOLVED", "ABANDONED"]


class Model:
    """Plain batched inference with a cache."""

    def __init__(self, folder):
        self.cfg = json.loads((folder / "config.json").read_text())
        self.tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.p = {k: v.float() for k, v in load_file(str(folder / "model.safetensors")).items()}
        self.temperature = json.loads((folder / "generation_config.json").read_text())["temperature"]
        hd = self.cfg["head_dim"]
        inv = self.cfg["rope_theta"] ** (-torch.arange(0, hd, 2).float() / hd)
        ang = torch.arange(self.cfg["max_position_embeddings"] + 200).float()[:, None] * inv[None]
        self.cos, self.sin = torch.cat((ang.cos(),) * 2, -1), torch.cat((ang.sin(),) * 2, -1)

    def prompt(self, msgs, reply=True):
        ids = []
        for role, text in msgs:
            ids += [ROLE[role], *self.tok.encode(text, add_special_tokens=False).ids, END]
        return ids + [ROLE["assistant"]] if reply else ids

    def norm(self, x, name):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.cfg["rms_norm_eps"]) * self.p[name]

    def run(self, ids, pos, cache, mask):
        """ids, pos: [B, T]; cache: per layer (k, v) [B, kv, S, hd] or None; mask: [B, T, S + T]."""
        c, p = self.cfg, self.p
        nh, nkv, hd = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        x = F.embedding(ids, p["model.embed_tokens.weight"])
        bsz, t, _ = x.shape
        cos, sin = self.cos[pos][:, None], self.sin[pos][:, None]
        rot = lambda z: z * cos + torch.cat((-z[..., hd // 2:], z[..., :hd // 2]), -1) * sin
        out = []
        for i in range(c["num_hidden_layers"]):
            b = f"model.layers.{i}."
            h = self.norm(x, b + "input_layernorm.weight")
            lin = lambda n, z: F.linear(z, p[b + n + ".weight"])
            q = rot(lin("self_attn.q_proj", h).view(bsz, t, nh, hd).transpose(1, 2))
            k = rot(lin("self_attn.k_proj", h).view(bsz, t, nkv, hd).transpose(1, 2))
            v = lin("self_attn.v_proj", h).view(bsz, t, nkv, hd).transpose(1, 2)
            if cache is not None:
                k, v = torch.cat((cache[i][0], k), 2), torch.cat((cache[i][1], v), 2)
            out.append((k, v))
            r = nh // nkv
            a = F.scaled_dot_product_attention(q, k.repeat_interleave(r, 1), v.repeat_interleave(r, 1),
                                               attn_mask=mask[:, None])
            x = x + lin("self_attn.o_proj", a.transpose(1, 2).reshape(bsz, t, nh * hd))
            h = self.norm(x, b + "post_attention_layernorm.weight")
            x = x + lin("mlp.down_proj", F.silu(lin("mlp.gate_proj", h)) * lin("mlp.up_proj", h))
        return x, out

    def head(self, x):
        return F.linear(self.norm(x, "model.norm.weight"), self.p["model.embed_tokens.weight"])

    @torch.no_grad()
    def generate(self, prompts, limit=90, temperature=0.0, top_p=0.9, rng=None):
        """Replies to a list of token lists."""
        result = []
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        texts = [None] * len(prompts)
        for s in range(0, len(order), 48):
            part = order[s:s + 48]
            for i, ids in zip(part, self._batch([prompts[i] for i in part], limit, temperature, top_p, rng)):
                texts[i] = self.tok.decode(ids, skip_special_tokens=False)
        return texts or result

    def _batch(self, prompts, limit, temperature, top_p, rng):
        n, width = len(prompts), max(map(len, prompts))
        ids = torch.zeros(n, width, dtype=torch.long)
        lens = torch.tensor([len(q) for q in prompts])
        for i, q in enumerate(prompts):
            ids[i, width - len(q):] = torch.tensor(q)  # left padding
        col = torch.arange(width)[None]
        real = col >= (width - lens)[:, None]
        pos = (col - (width - lens)[:, None]).clamp(min=0)
        mask = real[:, None, :] & torch.ones(width, width, dtype=torch.bool).tril()[None]
        mask = mask | torch.eye(width, dtype=torch.bool)[None]
        x, cache = self.run(ids, pos, None, mask)
        logits = self.head(x[:, -1])
        done = torch.zeros(n, dtype=torch.bool)
        out = [[] for _ in prompts]
        for step in range(limit):
            if temperature > 0:
                pr = F.softmax(logits / temperature, -1)
                sp, si = pr.sort(-1, descending=True)
                sp[(sp.cumsum(-1) - sp) > top_p] = 0
                nxt = si.gather(1, torch.multinomial(sp, 1, generator=rng))[:, 0]
            else:
                nxt = logits.argmax(-1)
            for i in range(n):
                if not done[i]:
                    if nxt[i] == END:
                        done[i] = True
                    else:
                        out[i].append(int(nxt[i]))
            if done.all():
                break
            real = torch.cat((real, torch.ones(n, 1, dtype=torch.bool)), 1)
            x, cache = self.run(nxt[:, None], (lens + step)[:, None], cache, real[:, None])
            logits = self.head(x[:, -1])
        return out

    @torch.no_grad()
    def status(self, prompts):
        """Log probabilities of the four words after each prompt: [n, 4]."""
        rows, meta = [], []
        for q in prompts:
            for w in WORDS:
                t = self.tok.encode(w, add_special_tokens=False).ids + [END]
                rows.append(q + t)
                meta.append((len(q), len(t)))
        scores = []
        for s in range(0, len(rows), 64):
            part = rows[s:s + 64]
            width = max(map(len, part))
            ids = torch.zeros(len(part), width, dtype=torch.long)
            for i, q in enumerate(part):
                ids[i, :len(q)] = torch.tensor(q)
            pos = torch.arange(width)[None].expand(len(part), -1)
            mask = torch.ones(width, width, dtype=torch.bool).tril()[None].expand(len(part), -1, -1)
            x, _ = self.run(ids, pos, None, mask)
            for i, q in enumerate(part):
                a, t = meta[s + i]
                lp = F.log_softmax(self.head(x[i, a - 1:a + t - 1]), -1)
                scores.append(lp.gather(1, torch.tensor(q[a:a + t])[:, None]).sum().item())
        return torch.tensor(scores).view(-1, 4)


def has(reply, value):
    return re.search(r"(?<![\d.])" + re.escape(value) + r"(?!\d|\.\d)", reply, re.I) is not None


def refused(reply):
    return re.search(r"not (say|cover|mention|on (this|the) page|here|tell|have that)|cannot find|says nothing|no answer|"
                     r"rather not guess|pass (it|your|this)|forward", reply) is not None


def pct(hits):
    return f"{100 * sum(hits) / max(1, len(hits)):.1f} % of {len(hits)}"


def page_tests(model, topics, n_pages, per_page, seed):
    gen = Generator(topics, f"eval-{seed}", mode="eval", wide=False)
    rng = gen.rng
    held = held_topics(topics)
    order = [t for t in topics if t.slug in held] + [t for t in topics if t.slug not in held]
    cases = []
    for n in range(n_pages):
        topic = order[n % len(order)]
        c = gen.cast()
        page = Page(rng, topic, c["brand"], gen.held, "eval")
        for key in rng.sample(list(page.said), min(per_page, len(page.said))):
            state = rng.getstate()
            q = page.text(rng.choice(page.facts[key]["ask"]))

            def build(full, avoid=()):
                rng.setstate(state)
                rng.random()
                texts, got = gen.whole_page(page, avoid) if full else gen.passages(page, [] if avoid else [key], avoid)
                return texts, got

            # another value for one slot
            name = rng.choice(list(page.values[key]))
            pool = value_pool(page.facts[key], name, gen.held)
            old = page.values[key][name]
            other = [v for v in (pool[1] or pool[0]) if v != old] or [v for v in pool[0] if v != old]
            new = rng.choice(other)
            say = next(s for s in page.facts[key]["say"] if page.text(s, page.values[key]) == page.said[key])
            for kind in ("short", "whole", "noisy", "absent", "changed"):
                full = kind == "whole"
                if kind == "changed":
                    keep = dict(page.values[key]), page.said[key]
                    page.values[key][name] = new
                    page.said[key] = page.text(say, page.values[key])
                texts, got = build(full, [key] if kind == "absent" else [])
                values = list(page.values[key].values())
                if kind == "changed":
                    page.values[key], page.said[key] = keep
                if full and key not in got:
                    continue
                ask = noise(rng, rephrase(rng, q)) if kind == "noisy" else q
                msgs = [("system", agent_system(c["agent"], c["brand"], topic.title, texts)), ("user", ask)]
                cases.append({"kind": kind, "held": topic.slug in held, "values": values, "old": old, "new": new,
                              "ask": ask, "prompt": model.prompt(msgs), "name": name, "texts": texts})
    replies = model.generate([c["prompt"] for c in cases], limit=60)
    for c, r in zip(cases, replies):
        c["reply"] = r
        c["asks_back"] = r.rstrip().endswith("?") and not any(has(r, v) for v in c["values"])
        c["ok"] = all(has(r, v) for v in c["values"])
    lines = []
    names = {"short": "fact right, passages for the question", "whole": "fact right, whole page",
             "noisy": "fact right, reworded question with slips"}
    for kind, label in names.items():
        for h, tag in ((False, "values trained"), (True, "values never trained")):
            part = [c for c in cases if c["kind"] == kind and c["held"] == h and not c["asks_back"]]
            lines.append(f"{label} ({tag}): {pct([c['ok'] for c in part])} answers; "
                         f"said it is not on the page: {pct([refused(c['reply']) for c in part])}")
    part = [c for c in cases if c["kind"] == "short" and not c["asks_back"] and not refused(c["reply"])]
    lines.append(f"stated facts right, passages for the question (all): {pct([c['ok'] for c in part])}")
    part = [c for c in cases if c["kind"] in ("short", "whole", "noisy")]
    lines.append(f"asked back first (counted apart): {pct([c['asks_back'] for c in part])}")
    for h, tag in ((False, "values trained"), (True, "values never trained")):
        part = [c for c in cases if c["kind"] == "changed" and c["held"] == h and not c["asks_back"]]
        lines.append(f"one value on the page changed, answer follows ({tag}): "
                     f"{pct([c['ok'] and (not has(c['reply'], c['old']) or c['old'] in c['values']) for c in part])}")
    part = [c for c in cases if c["kind"] == "changed" and not c["asks_back"]]
    lines.append(f"one value on the page changed, answer follows (all): "
                 f"{pct([c['ok'] and (not has(c['reply'], c['old']) or c['old'] in c['values']) for c in part])}")
    part = [c for c in cases if c["kind"] == "absent" and not c["asks_back"]]
    lines.append(f"fact not on the page, agent says so: {pct([refused(c['reply']) for c in part])}")
    bad = [c for c in cases if c["kind"] == "short" and not c["ok"] and not c["asks_back"]][:6] + \
          [c for c in cases if c["kind"] == "whole" and not c["ok"] and not c["asks_back"]][:4] + \
          [c for c in cases if c["kind"] == "absent" and not refused(c["reply"])][:4]
    return lines, bad


def best_passages(topic_page, gen, key, limit=PASSAGE_TOKENS):
    """As the program does it: whole paragraphs of the printed page, the one with the fact first of all."""
    paras = gen.paragraphs(topic_page, plain=True)
    total, chosen = 0, set()
    order = sorted(range(len(paras)), key=lambda i: (key not in paras[i][1], gen.rng.random()))
    for i in order:
        n = tokens_estimate(paras[i][0])
        if total + n <= limit or not chosen:
            chosen.add(i)
            total += n
    return [paras[i][0] for i in sorted(chosen)]


def self_play(model, topics, n, seed, greedy_status):
    temperature = model.temperature
    gen = Generator(topics, f"talk-{seed}", mode="eval", wide=False)
    rng = gen.rng
    tr = torch.Generator().manual_seed(seed)
    talks = []
    for i in range(n):
        c = gen.cast()
        topic = topics[i % len(topics)]
        page = Page(rng, topic, c["brand"], gen.held, "eval")
        key = rng.choice(list(page.said))
        c["query"] = page.text(rng.choice(page.facts[key]["ask"]))
        texts = best_passages(page, gen, key)
        talks.append({"c": c, "title": topic.title, "texts": texts, "values": page.printed(key), "turns": [], "end": None})
    for step in range(12):
        live = [t for t in talks if t["end"] is None]
        if not live:
            break

        def customer(t, status=False):
            msgs = [("system", customer_system(t["c"])), ("user", START)]
            for k, (who, text) in enumerate(t["turns"]):
                if status and k == len(t["turns"]) - 1:
                    text = f"{text}\n{STATUS_LINE}"
                msgs.append(("assistant" if who == "c" else "user", text))
            return model.prompt(msgs)

        def agent(t):
            msgs = [("system", agent_system(t["c"]["agent"], t["c"]["brand"], t["title"], t["texts"]))]
            msgs += [("user" if who == "c" else "assistant", text) for who, text in t["turns"]]
            return model.prompt(msgs)

        for t, r in zip(live, model.generate([customer(t) for t in live], 70, temperature, 0.9, tr)):
            t["turns"].append(("c", r))
        for t, r in zip(live, model.generate([agent(t) for t in live], 70, temperature, 0.9, tr)):
            t["turns"].append(("a", r))
        score = model.status([customer(t, True) for t in live])
        for t, s in zip(live, score):
            k = int(s.argmax()) if greedy_status else int(torch.multinomial(s.softmax(0), 1, generator=tr))
            if WORDS[k] != "CONTINUE":
                t["end"] = WORDS[k]
            if sum(len(model.tok.encode(x).ids) for _, x in t["turns"]) > 600:
                t["end"] = t["end"] or "TOO LONG"
    return talks


def talk_report(talks):
    agent = [x for t in talks for w, x in t["turns"] if w == "a"]
    dup = sum(len(a) - len(set(a)) for a in ([x for w, x in t["turns"] if w == "a"] for t in talks))
    dup_c = sum(len(a) - len(set(a)) for a in ([x for w, x in t["turns"] if w == "c"] for t in talks))
    grounded = []
    for t in talks:
        source = "\n".join(t["texts"]) + "\n" + "\n".join(x for w, x in t["turns"] if w == "c")
        for w, x in t["turns"]:
            if w == "a":
                nums = re.findall(r"\d+(?:[.:]\d+)*", x)
                if nums:
                    grounded.append(all(has(source, v) for v in nums))
    count = lambda f: pct([f(x) for x in agent])
    ends = {}
    for t in talks:
        ends[t["end"]] = ends.get(t["end"], 0) + 1
    match = [t["end"] == t["c"]["outcome"] for t in talks]
    return [
        f"conversations that end by the customer's decision within 12 rounds: {pct([t['end'] in WORDS for t in talks])}; {ends}",
        f"planned outcome reached: {pct(match)}; agent turns in a conversation: {len(agent)/len(talks):.2f}",
        f"main fact's value said by the agent at some point: "
        f"{pct([any(all(has(x, v) for v in t['values']) for w, x in t['turns'] if w == 'a') for t in talks if not (t['end'] == 'ABANDONED')])} (left-early ones aside)",
        f"agent turns whose every number stands in the passages or was said by the customer: {pct(grounded)}",
        f"agent turns repeated word for word within a conversation: {dup} of {len(agent)}; customer turns: {dup_c}",
        f"agent thanks: {count(lambda x: 'thank' in x.lower())}; asks: {count(lambda x: '?' in x)}; over 35 words: {count(lambda x: words(x) > 35)}; "
        f"'not on the page': {count(refused)}",
        f"customer thanks before the end: {pct(['thank' in x.lower() for t in talks for w, x in t['turns'] if w == 'c'])}",
    ]


def query_lists(model, topics, n, seed):
    gen = Generator(topics, f"lists-{seed}", mode="eval", wide=False)
    cases = []
    for i in range(n):
        msgs = gen.task_d()
        cases.append(([(r, t) for r, t, _ in msgs[:2]], json.loads(msgs[2][1])["queries"]))
    known = {a for t in topics for f in t.facts for a in f["ask"]}
    replies = model.generate([model.prompt(m) for m, _ in cases], 160, model.temperature, 0.9, torch.Generator().manual_seed(seed))
    valid, exact, length, unique, fresh, shown = [], [], [], [], [], []
    for (m, want), r in zip(cases, replies):
        try:
            got = json.loads(r)["queries"]
            assert isinstance(got, list) and all(isinstance(q, str) for q in got)
        except Exception:
            valid.append(False)
            continue
        valid.append(True)
        exact.append(len(got) == len(want))
        length += [4 <= words(q) <= 25 for q in got]
        unique.append(len(set(got)) == len(got))
        fresh += [q not in known for q in got]
        shown.append((m[1][1], got))
    return [f"query lists: valid JSON {pct(valid)}; asked number of questions {pct(exact)}; no repeats {pct(unique)}; "
            f"4 to 25 words {pct(length)}; not word for word a trained question {pct(fresh)}"], shown


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", type=Path, default=DEMO)
    ap.add_argument("--topics", type=Path, default=TOPICS)
    ap.add_argument("--what", choices=("all", "support", "more"), default="all", help="support: what version 1 could; more: the rest")
    ap.add_argument("--scale", type=float, default=1, help="share of the cases of `more`")
    ap.add_argument("--pages", type=int, default=30)
    ap.add_argument("--per-page", type=int, default=6)
    ap.add_argument("--talks", type=int, default=72)
    ap.add_argument("--lists", type=int, default=60)
    ap.add_argument("--show", type=int, default=0, help="conversations to print")
    ap.add_argument("--bad", type=int, default=0, help="wrong answers to print")
    ap.add_argument("--seed", type=int, default=4242)
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    start = time.time()
    model = Model(a.model)
    topics = load_topics(a.topics)
    if a.what != "support":
        evaluate_more.run(model, topics, a.seed, a.show, a.scale)
    if a.what == "more":
        return
    lines, bad = page_tests(model, topics, a.pages, a.per_page, a.seed)
    print("\n".join(lines), flush=True)
    for c in bad[:a.bad]:
        print("---- wrong:", c["kind"], "held" if c["held"] else "", c["values"])
        print("\n".join(c["texts"]) if c["kind"] != "whole" else "(whole page)")
        print("Q:", c["ask"], "\nA:", c["reply"])
    out, shown = query_lists(model, topics, a.lists, a.seed)
    print("\n".join(out), flush=True)
    talks = self_play(model, topics, a.talks, a.seed, True)
    print(f"-- talking to itself (temperature {model.temperature}), likeliest status word taken")
    print("\n".join(talk_report(talks)), flush=True)
    other = self_play(model, topics, a.talks, a.seed + 1, False)
    print("-- the same, status word sampled")
    print("\n".join(talk_report(other)), flush=True)
    print(f"took {time.time() - start:.0f} s")
    for q, got in shown[:min(6, a.show)]:
        print("\n==== questions for\n" + q)
        print("\n".join("  - " + g for g in got))
    for t in (other + talks)[:a.show]:
        c = t["c"]
        print(f"\n==== {t['title']} | {c['outcome']} {c['tone']} {c['style']} | {c['item']} {c['order_id']} {c['order_date']} {c['price']} | "
              f"query: {c['query']} | values {t['values']} | ended {t['end']}")
        print("\n".join("   > " + x for x in t["texts"]))
        for who, text in t["turns"]:
            print(("customer: " if who == "c" else "agent:    ") + text)


if __name__ == "__main__":
    main()
