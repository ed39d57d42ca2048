//! `regex`, `regexall` and `replace`.

use ::regex::{Captures, Regex};

use super::arguments::{check_bytes, string};
use super::{CallError, Function, Param, pattern};
use crate::types::Type;
use crate::values::Value;

pub(super) fn functions() -> Vec<Function> {
    let params = |f: Function| f.param(Param::new("pattern", Type::String)).param(Param::new("string", Type::String));
    let replace_params = |f: Function| {
        f.param(Param::new("str", Type::String))
            .param(Param::new("substr", Type::String))
            .param(Param::new("replace", Type::String))
    };
    vec![
        params(Function::new(
            "regex",
            "`regex` matches a string with a regular expression and returns the first match.",
            Type::Dynamic,
            |a, _, _| {
                let regex = compile(string(a, 0)?)?;
                let captures = regex.captures(string(a, 1)?);
                let no_match = || CallError::new("pattern did not match any part of the given string");
                Ok(result(&regex, &captures.ok_or_else(no_match)?))
            },
        ))
        .returns_by(|a, _| if known(a) { result_type(&compile(string(a, 0)?)?) } else { Ok(Type::Dynamic) }),
        params(Function::new(
            "regexall",
            "`regexall` matches a string with a regular expression and returns all matches.",
            Type::Dynamic,
            |a, _, _| {
                let regex = compile(string(a, 0)?)?;
                let matches: Vec<Value> = regex.captures_iter(string(a, 1)?).map(|c| result(&regex, &c)).collect();
                Ok(Value::list(result_type(&regex)?, matches))
            },
        ))
        .returns_by(|a, _| {
            Ok(Type::list(if known(a) { result_type(&compile(string(a, 0)?)?)? } else { Type::Dynamic }))
        }),
        replace_params(Function::new(
            "replace",
            "`replace` replaces all occurrences of a string, or of a regular expression between slashes, in a string.",
            Type::String,
            |a, _, _| replace(string(a, 0)?, string(a, 1)?, string(a, 2)?),
        )),
    ]
}

fn known(arguments: &[Value]) -> bool {
    arguments.first().is_some_and(Value::is_known)
}

fn compile(text: &str) -> Result<Regex, CallError> {
    pattern::compile(text).map_err(|e| CallError::argument(0, format_args!("invalid regexp pattern: {e}")))
}

/// A string without groups, an object with named groups, otherwise a tuple.
fn result_type(regex: &Regex) -> Result<Type, CallError> {
    let groups = regex.capture_names().skip(1);
    let (named, unnamed): (Vec<_>, Vec<_>) = groups.partition(Option::is_some);
    match (named.len(), unnamed.len()) {
        (0, 0) => Ok(Type::String),
        (0, n) => Ok(Type::tuple(vec![Type::String; n])),
        (_, 0) => {
            let names = named.into_iter().flatten().map(pattern::decode_name);
            Ok(Type::object(names.map(|name| (name, Type::String))))
        }
        _ => Err(CallError::argument(0, "invalid regexp pattern: cannot mix both named and unnamed capture groups")),
    }
}

fn result(regex: &Regex, captures: &Captures<'_>) -> Value {
    let group = |index| captures.get(index).map_or(Value::null(Type::String), |m| Value::string(m.as_str()));
    let names: Vec<_> = regex.capture_names().enumerate().skip(1).collect();
    if names.is_empty() {
        group(0)
    } else if names.iter().all(|(_, name)| name.is_some()) {
        let named = names.into_iter().filter_map(|(i, name)| Some((pattern::decode_name(name?), group(i))));
        Value::object(named)
    } else {
        Value::tuple(names.into_iter().map(|(i, _)| group(i)))
    }
}

fn replace(text: &str, search: &str, replacement: &str) -> Result<Value, CallError> {
    let inner = search.strip_prefix('/').and_then(|s| s.strip_suffix('/'));
    let Some(inner) = inner else {
        let count = if search.is_empty() { text.chars().count() + 1 } else { text.matches(search).count() };
        check_bytes(count.checked_mul(replacement.len()).and_then(|n| n.checked_add(text.len())))?;
        return Ok(Value::string(text.replace(search, replacement)));
    };
    let regex = pattern::compile(inner)
        .map_err(|e| CallError::new(format_args!("error parsing regexp: {}: `{}`", e.reason, e.place)))?;
    let mut out = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(text.get(end..whole.start()).unwrap_or_default());
        pattern::expand(&captures, replacement, &mut out);
        check_bytes(Some(out.len()))?;
        end = whole.end();
    }
    out.push_str(text.get(end..).unwrap_or_default());
    Ok(Value::string(out))
}
