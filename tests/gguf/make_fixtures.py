"""Makes the GGUF fixtures: tiny random models, converted and quantised by llama.cpp, and what llama.cpp computes with them.

    python make_fixtures.py FOLDER LLAMA_CPP_SOURCE LLAMA_CPP_BIN [NAME ...]

needs torch, transformers, sentencepiece, gguf (a copy lies in llama.cpp's source) and llama.cpp's llama-quantize and
llama-server. Everything is seeded. Models, tokenizers and texts are made here; nothing is downloaded.

FOLDER/<name>.gguf      the model: matrices F16 (or as its name says), vectors F32
FOLDER/<name>.json      what is expected of it, all natural logarithms:
  texts[]               as in the parity fixtures: ids, logprobs of each next id, `last` the log-softmax of the last position;
                        from llama-server, on the same numbers written out as F32, with F32 keys and values
  native                for quantised files: the same texts' logprobs as llama.cpp computes them with the blocks themselves,
                        its activations being rounded to 8 bits
  transformers          the same texts' logprobs as transformers computes them with the original
  encodings[]           text, and its ids by the original tokenizer (control tokens in the text are tokens)
  config                the original's config.json
FOLDER/blocks.json      random blocks of every type (hex), and the numbers they stand for, by the gguf package

The converter names a splitting by a hash over what a tokenizer makes of a long text, which no tiny vocabulary can match;
that one method is replaced here by the name itself.
"""

import copy
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import sentencepiece
import tokenizers
import torch
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM

WORDS = """The kettle is late and the order is lost. Where is my parcel, please? It was shipped on the 12th of March, 2024,
and it isn't here yet. I've called twice; they're closed. We'll send a new one within 3 days. Thanks, that's kind of you!
Der Wasserkocher ist defekt. Je n'ai pas reçu ma commande. hello hello the the the order order number 123456 is 7,890.50 euros
"""
TRICKY = [
    "",
    " ",
    "   three spaces",
    "hello the order is late",
    "Hello\n\nworld\r\n\ttab  end ",
    "I'VE it's we'll THEY'RE don't",
    "1 12 123 1234 12345 3.14 7,890",
    "CamelCase snake_case kebab-case x1y2",
    "naïve Größe café e\u0301",
    "你好，世界 こんにちは",
    "👩‍👩‍👧 🏳️‍🌈 emoji",
    "Ünïcödé ﬁ ﬂ ½ ²",
    "a\u00a0b\u2028c\u200bd",
    "!!!??? ... --- ===>",
    "<|im_start|>user\nhi<|im_end|>",
    "x <|im_end|> y",
    "<s> [INST] </s>",
    "the▁mark and <0x41>",
    "trailing newline\n",
    "\n\n\n",
    " the the\n the",
    "ſ 's 'S 'ſ",
]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_level(folder, kind):
    """A byte-level tokenizer, cut as the named kind cuts."""
    split = {"llama-bpe": [LLAMA3], "smaug-bpe": [LLAMA3], "dbrx": [LLAMA3], "qwen2": [QWEN2], "tekken": [TEKKEN]}
    steps = [pre_tokenizers.Split(Regex(e), "isolated") for e in split.get(kind, [])]
    if kind in ("smollm", "refact"):
        steps = [pre_tokenizers.Digits(individual_digits=True)]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind not in split))
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=kind in ("llama-bpe", "tekken")))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=284, special_tokens=[] if kind != "smollm" else CONTROL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(WORDS.splitlines(), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "GPT2Tokenizer" if kind == "gpt-2" else "PreTrainedTokenizerFast",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|im_end|>",
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer.get_vocab_size(), lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def pieces(folder, prefix):
    """A SentencePiece tokenizer; `prefix` puts a space before a text."""
    (folder / "text").write_text(WORDS)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=316, byte_fallback=True,
        character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=prefix,
        control_symbols=CONTROL, user_defined_symbols=["<think>"], minloglevel=2,
        allow_whitespace_only_pieces=True, split_digits=True,
    )
    (folder / "text").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return processor.vocab_size(), processor.encode


