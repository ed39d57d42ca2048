//! What can be said about an expression without evaluating it.

use super::{expression_at, is_identifier, traversal_at, with_stack};
use crate::ast::{CallExpr, Expr, ExprKind, ForExpr, ObjectItem, ObjectKey, TemplateFor, TemplatePart, Traversal};
use crate::{Diagnostics, Str};

impl Expr {
    /// The references in it, in source order, except those to names that a `for` inside it binds.
    pub fn traversals(&self) -> Vec<&Traversal> {
        let mut walk = References { bound: Vec::new(), found: Vec::new() };
        walk.expr(self);
        walk.found
    }

    /// The function calls in it, outer ones first.
    pub fn function_calls(&self) -> Vec<&CallExpr> {
        let mut found = Vec::new();
        calls(self, &mut found);
        found
    }

    /// The word that it is, where a bare word is meant: a name without steps, or one of the words for literals; in JSON a
    /// string that could be one.
    pub fn as_keyword(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Traversal(traversal) if traversal.steps.is_empty() => Some(&traversal.root),
            ExprKind::String(text) if self.json && is_identifier(text) => Some(text),
            _ if self.json => None,
            ExprKind::Bool(true) => Some("true"),
            ExprKind::Bool(false) => Some("false"),
            ExprKind::Null => Some("null"),
            _ => None,
        }
    }

    /// The reference that it is; a string, in JSON or quotes, is read as the text of one.
    pub fn as_traversal(&self) -> Option<Traversal> {
        match &self.kind {
            ExprKind::Traversal(traversal) => Some(Traversal::clone(traversal)),
            ExprKind::String(text) => {
                let base = if self.json { self.range.start } else { self.range.start + 1 };
                traversal_at(text, self.range.file, base).ok()
            }
            _ => {
                let root = Str::new(self.as_keyword()?);
                Some(Traversal { range: self.range, root, root_range: self.range, steps: Box::default() })
            }
        }
    }

    /// The reference that a text in quotes holds, the old way to write one, with what is wrong in it.
    pub fn quoted_traversal(&self, text: &str) -> Result<Traversal, Diagnostics> {
        traversal_at(text, self.range.file, self.range.start + 1)
    }

    /// The expression in native syntax that a JSON string holds, where one is meant: `"list(string)"`.
    pub fn from_json_text(&self) -> Option<(Expr, Diagnostics)> {
        let text = match &self.kind {
            ExprKind::String(text) if self.json => text,
            ExprKind::JsonTemplate(template) => &template.text,
            _ => return None,
        };
        Some(expression_at(text, self.range.file, self.range.start))
    }

    /// The elements, if it is written as a tuple.
    pub fn static_list(&self) -> Option<&[Expr]> {
        match &self.kind {
            ExprKind::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The items, if it is written as an object.
    pub fn static_object(&self) -> Option<&[ObjectItem]> {
        match &self.kind {
            ExprKind::Object(items) => Some(items),
            _ => None,
        }
    }

    /// The call, if it is written as one. See [`Expr::from_json_text`] for JSON.
    pub fn static_call(&self) -> Option<&CallExpr> {
        match &self.kind {
            ExprKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Calls `f` with the expressions directly inside this one, in source order.
    pub fn for_each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Traversal(_)
            | ExprKind::SplatItem
            | ExprKind::Invalid
            | ExprKind::Broken(_) => {}
            ExprKind::Template(parts) => parts.iter().for_each(|part| children_of_part(part, f)),
            ExprKind::JsonTemplate(template) => f(&template.template),
            ExprKind::TemplateWrap(inner) | ExprKind::Parens(inner) => f(inner),
            ExprKind::RelativeTraversal(relative) => f(&relative.source),
            ExprKind::Index(index) => {
                f(&index.collection);
                f(&index.key);
            }
            ExprKind::Splat(splat) => {
                f(&splat.source);
                f(&splat.each);
            }
            ExprKind::Call(call) => call.arguments.iter().for_each(f),
            ExprKind::Unary(unary) => f(&unary.operand),
            ExprKind::Binary(binary) => {
                f(&binary.left);
                f(&binary.right);
            }
            ExprKind::Conditional(conditional) => {
                f(&conditional.condition);
                f(&conditional.then);
                f(&conditional.otherwise);
            }
            ExprKind::For(each) => {
                f(&each.collection);
                for_body(each).for_each(f);
            }
            ExprKind::Tuple(elements) => elements.iter().for_each(f),
            ExprKind::Object(items) => {
                for item in items {
                    if let ObjectKey::Expr(key) = &item.key {
                        f(key);
                    }
                    f(&item.value);
                }
            }
        }
    }
}

/// The expressions of a `for` that see its variables.
fn for_body(each: &ForExpr) -> impl Iterator<Item = &Expr> {
    each.key.iter().chain([&each.value]).chain(&each.condition)
}

fn children_of_part<'a>(part: &'a TemplatePart, f: &mut dyn FnMut(&'a Expr)) {
    match part {
        TemplatePart::Literal(..) => {}
        TemplatePart::Interpolation(inner) => f(inner),
        TemplatePart::If(directive) => with_stack(|| {
            f(&directive.condition);
            directive.then.iter().chain(&directive.otherwise).for_each(|part| children_of_part(part, f));
        }),
        TemplatePart::For(directive) => with_stack(|| {
            f(&directive.collection);
            directive.body.iter().for_each(|part| children_of_part(part, f));
        }),
    }
}

fn calls<'a>(expr: &'a Expr, found: &mut Vec<&'a CallExpr>) {
    if let ExprKind::Call(call) = &expr.kind {
        found.push(call);
    }
    with_stack(|| expr.for_each_child(&mut |child| calls(child, found)));
}

struct References<'a> {
    /// Names that the `for`s around bind.
    bound: Vec<&'a str>,
    found: Vec<&'a Traversal>,
}

impl<'a> References<'a> {
    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Traversal(traversal) => {
                if !self.bound.contains(&traversal.root.as_str()) {
                    self.found.push(traversal);
                }
            }
            ExprKind::For(each) => with_stack(|| {
                self.expr(&each.collection);
                self.scoped(each.key_name.as_ref(), &each.value_name, |walk| {
                    for_body(each).for_each(|inner| walk.expr(inner));
                });
            }),
            ExprKind::Template(parts) => with_stack(|| self.parts(parts)),
            _ => with_stack(|| expr.for_each_child(&mut |child| self.expr(child))),
        }
    }

    fn parts(&mut self, parts: &'a [TemplatePart]) {
        for part in parts {
            match part {
                TemplatePart::Literal(..) => {}
                TemplatePart::Interpolation(inner) => self.expr(inner),
                TemplatePart::If(directive) => with_stack(|| {
                    self.expr(&directive.condition);
                    self.parts(&directive.then);
                    self.parts(&directive.otherwise);
                }),
                TemplatePart::For(directive) => with_stack(|| self.template_for(directive)),
            }
        }
    }

    fn template_for(&mut self, directive: &'a TemplateFor) {
        self.expr(&directive.collection);
        self.scoped(directive.key.as_ref(), &directive.value, |walk| walk.parts(&directive.body));
    }

    fn scoped(&mut self, key: Option<&'a Str>, value: &'a str, f: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        self.bound.extend(key.map(Str::as_str));
        self.bound.push(value);
        f(self);
        self.bound.truncate(before);
    }
}
