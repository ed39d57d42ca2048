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
    render_module(&values.root_module, schemas, style, true, &mut out);
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

/// A blank line is before each object but the first, and one more before each module's objects. As in Terraform, modules whose
/// caller has no objects each begin as if nothing were before them.
fn render_module(module: &Module, schemas: &dyn Schemas, style: Style, first: bool, out: &mut String) {
    if !first && !module.resources.is_empty() {
        out.push('\n');
    }
    for (i, resource) in module.resources.iter().enumerate() {
        if !first || i > 0 {
            out.push('\n');
        }
        out.push_str(&render_resource(resource, schemas, style));
    }
    let first = first && module.resources.is_empty();
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

#[cfg(test)]
mod tests {
    use super::*;

    struct NoSchemas;

    impl Schemas for NoSchemas {
        fn schema(&self, _: &str, _: bool, _: &str) -> Option<&sdk::Schema> {
            None
        }
    }

    fn module(objects: &[&str], children: Vec<Module>) -> Module {
        let object = |address: &&str| Resource {
            address: (*address).to_owned(),
            mode: "managed".to_owned(),
            kind: "x".to_owned(),
            name: "y".to_owned(),
            ..Resource::default()
        };
        Module { resources: objects.iter().map(object).collect(), child_modules: children, ..Module::default() }
    }

    /// Addresses and the blank lines before them.
    fn lines(root_module: Module) -> Vec<String> {
        let values = crate::json_views::document::Values { root_module, ..Default::default() };
        let state = State { values: Some(values), ..State::default() };
        let text = render_state(&state, &NoSchemas, Style::PLAIN);
        text.lines().filter(|line| line.is_empty() || line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn blank_lines_are_between_objects_and_two_before_a_module() {
        let below = module(&["c"], vec![module(&["d", "e"], Vec::new())]);
        let root = module(&["a", "b"], vec![below]);
        assert_eq!(lines(root), ["# a:", "", "# b:", "", "", "# c:", "", "", "# d:", "", "# e:"]);
    }

    #[test]
    fn modules_below_one_without_objects_begin_like_the_first() {
        let root = module(&[], vec![module(&["a"], vec![module(&["b"], Vec::new())]), module(&["c"], Vec::new())]);
        assert_eq!(lines(root), ["# a:", "", "", "# b:", "# c:"]);
    }
}
