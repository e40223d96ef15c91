"""The multi-agent workload of benches/agents.rs against llama-server, over loopback.

Starts a server, talks, stops it by its own process id, prints one JSON object. Prompts are token ids; each agent may keep
a slot of its own, in which the server finds all of the agent's view but the newest words.
"""
import argparse
import http.client
import json
import random
import socket
import subprocess
import tempfile
import threading
import time

SYSTEM, NEW, MARKS = 250, 48, [1, 2, 3, 4]
# Ids below this are the made-up vocabulary's end token and line break.
FIRST_WORD = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One llama-server process, stopped when the block ends."""

    def __init__(self, words: list[str], port: int) -> None:
        self.port = port
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(words, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self) -> "Server":
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                link.request("GET", "/health")
                if link.getresponse().status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.1)
        self.__exit__()
        self._log.seek(0)
        raise SystemExit("llama-server did not start:\n" + self._log.read().decode(errors="replace")[-2000:])

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def complete(link: http.client.HTTPConnection, prompt: list[int], slot: int, cached: bool, greedy: bool = False) -> dict:
    body = {
        "prompt": prompt, "n_predict": NEW, "ignore_eos": True, "cache_prompt": cached, "id_slot": slot, "seed": 7,
        "temperature": 0.0 if greedy else 0.8, "top_k": 50, "top_p": 0.9, "samplers": ["top_k", "top_p", "temperature"],
        "return_tokens": True, "response_fields": ["tokens", "timings"],
    }
    link.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
    answer = link.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"llama-server answered {answer.status}: {text[:300]!r}")
    return json.loads(text)


def converse(o: argparse.Namespace, port: int, number: int, sums: list[tuple[int, int]], together: threading.Barrier) -> None:
    """Two agents talk: each sees its own system prompt, then everything said."""
    draw = random.Random(1000 + number)
    views = [[draw.randrange(FIRST_WORD, o.vocab) for _ in range(SYSTEM)] for _ in range(2)]
    slots = {"agent": [number, o.conversations + number], "conversation": [2 * number, 2 * number + 1], "free": [-1, -1]}[o.order]
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=900)
    together.wait()
    new = computed = 0
    for turn in range(o.turns):
        speaker = turn % 2
        reply = complete(link, views[speaker], slots[speaker], not o.no_cache)
        for view in views:
            view.extend(reply["tokens"])
            view.extend(MARKS)
        new += len(reply["tokens"])
        computed += reply["timings"]["prompt_n"]
    sums.append((new, computed))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--server", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--vocab", type=int, required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--conversations", type=int, default=16)
    p.add_argument("--turns", type=int, default=10)
    p.add_argument("--order", choices=("agent", "conversation", "free"), default="agent",
                   help="slots in the order of agents or of conversations, or chosen by the server")
    p.add_argument("--unified", action="store_true", help="one key-value buffer for all slots")
    p.add_argument("--flash-attention", choices=("on", "off"), default="on")
    p.add_argument("--no-cache", action="store_true")
    p.add_argument("--slots", type=int, help="default: one per agent")
    o = p.parse_args()
    slots = o.slots or 2 * o.conversations
    room = SYSTEM + o.turns * (NEW + len(MARKS)) + 8
    room += -room % 256
    port = free_port()
    words = [o.server, "--model", o.model, "--host", "127.0.0.1", "--port", str(port), "--threads", str(o.threads),
             "--parallel", str(slots), "--ctx-size", str(slots * room), "--flash-attn", o.flash_attention,
             "--kv-unified" if o.unified else "--no-kv-unified", "--cache-ram", "0"]
    sums: list[tuple[int, int]] = []
    together = threading.Barrier(o.conversations + 1)
    with Server(words, port):
        talks = [threading.Thread(target=converse, args=(o, port, i, sums, together)) for i in range(o.conversations)]
        for talk in talks:
            talk.start()
        together.wait()
        started = time.monotonic()
        for talk in talks:
            talk.join()
        seconds = time.monotonic() - started
    if len(sums) != o.conversations:
        raise SystemExit("a conversation did not come to its end")
    new = sum(n for n, _ in sums)
    print(json.dumps({
        "tokens_per_s": new / seconds, "seconds": seconds, "new_tokens": new,
        "prefill_tokens_per_turn": sum(c for _, c in sums) / (o.conversations * o.turns),
        "order": o.order, "unified": o.unified, "flash_attention": o.flash_attention, "cached": not o.no_cache,
    }))


if __name__ == "__main__":
    main()
