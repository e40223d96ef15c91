//! Sound small files of each kind, damaged some thousand times from a fixed seed: read or refused, and never a panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use colloquy::kernels::{Cpu, InstructionSet, KvType, Profile, Span, Threads};
use colloquy::model::template::ChatTemplate;
use colloquy::model::tokenizer::Tokenizer;
use colloquy::model::{Decoder, KvPool, Manifest, ModelSpec, StepRows, Weights};
use colloquy::rng::Stream;
use colloquy::run::read_journal;
use colloquy::settings::{Environment, Overrides, RecipeText, resolve};

use super::room::DAY;

/// What a kind of file is damaged with: numbers at the edge, and tokens of its own.
const EDGES: [&str; 14] = [
    "0",
    "-1",
    "1e308",
    "1e-308",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "16777216",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
];

struct Damage {
    random: Stream,
    drawn: u64,
    tokens: Vec<Vec<u8>>,
}

impl Damage {
    fn new(seed: u64, dictionary: &str) -> Self {
        let text = std::fs::read_to_string(fuzz().join("dictionaries").join(dictionary)).unwrap();
        let tokens = text
            .lines()
            .map(unquoted)
            .chain(EDGES.map(Into::into))
            .collect();
        Self {
            random: Stream::root(seed),
            drawn: 0,
            tokens,
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.drawn += 1;
        self.random.below(self.drawn, below.max(1))
    }

    fn of(&mut self, sound: &[u8]) -> Vec<u8> {
        let mut bytes = sound.to_vec();
        for _ in 0..=self.draw(3) {
            let at = self.draw(bytes.len());
            let rest = bytes.len() - at;
            let length = self.draw(24).min(rest);
            match self.draw(8) {
                0 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (self.drawn % 8);
                    }
                }
                1 => {
                    bytes.drain(at..at + length);
                }
                2 => {
                    let piece = bytes[at..at + length].to_vec();
                    let to = self.draw(bytes.len());
                    bytes.splice(to..to, piece);
                }
                3 => bytes.truncate(at),
                4 => {
                    // A whole number becomes another.
                    let digits = |b: &u8| b.is_ascii_digit();
                    if let Some(from) = bytes[at..].iter().position(digits).map(|n| at + n) {
                        let to = bytes[from..]
                            .iter()
                            .position(|b| !digits(b))
                            .map_or(bytes.len(), |n| from + n);
                        let edge = EDGES[self.draw(EDGES.len())];
                        bytes.splice(from..to, edge.bytes());
                    }
                }
                _ => {
                    let token = self.draw(self.tokens.len());
                    let token = self.tokens[token].clone();
                    bytes.splice(at..at + length, token);
                }
            }
        }
        bytes
    }
}

