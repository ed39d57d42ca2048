//! Override files: their blocks are merged over those of the other files before anything is read from them.
//!
//! An argument of the override replaces the argument of that name; blocks of a type that the override has replace all
//! blocks of the type. In `lifecycle` of a resource the arguments are merged one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang::ast::{Attribute, Block, Body, BodySchema, JsonBody, JsonKind, JsonNode, JsonProperty, NativeBody};
use lang::{Diagnostics, Range, Str};

use crate::reader::{Reader, constant, schema};

/// The blocks of a module's normal files, with what override files change in them.
#[derive(Default)]
pub(crate) struct Blocks {
    pub blocks: Vec<Block>,
    /// Places of those that were changed, with the block that changed them last. What is wrong with the parts has been said.
    merged: BTreeMap<usize, Range>,
}

impl Blocks {
    /// The block of an override file that changed the one at this place.
    pub fn changed_by(&self, index: usize) -> Option<Range> {
        self.merged.get(&index).copied()
    }
}

impl Reader<'_> {
    /// Merges a block of an override file over the blocks of the other files.
    pub fn merge_override(&mut self, base: &mut Blocks, block: Block) {
        match block.kind.as_str() {
            "locals" => self.merge_locals(base, &block),
            "check" => {
                self.error("Can't override check blocks", "Override files cannot override check blocks.", block.header);
            }
            "moved" => {
                self.moved(&block);
                self.error(
                    "Cannot override 'moved' blocks",
                    "Records of moved objects can appear only in normal files, not in override files.",
                    block.header,
                );
            }
            // Terraform reads these, and then takes no notice of them.
            "removed" => drop(self.removed(&block)),
            "import" => {
                self.import(&block);
                self.error(
                    "Cannot override 'import' blocks",
                    "Import blocks can appear only in normal files, not in override files.",
                    block.header,
                );
            }
            "provider" => {
                let alias = alias(&block);
                let same = |b: &Block| is_same(b, &block) && self::alias(b) == alias;
                match (base.blocks.iter().position(same), alias) {
                    (Some(at), _) => self.merge_block(base, at, block),
                    // A default configuration that is not written down is an empty one.
                    (None, None) => base.blocks.push(block),
                    (None, Some(alias)) => {
                        self.look(&block, true);
                        let name = label(&block, 0);
                        let detail = format!(
                            "There is no {name} provider configuration with the alias {alias:?}. An override file can \
                             only override an aliased provider configuration that was already defined in a primary \
                             configuration file."
                        );
                        self.error("Missing base provider configuration for override", detail, block.header);
                    }
                }
            }
            "variable" | "output" | "module" | "resource" | "data" => {
                match base.blocks.iter().position(|b| is_same(b, &block)) {
                    Some(at) => {
                        self.refuse_dependencies(&block);
                        self.merge_block(base, at, block);
                    }
                    None => {
                        self.look(&block, true);
                        self.missing_base(&block);
                    }
                }
            }
            // Terraform takes no notice of these in override files.
            _ => {}
        }
    }

    /// Merges two blocks after a look at each: of the result nothing more is said.
    fn merge_block(&mut self, base: &mut Blocks, at: usize, block: Block) {
        let Some(found) = base.blocks.get_mut(at) else { return };
        if base.merged.insert(at, block.header).is_none() {
            self.look(found, false);
        }
        self.look(&block, true);
        match block.kind.as_str() {
            "resource" => merge_resource(&mut found.body, block.body),
            _ => merge(&mut found.body, block.body),
        }
    }

    /// Reads a block for the sake of what is wrong in it.
    fn look(&mut self, block: &Block, overriding: bool) {
        self.overriding = overriding;
        match block.kind.as_str() {
            "provider" => drop(self.provider(block)),
            "variable" => drop(self.variable(block)),
            "output" => drop(self.output(block)),
            "module" => drop(self.module_call(block)),
            "resource" => drop(self.managed_resource(block)),
            "data" => drop(self.data_source(block)),
            _ => {}
        }
        self.overriding = false;
    }

    fn merge_locals(&mut self, base: &mut Blocks, block: &Block) {
        for attribute in self.locals(block) {
            let holder = base.blocks.iter_mut().filter(|b| b.kind == "locals").find(|b| {
                let (attributes, _) = b.body.just_attributes();
                attributes.iter().any(|a| a.name == attribute.name)
            });
            match holder {
                Some(found) => merge(&mut found.body, native(vec![attribute], Vec::new())),
                None => {
                    let detail = format!(
                        "There is no local value named {:?}. An override file can only override a local value that was \
                         already defined in a primary configuration file.",
                        attribute.name
                    );
                    self.error("Missing base local value definition to override", detail, attribute.range);
                }
            }
        }
    }

    fn missing_base(&mut self, block: &Block) {
        let (first, second) = (label(block, 0), label(block, 1));
        let (summary, detail) = match block.kind.as_str() {
            "variable" => (
                "Missing base variable declaration to override",
                format!(
                    "There is no variable named {first:?}. An override file can only override a variable that was \
                     already declared in a primary configuration file."
                ),
            ),
            "output" => (
                "Missing base output definition to override",
                format!(
                    "There is no output named {first:?}. An override file can only override an output that was already \
                     defined in a primary configuration file."
                ),
            ),
            "module" => (
                "Missing module call to override",
                format!(
                    "There is no module call named {first:?}. An override file can only override a module call that \
                     was defined in a primary configuration file."
                ),
            ),
            "resource" => (
                "Missing resource to override",
                format!(
                    "There is no {first} resource named {second:?}. An override file can only override a resource \
                     block defined in a primary configuration file."
                ),
            ),
            _ => (
                "Missing data resource to override",
                format!(
                    "There is no {first} data resource named {second:?}. An override file can only override a data \
                     block defined in a primary configuration file."
                ),
            ),
        };
        self.error(summary, detail, block.header);
    }

    /// Dependencies cannot be overridden.
    fn refuse_dependencies(&mut self, block: &Block) {
        let (content, _, _) = block.body.partial_content(&schema(&[("depends_on", false)], &[]));
        if let Some(attribute) = content.attribute("depends_on")
            && let Some(first) = attribute.expr.static_list().and_then(<[_]>::first)
        {
            self.error("Unsupported override", "The depends_on argument may not be overridden.", first.range);
        }
    }
}

