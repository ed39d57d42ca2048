//! Lists and tuples: `chunklist`, `coalescelist`, `compact`, `concat`, `contains`, `distinct`, `element`, `flatten`, `index`,
//! `one`, `range`, `reverse`, `slice`, `sort`, `sum`, `alltrue`, `anytrue`.

use std::collections::HashSet;

use super::arguments::{any, count, integer, iterate, number, sequence, strings, unmarked};
use super::{CallError, Function, FunctionTable, Param};
use crate::Str;
use crate::types::{self, Type};
use crate::values::{Kind, Marks, Number, Refinement, Value};

/// `range` makes no more than these.
const MAX_RANGE: usize = 1024;

pub(super) fn functions() -> Vec<Function> {
    let list = || Param::new("list", Type::Dynamic);
    let typed = |element| Param::new("list", Type::list(element));
    vec![
        Function::new("alltrue", "`alltrue` says whether all elements of a list are true.", Type::Bool, |a, _, _| {
            all_true(a)
        })
        .param(typed(Type::Bool)),
        Function::new("anytrue", "`anytrue` says whether any element of a list is true.", Type::Bool, |a, _, _| {
            any_true(a)
        })
        .param(typed(Type::Bool)),
        Function::new(
            "chunklist",
            "`chunklist` cuts a list into lists of a given length.",
            Type::Dynamic,
            |a, _, _| chunks(a),
        )
        .param(typed(Type::Dynamic).marked())
        .param(Param::new("size", Type::Number).marked().about("The length of all lists but the last."))
        .returns_by(|a, _| Ok(Type::list(any(a, 0)?.ty()))),
        Function::new(
            "coalescelist",
            "`coalescelist` returns the first of its arguments that is a list with elements.",
            Type::Dynamic,
            |a, ty, _| coalesce_list(a, ty),
        )
        .variadic(Param::new("vals", Type::Dynamic).unknown().dynamic().null().about("The lists or tuples, in order."))
        .returns_by(coalesce_list_type),
        Function::new(
            "compact",
            "`compact` removes empty strings from a list.",
            Type::list(Type::String),
            |a, ty, _| {
                if !any(a, 0)?.is_wholly_known() {
                    return Ok(Value::unknown(ty.clone()));
                }
                Ok(strings(sequence(a, 0)?.iter().filter_map(Value::as_str).filter(|s| !s.is_empty()).cloned()))
            },
        )
        .param(typed(Type::String)),
        Function::new("concat", "`concat` joins lists into one.", Type::Dynamic, |a, ty, _| concat(a, ty))
            .variadic(Param::new("seqs", Type::Dynamic).marked())
            .returns_by(concat_type),
        Function::new("contains", "`contains` says whether a list or set contains a value.", Type::Bool, |a, _, _| {
            contains(a)
        })
        .param(list())
        .param(Param::new("value", Type::Dynamic)),
        Function::new(
            "distinct",
            "`distinct` removes elements that occurred before from a list.",
            Type::Dynamic,
            |a, ty, _| distinct(a, ty),
        )
        .param(typed(Type::Dynamic))
        .returns_by(|a, _| Ok(any(a, 0)?.ty())),
        Function::new(
            "element",
            "`element` returns an element of a list; indices wrap around.",
            Type::Dynamic,
            |a, ty, _| element(a, ty),
        )
        .param(list().marked())
        .param(Param::new("index", Type::Number))
        .returns_by(element_type)
        .nullable(),
        Function::new(
            "flatten",
            "`flatten` replaces lists in a list by their elements, at all depths.",
            Type::Dynamic,
            |a, ty, _| {
                let mut flat = Flat::default();
                flat.add(any(a, 0)?);
                let marks = flat.marks;
                Ok(if flat.known { Value::tuple(flat.elements) } else { Value::unknown(ty.clone()) }.with_marks(marks))
            },
        )
        .param(list().marked())
        .returns_by(flatten_type),
        Function::new(
            "index",
            "`index` returns the index of the first element of a list that equals a value.",
            Type::Number,
            |a, _, _| index_of(a),
        )
        .param(list())
        .param(Param::new("value", Type::Dynamic)),
        Function::new(
            "one",
            "`one` returns the only element of a list, or null if it is empty.",
            Type::Dynamic,
            |a, ty, _| one(a, ty),
        )
        .param(list())
        .returns_by(one_type)
        .nullable(),
        Function::new(
            "range",
            "`range` returns the numbers from a start to a limit, with a step.",
            Type::list(Type::Number),
            |a, _, _| range(a),
        )
        .variadic(Param::new("params", Type::Number)),
        Function::new(
            "reverse",
            "`reverse` reverses the order of the elements of a list.",
            Type::Dynamic,
            |a, ty, _| {
                let (list, marks) = unmarked(a, 0)?;
                let elements = iterate(&list).unwrap_or_default().into_iter().rev();
                Ok(build(ty, elements).with_marks(marks))
            },
        )
        .param(list().marked())
        .returns_by(|a, _| match any(a, 0)?.ty() {
            Type::Tuple(types) => Ok(Type::tuple(types.iter().rev().cloned())),
            Type::List(element) | Type::Set(element) => Ok(Type::List(element)),
            other => Err(CallError::argument(0, format_args!("can only reverse list or tuple values, not {other}"))),
        }),
        Function::new("slice", "`slice` returns consecutive elements of a list.", Type::Dynamic, |a, ty, _| {
            slice(a, ty)
        })
        .param(list().marked())
        .param(Param::new("start_index", Type::Number))
        .param(Param::new("end_index", Type::Number))
        .returns_by(slice_type),
        Function::new(
            "sort",
            "`sort` sorts a list of strings by code points.",
            Type::list(Type::String),
            |a, ty, _| sort(a, ty),
        )
        .param(typed(Type::String).unknown()),
        Function::new("sum", "`sum` adds the numbers of a list or set.", Type::Number, |a, _, _| sum(a)).param(list()),
    ]
}

