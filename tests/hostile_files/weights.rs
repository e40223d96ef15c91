//! `model.safetensors`: its length, its header, its tensors.

use serde_json::{Map, Value, json};

use super::room::{Folder, demo};

/// The demo model's weights: header and data.
fn parts() -> (Map<String, Value>, Vec<u8>) {
    let bytes = std::fs::read(demo("model.safetensors")).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}

fn whole(header: &Map<String, Value>, data: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(header).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], &header, data].concat()
}

fn refused(change: impl FnOnce(&mut Map<String, Value>, &mut Vec<u8>), says: &[&str]) {
    let folder = Folder::new();
    let (mut header, mut data) = parts();
    change(&mut header, &mut data);
    folder.write("model.safetensors", whole(&header, &data));
    folder.refused(says);
}

const NORM: &str = "model.norm.weight";

#[test]
fn a_sound_folder_is_read() {
    let folder = Folder::new();
    assert_eq!(folder.read(), Ok(()));
    let (header, data) = parts();
    folder.write("model.safetensors", whole(&header, &data));
    assert_eq!(folder.read(), Ok(()));
}

#[test]
fn lengths_that_cannot_be() {
    let bytes = std::fs::read(demo("model.safetensors")).unwrap();
    let folder = Folder::new();
    for length in [0, 1, 7, 1 << 20, 16 << 20, 1 << 40, 1 << 63, u64::MAX] {
        let mut odd = bytes.clone();
        odd[..8].copy_from_slice(&u64::to_le_bytes(length));
        folder.write("model.safetensors", odd);
        folder.refused(&["model.safetensors", "not a whole safetensors file"]);
    }
    for kept in [0, 1, 7, 8, 9, 1000, bytes.len() - 1] {
        folder.write("model.safetensors", &bytes[..kept]);
        folder.refused(&["model.safetensors"]);
    }
    folder.write("model.safetensors", [&bytes[..], b"more"].concat());
    folder.refused(&["not a whole safetensors file"]);
}

#[test]
fn headers_that_cannot_be() {
    let folder = Folder::new();
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let meta = format!("{{\"__metadata__\":{}", "{\"a\":".repeat(100_000));
    for header in [
        "{",
        "[]",
        "null",
        "{}{}",
        "{\"a\":3}",
        "\u{FEFF}{}",
        &deep,
        &meta,
    ] {
        let length = (header.len() as u64).to_le_bytes();
        folder.write(
            "model.safetensors",
            [&length[..], header.as_bytes()].concat(),
        );
        folder.refused(&["not a whole safetensors file"]);
    }
    folder.write(
        "model.safetensors",
        [&2_u64.to_le_bytes()[..], b"{}"].concat(),
    );
    folder.refused(&["is missing"]);
    folder.write(
        "model.safetensors",
        [&4_u64.to_le_bytes()[..], b"{\xff\xfe}"].concat(),
    );
    folder.refused(&["not a whole safetensors file"]);
}

#[test]
fn offsets_that_cannot_be() {
    for offsets in [
        json!([0, 0]),
        json!([4, 0]),
        json!([0, u64::MAX]),
        json!([u64::MAX, 0]),
        json!([u64::MAX - 511, u64::MAX]),
        json!([-1, 511]),
        json!([0, 512]),
        json!([1_u64 << 40, (1_u64 << 40) + 512]),
        json!([]),
        json!([0.5, 512]),
    ] {
        refused(
            |header, _| header[NORM]["data_offsets"] = offsets,
            &["not a whole safetensors file"],
        );
    }
    // Two tensors on the same bytes, and a hole.
    refused(
        |header, _| {
            let first = header["model.layers.0.input_layernorm.weight"]["data_offsets"].clone();
            header[NORM]["data_offsets"] = first;
        },
        &["not a whole safetensors file"],
    );
}

#[test]
fn shapes_and_types_that_do_not_fit() {
    let shape =
        |shape: Value, says: &[&str]| refused(|header, _| header[NORM]["shape"] = shape, says);
    shape(
        json!([128, 2]),
        &[NORM, "has shape [128, 2]", "asks for [256]"],
    );
    shape(json!([1_u64 << 63, 2]), &["not a whole safetensors file"]);
    shape(
        json!([u64::MAX, u64::MAX, u64::MAX]),
        &["not a whole safetensors file"],
    );
    shape(json!([0]), &["not a whole safetensors file"]);
    shape(json!([]), &["not a whole safetensors file"]);
    shape(json!(vec![1; 100_000]), &["not a whole safetensors file"]);
    for (dtype, says) in [
        ("I16", "is I16; F32, F16 and BF16 are supported"),
        ("F64", "not a whole safetensors file"),
        ("F4", "not a whole safetensors file"),
        ("x", "not a whole safetensors file"),
    ] {
        refused(|header, _| header[NORM]["dtype"] = dtype.into(), &[says]);
    }
}

#[test]
fn tensors_that_are_missing_or_of_no_size() {
    refused(
        |header, _| {
            header.insert("other".into(), header[NORM].clone());
            header.remove(NORM);
        },
        &["tensor `model.norm.weight` is missing"],
    );
    // A tensor of no size beside the others is nobody's harm; in the place of one it is.
    let (mut header, data) = parts();
    let end = data.len();
    header.insert(
        "none".into(),
        json!({"dtype": "F32", "shape": [0, 1_u64 << 40], "data_offsets": [end, end]}),
    );
    let folder = Folder::new();
    folder.write("model.safetensors", whole(&header, &data));
    assert_eq!(folder.read(), Ok(()));
}

/// A long name in a long message helps no one.
#[test]
fn a_message_names_a_shape_in_short() {
    refused(
        |header, _| {
            let mut shape = vec![1; 100_000];
            shape[0] = 256;
            header[NORM]["shape"] = json!(shape);
        },
        &[NORM, "has shape"],
    );
}

#[test]
fn numbers_that_are_none() {
    for bits in [0x7FC0_u16, 0x7F80, 0xFF80] {
        for tensor in [
            NORM,
            "model.embed_tokens.weight",
            "model.layers.4.mlp.down_proj.weight",
        ] {
            refused(
                |header, data| {
                    assert_eq!(header[tensor]["dtype"], "BF16");
                    let end = usize::try_from(header[tensor]["data_offsets"][1].as_u64().unwrap())
                        .unwrap();
                    data[end - 2..end].copy_from_slice(&bits.to_le_bytes());
                },
                &[tensor, "holds NaN or infinity"],
            );
        }
    }
}

/// Headers of the length that the format allows, of little: what is read of them would take a hundred times the bytes.
#[test]
fn headers_of_absurd_length() {
    let folder = Folder::new();
    for piece in ["1,", "[],", "\"a\":{},"] {
        let header = format!(
            "{{\"a\":{{\"shape\":[{}",
            piece.repeat(90_000_000 / piece.len())
        );
        let length = (header.len() as u64).to_le_bytes();
        folder.write(
            "model.safetensors",
            [&length[..], header.as_bytes()].concat(),
        );
        folder.refused(&["model.safetensors", "expected at most 16777216"]);
    }
}

/// A name for every byte of a header of some size.
#[test]
fn many_tensors() {
    refused(
        |header, data| {
            let end = data.len();
            for i in 0..200_000 {
                header.insert(
                    format!("{i}"),
                    json!({"dtype": "F32", "shape": [0], "data_offsets": [end, end]}),
                );
            }
            header.remove(NORM);
        },
        &["not a whole safetensors file"],
    );
}
