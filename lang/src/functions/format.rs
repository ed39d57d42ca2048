//! `format` and `formatlist`: verbs like C's, arguments of the language's types.

use super::arguments::{MAX_ELEMENTS, check_bytes, string, to_big};
use super::text::{grapheme_count, graphemes};
use super::{CallError, Function, Param, json};
use crate::types::Type;
use crate::values::{Kind, Number, Refinement, Value};

/// No field is padded to more than this.
const MAX_WIDTH: usize = 1 << 20;

pub(super) fn functions() -> Vec<Function> {
    let format = || Param::new("format", Type::String);
    let arguments = || Param::new("args", Type::Dynamic).null().unknown();
    vec![
        Function::new(
            "format",
            "`format` makes a string of values by a format with verbs like C's `printf`.",
            Type::String,
            |a, ty, _| {
                let text = string(a, 0)?;
                let values = a.get(1..).unwrap_or_default();
                if values.iter().all(Value::is_wholly_known) {
                    return render(text, values).map(Value::string);
                }
                // What stands before the first verb is certain.
                let prefix = text.split('%').next().unwrap_or_default();
                let known = if prefix.len() == text.len() { "" } else { prefix };
                Ok(Value::unknown(ty.clone()).refine(Refinement::with_safe_prefix(known)))
            },
        )
        .param(format())
        .variadic(arguments()),
        Function::new(
            "formatlist",
            "`formatlist` formats the elements of lists one after the other and returns a list of strings.",
            Type::list(Type::String),
            |a, ty, _| format_list(a, ty),
        )
        .param(format())
        .variadic(arguments()),
    ]
}

enum Argument<'a> {
    Each(&'a [Value]),
    Same(&'a Value),
}

fn format_list(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let text = string(arguments, 0)?;
    let values = arguments.get(1..).unwrap_or_default();
    let mut length: Option<(usize, usize)> = None;
    let mut unknown = false;
    let mut iterated = Vec::new();
    for (position, value) in values.iter().enumerate() {
        let ty = value.ty();
        let sequence = matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_)) && !value.is_null();
        if !sequence {
            unknown |= !value.is_known() && ty == Type::Dynamic;
            iterated.push(Argument::Same(value));
            continue;
        }
        let tuple_length = if let Type::Tuple(types) = &ty { Some(types.len()) } else { None };
        let certain = if value.is_known() { super::sequences::known_length(value) } else { None };
        let Some(own) = tuple_length.or(certain) else {
            unknown = true;
            continue;
        };
        match length {
            Some((chooser, other)) if other != own => {
                let (this, first) = (position + 1, chooser + 1);
                return Err(CallError::argument(
                    position + 1,
                    format_args!(
                        "argument {this} has length {own}, which is inconsistent with argument {first} of length {other}"
                    ),
                ));
            }
            Some(_) => {}
            None => length = Some((position, own)),
        }
        unknown |= !value.is_known();
        iterated.push(Argument::Each(value.elements().unwrap_or_default()));
    }
    if unknown {
        return Ok(Value::unknown(ty.clone()));
    }
    let rounds = length.map_or(1, |(_, length)| length);
    check_rounds(rounds, text.len())?;
    let mut lines = Vec::with_capacity(rounds);
    let mut bytes = 0;
    for round in 0..rounds {
        let row: Vec<Value> = iterated
            .iter()
            .filter_map(|argument| match argument {
                Argument::Each(elements) => elements.get(round).cloned(),
                Argument::Same(value) => Some((*value).clone()),
            })
            .collect();
        if !row.iter().all(Value::is_wholly_known) {
            lines.push(Value::unknown(Type::String).refine_not_null());
            continue;
        }
        let line = render(text, &row).map_err(|error| match values {
            [] => error,
            _ => CallError::new(format_args!("error on format iteration {round}: {error}")),
        })?;
        bytes += line.len();
        check_bytes(Some(bytes))?;
        lines.push(Value::string(line));
    }
    Ok(Value::list(Type::String, lines))
}

