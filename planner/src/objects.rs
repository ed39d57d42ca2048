//! Objects between state and values: stored attributes decoded by their schema, values encoded for the state.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lang::values::{Entries, Kind, Marks, Path, PathStep};
use lang::{Diagnostic, Str, Type, Value};
use sdk::{Block, Nesting, Provider, ProviderDiagnostic, Schema};
use state::{AttributePath, AttributeStep, Dependencies, InstanceObject, Json, ObjectStatus};

use crate::flatmap;

/// A stored object as a value, with marks for what is sensitive.
pub fn decode(
    object: &InstanceObject,
    provider: &dyn Provider,
    type_name: &str,
    schema: &Schema,
    address: &str,
) -> Result<Value, Diagnostic> {
    let broken =
        |detail: String| Diagnostic::error("Failed to decode resource from state", detail).with_address(address);
    if object.schema_version > schema.version {
        let detail = format!(
            "The current state of {address} was stored with schema version {}, and this version of windlass knows versions \
             up to {} of {type_name}. Use the version that wrote the state.",
            object.schema_version, schema.version
        );
        return Err(
            Diagnostic::error("Resource instance managed by newer provider version", detail).with_address(address)
        );
    }
    let invalid =
        |error: serde_json::Error| broken(format!("The attributes of {address} are not valid JSON: {error}."));
    let mut attributes = match &object.attributes_flat {
        Some(flat) => flatmap::expand(&flat.decode().map_err(invalid)?, schema.block.implied_type()),
        None => object.attributes.to_value().map_err(invalid)?,
    };
    if object.schema_version < schema.version {
        attributes = provider
            .upgrade(type_name, object.schema_version, attributes)
            .map_err(|problem| Diagnostic::error(problem.summary, problem.detail).with_address(address))?;
    }
    let ty = schema.block.implied_type();
    let value = Value::from_json(&fit(attributes, ty), ty).map_err(|error| {
        broken(format!("The attributes of {address} do not fit the schema of {type_name}: {error}."))
    })?;
    let paths = sensitive_paths(&object.sensitive_attributes);
    Ok(mark_sensitive(value.mark_paths(&paths), &schema.block))
}

/// Brings JSON attributes to the names of a type: what an older or newer provider version had more is dropped, what it had
/// less is null. Terraform's providers do the same when they read a stored object.
fn fit(json: serde_json::Value, ty: &Type) -> serde_json::Value {
    match (json, ty) {
        (serde_json::Value::Object(mut map), Type::Object(object)) => {
            let fitted = object.attributes.iter().map(|(name, ty)| {
                let value = map.remove(name.as_str()).map_or(serde_json::Value::Null, |value| fit(value, ty));
                (name.to_string(), value)
            });
            serde_json::Value::Object(fitted.collect())
        }
        (serde_json::Value::Array(items), Type::List(element) | Type::Set(element)) => {
            serde_json::Value::Array(items.into_iter().map(|item| fit(item, element)).collect())
        }
        (serde_json::Value::Object(map), Type::Map(element)) => {
            serde_json::Value::Object(map.into_iter().map(|(key, value)| (key, fit(value, element))).collect())
        }
        (json, _) => json,
    }
}

/// A known value as an object of the state.
pub fn encode(
    value: &Value,
    schema: &Schema,
    private: Option<&[u8]>,
    status: ObjectStatus,
    dependencies: Dependencies,
    create_before_destroy: bool,
) -> Result<InstanceObject, String> {
    let (plain, marks) = value.clone().unmark_deep();
    let json = plain.to_json_as(schema.block.implied_type()).map_err(|error| error.to_string())?;
    let sensitive = marks.iter().filter(|(_, marks)| marks.contains(Marks::SENSITIVE));
    Ok(InstanceObject {
        schema_version: schema.version,
        attributes: Json::from_value(&json),
        sensitive_attributes: sensitive.map(|(path, _)| attribute_path(path)).collect(),
        private: private.map(|bytes| STANDARD.encode(bytes).into()),
        dependencies,
        status,
        create_before_destroy,
        ..InstanceObject::default()
    })
}

/// The private bytes of a stored object.
pub fn private_bytes(object: &InstanceObject) -> Option<Vec<u8>> {
    object.private.as_deref().and_then(|text| STANDARD.decode(text).ok())
}

fn sensitive_paths(stored: &[AttributePath]) -> Vec<(Path, Marks)> {
    stored.iter().filter_map(|path| value_path(path).map(|path| (path, Marks::SENSITIVE))).collect()
}

