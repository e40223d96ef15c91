"""Rewriting customers' messages by rule, and which products a question fits.

The rules here make the demo model's training pairs: what changes is the wording, what stays are facts, numbers and names.
"""

import json
import re

from matters import THINGS

REWRITE_SYSTEM = "You rewrite messages of customers. Facts, numbers and names stay."
TONES = ["cheerful", "neutral", "annoyed", "angry"]
STYLES = ["colloquial", "formal", "polite", "rude", "non_native"]

LEAD = {
    "cheerful": [
        "Hi there, hope you are all well!",
        "Hello, lovely shop by the way!",
        "Good morning, what a nice day!",
        "Hi, quick happy question!",
        "Hello, you have been great so far!",
        "Hi, I love what I bought from you!",
        "Hello, big fan of your shop here!",
    ],
    "annoyed": [
        "I have looked everywhere for this.",
        "This is really getting tiresome.",
        "I should not have to ask this.",
        "Honestly, your site is no help.",
        "Not for the first time:",
        "I am losing patience here.",
        "It would be nice to get an answer for once.",
        "Your page tells me nothing.",
    ],
    "angry": [
        "This is outrageous.",
        "I am furious.",
        "I have had enough of this.",
        "What kind of shop is this?",
        "This is a disgrace.",
        "I am sick of this.",
        "I will not be fobbed off any longer.",
        "Unbelievable.",
    ],
}
TAIL = {
    "cheerful": [
        "Thanks a lot, you are stars!",
        "Have a lovely day!",
        "Looking forward to your answer!",
        "That would be wonderful!",
        "Cheers and all the best!",
    ],
    "annoyed": [
        "And please, a clear answer this time.",
        "It cannot be that hard.",
        "I do not want to ask again.",
        "I have waited long enough.",
        "Is that too much to ask?",
    ],
    "angry": ["Answer me now!", "I expect an answer at once!", "Never again!", "Sort it out today!", "I am done waiting!"],
}
POLITE_ASK = [
    "Could you please tell me: {q}",
    "Would you mind telling me: {q}",
    "I would be grateful if you could tell me: {q}",
    "May I kindly ask: {q}",
    "If it is not too much trouble: {q}",
]
POLITE_SAY = [
    "I hope you do not mind my writing.",
    "Thank you in advance for your help.",
    "I would be very grateful.",
    "Please excuse the trouble.",
    "Thank you for your time.",
]
RUDE_LEAD = [
    "Just answer this.",
    "Listen.",
    "Do your job for once.",
    "You lot are useless.",
    "I want an answer and no excuses.",
    "Stop wasting my time.",
    "Even you should know this.",
]
RUDE_TAIL = ["And make it quick.", "Well?", "Do not bore me with excuses.", "Get on with it.", "Pathetic."]
FORMAL_LEAD = ["Dear Sir or Madam,", "Dear customer service team,", "Good day.", "To whom it may concern,"]
FORMAL_ASK = [
    "I should like to enquire: {q}",
    "I am writing to ask the following: {q}",
    "Kindly inform me: {q}",
    "I would appreciate information on this point: {q}",
]
FORMAL_END = ["Yours faithfully.", "I look forward to your reply.", "Kind regards."]
SLANG_LEAD = ["hey", "hiya", "yo", "so", "erm", "right so", "quick one", "ok so"]
SLANG_TAIL = ["cheers", "ta", "thx", "lol", "pls"]
SLANG = [
    (r"\bI am\b", "i'm"),
    (r"\bdo not\b", "don't"),
    (r"\bcannot\b", "can't"),
    (r"\bis not\b", "isn't"),
    (r"\bwhat is\b", "what's"),
    (r"\bWhat is\b", "what's"),
    (r"\bgoing to\b", "gonna"),
    (r"\bwant to\b", "wanna"),
    (r"\bplease\b", "pls"),
    (r"\bbecause\b", "cos"),
    (r"\bhave to\b", "gotta"),
    (r"\bmoney\b", "cash"),
    (r"\bsomething\b", "summat"),
    (r"\bdoes not\b", "doesn't"),
    (r"\bit is\b", "it's"),
    (r"\bIt is\b", "it's"),
    (r"\bI have\b", "i've"),
    (r"\bvery\b", "well"),
    (r"\byou\b", "u"),
    (r"\bwithout\b", "w/o"),
    (r"\btomorrow\b", "tmrw"),
]
EXPAND = [
    (r"\b[Ii]'m\b", "I am"),
    (r"n't\b", " not"),
    (r"\bca not\b", "cannot"),
    (r"\bwo not\b", "will not"),
    (r"\b[Ii]t's\b", "it is"),
    (r"\b[Ww]hat's\b", "what is"),
    (r"\b[Ii]'ve\b", "I have"),
    (r"\bget\b", "receive"),
    (r"\bbuy\b", "purchase"),
    (r"\bask\b", "enquire"),
    (r"\bneed\b", "require"),
    (r"\bhelp\b", "assist"),
    (r"\benough\b", "sufficient"),
    (r"\bphone\b", "telephone"),
    (r"\bstart\b", "commence"),
]