/// A list or tuple, as `ty` says.
pub(super) fn build(ty: &Type, elements: impl IntoIterator<Item = Value>) -> Value {
    match ty {
        Type::List(element) => Value::list((**element).clone(), elements),
        Type::Set(element) => Value::set((**element).clone(), elements),
        _ => Value::tuple(elements),
    }
}

/// How many elements a value has, if that is certain: an unknown element of a set may equal another.
pub(super) fn known_length(value: &Value) -> Option<usize> {
    match value.length_bounds() {
        (least, Some(greatest)) if least == greatest => usize::try_from(least).ok(),
        _ => None,
    }
}

fn all_true(arguments: &[Value]) -> Result<Value, CallError> {
    for element in sequence(arguments, 0)? {
        if !element.is_known() {
            return Ok(Value::unknown(Type::Bool));
        }
        if element.as_bool() != Some(true) {
            return Ok(Value::bool(false));
        }
    }
    Ok(Value::bool(true))
}

fn any_true(arguments: &[Value]) -> Result<Value, CallError> {
    let elements = sequence(arguments, 0)?;
    if elements.iter().any(|e| e.as_bool() == Some(true)) {
        return Ok(Value::bool(true));
    }
    Ok(if elements.iter().all(Value::is_known) { Value::bool(false) } else { Value::unknown(Type::Bool) })
}

fn chunks(arguments: &[Value]) -> Result<Value, CallError> {
    let (list, list_marks) = unmarked(arguments, 0)?;
    let (size, size_marks) = unmarked(arguments, 1)?;
    let size = integer(&[size], 0).map_err(|e| CallError::new(format_args!("invalid size: {e}")))?;
    let size = usize::try_from(size).map_err(|_| CallError::new("the size argument must be positive"))?;
    let (ty, elements) = (list.ty(), list.elements().unwrap_or_default());
    let chunks: Vec<Value> = match size {
        0 if elements.is_empty() => Vec::new(),
        0 => vec![list.clone()],
        size => elements.chunks(size).map(|chunk| build(&ty, chunk.iter().cloned())).collect(),
    };
    Ok(Value::list(ty, chunks).with_marks(list_marks | size_marks))
}

fn coalesce_list_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let Some(first) = arguments.first() else { return Err(CallError::new("at least one argument is required")) };
    let mut same = true;
    for argument in arguments {
        if !argument.is_known() {
            return Ok(Type::Dynamic);
        }
        if !matches!(argument.ty(), Type::List(_) | Type::Tuple(_)) {
            return Err(CallError::new("coalescelist arguments must be lists or tuples"));
        }
        same &= argument.ty() == first.ty();
    }
    Ok(if same { first.ty() } else { Type::Dynamic })
}

