"""Group chats for the demo model: experiences as JSON, the members' views of a chat, and who speaks next."""

import json
import re
import tomllib

from matters import (
    AGREE,
    ANSWER_OPEN,
    ANYTHING,
    ASIDES,
    ASK_ALL,
    ASK_YOU,
    DAYS,
    INTERRUPT,
    LEAVE,
    LEAVE_WHY,
    MATTERS,
    MOODS,
    OBJECT,
    PAUSE,
    PLACES,
    PROMISE,
    RELATIONS,
    SEED_THINGS,
    THINGS,
    TIES,
)
from people import HOBBY_LINES, PROMPTS, TRAITS, WORK_LINES, People, a_fix, shipped, upper

EXPERIENCES_SYSTEM = "You write experiences for group chats: participants, relations, situation, topic, starter."
LIMITS = {"relations": 200, "situation": 240, "topic": 60, "starter": 120}


def member_system(person, others, e):
    return (
        f"You are {person.name}, in a group chat with {', '.join(others)}.\n{person.member_lines()}"
        f"{e['relations']} {e['situation']}\nTopic: {e['topic']}\nOne short message."
    )


def opening_text(e):
    return f"Topic: {e['topic']}\n{e['situation']} {e['relations']}\n{e['starter']}"


def plan_text(plan):
    text = f"{plan['participants']} participants"
    text += "".join(f"; {plan[k]}" for k in ("relation", "setting", "mood") if plan.get(k)) + "."
    return text + "".join(f"\n- {p}" for p in plan["people"])


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def listed(names):
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def low(text):
    word = text.split(" ")[0]
    keep = (
        text.startswith(("I ", "I'", "I,"))
        or (word[-1:] == "," and word not in ("No,", "Yes,", "Never,", "Twice,", "Enough,"))
        or word.strip(".,?!'s") in DAYS
    )
    return text if keep else text[:1].lower() + text[1:]


CONTRACT = [
    ("I am ", "I'm "),
    (" is not ", " isn't "),
    ("do not ", "don't "),
    ("cannot ", "can't "),
    ("It is ", "It's "),
    ("will not ", "won't "),
    ("did not ", "didn't "),
]
EXPAND = [
    ("I'm ", "I am "),
    ("isn't", "is not"),
    ("don't", "do not"),
    ("can't", "cannot"),
    ("It's ", "It is "),
    ("it's ", "it is "),
    ("won't", "will not"),
    ("didn't", "did not"),
    ("I'd ", "I would "),
    ("I'll ", "I shall "),
    ("I've ", "I have "),
    ("You've ", "You have "),
    ("doesn't", "does not"),
    ("We'd ", "We would "),
    ("we'd ", "we would "),
    ("wasn't", "was not"),
    ("That's ", "That is "),
    ("There's ", "There is "),
    ("Let's ", "Let us "),
    ("You're ", "You are "),
    ("aren't", "are not"),
    ("We'll ", "We shall "),
    ("hasn't", "has not"),
    ("We've ", "We have "),
    ("I'd", "I would"),
]


