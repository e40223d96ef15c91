"""The machine the figures come from: its name, its toolchain, and whether it is quiet.

    python machine.py [--wait SECONDS] -- COMMAND...

waits until nothing else keeps the processors busy, says how busy they are, and becomes COMMAND.
"""
import os
import platform
import sys
import time
from pathlib import Path

QUIET = 0.05  # share of all processor time that others may take


def _times() -> tuple[int, int]:
    """Jiffies of work and jiffies in all, over all processors since boot."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return sum(numbers) - idle, sum(numbers)


def busy(seconds: float = 1.0) -> float:
    """Share of processor time taken by anyone while this sleeps."""
    work, total = _times()
    time.sleep(seconds)
    work_after, total_after = _times()
    return (work_after - work) / max(1, total_after - total)


def cpu_name() -> str:
    """Name and notable instruction sets of the processor, as Linux tells them."""
    facts = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.processor() or platform.machine())
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts.get('model', '?')})"
    flags = facts.get("flags", "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in flags]
    return f"{name}, {os.cpu_count()} processors, {' '.join(known)}"


def main() -> None:
    words = sys.argv[1:]
    patience = 20.0
    if words[:1] == ["--wait"]:
        patience, words = float(words[1]), words[2:]
    if words[:1] != ["--"] or len(words) < 2:
        sys.exit("usage: machine.py [--wait SECONDS] -- COMMAND...")
    until = time.monotonic() + patience
    share = busy()
    while share > QUIET and time.monotonic() < until:
        share = busy()
    print(f"busy={share:.3f}", file=sys.stderr, flush=True)
    os.execvp(words[1], words[1:])


if __name__ == "__main__":
    main()
