//! `import` blocks.

use config::addresses::AbsoluteAddress;
use config::module::{Import, ResourceBlock};
use config::reference_checks::Place;
use lang::addr::InstanceKey;
use lang::eval::evaluate;
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Type};

use crate::expansion::Repetition;
use crate::reference_check::{ReferenceCheck, References};
use crate::scope::{BlockScope, ModuleScope};

/// Checks the `import` blocks of the root module that have a resource as their target.
pub(crate) fn validate(
    check: &ReferenceCheck<'_>,
    module: &ModuleScope,
    block: &ResourceBlock,
    scope: &BlockScope<'_>,
    diagnostics: &mut Diagnostics,
) {
    let root = &check.workspace.config;
    let own =
        |import: &&Import| import.resource.module == module.config.path && import.resource.resource == block.address;
    for import in root.imports.iter().filter(own) {
        validate_target(import, block, diagnostics);
        let place = Place { for_each: import.for_each.is_some(), ..Place::default() };
        let check = ReferenceCheck { module: root, place, ..*check };
        if check.expr(&import.id, diagnostics) != References::Sound {
            continue;
        }
        let Some(root) = scope.world.module(&lang::addr::ModuleInstance::root()) else { continue };
        let repetition = if place.for_each { Repetition::Any } else { Repetition::None };
        let scope = BlockScope { world: scope.world, module: &root, repetition: &repetition, self_value: None };
        let before = diagnostics.len();
        let value = evaluate(&import.id, &scope, diagnostics);
        if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
            continue;
        }
        if let Some(detail) = unsuitable_id(&value) {
            diagnostics.push(Diagnostic::error("Invalid import id argument", detail).at(import.id.range));
        }
    }
}

/// What is wrong with an id, as far as it is known.
fn unsuitable_id(value: &lang::Value) -> Option<&'static str> {
    if value.is_null() {
        return Some("The import ID cannot be null.");
    }
    if value.marks.contains(Marks::SENSITIVE) {
        return Some("The import ID cannot be sensitive.");
    }
    match value.convert(&Type::String) {
        Err(_) => Some("The import ID value is unsuitable: not a string."),
        Ok(text) if text.as_str().is_some_and(|text| text.is_empty()) => {
            Some("The import ID value evaluates to an empty string, please provide a non-empty value.")
        }
        Ok(_) => None,
    }
}

/// A key in `to` needs a resource that is repeated in that way.
fn validate_target(import: &Import, block: &ResourceBlock, diagnostics: &mut Diagnostics) {
    let Some(target) = import.to.as_traversal().and_then(|traversal| AbsoluteAddress::parse(&traversal).ok()) else {
        return;
    };
    let AbsoluteAddress::Resource(target) = target else { return };
    let detail = match target.key {
        InstanceKey::Index(_) if block.count.is_none() => "The target resource does not use count.",
        InstanceKey::Name(_) if block.for_each.is_none() => "The target resource does not use for_each.",
        _ => return,
    };
    diagnostics.push(Diagnostic::error("Invalid import 'to' expression", detail).at(import.to.range));
}
