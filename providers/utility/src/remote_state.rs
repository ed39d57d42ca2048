//! `terraform_remote_state`: the outputs of another state.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use lang::values::{Entries, Path, PathStep};
use lang::{Str, Type, Value};
use sdk::{Attribute, Block, ProviderDiagnostic, Schema};
use serde_json::Value as Json;

/// The name of the type.
pub const NAME: &str = "terraform_remote_state";

/// The backends that there are.
const BACKENDS: [&str; 12] =
    ["azurerm", "consul", "cos", "gcs", "http", "inmem", "kubernetes", "local", "oss", "pg", "remote", "s3"];

/// Its schema.
pub fn schema() -> Schema {
    let attribute = |required, optional, ty| Attribute { required, optional, ..Attribute::new(ty) };
    let attributes = [
        ("backend", attribute(true, false, Type::String)),
        ("config", attribute(false, true, Type::Dynamic)),
        ("defaults", attribute(false, true, Type::Dynamic)),
        ("outputs", Attribute { computed: true, ..Attribute::new(Type::Dynamic) }),
        ("workspace", attribute(false, true, Type::String)),
    ];
    let attributes = attributes.into_iter().map(|(name, attribute)| (Str::new_static(name), attribute));
    Schema { version: 0, block: Block::new(attributes.collect(), Default::default()), ..Schema::default() }
}

fn at(name: &'static str) -> Path {
    Path(vec![PathStep::Attribute(Str::new_static(name))])
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str().map(Str::as_str)
}

/// Whether there is such a backend, whether it takes its configuration, and whether the defaults are an object.
pub fn validate(config: &Value, reader: Option<&dyn StateReader>) -> Vec<ProviderDiagnostic> {
    let mut problems = Vec::new();
    if let Some(backend) = text(config, "backend").filter(|backend| !BACKENDS.contains(backend)) {
        let detail = format!("There is no backend type named {backend:?}.");
        problems.push(ProviderDiagnostic::error("Invalid backend configuration", detail).at(at("backend")));
    }
    problems.extend(config.get("config").filter(|own| own.is_known() && !own.is_null()).and_then(|own| {
        let problem = arguments(text(config, "backend")?, own, reader)?.err()?;
        let detail =
            format!("The given configuration is not valid for backend {:?}: {problem}.", text(config, "backend")?);
        Some(ProviderDiagnostic::error("Invalid backend configuration", detail).at(at("config")))
    }));
    if let Some(defaults) = config.get("defaults")
        && !defaults.is_null()
        && !matches!(defaults.ty(), Type::Object(_) | Type::Map(_) | Type::Dynamic)
    {
        let detail = "Defaults must be given in an object value.";
        problems.push(ProviderDiagnostic::error("Invalid default values", detail).at(at("defaults")));
    }
    problems
}

/// The arguments of a backend, or what is wrong with them; of a backend that nobody here has, only that they are an object.
fn arguments(backend: &str, config: &Value, reader: Option<&dyn StateReader>) -> Option<Result<Value, String>> {
    if !BACKENDS.contains(&backend) {
        return None;
    }
    match (config.entries(), reader) {
        (None, _) => Some(Err("an object is required".to_owned())),
        (Some(_), reader) => reader?.arguments(backend, config),
    }
}

/// Reads states, wherever they are.
#[async_trait]
pub trait StateReader: Send + Sync {
    /// The arguments of a backend, an object, in the types that it has for them; an error names the first that it has not, or
    /// that is of another type, or that is missing. `None` if there is no such backend.
    fn arguments(&self, backend: &str, config: &Value) -> Option<Result<Value, String>>;

