//! Errors as the user meets them: one message, one hint, one exit code.

use std::process::ExitCode;

use crate::engine::ChatError;
use crate::hub::HubError;
use crate::knowledge::KnowledgeError;
use crate::model::ModelError;
use crate::pipeline::QueryFileError;
use crate::prompt::PromptError;
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
    /// Reading or writing failed.
    Io = 74,
    /// Interrupted; the same command goes on.
    Interrupted = 75,
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
  74  reading or writing failed (disk full, no permission)
  75  interrupted; the same command goes on where it stopped
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
            HubError::Gguf { .. } | HubError::LfsPointer { .. } | HubError::Malformed { .. } => {
                Code::Data
            }
            HubError::Read { .. } => Code::Io,
            _ => Code::Missing,
        };
        Self::of(code, &error, None)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Hub(error) => error.into(),
            ModelError::Start(_) => Self::of(
                Code::Usage,
                &error,
                Some("a smaller model, or more --set engine.memory=…".into()),
            ),
            other => Self::of(Code::Data, &other, None),
        }
    }
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

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::of(Code::Recipe, &error, None)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let code = match &error {
            RunError::NoRun { .. } => Code::Missing,
            RunError::Journal(JournalError::Write { .. }) => Code::Io,
            RunError::Journal(_) | RunError::NewerFormat { .. } => Code::Data,
            RunError::Locked { .. } => Code::Usage,
            _ => Code::Io,
        };
        let hint = error.hint();
        Self::of(code, &error, hint)
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
    /// A file could not be written.
    pub fn write(path: &std::path::Path, source: &std::io::Error) -> Self {
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
    pub fn read(path: &std::path::Path, source: &std::io::Error) -> Self {
        Self::new(
            io_code(source),
            format!("cannot read {}: {source}", path.display()),
        )
    }
}
