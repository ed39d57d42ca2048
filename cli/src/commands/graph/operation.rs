//! The graphs of operations: what a plan, a destroy or an apply walks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use lang::addr::{ConfigResource, Mode, ModulePath, ProviderConfig, ResourceInstance};
use planner::apply::{ApplyNode, outline};
use planner::graph::{ConfigGraph, Node};
use planner::plan::{Plan, PlanMode};
use planner::{Workspace, module_at};
use state::{DeposedKey, InstanceState, State};

use super::drawing::{Drawing, Shape};

/// What a plan of the whole configuration walks, or an apply of whose changes nothing is known.
pub fn whole(workspace: &Workspace, config: &ConfigGraph, state: &State, phase: Phase) -> Drawing {
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase };
    for node in config.indices().filter_map(|index| config.node(index)) {
        sketch.object(config, node);
    }
    if phase == Phase::Plan {
        sketch.orphans(state);
    }
    sketch.unwanted_modules(state);
    sketch.unwanted_outputs(state);
    sketch.finish()
}

/// What a plan that destroys everything walks: the objects of the state, and what their providers need.
pub fn destroy(workspace: &Workspace, config: &ConfigGraph, state: &State) -> Drawing {
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase: Phase::Apply };
    let all: Vec<Doomed> = state.instances().flat_map(doomed).collect();
    let mut by_resource: HashMap<&ConfigResource, Vec<&Doomed>> = HashMap::new();
    all.iter().for_each(|object| by_resource.entry(&object.resource).or_default().push(object));
    for object in &all {
        sketch.drawing.node(&object.name, Some((object.resource.to_string(), Shape::Box)));
        if let Some(shown) = &object.shown {
            sketch.drawing.show_as(&object.name, shown.clone());
        }
        sketch.provider(&object.name, &Node::Provider(object.provider.clone()));
        for needed in object.dependencies {
            for other in by_resource.get(&**needed).into_iter().flatten() {
                sketch.drawing.edge(&other.name, &object.name);
            }
        }
    }
    let providers: BTreeSet<Node> =
        state.instances().map(|(_, provider, _)| Node::Provider(provider.clone())).collect();
    let mut stack: Vec<_> = providers.iter().filter_map(|provider| config.index_of(provider)).collect();
    let mut seen: BTreeSet<_> = stack.iter().copied().collect();
    while let Some(index) = stack.pop() {
        if let Some(node) = config.node(index) {
            sketch.object(config, node);
        }
        stack.extend(config.dependencies(index).filter(|needed| seen.insert(*needed)));
    }
    sketch.root_outputs();
    sketch.unwanted_outputs(state);
    sketch.finish()
}

/// An object that a destroy takes away.
struct Doomed<'s> {
    name: String,
    /// The current objects of a resource are shown by one name.
    shown: Option<String>,
    resource: ConfigResource,
    provider: &'s ProviderConfig,
    dependencies: &'s [Arc<ConfigResource>],
}

fn doomed<'s>(
    (address, provider, instance): (ResourceInstance, &'s ProviderConfig, &'s InstanceState),
) -> Vec<Doomed<'s>> {
    let doomed = |name, shown, dependencies| Doomed { name, shown, resource: address.config(), provider, dependencies };
    let current = instance.current.iter().map(|object| {
        let shown = format!("{} (destroy)", address.config());
        doomed(format!("{address} (destroy)"), Some(shown), &object.dependencies[..])
    });
    // What a deposed object was made after is not looked at.
    let deposed = instance.deposed.keys().map(|key| doomed(deposed_name(&address, key), None, &[]));
    current.chain(deposed).collect()
}

fn deposed_name(address: &ResourceInstance, key: &DeposedKey) -> String {
    format!("{address} (deposed {key})")
}

