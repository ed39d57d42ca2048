//! The apply graph: configuration nodes, so that values become known in order, and the steps of every change.
//!
//! The order of creations and deletions is Terraform's: an object goes after everything that was made after it; what replaces
//! it comes after that, or before it where `create_before_destroy` says so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use config::module::{Module, ResourceBlock};
use lang::addr::{ConfigResource, InstanceKey, ModuleInstance};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use state::Dependencies;

use crate::graph::{ConfigGraph, Node};
use crate::plan::{Action, Plan, PlanMode, ResourceChange};

/// A node of the apply graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ApplyNode {
    /// A node of the configuration. For a resource: its expansion.
    Config(Node),
    /// All creations and changes of a resource are done.
    Done(ConfigResource),
    /// The creation, change or read of `plan.changes[i]`, with its conditions; if there is nothing to do, they alone.
    Make(usize),
    /// The removal of `plan.changes[i]`: of the current object, the deposed one that it names, or the one that its
    /// replacement deposed.
    Remove(usize),
}

impl ApplyNode {
    /// How messages name it.
    pub fn text(&self, plan: &Plan) -> String {
        match self {
            ApplyNode::Config(node) => node.to_string(),
            ApplyNode::Done(resource) => resource.to_string(),
            ApplyNode::Make(i) => plan.changes.get(*i).map(|c| c.address.to_string()).unwrap_or_default(),
            ApplyNode::Remove(i) => {
                plan.changes.get(*i).map(|c| format!("{} (destroy)", c.address)).unwrap_or_default()
            }
        }
    }
}

/// The graph; an edge leads from a node to what it needs.
pub(crate) struct ApplyGraph {
    graph: DiGraph<ApplyNode, ()>,
    /// Longest path in seconds from a node to the end of the run.
    remaining: Vec<u64>,
}

impl ApplyGraph {
    /// Builds the graph of a plan for the configuration `root`. `seconds` estimates how long a step takes.
    pub fn build(
        plan: &Plan,
        root: &Module,
        config: &ConfigGraph,
        seconds: impl Fn(&ResourceChange, bool) -> u32,
    ) -> ApplyGraph {
        let (dependents, graph, index) = (dependents(plan), DiGraph::new(), HashMap::new());
        let mut builder = Builder { plan, root, dependents, graph, index };
        builder.add_config(config);
        builder.add_makes(config);
        builder.add_removes();
        builder.connect_checks();
        let graph = builder.graph;
        let remaining = remaining_seconds(&graph, plan, seconds);
        ApplyGraph { graph, remaining }
    }

    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    pub fn node(&self, index: NodeIndex) -> Option<&ApplyNode> {
        self.graph.node_weight(index)
    }

    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.node_indices()
    }

    pub fn dependencies(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.edges_directed(index, Direction::Outgoing).map(|edge| edge.target())
    }

    pub fn dependents(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.edges_directed(index, Direction::Incoming).map(|edge| edge.source())
    }

    /// How long the run takes at least from the start of this node: the greatest goes first.
    pub fn remaining(&self, index: NodeIndex) -> u64 {
        self.remaining.get(index.index()).copied().unwrap_or_default()
    }

    /// A cycle, if there is one: the steps in it as text.
    pub fn cycle(&self, plan: &Plan) -> Option<Vec<String>> {
        let component = petgraph::algo::tarjan_scc(&self.graph).into_iter().find(|component| component.len() > 1)?;
        let nodes = component.iter().filter_map(|index| self.node(*index));
        let mut names: Vec<String> = nodes.map(|node| node.text(plan)).collect();
        names.sort();
        Some(names)
    }
}

fn remaining_seconds(
    graph: &DiGraph<ApplyNode, ()>,
    plan: &Plan,
    seconds: impl Fn(&ResourceChange, bool) -> u32,
) -> Vec<u64> {
    let mut remaining = vec![0u64; graph.node_count()];
    // Nothing needs the first nodes of this order but those before them.
    for index in petgraph::algo::toposort(graph, None).unwrap_or_default() {
        let own = match graph.node_weight(index) {
            Some(ApplyNode::Make(i)) => match plan.changes.get(*i) {
                Some(change) if change.action != Action::NoOp => seconds(change, false),
                _ => 0,
            },
            Some(ApplyNode::Remove(i)) => plan.changes.get(*i).map_or(0, |change| seconds(change, true)),
            _ => 0,
        };
        let after = graph
            .edges_directed(index, Direction::Incoming)
            .map(|edge| remaining[edge.source().index()])
            .max()
            .unwrap_or_default();
        remaining[index.index()] = after + u64::from(own);
    }
    remaining
}

