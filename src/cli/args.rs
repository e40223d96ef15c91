//! The command line, as clap types.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use super::generate::deadline::{self, TimeOfDay};
use crate::export::{Encoding, Format, Side, SplitBy, SystemDepth, TrainOn};
use crate::import::ForeignFormat;
use crate::settings::{Quant, Stage};

/// Turns a recipe into a dataset of multi-turn conversations, with chat models that run inside this program, offline.
#[derive(Debug, Parser)]
#[command(name = "colloquy", version, max_term_width = 100, after_help = super::failure::CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a dataset, or go on with one
    ///
    /// The same command twice does the work once: a finished run says so, an interrupted one goes on where it stopped, a
    /// changed recipe makes a new run beside the old one.
    Generate(GenerateArgs),
    /// Show the first few conversations of a recipe without starting a run
    Preview(PreviewArgs),
    /// Copy a recipe, its prompts and two sample pages to a folder, to be changed
    Init(InitArgs),
    /// List the recipes that come with the program, or print one
    Recipes(RecipesArgs),
    /// Check a recipe: every setting with its source, the plan, a sample of each prompt
    Validate(ValidateArgs),
    /// Say how far a run is
    Status(RunArgs),
    /// Go on with an interrupted run
    Resume(ResumeArgs),
    /// Show a run's conversations, or one of them
    Show(ShowArgs),
    /// Let a model judge a run's conversations, with negative controls
    ///
    /// Each kept conversation is shown to the judge, and one question asked for each aspect; the score is the mean of the digits
    /// 1 to 5 in proportion to their probabilities. Every question is also asked where the answer should be 1, of another
    /// conversation's topic, people, tone or page: a judge that scores these as high does not know what it says. Nothing of
    /// a conversation is changed; what was judged is not judged again.
    Judge(JudgeArgs),
    /// Read a run's conversations one by one and mark which to keep and which to drop
    ///
    /// At a terminal: y keeps, x drops, n writes a note, and each mark is saved at once. Elsewhere --mark, --import and --list do
    /// it. Marks are in review.jsonl in the run's folder; nothing else of the run changes.
    Review(ReviewArgs),
    /// Write conversations as files that trainers load, also of a run that is going on
    #[command(after_help = super::export::EXAMPLES)]
    Export(ExportArgs),
    /// Say how good a corpus is: a run, or files of conversations
    ///
    /// Writes report.json and the page report.html, which needs nothing beside it, to RUN/report or, for files, to STEM-report
    /// beside the first, and prints a summary. A run that is going on is looked at up to where its plan is finished.
    Report(ReportArgs),
    /// Upload a folder: an export, or a report
    ///
    /// A second run sends only what is missing or differs. Credentials come from the environment alone:
    /// AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING; AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY and AWS_REGION.
    Publish(PublishArgs),
    /// Look at chat models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Log-probability of every token of a text
    Score(ScoreArgs),
    /// Compare models on this machine: speed, memory, fitness as a simulator
    ///
    /// Each model is loaded, timed and taken off again, one after the other. Nothing is written but the table and what
    /// --json and --svg ask for.
    #[command(after_long_help = super::bench::MEANING)]
    Bench(BenchArgs),
    /// Say what keeps colloquy from working well here, and what to do about it
    ///
    /// The exit code is 0 when everything is usable, else that of the first problem.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What changes a recipe from the command line.
#[derive(Args, Clone, Debug, Default)]
pub struct RecipeArgs {
    /// A recipe file, a folder with a recipe.toml, or the name of a recipe that comes with the program [default: support]
    pub recipe: Option<String>,
    /// Chat model: a folder, org/name from the Hugging Face cache, or demo; ROLE=REF for one role alone (queries, customer,
    /// agent, status, experiences, member, manager, judge), may be given several times
    #[arg(long, value_name = "[ROLE=]REF")]
    pub model: Vec<String>,
    /// Seed of every draw
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Change one key of the recipe, as --set conversation.max_turns=8; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// How models are loaded and run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Weights: auto, none (as they are), bf16, q8_0 or q4
    #[arg(long, value_name = "QUANT")]
    pub quant: Option<String>,
    /// Keys and values: auto, f32, f16 or bf16
    #[arg(long, value_name = "TYPE")]
    pub kv_dtype: Option<String>,
    /// Memory for weights, keys and values, as "12 GiB" [default: half of what is free]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Threads [default: the cores this process may use]
    #[arg(long, value_name = "N")]
    pub threads: Option<String>,
}

