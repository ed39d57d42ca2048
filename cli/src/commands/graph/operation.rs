//! The graphs of operations: what a plan, a destroy or an apply walks.

use std::collections::BTreeSet;

use lang::addr::{ConfigResource, Mode, ModulePath};
use planner::apply::{ApplyNode, outline};
use planner::graph::{ConfigGraph, Node};
use planner::plan::{Plan, PlanMode};
use planner::{Workspace, module_at};
use state::State;

use super::drawing::{Drawing, Shape};

/// What a plan of the whole configuration walks, or an apply of whose changes nothing is known.
pub fn whole(workspace: &Workspace, state: &State, phase: Phase) -> Drawing {
    let config = ConfigGraph::build(workspace, &BTreeSet::new());
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase };
    for node in config.indices().filter_map(|index| config.node(index)) {
        sketch.object(&config, node);
    }
    if phase == Phase::Plan {
        sketch.orphans(state);
    }
    sketch.unwanted_outputs(state);
    sketch.finish()
}

/// What a plan that destroys everything walks: the objects of the state, and what their providers need.
pub fn destroy(workspace: &Workspace, state: &State) -> Drawing {
    let config = ConfigGraph::build(workspace, &BTreeSet::new());
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase: Phase::Apply };
    for (address, provider, instance) in state.instances() {
        let resource = address.abs_resource();
        let name = format!("{resource} (destroy)");
        sketch.drawing.node(&name, Some((resource.config().to_string(), Shape::Box)));
        sketch.provider(&name, &Node::Provider(provider.clone()));
        for needed in instance.current.iter().flat_map(|object| object.dependencies.iter()) {
            for (other, ..) in state.instances().filter(|(other, ..)| other.config() == **needed) {
                sketch.drawing.edge(&format!("{} (destroy)", other.abs_resource()), &name);
            }
        }
    }
    let providers: BTreeSet<Node> =
        state.instances().map(|(_, provider, _)| Node::Provider(provider.clone())).collect();
    let mut stack: Vec<_> = providers.iter().filter_map(|provider| config.index_of(provider)).collect();
    let mut seen: BTreeSet<_> = stack.iter().copied().collect();
    while let Some(index) = stack.pop() {
        if let Some(node) = config.node(index) {
            sketch.object(&config, node);
        }
        stack.extend(config.dependencies(index).filter(|needed| seen.insert(*needed)));
    }
    sketch.root_outputs();
    sketch.unwanted_outputs(state);
    sketch.finish()
}

/// What applying a plan walks.
pub fn apply(workspace: &Workspace, plan: &Plan) -> Drawing {
    let providers = plan.changes.iter().map(|change| change.provider.clone()).collect();
    let config = ConfigGraph::build(workspace, &providers);
    let mut sketch = Sketch { workspace, drawing: Drawing::default(), phase: Phase::Apply };
    let steps = outline(plan, &config);
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

    /// The objects of the state whose resource is not in the configuration any more.
    fn orphans(&mut self, state: &State) {
        for (address, provider, _) in state.instances().filter(|(address, ..)| address.resource.mode == Mode::Managed) {
            let module = module_at(&self.workspace.config, &address.module.path());
            if module.is_none_or(|module| !module.resources.contains_key(&address.resource)) {
                let name = format!("{address} (orphan)");
                self.drawing.node(&name, Some((address.to_string(), Shape::Box)));
                self.provider(&name, &Node::Provider(provider.clone()));
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
