//! `resource`, `data` and `ephemeral` blocks with their meta-arguments.

use std::sync::LazyLock;

use lang::addr::{Mode, Resource};
use lang::ast::{Attribute, Block, BodySchema, Content, Expr, ExprKind};
use lang::{Diagnostics, Str};

use crate::module::ResourceBlock;
use crate::overrides::append;
use crate::provider_source::{implied_provider, implied_source};
use crate::reader::{Reader, constant, schema};
use crate::references::{Subject, references};

const META_ARGUMENTS: [(&str, bool); 4] =
    [("count", false), ("for_each", false), ("provider", false), ("depends_on", false)];

static MANAGED: LazyLock<BodySchema> = LazyLock::new(|| {
    let blocks: [(&str, &[&str]); 5] =
        [("locals", &[]), ("lifecycle", &[]), ("connection", &[]), ("provisioner", &["type"]), ("_", &[])];
    schema(&META_ARGUMENTS, &blocks)
});

static UNMANAGED: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&META_ARGUMENTS, &[("lifecycle", &[]), ("locals", &[]), ("_", &[])]));

static LIFECYCLE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[
            ("create_before_destroy", false),
            ("prevent_destroy", false),
            ("ignore_changes", false),
            ("replace_triggered_by", false),
        ],
        &[("precondition", &[]), ("postcondition", &[])],
    )
});