fn coalesce_list(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    for argument in arguments {
        if !argument.is_known() {
            return Ok(Value::unknown(ty.clone()));
        }
        if argument.length().is_some_and(|n| n > 0) {
            return Ok(argument.clone());
        }
    }
    Err(CallError::new("no non-null arguments"))
}

fn concat_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    if arguments.is_empty() {
        return Err(CallError::new("at least one argument is required"));
    }
    let given: Vec<Type> = arguments.iter().map(Value::ty).collect();
    if given.iter().all(|ty| matches!(ty, Type::List(_)))
        && let Some(common) = types::unify(&given)
    {
        return Ok(common);
    }
    let mut elements = Vec::new();
    for (index, (argument, ty)) in arguments.iter().zip(given).enumerate() {
        match ty {
            Type::Tuple(types) => elements.extend(types.iter().cloned()),
            Type::List(element) => {
                let Some(length) = argument.length().filter(|_| argument.is_known()) else { return Ok(Type::Dynamic) };
                elements.extend(std::iter::repeat_n((*element).clone(), length));
            }
            other => {
                let message = format_args!("all arguments must be lists or tuples; got {other}").to_string();
                return Err(CallError::argument(index, message));
            }
        }
    }
    Ok(Type::tuple(elements))
}

fn concat(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let mut elements = Vec::new();
    let mut marks = Marks::empty();
    for (index, argument) in arguments.iter().enumerate() {
        let converted = match ty {
            Type::List(_) => argument.convert(ty).map_err(|e| CallError::argument(index, e))?,
            _ => argument.clone(),
        };
        let (sequence, own) = converted.unmark();
        marks |= own;
        elements.extend_from_slice(sequence.elements().unwrap_or_default());
    }
    Ok(build(ty, elements).with_marks(marks))
}