fn check_rounds(rounds: usize, bytes: usize) -> Result<(), CallError> {
    check_bytes(rounds.checked_mul(bytes).filter(|_| rounds <= MAX_ELEMENTS)).map(drop)
}

/// One verb with its flags.
#[derive(Debug, Default)]
struct Verb<'a> {
    /// From `%` to the letter.
    raw: &'a str,
    /// Where it begins in the format.
    offset: usize,
    /// The argument, from 1.
    argument: usize,
    letter: char,
    zero: bool,
    sharp: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

fn render(format: &str, values: &[Value]) -> Result<String, CallError> {
    let mut out = String::new();
    let mut next = 1;
    let mut highest = 0;
    let mut position = 0;
    while let Some(found) = format.get(position..).and_then(|rest| rest.find('%')) {
        let start = position + found;
        out.push_str(format.get(position..start).unwrap_or_default());
        if format.get(start + 1..).is_some_and(|rest| rest.starts_with('%')) {
            out.push('%');
            position = start + 2;
            continue;
        }
        let (verb, end) = parse_verb(format, start, next)?;
        highest = highest.max(verb.argument);
        write_verb(&verb, values, &mut out)?;
        check_bytes(Some(out.len()))?;
        next = verb.argument + 1;
        position = end;
    }
    out.push_str(format.get(position..).unwrap_or_default());
    if highest < values.len() {
        let used = match highest {
            0 => "no verbs in format string".to_owned(),
            n => format!("only {n} used by format string"),
        };
        return Err(CallError::argument(highest + 1, format_args!("too many arguments; {used}")));
    }
    Ok(out)
}

fn parse_verb(format: &str, start: usize, next: usize) -> Result<(Verb<'_>, usize), CallError> {
    let mut verb = Verb { offset: start, argument: next, ..Verb::default() };
    let bytes = format.as_bytes();
    let mut at = start + 1;
    let number = |at: &mut usize| {
        let begin = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        format.get(begin..*at).unwrap_or_default()
    };
    let bounded = |digits: &str| {
        let value: Option<usize> = if digits.is_empty() { Some(0) } else { digits.parse().ok() };
        value.filter(|n| *n <= MAX_WIDTH).ok_or_else(|| {
            CallError::new(format_args!("width or precision at offset {start} is greater than {MAX_WIDTH}"))
        })
    };
    loop {
        match bytes.get(at) {
            Some(b'0') => verb.zero = true,
            Some(b'#') => verb.sharp = true,
            Some(b'-') => verb.minus = true,
            Some(b'+') => verb.plus = true,
            Some(b' ') => verb.space = true,
            _ => break,
        }
        at += 1;
    }
    let width = number(&mut at);
    if !width.is_empty() {
        verb.width = Some(bounded(width)?);
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        verb.precision = Some(bounded(number(&mut at))?);
    }
    if bytes.get(at) == Some(&b'[') {
        at += 1;
        let digits = number(&mut at);
        if digits.is_empty() || digits.starts_with('0') || bytes.get(at) != Some(&b']') {
            return Err(bad_character(format, at));
        }
        verb.argument = digits.parse().unwrap_or(usize::MAX - 1);
        at += 1;
    }
    match bytes.get(at) {
        Some(letter) if letter.is_ascii_alphabetic() => verb.letter = char::from(*letter),
        _ => return Err(bad_character(format, at)),
    }
    verb.raw = format.get(start..=at).unwrap_or_default();
    Ok((verb, at + 1))
}

fn bad_character(format: &str, at: usize) -> CallError {
    match format.get(at..).and_then(|rest| rest.chars().next()) {
        Some(c) => CallError::new(format_args!("unrecognized format character '{c}' at offset {at}")),
        None => CallError::new(format_args!("invalid format string starting at offset {at}")),
    }
}

