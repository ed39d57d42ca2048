//! What a run works on: configuration, providers, variables, options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use config::module::Module;
use lang::addr::{ModuleInstance, ProviderConfig, ProviderSource, Resource, ResourceInstance};
use lang::ast::Expr;
use lang::functions::CallContext;
use lang::{Range, Sources, Str, Value};
use sdk::{Block, Configured, Provider, Schema};

use crate::plan::PlanMode;

/// The providers linked into the program, by source address.
#[derive(Clone, Default)]
pub struct ProviderRegistry {
    linked: BTreeMap<ProviderSource, Arc<dyn Provider>>,
    stand_ins: StandIns,
}

/// Who plans, reads and applies in place of linked providers, whose schemas and rules still hold: what a test mocks.
#[derive(Clone, Default)]
pub struct StandIns {
    /// In place of whole provider configurations, which are not looked at.
    pub configurations: BTreeMap<ProviderConfig, Arc<dyn Configured>>,
    /// In place of the provider of some instances; the first that fits counts.
    pub instances: Vec<InstanceStandIn>,
}

/// Who stands in for the provider of some instances.
#[derive(Clone)]
pub struct InstanceStandIn {
    /// Which instances.
    pub target: Target,
    /// Only where they belong to this provider configuration.
    pub provider: Option<ProviderConfig>,
    /// The stand-in.
    pub configured: Arc<dyn Configured>,
}

impl ProviderRegistry {
    /// A registry of these providers.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn Provider>>) -> ProviderRegistry {
        let linked = providers.into_iter().map(|provider| (provider.source(), provider)).collect();
        ProviderRegistry { linked, stand_ins: StandIns::default() }
    }

    /// The same providers with others in their place here and there.
    #[must_use]
    pub fn with_stand_ins(mut self, stand_ins: StandIns) -> ProviderRegistry {
        self.stand_ins = stand_ins;
        self
    }

    /// Who stands in for a provider configuration.
    pub(crate) fn instead_of(&self, provider: &ProviderConfig) -> Option<&Arc<dyn Configured>> {
        self.stand_ins.configurations.get(provider)
    }

    /// Who stands in for the provider of an instance.
    pub(crate) fn instead_for(
        &self,
        instance: &ResourceInstance,
        provider: &ProviderConfig,
    ) -> Option<&Arc<dyn Configured>> {
        let fits = |stand_in: &&InstanceStandIn| {
            stand_in.provider.as_ref().is_none_or(|of| of == provider) && stand_in.target.matches(instance)
        };
        self.stand_ins.instances.iter().find(fits).map(|stand_in| &stand_in.configured)
    }

    /// The provider of a source address.
    pub fn get(&self, source: &ProviderSource) -> Option<&Arc<dyn Provider>> {
        self.linked.get(source)
    }

    /// All of them, by source address.
    pub fn iter(&self) -> impl Iterator<Item = (&ProviderSource, &Arc<dyn Provider>)> {
        self.linked.iter()
    }

    /// The schema of a resource type, data source or ephemeral resource type.
    pub fn schema(&self, source: &ProviderSource, resource: &Resource) -> Option<&Schema> {
        let schema = self.get(source)?.schema();
        match resource.mode {
            lang::addr::Mode::Managed => schema.resources.get(&resource.kind),
            lang::addr::Mode::Data => schema.data_sources.get(&resource.kind),
            lang::addr::Mode::Ephemeral => schema.ephemeral_resources.get(&resource.kind),
        }
    }

    /// The block of that schema.
    pub fn block(&self, source: &ProviderSource, resource: &Resource) -> Option<&Block> {
        self.schema(source, resource).map(|schema| &schema.block)
    }
}

/// Everything a run works on.
#[derive(Clone)]
pub struct Workspace {
    /// The root module.
    pub config: Arc<Module>,
    /// The files that were read.
    pub sources: Sources,
    /// The providers linked in.
    pub providers: ProviderRegistry,
    /// `terraform.workspace`
    pub name: Str,
    /// `path.root`, as it is shown.
    pub root_dir: PathBuf,
    /// `path.cwd`
    pub working_dir: PathBuf,
    /// What functions that read files or the clock work with.
    pub functions: CallContext,
}

impl Workspace {
    /// A place as text: `main.tf:3,3-13`.
    pub fn place(&self, range: Range) -> String {
        let Some(source) = self.sources.get(range.file) else { return "the configuration".to_owned() };
        source.place(range)
    }
}

/// A value given for a root input variable.
#[derive(Clone, Debug)]
pub struct GivenVariable {
    /// The value.
    pub value: VariableValue,
    /// Where it comes from, to follow "set": `using -var="x=..."`, `using the TF_VAR_x environment variable`.
    pub origin: String,
    /// Its place in a file.
    pub range: Range,
    /// Whether it was not given to this run, but found: in the environment, in `*.auto.tfvars`.
    pub automatic: bool,
}

/// The forms in which a value is given.
#[derive(Clone, Debug)]
pub enum VariableValue {
    /// Text of a command line argument or environment variable: a string for primitive types, else an expression.
    Text(String),
    /// An expression of a variables file; constant.
    Expr(Arc<Expr>),
    /// A value, from a saved plan.
    Value(Value),
}

/// A `-target` or `-exclude`: a module, a resource or an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `module.a`, `module.a[0]`: with everything below. A step without key means all its instances.
    Module(ModuleInstance),
    /// `aws_vpc.main`: all its instances.
    Resource(ModuleInstance, Resource),
    /// `aws_vpc.main[0]`
    Instance(ResourceInstance),
}

/// Options of a plan.
#[derive(Clone)]
pub struct PlanOptions {
    /// What kind of plan.
    pub mode: PlanMode,
    /// Whether objects are read first.
    pub refresh: bool,
    /// Only these and what they depend on; empty: everything.
    pub targets: Vec<Target>,
    /// Not these, nor what depends on them.
    pub excludes: Vec<Target>,
    /// Replace these.
    pub force_replace: Vec<ResourceInstance>,
    /// Leave what can't be planned before something else is applied to the next plan, instead of failing.
    pub allow_deferral: bool,
    /// Generate configuration for objects that are imported without any; messages name this file for it.
    pub generate_config: Option<PathBuf>,
    /// Values of root input variables.
    pub variables: BTreeMap<Str, GivenVariable>,
    /// How many operations run at once.
    pub parallelism: usize,
}

impl Default for PlanOptions {
    fn default() -> PlanOptions {
        PlanOptions {
            mode: PlanMode::Normal,
            refresh: true,
            targets: Vec::new(),
            excludes: Vec::new(),
            force_replace: Vec::new(),
            allow_deferral: false,
            generate_config: None,
            variables: BTreeMap::new(),
            parallelism: 10,
        }
    }
}

/// The module at a path below `root`.
pub fn module_at<'a>(root: &'a Arc<Module>, path: &lang::addr::ModulePath) -> Option<&'a Arc<Module>> {
    path.0.iter().try_fold(root, |module, name| module.children.get(name))
}
