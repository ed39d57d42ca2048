//! The module tree: what a configuration says, block by block.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use lang::addr::{ConfigResource, ModulePath, ProviderSource, Resource};
use lang::ast::{Attribute, Block, Body, Expr, Traversal};
use lang::{Range, Str, Type};

use crate::addresses::{AbsoluteAddress, ConfigAddress};
use crate::module_source::ModuleSource;

/// One module of the configuration with the modules it calls.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its path from the root.
    pub path: ModulePath,
    /// The directory of its files as `path.module` shows it (`.` for the root).
    pub dir: PathBuf,
    /// `required_version` constraints.
    pub required_versions: Vec<Located<String>>,
    /// `required_providers` by local name.
    pub required_providers: BTreeMap<Str, RequiredProvider>,
    /// The `backend` or `cloud` block; root only.
    pub backend: Option<Backend>,
    /// `encryption` blocks: the one of the module, and those of override files; root only.
    pub encryption: Vec<Encryption>,
    /// `provider` blocks by local name and alias.
    pub providers: BTreeMap<(Str, Option<Str>), ProviderBlock>,
    /// `variable` blocks.
    pub variables: BTreeMap<Str, Variable>,
    /// Entries of `locals` blocks.
    pub locals: BTreeMap<Str, Attribute>,
    /// `output` blocks.
    pub outputs: BTreeMap<Str, Output>,
    /// `module` blocks.
    pub calls: BTreeMap<Str, ModuleCall>,
    /// `resource`, `data` and `ephemeral` blocks.
    pub resources: BTreeMap<Resource, Arc<ResourceBlock>>,
    /// `moved` blocks.
    pub moved: Vec<Moved>,
    /// `removed` blocks.
    pub removed: Vec<Removed>,
    /// `import` blocks; root only.
    pub imports: Vec<Import>,
    /// `check` blocks.
    pub checks: BTreeMap<Str, Check>,
    /// Called modules by call name.
    pub children: BTreeMap<Str, Arc<Module>>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub range: Range,
}

/// An entry of `required_providers`.
#[derive(Clone, Debug)]
pub struct RequiredProvider {
    /// Its source; `hashicorp/NAME` when not given.
    pub source: ProviderSource,
    /// Version constraints as written.
    pub version: Option<Located<String>>,
    /// `configuration_aliases`
    pub configuration_aliases: Vec<Str>,
    /// The entry.
    pub range: Range,
}

/// A `backend` or `cloud` block.
#[derive(Clone, Debug)]
pub struct Backend {
    /// `local`, `s3`, …; `cloud` for a `cloud` block.
    pub kind: Str,
    /// Where that is written.
    pub kind_range: Range,
    /// Its arguments.
    pub body: Body,
    /// The block's header.
    pub range: Range,
}

/// An `encryption` block, which is an extension of this program in the form that OpenTofu gave it.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// Its content.
    pub body: Body,
    /// The block's header.
    pub range: Range,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// The local name.
    pub name: Str,
    /// The alias.
    pub alias: Option<Str>,
    /// `version`, which is deprecated here.
    pub version: Option<Located<String>>,
    /// Its arguments without the meta-arguments.
    pub body: Body,
    /// The block's header.
    pub range: Range,
}

/// A `variable` block.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Str,
    /// `type` as a constraint; `Dynamic` when not given.
    pub ty: Type,
    /// Whether a value given as text (`-var`, `TF_VAR_…`) is taken as it is, not read as an expression: variables of a
    /// primitive type and those without `type`.
    pub parse_literally: bool,
    /// Defaults of optional attributes.
    pub defaults: lang::types::Defaults,
    /// `default`, converted to the type.
    pub default: Option<lang::Value>,
    /// `description`
    pub description: Option<String>,
    /// `sensitive`
    pub sensitive: bool,
    /// `ephemeral`
    pub ephemeral: bool,
    /// `nullable`, true when not given.
    pub nullable: bool,
    /// `validation` blocks.
    pub validations: Vec<CheckRule>,
    /// The block's header.
    pub range: Range,
}

impl Variable {
    /// Whether there are validations.
    pub fn has_conditions(&self) -> bool {
        !self.validations.is_empty()
    }
}

/// An `output` block.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name.
    pub name: Str,
    /// `value`
    pub value: Arc<Expr>,
    /// `description`
    pub description: Option<String>,
    /// `sensitive`
    pub sensitive: bool,
    /// `ephemeral`
    pub ephemeral: bool,
    /// `depends_on`
    pub depends_on: Vec<Traversal>,
    /// `precondition` blocks.
    pub preconditions: Vec<CheckRule>,
    /// The block's header.
    pub range: Range,
}

impl Output {
    /// Whether there are preconditions.
    pub fn has_conditions(&self) -> bool {
        !self.preconditions.is_empty()
    }
}

