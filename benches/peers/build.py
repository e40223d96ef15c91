"""Builds the peers from PyPI into a cache folder: llama.cpp from the source package that carries it, torch as a wheel."""
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LLAMA_CPP_PYTHON = "0.3.36"  # a source package with llama.cpp whole, tools included
TOOLS = ("llama-bench", "llama-batched-bench", "llama-quantize", "llama-server")
CMAKE_OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release", "GGML_NATIVE": "ON", "GGML_CUDA": "OFF", "GGML_CCACHE": "OFF", "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_OPENSSL": "OFF", "LLAMA_CURL": "OFF", "LLAMA_BUILD_TESTS": "OFF", "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF", "LLAMA_BUILD_UI": "OFF", "LLAMA_USE_PREBUILT_UI": "OFF", "LLAMA_BUILD_NUMBER": "0",
}


class Missing(Exception):
    """Something the comparison needs and this machine lacks; the text says what and what to do."""


@dataclass(frozen=True)
class LlamaCpp:
    """Where the built tools are and what they were built from."""

    bin: Path
    version: str

    def tool(self, name: str) -> str:
        return str(self.bin / name)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(words: list, log: Path, what: str, hint: str) -> None:
    """Runs to the end with everything it prints in `log`; a failure shows the log's end and a hint."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        code = subprocess.run([str(w) for w in words], stdout=out, stderr=subprocess.STDOUT).returncode
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise Missing(f"{what} failed (log: {log})\n{tail}\nhint: {hint}")


NETWORK = "packages come from PyPI by pip: is there a network, or a mirror in pip's own settings?"


def venv(cache: Path, name: str, packages: list[str], proof: str) -> Path:
    """A virtual environment in the cache with these packages; `proof` is a file in it that shows that they are there."""
    home = cache / name
    if not (home / proof).exists():
        say(f"installing {', '.join(packages)} into {home}")
        log = cache / "logs" / f"{name}.log"
        _run([sys.executable, "-m", "venv", home], log, "making a virtual environment", "Python's venv module is needed")
        _run([home / "bin/python", "-m", "pip", "install", *packages], log, "pip install", NETWORK)
    return home


def llama_cpp(cache: Path, version: str, jobs: int) -> LlamaCpp:
    """Downloads, configures and compiles what is not there yet."""
    label = f"as in llama-cpp-python {version}"
    build = cache / "build" / version
    built = LlamaCpp(build / "bin", label)
    if all((built.bin / tool).exists() for tool in TOOLS):
        return built
    for tool, package in (("cc", "gcc"), ("c++", "g++")):
        if shutil.which(tool) is None:
            raise Missing(f"no C/C++ compiler: {tool} is not on the path\nhint: install {package} (llama.cpp is compiled here)")
    tools = venv(cache, "venv", ["cmake", "ninja"], "bin/ninja") / "bin"
    source = _source(cache, version, tools)
    log = cache / "logs" / f"llama.cpp-{version}.log"
    say(f"compiling llama.cpp {label} with {jobs} jobs, some minutes (log: {log})")
    options = CMAKE_OPTIONS | {"LLAMA_BUILD_COMMIT": f"llama-cpp-python-{version}", "CMAKE_MAKE_PROGRAM": tools / "ninja"}
    flags = [f"-D{key}={value}" for key, value in options.items()]
    hint = "a C++17 compiler and its headers are needed; delete the build folder to start afresh"
    _run([tools / "cmake", "-G", "Ninja", "-S", source, "-B", build, *flags], log, "cmake", hint)
    _run([tools / "cmake", "--build", build, "-j", jobs, "--target", *TOOLS], log, "compiling llama.cpp", hint)
    return built


def _source(cache: Path, version: str, tools: Path) -> Path:
    folder = cache / "sources"
    source = folder / f"llama_cpp_python-{version}" / "vendor" / "llama.cpp"
    if not source.exists():
        say(f"downloading llama-cpp-python {version}")
        words = [tools / "python", "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
        words += ["--dest", folder, f"llama-cpp-python=={version}"]
        _run(words, cache / "logs" / "download.log", "pip download", NETWORK)
        # Under another name first: a folder that is there is whole.
        part = folder / f"part-{version}"
        shutil.unpack_archive(folder / f"llama_cpp_python-{version}.tar.gz", part)
        (part / f"llama_cpp_python-{version}").rename(folder / f"llama_cpp_python-{version}")
        part.rmdir()
    for part in ("tools/batched-bench", "tools/llama-bench", "tools/server", "tools/quantize"):
        if not (source / part).exists():
            raise Missing(f"llama-cpp-python {version} carries no {part}\nhint: choose another with --llama-cpp-python")
    return source


def quantized(peer: LlamaCpp, bf16: Path, kind: str) -> Path:
    """The GGUF file in another type, made by llama.cpp itself."""
    path = bf16.with_name(bf16.name.replace("bf16", kind.lower()))
    if not path.exists():
        part = path.with_suffix(".part")
        log = bf16.parent.parent / "logs" / "quantize.log"
        _run([peer.tool("llama-quantize"), bf16, part, kind], log, f"quantising to {kind}", "see the log")
        part.rename(path)
    return path


def transformers(cache: Path) -> Path:
    """A Python with torch and transformers."""
    proof = f"lib/python3.{sys.version_info.minor}/site-packages/transformers/__init__.py"
    return venv(cache, "venv-torch", ["torch", "transformers", "numpy"], proof) / "bin/python"


def colloquy(root: Path) -> str:
    """The bench's executable, built from this working tree."""
    if shutil.which("cargo") is None:
        raise Missing("cargo is not on the path\nhint: install a Rust toolchain (see Cargo.toml for its version)")
    say("building colloquy's bench")
    words = ["cargo", "bench", "--bench", "agents", "--no-run", "--message-format=json"]
    made = subprocess.run(words, cwd=root, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]
    found = [x["executable"] for x in lines if x.get("executable") and x.get("target", {}).get("name") == "agents"]
    if made.returncode != 0 or not found:
        raise Missing("colloquy's bench does not build\nhint: run `cargo bench --bench agents --no-run` and read on there")
    return found[-1]
