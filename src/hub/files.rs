use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{HubError, gguf};
use crate::brief::brief;
use crate::fsio;

/// The files of one model, all present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    pub dir: PathBuf,
    /// One, or all shards in order of their names.
    pub weights: Vec<PathBuf>,
    pub format: ModelFormat,
    /// The commit, when it came from the Hugging Face cache.
    pub commit: Option<String>,
    /// The repository, when it came from there.
    pub repository: Option<String>,
}

/// Where everything but the weights is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFormat {
    /// In files beside the weights, which are safetensors.
    HuggingFace(SideFiles),
    /// In the weight files themselves.
    Gguf,
}

/// The files that lie beside safetensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFiles {
    pub config: PathBuf,
    pub tokenizer: PathBuf,
    pub tokenizer_config: Option<PathBuf>,
    /// `chat_template.jinja`; where absent, `tokenizer_config` holds the template.
    pub chat_template: Option<PathBuf>,
    pub generation_config: Option<PathBuf>,
    /// What else tokenizer and template may be spread over: `added_tokens.json` and its like, and the templates of `additional_chat_templates`, in
    /// order of their names.
    pub more: Vec<PathBuf>,
}

/// Files that have a say in tokenizer or template where they are there.
const READ_AS_WELL: [&str; 3] = [
    "added_tokens.json",
    "chat_template.json",
    "special_tokens_map.json",
];
/// A folder of further templates.
const MORE_TEMPLATES: &str = "additional_chat_templates";

/// The longest index; that of the largest models published takes a sixth of it.
const MOST_INDEX_BYTES: u64 = 64 << 20;
/// Missing shards that a message names.
const MOST_NAMED: usize = 8;
/// Bytes hashed at a time: large enough for all lanes, small enough to share among threads.
const PIECE_BYTES: u64 = 32 << 20;

impl ModelFiles {
    /// The model in a folder: in the Hugging Face layout, or the one GGUF model that lies there.
    ///
    /// # Errors
    /// When the folder cannot be read, a file that a chat model needs is missing (all are named), a shard that the index
    /// lists is missing, a file is only a git-lfs pointer, or there are several GGUF models.
    pub fn in_folder(folder: &Path, commit: Option<String>) -> Result<Self, HubError> {
        let names = names(folder)?;
        if !names.iter().any(|name| name.ends_with(".safetensors"))
            && let Some(first) = gguf::only_model(folder, &names)?
        {
            return Self::gguf(&folder.join(first), commit);
        }
        Self::beside(folder, &names, commit, true)
    }

    /// The encoder in a folder in the Hugging Face layout: a model that reads texts and has no chat template.
    ///
    /// # Errors
    /// As [`ModelFiles::in_folder`]; GGUF is not looked for.
    pub fn encoder_in_folder(folder: &Path) -> Result<Self, HubError> {
        Self::beside(folder, &names(folder)?, None, false)
    }

    /// Weights in safetensors and the files beside them; `chats` says whether a chat template must be among them.
    fn beside(
        folder: &Path,
        names: &BTreeSet<String>,
        commit: Option<String>,
        chats: bool,
    ) -> Result<Self, HubError> {
        let file = |name: &str| names.contains(name).then(|| folder.join(name));
        let (weights, mut missing) = weights(folder, names)?;
        let (config, tokenizer) = (file("config.json"), file("tokenizer.json"));
        let (tokenizer_config, chat_template) =
            (file("tokenizer_config.json"), file("chat_template.jinja"));
        let mut lacks = |there: bool, what: &str| {
            if !there {
                missing.push(what.to_owned());
            }
        };
        lacks(config.is_some(), "config.json");
        lacks(tokenizer.is_some(), "tokenizer.json");
        lacks(
            !chats || tokenizer_config.is_some() || chat_template.is_some(),
            "a chat template (chat_template.jinja, or tokenizer_config.json)",
        );
        match (config, tokenizer) {
            (Some(config), Some(tokenizer)) if missing.is_empty() => {
                for path in weights.iter().chain([&tokenizer, &config]) {
                    refuse_pointer(path)?;
                }
                let generation_config = file("generation_config.json");
                let mut more: Vec<_> = READ_AS_WELL.iter().filter_map(|name| file(name)).collect();
                more.extend(templates(&folder.join(MORE_TEMPLATES))?);
                Ok(Self {
                    dir: folder.to_owned(),
                    weights,
                    format: ModelFormat::HuggingFace(SideFiles {
                        config,
                        tokenizer,
                        tokenizer_config,
                        chat_template,
                        generation_config,
                        more,
                    }),
                    commit,
                    repository: None,
                })
            }
            _ => Err(HubError::Incomplete {
                folder: folder.to_owned(),
                missing,
                hint: hint(names),
            }),
        }
    }

