//! Where the state of a working directory lives: its `backend` block, and what `init` has recorded of it in the data
//! directory's `terraform.tfstate`, in Terraform's form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use config::module::Backend;
use lang::ast::BodySchema;
use lang::eval::{NoScope, evaluate};
use lang::{Diagnostic, Diagnostics, Str, Type, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use state::backend::local::{DEFAULT_WORKSPACE, LocalPaths, LocalStore, WORKSPACE_FOLDER};
use state::backend::remote::{self, Argument, ArgumentType, Surroundings};
use state::{StateStore, StoreError};

use crate::downloads;
use crate::io::Environment;

/// Backends that Terraform has and this program has not.
const FOREIGN_KINDS: &[&str] =
    &["azurerm", "cloud", "consul", "cos", "gcs", "kubernetes", "oci", "oss", "remote", "s3"];

/// Settings of the `local` backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalBackend {
    /// `path`: the state file of the default workspace.
    pub path: Option<String>,
    /// `workspace_dir`: the folder of the other workspaces.
    pub workspace_dir: Option<String>,
}

impl LocalBackend {
    /// The files of a workspace.
    pub fn paths(&self, workspace: &str) -> LocalPaths {
        if workspace != DEFAULT_WORKSPACE {
            return LocalPaths::new(self.workspace_folder().join(workspace).join("terraform.tfstate"));
        }
        match &self.path {
            Some(path) => LocalPaths::new(path),
            None => LocalPaths::workspace(Path::new(""), DEFAULT_WORKSPACE),
        }
    }

    /// The folder of the workspaces besides the default one.
    pub fn workspace_folder(&self) -> PathBuf {
        PathBuf::from(self.workspace_dir.as_deref().unwrap_or(WORKSPACE_FOLDER))
    }
}

#[async_trait]
impl state::Backend for LocalBackend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.workspace_folder();
        let failed = |source: io::Error| StoreError::Io { action: "list", path: folder.clone(), source };
        let mut names = Vec::new();
        match std::fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(failed)?;
                    if entry.path().is_dir() {
                        names.push(entry.file_name().to_string_lossy().into_owned());
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        names.sort();
        names.insert(0, DEFAULT_WORKSPACE.to_owned());
        Ok(names)
    }

    async fn create_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let path = self.workspace_folder().join(workspace);
        std::fs::create_dir_all(&path).map_err(|source| StoreError::Io { action: "create", path, source })
    }

    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let path = self.workspace_folder().join(workspace);
        std::fs::remove_dir_all(&path).map_err(|source| StoreError::Io { action: "remove", path, source })
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(LocalStore::new(self.paths(workspace))))
    }
}

/// A backend that is set up.
pub enum Place {
    /// Files, which `-state` and `-backup` may name.
    Local(LocalBackend),
    /// A service.
    Remote(Arc<dyn state::Backend>),
}

impl Place {
    /// The backend, whichever it is.
    pub fn backend(&self) -> &dyn state::Backend {
        match self {
            Place::Local(backend) => backend,
            Place::Remote(backend) => backend.as_ref(),
        }
    }

    /// Whether both keep a workspace's state in one file.
    pub fn shares(&self, other: &Place, workspace: &str) -> bool {
        match (self, other) {
            (Place::Local(a), Place::Local(b)) => a.paths(workspace).write == b.paths(workspace).write,
            _ => false,
        }
    }
}

/// What the data directory's `terraform.tfstate` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Document {
    version: u64,
    terraform_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backend: Option<Record>,
}

/// A backend that `init` has set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its arguments, those of `-backend-config` among them.
    pub config: Map<String, Json>,
    /// A checksum of the block alone: tells when it has changed, whatever `-backend-config` says.
    pub hash: u64,
}

