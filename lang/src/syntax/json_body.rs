//! JSON read as bodies: what a property is depends on the reader's schema.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::body::missing_argument;
use super::json::start_range;
use super::text::normalise;
use super::{suggest, template_at, with_stack};
use crate::ast::{
    Attribute, Block, Body, BodySchema, Content, Expr, ExprKind, JsonBody, JsonKind, JsonNode, JsonProperty,
    JsonTemplate, Label, ObjectItem, ObjectKey,
};
use crate::source::Range;
use crate::{Diagnostic, Diagnostics, Str};

const WRONG_TYPE: &str = "Incorrect JSON value type";
/// A property of this name is a comment, where properties are arguments and blocks.
const COMMENT: &str = "//";

/// The body that a file's root value is.
pub(super) fn root(value: JsonNode) -> Body {
    Body::Json(body(&value))
}

fn body(value: &JsonNode) -> JsonBody {
    JsonBody { range: value.range, value: Arc::new(value.clone()), hidden: Arc::default(), merged: false }
}

impl JsonBody {
    pub(super) fn missing_range(&self) -> Range {
        let range = self.value.range;
        match self.value.kind {
            JsonKind::Object(_) if range.start < range.end => Range { start: range.end - 1, ..range },
            _ => start_range(&self.value),
        }
    }

    pub(super) fn partial_content(&self, schema: &BodySchema) -> (Content, JsonBody, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let properties = properties(&self.value, None, &mut diagnostics);
        let known: FxHashSet<&str> = schema.attributes.iter().map(|(name, _)| name.as_str()).collect();
        let labels: FxHashMap<&str, &[Str]> =
            schema.blocks.iter().map(|(kind, names)| (kind.as_str(), &names[..])).collect();
        let hidden: FxHashSet<&str> = self.hidden.iter().map(Str::as_str).collect();
        let mut used: Vec<Str> = self.hidden.to_vec();
        let mut seen: FxHashMap<&str, Range> = FxHashMap::default();
        let mut content = Content { attributes: Vec::new(), blocks: Vec::new(), missing: self.missing_range() };
        for property in properties {
            let name = property.name.as_str();
            if hidden.contains(name) {
                continue;
            }
            if known.contains(name) {
                if seen.contains_key(name) {
                    let detail = format!("The argument \"{name}\" was set already.");
                    let duplicate = Diagnostic::error("Duplicate argument", detail).at(property.name_range);
                    diagnostics.push(duplicate.within(property.name_range.to(property.value.range)));
                    continue;
                }
                seen.insert(name, property.name_range);
                used.push(property.name.clone());
                content.attributes.push(attribute(property));
            } else if let Some(names) = labels.get(name) {
                used.push(property.name.clone());
                let reader = BlockReader { property, blocks: &mut content.blocks, diagnostics: &mut diagnostics };
                reader.read(names);
            }
        }
        for (name, required) in &schema.attributes {
            if *required && !seen.contains_key(name.as_str()) {
                diagnostics.push(missing_argument(name, self.missing_range()));
            }
        }
        used.sort_unstable();
        used.dedup();
        let rest = JsonBody { hidden: used.into(), ..self.clone() };
        (content, rest, diagnostics)
    }

    /// Complaints about the properties that no reader took.
    pub(super) fn unsupported(&self, schema: &BodySchema) -> Diagnostics {
        // What is wrong with the structure was said when the content was read; Terraform says it again.
        let mut diagnostics = Diagnostics::new();
        let properties = properties(&self.value, None, &mut diagnostics);
        let hidden: FxHashSet<&str> = self.hidden.iter().map(Str::as_str).collect();
        let attributes = schema.attributes.iter().map(|(name, _)| name.as_str()).filter(|name| !hidden.contains(name));
        let names: Vec<&str> = attributes.chain(schema.blocks.iter().map(|(kind, _)| kind.as_str())).collect();
        let left = properties.into_iter().filter(|p| p.name != COMMENT && !hidden.contains(p.name.as_str()));
        let extraneous = left.map(|property| {
            let hint = suggest(&property.name, names.iter().copied());
            let detail = format!("There is no argument or block type named \"{}\" here.{hint}", property.name);
            let message = Diagnostic::error("Extraneous JSON object property", detail).at(property.name_range);
            message.within(property.name_range.to(property.value.range))
        });
        diagnostics.extend(extraneous);
        diagnostics
    }

    pub(super) fn just_attributes(&self) -> (Vec<Attribute>, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let JsonKind::Object(properties) = &self.value.kind else {
            let detail = "An object is required here, which sets the arguments of the block.";
            diagnostics.push(Diagnostic::error(WRONG_TYPE, detail).at(start_range(&self.value)));
            return (Vec::new(), diagnostics);
        };
        let hidden: FxHashSet<&str> = self.hidden.iter().map(Str::as_str).collect();
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        let mut attributes = Vec::new();
        for property in properties.iter() {
            let name = property.name.as_str();
            if name == COMMENT || hidden.contains(name) {
                continue;
            }
            if !seen.insert(name) {
                let detail = format!("The argument \"{name}\" was set already.");
                diagnostics.push(Diagnostic::error("Duplicate attribute definition", detail).at(property.name_range));
                continue;
            }
            attributes.push(attribute(property));
        }
        (attributes, diagnostics)
    }
}