def base(model_type, architecture, **keys):
    config = {
        "architectures": [architecture], "model_type": model_type, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
        "torch_dtype": "float16", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }
    config.update(keys)
    return config


SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
GEMMA = {"num_attention_heads": 2, "num_key_value_heads": 1, "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh", "head_dim": 16, "sliding_window": 16, "tie_word_embeddings": True}
LONG = {"type": "longrope", "short_factor": [1.0, 1.1, 1.3, 2.0], "long_factor": [1.5, 2.5, 4.0, 8.0]}

# name -> (config, tokenizer, quantisation: None or arguments of llama-quantize)
FIXTURES = {
    "llama2": (base("llama", "LlamaForCausalLM", tie_word_embeddings=True), ("pieces", True), None),
    "llama3": (base("llama", "LlamaForCausalLM", rope_theta=500000.0, rope_scaling=SCALING, tie_word_embeddings=True), "llama-bpe", None),
    "smollm2": (base("llama", "LlamaForCausalLM", tie_word_embeddings=True), "smollm", None),
    "qwen2": (base("qwen2", "Qwen2ForCausalLM", rms_norm_eps=1e-6, rope_theta=1e6, tie_word_embeddings=True, sliding_window=None, use_sliding_window=False), "qwen2", None),
    "qwen3": (base("qwen3", "Qwen3ForCausalLM", head_dim=12, rope_theta=1e6, tie_word_embeddings=True, sliding_window=None, use_sliding_window=False, attention_bias=False), "qwen2", None),
    "qwen3moe": (
        base(
            "qwen3_moe", "Qwen3MoeForCausalLM", head_dim=16, rope_theta=1e6, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
            tie_word_embeddings=True, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[], sliding_window=None, use_sliding_window=False, attention_bias=False,
        ),
        "qwen2", None,
    ),
    "phi3": (base("phi3", "Phi3ForCausalLM", sliding_window=None, original_max_position_embeddings=256), ("pieces", True), None),
    "longrope": (
        base("phi3", "Phi3ForCausalLM", sliding_window=None, original_max_position_embeddings=64, max_position_embeddings=256, rope_scaling=LONG),
        "gpt-2", None,
    ),
    "gemma2": (base("gemma2", "Gemma2ForCausalLM", attn_logit_softcapping=50.0, final_logit_softcapping=30.0, query_pre_attn_scalar=16, **GEMMA), ("pieces", False), None),
    "gemma3": (base("gemma3_text", "Gemma3ForCausalLM", num_hidden_layers=7, intermediate_size=32, rope_theta=1e6, rope_local_base_freq=10000.0, query_pre_attn_scalar=16, sliding_window_pattern=6, **{**GEMMA}), ("pieces", False), None),
    "olmo2": (base("olmo2", "Olmo2ForCausalLM"), "dbrx", None),
    "granite": (base("granite", "GraniteForCausalLM", embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.1, logits_scaling=2.0, tie_word_embeddings=True), "refact", None),
    "smollm3": (base("smollm3", "SmolLM3ForCausalLM", num_hidden_layers=5, intermediate_size=32, no_rope_layer_interval=4, no_rope_layers=[1, 1, 1, 0, 1], sliding_window=None, use_sliding_window=False, tie_word_embeddings=True), "smaug-bpe", None),
    "blocks-of-32": (
        base("mistral", "MistralForCausalLM", sliding_window=None, num_hidden_layers=1, hidden_size=64, intermediate_size=96),
        "tekken",
        ["q8_0", {"attn_q": "q4_0", "attn_k": "q4_1", "attn_v": "q5_0", "attn_output": "q5_1", "ffn_gate": "q4_0", "ffn_up": "q8_0", "ffn_down": "q5_1", "token_embd": "q8_0", "output": "bf16"}],
    ),
    "blocks-of-256": (
        base("llama", "LlamaForCausalLM", num_hidden_layers=1, hidden_size=256, intermediate_size=256, num_key_value_heads=1, tie_word_embeddings=True),
        "smollm",
        ["q4_K", {"attn_q": "q2_K", "attn_k": "q3_K", "attn_v": "q4_K", "attn_output": "q5_K", "ffn_gate": "q6_K", "ffn_up": "q3_K", "ffn_down": "q4_K", "token_embd": "q6_K"}],
    ),
}


