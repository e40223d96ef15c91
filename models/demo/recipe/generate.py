#!/usr/bin/env python3
"""Seeded generator for the demo model's data.

Two uses:

* `generate.py pages` prints the shipped help pages and their fact lists into prompts/pages.
* `Generator(topics, seed).sample()` gives one training sample: a task letter and a list of
  (role, text, carries_loss).  `generate.py samples -n 5` prints a few.

A page is never fixed: for every sample all slot values are drawn again, the wording of each
statement is picked again, and facts are chosen, ordered and grouped again.  An answer can
therefore not be known by heart; it has to be read from the prompt.
"""
import argparse
import json
import random
import re
import sys
import tomllib
import zlib
from pathlib import Path

from chats import Chats
from rewrites import LANGUAGES, RUDE_LEAD, Rewrites, colloquial, non_native, tree_p

HERE = Path(__file__).resolve().parent
TOPICS = HERE / "topics"
PAGES = HERE.parents[2] / "prompts" / "pages"

BRAND = "Larkmoor"
ITEMS = ["smartphone", "laptop", "washing machine", "microwave oven", "smart watch", "camera"]
MORE_ITEMS = [
    "tablet", "printer", "kettle", "toaster", "dishwasher", "tumble dryer", "headset", "router", "speaker",
    "vacuum cleaner", "coffee machine", "monitor", "keyboard", "fridge", "freezer", "hair dryer", "radio",
    "projector", "fan", "heater", "television", "steam iron", "blender", "game console", "oven", "e-reader",
]
AGENTS = """Robin Alex Sam Jo Charlie Morgan Taylor Jamie Casey Avery Riley Quinn Harper Rowan Skye Drew Ellis Frankie
Hayden Jules Kit Lee Marley Noel Pat Reese Sasha Toni Val Ash Blair Dana Eden Finley Glenn Hollis Indigo Jesse Kerry
Lane Max Nico Ola Peyton Remy Shay Tate Wren Bobbie Corin""".split()
NAMES = """Amelia Oliver Isla George Ava Harry Mia Noah Lily Jack Grace Leo Freya Oscar Poppy Arthur Ivy Henry Ella
Theo Rosie Archie Evie Alfie Sophie Joshua Daisy Thomas Alice James Ruby William Emily Ethan Zara Adam Nadia Omar
Priya Ravi Chen Mei Yusuf Fatima Kofi Ama Ivan Olga Pedro Lucia Marco Elena Hans Greta Pierre Chloe Sven Astrid
Tomasz Kasia Dmitri Irina Aiden Bronwyn Callum Deirdre Ewan Fiona Gareth Helen Ian Joyce Keith Laura Martin Nora
Owen Paula Quentin Rachel Stuart Tina Una Victor Wendy Yvonne Zoe Abel Beth Carl Dora Eric Faye Gina Hugo Ines""".split()
BRANDS = """Brightwell Oakfield Northgate Halden Pinecroft Veltora Ashby Kestrel Marlow Tidewell Corvane Lumen
Fenwick Harrow Quayside Sundale Birchway Copperhill Dunmore Eastlea Foxglove Greyline Hollowell Ironbridge Juniper
Kingsmead Linden Merrow Nettleton Ormsby Pendle Redfern Silverbeck Thornbury Underhill Verity Westmere Yarrow Zenith
Alderton Bramley Castleford Dovecote Elmhurst Fairholm Glenmoor Homewell Larchfield Mossley""".split()
MONTHS = """January February March April May June July August September October November December""".split()
TONES = ["cheerful", "neutral", "annoyed"]
STYLES = ["plain", "casual", "formal"]
# the styles that came with version 2, and whose phrases they start from
MORE_STYLES = {"colloquial": "casual", "polite": "formal", "rude": "plain", "non_native": "plain"}
TASKS = "ABDEMNRP"  # agent, customer, questions; experiences, member, next speaker, rewriting, products
OUTCOMES = ["RESOLVED", "UNRESOLVED", "ABANDONED"]
MOODS = {
    "RESOLVED": "You accept a clear answer.",
    "UNRESOLVED": "The rule does not help you and you do not accept it.",
    "ABANDONED": "You have little time and leave early.",
}
STATUS_LINE = "Status: CONTINUE, RESOLVED, UNRESOLVED or ABANDONED?"
START = "Start the chat."
PASSAGE_TOKENS = 320  # what the program shows of a page, see manifest.toml


def agent_system(agent, brand, title, passages):
    return (f"You are {agent}, support agent at {brand}. Answer from this help page only, in one or two short "
            f"sentences.\nPage: {title}\n" + "\n".join(passages))


def customer_system(c):
    return (f"You are {c['name']}, a customer of {c['brand']}, writing to support.\nQuestion: {c['query']}\n"
            f"Tone: {c['tone']}. Style: {c['style']}. {MOODS[c['outcome']]}\n"
            f"Item: {c['item']}. Order: {c['order_id']}, {c['order_date']}, {c['price']}.")


def steer_line(greet, thank, ask):
    word = lambda x: "yes" if x else "no"
    return f"(greet: {word(greet)}, thank: {word(thank)}, ask: {word(ask)})"


def queries_system(brand):
    return f"You write questions that customers of {brand} ask."


def queries_user(title, passages, n):
    return f"Page: {title}\n" + "\n".join(passages) + f"\nWrite {n} questions that this page answers, as JSON."


# --------------------------------------------------------------------------- topics and values


class Topic:
    def __init__(self, data):
        self.title, self.slug = data["title"], data["slug"]
        self.about, self.intro, self.close = data["about"], data["intro"], data["close"]
        self.sections = data["section"]
        self.facts = []
        for s, section in enumerate(self.sections):
            for f in section["fact"]:
                f = dict(f)
                f["section"], f["slug"] = s, self.slug
                f["key"] = (self.slug, f["id"])
                self.facts.append(f)
        # the fact that stands in the same paragraph of the shipped page
        self.mate = {}
        for s in range(len(self.sections)):
            fs = [f["key"] for f in self.facts if f["section"] == s]
            for a, b in zip(fs[::2], fs[1::2]):
                self.mate[a], self.mate[b] = b, a


def load_topics(folder=TOPICS):
    out = []
    for path in sorted(Path(folder).glob("*.toml")):
        try:
            with open(path, "rb") as fh:
                out.append(Topic(tomllib.load(fh)))
        except (tomllib.TOMLDecodeError, KeyError) as e:
            print(f"skipping {path.name}: {e!r}", file=sys.stderr)
    return out


def money(v):
    v = round(float(v), 2)
    return f"£{int(v)}" if v == int(v) else f"£{v:.2f}"


