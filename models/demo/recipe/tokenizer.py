#!/usr/bin/env python3
"""Trains the demo model's tokenizer (byte-level BPE) on the generator's own text.

    python tokenizer.py --samples 30000            # 4096 entries, from nothing
    python tokenizer.py --extend 6144              # more entries for the one that is there; the old ones keep their numbers
"""
import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from generate import TOPICS, Generator, load_topics

DEMO = Path(__file__).resolve().parents[1]
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = ("{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")

# General words, so that pages of the user's own do not fall apart into bytes at once.
GENERAL = """the of and to in is you that it he was for on are as with his they I at be this have from or one had by
word but not what all were we when your can said there use an each which she do how their if will up other about out many
then them these so some her would make like him into time has look two more write go see number no way could people my than
first water been call who oil its now find long down day did get come made may part over new sound take only little work know
place year live me back give most very after thing our just name good sentence man think say great where help through much
before line right too mean old any same tell boy follow came want show also around form three small set put end does another
well large must big even such because turn here why ask went men read need land different home us move try kind hand picture
again change off play spell air away animal house point page letter mother answer found study still learn should world high
account address available business company contact credit customer customers data document email employee free internet
library manager member minutes month months office password payment people phone policy price process product programme
public question report request required school security service services staff student support system team ticket travel
train university user week weeks website working years hotel room booking flight luggage doctor appointment insurance bank
loan card book course fee museum garden park swim pool gym restaurant menu table allergy vegetarian parking bus station city
council tax rubbish recycling passport visa licence permit election vote hospital clinic pharmacy medicine child children
parents teacher exam grade energy electricity gas meter tariff broadband mobile data contract roaming""".split()


def corpus(n, seed, topics):
    g = Generator(topics, seed)
    for _ in range(n):
        _, msgs = g.sample()
        for _, text, _ in msgs:
            yield text
    for t in topics:
        yield t.intro
        yield t.close
    for w in GENERAL:
        for _ in range(40):
            yield "x " + w


def extend(path, size, texts):
    """Adds merges learned on `texts` to a tokenizer, until it has `size` entries."""
    tok = Tokenizer.from_file(str(path))
    data = json.loads(tok.to_str())
    vocab, merges = data["model"]["vocab"], data["model"]["merges"]
    name = {i: w for w, i in vocab.items()}
    count = Counter()
    for text in texts:
        count.update(w for w, _ in tok.pre_tokenizer.pre_tokenize_str(text))
    decode = decoders.ByteLevel().decode
    words = []
    for w, n in count.items():
        parts = [name[i] for i in tok.encode(decode([w]), add_special_tokens=False).ids]
        if len(parts) > 1:
            words.append((parts, n))
    where, pairs = defaultdict(set), Counter()
    for i, (parts, n) in enumerate(words):
        for pair in zip(parts, parts[1:]):
            pairs[pair] += n
            where[pair].add(i)
    while len(vocab) < size:
        best, n = max(pairs.items(), key=lambda x: (x[1], x[0]))
        if n < 2:
            break
        new = best[0] + best[1]
        merges.append(list(best))
        vocab.setdefault(new, len(vocab))
        for i in list(where[best]):
            parts, n = words[i]
            for pair in zip(parts, parts[1:]):
                pairs[pair] -= n
                where[pair].discard(i)
            out, k = [], 0
            while k < len(parts):
                if tuple(parts[k:k + 2]) == best:
                    out.append(new)
                    k += 2
                else:
                    out.append(parts[k])
                    k += 1
            words[i] = out, n
            for pair in zip(out, out[1:]):
                pairs[pair] += n
                where[pair].add(i)
        pairs.pop(best, None)
    return Tokenizer.from_str(json.dumps(data))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--samples", type=int, default=30000)
    ap.add_argument("--seed", type=int, default=77)
    ap.add_argument("--topics", type=Path, default=TOPICS)
    ap.add_argument("--out", type=Path, default=DEMO)
    ap.add_argument("--extend", type=int, default=0, help="entries in all; keeps those of the tokenizer in --out")
    a = ap.parse_args()
    if a.extend:
        tok = extend(a.out / "tokenizer.json", a.extend, corpus(a.samples, a.seed, load_topics(a.topics)))
        tok.save(str(a.out / "tokenizer.json"))
        print("entries:", tok.get_vocab_size())
        return
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, min_frequency=2, special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tok.train_from_iterator(corpus(a.samples, a.seed, load_topics(a.topics)), trainer)
    a.out.mkdir(parents=True, exist_ok=True)
    tok.save(str(a.out / "tokenizer.json"))
    added = {str(i): {"content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                      "special": True} for i, s in enumerate(SPECIAL)}
    config = {
        "add_bos_token": False, "add_eos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
        "bos_token": None, "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|end|>",
        "model_max_length": 1024, "pad_token": "<|pad|>", "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
    (a.out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    print("entries:", tok.get_vocab_size())
    for i, s in enumerate(SPECIAL):
        assert tok.token_to_id(s) == i
    for text in ("You have 30 days, £4.95, until 18:00 (LM-20).", "{\"queries\": [\"How long?\"]}"):
        e = tok.encode(text)
        assert tok.decode(e.ids, skip_special_tokens=False) == text, (text, tok.decode(e.ids))
        print(e.tokens)


if __name__ == "__main__":
    main()
