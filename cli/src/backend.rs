//! Where the state of a working directory lives: its `backend` block, and what `init` has recorded of it in the data
//! directory's `terraform.tfstate`, in Terraform's form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use config::module::Backend;
use lang::ast::{Body, BodySchema};
use lang::eval::{NoScope, evaluate};
use lang::syntax::parse_private_expression;
use lang::{Diagnostic, Diagnostics, Range, Sources, Str, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use state::backend::local::{DEFAULT_WORKSPACE, LocalPaths, LocalStore, WORKSPACE_FOLDER};
use state::backend::remote::{Argument, ArgumentType, Finding, Kinds, Surroundings};
use state::{Codec, StateStore, StoreError};

use crate::downloads;
use crate::io::Environment;

/// Backends that Terraform has and this program has not.
const FOREIGN_KINDS: &[&str] = &["azurerm", "cloud", "consul", "cos", "kubernetes", "oci", "oss", "remote"];

/// The kinds of backend that are linked in.
const KINDS: Kinds = Kinds::with(&[
    state_gcs::KIND,
    #[cfg(feature = "s3")]
    state_s3::KIND,
]);

/// Settings of the `local` backend.
#[derive(Clone, Default)]
pub struct LocalBackend {
    /// `path`: the state file of the default workspace.
    pub path: Option<String>,
    /// `workspace_dir`: the folder of the other workspaces.
    pub workspace_dir: Option<String>,
    /// How states are written.
    pub codec: Codec,
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
        Ok(Arc::new(LocalStore::with_codec(self.paths(workspace), &self.codec)))
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

    /// The backend that it describes. Problems are told where the block has them, if there is one.
    ///
    /// # Errors
    /// A kind that this program does not have, arguments that are missing or of no use.
    pub fn open(
        &self,
        environment: &Environment,
        block: Option<&Backend>,
        codec: &Codec,
    ) -> Result<Place, Diagnostics> {
        let text = |name: &str| self.config.get(name).and_then(Json::as_str).map(str::to_owned);
        if self.kind == "local" {
            let (path, workspace_dir) = (text("path"), text("workspace_dir"));
            return Ok(Place::Local(LocalBackend { path, workspace_dir, codec: codec.clone() }));
        }
        let findings = self.findings(environment, block, true);
        if findings.has_errors() {
            return Err(findings);
        }
        match KINDS.open(&self.kind, &self.config, &surroundings(environment, codec.clone())) {
            Ok(Some(backend)) => Ok(Place::Remote(backend)),
            Ok(None) => Err(unsupported(&self.kind, "Invalid backend type").into()),
            Err(error) => {
                let detail = format!("The backend {:?} cannot be used: {error}.", self.kind);
                Err(Diagnostic::error("Invalid backend configuration", detail).into())
            }
        }
    }

    /// What there is to warn of.
    pub fn warnings(&self, environment: &Environment, block: &Backend) -> Diagnostics {
        self.findings(environment, Some(block), false)
    }

    /// The errors of the arguments, or the warnings.
    fn findings(&self, environment: &Environment, block: Option<&Backend>, errors: bool) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for finding in KINDS.check(&self.kind, &self.config, &surroundings(environment, Codec::default())) {
            if finding.is_error != errors {
                continue;
            }
            let Finding { is_error, argument, summary, detail } = finding;
            let new = if is_error { Diagnostic::error } else { Diagnostic::warning };
            diagnostics.push(new(summary, detail).at(place(block, argument)));
        }
        diagnostics
    }
}

/// What services are reached with.
pub fn surroundings(environment: &Environment, codec: Codec) -> Surroundings {
    Surroundings {
        client: downloads::client(environment),
        variables: environment.variables.clone(),
        journal_folder: environment.data_dir().join("windlass"),
        codec,
    }
}

/// Where an argument is written, or else the block that it is missing in.
fn place(block: Option<&Backend>, argument: Option<&str>) -> Range {
    let Some(block) = block else { return Range::NONE };
    let written = argument.and_then(|name| {
        let schema = BodySchema { attributes: vec![(Str::from(name), false)], blocks: Vec::new() };
        block.body.content(&schema).0.attribute(name).map(|attribute| attribute.expr.range)
    });
    written.unwrap_or(block.range)
}

fn unsupported(kind: &str, summary: &str) -> Diagnostic {
    let detail = if kind == "s3" {
        "This build of the program has no backend \"s3\". Use one that was built with the feature \"s3\", which the feature \
         \"aws\" includes."
            .to_owned()
    } else if FOREIGN_KINDS.contains(&kind) {
        format!(
            "This program keeps states in local files, in S3, in Google Cloud Storage, behind an HTTP address, and in \
             PostgreSQL; it cannot use the backend {kind:?}. Use one of the backends \"local\", \"s3\", \"gcs\", \"http\" and \
             \"pg\", or leave the block out."
        )
    } else {
        format!("There is no backend type named {kind:?}.")
    };
    Diagnostic::error(summary, detail)
}

