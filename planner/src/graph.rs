//! The graph of configuration objects: what has to be there before what.
//!
//! Its nodes are not instances but what is written once: a resource, a module call, a local, an output, a provider
//! configuration. Instances appear when a node is visited and its `count` or `for_each` is known.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use config::module::{CheckRule, Import, Module};
use config::references::{Reference, Subject};
use lang::addr::{ConfigResource, InstanceKey, Mode, ModulePath, ProviderConfig};
use lang::ast::{Expr, ExprKind, Traversal};
use lang::{Diagnostic, Diagnostics, Str};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use state::Dependencies;

use crate::decode::visit_references;
use crate::workspace::Workspace;

/// What is visited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// An input variable.
    Variable(ModulePath, Str),
    /// A local value.
    Local(ModulePath, Str),
    /// An output value.
    Output(ModulePath, Str),
    /// A module call: its `count` or `for_each`. Named by the called module's path.
    Call(ModulePath),
    /// Everything in a module is done.
    Close(ModulePath),
    /// A resource, data source or ephemeral resource.
    Resource(ConfigResource),
    /// A provider configuration.
    Provider(ProviderConfig),
    /// What the state holds of a provider configuration's managed resources is read. Data sources don't wait for it.
    Refresh(ProviderConfig),
    /// A check block.
    Check(ModulePath, Str),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted = |module: &ModulePath| if module.is_root() { String::new() } else { format!("{module}.") };
        match self {
            Node::Variable(module, name) => write!(f, "{}var.{name} (expand)", dotted(module)),
            Node::Local(module, name) => write!(f, "{}local.{name} (expand)", dotted(module)),
            Node::Output(module, name) => write!(f, "{}output.{name} (expand)", dotted(module)),
            Node::Call(module) => write!(f, "{module} (expand)"),
            Node::Close(module) => write!(f, "{module} (close)"),
            Node::Resource(resource) => write!(f, "{resource}"),
            Node::Provider(provider) => write!(f, "{provider}"),
            Node::Refresh(provider) => write!(f, "{provider} (refresh)"),
            Node::Check(module, name) => write!(f, "{}check.{name}", dotted(module)),
        }
    }
}

impl Node {
    /// The module that it is written in.
    pub fn module(&self) -> Option<&ModulePath> {
        match self {
            Node::Variable(module, _) | Node::Local(module, _) | Node::Output(module, _) | Node::Check(module, _) => {
                Some(module)
            }
            Node::Call(module) | Node::Close(module) => Some(module),
            Node::Resource(resource) => Some(&resource.module),
            Node::Provider(_) | Node::Refresh(_) => None,
        }
    }
}

/// The graph; an edge leads from a node to what it needs.
pub struct ConfigGraph {
    graph: DiGraph<Node, ()>,
    index: HashMap<Node, NodeIndex>,
    /// The nodes that name themselves, to which no edge leads.
    naming_themselves: HashSet<NodeIndex>,
    instances: InstancesNamed,
}

/// By the ends of an edge to a resource: the instances that are named, where nothing else of the resource is.
type InstancesNamed = HashMap<(NodeIndex, NodeIndex), Vec<InstanceKey>>;

impl ConfigGraph {
    /// Builds the graph of a configuration. `stored_providers` are provider configurations that only the state still needs.
    pub fn build(workspace: &Workspace, stored_providers: &BTreeSet<ProviderConfig>) -> ConfigGraph {
        let (graph, index, naming_themselves, instances) = Default::default();
        let mut builder = Builder { workspace, graph, index, naming_themselves, instances };
        builder.add_nodes(&workspace.config);
        for provider in stored_providers {
            builder.refresh(provider.clone());
        }
        builder.add_edges(&workspace.config);
        builder.connect_providers();
        let Builder { graph, index, naming_themselves, instances, .. } = builder;
        ConfigGraph { graph, index, naming_themselves, instances }
    }

    /// The instances that `from` needs of the resource `to`, if it names no more of it than these.
    pub fn instances_named(&self, from: NodeIndex, to: NodeIndex) -> Option<&[InstanceKey]> {
        self.instances.get(&(from, to)).map(Vec::as_slice)
    }

    /// The resources of which some node needs only the instances that it names.
    pub fn resources_with_instances_named(&self) -> impl Iterator<Item = &ConfigResource> {
        self.instances.keys().filter_map(|(_, to)| match self.node(*to) {
            Some(Node::Resource(resource)) => Some(resource),
            _ => None,
        })
    }

