//! Planning: walks the configuration graph, refreshes what the state holds, and gathers every change into a [`Plan`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use config::module::ResourceBlock;
use lang::addr::{
    AbsResource, ConfigResource, InstanceKey, Mode, ModuleInstance, ModulePath, ProviderConfig, ResourceInstance,
};
use lang::{Diagnostic, Diagnostics, Str, Value};
use petgraph::graph::NodeIndex;
use sdk::Configured;
use state::{Dependencies, InstanceObject, ResourceState, State};

use crate::deferral::Undecided;
use crate::ephemerals::{Ephemerals, Opening};
use crate::expansion::{Expansion, expand};
use crate::graph::{ConfigGraph, Node};
use crate::hooks::Hooks;
use crate::plan::{
    CheckOutcome, CheckStatus, Checkable, DeferredChange, GeneratedConfig, OutputChange, Plan, PlanMode, ResourceChange,
};
use crate::relevance::Source;
use crate::scope::{ModuleScope, Phase, World};
use crate::selection::Selection;
use crate::sync::{lock, read, write};
use crate::walk::{Visit, walk};
use crate::workspace::{PlanOptions, Target, Workspace};
use crate::{outputs, variables};

/// An object of the state while planning.
#[derive(Clone, Debug)]
pub(crate) struct Prior {
    /// As it was stored, decoded.
    pub stored: Value,
    /// As it is now: refreshed, or as stored with `-refresh=false`. `None`: it is gone.
    pub current: Option<Value>,
    /// What the state says of it beside its attributes.
    pub object: Arc<InstanceObject>,
    /// The provider's private bytes after the refresh.
    pub private: Option<Vec<u8>>,
}

/// Names an object of the state: an instance's current object, or a deposed one.
pub(crate) type ObjectKey = (ResourceInstance, Option<Str>);

/// A plan in the making.
pub(crate) struct Planning<'w> {
    pub world: World<'w>,
    pub ephemerals: Ephemerals,
    pub options: &'w PlanOptions,
    pub hooks: Arc<dyn Hooks>,
    pub graph: ConfigGraph,
    pub selection: Selection,
    /// The state as stored, and then as moved.
    pub previous_state: State,
    pub stored: State,
    /// The managed resources that the state holds, by their places in the configuration; made when someone asks.
    pub stored_instances: OnceLock<HashMap<ConfigResource, Vec<AbsResource>>>,
    /// Old addresses of moved instances by the new ones.
    pub moved: crate::moves::Previous,
    /// The state as refreshed so far.
    pub refreshed: Mutex<State>,
    pub prior: RwLock<HashMap<ObjectKey, Prior>>,
    pub providers: RwLock<HashMap<ProviderConfig, Arc<dyn Configured>>>,
    pub dependencies: HashMap<Arc<ConfigResource>, Dependencies>,
    pub expansions: Mutex<HashMap<AbsResource, Expansion>>,
    pub changes: Mutex<Vec<ResourceChange>>,
    pub deferred: Mutex<Vec<DeferredChange>>,
    /// Resources of which something is deferred.
    pub deferred_resources: RwLock<HashSet<ConfigResource>>,
    /// Resources with changes: what data sources that depend on them wait for.
    pub pending: RwLock<HashSet<AbsResource>>,
    pub outputs: Mutex<BTreeMap<Str, OutputChange>>,
    pub generated: Mutex<Vec<GeneratedConfig>>,
    /// Resources that other resources which are made before they are destroyed depend on.
    pub create_before_destroy: HashSet<ConfigResource>,
    /// Whether objects are imported.
    pub imports: bool,
}

/// Plans. Returns no plan where there is nothing to show; after errors the plan holds what could be planned. A plan for a part of
/// the configuration warns of that.
pub async fn plan(
    workspace: &Workspace,
    state: State,
    options: &PlanOptions,
    hooks: Arc<dyn Hooks>,
) -> (Option<Plan>, Diagnostics) {
    if options.mode != PlanMode::Normal && !options.force_replace.is_empty() {
        let detail =
            "Forcing resource instance replacement (with -replace=...) is allowed only in normal planning mode.";
        return (None, Diagnostic::error("Unsupported plan mode", detail).into());
    }
    let (plan, mut diagnostics) = if options.mode == PlanMode::Destroy && options.refresh && !state.is_empty() {
        plan_destroy(workspace, state, options, hooks).await
    } else {
        match Planning::new(workspace, state, options, hooks) {
            Ok(planning) => carry_out(workspace, planning).await,
            Err(diagnostics) => (None, diagnostics),
        }
    };
    diagnostics.extend(crate::selection::partial_warning(options));
    (plan, diagnostics)
}