fn contains(arguments: &[Value]) -> Result<Value, CallError> {
    let (list, wanted) = (any(arguments, 0)?, any(arguments, 1)?);
    let Some(elements) = list.elements() else {
        return Err(CallError::new("argument must be list, tuple, or set"));
    };
    let mut unknown = false;
    for element in elements {
        match wanted.equals(element).as_bool() {
            Some(true) => return Ok(Value::bool(true)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

fn distinct(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    if !any(arguments, 0)?.is_wholly_known() {
        return Ok(Value::unknown(ty.clone()));
    }
    let mut texts: HashSet<Str> = HashSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for element in sequence(arguments, 0)? {
        let new = match element.as_str() {
            Some(text) => texts.insert(text.clone()),
            None => !kept.iter().any(|k| k.equals(element).as_bool() == Some(true)),
        };
        if new {
            kept.push(element.clone());
        }
    }
    Ok(build(ty, kept))
}

const EMPTY_ELEMENT: &str = "cannot use element function with an empty list";

fn element_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    match any(arguments, 0)?.ty() {
        Type::List(element) => Ok((*element).clone()),
        Type::Tuple(types) => {
            if !any(arguments, 1)?.is_known() {
                return Ok(Type::Dynamic);
            }
            let index = integer(arguments, 1).map_err(|e| CallError::new(format_args!("invalid index: {e}")))?;
            let length = i64::try_from(types.len()).unwrap_or(i64::MAX);
            let index = index.checked_rem(length).ok_or_else(|| CallError::new(EMPTY_ELEMENT))?;
            // Terraform 1.11 wraps negative indices around in lists only.
            let ty = usize::try_from(index).ok().and_then(|i| types.get(i));
            ty.cloned().ok_or_else(|| CallError::new("the index of an element of a tuple must not be negative"))
        }
        other => Err(CallError::new(format_args!("cannot read elements from {other}"))),
    }
}

fn element(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let index = integer(arguments, 1).map_err(|e| CallError::new(format_args!("invalid index: {e}")))?;
    let (list, marks) = unmarked(arguments, 0)?;
    if !list.is_known() {
        return Ok(Value::unknown(ty.clone()).with_marks(marks));
    }
    let elements = list.elements().unwrap_or_default();
    let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
    let found = index.checked_rem_euclid(length).and_then(|i| elements.get(usize::try_from(i).ok()?));
    found.map(|e| e.clone().with_marks(marks)).ok_or_else(|| CallError::new(EMPTY_ELEMENT))
}

#[derive(Debug)]
struct Flat {
    elements: Vec<Value>,
    marks: Marks,
    known: bool,
}

impl Default for Flat {
    fn default() -> Flat {
        Flat { elements: Vec::new(), marks: Marks::empty(), known: true }
    }
}

impl Flat {
    /// Adds the elements of a sequence; those of unknown length make the whole unknown.
    fn add(&mut self, list: &Value) {
        self.marks |= list.marks;
        if known_length(list).is_none() {
            self.known = false;
            return;
        }
        for element in &iterate(list).unwrap_or_default() {
            self.known &= !element.is_dynamic();
            let nested = matches!(element.ty(), Type::List(_) | Type::Set(_) | Type::Tuple(_));
            if !nested || element.is_null() {
                self.elements.push(element.clone());
            } else if element.is_known() {
                stacker::maybe_grow(64 << 10, 1 << 20, || self.add(element));
            } else {
                self.known = false;
                self.marks |= element.marks;
            }
        }
    }
}

fn flatten_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let list = any(arguments, 0)?;
    if !list.is_wholly_known() {
        return Ok(Type::Dynamic);
    }
    if !matches!(list.kind, Kind::List(..) | Kind::Set(..) | Kind::Tuple(_)) {
        return Err(CallError::new("can only flatten lists, sets and tuples"));
    }
    let mut flat = Flat::default();
    flat.add(list);
    Ok(if flat.known { Type::tuple(flat.elements.iter().map(Value::ty)) } else { Type::Dynamic })
}

fn index_of(arguments: &[Value]) -> Result<Value, CallError> {
    let (list, wanted) = (any(arguments, 0)?, any(arguments, 1)?);
    let (Kind::List(_, elements) | Kind::Tuple(elements)) = &list.kind else {
        return Err(CallError::new("argument must be a list or tuple"));
    };
    if elements.is_empty() {
        return Err(CallError::new("cannot search an empty list"));
    }
    for (index, element) in elements.iter().enumerate() {
        match element.equals(wanted).as_bool() {
            Some(true) => return Ok(count(index)),
            Some(false) => {}
            None => return Ok(Value::unknown(Type::Number)),
        }
    }
    Err(CallError::new("item not found"))
}

const ONE: &str = "must be a list, set, or tuple value with either zero or one elements";

fn one_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    match any(arguments, 0)?.ty() {
        Type::List(element) | Type::Set(element) => Ok((*element).clone()),
        Type::Tuple(types) if types.len() < 2 => Ok(types.first().cloned().unwrap_or(Type::Dynamic)),
        _ => Err(CallError::argument(0, ONE)),
    }
}

fn one(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let list = any(arguments, 0)?;
    match (known_length(list), list.elements().unwrap_or_default()) {
        (None, _) => Ok(Value::unknown(ty.clone())),
        (_, []) => Ok(Value::null(ty.clone())),
        (_, [only]) => Ok(only.clone()),
        _ => Err(CallError::argument(0, ONE)),
    }
}

fn range(arguments: &[Value]) -> Result<Value, CallError> {
    let given = (0..arguments.len()).map(|i| number(arguments, i)).collect::<Result<Vec<_>, _>>()?;
    let towards = |start: &Number, end: &Number| Number::from(if end < start { -1i64 } else { 1 });
    let (start, end, step) = match given.as_slice() {
        [end] => (Number::ZERO, (*end).clone(), towards(&Number::ZERO, end)),
        [start, end] => ((*start).clone(), (*end).clone(), towards(start, end)),
        [start, end, step] => ((*start).clone(), (*end).clone(), (*step).clone()),
        _ => return Err(CallError::new("must have one, two, or three arguments")),
    };
    let down = step < Number::ZERO;
    if down && end > start {
        return Err(CallError::argument(1, "end must be less than start when step is negative"));
    }
    if !down && end < start {
        return Err(CallError::argument(1, "end must be greater than start when step is positive"));
    }
    let mut values = Vec::new();
    let mut next = start;
    while if down { next > end } else { next < end } {
        if values.len() >= MAX_RANGE {
            return Err(CallError::new(format_args!(
                "more than {MAX_RANGE} values were generated; either decrease the difference between start and end or use a smaller step"
            )));
        }
        let following = next.add(&step);
        values.push(Value::number(next));
        next = following;
    }
    Ok(Value::list(Type::Number, values))
}

/// Start and end, where they are known; wrong ones are an error as soon as they can be.
fn slice_bounds(arguments: &[Value]) -> Result<(Option<usize>, Option<usize>), CallError> {
    let list = any(arguments, 0)?;
    let length = known_length(list);
    let bound = |index: usize, name: &str| -> Result<Option<usize>, CallError> {
        if !any(arguments, index)?.is_known() {
            return Ok(None);
        }
        let refuse = |message: String| CallError::argument(index, message);
        let value = integer(arguments, index).map_err(|e| refuse(format!("invalid {name} index: {e}")))?;
        let value = usize::try_from(value).map_err(|_| refuse(format!("{name} index must not be less than zero")))?;
        if length.is_some_and(|l| value > l) {
            return Err(refuse(format!("{name} index must not be greater than the length of the list")));
        }
        Ok(Some(value))
    };
    let (start, end) = (bound(1, "start")?, bound(2, "end")?);
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(CallError::argument(1, "start index must not be greater than end index"));
    }
    Ok((start, end))
}

