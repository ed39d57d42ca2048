//! Ranges: inside the text, and each node's inside its parent's.

use lang::ast::{Body, Expr, ExprKind, NativeBody, ObjectKey, TemplatePart};
use lang::source::Range;

/// Checks that a range lies within the text.
pub fn inside_text(range: Range, text: &[u8]) {
    assert!(range.start <= range.end, "a range that ends before it begins: {range:?}");
    assert!(range.end as usize <= text.len(), "a range beyond the text: {range:?}");
}

/// Checks all ranges of a tree without mistakes. With a list of what is to do: trees may be deeper than the stack.
pub fn nest(body: &NativeBody, text: &[u8]) {
    inside_text(body.range, text);
    let (mut bodies, mut exprs) = (vec![body], Vec::new());
    while let Some(body) = bodies.pop() {
        for attribute in &body.attributes {
            inside(attribute.range, body.range);
            inside(attribute.name_range, attribute.range);
            inside(attribute.expr.range, attribute.range);
            exprs.push(&*attribute.expr);
        }
        for block in &body.blocks {
            inside(block.range, body.range);
            inside(block.header, block.range);
            inside(block.kind_range, block.header);
            for label in &block.labels {
                inside(label.range, block.header);
            }
            if let Body::Native(inner) = &block.body {
                inside(inner.range, block.range);
                bodies.push(inner);
            }
        }
    }
    while let Some(expr) = exprs.pop() {
        for child in children(expr) {
            inside(child.range, expr.range);
            exprs.push(child);
        }
    }
}

fn inside(inner: Range, outer: Range) {
    assert!(inner.start <= inner.end, "a range that ends before it begins: {inner:?}");
    assert!(outer.start <= inner.start && inner.end <= outer.end, "{inner:?} is not inside {outer:?}");
}

/// The expressions directly in `expr`; checks the ranges of what is no expression.
fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Template(parts) => in_parts(parts, expr.range),
        ExprKind::JsonTemplate(template) => vec![&template.template],
        ExprKind::TemplateWrap(inner) | ExprKind::Parens(inner) => vec![inner],
        ExprKind::Traversal(traversal) => {
            inside(traversal.range, expr.range);
            inside(traversal.root_range, traversal.range);
            traversal.steps.iter().for_each(|step| inside(step.range, traversal.range));
            Vec::new()
        }
        ExprKind::RelativeTraversal(relative) => {
            relative.steps.iter().for_each(|step| inside(step.range, expr.range));
            vec![&relative.source]
        }
        ExprKind::Index(index) => {
            inside(index.brackets, expr.range);
            vec![&index.collection, &index.key]
        }
        ExprKind::Splat(splat) => {
            inside(splat.marker, expr.range);
            vec![&splat.source, &splat.each]
        }
        ExprKind::Call(call) => {
            inside(call.name_range, expr.range);
            inside(call.close, expr.range);
            call.arguments.iter().collect()
        }
        ExprKind::Unary(unary) => vec![&unary.operand],
        ExprKind::Binary(binary) => vec![&binary.left, &binary.right],
        ExprKind::Conditional(conditional) => {
            vec![&conditional.condition, &conditional.then, &conditional.otherwise]
        }
        ExprKind::For(each) => {
            let optional = each.key.iter().chain(&each.condition);
            [&each.collection, &each.value].into_iter().chain(optional).collect()
        }
        ExprKind::Tuple(elements) => elements.iter().collect(),
        ExprKind::Object(items) => {
            let mut found = Vec::new();
            for item in items {
                match &item.key {
                    ObjectKey::Name(_, range) => inside(*range, expr.range),
                    ObjectKey::Expr(key) => found.push(key),
                }
                found.push(&item.value);
            }
            found
        }
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::SplatItem
        | ExprKind::Invalid
        | ExprKind::Broken(_) => Vec::new(),
    }
}

fn in_parts(parts: &[TemplatePart], outer: Range) -> Vec<&Expr> {
    let (mut todo, mut found) = (vec![parts], Vec::new());
    while let Some(parts) = todo.pop() {
        for part in parts {
            match part {
                TemplatePart::Literal(_, range) => inside(*range, outer),
                TemplatePart::Interpolation(expr) => found.push(expr),
                TemplatePart::If(directive) => {
                    inside(directive.range, outer);
                    found.push(&directive.condition);
                    todo.extend([&*directive.then, &*directive.otherwise]);
                }
                TemplatePart::For(directive) => {
                    inside(directive.range, outer);
                    found.push(&directive.collection);
                    todo.push(&directive.body);
                }
            }
        }
    }
    found
}
