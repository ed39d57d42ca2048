//! Places of provider messages: from an attribute path to a range in the configuration.

use lang::ast::{Body, Expr, ExprKind, JsonKind, JsonNode, ObjectKey};
use lang::values::{Path, PathStep};
use lang::{Diagnostic, Range, Severity};
use sdk::ProviderDiagnostic;

/// A provider's message about an object that `body` configures.
pub fn located(problem: ProviderDiagnostic, body: &Body, address: &str) -> Diagnostic {
    let place = locate(body, &problem.path.0);
    let placeless = problem.placeless;
    let diagnostic = match problem.severity {
        Severity::Error => Diagnostic::error(problem.summary, problem.detail),
        Severity::Warning => Diagnostic::warning(problem.summary, problem.detail),
    };
    if placeless { diagnostic.with_address(address) } else { diagnostic.at(place).with_address(address) }
}

/// A provider's message about an object that no configuration describes any more.
pub fn without_place(problem: ProviderDiagnostic, address: &str) -> Diagnostic {
    let detail = match (problem.path.is_root(), problem.detail.is_empty()) {
        (true, _) => problem.detail,
        (false, true) => format!("With {}.", describe(&problem.path)),
        (false, false) => format!("With {}: {}", describe(&problem.path), problem.detail),
    };
    let diagnostic = match problem.severity {
        Severity::Error => Diagnostic::error(problem.summary, detail),
        Severity::Warning => Diagnostic::warning(problem.summary, detail),
    };
    diagnostic.with_address(address)
}

fn describe(path: &Path) -> String {
    path.to_string().trim_start_matches('.').to_owned()
}

/// The same in JSON, where the nearest value that is there stands for what isn't.
fn locate_json(node: &JsonNode, path: &[PathStep]) -> Option<Range> {
    let Some((step, rest)) = path.split_first() else { return Some(node.range) };
    let inner = match (&node.kind, step) {
        (JsonKind::Object(properties), step) => {
            let name = step.name()?;
            &properties.iter().find(|property| property.name == *name)?.value
        }
        (JsonKind::Array(elements), PathStep::Index(index)) => {
            let index = index.as_number().and_then(|number| number.to_u64())?;
            elements.get(index as usize)?
        }
        // Objects of an array are one body together; a single block may stand without its array.
        (JsonKind::Array(elements), _) => return elements.iter().find_map(|element| locate_json(element, path)),
        _ => return None,
    };
    Some(locate_json(inner, rest).unwrap_or(inner.range))
}

/// The range of what a path names in a body: the attribute's expression, or as near as the source goes.
fn locate(body: &Body, path: &[PathStep]) -> Range {
    let Some((step, rest)) = path.split_first() else { return body.missing_range() };
    let Some(name) = step.name() else { return body.missing_range() };
    let native = match body {
        Body::Native(native) => native,
        Body::Json(json) => return locate_json(&json.value, path).unwrap_or_else(|| body.missing_range()),
    };
    if let Some(attribute) = native.attributes.iter().find(|attribute| attribute.name == *name) {
        return locate_in(&attribute.expr, rest);
    }
    let mut blocks = native.blocks.iter().filter(|block| {
        block.kind == *name
            || (block.kind == "dynamic" && block.labels.first().is_some_and(|label| label.text == *name))
    });
    let (position, rest) = match rest.split_first() {
        Some((PathStep::Index(index), rest)) => {
            (index.as_number().and_then(|number| number.to_u64()).unwrap_or(0) as usize, rest)
        }
        _ => (0, rest),
    };
    match blocks.nth(position) {
        Some(block) if block.kind == *name => locate(&block.body, rest),
        Some(block) => block.header,
        None => body.missing_range(),
    }
}

fn locate_in(expr: &Expr, path: &[PathStep]) -> Range {
    let Some((step, rest)) = path.split_first() else { return expr.range };
    let inner = match (&expr.kind, step) {
        (ExprKind::Object(items), step) => step.name().and_then(|name| {
            items.iter().find_map(|item| match &item.key {
                ObjectKey::Name(key, _) if key == name => Some(&item.value),
                ObjectKey::Expr(Expr { kind: ExprKind::String(key), .. }) if key == name => Some(&item.value),
                _ => None,
            })
        }),
        (ExprKind::Tuple(items), PathStep::Index(index)) => {
            let position = index.as_number().and_then(|number| number.to_u64());
            position.and_then(|position| items.get(position as usize))
        }
        _ => None,
    };
    inner.map_or(expr.range, |inner| locate_in(inner, rest))
}
