//! Evaluation of expressions, by HCL's rules: types, unknown values, marks, and what is said when something is wrong.
//!
//! Evaluation never stops at the first mistake: what fails is an unknown value of unknown type, and a diagnostic.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, LazyLock};

use crate::Str;
use crate::ast::{Expr, ExprKind, ObjectItem, ObjectKey, Traversal};
use crate::diag::{Diagnostic, Diagnostics};
use crate::functions::{CallContext, Function, FunctionTable};
use crate::types::Type;
use crate::values::{Kind, Marks, Value};

mod budget;
mod call;
mod conditional;
mod holdings;
mod index;
mod loops;
mod operators;
mod references;
mod template;

use budget::Budget;
pub use holdings::Holdings;
pub use index::{get_attribute, get_index};

/// How deep tuples and objects may be nested in one expression: what walks or drops the value needs stack for it.
const MAX_DEPTH: u32 = 500;
/// Stack left below which a new piece is allocated, and how large that is: nesting is bounded by memory, not by the stack.
const RED_ZONE: usize = 128 * 1024;
const STACK_PIECE: usize = 2 * 1024 * 1024;

/// What names stand for.
pub trait Scope: Sync {
    /// The value of the longest prefix of the traversal that the scope knows as one thing, and how many of its steps that
    /// took.
    ///
    /// # Errors
    /// Unknown names and undeclared things, with a range.
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic>;

    /// The functions that may be called; an empty table where none may.
    fn functions(&self) -> &dyn FunctionTable;

    /// Whether only constants may stand here: the strings of JSON are no templates then.
    fn is_constant(&self) -> bool {
        false
    }
}

/// A scope without names and functions: only constants can be evaluated.
pub struct NoScope;

impl Scope for NoScope {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        Err(Diagnostic::error("Variables not allowed", "Variables may not be used here.").at(traversal.root_range))
    }

    fn functions(&self) -> &dyn FunctionTable {
        &NoFunctions
    }

    fn is_constant(&self) -> bool {
        true
    }
}

/// A table without functions.
pub struct NoFunctions;

impl FunctionTable for NoFunctions {
    fn get(&self, _: &str) -> Option<Arc<Function>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn context(&self) -> &CallContext {
        static EMPTY: LazyLock<CallContext> = LazyLock::new(CallContext::default);
        &EMPTY
    }
}

/// A scope of plain names, before those of a parent.
pub struct Locals<'a> {
    values: BTreeMap<Str, Value>,
    parent: Option<&'a dyn Scope>,
    functions: Option<&'a dyn FunctionTable>,
}

impl<'a> Locals<'a> {
    /// A scope of these names.
    pub fn new(values: BTreeMap<Str, Value>) -> Locals<'a> {
        Locals { values, parent: None, functions: None }
    }

    /// Asks `parent` for names and functions that are not here.
    #[must_use]
    pub fn with_parent(self, parent: &'a dyn Scope) -> Locals<'a> {
        Locals { parent: Some(parent), ..self }
    }

    /// Makes functions callable.
    #[must_use]
    pub fn with_functions(self, functions: &'a dyn FunctionTable) -> Locals<'a> {
        Locals { functions: Some(functions), ..self }
    }
}

impl Scope for Locals<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        match (self.values.get(&traversal.root), self.parent) {
            (Some(value), _) => Ok((value.clone(), 0)),
            (None, Some(parent)) => parent.resolve(traversal),
            (None, None) => {
                let detail = format!("There is no variable named {:?}.", traversal.root.as_str());
                Err(Diagnostic::error("Unknown variable", detail).at(traversal.root_range))
            }
        }
    }

    fn functions(&self) -> &dyn FunctionTable {
        match (self.functions, self.parent) {
            (Some(functions), _) => functions,
            (None, Some(parent)) => parent.functions(),
            (None, None) => &NoFunctions,
        }
    }

    fn is_constant(&self) -> bool {
        self.parent.is_some_and(Scope::is_constant)
    }
}

/// The value of an expression. After an error it is unknown, usually of unknown type.
pub fn evaluate(expr: &Expr, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> Value {
    let budget = Budget::default();
    let env = Env { scope, frame: None, item: None, depth: 0, budget: &budget };
    env.eval(expr, diagnostics)
}

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
struct Env<'a> {
    scope: &'a dyn Scope,
    /// Names bound by `for`, innermost first.
    frame: Option<&'a Frame<'a>>,
    /// What the innermost splat is at.
    item: Option<&'a Value>,
    /// How many tuples and objects are around it.
    depth: u32,
    /// What may still be produced.
    budget: &'a Budget,
}

