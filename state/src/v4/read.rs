//! Reading: a file is walked through value by value, and each becomes its part of the model before the next one is looked at.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::sync::Arc;

use lang::Str;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, Mode, ModuleInstance, ProviderConfig, Resource};
use lang::addr_parse::AddressError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::scanner::Scanner;
use super::{FORMAT_VERSION, ReadError};
use crate::codec::{SealError, sealed};
use crate::json::Json;
use crate::legacy;
use crate::model::{
    AttributePath, AttributeStep, CheckObject, CheckResult, CheckStatus, Dependencies, DeposedKey, InstanceObject,
    Lineage, ObjectStatus, OutputValue, ResourceState, Serial, State,
};

#[derive(Deserialize)]
struct Sniff<'a> {
    #[serde(default, borrow)]
    version: Option<&'a RawValue>,
    #[serde(default, borrow)]
    terraform_version: Option<Cow<'a, str>>,
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
    dependencies: Option<&'a RawValue>,
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

/// Reads a state, also of earlier formats; `None` for an empty file, which Terraform leaves when a run ends before its first write.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Option<State>, ReadError> {
    read_from(bytes)
}

/// The same from a file or connection.
///
/// # Errors
/// What is wrong with it, or those of the source.
pub fn read_from(source: impl Read) -> Result<Option<State>, ReadError> {
    let mut scanner = Scanner::new(source);
    if scanner.is_empty()? {
        return Ok(None);
    }
    if says_version_first(scanner.prefix(HEAD)?) {
        return read_file(scanner).map(Some);
    }
    // Another program has written it, or for another one: only the whole tells which version it has.
    let bytes = scanner.rest()?;
    let text = std::str::from_utf8(&bytes).map_err(|error| ReadError::Encoding { offset: error.valid_up_to() })?;
    let sniff: Sniff<'_> = serde_json::from_str(text)?;
    if let Some(Ok(version)) = sniff.version.map(|version| version.get().parse())
        && legacy::VERSIONS.contains(&version)
    {
        return legacy::read(text, version).map(Some);
    }
    check_version(sniff.version, sniff.terraform_version.as_deref().unwrap_or_default()).map_err(
        |error| match error {
            ReadError::NoVersion if sealed(&bytes).is_some() => SealError::NotConfigured.into(),
            error => error,
        },
    )?;
    read_file(Scanner::new(bytes.as_slice())).map(Some)
}

/// How many bytes of a text are looked at for its version.
pub const HEAD: usize = 256;

/// Whether the first thing that a text says is that it is a state of the current version, as Terraform writes it.
pub fn says_version_first(text: &[u8]) -> bool {
    let mut scanner = Scanner::new(text);
    let mut first_version = || {
        scanner.enter(b'{')?;
        Ok::<_, ReadError>(match scanner.member(&mut true)?.as_deref() {
            Some("version") => scanner.value()?.text.parse::<u64>().ok(),
            _ => None,
        })
    };
    matches!(first_version(), Ok(Some(FORMAT_VERSION)))
}