def fill(model, seed):
    """Random weights that every part of the arithmetic matters to."""
    draw = torch.Generator().manual_seed(seed)
    tied = model.config.tie_word_embeddings
    gemma = model.config.model_type.startswith("gemma")
    state = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=draw, dtype=torch.float32)
        width = tensor.shape[-1]
        if "norm" in name:
            # the converter adds Gemma's one in half precision; these numbers do not suffer from it
            value = (0.3 * noise * 256).round() / 256 if gemma else 0.3 * noise + 1.0
        elif name.endswith(".bias"):
            value = 0.4 * noise
        elif name.endswith("embed_tokens.weight"):
            value = 2.0 / width**0.5 * noise if tied else 0.5 * noise
        elif name == "lm_head.weight":
            value = 2.5 / width**0.5 * noise
        else:
            value = 1.3 / width**0.5 * noise
        state[name] = value.half().float()
    if tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)


def convert(source, folder, out, splitting):
    """llama.cpp's own converter, told the name of the splitting."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[1] + '/gguf-py')\n"
        "import conversion.base as base\n"
        f"base.TextModel.get_vocab_base_pre = lambda self, tokenizer: {splitting!r}\n"
        "import convert_hf_to_gguf\n"
        "sys.argv = ['convert', *sys.argv[2:]]\n"
        "convert_hf_to_gguf.main()\n"
    )
    command = [sys.executable, "-c", program, str(source), str(folder), "--outfile", str(out), "--outtype", "f16"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{folder.name}: the converter failed\n{done.stderr[-3000:]}")


def quantise(bin, source, out, kind, tensors):
    command = [str(bin / "llama-quantize"), "--allow-requantize"]
    for name, own in tensors.items():
        option = {"token_embd": ["--token-embedding-type", own], "output": ["--output-tensor-type", own]}
        command += option.get(name, ["--tensor-type", f"blk.*{name}={own}"])
    done = subprocess.run([*command, str(source), str(out), kind], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{out.name}: llama-quantize failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


class Server:
    """llama-server with one model, everything in F32 that can be."""

    def __init__(self, bin, model):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [str(bin / "llama-server"), "-m", str(model), "--port", str(self.port), "-c", "256", "-np", "1", "-t", "1", "-fa", "off"]
        command += ["-ctk", "f32", "-ctv", "f32", "--no-warmup", "--no-repack", "-b", "64", "--host", "127.0.0.1"]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                if self.ask("/health", None)["status"] == "ok":
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        self.log.seek(0)
        raise SystemExit(f"llama-server does not start:\n{self.log.read()[-3000:]}")

    def ask(self, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def next(self, ids, vocabulary):
        """The log-softmax after some ids."""
        body = {"prompt": ids, "n_predict": 1, "n_probs": vocabulary, "temperature": 1.0, "samplers": [], "cache_prompt": False}
        # a drawn end of text is answered without probabilities
        answers = (self.ask("/completion", {**body, "seed": seed}) for seed in range(100))
        found = next(a["completion_probabilities"] for a in answers if a.get("completion_probabilities"))[0]["top_logprobs"]
        out = np.full(vocabulary, np.nan)
        for entry in found:
            out[entry["id"]] = entry["logprob"]
        assert not np.isnan(out).any(), f"{np.isnan(out).sum()} of {vocabulary} ids have no probability"
        return out

    def stop(self):
        self.process.terminate()
        self.process.wait()


def seven(values):
    return [float(f"{float(value):.7g}") for value in values]


def texts(server, vocabulary, lengths, seed):
    draw = np.random.default_rng(seed)
    out = []
    for length in lengths:
        ids = draw.integers(3, vocabulary, length).tolist()
        rows = [server.next(ids[: i + 1], vocabulary) for i in range(length)]
        out.append({
            "ids": ids,
            "logprobs": seven(rows[i][ids[i + 1]] for i in range(length - 1)),
            "last": seven(rows[-1]),
        })
    return out


@torch.no_grad()
def reference(model, expected):
    """The texts' log-probabilities by transformers."""
    out = []
    for text in expected:
        rows = torch.log_softmax(model(torch.tensor([text["ids"]]), use_cache=False).logits[0], -1)
        out.append(seven(rows[torch.arange(len(text["ids"]) - 1), torch.tensor(text["ids"][1:])]))
    return out