fn dependents(plan: &Plan) -> HashMap<Arc<ConfigResource>, Vec<usize>> {
    let mut dependents: HashMap<Arc<ConfigResource>, Vec<usize>> = HashMap::new();
    if plan.changes.iter().any(|change| change.action == Action::CreateThenDelete) {
        for (i, change) in plan.changes.iter().enumerate().filter(|(_, change)| is_made(change)) {
            for dependency in change.dependencies.iter() {
                dependents.entry(dependency.clone()).or_default().push(i);
            }
        }
    }
    dependents
}

/// Whether applying the change makes or changes an object.
fn is_made(change: &ResourceChange) -> bool {
    matches!(change.action, Action::Create | Action::Update) || change.action.is_replace()
}

/// The steps of instances by resource and key; of an instance in several instances of a module there are several.
type MakesNamed = HashMap<ConfigResource, BTreeMap<InstanceKey, Vec<usize>>>;

struct Builder<'p> {
    plan: &'p Plan,
    root: &'p Module,
    /// Changed instances by the resources that they depend on; filled only where something is made before it is destroyed.
    dependents: HashMap<Arc<ConfigResource>, Vec<usize>>,
    graph: DiGraph<ApplyNode, ()>,
    index: HashMap<ApplyNode, NodeIndex>,
}

