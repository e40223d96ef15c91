"""What transformers does with the same folder: one workload, one JSON object. Runs in the peer's own environment."""
import argparse
import json
import time

import torch
from transformers import AutoModelForCausalLM


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--prompt", type=int, default=64)
    p.add_argument("--new", type=int, default=64, help="0: the prompt alone")
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.bfloat16).eval()
    ids = torch.randint(5, model.config.vocab_size, (o.batch, o.prompt))
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        model(ids[:, :16], logits_to_keep=1)  # warm-up
        times = []
        for _ in range(4 if o.new == 0 else 2):
            started = time.monotonic()
            model(ids, attention_mask=mask, logits_to_keep=1)
            times.append(time.monotonic() - started)
        speed = ids.numel() * len(times) / sum(times)
        if o.new:
            started = time.monotonic()
            out = model.generate(ids, attention_mask=mask, min_new_tokens=o.new, max_new_tokens=o.new, do_sample=True,
                                 temperature=0.8, top_k=50, top_p=0.9, pad_token_id=0)
            # The prompt's own time is not counted; its faster try, as the first one still sets things up.
            seconds = time.monotonic() - started - min(times)
            speed = (out.numel() - ids.numel()) / seconds
    print(json.dumps({"tokens_per_s": speed}))


if __name__ == "__main__":
    main()
