//! Which attributes of resources the configuration refers to: drift there may explain a plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::module::Module;
use config::references::Reference;
use lang::ast::{StepKind, Traversal};

use crate::decode::visit_references;
use crate::plan::{PathElement, RelevantAttribute};
use crate::workspace::Workspace;

/// The attributes that outputs and resource arguments refer to, directly or through locals and variables.
pub fn relevant_attributes(workspace: &Workspace) -> Vec<RelevantAttribute> {
    let mut found = BTreeSet::new();
    collect(workspace, &workspace.config, &mut found);
    found.into_iter().collect()
}

fn collect(workspace: &Workspace, module: &Arc<Module>, found: &mut BTreeSet<RelevantAttribute>) {
    for (address, block) in &module.resources {
        let schema = workspace.providers.block(&block.provider_source, address);
        visit_references(&block.body, schema, &mut |traversal| found.extend(relevant(module, traversal)));
    }
    let repetitions = module.resources.values().flat_map(|block| [&block.count, &block.for_each]);
    let calls = module.calls.values().flat_map(|call| [&call.count, &call.for_each]);
    let arguments = module.calls.values().flat_map(|call| &call.arguments).map(|argument| &argument.expr);
    let expressions = repetitions.chain(calls).flatten().chain(arguments);
    let expressions = expressions.chain(module.outputs.values().map(|output| &output.value));
    for expr in expressions.chain(module.locals.values().map(|local| &local.expr)) {
        found.extend(expr.traversals().into_iter().filter_map(|traversal| relevant(module, traversal)));
    }
    for child in module.children.values() {
        collect(workspace, child, found);
    }
}

fn relevant(module: &Module, traversal: &Traversal) -> Option<RelevantAttribute> {
    let reference = Reference::parse(traversal).ok()?;
    let resource = reference.subject.resource()?;
    let key = match &reference.subject {
        config::references::Subject::ResourceInstance(_, key) => key.to_string(),
        _ => String::new(),
    };
    let dot = if module.path.is_root() { "" } else { "." };
    let path = reference.remaining().iter().map(|step| match &step.kind {
        StepKind::Attribute(name) | StepKind::Key(name) => PathElement::Name(name.clone()),
        StepKind::Index(index) => PathElement::Index(index.to_u64().unwrap_or_default()),
    });
    let path: Vec<PathElement> = path.collect();
    (!path.is_empty()).then(|| RelevantAttribute { resource: format!("{}{dot}{resource}{key}", module.path), path })
}