fn slice_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let ty = any(arguments, 0)?.ty();
    if matches!(ty, Type::Set(_)) {
        let message = "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important";
        return Err(CallError::argument(0, message));
    }
    if !matches!(ty, Type::List(_) | Type::Tuple(_)) {
        return Err(CallError::argument(0, "must be a list or tuple value"));
    }
    match (ty, slice_bounds(arguments)?) {
        (Type::Tuple(types), (Some(start), Some(end))) => {
            Ok(Type::tuple(types.get(start..end).unwrap_or_default().iter().cloned()))
        }
        (Type::Tuple(_), _) => Ok(Type::Dynamic),
        (list, _) => Ok(list),
    }
}

fn slice(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let (list, marks) = unmarked(arguments, 0)?;
    let (Some(start), Some(end)) = slice_bounds(arguments)? else {
        return Ok(Value::unknown(ty.clone()).with_marks(marks));
    };
    let elements = list.elements().and_then(|e| e.get(start..end)).unwrap_or_default();
    Ok(build(ty, elements.iter().cloned()).with_marks(marks))
}

fn sort(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let list = any(arguments, 0)?;
    if !list.is_wholly_known() {
        // The order will change, the length will not.
        let (least, greatest) = list.length_bounds();
        return Ok(Value::unknown(ty.clone()).refine(Refinement::length(least, greatest)));
    }
    let mut texts = Vec::new();
    for (index, element) in sequence(arguments, 0)?.iter().enumerate() {
        let null =
            || CallError::new(format_args!("given list element {index} is null; a null string cannot be sorted"));
        texts.push(element.as_str().ok_or_else(null)?.clone());
    }
    texts.sort_unstable();
    Ok(strings(texts))
}

fn sum(arguments: &[Value]) -> Result<Value, CallError> {
    let list = any(arguments, 0)?;
    let refuse = |message: String| Err(CallError::argument(0, message));
    match list.length() {
        None => return refuse("cannot sum noniterable".into()),
        Some(0) => return refuse("cannot sum an empty list".into()),
        Some(_) => {}
    }
    let Some(elements) = list.elements() else {
        return refuse(format!("argument must be list, set, or tuple. Received {}", list.ty()));
    };
    if !list.is_wholly_known() {
        return Ok(Value::unknown(Type::Number));
    }
    let mut total = Number::ZERO;
    for (index, element) in elements.iter().enumerate() {
        let Some(number) = element.convert(&Type::Number).ok().and_then(|v| v.as_number().cloned()) else {
            return refuse("argument must be list, set, or tuple of number values".into());
        };
        if total.is_infinite() && number.is_infinite() && total != number {
            return Err(CallError::new("can't compute sum of opposing infinities"));
        }
        total = if index == 0 { number } else { total.add(&number) };
    }
    Ok(Value::number(total))
}