/// A `module` block.
#[derive(Clone, Debug)]
pub struct ModuleCall {
    /// Its name.
    pub name: Str,
    /// `source` as written.
    pub source: Located<String>,
    /// `source` as an address; `None` after a mistake in it.
    pub address: Option<ModuleSource>,
    /// `version` constraints as written.
    pub version: Option<Located<String>>,
    /// `count`
    pub count: Option<Arc<Expr>>,
    /// `for_each`
    pub for_each: Option<Arc<Expr>>,
    /// Whether `depends_on` is there, be it empty.
    pub has_depends_on: bool,
    /// `depends_on`
    pub depends_on: Vec<Traversal>,
    /// `providers`: the child's configuration ← the caller's. Without it, default configurations are inherited.
    pub providers: Vec<(ProviderRef, ProviderRef)>,
    /// The input variables.
    pub arguments: Vec<Attribute>,
    /// What is in the block besides the meta-arguments.
    pub body: Body,
    /// The block's header.
    pub range: Range,
}

/// A reference to a provider configuration by local name (`aws`, `aws.west`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderRef {
    /// The local name.
    pub name: Str,
    /// The alias.
    pub alias: Option<Str>,
    /// Its place.
    pub range: Range,
}

/// A `resource`, `data` or `ephemeral` block.
#[derive(Clone, Debug)]
pub struct ResourceBlock {
    /// Its address in the module.
    pub address: Resource,
    /// Its arguments without the meta-arguments.
    pub body: Body,
    /// `count`
    pub count: Option<Arc<Expr>>,
    /// `for_each`
    pub for_each: Option<Arc<Expr>>,
    /// `provider`
    pub provider: Option<ProviderRef>,
    /// The source of its provider, resolved through `required_providers`.
    pub provider_source: ProviderSource,
    /// `depends_on`
    pub depends_on: Vec<Traversal>,
    /// `lifecycle.create_before_destroy`
    pub create_before_destroy: Option<bool>,
    /// `lifecycle.prevent_destroy`
    pub prevent_destroy: bool,
    /// `lifecycle.ignore_changes`: paths relative to the resource.
    pub ignore_changes: Vec<Traversal>,
    /// `lifecycle.ignore_changes = all`
    pub ignore_all_changes: bool,
    /// `lifecycle.replace_triggered_by`
    pub replace_triggered_by: Vec<Expr>,
    /// `lifecycle.precondition`
    pub preconditions: Vec<CheckRule>,
    /// `lifecycle.postcondition`
    pub postconditions: Vec<CheckRule>,
    /// `provisioner` blocks.
    pub provisioners: Vec<Provisioner>,
    /// The resource's `connection` block.
    pub connection: Option<Block>,
    /// The `check` block that holds this data source, the only one that may refer to it.
    pub check: Option<Str>,
    /// The block's header.
    pub range: Range,
    /// The type label.
    pub type_range: Range,
}

impl ResourceBlock {
    /// Whether there are pre- or postconditions.
    pub fn has_conditions(&self) -> bool {
        !(self.preconditions.is_empty() && self.postconditions.is_empty())
    }
}

/// A condition with its message: `validation`, `precondition`, `postcondition`, `assert`.
#[derive(Clone, Debug)]
pub struct CheckRule {
    /// `condition`
    pub condition: Arc<Expr>,
    /// `error_message`
    pub error_message: Arc<Expr>,
    /// The block's header.
    pub range: Range,
}

/// A `provisioner` block.
#[derive(Clone, Debug)]
pub struct Provisioner {
    /// `local-exec`, `file`, `remote-exec`
    pub kind: Str,
    /// Its arguments.
    pub body: Body,
    /// `when = destroy`
    pub on_destroy: bool,
    /// `on_failure = continue`
    pub continue_on_failure: bool,
    /// Its own `connection` block.
    pub connection: Option<Block>,
    /// The block's header.
    pub range: Range,
}

/// A `moved` block.
#[derive(Clone, Debug)]
pub struct Moved {
    /// `from`
    pub from: Traversal,
    /// What `from` names, relative to the module.
    pub from_address: AbsoluteAddress,
    /// `to`
    pub to: Traversal,
    /// What `to` names, relative to the module.
    pub to_address: AbsoluteAddress,
    /// The block's header.
    pub range: Range,
}

/// A `removed` block.
#[derive(Clone, Debug)]
pub struct Removed {
    /// `from`
    pub from: Traversal,
    /// What `from` names, relative to the module.
    pub address: ConfigAddress,
    /// `lifecycle.destroy`, true when not given.
    pub destroy: bool,
    /// `provisioner` blocks (destroy time).
    pub provisioners: Vec<Provisioner>,
    /// The `connection` block.
    pub connection: Option<Block>,
    /// The block's header.
    pub range: Range,
}

/// An `import` block.
#[derive(Clone, Debug)]
pub struct Import {
    /// `to`
    pub to: Arc<Expr>,
    /// The resource that `to` names, without instance keys.
    pub resource: ConfigResource,
    /// `id`
    pub id: Arc<Expr>,
    /// `for_each`
    pub for_each: Option<Arc<Expr>>,
    /// `provider`
    pub provider: Option<ProviderRef>,
    /// The block's header.
    pub range: Range,
}

/// A `check` block.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name.
    pub name: Str,
    /// The scoped data source.
    pub data: Option<Resource>,
    /// `assert` blocks.
    pub asserts: Vec<CheckRule>,
    /// The block's header.
    pub range: Range,
}