impl Record {
    /// Reads the record of a data directory.
    ///
    /// # Errors
    /// An unreadable file, with what to do about it.
    pub fn read(data_dir: &Path) -> Result<Option<Record>, Diagnostic> {
        let file = data_dir.join("terraform.tfstate");
        let problem = |error: &dyn std::error::Error| {
            let detail = format!(
                "The record of the initialized backend in {} cannot be read: {error}.\n\nRemove the file and run \
                 \"terraform init\" again.",
                file.display()
            );
            Diagnostic::error("Unreadable backend record", detail)
        };
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(problem(&error)),
        };
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| problem(&error))?;
        Ok(document.backend.filter(|record| !record.kind.is_empty()))
    }

    /// Writes the record of a data directory, which is made; without one, an old record is removed.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(record: Option<&Record>, data_dir: &Path) -> io::Result<()> {
        let file = data_dir.join("terraform.tfstate");
        let Some(record) = record else {
            return match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let document = Document {
            version: 3,
            terraform_version: state::model::TERRAFORM_VERSION.to_owned(),
            backend: Some(record.clone()),
        };
        std::fs::create_dir_all(data_dir)?;
        std::fs::write(&file, serde_json::to_string_pretty(&document)? + "\n")
    }

    /// The backend that it describes.
    ///
    /// # Errors
    /// A kind that this program does not have, arguments that are missing or of no use.
    pub fn open(&self, environment: &Environment) -> Result<Place, Diagnostic> {
        let text = |name: &str| self.config.get(name).and_then(Json::as_str).map(str::to_owned);
        if self.kind == "local" {
            return Ok(Place::Local(LocalBackend { path: text("path"), workspace_dir: text("workspace_dir") }));
        }
        let surroundings = Surroundings {
            client: downloads::client(environment),
            variables: environment.variables.clone(),
            journal_folder: environment.data_dir().join("windlass"),
        };
        match remote::open(&self.kind, &self.config, &surroundings) {
            Ok(Some(backend)) => Ok(Place::Remote(backend)),
            Ok(None) => Err(unsupported(&self.kind)),
            Err(error) => {
                let detail = format!("The backend {:?} cannot be used: {error}.", self.kind);
                Err(Diagnostic::error("Invalid backend configuration", detail))
            }
        }
    }
}

fn unsupported(kind: &str) -> Diagnostic {
    let detail = if FOREIGN_KINDS.contains(&kind) {
        format!(
            "This program keeps states in local files, behind an HTTP address, and in PostgreSQL; it cannot use the backend \
             {kind:?}. Use one of the backends \"local\", \"http\" and \"pg\", or leave the block out."
        )
    } else {
        format!("There is no backend type named {kind:?}.")
    };
    Diagnostic::error("Unsupported backend type", detail)
}

/// What a `backend` block asks for, without `-backend-config`.
///
/// # Errors
/// An unknown kind of backend, mistakes in the block.
pub fn configured(block: &Backend) -> Result<Record, Diagnostics> {
    let kind = block.kind.as_str();
    let Some(arguments) = remote::arguments(kind) else { return Err(unsupported(kind).at(block.range).into()) };
    let schema = BodySchema {
        attributes: arguments.iter().map(|argument| (Str::from(argument.name), false)).collect(),
        blocks: Vec::new(),
    };
    let (content, mut diagnostics) = block.body.content(&schema);
    let mut config = Map::new();
    for Argument { name, ty, .. } in arguments {
        let Some(attribute) = content.attribute(name) else {
            config.insert((*name).to_owned(), Json::Null);
            continue;
        };
        match evaluate(&attribute.expr, &NoScope, &mut diagnostics).convert(&value_type(*ty)) {
            Ok(value) => {
                config.insert((*name).to_owned(), json(&value));
            }
            Err(error) => {
                let detail = format!("Inappropriate value for attribute {name:?}: {error}.");
                diagnostics.push(Diagnostic::error("Incorrect attribute value type", detail).at(attribute.expr.range));
            }
        }
    }
    let (config, _) = diagnostics.ok_or_errors(config)?;
    let hash = hash(kind, &config);
    Ok(Record { kind: kind.to_owned(), config, hash })
}

fn value_type(ty: ArgumentType) -> Type {
    match ty {
        ArgumentType::Text => Type::String,
        ArgumentType::Number => Type::Number,
        ArgumentType::Flag => Type::Bool,
    }
}

/// A known value of a primitive type.
fn json(value: &Value) -> Json {
    match (value.as_str(), value.as_bool()) {
        (Some(text), _) => Json::String(text.to_string()),
        (_, Some(flag)) => Json::Bool(flag),
        _ => value.to_json().unwrap_or_default(),
    }
}

/// Lays `-backend-config` settings (`name=value`) over the arguments of a block.
///
/// # Errors
/// Settings that the backend does not have, values of another type.
pub fn override_settings(record: &mut Record, settings: &[(String, String)]) -> Result<(), Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let arguments = remote::arguments(&record.kind).unwrap_or_default();
    for (name, value) in settings {
        let Some(argument) = arguments.iter().find(|argument| argument.name == name) else {
            let detail = format!(
                "The backend configuration argument {name:?} given on the command line is not expected for the selected \
                 backend type."
            );
            diagnostics.push(Diagnostic::error("Invalid backend configuration argument", detail));
            continue;
        };
        match Value::string(value.as_str()).convert(&value_type(argument.ty)) {
            Ok(value) => {
                record.config.insert(name.clone(), json(&value));
            }
            Err(error) => {
                let detail = format!(
                    "The backend configuration argument {name:?} given on the command line has an invalid value: {error}."
                );
                diagnostics.push(Diagnostic::error("Invalid backend configuration argument", detail));
            }
        }
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(()) }
}

