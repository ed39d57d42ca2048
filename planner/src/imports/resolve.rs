//! What `import` blocks ask for, evaluated: which instance takes the object of which id.

use std::collections::BTreeMap;

use config::addresses::AbsoluteAddress;
use config::module::Import;
use lang::addr::{ConfigResource, ModuleInstance, ResourceInstance};
use lang::ast::Expr;
use lang::eval::evaluate;
use lang::values::Kind;
use lang::{Diagnostic, Diagnostics, Str, Type, Value};

use crate::decode::referenced_values;
use crate::expansion::Repetition;
use crate::scope::{BlockScope, Phase, World};
use crate::triggers::static_traversal;

/// Ids by the instances that take their objects.
pub(crate) type Wanted = BTreeMap<ResourceInstance, Str>;

/// Evaluates the `import` blocks that name a resource. `None` after an error.
pub(crate) fn resolve(world: &World<'_>, resource: &ConfigResource) -> Option<Wanted> {
    let mut wanted = Wanted::new();
    let mut diagnostics = Diagnostics::new();
    for import in world.workspace.config.imports.iter().filter(|import| import.resource == *resource) {
        let Some(repetitions) = repetitions(world, import, &mut diagnostics) else { continue };
        for repetition in repetitions {
            if let Some((address, id)) = one(world, import, &repetition, &mut diagnostics) {
                wanted.insert(address, id);
            }
        }
    }
    let failed = diagnostics.has_errors();
    world.report(diagnostics);
    (!failed).then_some(wanted)
}

fn one(
    world: &World<'_>,
    import: &Import,
    repetition: &Repetition,
    diagnostics: &mut Diagnostics,
) -> Option<(ResourceInstance, Str)> {
    let root = world.module(&ModuleInstance::root())?;
    let scope = BlockScope { world, module: &root, repetition, self_value: None };
    let address = match target(import, &scope) {
        Ok(address) => address,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return None;
        }
    };
    id(&import.id, &scope, diagnostics).map(|id| (address, id))
}

/// The instance that `to` names.
pub(super) fn target(import: &Import, scope: &BlockScope<'_>) -> Result<ResourceInstance, Diagnostic> {
    let invalid = |place| {
        let detail = "Invalid resource instance key: either a string or an integer is required.";
        Diagnostic::error("Invalid address", detail).at(place)
    };
    match AbsoluteAddress::parse(&static_traversal(&import.to, scope, &invalid)?)? {
        AbsoluteAddress::Resource(address) => Ok(address),
        AbsoluteAddress::Module(_) => Err(invalid(import.to.range)),
    }
}

fn id(expr: &Expr, scope: &BlockScope<'_>, diagnostics: &mut Diagnostics) -> Option<Str> {
    const SUMMARY: &str = "Invalid import id argument";
    let before = diagnostics.len();
    // Marks may go: the id is only shown to the provider, as Terraform does it.
    let (value, _) = evaluate(expr, scope, diagnostics).unmark_deep();
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return None;
    }
    let mut fail = |detail: &str| {
        diagnostics.push(Diagnostic::error(SUMMARY, detail).at(expr.range));
        None
    };
    if value.is_null() {
        return fail("The import ID cannot be null.");
    }
    match value.convert(&Type::String) {
        Err(error) => {
            let detail = format!("Invalid expression value: {error}.");
            let diagnostic = Diagnostic::error("Incorrect value type", detail).at(expr.range);
            diagnostics.push(diagnostic.with_values(referenced_values(expr, scope)));
            None
        }
        Ok(text) => match text.as_str() {
            None => fail(
                "The import block \"id\" argument depends on resource attributes that cannot be determined until apply, so \
                 Terraform cannot plan to import this resource.",
            ),
            Some(text) if text.is_empty() => {
                fail("The import ID value evaluates to an empty string, please provide a non-empty value.")
            }
            Some(text) => Some(text.clone()),
        },
    }
}

/// What `each` means in the imports of a block: one without `for_each` stands for itself. `None` after an error.
pub(super) fn repetitions(
    world: &World<'_>,
    import: &Import,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Repetition>> {
    let Some(expr) = &import.for_each else { return Some(vec![Repetition::None]) };
    let root = world.module(&ModuleInstance::root())?;
    let scope = world.scope(&root);
    let before = diagnostics.len();
    let (value, _) = evaluate(expr, &scope, diagnostics).unmark_deep();
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return None;
    }
    let fail = |detail: &str| {
        let diagnostic = Diagnostic::error("Invalid for_each argument", detail).at(expr.range);
        diagnostic.because_unknown(referenced_values(expr, &scope))
    };
    if value.is_null() {
        return Some(Vec::new());
    }
    if !value.is_wholly_known() && world.phase == Phase::Validate {
        return Some(vec![Repetition::Any]);
    }
    if !value.is_wholly_known() {
        diagnostics.push(fail(
            "The \"for_each\" expression includes values derived from other resource attributes that cannot be determined \
             until apply, and so Terraform cannot determine the full set of values that might be used to import this \
             resource.",
        ));
        return None;
    }
    // Unlike that of a resource, this `for_each` also takes lists: its keys name no instances.
    Some(match &value.kind {
        Kind::Map(_, entries) | Kind::Object(entries) => {
            entries.iter().map(|(key, value)| Repetition::Each(Value::string(key.clone()), value.clone())).collect()
        }
        Kind::Set(_, elements) => elements.iter().map(|v| Repetition::Each(v.clone(), v.clone())).collect(),
        Kind::List(_, elements) | Kind::Tuple(elements) => {
            let keyed = elements.iter().enumerate();
            keyed.map(|(i, element)| Repetition::Each(Value::from(i as i64), element.clone())).collect()
        }
        _ => {
            diagnostics.push(fail("The \"for_each\" expression must be a collection."));
            return None;
        }
    })
}
