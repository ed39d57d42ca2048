//! The state in memory: what windlass knows of every object that it manages.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use lang::Str;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, ProviderConfig, ResourceInstance};

use crate::json::Json;

/// The version of Terraform whose files we write; Terraform refuses a state of a later version than its own.
pub const TERRAFORM_VERSION: &str = "1.11.4";

/// The number of a snapshot within its lineage; a later one is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(pub u64);

impl Serial {
    /// The serial of the next snapshot.
    pub fn next(self) -> Serial {
        Serial(self.0.saturating_add(1))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells states with unrelated histories apart: a random UUID given when a state is first written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lineage(pub Str);

impl Lineage {
    /// A new, random one.
    pub fn random() -> Lineage {
        Lineage(uuid::Uuid::new_v4().to_string().into())
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One snapshot of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The version of Terraform that wrote it, or claims to have.
    pub terraform_version: Str,
    /// The number of the snapshot.
    pub serial: Serial,
    /// Which history it belongs to.
    pub lineage: Lineage,
    /// The values of the root module's outputs.
    pub outputs: BTreeMap<Str, OutputValue>,
    /// Every resource that has objects. Shared, as a plan holds several states that differ in few of them.
    pub resources: BTreeMap<AbsResource, Arc<ResourceState>>,
    /// The results of checks in the last run, in file order; `None` if there are none (`null` in the file).
    pub check_results: Option<Vec<CheckResult>>,
}

/// The value of an output of the root module.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    /// The value in cty's JSON encoding for `ty`.
    pub value: Json,
    /// The type in cty's JSON encoding, e.g. `["list","string"]`.
    pub ty: Json,
    /// Whether the output is declared sensitive.
    pub sensitive: bool,
}

/// A resource in a module instance, with all its instances.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceState {
    /// The provider configuration that manages it.
    pub provider: ProviderConfig,
    /// Its instances.
    pub instances: BTreeMap<InstanceKey, InstanceState>,
}

/// The objects of one resource instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceState {
    /// The object that the instance stands for; `None` if only deposed ones are left.
    pub current: Option<Arc<InstanceObject>>,
    /// Objects that were replaced (create before destroy) and have not been destroyed yet.
    pub deposed: BTreeMap<DeposedKey, Arc<InstanceObject>>,
}

impl InstanceState {
    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.current.is_none() && self.deposed.is_empty()
    }
}

/// The name of a deposed object within its instance: eight hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeposedKey(Str);

/// A text that is not eight characters long and so no deposed key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deposed key {0:?} is not eight characters long")]
pub struct DeposedKeyError(pub String);

impl DeposedKey {
    /// A new, random one.
    pub fn random() -> DeposedKey {
        let (high, ..) = uuid::Uuid::new_v4().as_fields();
        DeposedKey(format!("{high:08x}").into())
    }

