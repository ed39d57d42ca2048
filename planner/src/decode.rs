//! A block of the configuration to a value: attributes evaluated and converted, nested and `dynamic` blocks gathered, as the
//! schema says. What HCL calls `hcldec`, with Terraform's dynamic blocks and "attributes as blocks".

use std::collections::BTreeMap;

use lang::ast::{Block as SyntaxBlock, Body, BodySchema, Content, Expr, ExprKind, StepKind, Traversal};
use lang::eval::{Scope, evaluate};
use lang::functions::FunctionTable;
use lang::values::{Kind, Marks};
use lang::{Diagnostic, Diagnostics, Range, Str, Type, Value};
use sdk::{Attribute, Block, NestedBlock, Nesting};

/// Evaluates `body` as `schema` says. The value conforms to [`Block::implied_type`]; after errors parts of it are unknown.
pub fn decode_body(body: &Body, schema: &Block, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> Value {
    let as_blocks = attributes_as_blocks(body, schema);
    let (content, problems) = body.content(&body_schema(schema, &as_blocks));
    diagnostics.append(problems);
    for label in content.blocks("dynamic").filter_map(|block| block.labels.first()) {
        if !schema.blocks.contains_key(&label.text) && !as_blocks.contains_key(&label.text) {
            let detail = format!("Blocks of type {:?} are not expected here.", label.text.as_str());
            diagnostics.push(Diagnostic::error("Unsupported block type", detail).at(label.range));
        }
    }
    decode_content(&content, schema, &as_blocks, scope, diagnostics)
}

fn decode_content(
    content: &Content,
    schema: &Block,
    as_blocks: &BTreeMap<Str, Block>,
    scope: &dyn Scope,
    diagnostics: &mut Diagnostics,
) -> Value {
    let mut values: Vec<(Str, Value)> = Vec::with_capacity(schema.attributes.len() + schema.blocks.len());
    for (name, attribute) in &schema.attributes {
        let value = match as_blocks.get(name) {
            Some(block) => decode_attribute_blocks(content, name, attribute, block, scope, diagnostics),
            None => decode_attribute(content, name, attribute, scope, diagnostics),
        };
        values.push((name.clone(), value));
    }
    for (name, nested) in &schema.blocks {
        values.push((name.clone(), decode_blocks(content, name, nested, scope, diagnostics)));
    }
    Value::object(values)
}

fn decode_attribute(
    content: &Content,
    name: &Str,
    attribute: &Attribute,
    scope: &dyn Scope,
    diagnostics: &mut Diagnostics,
) -> Value {
    let Some(written) = content.attribute(name) else { return Value::null(attribute.ty.clone()) };
    let value = evaluate(&written.expr, scope, diagnostics);
    match value.convert(&attribute.ty) {
        Ok(converted) => {
            if attribute.required && converted.is_null() {
                diagnostics.push(missing_argument(name, written.expr.range));
            }
            converted
        }
        Err(error) => {
            let detail = format!("Inappropriate value for attribute {}: {}.", lang::addr::quote(name), error);
            diagnostics.push(
                Diagnostic::error("Incorrect attribute value type", detail)
                    .at(written.expr.range)
                    .with_values(referenced_values(&written.expr, scope)),
            );
            Value::unknown(attribute.ty.clone())
        }
    }
}

/// What is said of a required argument that is null.
fn missing_argument(name: &str, place: Range) -> Diagnostic {
    Diagnostic::error(
        "Missing required argument",
        format!("The argument \"{name}\" is required, but no definition was found."),
    )
    .at(place)
}

/// The values of the references in an expression, for a diagnostic about it.
pub fn referenced_values(expr: &Expr, scope: &dyn Scope) -> Vec<(String, Value)> {
    let mut values: Vec<(String, Value)> = Vec::new();
    for traversal in expr.traversals() {
        let text = traversal_text(traversal);
        if values.iter().any(|(known, _)| *known == text) {
            continue;
        }
        let value = evaluate_traversal(traversal, scope);
        if let Some(value) = value {
            values.push((text, value));
        }
    }
    values.sort_by(|a, b| a.0.cmp(&b.0));
    values
}

fn evaluate_traversal(traversal: &Traversal, scope: &dyn Scope) -> Option<Value> {
    let expr = Expr::new(traversal.range, ExprKind::Traversal(Box::new(traversal.clone())));
    let mut problems = Diagnostics::new();
    let value = evaluate(&expr, scope, &mut problems);
    (!problems.has_errors()).then_some(value)
}

/// A traversal as source text.
pub fn traversal_text(traversal: &Traversal) -> String {
    let mut text = traversal.root.to_string();
    for step in &traversal.steps {
        match &step.kind {
            StepKind::Attribute(name) => {
                text.push('.');
                text.push_str(name);
            }
            StepKind::Key(key) => text.push_str(&format!("[{}]", lang::addr::quote(key))),
            StepKind::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Attributes of type list or set of objects may be written as blocks (`ingress { … }` of a security group), for
/// compatibility with configurations from before attributes could nest. Returns the schemas of those that are.
pub fn attributes_as_blocks(body: &Body, schema: &Block) -> BTreeMap<Str, Block> {
    let dynamic;
    let blocks = match body {
        Body::Native(native) => &native.blocks,
        // A list of objects is an attribute's value in JSON; `dynamic` alone shows that blocks are meant.
        Body::Json(_) => {
            let schema = BodySchema { attributes: Vec::new(), blocks: vec![dynamic_header()] };
            dynamic = body.partial_content(&schema).0.blocks;
            &dynamic
        }
    };
    let mut found = BTreeMap::new();
    for (name, attribute) in &schema.attributes {
        let (Type::List(element) | Type::Set(element)) = &attribute.ty else { continue };
        let Type::Object(object) = &**element else { continue };
        let written = blocks.iter().any(|block| {
            block.kind == *name
                || (block.kind == "dynamic" && block.labels.first().is_some_and(|label| label.text == *name))
        });
        if !written {
            continue;
        }
        let attributes = object.attributes.iter().map(|(inner, ty)| {
            let attribute = Attribute { optional: true, ..Attribute::new(ty.clone()) };
            (inner.clone(), attribute)
        });
        found.insert(name.clone(), Block::new(attributes.collect(), BTreeMap::new()));
    }
    found
}

/// `dynamic "type"`, which may stand in any block.
fn dynamic_header() -> (Str, Vec<Str>) {
    (Str::new_static("dynamic"), vec![Str::new_static("type")])
}

fn body_schema(schema: &Block, as_blocks: &BTreeMap<Str, Block>) -> BodySchema {
    let attributes = schema.attributes.iter().filter(|(name, _)| !as_blocks.contains_key(*name));
    let attributes = attributes.map(|(name, attribute)| (name.clone(), attribute.required));
    let labels = |nested: &NestedBlock| match nested.nesting {
        Nesting::Map => vec![Str::new_static("key")],
        _ => Vec::new(),
    };
    let blocks = schema.blocks.iter().map(|(name, nested)| (name.clone(), labels(nested)));
    let blocks = blocks.chain(as_blocks.keys().map(|name| (name.clone(), Vec::new())));
    let dynamic = dynamic_header();
    BodySchema { attributes: attributes.collect(), blocks: blocks.chain([dynamic]).collect() }
}

/// One block after `dynamic` was expanded.
struct Expanded {
    body: Body,
    header: Range,
    label: Option<Str>,
    iterator: Option<(Str, Value)>,
}

/// The blocks of one type: static ones and what `dynamic` makes, in source order.
enum Blocks {
    Known(Vec<Expanded>, Marks),
    Unknown(Marks),
}

fn decode_attribute_blocks(
    content: &Content,
    name: &Str,
    attribute: &Attribute,
    block: &Block,
    scope: &dyn Scope,
    diagnostics: &mut Diagnostics,
) -> Value {
    let element = attribute.ty.element().cloned().unwrap_or(Type::Dynamic);
    match expand_dynamic(content, name, scope, diagnostics) {
        Blocks::Unknown(marks) => Value::unknown(attribute.ty.clone()).with_marks(marks),
        Blocks::Known(blocks, marks) => {
            let elements: Vec<Value> = blocks.iter().map(|b| decode_expanded(b, block, scope, diagnostics)).collect();
            let value = match attribute.ty {
                Type::Set(_) => Value::set(element, elements),
                _ => Value::list(element, elements),
            };
            value.with_marks(marks)
        }
    }
}

fn decode_blocks(
    content: &Content,
    name: &Str,
    nested: &NestedBlock,
    scope: &dyn Scope,
    diagnostics: &mut Diagnostics,
) -> Value {
    let (blocks, marks) = match expand_dynamic(content, name, scope, diagnostics) {
        Blocks::Unknown(marks) => return Value::unknown(nested.implied_type()).with_marks(marks),
        Blocks::Known(blocks, marks) => (blocks, marks),
    };
    check_counts(content, name, nested, &blocks, diagnostics);
    let object = nested.block.implied_type();
    let value = match nested.nesting {
        Nesting::Single | Nesting::Group => {
            if let Some(second) = blocks.get(1) {
                let detail = format!(
                    "Only one block of type \"{name}\" is allowed. Previous definition was at {}.",
                    "the first block of this type"
                );
                diagnostics.push(Diagnostic::error(format!("Duplicate {name} block"), detail).at(second.header));
            }
            match blocks.first() {
                Some(block) => decode_expanded(block, &nested.block, scope, diagnostics),
                None if nested.nesting == Nesting::Group => empty_block(&nested.block),
                None => Value::null(object.clone()),
            }
        }
        Nesting::List | Nesting::Set => {
            let elements: Vec<Value> =
                blocks.iter().map(|b| decode_expanded(b, &nested.block, scope, diagnostics)).collect();
            match nested.nesting {
                Nesting::Set => Value::set(object.clone(), elements),
                _ if object.has_dynamic() => Value::tuple(elements),
                _ => Value::list(object.clone(), elements),
            }
        }
        Nesting::Map => {
            let mut entries: BTreeMap<Str, Value> = BTreeMap::new();
            for block in &blocks {
                let label = block.label.clone().unwrap_or_default();
                let value = decode_expanded(block, &nested.block, scope, diagnostics);
                if entries.insert(label.clone(), value).is_some() {
                    let detail = format!("A block of type {name:?} labeled {label:?} was already defined.");
                    diagnostics.push(Diagnostic::error(format!("Duplicate {name} block"), detail).at(block.header));
                }
            }
            if object.has_dynamic() { Value::object(entries) } else { Value::map(object.clone(), entries) }
        }
    };
    value.with_marks(marks)
}

/// What a block is when none is written and its nesting allows no null.
fn empty_block(block: &Block) -> Value {
    let attributes = block.attributes.iter().map(|(name, attribute)| (name.clone(), Value::null(attribute.ty.clone())));
    let blocks = block.blocks.iter().map(|(name, nested)| (name.clone(), empty_blocks(nested)));
    Value::object(attributes.chain(blocks))
}

fn empty_blocks(nested: &NestedBlock) -> Value {
    let object = nested.block.implied_type();
    match nested.nesting {
        Nesting::Single => Value::null(object.clone()),
        Nesting::Group => empty_block(&nested.block),
        Nesting::List if object.has_dynamic() => Value::tuple([]),
        Nesting::List => Value::list(object.clone(), []),
        Nesting::Set => Value::set(object.clone(), []),
        Nesting::Map if object.has_dynamic() => Value::object(Vec::<(Str, Value)>::new()),
        Nesting::Map => Value::map(object.clone(), []),
    }
}

fn check_counts(
    content: &Content,
    name: &Str,
    nested: &NestedBlock,
    blocks: &[Expanded],
    diagnostics: &mut Diagnostics,
) {
    if !matches!(nested.nesting, Nesting::List | Nesting::Set) {
        if nested.nesting == Nesting::Single && nested.min > 0 && blocks.is_empty() {
            let detail = format!("A {name} block is required here.");
            diagnostics.push(Diagnostic::error(format!("Missing {name} block"), detail).at(content.missing));
        }
        return;
    }
    let count = blocks.len();
    if count < nested.min as usize {
        let detail = format!("At least {} \"{name}\" blocks are required.", nested.min);
        diagnostics.push(Diagnostic::error(format!("Insufficient {name} blocks"), detail).at(content.missing));
    } else if nested.max > 0 && count > nested.max as usize {
        let detail = format!("No more than {} \"{name}\" blocks are allowed", nested.max);
        let place = blocks.get(nested.max as usize).map_or(content.missing, |block| block.header);
        diagnostics.push(Diagnostic::error(format!("Too many {name} blocks"), detail).at(place));
    }
}

fn decode_expanded(block: &Expanded, schema: &Block, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> Value {
    match &block.iterator {
        None => decode_body(&block.body, schema, scope, diagnostics),
        Some((name, value)) => {
            let inner = IteratorScope { name, value, parent: scope };
            decode_body(&block.body, schema, &inner, diagnostics)
        }
    }
}

fn expand_dynamic(content: &Content, name: &str, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> Blocks {
    let mut known = Vec::new();
    let mut marks = Marks::empty();
    let mut unknown = false;
    for block in &content.blocks {
        if block.kind == name {
            let label = block.labels.first().map(|label| label.text.clone());
            known.push(Expanded { body: block.body.clone(), header: block.header, label, iterator: None });
        } else if block.kind == "dynamic" && block.labels.first().is_some_and(|label| label.text == name) {
            match DynamicBlock::read(block, diagnostics) {
                Some(dynamic) => unknown |= !dynamic.expand(scope, &mut known, &mut marks, diagnostics),
                None => unknown = true,
            }
        }
    }
    if unknown { Blocks::Unknown(marks) } else { Blocks::Known(known, marks) }
}

/// A `dynamic` block taken apart.
struct DynamicBlock {
    header: Range,
    name: Str,
    for_each: std::sync::Arc<Expr>,
    iterator: Str,
    labels: Option<std::sync::Arc<Expr>>,
    content: Body,
}

impl DynamicBlock {
    fn schema() -> BodySchema {
        BodySchema {
            attributes: vec![
                (Str::new_static("for_each"), true),
                (Str::new_static("iterator"), false),
                (Str::new_static("labels"), false),
            ],
            blocks: vec![(Str::new_static("content"), Vec::new())],
        }
    }

    fn read(block: &SyntaxBlock, diagnostics: &mut Diagnostics) -> Option<DynamicBlock> {
        let (content, problems) = block.body.content(&Self::schema());
        let failed = problems.has_errors();
        diagnostics.append(problems);
        if failed {
            return None;
        }
        let name = block.labels.first()?.text.clone();
        let iterator = match content.attribute("iterator") {
            None => name.clone(),
            Some(attribute) => match attribute.expr.as_keyword() {
                Some(word) => Str::new(word),
                None => {
                    let detail = "Dynamic iterator must be a single variable name.";
                    diagnostics.push(Diagnostic::error("Invalid expression", detail).at(attribute.expr.range));
                    return None;
                }
            },
        };
        let body = content.blocks("content").next().map(|inner| inner.body.clone());
        let Some(body) = body else {
            let detail = "A dynamic block must have a nested block of type \"content\" to describe the body of each \
                          generated block.";
            diagnostics.push(Diagnostic::error("Missing dynamic content block", detail).at(content.missing));
            return None;
        };
        Some(DynamicBlock {
            header: block.header,
            name,
            for_each: content.attribute("for_each")?.expr.clone(),
            iterator,
            labels: content.attribute("labels").map(|a| a.expr.clone()),
            content: body,
        })
    }

    /// Adds the generated blocks; false when `for_each` is not known.
    fn expand(
        &self,
        scope: &dyn Scope,
        known: &mut Vec<Expanded>,
        marks: &mut Marks,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let (collection, own) = evaluate(&self.for_each, scope, diagnostics).unmark();
        *marks |= own;
        if !collection.is_known() {
            return false;
        }
        let invalid = |what: &str| {
            Diagnostic::error("Invalid dynamic for_each value", what.to_owned())
                .at(self.for_each.range)
                .with_values(referenced_values(&self.for_each, scope))
        };
        if collection.is_null() {
            diagnostics.push(invalid("Cannot use a null value in for_each."));
            return false;
        }
        let pairs: Vec<(Value, Value)> = match &collection.kind {
            Kind::List(_, elements) | Kind::Tuple(elements) => {
                elements.iter().enumerate().map(|(i, v)| (Value::number(i as i64), v.clone())).collect()
            }
            Kind::Set(_, elements) => elements.iter().map(|v| (v.clone(), v.clone())).collect(),
            Kind::Map(_, entries) | Kind::Object(entries) => {
                entries.iter().map(|(k, v)| (Value::string(k.clone()), v.clone())).collect()
            }
            _ => {
                let detail =
                    format!("Cannot use a {} value in for_each. An iterable collection is required.", collection.ty());
                diagnostics.push(invalid(&detail));
                return false;
            }
        };
        for (key, value) in pairs {
            let item = Value::object([(Str::new_static("key"), key), (Str::new_static("value"), value)]);
            let label = self.label(&item, scope, diagnostics);
            let iterator = Some((self.iterator.clone(), item));
            known.push(Expanded { body: self.content.clone(), header: self.header, label, iterator });
        }
        true
    }

    fn label(&self, item: &Value, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> Option<Str> {
        let labels = self.labels.as_ref()?;
        let inner = IteratorScope { name: &self.iterator, value: item, parent: scope };
        let value = evaluate(labels, &inner, diagnostics);
        let first = value.elements()?.first()?.convert(&Type::String).ok()?;
        match first.as_str() {
            Some(text) => Some(Str::new(text)),
            None => {
                let detail = format!("The label of a dynamic \"{}\" block must be a known string.", self.name);
                diagnostics.push(Diagnostic::error("Invalid dynamic block label", detail).at(labels.range));
                None
            }
        }
    }
}

/// A scope with the iterator of a dynamic block on top.
struct IteratorScope<'a> {
    name: &'a str,
    value: &'a Value,
    parent: &'a dyn Scope,
}

impl Scope for IteratorScope<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        if traversal.root == self.name { Ok((self.value.clone(), 0)) } else { self.parent.resolve(traversal) }
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.parent.functions()
    }

    fn is_constant(&self) -> bool {
        self.parent.is_constant()
    }
}

/// Calls `visit` with every reference of a body: those in `dynamic` blocks without their iterators. With a schema only what it
/// has is looked at: what it doesn't know is reported elsewhere, and refers to nothing.
pub fn visit_references(body: &Body, schema: Option<&Block>, visit: &mut dyn FnMut(&Traversal)) {
    visit_body(body, schema, &mut Vec::new(), visit);
}

fn visit_body(body: &Body, schema: Option<&Block>, bound: &mut Vec<Str>, visit: &mut dyn FnMut(&Traversal)) {
    let Some(schema) = schema else {
        let (attributes, _) = body.just_attributes();
        attributes.iter().for_each(|attribute| visit_expr(&attribute.expr, bound, visit));
        if let Body::Native(native) = body {
            for block in &native.blocks {
                let depth = bound.len();
                match block.kind.as_str() {
                    "dynamic" => visit_dynamic(block, None, bound, visit),
                    _ => visit_body(&block.body, None, bound, visit),
                }
                bound.truncate(depth);
            }
        }
        return;
    };
    let as_blocks = attributes_as_blocks(body, schema);
    let content;
    let (attributes, blocks) = match body {
        Body::Native(native) => (&native.attributes, &native.blocks),
        Body::Json(_) => {
            content = body.partial_content(&body_schema(schema, &as_blocks)).0;
            (&content.attributes, &content.blocks)
        }
    };
    for attribute in attributes.iter().filter(|attribute| schema.attributes.contains_key(&attribute.name)) {
        visit_expr(&attribute.expr, bound, visit);
    }
    let block_of = |kind: &Str| schema.blocks.get(kind).map(|n| &n.block).or_else(|| as_blocks.get(kind));
    for block in blocks {
        let depth = bound.len();
        if block.kind != "dynamic" {
            if let Some(inner) = block_of(&block.kind) {
                visit_body(&block.body, Some(inner), bound, visit);
            }
        } else if let Some(inner) = block.labels.first().and_then(|label| block_of(&label.text)) {
            visit_dynamic(block, Some(inner), bound, visit);
        }
        bound.truncate(depth);
    }
}

/// `inner` is the schema of the blocks that are generated.
fn visit_dynamic(block: &SyntaxBlock, inner: Option<&Block>, bound: &mut Vec<Str>, visit: &mut dyn FnMut(&Traversal)) {
    let Some(name) = block.labels.first().map(|label| label.text.clone()) else { return };
    let (dynamic, _) = block.body.content(&DynamicBlock::schema());
    let keyword = |attribute: &lang::ast::Attribute| attribute.expr.as_keyword().map(Str::new);
    let iterator = dynamic.attribute("iterator").and_then(keyword).unwrap_or(name);
    if let Some(attribute) = dynamic.attribute("for_each") {
        visit_expr(&attribute.expr, bound, visit);
    }
    bound.push(iterator);
    if let Some(attribute) = dynamic.attribute("labels") {
        visit_expr(&attribute.expr, bound, visit);
    }
    for content in dynamic.blocks("content") {
        visit_body(&content.body, inner, bound, visit);
    }
}

fn visit_expr(expr: &Expr, bound: &[Str], visit: &mut dyn FnMut(&Traversal)) {
    for traversal in expr.traversals() {
        if !bound.contains(&traversal.root) {
            visit(traversal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lang::Sources;
    use lang::eval::Locals;
    use lang::syntax::parse_json_file;

    use super::*;

    /// A block type `rule`, with an attribute `port`.
    fn schema() -> Block {
        let port = Attribute { optional: true, ..Attribute::new(Type::Number) };
        let rule = Block::new(BTreeMap::from([("port".into(), port)]), BTreeMap::new());
        let nested =
            NestedBlock { nesting: Nesting::List, min: 0, max: 0, computed: false, force_new: false, block: rule };
        Block::new(BTreeMap::new(), BTreeMap::from([("rule".into(), nested)]))
    }

    fn json(text: &str) -> Body {
        parse_json_file(&Sources::new(), Path::new("a.tf.json"), text.as_bytes().to_vec()).0
    }

    #[test]
    fn dynamic_blocks_in_json_are_expanded() {
        let body = json(
            r#"{"rule": {"port": 1}, "dynamic": {"rule": {"for_each": [2, 3], "iterator": "it", "content": {"port": "${it.value}"}}}}"#,
        );
        let mut diagnostics = Diagnostics::new();
        let value = decode_body(&body, &schema(), &Locals::new(BTreeMap::new()), &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{:?}", diagnostics.iter().next());
        let rules = value.get("rule").and_then(|rules| rules.to_json().ok()).expect("rules");
        assert_eq!(rules.to_string(), r#"[{"port":1},{"port":2},{"port":3}]"#);
    }

    #[test]
    fn references_in_dynamic_blocks_in_json_are_seen_without_the_iterator() {
        let body = json(
            r#"{"dynamic": {"rule": {"for_each": "${var.ports}", "content": {"port": "${rule.value + local.offset}"}}}}"#,
        );
        let mut found = Vec::new();
        visit_references(&body, Some(&schema()), &mut |traversal| found.push(traversal_text(traversal)));
        assert_eq!(found, ["var.ports", "local.offset"]);
    }
}
