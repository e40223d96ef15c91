"""Computes what src/metrics computes, by other means: values.json, which the tests of the metrics read.

    python make_values.py > values.json

Made with lexicalrichness 0.5.1 (MTLD, HD-D, MATTR), nltk 3.10.4 (BLEU), scikit-learn 1.9.1 (TF-IDF), vendi-score 0.0.3
(Vendi score), numpy 2.4.6 and scipy 1.17.1 (eigenvalues, entropy), gzip of Python 3.11. The texts are the shipped help pages
and the lines below; every package is fed the same words, split at spaces.
"""

import gzip
import json
import math
import re
import types
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy
import scipy.linalg
import scipy.sparse
import scipy.stats
from lexicalrichness import LexicalRichness
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from nltk.util import ngrams
from sklearn.feature_extraction.text import TfidfVectorizer

if not hasattr(scipy.sparse, "csr"):  # vendi-score 0.0.3 asks for a name that newer versions of scipy have moved
    scipy.sparse.csr = types.SimpleNamespace(csr_matrix=scipy.sparse.csr_matrix)
from vendi_score import vendi

PAGES = Path(__file__).resolve().parents[2] / "prompts" / "pages"

LINES = [
    "hello i would like to know when my parcel will arrive",
    "hello i would like to know when my refund will arrive",
    "your parcel is on its way and should be with you by friday",
    "your refund is on its way and should be with you by friday",
    "that is a long time to wait for a pair of shoes",
    "i am sorry about the wait the depot was closed over the holidays",
    "the kettle leaks at the base and i have only had it for a week",
    "please send us a photo of the base and we will look into it",
    "no no no no that will not do at all",
    "can i have the money back instead of a new one",
    "you can have the money back or a new one as you like",
    "then i would like the money back please and thank you",
]


def tokens(text):
    return re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*", text.lower())


def lexical():
    texts = [tokens(path.read_text("utf-8")) for path in sorted(PAGES.glob("*.md"))[:6]]
    texts += [" ".join(LINES).split(), texts[0][:60], ("the cat and the dog " * 12).split()]
    rows = []
    for words in texts:
        rich = LexicalRichness(" ".join(words), preprocessor=None, tokenizer=str.split)
        assert rich.wordlist == words
        rows.append({
            "text": " ".join(words),
            "words": len(words),
            "mtld": rich.mtld(threshold=0.72),
            "hdd": rich.hdd(draws=42),
            "mattr": rich.mattr(window_size=50),
        })
    return rows


def bleu(lines):
    smooth = SmoothingFunction().method1
    rows = [line.split() for line in lines]
    return [
        sentence_bleu(rows[:at] + rows[at + 1:], row, weights=(0.25,) * 4, smoothing_function=smooth)
        for at, row in enumerate(rows)
    ]


def distinct(lines, n):
    runs = [run for line in lines for run in ngrams(line.split(), n)]
    return len(set(runs)) / len(runs)


def nearest(lines):
    """The likeness of each to the one that it is most like."""
    sets = [set(ngrams(line.split(), 5)) for line in lines]
    like = [[len(a & b) / len(a | b) if a | b else 0.0 for b in sets] for a in sets]
    return [max(row[:at] + row[at + 1:]) for at, row in enumerate(like)]


def repetition(lines, group):
    owners = {}
    for line, owner in zip(lines, group):
        for run in ngrams(line.split(), 8):
            owners.setdefault(run, set()).add(owner)
    found = [[0, 0] for _ in range(max(group) + 1)]
    for line, owner in zip(lines, group):
        for run in ngrams(line.split(), 8):
            found[owner][0] += len(owners[run]) > 1
            found[owner][1] += 1
    return found


def cosines(lines):
    vectors = TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False).fit_transform(lines)
    kernel = (vectors @ vectors.T).toarray()
    return kernel, {
        "first_row": kernel[0].tolist(),
        "mean": float(numpy.mean([kernel[a, b] for a, b in combinations(range(len(lines)), 2)])),
        "vendi": float(vendi.score_K(kernel)),
    }


def dense():
    rng = numpy.random.default_rng(5)
    vectors = numpy.round(rng.normal(size=(40, 6)) + 0.5, 3).astype(numpy.float32)
    wide = vectors.astype(numpy.float64)
    both = float(vendi.score_X(wide)), float(vendi.score_dual(wide))
    assert abs(both[0] - both[1]) < 1e-8
    unit = wide / numpy.linalg.norm(wide, axis=1, keepdims=True)
    kernel = unit @ unit.T
    return {
        "vectors": vectors.tolist(),
        "mean": float((kernel.sum() - len(wide)) / (len(wide) * (len(wide) - 1))),
        "vendi": both[0],
    }


def symmetric():
    rng = numpy.random.default_rng(9)
    half = numpy.round(rng.normal(size=(17, 17)), 2)
    matrix = half + half.T
    return {"matrix": matrix.flatten().tolist(), "values": scipy.linalg.eigvalsh(matrix).tolist()}


def shares():
    rows = []
    for counts in [[3, 1], [1, 1, 1, 1], [10, 0, 0], [5, 3, 2, 7, 1], [2, 9]]:
        mean = sum(counts) / len(counts)
        differences = sum(abs(a - b) for a in counts for b in counts)
        rows.append({
            "counts": counts,
            "evenness": float(scipy.stats.entropy(counts)) / math.log(len(counts)),
            "gini": differences / (2 * len(counts) ** 2 * mean),
        })
    return rows


def packed():
    texts = [path.read_text("utf-8") for path in sorted(PAGES.glob("*.md"))[:6]]
    joined = " ".join(texts).encode()
    lines = " ".join(LINES * 30).encode()
    return {
        "pages": texts,
        "of_pages": len(joined) / len(gzip.compress(joined, 9)),
        "of_lines_thirty_times": len(lines) / len(gzip.compress(lines, 9)),
    }


def closing(lines, length):
    return Counter(" ".join(line.split()[-length:]) for line in lines).most_common(1)[0][1]


group = [0, 1, 0, 1, 2, 2, 3, 3, 4, 5, 5, 5]
print(json.dumps({
    "lexical": lexical(),
    "lines": LINES,
    "bleu": bleu(LINES),
    "distinct": [distinct(LINES, n) for n in (1, 2, 3)],
    "nearest": nearest(LINES),
    "group": group,
    "repetition": repetition(LINES + [LINES[2]], group + [5]),
    "words": cosines(LINES)[1],
    "dense": dense(),
    "symmetric": symmetric(),
    "shares": shares(),
    "packed": packed(),
    "most_common_closing": closing(LINES, 2),
}, indent=1))
