"""One parity fixture: its config.json, how its weights are stored, and which keys must matter."""

from dataclasses import dataclass

import torch

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "smollm3": "SmolLM3ForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
    "olmo2": "Olmo2ForCausalLM",
    "granite": "GraniteForCausalLM",
}
DROP = object()


@dataclass
class Fixture:
    config: dict
    # label -> keys whose change must move some log-probability
    flips: dict
    # the type of the stored weights
    dtype: torch.dtype = torch.float32
    # what a block adds to the residual stream, by the scale of its last matrix
    block: float = 0.08
    # the largest file
    shard: str = "1GB"
    # carry the frequency buffers of the first Llama years
    inv_freq: bool = False
    # lengths of the texts, length of the greedy continuations
    lengths: tuple = (64, 47)
    steps: int = 12
    # let the reference take the long factors for every text: see `as_reference`
    long_always: bool = False
    # the context, in tokens, for which the numbers hold, where it changes them
    context: int | None = None
    # another fixture with the same weights and texts, and whether its numbers must be the same
    weights_of: str | None = None
    same_numbers: bool = True


def base(model_type, **keys):
    config = {
        "architectures": [ARCHITECTURES[model_type]],
        "model_type": model_type,
        "vocab_size": 97,
        "hidden_size": 32,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "hidden_act": "silu",
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    config.update(keys)
    return {key: value for key, value in config.items() if value is not DROP}


def later(config, flips, **options):
    """A fixture of bfloat16 weights, three texts and sixteen greedy steps."""
    options = {"dtype": torch.bfloat16, "lengths": (83, 40, 9), "steps": 16, "block": 0.05, **options}
    if options["dtype"] == torch.bfloat16:
        config["dtype" if "dtype" in config else "torch_dtype"] = "bfloat16"
    return Fixture(config, flips, **options)