    /// The text of a workspace's state; `None` if none is stored. `name`: the data source's without its type (`x`,
    /// `module.x`), as `encryption` blocks have it.
    async fn read(
        &self,
        backend: &str,
        config: &serde_json::Map<String, Json>,
        workspace: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, String>;
}

/// Reads the outputs. A relative path starts in the working directory of the process, as it does for the backend itself.
pub async fn read(
    config: &Value,
    address: &str,
    reader: Option<&dyn StateReader>,
) -> Result<Value, ProviderDiagnostic> {
    let backend = text(config, "backend").unwrap_or_default();
    let stored = match (backend, reader) {
        ("local", None) => match std::fs::read(state_path(config)) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(error)),
        },
        (_, Some(reader)) => {
            let own = config.get("config").filter(|own| !own.is_null());
            let converted = own.and_then(|own| arguments(backend, own, Some(reader))).and_then(Result::ok);
            let arguments = converted.as_ref().or(own).and_then(|own| own.to_json().ok());
            let arguments = arguments.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
            let workspace = text(config, "workspace").unwrap_or("default");
            let name = address.replacen(&format!("data.{NAME}."), "", 1);
            let name = name.strip_prefix("module.").unwrap_or(&name);
            reader.read(backend, &arguments, workspace, name).await.map_err(unreadable)?
        }
        (_, None) => {
            let detail = format!("The outputs of a state in the backend {backend:?} cannot be read here.");
            return Err(ProviderDiagnostic::error("Unsupported backend", detail).at(at("backend")));
        }
    };
    let Some(bytes) = stored else {
        let detail = "No stored state was found for the given workspace in the given backend.";
        return Err(ProviderDiagnostic::error("Unable to find remote state", detail).at(at("workspace")));
    };
    let state: Json = serde_json::from_slice(&bytes).map_err(unreadable)?;
    let defaults = config.get("defaults").and_then(Value::entries);
    let mut outputs: BTreeMap<Str, Value> = defaults.map(Entries::to_map).unwrap_or_default();
    for (name, output) in state.get("outputs").and_then(Json::as_object).into_iter().flatten() {
        let ty = Type::from_json(output.get("type").unwrap_or(&Json::Null)).map_err(unreadable)?;
        let value = Value::from_json(output.get("value").unwrap_or(&Json::Null), &ty).map_err(unreadable)?;
        outputs.insert(Str::new(name), value);
    }
    let object = config.entries().cloned().unwrap_or_default();
    Ok(Value::object(object.with([(Str::new_static("outputs"), Value::object(outputs))])))
}

fn unreadable(error: impl std::fmt::Display) -> ProviderDiagnostic {
    let detail = format!("error loading the remote state: {error}");
    ProviderDiagnostic::error("Error loading state error", detail).at(at("backend"))
}

fn state_path(config: &Value) -> PathBuf {
    let own = config.get("config");
    let setting = |name: &str| own.and_then(|own| text(own, name));
    match text(config, "workspace").filter(|name| *name != "default") {
        None => setting("path").unwrap_or("terraform.tfstate").into(),
        Some(name) => PathBuf::from(setting("workspace_dir").unwrap_or("terraform.tfstate.d"))
            .join(name)
            .join("terraform.tfstate"),
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn config(path: &str) -> Value {
        Value::object([
            ("backend", Value::string("local")),
            ("config", Value::object([("path", Value::string(path))])),
            ("defaults", Value::object([("a", Value::string("default")), ("b", Value::string("default"))])),
            ("outputs", Value::null(Type::Dynamic)),
            ("workspace", Value::null(Type::String)),
        ])
    }

    #[test]
    fn outputs_win_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.tfstate");
        std::fs::write(&path, r#"{"version": 4, "outputs": {"a": {"value": [1], "type": ["list", "number"]}}}"#)
            .unwrap();
        let read = block_on(read(&config(path.to_str().unwrap()), "data.terraform_remote_state.x", None)).unwrap();
        let outputs = read.get("outputs").unwrap();
        assert!(outputs.get("a").unwrap().raw_equals(&Value::list(Type::Number, [Value::number(1)])));
        assert!(outputs.get("b").unwrap().raw_equals(&Value::string("default")));
    }

    #[test]
    fn a_state_that_is_missing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let problem = block_on(read(&config(dir.path().join("none").to_str().unwrap()), "", None)).unwrap_err();
        assert_eq!(problem.summary, "Unable to find remote state");
    }
}
