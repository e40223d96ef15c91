"""The table of parity fixtures. The place in it seeds the weights and the texts: append."""

import torch
from fixture import DROP, Fixture, base, later

LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

EPS = {"rms_norm_eps": 1e-6}
ACT = {"hidden_act": "gelu"}
LINEAR = {"rope_type": "linear", "factor": 8.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
YARN_SCALED = {
    "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 4, "beta_slow": 0.5, "mscale": 0.707,
    "mscale_all_dim": 0.3,
}
YARN_EXACT = {
    "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 4.0, "beta_slow": 0.25, "attention_factor": 1.25,
    "truncate": False,
}
LONGROPE = {
    "type": "longrope", "short_factor": [1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.8, 2.1],
    "long_factor": [1.1, 1.4, 2.0, 3.1, 4.7, 7.5, 11.0, 17.5],
}
LONGROPE_PARTIAL = {"type": "longrope", "short_factor": LONGROPE["short_factor"][:6], "long_factor": LONGROPE["long_factor"][:6]}
GEMMA3 = {
    "vocab_size": 128, "intermediate_size": 48, "num_hidden_layers": 6, "head_dim": 16, "num_key_value_heads": 1,
    "hidden_act": DROP, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "attention_bias": False,
    "attn_logit_softcapping": None, "final_logit_softcapping": None, "query_pre_attn_scalar": 24, "sliding_window": 12,
    "tie_word_embeddings": True, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
}

# name -> fixture
FIXTURES = {
    "llama2": Fixture(
        base("llama", rope_theta=10000.0, rope_scaling=None, pretraining_tp=1, attention_bias=False, num_key_value_heads=DROP),
        {"rms_norm_eps": EPS, "hidden_act": ACT, "rope_theta": {"rope_theta": 500000.0}},
        inv_freq=True,
    ),
    "llama3": Fixture(
        base(
            "llama", vocab_size=128, num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=False, mlp_bias=False,
            rope_theta=500000.0, rope_scaling=LLAMA3_SCALING, eos_token_id=[2, 3],
        ),
        {
            "rms_norm_eps": EPS, "hidden_act": ACT, "rope_theta": {"rope_theta": 10000.0}, "rope_scaling": {"rope_scaling": None},
            "rope_scaling.factor": {"rope_scaling": {**LLAMA3_SCALING, "factor": 4.0}},
            "rope_scaling.low_freq_factor": {"rope_scaling": {**LLAMA3_SCALING, "low_freq_factor": 2.0}},
            "rope_scaling.high_freq_factor": {"rope_scaling": {**LLAMA3_SCALING, "high_freq_factor": 8.0}},
            "rope_scaling.original_max_position_embeddings": {
                "rope_scaling": {**LLAMA3_SCALING, "original_max_position_embeddings": 32}
            },
        },
    ),
    "llama3-new-keys": Fixture(
        base(
            "llama", vocab_size=131, num_attention_heads=4, num_key_value_heads=2, head_dim=16, attention_bias=False, mlp_bias=False,
            rope_parameters={"rope_theta": 500000.0, **LLAMA3_SCALING}, torch_dtype=DROP, dtype="float32",
        ),
        {
            "rms_norm_eps": EPS,
            "rope_parameters.rope_theta": {"rope_parameters": {"rope_theta": 10000.0, **LLAMA3_SCALING}},
            "rope_parameters.rope_type": {"rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"}},
        },
    ),
    "llama-linear": Fixture(
        base("llama", num_key_value_heads=1, rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0}),
        {
            "rope_scaling": {"rope_scaling": None},
            "rope_scaling.factor": {"rope_scaling": {"type": "linear", "factor": 2.0}},
        },
    ),
    "llama-bias": Fixture(
        base("llama", num_key_value_heads=2, rope_theta=10000.0, rope_scaling=None, attention_bias=True, mlp_bias=True),
        {"rms_norm_eps": EPS, "attention_bias": {"attention_bias": False}, "mlp_bias": {"mlp_bias": False}},
    ),
    "llama-gelu": Fixture(
        base(
            "llama", hidden_size=40, head_dim=24, num_attention_heads=2, num_key_value_heads=1, hidden_act="gelu_pytorch_tanh",
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
        ),
        {"hidden_act": {"hidden_act": "silu"}, "rms_norm_eps": EPS},
    ),
    "smollm2": Fixture(
        base(
            "llama", vocab_size=160, hidden_size=48, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=3, tie_word_embeddings=True,
            rope_interleaved=False, rope_theta=100000, rope_scaling=None, is_llama_config=True, mlp_bias=False, attention_bias=False,
        ),
        {"rms_norm_eps": EPS, "rope_theta": {"rope_theta": 10000.0}, "hidden_act": ACT},
    ),
    "mistral": Fixture(
        base(
            "mistral", hidden_size=40, head_dim=24, num_attention_heads=4, num_key_value_heads=2, sliding_window=None,
            rope_theta=1000000.0, attention_dropout=0.0,
        ),
        {"rms_norm_eps": EPS, "rope_theta": {"rope_theta": 10000.0}, "sliding_window": {"sliding_window": 16}},
    ),
    "mistral-window": Fixture(
        base(
            "mistral", num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=16, rope_theta=10000.0,
            torch_dtype="float16",
        ),
        {"sliding_window": {"sliding_window": None}, "sliding_window by one": {"sliding_window": 17}, "rms_norm_eps": EPS},
        dtype=torch.float16,
    ),
    "qwen2": Fixture(
        base(
            "qwen2", vocab_size=151, hidden_size=48, num_attention_heads=6, num_key_value_heads=1, tie_word_embeddings=True,
            rms_norm_eps=1e-6, rope_theta=1000000.0, sliding_window=32, max_window_layers=2, use_sliding_window=False,
        ),
        {
            "rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 10000.0},
            "use_sliding_window": {"use_sliding_window": True, "max_window_layers": 0},
        },
    ),
    "qwen2-window": Fixture(
        base(
            "qwen2", num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, use_sliding_window=True, sliding_window=12,
            max_window_layers=1, layer_types=["full_attention", "sliding_attention"],
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, torch_dtype=DROP, dtype="float32",
        ),
        {
            "layer_types": {"layer_types": ["sliding_attention", "sliding_attention"], "max_window_layers": 0},
            "use_sliding_window": {"use_sliding_window": False, "layer_types": ["full_attention", "full_attention"]},
        },
    ),
    "qwen2.5": Fixture(
        base(
            "qwen2", vocab_size=128, hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6,
            rope_theta=1000000.0, sliding_window=None, max_window_layers=2, use_sliding_window=False,
        ),
        {"rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 10000.0}, "hidden_act": ACT},
    ),
    "qwen2.5-bf16": Fixture(
        base(
            "qwen2", vocab_size=128, hidden_size=48, intermediate_size=80, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6,
            rope_theta=1000000.0, sliding_window=131072, max_window_layers=2, use_sliding_window=False, use_mrope=False, torch_dtype="bfloat16",
        ),
        {"rms_norm_eps": {"rms_norm_eps": 1e-5}},
        dtype=torch.bfloat16,
    ),
    "sharded": Fixture(
        base("llama", vocab_size=128, num_attention_heads=4, num_key_value_heads=2, rope_theta=10000.0, rope_scaling=None),
        {"rms_norm_eps": EPS},
        shard="40KB",
    ),
}

