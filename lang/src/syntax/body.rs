//! Reading bodies by schema.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::suggest;
use crate::ast::{Attribute, Block, Body, BodySchema, Content, NativeBody};
use crate::source::Range;
use crate::{Diagnostic, Diagnostics, Str};

impl Body {
    /// What `schema` asks for. Anything else in the body is a mistake, as is what is missing.
    pub fn content(&self, schema: &BodySchema) -> (Content, Diagnostics) {
        let (content, rest, mut diagnostics) = self.partial_content(schema);
        match &rest {
            Body::Native(rest) if rest.merged.is_some() => {}
            Body::Json(rest) if rest.merged => {}
            Body::Native(rest) => diagnostics.append(unsupported(rest, schema, &content)),
            Body::Json(rest) => diagnostics.append(rest.unsupported(schema)),
        }
        (content, diagnostics)
    }

    /// What `schema` asks for, and a body with what is left. Blocks of a type in the schema are taken even where their
    /// labels are wrong.
    pub fn partial_content(&self, schema: &BodySchema) -> (Content, Body, Diagnostics) {
        match self {
            Body::Native(body) => native_content(body, schema),
            Body::Json(body) => {
                let (content, rest, diagnostics) = body.partial_content(schema);
                (content, Body::Json(rest), diagnostics)
            }
        }
    }

    /// All arguments, where the reader knows no names; a block is a mistake.
    pub fn just_attributes(&self) -> (Vec<Attribute>, Diagnostics) {
        match self {
            Body::Native(body) => {
                let unexpected = body.blocks.first().map(|block| {
                    let summary = format!("Unexpected \"{}\" block", block.kind);
                    Diagnostic::error(summary, "Blocks are not allowed here.").at(block.kind_range)
                });
                (body.attributes.clone(), unexpected.into_iter().collect())
            }
            Body::Json(body) => body.just_attributes(),
        }
    }

    /// The body's place.
    pub fn range(&self) -> Range {
        match self {
            Body::Native(body) => body.range,
            Body::Json(body) => body.range,
        }
    }

    /// Where to say that something is missing.
    pub fn missing_range(&self) -> Range {
        match self {
            Body::Native(body) => body.range.at_start(),
            Body::Json(body) => body.missing_range(),
        }
    }
}

/// What is said where the argument `name` must be and isn't.
pub(super) fn missing_argument(name: &str, place: Range) -> Diagnostic {
    let detail = format!("The argument \"{name}\" is required, but no definition was found.");
    Diagnostic::error("Missing required argument", detail).at(place)
}

fn native_content(body: &NativeBody, schema: &BodySchema) -> (Content, Body, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let missing = body.range.at_start();
    let wanted: FxHashSet<&str> = schema.attributes.iter().map(|(name, _)| name.as_str()).collect();
    let labels: FxHashMap<&str, &[Str]> =
        schema.blocks.iter().map(|(kind, labels)| (kind.as_str(), &labels[..])).collect();
    let (attributes, other): (Vec<Attribute>, Vec<Attribute>) =
        body.attributes.iter().cloned().partition(|attribute| wanted.contains(attribute.name.as_str()));
    let late = body.merged.as_deref().unwrap_or_default();
    for (name, required) in &schema.attributes {
        let is_there = !late.contains(name) && attributes.iter().any(|attribute| attribute.name == *name);
        if *required && !is_there {
            diagnostics.push(missing_argument(name, missing));
        }
    }
    let mut blocks = Vec::new();
    let mut rest = NativeBody { range: body.range, attributes: other, blocks: Vec::new(), merged: body.merged.clone() };
    for block in &body.blocks {
        match labels.get(block.kind.as_str()) {
            None => rest.blocks.push(block.clone()),
            Some(names) => match check_labels(block, names) {
                Some(wrong) => diagnostics.push(wrong),
                None => blocks.push(block.clone()),
            },
        }
    }
    (Content { attributes, blocks, missing }, Body::Native(Arc::new(rest)), diagnostics)
}

/// What is wrong with the number of labels.
fn check_labels(block: &Block, names: &[Str]) -> Option<Diagnostic> {
    let kind = &block.kind;
    let list = names.join(", ");
    let body = block.body.range();
    let brace = match body == block.kind_range {
        // The header was not read to its end.
        true => body,
        false => Range { end: body.start.saturating_add(1).min(body.end), ..body },
    };
    let header = block.kind_range.to(brace);
    if let Some(extra) = block.labels.get(names.len()) {
        let detail = match names.len() {
            0 => format!("Blocks of type {kind} have no labels."),
            count => format!("Blocks of type {kind} have {count} labels only ({list})."),
        };
        return Some(Diagnostic::error(format!("Extraneous label for {kind}"), detail).at(extra.range).within(header));
    }
    let missing = names.get(block.labels.len())?;
    let detail = format!("Each block of type {kind} must have {} labels ({list}).", names.len());
    Some(Diagnostic::error(format!("Missing {missing} for {kind}"), detail).at(brace).within(header))
}

/// Complaints about all that is left in a body.
fn unsupported(rest: &NativeBody, schema: &BodySchema, content: &Content) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let attributes = || schema.attributes.iter().map(|(name, _)| name.as_str());
    let blocks = || schema.blocks.iter().map(|(kind, _)| kind.as_str());
    for attribute in &rest.attributes {
        let name = attribute.name.as_str();
        let mut hint = suggest(name, attributes().filter(|candidate| content.attribute(candidate).is_none()));
        if hint.is_empty() && blocks().any(|kind| kind == name) {
            hint = format!(" Did you mean to define a block of type \"{name}\"?");
        }
        let detail = format!("An argument named \"{name}\" is not expected here.{hint}");
        diagnostics.push(Diagnostic::error("Unsupported argument", detail).at(attribute.name_range));
    }
    for block in &rest.blocks {
        let kind = block.kind.as_str();
        let mut hint = suggest(kind, blocks());
        if hint.is_empty() && attributes().any(|name| name == kind) {
            hint = format!(" Did you mean to set the argument \"{kind}\"? Then write an equals sign behind its name.");
        }
        let detail = format!("Blocks of type \"{kind}\" are not expected here.{hint}");
        diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(block.kind_range));
    }
    diagnostics
}