/// Reads a file of the current version.
fn read_file(mut file: Scanner<impl Read>) -> Result<State, ReadError> {
    let mut state = State {
        terraform_version: Str::default(),
        serial: Serial(0),
        lineage: Lineage(Str::default()),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
        check_results: None,
    };
    let mut known = KnownDependencies::default();
    let mut seen = BTreeSet::new();
    let mut first = true;
    file.enter(b'{')?;
    while let Some(name) = file.member(&mut first)? {
        match name.as_str() {
            "terraform_version" => state.terraform_version = file.value()?.decode::<Cow<'_, str>>()?.into(),
            "serial" => state.serial = Serial(file.value()?.decode()?),
            "lineage" => state.lineage = Lineage(file.value()?.decode::<Cow<'_, str>>()?.into()),
            "outputs" => state.outputs = read_outputs(&mut file)?,
            "resources" => read_resources(&mut file, &mut known, &mut state.resources)?,
            "check_results" => {
                let results: Option<Vec<CheckIn>> = file.value()?.decode()?;
                // An empty list is written as none, by Terraform as well.
                state.check_results = results
                    .filter(|results| !results.is_empty())
                    .map(|results| results.into_iter().map(read_check).collect());
            }
            _ => {
                file.value()?.decode::<IgnoredAny>()?;
                continue;
            }
        }
        if !seen.insert(name.clone()) {
            return Err(file.duplicate(&name));
        }
    }
    file.end()?;
    Ok(state)
}

fn read_outputs(file: &mut Scanner<impl Read>) -> Result<BTreeMap<Str, OutputValue>, ReadError> {
    let mut outputs = BTreeMap::new();
    let mut first = true;
    if !file.enter(b'{')? {
        return Ok(outputs);
    }
    while let Some(name) = file.member(&mut first)? {
        let output: OutputIn<'_> = file.value()?.decode()?;
        let value = OutputValue {
            value: Json::from_raw(output.value),
            ty: Json::from_raw(output.ty),
            sensitive: output.sensitive,
        };
        outputs.insert(name.into(), value);
    }
    Ok(outputs)
}

fn read_resources(
    file: &mut Scanner<impl Read>,
    known: &mut KnownDependencies,
    resources: &mut BTreeMap<AbsResource, Arc<ResourceState>>,
) -> Result<(), ReadError> {
    let mut first = true;
    if !file.enter(b'[')? {
        return Ok(());
    }
    while file.element(&mut first)? {
        let (address, provider, objects) = read_resource(file, known)?;
        let empty = || Arc::new(ResourceState { provider, instances: BTreeMap::new() });
        let resource = Arc::make_mut(resources.entry(address.clone()).or_insert_with(empty));
        for (key, deposed, object) in objects {
            let instance = resource.instances.entry(key.clone()).or_default();
            let earlier = match deposed {
                Some(deposed) => instance.deposed.insert(deposed, object),
                None => instance.current.replace(object),
            };
            if earlier.is_some() {
                return Err(ReadError::Invalid {
                    place: address.instance(key).to_string(),
                    problem: "appears more than once".to_owned(),
                });
            }
        }
    }
    Ok(())
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
        // An empty list is written as none, by Terraform as well.
        objects: result
            .objects
            .filter(|objects| !objects.is_empty())
            .map(|objects| objects.into_iter().map(object).collect()),
    }
}

/// Lists of dependencies, each kept once: the instances of a resource have the same, and their number is what makes
/// a big state big.
#[derive(Default)]
struct KnownDependencies {
    addresses: HashMap<Box<str>, Arc<ConfigResource>>,
    lists: HashSet<KnownList>,
    /// The last list and its text. The texts of all lists would take more memory than anything else.
    last: (String, Dependencies),
}

/// A list of addresses of which each is there only once, so that they are the same only if they are one.
#[derive(Eq)]
struct KnownList(Dependencies);

impl KnownList {
    fn pointers(&self) -> impl Iterator<Item = *const ConfigResource> {
        self.0.iter().map(Arc::as_ptr)
    }
}

impl Hash for KnownList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pointers().for_each(|pointer| pointer.hash(state));
    }
}

impl PartialEq for KnownList {
    fn eq(&self, other: &KnownList) -> bool {
        self.pointers().eq(other.pointers())
    }
}

impl KnownDependencies {
    fn get(&mut self, list: &RawValue) -> Result<Dependencies, Problem> {
        if self.last.0 != list.get() {
            let texts: Option<Vec<Cow<'_, str>>> = serde_json::from_str(list.get()).map_err(|_| {
                Problem::Invalid("has an instance whose dependencies are not a list of addresses".to_owned())
            })?;
            let texts = texts.unwrap_or_default();
            let addresses: Result<Dependencies, _> = texts.iter().map(|text| self.address(text)).collect();
            let addresses = KnownList(addresses.map_err(Problem::Dependency)?);
            self.last.1 = match self.lists.get(&addresses) {
                Some(known) => known.0.clone(),
                None => {
                    let list = addresses.0.clone();
                    self.lists.insert(addresses);
                    list
                }
            };
            list.get().clone_into(&mut self.last.0);
        }
        Ok(self.last.1.clone())
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

/// What is wrong with an object, before it is known whose it is: the names of a resource may come behind its instances.
enum Problem {
    Invalid(String),
    Dependency(AddressError),
}

impl Problem {
    fn of(self, place: &dyn Display) -> ReadError {
        match self {
            Problem::Invalid(problem) => ReadError::Invalid { place: place.to_string(), problem },
            Problem::Dependency(source) => ReadError::Address { place: format!("the dependencies of {place}"), source },
        }
    }
}

type Object = (InstanceKey, Option<DeposedKey>, Arc<InstanceObject>);