    /// Whether what a node is made from names the node itself.
    pub fn names_itself(&self, node: &Node) -> bool {
        self.index_of(node).is_some_and(|index| self.naming_themselves.contains(&index))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.graph.node_count() == 0
    }

    /// A node by its index.
    pub fn node(&self, index: NodeIndex) -> Option<&Node> {
        self.graph.node_weight(index)
    }

    /// The index of a node.
    pub fn index_of(&self, node: &Node) -> Option<NodeIndex> {
        self.index.get(node).copied()
    }

    /// All nodes.
    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.node_indices()
    }

    /// What a node needs.
    pub fn dependencies(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.edges_directed(index, Direction::Outgoing).map(|edge| edge.target())
    }

    /// What needs a node.
    pub fn dependents(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.edges_directed(index, Direction::Incoming).map(|edge| edge.source())
    }

    /// An error for every cycle.
    pub fn cycles(&self) -> Diagnostics {
        let components = petgraph::algo::tarjan_scc(&self.graph);
        let cycles = components.into_iter().filter(|component| component.len() > 1);
        cycles
            .map(|component| {
                let nodes = component.iter().filter_map(|index| self.node(*index));
                // Only what is written in the configuration can be changed there.
                let nodes = nodes.filter(|node| !matches!(node, Node::Refresh(_)));
                let mut names: Vec<String> = nodes.map(Node::to_string).collect();
                names.sort();
                Diagnostic::error(format!("Cycle: {}", names.join(", ")), "")
            })
            .collect()
    }

    /// The nodes so that what a node needs comes before it. Call only when there is no cycle.
    pub fn ordered(&self) -> Vec<NodeIndex> {
        let mut order = petgraph::algo::toposort(&self.graph, None).unwrap_or_default();
        order.reverse();
        order
    }

    /// For every resource the resources that it needs, directly or not: what the state stores as its dependencies.
    ///
    /// Resources are numbered in the order of their text, so that sets of numbers need no sorting by it. A set is shared where
    /// it is the same and dropped with the last node that builds on it; only the lists stay.
    pub fn resource_dependencies(&self) -> HashMap<Arc<ConfigResource>, Dependencies> {
        let resources = self.indices().filter_map(|index| match self.node(index) {
            Some(Node::Resource(resource)) => Some((resource.to_string(), index, Arc::new(resource.clone()))),
            _ => None,
        });
        let mut resources: Vec<_> = resources.collect();
        resources.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let addresses: Vec<Arc<ConfigResource>> = resources.iter().map(|(.., address)| address.clone()).collect();
        let mut numbers = vec![None; self.len()];
        for (number, (_, index, _)) in resources.into_iter().enumerate() {
            numbers[index.index()] = Some(number);
        }
        let mut waiting: Vec<usize> = self.indices().map(|index| self.dependents(index).count()).collect();
        let (seen_for, of) = (vec![None; addresses.len()], vec![None; self.len()]);
        let mut sets = Sets { graph: self, numbers, seen_for, of, nothing: Rc::default() };
        let mut result = HashMap::with_capacity(addresses.len());
        for index in self.ordered() {
            let own = sets.merged(index);
            if let Some(address) = sets.numbers[index.index()].and_then(|number| addresses.get(number)) {
                result.insert(address.clone(), own.list(&addresses));
            }
            for dependency in self.dependencies(index) {
                waiting[dependency.index()] -= 1;
                if waiting[dependency.index()] == 0 {
                    sets.of[dependency.index()] = None;
                }
            }
            sets.of[index.index()] = (waiting[index.index()] > 0).then_some(own);
        }
        result
    }
}

/// What nodes need, while [`ConfigGraph::resource_dependencies`] finds it.
struct Sets<'g> {
    graph: &'g ConfigGraph,
    /// The numbers of resources, by node.
    numbers: Vec<Option<usize>>,
    /// The node for which a number was last met.
    seen_for: Vec<Option<NodeIndex>>,
    /// By node.
    of: Vec<Option<Rc<Needed>>>,
    nothing: Rc<Needed>,
}