/// One round of a `for`.
struct Frame<'a> {
    key: Option<(&'a str, Value)>,
    value: (&'a str, Value),
    parent: Option<&'a Frame<'a>>,
}

impl Frame<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        let mut frame = Some(self);
        while let Some(f) = frame {
            // When both have the same name the value wins, as it does in HCL.
            if f.value.0 == name {
                return Some(&f.value.1);
            }
            if let Some((key, value)) = &f.key
                && *key == name
            {
                return Some(value);
            }
            frame = f.parent;
        }
        None
    }
}

impl<'a> Env<'a> {
    fn eval(&self, expr: &Expr, diagnostics: &mut Diagnostics) -> Value {
        match &expr.kind {
            ExprKind::Null => Value::NULL_DYNAMIC,
            ExprKind::Bool(value) => Value::bool(*value),
            ExprKind::Number(number) => Value::number(number.clone()),
            // The parser normalises.
            ExprKind::String(text) => Value { kind: Kind::String(text.clone()), marks: Marks::empty() },
            ExprKind::Traversal(traversal) => self.traversal(expr, traversal, diagnostics),
            ExprKind::SplatItem => self.item.cloned().unwrap_or(Value::dynamic()),
            ExprKind::Invalid => Value::dynamic(),
            ExprKind::Broken(diagnostic) => {
                diagnostics.push((**diagnostic).clone());
                Value::dynamic()
            }
            _ => stacker::maybe_grow(RED_ZONE, STACK_PIECE, || self.eval_nested(expr, diagnostics)),
        }
    }

    fn eval_nested(&self, expr: &Expr, diagnostics: &mut Diagnostics) -> Value {
        match &expr.kind {
            ExprKind::Template(parts) => self.template(expr.range, parts, diagnostics),
            ExprKind::JsonTemplate(template) if self.scope.is_constant() => Value::string(template.text.clone()),
            ExprKind::JsonTemplate(template) => {
                diagnostics.extend(template.problems.iter().cloned());
                self.eval(&template.template, diagnostics)
            }
            ExprKind::TemplateWrap(inner) | ExprKind::Parens(inner) => self.eval(inner, diagnostics),
            ExprKind::RelativeTraversal(relative) => {
                let source = self.eval(&relative.source, diagnostics);
                match index::follow(&source, &relative.steps) {
                    Ok(value) => value,
                    Err(diagnostic) => self.fail(diagnostic, expr, diagnostics),
                }
            }
            ExprKind::Index(index) => {
                let collection = self.eval(&index.collection, diagnostics);
                let key = self.eval(&index.key, diagnostics);
                match get_index(&collection, &key, index.brackets) {
                    Ok(value) => value,
                    Err(diagnostic) => self.fail(diagnostic, expr, diagnostics),
                }
            }
            ExprKind::Splat(splat) => self.splat(expr, splat, diagnostics),
            ExprKind::Call(call) => self.call(expr, call, diagnostics),
            ExprKind::Unary(unary) => self.unary(expr, unary, diagnostics),
            ExprKind::Binary(binary) => self.binary(expr, binary, diagnostics),
            ExprKind::Conditional(conditional) => self.conditional(expr, conditional, diagnostics),
            ExprKind::For(_) | ExprKind::Tuple(_) | ExprKind::Object(_) => {
                if self.depth >= MAX_DEPTH {
                    let detail = format!("Tuples and objects may be nested at most {MAX_DEPTH} deep.");
                    diagnostics.push(Diagnostic::error("Expression too deep", detail).at(expr.range));
                    return Value::dynamic();
                }
                let inner = Env { depth: self.depth + 1, ..*self };
                let value = match &expr.kind {
                    ExprKind::For(each) => inner.for_expr(expr.range, each, diagnostics),
                    ExprKind::Object(items) if expr.json => inner.json_object(items, diagnostics),
                    ExprKind::Object(items) => inner.object(items, diagnostics),
                    ExprKind::Tuple(elements) => {
                        Value::tuple(elements.iter().map(|e| inner.eval(e, diagnostics)).collect::<Vec<_>>())
                    }
                    _ => Value::dynamic(),
                };
                self.bounded(value, expr.range, diagnostics)
            }
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Traversal(_)
            | ExprKind::SplatItem
            | ExprKind::Invalid
            | ExprKind::Broken(_) => Value::dynamic(),
        }
    }

