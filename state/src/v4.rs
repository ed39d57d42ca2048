//! Terraform's state file format, version 4: reading it, and writing it byte for byte as Terraform 1.11 does.
//!
//! What a later Terraform adds to an object (the identity) is kept; other unknown keys are dropped, as Terraform drops
//! them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lang::Str;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, Mode, ModuleInstance, Resource};
use lang::addr_parse::AddressError;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::codec::{SealError, sealed};
use crate::json::{Json, push_indented, push_line, push_string};
use crate::legacy;
use crate::model::{
    AttributePath, AttributeStep, CheckObject, CheckResult, CheckStatus, Dependencies, DeposedKey, InstanceObject,
    Lineage, ObjectStatus, OutputValue, ResourceState, Serial, State,
};

/// The version of the format.
pub const FORMAT_VERSION: u64 = 4;

/// Why a file can't be read as a state. Such a file is never overwritten.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or JSON of another shape than a state: a truncated or damaged file, or no state at all.
    #[error("the state file could not be parsed, line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes; 0 at the end of a line.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Not UTF-8.
    #[error("the state file is not valid UTF-8, at byte {offset}")]
    Encoding {
        /// Where the first invalid byte is.
        offset: usize,
    },
    /// No `version`: not a state file.
    #[error("the state file does not have a \"version\" attribute, which is required to identify the format version")]
    NoVersion,
    /// A format from the future.
    #[error("the state file uses format version {version}, which is newer than this program supports (4){}", by(.terraform_version))]
    FromTheFuture {
        /// The format's version.
        version: u64,
        /// What wrote it.
        terraform_version: String,
    },
    /// An address that isn't one.
    #[error("the state file has an invalid address in {place}")]
    Address {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// Encrypted, and it can't be decrypted.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Contents that make no sense.
    #[error("{place} in the state file {problem}")]
    Invalid {
        /// Which resource or instance.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn by(terraform_version: &str) -> String {
    if terraform_version.is_empty() { String::new() } else { format!(" (written by Terraform {terraform_version})") }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        ReadError::Syntax { line: error.line(), column: error.column(), message }
    }
}

#[derive(Deserialize)]
struct Sniff<'a> {
    #[serde(default, borrow)]
    version: Option<&'a RawValue>,
    #[serde(default, borrow)]
    terraform_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct FileIn<'a> {
    #[serde(default, borrow)]
    version: Option<&'a RawValue>,
    #[serde(default, borrow)]
    terraform_version: Cow<'a, str>,
    #[serde(default)]
    serial: u64,
    #[serde(default, borrow)]
    lineage: Cow<'a, str>,
    #[serde(default, borrow)]
    outputs: Option<BTreeMap<Cow<'a, str>, OutputIn<'a>>>,
    #[serde(default, borrow)]
    resources: Option<Vec<ResourceIn<'a>>>,
    #[serde(default)]
    check_results: Option<Vec<CheckIn>>,
}

#[derive(Deserialize)]
struct OutputIn<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(rename = "type", borrow)]
    ty: &'a RawValue,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Deserialize)]
struct ResourceIn<'a> {
    #[serde(default, borrow)]
    module: Cow<'a, str>,
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(default, borrow)]
    instances: Option<Vec<InstanceIn<'a>>>,
}

#[derive(Deserialize)]
struct InstanceIn<'a> {
    #[serde(default, borrow)]
    index_key: Option<&'a RawValue>,
    #[serde(default, borrow)]
    status: Cow<'a, str>,
    #[serde(default, borrow)]
    deposed: Cow<'a, str>,
    #[serde(default)]
    schema_version: u64,
    #[serde(default, borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(default, borrow)]
    attributes_flat: Option<&'a RawValue>,
    #[serde(default, borrow)]
    sensitive_attributes: Option<Vec<Vec<StepIn<'a>>>>,
    #[serde(default)]
    identity_schema_version: Option<u64>,
    #[serde(default, borrow)]
    identity: Option<&'a RawValue>,
    #[serde(default, borrow)]
    private: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    dependencies: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    create_before_destroy: bool,
}

