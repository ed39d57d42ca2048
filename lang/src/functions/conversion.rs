//! Types and marks: `tobool` … `toset`, `sensitive`, `nonsensitive`, `issensitive`, `ephemeralasnull`, and the special
//! forms `try` and `can`, which the evaluator does by itself.

use super::arguments::any;
use super::{CallError, Function, Param, Special};
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::{Marks, Value};

/// `list` and `map`, from before there was syntax for both.
pub(super) fn gone() -> [Function; 2] {
    let gone = |name, literal: &'static str, what: &'static str| {
        let message = move || {
            CallError::new(format_args!(
                "the \"{name}\" function was deprecated in Terraform v0.12 and is no longer available; use {literal} syntax \
                 to write a literal {what}"
            ))
        };
        Function::new(name, "", Type::Dynamic, |_, ty, _| Ok(Value::unknown(ty.clone())))
            .variadic(Param::new("vals", Type::Dynamic).null().unknown().dynamic().marked())
            .returns_by(move |_, _| Err(message()))
    };
    [gone("list", "tolist([ ... ])", "list"), gone("map", "tomap({ ... })", "map")]
}

pub(super) fn functions() -> Vec<Function> {
    let value = || Param::new("value", Type::Dynamic).null().unknown().dynamic().marked();
    let same_type = |a: &[Value], _: &dyn super::FunctionTable| Ok(any(a, 0)?.ty());
    vec![
        to("tobool", "`tobool` converts a value to a bool.", Type::Bool, "bool"),
        to("tonumber", "`tonumber` converts a value to a number.", Type::Number, "number"),
        to("tostring", "`tostring` converts a value to a string.", Type::String, "string"),
        to("tolist", "`tolist` converts a value to a list.", Type::list(Type::Dynamic), "list of any single type"),
        to("toset", "`toset` converts a value to a set.", Type::set(Type::Dynamic), "set of any single type"),
        to("tomap", "`tomap` converts a value to a map.", Type::map(Type::Dynamic), "map of any single type"),
        Function::new("sensitive", "`sensitive` marks a value, so that it is not shown.", Type::Dynamic, |a, _, _| {
            Ok(any(a, 0)?.clone().with_marks(Marks::SENSITIVE))
        })
        .param(value())
        .returns_by(same_type)
        .nullable(),
        Function::new(
            "nonsensitive",
            "`nonsensitive` allows a sensitive value to be shown.",
            Type::Dynamic,
            |a, _, _| {
                let (value, marks) = any(a, 0)?.clone().unmark();
                Ok(value.with_marks(marks - Marks::SENSITIVE))
            },
        )
        .param(value())
        .returns_by(same_type)
        .nullable(),
        Function::new(
            "issensitive",
            "`issensitive` says whether a value is marked as sensitive.",
            Type::Bool,
            |a, _, _| {
                let value = any(a, 0)?;
                Ok(if value.is_sensitive() || value.is_known() {
                    Value::bool(value.is_sensitive())
                } else {
                    Value::unknown(Type::Bool)
                })
            },
        )
        .param(value())
        .nullable(),
        Function::new(
            "ephemeralasnull",
            "`ephemeralasnull` replaces all ephemeral parts of a value by null.",
            Type::Dynamic,
            |a, _, _| {
                Ok(any(a, 0)?.transform(&mut |_, value| {
                    if !value.marks.contains(Marks::EPHEMERAL) {
                        return value;
                    }
                    let marks = value.marks - Marks::EPHEMERAL;
                    Value::null(value.ty()).with_marks(marks)
                }))
            },
        )
        .param(value())
        .returns_by(same_type)
        .nullable(),
        Function::new("can", "`can` says whether an expression can be evaluated.", Type::Bool, |a, _, _| {
            any(a, 0).map(|_| Value::bool(true))
        })
        .param(Param::new("expression", Type::Dynamic).dynamic())
        .returns_by(|_, _| Ok(Type::Bool))
        .special(Special::Can)
        .nullable(),
        Function::new(
            "try",
            "`try` returns the value of the first of its expressions that can be evaluated.",
            Type::Dynamic,
            |a, _, _| a.first().cloned().ok_or_else(|| CallError::new("at least one argument is required")),
        )
        .variadic(Param::new("expressions", Type::Dynamic))
        .special(Special::Try)
        .nullable(),
    ]
}

fn to(name: &'static str, description: &'static str, wanted: Type, friendly: &'static str) -> Function {
    let result = wanted.clone();
    Function::new(name, description, wanted.clone(), move |a, ty, _| {
        let value = any(a, 0)?;
        if !value.is_known() {
            return Ok(Value::unknown(ty.clone()).with_marks(value.marks));
        }
        value.convert(&wanted).map_err(|_| refusal(value, &wanted, friendly))
    })
    .param(Param::new("v", Type::Dynamic).null().unknown().dynamic().marked())
    .returns_by(move |a, _| {
        let given = any(a, 0)?.ty();
        // A conversion that may fail for some values is tried when the value is known.
        let possible = given == result || Value::unknown(given.clone()).convert(&result).is_ok();
        if possible {
            return Ok(result.clone());
        }
        Err(CallError::argument(0, format_args!("cannot convert {given} to {friendly}")))
    })
    .nullable()
}

fn refusal(value: &Value, wanted: &Type, friendly: &str) -> CallError {
    let given = value.ty();
    if value.deep_marks().contains(Marks::SENSITIVE) {
        return CallError::argument(0, format_args!("cannot convert this sensitive {given} to {friendly}"));
    }
    let text = value.as_str().map_or_else(|| "string".to_owned(), |s| go_quote(s));
    match (&given, wanted) {
        (Type::String, Type::Bool) => CallError::argument(
            0,
            format_args!("cannot convert {text} to bool; only the strings \"true\" or \"false\" are allowed"),
        ),
        (Type::String, Type::Number) => CallError::argument(
            0,
            format_args!("cannot convert {text} to number; given string must be a decimal representation of a number"),
        ),
        _ => CallError::argument(0, format_args!("cannot convert {given} to {friendly}")),
    }
}
