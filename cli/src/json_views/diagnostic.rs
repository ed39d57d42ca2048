//! Diagnostics as JSON, in the shape of `validate -json` and of the `-json` event streams.

use lang::diag::Cause;
use lang::source::Source;
use lang::values::Kind;
use lang::{Diagnostic, Marks, Range, Severity, Sources, Type, Value};
use serde::Serialize;

use super::functions::Signature;

/// A diagnostic.
#[derive(Clone, Debug, Serialize)]
pub struct DiagnosticDocument {
    /// `error` or `warning`
    pub severity: &'static str,
    /// The headline.
    pub summary: String,
    /// The explanation.
    pub detail: String,
    /// The resource instance it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeDocument>,
    /// The source around the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
}

/// A place in a file.
#[derive(Clone, Debug, Serialize)]
pub struct RangeDocument {
    /// The file, relative to the working directory.
    pub filename: String,
    /// Its start.
    pub start: Point,
    /// Its end, exclusive.
    pub end: Point,
}

/// A point in a file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// From 1.
    pub line: usize,
    /// In grapheme clusters, from 1.
    pub column: usize,
    /// From 0.
    pub byte: usize,
}

/// Source text around a place.
#[derive(Clone, Debug, Serialize)]
pub struct Snippet {
    /// The header of the enclosing block.
    pub context: Option<String>,
    /// Whole lines.
    pub code: String,
    /// The number of the first line.
    pub start_line: usize,
    /// Byte offset in `code` where the place starts.
    pub highlight_start_offset: usize,
    /// Byte offset in `code` where the place ends.
    pub highlight_end_offset: usize,
    /// What the references in the failing expression are.
    pub values: Vec<ExpressionValue>,
    /// The function whose call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall>,
}

/// What a reference is.
#[derive(Clone, Debug, Serialize)]
pub struct ExpressionValue {
    /// The reference.
    pub traversal: String,
    /// `is "x"`
    pub statement: String,
}

/// A function.
#[derive(Clone, Debug, Serialize)]
pub struct FunctionCall {
    /// The name as called.
    pub called_as: String,
    /// What it takes and returns.
    pub signature: Signature,
}

/// The JSON form of a diagnostic.
pub fn document(diagnostic: &Diagnostic, sources: &Sources) -> DiagnosticDocument {
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut document = DiagnosticDocument {
        severity,
        summary: diagnostic.summary().to_owned(),
        detail: detail(diagnostic, sources),
        address: diagnostic.address().map(str::to_owned),
        range: None,
        snippet: None,
    };
    let Some(subject) = diagnostic.subject() else { return document };
    if subject == Range::LOST {
        let (start, end) = (Point { line: 0, column: 0, byte: 0 }, Point { line: 0, column: 1, byte: 1 });
        document.range = Some(RangeDocument { filename: String::new(), start, end });
    }
    let Some(source) = sources.get(subject.file) else { return document };
    let at = |byte: u32| {
        let position = source.position(byte);
        Point { line: position.line, column: position.column, byte: position.byte }
    };
    let (start, mut end) = (at(subject.start), at(subject.end));
    if start.byte == end.byte {
        // An empty place is shown as the one character there.
        end.byte += 1;
        end.column += 1;
    }
    let filename = source.name.display().to_string();
    document.snippet = (!source.is_private).then(|| snippet(diagnostic, &source, start, end));
    document.range = Some(RangeDocument { filename, start, end });
    document
}

/// The detail with the places of the attempts that it names.
fn detail(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut out = String::new();
    let mut rest = diagnostic.detail();
    for attempt in diagnostic.attempts() {
        let bare = attempt.attempt(None, attempt.detail());
        let Some((before, after)) = rest.split_once(bare.as_str()) else { continue };
        out.push_str(before);
        out.push_str(&attempt.attempt(place(attempt, sources).as_deref(), &detail(attempt, sources)));
        rest = after;
    }
    out + rest
}

/// `main.tf:1,2-3`, in columns; `main.tf:1,2-3,4` over lines.
fn place(diagnostic: &Diagnostic, sources: &Sources) -> Option<String> {
    let subject = diagnostic.subject()?;
    let source = sources.get(subject.file)?;
    let (start, end) = (source.position(subject.start), source.position(subject.end));
    let last = if start.line == end.line { String::new() } else { format!("{},", end.line) };
    Some(format!("{}:{},{}-{last}{}", source.name.display(), start.line, start.column, end.column))
}