/// A line of a dictionary: `"…"` with `\xAB` for bytes.
fn unquoted(line: &str) -> Vec<u8> {
    let inner = line
        .strip_prefix('"')
        .and_then(|l| l.strip_suffix('"'))
        .expect("a quoted line");
    let mut out = Vec::new();
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend(before.bytes());
        out.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    out.extend(rest.bytes());
    out
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(fuzz().join("seeds").join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Damages the seeds of a kind in turn; `read` says whether a file was taken for sound. Some must be, and some must not.
fn damage(kind: &str, seed: u64, rounds: usize, read: impl Fn(&[u8]) -> bool) {
    let seeds = seeds(kind);
    for sound in &seeds {
        assert!(read(sound), "a seed of {kind} is sound");
    }
    let mut damage = Damage::new(seed, &format!("{kind}.dict"));
    let (mut sound, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let bytes = damage.of(&seeds[round % seeds.len()]);
        let start = Instant::now();
        sound += usize::from(read(&bytes));
        slowest = slowest.max(start.elapsed());
    }
    assert!(
        0 < sound && sound < rounds,
        "{kind}: {sound} of {rounds} were taken for sound"
    );
    assert!(
        slowest < Duration::from_secs(30),
        "{kind}: one took {slowest:?}"
    );
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn cpu() -> Arc<Cpu> {
    Arc::new(Cpu {
        threads: Threads::new(1),
        set: InstructionSet::detect(),
    })
}

#[test]
fn configurations() {
    let (nothing, cpu) = (Weights::open(&[]).unwrap(), cpu());
    damage("config", 1, 3000, |bytes| {
        let Ok(spec) = ModelSpec::from_config(&String::from_utf8_lossy(bytes)) else {
            return false;
        };
        let positions = spec.max_positions.min(4096);
        let frequencies = spec
            .rope
            .iter()
            .flatten()
            .flat_map(|rope| rope.inverse_frequencies(positions));
        assert!(frequencies.take(256).all(f32::is_finite));
        assert!(Decoder::load(spec, &nothing, positions, Profile::Int8, Arc::clone(&cpu)).is_err());
        true
    });
}

#[test]
fn weights() {
    const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":8,"hidden_size":8,"intermediate_size":8,
        "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"tie_word_embeddings":true,
        "max_position_embeddings":32}"#;
    let (folder, cpu) = (temporary(), cpu());
    let path = folder.path().join("model.safetensors");
    damage("safetensors", 2, 2000, |bytes| {
        let (choice, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        std::fs::write(&path, bytes).unwrap();
        let profile = [Profile::F32, Profile::Bf16, Profile::Int8][usize::from(*choice) % 3];
        let spec = ModelSpec::from_config(CONFIG).unwrap();
        let Ok(weights) = Weights::open(std::slice::from_ref(&path)) else {
            return false;
        };
        let Ok(decoder) = Decoder::load(spec.clone(), &weights, 32, profile, Arc::clone(&cpu))
        else {
            return false;
        };
        let pool = KvPool::new(&spec, 1, KvType::F16);
        let span = Span {
            first_row: 0,
            rows: 2,
            position: 0,
            pages: &[0],
        };
        let rows = StepRows {
            tokens: &[1, 7],
            spans: &[span],
            logits: &[1],
        };
        decoder.forward(&rows, &pool).unwrap();
        true
    });
}

#[test]
fn tokenizers() {
    let folder = temporary();
    let path = folder.path().join("tokenizer.json");
    damage("tokenizer", 3, 1500, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let Ok(tokenizer) = Tokenizer::load(&path, None) else {
            return false;
        };
        let tokenizer = Arc::new(tokenizer);
        for text in [
            "The kettle is late.",
            " <|im_start|>user\n1 €, or <s>?",
            "\u{FEFF}a\u{0301}\0",
            "",
        ] {
            if let Ok(ids) = tokenizer.encode(text) {
                let _ = tokenizer.decode(&ids);
                let _ = tokenizer.reply_text(&[], &ids);
            }
            let _ = (tokenizer.encode_plain(text), tokenizer.encode_inner(text));
        }
        // Ids that stand for nothing among them.
        let every: Vec<u32> = (0..64)
            .filter(|id| (*id as usize) < tokenizer.size())
            .collect();
        let _ = tokenizer.reply_text(&[], &every);
        true
    });
}

#[test]
fn templates() {
    let names = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let variables: BTreeMap<String, String> =
        names.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    damage("template", 4, 1500, |bytes| {
        ChatTemplate::new(&String::from_utf8_lossy(bytes), variables.clone(), DAY).is_ok()
    });
}

#[test]
fn journals() {
    let folder = temporary();
    let path = folder.path().join("journal.jsonl");
    damage("journal", 5, 3000, |bytes| {
        let (choice, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        let mut journal = Vec::new();
        if *choice == 0 {
            journal.extend_from_slice(bytes);
        } else {
            for line in bytes.split(|b| *b == b'\n') {
                journal.extend(
                    format!("{:08x} ", crc32fast::hash(line))
                        .bytes()
                        .chain(line.iter().copied())
                        .chain(*b"\n"),
                );
            }
        }
        std::fs::write(&path, &journal).unwrap();
        let mut entries = 0;
        read_journal(&path, |_, _| entries += 1).is_ok() && entries > 0
    });
}

#[test]
fn recipes_and_manifests() {
    let environment = Environment::from_lookup(|_| None);
    damage("recipe", 6, 3000, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let manifest = Manifest::parse(&text).is_ok();
        let recipe = RecipeText::from_file(Path::new("recipe.toml"), text);
        let settings = resolve(&recipe, &Overrides::default(), &environment).is_ok();
        manifest || settings
    });
}
