//! `yamldecode`: one YAML document as a value. Scalars are resolved by YAML 1.1's words (`yes`, `off`) and 1.2's numbers
//! (`0o17`; a leading zero means nothing); timestamps become RFC 3339.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::arguments::{MAX_ELEMENTS, any, string};
use super::{CallError, Function, Param, base64_text, dates};
use crate::Str;
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::{Number, Value};

const BOM: char = '\u{feff}';

/// Deeper documents are refused.
const MAX_DEPTH: usize = 1000;

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new("yamldecode", "`yamldecode` reads a YAML document.", Type::Dynamic, |a, _, _| {
            decode(string(a, 0)?)
        })
        .param(Param::new("src", Type::String))
        .returns_by(|a, _| match any(a, 0)?.as_str() {
            Some(text) => Ok(decode(text)?.ty()),
            None => Ok(Type::Dynamic),
        })
        .nullable(),
    ]
}

fn decode(text: &str) -> Result<Value, CallError> {
    check_characters(text)?;
    check_directives(text)?;
    let mut decoder = Decoder { text, parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, depth: 0 };
    if !matches!(decoder.next()?, (Event::StreamStart, _)) {
        return Err(CallError::new("missing stream start token"));
    }
    let (start, span) = decoder.next()?;
    if !matches!(start, Event::DocumentStart(_)) {
        return Err(at(&span, "missing start of document"));
    }
    let (event, span) = decoder.next()?;
    let (value, _) = decoder.node(event, &span)?;
    let (event, span) = decoder.next()?;
    if !matches!(event, Event::DocumentEnd) {
        return Err(at(&span, "unexpected extra content after value"));
    }
    match decoder.next()? {
        (Event::StreamEnd, _) => Ok(value),
        (_, span) => Err(at(&span, "unexpected extra content after value")),
    }
}

fn check_characters(text: &str) -> Result<(), CallError> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let is_refused =
        |(index, c): (usize, char)| is_control(c) || c > '\u{fffd}' && c < '\u{10000}' || c == BOM && index > 0;
    if text.char_indices().any(is_refused) {
        return Err(CallError::new("control characters are not allowed"));
    }
    Ok(())
}

/// The directives before the document. Terraform's YAML library wants version 1.1 alone.
fn check_directives(text: &str) -> Result<(), CallError> {
    let lines = text.trim_start_matches(BOM).lines().map(str::trim_end);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(['%', '#'])) {
        let Some(directive) = line.strip_prefix('%') else { continue };
        let mut words = directive.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("YAML"), Some("1.1")) | (Some("TAG"), _) => {}
            (Some("YAML"), Some(version)) if version.split('.').all(|part| all(part, u8::is_ascii_digit)) => {
                return Err(CallError::new("found incompatible YAML document"));
            }
            (Some("YAML") | None, _) => {}
            (Some(_), _) => return Err(CallError::new("found unknown directive name")),
        }
    }
    Ok(())
}

fn at(span: &Span, message: impl std::fmt::Display) -> CallError {
    at_line(span.start.line().saturating_sub(1), span.start.col(), message)
}

/// Terraform's YAML library counts lines from zero, and takes the first for no place at all.
fn at_line(line: usize, column: usize, message: impl std::fmt::Display) -> CallError {
    match line {
        0 => CallError::new(message),
        _ => CallError::new(format_args!("on line {line}, column {}: {message}", column + 1)),
    }
}

/// What Terraform's YAML library says where ours says `info`, and whether its scanner does, which counts lines from one.
fn reworded(info: &str) -> (&str, bool) {
    match info {
        "while parsing a flow sequence, expected ',' or ']'" => ("did not find expected ',' or ']'", false),
        "misplaced bracket" => ("did not find expected node content", false),
        "simple key expected" => ("could not find expected ':'", true),
        "mapping values are not allowed in this context" => (info, true),
        // The library misspells it.
        "did not find expected hexadecimal number" => ("did not find expected hexdecimal number", false),
        _ if info.starts_with("unexpected character: ") => ("found character that cannot start any token", true),
        _ if info.starts_with("while ") => (info.split_once(", ").map_or(info, |(_, problem)| problem), false),
        _ => (info, false),
    }
}