ARTICLES = [(r"\b(the|a|an|The|A|An) (?=\w)", "")]
# slips by first language: (pattern, replacement) pairs, each applied where it fits
LANGUAGES = {
    "Polish": [ARTICLES[0], (r"\bI am\b", "I'm"), (r"\bdoes\b", "do"), (r"\bfor (\d+) days\b", r"since \1 days")],
    "Russian": [ARTICLES[0], (r"\bis\b ", ""), (r"\bare\b ", ""), (r"\bdo (I|you)\b", r"\1"), (r"\bIt is\b", "It")],
    "Ukrainian": [ARTICLES[0], (r"\bis\b ", ""), (r"\bhas\b", "have"), (r"\bdo (I|you)\b", r"\1")],
    "Czech": [ARTICLES[0], (r"\bdoes it\b", "it"), (r"\bon\b", "in"), (r"\bhas\b", "have")],
    "German": [
        (r"\bCan I (\w+) ", r"Can I also \1 "),
        (r"\bfor (\d+) days\b", r"since \1 days"),
        (r"\bget\b", "become"),
        (r"\binformation\b", "informations"),
        (r"\buntil\b", "till to"),
        (r"\bHow do I\b", "How I can"),
        (r"\bWhat does\b", "What do"),
        (r"\bdid not (\w+)", r"have not \1"),
    ],
    "French": [
        (r"\bI am\b", "I have"),
        (r"\binformation\b", "informations"),
        (r"\bto\b", "for to"),
        (r"\bHow much\b", "How many"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\bmy\b", "the my"),
        (r"\bask\b", "demand"),
    ],
    "Spanish": [
        (r"\bIt is\b", "Is"),
        (r"\bit is\b", "is"),
        (r"\bIs it\b", "Is"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\bin\b", "on"),
        (r"\bpeople\b", "the people"),
        (r"\bmake\b", "do"),
    ],
    "Italian": [
        (r"\bIt is\b", "Is"),
        (r"\bit is\b", "is"),
        (r"\bIs it\b", "Is"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\bmy\b", "the my"),
        (r"\binformation\b", "informations"),
    ],
    "Portuguese": [
        (r"\bIt is\b", "Is"),
        (r"\bit is\b", "is"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\bin\b", "on"),
        (r"\bfor\b", "to"),
    ],
    "Turkish": [
        ARTICLES[0],
        (r"\b(he|she)\b", "he"),
        (r"\bhas\b", "have"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\bat\b", "in"),
        (r"s\b(?= (my|the|your|you))", ""),
    ],
    "Chinese": [
        ARTICLES[0],
        (r"\b(is|are|was) ", ""),
        (r"\bdoes\b", "do"),
        (r"\b(days|weeks|months|items|pounds)\b", lambda m: m.group(0)[:-1]),
        (r"\barrived\b", "arrive"),
        (r"\bordered\b", "order"),
        (r"\bpaid\b", "pay"),
    ],
    "Japanese": [
        ARTICLES[0],
        (r"\b(days|weeks|months|items|pounds)\b", lambda m: m.group(0)[:-1]),
        (r"\bI would like\b", "I want"),
        (r"\bIt is\b", "It"),
        (r"\bhas\b", "have"),
    ],
    "Korean": [
        ARTICLES[0],
        (r"\b(days|weeks|months|items|pounds)\b", lambda m: m.group(0)[:-1]),
        (r"\bHow\b", "How about"),
        (r"\bdoes\b", "do"),
        (r"\bto\b ", ""),
    ],
    "Vietnamese": [
        ARTICLES[0],
        (r"\b(is|are|was) ", ""),
        (r"\bordered\b", "order already"),
        (r"\b(days|weeks|months|items)\b", lambda m: m.group(0)[:-1]),
        (r"\bdoes\b", "do"),
    ],
    "Hindi": [
        (r"\bI want\b", "I am wanting"),
        (r"\bI need\b", "I am needing"),
        (r"\bthe\b ", ""),
        (r"\bdo you\b", "you are"),
        (r"\btell me\b", "kindly tell me"),
        (r"\bonly\b", "itself only"),
    ],
    "Arabic": [
        (r"\b(is|are) ", ""),
        (r"\b(a|an) (?=\w)", ""),
        (r"\bmy (\w+)", r"my \1 this"),
        (r"\bin\b", "at"),
        (r"\bCan I\b", "I can"),
    ],
    "Greek": [
        (r"\bmy\b", "the my"),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\binformation\b", "informations"),
        (r"\bfor (\d+)", r"from \1"),
    ],
    "Dutch": [
        (r"\bmake\b", "do"),
        (r"\buntil\b", "till"),
        (r"\bHow do I\b", "How can I make it that I"),
        (r"\bfor (\d+) days\b", r"since \1 days"),
        (r"\blearn\b", "teach"),
        (r"\bWhat does\b", "What do"),
    ],
    "Swedish": [(r"\bis\b", "are"), (r"\bdoes\b", "do"), (r"\bin\b", "on"), (r"\bhas\b", "have")],
    "Finnish": [ARTICLES[0], (r"\b(he|she)\b", "he"), (r"\bin\b ", ""), (r"\bdoes\b", "do"), (r"\bat\b", "in")],
    "Hungarian": [ARTICLES[0], (r"\bhas\b", "have"), (r"\bin\b", "at"), (r"\bdo (I|you)\b", r"\1"), (r"\bwhich\b", "what")],
    "Romanian": [
        (r"\bIt is\b", "Is"),
        (r"\bthe\b ", ""),
        (r"\bdo (I|you)\b", r"\1"),
        (r"\binformation\b", "informations"),
        (r"\bon\b", "in"),
    ],
}


def low(text):
    return text if re.match(r"I\b|[A-Z]{2}", text) else text[:1].lower() + text[1:]


def up(text):
    return text[:1].upper() + text[1:]


def sentences(text):
    return [s for s in re.split(r"(?<=[.?!:]) ", text) if s]


FIXED = re.compile(r"LK-\d+|£[\d.]+|\d[\d:.,]*")


def keep_case(text, source):
    """Lower case but for ids, which stay as written."""
    out = text.lower()
    for m in FIXED.findall(source):
        out = out.replace(m.lower(), m)
    return out


def non_native(rng, text, language):
    """Three or so slips of a first language; spelling stays."""
    rules = LANGUAGES[language][:]
    first, rest = rules[0], rules[1:]
    rng.shuffle(rest)
    out, done = text, 0
    for pattern, to in [first] + rest:
        new = re.sub(pattern, to, out, count=0 if pattern == ARTICLES[0][0] else 1)
        if new != out:
            out, done = new, done + 1
        if done == 3:
            break
    if not done:
        out = "Please, " + low(out)
    return up(re.sub(r"  +", " ", out).strip())


def colloquial(rng, text, lead=True):
    out = text
    for pattern, to in SLANG:
        if rng.random() < 0.75:
            out = re.sub(pattern, to, out)
    out = keep_case(out, text).replace("dear customer service team, ", "")
    if rng.random() < 0.7:
        out = out.replace("'", "")
    if rng.random() < 0.6:
        out = re.sub(r"[.,](?= )", "", out)
    out = out.rstrip("?.!") if rng.random() < 0.8 else out
    if lead and rng.random() < 0.6:
        out = rng.choice(SLANG_LEAD) + rng.choice((" ", ", ")) + out
    if lead and rng.random() < 0.35:
        out += " " + rng.choice(SLANG_TAIL)
    return out


def asks(text):
    return text.endswith("?")


class Rewrites:
    def __init__(self, rng, topics):
        self.rng, self.topics = rng, topics
        self.asks = [(t, q) for t in topics for f in t.facts for q in f["ask"]]

    # -- plain messages

    def source(self, c):
        """A plain message: a question, often with a fact or two before it."""
        rng = self.rng
        topic, q = rng.choice(self.asks)
        q = q.replace("Larkmoor", c["brand"])
        thing = rng.choice(THINGS) if rng.random() < 0.35 else c["item"]
        self.thing = thing
        n, m = rng.randrange(2, 60), f"£{rng.randrange(5, 1500)}"
        facts = [
            f"My order is {c['order_id']}.",
            f"I ordered a {thing} on {c['order_date']}.",
            f"I paid {m} for the {thing}.",
            f"The {thing} came {n} days ago.",
            f"My {thing} stopped working after {n} weeks.",
            f"My name is {c['name']}.",
            f"I am waiting for {n} days now.",
            f"You sent me {n} boxes and I ordered {rng.randrange(2, 60)}.",
            f"{c['name']} in your shop told me to write.",
            f"The {thing} cost {m} in May.",
            f"It is about the {thing} I bought from {c['brand']}.",
            f"There is a scratch on the {thing}.",
            f"I want to give the {thing} to my neighbour.",
            f"I do not need the {thing} any more.",
            f"The {thing} is too big for my kitchen.",
        ]
        own = [
            f"Can I send the {thing} back after {n} days?",
            f"Do I get {m} back for the {thing}?",
            f"Why did you charge me {m}?",
            f"When will the {thing} be here?",
            f"Is the {thing} in stock?",
            f"Can {c['name']} collect the {thing} for me?",
            f"Do you have a {thing} for less than {m}?",
            f"How do I clean the {thing}?",
            f"Can you deliver before {n % 12 + 8}:00?",
            f"Is there a warranty on the {thing}?",
            f"Can I change the order to {n} pieces?",
        ]
        r = rng.random()
        if r < 0.25:
            q = rng.choice(own)
        parts = rng.sample(facts, rng.choices((0, 1, 2), (0.4, 0.42, 0.18))[0])
        if r > 0.94:
            parts, q = parts or [rng.choice(facts)], ""
        return re.sub(r"\ba (?=[aeiou])", "an ", " ".join(parts + ([q] if q else [])))

    def coloured(self, text, tone):
        rng = self.rng
        if tone == "neutral":
            return text
        r = rng.random()
        parts = ([rng.choice(LEAD[tone])] if r < 0.75 else []) + [text] + ([rng.choice(TAIL[tone])] if r > 0.45 else [])
        out = " ".join(parts)
        if tone == "angry" and rng.random() < 0.3 and text[-1] in ".":
            out = out.replace(text, text[:-1] + "!")
        if tone == "cheerful" and rng.random() < 0.2:
            out += " :)"
        return out

    def styled(self, text, style, language=None):
        rng = self.rng
        if style == "colloquial":
            return colloquial(rng, text)
        if style == "non_native":
            return non_native(rng, text, language or rng.choice(list(LANGUAGES)))
        parts = sentences(text)
        if style == "polite":
            if asks(parts[-1]):
                parts[-1] = rng.choice(POLITE_ASK).replace("{q}", low(parts[-1]))
            if rng.random() < 0.5 or not asks(text):
                parts.append(rng.choice(POLITE_SAY[1:]))
            elif rng.random() < 0.4:
                parts.insert(0, POLITE_SAY[0])
        elif style == "rude":
            if rng.random() < 0.8:
                parts.insert(0, rng.choice(RUDE_LEAD))
            if len(parts) == 1 or parts[0] not in RUDE_LEAD or rng.random() < 0.4:
                parts.append(rng.choice(RUDE_TAIL))
        else:
            out = []
            for p in parts:
                for pattern, to in EXPAND:
                    p = re.sub(pattern, to, p)
                out.append(up(p))
            parts = out
            if asks(parts[-1]) and rng.random() < 0.7:
                parts[-1] = rng.choice(FORMAL_ASK).replace("{q}", low(parts[-1]))
            if rng.random() < 0.6:
                parts.insert(0, rng.choice(FORMAL_LEAD))
            elif parts == sentences(text) or rng.random() < 0.4:
                parts.append(rng.choice(FORMAL_END))
        return " ".join(parts)

    def tree_r(self, c, products, with_item, n=1):
        """One message, rewritten in several ways."""
        rng = self.rng
        text = self.source(c)
        plain = text
        if rng.random() < 0.15:
            plain_tone = rng.choice(TONES)
            text = self.coloured(text, plain_tone)
        branches = []
        for kind in rng.sample(("product", "tone", "tone", "style", "style", "style"), n):
            if kind == "product":
                item = rng.choice(products)
                old = next((p for p in [self.thing] + products if re.search(rf"\b{p}\b", plain)), None)
                if old:
                    new, ask = re.sub(rf"\b{old}\b", item, plain), f"Rewrite it for this product: {item}."
                else:
                    new, ask = (
                        with_item(rng, plain, item, True) if asks(plain) else f"It is about my {item}. {plain}",
                        f"Rewrite it for this product: {item}.",
                    )
                new = text.replace(plain, new)
            elif kind == "tone":
                tone = rng.choice(TONES)
                new, ask = self.coloured(plain, tone), f"Rewrite it in this tone: {tone}."
            else:
                style = rng.choice(STYLES)
                if style == "non_native":
                    language = rng.choice(list(LANGUAGES))
                    new, ask = self.styled(text, style, language), f"Rewrite it as a speaker of {language} would."
                else:
                    new, ask = self.styled(text, style), f"Rewrite it in this style: {style}."
            branches.append([("user", ask, False), ("assistant", new, True)])
        return [("system", REWRITE_SYSTEM, False)], f"Message: {text}\n", branches


# --------------------------------------------------------------------------- which products fit

NO_GOODS = {"account", "your-data", "lark-points", "gift-cards", "contact", "payment-methods", "instalments"}
BATTERY = {"smartphone", "laptop", "smart watch", "camera", "tablet", "headset", "e-reader", "speaker"}
SCREEN = {"smartphone", "laptop", "smart watch", "camera", "tablet", "monitor", "television", "e-reader"}
WATER = {"washing machine", "dishwasher"}
BIG = {"washing machine", "dishwasher", "tumble dryer", "fridge", "freezer", "oven", "television"}
HEAT = {"microwave oven", "oven", "toaster", "kettle", "coffee machine", "steam iron", "hair dryer", "heater", "blender"}
DOOR = {"washing machine", "dishwasher", "tumble dryer", "fridge", "freezer", "oven", "microwave oven"}
FEATURES = [
    (
        BATTERY,
        [
            "The battery is empty after {n} hours, is that normal?",
            "How long does the battery last?",
            "Can I replace the battery myself?",
            "The battery gets hot when I charge it, what can I do?",
            "Is a charger in the box?",
        ],
    ),
    (
        SCREEN,
        [
            "There is a crack in the screen, will you repair it?",
            "The screen stays black, what should I do?",
            "Can the screen be replaced?",
            "Are {n} dead pixels on the screen a fault?",
        ],
    ),
    (
        WATER,
        [
            "The water does not drain, who can help?",
            "Will you connect the hose?",
            "There is water on the floor after each programme, why?",
            "How many litres of water does it use?",
        ],
    ),
    (
        BIG,
        [
            "Will you carry it up {n} floors?",
            "Do you take the old appliance away?",
            "Will it fit through a door of {n} centimetres?",
            "Do two men bring it in?",
        ],
    ),
    (
        HEAT,
        [
            "It does not get hot any more, is that covered?",
            "It smells burnt after {n} minutes, is it safe?",
            "How do I remove the limescale or the burnt bits?",
        ],
    ),
    (
        DOOR,
        [
            "The door does not close, can you send someone?",
            "Can the door be hung on the other side?",
            "The handle of the door broke after {n} weeks, what now?",
        ],
    ),
    (
        {"smartphone", "laptop", "smart watch", "camera", "tablet"},
        [
            "Can I move my photos to the new one?",
            "How do I reset it to factory settings?",
            "Does it connect to wireless networks at home?",
        ],
    ),
    ({"smart watch"}, ["Can I get a longer strap?", "Does it measure my pulse at night?"]),
    ({"camera"}, ["Which lenses fit on it?", "Is there a tripod thread?"]),
    (
        {"washing machine", "tumble dryer"},
        ["The drum makes a loud noise, is that a fault?", "How many kilos of laundry does it take?"],
    ),
    ({"smartphone"}, ["Does it take two sim cards?", "Is it locked to one network?"]),
    ({"laptop"}, ["Can I add more memory?", "The keyboard has no pound sign, can you swap it?"]),
    ({"microwave oven"}, ["The turntable does not turn, is that under warranty?", "Can I put metal in it?"]),
]
NOTHING = [
    "How do I change my password?",
    "Where is your head office?",
    "Can I get the invoice by e-mail?",
    "How many points do I have?",
    "Can I change my e-mail address?",
    "Why can I not log in?",
    "Do you have jobs?",
    "How do I close my account?",
    "When does the hotline open?",
    "Who reads my data?",
    "Can I pay with {n} gift cards?",
    "Is the newsletter free?",
]


def offer(rng, base, more):
    offered = base[:] if rng.random() < 0.6 else rng.sample(base + more, rng.choice((4, 5, 6, 7)))
    if rng.random() < 0.4:
        rng.shuffle(offered)
    return offered


def product_question(rng, rewrites, base, c):
    """A question, and what tells the products it fits."""
    r = rng.random()
    n = rng.randrange(2, 40)
    if r < 0.35:
        fits, pool = rng.choice(FEATURES)
        return rng.choice(pool).format(n=n), fits.__contains__
    if r < 0.5:
        return rng.choice(NOTHING).format(n=n), lambda p: False
    topic, q = rng.choice(rewrites.asks)
    q = q.replace("Larkmoor", c["brand"])
    if r < 0.62:
        item = rng.choice(base)
        return rng.choice((f"About my {item}: {low(q)}", f"I bought the {item}. {q}", f"{q[:-1]} for my {item}?")), lambda p: False
    if topic.slug in NO_GOODS:
        return q, lambda p: False
    if topic.slug == "installation":
        return q, (BIG | DOOR).__contains__
    return q, lambda p: True


def product_fit(rng, rewrites, base, more, c):
    """(question, products offered, those that fit)."""
    q, fits = product_question(rng, rewrites, base, c)
    offered = offer(rng, base, more)
    return q, offered, [p for p in offered if fits(p)]


def tree_p(rng, rewrites, base, more, c, n=1):
    q, fits = product_question(rng, rewrites, base, c)
    branches = []
    for _ in range(n):
        offered = offer(rng, base, more)
        branches.append([("user", f"{', '.join(offered)}\nWhich products fit? Answer as JSON.", False),
                         ("assistant", json.dumps([p for p in offered if fits(p)]), True)])
    return [], f"Question: {q}\nProducts: ", branches