/// The properties of an object, or of all objects of an array. `label` is the name of the label that they stand for.
fn properties<'a>(value: &'a JsonNode, label: Option<&str>, diagnostics: &mut Diagnostics) -> Vec<&'a JsonProperty> {
    let purpose = match label {
        Some(label) => format!("to give the {label} labels of the block"),
        None => "to define arguments and nested blocks".to_owned(),
    };
    match &value.kind {
        JsonKind::Null => Vec::new(),
        JsonKind::Object(properties) => properties.iter().collect(),
        JsonKind::Array(values) => {
            let mut all = Vec::new();
            for value in values.iter() {
                if let JsonKind::Object(properties) = &value.kind {
                    all.extend(properties.iter());
                } else {
                    let detail = format!("An object is required here, {purpose}.");
                    diagnostics.push(Diagnostic::error(WRONG_TYPE, detail).at(start_range(value)));
                }
            }
            all
        }
        _ => {
            let detail = format!("An object or an array of objects is required here, {purpose}.");
            diagnostics.push(Diagnostic::error(WRONG_TYPE, detail).at(start_range(value)));
            Vec::new()
        }
    }
}

/// Finds the blocks of one property.
struct BlockReader<'a> {
    property: &'a JsonProperty,
    blocks: &'a mut Vec<Block>,
    diagnostics: &'a mut Diagnostics,
}

impl BlockReader<'_> {
    fn read(mut self, names: &[Str]) {
        let property = self.property;
        self.unpack(&property.value, names, &mut Vec::new());
    }

    /// Peels off the labels `left` and makes blocks of what is inside.
    fn unpack(&mut self, value: &JsonNode, left: &[Str], labels: &mut Vec<Label>) {
        let kind = &self.property.name;
        if let Some((name, left)) = left.split_first() {
            let properties = properties(value, Some(name), self.diagnostics);
            if properties.is_empty() {
                let detail =
                    format!("At least one property is required here; its name is the {name} of the {kind} block.");
                self.diagnostics.push(Diagnostic::error("Missing block label", detail).at(start_range(value)));
            }
            for property in properties {
                labels.push(Label { text: property.name.clone(), range: property.name_range });
                self.unpack(&property.value, left, labels);
                labels.pop();
            }
            return;
        }
        match &value.kind {
            JsonKind::Null => {}
            JsonKind::Object(_) => self.push(value, value, labels),
            JsonKind::Array(values) => values.iter().for_each(|inner| self.push(value, inner, labels)),
            _ => {
                let detail = format!("An object or an array is required here, as the content of \"{kind}\" blocks.");
                self.diagnostics.push(Diagnostic::error(WRONG_TYPE, detail).at(start_range(value)));
            }
        }
    }

    fn push(&mut self, outer: &JsonNode, value: &JsonNode, labels: &[Label]) {
        self.blocks.push(Block {
            kind: self.property.name.clone(),
            kind_range: self.property.name_range,
            labels: labels.to_vec(),
            header: start_range(outer),
            range: value.range,
            body: Body::Json(body(value)),
        });
    }
}

fn attribute(property: &JsonProperty) -> Attribute {
    Attribute {
        name: property.name.clone(),
        name_range: property.name_range,
        range: property.name_range.to(property.value.range),
        expr: Arc::new(expression(&property.value)),
    }
}

/// The expression that a value is: strings are templates, also as names of properties. What is wrong with them is told when they
/// are evaluated.
fn expression(value: &JsonNode) -> Expr {
    let kind = match &value.kind {
        JsonKind::Null => ExprKind::Null,
        JsonKind::Bool(value) => ExprKind::Bool(*value),
        JsonKind::Number(number) => ExprKind::Number(number.clone()),
        JsonKind::String(text) => template(text, value.range),
        JsonKind::Array(values) => ExprKind::Tuple(with_stack(|| values.iter().map(expression).collect())),
        JsonKind::Object(properties) => ExprKind::Object(with_stack(|| properties.iter().map(item).collect())),
        JsonKind::Invalid => ExprKind::Invalid,
    };
    Expr { range: value.range, json: true, kind }
}

fn item(property: &JsonProperty) -> ObjectItem {
    let range = property.name_range;
    let key = Expr { range, json: true, kind: template(&property.name, range) };
    ObjectItem { key: ObjectKey::Expr(key), value: expression(&property.value) }
}

/// A string as a template. Places inside count from the opening quote, as if there were no escapes.
fn template(text: &str, range: Range) -> ExprKind {
    if !text.contains("${") && !text.contains("%{") {
        return ExprKind::String(normalise(text));
    }
    let (template, problems) = template_at(text, range.file, range.start + 1);
    let template = match problems.has_errors() {
        true => Expr { range, json: true, kind: ExprKind::Invalid },
        false => template,
    };
    ExprKind::JsonTemplate(Box::new(JsonTemplate { text: normalise(text), template, problems }))
}