fn label(block: &Block, at: usize) -> &str {
    block.labels.get(at).map_or("", |label| label.text.as_str())
}

fn is_same(a: &Block, b: &Block) -> bool {
    a.kind == b.kind && a.labels.iter().map(|l| &l.text).eq(b.labels.iter().map(|l| &l.text))
}

fn alias(provider: &Block) -> Option<Str> {
    let (content, _, _) = provider.body.partial_content(&schema(&[("alias", false)], &[]));
    constant(&content.attribute("alias")?.expr, &mut Diagnostics::new()).as_str().cloned()
}

/// All items of both bodies.
pub(crate) fn append(base: &mut Body, more: Body) {
    match (base, more) {
        (Body::Native(base), Body::Native(more)) => {
            let base = Arc::make_mut(base);
            base.attributes.extend(more.attributes.iter().cloned());
            base.blocks.extend(more.blocks.iter().cloned());
        }
        (Body::Json(base), Body::Json(more)) => {
            let properties = properties(base).into_iter().chain(properties(&more)).collect();
            set_properties(base, properties);
        }
        // A block and a block inside of it are of one file.
        (Body::Native(_), Body::Json(_)) | (Body::Json(_), Body::Native(_)) => {}
    }
}

/// The body of a resource: `lifecycle` blocks are merged, not replaced.
fn merge_resource(base: &mut Body, mut over: Body) {
    if let (Body::Native(base), Body::Native(over)) = (&mut *base, &mut over)
        && let (base, over) = (Arc::make_mut(base), Arc::make_mut(over))
        && let Some(theirs) = base.blocks.iter().position(|b| b.kind == "lifecycle")
        && let Some(ours) = over.blocks.iter().position(|b| b.kind == "lifecycle")
    {
        let lifecycle = over.blocks.remove(ours);
        if let Some(theirs) = base.blocks.get_mut(theirs) {
            merge(&mut theirs.body, lifecycle.body);
        }
    }
    merge(base, over);
}

