#!/usr/bin/env python3
"""Colloquy beside llama.cpp (and transformers) on this machine: one table of tokens per second and ratios.

    python3 benches/peers/compare.py                       # both shapes, all workloads
    python3 benches/peers/compare.py --shapes smollm2-135m --workloads prefill,decode --rounds 1 --json figures.json

Needs Python 3.11 on Linux, a C++ compiler, a Rust toolchain and a network for the first run: the peers are built from PyPI
into `--cache`. Weights are random. Each round measures ours, theirs, ours, theirs; figures are medians over rounds and a
ratio is the median of the rounds' ratios. Where llama.cpp has a choice (flash attention, slots), the first round tries all and
the best stays.
"""
import argparse
import datetime
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build
import machine
import model
from build import Missing, say

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BATCHES = (1, 8, 16, 32)
# Ours and the format of llama.cpp's that does the same arithmetic.
FORMATS = (("int8", "Q8_0"), ("bf16", "bf16"))


class Unsupported(Exception):
    """This build cannot run that workload; the text says which option it does not know."""


@dataclass
class Contender:
    """One way to run a workload: a program in a numeric format, with one or more settings to choose the best from."""

    name: str
    settings: list[str]
    run: Callable[[str], float]  # a setting to tokens per second
    rounds: list[float] = field(default_factory=list)
    chosen: str | None = None
    note: str = ""

    def measure(self) -> None:
        """One round; the first tries every setting."""
        tries = self.settings if self.chosen is None else [self.chosen]
        speed, self.chosen = max((self.run(setting), setting) for setting in tries)
        self.rounds.append(speed)

    def median(self) -> float | None:
        return statistics.median(self.rounds) if self.rounds else None


@dataclass
class Row:
    """One workload on one shape: pairs of ours and theirs that meet in a ratio, and others for their figures only."""

    shape: str
    workload: str
    pairs: dict[str, tuple[Contender, Contender]]  # by our format
    others: list[Contender] = field(default_factory=list)

    def everyone(self) -> list[Contender]:
        return [contender for pair in self.pairs.values() for contender in pair] + self.others

    def measured(self) -> bool:
        return any(contender.rounds for contender in self.everyone())

    def measure(self, rounds: int) -> None:
        for number in range(rounds):
            for contender in self.everyone():
                if contender.note or len(contender.rounds) > number:
                    continue
                say(f"[{number + 1}/{rounds}] {self.shape} · {self.workload} · {contender.name}")
                try:
                    contender.measure()
                    say(f"  {contender.rounds[-1]:.0f} tokens/s  {contender.chosen}")
                except Unsupported as reason:
                    contender.note = str(reason)
                    say(f"  left out: {reason}")

    def line(self) -> dict:
        """Medians and ratios; the last ratio is the best of ours over the best of theirs, whatever their formats."""
        made = {"shape": self.shape, "workload": self.workload, "pairs": {}, "others": {o.name: o.median() for o in self.others}}
        for name, (ours, theirs) in self.pairs.items():
            ratios = [a / b for a, b in zip(ours.rounds, theirs.rounds)]
            made["pairs"][name] = {
                "ours": ours.median(), "theirs": theirs.median(), "setting": theirs.chosen, "note": ours.note,
                "ratio": statistics.median(ratios) if ratios else None, "ratios": ratios,
            }
        best = [max((p[side] or 0.0 for p in made["pairs"].values()), default=0.0) for side in ("ours", "theirs")]
        made["best_ratio"] = best[0] / best[1] if all(best) else None
        return made


