"""Small SentencePiece models of our own help pages as tokenizer.json, with what SentencePiece itself and the tokenizers
library make of some texts.

    python make_fixtures.py      (needs sentencepiece and tokenizers)

writes bpe.json, unigram.json and goldens.json beside this file.
"""

import io
import json
import unicodedata
from pathlib import Path

import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

HERE = Path(__file__).resolve().parent
PAGES = sorted((HERE.parent.parent / "prompts" / "pages").glob("*.md"))
MARKS = ["<s>", "</s>", "<|turn|>", "<|end|>"]
TEXTS = [
    "How long do I have to return a camera?",
    " leading and  double   spaces ",
    "refund, please: £12.50 - it's 3 May!",
    "Größe, naïve, Æther: 42 €",
    "你好 👩‍👩‍👧 \u00a0nbsp \u2028 line",
    "line\nline\r\n\ttab",
    "ﬁne ①② ｆｕｌｌ e\u0301 \u212b",
    "▁ is a mark here",
    "a",
    " ",
    "<s> is spelt out, and <|end|> too",
    "the order the order the order",
]
MARKED = ["<|turn|>How long?<|end|>\n<|turn|> 5 days <|end|>", "<s><|turn|>  a<|end|></s>", "x <|end|> y", "<|end|>"]


def trained(kind):
    """A SentencePiece model: byte fallback, digits apart, no normalisation of its own."""
    model = io.BytesIO()
    lines = [line for page in PAGES for line in page.read_text().splitlines() if line.strip()]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type=kind, vocab_size=520, byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.999, allow_whitespace_only_pieces=True,
        num_threads=1, minloglevel=2, unk_id=0, bos_id=-1, eos_id=-1,
    )
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


def pieces(sp):
    return [(sp.id_to_piece(i), sp.get_score(i)) for i in range(sp.get_piece_size())]


def as_bpe(sp):
    """Scores of a BPE model are the order of its merges."""
    vocab = {piece: i for i, (piece, _) in enumerate(pieces(sp))}
    scores = dict(pieces(sp))
    merges = []
    for piece, i in vocab.items():
        if sp.is_byte(i) or sp.is_unknown(i):
            continue
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        merges += [(scores[piece], vocab[a], vocab[b], a, b) for a, b in cuts if a in vocab and b in vocab]
    merges.sort(key=lambda merge: (-merge[0], merge[1], merge[2]))
    model = models.BPE(vocab, [(a, b) for *_, a, b in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def as_unigram(sp):
    tokenizer = Tokenizer(models.Unigram(pieces(sp), unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace("▁", "always")])
    return tokenizer


def variants(name, tokenizer):
    """The same vocabulary with the flags and steps that published files differ in."""

    def copy():
        return Tokenizer.from_str(tokenizer.to_str())

    def marked(copy, **flags):
        copy.add_special_tokens([AddedToken(mark, **{"normalized": False, **flags}) for mark in MARKS])
        return copy

    yield name, marked(copy())
    yield f"{name}-lstrip", marked(copy(), lstrip=True)
    yield f"{name}-rstrip", marked(copy(), rstrip=True)
    yield f"{name}-normalized", marked(copy(), normalized=True)
    for form in ("NFC", "NFKC"):
        other = copy()
        steps = [getattr(normalizers, form)()] + ([tokenizer.normalizer] if tokenizer.normalizer else [])
        other.normalizer = normalizers.Sequence(steps)
        yield f"{name}-{form.lower()}", marked(other)
    if name == "unigram":
        for scheme in ("first", "never"):
            other = copy()
            other.pre_tokenizer = pre_tokenizers.Metaspace("▁", scheme, split=False)
            other.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace("▁", scheme)])
            yield f"{name}-{scheme}", marked(other)


def main():
    goldens = {}
    for kind, build in (("bpe", as_bpe), ("unigram", as_unigram)):
        sp = trained(kind)
        whole = build(sp)
        for name, tokenizer in variants(kind, whole):
            if name == kind:
                (HERE / f"{kind}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
            own = json.loads(tokenizer.to_str())
            parts = {key: own[key] for key in ("added_tokens", "normalizer", "pre_tokenizer", "decoder")}
            rows = []
            for text in TEXTS + MARKED:
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                row = {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
                form = name.rpartition("-")[2]
                plain = unicodedata.normalize(form.upper(), text) if form in ("nfc", "nfkc") else text
                if not any(mark in text for mark in MARKS) and form not in ("first", "never"):
                    row["sentencepiece"] = sp.encode(plain)
                rows.append(row)
            goldens[name] = {"parts": parts, "rows": rows}
    (HERE / "goldens.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n")
    for name, golden in goldens.items():
        both = [row for row in golden["rows"] if "sentencepiece" in row]
        print(name, sum(row["ids"] == row["sentencepiece"] for row in both), "of", len(both), [row["text"] for row in both if row["ids"] != row["sentencepiece"]])


if __name__ == "__main__":
    main()
