"""Renders every *.jinja beside this file over fixed conversations with transformers, the reference renderer.

    python make_goldens.py

writes goldens.json. The templates are written for this project, one idiom of published templates each.
`strftime_now` is fixed to 2026-11-20.
"""

import datetime
import json
from pathlib import Path

import jinja2
import transformers
from transformers.utils import chat_template_utils


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 20)


chat_template_utils.datetime = Fixed
VARIABLES = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = {"role": "system", "content": "Answer from the page."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "description": "Looks an order up; \"quotes\" & <marks>.",
            "parameters": {
                "type": "object",
                "properties": {
                    "number": {"type": "string", "description": "as on the parcel"},
                    "limit": {"type": ["integer", "null"]},
                    "tags": {"type": "array", "items": {"type": "string", "enum": ["late", "lost"]}},
                    "price": {"type": "number"},
                },
                "required": ["number"],
            },
            "return": {"type": "object"},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]
CALLS = [
    {"role": "user", "content": "Where is LK-1?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"type": "function", "id": "abcdefghi", "function": {"name": "find_order", "arguments": {"number": "LK-1", "limit": 2, "tags": [], "x": None, "y": True}}}
        ],
    },
    {"role": "tool", "tool_call_id": "abcdefghi", "name": "find_order", "content": "{\"place\": \"Ämt\"}"},
    {"role": "assistant", "content": "In Ämt."},
    {"role": "user", "content": "Thanks"},
]
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
    "tools": {"messages": CALLS, "kwargs": {"tools": TOOLS}},
    "documents": {
        "messages": [{"role": "user", "content": "How long?"}],
        "kwargs": {"documents": [{"doc_id": 7, "text": "30 days."}, {"title": "x"}], "controls": {"length": "short"}},
    },
    "thought": {
        "messages": [
            {"role": "user", "content": "Is it open?"},
            # the reference puts `thinking` there itself, before the other keys
            {"thinking": "\nIt is Friday.\n", "role": "assistant", "reasoning_content": "\nIt is Friday.\n", "content": "Yes."},
        ],
        "kwargs": {"enable_thinking": False, "thinking_budget": 0, "reasoning_effort": "low"},
    },
    "switched": {
        "messages": [SYSTEM, {"role": "user", "content": "Go on /no_think"}],
        "kwargs": {
            "enable_thinking": True, "thinking_budget": 64, "style": "terse", "flags": {"b": 1, "a": True}, "words": ["x", "y"],
            "nested": {"deep": {"er": [1, "two"]}}, "level": 4, "ratio": 0.25, "prefill": "Well,", "date_string": "1 May 2020",
        },
    },
}


def main():
    here = Path(__file__).resolve().parent
    out = {"transformers": transformers.__version__, "day": "2026-11-20", "variables": VARIABLES, "cases": CASES, "goldens": {}}
    for path in sorted(here.glob("*.jinja")):
        rows = out["goldens"][path.stem] = {}
        for name, case in CASES.items():
            messages, kwargs = (case, {}) if isinstance(case, list) else (case["messages"], case["kwargs"])
            for prompt in (True, False):
                try:
                    text, _ = chat_template_utils.render_jinja_template(
                        [messages], chat_template=path.read_text(), add_generation_prompt=prompt, **(VARIABLES | kwargs)
                    )
                    row = {"text": text[0]}
                except Exception as error:
                    # what `raise_exception` says is compared; what Python or Jinja say is not
                    raised = type(error) is jinja2.exceptions.TemplateError
                    row = {"error": str(error), "raised": raised}
                rows[f"{name}/{'prompt' if prompt else 'whole'}"] = row
    (here / "goldens.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