    /// The model in a GGUF file, with the other parts where it is one of several.
    ///
    /// # Errors
    /// When it or one of its parts is missing or is only a git-lfs pointer.
    pub fn gguf(path: &Path, commit: Option<String>) -> Result<Self, HubError> {
        let weights = gguf::parts(path)?;
        for path in &weights {
            refuse_pointer(path)?;
        }
        Ok(Self {
            dir: path.parent().unwrap_or(Path::new("")).to_owned(),
            weights,
            format: ModelFormat::Gguf,
            commit,
            repository: None,
        })
    }

    /// All files, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let beside = match &self.format {
            ModelFormat::HuggingFace(side) => {
                let optional = [
                    &side.tokenizer_config,
                    &side.chat_template,
                    &side.generation_config,
                ];
                let mut beside = vec![&side.config, &side.tokenizer];
                beside.extend(optional.into_iter().flatten().chain(&side.more));
                beside
            }
            ModelFormat::Gguf => Vec::new(),
        };
        beside
            .into_iter()
            .chain(&self.weights)
            .map(PathBuf::as_path)
    }

    /// The fingerprint of the whole content: names and bytes of every file, wherever the folder lies. Reads everything
    /// once, with as many threads as given; the result does not depend on them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn content_hash(&self, threads: usize) -> Result<String, HubError> {
        let unreadable = |path: &Path, error: &std::io::Error| HubError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut pieces = Vec::new();
        let mut outer = blake3::Hasher::new();
        for path in self.all() {
            let length = path
                .metadata()
                .map_err(|error| unreadable(path, &error))?
                .len();
            let name = path
                .strip_prefix(&self.dir)
                .unwrap_or(path)
                .to_string_lossy();
            outer.update(format!("{name}\0{length}\0").as_bytes());
            pieces
                .extend((0..length.div_ceil(PIECE_BYTES)).map(|piece| (path, piece * PIECE_BYTES)));
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut hashes = Vec::new();
            let mut buffer = Vec::new();
            while let Some((path, from)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                let hash = piece_hash(path, *from, &mut buffer)
                    .map_err(|error| unreadable(path, &error))?;
                hashes.push(((*path, *from), hash));
            }
            Ok(hashes)
        };
        let mut hashes = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.clamp(1, pieces.len().max(1)))
                .map(|_| scope.spawn(work))
                .collect();
            let results = workers
                .into_iter()
                .map(|worker| worker.join().expect("a hashing thread does not panic"));
            results.collect::<Result<Vec<_>, HubError>>()
        })?
        .concat();
        hashes.sort_unstable_by_key(|(at, _)| *at);
        for (_, hash) in hashes {
            outer.update(hash.as_bytes());
        }
        Ok(outer.finalize().to_hex()[..16].to_owned())
    }
}

fn piece_hash(path: &Path, from: u64, buffer: &mut Vec<u8>) -> std::io::Result<blake3::Hash> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    buffer.clear();
    file.take(PIECE_BYTES).read_to_end(buffer)?;
    Ok(blake3::hash(buffer))
}