def apart(expected, other):
    return max(abs(a - b) for text, own in zip(expected, other) for a, b in zip(text["logprobs"], own))


def make(root, source, bin, name, seed):
    raw, kind, quantisation = FIXTURES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, name)
        folder.mkdir()
        vocabulary, encode = pieces(folder, kind[1]) if isinstance(kind, tuple) else byte_level(folder, kind)
        raw = {**raw, "vocab_size": vocabulary}
        (folder / "config.json").write_text(json.dumps(raw))
        config = AutoConfig.from_pretrained(folder)
        config._attn_implementation = "eager"
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        fill(model, seed)
        copy.deepcopy(model).half().save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps(raw))
        out, wide = root / f"{name}.gguf", Path(temporary, "wide.gguf")
        convert(source, folder, out, kind)
        if quantisation:
            plain = Path(temporary, "plain.gguf")
            shutil.move(out, plain)
            quantise(bin, plain, out, *quantisation)
        quantise(bin, out, wide, "F32", {})
        lengths = (6, 40) if name != "longrope" else (6, 80)
        expected = {"native": None}
        server = Server(bin, wide)
        try:
            expected["texts"] = texts(server, vocabulary, lengths, seed)
            own = [server.ask("/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"] for text in TRICKY]
        finally:
            server.stop()
        if quantisation:
            server = Server(bin, out)
            try:
                expected["native"] = [text["logprobs"] for text in texts(server, vocabulary, lengths, seed)]
            finally:
                server.stop()
        expected["transformers"] = None if quantisation else reference(model, expected["texts"])
        ids = [encode(text) for text in TRICKY]
        if isinstance(kind, tuple):
            # SentencePiece takes control tokens in a text for plain words; those texts are llama.cpp's word alone
            ids = [b if "<|im" in text or "<s>" in text else a for text, a, b in zip(TRICKY, ids, own)]
        differ = [text for text, a, b in zip(TRICKY, ids, own) if a != b]
        expected["encodings"] = [{"text": text, "ids": a} for text, a in zip(TRICKY, ids)]
        expected["config"] = raw
        (root / f"{name}.json").write_text(json.dumps(expected, ensure_ascii=True, indent=None, separators=(",", ":")) + "\n")
        spread = np.std([x for text in expected["texts"] for x in text["last"]])
        print(f"{name}: {out.stat().st_size} bytes, spread {spread:.2f}, from transformers or the blocks {apart(expected['texts'], expected['transformers'] or expected['native']):.1e}, llama.cpp tokenises otherwise: {differ}")


def blocks(root, source):
    sys.path.insert(0, str(source / "gguf-py"))
    import gguf

    draw = np.random.default_rng(7)
    out = {}
    for kind in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]:
        kind = gguf.GGMLQuantizationType[kind]
        numbers, size = gguf.GGML_QUANT_SIZES[kind]
        count = 256 // numbers
        data = draw.integers(0, 256, (count, size), dtype=np.uint8)
        # scales stay finite and of a common size
        halves = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "Q4_1": (0, 2), "Q5_1": (0, 2)}
        for at in halves.get(kind.name, (0,)):
            data[:, at : at + 2] = (draw.standard_normal((count, 1)) * 0.1).astype(np.float16).view(np.uint8)
        numbers = gguf.quants.dequantize(data.reshape(1, -1), kind).reshape(-1)
        out[kind.name] = {"bytes": data.tobytes().hex(), "numbers": [float(f"{x:.9g}") for x in numbers.tolist()]}
    (root / "blocks.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    root, source, bin = (Path(argument).resolve() for argument in sys.argv[1:4])
    torch.set_num_threads(1)
    root.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) == 4:
        blocks(root, source)
    for number, name in enumerate(FIXTURES):
        if len(sys.argv) == 4 or name in sys.argv[4:]:
            make(root, source, bin, name, 2000 + 10 * number)


if __name__ == "__main__":
    main()
