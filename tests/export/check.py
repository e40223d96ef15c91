"""Loads exports with the packages that people load them with: datasets, TRL, huggingface_hub, PyYAML.

Run by check.sh, which makes the environment and the exports. Arguments: the folder that holds them, and chat templates or
tokenizers to try if there are any. Prints a line for each check; the exit code is 1 when one fails.
"""

import json
import sys
from pathlib import Path

import yaml
from datasets import load_dataset
from huggingface_hub import DatasetCard
from transformers import PreTrainedTokenizerFast
from tokenizers import Tokenizer, models
from trl import data_utils

ROOT = Path(sys.argv[1])
TEMPLATES = [Path(name) for name in sys.argv[2:]]
# Our own, for machines that have no other: it refuses sides that do not take turns, as the strictest ones do.
STRICT = (
    "{% set said = namespace(own=false) %}"
    "{% for m in messages %}"
    "{% if m.role == 'system' %}<s>{{ m.content }}</s>"
    "{% elif (m.role == 'assistant') != said.own %}{{ raise_exception('no turns') }}"
    "{% else %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% set said.own = not said.own %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
failed = 0


def check(name, fits, told=""):
    global failed
    failed += not fits
    print("ok  " if fits else "FAIL", name, told)


def tokenizer(template):
    one = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, unk_token="x")))
    one.eos_token = "</s>"
    one.bos_token = "<s>"
    one.chat_template = template
    return one


def templates():
    yield "strict", STRICT
    for path in TEMPLATES:
        yield path.stem, path.read_text()


def bare(value):
    """Without what is null, and without structs that hold nothing."""
    if isinstance(value, dict):
        kept = {key: bare(one) for key, one in value.items()}
        kept = {key: one for key, one in kept.items() if one is not None}
        return kept or None
    if isinstance(value, list):
        return [bare(one) for one in value]
    return value


def load(folder):
    return load_dataset(str(folder), cache_dir=str(ROOT / "cache"))


applied = getattr(data_utils, "maybe_apply_chat_template", data_utils.apply_chat_template)

for folder in sorted(path for path in ROOT.iterdir() if (path / "README.md").exists()):
    name = folder.name
    card = DatasetCard.load(folder / "README.md")
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    check(f"{name}: card", front["license"] and front["tags"][0] == "synthetic" and card.data.license == front["license"],
          f"license {card.data.license}, {card.data.size_categories}")
    try:
        data = load(folder)
    except Exception as error:
        check(f"{name}: load_dataset", False, repr(error)[:600])
        continue
    declared = {one["split"]: one["path"] for one in front["configs"][0]["data_files"]}
    rows = {split: data[split].num_rows for split in data}
    check(f"{name}: load_dataset", set(rows) == set(declared) and all(rows.values()), f"{rows}")
    info = folder / "dataset_info.json"
    if info.exists():
        entries = json.loads(info.read_text())
        for key, entry in entries.items():
            split = Path(entry["file_name"]).stem
            columns = data[split].column_names
            check(f"{name}: dataset_info {key}", (folder / entry["file_name"]).exists()
                  and all(column in columns for column in entry["columns"].values()), f"{entry['columns']}")
            # As LLaMA-Factory reads a row: sides take turns from the user on, and the last one is the assistant's.
            tags = entry.get("tags", {})
            role = tags.get("role_tag", "from")
            user, own = tags.get("user_tag", "human"), tags.get("assistant_tag", "gpt")
            good = 0
            for row in data[split]:
                said = [one[role] for one in row[entry["columns"]["messages"]]]
                if said and said[0] == tags.get("system_tag"):
                    said = said[1:]
                turns = all(one == [user, own][at % 2] for at, one in enumerate(said))
                ranked = entry.get("ranking", False)
                good += turns and len(said) % 2 == ranked and (not ranked or isinstance(row["chosen_message"], dict))
            told = f"{good} of {data[split].num_rows} rows fit"
            check(f"{name}: LLaMA-Factory's rules, {key}", good == data[split].num_rows or "messages" in name or "both" in name, told)
    stub = folder / "axolotl.yaml"
    if stub.exists():
        told = yaml.safe_load(stub.read_text())
        check(f"{name}: axolotl.yaml", all((folder / one["path"]).exists() for one in told["datasets"]), f"{list(told)}")
    for split in data:
        for row in data[split]:
            if "messages" in row:
                row = {"messages": row["messages"]}
            elif "prompt" in row:
                row = {key: row[key] for key in ("prompt", "chosen", "rejected")}
            else:
                break
            if not data_utils.is_conversational(row):
                check(f"{name}/{split}: is_conversational", False, str(row)[:200])
                break
        else:
            check(f"{name}/{split}: is_conversational", True)
    columns = next(iter(data.values())).column_names
    if "messages" not in columns and "prompt" not in columns:
        continue
    wanted = ["messages"] if "messages" in columns else ["prompt", "chosen", "rejected"]
    for label, template in templates():
        one = tokenizer(template)
        worked, why = 0, ""
        for row in (row for part in data.values() for row in part):
            row = {column: [{"role": m["role"], "content": m["content"]} for m in row[column]] for column in wanted}
            try:
                text = applied(row, one)
                worked += all(isinstance(value, str) and value for value in text.values())
            except Exception as error:
                why = repr(error)[:160]
        # Members of groups may begin, and customers do: templates that ask for turns refuse those.
        strict = "group" not in name and "mixed" not in name and "both" not in name
        whole = sum(rows.values())
        check(f"{name}: chat template {label}", worked == whole or not strict, f"{worked} of {whole} {why}")

for lines in sorted(path for path in ROOT.iterdir() if path.name.endswith("-jsonl")):
    twin = lines.with_name(lines.name.replace("-jsonl", "-parquet"))
    if not twin.exists():
        continue
    one, other = load(lines), load(twin)
    same = all([bare(row) for row in one[split]] == [bare(row) for row in other[split]] for split in one)
    check(f"{twin.name}: the rows of {lines.name}", same)

for path in sorted(ROOT.glob("*.jsonl")) + sorted(ROOT.glob("*.parquet")):
    kind = "parquet" if path.suffix == ".parquet" else "json"
    try:
        data = load_dataset(kind, data_files=str(path), split="train", cache_dir=str(ROOT / "cache"))
        check(f"{path.name}: load_dataset", data.num_rows > 0, f"{data.num_rows} rows, {len(data.column_names)} columns")
    except Exception as error:
        check(f"{path.name}: load_dataset", False, repr(error)[:600])

sys.exit(1 if failed else 0)
