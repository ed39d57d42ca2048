//! What refers to itself: nothing is known of it before it is.

use config::module::ResourceBlock;
use config::references::{Reference, Subject};
use lang::addr::AbsResource;
use lang::ast::Attribute;
use lang::{Diagnostic, Diagnostics};
use sdk::Schema;

use crate::decode::visit_references;
use crate::expansion::Expansion;
use crate::graph::Node;
use crate::planning::Planning;

/// An error for each reference of a local value to itself.
pub(crate) fn of_local(local: &Attribute) -> Diagnostics {
    let locals = local.expr.traversals().into_iter().filter(|traversal| traversal.root == "local");
    let references = locals.filter_map(|traversal| Reference::parse(traversal).ok());
    let own = references.filter(|reference| matches!(&reference.subject, Subject::Local(name) if *name == local.name));
    let detail = format!("Local value local.{} cannot use its own result as part of its expression.", local.name);
    own.map(|reference| Diagnostic::error("Self-referencing local value", detail.as_str()).at(reference.range))
        .collect()
}

impl Planning<'_> {
    /// Reports references of a block's arguments to its own resource. Instances do not refer to each other either: their
    /// arguments are the same, so that each would refer to itself.
    pub(crate) fn refers_to_itself(
        &self,
        block: &ResourceBlock,
        schema: &Schema,
        resource: &AbsResource,
        expansion: &Expansion,
    ) -> bool {
        if !self.graph.names_itself(&Node::Resource(resource.config())) {
            return false;
        }
        let keys = expansion.keys_to_plan();
        let mut diagnostics = Diagnostics::new();
        visit_references(&block.body, Some(&schema.block), &mut |traversal| {
            let Ok(reference) = Reference::parse(traversal) else { return };
            let is_own = match &reference.subject {
                Subject::Resource(named) => *named == block.address && !keys.is_empty(),
                Subject::ResourceInstance(named, key) => *named == block.address && keys.contains(key),
                _ => false,
            };
            if is_own {
                let detail = format!("Configuration for {} may not refer to itself.", block.address);
                diagnostics.push(Diagnostic::error("Self-referential block", detail).at(reference.range));
            }
        });
        let found = diagnostics.has_errors();
        self.world.report(diagnostics);
        found
    }
}
