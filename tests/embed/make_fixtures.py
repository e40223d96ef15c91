"""Makes the embedders' fixtures: tiny random encoders as sentence-transformers lays them out, and what transformers
computes with them.

    python make_fixtures.py      (needs torch, transformers and tokenizers; made with 2.15.0, 5.23.0 and 0.23.3)

writes bert/, roberta/ and distilbert/ beside this file. Everything is seeded. Each folder's expected.json holds, computed
in float64 over the stored weights:
  texts     what was read
  ids       the token ids of each, cut to the model's longest text
  cut       how many were cut
  rows      the last layer's rows of the first text, one after the other
  vectors   pooled as 1_Pooling/config.json says, then of unit length
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

HERE = Path(__file__).resolve().parent
WORDS = "the my order is late refund please camera lens you how do can where".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
MARKS = list("?!.,'-#")
TEXTS = [
    "Where is my order?",
    "Please refund the camera lens.",
    "",
    "Café NAÏVE",
    "an emoji 🙂 is unknown",
    "how [SEP] do </s> marks read",
    "how do you do how do you do how do you do how do you do how do you do",
    "?",
]
LONGEST = 16


def tokenizer(marks, around):
    pad, unk, begin, end = marks
    vocabulary = [begin, pad, end, unk] if begin == "<s>" else [pad, unk, begin, end]
    vocabulary += WORDS + list(LETTERS) + ["##" + c for c in LETTERS] + MARKS
    vocabulary = {token: id for id, token in enumerate(dict.fromkeys(vocabulary))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=unk, max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(marks))
    b, e = (begin, vocabulary[begin]), (end, vocabulary[end])
    made.post_processor = {
        "template": lambda: processors.TemplateProcessing(f"{begin} $A {end}", None, [b, e]),
        "bert": lambda: processors.BertProcessing(e, b),
        "roberta": lambda: processors.RobertaProcessing(e, b),
    }[around]()
    return made


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator)
            is_norm = "norm" in name.lower() and name.endswith("weight")
            weight.copy_(1 + 0.2 * noise if is_norm else 0.4 * noise)


def pooled(rows, mode):
    vector = {"cls": rows[0], "max": rows.max(0).values, "mean": rows.mean(0)}[mode]
    return vector / vector.norm()


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def rounded(tensor):
    return [float(f"{x:.9g}") for x in tensor.flatten().tolist()]


def make(name, marks, around, build, pooling_file, mode, normalize, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = tokenizer(marks, around)
    whole = build(made.get_vocab_size())
    randomise(whole, seed)
    whole.eval()
    stored = {k: v.clone().contiguous() for k, v in whole.state_dict().items() if "position_ids" not in k}
    stored = {k: v for k, v in stored.items() if "lm_head" not in k and "pooler" not in k}
    save_file(stored, folder / "model.safetensors")
    config = json.loads(whole.config.to_json_string(use_diff=False))
    kept = """model_type vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act layer_norm_eps
        max_position_embeddings type_vocab_size pad_token_id dim n_layers n_heads hidden_dim activation""".split()
    write(folder / "config.json", {key: config[key] for key in kept if key in config})
    made.save(str(folder / "tokenizer.json"))
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    modules = [
        {"idx": i, "name": str(i), "path": "" if i == 0 else f"{i}_{kind}", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    write(folder / "modules.json", modules)
    write(folder / "1_Pooling" / "config.json", pooling_file)
    write(folder / "sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False})

    encoder = getattr(whole, "roberta", whole).double()
    ids, rows, vectors, cut = [], [], [], 0
    for text in TEXTS:
        own = made.encode(text, add_special_tokens=True).ids
        cut += len(own) > LONGEST
        own = own[: LONGEST - 1] + own[-1:] if len(own) > LONGEST else own
        with torch.no_grad():
            out = encoder(input_ids=torch.tensor([own])).last_hidden_state[0]
        ids.append(own)
        rows.append(out)
        vectors.append(pooled(out, mode))
    spread = torch.stack(vectors) @ torch.stack(vectors).T
    assert spread.min() < (0.99 if mode == "max" else 0.8), f"{name}: its vectors are all alike"
    expected = {"texts": TEXTS, "ids": ids, "cut": cut, "rows": rounded(rows[0]), "vectors": [rounded(v) for v in vectors]}
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
    print(name, sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()), "bytes")


sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
make(
    "bert",
    ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    "template",
    lambda size: BertModel(BertConfig(vocab_size=size, max_position_embeddings=20, **sizes), add_pooling_layer=False),
    {"word_embedding_dimension": 16, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    "mean",
    True,
    11,
)
make(
    "roberta",
    ("<pad>", "<unk>", "<s>", "</s>"),
    "roberta",
    lambda size: RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=size, max_position_embeddings=18, type_vocab_size=1, layer_norm_eps=1e-5, hidden_act="gelu_new", **sizes
        )
    ),
    {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    "cls",
    False,
    12,
)
make(
    "distilbert",
    ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    "bert",
    lambda size: DistilBertModel(
        DistilBertConfig(
            vocab_size=size, max_position_embeddings=20, dim=16, n_layers=2, n_heads=4, hidden_dim=24, activation="relu"
        )
    ),
    {"embedding_dimension": 16, "pooling_mode": "max"},
    "max",
    True,
    13,
)
