//! Files: native syntax, JSON, and the formatter.

use std::path::Path;

use lang::Sources;
use lang::ast::{Body, BodySchema, NativeBody};
use lang::source::Range;
use lang::syntax::{parse_file, parse_json_file};

use crate::ranges;

/// Reads native syntax.
pub fn parse(text: &[u8]) {
    let (body, _, diagnostics) = parse_file(&Sources::new(), Path::new("fuzz.tf"), text);
    let Body::Native(body) = &body else { panic!("native syntax makes a native body") };
    for diagnostic in diagnostics.iter() {
        ranges::inside_text(diagnostic.subject().unwrap_or(body.range), text);
    }
    if diagnostics.has_errors() {
        return;
    }
    ranges::nest(body, text);
    covers(body, text, 0);
}

/// Nothing of the text is lost: each item read alone is that item, and what is between them is only white space and comments.
fn covers(body: &NativeBody, text: &[u8], start: usize) {
    let mut items: Vec<(Range, &str)> = body.attributes.iter().map(|a| (a.range, a.name.as_str())).collect();
    items.extend(body.blocks.iter().map(|b| (b.range, b.kind.as_str())));
    items.sort_by_key(|(range, _)| range.start);
    let mut end = start;
    for (range, name) in &items {
        trivial(slice(text, end, range.start as usize));
        end = range.end as usize;
        let mut alone = slice(text, range.start as usize, end).to_vec();
        alone.push(b'\n');
        let again = read(&alone);
        let names =
            again.attributes.iter().map(|a| a.name.as_str()).chain(again.blocks.iter().map(|b| b.kind.as_str()));
        assert_eq!(names.collect::<Vec<_>>(), [*name], "the text of an item read alone");
    }
    trivial(slice(text, end, text.len()));
}

/// White space and comments only.
fn trivial(text: &[u8]) {
    let body = read(text);
    assert!(body.attributes.is_empty() && body.blocks.is_empty(), "something between the items: {text:?}");
}

fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    match text.get(start..end) {
        Some(slice) => slice,
        None => panic!("items overlap at {start}..{end}"),
    }
}

fn read(text: &[u8]) -> std::sync::Arc<NativeBody> {
    let (body, _, diagnostics) = parse_file(&Sources::new(), Path::new("part.tf"), text);
    assert!(!diagnostics.has_errors(), "{:?}: {diagnostics:?}", String::from_utf8_lossy(text));
    match body {
        Body::Native(body) => body,
        Body::Json(_) => panic!("native syntax makes a native body"),
    }
}

/// Reads JSON.
pub fn json(text: &[u8]) {
    let sources = Sources::new();
    let (body, _, diagnostics) = parse_json_file(&sources, Path::new("fuzz.tf.json"), text);
    for diagnostic in diagnostics.iter() {
        ranges::inside_text(diagnostic.subject().unwrap_or(body.range()), text);
    }
    let (attributes, _) = body.just_attributes();
    for attribute in &attributes {
        ranges::inside_text(attribute.expr.range, text);
        crate::evaluation::evaluate_safely(&attribute.expr);
    }
    let schema = BodySchema {
        attributes: vec![("a".into(), true)],
        blocks: vec![("resource".into(), vec!["type".into(), "name".into()]), ("locals".into(), vec![])],
    };
    let (content, _) = body.content(&schema);
    for block in &content.blocks {
        let (attributes, _) = block.body.just_attributes();
        for attribute in &attributes {
            ranges::inside_text(attribute.expr.range, text);
            crate::evaluation::evaluate_safely(&attribute.expr);
        }
    }
}

/// Whether a step of a number or of a legacy index is written apart from it, as in `1 .e2`, `1. e2` and `a.3 .4`. Terraform puts
/// them together, and so do we, which makes another number of them, or none.
fn has_step_apart_from_number(text: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    (1..text.len()).filter(|dot| text[*dot] == b'.').any(|dot| {
        let before = text[..dot].trim_ascii_end();
        let apart = before.len() < dot || text.get(dot + 1).is_some_and(u8::is_ascii_whitespace);
        apart && before.iter().rev().take_while(|byte| is_word(byte)).any(u8::is_ascii_digit)
    })
}

/// Formats. What was right stays right, and a second time changes nothing.
pub fn format(text: &[u8]) {
    let once = lang::syntax::format(text);
    let (_, _, before) = parse_file(&Sources::new(), Path::new("fuzz.tf"), text);
    if before.has_errors() {
        assert_eq!(once, text, "a file with mistakes stays as it is");
        return;
    }
    if has_step_apart_from_number(text) {
        return;
    }
    read(&once);
    let twice = lang::syntax::format(&once);
    assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once), "formatted twice");
}