fn value_path(stored: &AttributePath) -> Option<Path> {
    let steps = stored.0.iter().map(|step| match step {
        AttributeStep::Attribute(name) => Some(PathStep::Attribute(name.clone())),
        AttributeStep::Index(json) => {
            let json = json.to_value().ok()?;
            Value::from_json(&json, &Type::Dynamic).ok().map(PathStep::Index)
        }
    });
    steps.collect::<Option<Vec<_>>>().map(Path)
}

fn attribute_path(path: &Path) -> AttributePath {
    let steps = path.0.iter().map(|step| match step {
        PathStep::Attribute(name) => AttributeStep::Attribute(name.clone()),
        PathStep::Index(key) => match (key.as_str(), key.as_number().and_then(|number| number.to_u64())) {
            (Some(text), _) => AttributeStep::key(text),
            (None, Some(index)) => AttributeStep::index(index),
            (None, None) => AttributeStep::key(""),
        },
    });
    AttributePath(steps.collect())
}

/// Marks what the schema calls sensitive.
pub fn mark_sensitive(value: Value, block: &Block) -> Value {
    if !has_sensitive(block) {
        return value;
    }
    let Some(entries) = value.entries() else { return value };
    let mut marked = entries.clone();
    for (name, attribute) in &block.attributes {
        if attribute.sensitive
            && let Some(slot) = marked.get_mut(name)
        {
            *slot = slot.clone().with_marks(Marks::SENSITIVE);
        }
    }
    for (name, nested) in &block.blocks {
        if let Some(slot) = marked.get_mut(name) {
            *slot = mark_nested(slot, nested.nesting, &nested.block);
        }
    }
    Value::object(marked).with_marks(value.marks)
}

fn mark_nested(value: &Value, nesting: Nesting, block: &Block) -> Value {
    if !has_sensitive(block) {
        return value.clone();
    }
    match nesting {
        Nesting::Single | Nesting::Group => mark_sensitive(value.clone(), block),
        Nesting::List => match value.elements() {
            Some(elements) => {
                let elements = elements.iter().map(|element| mark_sensitive(element.clone(), block));
                Value::list(block.implied_type().clone(), elements.collect::<Vec<_>>()).with_marks(value.marks)
            }
            None => value.clone(),
        },
        // Elements of a set can't be marked one by one.
        Nesting::Set => match value.elements() {
            Some(elements) if !elements.is_empty() => value.clone().with_marks(Marks::SENSITIVE),
            _ => value.clone(),
        },
        Nesting::Map => match value.entries() {
            Some(entries) => {
                let entries = entries.iter().map(|(key, v)| (key.clone(), mark_sensitive(v.clone(), block)));
                Value::map(block.implied_type().clone(), entries.collect::<Vec<_>>()).with_marks(value.marks)
            }
            None => value.clone(),
        },
    }
}

fn has_sensitive(block: &Block) -> bool {
    block.attributes.values().any(|attribute| attribute.sensitive)
        || block.blocks.values().any(|nested| has_sensitive(&nested.block))
}

/// A value whose unknown parts are null: what a provider's typed model can hold.
pub fn nulls_for_unknown(value: Value) -> Value {
    value.transform(&mut |_, value| if value.is_known() { value } else { Value::null(value.ty()) })
}

/// An error for each argument that holds an infinite number.
pub(crate) fn infinite(config: &Value) -> Vec<ProviderDiagnostic> {
    let arguments = config.entries().into_iter().flat_map(Entries::iter);
    let infinite = arguments.filter(|(_, value)| has_infinity(value));
    let problem = |(name, _): (&Str, &Value)| {
        let detail =
            format!("The argument {name:?} holds an infinite number, as of a division by zero. It can't be stored.");
        ProviderDiagnostic::error("Infinite number", detail).at(Path(vec![PathStep::Attribute(name.clone())]))
    };
    infinite.map(problem).collect()
}

/// Whether there is an infinite number in a value, as a division by zero gives it: such a value can't be stored.
pub(crate) fn has_infinity(value: &Value) -> bool {
    match &value.kind {
        Kind::Number(number) => number.is_infinite(),
        _ => {
            value.elements().is_some_and(|elements| elements.iter().any(has_infinity))
                || value.entries().is_some_and(|entries| entries.values().any(has_infinity))
        }
    }
}