fn write_verb(verb: &Verb<'_>, values: &[Value], out: &mut String) -> Result<(), CallError> {
    let (raw, offset) = (verb.raw, verb.offset);
    let value = verb.argument.checked_sub(1).and_then(|index| values.get(index)).ok_or_else(|| {
        CallError::new(format_args!(
            "not enough arguments for \"{raw}\" at {offset}: need index {} but have {} total",
            verb.argument,
            values.len()
        ))
    })?;
    let unsupported = |why: &str| CallError::new(format_args!("unsupported value for \"{raw}\" at {offset}: {why}"));
    if verb.letter != 'v' && value.is_null() {
        return Err(unsupported("null value cannot be formatted"));
    }
    let convert = |ty: Type| value.convert(&ty).map_err(|error| unsupported(&error.to_string()));
    match verb.letter {
        'v' => {
            let text = match &value.kind {
                Kind::String(text) if !verb.sharp => text.to_string(),
                Kind::Number(number) if !verb.sharp => general(number, None, 'e'),
                _ => json::encode(value).map_err(|error| unsupported(&error.message))?,
            };
            out.push_str(&pad(verb, text));
        }
        't' => out.push_str(if convert(Type::Bool)?.as_bool() == Some(true) { "true" } else { "false" }),
        's' | 'q' => {
            let converted = convert(Type::String)?;
            let mut text = converted.as_str().map(ToString::to_string).unwrap_or_default();
            if let Some(precision) = verb.precision.filter(|p| *p > 0) {
                text = graphemes(&text).take(precision).collect();
            }
            out.push_str(&pad(verb, if verb.letter == 'q' { json::encode_string(&text) } else { text }));
        }
        'b' | 'd' | 'o' | 'x' | 'X' => {
            let converted = convert(Type::Number)?;
            let number = converted.as_number().ok_or_else(|| unsupported("a number is required"))?;
            out.push_str(&integer(verb, number).ok_or_else(|| unsupported("an integer is required"))?);
        }
        'e' | 'E' | 'f' | 'g' | 'G' => {
            let converted = convert(Type::Number)?;
            let number = converted.as_number().ok_or_else(|| unsupported("a number is required"))?;
            out.push_str(&float(verb, number));
        }
        letter => {
            return Err(CallError::new(format_args!(
                "unsupported format verb '{letter}' in \"{raw}\" at offset {offset}"
            )));
        }
    }
    Ok(())
}

/// Pads to the width in grapheme clusters; zeros pad text too.
fn pad(verb: &Verb<'_>, text: String) -> String {
    let Some(missing) = verb.width.and_then(|width| width.checked_sub(grapheme_count(&text))) else { return text };
    let padding = (if verb.zero { "0" } else { " " }).repeat(missing);
    if verb.minus { text + &padding } else { padding + &text }
}

