//! Errors as the user meets them: one message, one hint, one exit code.

use std::path::Path;
use std::process::ExitCode;

use crate::bench::speed::SpeedError;
use crate::embed::LoadError;
use crate::engine::ChatError;
use crate::hub::HubError;
#[cfg(feature = "hub")]
use crate::hub::pull::PullError;
use crate::import::ImportError;
use crate::knowledge::KnowledgeError;
use crate::model::gguf::GgufError;
use crate::model::template::TemplateError;
use crate::model::tokenizer::TokenizerError;
use crate::model::{ModelError, WeightsError};
use crate::persona::PersonaError;
use crate::pipeline::{ExperienceFileError, PipelineError, QueryFileError};
use crate::prompt::PromptError;
#[cfg(feature = "publish")]
use crate::publish::PublishError;
use crate::run::{JournalError, RunError};
use crate::settings::SettingsError;

/// Why a command ended, for scripts. Exhaustive: every failure is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A defect in the program.
    Bug = 1,
    /// The command line does not make sense.
    Usage = 2,
    /// Data that was given is malformed.
    Data = 65,
    /// A file, folder, run or model that was named is not there.
    Missing = 66,
    /// The hub or a store cannot be reached, or refuses.
    Hub = 69,
    /// Reading or writing failed.
    Io = 74,
    /// Not now: interrupted, or another process is at it. The same command goes on.
    Later = 75,
    /// The recipe is wrong.
    Recipe = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// The codes and what they mean, for `--help`.
pub const CODES: &str = "Exit codes:
  0   done
  1   a defect in the program
  2   the command line does not make sense
  65  malformed input (pages, query files, model files, a damaged journal)
  66  something that was named is not there (file, folder, run, model)
  69  the hub or a store cannot be reached, or refuses
  74  reading or writing failed (disk full, no permission)
  75  interrupted, or another colloquy is writing the run; the same command goes on later
  78  the recipe is wrong";

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn of(code: Code, error: &dyn std::error::Error, hint: Option<String>) -> Self {
        // Some messages carry their hint on a line of its own.
        let text = error.to_string();
        match text.split_once("\n  hint: ") {
            Some((message, own)) => Self {
                code,
                message: message.into(),
                hint: Some(own.into()),
            },
            None => Self {
                code,
                message: text,
                hint,
            },
        }
    }
}

fn io_code(error: &std::io::Error) -> Code {
    if error.kind() == std::io::ErrorKind::NotFound {
        Code::Missing
    } else {
        Code::Io
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let code = match &error {
            SettingsError::NoSuchRecipe { .. } => Code::Missing,
            SettingsError::Read { source, .. } => io_code(source),
            _ => Code::Recipe,
        };
        let hint = error.hint();
        Self::of(code, &error, hint)
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let code = match &error {
            HubError::Reference { .. } => Code::Usage,
            HubError::LfsPointer { .. }
            | HubError::Malformed { .. }
            | HubError::SeveralGguf { .. } => Code::Data,
            HubError::Read { .. } => Code::Io,
            _ => Code::Missing,
        };
        Self::of(code, &error, None)
    }
}

#[cfg(feature = "hub")]
impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        let code = match &error {
            PullError::Reference(error) => return error.clone().into(),
            PullError::Setting { .. } => Code::Usage,
            PullError::Offline { .. }
            | PullError::Unreachable { .. }
            | PullError::Answer { .. }
            | PullError::Refused { .. }
            | PullError::Busy { .. }
            | PullError::Token { .. }
            | PullError::Gated { .. } => Code::Hub,
            PullError::NoRepository { .. }
            | PullError::NoRevision { .. }
            | PullError::NoFile { .. } => Code::Missing,
            PullError::Unusable { .. } | PullError::Unsafe { .. } | PullError::WrongHash { .. } => {
                Code::Data
            }
            PullError::NoSpace { .. } | PullError::Io { .. } => Code::Io,
        };
        let hint = error.hint();
        Self::of(code, &error, hint)
    }
}