/// The backend to use: the one that `init` has set up, provided that the block has not changed since.
///
/// # Errors
/// "Backend initialization required", wherever Terraform says so.
pub fn selected(environment: &Environment, block: Option<&Backend>) -> Result<Place, Diagnostics> {
    let record = Record::read(&environment.data_dir())?;
    let Some(block) = block else {
        return match record {
            None => Ok(Place::Local(LocalBackend::default())),
            Some(record) => Err(required(&format!("Unsetting the previously set backend {:?}", record.kind)).into()),
        };
    };
    let wanted = configured(block)?;
    match record {
        None => Err(required(&format!("Initial configuration of the requested backend {:?}", wanted.kind)).into()),
        Some(record) if record.kind != wanted.kind => {
            let reason = format!("Backend type changed from {:?} to {:?}", record.kind, wanted.kind);
            Err(changed(&reason).into())
        }
        Some(record) if record.hash == wanted.hash || record.config == wanted.config => Ok(record.open(environment)?),
        Some(_) => Err(changed("Backend configuration block has changed").into()),
    }
}

const REMEDY: &str = "The \"backend\" is the interface that Terraform uses to store state,\nperform operations, etc. If this \
                      message is showing up, it means that the\nTerraform configuration you're using is using a custom \
                      configuration for\nthe Terraform backend.\n\nChanges to backend configurations require \
                      reinitialization. This allows\nTerraform to set up the new configuration, copy existing state, \
                      etc. Please run\n\"terraform init\" with either the \"-reconfigure\" or \"-migrate-state\" flags \
                      to\nuse the current configuration.\n\nIf the change reason above is incorrect, please verify your \
                      configuration\nhasn't changed and try again. At this point, no changes to your \
                      existing\nconfiguration or state have been made.";

fn required(reason: &str) -> Diagnostic {
    let summary = "Backend initialization required, please run \"terraform init\"";
    Diagnostic::error(summary, format!("Reason: {reason}\n\n{REMEDY}"))
}

fn changed(reason: &str) -> Diagnostic {
    let summary = "Backend initialization required: please run \"terraform init\"";
    Diagnostic::error(summary, format!("Reason: {reason}\n\n{REMEDY}"))
}

/// Terraform's checksum of a backend block: CRC-32 over the values' canonical text.
fn hash(kind: &str, config: &Map<String, Json>) -> u64 {
    let quote = lang::quoting::go_quote;
    let arguments: String = config
        .values()
        .map(|value| match value {
            Json::String(text) => format!("{};", quote(text)),
            Json::Bool(true) => "T;".to_owned(),
            Json::Bool(false) => "F;".to_owned(),
            Json::Number(number) => format!("{number};"),
            _ => "~;".to_owned(),
        })
        .collect();
    u64::from(crc32(format!("<{};<{arguments}>;>", quote(kind)).as_bytes()))
}

/// CRC-32 with the polynomial of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_terraforms() {
        let config = serde_json::json!({"path": "deep/s.tfstate", "workspace_dir": null});
        assert_eq!(hash("local", config.as_object().unwrap()), 3_035_226_674);
        let config = serde_json::json!({"path": "changed.tfstate", "workspace_dir": null});
        assert_eq!(hash("local", config.as_object().unwrap()), 1_546_908_026);
        let config = serde_json::json!({
            "conn_str": "postgres://postgres@127.0.0.1:8993/postgres?sslmode=disable",
            "schema_name": "s1",
            "skip_index_creation": null,
            "skip_schema_creation": null,
            "skip_table_creation": null,
        });
        assert_eq!(hash("pg", config.as_object().unwrap()), 2_209_316_709);
    }

    #[test]
    fn workspaces_have_files_of_their_own() {
        let backend = LocalBackend { path: Some("a/s.tfstate".into()), workspace_dir: Some("ws".into()) };
        assert_eq!(backend.paths("default").write, Path::new("a/s.tfstate"));
        assert_eq!(backend.paths("x").write, Path::new("ws/x/terraform.tfstate"));
        assert_eq!(LocalBackend::default().paths("x").write, Path::new("terraform.tfstate.d/x/terraform.tfstate"));
    }
}
