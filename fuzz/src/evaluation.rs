//! Expressions, templates and types: read, then evaluated among values of all kinds.

use std::collections::BTreeMap;

use lang::ast::Expr;
use lang::eval::{Locals, evaluate};
use lang::functions::{CallContext, table};
use lang::syntax::{parse_expression, parse_template};
use lang::types::parse_constraint;
use lang::{Diagnostics, Marks, Sources, Type, Value};

use crate::ranges;

/// Reads and evaluates an expression.
pub fn expression(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (expr, diagnostics) = parse_expression(&Sources::new(), "fuzz.tf", text);
    read(&expr, &diagnostics, text);
}

/// Reads and evaluates a template.
pub fn template(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (expr, diagnostics) = parse_template(&Sources::new(), "fuzz.tftpl", text);
    read(&expr, &diagnostics, text);
}

fn read(expr: &Expr, diagnostics: &Diagnostics, text: &str) {
    ranges::inside_text(expr.range, text.as_bytes());
    for diagnostic in diagnostics.iter() {
        ranges::inside_text(diagnostic.subject().unwrap_or(expr.range), text.as_bytes());
    }
    evaluate_safely(expr);
}

/// Reads a type constraint and applies it, with its defaults, to some values.
pub fn type_expression(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (expr, diagnostics) = parse_expression(&Sources::new(), "fuzz.tf", text);
    if diagnostics.has_errors() {
        return;
    }
    let (ty, defaults, diagnostics) = parse_constraint(&expr);
    if diagnostics.has_errors() {
        return;
    }
    for value in values().into_values() {
        // a value that doesn't fit is an error, and nothing more
        if let Ok(value) = defaults.apply(value).convert(&ty) {
            assert!(value.convert(&ty).is_ok(), "a converted value fits: {ty:?}");
        }
    }
}

/// Evaluates; whatever comes out can be shown.
pub fn evaluate_safely(expr: &Expr) {
    let functions = table(CallContext::default());
    let scope = Locals::new(values()).with_functions(&functions);
    let mut diagnostics = Diagnostics::new();
    let value = evaluate(expr, &scope, &mut diagnostics);
    // values that have no JSON (unknown ones) are an error, and nothing more
    let _ = value.to_json();
}

fn values() -> BTreeMap<lang::Str, Value> {
    let object = Value::object([("a", Value::from(1_i64)), ("b", "x".into())]);
    BTreeMap::from([
        ("o".into(), object.clone()),
        ("l".into(), Value::list(object.ty(), [object.clone(), object])),
        ("t".into(), Value::tuple(["x".into(), Value::from(2_i64), Value::NULL_DYNAMIC])),
        ("s".into(), "héllo".into()),
        ("n".into(), Value::null(Type::String)),
        ("u".into(), Value::unknown_not_null(Type::String)),
        ("b".into(), Value::unknown(Type::Bool)),
        ("d".into(), Value::dynamic()),
        ("secret".into(), Value::from("s").with_marks(Marks::SENSITIVE)),
    ])
}