    fn traversal(&self, expr: &Expr, traversal: &Traversal, diagnostics: &mut Diagnostics) -> Value {
        let result = match self.frame.and_then(|frame| frame.get(&traversal.root)) {
            Some(value) => index::follow(value, &traversal.steps),
            None => match self.scope.resolve(traversal) {
                Ok((value, taken)) => index::follow(&value, traversal.steps.get(taken..).unwrap_or_default()),
                Err(diagnostic) => {
                    diagnostics.push(diagnostic.or_at(traversal.range));
                    return Value::dynamic();
                }
            },
        };
        match result {
            Ok(value) => value,
            Err(diagnostic) => self.fail(diagnostic, expr, diagnostics),
        }
    }

    /// Reports, with the values of what `expr` refers to, and stands in with a dynamic value.
    fn fail(&self, diagnostic: Diagnostic, expr: &Expr, diagnostics: &mut Diagnostics) -> Value {
        diagnostics.push(diagnostic.with_values(self.reference_values(expr)));
        Value::dynamic()
    }

    fn object(&self, items: &[ObjectItem], diagnostics: &mut Diagnostics) -> Value {
        let mut attributes = BTreeMap::new();
        let mut marks = Marks::empty();
        let mut known = true;
        for item in items {
            let name = self.object_key(item, &mut marks, diagnostics);
            let value = self.eval(&item.value, diagnostics);
            match name {
                Some(name) => {
                    attributes.insert(name, value);
                }
                None => known = false,
            }
        }
        if known { Value::from_attributes(attributes).with_marks(marks) } else { Value::dynamic() }
    }

    /// An object of JSON, whose names are templates.
    fn json_object(&self, items: &[ObjectItem], diagnostics: &mut Diagnostics) -> Value {
        let mut attributes = BTreeMap::new();
        let mut marks = Marks::empty();
        let mut known = true;
        for item in items {
            let ObjectKey::Expr(name) = &item.key else { continue };
            let (key, key_marks) = self.eval(name, diagnostics).unmark();
            let value = self.eval(&item.value, diagnostics);
            marks |= key_marks;
            let problem = match key.convert(&Type::String) {
                Err(error) => format!("This value can't be the name of an attribute: {error}."),
                Ok(key) if key.is_null() => "Null can't be the name of an attribute.".to_owned(),
                Ok(key) => match key.as_str() {
                    None => {
                        known = false;
                        continue;
                    }
                    Some(key) => match attributes.entry(key.clone()) {
                        Entry::Vacant(vacant) => {
                            vacant.insert(value);
                            continue;
                        }
                        Entry::Occupied(_) => {
                            let detail = format!("The object has an attribute named \"{key}\" already.");
                            diagnostics.push(Diagnostic::error("Duplicate object attribute", detail).at(name.range));
                            continue;
                        }
                    },
                },
            };
            diagnostics.push(Diagnostic::error("Invalid object key expression", problem).at(name.range));
        }
        if known { Value::from_attributes(attributes).with_marks(marks) } else { Value::dynamic() }
    }

    /// The name of an attribute; `None` when it is unknown or wrong.
    fn object_key(&self, item: &ObjectItem, marks: &mut Marks, diagnostics: &mut Diagnostics) -> Option<Str> {
        let expr = match &item.key {
            ObjectKey::Name(name, _) => return Some(name.clone()),
            ObjectKey::Expr(expr) => expr,
        };
        if let ExprKind::String(text) = &expr.kind {
            return Some(text.clone());
        }
        if let ExprKind::Traversal(traversal) = &expr.kind
            && !traversal.steps.is_empty()
        {
            diagnostics.push(Diagnostic::error("Ambiguous attribute key", "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal name containing periods, wrap it in quotes to create a string literal.").at(expr.range));
            return None;
        }
        let mut own = Diagnostics::new();
        let key = self.eval(expr, &mut own);
        let failed = own.has_errors();
        diagnostics.append(own);
        if failed {
            return None;
        }
        if key.is_null() {
            let diagnostic =
                Diagnostic::error("Null value as key", "Can't use a null value as a key.").at(item.value.range);
            self.fail(diagnostic, expr, diagnostics);
            return None;
        }
        let (key, key_marks) = key.unmark();
        *marks |= key_marks;
        match key.convert(&Type::String) {
            Ok(key) => key.as_str().cloned(),
            Err(error) => {
                let detail = format!("Can't use this value as a key: {error}.");
                self.fail(Diagnostic::error("Incorrect key type", detail).at(expr.range), expr, diagnostics);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