/// The names of a resource.
#[derive(Default)]
struct Names {
    module: String,
    mode: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    provider: Option<String>,
}

impl Names {
    fn read(self, file: &Scanner<impl Read>) -> Result<(AbsResource, ProviderConfig), ReadError> {
        let given = |value: Option<String>, name| value.ok_or_else(|| file.missing(name));
        let (mode, kind) = (given(self.mode, "mode")?, given(self.kind, "type")?);
        let (name, provider) = (given(self.name, "name")?, given(self.provider, "provider")?);
        let mode = match mode.as_str() {
            "managed" => Mode::Managed,
            "data" => Mode::Data,
            mode => {
                return Err(ReadError::Invalid {
                    place: format!("{kind}.{name}"),
                    problem: format!("has the mode {mode:?}, which is not supported"),
                });
            }
        };
        let module: ModuleInstance = self
            .module
            .parse()
            .map_err(|source| ReadError::Address { place: format!("the module of {kind}.{name}"), source })?;
        let address = AbsResource { module, resource: Resource { mode, kind: kind.into(), name: name.into() } };
        let provider = provider
            .parse()
            .map_err(|source| ReadError::Address { place: format!("the provider of {address}"), source })?;
        Ok((address, provider))
    }
}

fn read_resource(
    file: &mut Scanner<impl Read>,
    known: &mut KnownDependencies,
) -> Result<(AbsResource, ProviderConfig, Vec<Object>), ReadError> {
    let mut names = Names::default();
    let mut objects = Ok(Vec::new());
    let mut seen = BTreeSet::new();
    let mut first = true;
    if !file.enter(b'{')? {
        return Err(file.missing("mode"));
    }
    while let Some(name) = file.member(&mut first)? {
        match name.as_str() {
            "module" => names.module = file.value()?.decode()?,
            "mode" => names.mode = Some(file.value()?.decode()?),
            "type" => names.kind = Some(file.value()?.decode()?),
            "name" => names.name = Some(file.value()?.decode()?),
            "provider" => names.provider = Some(file.value()?.decode()?),
            "instances" => objects = read_instances(file, known)?,
            _ => {
                file.value()?.decode::<IgnoredAny>()?;
                continue;
            }
        }
        if !seen.insert(name.clone()) {
            return Err(file.duplicate(&name));
        }
    }
    let (address, provider) = names.read(file)?;
    let objects = objects.map_err(|problem| problem.of(&address))?;
    Ok((address, provider, objects))
}

/// The objects of a resource, or the first problem that one of them has.
fn read_instances(
    file: &mut Scanner<impl Read>,
    known: &mut KnownDependencies,
) -> Result<Result<Vec<Object>, Problem>, ReadError> {
    let mut objects = Ok(Vec::new());
    let mut first = true;
    if !file.enter(b'[')? {
        return Ok(objects);
    }
    while file.element(&mut first)? {
        let instance: InstanceIn<'_> = file.value()?.decode()?;
        if let Ok(known_so_far) = &mut objects {
            match read_instance(instance, known) {
                Ok(object) => known_so_far.push(object),
                Err(problem) => objects = Err(problem),
            }
        }
    }
    Ok(objects)
}

fn read_instance(instance: InstanceIn<'_>, known: &mut KnownDependencies) -> Result<Object, Problem> {
    let invalid = |problem: &str| Problem::Invalid(problem.to_owned());
    let key = read_key(instance.index_key)
        .ok_or_else(|| invalid("has an instance whose key is neither a whole number nor a string"))?;
    let deposed = match &*instance.deposed {
        "" => None,
        text => Some(DeposedKey::parse(text).map_err(|error| invalid(&format!("has an invalid object: {error}")))?),
    };
    Ok((key, deposed, Arc::new(read_object(instance, known)?)))
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

fn read_object(instance: InstanceIn<'_>, known: &mut KnownDependencies) -> Result<InstanceObject, Problem> {
    let invalid = Problem::Invalid;
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
        dependencies: match instance.dependencies {
            Some(list) => known.get(list)?,
            None => Arc::from([]),
        },
        status,
        create_before_destroy: instance.create_before_destroy,
    })
}

/// Reads what [`super::object_to_json`] gave; `address` is for messages.
pub fn object_from_json(json: &Json, address: &AbsResource) -> Result<InstanceObject, ReadError> {
    read_object(json.decode()?, &mut KnownDependencies::default()).map_err(|problem| problem.of(address))
}