class Bench:
    """Runs the programs, one at a time, each on a machine that has become quiet."""

    def __init__(self, o: argparse.Namespace, peer: build.LlamaCpp, ours: str) -> None:
        self.o, self.peer, self.ours = o, peer, ours
        self.torch: Path | None = None
        self.reports: list[dict] = []
        self.loud: list[str] = []

    def _execute(self, words: list) -> str:
        """Standard output of a measured command."""
        guard = [sys.executable, HERE / "machine.py", "--wait", self.o.patience, "--"]
        whole = [str(w) for w in [*shlex.split(self.o.under), *guard, *words]]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = subprocess.run(whole, stdout=out, stderr=err, cwd=ROOT).returncode
            out.seek(0), err.seek(0)
            text, errors = out.read(), err.read()
        share = re.search(r"^busy=([0-9.]+)$", errors, re.M)
        if share and float(share[1]) > machine.QUIET:
            self.loud.append(f"{share[1]} busy before {Path(str(words[0])).name}")
            say(f"  the machine is not quiet: {float(share[1]):.0%} of its processors are busy")
        if code == 2 and words[0] == self.ours:
            raise Unsupported(errors.strip().splitlines()[-1])
        if code != 0:
            raise Missing(f"{Path(str(words[0])).name} ended with {code}\n{errors[-1500:]}\ncommand: {shlex.join(whole)}")
        return text

    def colloquy(self, shape: str, profile: str, *options: object, figure: str = "tokens_per_s") -> Contender:
        def run(_: str) -> float:
            words = [self.ours, "--model", self.o.cache / "models" / shape, "--profile", profile, "--threads", self.o.threads]
            text = self._execute([*words, *options, "--json"])
            self.reports.append(json.loads(text.strip().splitlines()[-1]))
            return self.reports[-1][figure]

        return Contender(f"colloquy {profile}", [""], run)

    def llama_prefill(self, shape: str, kind: str, tokens: int) -> Contender:
        def run(setting: str) -> float:
            words = [self.peer.tool("llama-bench"), "-m", self.gguf(shape, kind), "-p", tokens, "-n", 0, "-r", 4]
            text = self._execute([*words, "-t", self.o.threads, *setting.split(), "-o", "json"])
            return json.loads(text)[0]["avg_ts"]

        return Contender(f"llama.cpp {kind}", ["-fa on", "-fa off"], run)

    def llama_decode(self, shape: str, kind: str, batch: int, prompt: int, new: int) -> Contender:
        def run(setting: str) -> float:
            words = [self.peer.tool("llama-batched-bench"), "-m", self.gguf(shape, kind), "-t", self.o.threads]
            words += ["-c", batch * (prompt + new + 256), "-b", 2048, "-ub", 512, "-npp", prompt, "-ntg", new, "-npl", batch]
            text = self._execute([*words, *setting.split(), "--output-format", "jsonl"])
            reports = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            if not reports:
                raise Missing(f"llama-batched-bench printed no figures: {text[-300:]}")
            return reports[-1]["speed_tg"]

        return Contender(f"llama.cpp {kind}", ["-fa on", "-fa off"], run)

    def llama_server(self, shape: str, kind: str, settings: list[str]) -> Contender:
        def run(setting: str) -> float:
            words = [sys.executable, HERE / "server.py", "--server", self.peer.tool("llama-server")]
            words += ["--model", self.gguf(shape, kind), "--vocab", model.SHAPES[shape].vocab, "--threads", self.o.threads]
            speed = json.loads(self._execute([*words, *setting.split()]))["tokens_per_s"]
            say(f"  {setting}: {speed:.0f}")
            return speed

        return Contender(f"llama-server {kind}", settings, run)

    def transformers(self, shape: str, batch: int, prompt: int, new: int) -> Contender:
        def run(_: str) -> float:
            words = [self.torch, HERE / "torch_peer.py", "--model", self.o.cache / "models" / shape, "--threads", self.o.threads]
            text = self._execute([*words, "--batch", batch, "--prompt", prompt, "--new", new])
            return json.loads(text.strip().splitlines()[-1])["tokens_per_s"]

        return Contender("transformers bf16", [""], run)

    def gguf(self, shape: str, kind: str) -> Path:
        bf16 = self.o.cache / "models" / f"{shape}-bf16.gguf"
        return bf16 if kind == "bf16" else build.quantized(self.peer, bf16, kind)

    def decode_row(self, shape: str, batch: int, prompt: int, new: int) -> Row:
        options = ("--batch", batch, "--prompt", prompt, "--new", new)
        theirs = lambda kind: self.llama_decode(shape, kind, batch, prompt, new)
        pairs = {ours: (self.colloquy(shape, ours, *options), theirs(kind)) for ours, kind in FORMATS}
        others = [theirs("Q4_0")] if self.o.q4 else []
        others += [self.transformers(shape, batch, prompt, new)] if self.torch else []
        return Row(shape, f"decode {batch} × {new} after {prompt:,}", pairs, others)

    def prefill_row(self, shape: str, tokens: int) -> Row:
        ours = lambda profile: self.colloquy(shape, profile, "--prefill", tokens, figure="prefill_tokens_per_s")
        pairs = {profile: (ours(profile), self.llama_prefill(shape, kind, tokens)) for profile, kind in FORMATS}
        others = [self.llama_prefill(shape, "Q4_0", tokens)] if self.o.q4 else []
        others += [self.transformers(shape, 1, tokens, 0)] if self.torch else []
        return Row(shape, f"prefill {tokens}", pairs, others)

    def agent_rows(self, shape: str) -> list[Row]:
        # The order of slots matters: a step takes neighbouring slots only, unless all share one buffer.
        orders = ["--order agent", "--order free"]
        if self.o.all_settings:
            orders += ["--order conversation", "--order agent --unified", "--order agent --flash-attention off"]
        # Without a cache one conversation is as fast as sixteen in turn.
        alone = ["--no-cache --conversations 1"]
        ours = {profile: self.colloquy(shape, profile) for profile, _ in FORMATS}
        kept = {p: (ours[p], self.llama_server(shape, kind, orders)) for p, kind in FORMATS}
        plain = {p: (ours[p], self.llama_server(shape, kind, alone)) for p, kind in FORMATS}
        return [Row(shape, "agents 16 × 2 × 10 × 48", kept), Row(shape, "… theirs a turn at a time, no cache", plain)]

    def rows(self) -> list[Row]:
        rows: list[Row] = []
        for shape in self.o.shapes:
            if "prefill" in self.o.workloads:
                rows.append(self.prefill_row(shape, 512))
            if "decode" in self.o.workloads:
                rows += [self.decode_row(shape, batch, 64, 64) for batch in self.o.batches]
            if "context" in self.o.workloads:
                rows.append(self.decode_row(shape, 16, 1000, 32))
        if "agents" in self.o.workloads:
            rows += self.agent_rows(self.o.shapes[0])
        return rows


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def ratio(value: float | None) -> str:
    return "–" if value is None else f"**{value:.2f}×**"


