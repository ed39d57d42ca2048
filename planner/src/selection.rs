//! `-target` and `-exclude`: which part of the graph is walked.

use lang::Diagnostic;
use std::collections::HashSet;

use lang::addr::{AbsResource, ConfigResource, InstanceKey, ModuleInstance, ResourceInstance};
use petgraph::graph::NodeIndex;
use state::{ResourceState, State};

use crate::graph::{ConfigGraph, Node};
use crate::plan::{Plan, PlanMode};
use crate::workspace::{PlanOptions, Target};

/// The selected part of a configuration.
pub struct Selection {
    included: Option<HashSet<NodeIndex>>,
    /// What goes when targets are destroyed: not what they need, which is walked too.
    destroyed: Option<HashSet<ConfigResource>>,
    targets: Vec<Target>,
    excludes: Vec<Target>,
}

impl Selection {
    /// What the options select of a configuration, and of a state for what isn't configured any more.
    pub fn new(graph: &ConfigGraph, options: &PlanOptions, stored: &State) -> Selection {
        let destroying = options.mode == PlanMode::Destroy && !options.targets.is_empty();
        let destroyed = destroying.then(|| destroyed(graph, options, stored));
        let included = match options.targets.is_empty() && options.excludes.is_empty() {
            true => None,
            false => Some(select(graph, options, stored, destroyed.as_ref())),
        };
        Selection { included, destroyed, targets: options.targets.clone(), excludes: options.excludes.clone() }
    }

    /// Whether a node is visited.
    pub fn includes(&self, index: NodeIndex) -> bool {
        self.included.as_ref().is_none_or(|included| included.contains(&index))
    }

    /// Whether an instance is planned: it is a target, or something that a target needs, and not excluded.
    pub fn includes_instance(&self, graph: &ConfigGraph, address: &ResourceInstance) -> bool {
        if self.excludes.iter().any(|exclude| exclude.matches(address)) {
            return false;
        }
        let named: Vec<&Target> = self.targets.iter().filter(|target| target.concerns(address)).collect();
        if !named.is_empty() {
            return named.iter().any(|target| target.matches(address));
        }
        let resource = address.config();
        if let Some(destroyed) = &self.destroyed {
            return destroyed.contains(&resource);
        }
        match graph.index_of(&Node::Resource(resource)) {
            Some(index) => self.includes(index),
            None => self.targets.is_empty(),
        }
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.included.is_none()
    }
}

fn select(
    graph: &ConfigGraph,
    options: &PlanOptions,
    stored: &State,
    destroyed: Option<&HashSet<ConfigResource>>,
) -> HashSet<NodeIndex> {
    let mut included: HashSet<NodeIndex> = match options.targets.is_empty() {
        true => graph.indices().collect(),
        false => {
            let named = match destroyed {
                Some(destroyed) => {
                    destroyed.iter().filter_map(|resource| graph.index_of(&Node::Resource(resource.clone()))).collect()
                }
                None => resources(graph, &options.targets),
            };
            let readers = readers(graph, stored, |address| match destroyed {
                Some(destroyed) => destroyed.contains(&address.config()),
                None => is_named(options, address),
            });
            reach(named.into_iter().chain(readers).collect(), |index| graph.dependencies(index).collect())
        }
    };
    if !options.targets.is_empty() {
        add_complete_outputs(graph, &mut included);
    }
    for index in excluded(graph, options) {
        included.remove(&index);
    }
    included
}

/// Whether a target speaks of a resource of the state.
fn is_named(options: &PlanOptions, address: &AbsResource) -> bool {
    let any = address.instance(InstanceKey::None);
    options.targets.iter().any(|target| target.concerns(&any))
}

/// What reads what is selected of what only the state has.
fn readers(graph: &ConfigGraph, stored: &State, selected: impl Fn(&AbsResource) -> bool) -> Vec<NodeIndex> {
    let left = stored
        .resources
        .iter()
        .filter(|(address, _)| selected(address) && graph.index_of(&Node::Resource(address.config())).is_none());
    left.filter_map(|(_, resource)| graph.index_of(&Node::Refresh(resource.provider.clone()))).collect()
}

