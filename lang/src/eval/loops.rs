//! `for` expressions and splats.

use std::collections::BTreeMap;

use super::{Env, Frame};
use crate::Str;
use crate::ast::{Expr, ForExpr, SplatExpr};
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Range;
use crate::types::Type;
use crate::values::{Kind, Marks, Refinement, Value};

/// Keys and values of a known collection, in order.
pub(super) fn rounds(collection: &Value) -> impl Iterator<Item = (Value, Value)> {
    let is_set = matches!(collection.kind, Kind::Set(..));
    let elements = collection.elements().unwrap_or_default().iter().enumerate();
    let elements = elements.map(move |(i, element)| {
        let key = if is_set { element.clone() } else { Value::number(i) };
        (key, element.clone())
    });
    let entries = collection.entries().into_iter().flatten();
    let entries =
        entries.map(|(key, value)| (Value { kind: Kind::String(key.clone()), marks: Marks::empty() }, value.clone()));
    elements.chain(entries)
}

/// What a condition says about a round.
enum Included {
    Yes,
    No,
    Unknown,
}

impl Env<'_> {
    /// The collection of a `for`, unmarked, and its marks; `None` when it is wrong or of unknown type.
    pub(super) fn collection(
        &self,
        expr: &Expr,
        whole: Range,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Value, Marks)> {
        let (collection, marks) = self.eval(expr, diagnostics).unmark();
        if collection.is_null() {
            let detail = "A null value cannot be used as the collection in a 'for' expression.";
            let diagnostic = Diagnostic::error("Iteration over null value", detail).at(expr.range).within(whole);
            self.fail(diagnostic, expr, diagnostics);
            return None;
        }
        match &collection.kind {
            Kind::Unknown(Type::Dynamic, _) => None,
            Kind::Unknown(Type::Bool | Type::Number | Type::String, _)
            | Kind::Bool(_)
            | Kind::Number(_)
            | Kind::String(_) => {
                let detail = format!(
                    "A value of type {} cannot be used as the collection in a 'for' expression.",
                    collection.ty()
                );
                let diagnostic =
                    Diagnostic::error("Iteration over non-iterable value", detail).at(expr.range).within(whole);
                self.fail(diagnostic, expr, diagnostics);
                None
            }
            _ => Some((collection, marks)),
        }
    }

    fn round<T>(&self, each: &ForExpr, key: Value, value: Value, run: impl FnOnce(&Env<'_>) -> T) -> T {
        let frame = Frame {
            key: each.key_name.as_ref().map(|name| (name.as_str(), key)),
            value: (each.value_name.as_str(), value),
            parent: self.frame,
        };
        run(&Env { frame: Some(&frame), ..*self })
    }

    pub(super) fn for_expr(&self, whole: Range, each: &ForExpr, diagnostics: &mut Diagnostics) -> Value {
        let Some((collection, mut marks)) = self.collection(&each.collection, whole, diagnostics) else {
            return Value::dynamic();
        };
        let condition_marks = match &each.condition {
            Some(condition) => match self.check_condition(each, condition, whole, diagnostics) {
                Some(marks) => marks,
                None => return Value::dynamic(),
            },
            None => Marks::empty(),
        };
        if !collection.is_known() {
            return Value::dynamic().with_marks(marks | condition_marks);
        }
        let mut result = Collected::default();
        for (key, value) in rounds(&collection) {
            if !self.spend(1, whole, diagnostics) {
                return Value::dynamic();
            }
            self.round(each, key, value, |env| env.for_round(each, whole, &mut result, &mut marks, diagnostics));
        }
        if result.unknown {
            return Value::dynamic().with_marks(marks);
        }
        let value = match (&each.key, each.group) {
            (None, _) => Value::tuple(result.elements),
            (Some(_), false) => Value::from_attributes(result.entries),
            (Some(_), true) => Value::from_attributes(
                result.groups.into_iter().map(|(key, values)| (key, Value::tuple(values))).collect(),
            ),
        };
        value.with_marks(marks)
    }

    /// Evaluates the condition once with unknown values, so that a wrong one is reported once; its marks are those of a
    /// result that cannot be computed. `None` after an error.
    fn check_condition(
        &self,
        each: &ForExpr,
        condition: &Expr,
        whole: Range,
        diagnostics: &mut Diagnostics,
    ) -> Option<Marks> {
        let mut own = Diagnostics::new();
        let value = self.round(each, Value::dynamic(), Value::dynamic(), |env| env.eval(condition, &mut own));
        let failed = own.has_errors();
        diagnostics.append(own);
        if value.is_null() {
            let detail = "The value of the 'if' clause must not be null.";
            let diagnostic = Diagnostic::error("Condition is null", detail).at(condition.range).within(whole);
            self.fail(diagnostic, condition, diagnostics);
            return None;
        }
        if let Err(error) = value.convert(&Type::Bool) {
            let detail = format!("The 'if' clause value is invalid: {error}.");
            let diagnostic = Diagnostic::error("Invalid 'for' condition", detail).at(condition.range).within(whole);
            self.fail(diagnostic, condition, diagnostics);
            return None;
        }
        (!failed).then_some(value.marks)
    }

    fn for_round(
        &self,
        each: &ForExpr,
        whole: Range,
        result: &mut Collected,
        marks: &mut Marks,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some(condition) = &each.condition {
            match self.is_included(condition, whole, result.unknown, marks, diagnostics) {
                Included::Yes => {}
                Included::No => return,
                Included::Unknown => {
                    result.unknown = true;
                    return;
                }
            }
        }
        let Some(key_expr) = &each.key else {
            result.elements.push(self.eval(&each.value, diagnostics));
            return;
        };
        let (key, key_marks) = self.eval(key_expr, diagnostics).unmark();
        if !key.is_null() {
            *marks |= key_marks;
        }
        let mut invalid = |detail: String| {
            if !result.unknown {
                let diagnostic = Diagnostic::error("Invalid object key", detail).at(key_expr.range).within(whole);
                self.fail(diagnostic, key_expr, diagnostics);
            }
            result.unknown = true;
        };
        if key.is_null() {
            return invalid("Key expression in 'for' expression must not produce a null value.".to_owned());
        }
        let key = match key.convert(&Type::String) {
            Ok(key) => key,
            Err(error) => return invalid(format!("The key expression produced an invalid result: {error}.")),
        };
        let Some(name) = key.as_str() else {
            result.unknown = true;
            return;
        };
        let value = self.eval(&each.value, diagnostics);
        if each.group {
            result.groups.entry(name.clone()).or_default().push(value);
        } else if result.entries.contains_key(name) {
            let detail = format!(
                "Two different items produced the key {:?} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.",
                name.as_str()
            );
            let diagnostic = Diagnostic::error("Duplicate object key", detail).at(key_expr.range).within(whole);
            self.fail(diagnostic, key_expr, diagnostics);
        } else {
            result.entries.insert(name.clone(), value);
        }
    }

    fn is_included(
        &self,
        condition: &Expr,
        whole: Range,
        reported: bool,
        marks: &mut Marks,
        diagnostics: &mut Diagnostics,
    ) -> Included {
        let value = self.eval(condition, diagnostics);
        let mut invalid = |detail: String| {
            if !reported {
                let diagnostic = Diagnostic::error("Invalid 'for' condition", detail).at(condition.range).within(whole);
                self.fail(diagnostic, condition, diagnostics);
            }
            Included::Unknown
        };
        if value.is_null() {
            return invalid("The value of the 'if' clause must not be null.".to_owned());
        }
        *marks |= value.marks;
        match value.convert(&Type::Bool) {
            Err(error) => invalid(format!("The 'if' clause value is invalid: {error}.")),
            Ok(value) => match value.as_bool() {
                Some(true) => Included::Yes,
                Some(false) => Included::No,
                None => Included::Unknown,
            },
        }
    }

    pub(super) fn splat(&self, expr: &Expr, splat: &SplatExpr, diagnostics: &mut Diagnostics) -> Value {
        let mut own = Diagnostics::new();
        let (source, marks) = self.eval(&splat.source, &mut own).unmark();
        let failed = own.has_errors();
        diagnostics.append(own);
        if failed {
            self.each(splat, &Value::dynamic(), diagnostics);
            return Value::dynamic();
        }
        let is_sequence = matches!(
            source.kind,
            Kind::List(..)
                | Kind::Set(..)
                | Kind::Tuple(_)
                | Kind::Null(Type::List(_) | Type::Set(_) | Type::Tuple(_))
                | Kind::Unknown(Type::List(_) | Type::Set(_) | Type::Tuple(_), _)
        );
        if source.is_null() {
            if !is_sequence {
                return Value::tuple([]).with_marks(marks);
            }
            let detail = "Splat expressions (with the * symbol) cannot be applied to null sequences.";
            let range = splat.source.range;
            let diagnostic = Diagnostic::error("Splat of null value", detail).at(range).within(range.to(splat.marker));
            return self.fail(diagnostic, &splat.source, diagnostics);
        }
        if source.is_dynamic() {
            return Value::dynamic().with_marks(marks);
        }
        // A single value is a sequence of one. If it may still turn out null, the result may still turn out empty.
        let may_be_empty = !is_sequence && !source.is_definitely_not_null();
        let source = if is_sequence { source } else { Value::tuple([source.with_marks(marks)]) };
        if !source.is_known() {
            return self.splat_of_unknown(splat, &source, diagnostics).with_marks(marks);
        }
        let elements = source.elements().unwrap_or_default();
        if !self.spend(elements.len() as u64, expr.range, diagnostics) {
            return Value::dynamic();
        }
        let mut own = Diagnostics::new();
        let values: Vec<Value> = elements.iter().map(|element| self.each(splat, element, &mut own)).collect();
        let failed = own.has_errors();
        diagnostics.append(own);
        if may_be_empty {
            return Value::dynamic().with_marks(marks);
        }
        if failed {
            let ty = self.splat_type(splat, &source, &mut Diagnostics::new());
            return Value::unknown(ty).with_marks(marks);
        }
        if matches!(source.kind, Kind::Tuple(_)) {
            return Value::tuple(values).with_marks(marks);
        }
        if values.is_empty() {
            let ty = self.splat_type(splat, &source, diagnostics);
            let element = ty.element().cloned().unwrap_or(Type::Dynamic);
            return Value::list(element, []).with_marks(marks);
        }
        let ty = values.iter().map(Value::ty).find(|ty| *ty != Type::Dynamic).unwrap_or(Type::Dynamic);
        if values.iter().any(|value| !value.has_type(&ty) && value.ty() != Type::Dynamic) {
            diagnostics.push(Diagnostic::error("Invalid nested splat expressions", "The second level of splat expression produced elements of different types, so it isn't possible to construct a valid list to represent the top-level result.\n\nConsider using a for expression instead, to produce a tuple-typed result which can therefore have non-homogenous element types.").at(splat.each.range).within(expr.range));
            return Value::dynamic();
        }
        let values = values.into_iter().map(|value| match value.convert(&ty) {
            Ok(converted) => converted,
            Err(_) => value,
        });
        Value::list(ty.clone(), values.collect::<Vec<_>>()).with_marks(marks)
    }

    fn each(&self, splat: &SplatExpr, item: &Value, diagnostics: &mut Diagnostics) -> Value {
        Env { item: Some(item), ..*self }.eval(&splat.each, diagnostics)
    }

    /// The type of the result, from what the expression makes of unknown elements.
    fn splat_type(&self, splat: &SplatExpr, source: &Value, diagnostics: &mut Diagnostics) -> Type {
        let mut of = |element: &Type| self.each(splat, &Value::unknown(element.clone()), diagnostics).ty();
        match &source.kind {
            Kind::List(element, _) | Kind::Set(element, _) => Type::list(of(element)),
            Kind::Unknown(Type::List(element) | Type::Set(element), _) => Type::list(of(element)),
            Kind::Unknown(Type::Tuple(elements), _) => Type::tuple(elements.iter().map(of).collect::<Vec<_>>()),
            Kind::Tuple(elements) => Type::tuple(elements.iter().map(|e| of(&e.ty())).collect::<Vec<_>>()),
            _ => Type::Dynamic,
        }
    }

    fn splat_of_unknown(&self, splat: &SplatExpr, source: &Value, diagnostics: &mut Diagnostics) -> Value {
        let ty = self.splat_type(splat, source, diagnostics);
        let (least, greatest) = source.length_bounds();
        let known =
            if matches!(ty, Type::List(_)) { Refinement::length(least, greatest) } else { Refinement::not_null() };
        Value::unknown(ty).refine(known)
    }
}

/// What the rounds of a `for` have produced.
#[derive(Default)]
struct Collected {
    elements: Vec<Value>,
    entries: BTreeMap<Str, Value>,
    groups: BTreeMap<Str, Vec<Value>>,
    unknown: bool,
}
