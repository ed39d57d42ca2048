//! Addresses: how modules, resources and their instances are named.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::Str;

/// The key of an instance: none, an index (`count`) or a name (`for_each`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceKey {
    /// Neither `count` nor `for_each`.
    None,
    /// `[0]`
    Index(u64),
    /// `["a"]`
    Name(Str),
    /// `[*]`: which instances there will be is not known yet. Only what a plan defers has such an address.
    Unknown,
}

/// Data source, managed resource or ephemeral resource; in lists they come in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// `data`
    Data,
    /// `resource`
    Managed,
    /// `ephemeral`
    Ephemeral,
}

/// The path of a module in the configuration (`module.a.module.b`); empty for the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModulePath(pub Arc<[Str]>);

/// The path of a module instance (`module.a[0].module.b`); empty for the root. Shorter paths come first, as in Terraform's lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModuleInstance(pub Arc<[(Str, InstanceKey)]>);

impl Ord for ModuleInstance {
    fn cmp(&self, other: &ModuleInstance) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ModuleInstance {
    fn partial_cmp(&self, other: &ModuleInstance) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A resource within its module (`aws_vpc.main`, `data.aws_region.current`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Managed, data or ephemeral.
    pub mode: Mode,
    /// `aws_vpc`
    pub kind: Str,
    /// `main`
    pub name: Str,
}

/// A resource of the configuration (`module.a.aws_vpc.main`), without instance keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    /// Its module.
    pub module: ModulePath,
    /// The resource in it.
    pub resource: Resource,
}

/// A resource in a module instance (`module.a[0].aws_vpc.main`): all its instances.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AbsResource {
    /// Its module instance.
    pub module: ModuleInstance,
    /// The resource in it.
    pub resource: Resource,
}

/// The address of one resource instance (`module.a[0].aws_vpc.main["x"]`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceInstance {
    /// Its module instance.
    pub module: ModuleInstance,
    /// The resource in it.
    pub resource: Resource,
    /// The instance's key.
    pub key: InstanceKey,
}

/// Where a provider comes from (`registry.terraform.io/hashicorp/aws`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderSource {
    /// `registry.terraform.io`
    pub host: Str,
    /// `hashicorp`
    pub namespace: Str,
    /// `aws`
    pub name: Str,
}

/// A provider configuration of a module (`module.a.provider["registry.terraform.io/hashicorp/aws"].west`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderConfig {
    /// The module that holds the `provider` block.
    pub module: ModulePath,
    /// Which provider.
    pub source: ProviderSource,
    /// The alias, if any.
    pub alias: Option<Str>,
}

impl ModulePath {
    /// The root module.
    pub fn root() -> ModulePath {
        ModulePath::default()
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The module `name` called from this one.
    pub fn child(&self, name: impl Into<Str>) -> ModulePath {
        ModulePath(self.0.iter().cloned().chain([name.into()]).collect())
    }

    /// Its instance without any key.
    pub fn unkeyed(&self) -> ModuleInstance {
        self.0.iter().fold(ModuleInstance::root(), |module, name| module.child(name.clone(), InstanceKey::None))
    }

    /// The calling module; `None` for the root.
    pub fn parent(&self) -> Option<ModulePath> {
        let (_, rest) = self.0.split_last()?;
        Some(ModulePath(rest.into()))
    }
}

impl ModuleInstance {
    /// The root module.
    pub fn root() -> ModuleInstance {
        ModuleInstance::default()
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// An instance of the module `name` called from this one.
    pub fn child(&self, name: impl Into<Str>, key: InstanceKey) -> ModuleInstance {
        ModuleInstance(self.0.iter().cloned().chain([(name.into(), key)]).collect())
    }

    /// The calling module's instance; `None` for the root.
    pub fn parent(&self) -> Option<ModuleInstance> {
        let (_, rest) = self.0.split_last()?;
        Some(ModuleInstance(rest.into()))
    }

    /// The same without instance keys.
    pub fn path(&self) -> ModulePath {
        ModulePath(self.0.iter().map(|(name, _)| name.clone()).collect())
    }

    /// Whether it stands for instances of which nobody knows yet which there are.
    pub fn is_unknown(&self) -> bool {
        self.0.iter().any(|(_, key)| *key == InstanceKey::Unknown)
    }

    /// A resource in this instance.
    pub fn resource(&self, resource: Resource) -> AbsResource {
        AbsResource { module: self.clone(), resource }
    }
}

impl Resource {
    /// A managed resource.
    pub fn managed(kind: impl Into<Str>, name: impl Into<Str>) -> Resource {
        Resource { mode: Mode::Managed, kind: kind.into(), name: name.into() }
    }