#[derive(Deserialize)]
struct StepIn<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct CheckIn {
    object_kind: String,
    config_addr: String,
    status: String,
    #[serde(default)]
    objects: Option<Vec<CheckObjectIn>>,
}

#[derive(Deserialize)]
struct CheckObjectIn {
    object_addr: String,
    status: String,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
}

/// The format's version, if it is one before 4. Those have modules where there is anything at all: most states need no second
/// look.
fn legacy_version(text: &str) -> Option<u64> {
    if text.len() > 4096 && !text.contains("\"modules\"") {
        return None;
    }
    let sniff: Sniff<'_> = serde_json::from_str(text).ok()?;
    let version = sniff.version?.get().parse().ok()?;
    legacy::VERSIONS.contains(&version).then_some(version)
}

/// Reads a state, also of earlier formats; `None` for an empty file, which Terraform leaves when a run ends before its first write.
pub fn read(bytes: &[u8]) -> Result<Option<State>, ReadError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ReadError::Encoding { offset: error.valid_up_to() })?;
    if let Some(version) = legacy_version(text) {
        return legacy::read(text, version).map(Some);
    }
    let file: FileIn<'_> = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            // A file of another version may well have another shape; that it is of another version says more.
            let sniff: Sniff<'_> = serde_json::from_str(text)?;
            check_version(sniff.version, sniff.terraform_version.as_deref().unwrap_or_default())?;
            return Err(error.into());
        }
    };
    check_version(file.version, &file.terraform_version).map_err(|error| match error {
        ReadError::NoVersion if sealed(bytes).is_some() => SealError::NotConfigured.into(),
        error => error,
    })?;
    let mut dependencies = KnownDependencies::default();
    let mut resources = BTreeMap::new();
    for resource in file.resources.unwrap_or_default() {
        read_resource(resource, &mut dependencies, &mut resources)?;
    }
    let outputs = file.outputs.unwrap_or_default().into_iter().map(|(name, output)| {
        let value = OutputValue {
            value: Json::from_raw(output.value),
            ty: Json::from_raw(output.ty),
            sensitive: output.sensitive,
        };
        (Str::from(name), value)
    });
    Ok(Some(State {
        terraform_version: file.terraform_version.into(),
        serial: Serial(file.serial),
        lineage: Lineage(file.lineage.into()),
        outputs: outputs.collect(),
        resources,
        // An empty list is written as none, by Terraform as well.
        check_results: file
            .check_results
            .filter(|results| !results.is_empty())
            .map(|results| results.into_iter().map(read_check).collect()),
    }))
}

fn check_version(version: Option<&RawValue>, terraform_version: &str) -> Result<(), ReadError> {
    let terraform_version = terraform_version.to_owned();
    match version.map(|raw| raw.get().parse::<u64>()) {
        Some(Ok(FORMAT_VERSION)) => Ok(()),
        Some(Ok(version)) if version > FORMAT_VERSION => Err(ReadError::FromTheFuture { version, terraform_version }),
        Some(Ok(version)) => Err(ReadError::Invalid {
            place: "the version".to_owned(),
            problem: format!("is {version}, which never was a format in JSON"),
        }),
        Some(Err(_)) => Err(ReadError::Invalid {
            place: "the version".to_owned(),
            problem: "is not a positive whole number".to_owned(),
        }),
        None => Err(ReadError::NoVersion),
    }
}

fn read_check(result: CheckIn) -> CheckResult {
    let object = |object: CheckObjectIn| CheckObject {
        object_addr: object.object_addr.into(),
        status: CheckStatus::from_name(&object.status),
        failure_messages: object.failure_messages.unwrap_or_default(),
    };
    CheckResult {
        object_kind: result.object_kind.into(),
        config_addr: result.config_addr.into(),
        status: CheckStatus::from_name(&result.status),
        objects: result.objects.map(|objects| objects.into_iter().map(object).collect()),
    }
}

/// Lists of dependencies, each kept once: the instances of a resource have the same, and their number is what makes
/// a big state big.
#[derive(Default)]
struct KnownDependencies<'a> {
    addresses: HashMap<Box<str>, Arc<ConfigResource>>,
    lists: HashMap<Vec<Cow<'a, str>>, Dependencies>,
}

