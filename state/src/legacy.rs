//! Terraform's formats 1 to 3, of versions before 0.12: read as the version that still reads them reads them.
//!
//! Attributes are flat there (`tags.%`, `ports.0`), without types; they stay so until somebody knows the schema. Modules,
//! resources and instances are names with dots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lang::Str;
use lang::addr::{
    AbsResource, InstanceKey, Mode, ModuleInstance, ModulePath, ProviderConfig, ProviderSource, Resource,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::json::Json;
use crate::model::{DeposedKey, InstanceObject, Lineage, ObjectStatus, OutputValue, ResourceState, Serial, State};
use crate::v4::ReadError;

/// The formats that are read here.
pub(crate) const VERSIONS: std::ops::RangeInclusive<u64> = 1..=3;

#[derive(Deserialize)]
struct FileIn {
    #[serde(default)]
    terraform_version: String,
    #[serde(default)]
    serial: i64,
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    modules: Option<Vec<ModuleIn>>,
}

#[derive(Deserialize)]
struct ModuleIn {
    #[serde(default)]
    path: Option<Vec<String>>,
    #[serde(default)]
    outputs: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    resources: Option<BTreeMap<String, ResourceIn>>,
}

#[derive(Deserialize)]
struct ResourceIn {
    #[serde(default)]
    primary: Option<InstanceIn>,
    #[serde(default)]
    deposed: Option<Vec<InstanceIn>>,
    #[serde(default)]
    provider: String,
}

#[derive(Deserialize)]
struct InstanceIn {
    #[serde(default)]
    id: String,
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    meta: Option<Map<String, Value>>,
    #[serde(default)]
    tainted: bool,
}

fn invalid(place: impl Into<String>, problem: impl Into<String>) -> ReadError {
    ReadError::Invalid { place: place.into(), problem: problem.into() }
}

/// Reads a state of such a format.
pub(crate) fn read(text: &str, version: u64) -> Result<State, ReadError> {
    let file: FileIn = serde_json::from_str(text)?;
    let serial = file.serial.try_into().map_err(|_| invalid("the serial", "is less than zero"))?;
    let mut state = State {
        terraform_version: if file.terraform_version.is_empty() {
            "0.0.0".into()
        } else {
            file.terraform_version.into()
        },
        serial: Serial(serial),
        lineage: Lineage(file.lineage.into()),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
        check_results: None,
    };
    for module in file.modules.unwrap_or_default() {
        let path = match module.path {
            Some(path) if !path.is_empty() => path,
            _ if version == 1 => vec!["root".to_owned()],
            _ => Vec::new(),
        };
        let shown = || format!("the module path {path:?}");
        let Some((root, names)) = path.split_first().filter(|(root, _)| *root == "root") else {
            return Err(invalid(shown(), "does not begin with \"root\""));
        };
        if let Some(name) = names.iter().find(|name| !lang::syntax::is_identifier(name)) {
            return Err(invalid(shown(), format!("has {name:?}, which is no name")));
        }
        let address = names
            .iter()
            .fold(ModuleInstance::root(), |module, name| module.child(Str::from(name.as_str()), InstanceKey::None));
        for (name, resource) in module.resources.unwrap_or_default() {
            add_resource(&mut state, &address, &name, resource, version)?;
        }
        if root == "root" && names.is_empty() {
            for (name, output) in module.outputs.unwrap_or_default() {
                let (value, sensitive) = match output {
                    output if version == 1 => (output, false),
                    Value::Object(mut output) => (
                        output.remove("value").unwrap_or_default(),
                        output.get("sensitive").and_then(Value::as_bool).unwrap_or_default(),
                    ),
                    _ => return Err(invalid(format!("the output {name:?}"), "is no object")),
                };
                let ty = simplified(&value);
                let output = OutputValue { value: Json::from_value(&value), ty: Json::from_value(&ty), sensitive };
                state.outputs.insert(name.into(), output);
            }
        }
    }
    Ok(state)
}

fn add_resource(
    state: &mut State,
    module: &ModuleInstance,
    name: &str,
    resource: ResourceIn,
    version: u64,
) -> Result<(), ReadError> {
    let (address, key) = resource_address(module, name)?;
    let provider = provider(&resource.provider, &address)?;
    let entry = state.resources.entry(address);
    let entry = entry.or_insert_with(|| Arc::new(ResourceState { provider, instances: BTreeMap::new() }));
    let deposed = resource.deposed.unwrap_or_default();
    if resource.primary.is_none() && deposed.is_empty() {
        return Ok(());
    }
    let instance = Arc::make_mut(entry).instances.entry(key).or_default();
    if let Some(primary) = resource.primary {
        instance.current = Some(Arc::new(object(primary, version)));
    }
    for (number, deposed) in deposed.into_iter().enumerate() {
        let key = DeposedKey::parse(&format!("{:08x}", number + 1));
        let key = key.map_err(|_| invalid(name, "has too many deposed objects"))?;
        instance.deposed.insert(key, Arc::new(object(deposed, version)));
    }
    Ok(())
}

/// `TYPE.NAME`, `TYPE.NAME.INDEX`, each maybe behind `data.`.
fn resource_address(module: &ModuleInstance, text: &str) -> Result<(AbsResource, InstanceKey), ReadError> {
    let wrong = || invalid(text, "is no address of a resource");
    let parts: Vec<&str> = text.split('.').collect();
    let (mode, parts) = match parts.as_slice() {
        ["data", rest @ ..] if parts.len() > 2 => (Mode::Data, rest),
        all => (Mode::Managed, all),
    };
    let (kind, name, key) = match parts {
        [kind, name] => (kind, name, InstanceKey::None),
        [kind, name, index] => (kind, name, InstanceKey::Index(index.parse().map_err(|_| wrong())?)),
        _ => return Err(wrong()),
    };
    let resource = Resource { mode, kind: Str::from(*kind), name: Str::from(*name) };
    // What no address can be written of couldn't be read back.
    let address = AbsResource { module: module.clone(), resource };
    match address.to_string().parse::<AbsResource>() {
        Ok(parsed) if parsed == address => Ok((address, key)),
        _ => Err(wrong()),
    }
}

/// `module.a.provider.aws.west` as it is, `aws.west` in the resource's module, or the one that the type's name begins with. All
/// of them are from before providers had namespaces.
fn provider(text: &str, resource: &AbsResource) -> Result<ProviderConfig, ReadError> {
    if text.contains("provider.") {
        let place = format!("the provider of {resource}");
        return text.parse().map_err(|source| ReadError::Address { place, source });
    }
    let (name, alias) = match text.split_once('.') {
        Some((name, alias)) => (name, Some(alias)),
        None if text.is_empty() => (resource.resource.kind.split('_').next().unwrap_or_default(), None),
        None => (text, None),
    };
    if ![Some(name), alias].into_iter().flatten().all(lang::syntax::is_identifier) {
        return Err(invalid(format!("the provider {text:?} of {resource}"), "is no name of a provider configuration"));
    }
    let module = ModulePath(resource.module.0.iter().map(|(name, _)| name.clone()).collect());
    let source = ProviderSource { host: ProviderSource::DEFAULT_HOST.into(), namespace: "-".into(), name: name.into() };
    Ok(ProviderConfig { module, source, alias: alias.map(Str::from) })
}

fn object(instance: InstanceIn, version: u64) -> InstanceObject {
    let mut attributes = instance.attributes.unwrap_or_default();
    if version < 3 {
        count_maps(&mut attributes);
    }
    if !instance.id.is_empty() && attributes.get("id").is_none_or(String::is_empty) {
        attributes.insert("id".to_owned(), instance.id);
    }
    let mut meta = instance.meta.unwrap_or_default();
    let schema_version = match meta.get("schema_version") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.as_u64().or_else(|| number.as_f64().map(|number| number as u64)),
        _ => None,
    };
    if schema_version.is_some() {
        meta.remove("schema_version");
    }
    let private = (!meta.is_empty()).then(|| {
        let text = Json::from_value(&Value::Object(meta));
        BASE64_STANDARD.encode(text.as_str()).into()
    });
    InstanceObject {
        schema_version: schema_version.unwrap_or_default(),
        attributes_flat: Some(Json::from_value(&json!(attributes))),
        private,
        status: if instance.tainted { ObjectStatus::Tainted } else { ObjectStatus::Ready },
        ..InstanceObject::default()
    }
}

