"""Measures what version 2 added: experiences, members of group chats, next speaker, rewriting, products, steering.

Prompts are drawn afresh by the generator with seeds of their own; where it says "unseen things", the thing that the talk is
about is one that training never used.
"""

import json
import re

import torch

from chats import EXPERIENCES_SYSTEM, Chats, member_system, opening_text, plan_text
from generate import ITEMS, MORE_ITEMS, MORE_STYLES, START, Generator, Page, agent_system, customer_system, steer_line
from matters import ANSWER_OPEN, HELD_THINGS, LEAVE, PAUSE, THINGS
from people import HOBBIES, WORKS
from rewrites import (
    FIXED,
    FORMAL_ASK,
    FORMAL_END,
    FORMAL_LEAD,
    LANGUAGES,
    LEAD,
    POLITE_ASK,
    POLITE_SAY,
    REWRITE_SYSTEM,
    RUDE_LEAD,
    RUDE_TAIL,
    STYLES,
    TAIL,
    TONES,
    product_fit,
)


def pct(hits):
    hits = list(hits)
    return f"{100 * sum(hits) / max(1, len(hits)):.1f} % of {len(hits)}"


def draw(model, prompts, limit, seed, temperature=None):
    return model.generate(
        prompts, limit, model.temperature if temperature is None else temperature, 0.9, torch.Generator().manual_seed(seed)
    )


def plain(text):
    return re.sub(r"[^a-z0-9£ ]", "", text.lower())


# --------------------------------------------------------------------------- experiences


def experiences(model, topics, n, seed):
    chats = Generator(topics, f"exp-{seed}").chats
    cases = []
    for i in range(n):
        mode = ("generated", "sampled", "reused")[i % 3]
        plan, want = chats.experience(mode)
        shot = f"Example: {chats.shot()}\n" if i % 2 else ""
        user = shot + "Write 1 experience as JSON.\n" + plan_text(plan)
        people = [p["name"] for p in want.get("participants", [])] or [json.loads(p)["name"] for p in plan["people"]]
        cases.append((mode, plan, people, shot, [("system", EXPERIENCES_SYSTEM), ("user", user)]))
    replies = draw(model, [model.prompt(c[4]) for c in cases], 420, seed)
    valid, form, number, names, wish, same, story, copied, new = [], [], [], [], [], [], [], [], set()
    shown = []
    for (mode, plan, given, shot, msgs), r in zip(cases, replies):
        try:
            e = json.loads(r)["experiences"][0]
        except (ValueError, KeyError, IndexError, TypeError):
            valid.append(False)
            continue
        valid.append(True)
        keys = ([] if mode == "reused" else ["participants"]) + ["relations", "situation", "topic", "starter"]
        form.append(list(e) == keys)
        if not form[-1]:
            continue
        who = [p["name"] for p in e["participants"]] if mode != "reused" else given
        if mode != "reused":
            number.append(len(who) == plan["participants"])
            names.append(len(set(who)) == len(who))
        text = f"{e['relations']} {e['situation']}"
        for k in ("relation", "setting", "mood"):
            if k in plan:
                wish.append(plan[k] in text)
        caps = set(re.findall(r"\b[A-Z][a-zà-ÿ]+\b", re.sub(r"(^|[.:?!] )[A-Z]\w+", " ", text)))
        strangers = {c for c in caps if any(c in o.split() for o in ALL_NAMES)} - set(who)
        same.append(not strangers)
        things = [t for t in THINGS if re.search(rf"\b{t}\b", e["topic"])]
        if things:
            story.append(any(re.search(rf"\b{t}\b", e["situation"]) for t in things))
        copied.append(bool(shot) and e["situation"] in shot)
        new.add(e["situation"])
        shown.append((msgs[1][1], r))
    return [
        f"experiences (no grammar): valid JSON {pct(valid)}; the right keys {pct(form)}; number of participants {pct(number)}; no name twice {pct(names)}",
        f"  each wish (relation, place, mood) in the text {pct(wish)}; only own people named {pct(same)}; topic's thing in the situation {pct(story)}; "
        f"different situations {len(new)} of {len(copied)}; situation copied from the example {sum(copied)}",
    ], shown