/// What goes when targets are destroyed: they, and what needs them, in the configuration or when it was made, and cannot stay.
fn destroyed(graph: &ConfigGraph, options: &PlanOptions, stored: &State) -> HashSet<ConfigResource> {
    let in_state = stored.resources.keys().filter(|address| is_named(options, address)).map(AbsResource::config);
    let mut destroyed: HashSet<ConfigResource> = in_state.collect();
    let mut reached: HashSet<NodeIndex> = HashSet::new();
    let mut stack = resources(graph, &options.targets);
    stack.extend(destroyed.iter().filter_map(|resource| graph.index_of(&Node::Resource(resource.clone()))));
    loop {
        while let Some(index) = stack.pop() {
            if !reached.insert(index) {
                continue;
            }
            if let Some(Node::Resource(resource)) = graph.node(index) {
                destroyed.insert(resource.clone());
            }
            stack.extend(graph.dependents(index));
        }
        // What an object was made with is listed whole, so that this comes to its end after a few rounds.
        let made_with_them = |resource: &ResourceState| {
            let instances = resource.instances.values();
            let mut objects = instances.flat_map(|instance| instance.current.iter().chain(instance.deposed.values()));
            objects.any(|object| object.dependencies.iter().any(|dependency| destroyed.contains(&**dependency)))
        };
        let further = stored.resources.iter().map(|(address, resource)| (address.config(), resource));
        let further = further.filter(|(address, resource)| !destroyed.contains(address) && made_with_them(resource));
        let further: Vec<ConfigResource> = further.map(|(address, _)| address).collect();
        if further.is_empty() {
            break;
        }
        stack.extend(further.iter().filter_map(|resource| graph.index_of(&Node::Resource(resource.clone()))));
        destroyed.extend(further);
    }
    destroyed
}

/// What is left out: what `-exclude` names and what depends on it. In a destroy plan what is left out stays, and so does
/// what it stands on.
fn excluded(graph: &ConfigGraph, options: &PlanOptions) -> HashSet<NodeIndex> {
    let mut excluded = HashSet::new();
    for exclude in &options.excludes {
        let named = resources(graph, std::slice::from_ref(exclude));
        let reached = reach(named, |index| match options.mode {
            PlanMode::Destroy => graph.dependencies(index).filter(|index| is_resource(graph, *index)).collect(),
            PlanMode::Normal | PlanMode::RefreshOnly => graph.dependents(index).collect(),
        });
        // Of what has other instances, too, the walk leaves out the named ones.
        let shared = |index: &NodeIndex| exclude.has_key() && exclude.concerns_node(graph, *index);
        excluded.extend(reached.into_iter().filter(|index| !shared(index)));
    }
    excluded
}

fn is_resource(graph: &ConfigGraph, index: NodeIndex) -> bool {
    matches!(graph.node(index), Some(Node::Resource(_)))
}

/// The resources that targets name.
fn resources(graph: &ConfigGraph, targets: &[Target]) -> Vec<NodeIndex> {
    let hit = |index: &NodeIndex| match graph.node(*index) {
        Some(Node::Resource(resource)) => targets.iter().any(|target| target.matches_config(resource)),
        _ => false,
    };
    graph.indices().filter(hit).collect()
}

/// Root outputs all of whose resources are selected are planned too, with the locals that they need.
fn add_complete_outputs(graph: &ConfigGraph, included: &mut HashSet<NodeIndex>) {
    let outputs: Vec<NodeIndex> = graph
        .indices()
        .filter(|index| matches!(graph.node(*index), Some(Node::Output(module, _)) if module.is_root()))
        .collect();
    for output in outputs {
        let needed = reach(vec![output], |index| graph.dependencies(index).collect());
        let mut resources =
            needed.iter().filter(|index| matches!(graph.node(**index), Some(Node::Resource(_)))).peekable();
        if resources.peek().is_some() && resources.all(|index| included.contains(index)) {
            included.extend(needed);
        }
    }
}

fn reach(start: Vec<NodeIndex>, next: impl Fn(NodeIndex) -> Vec<NodeIndex>) -> HashSet<NodeIndex> {
    let mut seen: HashSet<NodeIndex> = start.iter().copied().collect();
    let mut stack = start;
    while let Some(index) = stack.pop() {
        stack.extend(next(index).into_iter().filter(|index| seen.insert(*index)));
    }
    seen
}