fn sign(verb: &Verb<'_>, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn integer(verb: &Verb<'_>, number: &Number) -> Option<String> {
    let value = to_big(number)?;
    let negative = value < dashu_int::IBig::ZERO;
    let magnitude = if negative { -value } else { value };
    let (radix, prefix) = match verb.letter {
        'b' => (2, "0b"),
        'o' => (8, "0"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        _ => (10, ""),
    };
    let mut digits = magnitude.in_radix(radix).to_string();
    if verb.letter == 'X' {
        digits.make_ascii_uppercase();
    }
    let prefix = if verb.sharp { prefix } else { "" };
    let sign = sign(verb, negative);
    if verb.precision == Some(0) && digits == "0" {
        return Some(String::new());
    }
    let mut zeros = verb.precision.unwrap_or(0).saturating_sub(digits.len());
    let length = sign.len() + prefix.len() + zeros + digits.len();
    let missing = verb.width.unwrap_or(0).saturating_sub(length);
    let (mut left, mut right) = (0, 0);
    if verb.minus {
        right = missing;
    } else if verb.zero && verb.precision.is_none() {
        zeros = missing;
    } else {
        left = missing;
    }
    Some([" ".repeat(left).as_str(), sign, prefix, &"0".repeat(zeros), &digits, &" ".repeat(right)].concat())
}

fn float(verb: &Verb<'_>, number: &Number) -> String {
    let text = match verb.letter {
        'f' => plain(number, verb.precision.unwrap_or(6)),
        'e' | 'E' => {
            let precision = verb.precision.unwrap_or(6);
            match number.exact_decimal() {
                Some(exact) => {
                    let rounded = exact.round(precision as i64 + 1);
                    scientific(&rounded.digits, rounded.point, precision, verb.letter)
                }
                None => "Inf".to_owned(),
            }
        }
        letter => general_magnitude(number, verb.precision, if letter == 'G' { 'E' } else { 'e' }),
    };
    let sign = match sign(verb, number.is_negative()) {
        "" if number.is_infinite() => "+",
        sign => sign,
    };
    let missing = verb.width.unwrap_or(0).saturating_sub(sign.len() + text.len());
    if verb.minus {
        format!("{sign}{text}{}", " ".repeat(missing))
    } else if verb.zero && !number.is_infinite() {
        format!("{sign}{}{text}", "0".repeat(missing))
    } else {
        format!("{}{sign}{text}", " ".repeat(missing))
    }
}

/// The magnitude with `precision` digits behind the point, rounded half to even from the exact value.
fn plain(number: &Number, precision: usize) -> String {
    let Some(exact) = number.exact_decimal() else { return "Inf".to_owned() };
    let rounded = exact.round(exact.point.saturating_add(precision as i64));
    let text = rounded.plain();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if precision == 0 { whole.to_owned() } else { format!("{whole}.{}", filled(fraction, precision)) }
}

/// Digits with zeros behind them. A format string can ask for more of them than Rust's own formatting can fill in.
fn filled(digits: &str, length: usize) -> String {
    format!("{digits}{}", "0".repeat(length.saturating_sub(digits.len())))
}

/// `d.dddde±dd` from digits `0.d…·10^point`.
fn scientific(digits: &str, point: i64, precision: usize, letter: char) -> String {
    let exponent = if digits.is_empty() { 0 } else { point - 1 };
    let (first, rest) = digits.split_at(digits.len().min(1));
    let first = if first.is_empty() { "0" } else { first };
    let fraction = if precision == 0 { String::new() } else { format!(".{}", filled(rest, precision)) };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{fraction}{letter}{sign}{:02}", exponent.abs())
}

/// Go's `%g`: the shortest digits that identify the number or `precision` significant ones; an exponent below 1e-4 and
/// from 1e6 (or the number of digits) on.
fn general(number: &Number, precision: Option<usize>, letter: char) -> String {
    let sign = match (number.is_negative(), number.is_infinite()) {
        (true, _) => "-",
        (_, true) => "+",
        _ => "",
    };
    format!("{sign}{}", general_magnitude(number, precision, letter))
}

fn general_magnitude(number: &Number, precision: Option<usize>, letter: char) -> String {
    let decimal = match precision {
        None => number.shortest_decimal(),
        Some(precision) => number.exact_decimal().map(|d| d.round(precision.max(1) as i64)),
    };
    let Some(decimal) = decimal else { return "Inf".to_owned() };
    let count = decimal.digits.len() as i64;
    let limit = match precision {
        None => 6,
        Some(precision) => {
            let precision = precision.max(1) as i64;
            if precision > count && count >= decimal.point { count } else { precision }
        }
    };
    let exponent = if decimal.digits.is_empty() { 0 } else { decimal.point - 1 };
    if exponent < -4 || exponent >= limit {
        return scientific(&decimal.digits, decimal.point, decimal.digits.len().saturating_sub(1), letter);
    }
    decimal.plain()
}