struct Decoder<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// What an anchor stands for, and of how many nodes that consists.
    anchors: HashMap<usize, (Value, usize)>,
    /// Nodes so far, with aliases written out: a small document can stand for a huge value.
    nodes: usize,
    depth: usize,
}

impl<'a> Decoder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), CallError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let (line, column) = (error.marker().line().saturating_sub(1), error.marker().col());
                if error.info().ends_with("found unknown anchor") {
                    let name = self.anchor_name(error.marker().index());
                    return Err(at_line(line, column, format_args!("reference to undefined anchor {name}")));
                }
                let (problem, by_scanner) = reworded(error.info());
                Err(at_line(line + usize::from(by_scanner && line > 0), column, problem))
            }
            None => Err(CallError::new("expecting value but found end of stream")),
        }
    }

    /// The name of the anchor that is referred to at a character of the text, in quotes.
    fn anchor_name(&self, index: usize) -> String {
        let name: String = self
            .text
            .chars()
            .skip(index)
            .skip_while(|c| *c == '*')
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            .collect();
        go_quote(&name)
    }

    /// The value of a node and the number of nodes in it.
    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<(Value, usize), CallError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(at(span, "the document nests too deeply"));
        }
        let result = stacker::maybe_grow(64 << 10, 1 << 20, || self.node_inside(event, span));
        self.depth -= 1;
        result
    }

    fn node_inside(&mut self, event: Event<'a>, span: &Span) -> Result<(Value, usize), CallError> {
        self.count(1, span)?;
        let (value, size, anchor) = match event {
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    let name = self.anchor_name(span.start.index());
                    at(span, format_args!("cannot refer to anchor {name} from inside its own definition"))
                })?;
                self.count(size, span)?;
                return Ok((value, size));
            }
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref(), span)?, 1, anchor),
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", "sequence", span)?;
                let mut elements = Vec::new();
                let mut size = 1;
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break (Value::tuple(elements), size, anchor);
                    }
                    let (element, nodes) = self.node(event, &span)?;
                    size += nodes;
                    elements.push(element);
                }
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", "mapping", span)?;
                let (value, size) = self.mapping()?;
                (value, size, anchor)
            }
            _ => return Err(at(span, "expecting value but found something else")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        Ok((value, size))
    }

    fn mapping(&mut self) -> Result<(Value, usize), CallError> {
        let mut entries: BTreeMap<Str, Value> = BTreeMap::new();
        let mut size = 1;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok((Value::object(entries), size));
            }
            let Event::Scalar(text, style, _, tag) = event else {
                return Err(at(&span, "only strings are allowed as mapping keys"));
            };
            let key = resolve(&text, style, tag_name(tag.as_deref()).as_deref()).map_err(|e| at(&span, e))?;
            let (event, value_span) = self.next()?;
            let (value, nodes) = self.node(event, &value_span)?;
            size += nodes;
            let key = match key {
                Scalar::Merge => {
                    let Some(merged) = value.entries() else {
                        return Err(at(&span, format_args!("cannot merge {} into mapping", value.ty())));
                    };
                    entries.extend(merged.iter().map(|(k, v)| (k.clone(), v.clone())));
                    continue;
                }
                Scalar::Value(key) => key,
            };
            if key.is_null() {
                return Err(at(&span, "mapping key cannot be null"));
            }
            let key = key.convert(&Type::String).ok().and_then(|k| k.as_str().cloned());
            let key = key.ok_or_else(|| at(&span, "only strings are allowed as mapping keys"))?;
            entries.insert(key, value);
        }
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), CallError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_ELEMENTS { Err(at(span, "the document has too many nodes")) } else { Ok(()) }
    }
}