def table(lines: list[dict]) -> str:
    """Markdown; columns of others only where someone asked for them."""
    others = list(dict.fromkeys(name for line in lines for name in line["others"]))
    heads = ["shape", "tokens/s"]
    for ours, theirs in FORMATS:
        heads += [f"colloquy {ours}", f"llama.cpp {theirs}", "ratio"]
    heads += ["best ÷ best", *others]
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for line in lines:
        cells = [line["shape"], line["workload"]]
        for ours, _ in FORMATS:
            pair = line["pairs"].get(ours, {})
            cells += [number(pair.get("ours")), number(pair.get("theirs")), ratio(pair.get("ratio"))]
        cells += [ratio(line["best_ratio"]), *(number(line["others"].get(name)) for name in others)]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def versions(o: argparse.Namespace, peer: build.LlamaCpp, torch: Path | None) -> dict[str, str]:
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    package = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)
    ours = " ".join(filter(None, [package and package[1], described.stdout.strip()]))
    found = {"colloquy": "as given" if o.colloquy else ours, "llama.cpp": peer.version}
    if torch:
        words = [torch, "-c", "import torch, transformers; print(transformers.__version__, torch.__version__)"]
        names = subprocess.run(words, capture_output=True, text=True).stdout.split()
        found |= dict(zip(("transformers", "torch"), names))
    return found


def peaks(reports: list[dict]) -> dict[str, list[float]]:
    """Lowest and highest of what colloquy's bench measured of the machine during the run."""
    seen = {
        "bandwidth_gb_s": [r["bandwidth_gb_s"] for r in reports if "bandwidth_gb_s" in r],
        "f32_gflop_s": [r["peak_gflop_s"] for r in reports if "peak_gflop_s" in r],
    }
    for profile, unit in (("int8", "int8_gop_s"), ("bf16", "bf16_gflop_s")):
        seen[unit] = [r["linear_peak_gop_s"] for r in reports if r.get("profile") == profile and "linear_peak_gop_s" in r]
    return {name: [min(values), max(values)] for name, values in seen.items() if values}