def all_values(slot):
    """Every printed value that a slot can take."""
    kind = slot["kind"]
    if kind == "int":
        return [str(v) for v in range(slot["from"], slot["to"] + 1, slot.get("step", 1))]
    if kind == "price":
        lo, hi = float(slot["from"]), float(slot["to"])
        out = []
        if "step" in slot:
            v = lo
            while v <= hi + 1e-9:
                out.append(money(v))
                v += float(slot["step"])
            return out
        for whole in range(int(lo), int(hi) + 1):
            cents = (0, 0.25, 0.49, 0.5, 0.75, 0.95, 0.99) if hi <= 60 else (0, 0.5, 0.99) if hi <= 200 else (0,)
            out += [money(whole + c) for c in cents if lo <= whole + c <= hi]
        return out
    if kind == "time":
        # whole hours and, for every second one, the half hour
        out = []
        for h in range(int(slot["from"]), int(slot["to"]) + 1):
            if h < 24:
                out.append(f"{h:02d}:00")
                if h < int(slot["to"]):
                    out.append(f"{h:02d}:30")
        return out
    if kind == "choice":
        return list(slot["options"])
    if kind == "code":
        return [f"{slot['prefix']}{n}" for n in range(10, 100)]
    raise ValueError(f"unknown slot kind {kind}")


def shipped_value(slot):
    v = slot["value"]
    return money(v) if slot["kind"] == "price" else str(v)


def held_topics(topics):
    """Three topics for which part of the values is kept out of training (see `value_pool`)."""
    return {t.slug for t in sorted(topics, key=lambda t: zlib.crc32(t.slug.encode()))[:3]}


def value_pool(fact, name, held):
    """(values for training, values kept out).  Only topics in `held` keep any out: about every fifth."""
    values = all_values(fact["slots"][name])
    if fact["slug"] not in held or len(values) < 4:
        return values, []
    out = [v for v in values if zlib.crc32(f"{fact['slug']}/{fact['id']}/{name}/{v}".encode()) % 5 == 0]
    if not out:
        out = [values[zlib.crc32(fact["id"].encode()) % len(values)]]
    keep = [v for v in values if v not in out]
    return (keep, out) if keep else (values, [])


def fill(text, values):
    for k, v in values.items():
        text = text.replace("{" + k + "}", v)
    return text


# --------------------------------------------------------------------------- small text helpers


def words(text):
    return len(text.split())


def tokens_estimate(text):
    """Close to the demo tokenizer's count, without needing it."""
    return int(1.12 * words(text) + 1.6 * sum(ch.isdigit() for ch in text) + 2)


KEEP_CAPS = re.compile(r"^(I\b|I'|[A-Z]{2}|[A-Z][a-z]*[A-Z0-9])")


def lower_first(text, proper=()):
    if not text or KEEP_CAPS.match(text) or any(text.startswith(p) for p in proper):
        return text
    return text[0].lower() + text[1:]


def upper_first(text):
    return text[:1].upper() + text[1:]


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


SYNONYMS = [
    ("send back", "return"), ("return", "send back"), ("get my money back", "get a refund"), ("how much", "what"),
    ("delivery", "shipping"), ("buy", "purchase"), ("purchase", "order"), ("get in touch with", "contact"),
    ("phone", "call"), ("need to", "have to"), ("have to", "need to"), ("allowed to", "able to"), ("cost", "price"),
    ("parcel", "package"), ("package", "parcel"), ("product", "item"), ("item", "thing"), ("faulty", "broken"),
    ("broken", "defective"), ("quickly", "fast"), ("soon", "fast"), ("start", "begin"), ("latest", "last"),
    ("choose", "pick"), ("cancel", "call off"), ("change", "alter"), ("repair", "fix"), ("replace", "swap"),
    ("receive", "get"), ("help", "assist"), ("big", "large"), ("maximum", "most"), ("pay", "be charged"),
    ("what is", "what's"), ("do you", "do you guys"), ("can i", "could i"), ("is it possible to", "can i"),
    ("how long", "how much time"), ("when", "at what point"), ("which", "what"), ("online", "on the website"),
]
DROPPABLE = set("the a an do does is are my your i you to for of it please exactly any still actually there will would".split())


def rephrase(rng, text):
    """A rougher wording of a question: synonyms, dropped small words, another frame."""
    out = text
    if rng.random() < 0.6:
        pairs = SYNONYMS[:]
        rng.shuffle(pairs)
        low = out.lower()
        done = 0
        for a, b in pairs:
            m = re.search(r"\b" + a + r"\b", low)
            if m:
                out = out[:m.start()] + b + out[m.end():]
                low = out.lower()
                done += 1
                if done == 2:
                    break
    if rng.random() < 0.5:
        parts = out.split()
        if len(parts) > 5:
            kept = [w for w in parts if not (w.lower() in DROPPABLE and rng.random() < 0.35)]
            if len(kept) >= 4:
                out = " ".join(kept)
    return upper_first(out)


def noise(rng, text):
    """Typing slips and missing capitals."""
    if rng.random() < 0.6:
        text = text.lower()
    if rng.random() < 0.4:
        text = text.replace(",", "").replace("'", "")
    if rng.random() < 0.3:
        text = text.rstrip("?.!")
    if rng.random() < 0.6:
        parts = text.split(" ")
        for _ in range(rng.choice((1, 1, 2))):
            k = rng.randrange(len(parts))
            w = parts[k]
            if len(w) < 4 or any(ch.isdigit() for ch in w):
                continue
            i = rng.randrange(1, len(w) - 1)
            r = rng.random()
            if r < 0.4:
                w = w[:i] + w[i + 1] + w[i] + w[i + 2:]
            elif r < 0.75:
                w = w[:i] + w[i + 1:]
            else:
                w = w[:i] + w[i] + w[i:]
            parts[k] = w
        text = " ".join(parts)
    return text


# --------------------------------------------------------------------------- a page with drawn values


class Page:
    """One drawing of a topic: values, wording, paragraphs (text, [fact keys])."""

    def __init__(self, rng, topic, brand, held, mode="train"):
        self.topic, self.brand = topic, brand
        self.values, self.said, self.facts = {}, {}, {}
        for f in topic.facts:
            vals = {}
            for name in f["slots"]:
                keep, out = value_pool(f, name, held)
                vals[name] = rng.choice(out if mode == "eval" and out else keep)
            self.add(f, vals, rng.choice(f["say"]))

    def add(self, f, vals, say):
        key = f["key"]
        self.facts[key], self.values[key] = f, vals
        self.said[key] = self.text(say, vals)

    def text(self, template, vals=None):
        t = fill(template, vals or {})
        return t.replace(BRAND, self.brand) if self.brand != BRAND else t

    def answers(self, key):
        return [self.text(a, self.values[key]) for a in self.facts[key]["answer"]]

    def printed(self, key):
        return list(self.values[key].values())


def clause(sentence, values):
    """The half of a statement that holds all values, as a sentence of its own, or None."""
    good = ("You ", "We ", "The ", "Your ", "It ", "Our ", "This ", "They ", "Each ", "Every ")
    if ", " not in sentence:
        return None
    head, tail = sentence.rstrip(".").split(", ", 1)
    tail = upper_first(tail)
    for part in (tail, head):
        if part.startswith(good) and words(part) >= 5 and all(v in part for v in values):
            return part + "."
    return None


# --------------------------------------------------------------------------- the customer's words