impl<'a> KnownDependencies<'a> {
    fn get(&mut self, texts: Vec<Cow<'a, str>>, address: &AbsResource) -> Result<Dependencies, ReadError> {
        if let Some(list) = self.lists.get(&texts) {
            return Ok(list.clone());
        }
        let list = texts
            .iter()
            .map(|text| self.address(text))
            .collect::<Result<Dependencies, AddressError>>()
            .map_err(|source| ReadError::Address { place: format!("the dependencies of {address}"), source })?;
        self.lists.insert(texts, list.clone());
        Ok(list)
    }

    fn address(&mut self, text: &str) -> Result<Arc<ConfigResource>, AddressError> {
        if let Some(known) = self.addresses.get(text) {
            return Ok(known.clone());
        }
        let address: Arc<ConfigResource> = Arc::new(text.parse()?);
        self.addresses.insert(text.into(), address.clone());
        Ok(address)
    }
}

fn read_resource<'a>(
    resource: ResourceIn<'a>,
    dependencies: &mut KnownDependencies<'a>,
    resources: &mut BTreeMap<AbsResource, Arc<ResourceState>>,
) -> Result<(), ReadError> {
    let mode = match &*resource.mode {
        "managed" => Mode::Managed,
        "data" => Mode::Data,
        mode => {
            return Err(ReadError::Invalid {
                place: format!("{}.{}", resource.kind, resource.name),
                problem: format!("has the mode {mode:?}, which is not supported"),
            });
        }
    };
    let module: ModuleInstance = resource.module.parse().map_err(|source| ReadError::Address {
        place: format!("the module of {}.{}", resource.kind, resource.name),
        source,
    })?;
    let address =
        AbsResource { module, resource: Resource { mode, kind: resource.kind.into(), name: resource.name.into() } };
    let provider = resource
        .provider
        .parse()
        .map_err(|source| ReadError::Address { place: format!("the provider of {address}"), source })?;
    let state = Arc::make_mut(
        resources
            .entry(address.clone())
            .or_insert_with(|| Arc::new(ResourceState { provider, instances: BTreeMap::new() })),
    );
    for instance in resource.instances.unwrap_or_default() {
        let invalid = |problem: &str| ReadError::Invalid { place: address.to_string(), problem: problem.to_owned() };
        let key = read_key(instance.index_key)
            .ok_or_else(|| invalid("has an instance whose key is neither a whole number nor a string"))?;
        let deposed = match &*instance.deposed {
            "" => None,
            text => Some(DeposedKey::parse(text).map_err(|error| invalid(&format!("has an invalid object: {error}")))?),
        };
        let object = Arc::new(read_object(instance, dependencies, &address)?);
        let instance_state = state.instances.entry(key.clone()).or_default();
        let earlier = match deposed {
            Some(deposed) => instance_state.deposed.insert(deposed, object),
            None => instance_state.current.replace(object),
        };
        if earlier.is_some() {
            return Err(ReadError::Invalid {
                place: address.instance(key).to_string(),
                problem: "appears more than once".to_owned(),
            });
        }
    }
    Ok(())
}

fn read_key(raw: Option<&RawValue>) -> Option<InstanceKey> {
    let Some(raw) = raw else { return Some(InstanceKey::None) };
    let text = raw.get();
    if text.starts_with('"') {
        serde_json::from_str::<String>(text).ok().map(|name| InstanceKey::Name(name.into()))
    } else {
        text.parse().ok().map(InstanceKey::Index)
    }
}

