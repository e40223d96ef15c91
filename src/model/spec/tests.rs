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