GREET = {
    "plain": ["Hello.", "Hi.", "Hello there.", "Hi there.", "Good day."],
    "casual": ["hey", "hiya", "hi", "heya", "hi there", "yo", "hey there"],
    "formal": ["Good morning.", "Good afternoon.", "Dear team,", "Good evening.", "Dear support team,", "Dear {brand} team,"],
}
CONTEXT = {
    "plain": ["I ordered {a_item} on {date}.", "It is about my {item}.", "My {item} arrived last week.",
              "I bought {a_item} from you.", "My order is {order}.", "I paid {price} for {a_item}.",
              "I have a question about my {item}.", "I ordered {a_item} from {brand}.", "This is about order {order}."],
    "casual": ["got {a_item} from you lot", "it's about my {item}", "my {item} came the other day",
               "bought {a_item} on {date}", "my order's {order}", "so i ordered {a_item} for {price}",
               "quick one about my {item}"],
    "formal": ["I am writing about my {item}.", "I placed order {order} on {date}.", "I purchased {a_item} for {price}.",
               "My enquiry concerns {a_item}.", "I recently ordered {a_item} from {brand}.",
               "This concerns my order {order} of {date}."],
}
TONE_CONTEXT = {
    "cheerful": {
        "plain": ["I am very happy with my {item} so far.", "I love my new {item}.", "Hope you are having a good day!",
                  "Lovely shop, by the way!"],
        "casual": ["loving my new {item}", "hope you're having a good one!", "so happy with the {item}!"],
        "formal": ["I am delighted with my {item}.", "I hope you are well.", "It has been a pleasure to shop with you."],
    },
    "annoyed": {
        "plain": ["I have been looking for this for ages.", "Nobody could tell me this so far.", "I am getting tired of searching.",
                  "Your site is not clear at all.", "This is the second time I am asking."],
        "casual": ["this is doing my head in", "been searching for ages", "your site's a mess", "asked twice already"],
        "formal": ["I am disappointed that this is so hard to find.", "I have searched your website in vain.",
                   "I must say that I am not satisfied so far.", "This is my second enquiry."],
    },
    "angry": {
        "plain": ["I have had enough of this.", "This is outrageous!", "I want an answer now!", "I am furious about your service."],
        "casual": ["i've had it with you lot!", "this is a joke!", "absolutely fuming here", "answer me for once!"],
        "formal": ["This is an outrage.", "I am appalled by your service.", "I demand an answer at once.", "I have never been treated like this."],
    },
}
HURRY = {
    "plain": ["Quick question.", "I only have a minute.", "I am in a hurry.", "Just quickly."],
    "casual": ["no time so quickly", "only got a sec", "in a rush", "real quick"],
    "formal": ["I only have a moment.", "I am pressed for time.", "Please be brief, as I must leave soon."],
}
FRAME = {
    "plain": ["{Q}", "{Q}", "{Q}", "{Q}", "I would like to know: {q}", "Can you tell me: {q}", "My question: {q}"],
    "casual": ["{q}", "{q}", "{q}", "{q}", "just wondering, {q}", "any idea, {q}", "so, {q}"],
    "formal": ["{Q}", "{Q}", "{Q}", "I should like to know: {q}", "Could you please tell me: {q}", "May I ask: {q}",
               "I have the following question. {Q}"],
}
FOLLOW = {
    "cheerful": {
        "plain": ["Great!", "Good to know!", "Perfect!", "That is clear!", "Lovely!"],
        "casual": ["nice one!", "great!", "cool!", "ah perfect!", "brilliant!"],
        "formal": ["Excellent.", "That is very clear.", "Wonderful.", "That is good to hear."],
    },
    "neutral": {
        "plain": ["Okay.", "I see.", "Understood.", "Right.", "All right."],
        "casual": ["ok", "right", "gotcha", "ok cool", "fair enough"],
        "formal": ["Understood.", "I see.", "That is clear.", "Very well."],
    },
    "annoyed": {
        "plain": ["Fine.", "If you say so.", "Well, all right.", "That took a while."],
        "casual": ["fine", "whatever", "ok then", "finally"],
        "formal": ["Very well.", "I take note of that.", "So be it."],
    },
    "angry": {
        "plain": ["At last!", "That was about time!", "Why not at once!"],
        "casual": ["about time!", "finally!!", "was that so hard!"],
        "formal": ["At long last.", "It was high time.", "You might have said so at once."],
    },
}
MORE = {
    "plain": ["One more question: {q}", "Another thing: {q}", "And {q}", "{Q}", "{Q}", "I also want to know: {q}"],
    "casual": ["and {q}", "one more thing, {q}", "also, {q}", "{q}", "btw {q}"],
    "formal": ["I have one further question. {Q}", "In addition: {q}", "{Q}", "May I also ask: {q}", "Furthermore, {q}"],
}
MISSED = {
    "plain": ["That is a pity.", "Okay, a pity.", "Too bad.", "I see."],
    "casual": ["oh ok", "shame", "hmm ok", "too bad"],
    "formal": ["That is unfortunate.", "I see.", "What a pity."],
}
GIVE_ORDER = {
    "plain": ["It is {order}.", "My order number is {order}.", "{order}.", "The number is {order}, ordered on {date}.",
              "Order {order}, {a_item}.", "Yes, it is {order}."],
    "casual": ["it's {order}", "{order}", "{order}, the {item}", "order's {order}", "yeah it's {order}"],
    "formal": ["My order number is {order}.", "The order number is {order}, dated {date}.", "The reference is {order}.",
               "Certainly, it is {order}."],
}
GIVE_ITEM = {
    "plain": ["It is {a_item}.", "It is about {a_item}.", "{A_item}.", "The {item} I ordered on {date}.",
              "My {item}, for {price}."],
    "casual": ["it's {a_item}", "the {item}", "{a_item}", "my {item}, got it on {date}"],
    "formal": ["It concerns {a_item}.", "The item is {a_item}, ordered on {date}.", "It is the {item} I purchased for {price}."],
}
GIVE_ANNOYED = {"plain": ["Why do you need that?", "Does it matter?", "Again?"], "casual": ["does it matter?", "seriously?", "again?"],
                "formal": ["I do not see why it matters.", "I have stated this before."]}
OBJECT_LEAD = {
    "cheerful": {"plain": ["Oh no.", "Oh dear.", "Hmm, that is a pity."], "casual": ["aw no", "oh man", "oh no"],
                 "formal": ["What a pity.", "Oh dear."]},
    "neutral": {"plain": ["That does not help me.", "Hmm.", "That is a problem for me."],
                "casual": ["hmm", "that doesn't help", "not great"],
                "formal": ["That does not help me.", "I cannot accept that.", "That is not satisfactory."]},
    "annoyed": {"plain": ["That is not good enough.", "I do not accept that.", "This is ridiculous."],
                "casual": ["come on", "that's rubbish", "not good enough", "are you serious"],
                "formal": ["This is unacceptable.", "I am not satisfied with that.", "I strongly object."]},
    "angry": {"plain": ["That is outrageous!", "Are you joking?", "I will not put up with this!", "What a disgrace!"],
              "casual": ["you're joking!", "that's a disgrace!", "no way!!", "what a scam!"],
              "formal": ["This is scandalous.", "I will not tolerate this.", "You will hear from me again."]},
}
OBJECT_TAIL = {
    "plain": ["Can you not make an exception?", "That cannot be right.", "There must be another way.", "That is not fair.",
              "Surely you can do something.", "I still do not agree."],
    "casual": ["can't you bend it a bit?", "that's not fair", "there's got to be a way", "come on, just this once",
               "that makes no sense"],
    "formal": ["I ask you to make an exception.", "I consider this unfair.", "There must be another solution.",
               "I cannot agree with this rule.", "Please reconsider."],
}
OBJECT_MISSING = {
    "plain": ["But I need to know this.", "That is no answer.", "You must know that.", "I cannot wait for a colleague.",
              "Surely someone can tell me."],
    "casual": ["but i need to know", "that's no answer", "you must know that", "can't wait for that"],
    "formal": ["I need this information.", "That is not an answer.", "I expected you to know this.",
               "I would rather have an answer now."],
}