def options() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: [word for word in text.split(",") if word]
    p.add_argument("--shapes", type=listed, default=list(model.SHAPES), help=", ".join(model.SHAPES))
    p.add_argument("--workloads", type=listed, default=["prefill", "decode", "context", "agents"],
                   help="prefill,decode,context,agents (agents: on the first shape only)")
    p.add_argument("--batches", type=lambda text: [int(word) for word in listed(text)], default=list(BATCHES), help="for decode")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--cache", type=Path, default=ROOT / "target" / "peers", help="peers and weights (default: target/peers)")
    p.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at a time")
    p.add_argument("--llama-cpp-python", default=build.LLAMA_CPP_PYTHON, metavar="VERSION", help="the package that carries llama.cpp")
    p.add_argument("--q4", action="store_true", help="llama.cpp in Q4_0 as well")
    p.add_argument("--all-settings", action="store_true", help="more slot orders of the server, and without flash attention")
    p.add_argument("--transformers", nargs="?", const="", metavar="PYTHON",
                   help="transformers as well (slow), installed into the cache or found by this Python")
    p.add_argument("--colloquy", metavar="EXE", help="a built bench instead of `cargo bench`")
    p.add_argument("--under", default="", metavar="COMMAND", help="run each measurement under this, such as 'taskset -c 0,1'")
    p.add_argument("--patience", type=float, default=20, metavar="SECONDS", help="how long to wait for a quiet machine each time")
    p.add_argument("--json", type=Path, metavar="FILE")
    p.add_argument("--build-only", action="store_true", help="build peers and weights, measure nothing")
    o = p.parse_args()
    for name, given, known in (("shape", o.shapes, model.SHAPES), ("workload", o.workloads, ("prefill", "decode", "context", "agents"))):
        for word in given:
            if word not in known:
                p.error(f"unknown {name} {word}: one of {', '.join(known)}")
    if not o.shapes or o.rounds < 1:
        p.error("nothing to measure")
    o.cache = o.cache.resolve()
    return o


def prepare(o: argparse.Namespace) -> Bench:
    """Everything built and written that the rows need."""
    if sys.platform != "linux":
        raise Missing("the comparison reads /proc and runs on Linux only")
    if o.json:
        o.json.touch()
    o.cache.mkdir(parents=True, exist_ok=True)
    bench = Bench(o, build.llama_cpp(o.cache, o.llama_cpp_python, o.jobs), o.colloquy or build.colloquy(ROOT))
    for shape in o.shapes:
        folder, gguf = o.cache / "models" / shape, o.cache / "models" / f"{shape}-bf16.gguf"
        if not (folder / "model.safetensors").exists() or not gguf.exists():
            say(f"writing random weights of the {shape} shape")
            model.write_folder(model.SHAPES[shape], folder)
            model.write_gguf(model.SHAPES[shape], gguf)
        for kind in ["Q8_0", *(["Q4_0"] if o.q4 else [])]:
            build.quantized(bench.peer, gguf, kind)
    if o.transformers is not None:
        bench.torch = Path(o.transformers) if o.transformers else build.transformers(o.cache)
    return bench


def summary(bench: Bench, rows: list[Row]) -> dict:
    """All that is worth keeping of a run."""
    return {
        "date": datetime.date.today().isoformat(), "cpu": machine.cpu_name(), "threads": bench.o.threads, "rounds": bench.o.rounds,
        "versions": versions(bench.o, bench.peer, bench.torch), "machine": peaks(bench.reports), "not_quiet": bench.loud,
        "rows": [row.line() for row in rows if row.measured()], "colloquy_reports": bench.reports,
    }


def show(report: dict) -> None:
    spans = ", ".join(f"{name} {low:.0f}–{high:.0f}" for name, (low, high) in report["machine"].items())
    print(f"{report['date']} · {report['cpu']} · {report['threads']} threads · {report['rounds']} rounds · {spans}")
    print(" · ".join(f"{name} {version}" for name, version in report["versions"].items()))
    if report["not_quiet"]:
        print(f"not quiet before {len(report['not_quiet'])} of the runs: take the ratios with care")
    print("\n" + table(report["rows"]))


def main() -> None:
    o = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench, rows, failure = None, [], None
    try:
        bench = prepare(o)
        if o.build_only:
            return
        rows = bench.rows()
        for row in rows:
            row.measure(o.rounds)
            if o.json:
                o.json.write_text(json.dumps(summary(bench, rows), indent=1))
    except (Missing, OSError) as reason:
        failure = f"error: {reason}"
    except KeyboardInterrupt:
        failure = "stopped"
    if any(row.measured() for row in rows):
        show(summary(bench, rows))
    if failure:
        sys.exit(failure)


if __name__ == "__main__":
    main()