/// What a `backend` block asks for, without `-backend-config`. `unknown_kind` is the summary of the error about a kind that there is not:
/// Terraform has one for `init` and another for every other command.
///
/// # Errors
/// An unknown kind of backend, mistakes in the block.
pub fn configured(block: &Backend, unknown_kind: &str) -> Result<Record, Diagnostics> {
    let kind = block.kind.as_str();
    let Some(arguments) = KINDS.arguments(kind) else {
        return Err(unsupported(kind, unknown_kind).at(block.kind_range).into());
    };
    let mut diagnostics = Diagnostics::new();
    let mut config: Map<String, Json> =
        arguments.iter().map(|argument| (argument.name.to_owned(), Json::Null)).collect();
    decode(&block.body, arguments, &mut config, &mut diagnostics);
    let (config, _) = diagnostics.ok_or_errors(config)?;
    let hash = hash(kind, arguments, &config);
    Ok(Record { kind: kind.to_owned(), config, hash })
}

/// Sets what a body sets.
fn decode(body: &Body, arguments: &[Argument], config: &mut Map<String, Json>, diagnostics: &mut Diagnostics) {
    let schema = BodySchema {
        attributes: arguments.iter().map(|argument| (Str::from(argument.name), false)).collect(),
        blocks: Vec::new(),
    };
    let (content, problems) = body.content(&schema);
    diagnostics.append(problems);
    for Argument { name, ty, .. } in arguments {
        let Some(attribute) = content.attribute(name) else { continue };
        match evaluate(&attribute.expr, &NoScope, diagnostics).convert(&ty.value_type()) {
            Ok(value) => {
                config.insert((*name).to_owned(), json(&value));
            }
            Err(error) => {
                let detail = format!("Inappropriate value for attribute {name:?}: {error}.");
                diagnostics.push(Diagnostic::error("Incorrect attribute value type", detail).at(attribute.expr.range));
            }
        }
    }
}

/// The arguments of a kind of backend from an object or map, in the types that it has for them; `None` for kinds that are not
/// here.
///
/// # Errors
/// In the words of Terraform: the first argument that there is not, that is missing, or that is of another type.
pub fn converted(kind: &str, config: &Value) -> Option<Result<Value, String>> {
    let arguments = KINDS.arguments(kind)?;
    let given = config.entries()?;
    let unknown = given.keys().find(|name| arguments.iter().all(|argument| argument.name != name.as_str()));
    if let Some(name) = unknown {
        return Some(Err(format!("unexpected attribute {name:?}")));
    }
    let value = |argument: &Argument| {
        let ty = argument.ty.value_type();
        let value = match given.get(argument.name) {
            None if argument.required => Err(format!("attribute {:?} is required", argument.name)),
            None => Ok(Value::null(ty)),
            Some(value) => value.convert(&ty).map_err(|error| format!(".{}: {error}", argument.name)),
        };
        Ok((argument.name, value?))
    };
    Some(arguments.iter().map(value).collect::<Result<Vec<_>, _>>().map(Value::object))
}

/// A known value, as the record has it.
fn json(value: &Value) -> Json {
    value.to_json().unwrap_or_default()
}

/// What one `-backend-config` gives.
pub enum Given {
    /// An argument's name and text: a string, or an expression where the argument's type isn't a primitive one.
    Argument(String, String),
    /// What a file holds.
    File(Body),
}