from people import NATIONS  # noqa: E402

ALL_NAMES = [n for w, m, _ in NATIONS.values() for n in (w + " " + m).split()]

# --------------------------------------------------------------------------- members

MARKS = {
    "loud": lambda t: "!" in t,
    "slang": lambda t: t == t.lower() or t[0].islower(),
    "asking": lambda t: t.endswith("?"),
    "polite": lambda t: re.match(r"If I may|Forgive me|With respect|Excuse me", t),
    "hesitant": lambda t: re.match(r"Well\.\.\.|I mean\.\.\.|Er,|I don't know\.\.\.", t),
    "rambling": lambda t: re.match(r"Well, you know|As I was saying|Now, where was I|Anyway", t),
    "ironic": lambda t: re.match(r"Oh, wonderful|How lovely|Brilliant|What a surprise", t),
    "exact": lambda t: re.match(r"Point one|First|Two things|Nine times", t),
    "story": lambda t: re.match(r"It was the same|My grandmother|Let me tell|I remember it", t),
    "formal": lambda t: "'" not in t,
    "clipped": lambda t: len(t.split()) <= 12,
    "plain": lambda t: not any(m(t) for k, m in MARKS.items() if k not in ("plain", "clipped", "formal", "asking", "loud")),
}


def members(model, topics, n, seed, things, label):
    chats = Chats(Generator(topics, f"mem-{seed}").rng, things)
    rng = chats.rng
    cases = []
    while len(cases) < n:
        people, e, matter, v = chats.company()
        turns, gone = chats.chat(people, matter, v, rng.choice((1, 2, 3, 4, 6)))
        free = [p for p in people if p.name not in gone and p.name != turns[-1][0]]
        if not free:
            continue
        me = rng.choice(free)
        asked = None
        if rng.random() < 0.5:  # asked by name
            q, answers = rng.choice(matter["qa"])
            asker = next(p.name for p in people if p is not me)
            turns = turns[:-1] + [(asker, f"{me.name}, {q[0].lower()}{q[1:].format(**v)}")]
            asked = [plain(a.format(**v)) for a in answers]
        msgs = chats.view(turns + [(me.name, "")], me.name)[:-1]
        msgs[0] = ("user", opening_text(e) + msgs[0][1], False)
        system = member_system(me, [p.name for p in people if p is not me], e)
        cases.append(
            {
                "me": me,
                "v": v,
                "asked": asked,
                "turns": turns,
                "people": people,
                "msgs": [("system", system)] + [(r, t) for r, t, _ in msgs],
            }
        )
    replies = draw(model, [model.prompt(c["msgs"]) for c in cases], 60, seed)
    sense = {k: [] for k in ("itself", "repeat", "long", "topic", "answer", "style", "own")}
    acts = {"leaves": 0, "pauses": 0, "breaks in": 0}
    shown = []
    for c, r in zip(cases, replies):
        me, low = c["me"], plain(r)
        others = {p.name for p in c["people"]} - {me.name}
        sense["itself"].append(
            not re.search(rf"\b{me.name}\b", r)
            and not re.match(
                r"\w+: ",
                r.replace("Point one: ", "")
                .replace("Permit me: ", "")
                .replace("say: ", "")
                .replace("you: ", "")
                .replace("well: ", "")
                .replace("home: ", ""),
            )
        )
        sense["repeat"].append(all(plain(t) != low for _, t in c["turns"]))
        sense["long"].append(0 < len(r.split()) <= 30)
        acts["leaves"] += any(x in r for x in LEAVE)
        acts["pauses"] += r.startswith(tuple(p.split("{")[0] for p in PAUSE))
        acts["breaks in"] += r.startswith(("I have something to say", "I have a question"))
        named = [t for t in list(THINGS) + HELD_THINGS if re.search(rf"\b{t}\b", low)]
        if named:
            sense["topic"].append(c["v"]["t"] in named or any(re.search(rf"\b{t}\b", plain(me.member_lines())) for t in named))
        if c["asked"]:
            sense["answer"].append(any(a in low or plain(x) in low for a in c["asked"] for x in [a] + ANSWER_OPEN))
        elif not me.persona:
            sense["style"].append(bool(MARKS[me.talk](r)))
        for h in HOBBIES:
            if re.search(rf"\b{h}\b", low) and h not in plain(me.member_lines() + c["msgs"][0][1]) and "{" not in h:
                sense["own"].append(False)
        for w, where in WORKS:
            if re.search(rf"\bas a {w}\b|\ba {w} (can|sees)\b|trust a {w}\b", low):
                sense["own"].append(w in plain(me.member_lines()))
        for h in me.hobbies:
            if plain(h) in low:
                sense["own"].append(True)
        shown.append((c, r))
        c["others"] = others
    return [
        f"members ({label}): neither names itself nor puts a name in front {pct(sense['itself'])}; no message said before {pct(sense['repeat'])}; 1 to 30 words {pct(sense['long'])}",
        f"  where a thing is named it is the one in question {pct(sense['topic'])}; asked by name, it answers that question {pct(sense['answer'])}; "
        f"sounds as its way of talking says {pct(sense['style'])}; work or hobby named is its own {pct(sense['own'])}; {acts}",
    ], shown