fn snippet(diagnostic: &Diagnostic, source: &Source, start: Point, end: Point) -> Snippet {
    let (mut first, mut last) = (start.line, end.line);
    if let Some(context) = diagnostic.context() {
        first = first.min(source.position(context.start).line);
        last = last.max(source.position(context.end).line);
    }
    // Like Terraform, a place that ends with a line break takes the line behind it along, if something is on it.
    if end.column == 1 && last == end.line && last > first && source.line(last).is_empty() {
        last -= 1;
    }
    let lines: Vec<String> = (first..=last).map(|line| source.line(line)).collect();
    let code = lines.join("\n");
    let before: usize = lines.iter().take(start.line - first).map(|l| l.len() + 1).sum();
    let offset = before + byte_of_column(source, start);
    let highlight_start_offset = offset.min(code.len());
    let highlight_end_offset = (offset + (end.byte - start.byte)).min(code.len());
    Snippet {
        context: crate::context::around(source, start.byte),
        code,
        start_line: first,
        highlight_start_offset,
        highlight_end_offset,
        values: values(diagnostic),
        function_call: diagnostic.call().map(|call| FunctionCall {
            called_as: call.called_as.to_string(),
            signature: Signature::of(&call.function),
        }),
    }
}

/// The byte offset of a point in its line.
fn byte_of_column(source: &Source, point: Point) -> usize {
    let before = source.bytes.get(..point.byte.min(source.bytes.len())).unwrap_or_default();
    before.iter().rev().take_while(|b| **b != b'\n').count()
}

fn values(diagnostic: &Diagnostic) -> Vec<ExpressionValue> {
    let mut values: Vec<ExpressionValue> = Vec::new();
    for (traversal, value) in diagnostic.values() {
        let Some(statement) = statement(value, diagnostic.cause()) else { continue };
        if values.iter().all(|v| v.traversal != *traversal) {
            values.push(ExpressionValue { traversal: traversal.clone(), statement });
        }
    }
    values.sort_by(|a, b| a.traversal.cmp(&b.traversal));
    values
}

fn statement(value: &Value, cause: Cause) -> Option<String> {
    if value.marks.contains(Marks::SENSITIVE) {
        return (cause == Cause::Sensitive).then(|| "has a sensitive value".to_owned());
    }
    if value.marks.contains(Marks::EPHEMERAL) {
        return None;
    }
    match &value.kind {
        Kind::Unknown(Type::Dynamic, _) if cause != Cause::Unknown => None,
        Kind::Unknown(Type::Dynamic, _) => Some("will be known only after apply".to_owned()),
        Kind::Unknown(ty, _) if cause != Cause::Unknown => Some(format!("is a {ty}")),
        Kind::Unknown(ty, _) => Some(format!("is a {ty}, known only after apply")),
        _ => Some(format!("is {}", compact(value))),
    }
}

/// A value in a few words.
fn compact(value: &Value) -> String {
    let count = |n: usize, what: &str| format!("{what} with {n} element{}", if n == 1 { "" } else { "s" });
    let collection = |kind: &str, element: &Type, n: usize| match n {
        0 => format!("empty {kind} of {element}"),
        n => count(n, &format!("{kind} of {element}")),
    };
    match &value.kind {
        Kind::Null(_) => "null".to_owned(),
        Kind::Unknown(..) => "(not yet known)".to_owned(),
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => n.to_string(),
        Kind::String(s) => lang::quoting::go_quote(s),
        Kind::List(ty, elements) => collection("list", ty, elements.len()),
        Kind::Set(ty, elements) => collection("set", ty, elements.len()),
        Kind::Map(ty, elements) => collection("map", ty, elements.len()),
        Kind::Tuple(elements) if elements.is_empty() => "empty tuple".to_owned(),
        Kind::Tuple(elements) => count(elements.len(), "tuple"),
        Kind::Object(attributes) => match attributes.len() {
            0 => "object with no attributes".to_owned(),
            1 => {
                let name = attributes.keys().next().map_or("", |n| n.as_str());
                format!("object with 1 attribute {}", lang::quoting::go_quote(name))
            }
            n => format!("object with {n} attributes"),
        },
    }
}