/// Plans to destroy what a normal plan finds: only that one reads data sources, evaluates the outputs and sees the mistakes
/// of a configuration. Conditions keep nobody from destroying.
async fn plan_destroy(
    workspace: &Workspace,
    state: State,
    options: &PlanOptions,
    hooks: Arc<dyn Hooks>,
) -> (Option<Plan>, Diagnostics) {
    let normal = PlanOptions { mode: PlanMode::Normal, ..options.clone() };
    let mut planning = match Planning::new(workspace, state.clone(), &normal, hooks.clone()) {
        Ok(planning) => planning,
        Err(diagnostics) => return (None, diagnostics),
    };
    planning.for_destroy();
    let (found, diagnostics) = carry_out(workspace, planning).await;
    let Some(found) = found.filter(|_| !diagnostics.has_errors()) else { return (None, diagnostics) };
    let upon = PlanOptions { refresh: false, ..options.clone() };
    match Planning::new(workspace, found.prior_state, &upon, hooks) {
        Ok(planning) => {
            let (plan, diagnostics) = carry_out(workspace, planning).await;
            (plan.map(|plan| Plan { previous_state: state, ..plan }), diagnostics)
        }
        Err(diagnostics) => (None, diagnostics),
    }
}

/// Walks, and gathers what was planned.
async fn carry_out(workspace: &Workspace, planning: Planning<'_>) -> (Option<Plan>, Diagnostics) {
    let options = planning.options;
    if let Some(problem) = crate::moves::check_targets(&planning.moved, &options.targets) {
        return (None, problem.into());
    }
    let complete = planning.walk().await;
    let problems = planning.check_moves();
    if problems.has_errors() {
        // What else went wrong may well come from these mistakes.
        return (None, problems);
    }
    // What goes does not wait for what could not be planned; where all is to go, nothing can be left out.
    if complete || options.mode == PlanMode::Normal {
        planning.plan_leftovers(complete).await;
    }
    planning.finish(workspace)
}

/// The functions that a plan's expressions may call.
pub fn planning_functions(workspace: &Workspace) -> lang::functions::Functions {
    let context = lang::functions::CallContext { planning: true, ..workspace.functions.clone() };
    crate::functions::table(&workspace.config, &workspace.providers, context)
}

/// Checks a configuration without state, variables or calls. Stops at the first stage with mistakes: what is linked in,
/// the arguments of modules, the graph, and at last the contents of every block.
pub async fn validate(workspace: &Workspace) -> Diagnostics {
    let missing = crate::requirements::missing(workspace);
    if missing.has_errors() {
        return missing;
    }
    let arguments = config::reference_checks::check_module_arguments(&workspace.config);
    if arguments.has_errors() {
        return arguments;
    }
    let configurations = crate::requirements::missing_configurations(workspace);
    if configurations.has_errors() {
        return configurations;
    }
    let imports = crate::imports::check_targets(&workspace.config);
    if imports.has_errors() {
        return imports;
    }
    let graph = ConfigGraph::build(workspace, &BTreeSet::new());
    let cycles = graph.cycles();
    if cycles.has_errors() {
        return cycles;
    }
    let world = World::new(workspace, Phase::Validate, BTreeMap::new(), planning_functions(workspace));
    walk(&graph, 1, |index| {
        let visit = graph.node(index).map_or(Visit::Done, |node| crate::validation::visit(&world, node));
        async move { visit }
    })
    .await;
    world.take_diagnostics()
}

