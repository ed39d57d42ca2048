//! Root outputs: their checks and changes.

use config::module::Output;
use lang::values::Marks;
use lang::{Diagnostic, Str, Type, Value};
use state::{Json, OutputValue};

use crate::checks::{RuleKind, evaluate_rules};
use crate::objects;
use crate::plan::{Action, Checkable, OutputChange, PlanMode};
use crate::planning::Planning;
use crate::scope::ModuleScope;
use crate::sync::lock;

const SENSITIVE_DETAIL: &str = "To reduce the risk of accidentally exporting sensitive data that was intended to be only \
internal, Terraform requires that any root module output containing sensitive data be explicitly marked as sensitive, to \
confirm your intent.\n\nIf you do intend to export this data, annotate the output value as sensitive by adding the \
following argument:\n    sensitive = true";

/// Evaluates an output; in the root module also plans its change. False after an error.
pub(crate) fn visit(planning: &Planning<'_>, module: &ModuleScope, name: &Str) -> bool {
    let Some(output) = module.config.outputs.get(name) else { return true };
    let world = &planning.world;
    if planning.options.mode != PlanMode::Destroy {
        let scope = world.scope(module);
        let object = Checkable::Output(name.clone());
        let kind = RuleKind::OutputPrecondition;
        let rules = &output.preconditions;
        if !rules.is_empty() {
            let status = evaluate_rules(world, &module.address, object, rules, &scope, kind);
            if matches!(status, crate::plan::CheckStatus::Fail | crate::plan::CheckStatus::Error) {
                return false;
            }
        }
    }
    if planning.options.mode == PlanMode::Destroy && module.address.is_root() {
        // Where only a part is destroyed the outputs stay as they are.
        if !planning.selection.is_everything() {
            return true;
        }
        plan_change(planning, name, None, output.sensitive);
        return true;
    }
    let errors = world.error_count();
    let value = world.output(module, name);
    if world.error_count() != errors {
        return false;
    }
    if let Some(diagnostic) = refused(module, output, &value) {
        world.report(diagnostic.into());
        return false;
    }
    if !module.address.is_root() {
        return true;
    }
    if let Some(diagnostic) = infinite(output, &value) {
        world.report(diagnostic.into());
        return false;
    }
    if value.is_wholly_known() {
        let known = stored(value.clone(), output.sensitive);
        let mut state = lock(&planning.refreshed);
        match known {
            Some(known) => state.outputs.insert(name.clone(), known),
            None => state.outputs.remove(name),
        };
    }
    plan_change(planning, name, Some(value), output.sensitive);
    true
}

/// Why an output cannot have a value: because of the value's marks.
pub(crate) fn refused(module: &ModuleScope, output: &Output, value: &Value) -> Option<Diagnostic> {
    let marks = value.deep_marks();
    if !output.sensitive && module.address.is_root() && marks.contains(Marks::SENSITIVE) {
        return Some(Diagnostic::error("Output refers to sensitive values", SENSITIVE_DETAIL).at(output.range));
    }
    let detail = "This output value is not declared as returning an ephemeral value, so it cannot be set to a result derived \
                  from an ephemeral value.";
    (!output.ephemeral && marks.contains(Marks::EPHEMERAL))
        .then(|| Diagnostic::error("Ephemeral value not allowed", detail).at(output.value.range))
}

/// Why a root output can't be stored.
pub(crate) fn infinite(output: &Output, value: &Value) -> Option<Diagnostic> {
    let detail = "This output value holds an infinite number, as of a division by zero. It can't be stored.";
    objects::has_infinity(value).then(|| Diagnostic::error("Infinite number", detail).at(output.value.range))
}

/// A root output as the state holds it. `None` for null, and for what is not known.
pub(crate) fn stored(value: Value, sensitive: bool) -> Option<OutputValue> {
    let (plain, marks) = value.unmark_deep();
    if plain.is_null() || !plain.is_wholly_known() {
        return None;
    }
    let ty = plain.ty();
    let json = plain.to_json_as(&ty).ok()?;
    let sensitive = sensitive || marks.iter().any(|(_, marks)| marks.contains(Marks::SENSITIVE));
    Some(OutputValue { value: Json::from_value(&json), ty: Json::from_value(&ty.to_json()), sensitive })
}

/// Plans the change of a root output from the stored value to `after`; `None` if the output goes away.
pub(crate) fn plan_change(planning: &Planning<'_>, name: &Str, after: Option<Value>, sensitive: bool) {
    let stored = planning.stored.outputs.get(name);
    let before = stored.and_then(|stored| {
        let ty = Type::from_json(&stored.ty.to_value().ok()?).ok()?;
        Value::from_json(&stored.value.to_value().ok()?, &ty).ok()
    });
    let was_sensitive = stored.is_some_and(|stored| stored.sensitive);
    if before.is_none() && after.is_none() {
        return;
    }
    let goes = after.is_none();
    let after = after.unwrap_or_else(|| Value::null(Type::Dynamic));
    let (plain, _) = after.clone().unmark_deep();
    let action = match &before {
        None if plain.is_null() => Action::NoOp,
        None => Action::Create,
        Some(_) if goes => Action::Delete,
        Some(before) if before.raw_equals(&plain) && was_sensitive == sensitive => Action::NoOp,
        Some(_) => Action::Update,
    };
    let before = before.unwrap_or_else(|| Value::null(Type::Dynamic));
    let mark = |value: Value, sensitive: bool| if sensitive { value.with_marks(Marks::SENSITIVE) } else { value };
    let change = OutputChange {
        action,
        before: mark(before, was_sensitive),
        after: mark(after, sensitive),
        sensitive: sensitive || was_sensitive,
    };
    lock(&planning.outputs).insert(name.clone(), change);
}
