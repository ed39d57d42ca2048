//! Strings: `chomp`, `endswith`, `indent`, `join`, `lower`, `split`, `startswith`, `strcontains`, `strrev`, `substr`,
//! `title`, `trim`, `trimprefix`, `trimspace`, `trimsuffix`, `upper`.

use super::arguments::{any, check_bytes, integer, sequence, string, strings};
use super::text::{grapheme_count, graphemes, lower, title, upper};
use super::{CallError, Function, Param};
use crate::types::Type;
use crate::values::Value;

pub(super) fn functions() -> Vec<Function> {
    let text = || Param::new("str", Type::String);
    let simple = |name, description, change: fn(&str) -> String| {
        Function::new(name, description, Type::String, move |a, _, _| Ok(Value::string(change(string(a, 0)?))))
    };
    let pair = |name, description, second, change: fn(&str, &str) -> Value| {
        let ty = if name == "endswith" || name == "strcontains" { Type::Bool } else { Type::String };
        Function::new(name, description, ty, move |a, _, _| Ok(change(string(a, 0)?, string(a, 1)?)))
            .param(Param::new("str", Type::String))
            .param(Param::new(second, Type::String))
    };
    vec![
        simple("upper", "`upper` turns all letters of a string into capitals.", |s| s.chars().map(upper).collect())
            .param(text().dynamic()),
        simple("lower", "`lower` turns all letters of a string into small ones.", |s| s.chars().map(lower).collect())
            .param(text().dynamic()),
        simple("strrev", "`strrev` reverses the characters (grapheme clusters) of a string.", |s| {
            graphemes(s).collect::<Vec<_>>().into_iter().rev().collect()
        })
        .param(text().dynamic()),
        simple("chomp", "`chomp` removes line breaks at the end of a string.", |s| {
            s.trim_end_matches(['\r', '\n']).to_owned()
        })
        .param(text()),
        simple("title", "`title` turns the first letter of each word of a string into a capital.", title_case)
            .param(text()),
        simple("trimspace", "`trimspace` removes white space at both ends of a string.", |s| s.trim().to_owned())
            .param(text()),
        pair("trim", "`trim` removes the given characters at both ends of a string.", "cutset", |s, cutset| {
            Value::string(s.trim_matches(|c| cutset.contains(c)))
        }),
        pair(
            "trimprefix",
            "`trimprefix` removes the beginning of a string if it is the given one.",
            "prefix",
            |s, prefix| Value::string(s.strip_prefix(prefix).unwrap_or(s)),
        ),
        pair(
            "trimsuffix",
            "`trimsuffix` removes the end of a string if it is the given one.",
            "suffix",
            |s, suffix| Value::string(s.strip_suffix(suffix).unwrap_or(s)),
        ),
        pair("endswith", "`endswith` says whether a string ends with another.", "suffix", |s, suffix| {
            Value::bool(s.ends_with(suffix))
        }),
        pair("strcontains", "`strcontains` says whether a string contains another.", "substr", |s, part| {
            Value::bool(s.contains(part))
        })
        .nullable(),
        Function::new(
            "startswith",
            "`startswith` says whether a string begins with another.",
            Type::Bool,
            |a, _, _| {
                let prefix = string(a, 1)?;
                let text = any(a, 0)?;
                if let Some(text) = text.as_str() {
                    return Ok(Value::bool(text.starts_with(prefix.as_str())));
                }
                // What is known of the beginning of an unknown string may be enough.
                let known = text.refinement().and_then(|r| r.prefix.clone()).unwrap_or_default();
                Ok(if known.starts_with(prefix.as_str()) {
                    Value::bool(true)
                } else if !known.is_empty() && known.len() >= prefix.len() {
                    Value::bool(false)
                } else {
                    Value::unknown(Type::Bool)
                })
            },
        )
        .param(text().unknown())
        .param(Param::new("prefix", Type::String)),
        Function::new(
            "substr",
            "`substr` returns a part of a string, counted in characters.",
            Type::String,
            |a, _, _| substr(string(a, 0)?, integer(a, 1)?, integer(a, 2)?),
        )
        .param(text().dynamic())
        .param(Param::new("offset", Type::Number).dynamic())
        .param(Param::new("length", Type::Number).dynamic()),
        Function::new(
            "indent",
            "`indent` puts spaces before all lines of a string but the first.",
            Type::String,
            |a, _, _| indent(integer(a, 0)?, string(a, 1)?),
        )
        .param(Param::new("spaces", Type::Number).about("How many spaces follow each line break."))
        .param(text()),
        Function::new(
            "join",
            "`join` joins lists of strings, with a separator between the elements.",
            Type::String,
            |a, _, _| join(a),
        )
        .param(Param::new("separator", Type::String).about("What stands between the elements."))
        .variadic(Param::new("lists", Type::list(Type::String)).about("The lists to join.")),
        Function::new(
            "split",
            "`split` divides a string at all places where a separator stands.",
            Type::list(Type::String),
            |a, _, _| {
                let (separator, text) = (string(a, 0)?, string(a, 1)?);
                Ok(if separator.is_empty() {
                    strings(text.chars().map(String::from))
                } else {
                    strings(text.split(separator.as_str()))
                })
            },
        )
        .param(Param::new("separator", Type::String))
        .param(text()),
    ]
}

