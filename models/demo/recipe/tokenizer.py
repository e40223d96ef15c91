#!/usr/bin/env python3
"""Trains the demo model's tokenizer (byte-level BPE, 4096 entries) on the generator's own text.

    python tokenizer.py --samples 30000
"""
import argparse
import json
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


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--samples", type=int, default=30000)
    ap.add_argument("--seed", type=int, default=77)
    ap.add_argument("--topics", type=Path, default=TOPICS)
    ap.add_argument("--out", type=Path, default=DEMO)
    a = ap.parse_args()
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
