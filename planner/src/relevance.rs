//! Which attributes of resources a plan's changes come from: drift there may explain the plan.

use std::collections::{BTreeSet, HashSet};

use config::module::Module;
use config::references::{Reference, Subject};
use lang::ast::{Expr, StepKind, Traversal};
use petgraph::graph::NodeIndex;

use crate::decode::visit_references;
use crate::graph::{ConfigGraph, Node};
use crate::plan::{PathElement, RelevantAttribute};
use crate::workspace::Workspace;

/// The attributes that the configuration of these nodes refers to, directly or through variables, locals, outputs and
/// other resources.
pub fn relevant_attributes(
    workspace: &Workspace,
    graph: &ConfigGraph,
    changed: impl Iterator<Item = Node>,
) -> Vec<RelevantAttribute> {
    let mut open: Vec<NodeIndex> = changed.filter_map(|node| graph.index_of(&node)).collect();
    let mut seen: HashSet<NodeIndex> = open.iter().copied().collect();
    let mut found = BTreeSet::new();
    while let Some(index) = open.pop() {
        let Some(node) = graph.node(index) else { continue };
        collect(workspace, node, &mut found);
        let carries = |index: &NodeIndex| {
            matches!(
                graph.node(*index),
                Some(Node::Variable(..) | Node::Local(..) | Node::Output(..) | Node::Resource(_))
            )
        };
        open.extend(graph.dependencies(index).filter(carries).filter(|index| seen.insert(*index)));
    }
    found.into_iter().collect()
}

fn collect(workspace: &Workspace, node: &Node, found: &mut BTreeSet<RelevantAttribute>) {
    let root = &workspace.config;
    let mut add = |module: &Module, exprs: &[&Expr]| {
        let traversals = exprs.iter().flat_map(|expr| expr.traversals());
        found.extend(traversals.filter_map(|traversal| relevant(module, traversal)));
    };
    match node {
        Node::Variable(path, name) => {
            let Some((caller, call)) =
                path.parent().zip(path.0.last()).and_then(|(parent, call)| Some((root.descendant(&parent)?, call)))
            else {
                return;
            };
            let arguments = caller.calls.get(call).map(|call| call.arguments.as_slice()).unwrap_or_default();
            if let Some(argument) = arguments.iter().find(|argument| argument.name == *name) {
                add(caller, &[&argument.expr]);
            }
        }
        Node::Local(path, name) => {
            if let Some(module) = root.descendant(path)
                && let Some(local) = module.locals.get(name)
            {
                add(module, &[&local.expr]);
            }
        }
        Node::Output(path, name) => {
            if let Some(module) = root.descendant(path)
                && let Some(output) = module.outputs.get(name)
            {
                add(module, &[&output.value]);
            }
        }
        Node::Resource(resource) => {
            let Some(module) = root.descendant(&resource.module) else { return };
            let Some(block) = module.resources.get(&resource.resource) else { return };
            add(module, &[&block.count, &block.for_each].into_iter().flatten().map(|expr| &**expr).collect::<Vec<_>>());
            let schema = workspace.providers.block(&block.provider_source, &resource.resource);
            visit_references(&block.body, schema, &mut |traversal| found.extend(relevant(module, traversal)));
        }
        Node::Call(_) | Node::Close(_) | Node::Provider(_) | Node::Refresh(_) | Node::Check(..) => {}
    }
}

fn relevant(module: &Module, traversal: &Traversal) -> Option<RelevantAttribute> {
    let reference = Reference::parse(traversal).ok()?;
    let resource = reference.subject.resource()?;
    let key = match &reference.subject {
        Subject::ResourceInstance(_, key) => key.to_string(),
        _ => String::new(),
    };
    let dot = if module.path.is_root() { "" } else { "." };
    let path = reference.remaining().iter().map(|step| match &step.kind {
        StepKind::Attribute(name) | StepKind::Key(name) => PathElement::Name(name.clone()),
        StepKind::Index(index) => PathElement::Index(index.to_u64().unwrap_or_default()),
    });
    Some(RelevantAttribute { resource: format!("{}{dot}{resource}{key}", module.path), path: path.collect() })
}