/// The tag with its usual prefix cut off: `!!str`, `!local`.
fn tag_name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag?;
    let full = format!("{}{}", tag.handle, tag.suffix);
    Some(full.strip_prefix("tag:yaml.org,2002:").map_or_else(|| full.clone(), |name| format!("!!{name}")))
}

/// A tag without the shorthand for YAML's own.
fn written_out(tag: &str) -> String {
    tag.strip_prefix("!!").map_or_else(|| tag.to_owned(), |name| format!("tag:yaml.org,2002:{name}"))
}

fn check_tag(tag: Option<&Tag>, expected: &str, what: &str, span: &Span) -> Result<(), CallError> {
    match tag_name(tag) {
        Some(name) if name != format!("!!{expected}") => {
            Err(at(span, format_args!("can't interpret {what} as {}", written_out(&name))))
        }
        _ => Ok(()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Value, CallError> {
    let name = tag_name(tag);
    let value = match resolve(text, style, name.as_deref()).map_err(|e| at(span, e))? {
        Scalar::Merge => Value::string("<<"),
        Scalar::Value(value) => value,
    };
    // What is not plain is a string, even if a block's content looks like something else.
    if style == ScalarStyle::Plain || name.is_some() {
        return Ok(value);
    }
    value.convert(&Type::String).map_err(|e| at(span, e))
}

enum Scalar {
    Value(Value),
    /// `<<`
    Merge,
}

fn resolve(text: &str, style: ScalarStyle, tag: Option<&str>) -> Result<Scalar, String> {
    let known = ["!!str", "!!bool", "!!int", "!!float", "!!null", "!!timestamp", "!!binary"];
    if let Some(tag) = tag.filter(|tag| !known.contains(tag)) {
        return Err(format!("unsupported tag {}", go_quote(&written_out(tag))));
    }
    let mut tag = tag;
    // By its first character a scalar may be something else than a string.
    let first = text.chars().next();
    let candidate = first.is_none_or(|c| c.is_ascii_digit() || "+-.yYnNtTfFoO~".contains(c));
    if candidate && !matches!(tag, Some("!!str" | "!!binary")) {
        if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            return Ok(Scalar::Value(Value::string(text)));
        }
        if let Some((value, _)) = word(text) {
            return Ok(Scalar::Value(value));
        }
        if tag.is_none() && matches!(text, ".nan" | ".NaN" | ".NAN") {
            return Err("floating point NaN is not supported".to_owned());
        }
        if first == Some('.')
            && let Some(number) = decimal(text)
        {
            return Ok(Scalar::Value(Value::number(number)));
        }
        if first.is_some_and(|c| c.is_ascii_digit() || c == '+' || c == '-') {
            if matches!(tag, None | Some("!!timestamp"))
                && let Some(time) = dates::from_yaml(text)
            {
                return Ok(Scalar::Value(Value::string(time)));
            }
            if is_integer(text) {
                tag = Some("!!int");
            } else if is_float(text) {
                tag = Some("!!float");
            }
        }
    }
    if tag.is_none() && text == "<<" {
        return Ok(Scalar::Merge);
    }
    let refused = |tag: &str| format!("cannot parse {} as {}", go_quote(text), written_out(tag));
    let value = match tag {
        None | Some("!!str") => Value::string(text),
        Some("!!binary") => {
            base64_text::decode(text).ok_or_else(|| format!("{}: not valid base64", refused("!!binary")))?;
            Value::string(text)
        }
        Some("!!bool") => match word(text) {
            Some((value, true)) => value,
            _ => return Err(refused("!!bool")),
        },
        Some(tag @ ("!!int" | "!!float")) => Value::number(number(&text.replace('_', "")).ok_or_else(|| refused(tag))?),
        Some("!!timestamp") => Value::string(dates::from_yaml(text).ok_or_else(|| refused("!!timestamp"))?),
        _ => Value::NULL_DYNAMIC,
    };
    Ok(Scalar::Value(value))
}

/// Words with a meaning, and whether it is a bool.
fn word(text: &str) -> Option<(Value, bool)> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => (Value::bool(true), true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            (Value::bool(false), true)
        }
        "" | "~" | "null" | "Null" | "NULL" => (Value::NULL_DYNAMIC, false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => (Value::number(Number::infinity(false)), false),
        "-.inf" | "-.Inf" | "-.INF" => (Value::number(Number::infinity(true)), false),
        _ => return None,
    })
}

