//! What sentence-transformers says about a model beside its `config.json`: `modules.json` and the files it leads to.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::LoadError;
use super::config::{json, object, size, wrong};
use crate::brief::brief;

/// How the tokens of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The first token.
    First,
    /// The largest of each number.
    Max,
    Mean,
}

/// A model's modules; without `modules.json` what sentence-transformers assumes then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Modules {
    /// Where the encoder lies.
    pub folder: PathBuf,
    /// Their vectors lie one after the other.
    pub pooling: Vec<Pooling>,
    /// Whether nothing says how they are pooled.
    pub assumed: bool,
    /// The tokens of the longest text, where that is said.
    pub most_tokens: Option<usize>,
    pub lowercase: bool,
    /// Put before every text.
    pub prompt: String,
}

/// Names of pooling, in the order in which sentence-transformers lays their vectors out.
const POOLINGS: [(&str, &str, Pooling); 3] = [
    ("cls", "pooling_mode_cls_token", Pooling::First),
    ("max", "pooling_mode_max_tokens", Pooling::Max),
    ("mean", "pooling_mode_mean_tokens", Pooling::Mean),
];
/// Flags of those that are not read.
const OTHER_POOLINGS: [&str; 3] = [
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
    "pooling_mode_lasttoken",
];

impl Modules {
    /// Reads the modules in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, LoadError> {
        let mut modules = Self {
            folder: folder.to_owned(),
            pooling: vec![Pooling::Mean],
            assumed: true,
            most_tokens: None,
            lowercase: false,
            prompt: String::new(),
        };
        let path = folder.join("modules.json");
        let mut include_prompt = true;
        if path.exists() {
            modules.assumed = false;
            let list = json(&path)?;
            let list = list
                .as_array()
                .filter(|list| !list.is_empty())
                .ok_or_else(|| wrong(&path, "expected a list of modules".into()))?;
            for (i, module) in list.iter().enumerate() {
                let kind = module["type"].as_str().unwrap_or_default();
                let place = place(folder, &path, i, module)?;
                match (i, kind.rsplit('.').next().unwrap_or_default()) {
                    (0, "Transformer") => modules.folder = place,
                    (1, "Pooling") => {
                        let path = place.join("config.json");
                        let config = object(&path)?;
                        modules.pooling = poolings(&path, &config)?;
                        include_prompt = config["include_prompt"] != false;
                    }
                    // Vectors are made unit length in any case.
                    (2.., "Normalize") => {}
                    _ => {
                        let kind = brief(&module["type"]);
                        return Err(wrong(
                            &path,
                            format!(
                                "module {i} is {kind}; expected Transformer, then Pooling, then Normalize or nothing"
                            ),
                        ));
                    }
                }
            }
        }
        modules.limits()?;
        modules.prompt = prompt(folder)?;
        if !include_prompt && !modules.prompt.is_empty() {
            return Err(wrong(
                &path,
                "its pooling leaves a prompt out (include_prompt: false), which is not read".into(),
            ));
        }
        Ok(modules)
    }

    /// `sentence_bert_config.json` beside the encoder.
    fn limits(&mut self) -> Result<(), LoadError> {
        let path = self.folder.join("sentence_bert_config.json");
        if !path.exists() {
            return Ok(());
        }
        let config = object(&path)?;
        if !config["max_seq_length"].is_null() {
            self.most_tokens = Some(size(&path, &config, "max_seq_length")?);
        }
        self.lowercase = config["do_lower_case"] == true;
        Ok(())
    }
}

/// The folder of module `i`, which must not lead out of the model's.
fn place(folder: &Path, path: &Path, i: usize, module: &Value) -> Result<PathBuf, LoadError> {
    let inside = |name: &&str| {
        let parts = Path::new(name).components();
        parts
            .into_iter()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    match module["path"].as_str().filter(inside) {
        Some(name) => Ok(folder.join(name)),
        None => Err(wrong(
            path,
            format!(
                "module {i}: path: expected the name of a folder beside it, found {}",
                brief(&module["path"])
            ),
        )),
    }
}

fn poolings(path: &Path, config: &Value) -> Result<Vec<Pooling>, LoadError> {
    let refused = |found: &str| {
        let names: Vec<&str> = POOLINGS.iter().map(|(name, _, _)| *name).collect();
        let names = names.join(", ");
        wrong(
            path,
            format!("pooling {found} is not read; expected {names}"),
        )
    };
    let named = |mode: &Value| {
        let found = POOLINGS.iter().find(|(name, _, _)| mode == name);
        found.map(|(_, _, pooling)| *pooling)
    };
    let modes = match &config["pooling_mode"] {
        Value::Null => {
            if let Some(other) = OTHER_POOLINGS.iter().find(|flag| config[**flag] == true) {
                return Err(refused(other));
            }
            let set = POOLINGS.iter().filter(|(_, flag, _)| config[*flag] == true);
            set.map(|(_, _, pooling)| *pooling).collect()
        }
        Value::Array(modes) if modes.len() <= POOLINGS.len() => modes
            .iter()
            .map(|mode| named(mode).ok_or_else(|| refused(&brief(mode))))
            .collect::<Result<Vec<_>, _>>()?,
        mode => vec![named(mode).ok_or_else(|| refused(&brief(mode)))?],
    };
    Ok(if modes.is_empty() {
        vec![Pooling::Mean]
    } else {
        modes
    })
}

/// The prompt that stands before every text, where the model has such a default.
fn prompt(folder: &Path) -> Result<String, LoadError> {
    let path = folder.join("config_sentence_transformers.json");
    if !path.exists() {
        return Ok(String::new());
    }
    let config = object(&path)?;
    let Some(name) = config["default_prompt_name"].as_str() else {
        return Ok(String::new());
    };
    match config["prompts"][name].as_str() {
        Some(prompt) => Ok(prompt.to_owned()),
        None => Err(wrong(
            &path,
            format!(
                "default_prompt_name: {:?} is none of its prompts",
                brief(name)
            ),
        )),
    }
}