/// Puts the items of `over` in the place of those of `base` that have their names.
pub(crate) fn merge(base: &mut Body, over: Body) {
    match (&mut *base, over) {
        (Body::Native(base), Body::Native(over)) => {
            let base = Arc::make_mut(base);
            let late = over.attributes.iter().map(|o| &o.name);
            let late = late.filter(|name| base.attributes.iter().all(|b| b.name != **name)).cloned();
            base.merged = Some(base.merged.iter().flat_map(|late| late.iter().cloned()).chain(late).collect());
            base.attributes.retain(|b| over.attributes.iter().all(|o| o.name != b.name));
            base.blocks.retain(|b| over.blocks.iter().all(|o| produced(o) != produced(b)));
            base.attributes.extend(over.attributes.iter().cloned());
            base.blocks.extend(over.blocks.iter().cloned());
        }
        (Body::Json(base), Body::Json(over)) => {
            let over = properties(&over);
            let mut merged = properties(base);
            merged.retain(|b| over.iter().all(|o| o.name != b.name));
            merged.extend(over);
            set_properties(base, merged);
            base.merged = true;
        }
        (Body::Native(native), Body::Json(over)) => {
            let over = as_native(&over, &native.blocks);
            merge(base, Body::Native(over.into()));
        }
        (Body::Json(json), Body::Native(over)) => {
            *base = Body::Native(as_native(json, &over.blocks).into());
            merge(base, Body::Native(over));
        }
    }
}

/// The block type that a block gives, be it by `dynamic`.
fn produced(block: &Block) -> &str {
    match block.labels.first() {
        Some(label) if block.kind == "dynamic" => &label.text,
        _ => &block.kind,
    }
}

/// A JSON body as a native one: what the other side has as a block is a block, the rest are arguments.
fn as_native(body: &JsonBody, blocks: &[Block]) -> NativeBody {
    let mut wanted = BodySchema::default();
    for property in properties(body) {
        match blocks.iter().find(|b| b.kind == property.name) {
            Some(block) => wanted.blocks.push((property.name, block.labels.iter().map(|_| "name".into()).collect())),
            None => wanted.attributes.push((property.name, false)),
        }
    }
    let (content, _) = Body::Json(body.clone()).content(&wanted);
    NativeBody { range: body.range, attributes: content.attributes, blocks: content.blocks, merged: None }
}

fn native(attributes: Vec<Attribute>, blocks: Vec<Block>) -> Body {
    let range = attributes.first().map_or(Range::NONE, |a| a.range);
    Body::Native(NativeBody { range, attributes, blocks, merged: None }.into())
}

/// The properties of a JSON body that nobody has taken yet.
fn properties(body: &JsonBody) -> Vec<JsonProperty> {
    fn collect(node: &JsonNode, hidden: &[Str], out: &mut Vec<JsonProperty>) {
        match &node.kind {
            JsonKind::Object(properties) => {
                out.extend(properties.iter().filter(|p| !hidden.contains(&p.name)).cloned());
            }
            JsonKind::Array(nodes) => nodes.iter().for_each(|node| collect(node, hidden, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    collect(&body.value, &body.hidden, &mut out);
    out
}

fn set_properties(body: &mut JsonBody, properties: Vec<JsonProperty>) {
    body.value = Arc::new(JsonNode { range: body.value.range, kind: JsonKind::Object(properties.into()) });
    body.hidden = Arc::new([]);
}
