//! Sets: `setintersection`, `setproduct`, `setsubtract`, `setunion`.

use super::arguments::{MAX_ELEMENTS, any};
use super::sequences::{build, known_length};
use super::{CallError, Function, FunctionTable, Param};
use crate::types::{self, Type};
use crate::values::{Marks, Refinement, Value};

/// Bounds of the length of a product that is not known yet are kept up to here.
const MAX_BOUND: u64 = 2048;
const MAX_FACTOR_BOUND: u64 = 1024;

pub(super) fn functions() -> Vec<Function> {
    let set = |name| Param::new(name, Type::set(Type::Dynamic)).dynamic();
    vec![
        Function::new("setunion", "`setunion` returns the elements of all sets.", Type::Dynamic, |a, ty, _| {
            let mut all = Vec::new();
            for set in converted(a, ty)? {
                all.extend_from_slice(set.elements().unwrap_or_default());
            }
            Ok(build(ty, all))
        })
        .param(set("first_set"))
        .variadic(set("other_sets"))
        .returns_by(set_type),
        Function::new(
            "setintersection",
            "`setintersection` returns the elements that all sets have.",
            Type::Dynamic,
            |a, ty, _| combine(a, ty, |found| found),
        )
        .param(set("first_set"))
        .variadic(set("other_sets"))
        .returns_by(set_type),
        Function::new(
            "setsubtract",
            "`setsubtract` returns the elements that the second set does not have.",
            Type::Dynamic,
            |a, ty, _| combine(a, ty, |found| !found),
        )
        .param(set("a"))
        .param(set("b"))
        .returns_by(set_type),
        Function::new(
            "setproduct",
            "`setproduct` returns all combinations of one element of each set or list.",
            Type::Dynamic,
            |a, ty, _| product(a, ty),
        )
        .variadic(
            Param::new("sets", Type::Dynamic)
                .unknown()
                .marked()
                .about("Sets, lists or tuples; with lists only, the order is kept."),
        )
        .returns_by(product_type),
    ]
}

fn set_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let mut elements = Vec::new();
    for argument in arguments {
        let element = argument.ty().element().cloned().unwrap_or(Type::Dynamic);
        // An empty set of any type takes the type of the others.
        let empty = argument.length() == Some(0) && argument.is_known();
        if !(empty && element == Type::Dynamic) {
            elements.push(element);
        }
    }
    if elements.is_empty() {
        return Ok(Type::set(Type::Dynamic));
    }
    let common = types::unify(&elements);
    common.map(Type::set).ok_or_else(|| CallError::new("given sets must all have compatible element types"))
}

fn converted(arguments: &[Value], ty: &Type) -> Result<Vec<Value>, CallError> {
    let sets = arguments.iter().enumerate();
    sets.map(|(index, set)| set.convert(ty).map_err(|e| CallError::argument(index, e))).collect()
}

/// Keeps those elements of the first set for which `keep` (given whether another set has it) says so, one set after the
/// other. What is unknown could change the answer, so it makes the whole unknown.
fn combine(arguments: &[Value], ty: &Type, keep: fn(bool) -> bool) -> Result<Value, CallError> {
    let sets = converted(arguments, ty)?;
    if !sets.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(ty.clone()));
    }
    let Some((first, others)) = sets.split_first() else { return Err(CallError::new("at least one set is required")) };
    let mut kept = first.elements().unwrap_or_default().to_vec();
    for other in others {
        let other = other.elements().unwrap_or_default();
        kept.retain(|element| {
            // Sets of strings are in order.
            let found = match element.as_str() {
                Some(text) => other.binary_search_by(|o| o.as_str().cmp(&Some(text))).is_ok(),
                None => other.contains(element),
            };
            keep(found)
        });
    }
    Ok(build(ty, kept))
}

fn product_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    if arguments.len() < 2 {
        return Err(CallError::new("at least two arguments are required"));
    }
    let mut elements = Vec::new();
    let mut ordered = true;
    for (index, argument) in arguments.iter().enumerate() {
        elements.push(match argument.ty() {
            Type::Set(element) => {
                ordered = false;
                (*element).clone()
            }
            Type::List(element) => (*element).clone(),
            Type::Tuple(types) if types.is_empty() => Type::Dynamic,
            Type::Tuple(types) => types::unify(&types)
                .ok_or_else(|| CallError::argument(index, "all elements must be of the same type"))?,
            _ => return Err(CallError::argument(index, "a set or a list is required")),
        });
    }
    let row = Type::tuple(elements);
    Ok(if ordered { Type::list(row) } else { Type::set(row) })
}

fn product(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let marks = arguments.iter().fold(Marks::empty(), |marks, a| marks | a.marks);
    if !arguments.iter().all(|a| a.is_known() && known_length(a).is_some()) {
        return Ok(unknown_product(arguments, ty).with_marks(marks));
    }
    let Some(Type::Tuple(columns)) = ty.element() else { return Err(CallError::new("a set or a list is required")) };
    let mut factors: Vec<Vec<Value>> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let elements = any(arguments, index)?.elements().unwrap_or_default().iter();
        let elements = elements.map(|e| e.convert(column).map_err(|error| CallError::argument(index, error)));
        factors.push(elements.collect::<Result<_, _>>()?);
    }
    if factors.iter().any(Vec::is_empty) {
        return Ok(build(ty, []).with_marks(marks));
    }
    let total = factors.iter().try_fold(1usize, |total, f| total.checked_mul(f.len()));
    let cells = total.and_then(|t| t.checked_mul(factors.len())).filter(|cells| *cells <= MAX_ELEMENTS);
    let (Some(total), Some(_)) = (total, cells) else {
        return Err(CallError::new("the product would have too many elements"));
    };
    let mut rows = Vec::with_capacity(total);
    for number in 0..total {
        let mut rest = number;
        // The last factor changes fastest.
        let mut row: Vec<Value> = factors
            .iter()
            .rev()
            .filter_map(|factor| {
                let element = factor.get(rest % factor.len());
                rest /= factor.len();
                element.cloned()
            })
            .collect();
        row.reverse();
        rows.push(Value::tuple(row));
    }
    Ok(build(ty, rows).with_marks(marks))
}

/// An unknown product whose length may be bounded.
fn unknown_product(arguments: &[Value], ty: &Type) -> Value {
    let mut greatest: u64 = 1;
    for argument in arguments {
        let (_, bound) = argument.length_bounds();
        match bound.filter(|b| *b <= MAX_FACTOR_BOUND) {
            Some(bound) => greatest *= bound,
            None => return Value::unknown(ty.clone()),
        }
        if greatest > MAX_BOUND {
            return Value::unknown(ty.clone());
        }
    }
    let least = greatest.min(1);
    Value::unknown(ty.clone()).refine(Refinement::length(least, Some(greatest)))
}
