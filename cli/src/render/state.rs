//! States as `show` and `state show` print them.

use super::change::Change;
use super::human::{Layout, render};
use super::resource::{as_block, header};
use super::{Schemas, compute, dynamic};
use crate::json_views::document::{Module, Resource, State};
use crate::style::Style;

/// A whole state.
pub fn render_state(state: &State, schemas: &dyn Schemas, style: Style) -> String {
    let Some(values) = &state.values else {
        return "The state file is empty. No resources are represented.\n".to_owned();
    };
    let mut out = String::new();
    let mut first = true;
    render_module(&values.root_module, schemas, style, &mut first, &mut out);
    if !values.outputs.is_empty() {
        out.push_str("\n\nOutputs:\n\n");
        for (name, output) in &values.outputs {
            let null = serde_json::Value::Null;
            let sensitive = serde_json::Value::Bool(output.sensitive);
            let value = output.value.as_ref().unwrap_or(&null);
            let change = Change::unchanged(value, Some(&sensitive));
            let diff = match output.ty.as_ref().and_then(|ty| lang::Type::from_json(ty).ok()) {
                Some(ty) => compute::of_type(change, &ty),
                None => dynamic::dynamic(change),
            };
            out.push_str(&format!("{name} = {}\n", render(&diff, 0, Layout::state(style))));
        }
    }
    out
}

fn render_module(module: &Module, schemas: &dyn Schemas, style: Style, first: &mut bool, out: &mut String) {
    for resource in &module.resources {
        if !*first {
            out.push('\n');
        }
        *first = false;
        out.push_str(&render_resource(resource, schemas, style));
    }
    for child in &module.child_modules {
        render_module(child, schemas, style, first, out);
    }
}

/// One object, with a line break at the end.
pub fn render_resource(resource: &Resource, schemas: &dyn Schemas, style: Style) -> String {
    let mark = match &resource.deposed_key {
        Some(key) => format!(" (deposed object {key})"),
        None if resource.tainted => " (tainted)".to_owned(),
        None => String::new(),
    };
    let empty = serde_json::Value::Object(serde_json::Map::new());
    let values = resource.values.as_ref().unwrap_or(&empty);
    let change = Change::unchanged(values, resource.sensitive_values.as_ref());
    let diff = match schemas.schema(&resource.provider_name, resource.mode == "data", &resource.kind) {
        Some(schema) => compute::block(change, &schema.block),
        None => as_block(dynamic::dynamic(change)),
    };
    let header = header(&resource.mode, &resource.kind, &resource.name);
    format!("# {}:{mark}\n{header} {}\n", resource.address, render(&diff, 0, Layout::state(style)))
}