class Chats:
    def __init__(self, rng, things=THINGS):
        self.rng, self.things = rng, things
        self.people = People(rng)
        self.seeds = shipped("experiences/seeds.jsonl")
        axes = tomllib.loads((PROMPTS / "experiences/axes.toml").read_text(encoding="utf-8"))
        self.settings, self.moods, self.relations = axes["setting"] + PLACES, axes["mood"] + MOODS, axes["relation"] + RELATIONS

    # -- experiences

    def group(self, n, mode):
        taken = set()
        draw = {"generated": self.people.invented, "given": self.people.given, "sampled": self.people.sampled}[mode]
        return [draw(taken) for _ in range(n)]

    def values(self, names):
        rng = self.rng
        a, b = rng.sample(names, 2)
        return {
            "t": rng.choice(self.things),
            "a": a,
            "b": b,
            "m": f"£{rng.choice((rng.randrange(12, 100), rng.randrange(100, 990, 5), rng.randrange(1000, 9000, 50)))}",
            "w": rng.choice(DAYS),
            "n": str(rng.randrange(3, 41)),
        }

    def story(self, people, plan):
        """relations, situation, topic and starter for some people; what it is about goes along under `_`."""
        rng = self.rng
        names = [p.name for p in people]
        while True:
            matter, v = rng.choice(MATTERS), self.values(names)
            fill = lambda s: a_fix(s.format(**v))
            relation = plan.get("relation") or rng.choice(self.relations)
            rel = rng.choice(("{ns} are {r}.", "{ns} are {r}.", "They are {r}.")).format(ns=listed(names), r=relation)
            rel += " " + fill(rng.choice(TIES)) if rng.random() < 0.85 else ""
            parts = []
            setting, mood = plan.get("setting"), plan.get("mood")
            if setting or rng.random() < 0.4:
                parts.append(
                    rng.choice(("The place is {}.", "The scene is {}.", "They meet here: {}.", "The place: {}.")).format(
                        setting or rng.choice(self.settings)
                    )
                )
            parts.append(fill(rng.choice(matter["situation"])))
            if mood or rng.random() < 0.15:
                parts.append(
                    rng.choice(("The mood is {}.", "The mood: {}.", "The talk is {}.")).format(mood or rng.choice(self.moods))
                )
            e = {
                "relations": rel,
                "situation": upper(" ".join(parts)),
                "topic": fill(rng.choice(matter["topic"])),
                "starter": upper(fill(rng.choice(matter["starter"]))),
            }
            if all(len(e[k]) <= n for k, n in LIMITS.items()):
                return e, (matter, v)

    def plan(self, n, mode, people):
        rng = self.rng
        plan = {"participants": n, "people": []}
        for key, pool in (("relation", self.relations), ("setting", self.settings), ("mood", self.moods)):
            if rng.random() < 0.5:
                plan[key] = rng.choice(pool)
        if mode == "sampled":
            plan["people"] = [p.persona for p in people]
        elif mode == "reused":
            plan["people"] = [dumps(p.fields) for p in people]
        return plan

    def experience(self, mode):
        rng = self.rng
        n = rng.choices((2, 3, 4, 5, 6), (0.32, 0.36, 0.2, 0.08, 0.04))[0]
        if mode == "generated":
            people = self.group(n, "generated")
        elif mode == "sampled":
            people = self.group(n, "sampled")
        else:
            people = self.group(n, "given" if rng.random() < 0.3 else "generated" if rng.random() < 0.6 else "sampled")
        plan = self.plan(n, mode, people)
        e, _ = self.story(people, plan)
        out = {}
        if mode == "generated":
            out["participants"] = [p.fields for p in people]
        elif mode == "sampled":
            out["participants"] = [{"name": p.name} for p in people]
        return plan, {**out, **e}

    def shot(self):
        rng = self.rng
        if rng.random() < 0.5:
            short = [s for s in self.seeds if len(dumps(s)) < 2400]
            return dumps(rng.choice(short))
        people = self.group(rng.choice((2, 2, 3)), rng.choice(("generated", "generated", "sampled")))
        e, _ = self.story(people, {})
        return dumps({"participants": [p.fields for p in people], **e})

    def tree_e(self, n=1):
        rng = self.rng
        shots = [self.shot() for _ in range(rng.choices((0, 1, 2), (0.35, 0.58, 0.07))[0])]
        branches = []
        for _ in range(n):
            mode = rng.choices(("generated", "sampled", "reused"), (0.5, 0.3, 0.2))[0]
            k = rng.choices((1, 2, 3, 4), (0.7, 0.2, 0.07, 0.03) if mode == "generated" else (0.6, 0.18, 0.12, 0.1))[0]
            made = [self.experience(mode) for _ in range(k)]
            ask = f"Write {k} {'experience' if k == 1 else 'experiences'} as JSON." + "".join(
                "\n" + plan_text(p) for p, _ in made
            )
            branches.append([("user", ask, False), ("assistant", dumps({"experiences": [e for _, e in made]}), True)])
        head = "".join(f"Example: {s}\n" for s in shots)
        if not head:
            return [("system", EXPERIENCES_SYSTEM, False)], "", branches
        return [("system", EXPERIENCES_SYSTEM, False)], head, branches

    # -- what is said

    def styled(self, text, talk):
        rng = self.rng
        sentences = text.replace("? ", "?|").replace(". ", ".|").replace("! ", "!|").split("|")
        if talk == "clipped" and len(sentences) > 1 and rng.random() < 0.8:
            text = sentences[0] if sentences[-1][-1] != "?" else sentences[-1]
        elif talk == "rambling" and rng.random() < 0.8:
            text = rng.choice(("Well, you know, {}", "As I was saying, {}", "Now, where was I, {}", "Anyway, {}")).format(
                low(text)
            )
            if text[-1] == "." and rng.random() < 0.5:
                text = text[:-1] + rng.choice(
                    (", and so on, you know.", ", but that's another story.", ", if you see what I mean.")
                )
        elif talk == "polite" and rng.random() < 0.8:
            text = rng.choice(("If I may, {}", "Forgive me, but {}", "With respect, {}", "Excuse me, {}")).format(low(text))
        elif talk == "loud":
            text = text[:-1] + "!" if text[-1] == "." else text
            if rng.random() < 0.5:
                text = rng.choice(("Listen! {}", "Hey! {}", "Now hear me! {}")).format(text)
        elif talk == "ironic" and rng.random() < 0.7:
            text = rng.choice(("Oh, wonderful. {}", "How lovely. {}", "Brilliant. {}", "What a surprise. {}")).format(text)
        elif talk == "asking" and text[-1] == "." and rng.random() < 0.8:
            text = text[:-1] + rng.choice((", don't you think?", ", no?", ", right?", ", or am I wrong?"))
        elif talk == "exact" and rng.random() < 0.7:
            text = rng.choice(("Point one: {}", "First, {}", "Two things. {}", "Nine times out of ten, {}")).format(text)
            if ": " in text[:12] or ", " in text[:26]:
                head, _, rest = text.partition(": " if ": " in text[:12] else ", ")
                text = head + (": " if ": " in text[:12] else ", ") + low(rest)
        elif talk == "slang":
            for x, y in CONTRACT + [
                ("going to", "gonna"),
                ("want to", "wanna"),
                ("Yes", "yeah"),
                ("a bit", "a tad"),
                ("because", "cos"),
            ]:
                text = text.replace(x, y)
            text = text.lower()
            if rng.random() < 0.5:
                text = rng.choice(("nah, {}", "look, {}", "mate, {}", "honestly, {}")).format(text)
            text = text.rstrip(".")
        elif talk == "formal":
            for x, y in EXPAND:
                text = text.replace(x, y)
            if rng.random() < 0.4:
                text = rng.choice(("I must say, {}", "In my opinion, {}", "Permit me: {}")).format(low(text))
        elif talk == "hesitant" and rng.random() < 0.85:
            text = rng.choice(("Well... {}", "I mean... {}", "Er, {}", "I don't know... {}")).format(low(text))
            if text[-1] == "." and rng.random() < 0.4:
                text = text[:-1] + "..."
        elif talk == "story" and rng.random() < 0.7:
            text = rng.choice(
                (
                    "It was the same back home: {}",
                    "My grandmother used to say: {}",
                    "Let me tell you: {}",
                    "I remember it well: {}",
                )
            ).format(low(text))
        return text

    def own_line(self, p, v, used):
        """Something of one's own: from traits, work, hobby or memory."""
        rng = self.rng
        pool = []
        for trait in p.traits:
            pool += [("trait", s) for s in TRAITS[trait][1]]
        if p.work:
            w = p.work.split(" ", 1)[1] if p.work.startswith("retired ") and rng.random() < 0.5 else p.work
            for s in WORK_LINES:
                if "{where}" in s or "{Where}" in s:
                    if p.where:
                        pool.append(("work", s.replace("{where}", p.where).replace("{Where}", upper(p.where))))
                elif p.where:
                    pool.append(("work", s.replace("{work}", w)))
        kinds = sorted({k for k, _ in pool})
        if p.hobbies:
            kinds.append("hobby")
        if p.memory_line:
            kinds += ["memory"]
        if not kinds:
            return None
        for _ in range(8):
            kind = rng.choice(kinds)
            if kind == "hobby":
                h = rng.choice(list(p.hobbies))
                s = rng.choice(HOBBY_LINES).replace("{hobby}", h).replace("{Hobby}", upper(h))
            elif kind == "memory":
                s = p.memory_line
            else:
                s = rng.choice([x for k, x in pool if k == kind])
            if s not in used:
                used.add(s)
                return a_fix(s.replace("{t}", v["t"]))
        return None

    def fresh(self, pool, used, v):
        rng = self.rng
        left = [x for x in pool if x not in used]
        if not left:
            return None
        s = rng.choice(left)
        used.add(s)
        return upper(a_fix(s.format(**v, where="at home")))

    def turn(self, p, names, last, matter, v, used, late):
        """One message of p: (text, act, whom it asks, open question).  last: (speaker, act, asked, question)."""
        rng = self.rng
        r = rng.random()
        others = [n for n in names if n != p.name]
        if late and r < 0.05:
            why = self.fresh(LEAVE_WHY, used, v)
            text = (why.replace("at home", p.where or "at home") + " " if why and rng.random() < 0.7 else "") + rng.choice(
                LEAVE
            )
            return text, "leave", None, None
        if r > 0.98:
            text = self.fresh(PAUSE, used, v)
            if text:
                return text, "pause", None, None
        parts, lead = [], None
        if last and last[1] == "ask" and last[2] in (None, p.name):
            answers = last[3]
            s = self.fresh(answers if answers and rng.random() < 0.9 else ANSWER_OPEN, used, v) if answers is not None else None
            parts.append(s or self.own_line(p, v, used))
        elif last and last[1] == "say" and rng.random() < 0.35:
            hard = any(t in ("stubborn", "blunt", "suspicious", "gloomy", "proud", "thrifty") for t in p.traits)
            parts.append(self.fresh(OBJECT if rng.random() < (0.75 if hard else 0.3) else AGREE, used, v))
        elif r < 0.015:
            lead = INTERRUPT[0]
        parts = [x for x in parts if x]
        act, asked, question = "say", None, None
        q = rng.random()
        if q < 0.2 or (lead is None and r < 0.03 and not parts):
            if lead is None and r < 0.03 and not parts:
                lead = INTERRUPT[1]
            s, question = None, None
            if rng.random() < 0.65:
                left = [x for x in matter["qa"] if x[0] not in used]
                if left:
                    s, question = rng.choice(left)
                    used.add(s)
                    s = upper(a_fix(s.format(**v)))
            else:
                s = self.fresh(ASK_ALL + ASK_YOU, used, v)
            if s:
                act = "ask"
                if rng.random() < 0.6:
                    asked = rng.choice(others)
                    s = f"{asked}, {low(s)}" if rng.random() < 0.6 else f"{s[:-1]}, {asked}?"
                parts.append(s)
        elif len(parts) == 0 or rng.random() < 0.45:
            k = rng.random()
            s = self.own_line(p, v, used) if k < 0.5 else self.fresh(PROMISE, used, v) if k > 0.95 else None
            parts.append(
                s or self.fresh(matter["say"], used, v) or self.fresh(ASIDES, used, v) or f"I'm tired of the {v['t']}."
            )
        parts = [x for x in parts if x] or [f"It's all about the {v['t']} again."]
        text = self.styled(" ".join(parts), p.talk)
        if asked:
            text = text.replace(asked.lower(), asked)
        if lead:
            text = f"{lead} {text}"
        if act == "ask" and "?" not in text:
            act, asked, question = "say", None, None
        if len(text.split()) > 30:
            text = " ".join(parts)
        return text, act, asked, question

    @staticmethod
    def next_of(order, turns, gone):
        """Who speaks next: whoever was asked by name, else was named, else had been answered with a question, else was
        silent longest."""
        free = [n for n in order if n not in gone]
        if turns:
            who, text = turns[-1]
            at = {n: m.start() for n in free if n != who and (m := re.search(rf"\b{n}\b", text))}
            if at:
                return min(at, key=at.get)
            free = [n for n in free if n != who] or free
            if "you" in text and text.endswith("?") and len(turns) > 1 and turns[-2][0] in free:
                return turns[-2][0]
        last = {n: max((i for i, t in enumerate(turns) if t[0] == n), default=-1) for n in free}
        return min(free, key=lambda n: last[n])

    def chat(self, people, matter, v, n):
        rng = self.rng
        order = [p.name for p in people]
        by = {p.name: p for p in people}
        turns, used, gone, last = [], set(), set(), None
        first = rng.choice(order)
        for i in range(n):
            if i == 0:
                who = first
            elif rng.random() < 0.85:
                who = self.next_of(order, turns, gone)
            else:
                who = rng.choice([x for x in order if x not in gone and x != turns[-1][0]] or order)
            here = [x for x in order if x not in gone]
            text, act, asked, question = self.turn(by[who], here, last, matter, v, used, i > 3 and len(here) > 2)
            turns.append((who, text))
            if act == "leave":
                gone.add(who)
            last = (who, act, asked, question)
            if len([x for x in order if x not in gone]) < 2:
                break
        return turns, gone

    def company(self):
        rng = self.rng
        n = rng.choices((2, 3, 4, 5), (0.2, 0.42, 0.28, 0.1))[0]
        people = self.group(n, rng.choices(("generated", "sampled", "given"), (0.6, 0.28, 0.12))[0])
        plan = {
            k: rng.choice(pool)
            for k, pool in (("relation", self.relations), ("setting", self.settings), ("mood", self.moods))
            if rng.random() < 0.4
        }
        if self.things is THINGS and rng.random() < 0.08:
            i = rng.randrange(len(self.seeds))
            e = {k: self.seeds[i][k] for k in LIMITS}
            people = [self.people.known(f) for f in self.seeds[i]["participants"]]
            return people, e, ANYTHING, {**self.values([p.name for p in people]), "t": SEED_THINGS[i]}
        e, (matter, v) = self.story(people, plan)
        return people, e, matter, v

    def view(self, turns, name):
        """A member's view after the opening, with which its first message begins: own turns and, between them, the others'
        in one message each."""
        first = True
        msgs, wait = [], []
        for who, text in turns:
            if who == name:
                if wait or first:
                    msgs.append(("user", "".join("\n" + w for w in wait) if first else "\n".join(wait), False))
                    first = False
                msgs.append(("assistant", text, True))
                wait = []
            else:
                wait.append(f"{who}: {text}")
        return msgs

    def tree_m(self, n=1):
        people, e, matter, v = self.company()
        me = self.rng.choice(people)
        head = [("system", member_system(me, [p.name for p in people if p is not me], e), False)]
        branches = []
        while len(branches) < n:
            turns, _ = self.chat(people, matter, v, self.rng.choice((3, 5, 7, 9)))
            if any(who == me.name for who, _ in turns):
                branches.append(self.view(turns, me.name))
        return head, opening_text(e), branches

    def tree_n(self, n=1):
        """Who speaks next, asked after several continuations of one chat."""
        rng = self.rng
        people, e, matter, v = self.company()
        order = [p.name for p in people]
        told = [p.describe() for p in people]
        rng.shuffle(told)
        head = "\n".join(told) + "\n"
        if rng.random() < 0.9:
            head += opening_text(e) + "\n"
        first = [d.split(":")[0].split(",")[0] for d in told]
        base, gone = self.chat(people, matter, v, rng.choice((1, 1, 2, 3, 5, 7)))
        branches = []
        by = {p.name: p for p in people}
        head += "".join(f"{w}: {t}\n" for w, t in base)
        for _ in range(n):
            turns, left = list(base), set(gone)
            for _ in range(rng.choice((1, 1, 2))):
                who = rng.choice([x for x in order if x not in left and x != turns[-1][0]])
                text, act, *_ = self.turn(by[who], [x for x in order if x not in left], None, matter, v, set(), False)
                if rng.random() < 0.3:
                    other = rng.choice([x for x in order if x not in left and x != who])
                    s = self.fresh(ASK_YOU + [q for q, _ in matter["qa"]], set(), v)
                    text = f"{other}, {low(s)}" if rng.random() < 0.6 else f"{s[:-1]}, {other}?"
                turns.append((who, text))
            names = [x for x in first if x not in left]
            if rng.random() < 0.5 and len(names) > 2:
                names = [x for x in names if x != turns[-1][0]]
            answer = self.next_of(first, turns, left)
            if answer not in names:
                continue
            rng.shuffle(names)
            text = "".join(f"{w}: {t}\n" for w, t in turns[len(base) :]) + f"Next speaker: {', '.join(names)}?"
            branches.append([("user", text, False), ("assistant", answer, True)])
        return ([], head, branches) if branches else self.tree_n(n)