    /// The key that a file or a user names. Like Terraform, it looks at the length alone.
    pub fn parse(text: &str) -> Result<DeposedKey, DeposedKeyError> {
        if text.len() == 8 { Ok(DeposedKey(text.into())) } else { Err(DeposedKeyError(text.to_owned())) }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeposedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an object is usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ObjectStatus {
    /// As it should be.
    #[default]
    Ready,
    /// Its creation did not complete, or a user said so: to be replaced.
    Tainted,
}

/// One object in the cloud, as last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceObject {
    /// The version of the resource type's schema that `attributes` follows.
    pub schema_version: u64,
    /// The object in cty's JSON encoding, kept as text and decoded on demand: most objects of a big state are never looked at.
    pub attributes: Json,
    /// The flat form of Terraform 0.11, if the file had that; `attributes` is `{}` then.
    pub attributes_flat: Option<Json>,
    /// Which attributes hold sensitive values.
    pub sensitive_attributes: Vec<AttributePath>,
    /// The version of the schema of `identity` (Terraform 1.12 and later; kept if it was there).
    pub identity_schema_version: Option<u64>,
    /// The object's identity (Terraform 1.12 and later; kept if it was there).
    pub identity: Option<Json>,
    /// The provider's private data, in base64 as in the file.
    pub private: Option<Arc<str>>,
    /// What the object was made after, in the order of their text; shared between instances.
    pub dependencies: Dependencies,
    /// Whether it is usable.
    pub status: ObjectStatus,
    /// Whether a replacement is to be created before it is destroyed.
    pub create_before_destroy: bool,
}

impl Default for InstanceObject {
    fn default() -> Self {
        InstanceObject {
            schema_version: 0,
            attributes: Json::empty_object(),
            attributes_flat: None,
            sensitive_attributes: Vec::new(),
            identity_schema_version: None,
            identity: None,
            private: None,
            dependencies: Arc::from([]),
            status: ObjectStatus::Ready,
            create_before_destroy: false,
        }
    }
}

/// What an object was made after, directly or not. Addresses are shared as well as lists: the lists of a large state are
/// long and differ little.
pub type Dependencies = Arc<[Arc<ConfigResource>]>;

/// Dependencies as a state holds them: each once, in the order of their text.
pub fn sorted_dependencies(dependencies: impl IntoIterator<Item = Arc<ConfigResource>>) -> Dependencies {
    let by_text: BTreeMap<String, Arc<ConfigResource>> =
        dependencies.into_iter().map(|resource| (resource.to_string(), resource)).collect();
    by_text.into_values().collect()
}

/// A way into an object's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath(pub Vec<AttributeStep>);

/// A step of an [`AttributePath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeStep {
    /// An attribute of an object.
    Attribute(Str),
    /// An element of a list, tuple, map or set: its key in cty's JSON for a value of any type,
    /// e.g. `{"value":"k","type":"string"}`.
    Index(Json),
}

impl AttributeStep {
    /// The step to an element of a list or tuple.
    pub fn index(index: u64) -> AttributeStep {
        AttributeStep::Index(Json::from_value(&serde_json::json!({ "value": index, "type": "number" })))
    }

    /// The step to an element of a map.
    pub fn key(key: &str) -> AttributeStep {
        AttributeStep::Index(Json::from_value(&serde_json::json!({ "value": key, "type": "string" })))
    }
}

/// The aggregated result of the checks of one object of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// `resource`, `output`, `check` or `var`; others of later versions are kept.
    pub object_kind: Str,
    /// Its address in the configuration.
    pub config_addr: Str,
    /// The worst of its objects.
    pub status: CheckStatus,
    /// Per instance; `None` if the file says `null` (not evaluated).
    pub objects: Option<Vec<CheckObject>>,
}

/// The result of the checks of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckObject {
    /// Its address.
    pub object_addr: Str,
    /// The worst of its checks.
    pub status: CheckStatus,
    /// What the failed ones say.
    pub failure_messages: Vec<String>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// All conditions hold.
    Pass,
    /// A condition does not hold.
    Fail,
    /// A condition could not be evaluated.
    Error,
    /// Not known (yet).
    Unknown,
}