fn read_object<'a>(
    instance: InstanceIn<'a>,
    dependencies: &mut KnownDependencies<'a>,
    address: &AbsResource,
) -> Result<InstanceObject, ReadError> {
    let invalid = |problem: String| ReadError::Invalid { place: address.to_string(), problem };
    let status = match &*instance.status {
        "" => ObjectStatus::Ready,
        "tainted" => ObjectStatus::Tainted,
        status => return Err(invalid(format!("has an instance of the invalid status {status:?}"))),
    };
    let mut sensitive_attributes = Vec::new();
    for path in instance.sensitive_attributes.unwrap_or_default() {
        let steps = path.into_iter().map(|step| match &*step.kind {
            "get_attr" => serde_json::from_str::<String>(step.value.get())
                .map(|name| AttributeStep::Attribute(name.into()))
                .map_err(|_| invalid("has a sensitive attribute whose name is not a string".to_owned())),
            "index" => Ok(AttributeStep::Index(Json::from_raw(step.value))),
            kind => {
                Err(invalid(format!("has a sensitive attribute with a path step of the unsupported type {kind:?}")))
            }
        });
        sensitive_attributes.push(AttributePath(steps.collect::<Result<_, _>>()?));
    }
    Ok(InstanceObject {
        schema_version: instance.schema_version,
        attributes: instance.attributes.map_or_else(Json::empty_object, Json::from_raw),
        attributes_flat: instance.attributes_flat.map(Json::from_raw).filter(|_| instance.attributes.is_none()),
        sensitive_attributes,
        identity_schema_version: instance.identity_schema_version,
        identity: instance.identity.map(Json::from_raw),
        private: instance.private.filter(|private| !private.is_empty()).map(Arc::from),
        dependencies: dependencies.get(instance.dependencies.unwrap_or_default(), address)?,
        status,
        create_before_destroy: instance.create_before_destroy,
    })
}

/// The file, as Terraform would write it.
pub fn write(state: &State) -> Vec<u8> {
    let mut out = Writer { out: String::new(), depth: 0, first: true };
    out.open('{');
    out.key("version");
    out.raw("4");
    out.string("terraform_version", &state.terraform_version);
    out.number("serial", state.serial.0);
    out.string("lineage", &state.lineage.0);
    out.key("outputs");
    out.open('{');
    for (name, output) in &state.outputs {
        out.key(name);
        out.open('{');
        out.json("value", &output.value);
        out.json("type", &output.ty);
        out.flag("sensitive", output.sensitive);
        out.close('}');
    }
    out.close('}');
    out.key("resources");
    out.open('[');
    for (module, address, resource) in sorted_resources(state) {
        out.element();
        write_resource(&mut out, &module, address, resource);
    }
    out.close(']');
    out.key("check_results");
    match state.check_results.as_deref() {
        None | Some([]) => out.raw("null"),
        Some(results) => write_checks(&mut out, results),
    }
    out.close('}');
    out.out.push('\n');
    out.out.into_bytes()
}

/// Terraform sorts by the texts of module, mode, type and name: `module.a[10]` before `module.a[2]`.
fn sorted_resources(state: &State) -> Vec<(String, &AbsResource, &ResourceState)> {
    let mut resources: Vec<_> = state
        .resources
        .iter()
        .map(|(address, resource)| (address.module.to_string(), address, resource.as_ref()))
        .collect();
    resources.sort_by(|(module_a, a, _), (module_b, b, _)| {
        let (a, b) = (&a.resource, &b.resource);
        module_a
            .cmp(module_b)
            .then_with(|| (a.mode == Mode::Managed).cmp(&(b.mode == Mode::Managed)))
            .then_with(|| a.kind.cmp(&b.kind))
            .then_with(|| a.name.cmp(&b.name))
    });
    resources
}

fn write_resource(out: &mut Writer, module: &str, address: &AbsResource, resource: &ResourceState) {
    out.open('{');
    if !module.is_empty() {
        out.string("module", module);
    }
    out.string("mode", if address.resource.mode == Mode::Data { "data" } else { "managed" });
    out.string("type", &address.resource.kind);
    out.string("name", &address.resource.name);
    out.string("provider", &resource.provider.to_string());
    out.key("instances");
    write_instances(out, resource);
    out.close('}');
}

/// The instances of a resource as they stand in the file, in compact form.
pub fn instances_to_json(resource: &ResourceState) -> Json {
    let mut out = Writer { out: String::new(), depth: 0, first: true };
    write_instances(&mut out, resource);
    Json::from_valid(&out.out)
}

fn write_instances(out: &mut Writer, resource: &ResourceState) {
    out.open('[');
    for (key, instance) in &resource.instances {
        if let Some(object) = &instance.current {
            out.element();
            write_object(out, key, None, object);
        }
        for (deposed, object) in &instance.deposed {
            out.element();
            write_object(out, key, Some(deposed), object);
        }
    }
    out.close(']');
}

