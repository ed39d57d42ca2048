//! What backends of services have in common: their arguments, how they are opened, where their journal is. Kinds that need
//! large libraries are crates of their own, which the caller adds to [`Kinds`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use net::Client;
use serde_json::{Map, Value};

use super::{Backend, LockId, StoreError, WriteCondition};
use crate::journal::local::LocalJournal;
use crate::journal::{Journal, JournalError};
use crate::model::State;

/// An argument of a `backend` block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub ty: ArgumentType,
    /// The environment variable that stands for it where it is missing.
    pub variable: Option<&'static str>,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// A bool.
    Flag,
    /// A set of strings.
    Texts,
    /// A map of strings.
    TextMap,
    /// An object.
    Object(&'static [Attribute]),
}

/// An attribute of an argument that is an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub ty: ArgumentType,
    /// Whether it has to be there.
    pub required: bool,
}

/// An argument of this name and type, with the environment variable that stands for it where it is missing.
pub const fn argument(name: &'static str, ty: ArgumentType, variable: Option<&'static str>) -> Argument {
    Argument { name, ty, variable }
}

const LOCAL: &[Argument] =
    &[argument("path", ArgumentType::Text, None), argument("workspace_dir", ArgumentType::Text, None)];

/// A kind of backend.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in `backend` blocks.
    pub name: &'static str,
    /// Its arguments, sorted.
    pub arguments: &'static [Argument],
    /// Looks the arguments through; nothing is opened after an error.
    pub check: fn(&Settings<'_>) -> Vec<Finding>,
    /// Opens it. Nothing is asked of the service yet.
    pub open: fn(&Settings<'_>) -> Result<Arc<dyn Backend>, ConfigError>,
}

/// The kinds of backend that there are: those of this crate, and those that the caller has.
#[derive(Clone, Copy, Default)]
pub struct Kinds(&'static [Kind]);

const OWN: &[Kind] = &[
    Kind { name: "http", arguments: super::http::ARGUMENTS, check: |_| Vec::new(), open: super::http::open },
    Kind { name: "pg", arguments: super::pg::ARGUMENTS, check: |_| Vec::new(), open: super::pg::open },
];

impl Kinds {
    /// Those of this crate, and these.
    pub const fn with(further: &'static [Kind]) -> Kinds {
        Kinds(further)
    }

    fn find(self, name: &str) -> Option<&'static Kind> {
        OWN.iter().chain(self.0).find(|kind| kind.name == name)
    }

    /// The arguments of a kind, sorted; `None` for kinds that are not here.
    pub fn arguments(self, name: &str) -> Option<&'static [Argument]> {
        if name == "local" { Some(LOCAL) } else { Some(self.find(name)?.arguments) }
    }

    /// What there is to say about the arguments of a backend.
    pub fn check(self, name: &str, config: &Map<String, Value>, surroundings: &Surroundings) -> Vec<Finding> {
        let Some(kind) = self.find(name) else { return Vec::new() };
        (kind.check)(&Settings { arguments: kind.arguments, config, surroundings })
    }

    /// Opens a backend other than `local`; `None` for kinds that are not here. Nothing is asked of the service yet.
    ///
    /// # Errors
    /// Arguments that are missing or of no use.
    pub fn open(
        self,
        name: &str,
        config: &Map<String, Value>,
        surroundings: &Surroundings,
    ) -> Result<Option<Arc<dyn Backend>>, ConfigError> {
        let Some(kind) = self.find(name) else { return Ok(None) };
        (kind.open)(&Settings { arguments: kind.arguments, config, surroundings }).map(Some)
    }
}

/// What a backend works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Sends its requests.
    pub client: Client,
    /// The environment: stands for arguments that are missing.
    pub variables: BTreeMap<String, String>,
    /// Where journals are kept that the service has no place for.
    pub journal_folder: PathBuf,
}

/// Arguments that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ConfigError {
    /// Which argument, if it is one alone.
    pub argument: Option<&'static str>,
    /// What is wrong.
    pub reason: String,
}

/// Something to say about the arguments of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the backend can't be opened with it.
    pub is_error: bool,
    /// Which argument, if it is one alone.
    pub argument: Option<&'static str>,
    /// What it is, in a few words.
    pub summary: String,
    /// What is wrong.
    pub detail: String,
}

/// The arguments of a backend with their values.
pub struct Settings<'a> {
    arguments: &'static [Argument],
    config: &'a Map<String, Value>,
    /// What the backend works with.
    pub surroundings: &'a Surroundings,
}