POLITE_LEAD = ["Please excuse the trouble.", "Thank you for your time.", "I hope you do not mind my asking.", "If I may,", "If you would be so kind:"]

# --------------------------------------------------------------------------- the agent's words

# what a steered turn greets, thanks and asks with
STEER_GREET = ["Hello!", "Hi there.", "Good day.", "Hello and welcome.", "Hi!", "Welcome to {brand}.", "Good morning."]
STEER_THANK = {
    "any": ["Thank you for your message.", "Thanks for writing to us.", "Thank you for asking.", "Thanks for getting in touch.", "Thank you for your question.",
            "Thank you for your interest.", "Thanks for contacting {brand}."],
    "order": ["Thank you for the number.", "Thanks for the order number.", "Thank you for {order}.", "Thanks for the details."],
    "object": ["Thank you for your patience.", "Thanks for being frank.", "Thank you for telling us.", "Thank you for bearing with me."],
}
STEER_ASK = ["When did you order it?", "When did it arrive?", "Is it still in its box?", "Have you tried that yet?", "Would that work for you?", "Does that help you?",
             "Which item is it about?", "Do you still have the receipt?", "Did you order online?", "Is it for yourself or a gift?", "Which would you prefer?", "How did you pay?",
             "Is that what you wanted to know?", "Do you have an account with us?", "Have you used it already?", "Is there anything else?", "What is your order number?",
             "Where do you live?", "Shall I note that for you?"]

AGENT_HELLO = ["Hello, {agent} here.", "Hi, this is {agent}.", "Hello, this is {agent} from {brand}.", "Hi, {agent} at {brand} here.",
               "Hello and welcome to {brand}.", "Hello."]
AGENT_LEAD = ["Of course.", "Sure.", "Happy to help.", "Good question.", "Certainly.", "I can help with that.",
              "Let me help.", "No problem.", "Here is the rule."]
AGENT_MORE_LEAD = ["Sure.", "Of course.", "Certainly.", "On that point:", "As for that:", "No problem.", "Gladly."]
AGENT_THANKS = ["Thanks for your message.", "Thank you for asking.", "Thanks for getting in touch."]
AGENT_GOT_ORDER = ["Got it, order {order}.", "Noted, {order}.", "I have noted {order}.", "Thank you, {order} it is.",
                   "Thanks.", "Right, order {order}.", "Thank you."]
AGENT_GOT_ITEM = ["Got it, the {item}.", "Noted, {a_item}.", "For your {item}:", "Thanks.", "Right, the {item}.", "Thank you."]
AGENT_SOURCE = ["The page says: {S}", "According to our help page, {s}", "Our page puts it like this: {S}", "The rule is this: {S}"]
AGENT_TAIL = ["Does that answer your question?", "Is that clear?", "Can I help with anything else?", "Does that help?"]
ASK_ORDER = ["Could you give me your order number, please?", "What is your order number?", "May I have your order number?",
             "Can you tell me the order number first?", "I can look into that. What is the order number?",
             "Which order is this about? The number would help.", "Sure, what is your order number, please?",
             "Could you share the order number so that I can note it?"]
ASK_ITEM = ["Which item is it about?", "Which product do you mean?", "Can you tell me which item you bought?",
            "What did you order from us?", "I can help. Which product is this about?", "May I ask which item it is?",
            "Which of our products is it, please?"]
MISSING = [
    "This page does not say that. I can pass your question on to a colleague.",
    "I am sorry, the page does not cover that. Shall I pass it on to the team?",
    "I cannot find that on this page. I can forward your question if you like.",
    "That is not on the page I have. Would you like me to pass it on?",
    "Our page says nothing about that, so I would rather not guess. I can pass it on.",
    "Sorry, this page has no answer to that. I can ask a colleague for you.",
    "The help page does not mention that. I will gladly pass your question on.",
    "I do not have that information here. Shall I forward the question?",
    "I am afraid the page does not tell. I can hand your question to a colleague.",
    "That point is not covered on this page. I can pass it to the right team.",
]
MISSING_HOLD = [
    "I understand, but the page really does not say it. I can only pass your question on.",
    "I am sorry, I do not want to guess. A colleague can look into it.",
    "I know that is not ideal, but it is not on this page. Shall I forward it?",
    "I see your point, yet the information is not here. I can hand it to the team.",
    "Sorry, I cannot tell you more from this page. I can pass your question on.",
]
HOLD_LEAD = ["I understand, but I cannot change this.", "I am sorry, but the rule stays the same.", "I see your point, but the rule is clear.",
             "I know this is not what you hoped for.", "I am sorry that this does not help you.", "That is hard, I understand.",
             "I cannot make an exception, I am afraid.", "I hear you, but I have to keep to the rule.", "Sorry, I have no way around it.",
             "I do see why you are unhappy."]
HOLD_JOIN = ["I understand, but {s}", "I am sorry, but {s}", "I see your point, but {s}", "Sorry, it remains the case that {s}",
             "I am afraid that {s}", "As I said, {s}", "Even so, {s}", "All the same, {s}"]
HOLD_TAIL = ["I can pass your comment on.", "I can note your complaint.", "I cannot do more here."]

FOREIGN = [
    "Do you sell gift wrapping paper as well?", "Can I bring my dog to the shop?", "Who founded the company?",
    "Do you have a job for me?", "What is the weather like at your office?", "Do you offer piano lessons?",
    "Can you recommend a good restaurant?", "How many people work for you?", "Do you plant trees for every order?",
    "Is there a car park at your head office?", "Do you sell second-hand books?", "Can I pay with seashells?",
    "What music do you play in the shop?", "Do you repair bicycles too?", "May I visit the factory?",
]

ITEM_WORDS = re.compile(r"\b(an item|a product|something|the item|my item|the product|my product|my purchase|an article|an order|my order|the order|it)\b", re.I)


def with_item(rng, q, item, opening=False):
    """A question whose wording mixes in the product."""
    r = rng.random()
    m = ITEM_WORDS.search(q)
    if r < 0.5 and m and m.group(0).lower() != "it":
        w = m.group(0).lower()
        new = article(item) if w in ("an item", "a product", "something", "an article", "an order") else \
            ("my " if rng.random() < 0.7 else "the ") + item
        return upper_first(q[:m.start()] + new + q[m.end():])
    if r < 0.7 and opening:
        return f"I bought {article(item)}. {q}"
    if r < 0.85:
        return f"About my {item}: {lower_first(q)}"
    return q.rstrip("?") + rng.choice((f", for {article(item)}?", f" with my {item}?", f" if it is {article(item)}?"))


class Dialogue:
    """turns: [(who, text)], who is 'c' or 'a'; ends: the status word after the last agent turn."""

    def __init__(self):
        self.turns, self.ends = [], None
        self.cores = {}  # agent turn: (what it says without courtesies, what came before: any, order or object)