# --------------------------------------------------------------------------- next speaker


@torch.no_grad()
def likeliest(model, prompt, names):
    """The name with the highest mean log probability a token, the end included."""
    best = []
    for name in names:
        t = model.tok.encode(name, add_special_tokens=False).ids + [1]
        ids = torch.tensor([prompt + t])
        n = ids.shape[1]
        x, _ = model.run(ids, torch.arange(n)[None], None, torch.ones(n, n, dtype=torch.bool).tril()[None])
        lp = torch.log_softmax(model.head(x[0, len(prompt) - 1 : n - 1]), -1)
        best.append(lp.gather(1, torch.tensor(t)[:, None]).mean().item())
    return names[max(range(len(names)), key=best.__getitem__)]


def next_speaker(model, topics, n, seed):
    chats = Generator(topics, f"next-{seed}").chats
    addressed, rule, stable = [], [], []
    for _ in range(n):
        _, head, branches = chats.tree_n(1)
        text, want = branches[0][0][1], branches[0][1][1]
        line, _, tail = text.rpartition("Next speaker: ")
        names = tail[:-1].split(", ")
        got = likeliest(model, model.prompt([("user", head + text)]), names)
        last = (head + line).strip().split("\n")[-1]
        rule.append(got == want)
        who, _, said = last.partition(": ")
        if any(re.search(rf"\b{x}\b", said) for x in names if x != who) and "?" in said:
            addressed.append(got == want)
        other = names[1:] + names[:1]
        again = likeliest(model, model.prompt([("user", f"{head}{line}Next speaker: {', '.join(other)}?")]), other)
        stable.append(again == got)
    return [
        f"next speaker: the one asked by name {pct(addressed)}; as the rule of training says (all) {pct(rule)}; same choice with the list permuted {pct(stable)}"
    ]


# --------------------------------------------------------------------------- rewriting


def marked(text, source, kind, value):
    starts = lambda pool: any(x.split("{")[0] in text for x in pool if x.split("{")[0])
    if kind == "tone":
        return text == source if value == "neutral" else starts(LEAD[value]) or starts(TAIL[value]) or ":)" in text
    if value == "colloquial":
        return text[:1].islower() or text == text.lower()
    if value == "formal":
        return starts(FORMAL_LEAD) or starts(FORMAL_ASK) or starts(FORMAL_END)
    if value == "polite":
        return starts(POLITE_ASK) or starts(POLITE_SAY)
    if value == "rude":
        return starts(RUDE_LEAD) or starts(RUDE_TAIL)
    return text != source


