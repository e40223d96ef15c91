//! Which layers see a window only, and which leave positions out.

use super::keys::Keys;
use super::{Family, SpecError};

/// Per layer: whether queries and keys are rotated.
pub(super) fn rotated(
    keys: &Keys<'_>,
    family: Family,
    layers: usize,
) -> Result<Vec<bool>, SpecError> {
    if family != Family::SmolLm3 {
        return Ok(vec![true; layers]);
    }
    if let Some(list) = keys.list("no_rope_layers")? {
        // Despite the name, 1 marks a layer with positions.
        let flags: Option<Vec<bool>> = list.iter().map(|n| Some(n.as_u64()? != 0)).collect();
        return flags
            .filter(|flags| flags.len() >= layers)
            .map(|mut flags| {
                flags.truncate(layers);
                flags
            })
            .ok_or_else(|| {
                let found = format!("a list of {}", list.len());
                keys.wrong("no_rope_layers", found, &format!("{layers} of 0 or 1"))
            });
    }
    let interval = keys.size_or("no_rope_layer_interval", Some(4))?;
    Ok((1..=layers)
        .map(|layer| !layer.is_multiple_of(interval))
        .collect())
}

/// Per layer: how many latest keys a query sees.
pub(super) fn windows(
    keys: &Keys<'_>,
    family: Family,
    rotated: &[bool],
) -> Result<Vec<Option<usize>>, SpecError> {
    let layers = rotated.len();
    let window = match (family, keys.names("sliding_window")) {
        // The reference's own default where the key is absent; null says that there is none.
        (
            Family::Mistral
            | Family::Gemma2
            | Family::Gemma3
            | Family::Qwen2
            | Family::Qwen3
            | Family::Qwen3Moe,
            false,
        ) => Some(4096),
        _ => keys.size("sliding_window")?,
    };
    let asked = keys.flag("use_sliding_window")?.unwrap_or(false);
    let used = match family {
        Family::Llama | Family::Olmo2 | Family::Granite => return Ok(vec![None; layers]),
        Family::Mistral | Family::Phi3 | Family::Gemma2 | Family::Gemma3 => window,
        Family::Qwen2 | Family::Qwen3 | Family::Qwen3Moe | Family::SmolLm3 => {
            window.filter(|_| asked)
        }
    };
    let everywhere = matches!(family, Family::Phi3 | Family::Qwen3Moe);
    if let Some(types) = keys.list("layer_types")?.filter(|_| !everywhere) {
        if types.len() != layers {
            return Err(keys.wrong(
                "layer_types",
                format!("a list of {}", types.len()),
                &format!("a list of {layers}"),
            ));
        }
        return types
            .iter()
            .map(|kind| match kind.as_str() {
                Some("full_attention") => Ok(None),
                Some("sliding_attention") if used.is_some() => Ok(used),
                _ => Err(keys.unsupported("layer_types", kind)),
            })
            .collect();
    }
    let pattern = ["sliding_window_pattern", "_sliding_window_pattern"];
    let pattern = match keys.size(pattern[0])? {
        Some(pattern) => pattern,
        None => keys.size_or(pattern[1], Some(6))?,
    };
    let first = keys.size_or("max_window_layers", Some(28))?;
    let slides = |layer: usize| match family {
        Family::Qwen2 | Family::Qwen3 => layer >= first,
        Family::Gemma2 => layer.is_multiple_of(2),
        Family::Gemma3 => !(layer + 1).is_multiple_of(pattern),
        Family::SmolLm3 => !rotated[layer],
        _ => true,
    };
    Ok((0..layers)
        .map(|layer| used.filter(|_| slides(layer)))
        .collect())
}
