use super::*;

const PLAIN: &str = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":64,"hidden_size":32,"intermediate_size":48,
    "num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":128}"#;

fn with(extra: &str) -> Result<ModelSpec, SpecError> {
    ModelSpec::from_config(&format!("{}, {extra}}}", PLAIN.trim_end_matches('}')))
}

#[test]
fn defaults_follow_the_reference() {
    let spec = ModelSpec::from_config(PLAIN).unwrap();
    assert_eq!(
        (
            spec.kv_heads,
            spec.head_dim,
            spec.norm_eps,
            spec.rope[1].as_ref().unwrap().theta
        ),
        (4, 8, 1e-6, 10_000.0)
    );
    assert!(!spec.tied && !spec.qkv_bias && spec.windows == [None, None]);
}

#[test]
fn what_is_not_understood_is_named() {
    let told = |extra: &str| with(extra).unwrap_err().to_string();
    assert!(
        told(r#""rope_scaling":{"rope_type":"dynamic","factor":2}"#)
            .contains("`rope_scaling.rope_type` = dynamic")
    );
    assert!(told(r#""final_logit_softcapping":30.0"#).contains("final_logit_softcapping"));
    assert!(told(r#""num_local_experts":8"#).contains("num_local_experts"));
    assert!(told(r#""quantization_config":{"bits":4}"#).contains("quantization_config"));
    assert!(told(r#""num_key_value_heads":3"#).contains("a divisor of the 4 attention heads"));
    assert!(told(r#""head_dim":7"#).contains("even"));
    assert!(told(r#""hidden_act":"relu2""#).contains("hidden_act"));
    assert!(told(r#""rms_norm_eps":-1"#).contains("positive"));
    assert!(ModelSpec::from_config("[]").is_err() && ModelSpec::from_config("{").is_err());
    let other = PLAIN.replace("LlamaForCausalLM", "T5Model");
    assert!(
        ModelSpec::from_config(&other)
            .unwrap_err()
            .to_string()
            .contains("T5Model")
    );
    let huge = PLAIN.replace("\"vocab_size\":64", "\"vocab_size\":99999999999");
    assert!(ModelSpec::from_config(&huge).is_err());
    assert!(
        ModelSpec::from_config(&PLAIN.replace("\"vocab_size\":64,", ""))
            .unwrap_err()
            .to_string()
            .contains("vocab_size")
    );
}

#[test]
fn harmless_keys_pass() {
    assert!(with(r#""torch_dtype":"bfloat16","some_vendor_note":"x","quantization_config":null,"rope_interleaved":false"#).is_ok());
}

fn of(architecture: &str, extra: &str) -> Result<ModelSpec, SpecError> {
    let plain = PLAIN.replace("LlamaForCausalLM", architecture).replace(
        "\"num_attention_heads\":4",
        "\"num_attention_heads\":4,\"num_key_value_heads\":4",
    );
    ModelSpec::from_config(&format!("{}, {extra}}}", plain.trim_end_matches('}')))
}

#[test]
fn a_familys_own_keys_are_errors_elsewhere() {
    let multiplier = r#""residual_multiplier":0.5"#;
    assert!(of("GraniteForCausalLM", multiplier).is_ok());
    let told = of("LlamaForCausalLM", multiplier).unwrap_err().to_string();
    assert!(told.contains("residual_multiplier"), "{told}");
    for (architecture, extra, key) in [
        (
            "Gemma3ForCausalLM",
            r#""attn_logit_softcapping":5"#,
            "attn_logit",
        ),
        (
            "Gemma2ForCausalLM",
            r#""use_bidirectional_attention":true"#,
            "bidirectional",
        ),
        ("Qwen3ForCausalLM", r#""mlp_bias":true"#, "mlp_bias"),
        (
            "Phi3ForCausalLM",
            r#""attention_bias":true"#,
            "attention_bias",
        ),
        ("Phi3ForCausalLM", r#""full_attn_mod":2"#, "full_attn_mod"),
        (
            "Qwen3ForCausalLM",
            r#""partial_rotary_factor":0.5"#,
            "partial_rotary",
        ),
        (
            "Qwen3MoeForCausalLM",
            r#""num_experts":4"#,
            "at most the 4 experts",
        ),
        (
            "Qwen3MoeForCausalLM",
            r#""shared_expert_intermediate_size":4"#,
            "shared_expert",
        ),
        ("Phi3ForCausalLM", r#""partial_rotary_factor":0.1"#, "even"),
        (
            "SmolLM3ForCausalLM",
            r#""no_rope_layers":[1]"#,
            "2 of 0 or 1",
        ),
        (
            "LlamaForCausalLM",
            r#""rope_scaling":{"type":"yarn","factor":2,"alpha":1}"#,
            "rope_scaling.alpha",
        ),
        (
            "LlamaForCausalLM",
            r#""rope_scaling":{"type":"longrope","short_factor":[1],"long_factor":[1]}"#,
            "a list of 4",
        ),
        (
            "LlamaForCausalLM",
            r#""rope_parameters":{"full_attention":{},"other":1}"#,
            "rope_parameters.other",
        ),
    ] {
        let told = of(architecture, extra).unwrap_err().to_string();
        assert!(told.contains(key), "{architecture}: {told}");
    }
    assert!(of("Phi3ForCausalLM", r#""full_attn_mod":1"#).is_ok());
}

/// A value of any size makes a message of bounded size.
#[test]
fn messages_stay_short() {
    let long = format!(r#""attention_table":[{}1]"#, "1,".repeat(100_000));
    assert!(with(&long).unwrap_err().to_string().len() < 300);
    let list = format!(r#""num_key_value_heads":[{}1]"#, "1,".repeat(100_000));
    assert!(with(&list).unwrap_err().to_string().len() < 300);
}
