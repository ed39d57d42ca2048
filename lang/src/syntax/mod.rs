//! The front end: native syntax and JSON to trees. Behaves as HCL 2 does in Terraform 1.11.
//!
//! Parsing never fails: it returns a tree, as far as it could be read, and all mistakes of the text.

use std::path::Path;
use std::sync::Arc;

use crate::ast::{Body, Expr, ExprKind, NativeBody, Step, StepKind, Traversal};
use crate::source::{FileId, Range, Sources};
use crate::{Diagnostic, Diagnostics};

mod analysis;
mod body;
mod collection;
mod expression;
mod format;
mod json;
mod json_body;
mod lexer;
mod parser;
mod structure;
mod template;
mod text;
mod token;
mod traversal;

pub use format::format;
use lexer::Start;
use parser::Parser;
pub(crate) use parser::with_stack;
use token::Kind;

/// Reads a configuration file in native syntax and adds it to `sources` as `name`.
pub fn parse_file(sources: &Sources, name: &Path, bytes: impl Into<Arc<[u8]>>) -> (Body, FileId, Diagnostics) {
    let (file, source, diagnostics) = add(sources, name, bytes.into());
    if !diagnostics.is_empty() {
        let range = Range::new(file, 0, 0);
        let body = NativeBody { range, attributes: Vec::new(), blocks: Vec::new(), merged: None };
        return (Body::Native(Arc::new(body)), file, diagnostics);
    }
    let mut parser = Parser::new(&source, Start::Normal, Some(sources), file, 0);
    let body = parser.body(Kind::Eof);
    (Body::Native(Arc::new(body)), file, parser.diagnostics)
}

/// Reads a configuration file in JSON syntax (`.tf.json`) and adds it to `sources` as `name`.
pub fn parse_json_file(sources: &Sources, name: &Path, bytes: impl Into<Arc<[u8]>>) -> (Body, FileId, Diagnostics) {
    let (file, source, mut diagnostics) = add(sources, name, bytes.into());
    let source = if diagnostics.is_empty() { &source } else { &b"{}"[..] };
    let (value, messages) = json::parse_root(source, file);
    diagnostics.append(messages);
    (json_body::root(value), file, diagnostics)
}

/// Reads an expression; line breaks are white space in it. The text is added to `sources` as `name`.
pub fn parse_expression(sources: &Sources, name: impl AsRef<Path>, text: &str) -> (Expr, Diagnostics) {
    let name = name.as_ref();
    added_expression(sources, name, sources.add(name, text.as_bytes()), text)
}

/// The same for a text that diagnostics must not show: a value from a command line or the environment.
pub fn parse_private_expression(sources: &Sources, name: impl AsRef<Path>, text: &str) -> (Expr, Diagnostics) {
    let name = name.as_ref();
    added_expression(sources, name, sources.add_private(name, text.as_bytes()), text)
}

fn added_expression(sources: &Sources, name: &Path, file: FileId, text: &str) -> (Expr, Diagnostics) {
    let diagnostics = check_size(name, file, text.len());
    if !diagnostics.is_empty() {
        return (Expr::new(Range::new(file, 0, 0), ExprKind::Invalid), diagnostics);
    }
    whole_expression(Parser::new(text.as_bytes(), Start::Normal, Some(sources), file, 0))
}

/// Reads a template: text with interpolations and directives, without quotes around it. The text is added to `sources` as
/// `name`.
pub fn parse_template(sources: &Sources, name: impl AsRef<Path>, text: &str) -> (Expr, Diagnostics) {
    let (file, source, diagnostics) = add(sources, name.as_ref(), text.as_bytes().into());
    if !diagnostics.is_empty() {
        return (Expr::new(Range::new(file, 0, 0), ExprKind::Invalid), diagnostics);
    }
    whole_template(Parser::new(&source, Start::Template, Some(sources), file, 0))
}

/// Reads a reference like `aws_vpc.main["a"].id`: a name, attributes and literal indexes, nothing else. The text is added to
/// `sources` as `name`.
pub fn parse_traversal(sources: &Sources, name: impl AsRef<Path>, text: &str) -> Result<Traversal, Diagnostics> {
    let (file, source, diagnostics) = add(sources, name.as_ref(), text.as_bytes().into());
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    Parser::new(&source, Start::Normal, Some(sources), file, 0).traversal()
}

/// Whether `text` is a valid identifier.
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty() && lexer::identifier_length(text.as_bytes()) == text.len()
}

/// From how many bytes on a text is too large for ranges.
const MOST_BYTES: usize = u32::MAX as usize / 2;

/// Adds a text to `sources`; a message if it is larger than ranges can tell.
fn add(sources: &Sources, name: &Path, bytes: Arc<[u8]>) -> (FileId, Arc<[u8]>, Diagnostics) {
    let file = sources.add(name, bytes.clone());
    let diagnostics = check_size(name, file, bytes.len());
    (file, bytes, diagnostics)
}

/// Places are counted in 32 bits.
fn check_size(name: &Path, file: FileId, bytes: usize) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if bytes >= MOST_BYTES {
        let detail = format!("The file {} is too large: it must be smaller than 2 GiB.", name.display());
        diagnostics.push(Diagnostic::error("File too large", detail).at(Range::new(file, 0, 0)));
    }
    diagnostics
}

/// The text of an expression that begins at byte `base` of `file`.
fn expression_at(text: &str, file: FileId, base: u32) -> (Expr, Diagnostics) {
    whole_expression(Parser::new(text.as_bytes(), Start::Normal, None, file, base))
}

/// The text of a template that begins at byte `base` of `file`.
fn template_at(text: &str, file: FileId, base: u32) -> (Expr, Diagnostics) {
    whole_template(Parser::new(text.as_bytes(), Start::Template, None, file, base))
}

/// The text of a reference that begins at byte `base` of `file`.
fn traversal_at(text: &str, file: FileId, base: u32) -> Result<Traversal, Diagnostics> {
    Parser::new(text.as_bytes(), Start::Normal, None, file, base).traversal()
}

fn whole_expression(mut parser: Parser<'_>) -> (Expr, Diagnostics) {
    let expr = parser.with_newlines(false, |parser| {
        let expr = parser.expression();
        if parser.peek().kind != Kind::Eof && !parser.recovery {
            let detail = "The expression is complete, but something follows it.";
            parser.error(parser.next_range(), "Extra characters after expression", detail);
        }
        expr
    });
    (expr, parser.diagnostics)
}

fn whole_template(mut parser: Parser<'_>) -> (Expr, Diagnostics) {
    let (kind, range) = parser.template(Kind::Eof, false);
    (Expr::new(range, kind), parser.diagnostics)
}

/// ` Did you mean "…"?` with the candidate that `given` may be a misspelling of; empty if there is none.
pub fn suggest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let close = candidates.into_iter().find(|candidate| distance(given, candidate) < 3);
    close.map(|name| format!(" Did you mean \"{name}\"?")).unwrap_or_default()
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(i + 1);
            next.push((diagonal + usize::from(x != *y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// A step that is an attribute.
fn attribute_step(range: Range, name: crate::Str) -> Step {
    Step { range, kind: StepKind::Attribute(name) }
}

#[cfg(test)]
mod tests;