impl Sets<'_> {
    /// What a node needs; one that only hands on what another needs shares its set.
    fn merged(&mut self, index: NodeIndex) -> Rc<Needed> {
        let dependencies = || self.graph.dependencies(index);
        let sets = dependencies().filter_map(|needed| self.of[needed.index()].as_ref());
        let mut inherited: Vec<&Rc<Needed>> = sets.filter(|set| !set.numbers.is_empty()).collect();
        inherited.sort_unstable_by_key(|set| Rc::as_ptr(set));
        inherited.dedup_by(|a, b| Rc::ptr_eq(a, b));
        let direct: Vec<usize> = dependencies().filter_map(|needed| self.numbers[needed.index()]).collect();
        match (&direct[..], &inherited[..]) {
            ([], []) => return self.nothing.clone(),
            ([], [shared]) => return (*shared).clone(),
            _ => {}
        }
        let all = inherited.into_iter().flat_map(|set| &set.numbers).chain(&direct).copied();
        let seen_for = &mut self.seen_for;
        let mut numbers: Vec<usize> = all.filter(|number| seen_for[*number].replace(index) != Some(index)).collect();
        numbers.sort_unstable();
        Rc::new(Needed { numbers, list: OnceCell::new() })
    }
}

/// The resources that a node needs.
#[derive(Default)]
struct Needed {
    /// Ascending.
    numbers: Vec<usize>,
    /// The same as addresses, once that was asked for.
    list: OnceCell<Dependencies>,
}

impl Needed {
    fn list(&self, addresses: &[Arc<ConfigResource>]) -> Dependencies {
        let addresses = || self.numbers.iter().filter_map(|number| addresses.get(*number).cloned()).collect();
        self.list.get_or_init(addresses).clone()
    }
}

struct Builder<'w> {
    workspace: &'w Workspace,
    graph: DiGraph<Node, ()>,
    index: HashMap<Node, NodeIndex>,
    naming_themselves: HashSet<NodeIndex>,
    instances: InstancesNamed,
}

