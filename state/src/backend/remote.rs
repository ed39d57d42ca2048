//! What backends of services have in common: their arguments, how they are opened, where their journal is. Kinds that need
//! large libraries are crates of their own, which the caller adds to [`Kinds`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lang::Type;
use lang::types::ObjectType;
use net::Client;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::{Backend, StateStore, StoreError, WriteCondition};
use crate::codec::Codec;
use crate::journal::local::LocalJournal;
use crate::journal::object::{JournalObject, ObjectJournal};
use crate::journal::{JoinedJournal, Journal, JournalError};
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
    /// Whether it has to be given where nobody can be asked for it.
    pub required: bool,
}

impl Argument {
    /// The same, which has to be given.
    #[must_use]
    pub const fn required(self) -> Argument {
        Argument { required: true, ..self }
    }
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
    /// A list of strings.
    TextList,
    /// A map of strings.
    TextMap,
    /// An object.
    Object(&'static [Attribute]),
}

impl ArgumentType {
    /// The type of values that the argument takes.
    pub fn value_type(self) -> Type {
        match self {
            ArgumentType::Text => Type::String,
            ArgumentType::Number => Type::Number,
            ArgumentType::Flag => Type::Bool,
            ArgumentType::Texts => Type::set(Type::String),
            ArgumentType::TextList => Type::list(Type::String),
            ArgumentType::TextMap => Type::map(Type::String),
            ArgumentType::Object(attributes) => {
                let types = attributes.iter().map(|attribute| (attribute.name.into(), attribute.ty.value_type()));
                let optional = attributes.iter().filter(|attribute| !attribute.required);
                Type::Object(Arc::new(ObjectType {
                    attributes: types.collect(),
                    optional: optional.map(|attribute| attribute.name.into()).collect(),
                }))
            }
        }
    }
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
    Argument { name, ty, variable, required: false }
}

/// A value of this name and type in an argument that is an object; it may be left out.
pub const fn optional(name: &'static str, ty: ArgumentType) -> Attribute {
    Attribute { name, ty, required: false }
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
        (kind.check)(&Settings::new(kind.arguments, config, surroundings))
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
        (kind.open)(&Settings::new(kind.arguments, config, surroundings)).map(Some)
    }
}

/// What a backend works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Sends its requests.
    pub client: Client,
    /// The environment: stands for arguments that are missing.
    pub variables: BTreeMap<String, String>,
    /// The folder for journals that the service has no place for.
    pub journal_folder: PathBuf,
    /// How states and journals are written.
    pub codec: Codec,
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

impl<'a> Settings<'a> {
    /// Arguments with their values.
    pub fn new(
        arguments: &'static [Argument],
        config: &'a Map<String, Value>,
        surroundings: &'a Surroundings,
    ) -> Settings<'a> {
        Settings { arguments, config, surroundings }
    }
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

/// The journal of a workspace whose state is a service's: where that is, or in a file of the data directory.
pub struct JournalFile {
    path: PathBuf,
    codec: Codec,
    opened: Mutex<Arc<OnceCell<Arc<dyn Journal>>>>,
}

impl JournalFile {
    /// The journal of a workspace, with records that are written so; the file is in this folder.
    pub fn new(folder: &std::path::Path, kind: &str, workspace: &str, codec: Codec) -> JournalFile {
        JournalFile { path: folder.join(format!("{kind}-{workspace}.journal")), codec, opened: Mutex::default() }
    }

    /// The journal in the file, opened with the state's lock held.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn open(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.opened().get_or_try_init(|| async { self.file() }).await.cloned()
    }

    /// The journal beside the state, opened with the state's lock held. What an earlier version has left in the file is
    /// taken up with it; where the service has no place for a journal, the file goes on being used.
    ///
    /// # Errors
    /// What the service says, and the file system.
    pub async fn open_beside(
        &self,
        open: impl Future<Output = Result<Arc<dyn Journal>, JournalError>> + Send,
    ) -> Result<Arc<dyn Journal>, JournalError> {
        let open = async {
            match open.await {
                Ok(current) if self.path.exists() => {
                    Ok(Arc::new(JoinedJournal::after(self.file()?, current)) as Arc<dyn Journal>)
                }
                Err(refusal @ JournalError::Refused { .. }) => {
                    let warning = format!(
                        "What this run does is recorded in the file {} instead, so that no run on another machine can take it \
                         up after a crash: {refusal}.",
                        self.path.display()
                    );
                    Ok(Arc::new(JoinedJournal::with_warning(self.file()?, warning)) as Arc<dyn Journal>)
                }
                other => other,
            }
        };
        self.opened().get_or_try_init(|| open).await.cloned()
    }

    /// The journal in an object beside the state, as [`JournalFile::open_beside`] opens it.
    ///
    /// # Errors
    /// What the service says, and the file system.
    pub async fn open_object(&self, object: impl JournalObject) -> Result<Arc<dyn Journal>, JournalError> {
        let open = ObjectJournal::open(object, self.codec.clone());
        self.open_beside(async { open.await.map(|journal| Arc::new(journal) as Arc<dyn Journal>) }).await
    }

    /// Whether that journal has records, there or in the file.
    ///
    /// # Errors
    /// What the service says.
    pub async fn has_records(&self, object: &impl JournalObject) -> Result<bool, JournalError> {
        match object.read().await {
            Ok(stored) => Ok(self.exists() || stored.is_some_and(|stored| !stored.bytes.is_empty())),
            Err(JournalError::Refused { .. }) => Ok(self.exists()),
            Err(error) => Err(error),
        }
    }

    /// The journal beside the state of a run that holds parts of it: what others have left is none of its business.
    ///
    /// # Errors
    /// What the service says.
    pub async fn open_alone(
        &self,
        open: impl Future<Output = Result<Arc<dyn Journal>, JournalError>> + Send,
    ) -> Result<Arc<dyn Journal>, JournalError> {
        self.opened().get_or_try_init(|| open).await.cloned()
    }

    /// Closes it, as the lock is given back.
    pub fn close(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    fn opened(&self) -> Arc<OnceCell<Arc<dyn Journal>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn file(&self) -> Result<Arc<dyn Journal>, JournalError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| JournalError::Io {
                action: "create the folder of",
                path: self.path.clone(),
                source: Arc::new(source),
            })?;
        }
        Ok(Arc::new(LocalJournal::open_with(self.path.clone(), self.codec.clone())?))
    }

    /// Whether there is a file: it is gone when all of it is settled.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }
}

/// Stores the first snapshot of a workspace, unless it has one already.
///
/// # Errors
/// What the service says.
pub async fn create(store: &dyn StateStore, first: &State) -> Result<(), StoreError> {
    if store.read().await?.is_some() {
        return Ok(());
    }
    match store.write(first, &WriteCondition::Absent).await {
        // Somebody else has made it in between.
        Err(StoreError::Conflict { .. }) => Ok(()),
        other => other,
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