/// Before format 3, maps were counted as lists are: `tags.#`. Empty ones of either are left out.
fn count_maps(attributes: &mut BTreeMap<String, String>) {
    let counts: Vec<String> = attributes.keys().filter(|key| key.ends_with(".#")).cloned().collect();
    for count in counts {
        let prefix = count.trim_end_matches('#');
        let inside = attributes.keys().filter_map(|key| key.strip_prefix(prefix));
        let keys: BTreeSet<&str> =
            inside.filter(|key| *key != "#").map(|key| key.split_once('.').map_or(key, |(first, _)| first)).collect();
        let is_map = keys.iter().any(|key| key.parse::<i64>().is_err());
        let is_empty = keys.is_empty();
        if is_map || is_empty {
            let number = attributes.remove(&count).unwrap_or_default();
            if is_map {
                attributes.insert(format!("{prefix}%"), number);
            }
        }
    }
}

/// The type that a value's JSON implies.
fn implied(value: &Value) -> Value {
    match value {
        Value::Null => json!("dynamic"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(elements) => json!(["tuple", elements.iter().map(implied).collect::<Vec<_>>()]),
        Value::Object(attributes) => {
            json!([
                "object",
                attributes.iter().map(|(name, value)| (name.clone(), implied(value))).collect::<Map<_, _>>()
            ])
        }
    }
}

/// The same, with lists and maps where all elements are of one type.
fn simplified(value: &Value) -> Value {
    let (kind, elements): (&str, Vec<&Value>) = match value {
        Value::Array(elements) => ("list", elements.iter().collect()),
        Value::Object(attributes) => ("map", attributes.values().collect()),
        _ => return implied(value),
    };
    let Some((first, rest)) = elements.split_first() else { return implied(value) };
    let ty = implied(first);
    if rest.iter().all(|other| implied(other) == ty) {
        return json!([kind, simplified(first)]);
    }
    implied(value)
}
