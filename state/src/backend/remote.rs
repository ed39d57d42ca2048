//! What backends of services have in common: their arguments, how they are opened, where their journal is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use net::Client;
use serde_json::{Map, Value};

use super::http::HttpBackend;
use super::pg::PgBackend;
use super::{Backend, StoreError, WriteCondition};
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
}

pub(super) const fn argument(name: &'static str, ty: ArgumentType, variable: Option<&'static str>) -> Argument {
    Argument { name, ty, variable }
}

const LOCAL: &[Argument] =
    &[argument("path", ArgumentType::Text, None), argument("workspace_dir", ArgumentType::Text, None)];

/// The arguments of a kind of backend, sorted; `None` for kinds that are not here.
pub fn arguments(kind: &str) -> Option<&'static [Argument]> {
    match kind {
        "local" => Some(LOCAL),
        "http" => Some(super::http::ARGUMENTS),
        "pg" => Some(super::pg::ARGUMENTS),
        _ => None,
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

/// Opens a backend other than `local`; `None` for kinds that are not here. Nothing is asked of the service yet.
///
/// # Errors
/// Arguments that are missing or of no use.
pub fn open(
    kind: &str,
    config: &Map<String, Value>,
    surroundings: &Surroundings,
) -> Result<Option<Arc<dyn Backend>>, ConfigError> {
    let settings = |arguments| Settings { arguments, config, surroundings };
    Ok(match kind {
        "http" => Some(Arc::new(HttpBackend::new(&settings(super::http::ARGUMENTS))?)),
        "pg" => Some(Arc::new(PgBackend::new(&settings(super::pg::ARGUMENTS))?)),
        _ => None,
    })
}

/// The arguments of a backend with their values.
pub(super) struct Settings<'a> {
    arguments: &'static [Argument],
    config: &'a Map<String, Value>,
    pub surroundings: &'a Surroundings,
}

impl Settings<'_> {
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

    pub fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.text(name).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ConfigError { argument: Some(name), reason: format!("{name:?} must be true or false") }),
        }
    }

    pub fn number(&self, name: &'static str, default: u32) -> Result<u32, ConfigError> {
        self.text(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| ConfigError { argument: Some(name), reason: format!("{name:?} must be a number") })
        })
    }
}

/// The journal of a workspace whose state lives elsewhere: a file in the data directory.
pub(super) struct JournalFile {
    path: PathBuf,
    opened: Mutex<Option<Arc<LocalJournal>>>,
}

impl JournalFile {
    pub fn new(folder: &std::path::Path, kind: &str, workspace: &str) -> JournalFile {
        JournalFile { path: folder.join(format!("{kind}-{workspace}.journal")), opened: Mutex::default() }
    }

    pub fn open(&self) -> Result<Arc<dyn Journal>, JournalError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = &*opened {
            return Ok(journal.clone());
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| JournalError::Io {
                action: "create the folder of",
                path: self.path.clone(),
                source: Arc::new(source),
            })?;
        }
        let journal = Arc::new(LocalJournal::open(self.path.clone())?);
        *opened = Some(journal.clone());
        Ok(journal)
    }

    pub fn close(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Refuses a write whose condition does not hold.
pub(super) fn check(condition: &WriteCondition, stored: Option<&State>, place: &str) -> Result<(), StoreError> {
    if condition.holds(stored) {
        return Ok(());
    }
    Err(StoreError::Conflict {
        place: place.to_owned(),
        expected: condition.to_string(),
        found: WriteCondition::replacing(stored).to_string(),
    })
}