/// The templates in a folder that may be absent.
fn templates(folder: &Path) -> Result<Vec<PathBuf>, HubError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<_> = names(folder)?
        .into_iter()
        .map(|name| folder.join(name))
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "jinja"));
    Ok(paths)
}

fn names(folder: &Path) -> Result<BTreeSet<String>, HubError> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => HubError::NoFolder {
            path: folder.to_owned(),
        },
        std::io::ErrorKind::NotADirectory => HubError::NotAFolder {
            path: folder.to_owned(),
        },
        _ => HubError::Read {
            path: folder.to_owned(),
            reason: error.to_string(),
        },
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // a link into the cache's blobs counts only while the blob is there
        if entry.path().is_file() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

/// The weight files, and what of them is missing.
fn weights(
    folder: &Path,
    names: &BTreeSet<String>,
) -> Result<(Vec<PathBuf>, Vec<String>), HubError> {
    const ONE: &str = "model.safetensors";
    const INDEX: &str = "model.safetensors.index.json";
    if names.contains(ONE) {
        return Ok((vec![folder.join(ONE)], Vec::new()));
    }
    if !names.contains(INDEX) {
        return Ok((
            Vec::new(),
            vec![format!("weights ({ONE}, or {INDEX} with its shards)")],
        ));
    }
    let path = folder.join(INDEX);
    let malformed = |reason: String| HubError::Malformed {
        path: path.clone(),
        reason,
    };
    let text = fsio::read_bytes(&path, MOST_INDEX_BYTES).map_err(|error| HubError::Read {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    let index: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    let map = index["weight_map"].as_object().ok_or_else(|| {
        malformed("weight_map: expected an object of tensor names and files".to_owned())
    })?;
    let mut shards = BTreeSet::new();
    for (tensor, shard) in map {
        match shard.as_str() {
            Some(shard)
                if Path::new(shard).components().count() == 1 && !shard.contains(['/', '\\']) =>
            {
                shards.insert(shard)
            }
            _ => {
                return Err(malformed(format!(
                    "weight_map.{}: expected the name of a file beside the index, found {}",
                    brief(tensor),
                    brief(shard)
                )));
            }
        };
    }
    if shards.is_empty() {
        return Err(malformed("weight_map: it is empty".to_owned()));
    }
    let mut missing: Vec<String> = shards
        .iter()
        .filter(|shard| !names.contains(**shard))
        .map(|shard| format!("{} (a shard in {INDEX})", brief(shard)))
        .collect();
    if let Some(more) = missing.len().checked_sub(MOST_NAMED).filter(|n| *n > 0) {
        missing.truncate(MOST_NAMED);
        missing.push(format!("and {more} more"));
    }
    Ok((
        shards.into_iter().map(|shard| folder.join(shard)).collect(),
        missing,
    ))
}

/// What the folder seems to be instead.
fn hint(names: &BTreeSet<String>) -> Option<String> {
    let any = |ending: &str| names.iter().any(|name| name.ends_with(ending));
    let safetensors = any(".safetensors");
    let hint = if names.contains("adapter_config.json") {
        "this is an adapter (LoRA); merge it into its base model first"
    } else if !safetensors && (any(".bin") || any(".pt") || any(".pth")) {
        "pickled PyTorch weights are not read; get or convert to safetensors"
    } else if !names.contains("tokenizer.json") && names.contains("tokenizer.model") {
        "only the SentencePiece file is there; load the tokenizer in transformers and save it to get tokenizer.json"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

fn refuse_pointer(path: &Path) -> Result<(), HubError> {
    const START: &[u8] = b"version https://git-lfs";
    let mut start = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(START.len() as u64).read_to_end(&mut start));
    match read {
        Err(error) => Err(HubError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
        Ok(_) if start == START => Err(HubError::LfsPointer {
            path: path.to_owned(),
        }),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