/// What applying a plan walks.
pub fn apply(workspace: &Workspace, plan: &Plan) -> Drawing {
    let providers = plan.changes.iter().map(|change| change.provider.clone()).collect();
    let config = ConfigGraph::build(workspace, &providers);
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase: Phase::Apply };
    let steps = outline(plan, &workspace.config, &config);
    for (step, needs) in &steps {
        let needed = needs.iter().filter_map(|index| steps.get(*index)).map(|(step, _)| step);
        let change = match step {
            ApplyNode::Config(node) => {
                let needed = needed.filter_map(|step| match step {
                    ApplyNode::Config(node) => Some((node.clone(), sketch.needed(node))),
                    ApplyNode::Done(resource) => Some((Node::Resource(resource.clone()), done(resource))),
                    ApplyNode::Make(_) | ApplyNode::Remove(_) => None,
                });
                let needed: Vec<_> = needed.collect();
                sketch.configuration(node, needed);
                continue;
            }
            ApplyNode::Done(_) => None,
            ApplyNode::Make(index) | ApplyNode::Remove(index) => plan.changes.get(*index),
        };
        let Some(name) = sketch.step(plan, step) else { continue };
        let needed: Vec<String> = needed.filter_map(|step| sketch.step(plan, step)).collect();
        needed.iter().for_each(|needed| sketch.drawing.edge(&name, needed));
        if let Some(change) = change {
            sketch.drawing.node(&name, Some((change.address.config().to_string(), Shape::Box)));
            sketch.provider(&name, &Node::Provider(change.provider.clone()));
        }
    }
    for (step, _) in &steps {
        if let ApplyNode::Done(resource) = step {
            sketch.drawing.take_out(&done(resource));
        }
    }
    sketch.unwanted_outputs(&plan.prior_state);
    if plan.mode == PlanMode::Destroy {
        sketch.root_outputs();
        // Data sources only leave the state.
        let data = plan.prior_state.instances().filter(|(address, ..)| address.resource.mode == Mode::Data);
        for (address, ..) in data {
            let shape = Some((address.config().to_string(), Shape::Box));
            sketch.drawing.node(&format!("{address} (destroy)"), shape);
        }
    } else {
        sketch.unwanted_modules(&plan.prior_state);
    }
    sketch.finish()
}

/// The name under which all changes of a resource are gathered before the drawing is made.
fn done(resource: &ConfigResource) -> String {
    format!("{resource} (done)")
}

/// What an operation does. While planning, checks announce what they are about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It plans.
    Plan,
    /// It applies.
    Apply,
}

struct Sketch<'w> {
    workspace: &'w Workspace,
    drawing: Drawing,
    phase: Phase,
}

