//! `condition ? a : b`, also as a template directive.

use super::Env;
use crate::ast::{ConditionalExpr, Expr};
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Range;
use crate::types::{Type, unify};
use crate::values::{Kind, Marks, Refinement, Value};

/// One side: its value and the messages, which count only if the side is taken.
pub(super) struct Branch {
    pub value: Value,
    pub diagnostics: Diagnostics,
    pub range: Range,
}

impl Env<'_> {
    pub(super) fn conditional(
        &self,
        expr: &Expr,
        conditional: &ConditionalExpr,
        diagnostics: &mut Diagnostics,
    ) -> Value {
        let branch = |side: &Expr| {
            let mut own = Diagnostics::new();
            Branch { value: self.eval(side, &mut own), diagnostics: own, range: side.range }
        };
        let (then, otherwise) = (branch(&conditional.then), branch(&conditional.otherwise));
        self.choose(expr.range, &conditional.condition, then, otherwise, diagnostics)
    }

    pub(super) fn choose(
        &self,
        whole: Range,
        condition: &Expr,
        then: Branch,
        otherwise: Branch,
        diagnostics: &mut Diagnostics,
    ) -> Value {
        let Some(ty) = common_type(&then.value, &otherwise.value) else {
            let reason = describe_mismatch(&then.value.ty(), &otherwise.value.ty());
            let detail = format!("The true and false result expressions must have consistent types. {reason}.");
            diagnostics.push(
                Diagnostic::error("Inconsistent conditional result types", detail)
                    .at(then.range.to(otherwise.range))
                    .within(whole)
                    .with_values(self.reference_values(condition)),
            );
            return Value::dynamic();
        };
        let chosen = self.eval(condition, diagnostics);
        if chosen.is_null() {
            let detail = "The condition value is null. Conditions must either be true or false.";
            let diagnostic = Diagnostic::error("Null condition", detail).at(condition.range).within(whole);
            self.fail(diagnostic, condition, diagnostics);
            return Value::unknown(ty.unwrap_or_else(|| then.value.ty()));
        }
        let marks = chosen.marks | then.value.marks | otherwise.value.marks;
        if !chosen.is_known() {
            let ty = ty.unwrap_or_else(|| then.value.ty());
            return either(ty, &then.value, &otherwise.value).with_marks(marks);
        }
        let Some(chosen) = chosen.convert(&Type::Bool).ok().and_then(|value| value.as_bool()) else {
            let detail = "The condition expression must be of type bool.";
            let diagnostic = Diagnostic::error("Incorrect condition type", detail).at(condition.range).within(whole);
            self.fail(diagnostic, condition, diagnostics);
            return Value::unknown(ty.unwrap_or_else(|| then.value.ty()));
        };
        let (branch, side) = if chosen { (then, "true") } else { (otherwise, "false") };
        diagnostics.append(branch.diagnostics);
        let Some(ty) = ty else { return branch.value.with_marks(marks) };
        match branch.value.convert(&ty) {
            Ok(value) => value.with_marks(marks),
            Err(error) => {
                let detail = format!("The {side} result value has the wrong type: {error}.");
                diagnostics.push(
                    Diagnostic::error("Inconsistent conditional result types", detail).at(branch.range).within(whole),
                );
                Value::unknown(ty).with_marks(marks)
            }
        }
    }
}

fn is_untyped_null(value: &Value) -> bool {
    matches!(value.kind, Kind::Null(Type::Dynamic)) && value.marks.is_empty()
}