    /// A data source.
    pub fn data(kind: impl Into<Str>, name: impl Into<Str>) -> Resource {
        Resource { mode: Mode::Data, kind: kind.into(), name: name.into() }
    }
}

impl AbsResource {
    /// One of its instances.
    pub fn instance(&self, key: InstanceKey) -> ResourceInstance {
        ResourceInstance { module: self.module.clone(), resource: self.resource.clone(), key }
    }

    /// The same without instance keys.
    pub fn config(&self) -> ConfigResource {
        ConfigResource { module: self.module.path(), resource: self.resource.clone() }
    }
}

impl ResourceInstance {
    /// The resource that it is an instance of.
    pub fn abs_resource(&self) -> AbsResource {
        AbsResource { module: self.module.clone(), resource: self.resource.clone() }
    }

    /// The same without instance keys.
    pub fn config(&self) -> ConfigResource {
        ConfigResource { module: self.module.path(), resource: self.resource.clone() }
    }
}

impl ProviderSource {
    /// Terraform's public registry, the host of sources that name none.
    pub const DEFAULT_HOST: &str = "registry.terraform.io";

    /// `registry.terraform.io/hashicorp/NAME`, what an undeclared local name means.
    pub fn hashicorp(name: impl Into<Str>) -> ProviderSource {
        ProviderSource { host: Self::DEFAULT_HOST.into(), namespace: "hashicorp".into(), name: name.into() }
    }

    /// `terraform.io/builtin/terraform`
    pub fn builtin() -> ProviderSource {
        ProviderSource { host: "terraform.io".into(), namespace: "builtin".into(), name: "terraform".into() }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceKey::None => Ok(()),
            InstanceKey::Index(index) => write!(f, "[{index}]"),
            InstanceKey::Name(name) => write!(f, "[{}]", quote(name)),
            InstanceKey::Unknown => f.write_str("[*]"),
        }
    }
}

/// A string as an HCL literal, the way Terraform writes keys in addresses.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Managed => "managed",
            Mode::Data => "data",
            Mode::Ephemeral => "ephemeral",
        })
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "module." } else { ".module." })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Display for ModuleInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, key)) in self.0.iter().enumerate() {
            write!(f, "{}module.{name}{key}", if i == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            Mode::Managed => "",
            Mode::Data => "data.",
            Mode::Ephemeral => "ephemeral.",
        })?;
        f.write_str(&self.kind)?;
        f.write_str(".")?;
        f.write_str(&self.name)
    }
}

// A large state names millions of resources, so that these write pieces rather than format them.
impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            self.module.fmt(f)?;
            f.write_str(".")?;
        }
        self.resource.fmt(f)
    }
}

impl fmt::Display for AbsResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        write!(f, "{}{dot}{}", self.module, self.resource)
    }
}

impl fmt::Display for ResourceInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        write!(f, "{}{dot}{}{}", self.module, self.resource, self.key)
    }
}

impl fmt::Display for ProviderSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.namespace, self.name)
    }
}

impl fmt::Display for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        write!(f, "{}{dot}provider[\"{}\"]", self.module, self.source)?;
        self.alias.as_ref().map_or(Ok(()), |alias| write!(f, ".{alias}"))
    }
}

#[cfg(test)]
mod tests {
    use super::ModuleInstance;

    #[test]
    fn modules_come_by_depth_then_name_then_key() {
        let texts =
            ["module.b", "module.m[2]", "module.m[10]", "module.m[\"a\"]", "module.a.module.x", "module.b.module.a"];
        let mut modules: Vec<ModuleInstance> = texts.iter().rev().map(|text| text.parse().unwrap()).collect();
        modules.sort();
        assert_eq!(modules.iter().map(ModuleInstance::to_string).collect::<Vec<_>>(), texts);
    }
}