/// An object as it stands among its resource's instances in the file, in compact form.
pub fn object_to_json(object: &InstanceObject) -> Json {
    let mut out = Writer { out: String::new(), depth: 0, first: true };
    write_object(&mut out, &InstanceKey::None, None, object);
    Json::from_valid(&out.out)
}

/// Reads what [`object_to_json`] gave; `address` is for messages.
pub fn object_from_json(json: &Json, address: &AbsResource) -> Result<InstanceObject, ReadError> {
    read_object(json.decode()?, &mut KnownDependencies::default(), address)
}

fn write_object(out: &mut Writer, key: &InstanceKey, deposed: Option<&DeposedKey>, object: &InstanceObject) {
    out.open('{');
    match key {
        // No object has an unknown key.
        InstanceKey::None | InstanceKey::Unknown => {}
        InstanceKey::Index(index) => out.number("index_key", *index),
        InstanceKey::Name(name) => out.string("index_key", name),
    }
    if object.status == ObjectStatus::Tainted {
        out.string("status", "tainted");
    }
    if let Some(deposed) = deposed {
        out.string("deposed", deposed.as_str());
    }
    out.number("schema_version", object.schema_version);
    match &object.attributes_flat {
        Some(flat) => out.json("attributes_flat", flat),
        None => out.json("attributes", &object.attributes),
    }
    out.key("sensitive_attributes");
    out.open('[');
    for AttributePath(steps) in &object.sensitive_attributes {
        out.element();
        out.open('[');
        for step in steps {
            out.element();
            out.open('{');
            match step {
                AttributeStep::Attribute(name) => {
                    out.string("type", "get_attr");
                    out.string("value", name);
                }
                AttributeStep::Index(key) => {
                    out.string("type", "index");
                    out.json("value", key);
                }
            }
            out.close('}');
        }
        out.close(']');
    }
    out.close(']');
    if let Some(version) = object.identity_schema_version {
        out.number("identity_schema_version", version);
    }
    if let Some(identity) = &object.identity {
        out.json("identity", identity);
    }
    if let Some(private) = &object.private {
        out.string("private", private);
    }
    if !object.dependencies.is_empty() {
        out.key("dependencies");
        out.open('[');
        for dependency in object.dependencies.iter() {
            out.element();
            push_string(&mut out.out, &dependency.to_string());
        }
        out.close(']');
    }
    out.flag("create_before_destroy", object.create_before_destroy);
    out.close('}');
}

fn write_checks(out: &mut Writer, results: &[CheckResult]) {
    out.open('[');
    for result in results {
        out.element();
        out.open('{');
        out.string("object_kind", &result.object_kind);
        out.string("config_addr", &result.config_addr);
        out.string("status", result.status.as_str());
        out.key("objects");
        match result.objects.as_deref() {
            None | Some([]) => out.raw("null"),
            Some(objects) => {
                out.open('[');
                for object in objects {
                    out.element();
                    write_check_object(out, object);
                }
                out.close(']');
            }
        }
        out.close('}');
    }
    out.close(']');
}

fn write_check_object(out: &mut Writer, object: &CheckObject) {
    out.open('{');
    out.string("object_addr", &object.object_addr);
    out.string("status", object.status.as_str());
    if !object.failure_messages.is_empty() {
        out.key("failure_messages");
        out.open('[');
        for message in &object.failure_messages {
            out.element();
            push_string(&mut out.out, message);
        }
        out.close(']');
    }
    out.close('}');
}

/// Writes indented JSON; commas and line breaks follow from the calls.
struct Writer {
    out: String,
    depth: usize,
    first: bool,
}