impl Builder<'_> {
    fn node(&mut self, node: Node) -> NodeIndex {
        let graph = &mut self.graph;
        *self.index.entry(node).or_insert_with_key(|node| graph.add_node(node.clone()))
    }

    fn add_nodes(&mut self, module: &Arc<Module>) {
        let path = &module.path;
        for name in module.variables.keys() {
            self.node(Node::Variable(path.clone(), name.clone()));
        }
        for name in module.locals.keys() {
            self.node(Node::Local(path.clone(), name.clone()));
        }
        for name in module.outputs.keys() {
            self.node(Node::Output(path.clone(), name.clone()));
        }
        for name in module.checks.keys() {
            self.node(Node::Check(path.clone(), name.clone()));
        }
        for resource in module.resources.keys() {
            self.node(Node::Resource(ConfigResource { module: path.clone(), resource: resource.clone() }));
        }
        // An import may name a resource that is not configured yet.
        for import in &module.imports {
            self.node(Node::Resource(import.resource.clone()));
        }
        for (name, child) in &module.children {
            self.node(Node::Call(path.child(name.clone())));
            self.node(Node::Close(path.child(name.clone())));
            self.add_nodes(child);
        }
    }

    fn add_edges(&mut self, module: &Arc<Module>) {
        let path = &module.path;
        let inside = (!path.is_root()).then(|| self.node(Node::Call(path.clone())));
        for (name, variable) in &module.variables {
            let node = self.enter(Node::Variable(path.clone(), name.clone()), inside);
            self.connect_rules(node, module, &variable.validations);
            self.connect_argument(node, module, name);
        }
        for (name, local) in &module.locals {
            let node = self.enter(Node::Local(path.clone(), name.clone()), inside);
            self.connect_expr(node, module, &local.expr);
        }
        for (name, output) in &module.outputs {
            let node = self.enter(Node::Output(path.clone(), name.clone()), inside);
            self.connect_expr(node, module, &output.value);
            self.connect_rules(node, module, &output.preconditions);
            self.connect_depends_on(node, module, &output.depends_on);
        }
        for (name, check) in &module.checks {
            let node = self.enter(Node::Check(path.clone(), name.clone()), inside);
            self.connect_rules(node, module, &check.asserts);
            if let Some(data) = &check.data {
                let data = ConfigResource { module: path.clone(), resource: data.clone() };
                self.edge(node, Node::Resource(data));
            }
        }
        for resource in module.resources.keys() {
            let node = Node::Resource(ConfigResource { module: path.clone(), resource: resource.clone() });
            let node = self.enter(node, inside);
            self.connect_resource(node, module, resource);
        }
        for import in &module.imports {
            self.connect_import(module, import);
        }
        for (name, call) in &module.calls {
            let node = self.enter(Node::Call(path.child(name.clone())), inside);
            [&call.count, &call.for_each].into_iter().flatten().for_each(|e| self.connect_expr(node, module, e));
            self.connect_depends_on(node, module, &call.depends_on);
        }
        for child in module.children.values() {
            self.add_edges(child);
            self.connect_close(child);
        }
    }

    /// A node of a module needs the module's expansion.
    fn enter(&mut self, node: Node, inside: Option<NodeIndex>) -> NodeIndex {
        let node = self.node(node);
        if let Some(call) = inside {
            self.graph.update_edge(node, call, ());
        }
        node
    }

    fn connect_close(&mut self, module: &Module) {
        let close = self.node(Node::Close(module.path.clone()));
        let path = &module.path;
        let outputs = module.outputs.keys().map(|name| Node::Output(path.clone(), name.clone()));
        let resources = module.resources.keys();
        let resources = resources
            .map(|resource| Node::Resource(ConfigResource { module: path.clone(), resource: resource.clone() }));
        let children = module.children.keys().map(|name| Node::Close(path.child(name.clone())));
        let needed: Vec<Node> = outputs.chain(resources).chain(children).chain([Node::Call(path.clone())]).collect();
        for node in needed {
            let node = self.node(node);
            // Each is named once; looking for an edge would make large modules quadratic.
            self.graph.add_edge(close, node, ());
        }
    }

    fn connect_argument(&mut self, node: NodeIndex, module: &Module, name: &Str) {
        let Some(parent) = module.path.parent() else { return };
        let Some(caller) = crate::workspace::module_at(&self.workspace.config, &parent).cloned() else { return };
        let Some(call) = module.path.0.last().and_then(|call| caller.calls.get(call)) else { return };
        if let Some(argument) = call.arguments.iter().find(|argument| argument.name == *name) {
            self.connect_expr(node, &caller, &argument.expr);
        }
    }

    fn connect_resource(&mut self, node: NodeIndex, module: &Arc<Module>, resource: &lang::addr::Resource) {
        let Some(block) = module.resources.get(resource) else { return };
        let workspace = self.workspace;
        let schema = workspace.providers.block(&block.provider_source, resource);
        visit_references(&block.body, schema, &mut |traversal| self.connect(node, module, traversal));
        [&block.count, &block.for_each].into_iter().flatten().for_each(|expr| self.connect_expr(node, module, expr));
        for expr in &block.replace_triggered_by {
            self.connect_expr(node, module, expr);
        }
        self.connect_rules(node, module, &block.preconditions);
        self.connect_rules(node, module, &block.postconditions);
        self.connect_depends_on(node, module, &block.depends_on);
        for provisioner in &block.provisioners {
            visit_references(&provisioner.body, None, &mut |traversal| self.connect(node, module, traversal));
            if let Some(connection) = &provisioner.connection {
                visit_references(&connection.body, None, &mut |traversal| self.connect(node, module, traversal));
            }
        }
        if let Some(connection) = &block.connection {
            visit_references(&connection.body, None, &mut |traversal| self.connect(node, module, traversal));
        }
        // A configuration that is not there is reported when the resource is visited.
        if let Ok(provider) = workspace.config.provider_config_for(&module.path, block) {
            self.connect_provider(node, provider);
        }
    }

    /// A resource needs what the imports into it refer to.
    fn connect_import(&mut self, module: &Module, import: &Import) {
        let node = self.node(Node::Resource(import.resource.clone()));
        for expr in [Some(&import.id), import.for_each.as_ref()].into_iter().flatten() {
            self.connect_expr(node, module, expr);
        }
        for traversal in keys(&import.to).into_iter().flat_map(Expr::traversals) {
            self.connect(node, module, traversal);
        }
        let root = &self.workspace.config;
        let owner = crate::workspace::module_at(root, &import.resource.module);
        if owner.is_none_or(|owner| !owner.resources.contains_key(&import.resource.resource)) {
            let provider = crate::imports::provider_of(root, import, &import.resource.resource);
            self.connect_provider(node, provider);
        }
    }

    fn connect_provider(&mut self, node: NodeIndex, provider: ProviderConfig) {
        let managed = matches!(&self.graph[node], Node::Resource(resource) if resource.resource.mode == Mode::Managed);
        let index = if managed { self.refresh(provider) } else { self.node(Node::Provider(provider)) };
        self.graph.update_edge(node, index, ());
    }

    /// The refresh of a provider configuration, which needs the provider.
    fn refresh(&mut self, provider: ProviderConfig) -> NodeIndex {
        let configured = self.node(Node::Provider(provider.clone()));
        let refresh = self.node(Node::Refresh(provider));
        self.graph.update_edge(refresh, configured, ());
        refresh
    }

    fn connect_providers(&mut self) {
        let providers: Vec<(NodeIndex, ProviderConfig)> = self
            .index
            .iter()
            .filter_map(|(node, index)| match node {
                Node::Provider(provider) => Some((*index, provider.clone())),
                _ => None,
            })
            .collect();
        for (index, provider) in providers {
            self.connect_provider_config(index, &provider);
        }
    }

    fn connect_provider_config(&mut self, index: NodeIndex, provider: &ProviderConfig) {
        let workspace = self.workspace;
        let Some(module) = crate::workspace::module_at(&workspace.config, &provider.module) else { return };
        let Some(block) = module.provider_block(&provider.source, provider.alias.as_ref()) else { return };
        let schema = workspace.providers.get(&provider.source).map(|p| &p.schema().provider.block);
        visit_references(&block.body, schema, &mut |traversal| self.connect(index, module, traversal));
    }

    fn connect_rules(&mut self, node: NodeIndex, module: &Module, rules: &[CheckRule]) {
        for rule in rules {
            self.connect_expr(node, module, &rule.condition);
            self.connect_expr(node, module, &rule.error_message);
        }
    }

    fn connect_depends_on(&mut self, node: NodeIndex, module: &Module, depends_on: &[Traversal]) {
        for traversal in depends_on {
            let Ok(reference) = Reference::parse(traversal) else { continue };
            match reference.subject.module_call() {
                // The whole module, not only its outputs, has to be done.
                Some(call) => self.edge(node, Node::Close(module.path.child(call.clone()))),
                None => self.connect(node, module, traversal),
            }
        }
    }

    fn connect_expr(&mut self, node: NodeIndex, module: &Module, expr: &Expr) {
        for traversal in expr.traversals() {
            self.connect(node, module, traversal);
        }
    }

    fn connect(&mut self, node: NodeIndex, module: &Module, traversal: &Traversal) {
        let Ok(reference) = Reference::parse(traversal) else { return };
        let path = &module.path;
        match &reference.subject {
            Subject::Variable(name) => self.edge(node, Node::Variable(path.clone(), name.clone())),
            Subject::Local(name) => self.edge(node, Node::Local(path.clone(), name.clone())),
            Subject::ModuleOutput(call, _, output)
                if module.children.get(call).is_none_or(|child| child.outputs.contains_key(output)) =>
            {
                self.edge(node, Node::Output(path.child(call.clone()), output.clone()));
            }
            // An output that is not declared is looked for in the whole module.
            Subject::Module(call) | Subject::ModuleInstance(call, _) | Subject::ModuleOutput(call, ..) => {
                self.edge(node, Node::Call(path.child(call.clone())));
                let outputs = module.children.get(call).map(|child| child.outputs.keys().cloned().collect::<Vec<_>>());
                for output in outputs.unwrap_or_default() {
                    self.edge(node, Node::Output(path.child(call.clone()), output));
                }
            }
            Subject::Resource(resource) => {
                let resource = ConfigResource { module: path.clone(), resource: resource.clone() };
                self.edge(node, Node::Resource(resource));
            }
            Subject::ResourceInstance(resource, key) => {
                let resource = ConfigResource { module: path.clone(), resource: resource.clone() };
                self.edge_to_instance(node, &Node::Resource(resource), key);
            }
            Subject::Each(_) | Subject::Count(_) | Subject::Path(_) | Subject::Terraform(_) | Subject::SelfObject => {}
        }
    }

    /// An edge to a node that is declared; a reference to nothing was refused before. Nothing depends on itself.
    fn edge(&mut self, from: NodeIndex, to: Node) {
        let Some(to) = self.index.get(&to).copied() else { return };
        if from == to {
            self.naming_themselves.insert(from);
        } else {
            self.graph.update_edge(from, to, ());
            self.instances.remove(&(from, to));
        }
    }

    /// The same for one instance of a resource.
    fn edge_to_instance(&mut self, from: NodeIndex, to: &Node, key: &InstanceKey) {
        let Some(to) = self.index.get(to).copied() else { return };
        if from == to {
            self.naming_themselves.insert(from);
        } else if self.graph.find_edge(from, to).is_none() {
            self.graph.add_edge(from, to, ());
            self.instances.insert((from, to), vec![key.clone()]);
        } else if let Some(keys) = self.instances.get_mut(&(from, to)).filter(|keys| !keys.contains(key)) {
            keys.push(key.clone());
        }
    }
}

/// The instance keys of an address that have to be calculated.
pub(crate) fn keys(address: &Expr) -> Vec<&Expr> {
    match &address.kind {
        ExprKind::Index(index) => keys(&index.collection).into_iter().chain([&index.key]).collect(),
        ExprKind::RelativeTraversal(relative) => keys(&relative.source),
        _ => Vec::new(),
    }
}