impl Builder<'_> {
    fn node(&mut self, node: ApplyNode) -> NodeIndex {
        let graph = &mut self.graph;
        *self.index.entry(node).or_insert_with_key(|node| graph.add_node(node.clone()))
    }

    fn edge(&mut self, from: NodeIndex, to: NodeIndex) {
        if from != to {
            self.graph.add_edge(from, to, ());
        }
    }

    /// The configuration's nodes, with two for a resource: its expansion, which has its dependencies, and the end of its
    /// changes, which others depend on. A destroy needs only what provider configurations need.
    fn add_config(&mut self, config: &ConfigGraph) {
        let wanted: HashSet<NodeIndex> = match self.plan.mode {
            PlanMode::Destroy => {
                let providers = config.indices().filter(|index| matches!(config.node(*index), Some(Node::Provider(_))));
                let mut wanted: HashSet<NodeIndex> = providers.collect();
                let mut stack: Vec<NodeIndex> = wanted.iter().copied().collect();
                while let Some(index) = stack.pop() {
                    stack.extend(config.dependencies(index).filter(|dependency| wanted.insert(*dependency)));
                }
                wanted
            }
            PlanMode::Normal | PlanMode::RefreshOnly => config.indices().collect(),
        };
        let makes = self.makes_named(config);
        for index in config.indices().filter(|index| wanted.contains(index)) {
            let Some(node) = config.node(index) else { continue };
            let from = self.node(ApplyNode::Config(node.clone()));
            if let Node::Resource(resource) = node {
                let done = self.node(ApplyNode::Done(resource.clone()));
                self.edge(done, from);
            }
            let dependencies: Vec<NodeIndex> = config.dependencies(index).collect();
            for dependency in dependencies {
                let named = config.instances_named(index, dependency);
                match config.node(dependency) {
                    Some(Node::Resource(resource)) => self.connect_resource(from, resource, named, &makes),
                    Some(node) => {
                        let to = self.node(ApplyNode::Config(node.clone()));
                        self.edge(from, to);
                    }
                    None => {}
                }
            }
        }
    }

    /// What names instances waits for these alone, so that it goes on where another of the resource fails. Like in Terraform, it
    /// waits for all if nothing is to be done to one of them.
    fn connect_resource(
        &mut self,
        from: NodeIndex,
        resource: &ConfigResource,
        named: Option<&[InstanceKey]>,
        makes: &MakesNamed,
    ) {
        let of = |key: &InstanceKey| makes.get(resource)?.get(key);
        let Some(steps) = named.and_then(|keys| keys.iter().map(of).collect::<Option<Vec<_>>>()) else {
            let done = self.node(ApplyNode::Done(resource.clone()));
            return self.edge(from, done);
        };
        for i in steps.into_iter().flatten() {
            let make = self.node(ApplyNode::Make(*i));
            self.edge(from, make);
        }
    }

    /// The steps of instances, of resources of which some node names single instances.
    fn makes_named(&self, config: &ConfigGraph) -> MakesNamed {
        let mut makes: MakesNamed =
            config.resources_with_instances_named().map(|resource| (resource.clone(), BTreeMap::new())).collect();
        if makes.is_empty() || self.plan.mode != PlanMode::Normal {
            return MakesNamed::new();
        }
        for (i, change) in self.plan.changes.iter().enumerate() {
            if let Some(of_resource) = makes.get_mut(&change.address.config()).filter(|_| self.has_step(change)) {
                of_resource.entry(change.address.key.clone()).or_default().push(i);
            }
        }
        makes
    }

    /// Whether an apply visits the change: to make something, to read it, or to look at its conditions.
    fn has_step(&self, change: &ResourceChange) -> bool {
        is_made(change)
            || change.action == Action::Read
            || (change.action == Action::NoOp
                && self.plan.mode == PlanMode::Normal
                && self.block(change).is_some_and(ResourceBlock::has_conditions))
    }

    fn block(&self, change: &ResourceChange) -> Option<&ResourceBlock> {
        let module = self.root.descendant(&change.address.module.path())?;
        module.resources.get(&change.address.resource).map(Arc::as_ref)
    }

    fn add_makes(&mut self, config: &ConfigGraph) {
        for (i, change) in self.plan.changes.iter().enumerate() {
            if !self.has_step(change) {
                continue;
            }
            let make = self.node(ApplyNode::Make(i));
            let resource = change.address.config();
            if config.index_of(&Node::Resource(resource.clone())).is_some() {
                let expand = self.node(ApplyNode::Config(Node::Resource(resource.clone())));
                let done = self.node(ApplyNode::Done(resource));
                self.edge(make, expand);
                self.edge(done, make);
            }
        }
    }

    fn add_removes(&mut self) {
        let removes: Vec<usize> = self
            .plan
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.action == Action::Delete || change.action.is_replace())
            .map(|(i, _)| i)
            .collect();
        // What is removed, by resource; a barrier keeps the number of edges linear.
        let mut by_resource: BTreeMap<ConfigResource, Vec<usize>> = BTreeMap::new();
        for i in &removes {
            let Some(change) = self.plan.changes.get(*i) else { continue };
            by_resource.entry(change.address.config()).or_default().push(*i);
        }
        for i in &removes {
            self.connect_remove(*i, &by_resource);
        }
        if !removes.is_empty() {
            self.connect_removes_to_makes(&removes);
            self.connect_makes_to_removes(&by_resource);
            self.connect_deposed(&removes);
        }
    }

    /// A check is about what is there in the end: its data source is read after all else is done that does not wait for it.
    fn connect_checks(&mut self) {
        let of_check = |change: &ResourceChange| {
            change.action == Action::Read && self.block(change).is_some_and(|block| block.check.is_some())
        };
        let reads = self.plan.changes.iter().enumerate().filter(|(_, change)| of_check(change));
        let reads: Vec<usize> = reads.map(|(i, _)| i).collect();
        let reads: Vec<NodeIndex> = reads.into_iter().map(|i| self.node(ApplyNode::Make(i))).collect();
        let mut later: HashSet<NodeIndex> = reads.iter().copied().collect();
        let mut stack = reads.clone();
        while let Some(node) = stack.pop() {
            let dependents = self.graph.neighbors_directed(node, Direction::Incoming);
            stack.extend(dependents.filter(|dependent| later.insert(*dependent)));
        }
        let is_step = |node: &NodeIndex| match self.graph.node_weight(*node) {
            Some(ApplyNode::Make(i)) => self.plan.changes.get(*i).is_some_and(is_made),
            Some(ApplyNode::Remove(_)) => true,
            Some(ApplyNode::Config(_) | ApplyNode::Done(_)) | None => false,
        };
        let steps: Vec<NodeIndex> =
            self.graph.node_indices().filter(|node| !later.contains(node) && is_step(node)).collect();
        for read in reads {
            steps.iter().for_each(|step| self.edge(read, *step));
        }
    }

    /// A deposed object goes when its successor is as it should be, as far as that doesn't wait for the removal.
    fn connect_deposed(&mut self, removes: &[usize]) {
        let deposed = removes.iter().filter(|i| self.plan.changes.get(**i).is_some_and(|c| c.deposed.is_some()));
        let deposed: Vec<usize> = deposed.copied().collect();
        if deposed.is_empty() {
            return;
        }
        let made = self.plan.changes.iter().enumerate().filter(|(_, change)| is_made(change));
        let made: HashMap<_, _> = made.map(|(i, change)| (&change.address, i)).collect();
        for i in deposed {
            let successor = self.plan.changes.get(i).and_then(|change| made.get(&change.address));
            if let Some(successor) = successor {
                let (remove, make) = (self.node(ApplyNode::Remove(i)), self.node(ApplyNode::Make(*successor)));
                if !petgraph::algo::has_path_connecting(&self.graph, make, remove, None) {
                    self.edge(remove, make);
                }
            }
        }
    }

    /// What a removed object stands on is changed after the removal, unless that is of an object whose replacement is made
    /// first: then the removal waits.
    fn connect_removes_to_makes(&mut self, removes: &[usize]) {
        let mut made: HashMap<ConfigResource, Vec<usize>> = HashMap::new();
        for (i, change) in self.plan.changes.iter().enumerate().filter(|(_, change)| is_made(change)) {
            made.entry(change.address.config()).or_default().push(i);
        }
        for i in removes {
            let Some(change) = self.plan.changes.get(*i) else { continue };
            for dependency in self.made_after(change).iter() {
                for other in made.get(&**dependency).into_iter().flatten() {
                    let Some(target) = self.plan.changes.get(*other) else { continue };
                    if other == i || in_different_instances_of_a_module(&change.address.module, &target.address.module)
                    {
                        continue;
                    }
                    let (make, remove) = (self.node(ApplyNode::Make(*other)), self.node(ApplyNode::Remove(*i)));
                    match goes_last(change) {
                        true => self.edge(remove, make),
                        false => self.edge(make, remove),
                    }
                }
            }
        }
    }

    /// What the object that a change removes was made after. A replacement's own list is that of the new object.
    fn made_after(&self, change: &ResourceChange) -> Dependencies {
        match change.action.is_replace() {
            true => self.stored_dependencies(change),
            false => change.dependencies.clone(),
        }
    }

    fn connect_remove(&mut self, i: usize, by_resource: &BTreeMap<ConfigResource, Vec<usize>>) {
        let Some(change) = self.plan.changes.get(i) else { return };
        let remove = self.node(ApplyNode::Remove(i));
        let provider = self.node(ApplyNode::Config(Node::Provider(change.provider.clone())));
        self.edge(remove, provider);
        match change.action {
            Action::DeleteThenCreate => {
                let make = self.node(ApplyNode::Make(i));
                self.edge(make, remove);
            }
            Action::CreateThenDelete => {
                let make = self.node(ApplyNode::Make(i));
                self.edge(remove, make);
                // Whoever stands on the old object moves to the new one first.
                for dependent in self.dependents_made(change) {
                    self.edge(remove, dependent);
                }
            }
            _ => {}
        }
        // What this object was made after is removed after it.
        for dependency in self.made_after(change).iter() {
            for other in by_resource.get(dependency).into_iter().flatten() {
                let Some(target) = self.plan.changes.get(*other) else { continue };
                if !in_different_instances_of_a_module(&change.address.module, &target.address.module) {
                    let other = self.node(ApplyNode::Remove(*other));
                    self.edge(other, remove);
                }
            }
        }
    }

    /// The changed instances that depend on the resource of `change`.
    fn dependents_made(&mut self, change: &ResourceChange) -> Vec<NodeIndex> {
        let resource = change.address.config();
        let dependents = self.dependents.get(&resource).cloned().unwrap_or_default();
        dependents.into_iter().map(|i| self.node(ApplyNode::Make(i))).collect()
    }

    /// A made or changed object that stands on a removed one waits for the removal, unless that is made before it is destroyed:
    /// then the removal waits.
    fn connect_makes_to_removes(&mut self, by_resource: &BTreeMap<ConfigResource, Vec<usize>>) {
        for (i, change) in self.plan.changes.iter().enumerate() {
            if !is_made(change) {
                continue;
            }
            for dependency in self.stored_dependencies(change).iter() {
                for other in by_resource.get(dependency).into_iter().flatten() {
                    let Some(target) = self.plan.changes.get(*other) else { continue };
                    if in_different_instances_of_a_module(&change.address.module, &target.address.module) {
                        continue;
                    }
                    let make = self.node(ApplyNode::Make(i));
                    let remove = self.node(ApplyNode::Remove(*other));
                    match goes_last(target) || change.action == Action::CreateThenDelete {
                        true => self.edge(remove, make),
                        false => self.edge(make, remove),
                    }
                }
            }
        }
    }

    /// What the object that is there was made after; of one that is yet to be made, what it will be made after.
    fn stored_dependencies(&self, change: &ResourceChange) -> Dependencies {
        let stored = self.plan.prior_state.current(&change.address);
        stored.map_or_else(|| change.dependencies.clone(), |object| object.dependencies.clone())
    }
}

/// Whether what a change removes goes after everything that is made around it.
fn goes_last(change: &ResourceChange) -> bool {
    match change.action {
        Action::CreateThenDelete => true,
        Action::Delete => change.create_before_destroy || change.deposed.is_some(),
        _ => false,
    }
}

/// Instances of one module don't depend on each other, though their resources have the same configuration addresses.
fn in_different_instances_of_a_module(a: &ModuleInstance, b: &ModuleInstance) -> bool {
    a.0.iter()
        .zip(b.0.iter())
        .take_while(|(a, b)| a.0 == b.0)
        .any(|(a, b)| a.1 != b.1 && a.1 != InstanceKey::None && b.1 != InstanceKey::None)
}