/// How so much memory is allowed.
pub fn allow(megabytes: u64) -> String {
    format!("--memory \"{megabytes} MB\" (or COLLOQUY_MEMORY)")
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let (code, hint) = match &error {
            ModelError::Hub(hub) => return hub.clone().into(),
            ModelError::Start(_) => (
                Code::Usage,
                Some("a smaller model, or more --set engine.memory=…".into()),
            ),
            ModelError::MemoryPromised { available_mb, .. } => (
                Code::Usage,
                Some(format!("{} at most", allow(*available_mb))),
            ),
            ModelError::Memory {
                weights_mb,
                pool_mb,
                available_mb,
                narrow_mb,
                ..
            } => (
                Code::Usage,
                Some(match (weights_mb + pool_mb, narrow_mb) {
                    (needed, _) if needed <= *available_mb => {
                        format!("{} is enough", allow(needed))
                    }
                    (_, Some(narrow)) if narrow <= available_mb => {
                        format!("--quant q8_0 --kv-dtype auto {} is enough", allow(*narrow))
                    }
                    _ => format!("this machine can give {available_mb} MB; choose a smaller model"),
                }),
            ),
            // What is wrong with a file is a text; whether it can be opened at all tells the kinds apart.
            ModelError::File { path, .. } => (unopened(path).unwrap_or(Code::Data), None),
            ModelError::Weights(WeightsError::Io { source, .. })
            | ModelError::Gguf(GgufError::Io { source, .. }) => (io_code(source), None),
            ModelError::Tokenizer(TokenizerError::Read { path, .. })
            | ModelError::Template(TemplateError::Read { path, .. }) => {
                (unopened(path).unwrap_or(Code::Io), None)
            }
            ModelError::Spec { .. }
            | ModelError::Gguf(_)
            | ModelError::Weights(
                WeightsError::Format { .. }
                | WeightsError::Missing { .. }
                | WeightsError::Shape { .. }
                | WeightsError::Type { .. }
                | WeightsError::NotFinite { .. },
            )
            | ModelError::Tokenizer(
                TokenizerError::Malformed { .. }
                | TokenizerError::Rows { .. }
                | TokenizerError::Encode { .. }
                | TokenizerError::NoBytes { .. }
                | TokenizerError::NoEnd,
            )
            | ModelError::Template(_)
            | ModelError::Encode(_) => (Code::Data, None),
        };
        Self::of(code, &error, hint)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let code = match error {
            LoadError::Hub(error) => return error.into(),
            LoadError::Weights(error) => return ModelError::from(error).into(),
            LoadError::Tokenizer(error) => return ModelError::from(error).into(),
            LoadError::Chat { .. } | LoadError::Gguf { .. } => Code::Usage,
            LoadError::Family { .. } => Code::Data,
            LoadError::File { ref path, .. } => unopened(path).unwrap_or(Code::Data),
        };
        Self::of(code, &error, None)
    }
}

#[cfg(feature = "publish")]
impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let code = match &error {
            PublishError::Target { .. }
            | PublishError::Credentials { .. }
            | PublishError::Within { .. } => Code::Usage,
            PublishError::Io { source, .. } => io_code(source),
            PublishError::Nothing { .. } | PublishError::Name { .. } => Code::Data,
            PublishError::Changed { .. } => Code::Later,
            PublishError::Unreachable { .. } | PublishError::Refused { .. } => Code::Hub,
            PublishError::NoPlace { .. } => Code::Missing,
            PublishError::NotAsSent { .. } => Code::Io,
        };
        Self::of(code, &error, None)
    }
}

/// Why a file cannot be opened, if it cannot.
fn unopened(path: &Path) -> Option<Code> {
    let opened = crate::fsio::open_regular(path);
    opened.err().map(|error| io_code(&error))
}

impl From<KnowledgeError> for Failure {
    fn from(error: KnowledgeError) -> Self {
        let code = match &error {
            KnowledgeError::NoFolder { .. } | KnowledgeError::NoPages { .. } => Code::Missing,
            KnowledgeError::AllFiltered { .. } | KnowledgeError::BadGlob { .. } => Code::Recipe,
            KnowledgeError::Io { source, .. } => io_code(source),
            _ => Code::Data,
        };
        Self::of(code, &error, None)
    }
}

impl From<QueryFileError> for Failure {
    fn from(error: QueryFileError) -> Self {
        let code = match &error {
            QueryFileError::Io { source, .. } => io_code(source),
            _ => Code::Data,
        };
        Self::of(code, &error, None)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let (code, hint) = match &error {
            ImportError::Io { source, .. } => (io_code(source), None),
            ImportError::Empty { .. } => (Code::Data, None),
            ImportError::Row { .. } => (
                Code::Data,
                Some(
                    "--as FORMAT says how rows are written: messages, sharegpt, asynth or convogen"
                        .into(),
                ),
            ),
        };
        Self::of(code, &error, hint)
    }
}

impl From<PersonaError> for Failure {
    fn from(error: PersonaError) -> Self {
        let code = match &error {
            PersonaError::Io { source, .. } => io_code(source),
            _ => Code::Data,
        };
        Self::of(code, &error, None)
    }
}

impl From<ExperienceFileError> for Failure {
    fn from(error: ExperienceFileError) -> Self {
        let code = match &error {
            ExperienceFileError::Io { source, .. } => io_code(source),
            _ => Code::Data,
        };
        Self::of(code, &error, None)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::of(Code::Recipe, &error, None)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let code = match &error {
            RunError::NoRun { .. } => Code::Missing,
            RunError::Io { source, .. } => io_code(source),
            RunError::Journal(JournalError::Read { source, .. }) => io_code(source),
            RunError::Journal(JournalError::Write { .. }) => Code::Io,
            RunError::Journal(
                JournalError::Damaged { .. }
                | JournalError::Unreadable { .. }
                | JournalError::Newer { .. },
            )
            | RunError::NotAManifest { .. }
            | RunError::Review { .. }
            | RunError::NewerFormat { .. }
            | RunError::AnotherRun { .. } => Code::Data,
            RunError::Locked { .. } => Code::Later,
            RunError::Fatal(cause) => return Self::fatal(cause.as_ref()),
        };
        let hint = error.hint();
        Self::of(code, &error, hint)
    }
}

