use std::path::Path;

use super::config::config;
use super::container::Container;
use super::file::Gguf;
use super::names::{Layout, Place, original_order};
use super::{Arch, GgufError, TensorType, Value};
use crate::model::weights::Bytes;

/// A file under construction, well-formed or not.
#[derive(Clone, Default)]
struct Draft {
    keys: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: Vec<u8>,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl Draft {
    /// A key with the number of its kind and the bytes of its value.
    fn key(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.keys
            .push([&text(key)[..], &kind.to_le_bytes(), value].concat());
        self
    }

    fn tensor(mut self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Self {
        let mut out = text(name);
        out.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
        out.extend(dimensions.iter().flat_map(|d| d.to_le_bytes()));
        out.extend(kind.to_le_bytes());
        out.extend(offset.to_le_bytes());
        self.tensors.push(out);
        self
    }

    fn data(mut self, bytes: usize) -> Self {
        self.data = (0..bytes).map(|i| u8::try_from(i % 60).unwrap()).collect();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        out.extend(self.keys.concat());
        out.extend(self.tensors.concat());
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        out
    }

    fn parse(&self) -> Result<Container, GgufError> {
        parse(self.bytes())
    }
}

fn parse(bytes: Vec<u8>) -> Result<Container, GgufError> {
    Container::parse(Path::new("x.gguf"), Bytes::Owned(bytes))
}

fn error(bytes: Vec<u8>) -> String {
    match parse(bytes) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    }
}

/// Two tensors of 32 and 64 bytes and some keys.
fn whole() -> Draft {
    Draft::default()
        .key("general.architecture", 8, &text("llama"))
        .key("a.flag", 7, &[1])
        .key("a.small", 1, &[254])
        .key("a.eps", 6, &1e-5f32.to_le_bytes())
        .key(
            "a.list",
            9,
            &[
                &5u32.to_le_bytes()[..],
                &2u64.to_le_bytes(),
                &[1, 0, 0, 0, 255, 255, 255, 255],
            ]
            .concat(),
        )
        .key(
            "a.texts",
            9,
            &[
                &8u32.to_le_bytes()[..],
                &2u64.to_le_bytes(),
                &text("ä"),
                &text(""),
            ]
            .concat(),
        )
        .tensor("one", &[8], 0, 0)
        .tensor("two", &[4, 4], 0, 32)
        .data(96)
}

#[test]
fn a_file_gives_its_keys_and_tensors() {
    let file = whole().parse().unwrap();
    let value = |key| file.value(key).unwrap();
    assert_eq!(value("general.architecture"), Some(Value::Text("llama")));
    assert_eq!(value("a.flag"), Some(Value::Bool(true)));
    assert_eq!(value("a.small"), Some(Value::Signed(-2)));
    assert_eq!(value("a.eps"), Some(Value::Float(1e-5)));
    let list = |key| value(key).unwrap().array().unwrap().iter();
    let numbers: Vec<_> = list("a.list").map(Option::unwrap).collect();
    assert_eq!(numbers, [Value::Signed(1), Value::Signed(-1)]);
    let texts: Vec<_> = list("a.texts").map(Option::unwrap).collect();
    assert_eq!(texts, [Value::Text("ä"), Value::Text("")]);
    assert_eq!(value("a"), None);
    let two = &file.tensors()["two"];
    assert_eq!((two.kind, &two.shape[..]), (TensorType::F32, &[4, 4][..]));
    assert_eq!(file.data(two), &whole().data[32..]);
    let mut older = whole().bytes();
    older[4] = 2;
    assert!(parse(older).is_ok());
}

#[test]
fn every_file_cut_short_is_refused() {
    let bytes = whole().bytes();
    for len in 0..bytes.len() {
        let told = error(bytes[..len].to_vec());
        assert!(
            told.starts_with("x.gguf: not a whole GGUF file: at byte "),
            "{told}"
        );
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let put = |at: usize, new: &[u8]| {
        let mut bytes = whole().bytes();
        bytes[at..at + new.len()].copy_from_slice(new);
        error(bytes)
    };
    let huge = u64::MAX.to_le_bytes();
    for (told, words) in [
        (put(0, b"GGML"), "does not begin with GGUF"),
        (put(4, &[1]), "version 1"),
        (put(4, &[4]), "version 4, expected 2 or 3"),
        (put(4, &[0, 0, 0, 3]), "big-endian"),
        (
            put(8, &huge),
            "at byte 8: the number of tensors is 18446744073709551615",
        ),
        (put(16, &huge), "at byte 16: the number of keys is"),
        (put(24, &huge), "at byte 24: the length of a key is"),
        (put(32, &[0xFF]), "a key is no UTF-8"),
        (
            put(52, &[77]),
            "`general.architecture`: 77 is no kind of value",
        ),
        (
            put(56, &huge),
            "`general.architecture`: the length of a text is",
        ),
    ] {
        assert!(told.contains(words), "{told}");
    }
    let list = |kind: u32, len: u64| [&kind.to_le_bytes()[..], &len.to_le_bytes()].concat();
    let drafts = [
        (
            whole().key("a.flag", 7, &[0]),
            "the key `a.flag` is there twice",
        ),
        (whole().key("b", 7, &[2]), "a truth value is 2"),
        (whole().key("b", 9, &list(9, 0)), "a list of lists"),
        (whole().key("b", 9, &list(99, 0)), "99 is no kind of value"),
        (
            whole().key("b", 9, &list(10, 1 << 60)),
            "the length of a list is",
        ),
        (
            whole().key("general.alignment", 4, &[0; 4]),
            "general.alignment: expected a power",
        ),
        (
            whole().key("general.alignment", 4, &[24, 0, 0, 0]),
            "general.alignment: expected",
        ),
        (
            whole().key("general.alignment", 8, &text("32")),
            "general.alignment: expected",
        ),
        (
            whole().tensor("one", &[1], 0, 64),
            "tensor `one` is there twice",
        ),
        (
            whole().tensor("x", &[], 0, 64),
            "tensor `x` has 0 dimensions",
        ),
        (
            whole().tensor("x", &[1; 5], 0, 64),
            "tensor `x` has 5 dimensions",
        ),
        (
            whole().tensor("x", &[4, 0], 0, 64),
            "tensor `x` has a dimension of 0",
        ),
        (
            whole().tensor("x", &[1 << 40, 1 << 40], 0, 64),
            "tensor `x` has the impossible shape",
        ),
        (
            whole().tensor("x", &[48], 2, 64),
            "rows of 48 numbers, which are no whole blocks of 32 as Q4_0",
        ),
        (
            whole().tensor("x", &[256], 16, 64),
            "tensor `x` is IQ2_XXS, which is not read",
        ),
        (
            whole().tensor("x", &[32], 39, 64),
            "tensor `x` is MXFP4, which is not read",
        ),
        (
            whole().tensor("x", &[32], 999, 64),
            "tensor `x` is of type 999, which is not read",
        ),
        (
            whole().tensor("x", &[1], 0, 65),
            "65 of the data, which is no multiple of the alignment 32",
        ),
        (
            whole().tensor("x", &[8], 0, 96),
            "the file ends 96 bytes after where the data begins",
        ),
        (
            whole().tensor("x", &[8], 0, u64::MAX - 31),
            "tensor `x` lies at 18446744073709551584",
        ),
        (whole().tensor("x", &[8], 0, 64), "`two` and `x` overlap"),
        (
            whole().tensor(&"n".repeat(500), &[], 0, 0),
            "nnn…` has 0 dimensions",
        ),
    ];
    for (draft, words) in drafts {
        let told = error(draft.bytes());
        assert!(
            told.contains(words) && told.contains("at byte "),
            "{words}: {told}"
        );
        assert!(told.len() < 400, "{told}");
    }
}

#[test]
fn parts_must_belong_together() {
    let part = |no: u16, count: u16, tensors: i32, name: &str| {
        let draft = Draft::default()
            .key("split.no", 2, &no.to_le_bytes())
            .key("split.count", 2, &count.to_le_bytes())
            .key("split.tensors.count", 5, &tensors.to_le_bytes())
            .tensor(name, &[8], 0, 0)
            .data(32);
        draft.parse().unwrap()
    };
    let told = |parts| match Gguf::of_parts(parts) {
        Ok(gguf) => format!("{} tensors", gguf.tensors().count()),
        Err(error) => error.to_string(),
    };
    for (parts, words) in [
        (vec![part(0, 2, 2, "a"), part(1, 2, 2, "b")], "2 tensors"),
        (vec![part(0, 1, 1, "a")], "1 tensors"),
        (
            vec![part(0, 2, 2, "a")],
            "`split.count` says 2 parts, and there is 1\n  hint: ",
        ),
        (
            vec![part(1, 2, 2, "a"), part(0, 2, 2, "b")],
            "`split.no` is 1",
        ),
        (
            vec![part(0, 2, 3, "a"), part(1, 2, 3, "b")],
            "`split.tensors.count` says 3",
        ),
        (
            vec![part(0, 2, 2, "a"), part(1, 2, 2, "a")],
            "tensor `a` is in x.gguf too",
        ),
    ] {
        let told = told(parts);
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn tensors_are_found_in_every_part() {
    let part = |no: u16, name: &str, fill: u8| {
        let mut draft = Draft::default()
            .key("split.no", 2, &no.to_le_bytes())
            .key("split.count", 2, &2u16.to_le_bytes())
            .tensor(name, &[8], 0, 0);
        draft.data = vec![fill; 32];
        draft.parse().unwrap()
    };
    let gguf = Gguf::of_parts(vec![part(0, "a", 1), part(1, "b", 2)]).unwrap();
    let data = |name| gguf.tensor(name).map(|(_, _, data)| data[31]);
    assert_eq!((data("a"), data("b"), data("c")), (Some(1), Some(2), None));
    assert_eq!(gguf.types(), [(TensorType::F32, 64)]);
}

/// The metadata that every model needs, as llama.cpp's converter writes it, and what comes of it.
#[test]
fn metadata_becomes_a_configuration() {
    let number = |n: u32| n.to_le_bytes();
    let draft = |arch: &str| {
        let full = |key: &str| format!("{arch}.{key}");
        Draft::default()
            .key("general.architecture", 8, &text(arch))
            .key(&full("embedding_length"), 4, &number(64))
            .key(&full("block_count"), 4, &number(8))
            .key(&full("context_length"), 4, &number(4096))
            .key(&full("feed_forward_length"), 4, &number(96))
            .key(&full("attention.head_count"), 4, &number(4))
            .key(
                &full("attention.layer_norm_rms_epsilon"),
                6,
                &1e-6f32.to_le_bytes(),
            )
            .tensor("token_embd.weight", &[64, 2], 0, 0)
            .data(512)
    };
    let read = |draft: Draft| {
        let gguf = Gguf::of_parts(vec![draft.parse().unwrap()]).unwrap();
        Arch::of(&gguf).and_then(|arch| config(&gguf, arch))
    };
    let llama = read(draft("llama")).unwrap();
    assert_eq!(llama["architectures"][0], "LlamaForCausalLM");
    assert_eq!(
        (
            &llama["vocab_size"],
            &llama["num_key_value_heads"],
            &llama["head_dim"]
        ),
        (&2.into(), &4.into(), &16.into())
    );
    assert_eq!(llama["rms_norm_eps"], 1e-6);
    assert_eq!(llama["tie_word_embeddings"], true);
    let window = |arch: &str| {
        let key = format!("{arch}.attention.sliding_window");
        read(draft(arch).key(&key, 4, &number(16)))
    };
    let mistral = window("llama").unwrap();
    assert_eq!(
        (&mistral["model_type"], &mistral["sliding_window"]),
        (&"mistral".into(), &16.into())
    );
    let layers = |config: serde_json::Value| {
        let types = config["layer_types"].as_array().unwrap().clone();
        types
            .iter()
            .map(|kind| kind.as_str().unwrap().chars().next().unwrap())
            .collect::<String>()
    };
    assert_eq!(layers(window("gemma3").unwrap()), "sssssfss");
    assert_eq!(layers(window("gemma2").unwrap()), "sfsfsfsf");
    assert_eq!(layers(read(draft("gemma3")).unwrap()), "ffffffff");
    let smollm3 = read(draft("smollm3")).unwrap();
    assert_eq!(
        smollm3["no_rope_layers"],
        serde_json::json!([1, 1, 1, 0, 1, 1, 1, 0])
    );
    let told = |draft: Draft| read(draft).unwrap_err().to_string();
    for (told, words) in [
        (
            told(draft("mamba")),
            "architecture \"mamba\" is not supported; supported are llama, ",
        ),
        (
            window("qwen2").unwrap_err().to_string(),
            "`qwen2.attention.sliding_window` is 16",
        ),
        (
            told(draft("qwen3moe")),
            "`qwen3moe.expert_count` is missing",
        ),
        (
            told(draft("llama").key("llama.attention.max_alibi_bias", 6, &8f32.to_le_bytes())),
            "`llama.attention.max_alibi_bias` is not known",
        ),
        (
            told(draft("llama").key("llama.rope.freq_base", 8, &text("x"))),
            "`llama.rope.freq_base` is not a finite number",
        ),
        (
            told(draft("llama").key("general.type", 8, &text("adapter"))),
            "`general.type` is \"adapter\"",
        ),
        (told(Draft::default()), "`general.architecture` is missing"),
    ] {
        assert!(
            told.starts_with("x.gguf: ") && told.contains(words),
            "{told}"
        );
    }
}

#[test]
fn rows_come_back_in_the_original_order() {
    // two heads of six rows, as the converter writes them
    let stored = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
    let bytes: Vec<u8> = stored.iter().flat_map(|row| [*row, 100 + row]).collect();
    let original = original_order(&bytes, 2, 2);
    let expected: Vec<u8> = (0..12).flat_map(|row| [row, 100 + row]).collect();
    assert_eq!(original, expected);
}

#[test]
fn names_lead_to_places() {
    let place = |arch, name: &str| {
        let layout = Layout {
            arch,
            heads: 8,
            kv_heads: 2,
        };
        layout.place(name).map(|place| {
            let Place {
                name,
                expert,
                interleaved_heads,
            } = place;
            (name, expert, interleaved_heads)
        })
    };
    let plain = |name: &str| Some((name.to_owned(), None, None));
    let q = "model.layers.3.self_attn.q_proj.weight";
    assert_eq!(
        place(Arch::Llama, q),
        Some(("blk.3.attn_q.weight".into(), None, Some(8)))
    );
    assert_eq!(place(Arch::Qwen2, q), plain("blk.3.attn_q.weight"));
    let k = "model.layers.3.self_attn.k_proj.bias";
    assert_eq!(
        place(Arch::SmolLm3, k),
        Some(("blk.3.attn_k.bias".into(), None, Some(2)))
    );
    let norm = "model.layers.0.post_attention_layernorm.weight";
    assert_eq!(place(Arch::Qwen3, norm), plain("blk.0.ffn_norm.weight"));
    assert_eq!(
        place(Arch::Gemma3, norm),
        plain("blk.0.post_attention_norm.weight")
    );
    assert_eq!(
        place(
            Arch::Qwen3Moe,
            "model.layers.1.mlp.experts.17.down_proj.weight"
        ),
        Some(("blk.1.ffn_down_exps.weight".into(), Some(17), None))
    );
    assert_eq!(place(Arch::Llama, "lm_head.weight"), plain("output.weight"));
    let fused = "model.layers.0.mlp.gate_up_proj.weight";
    assert_eq!(place(Arch::Phi3, fused), plain("blk.0.ffn_up.weight"));
    assert_eq!(place(Arch::Llama, fused), None);
    for unknown in [
        "lm_head",
        "model.layers.0.mlp.fc1.weight",
        "model.layers.0.mlp.experts.x.up_proj.weight",
        "visual.weight",
        "",
    ] {
        assert_eq!(place(Arch::Llama, unknown), None, "{unknown}");
    }
}