class Generator:
    def __init__(self, topics, seed=0, mode="train", mix=None, wide=True):
        self.topics = topics
        self.wide = wide  # what came with version 2: further tones and styles, steered turns
        self.rng = random.Random(seed)
        self.chats = Chats(self.rng)
        self.rewrites = Rewrites(self.rng, topics)
        self.held = held_topics(topics)
        self.mode = mode
        self.short = False  # curriculum: little context, one question
        self.long_share = 0.06
        self.mix = mix or {"A": 0.17, "B": 0.17, "D": 0.06, "E": 0.13, "M": 0.22, "N": 0.1, "R": 0.11, "P": 0.04}

    # -- who and what

    def cast(self):
        rng = self.rng
        both = rng.random() < 0.5
        item = rng.choice(ITEMS) if rng.random() < 0.85 else rng.choice(MORE_ITEMS)
        c = {
            "brand": BRAND if both else rng.choice(BRANDS),
            "agent": "Robin" if both or rng.random() < 0.2 else rng.choice(AGENTS),
            "name": rng.choice(NAMES), "item": item,
            "order_id": f"LK-{rng.randrange(10000, 100000)}",
            "order_date": f"{rng.randrange(1, 29)} {rng.choice(MONTHS)}",
            "price": f"£{rng.randrange(15, 1500)}",
            "tone": rng.choice(TONES), "style": rng.choice(STYLES),
            "outcome": rng.choices(OUTCOMES, (0.5, 0.29, 0.21))[0],
        }
        c["base"] = c["style"]
        if self.wide:
            if rng.random() < 0.18:
                c["tone"] = "angry"
            if rng.random() < 0.42:
                c["style"] = rng.choice(list(MORE_STYLES))
                c["base"] = MORE_STYLES[c["style"]]
                c["language"] = rng.choice(list(LANGUAGES))
        return c

    def say(self, text, c):
        return (text.replace("{a_item}", article(c["item"])).replace("{A_item}", upper_first(article(c["item"])))
                .replace("{item}", c["item"]).replace("{order}", c["order_id"]).replace("{date}", c["order_date"])
                .replace("{price}", c["price"]).replace("{brand}", c["brand"]).replace("{agent}", c["agent"]))

    # -- paragraphs

    def paragraphs(self, page, keys=None, plain=None):
        """All paragraphs of a page as [(text, [keys])], page order or (for some pages) shuffled."""
        rng = self.rng
        topic = page.topic
        shipped = rng.random() < 0.5 if plain is None else plain
        out = []
        if shipped:
            for s, section in enumerate(topic.sections):
                fs = [f["key"] for f in topic.facts if f["section"] == s and (keys is None or f["key"] in keys)]
                for i in range(0, len(fs), 2):
                    group = fs[i:i + 2]
                    text = " ".join(page.said[k] for k in group)
                    if i == 0 and section.get("lead"):
                        text = page.text(section["lead"]) + " " + text
                    out.append((text, group))
        else:
            fs = [k for k in page.said if keys is None or k in keys]
            if rng.random() < 0.6:
                rng.shuffle(fs)
            while fs:
                n = rng.choice((1, 2, 2, 3))
                group, fs = fs[:n], fs[n:]
                text = " ".join(page.said[k] for k in group)
                if rng.random() < 0.15:
                    lead = rng.choice(topic.sections).get("lead")
                    if lead:
                        text = page.text(lead) + " " + text
                out.append((text, group))
        return out

    def passages(self, page, want, avoid=(), limit=None):
        """Paragraphs in order with all of `want`, none of `avoid`, up to about `limit` tokens."""
        rng = self.rng
        if limit is None:
            limit = PASSAGE_TOKENS if self.mode == "eval" else rng.choice((170, 250, PASSAGE_TOKENS, PASSAGE_TOKENS))
        paras = [p for p in self.paragraphs(page)
                 if not any(k in avoid for k in p[1])]
        missing = [k for k in want if not any(k in p[1] for p in paras)]
        for k in missing:  # sat beside something to avoid
            paras.insert(rng.randrange(len(paras) + 1), (page.said[k], [k]))
        if rng.random() < 0.2:
            paras.insert(0, (page.text(page.topic.intro), []))
        if rng.random() < 0.15:
            paras.append((page.text(page.topic.close), []))
        size = [tokens_estimate(p[0]) for p in paras]
        chosen = {i for i, p in enumerate(paras) if any(k in want for k in p[1])}
        total = sum(size[i] for i in chosen)
        rest = [i for i in range(len(paras)) if i not in chosen]
        rng.shuffle(rest)
        if self.short:
            rest = rest[:rng.choice((0, 1, 1))]
        elif rng.random() < 0.15:
            rest = rest[:rng.randrange(0, 3)]
        for i in rest:
            if total + size[i] <= limit:
                chosen.add(i)
                total += size[i]
        got = [paras[i] for i in sorted(chosen)]
        return [t for t, _ in got], {k for _, ks in got for k in ks}

    def whole_page(self, page, avoid=(), limit=420):
        keys = {k for k in page.said if k not in avoid}
        paras = self.paragraphs(page, keys)
        paras.insert(0, (page.text(page.topic.intro), []))
        if self.rng.random() < 0.7:
            paras.append((page.text(page.topic.close), []))
        out, got, total = [], set(), 0
        for text, ks in paras:
            n = tokens_estimate(text)
            if total + n > limit:
                break
            out.append(text)
            got.update(ks)
            total += n
        return out, got

    # -- customer turns

    def join_style(self, parts, c):
        rng = self.rng
        if c["base"] == "casual":
            parts = [p.strip() for p in parts if p]
            seps = []
            text = parts[0]
            for p in parts[1:]:
                text += ("" if text[-1] in ".!?" else rng.choice((",", ",", ".", "..", " -"))) + " " + p
            if rng.random() < 0.75:
                keep = c["order_id"]
                text = text.lower().replace(keep.lower(), keep)
            if rng.random() < 0.35:
                text = text.rstrip("?.")
        else:
            text = " ".join(p for p in parts if p)
        return self.manner(text, c) if c["style"] != c["base"] else text

    def manner(self, text, c):
        """The styles that came with version 2."""
        rng = self.rng
        if c["style"] == "colloquial":
            return colloquial(rng, text, rng.random() < 0.3)
        if c["style"] == "non_native":
            return non_native(rng, text, c["language"])
        if c["style"] == "rude" and rng.random() < 0.5:
            return rng.choice(RUDE_LEAD) + " " + text
        if c["style"] == "polite" and rng.random() < 0.45:
            lead = rng.choice(POLITE_LEAD)
            return lead + " " + (text if lead.endswith(".") else lower_first(text, (c["brand"],)))
        return text

    def framed(self, frames, q, c):
        return self.rng.choice(frames[c["base"]]).replace("{Q}", q).replace(
            "{q}", lower_first(q, (c["brand"],)))

    def opening(self, c, fact):
        rng = self.rng
        q = c["query"]
        if rng.random() > 0.92 and fact is not None:
            q = c["page"].text(rng.choice(fact["ask"]))
            if rng.random() < 0.3:
                q = rephrase(rng, q)
            if rng.random() < 0.15:
                q = with_item(rng, q, c["item"], True)
        style, tone = c["base"], c["tone"]
        parts = []
        if rng.random() < 0.5:
            parts.append(rng.choice(GREET[style]))
        named = c["item"] in q
        if c["outcome"] == "ABANDONED" and rng.random() < 0.4:
            parts.append(rng.choice(HURRY[style]))
        elif tone in TONE_CONTEXT and rng.random() < 0.4:
            pick = rng.choice(TONE_CONTEXT[tone][style])
            if "{item}" not in pick or not named:
                parts.append(pick)
                named = named or "{item}" in pick
        if rng.random() < 0.38:
            pick = rng.choice(CONTEXT[style])
            if "item}" not in pick or not named:
                parts.append(pick)
        parts.append(self.framed(FRAME, q, c) if rng.random() < 0.5 else (q if style != "casual" else lower_first(q)))
        text = self.say(self.join_style(parts, c), c)
        if tone == "cheerful" and style != "formal" and rng.random() < 0.2 and text[-1] in ".?":
            text += " :)"
        return text

    def ask(self, fact, c, page):
        q = page.text(self.rng.choice(fact["ask"][:2]))  # few wordings, so that a small model learns what goes with what
        if self.rng.random() < 0.03:
            q = with_item(self.rng, q, c["item"])
        return q

    def follow_up(self, fact, c, page, last_missing):
        rng = self.rng
        parts = []
        if rng.random() < 0.55:
            parts.append(rng.choice(MISSED[c["base"]] if last_missing else FOLLOW[c["tone"]][c["base"]]))
        q = self.ask(fact, c, page) if fact is not None else rng.choice(FOREIGN)
        parts.append(self.framed(MORE, q, c))
        return self.join_style(parts, c)

    def objection(self, fact, c, used, missing):
        rng = self.rng
        for _ in range(20):
            parts = []
            if rng.random() < 0.5:
                parts.append(rng.choice(OBJECT_LEAD[c["tone"]][c["base"]]))
            r = rng.random()
            if missing or fact is None:
                parts.append(rng.choice(OBJECT_MISSING[c["base"]]))
            elif r < 0.15:
                t = c["page"].text(fact["refuse"][0])
                parts.append(lower_first(t, (c["brand"],)) if c["base"] == "casual" else t)
            if not missing and (r >= 0.15 or rng.random() < 0.3):
                parts.append(rng.choice(OBJECT_TAIL[c["base"]]))
            text = self.join_style(parts, c)
            if not any(x in used for x in (text, *parts)):
                break
        used.update((text, *parts))
        return text

    # -- agent turns

    def core(self, page, key, used):
        """One wording of the fact that was not used before: mostly an answer, else the page's own words."""
        rng = self.rng
        said = page.said[key]
        pool = [a for a in page.answers(key) if a not in used]
        own = [s for s in (said, clause(said, page.printed(key))) if s and s not in used]
        if own and (not pool or rng.random() < 0.35):
            pick = rng.choice(own)
        elif pool:
            pick = rng.choice(pool)
        else:
            pick = rng.choice(page.answers(key))
        used.add(pick)
        return pick, pick in own

    def answer(self, page, key, c, first, given, used):
        rng = self.rng
        text, own = self.core(page, key, used)
        self.last_core = text
        lead = ""
        if given == "order" and rng.random() < 0.8:
            lead = self.say(rng.choice(AGENT_GOT_ORDER), c)
        elif given == "item" and rng.random() < 0.8:
            lead = self.say(rng.choice(AGENT_GOT_ITEM), c)
        elif first and rng.random() < 0.2:
            lead = self.say(rng.choice(AGENT_HELLO), c)
        elif rng.random() < 0.15:
            lead = rng.choice(AGENT_LEAD if first else AGENT_MORE_LEAD)
        elif first and rng.random() < 0.03:
            lead = rng.choice(AGENT_THANKS)
        body = text
        if own and rng.random() < 0.1:
            body = rng.choice(AGENT_SOURCE).replace("{S}", text).replace("{s}", lower_first(text, (c["brand"],)))
        elif lead.endswith(":"):
            body = lower_first(text, (c["brand"],))
        tail = rng.choice(AGENT_TAIL) if rng.random() < 0.07 else ""
        for parts in ((lead, body, tail), (lead, body), (body,), (text,)):
            out = " ".join(p for p in parts if p)
            if words(out) <= 35:
                return out
        return text

    def steered(self, core, c, before="any"):
        """A note on how the agent's turn is to be, and that turn."""
        rng = self.rng
        greet, thank, ask = (rng.random() < 0.4 for _ in range(3))
        if "?" in core:
            ask = True
        parts = [rng.choice(STEER_GREET)] if greet else []
        if thank:
            parts.append(rng.choice(STEER_THANK[before if rng.random() < 0.6 else "any"]))
        parts.append(core)
        if ask and "?" not in core:
            parts.append(rng.choice(STEER_ASK))
        return steer_line(greet, thank, ask), self.say(" ".join(parts), c)

    def hold(self, page, key, c, used):
        rng = self.rng
        text, _ = self.core(page, key, used)
        for _ in range(12):
            if rng.random() < 0.5:
                lead = rng.choice(HOLD_LEAD)
                out = f"{lead} {text}"
            else:
                lead = rng.choice(HOLD_JOIN)
                out = lead.replace("{s}", lower_first(text, (c["brand"],)))
            if lead not in used and words(out) <= 35:
                break
        else:
            return text
        used.add(lead)
        if rng.random() < 0.12 and words(out) <= 27:
            out += " " + rng.choice(HOLD_TAIL)
        return out

    def unused(self, pool, used):
        left = [p for p in pool if p not in used] or pool
        pick = self.rng.choice(left)
        used.add(pick)
        return pick

    # -- one dialogue, seen from both sides

    def dialogue(self, c, page, present, main, follow):
        """main: a fact key or None (a foreign question); follow: keys to ask later on."""
        rng = self.rng
        d = Dialogue()
        d.main = (main,)
        turns, used, agent_used = d.turns, set(), set()
        fact = page.facts.get(main)
        outcome = c["outcome"]

        def agent_says(key, first, given):
            if key in present:
                text = self.answer(page, key, c, first, given, agent_used)
                d.cores[len(turns)] = self.last_core, "order" if given else "any"
                return text, True
            text = self.unused(MISSING, agent_used)
            d.cores[len(turns)] = text, "any"
            if first and rng.random() < 0.12:
                text = self.say(rng.choice(AGENT_HELLO), c) + " " + text
            return text, False

        opening = self.opening(c, fact)
        turns.append(("c", opening))
        given = None
        low = opening.lower()
        has_order, has_item = c["order_id"].lower() in low, c["item"] in low
        if not has_order and rng.random() < (0.4 if outcome == "ABANDONED" else 0.22):
            kind = "order" if has_item or rng.random() < 0.85 else "item"
            text = rng.choice(ASK_ORDER if kind == "order" else ASK_ITEM)
            if rng.random() < 0.2:
                text = self.say(rng.choice(AGENT_HELLO), c) + " " + text
            turns.append(("a", text))
            if outcome == "ABANDONED" and rng.random() < 0.5:
                d.ends = "ABANDONED"
                return d
            parts = []
            if c["tone"] in ("annoyed", "angry") and rng.random() < 0.3:
                parts.append(rng.choice(GIVE_ANNOYED[c["base"]]))
            parts.append(rng.choice((GIVE_ORDER if kind == "order" else GIVE_ITEM)[c["base"]]))
            turns.append(("c", self.say(self.join_style(parts, c), c)))
            given = kind
        text, found = agent_says(main, given is None, given)
        turns.append(("a", text))
        answered = found

        if outcome == "UNRESOLVED":
            n = rng.choices((1, 2, 3), (0.62, 0.33, 0.05))[0]
            for _ in range(n):
                turns.append(("c", self.objection(fact, c, used, not found)))
                text = self.hold(page, main, c, agent_used) if found else self.unused(MISSING_HOLD, agent_used)
                d.cores[len(turns)] = text, "object"
                turns.append(("a", text))
            d.ends = "UNRESOLVED"
            return d
        if outcome == "ABANDONED":
            if rng.random() < 0.3 and follow:
                turns.append(("c", self.follow_up(page.facts.get(follow[0]), c, page, not found)))
                turns.append(("a", agent_says(follow[0], False, None)[0]))
            d.ends = "ABANDONED"
            return d
        for key in follow:
            turns.append(("c", self.follow_up(page.facts.get(key), c, page, not found)))
            text, found = agent_says(key, False, None)
            turns.append(("a", text))
            answered = answered or found
        d.ends = "RESOLVED" if answered else "UNRESOLVED"
        return d

    def neighbours(self, page, main, n):
        """What a customer asks next: mostly what stands beside the first matter, so that its passage holds it too."""
        rng = self.rng
        keys = [k for k in page.said if k != main]
        rng.shuffle(keys)
        fact = page.facts.get(main)
        if fact is not None:
            keys.sort(key=lambda k: page.facts[k]["slug"] != fact["slug"] or page.facts[k]["section"] != fact["section"])
        mate = page.topic.mate.get(main)
        if mate in keys and rng.random() < 0.93:
            keys.remove(mate)
            keys.insert(0, mate)
        return keys[:n]

    def page_for(self, c):
        """A drawn page, at times with strangers: facts of another topic among its own."""
        rng = self.rng
        topic = rng.choice(self.topics)
        page = Page(rng, topic, c["brand"], self.held, self.mode)
        if rng.random() < 0.08:
            other = Page(rng, rng.choice(self.topics), c["brand"], self.held, self.mode)
            for k in rng.sample(list(other.said), min(4, len(other.said))):
                if k not in page.said:
                    page.facts[k], page.values[k], page.said[k] = other.facts[k], other.values[k], other.said[k]
        return page

    def ground(self, page, full):
        """Passages of a page, the facts in them and the page's facts that are not."""
        rng = self.rng
        keys = list(page.said)
        if full:
            avoid = rng.sample(keys, rng.choice((1, 2, 3))) if rng.random() < 0.7 else []
            passages, present = self.whole_page(page, avoid)
        else:
            want = rng.sample(keys, 1 if self.short else rng.choice((1, 2, 2, 3)))
            passages, present = self.passages(page, want)
        return passages, present, [k for k in keys if k not in present]

    def more(self, c):
        """How many further questions a customer asks."""
        if c["outcome"] == "RESOLVED":
            return self.rng.choices((0, 1, 2), (0.32, 0.58, 0.1))[0]
        return 1

    def scene(self, c, page, present, absent):
        """One dialogue over given passages; fills in what the customer asks."""
        rng = self.rng
        here = list(present)
        rng.shuffle(here)
        gone = rng.sample(absent, min(len(absent), 3))

        def pick(p_absent):
            if (rng.random() < p_absent or not here) and (gone or rng.random() < 0.15):
                return gone.pop() if gone and rng.random() < 0.6 else None
            return here.pop() if here else None

        main = pick(0.03)
        n_follow = self.more(c)
        follow = []
        for _ in range(n_follow):
            mate = page.topic.mate.get(main)
            if mate in here and mate in present and rng.random() < 0.5:
                here.remove(mate)
                follow.append(mate)
            else:
                follow.append(pick(0.04))
        c["page"] = page
        if main is None:
            c["query"] = rng.choice(FOREIGN)
        elif "query" not in c:
            c["query"] = page.text(rng.choice(page.facts[main]["ask"]))
            if rng.random() < 0.06:
                c["query"] = rephrase(rng, c["query"])
            if rng.random() < 0.06:
                c["query"] = with_item(rng, c["query"], c["item"], True)
        d = self.dialogue(c, page, present, main, follow)
        d.c = c
        return d

    # -- the four tasks, each as (messages in common, open part of the next message, branches)
    #
    # Samples with the same beginning (a page, a customer) are made together, so that training has to
    # read the beginning only once.

    def tree_a(self, n=1, full=None, quick=0):
        rng = self.rng
        c = self.cast()
        page = self.page_for(c)
        full = (rng.random() < self.long_share and not self.short) if full is None else full
        passages, present, absent = self.ground(page, full)
        head = [("system", agent_system(c["agent"], c["brand"], page.topic.title, passages), False)]
        branches = []
        for _ in range(n):
            d = self.scene({**self.cast(), "brand": c["brand"], "agent": c["agent"]}, page, present, absent)
            noisy = rng.random() < 0.15
            if self.wide and d.cores and rng.random() < 0.4:
                i = rng.choice(list(d.cores))
                note, text = self.steered(d.cores[i][0], {**c, **d.c}, d.cores[i][1])
                msgs = [("user" if who == "c" else "assistant", t, False) for who, t in d.turns[:i]]
                msgs[-1] = ("user", f"{msgs[-1][1]}\n{note}", False)
                branches.append(msgs + [("assistant", text, True)])
                continue
            branches.append([("user", noise(rng, t) if noisy else t, False) if who == "c" else ("assistant", t, True)
                             for who, t in d.turns])
        keys = list(present)
        for k in rng.sample(keys, min(len(keys), quick)):
            branches.append(self.quick(page, k, c))
        if quick and absent and rng.random() < 0.15:
            branches.append(self.quick(page, rng.choice(absent), c, False))
        return head, "", branches

    def quick(self, page, key, c, found=True):
        """One question and its answer: many of these fit on one page."""
        rng = self.rng
        c = {**self.cast(), "brand": c["brand"], "agent": c["agent"], "page": page}
        c["query"] = page.text(rng.choice(page.facts[key]["ask"]))
        ask = self.opening(c, page.facts[key]) if rng.random() < 0.55 else c["query"]
        if rng.random() < 0.15:
            ask = noise(rng, ask)
        reply = self.answer(page, key, c, rng.random() < 0.5, None, set()) if found else rng.choice(MISSING)
        if self.wide and rng.random() < 0.35:
            note, reply = self.steered(self.last_core if found else reply, c)
            ask += "\n" + note
        return [("user", ask, False), ("assistant", reply, True)]

    def tree_b(self, n=1, status=None):
        """The customer's view; some branches end with the status question after one of the agent's turns."""
        rng = self.rng
        c = self.cast()
        page = self.page_for(c)
        passages, present, absent = self.ground(page, False)
        branches = []
        main = None
        for _ in range(n):
            if main is None:
                d = self.scene(c, page, present, absent)
                main = d.main
                if d.main[0] is not None and c["outcome"] != "UNRESOLVED":
                    d = self.dialogue(c, page, set(present) | set(page.said if rng.random() < 0.95 else ()), d.main[0],
                                      self.neighbours(page, d.main[0], self.more(c)))
            else:  # the same customer once more
                follow = self.neighbours(page, main[0], self.more(c))
                keep = set(present) | {k for k in follow if rng.random() < 0.95}
                d = self.dialogue(c, page, keep, main[0], follow)
            turns = d.turns
            if status or (status is None and rng.random() < 0.66):
                spots = [i for i, t in enumerate(turns) if t[0] == "a"]
                i = rng.choice(spots)
                msgs = self.customer_view(turns[:i + 1])
                msgs[-1] = ("user", f"{turns[i][1]}\n{STATUS_LINE}", False)
                msgs.append(("assistant", d.ends if i == spots[-1] else "CONTINUE", True))
            else:
                msgs = self.customer_view(turns[:-1])
            branches.append(msgs)
        return [("system", customer_system(c), False), ("user", START, False)], "", branches

    @staticmethod
    def customer_view(turns):
        return [("assistant", text, True) if who == "c" else ("user", text, False) for who, text in turns]

    def tree_d(self, n=1):
        rng = self.rng
        c = self.cast()
        topic = rng.choice(self.topics)
        page = Page(rng, topic, c["brand"], self.held, self.mode)
        keys = []
        while not keys:
            paras = self.paragraphs(page)
            start = rng.randrange(len(paras))
            if rng.random() < 0.15 and start == 0:
                paras.insert(0, (page.text(topic.intro), []))
            limit = rng.choice((60, 110, 170, 200, 200, 230))
            got, total = [], 0
            for p in paras[start:]:
                size = tokens_estimate(p[0])
                if got and total + size > limit:
                    break
                got.append(p)
                total += size
            keys = [k for _, ks in got for k in ks]
        branches = []
        counts = list(range(1, min(len(keys), 5) + 1))
        rng.shuffle(counts)
        for b in range(n):
            m = counts[b % len(counts)]
            if rng.random() < 0.04:
                m = min(6, m + rng.choice((1, 2)))
            picks = sorted(rng.sample(range(len(keys)), min(m, len(keys))))
            while len(picks) < m:
                picks = sorted(picks + [rng.randrange(len(keys))])
            out = []
            for i in picks:
                asks = [page.text(a) for a in page.facts[keys[i]]["ask"]]
                q = rng.choice([a for a in asks if a not in out and 4 <= words(a) <= 25] or asks)
                out.append(with_item(rng, q, c["item"]) if rng.random() < 0.03 else q)
            branches.append([("user", f"Write {m} questions that this page answers, as JSON.", False),
                             ("assistant", json.dumps({"queries": out}, ensure_ascii=False), True)])
        head = f"Page: {topic.title}\n" + "\n".join(t for t, _ in got) + "\n"
        return [("system", queries_system(c["brand"]), False)], head, branches

    def tree(self):
        """(task, messages in common, open text, branches): several samples with one beginning."""
        task = self.rng.choices(list(self.mix), list(self.mix.values()))[0]
        if task == "A":
            full = self.rng.random() < self.long_share and not self.short
            return task, *self.tree_a(3, full, 8)
        if task in "BD":
            return task, *(self.tree_b(3) if task == "B" else self.tree_d(3))
        return task, *self.tree_of(task, {"E": 3, "M": 6, "N": 10, "R": 5, "P": 4}[task])

    def tree_of(self, task, n):
        """The tasks of version 2."""
        if task in "EMN":
            return getattr(self.chats, "tree_" + task.lower())(n)
        if task == "R":
            return self.rewrites.tree_r(self.cast(), ITEMS + MORE_ITEMS, lambda r, q, i, o: with_item(r, q, i, o), n)
        return tree_p(self.rng, self.rewrites, ITEMS, MORE_ITEMS, self.cast(), n)

    @staticmethod
    def flat(tree):
        """The first branch as one list of messages."""
        head, text, branches = tree
        first = branches[0]
        if text:
            role, t, loss = first[0]
            first = [(role, text + t, loss)] + first[1:]
        return head + first

    def task_a(self, full=None):
        return self.flat(self.tree_a(1, full))

    def task_b(self):
        return self.flat(self.tree_b(1, False))

    def task_c(self):
        return self.flat(self.tree_b(1, True))

    def task_d(self):
        return self.flat(self.tree_d(1))

    def sample(self):
        """(task, messages): one sample.  A agent, B customer, C customer and status, D questions."""
        task = self.rng.choices("ABCD" + TASKS[3:], (0.25, 0.09, 0.12, 0.09, 0.12, 0.15, 0.03, 0.11, 0.04))[0]
        return task, self.one(task)

    def one(self, task):
        return getattr(self, "task_" + task.lower())() if task in "ABCD" else self.flat(self.tree_of(task, 1))