/// What a resource with `create_before_destroy` depends on has to be made before it is destroyed too: otherwise the old
/// dependency would go while the old dependent still stands on it.
fn forced_create_before_destroy(
    workspace: &Workspace,
    dependencies: &HashMap<Arc<ConfigResource>, Dependencies>,
    selected: impl Fn(&ConfigResource) -> bool,
) -> HashSet<ConfigResource> {
    let declared = dependencies.iter().filter(|(resource, _)| selected(resource)).filter(|(resource, _)| {
        let module = crate::workspace::module_at(&workspace.config, &resource.module);
        let block = module.and_then(|module| module.resources.get(&resource.resource));
        block.is_some_and(|block| block.create_before_destroy == Some(true))
    });
    declared
        .flat_map(|(resource, dependencies)| std::iter::once(resource).chain(dependencies.iter()))
        .filter(|resource| resource.resource.mode == Mode::Managed)
        .map(|resource| ConfigResource::clone(resource))
        .collect()
}

impl<'w> Planning<'w> {
    /// Prepares a walk over the configuration and a state whose objects are moved first.
    pub fn new(
        workspace: &'w Workspace,
        state: State,
        options: &'w PlanOptions,
        hooks: Arc<dyn Hooks>,
    ) -> Result<Planning<'w>, Diagnostics> {
        let refused = crate::removed::check(&workspace.config);
        if refused.has_errors() {
            return Err(refused);
        }
        let previous_state = state.clone();
        let mut state = state;
        // what an earlier apply could only note
        state.resources.retain(|_, resource| !resource.instances.is_empty());
        let (moved, warnings) = crate::moves::apply(workspace, &mut state)?;
        let without_provider = crate::stored_providers::hand_over(&workspace.config, &mut state, options.mode);
        if without_provider.has_errors() {
            return Err(without_provider);
        }
        let stored_providers: BTreeSet<ProviderConfig> =
            state.resources.values().map(|resource| resource.provider.clone()).collect();
        let graph = ConfigGraph::build(workspace, &stored_providers);
        let cycles = graph.cycles();
        if cycles.has_errors() {
            return Err(cycles);
        }
        let dependencies = graph.resource_dependencies();
        let selection = Selection::new(&graph, options, &state);
        let mut world = World::new(workspace, Phase::Plan, options.variables.clone(), planning_functions(workspace));
        if options.allow_deferral {
            world.undecided = Undecided::allowed();
        }
        world.only_warns = options.mode == PlanMode::RefreshOnly;
        world.report(warnings);
        let selected = |resource: &ConfigResource| {
            graph.index_of(&Node::Resource(resource.clone())).is_some_and(|index| selection.includes(index))
        };
        let create_before_destroy = forced_create_before_destroy(workspace, &dependencies, selected);
        Ok(Planning {
            world,
            ephemerals: Ephemerals::default(),
            options,
            hooks,
            graph,
            selection,
            refreshed: Mutex::new(state.clone()),
            stored: state,
            stored_instances: OnceLock::new(),
            previous_state,
            moved,
            prior: RwLock::default(),
            providers: RwLock::default(),
            dependencies,
            expansions: Mutex::default(),
            changes: Mutex::default(),
            deferred: Mutex::default(),
            deferred_resources: RwLock::default(),
            pending: RwLock::default(),
            outputs: Mutex::default(),
            generated: Mutex::default(),
            create_before_destroy,
            imports: options.mode == PlanMode::Normal,
        })
    }

    /// Makes it a plan upon whose findings everything is destroyed: what does not hold does not matter any more, and nothing is
    /// imported to go at once.
    fn for_destroy(&mut self) {
        self.world.only_warns = true;
        self.imports = false;
    }

    /// Visits what is selected, in the order of dependencies, and keeps what is ephemeral open meanwhile. Whether every
    /// visit came to its end.
    pub async fn walk(&self) -> bool {
        let hooks = self.hooks.as_ref();
        let failed = tokio::select! {
            failed = walk(&self.graph, self.options.parallelism, |index| self.visit(index)) => failed,
            never = self.ephemerals.keep_open(&self.world, hooks) => match never {},
        };
        self.ephemerals.close_all(&self.world, hooks).await;
        failed.is_empty()
    }

    async fn visit(&self, index: NodeIndex) -> Visit {
        let Some(node) = self.graph.node(index) else { return Visit::Done };
        if !self.selection.includes(index) {
            return Visit::Done;
        }
        tracing::trace!("plan: visiting {node}");
        match node {
            Node::Variable(path, name) => {
                self.expect_if_checked(path, &Checkable::Variable(name.clone()));
                self.each_instance(path, |module| {
                    self.world.variable(module, name);
                    let variable = module.config.variables.get(name);
                    variable.is_none_or(|variable| variables::validate(&self.world, module, variable))
                })
            }
            Node::Local(path, name) => self.each_instance(path, |module| {
                self.world.local(module, name);
                true
            }),
            Node::Output(path, name) => {
                self.expect_if_checked(path, &Checkable::Output(name.clone()));
                self.each_instance(path, |module| outputs::visit(self, module, name))
            }
            Node::Call(path) => self.visit_call(path),
            Node::Close(_) => Visit::Done,
            Node::Provider(provider) => self.visit_provider(provider).await,
            Node::Refresh(provider) => self.visit_refresh(provider).await,
            Node::Resource(resource) => self.visit_resource(resource).await,
            Node::Check(..) if self.options.mode == PlanMode::Destroy => Visit::Done,
            Node::Check(path, name) => self.each_instance(path, |module| {
                if let Some(check) = module.config.checks.get(name) {
                    self.world.evaluate_check(module, check);
                }
                true
            }),
        }
    }

    /// Visits a node in every instance of its module. Fails if a visit does, or if it led to errors.
    fn each_instance(&self, path: &lang::addr::ModulePath, mut visit: impl FnMut(&ModuleScope) -> bool) -> Visit {
        let mut fine = true;
        for module in self.world.instances(path) {
            let before = self.world.error_count();
            fine &= visit(&module);
            fine &= self.world.error_count() == before;
        }
        if fine { Visit::Done } else { Visit::Failed }
    }

    fn visit_call(&self, path: &lang::addr::ModulePath) -> Visit {
        let call = path.parent().and_then(|parent| {
            let caller = crate::workspace::module_at(&self.world.workspace.config, &parent)?;
            Some((parent, caller.calls.get(path.0.last()?)?))
        });
        match call {
            Some((parent, call)) if !self.world.expand_call(&parent, call) => Visit::Failed,
            _ => Visit::Done,
        }
    }

    async fn visit_resource(&self, resource: &ConfigResource) -> Visit {
        let root = &self.world.workspace.config;
        let declared = crate::workspace::module_at(root, &resource.module)
            .is_some_and(|module| module.resources.contains_key(&resource.resource));
        if !declared {
            return if self.visit_unconfigured(resource).await { Visit::Done } else { Visit::Failed };
        }
        let Some(imports) = self.wanted_imports(resource) else { return Visit::Failed };
        if !imports.is_empty() && !self.check_imported_instances(resource, &imports) {
            return Visit::Failed;
        }
        let mut fine = true;
        let modules = self.world.instances(&resource.module);
        if modules.is_empty() {
            let object = Checkable::Resource(resource.resource.clone(), InstanceKey::None);
            self.world.expect_checks(&resource.module, &object, []);
        }
        for module in modules {
            let Some(block) = module.config.resources.get(&resource.resource) else { continue };
            fine &= match resource.resource.mode {
                Mode::Managed => {
                    let managed = self.visit_managed(&module, block, &imports).await;
                    managed & !self.removes_protected(&module.address.resource(resource.resource.clone()), block)
                }
                Mode::Data => self.visit_data(&module, block).await,
                Mode::Ephemeral => self.visit_ephemeral(&module, block).await,
            };
        }
        if fine { Visit::Done } else { Visit::Failed }
    }

    async fn visit_ephemeral(&self, module: &ModuleScope, block: &ResourceBlock) -> bool {
        let Some(schema) = self.schema(block) else { return false };
        let Some((resource, expansion)) = self.expand_resource(module, block) else { return false };
        let Some((_, configured)) = self.configured(module, block) else { return false };
        let deferred = self.deferral_of(&resource.config(), &expansion).is_some();
        if deferred {
            write(&self.deferred_resources).insert(resource.config());
        }
        let wait = deferred || self.waits_for_pending(module, block);
        let opening = Opening { world: &self.world, hooks: self.hooks.as_ref(), module, block, schema, configured };
        self.ephemerals.open_all(&opening, expansion, wait).await
    }

    /// The schema of a resource; a message where there is none.
    pub fn schema(&self, block: &ResourceBlock) -> Option<&sdk::Schema> {
        let schema = self.world.workspace.providers.schema(&block.provider_source, &block.address);
        if schema.is_none() {
            self.world.report(crate::validation::unknown_type(self.world.workspace, block).into());
        }
        schema
    }

    /// Finds the instances of a resource in one module instance, and keeps them for what is left over. `None` after an
    /// error.
    pub fn expand_resource(&self, module: &ModuleScope, block: &ResourceBlock) -> Option<(AbsResource, Expansion)> {
        let resource = module.address.resource(block.address.clone());
        let expansion = match module.address.is_unknown() {
            true => Some(Expansion::Unknown),
            false => {
                let mut diagnostics = Diagnostics::new();
                let (count, for_each) = (block.count.as_deref(), block.for_each.as_deref());
                let unknown = self.world.undecided.unknown_expansion();
                let expansion = expand(count, for_each, &self.world.scope(module), unknown, &mut diagnostics);
                self.world.report(diagnostics);
                expansion
            }
        }?;
        lock(&self.expansions).insert(resource.clone(), expansion.clone());
        if block.has_conditions() {
            let object = |key| Checkable::Resource(block.address.clone(), key);
            let instance = |key| CheckOutcome::new(module.address.clone(), object(key), CheckStatus::Unknown);
            let instances = expansion.keys().into_iter().map(instance);
            self.world.expect_checks(&module.config.path, &object(InstanceKey::None), instances);
        }
        Some((resource, expansion))
    }

    /// Check blocks are there even where what they speak of could not be planned.
    fn expect_check_blocks(&self) {
        for module in self.world.workspace.config.tree() {
            for name in module.checks.keys() {
                let node = self.graph.index_of(&Node::Check(module.path.clone(), name.clone()));
                if node.is_some_and(|index| self.selection.includes(index)) {
                    self.expect_in_each_module(&module.path, &Checkable::Check(name.clone()));
                }
            }
        }
    }

    fn expect_if_checked(&self, path: &ModulePath, object: &Checkable) {
        let Some(module) = crate::workspace::module_at(&self.world.workspace.config, path) else { return };
        if crate::checks::has_conditions(module, object) {
            self.expect_in_each_module(path, object);
        }
    }

    /// Notes that something with conditions is in every instance of its module.
    fn expect_in_each_module(&self, path: &ModulePath, object: &Checkable) {
        let modules = self.world.instances(path).into_iter().filter(|module| !module.address.is_unknown());
        let instance =
            |module: Arc<ModuleScope>| CheckOutcome::new(module.address.clone(), object.clone(), CheckStatus::Unknown);
        self.world.expect_checks(path, object, modules.map(instance));
    }

    /// The configured provider of a resource.
    pub fn configured(
        &self,
        module: &ModuleScope,
        block: &ResourceBlock,
    ) -> Option<(ProviderConfig, Arc<dyn Configured>)> {
        let root = &self.world.workspace.config;
        match root.provider_config_for(&module.config.path, block) {
            Ok(config) => {
                let configured = read(&self.providers).get(&config).cloned()?;
                Some((config, configured))
            }
            Err(diagnostic) => {
                self.world.report(diagnostic.at(block.range).into());
                None
            }
        }
    }

    /// Records a change, and that what depends on it has to wait.
    pub fn record(&self, mut change: ResourceChange) {
        if change.deposed.is_none() {
            change.previous_address = self.moved.get(&change.address).cloned();
        }
        if change.action != crate::plan::Action::NoOp {
            write(&self.pending).insert(change.address.abs_resource());
        }
        lock(&self.changes).push(change);
    }

    fn finish(self, workspace: &Workspace) -> (Option<Plan>, Diagnostics) {
        let timestamp = workspace.functions.plan_timestamp.map(|time| time.to_string()).unwrap_or_default();
        let mut diagnostics = self.world.take_diagnostics();
        let checks = match self.options.mode {
            PlanMode::Destroy => self.world.check_outcomes_of_destroy(),
            _ => {
                self.expect_check_blocks();
                self.world.check_outcomes()
            }
        };
        let variables = self.root_variables(workspace);
        let given_again = workspace.config.variables.values();
        let given_again = given_again.filter(|v| v.ephemeral && self.world.given(&v.name).is_some());
        let apply_time_variables = given_again.map(|v| v.name.clone()).collect();
        // What is to be destroyed may have changed as it likes.
        let drift = if self.options.mode == PlanMode::Destroy { Vec::new() } else { self.drift() };
        let mut changes = self.changes.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        changes.sort_unstable_by(|a, b| (&a.address, &a.deposed).cmp(&(&b.address, &b.deposed)));
        let mut deferred = self.deferred.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        deferred.sort_unstable_by(|a, b| a.change.address.cmp(&b.change.address));
        let outputs = self.outputs.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let resources = changes.iter().filter(|change| change.action != crate::plan::Action::NoOp);
        let whole = |change: &ResourceChange| Source::Resource(change.address.resource.clone(), None);
        let resources = resources.map(|change| (change.address.module.clone(), whole(change)));
        let named = outputs.iter().filter(|(_, change)| change.action != crate::plan::Action::NoOp);
        let of_root = |name: &Str| (ModuleInstance::root(), Source::Output(name.clone()));
        let mut changed: Vec<(ModuleInstance, Source)> =
            resources.chain(named.map(|(name, _)| of_root(name))).collect();
        if self.options.mode != PlanMode::Destroy {
            let selected = |path: &ModulePath, name: &Str| {
                let node = self.graph.index_of(&Node::Output(path.clone(), name.clone()));
                node.is_some_and(|index| self.selection.includes(index))
            };
            changed.extend(outputs_below(&self.world, &selected));
        }
        let relevant = crate::relevance::relevant_attributes(&self.world, changed);
        let mut generated = self.generated.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        generated.sort_unstable_by(|a, b| a.address.cmp(&b.address));
        let targeted = !self.selection.is_everything();
        let prior_state = self.refreshed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let refreshed = self.options.mode == PlanMode::RefreshOnly
            && (managed(&prior_state).ne(managed(&self.stored)) || prior_state.outputs != self.stored.outputs);
        let plan = Plan {
            mode: self.options.mode,
            timestamp,
            changes,
            drift,
            outputs,
            checks,
            relevant_attributes: relevant,
            variables,
            apply_time_variables,
            prior_state,
            refreshed,
            previous_state: self.previous_state,
            targets: self.options.targets.iter().map(Target::to_string).collect(),
            excludes: self.options.excludes.iter().map(Target::to_string).collect(),
            force_replace: self.options.force_replace.clone(),
            generated,
            errored: diagnostics.has_errors(),
            complete: !targeted && deferred.is_empty() && !diagnostics.has_errors(),
            deferred,
        };
        diagnostics.extend(crate::removed::forgotten(&plan));
        (Some(plan), diagnostics)
    }

    fn root_variables(&self, workspace: &Workspace) -> BTreeMap<Str, Value> {
        let variables = workspace.config.variables.values();
        variables.map(|v| (v.name.clone(), variables::recorded(&self.world, v))).collect()
    }
}

fn managed(state: &State) -> impl Iterator<Item = (&AbsResource, &Arc<ResourceState>)> {
    state.resources.iter().filter(|(address, _)| address.resource.mode == Mode::Managed)
}

/// The outputs of all modules below: they are stored nowhere, so that each is as good as new.
fn outputs_below(world: &World<'_>, selected: &impl Fn(&ModulePath, &Str) -> bool) -> Vec<(ModuleInstance, Source)> {
    let mut found = Vec::new();
    for module in world.workspace.config.tree().into_iter().filter(|module| !module.path.is_root()) {
        for instance in world.instances(&module.path) {
            let names = module.outputs.keys().filter(|name| selected(&module.path, name));
            let worth = names.filter(|name| !world.output(&instance, name).is_null());
            found.extend(worth.map(|name| (instance.address.clone(), Source::Output(name.clone()))));
        }
    }
    found
}
