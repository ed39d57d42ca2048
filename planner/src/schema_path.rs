//! Steps into an object of a schema, checked without a value.

use lang::ast::{Step, StepKind};
use lang::eval::{get_attribute, get_index};
use lang::syntax::{is_identifier, suggest};
use lang::{Diagnostic, Diagnostics, Str, Value};
use sdk::{Block, NestedBlock, Nesting};

/// Reports the first step that leads nowhere, and the use of what is deprecated.
pub(crate) fn check_steps(block: &Block, steps: &[Step], diagnostics: &mut Diagnostics) {
    let Some((step, rest)) = steps.split_first() else { return };
    let name = match &step.kind {
        StepKind::Attribute(name) => name,
        StepKind::Key(name) if is_identifier(name) => {
            let detail = format!(
                "Only attribute access is allowed here. Did you mean to access attribute {name:?} using the dot operator?"
            );
            diagnostics.push(Diagnostic::error("Invalid index operation", detail).at(step.range));
            return;
        }
        StepKind::Key(_) | StepKind::Index(_) => {
            let detail = "Only attribute access is allowed here, using the dot operator.";
            diagnostics.push(Diagnostic::error("Invalid index operation", detail).at(step.range));
            return;
        }
    };
    if let Some(attribute) = block.attributes.get(name) {
        if attribute.deprecated.is_some() {
            let detail =
                format!("The attribute {name:?} is deprecated. Refer to the provider documentation for details.");
            diagnostics.push(Diagnostic::warning("Deprecated attribute", detail).at(step.range));
        }
        check_value_steps(Value::unknown(attribute.ty.clone()), rest, diagnostics);
    } else if let Some(nested) = block.blocks.get(name) {
        check_nested(nested, name, rest, diagnostics);
    } else {
        let names = block.attributes.keys().chain(block.blocks.keys()).map(Str::as_str);
        let hint = suggest(name, names);
        let detail = format!("This object has no argument, nested block, or exported attribute named {name:?}.{hint}");
        diagnostics.push(Diagnostic::error("Unsupported attribute", detail).at(step.range));
    }
}

fn check_value_steps(mut value: Value, steps: &[Step], diagnostics: &mut Diagnostics) {
    for step in steps {
        let next = match &step.kind {
            StepKind::Attribute(name) => get_attribute(&value, name, step.range),
            StepKind::Key(key) => get_index(&value, &Value::string(key.clone()), step.range),
            StepKind::Index(index) => get_index(&value, &Value::number(index.clone()), step.range),
        };
        match next {
            Ok(next) => value = next,
            Err(error) => {
                diagnostics.push(error);
                return;
            }
        }
    }
}

fn check_nested(nested: &NestedBlock, name: &str, steps: &[Step], diagnostics: &mut Diagnostics) {
    if matches!(nested.nesting, Nesting::Single | Nesting::Group) {
        check_steps(&nested.block, steps, diagnostics);
        return;
    }
    let Some((step, rest)) = steps.split_first() else { return };
    match nested.nesting {
        Nesting::Set => {
            let detail = format!(
                "Block type {name:?} is represented by a set of objects, and set elements do not have addressable keys. To \
                 find elements matching specific criteria, use a \"for\" expression with an \"if\" clause."
            );
            diagnostics.push(Diagnostic::error("Cannot index a set value", detail).at(step.range));
        }
        Nesting::List if matches!(step.kind, StepKind::Attribute(_)) => {
            let detail = format!(
                "Block type {name:?} is represented by a list of objects, so it must be indexed using a numeric key, like \
                 .{name}[0]."
            );
            diagnostics.push(Diagnostic::error("Invalid index operation", detail).at(step.range));
        }
        _ => check_steps(&nested.block, rest, diagnostics),
    }
}