/// Lays `-backend-config` settings over the arguments of a block.
///
/// # Errors
/// Settings that the backend does not have, values of another type.
pub fn override_settings(record: &mut Record, sources: &Sources, settings: Vec<Given>) -> Result<(), Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let arguments = KINDS.arguments(&record.kind).unwrap_or_default();
    for given in settings {
        let (name, text) = match given {
            Given::Argument(name, text) => (name, text),
            Given::File(body) => {
                decode(&body, arguments, &mut record.config, &mut diagnostics);
                continue;
            }
        };
        let Some(argument) = arguments.iter().find(|argument| argument.name == name) else {
            let detail = format!(
                "The backend configuration argument {name:?} given on the command line is not expected for the selected \
                 backend type."
            );
            diagnostics.push(Diagnostic::error("Invalid backend configuration argument", detail));
            continue;
        };
        let ty = argument.ty.value_type();
        let value = if ty.is_primitive() {
            Value::string(text.as_str())
        } else {
            let file = format!("<value for -backend-config={name}>");
            let (expr, problems) = parse_private_expression(sources, file, &text);
            let failed = problems.has_errors();
            diagnostics.extend(problems);
            if failed {
                continue;
            }
            evaluate(&expr, &NoScope, &mut diagnostics)
        };
        match value.convert(&ty) {
            Ok(value) => {
                record.config.insert(name, json(&value));
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
pub fn selected(environment: &Environment, block: Option<&Backend>, codec: &Codec) -> Result<Place, Diagnostics> {
    let record = Record::read(&environment.data_dir())?;
    let Some(block) = block else {
        return match record {
            None => Ok(Place::Local(LocalBackend { codec: codec.clone(), ..LocalBackend::default() })),
            Some(record) => Err(required(&format!("Unsetting the previously set backend {:?}", record.kind)).into()),
        };
    };
    let wanted = configured(block, "Invalid backend type")?;
    match record {
        None => Err(required(&format!("Initial configuration of the requested backend {:?}", wanted.kind)).into()),
        Some(record) if record.kind != wanted.kind => {
            let reason = format!("Backend type changed from {:?} to {:?}", record.kind, wanted.kind);
            Err(changed(&reason).into())
        }
        Some(record) if record.hash == wanted.hash || record.config == wanted.config => {
            record.open(environment, Some(block), codec)
        }
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
fn hash(kind: &str, arguments: &[Argument], config: &Map<String, Json>) -> u64 {
    let quote = lang::quoting::go_quote;
    let mut text = format!("<{};<", quote(kind));
    for argument in arguments {
        write_canonical(&mut text, argument.ty, config.get(argument.name).unwrap_or(&Json::Null));
        text.push(';');
    }
    text.push_str(">;>");
    u64::from(crc32(text.as_bytes()))
}

fn write_canonical(text: &mut String, ty: ArgumentType, value: &Json) {
    let quote = lang::quoting::go_quote;
    match (value, ty) {
        (Json::Null, _) => text.push('~'),
        (Json::String(value), _) => text.push_str(&quote(value)),
        (Json::Bool(value), _) => text.push(if *value { 'T' } else { 'F' }),
        (Json::Number(value), _) => text.push_str(&value.to_string()),
        (Json::Array(elements), _) => {
            text.push('[');
            for element in elements {
                write_canonical(text, ArgumentType::Text, element);
                text.push(';');
            }
            text.push(']');
        }
        (Json::Object(entries), ArgumentType::Object(attributes)) => {
            text.push('<');
            for attribute in attributes {
                write_canonical(text, attribute.ty, entries.get(attribute.name).unwrap_or(&Json::Null));
                text.push(';');
            }
            text.push('>');
        }
        (Json::Object(entries), _) => {
            text.push('{');
            for (key, value) in entries {
                text.push_str(&quote(key));
                text.push(':');
                write_canonical(text, ArgumentType::Text, value);
                text.push(';');
            }
            text.push('}');
        }
    }
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
        let hash = |kind: &str, config: Json| {
            let config = config.as_object().unwrap().clone();
            super::hash(kind, KINDS.arguments(kind).unwrap(), &config)
        };
        let config = serde_json::json!({"path": "deep/s.tfstate", "workspace_dir": null});
        assert_eq!(hash("local", config), 3_035_226_674);
        let config = serde_json::json!({"path": "changed.tfstate", "workspace_dir": null});
        assert_eq!(hash("local", config), 1_546_908_026);
        let config = serde_json::json!({
            "conn_str": "postgres://postgres@127.0.0.1:8993/postgres?sslmode=disable",
            "schema_name": "s1",
            "skip_index_creation": null,
            "skip_schema_creation": null,
            "skip_table_creation": null,
        });
        assert_eq!(hash("pg", config), 2_209_316_709);
    }

    #[cfg(feature = "s3")]
    #[test]
    fn checksum_of_nested_arguments_is_terraforms() {
        let config = serde_json::json!({
            "bucket": "tfb", "key": "v.tfstate", "use_path_style": true, "max_retries": 3, "workspace_key_prefix": "w",
            "allowed_account_ids": ["1", "111122223333"],
            "assume_role": {
                "role_arn": "arn:aws:iam::111122223333:role/x", "tags": {"a": "b", "c": "d"},
                "policy_arns": ["arn:aws:iam::aws:policy/x"],
            },
            "endpoints": {"s3": "http://127.0.0.1:35725"},
        });
        let arguments = KINDS.arguments("s3").unwrap();
        assert_eq!(hash("s3", arguments, config.as_object().unwrap()), 2_455_106_896);
        let config = serde_json::json!({
            "bucket": "tfb", "key": "a/b.tfstate", "dynamodb_table": "locks", "use_lockfile": true, "use_path_style": true,
        });
        assert_eq!(hash("s3", arguments, config.as_object().unwrap()), 2_030_293_142);
    }

    #[test]
    fn workspaces_have_files_of_their_own() {
        let (path, workspace_dir) = (Some("a/s.tfstate".into()), Some("ws".into()));
        let backend = LocalBackend { path, workspace_dir, ..LocalBackend::default() };
        assert_eq!(backend.paths("default").write, Path::new("a/s.tfstate"));
        assert_eq!(backend.paths("x").write, Path::new("ws/x/terraform.tfstate"));
        assert_eq!(LocalBackend::default().paths("x").write, Path::new("terraform.tfstate.d/x/terraform.tfstate"));
    }
}