impl EngineArgs {
    /// What was given: recipe key, flag, value.
    pub fn overrides(&self) -> Vec<(&'static str, &'static str, String)> {
        [
            ("quant", "--quant", &self.quant),
            ("kv_dtype", "--kv-dtype", &self.kv_dtype),
            ("engine.memory", "--memory", &self.memory),
            ("engine.threads", "--threads", &self.threads),
        ]
        .into_iter()
        .filter_map(|(key, flag, value)| Some((key, flag, value.clone()?)))
        .collect()
    }
}

/// When to stop.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct TimeArgs {
    /// Begin no conversation after this time, as 8h, 30m, 90s or 1h30m; live ones are finished, or left after a minute more.
    /// The same command goes on later
    #[arg(long = "for", value_name = "TIME", value_parser = deadline::span, conflicts_with = "until")]
    pub lasting: Option<Duration>,
    /// The same, up to a time of the clock here, as 07:00: today, or tomorrow where that is past
    #[arg(long, value_name = "HH:MM", value_parser = deadline::time_of_day)]
    pub until: Option<TimeOfDay>,
}

fn stage(name: &str) -> Result<Stage, String> {
    let mut stages = Stage::ALL.iter().copied();
    stages
        .find(|stage| stage.name() == name)
        .ok_or_else(|| "expected queries, products, experiences or conversations".to_owned())
}

#[derive(Args, Clone, Debug)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Folder that holds the run folders [default: runs]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Stop after the first N conversations of the plan; a later run without it goes on
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub time: TimeArgs,
    /// Make a stage's records anew with other draws, and all that is made from them: queries, products, experiences or
    /// conversations. The
    /// run as it is stays beside the new one, with .old-1 after its name
    #[arg(long, value_name = "STAGE", value_parser = stage, hide_possible_values = true)]
    pub redo: Option<Stage>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct PreviewArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// How many conversations
    #[arg(short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub n: u64,
    /// Print each conversation as a JSON line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The folder to make; it must be empty or not exist
    pub dir: PathBuf,
    /// Which recipe to start from
    #[arg(long, value_name = "NAME", default_value = "support")]
    pub recipe: String,
}