FIXTURES |= {
    "smollm3": later(
        base(
            "smollm3", vocab_size=128, num_hidden_layers=4, num_key_value_heads=1, tie_word_embeddings=True,
            rms_norm_eps=1e-6, rope_theta=5000000.0, rope_scaling=None, no_rope_layer_interval=4, no_rope_layers=[1, 1, 1, 0],
            layer_types=["full_attention"] * 4, attention_bias=False, mlp_bias=False, use_sliding_window=False, sliding_window=None,
            max_window_layers=28, pretraining_tp=2,
        ),
        {
            "no_rope_layers": {"no_rope_layers": [1, 1, 1, 1]}, "which layer": {"no_rope_layers": [1, 1, 0, 1]},
            "rope_theta": {"rope_theta": 2000000.0}, "rms_norm_eps": {"rms_norm_eps": 1e-5},
        },
        block=0.04,
    ),
    # every third layer without rope, by the interval alone
    "smollm3-interval": later(
        base(
            "smollm3", num_hidden_layers=4, num_key_value_heads=2, rope_theta=50000.0, no_rope_layer_interval=3, attention_bias=True, mlp_bias=True,
        ),
        {
            "no_rope_layer_interval": {"no_rope_layer_interval": 4}, "attention_bias": {"attention_bias": False},
            "mlp_bias": {"mlp_bias": False},
        },
    ),
    # only the layers without rope slide; rope_theta and tie_word_embeddings are the class's own
    "smollm3-list": later(
        base(
            "smollm3", num_hidden_layers=3, num_key_value_heads=4, no_rope_layers=[0, 1, 0], use_sliding_window=True, sliding_window=12,
            tie_word_embeddings=DROP,
        ),
        {
            "no_rope_layers": {"no_rope_layers": [0, 1, 1]}, "use_sliding_window": {"use_sliding_window": False},
            "rope_theta": {"rope_theta": 10000.0}, "sliding_window by one": {"sliding_window": 13},
        },
    ),
    "mistral-nemo": later(
        base(
            "mistral", hidden_size=48, head_dim=24, num_attention_heads=4, num_key_value_heads=1, sliding_window=None,
            rope_theta=1000000.0, attention_dropout=0.0,
        ),
        {"rope_theta": {"rope_theta": 10000.0}, "sliding_window": {"sliding_window": 16}, "rms_norm_eps": EPS},
    ),
    # what the class fills in: eight heads of keys, theta 10000, a window of 4096
    "mistral-defaults": later(
        base("mistral", hidden_size=48, num_attention_heads=8, num_key_value_heads=DROP, head_dim=None, tie_word_embeddings=DROP),
        {"rope_theta": {"rope_theta": 1000000.0}, "rms_norm_eps": EPS},
    ),
    "qwen3": later(
        base(
            "qwen3", vocab_size=151, hidden_size=48, head_dim=16, num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-6,
            rope_theta=1000000.0, rope_scaling=None, attention_bias=False, use_sliding_window=False, sliding_window=None, max_window_layers=2,
        ),
        {"rope_theta": {"rope_theta": 10000.0}, "rms_norm_eps": {"rms_norm_eps": 1e-5}, "hidden_act": ACT},
    ),
    "qwen3-bias": later(
        base(
            "qwen3", head_dim=8, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0, attention_bias=True, use_sliding_window=True,
            sliding_window=16, max_window_layers=1,
        ),
        {
            "attention_bias": {"attention_bias": False}, "max_window_layers": {"max_window_layers": 0},
            "use_sliding_window": {"use_sliding_window": False},
        },
    ),
    "qwen3-group8": later(
        base(
            "qwen3", head_dim=16, num_attention_heads=8, num_key_value_heads=1, rms_norm_eps=1e-6, layer_types=["full_attention"] * 2,
            rope_parameters={"rope_theta": 1000000.0, "rope_type": "default"}, torch_dtype=DROP, dtype="bfloat16",
        ),
        {"rope_parameters": {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}},
    ),
    "qwen3-moe": later(
        base(
            "qwen3_moe", vocab_size=128, head_dim=16, num_hidden_layers=3, num_key_value_heads=1, rms_norm_eps=1e-6, rope_theta=1000000.0,
            rope_scaling=None, attention_bias=False, decoder_sparse_step=1, mlp_only_layers=[1], num_experts=8, num_experts_per_tok=2,
            moe_intermediate_size=24, norm_topk_prob=True, output_router_logits=False, router_aux_loss_coef=0.001, use_sliding_window=False,
            sliding_window=None, max_window_layers=3,
        ),
        {
            "norm_topk_prob": {"norm_topk_prob": False}, "num_experts_per_tok": {"num_experts_per_tok": 3}, "hidden_act": ACT,
            "rope_theta": {"rope_theta": 10000.0},
        },
    ),
    # head_dim and norm_topk_prob are the class's own
    "qwen3-moe-step": later(
        base(
            "qwen3_moe", num_hidden_layers=4, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0, decoder_sparse_step=2,
            mlp_only_layers=[], num_experts=8, num_experts_per_tok=2, moe_intermediate_size=16,
        ),
        {"norm_topk_prob": {"norm_topk_prob": True}, "num_experts_per_tok": {"num_experts_per_tok": 1}},
    ),
    "phi3": later(
        base(
            "phi3", rope_theta=10000.0, rope_scaling=None, sliding_window=20, attention_bias=False, attention_dropout=0.0, embd_pdrop=0.0,
            resid_pdrop=0.0, original_max_position_embeddings=256,
        ),
        {
            "sliding_window": {"sliding_window": None}, "sliding_window by one": {"sliding_window": 19}, "rope_theta": {"rope_theta": 500000.0},
            "rms_norm_eps": EPS, "hidden_act": ACT,
        },
    ),
    "phi3-partial": later(
        base(
            "phi3", num_attention_heads=2, num_key_value_heads=1, sliding_window=None,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 0.5}, torch_dtype=DROP, dtype="bfloat16",
        ),
        {"partial_rotary_factor": {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default", "partial_rotary_factor": 1.0}}},
    ),
    # never longer than the original context: the short factors; `factor` moves the attention factor from one
    "phi3-longrope-short": later(
        base(
            "phi3", num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128, original_max_position_embeddings=128,
            rope_theta=10000.0, rope_scaling={**LONGROPE, "factor": 4.0}, sliding_window=2048,
        ),
        {
            "rope_scaling": {"rope_scaling": None}, "factor": {"rope_scaling": {**LONGROPE, "factor": 2.0}},
            "original_max_position_embeddings": {"original_max_position_embeddings": 64},
            "short_factor": {"rope_scaling": {**LONGROPE, "factor": 4.0, "short_factor": [1.0] * 8}},
            "attention_factor": {"rope_scaling": {**LONGROPE, "attention_factor": 1.0}},
        },
    ),
    # the same description for a context of at most 128 tokens and for a longer one
    "phi3-longrope-context": later(
        base(
            "phi3", num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=512, original_max_position_embeddings=128,
            rope_theta=10000.0, rope_scaling=LONGROPE, sliding_window=2048,
        ),
        {
            "max_position_embeddings": {"max_position_embeddings": 256},
            "short_factor": {"rope_scaling": {**LONGROPE, "short_factor": [1.0] * 8}},
        },
        context=128,
    ),
    "phi3-longrope-long": later(
        base(
            "phi3", num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=512, original_max_position_embeddings=128,
            rope_theta=10000.0, rope_scaling=LONGROPE, sliding_window=2048,
        ),
        {
            "max_position_embeddings": {"max_position_embeddings": 256},
            "original_max_position_embeddings": {"original_max_position_embeddings": 64},
            "long_factor": {"rope_scaling": {**LONGROPE, "long_factor": LONGROPE["short_factor"]}},
        },
        lengths=(140, 40, 9), long_always=True, weights_of="phi3-longrope-context", same_numbers=False,
    ),
    "phi4-mini": later(
        base(
            "phi3", vocab_size=160, hidden_size=48, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True,
            max_position_embeddings=512, original_max_position_embeddings=128, partial_rotary_factor=0.75, rope_theta=10000.0,
            rope_scaling=LONGROPE_PARTIAL, sliding_window=262144, attention_bias=False, mlp_bias=False, lm_head_bias=False, full_attn_mod=1,
            interpolate_factor=1, embd_pdrop=0.0, resid_pdrop=0.0,
        ),
        {
            "max_position_embeddings": {"max_position_embeddings": 256}, "rope_theta": {"rope_theta": 500000.0},
            "long_factor": {"rope_scaling": {**LONGROPE_PARTIAL, "long_factor": LONGROPE_PARTIAL["short_factor"]}},
        },
        lengths=(140, 40, 9), long_always=True, block=0.04,
    ),
    # `hidden_act` is in the published files and says nothing
    "gemma2": later(
        base(
            "gemma2", vocab_size=128, hidden_size=48, num_hidden_layers=3, head_dim=16, num_key_value_heads=2,
            hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", rms_norm_eps=1e-6, rope_theta=10000.0, attention_bias=False,
            attn_logit_softcapping=3.0, final_logit_softcapping=8.0, query_pre_attn_scalar=24, sliding_window=12, cache_implementation="hybrid",
            tie_word_embeddings=DROP, bos_token_id=2, eos_token_id=1, pad_token_id=0,
        ),
        {
            "attn_logit_softcapping": {"attn_logit_softcapping": None}, "final_logit_softcapping": {"final_logit_softcapping": None},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 16}, "hidden_activation": {"hidden_activation": "silu"},
            "sliding_window": {"sliding_window": 4096}, "sliding_window by one": {"sliding_window": 13},
            "which layers slide": {"layer_types": ["full_attention", "sliding_attention", "full_attention"]},
            "rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 500000.0},
        },
    ),
    # the class's own attention cap (50) and no cap on the logits; layers named one by one
    "gemma2-layer-types": later(
        base(
            "gemma2", num_hidden_layers=3, head_dim=16, num_attention_heads=4, num_key_value_heads=1, hidden_act="silu",
            hidden_activation="gelu_pytorch_tanh", final_logit_softcapping=None, query_pre_attn_scalar=8, sliding_window=16,
            layer_types=["full_attention", "sliding_attention", "sliding_attention"], attention_bias=True,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}, tie_word_embeddings=True, torch_dtype=DROP, dtype="bfloat16",
            bos_token_id=2, eos_token_id=1, pad_token_id=0,
        ),
        {
            "layer_types": {"layer_types": None}, "attn_logit_softcapping": {"attn_logit_softcapping": None},
            "attention_bias": {"attention_bias": False},
        },
    ),
    "gemma3": later(
        base("gemma3_text", **GEMMA3, rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=LINEAR, sliding_window_pattern=6),
        {
            "sliding_window_pattern": {"sliding_window_pattern": 5}, "rope_theta": {"rope_theta": 10000.0},
            "rope_local_base_freq": {"rope_local_base_freq": 1000000.0}, "rope_scaling": {"rope_scaling": None},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 16}, "sliding_window": {"sliding_window": 4096},
            "sliding_window by one": {"sliding_window": 13}, "hidden_activation": {"hidden_activation": "silu"},
            "rms_norm_eps": {"rms_norm_eps": 1e-5},
        },
    ),
    "gemma3-new-keys": later(
        base(
            "gemma3_text", **GEMMA3, layer_types=["sliding_attention"] * 5 + ["full_attention"], _sliding_window_pattern=6,
            rope_parameters={
                "full_attention": {"rope_theta": 1000000.0, **LINEAR}, "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
            },
            torch_dtype=DROP, dtype="bfloat16", use_bidirectional_attention=False,
        ),
        {"layer_types": {"layer_types": ["sliding_attention"] * 4 + ["full_attention", "sliding_attention"]}},
        weights_of="gemma3",
    ),
    # the class's own heads of 256 numbers, query_pre_attn_scalar 256, thetas and tied head; the logits capped
    "gemma3-defaults": later(
        base(
            "gemma3_text", num_attention_heads=1, num_key_value_heads=1, hidden_act=DROP, sliding_window=16, sliding_window_pattern=2,
            final_logit_softcapping=8.0, attn_logit_softcapping=None, rope_scaling=None, tie_word_embeddings=DROP,
            bos_token_id=2, eos_token_id=1, pad_token_id=0,
        ),
        {
            "sliding_window_pattern": {"sliding_window_pattern": 3}, "final_logit_softcapping": {"final_logit_softcapping": None},
            "rope_theta": {"rope_theta": 10000.0}, "rope_local_base_freq": {"rope_local_base_freq": 1000000.0},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 128},
        },
    ),
    "olmo2": later(
        base("olmo2", vocab_size=128, hidden_size=48, num_key_value_heads=DROP, rope_theta=500000.0, rope_scaling=None, attention_bias=False),
        {"rms_norm_eps": EPS, "rope_theta": {"rope_theta": 10000.0}, "hidden_act": ACT},
    ),
    "olmo2-gqa": later(
        base(
            "olmo2", hidden_size=48, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=500000.0,
        ),
        {"rms_norm_eps": {"rms_norm_eps": 1e-5}, "rope_theta": {"rope_theta": 10000.0}},
    ),
    "granite": later(
        base(
            "granite", vocab_size=128, hidden_size=48, num_key_value_heads=2, tie_word_embeddings=True, rope_theta=10000000.0, rope_scaling=None,
            attention_bias=False, mlp_bias=False, embedding_multiplier=12.0, attention_multiplier=0.5, residual_multiplier=0.22,
            logits_scaling=8.0,
        ),
        {
            "embedding_multiplier": {"embedding_multiplier": 6.0}, "attention_multiplier": {"attention_multiplier": 12**-0.5},
            "residual_multiplier": {"residual_multiplier": 1.0}, "logits_scaling": {"logits_scaling": 4.0}, "rms_norm_eps": EPS,
            "rope_theta": {"rope_theta": 10000.0},
        },
    ),
    # a missing attention_multiplier is one, not the inverse root of the head
    "granite-bias": later(
        base(
            "granite", num_attention_heads=6, hidden_size=48, num_key_value_heads=2, attention_bias=True, mlp_bias=True, embedding_multiplier=12,
            residual_multiplier=0.22, logits_scaling=8,
        ),
        {
            "attention_bias": {"attention_bias": False}, "mlp_bias": {"mlp_bias": False},
            "attention_multiplier": {"attention_multiplier": 8**-0.5},
        },
    ),
    "llama-yarn": later(
        base("llama", head_dim=16, num_key_value_heads=2, max_position_embeddings=64, rope_theta=10000.0, rope_scaling=YARN),
        {
            "rope_scaling": {"rope_scaling": None}, "rope_scaling.factor": {"rope_scaling": {**YARN, "factor": 2.0}},
            "rope_scaling.original_max_position_embeddings": {"rope_scaling": {**YARN, "original_max_position_embeddings": 32}},
            "rope_scaling.attention_factor": {"rope_scaling": {**YARN, "attention_factor": 1.0}},
        },
        lengths=(48, 40, 9),
    ),
    # the older spelling, an own ramp that ends beyond the last frequency, and the attention factor as a quotient
    "qwen2-yarn": later(
        base("qwen2", num_attention_heads=2, num_key_value_heads=1, rms_norm_eps=1e-6, rope_theta=20.0, rope_scaling=YARN_SCALED),
        {
            "rope_scaling.beta_fast": {"rope_scaling": {**YARN_SCALED, "beta_fast": 32}},
            "rope_scaling.beta_slow": {"rope_scaling": {**YARN_SCALED, "beta_slow": 1}},
            "rope_scaling.mscale": {"rope_scaling": {**YARN_SCALED, "mscale": 1.0}},
            "rope_scaling.mscale_all_dim": {"rope_scaling": {**YARN_SCALED, "mscale_all_dim": 0}},
            "rope_scaling.truncate": {"rope_scaling": {**YARN_SCALED, "truncate": False}},
        },
    ),
    "llama-yarn-exact": later(
        base(
            "llama", head_dim=16, num_key_value_heads=4, max_position_embeddings=128, torch_dtype=DROP, dtype="bfloat16",
            rope_parameters={"rope_theta": 500.0, **YARN_EXACT},
        ),
        {
            "rope_parameters.truncate": {"rope_parameters": {"rope_theta": 500.0, **YARN_EXACT, "truncate": True}},
            "rope_parameters.attention_factor": {"rope_parameters": {"rope_theta": 500.0, **YARN_EXACT, "attention_factor": None}},
            "rope_parameters.beta_fast": {"rope_parameters": {"rope_theta": 500.0, **YARN_EXACT, "beta_fast": 8}},
        },
    ),
    # `mscale` alone says nothing, and the outer original length wins
    "qwen3-yarn": later(
        base(
            "qwen3", head_dim=16, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0, original_max_position_embeddings=64,
            rope_scaling={**YARN, "mscale": 0.707},
        ),
        {
            "original_max_position_embeddings": {"original_max_position_embeddings": 16},
            "rope_scaling.mscale_all_dim": {"rope_scaling": {**YARN, "mscale": 0.707, "mscale_all_dim": 1.0}},
        },
    ),
    "llama-group1-dim96": later(
        base("llama", num_hidden_layers=1, head_dim=96, num_attention_heads=2, num_key_value_heads=2, rope_theta=500000.0), {"rope_theta": {"rope_theta": 10000.0}},
    ),
    "llama-group3-dim8": later(
        base("llama", hidden_size=48, head_dim=8, num_attention_heads=6, num_key_value_heads=2, rope_theta=500000.0), {"rope_theta": {"rope_theta": 10000.0}},
    ),
    "llama-group4-dim18": later(
        base("llama", head_dim=18, num_attention_heads=8, num_key_value_heads=2, rope_theta=500000.0), {"rope_theta": {"rope_theta": 10000.0}},
    ),
    "llama-group8-dim40": later(
        base("llama", num_hidden_layers=1, head_dim=40, num_attention_heads=8, num_key_value_heads=1, rope_theta=500000.0), {"rope_theta": {"rope_theta": 10000.0}},
    ),
    "llama-group5-dim128": later(
        base("llama", num_hidden_layers=1, hidden_size=40, head_dim=128, num_attention_heads=5, num_key_value_heads=1, rope_theta=500000.0),
        {"rope_theta": {"rope_theta": 10000.0}},
    ),
}