impl Writer {
    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.first = true;
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.first {
            push_line(&mut self.out, self.depth);
        }
        self.out.push(bracket);
        self.first = false;
    }

    fn element(&mut self) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_line(&mut self.out, self.depth);
    }

    fn key(&mut self, name: &str) {
        self.element();
        push_string(&mut self.out, name);
        self.out.push_str(": ");
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        push_string(&mut self.out, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.out.push_str(&value.to_string());
    }

    /// Left out if false.
    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.key(name);
            self.raw("true");
        }
    }

    fn json(&mut self, name: &str, value: &Json) {
        self.key(name);
        push_indented(&mut self.out, value, self.depth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &[u8] = include_bytes!("../tests/fixtures/full.tfstate");
    const DEPOSED: &[u8] = include_bytes!("../tests/fixtures/deposed.tfstate");
    const EMPTY: &[u8] = include_bytes!("../tests/fixtures/empty.tfstate");

    #[test]
    fn files_of_terraform_survive_byte_for_byte() {
        for bytes in [FULL, DEPOSED, EMPTY] {
            let state = read(bytes).unwrap().unwrap();
            let written = String::from_utf8(write(&state)).unwrap();
            assert!(written == std::str::from_utf8(bytes).unwrap(), "{written}");
        }
    }

    #[test]
    fn the_model_says_what_the_file_says() {
        let state = read(DEPOSED).unwrap().unwrap();
        let cbd = state.instance(&"terraform_data.cbd".parse().unwrap()).unwrap();
        assert!(cbd.current.as_ref().unwrap().create_before_destroy);
        assert_eq!(cbd.deposed.keys().map(DeposedKey::as_str).collect::<Vec<_>>(), ["0a1b2c3d"]);
        let tainted = state.current(&r#"terraform_data.each["10"]"#.parse().unwrap()).unwrap();
        assert_eq!(tainted.status, ObjectStatus::Tainted);
        let mut shared = state.resources.iter().filter(|(address, _)| address.resource.name == "each");
        let (_, each) = shared.next().unwrap();
        let lists: Vec<_> = each.instances.values().map(|i| i.current.as_ref().unwrap().dependencies.clone()).collect();
        assert!(lists.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
        let sensitive = state.current(&"terraform_data.sens".parse().unwrap()).unwrap();
        assert!(!sensitive.sensitive_attributes.is_empty());
        assert!(state.outputs["sec"].sensitive);
    }

    #[test]
    fn what_later_versions_add_to_objects_is_kept() {
        let mut state = read(EMPTY).unwrap().unwrap();
        let object = InstanceObject {
            identity_schema_version: Some(0),
            identity: Some(Json::parse(r#"{"id":"x"}"#).unwrap()),
            ..InstanceObject::default()
        };
        let provider = "provider[\"a/b\"]".parse().unwrap();
        state.set_current(&"aws_x.y[3]".parse().unwrap(), &provider, Some(Arc::new(object)));
        assert_eq!(read(&write(&state)).unwrap().unwrap(), state);
    }

    #[test]
    fn no_part_of_a_file_is_a_state() {
        assert!(read(b"").unwrap().is_none());
        for length in 1..EMPTY.len() - 1 {
            assert!(read(&EMPTY[..length]).is_err(), "{length}");
        }
        for length in (1..FULL.len() - 1).step_by(997) {
            assert!(matches!(read(&FULL[..length]), Err(ReadError::Syntax { .. })), "{length}");
        }
    }

    #[test]
    fn other_formats_are_refused() {
        assert!(matches!(read(b"{}"), Err(ReadError::NoVersion)));
        assert!(matches!(read(br#"{"version":"4"}"#), Err(ReadError::Invalid { .. })));
        assert!(matches!(read(br#"{"version":0}"#), Err(ReadError::Invalid { .. })));
        let future = read(br#"{"version":5,"terraform_version":"9.0.0","resources":{}}"#).unwrap_err();
        assert_eq!(
            future.to_string(),
            "the state file uses format version 5, which is newer than this program supports (4) (written by Terraform 9.0.0)"
        );
        assert!(matches!(read(b"{\"version\":4}\xff"), Err(ReadError::Encoding { offset: 13 })));
        let error = read(b"{\n  \"version\": 4,\n  \"serial\": \"x\"\n}").unwrap_err();
        assert!(matches!(error, ReadError::Syntax { line: 3, .. }), "{error}");
        let bad = br#"{"version":4,"resources":[{"mode":"managed","type":"a","name":"b","provider":"provider[\"a/b\"]",
            "instances":[{"index_key":-1}]}]}"#;
        assert!(matches!(read(bad), Err(ReadError::Invalid { .. })));
    }
}