impl Reader<'_> {
    /// A `resource` block.
    pub fn managed_resource(&mut self, block: &Block) -> Option<ResourceBlock> {
        let (mut resource, content) = self.resource_head(block, Mode::Managed)?;
        self.repetition(&content, &mut resource);
        self.check_repetition(content.attribute("count"), content.attribute("for_each"));
        let mut lifecycle = None;
        let mut connection = None;
        let mut escape = None;
        for inner in &content.blocks {
            match inner.kind.as_str() {
                "lifecycle" => {
                    if self.single(&mut lifecycle, inner, "Duplicate lifecycle block", duplicate_lifecycle) {
                        self.managed_lifecycle(inner, &mut resource);
                    }
                }
                "connection" => {
                    let detail = |place: &str| format!("This resource already has a connection block at {place}.");
                    if self.single(&mut connection, inner, "Duplicate connection block", detail) {
                        resource.connection = Some(inner.clone());
                    }
                }
                "provisioner" => resource.provisioners.extend(self.provisioner(inner)),
                "_" => {
                    if self.escape_block(&mut escape, inner, "resource-type-specific", "resource") {
                        append(&mut resource.body, inner.body.clone());
                    }
                }
                _ => self.reserved_block("resource", inner),
            }
        }
        if let Some(connection) = &resource.connection
            && resource.provisioners.iter().any(|p| p.on_destroy)
        {
            self.check_destroy_references(&connection.body);
        }
        Some(resource)
    }

    /// A `data` block.
    pub fn data_source(&mut self, block: &Block) -> Option<ResourceBlock> {
        let (mut resource, content) = self.resource_head(block, Mode::Data)?;
        self.repetition(&content, &mut resource);
        self.check_repetition(content.attribute("count"), content.attribute("for_each"));
        self.unmanaged_blocks(&content, &mut resource, "data");
        Some(resource)
    }

    /// The `data` block inside of a `check` block.
    pub fn scoped_data(&mut self, block: &Block, check: &Str) -> Option<ResourceBlock> {
        let (mut resource, content) = self.resource_head(block, Mode::Data)?;
        resource.check = Some(check.clone());
        for name in ["count", "for_each"] {
            if let Some(attribute) = content.attribute(name) {
                self.error(
                    format!("Invalid {name:?} attribute"),
                    "The \"count\" and \"for_each\" meta-arguments are not supported within nested data blocks.",
                    attribute.name_range,
                );
            }
        }
        for inner in content.blocks("lifecycle") {
            self.error(
                "Invalid lifecycle block",
                "Nested data blocks do not support \"lifecycle\" blocks as the lifecycle is managed by the containing \
                 block.",
                inner.header,
            );
        }
        self.unmanaged_blocks(&content, &mut resource, "data");
        Some(resource)
    }

    /// An `ephemeral` block.
    pub fn ephemeral_resource(&mut self, block: &Block) -> Option<ResourceBlock> {
        let (mut resource, content) = self.resource_head(block, Mode::Ephemeral)?;
        self.repetition(&content, &mut resource);
        self.check_repetition(content.attribute("count"), content.attribute("for_each"));
        self.unmanaged_blocks(&content, &mut resource, "ephemeral");
        Some(resource)
    }

    /// Names and the meta-arguments that all modes share.
    fn resource_head(&mut self, block: &Block, mode: Mode) -> Option<(ResourceBlock, Content)> {
        let [kind, name] = block.labels.as_slice() else { return None };
        let known = if mode == Mode::Managed { &MANAGED } else { &UNMANAGED };
        let (content, body) = self.partial_content(&block.body, known);
        let (bad_type, bad_name) = match mode {
            Mode::Managed => ("Invalid resource type name", "Invalid resource name"),
            Mode::Data => ("Invalid data source name", "Invalid data resource name"),
            Mode::Ephemeral => ("Invalid ephemeral resource type", "Invalid ephemeral resource name"),
        };
        self.check_name(block, 0, bad_type);
        self.check_name(block, 1, bad_name);
        let provider = content.attribute("provider").and_then(|a| self.provider_reference(&a.expr, "provider"));
        let depends_on = self.depends_on(content.attribute("depends_on"));
        let address = Resource { mode, kind: kind.text.clone(), name: name.text.clone() };
        let resource = ResourceBlock {
            // Resolved again when the module's `required_providers` are known.
            provider_source: implied_source(&implied_provider(&address)),
            address,
            body,
            count: None,
            for_each: None,
            provider,
            depends_on,
            create_before_destroy: None,
            prevent_destroy: false,
            ignore_changes: Vec::new(),
            ignore_all_changes: false,
            replace_triggered_by: Vec::new(),
            preconditions: Vec::new(),
            postconditions: Vec::new(),
            provisioners: Vec::new(),
            connection: None,
            check: None,
            range: block.header,
            type_range: kind.range,
        };
        Some((resource, content))
    }

    fn repetition(&mut self, content: &Content, resource: &mut ResourceBlock) {
        resource.count = content.attribute("count").map(|a| a.expr.clone());
        resource.for_each = content.attribute("for_each").map(|a| a.expr.clone());
    }

    /// `count` and `for_each` exclude each other.
    pub fn check_repetition(&mut self, count: Option<&Attribute>, for_each: Option<&Attribute>) {
        if let (Some(_), Some(for_each)) = (count, for_each) {
            self.error(
                "Invalid combination of \"count\" and \"for_each\"",
                "The \"count\" and \"for_each\" meta-arguments are mutually-exclusive, only one should be used to be \
                 explicit about the number of resources to be created.",
                for_each.name_range,
            );
        }
    }

    fn unmanaged_blocks(&mut self, content: &Content, resource: &mut ResourceBlock, what: &str) {
        let mut lifecycle = None;
        let mut escape = None;
        for inner in &content.blocks {
            match inner.kind.as_str() {
                "lifecycle" => {
                    if !self.single(&mut lifecycle, inner, "Duplicate lifecycle block", duplicate_lifecycle) {
                        continue;
                    }
                    let content = self.content(&inner.body, &LIFECYCLE);
                    let adjective = if what == "data" { "data resource" } else { "ephemeral resource" };
                    for attribute in &content.attributes {
                        let detail = format!(
                            "The lifecycle argument {:?} is defined only for managed resources (\"resource\" blocks), \
                             and is not valid for {adjective}s.",
                            attribute.name
                        );
                        self.error(format!("Invalid {adjective} lifecycle argument"), detail, attribute.name_range);
                    }
                    self.conditions(&content, resource);
                }
                "_" => {
                    if self.escape_block(&mut escape, inner, "resource-type-specific", "data") {
                        append(&mut resource.body, inner.body.clone());
                    }
                }
                _ => self.reserved_block(what, inner),
            }
        }
    }

    fn managed_lifecycle(&mut self, block: &Block, resource: &mut ResourceBlock) {
        let content = self.content(&block.body, &LIFECYCLE);
        resource.create_before_destroy = content.attribute("create_before_destroy").and_then(|a| self.bool(a));
        resource.prevent_destroy = content.attribute("prevent_destroy").and_then(|a| self.bool(a)).unwrap_or(false);
        if let Some(attribute) = content.attribute("replace_triggered_by") {
            resource.replace_triggered_by = self.replace_triggered_by(&attribute.expr);
        }
        if let Some(attribute) = content.attribute("ignore_changes") {
            self.ignore_changes(&attribute.expr, resource);
        }
        self.conditions(&content, resource);
    }

    fn conditions(&mut self, lifecycle: &Content, resource: &mut ResourceBlock) {
        for block in &lifecycle.blocks {
            let rule = self.resource_rule(block, &resource.address);
            match block.kind.as_str() {
                "precondition" => resource.preconditions.extend(rule),
                _ => resource.postconditions.extend(rule),
            }
        }
    }

    fn ignore_changes(&mut self, expr: &Expr, resource: &mut ResourceBlock) {
        if expr.as_keyword() == Some("all") {
            resource.ignore_all_changes = true;
            return;
        }
        let mut star = None;
        for item in self.static_list(expr) {
            if constant(item, &mut Diagnostics::new()).as_str().is_some_and(|text| text == "*") {
                star = Some(item.range);
                self.error(
                    "Invalid ignore_changes wildcard",
                    "The [\"*\"] form of ignore_changes wildcard is was deprecated and is now invalid. Use \
                     \"ignore_changes = all\" to ignore changes to all attributes.",
                    expr.range,
                );
                continue;
            }
            resource.ignore_changes.extend(self.static_traversal_or_quoted(item));
        }
        if let Some(range) = star {
            resource.ignore_all_changes = true;
            if !resource.ignore_changes.is_empty() {
                self.error(
                    "Invalid ignore_changes ruleset",
                    "Cannot mix wildcard string \"*\" with non-wildcard references.",
                    range,
                );
            }
        }
    }

    /// References to one resource each; `count.index` and `each.key` may be in them.
    fn replace_triggered_by(&mut self, expr: &Expr) -> Vec<Expr> {
        let mut triggers = Vec::new();
        for item in self.static_list(expr) {
            let Some(item) = self.reference_expression(item) else { continue };
            let mut problems = Diagnostics::new();
            let found = references(&item, &mut problems);
            if problems.has_errors() {
                self.diagnostics.extend(problems.into_iter().map(|d| d.at(item.range)));
                continue;
            }
            let mut resources = 0;
            for reference in &found {
                let (summary, detail) = match &reference.subject {
                    Subject::Resource(_) | Subject::ResourceInstance(..) => {
                        resources += 1;
                        continue;
                    }
                    Subject::Each(name) if name == "key" => continue,
                    Subject::Count(name) if name == "index" => continue,
                    Subject::Each(_) => (
                        "Invalid each reference in replace_triggered_by expression",
                        "Only each.key may be used in replace_triggered_by.",
                    ),
                    Subject::Count(_) => (
                        "Invalid count reference in replace_triggered_by expression",
                        "Only count.index may be used in replace_triggered_by.",
                    ),
                    _ => (
                        "Invalid reference in replace_triggered_by expression",
                        "Only resources, count.index, and each.key may be used in replace_triggered_by.",
                    ),
                };
                self.error(summary, detail, item.range);
            }
            if resources != 1 {
                let number = if resources == 0 { "Missing resource reference" } else { "Multiple resource references" };
                self.error(
                    "Invalid replace_triggered_by expression",
                    format!("{number} in replace_triggered_by expression."),
                    item.range,
                );
            }
            triggers.push(item);
        }
        triggers
    }

    /// An expression that names something: in JSON it is the text of a string.
    pub fn reference_expression(&mut self, expr: &Expr) -> Option<Expr> {
        if !expr.json {
            return Some(expr.clone());
        }
        let Some((parsed, problems)) = expr.from_json_text() else {
            if !matches!(expr.kind, ExprKind::Invalid) {
                self.error("Invalid reference expression", "A single reference string is required.", expr.range);
            }
            return None;
        };
        let failed = problems.has_errors();
        self.diagnostics.append(problems);
        (!failed).then_some(parsed)
    }

    /// Says that a block type has no meaning yet.
    pub fn reserved_block(&mut self, owner: &str, block: &Block) {
        let detail =
            format!("The block type name {:?} is reserved for use by Terraform in a future version.", block.kind);
        self.error(format!("Reserved block type name in {owner} block"), detail, block.kind_range);
    }

    /// Whether this is the first `_` block of its owner.
    pub fn escape_block<'b>(
        &mut self,
        seen: &mut Option<&'b Block>,
        block: &'b Block,
        meaning: &str,
        owner: &str,
    ) -> bool {
        self.single(seen, block, "Duplicate escaping block", |place| {
            format!(
                "The special block type \"_\" can be used to force particular arguments to be interpreted as {meaning} \
                 rather than as meta-arguments, but each {owner} block can have only one such block. The first \
                 escaping block was at {place}."
            )
        })
    }
}

fn duplicate_lifecycle(place: &str) -> String {
    format!("This resource already has a lifecycle block at {place}.")
}
