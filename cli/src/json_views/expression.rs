//! Expressions in the plan document's `configuration`: their constant value, or what they refer to.

use config::references::{Reference, Subject};
use lang::Sources;
use lang::addr::InstanceKey;
use lang::ast::{Block as SyntaxBlock, Body, BodySchema, Expr, Step, StepKind, Traversal};
use lang::eval::{NoScope, evaluate};
use lang::{Diagnostics, Str, Value};
use planner::decode::{attributes_as_blocks, decode_body};
use sdk::schema::{Block, Nesting};
use serde_json::{Map, Value as Json};

use super::values::plain;

/// `{"constant_value": …, "references": […]}`; empty when it is neither constant nor refers to anything.
pub fn expression(expr: &Expr, sources: &Sources) -> Map<String, Json> {
    document(constant(expr, sources), references(expr))
}

fn document(constant: Option<Json>, references: Vec<String>) -> Map<String, Json> {
    let mut document = Map::new();
    if let Some(value) = constant {
        document.insert("constant_value".to_owned(), value);
    }
    if !references.is_empty() {
        document.insert("references".to_owned(), references.into());
    }
    document
}

/// The expression that an attribute is which is written as blocks: the list of what they hold.
fn blocks_expression(blocks: &[&SyntaxBlock], schema: &Block) -> Map<String, Json> {
    let mut diagnostics = Diagnostics::new();
    let values = blocks.iter().map(|block| decode_body(&block.body, schema, &NoScope, &mut diagnostics));
    let value = Value::list(schema.implied_type().clone(), values.collect::<Vec<_>>());
    let constant = if_known(&value, &diagnostics);
    let attributes = schema.attributes.keys().map(|name| (name.clone(), false)).collect();
    let names = BodySchema { attributes, blocks: Vec::new() };
    let contents = blocks.iter().map(|block| block.body.partial_content(&names).0);
    let attributes = contents.flat_map(|content| content.attributes);
    document(constant, attributes.flat_map(|attribute| references(&attribute.expr)).collect())
}

fn constant(expr: &Expr, sources: &Sources) -> Option<Json> {
    if expr.json {
        // Terraform shows JSON as it is written, with templates unread.
        let source = sources.get(expr.range.file)?;
        let text = source.bytes.get(expr.range.start as usize..expr.range.end as usize)?;
        return serde_json::from_slice(text).ok();
    }
    let mut diagnostics = Diagnostics::new();
    let value = evaluate(expr, &NoScope, &mut diagnostics);
    if_known(&value, &diagnostics)
}

/// A value as JSON, if its evaluation did not fail and all of it is known.
fn if_known(value: &Value, diagnostics: &Diagnostics) -> Option<Json> {
    if diagnostics.has_errors() || !value.is_wholly_known() { None } else { plain(value) }
}

/// Every reference with all that it passes through: `a.b.c`, `a.b`.
fn references(expr: &Expr) -> Vec<String> {
    let mut all = Vec::new();
    for traversal in expr.traversals() {
        let Ok(reference) = Reference::parse(traversal) else { continue };
        let subject = subject(&reference.subject);
        let rest = traversal.steps.get(reference.consumed..).unwrap_or_default();
        for length in (0..=rest.len()).rev() {
            let path: String = rest.iter().take(length).map(step).collect();
            all.push(format!("{subject}{path}"));
        }
        match &reference.subject {
            Subject::ResourceInstance(resource, _) => all.push(resource.to_string()),
            Subject::ModuleInstance(call, _) => all.push(format!("module.{call}")),
            Subject::ModuleOutput(call, key, _) => all.push(format!("module.{call}{}", index(key))),
            _ => {}
        }
    }
    all
}

fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Resource(resource) => resource.to_string(),
        Subject::ResourceInstance(resource, key) => format!("{resource}{}", index(key)),
        Subject::Module(call) => format!("module.{call}"),
        Subject::ModuleInstance(call, key) => format!("module.{call}{}", index(key)),
        Subject::ModuleOutput(call, key, output) => format!("module.{call}{}.{output}", index(key)),
        Subject::Variable(name) => format!("var.{name}"),
        Subject::Local(name) => format!("local.{name}"),
        Subject::Each(name) => format!("each.{name}"),
        Subject::Count(name) => format!("count.{name}"),
        Subject::Path(name) => format!("path.{name}"),
        Subject::Terraform(name) => format!("terraform.{name}"),
        Subject::SelfObject => "self".to_owned(),
    }
}

fn index(key: &InstanceKey) -> String {
    key.to_string()
}

fn step(step: &Step) -> String {
    match &step.kind {
        StepKind::Attribute(name) => format!(".{name}"),
        StepKind::Key(name) => format!("[{}]", lang::quoting::go_quote(name)),
        StepKind::Index(number) => format!("[{number}]"),
    }
}

/// A traversal as text: `aws_vpc.main["a"]`.
pub fn traversal(traversal: &Traversal) -> String {
    let steps: String = traversal.steps.iter().map(step).collect();
    format!("{}{steps}", traversal.root)
}

/// The expressions of a body by argument and nested block. What the schema does not know is left out, `dynamic` blocks
/// among it.
pub fn expressions(body: &Body, schema: &Block, sources: &Sources) -> Map<String, Json> {
    let as_blocks = attributes_as_blocks(body, schema);
    let labels = |nesting: Nesting| if nesting == Nesting::Map { vec![Str::from("key")] } else { Vec::new() };
    let names = BodySchema {
        attributes: (schema.attributes.keys().filter(|name| !as_blocks.contains_key(*name)))
            .map(|name| (name.clone(), false))
            .collect(),
        blocks: (schema.blocks.iter().map(|(name, block)| (name.clone(), labels(block.nesting))))
            .chain(as_blocks.keys().map(|name| (name.clone(), Vec::new())))
            .collect(),
    };
    let (content, _, _) = body.partial_content(&names);
    let mut document = Map::new();
    for (name, schema) in &as_blocks {
        let blocks: Vec<&SyntaxBlock> = content.blocks(name).collect();
        if !blocks.is_empty() {
            document.insert(name.to_string(), blocks_expression(&blocks, schema).into());
        }
    }
    for attribute in &content.attributes {
        document.insert(attribute.name.to_string(), expression(&attribute.expr, sources).into());
    }
    for block in &content.blocks {
        let Some(nested) = schema.blocks.get(&block.kind) else { continue };
        let inner = Json::Object(expressions(&block.body, &nested.block, sources));
        let name = block.kind.to_string();
        match nested.nesting {
            Nesting::Single | Nesting::Group => {
                document.insert(name, inner);
            }
            Nesting::List | Nesting::Set => {
                if let Json::Array(list) = document.entry(name).or_insert_with(|| Json::Array(Vec::new())) {
                    list.push(inner);
                }
            }
            Nesting::Map => {
                let key = block.labels.first().map(|label| label.text.to_string()).unwrap_or_default();
                if let Json::Object(map) = document.entry(name).or_insert_with(|| Json::Object(Map::new())) {
                    map.insert(key, inner);
                }
            }
        }
    }
    document
}
