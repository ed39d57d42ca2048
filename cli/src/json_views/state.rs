//! A state's document.

use lang::addr::{Mode, ResourceInstance};
use lang::values::{Path, PathStep};
use lang::{Marks, Type, Value};
use serde_json::Value as Json;
use state::{AttributePath, AttributeStep, InstanceObject, ObjectStatus, State};

use super::document::{self, Output, Resource, STATE_FORMAT, Values};
use super::modules::{ModuleTree, resource};
use super::values::{mark_sensitive, plain, sensitive};
use crate::render::Schemas;

/// The document of a state; without `values` if it is empty. Objects whose type no provider knows are shown as stored.
pub fn state_document(state: &State, schemas: &dyn Schemas) -> document::State {
    let mut document = document::State {
        format_version: STATE_FORMAT.to_owned(),
        terraform_version: Some(state.terraform_version.to_string()),
        values: None,
        checks: super::checks::of_state(state),
    };
    if state.is_empty() {
        document.terraform_version = None;
        return document;
    }
    let outputs = state.outputs.iter().map(|(name, output)| {
        let ty = output.ty.to_value().unwrap_or(Json::Null);
        let value = output.value.to_value().unwrap_or(Json::Null);
        let plain_value =
            Type::from_json(&ty).ok().and_then(|t| Value::from_json(&value, &t).ok()).and_then(|v| plain(&v));
        let value = Some(plain_value.unwrap_or(value));
        (name.to_string(), Output { sensitive: output.sensitive, ty: Some(ty), value })
    });
    let outputs = outputs.collect();
    let mut tree = ModuleTree::default();
    for (address, provider, instance) in state.instances() {
        let provider = provider.source.to_string();
        if let Some(object) = &instance.current {
            tree.add(&address.module, object_document(&address, &provider, object, None, schemas));
        }
        for (key, object) in &instance.deposed {
            tree.add(&address.module, object_document(&address, &provider, object, Some(key.as_str()), schemas));
        }
    }
    document.values = Some(Values { outputs, root_module: tree.into_root() });
    document
}

/// The document of one object. `provider` is the full source address.
pub fn object_document(
    address: &ResourceInstance,
    provider: &str,
    object: &InstanceObject,
    deposed: Option<&str>,
    schemas: &dyn Schemas,
) -> Resource {
    let data = address.resource.mode == Mode::Data;
    let stored = object.attributes.to_value().unwrap_or(Json::Null);
    let schema = schemas.schema(provider, data, &address.resource.kind);
    let value = match schema {
        Some(schema) => Value::from_json(&stored, schema.block.implied_type()).ok(),
        None => None,
    };
    let value = value.unwrap_or_else(|| Value::from_plain_json(&stored));
    let mut paths: Vec<(Path, Marks)> = Vec::new();
    paths.extend(object.sensitive_attributes.iter().filter_map(|p| Some((stored_path(p)?, Marks::SENSITIVE))));
    let value = value.mark_paths(&paths);
    let value = schema.map_or_else(|| value.clone(), |schema| mark_sensitive(value.clone(), &schema.block));
    Resource {
        schema_version: object.schema_version,
        values: plain(&value),
        sensitive_values: Some(sensitive(&value)),
        depends_on: object.dependencies.iter().map(ToString::to_string).collect(),
        tainted: object.status == ObjectStatus::Tainted,
        deposed_key: deposed.map(str::to_owned),
        ..resource(address, provider.to_owned())
    }
}

fn stored_path(path: &AttributePath) -> Option<Path> {
    let step = |step: &AttributeStep| {
        Some(match step {
            AttributeStep::Attribute(name) => PathStep::Attribute(name.clone()),
            AttributeStep::Index(key) => PathStep::Index(Value::from_json(&key.to_value().ok()?, &Type::Dynamic).ok()?),
        })
    };
    Some(Path(path.0.iter().map(step).collect::<Option<_>>()?))
}