/// A word begins behind anything but letters, digits and `_`; of other characters than ASCII, behind white space only.
fn title_case(text: &str) -> String {
    let mut previous = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let separator = if previous.is_ascii() {
            !previous.is_ascii_alphanumeric() && previous != '_'
        } else {
            !previous.is_alphanumeric() && previous.is_whitespace()
        };
        out.push(if separator { title(c) } else { c });
        previous = c;
    }
    out
}

fn substr(text: &str, offset: i64, length: i64) -> Result<Value, CallError> {
    if offset >= 0 && length == 0 {
        return Ok(Value::string(""));
    }
    let from_end = || offset.saturating_add(i64::try_from(grapheme_count(text)).unwrap_or(i64::MAX));
    let skip = if offset < 0 { from_end().max(0) } else { offset };
    let rest = graphemes(text).skip(usize::try_from(skip).unwrap_or(usize::MAX));
    // With a negative offset a length of zero means all, as a negative length does.
    let take = if length <= 0 { usize::MAX } else { usize::try_from(length).unwrap_or(usize::MAX) };
    Ok(Value::string(rest.take(take).collect::<String>()))
}

fn indent(spaces: i64, text: &str) -> Result<Value, CallError> {
    let spaces =
        usize::try_from(spaces).map_err(|_| CallError::argument(0, "the number of spaces must not be negative"))?;
    let breaks = text.matches('\n').count();
    check_bytes(breaks.checked_mul(spaces).and_then(|n| n.checked_add(text.len())))?;
    if breaks == 0 {
        return Ok(Value::string(text));
    }
    Ok(Value::string(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

fn join(arguments: &[Value]) -> Result<Value, CallError> {
    let separator = string(arguments, 0)?;
    let lists = arguments.get(1..).unwrap_or_default();
    if lists.is_empty() {
        return Err(CallError::new("at least one list is required"));
    }
    if !lists.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(Type::String));
    }
    let mut items = Vec::new();
    for index in 1..arguments.len() {
        for (position, element) in sequence(arguments, index)?.iter().enumerate() {
            let Some(text) = element.as_str() else {
                let of_list = if lists.len() > 1 { format!(" of list {index}") } else { String::new() };
                return Err(CallError::argument(
                    index,
                    format_args!("element {position}{of_list} is null; cannot concatenate null values"),
                ));
            };
            items.push(text.as_str());
        }
    }
    let bytes = items.iter().map(|s| s.len()).sum::<usize>();
    check_bytes(separator.len().checked_mul(items.len()).and_then(|n| n.checked_add(bytes)))?;
    Ok(Value::string(items.join(separator.as_str())))
}