#[derive(Args, Clone, Debug)]
pub struct RecipesArgs {
    /// Print this recipe's text
    pub name: Option<String>,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Also generate for a while in a folder that is gone afterwards, and say what the whole would take: time, tokens, disk,
    /// memory [default: 20s]
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "20s", value_parser = deadline::span)]
    pub estimate: Option<Duration>,
    /// Print everything as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The run's folder, as runs/support-1a2b3c4d
    pub run: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    /// The run's folder, as runs/support-1a2b3c4d
    pub run: PathBuf,
    /// Stop after the first N conversations of the plan
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub time: TimeArgs,
    /// Memory for weights, keys and values, as "12 GiB", where this machine is another one
    #[arg(long, value_name = "SIZE", help_heading = "Engine")]
    pub memory: Option<String>,
    /// Threads, where this machine is another one
    #[arg(long, value_name = "N", help_heading = "Engine")]
    pub threads: Option<String>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// The run's folder, as runs/support-1a2b3c4d
    pub run: PathBuf,
    /// One conversation: its id (c/12/0) or its place in the plan (12); all that are kept when not given
    pub id: Option<String>,
    /// Also show the exact prompt of every turn
    #[arg(long)]
    pub prompts: bool,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct JudgeArgs {
    /// The run's folder, as runs/support-1a2b3c4d
    pub run: PathBuf,
    /// The model that judges: a folder, org/name from the Hugging Face cache, or demo [default: the recipe's models.judge]
    #[arg(long, value_name = "REF")]
    pub model: Option<String>,
    /// Judge the first N kept conversations of the plan, which have its mix [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample: Option<u64>,
    /// Aspects to judge, separated by commas [default: all that the run's kinds of conversations have]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub aspects: Option<Vec<String>>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Args, Clone, Debug)]
pub struct PublishArgs {
    /// The folder; its files keep their names
    pub folder: PathBuf,
    /// Where to: az://container/path, s3://bucket/path or file:///path
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Read every file back and compare
    #[arg(long)]
    pub verify: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what was done as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ReviewArgs {
    /// The run's folder, as runs/support-1a2b3c4d
    pub run: PathBuf,
    /// Mark one conversation, as c/12/0=drop; none takes mark and note back; may be given several times
    #[arg(long, value_name = "ID=keep|drop|none", conflicts_with = "import")]
    pub mark: Vec<String>,
    /// A note beside the marks of --mark
    #[arg(long, value_name = "TEXT", requires = "mark")]
    pub note: Option<String>,
    /// Take over marks from a file, as a report page saves them
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Print the marks and how many there are
    #[arg(long)]
    pub list: bool,
    /// Print marks and counts as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The run's folder, as runs/support-1a2b3c4d; several are put together
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Shape of the rows: messages, sharegpt (conversations of from and value that take turns), preference (replies that a guard
    /// turned down beside those that were taken), asynth (support conversations as asynth wrote them), convogen (group chats as
    /// ConvoGen wrote them) or experiences (what group chats talk about, as experiences.from and experiences.seeds read it)
    #[arg(long, value_name = "FORMAT", default_value = "messages", hide_possible_values = true, value_parser = PossibleValuesParser::new(Format::ALL.iter().map(|format| format.name())))]
    pub format: String,
    /// jsonl (an object a line) or parquet (zstd, messages as a list of structs)
    #[arg(long = "as", value_name = "ENCODING", default_value = "jsonl", hide_possible_values = true, value_parser = PossibleValuesParser::new(Encoding::ALL.iter().map(|encoding| encoding.name())))]
    pub encoding: String,
    /// The file to write, - for standard output, or a folder: data files with a dataset card (README.md), dataset_info.json for
    /// LLaMA-Factory and axolotl.yaml. With --split it is a folder, with --as parquet unless it ends in .parquet
    #[arg(long, value_name = "FILE|FOLDER")]
    pub out: PathBuf,
    /// Which conversations: conditions that all hold, as outcome=RESOLVED, tone=annoyed|angry, page!=returns, turns>=4,
    /// verdict=any (kept ones where nothing is said of verdicts), review=keep, judge.naturalness>=4, first_language=none
    #[arg(long, value_name = "CONDITION,...")]
    pub r#where: Option<String>,
    /// Parts with their shares, in proportion to each other, as train=0.9,validation=0.05,test=0.05: a file for each. A
    /// conversation keeps its part in every export, also of a run that has grown
    #[arg(long, value_name = "NAME=SHARE,...")]
    pub split: Option<String>,
    /// What stays together in a part: seed_query (a question with its variants; of chats the experience), page, persona (chats
    /// that share a person, also over others; a customer's name) or id (nothing) [default: seed_query]
    #[arg(long, value_name = "WHAT", hide_possible_values = true, value_parser = PossibleValuesParser::new(SplitBy::ALL.iter().map(|by| by.name())))]
    pub split_by: Option<String>,
    /// Shares of several runs, in their order, as 0.7,0.3: every stretch of the rows has them; ends with the first run that has no
    /// more [default: one run after the other]
    #[arg(long, value_name = "SHARE,...")]
    pub mix: Option<String>,
    /// messages, sharegpt, preference: what stands first: none, short (who the assistant is, in a sentence) or page (also the
    /// passages that the agent saw; of chats the situation). Never what the models were told [default: none]
    #[arg(long, value_name = "WHICH", hide_possible_values = true, value_parser = PossibleValuesParser::new(SystemDepth::ALL.iter().map(|depth| depth.name())))]
    pub system: Option<String>,
    /// messages, sharegpt: give each message a train flag: true for the assistant's, for all, or for the assistant's last; never for
    /// a turn that a guard cut
    #[arg(long, value_name = "assistant|all|last", hide_possible_values = true, value_parser = PossibleValuesParser::new(TrainOn::ALL.iter().map(|on| on.name())))]
    pub train_on: Option<String>,
    /// preference: whose replies: agent, customer (who is the assistant then) or both; members of chats always [default: agent]
    #[arg(long, value_name = "WHOSE", hide_possible_values = true, value_parser = PossibleValuesParser::new(Side::ALL.iter().map(|side| side.name())))]
    pub side: Option<String>,
    /// messages, sharegpt: who of a group chat is the assistant: each (a row for everyone who says something) or a name [default:
    /// whoever says most without having begun]
    #[arg(long, value_name = "each|NAME")]
    pub perspective: Option<String>,
    /// messages: say of each sentence of a support agent what on the page backs it, or that nothing does (English only)
    #[arg(long)]
    pub links: bool,
    /// asynth: whether the word by which the customer ends a conversation stands in the last text [default: omit]
    #[arg(long, value_name = "append|omit", value_parser = ["append", "omit"], hide_possible_values = true)]
    pub stop_word: Option<String>,
    /// asynth: who is who: standard (the customer is the user) or original (the other way round, as asynth stored it by mistake)
    /// [default: standard]
    #[arg(long, value_name = "WHICH", value_parser = ["standard", "original"], hide_possible_values = true)]
    pub roles: Option<String>,
    /// asynth: also a row for each place that stayed empty, with status ERROR and no conversation
    #[arg(long)]
    pub with_rejected: bool,
    /// convogen: begin each conversation with what its people were told
    #[arg(long)]
    pub opening: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// A run's folder, as runs/support-1a2b3c4d, or files of conversations: JSON lines, or a JSON list
    #[arg(value_name = "RUN|FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// How the rows of files are written: messages, sharegpt, asynth or convogen [default: what the first row says]
    #[arg(long = "as", value_name = "FORMAT", value_parser = foreign_format, hide_possible_values = true)]
    pub format: Option<ForeignFormat>,
    /// Another run, or another file, to put the same figures of beside these
    #[arg(long, value_name = "RUN|FILE")]
    pub against: Option<PathBuf>,
    /// Embedding model for what texts mean: a folder or org/name of the sentence-transformers kind (BERT family); without one,
    /// words are counted
    #[arg(long, value_name = "REF")]
    pub embedder: Option<String>,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write no page
    #[arg(long)]
    pub no_html: bool,
}

fn foreign_format(name: &str) -> Result<ForeignFormat, String> {
    let mut formats = ForeignFormat::ALL.iter().copied();
    formats
        .find(|format| format.name() == name)
        .ok_or_else(|| "expected messages, sharegpt, asynth or convogen".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Models that are known or here: size, licence, whether they are in the cache
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// What a model is: family, size, context, tokenizer, template, memory, licence
    ///
    /// Of a model that comes with a manifest but is not on this machine, what its makers published.
    Show {
        /// A folder, org/name from the Hugging Face cache, or demo
        reference: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model from the hub into the Hugging Face cache, or go on with that
    ///
    /// The only command that uses a network. It fetches what a chat model needs (configuration, tokenizer, template,
    /// safetensors) or the one GGUF file that is asked for, checks hashes, and prints the folder. What is cut is kept.
    Pull(PullArgs),
    /// Check a model's files: hashes, whole weight files, nothing missing
    ///
    /// No network is used: in the Hugging Face cache a file's name is its hash.
    Verify {
        /// A folder, or org/name from the Hugging Face cache
        reference: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Clone, Debug)]
#[command(after_long_help = PULL_ENVIRONMENT)]
pub struct PullArgs {
    /// org/name, org/name@revision, org/name/file.gguf or org/name:Q4_K_M
    pub reference: String,
    /// Say nothing on the way
    #[arg(long, short)]
    pub quiet: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `models pull` reads of the environment.
const PULL_ENVIRONMENT: &str = "Environment:
  HF_TOKEN         access token, for gated and private models; else the file HF_TOKEN_PATH, else token in HF_HOME
  HF_HOME          the Hugging Face home; models go to hub in it [default: ~/.cache/huggingface]
  HF_HUB_CACHE     where models go, over HF_HOME
  HF_ENDPOINT      another hub than https://huggingface.co
  HF_HUB_OFFLINE   1 forbids the network
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE as other tools read them";

#[derive(Args, Clone, Debug)]
pub struct ScoreArgs {
    /// A folder, org/name from the Hugging Face cache, or demo
    #[arg(long, value_name = "REF")]
    pub model: String,
    /// The text, in UTF-8; - for standard input
    #[arg(long, value_name = "FILE")]
    pub text_file: PathBuf,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print {"tokens": [{"id", "text", "logprob"}, …], "perplexity"}; the first token has no log-probability
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Models: folders, org/name from the Hugging Face cache, or demo [default: demo]
    #[arg(value_name = "REF")]
    pub references: Vec<String>,
    /// A model, as another way to name one; may be given several times
    #[arg(long = "model", value_name = "REF")]
    pub models: Vec<String>,
    /// How weights are loaded, as quant in a recipe; several, separated by commas, make a row each
    #[arg(long, value_name = "QUANT", value_delimiter = ',', value_parser = PossibleValuesParser::new(Quant::ALL.iter().map(|quant| quant.name())))]
    pub quant: Vec<String>,
    /// Keys and values: auto, f32, f16 or bf16
    #[arg(long, value_name = "TYPE")]
    pub kv_dtype: Option<String>,
    /// Sequences decoded together, one figure each [default: 1,8,16,32, as far as memory allows]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batches: Vec<u32>,
    /// Tokens of the prompt of the prefill figure [default: 512, or what the model's context holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub prompt_tokens: Option<u32>,
    /// Tokens that each sequence is decoded for
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub new_tokens: u32,
    /// Conversations to judge fitness by; 0 leaves fitness out
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub fitness: u32,
    /// Threads of the engine [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    /// Memory for weights and cache, as "12 GiB" [default: half of what is free]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Seed of every draw
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Change one key of the recipe that fitness is judged by, as --set conversation.max_turns=8
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Also draw the figures to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Model to load and to say how many conversations fit: a folder, org/name from the Hugging Face cache, or demo; ROLE=REF
    /// for one role alone, may be given several times [default: demo]
    #[arg(long, value_name = "[ROLE=]REF")]
    pub model: Vec<String>,
    /// Leave out what takes time: measuring the machine
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