fn all(text: &str, allowed: fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(allowed)
}

fn is_integer(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    all(unsigned, u8::is_ascii_digit)
        || text.strip_prefix("0o").is_some_and(|t| all(t, |b| (b'0'..=b'7').contains(b)))
        || text.strip_prefix("0x").is_some_and(|t| all(t, u8::is_ascii_hexdigit))
}

fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let exponent = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => all(fraction, u8::is_ascii_digit),
        Some((whole, "")) => all(whole, u8::is_ascii_digit),
        Some((whole, fraction)) => all(whole, u8::is_ascii_digit) && all(fraction, u8::is_ascii_digit),
        None => all(mantissa, u8::is_ascii_digit),
    };
    mantissa && exponent.is_none_or(|e| all(e, u8::is_ascii_digit))
}

fn decimal(text: &str) -> Option<Number> {
    if !is_float(text) {
        return None;
    }
    // A point needs no digits around it here.
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let text = text.replace(".e", ".0e").replace(".E", ".0E");
    let text = if text.starts_with('.') { format!("0{text}") } else { text };
    let text = if text.ends_with('.') { format!("{text}0") } else { text };
    Number::parse(&format!("{sign}{text}"))
}

fn number(text: &str) -> Option<Number> {
    if let Some(number) = decimal(text) {
        return Some(number);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let (digits, radix) = radixes.iter().find_map(|(p, radix)| Some((unsigned.strip_prefix(p)?, *radix)))?;
    let magnitude = u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))?;
    if negative {
        return i64::try_from(magnitude).ok().map(|m| Number::from(-m));
    }
    Some(Number::from(magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let json = |text: &str| decode(text).ok().map(|v| super::super::json::encode(&v).unwrap());
        for (text, expected) in [
            ("a: yes\nb: 012\nc: 0o12\nd: 1_000\ne: 0x1F\n", Some(r#"{"a":true,"b":12,"c":10,"d":"1_000","e":31}"#)),
            (
                "- 2020-1-2\n- ~\n- '1'\n- .5\n- 1e3\n- !!str 1\n",
                Some(r#"["2020-01-02T00:00:00Z",null,"1",0.5,1000,"1"]"#),
            ),
            ("a: &x {k: 1}\nb: *x\nc: {<<: *x, k: 2}\n", Some(r#"{"a":{"k":1},"b":{"k":1},"c":{"k":2}}"#)),
            ("a: 1\na: 2\n", Some(r#"{"a":2}"#)),
            ("a: |-\n  true\n", Some(r#"{"a":"true"}"#)),
            ("", None),
            ("a\n---\nb\n", None),
            ("a: .nan\n", None),
            ("? [a]\n: b\n", None),
            ("~: b\n", None),
            ("!foo a", None),
            ("! a", None),
            ("!<tag:yaml.org,2002:str> 1", Some("\"1\"")),
            ("%YAML 1.1\n---\na", Some("\"a\"")),
            ("%YAML 1.2\n---\na", None),
            ("%OTHER\n---\na", None),
            ("a: \u{1}", None),
            ("a\u{feff}", None),
            ("a: *b", None),
        ] {
            assert_eq!(json(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn laughs_are_limited() {
        let mut text = String::from("a0: &a0 [x]\n");
        for i in 1..30 {
            let before = format!("*a{}", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{before},{before},{before},{before}]\n"));
        }
        assert!(decode(&text).is_err());
        assert!(decode(&"[".repeat(5000)).is_err());
    }
}