impl Target {
    /// Whether it may select instances of the same resource as `address`.
    fn concerns(&self, address: &ResourceInstance) -> bool {
        match self {
            Target::Module(module) => covers(module, &address.module, false),
            Target::Resource(module, resource) => {
                *resource == address.resource && covers_exactly(module, &address.module, false)
            }
            Target::Instance(instance) => {
                instance.resource == address.resource && covers_exactly(&instance.module, &address.module, false)
            }
        }
    }

    /// Whether it selects an instance.
    pub fn matches(&self, address: &ResourceInstance) -> bool {
        match self {
            Target::Module(module) => covers(module, &address.module, true),
            Target::Resource(module, resource) => {
                *resource == address.resource && covers_exactly(module, &address.module, true)
            }
            Target::Instance(instance) => {
                instance.resource == address.resource
                    && instance.key == address.key
                    && covers_exactly(&instance.module, &address.module, true)
            }
        }
    }

    /// Whether it names one of several instances.
    fn has_key(&self) -> bool {
        let keyed = |module: &ModuleInstance| module.0.iter().any(|(_, key)| *key != InstanceKey::None);
        match self {
            Target::Module(module) | Target::Resource(module, _) => keyed(module),
            Target::Instance(instance) => instance.key != InstanceKey::None || keyed(&instance.module),
        }
    }

    /// Whether instances that it names, and others that it doesn't, share a node.
    fn concerns_node(&self, graph: &ConfigGraph, index: NodeIndex) -> bool {
        let Some(node) = graph.node(index) else { return false };
        match (self, node) {
            (_, Node::Resource(resource)) if self.matches_config(resource) => true,
            (Target::Module(module), node) => node.module().is_some_and(|path| path.0.starts_with(&module.path().0)),
            _ => false,
        }
    }

    fn matches_config(&self, resource: &lang::addr::ConfigResource) -> bool {
        let names = |module: &ModuleInstance| module.path();
        match self {
            Target::Module(module) => resource.module.0.starts_with(&names(module).0),
            Target::Resource(module, own) => *own == resource.resource && names(module) == resource.module,
            Target::Instance(own) => own.resource == resource.resource && names(&own.module) == resource.module,
        }
    }
}

/// Whether `address` lies in `module` or below. A step without key stands for all instances of the call.
fn covers(module: &ModuleInstance, address: &ModuleInstance, keys: bool) -> bool {
    module.0.len() <= address.0.len()
        && module.0.iter().zip(address.0.iter()).all(|((name, key), (other, other_key))| {
            name == other && (!keys || *key == InstanceKey::None || key == other_key)
        })
}

fn covers_exactly(module: &ModuleInstance, address: &ModuleInstance, keys: bool) -> bool {
    module.0.len() == address.0.len() && covers(module, address, keys)
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Module(module) => module.fmt(f),
            Target::Resource(module, resource) => module.resource(resource.clone()).fmt(f),
            Target::Instance(instance) => instance.fmt(f),
        }
    }
}

/// The warning of a plan for a part of the configuration.
pub(crate) fn partial_warning(options: &PlanOptions) -> Option<Diagnostic> {
    let flag = match (options.targets.is_empty(), options.excludes.is_empty()) {
        (false, _) => "-target",
        (true, false) => "-exclude",
        (true, true) => return None,
    };
    let detail = format!(
        "You are creating a plan with the {flag} option, which means that the result of this plan may not represent all of the \
         changes requested by the current configuration.\n\nThe {flag} option is not for routine use, and is provided only for \
         exceptional situations such as recovering from errors or mistakes, or when Terraform specifically suggests to use it as \
         part of an error message."
    );
    Some(Diagnostic::warning("Resource targeting is in effect", detail))
}

/// The warning after such a plan was applied.
pub fn partial_apply_warning(plan: &Plan) -> Option<Diagnostic> {
    if !plan.is_partial() {
        return None;
    }
    let flag = if plan.targets.is_empty() { "-exclude" } else { "-target" };
    let detail = format!(
        "The plan was created with the {flag} option in effect, so some changes requested in the configuration may have been \
         ignored and the output values may not be fully updated. Run the following command to verify that no other changes \
         are pending:\n    terraform plan\n\nNote that the {flag} option is not suitable for routine use, and is provided only \
         for exceptional situations such as recovering from errors or mistakes, or when Terraform specifically suggests to use \
         it as part of an error message."
    );
    Some(Diagnostic::warning("Applied changes may be incomplete", detail))
}