def rewriting(model, topics, n, seed):
    gen = Generator(topics, f"rew-{seed}")
    rng, rw = gen.rng, gen.rewrites
    kinds = [("product", None)] + [("tone", t) for t in TONES] + [("style", s) for s in STYLES]
    cases = []
    for i in range(n):
        c = gen.cast()
        kind, value = kinds[i % len(kinds)]
        c["item"] = "parcel" if kind == "product" else c["item"]
        text = rw.source(c)
        if kind == "product":
            value = rng.choice([x for x in ITEMS if x not in text])
            ask = f"Rewrite it for this product: {value}."
        elif kind == "tone":
            ask = f"Rewrite it in this tone: {value}."
        else:
            ask = (
                f"Rewrite it as a speaker of {rng.choice(list(LANGUAGES))} would."
                if value == "non_native"
                else f"Rewrite it in this style: {value}."
            )
        names = [w for w in (c["name"], c["brand"]) if re.search(rf"\b{w}\b", text)]
        cases.append((kind, value, text, FIXED.findall(text), names, ask))
    replies = draw(
        model,
        [model.prompt([("system", REWRITE_SYSTEM), ("user", f"Message: {t}\n{a}")]) for _, _, t, _, _, a in cases],
        90,
        seed,
    )
    facts, done, more, words, shown = [], {}, [], [], []
    for (kind, value, text, fixed, names, ask), r in zip(cases, replies):
        if fixed or names:
            facts.append(all(x in r for x in fixed) and all(x.lower() in r.lower() for x in names))
        more.append(not set(FIXED.findall(r)) - set(FIXED.findall(text)))
        key = kind if kind == "product" else value
        done.setdefault(key, []).append(value in r if kind == "product" else bool(marked(r, text, kind, value)))
        if kind == "tone" or value in ("polite", "rude"):
            want = plain(text).split()
            words.append(sum(w in plain(r).split() for w in want) >= 0.9 * len(want))
        shown.append((text, ask, r))
    return [
        f"rewriting: numbers, ids and names kept {pct(facts)}; no new number {pct(more)}; words of the message kept (tone, polite, rude) {pct(words)}",
        "  asked change is there: " + "; ".join(f"{k} {pct(v)}" for k, v in done.items()),
    ], shown


def products(model, topics, n, seed):
    gen = Generator(topics, f"prod-{seed}")
    cases = [product_fit(gen.rng, gen.rewrites, ITEMS, MORE_ITEMS, gen.cast()) for _ in range(n)]
    replies = model.generate(
        [
            model.prompt([("user", f"Question: {q}\nProducts: {', '.join(o)}\nWhich products fit? Answer as JSON.")])
            for q, o, _ in cases
        ],
        60,
    )
    valid, exact, some, each = [], [], [], []
    for (_, offered, fits), r in zip(cases, replies):
        try:
            got = json.loads(r)
            assert isinstance(got, list) and all(g in offered for g in got)
        except (ValueError, AssertionError):
            valid.append(False)
            exact.append(False)
            continue
        valid.append(True)
        exact.append(set(got) == set(fits))
        some.append(bool(got) == bool(fits))
        each += [(p in got) == (p in fits) for p in offered]
    return [
        f"products: list of offered names {pct(valid)}; exactly the right ones {pct(exact)}; some or none {pct(some)}; product by product {pct(each)}"
    ]


# --------------------------------------------------------------------------- steering, styles


