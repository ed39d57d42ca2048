//! Operators.

use super::Env;
use crate::ast::{BinaryExpr, BinaryOperator, Expr, UnaryExpr, UnaryOperator};
use crate::diag::{Diagnostic, Diagnostics};
use crate::types::Type;
use crate::values::{Number, Value};

impl Env<'_> {
    pub(super) fn unary(&self, expr: &Expr, unary: &UnaryExpr, diagnostics: &mut Diagnostics) -> Value {
        let ty = match unary.operator {
            UnaryOperator::Negate => Type::Number,
            UnaryOperator::Not => Type::Bool,
        };
        let mut own = Diagnostics::new();
        let operand = self.eval(&unary.operand, &mut own);
        let converted = operand.convert(&ty);
        if let Err(error) = &converted {
            let detail = format!("Unsuitable value for unary operand: {error}.");
            let diagnostic = Diagnostic::error("Invalid operand", detail).at(unary.operand.range).within(expr.range);
            self.fail(diagnostic, &unary.operand, &mut own);
        }
        let failed = own.has_errors();
        diagnostics.append(own);
        let Some(operand) = converted.ok().filter(|_| !failed) else { return Value::unknown(ty) };
        let marks = operand.marks;
        if operand.is_null() {
            return self.operation_failed("argument must not be null", expr, ty, diagnostics);
        }
        let result = match (operand.as_number(), operand.as_bool()) {
            (Some(number), _) => Value::number(number.neg()),
            (_, Some(value)) => Value::bool(!value),
            _ => Value::unknown_not_null(ty),
        };
        result.with_marks(marks)
    }

    pub(super) fn binary(&self, expr: &Expr, binary: &BinaryExpr, diagnostics: &mut Diagnostics) -> Value {
        use BinaryOperator::*;
        let (operands, result) = match binary.operator {
            Or | And => (Type::Bool, Type::Bool),
            Equal | NotEqual => (Type::Dynamic, Type::Bool),
            Greater | GreaterOrEqual | Less | LessOrEqual => (Type::Number, Type::Bool),
            Add | Subtract | Multiply | Divide | Modulo => (Type::Number, Type::Number),
        };
        let mut own = Diagnostics::new();
        let (left, right) = (self.eval(&binary.left, &mut own), self.eval(&binary.right, &mut own));
        let left = self.operand(expr, &binary.left, "left", &left, &operands, &mut own);
        let right = self.operand(expr, &binary.right, "right", &right, &operands, &mut own);
        let failed = own.has_errors();
        diagnostics.append(own);
        let (Some((left, left_marks)), Some((right, right_marks))) =
            (left.map(Value::unmark), right.map(Value::unmark))
        else {
            return Value::unknown(result);
        };
        let marks = left_marks | right_marks;
        if failed {
            return Value::unknown(result).with_marks(marks);
        }
        let value = match binary.operator {
            Equal => left.equals(&right),
            NotEqual => not(left.equals(&right)),
            operator => {
                if left.is_null() || right.is_null() {
                    return self.operation_failed("argument must not be null", expr, result, diagnostics);
                }
                match operator {
                    Or => logic(&left, &right, |a, b| a || b),
                    And => logic(&left, &right, |a, b| a && b),
                    Less => less(&left, &right),
                    Greater => less(&right, &left),
                    LessOrEqual => not(less(&right, &left)),
                    GreaterOrEqual => not(less(&left, &right)),
                    operator => match (left.as_number(), right.as_number()) {
                        (Some(a), Some(b)) => match arithmetic(operator, a, b) {
                            Ok(number) => Value::number(number),
                            Err(reason) => return self.operation_failed(reason, expr, result, diagnostics),
                        },
                        _ => Value::unknown_not_null(Type::Number),
                    },
                }
            }
        };
        value.with_marks(marks)
    }

    /// The operand, converted; `None` when it has no suitable type.
    fn operand(
        &self,
        whole: &Expr,
        expr: &Expr,
        side: &str,
        value: &Value,
        ty: &Type,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        match value.convert(ty) {
            Ok(value) => Some(value),
            Err(error) => {
                let detail = format!("Unsuitable value for {side} operand: {error}.");
                let diagnostic = Diagnostic::error("Invalid operand", detail).at(expr.range).within(whole.range);
                self.fail(diagnostic, expr, diagnostics);
                None
            }
        }
    }

    fn operation_failed(&self, reason: &str, expr: &Expr, ty: Type, diagnostics: &mut Diagnostics) -> Value {
        let detail = format!("Error during operation: {reason}.");
        self.fail(Diagnostic::error("Operation failed", detail).at(expr.range), expr, diagnostics);
        Value::unknown(ty)
    }
}

fn logic(a: &Value, b: &Value, combine: fn(bool, bool) -> bool) -> Value {
    match (a.as_bool(), b.as_bool()) {
        (Some(a), Some(b)) => Value::bool(combine(a, b)),
        _ => Value::unknown_not_null(Type::Bool),
    }
}

fn not(value: Value) -> Value {
    match value.as_bool() {
        Some(known) => Value::bool(!known).with_marks(value.marks),
        None => value,
    }
}

/// `a < b`; the bounds of unknown numbers may suffice.
fn less(a: &Value, b: &Value) -> Value {
    if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
        return Value::bool(a < b);
    }
    let ((a_least, a_greatest), (b_least, b_greatest)) = (a.number_bounds(), b.number_bounds());
    if a_greatest.zip(b_least).is_some_and(|(a, b)| a < b) {
        Value::TRUE
    } else if a_least.zip(b_greatest).is_some_and(|(a, b)| a > b) {
        Value::FALSE
    } else {
        Value::unknown_not_null(Type::Bool)
    }
}

fn arithmetic(operator: BinaryOperator, a: &Number, b: &Number) -> Result<Number, &'static str> {
    let both_infinite = a.is_infinite() && b.is_infinite();
    match operator {
        BinaryOperator::Add if both_infinite && a.is_negative() != b.is_negative() => {
            Err("can't compute sum of opposing infinities")
        }
        BinaryOperator::Add => Ok(a.add(b)),
        BinaryOperator::Subtract if both_infinite && a.is_negative() == b.is_negative() => {
            Err("can't subtract infinity from itself")
        }
        BinaryOperator::Subtract => Ok(a.sub(b)),
        BinaryOperator::Multiply if (a.is_infinite() && b.is_zero()) || (b.is_infinite() && a.is_zero()) => {
            Err("can't multiply zero by infinity")
        }
        BinaryOperator::Multiply => Ok(a.mul(b)),
        BinaryOperator::Modulo if (a.is_infinite() && b.is_zero()) || (b.is_infinite() && a.is_zero()) => {
            Err("can't use modulo with zero and infinity")
        }
        BinaryOperator::Modulo => Ok(a.rem(b)),
        _ => a.div(b).ok_or("can't divide zero by zero or infinity by infinity"),
    }
}
