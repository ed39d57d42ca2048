//! Checks of `import` blocks that need no state.

use config::addresses::AbsoluteAddress;
use config::module::{Import, Module, ResourceBlock};
use config::reference_checks::Place;
use config::references::Reference;
use lang::addr::{ConfigResource, InstanceKey, ModuleInstance, ResourceInstance};
use lang::eval::evaluate;
use lang::{Diagnostic, Diagnostics, Type, Value};

use super::resolve::{repetitions, target};
use crate::expansion::Repetition;
use crate::reference_check::{ReferenceCheck, References};
use crate::scope::{BlockScope, World};

const NO_TARGET: &str = "Configuration for import target does not exist";

/// Reports imports into called modules that have no such resource: only the root module's configuration can be generated.
pub(crate) fn check_targets(root: &Module) -> Diagnostics {
    let lost = root.imports.iter().filter(|import| !import.resource.module.is_root()).filter_map(|import| {
        let target = &import.resource;
        let detail = match root.descendant(&target.module) {
            None => format!(
                "The configuration for the given import target {target} does not exist. All target instances must have an \
                 associated configuration to be imported."
            ),
            Some(module) if !module.resources.contains_key(&target.resource) => format!(
                "Resource {target} not found. Only resources within the root module are eligible for config generation."
            ),
            Some(_) => return None,
        };
        Some(Diagnostic::error(NO_TARGET, detail).at(import.to.range))
    });
    lost.collect()
}

/// The message for an import whose configuration cannot be generated.
pub(super) fn not_generated(import: &Import) -> Diagnostic {
    let detail = "The given import block is not compatible with config generation. The -generate-config-out option cannot be \
                  used with import blocks which use for_each, or resources which use for_each or count.";
    Diagnostic::error(NO_TARGET, detail).at(import.to.range)
}

/// Checks the imports into a configured resource, up to the first mistake.
pub(crate) fn validate(world: &World<'_>, resource: &ConfigResource, block: &ResourceBlock) {
    let mut diagnostics = Diagnostics::new();
    for import in imports_into(world, resource) {
        validate_import(import, Some(block), world, &mut diagnostics);
        if diagnostics.has_errors() {
            break;
        }
    }
    world.report(diagnostics);
}

/// Checks the imports into a resource without configuration, each for itself. Those that refer to the resource stand on the
/// others, and are not looked at if one of those is wrong.
pub(crate) fn validate_unconfigured(world: &World<'_>, resource: &ConfigResource) {
    let root = &world.workspace.config;
    let mut diagnostics = Diagnostics::new();
    let (standing, first): (Vec<&Import>, Vec<&Import>) =
        imports_into(world, resource).partition(|import| refers_to(import, root));
    for import in first {
        validate_generated(import, world, &mut diagnostics);
    }
    if !diagnostics.has_errors() {
        standing.into_iter().for_each(|import| validate_generated(import, world, &mut diagnostics));
    }
    world.report(diagnostics);
}

fn validate_generated(import: &Import, world: &World<'_>, diagnostics: &mut Diagnostics) {
    if names_one_of_many(import) {
        diagnostics.push(not_generated(import));
    } else {
        validate_import(import, None, world, diagnostics);
    }
}

fn imports_into<'w>(world: &'w World<'_>, resource: &ConfigResource) -> impl Iterator<Item = &'w Import> {
    world.workspace.config.imports.iter().filter(move |import| import.resource == *resource)
}

/// Whether the target is an instance of a resource with `count` or `for_each`, as far as `to` tells that as it is written.
fn names_one_of_many(import: &Import) -> bool {
    let target = import.to.as_traversal().and_then(|traversal| AbsoluteAddress::parse(&traversal).ok());
    let Some(AbsoluteAddress::Resource(target)) = target else { return false };
    target.key != InstanceKey::None || import.for_each.is_some()
}

fn validate_import(import: &Import, block: Option<&ResourceBlock>, world: &World<'_>, diagnostics: &mut Diagnostics) {
    let module = &*world.workspace.config;
    let Some(root) = world.module(&ModuleInstance::root()) else { return };
    let outside = ReferenceCheck::new(world.workspace, module, Place::default());
    if let Some(for_each) = &import.for_each
        && outside.expr(for_each, diagnostics) != References::Sound
    {
        return;
    }
    let Some(repetitions) = repetitions(world, import, diagnostics) else { return };
    let inside = ReferenceCheck { place: Place { for_each: import.for_each.is_some(), ..Place::default() }, ..outside };
    if refers_to(import, module) {
        let detail = "The import ID cannot reference the resource being imported.";
        diagnostics.push(Diagnostic::error("Invalid import id argument", detail).at(import.id.range));
        return;
    }
    let keys = crate::graph::keys(&import.to);
    if keys.into_iter().chain([&*import.id]).any(|expr| inside.expr(expr, diagnostics) != References::Sound) {
        return;
    }
    for repetition in &repetitions {
        let scope = BlockScope { world, module: &root, repetition, self_value: None };
        match target_of(import, &scope) {
            Ok(address) => diagnostics.extend(address.and_then(|address| mismatched_key(import, &address, block))),
            Err(error) => diagnostics.push(error),
        }
        if diagnostics.has_errors() {
            return;
        }
        let before = diagnostics.len();
        let (value, _) = evaluate(&import.id, &scope, diagnostics).unmark();
        if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
            return;
        }
        if let Err(error) = value.convert(&Type::String) {
            let detail = format!("Invalid expression value: {error}.");
            diagnostics.push(Diagnostic::error("Incorrect value type", detail).at(import.id.range));
        } else if let Some(detail) = unsuitable_id(&value) {
            diagnostics.push(Diagnostic::error("Invalid import id argument", detail).at(import.id.range));
        }
    }
}

/// The instance that `to` names, if it can be told without knowing what `each` is.
fn target_of(import: &Import, scope: &BlockScope<'_>) -> Result<Option<ResourceInstance>, Diagnostic> {
    if matches!(scope.repetition, Repetition::Any) && import.to.as_traversal().is_none() {
        return Ok(None);
    }
    target(import, scope).map(Some)
}

fn refers_to(import: &Import, root: &Module) -> bool {
    import.resource.module == root.path
        && import.id.traversals().into_iter().any(|traversal| {
            let reference = Reference::parse(traversal).ok();
            reference.is_some_and(|reference| reference.subject.resource() == Some(&import.resource.resource))
        })
}

/// What is wrong with an id, as far as it is known.
fn unsuitable_id(value: &Value) -> Option<&'static str> {
    if value.is_null() {
        return Some("The import ID cannot be null.");
    }
    match value.convert(&Type::String) {
        Ok(text) if text.as_str().is_some_and(|text| text.is_empty()) => {
            Some("The import ID value evaluates to an empty string, please provide a non-empty value.")
        }
        _ => None,
    }
}

/// A key in `to` needs a resource that is repeated in that way, and such a resource needs a key.
fn mismatched_key(import: &Import, target: &ResourceInstance, block: Option<&ResourceBlock>) -> Option<Diagnostic> {
    let count = block.is_some_and(|block| block.count.is_some());
    let for_each = block.is_some_and(|block| block.for_each.is_some());
    let detail = match &target.key {
        InstanceKey::Index(_) if !count => "The target resource does not use count.",
        InstanceKey::Name(_) if !for_each => "The target resource does not use for_each.",
        InstanceKey::None if count => "The target resource is using count.",
        InstanceKey::None if for_each => "The target resource is using for_each.",
        _ => return None,
    };
    Some(Diagnostic::error("Invalid import 'to' expression", detail).at(import.to.range))
}