impl From<SpeedError> for Failure {
    fn from(error: SpeedError) -> Self {
        let hint = match &error {
            SpeedError::Batch { fits: 0, .. } => {
                "allow more with --memory, or ask for fewer tokens".to_owned()
            }
            SpeedError::Batch { fits, .. } => {
                format!("--batches up to {fits} fit; --memory allows more")
            }
            SpeedError::Context {
                what: "a prompt",
                most,
                ..
            } => format!("--prompt-tokens {most} fits"),
            SpeedError::Context { most, .. } => format!("--new-tokens {most} fits"),
            SpeedError::Chat(error) => return error.clone().into(),
        };
        Self::of(Code::Usage, &error, Some(hint))
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        Self::fatal(&error)
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        Self::of(Code::Data, &error, None)
    }
}

impl<E: std::error::Error + 'static> From<crate::export::ExportError<E>> for Failure
where
    Failure: From<E>,
{
    fn from(error: crate::export::ExportError<E>) -> Self {
        match error {
            crate::export::ExportError::Records(error) => error.into(),
            crate::export::ExportError::Write { path, source } => Self::write(&path, &source),
        }
    }
}

impl Failure {
    /// What a run could not go on from.
    fn fatal(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        match cause.downcast_ref() {
            Some(PipelineError::Chat {
                source: ChatError::Pool { .. },
                ..
            }) => Self::of(
                Code::Recipe,
                cause,
                Some(
                    "lower conversation.max_turns, agent_words or customer_words, or raise engine.memory"
                        .into(),
                ),
            ),
            // A journal that cannot be written says so itself before this is asked.
            Some(PipelineError::Log(_)) => Self::of(Code::Io, cause, None),
            _ => Self::of(Code::Bug, cause, None),
        }
    }

    /// A file could not be written.
    pub fn write(path: &Path, source: &std::io::Error) -> Self {
        let code = io_code(source);
        let hint = match source.kind() {
            std::io::ErrorKind::NotFound => "its folder does not exist; make it first",
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "choose a place you may write to"
            }
            std::io::ErrorKind::StorageFull => {
                "make room, then run the same command again; nothing finished is lost"
            }
            _ => "check the path and the disk",
        };
        Self::new(code, format!("cannot write {}: {source}", path.display())).hint(hint)
    }

    /// A file could not be read.
    pub fn read(path: &Path, source: &std::io::Error) -> Self {
        Self::new(
            io_code(source),
            format!("cannot read {}: {source}", path.display()),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_ends_a_run_has_its_code() {
        let path = || Path::new("runs/a").to_owned();
        let io = |kind| RunError::Io {
            action: "write",
            path: path(),
            source: Error::from(kind),
        };
        let pool = ChatError::Pool {
            needed_tokens: 900,
            pool_tokens: 800,
        };
        let call = |source| PipelineError::Chat {
            key: "c/0/0/agent/1/0".into(),
            source,
        };
        let stopped = ChatError::Stopped("its thread has ended".into());
        let cases = [
            (io(ErrorKind::NotFound), Code::Missing, "moved or deleted"),
            (io(ErrorKind::StorageFull), Code::Io, "make room"),
            (io(ErrorKind::PermissionDenied), Code::Io, "permissions"),
            (
                RunError::Locked {
                    path: path(),
                    process: None,
                },
                Code::Later,
                "colloquy status",
            ),
            (
                RunError::AnotherRun {
                    path: path(),
                    changed: vec!["seed".into()],
                },
                Code::Data,
                "colloquy generate",
            ),
            (
                RunError::NotAManifest {
                    path: path(),
                    message: "no".into(),
                },
                Code::Data,
                "restore",
            ),
            (
                RunError::Fatal(Arc::new(call(pool))),
                Code::Recipe,
                "engine.memory",
            ),
            (RunError::Fatal(Arc::new(call(stopped))), Code::Bug, ""),
            (
                RunError::Fatal(Arc::new(Error::other("no one knows"))),
                Code::Bug,
                "",
            ),
        ];
        for (error, code, hint) in cases {
            let failure = Failure::from(error);
            assert_eq!(failure.code, code, "{failure:?}");
            let told = failure.hint.as_deref().unwrap_or_default();
            assert!(told.contains(hint), "{failure:?}");
            assert_eq!(hint.is_empty(), told.is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_not_malformed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let code = || {
            let file = ModelError::File {
                path: path.clone(),
                reason: "no".into(),
            };
            Failure::from(file).code
        };
        assert_eq!(code(), Code::Missing);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(code(), Code::Data);
        let weights = |kind| {
            Failure::from(ModelError::Weights(WeightsError::Io {
                path: path.clone(),
                source: Error::from(kind),
            }))
        };
        assert_eq!(weights(ErrorKind::NotFound).code, Code::Missing);
        assert_eq!(weights(ErrorKind::PermissionDenied).code, Code::Io);
    }
}