/// The type of the result: `None` when there is none, `Some(None)` when both sides have the same one already.
fn common_type(then: &Value, otherwise: &Value) -> Option<Option<Type>> {
    if is_untyped_null(then) {
        return Some(Some(otherwise.ty()));
    }
    if is_untyped_null(otherwise) {
        return Some(Some(then.ty()));
    }
    let untyped = |value: &Value| matches!(value.kind, Kind::Null(Type::Dynamic) | Kind::Unknown(Type::Dynamic, _));
    if untyped(then) || untyped(otherwise) {
        return Some(Some(Type::Dynamic));
    }
    let same_primitive = matches!(
        (&then.kind, &otherwise.kind),
        (Kind::Bool(_), Kind::Bool(_)) | (Kind::Number(_), Kind::Number(_)) | (Kind::String(_), Kind::String(_))
    );
    if same_primitive {
        return Some(None);
    }
    let (then, otherwise) = (then.ty(), otherwise.ty());
    if then == otherwise {
        return Some(None);
    }
    unify(&[then, otherwise]).map(Some)
}

/// What is known when it is not known which side it will be.
fn either(ty: Type, then: &Value, otherwise: &Value) -> Value {
    let (then, otherwise) = (without_marks(then), without_marks(otherwise));
    if then.is_null() && otherwise.is_null() {
        return Value::null(ty);
    }
    let not_null = then.is_definitely_not_null() && otherwise.is_definitely_not_null();
    let mut known = Refinement { not_null, ..Refinement::default() };
    let (a, b) = (then.ty(), otherwise.ty());
    if a == Type::Number && b == Type::Number {
        let ((a_least, a_greatest), (b_least, b_greatest)) = (then.number_bounds(), otherwise.number_bounds());
        known.lower = a_least.zip(b_least).map(|(a, b)| (a.min(b), true));
        known.upper = a_greatest.zip(b_greatest).map(|(a, b)| (a.max(b), true));
    } else if a.is_collection() && a == b {
        let ((a_least, a_greatest), (b_least, b_greatest)) = (then.length_bounds(), otherwise.length_bounds());
        known.min_length = Some(a_least.min(b_least)).filter(|n| *n > 0);
        known.max_length = a_greatest.zip(b_greatest).map(|(a, b)| a.max(b));
    }
    Value::unknown(ty).refine(known)
}

fn without_marks(value: &Value) -> Value {
    Value { kind: value.kind.clone(), marks: Marks::empty() }
}

/// How the types of the sides differ, in Terraform's words.
fn describe_mismatch(then: &Type, otherwise: &Type) -> String {
    match (then, otherwise) {
        (Type::Object(a), Type::Object(b)) => {
            for (name, a) in &a.attributes {
                match b.attributes.get(name) {
                    None => {
                        return format!(
                            "The 'true' value includes object attribute {name:?}, which is absent in the 'false' value"
                        );
                    }
                    Some(b) if a != b => {
                        return format!("Type mismatch for object attribute {name:?}: {}", describe_mismatch(a, b));
                    }
                    Some(_) => {}
                }
            }
            if let Some(name) = b.attributes.keys().find(|name| !a.attributes.contains_key(*name)) {
                return format!(
                    "The 'false' value includes object attribute {name:?}, which is absent in the 'true' value"
                );
            }
        }
        (Type::Tuple(a), Type::Tuple(b)) => {
            if a.len() != b.len() {
                return format!(
                    "The 'true' tuple has length {}, but the 'false' tuple has length {}",
                    a.len(),
                    b.len()
                );
            }
            if let Some((i, (a, b))) = a.iter().zip(b.iter()).enumerate().find(|(_, (a, b))| a != b) {
                return format!("Type mismatch for tuple element {i}: {}", describe_mismatch(a, b));
            }
        }
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b))
            if matches!((&**a, &**b), (Type::Object(_), Type::Object(_)) | (Type::Tuple(_), Type::Tuple(_))) =>
        {
            let noun = match then {
                Type::List(_) => "list",
                Type::Set(_) => "set",
                _ => "map",
            };
            return format!("Mismatched {noun} element types: {}", describe_mismatch(a, b));
        }
        _ => {}
    }
    let (then, otherwise) = (then.to_string(), otherwise.to_string());
    if then == otherwise {
        return "At least one deeply-nested attribute or element is not compatible across both the 'true' and the 'false' value".to_owned();
    }
    format!("The 'true' value is {then}, but the 'false' value is {otherwise}")
}