# --------------------------------------------------------------------------- shipped pages


def shipped_page(topic):
    lines, facts = [f"# {topic.title}", "", topic.intro, ""], []
    for s, section in enumerate(topic.sections):
        lines += [f"## {section['heading']}", ""]
        fs = [f for f in topic.facts if f["section"] == s]
        for i in range(0, len(fs), 2):
            texts = []
            for f in fs[i:i + 2]:
                vals = {k: shipped_value(v) for k, v in f["slots"].items()}
                text = fill(f["say"][0], vals)
                texts.append(text)
                facts.append({"id": f["id"], "values": list(vals.values()), "text": text, "questions": f["ask"]})
            para = " ".join(texts)
            if i == 0 and section.get("lead"):
                para = section["lead"] + " " + para
            lines += [para, ""]
    lines.append(topic.close)
    return "\n".join(lines) + "\n", {"title": topic.title, "facts": facts}


def write_pages(topics, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for t in topics:
        text, facts = shipped_page(t)
        (folder / f"{t.slug}.md").write_text(text, encoding="utf-8")
        (folder / f"{t.slug}.facts.json").write_text(
            json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="what", required=True)
    p = sub.add_parser("pages", help="print the shipped pages and fact lists")
    p.add_argument("--out", type=Path, default=PAGES)
    p.add_argument("--topics", type=Path, default=TOPICS)
    p = sub.add_parser("samples", help="print training samples")
    p.add_argument("--topics", type=Path, default=TOPICS)
    p.add_argument("-n", type=int, default=4)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--task", choices=list("ABCD" + TASKS[3:]))
    p.add_argument("--json", action="store_true", help="one JSON object a line")
    a = ap.parse_args()
    topics = load_topics(a.topics)
    if a.what == "pages":
        write_pages(topics, a.out)
        print(f"{len(topics)} pages in {a.out.name}")
        return
    g = Generator(topics, a.seed)
    for _ in range(a.n):
        task, msgs = (a.task, g.one(a.task)) if a.task else g.sample()
        if a.json:
            print(json.dumps({"task": task, "messages": [{"role": r, "content": t, "loss": x} for r, t, x in msgs]},
                             ensure_ascii=False))
        else:
            print(f"===== {task}")
            for r, t, x in msgs:
                print(f"[{r}{'*' if x else ''}] {t}")


if __name__ == "__main__":
    main()
