"""Renders every *.jinja beside this file over fixed conversations with transformers, the reference renderer.

    python make_goldens.py

writes goldens.json. The templates are written for this project, one idiom of published templates each.
`strftime_now` is fixed to 2026-11-20.
"""

import datetime
import json
from pathlib import Path

import transformers
from transformers.utils import chat_template_utils


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 20)


chat_template_utils.datetime = Fixed
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = {"role": "system", "content": "Answer from the page."}
CASES = {
    "plain": [SYSTEM, {"role": "user", "content": "Where is my lamp?"}],
    "turns": [
        SYSTEM,
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello! What is it?"},
        {"role": "user", "content": "It is \"broken\" & <dark>, isn't it? {{ x }} {% y %}"},
    ],
    "spaces": [{"role": "user", "content": "  a \n\n"}, {"role": "assistant", "content": "\n b\t"}, {"role": "user", "content": "c"}],
    "unicode": [{"role": "user", "content": "Größe 42 €, 你好, 👩‍👩‍👧, \u00a0x\u2028y \u0007 \\ /"}],
    "thinking": [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "<think>\neasy\n</think>\n\n4"},
        {"role": "user", "content": "3+3?"},
    ],
    "assistant_first": [SYSTEM, {"role": "assistant", "content": "Shop here."}, {"role": "user", "content": "Hi"}],
    "two_users": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "ends_with_assistant": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
}


def main():
    here = Path(__file__).resolve().parent
    out = {"transformers": transformers.__version__, "day": "2026-11-20", "variables": VARIABLES, "cases": CASES, "goldens": {}}
    for path in sorted(here.glob("*.jinja")):
        rows = out["goldens"][path.stem] = {}
        for name, messages in CASES.items():
            for prompt in (True, False):
                try:
                    text, _ = chat_template_utils.render_jinja_template(
                        [messages], chat_template=path.read_text(), add_generation_prompt=prompt, **VARIABLES
                    )
                    row = {"text": text[0]}
                except Exception as error:
                    row = {"error": str(error)}
                rows[f"{name}/{'prompt' if prompt else 'whole'}"] = row
    (here / "goldens.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