impl Sketch<'_> {
    fn finish(mut self) -> Drawing {
        self.drawing.add_root();
        self.drawing
    }

    fn name(&self, node: &Node) -> String {
        match node {
            Node::Variable(module, name) if module.is_root() => format!("var.{name}"),
            Node::Resource(_) | Node::Check(..) => format!("{node} (expand)"),
            node => node.to_string(),
        }
    }

    /// The name of a step of an apply.
    fn step(&self, plan: &Plan, step: &ApplyNode) -> Option<String> {
        let address = |index: &usize| plan.changes.get(*index).map(|change| change.address.to_string());
        match step {
            ApplyNode::Config(node) => Some(self.needed(node)),
            ApplyNode::Done(resource) => Some(done(resource)),
            ApplyNode::Make(index) => address(index),
            ApplyNode::Remove(index) => {
                let how = match &plan.changes.get(*index)?.deposed {
                    Some(key) => format!(" (destroy deposed {key})"),
                    None => " (destroy)".to_owned(),
                };
                Some(address(index)? + &how)
            }
        }
    }

    fn is_validated(&self, node: &Node) -> bool {
        let Node::Variable(module, name) = node else { return false };
        let module = module_at(&self.workspace.config, module);
        let variable = module.and_then(|module| module.variables.get(name));
        variable.is_some_and(|variable| !variable.validations.is_empty())
    }

    /// The name of what others need of a node: of a variable its value as validated.
    fn needed(&self, node: &Node) -> String {
        match node {
            Node::Variable(module, name) if self.is_validated(node) => {
                let dot = if module.is_root() { "" } else { "." };
                format!("{module}{dot}var.{name} (validation)")
            }
            node => self.name(node),
        }
    }

    /// An object of the configuration with what it needs there.
    fn object(&mut self, config: &ConfigGraph, node: &Node) {
        let Some(index) = config.index_of(node) else { return };
        let needed = config.dependencies(index).filter_map(|needed| config.node(needed));
        let needed: Vec<_> = needed.map(|needed| (needed.clone(), self.needed(needed))).collect();
        self.configuration(node, needed);
    }

    /// An object of the configuration with what it needs, each with the name to draw it by.
    fn configuration(&mut self, node: &Node, needed: Vec<(Node, String)>) {
        if matches!(node, Node::Refresh(_)) {
            // Terraform reads each object where it plans it.
            return;
        }
        let name = self.name(node);
        let shape = match node {
            Node::Variable(module, _) if module.is_root() => Some((name.clone(), Shape::Note)),
            Node::Resource(resource) => Some((resource.to_string(), Shape::Box)),
            Node::Provider(_) => Some((name.clone(), Shape::Diamond)),
            _ => None,
        };
        self.drawing.node(&name, shape);
        let validated = self.is_validated(node);
        if validated {
            self.drawing.edge(&self.needed(node), &name);
        }
        if self.phase == Phase::Plan && matches!(node, Node::Check(..)) {
            self.drawing.edge(&name, &format!("{node} (report)"));
        }
        for (needed, drawn) in needed {
            match (node, &needed) {
                (_, Node::Provider(provider) | Node::Refresh(provider)) => {
                    self.provider(&name, &Node::Provider(provider.clone()));
                }
                (Node::Variable(module, _), needed) if validated && is_below(needed, module) => {
                    self.drawing.edge(&self.needed(node), &drawn);
                }
                _ => self.drawing.edge(&name, &drawn),
            }
        }
    }

    /// Something that needs a provider: it is closed after that.
    fn provider(&mut self, name: &str, provider: &Node) {
        let text = self.name(provider);
        self.drawing.node(&text, Some((text.clone(), Shape::Diamond)));
        self.drawing.edge(name, &text);
        self.drawing.edge(&format!("{text} (close)"), name);
    }

    /// The objects of the state that no instance of the configuration stands for: deposed ones, and those whose resource is not
    /// in the configuration any more.
    fn orphans(&mut self, state: &State) {
        for (address, provider, instance) in state.instances() {
            let label = Some((address.config().to_string(), Shape::Box));
            let provider = Node::Provider(provider.clone());
            for key in instance.deposed.keys() {
                let name = deposed_name(&address, key);
                self.drawing.node(&name, label.clone());
                self.provider(&name, &provider);
            }
            let path = address.module.path();
            let module = module_at(&self.workspace.config, &path);
            let configured = module.is_some_and(|module| module.resources.contains_key(&address.resource));
            if configured || instance.current.is_none() {
                continue;
            }
            let name = format!("{address} (orphan)");
            self.drawing.node(&name, label);
            if address.resource.mode == Mode::Managed {
                self.provider(&name, &provider);
            }
            if module.is_some() && !path.is_root() {
                self.drawing.edge(&name, &self.name(&Node::Call(path.clone())));
                self.drawing.edge(&self.name(&Node::Close(path)), &name);
            }
        }
    }

    /// The modules of the state that are not in the configuration any more.
    fn unwanted_modules(&mut self, state: &State) {
        for path in state.resources.keys().map(|resource| resource.module.path()) {
            if module_at(&self.workspace.config, &path).is_none() {
                self.drawing.node(&self.name(&Node::Close(path)), None);
            }
        }
    }

    /// The outputs of the state that are not in the configuration any more.
    fn unwanted_outputs(&mut self, state: &State) {
        for name in state.outputs.keys().filter(|name| !self.workspace.config.outputs.contains_key(*name)) {
            let text = format!("output.{name} (destroy)");
            self.drawing.node(&text, Some((text.clone(), Shape::Note)));
        }
    }

    /// The root outputs, which a destroy only takes out of the state.
    fn root_outputs(&mut self) {
        for name in self.workspace.config.outputs.keys() {
            self.drawing.node(&Node::Output(ModulePath::root(), name.clone()).to_string(), None);
        }
    }
}

/// Whether a node is written in a module or below it: what a variable's conditions refer to, unlike its value.
fn is_below(node: &Node, module: &ModulePath) -> bool {
    *node != Node::Call(module.clone()) && node.module().is_some_and(|path| path.0.starts_with(&module.0))
}