def steering(model, topics, n, seed):
    gen = Generator(topics, f"steer-{seed}", wide=False)
    rng = gen.rng
    cases = []
    for _ in range(n):
        c = gen.cast()
        page = Page(rng, rng.choice(topics), c["brand"], gen.held)
        key = rng.choice(list(page.said))
        texts, _ = gen.passages(page, [key])
        want = [rng.random() < 0.5 for _ in range(3)]
        q = page.text(rng.choice(page.facts[key]["ask"]))
        msgs = [
            ("system", agent_system(c["agent"], c["brand"], page.topic.title, texts)),
            ("user", f"{q}\n{steer_line(*want)}"),
        ]
        cases.append((want, page.printed(key), msgs))
    replies = draw(model, [model.prompt(m) for _, _, m in cases], 70, seed)
    hit = [[], [], []]
    right, shown = [], []
    for (want, values, msgs), r in zip(cases, replies):
        is_ = [
            bool(re.match(r"(hello|hi|good (day|morning)|welcome)\b", r, re.I)),
            "thank" in r.lower(),
            r.rstrip().endswith("?"),
        ]
        for k in range(3):
            hit[k].append(is_[k] == want[k])
        right.append(all(re.search(r"(?<![\d.])" + re.escape(v) + r"(?!\d|\.\d)", r, re.I) for v in values))
        shown.append((msgs[1][1], r))
    return [
        f"steering obeyed: greet {pct(hit[0])}; thank {pct(hit[1])}; ask {pct(hit[2])}; all three {pct(all(x) for x in zip(*hit))}; fact right {pct(right)}"
    ], shown


def styles(model, topics, n, seed):
    gen = Generator(topics, f"style-{seed}")
    cases = []
    for i in range(n):
        c = gen.cast()
        c["style"] = list(MORE_STYLES)[i % 4]
        c["tone"] = ("neutral", "angry")[i // 4 % 2]
        page = Page(gen.rng, gen.rng.choice(topics), c["brand"], gen.held)
        c["query"] = page.text(gen.rng.choice(page.facts[gen.rng.choice(list(page.said))]["ask"]))
        cases.append((c, [("system", customer_system(c)), ("user", START)]))
    replies = draw(model, [model.prompt(m) for _, m in cases], 70, seed)
    out, shown = {}, []
    for (c, _), r in zip(cases, replies):
        want = [w for w in plain(c["query"]).split() if len(w) > 3]
        out.setdefault("asks its question", []).append(sum(w in plain(r) for w in want) >= 0.6 * len(want))
        ok = {
            "colloquial": lambda: r[:1].islower() or r == r.lower(),
            "rude": lambda: any(x in r for x in RUDE_LEAD),
            "non_native": lambda: True,
            "polite": lambda: bool(
                re.search(r"please|thank|if i may|kind|dear|good |may i|could you|i should|hope", r.lower())
            ),
        }[c["style"]]
        if c["style"] != "non_native":
            out.setdefault(c["style"], []).append(ok())
        shown.append((f"{c['style']}, {c['tone']}: {c['query']}", r))
    return ["customer's further styles: " + "; ".join(f"{k} {pct(v)}" for k, v in out.items())], shown


def run(model, topics, seed, show, scale=1.0):
    n = lambda k: max(4, int(k * scale))
    for name, f in (
        ("experiences", lambda: experiences(model, topics, n(60), seed)),
        ("members", lambda: members(model, topics, n(100), seed, THINGS, "things of training")),
        ("unseen", lambda: members(model, topics, n(100), seed + 1, HELD_THINGS, "unseen things")),
        ("next", lambda: (next_speaker(model, topics, n(100), seed), [])),
        ("rewriting", lambda: rewriting(model, topics, n(200), seed)),
        ("products", lambda: (products(model, topics, n(100), seed), [])),
        ("steering", lambda: steering(model, topics, n(80), seed)),
        ("styles", lambda: styles(model, topics, n(80), seed)),
    ):
        lines, shown = f()
        print("\n".join(lines), flush=True)
        for s in shown[:show]:
            if name in ("members", "unseen"):
                c, r = s
                print(
                    f"    [{c['me'].talk}] {c['me'].describe()[:110]} | {c['v']['t']} | last: {c['turns'][-1][1]}\n      -> {r}"
                )
            else:
                print("    " + " | ".join(str(x).replace("\n", " / ")[-420:] for x in s))