impl CheckStatus {
    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckStatus::Pass => "pass",
            CheckStatus::Fail => "fail",
            CheckStatus::Error => "error",
            CheckStatus::Unknown => "unknown",
        }
    }

    /// The status of that name; any other name means unknown.
    pub fn from_name(name: &str) -> CheckStatus {
        match name {
            "pass" => CheckStatus::Pass,
            "fail" => CheckStatus::Fail,
            "error" => CheckStatus::Error,
            _ => CheckStatus::Unknown,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}

impl State {
    /// An empty state of serial 0 with a new lineage.
    pub fn new() -> State {
        State {
            terraform_version: TERRAFORM_VERSION.into(),
            serial: Serial(0),
            lineage: Lineage::random(),
            outputs: BTreeMap::new(),
            resources: BTreeMap::new(),
            check_results: None,
        }
    }

    /// Whether it holds neither resources nor outputs.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.outputs.is_empty()
    }

    /// Whether both say the same, whatever their serial, lineage and version: a write of such a state is no new snapshot.
    pub fn same_content(&self, other: &State) -> bool {
        self.outputs == other.outputs
            && self.resources == other.resources
            && self.check_results.as_deref().unwrap_or_default() == other.check_results.as_deref().unwrap_or_default()
    }

    /// A resource.
    pub fn resource(&self, address: &AbsResource) -> Option<&ResourceState> {
        self.resources.get(address).map(AsRef::as_ref)
    }

    /// A resource, to change it in this state alone.
    pub fn resource_mut(&mut self, address: &AbsResource) -> Option<&mut ResourceState> {
        self.resources.get_mut(address).map(Arc::make_mut)
    }

    /// The objects of an instance.
    pub fn instance(&self, address: &ResourceInstance) -> Option<&InstanceState> {
        self.resources.get(&address.abs_resource())?.instances.get(&address.key)
    }

    /// The current object of an instance.
    pub fn current(&self, address: &ResourceInstance) -> Option<&Arc<InstanceObject>> {
        self.instance(address)?.current.as_ref()
    }

    /// Every instance with its provider, in the order of addresses.
    pub fn instances(&self) -> impl Iterator<Item = (ResourceInstance, &ProviderConfig, &InstanceState)> {
        self.resources.iter().flat_map(|(address, resource)| {
            resource.instances.iter().map(|(key, state)| (address.instance(key.clone()), &resource.provider, state))
        })
    }

    /// Puts or (`None`) removes the current object of an instance. An instance without objects and a resource without
    /// instances vanish.
    pub fn set_current(
        &mut self,
        address: &ResourceInstance,
        provider: &ProviderConfig,
        object: Option<Arc<InstanceObject>>,
    ) {
        self.update(address, provider, |instance| instance.current = object);
    }

    /// Puts or (`None`) removes a deposed object of an instance, with the same tidying as [`State::set_current`].
    pub fn set_deposed(
        &mut self,
        address: &ResourceInstance,
        provider: &ProviderConfig,
        key: &DeposedKey,
        object: Option<Arc<InstanceObject>>,
    ) {
        self.update(address, provider, |instance| {
            match object {
                Some(object) => instance.deposed.insert(key.clone(), object),
                None => instance.deposed.remove(key),
            };
        });
    }

    /// Turns the current object into a deposed one, so that its replacement can be created; `None` if there is no
    /// current object.
    pub fn depose(&mut self, address: &ResourceInstance) -> Option<DeposedKey> {
        let instance = self.resource_mut(&address.abs_resource())?.instances.get_mut(&address.key)?;
        let object = instance.current.take()?;
        let key = std::iter::repeat_with(DeposedKey::random).find(|key| !instance.deposed.contains_key(key))?;
        instance.deposed.insert(key.clone(), object);
        Some(key)
    }

    /// Makes a deposed object the current one again (its replacement could not be created); `false` if there is no
    /// such object or the instance has a current one.
    pub fn restore(&mut self, address: &ResourceInstance, key: &DeposedKey) -> bool {
        let Some(instance) =
            self.resource_mut(&address.abs_resource()).and_then(|resource| resource.instances.get_mut(&address.key))
        else {
            return false;
        };
        if instance.current.is_some() {
            return false;
        }
        instance.current = instance.deposed.remove(key);
        instance.current.is_some()
    }

    /// Notes a resource without instances: what an apply could not read keeps its place, as Terraform leaves it.
    pub fn note(&mut self, address: AbsResource, provider: &ProviderConfig) {
        let empty = || Arc::new(ResourceState { provider: provider.clone(), instances: BTreeMap::new() });
        self.resources.entry(address).or_insert_with(empty);
    }

    fn update(
        &mut self,
        address: &ResourceInstance,
        provider: &ProviderConfig,
        change: impl FnOnce(&mut InstanceState),
    ) {
        let abs_resource = address.abs_resource();
        let resource = self
            .resources
            .entry(abs_resource.clone())
            .or_insert_with(|| Arc::new(ResourceState { provider: provider.clone(), instances: BTreeMap::new() }));
        let resource = Arc::make_mut(resource);
        let instance = resource.instances.entry(address.key.clone()).or_default();
        change(instance);
        if instance.is_empty() {
            resource.instances.remove(&address.key);
        } else {
            resource.provider = provider.clone();
        }
        if resource.instances.is_empty() {
            self.resources.remove(&abs_resource);
        }
    }
}