impl Settings<'_> {
    /// The value of an argument as it is written, if it is not null.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.config.get(name).filter(|value| !value.is_null())
    }

    /// A variable of the environment that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.surroundings.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The value of an argument as text, be it from the environment.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.config.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
            _ => {
                let variable = self.arguments.iter().find(|argument| argument.name == name)?.variable?;
                self.surroundings.variables.get(variable).cloned()
            }
        }
        .filter(|text| !text.is_empty())
    }

    /// The value of an argument that is true or false; false where it is missing.
    ///
    /// # Errors
    /// Something else.
    pub fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.text(name).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ConfigError { argument: Some(name), reason: format!("{name:?} must be true or false") }),
        }
    }

    /// The value of an argument that is a number.
    ///
    /// # Errors
    /// Something else.
    pub fn number(&self, name: &'static str, default: u32) -> Result<u32, ConfigError> {
        self.text(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| ConfigError { argument: Some(name), reason: format!("{name:?} must be a number") })
        })
    }
}

/// The journal of a workspace whose state lives elsewhere: a file in the data directory, and one for each run that holds
/// parts of the state beside others.
pub struct JournalFile {
    folder: PathBuf,
    /// The name of the file, without its ending.
    stem: String,
    opened: Mutex<Option<Arc<LocalJournal>>>,
}

const ENDING: &str = ".journal";

impl JournalFile {
    /// The journal of a workspace, in this folder.
    pub fn new(folder: &std::path::Path, kind: &str, workspace: &str) -> JournalFile {
        JournalFile { folder: folder.to_owned(), stem: format!("{kind}-{workspace}"), opened: Mutex::default() }
    }

    /// The journal, opened with the state's lock held.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.open_file(self.path())
    }

    /// The journal of a run, opened with its lock on parts of the state held.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open_of(&self, run: &LockId) -> Result<Arc<dyn Journal>, JournalError> {
        self.open_file(self.folder.join(format!("{}.{run}{ENDING}", self.stem)))
    }

    /// The journal with all that runs with parts of the state have left, opened with the lock on the whole of it held.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn open_after_runs(&self) -> Result<Arc<dyn Journal>, JournalError> {
        let journal = self.open()?;
        for run in self.runs() {
            let path = self.folder.join(format!("{}.{run}{ENDING}", self.stem));
            // Should this be cut off, a record stands in both, and what it is about is looked for twice.
            for record in LocalJournal::open(&path)?.records().await? {
                let id = journal.intend(record.intent).await?;
                if let Some(object) = record.handed_over {
                    journal.handed_over(id, object).await?;
                }
                if let Some(outcome) = record.outcome {
                    journal.outcome(id, outcome).await?;
                }
            }
            std::fs::remove_file(&path).map_err(|source| JournalError::Io {
                action: "remove",
                path,
                source: Arc::new(source),
            })?;
        }
        Ok(journal)
    }

    /// The runs that have a journal of their own: what they do is not settled.
    pub fn runs(&self) -> Vec<LockId> {
        let prefix = format!("{}.", self.stem);
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let run = |name: String| {
            let run = name.strip_prefix(&prefix)?.strip_suffix(ENDING)?;
            uuid::Uuid::try_parse(run).is_ok().then(|| LockId(run.to_owned()))
        };
        names.filter_map(run).collect()
    }

    /// Whether there is one: it is gone when all of it is settled.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Closes it, as the lock is given back.
    pub fn close(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}{ENDING}", self.stem))
    }

    fn open_file(&self, path: PathBuf) -> Result<Arc<dyn Journal>, JournalError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = &*opened {
            return Ok(journal.clone());
        }
        std::fs::create_dir_all(&self.folder).map_err(|source| JournalError::Io {
            action: "create the folder of",
            path: path.clone(),
            source: Arc::new(source),
        })?;
        let journal = Arc::new(LocalJournal::open(path)?);
        *opened = Some(journal.clone());
        Ok(journal)
    }
}

/// Refuses a write whose condition does not hold.
///
/// # Errors
/// A conflict.
pub fn check(condition: &WriteCondition, stored: Option<&State>, place: &str) -> Result<(), StoreError> {
    if condition.holds(stored) {
        return Ok(());
    }
    Err(StoreError::Conflict {
        place: place.to_owned(),
        expected: condition.to_string(),
        found: WriteCondition::replacing(stored).to_string(),
    })
}
