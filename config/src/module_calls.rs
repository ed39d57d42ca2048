//! `module` blocks.

use std::collections::HashMap;
use std::sync::LazyLock;

use lang::ast::{Attribute, Block, BodySchema, ObjectItem, ObjectKey};
use lang::{Range, Str};

use crate::module::{Located, ModuleCall, ProviderRef};
use crate::module_source::{ModuleSource, SourceError};
use crate::overrides::append;
use crate::reader::{Reader, schema};

/// Arguments and blocks of a `module` block that are not input variables.
pub(crate) static MODULE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[
            ("source", true),
            ("version", false),
            ("count", false),
            ("for_each", false),
            ("depends_on", false),
            ("providers", false),
        ],
        &[("_", &[]), ("lifecycle", &[]), ("locals", &[]), ("provider", &["type"])],
    )
});

impl Reader<'_> {
    /// A `module` block.
    pub fn module_call(&mut self, block: &Block) -> Option<ModuleCall> {
        let name = block.labels.first()?.text.clone();
        let (content, mut body) = self.partial_content(&block.body, &MODULE);
        self.check_name(block, 0, "Invalid module instance name");
        let version_attribute = content.attribute("version");
        let version = version_attribute.and_then(|a| self.version_constraint(a));
        let (source, address) = match content.attribute("source") {
            Some(attribute) => self.module_source(attribute, version_attribute.is_some()),
            None => (Located { value: String::new(), range: block.header }, None),
        };
        let count = content.attribute("count").map(|a| a.expr.clone());
        let for_each = content.attribute("for_each");
        self.check_repetition(content.attribute("count"), for_each);
        let has_depends_on = content.attribute("depends_on").is_some();
        let depends_on = self.depends_on(content.attribute("depends_on"));
        let providers = content.attribute("providers").map(|a| self.passed_providers(a)).unwrap_or_default();

        let mut escape = None;
        for inner in &content.blocks {
            if inner.kind != "_" {
                self.reserved_block("module", inner);
            } else if self.escape_block(&mut escape, inner, "module input variables", "module") {
                append(&mut body, inner.body.clone());
            }
        }
        // Blocks in it are reported when the arguments are checked against the module's variables.
        let (arguments, _) = body.just_attributes();
        Some(ModuleCall {
            name,
            source,
            address,
            version,
            count,
            for_each: for_each.map(|a| a.expr.clone()),
            has_depends_on,
            depends_on,
            providers,
            arguments,
            body,
            range: block.header,
        })
    }

    /// The text of a `source` and what it means.
    pub fn module_source(
        &mut self,
        attribute: &Attribute,
        has_version: bool,
    ) -> (Located<String>, Option<ModuleSource>) {
        let range = attribute.expr.range;
        let Some(text) = self.string(attribute) else { return (Located { value: String::new(), range }, None) };
        let parsed = if has_version { ModuleSource::parse_registry(&text) } else { ModuleSource::parse(&text) };
        let address = parsed
            .map_err(|error| match error {
                SourceError::MaybeRelative(package) => self.error(
                    "Invalid module source address",
                    format!(
                        "Terraform failed to determine your intended installation method for remote module package \
                         {package:?}.\n\nIf you intended this as a path relative to the current module, use \"./{package}\" \
                         instead. The \"./\" prefix indicates that the address is a relative filesystem path."
                    ),
                    range,
                ),
                error if has_version => self.error(
                    "Invalid registry module source address",
                    format!(
                        "Failed to parse module registry address: {error}.\n\nTerraform assumed that you intended a \
                         module registry source address because you also set the argument \"version\", which applies \
                         only to registry modules."
                    ),
                    range,
                ),
                error => self.error(
                    "Invalid module source address",
                    format!("Failed to parse module source address: {error}."),
                    range,
                ),
            })
            .ok();
        (Located { value: text.into(), range }, address)
    }

    /// `providers = { child = parent }`
    pub fn passed_providers(&mut self, attribute: &Attribute) -> Vec<(ProviderRef, ProviderRef)> {
        let Some(items) = attribute.expr.static_object() else {
            self.error("Invalid expression", "A static map expression is required.", attribute.expr.start_range());
            return Vec::new();
        };
        let mut seen: HashMap<(Str, Option<Str>), Range> = HashMap::new();
        let mut pairs = Vec::new();
        for ObjectItem { key, value } in items {
            let (child, key_range) = match key {
                ObjectKey::Name(name, range) => (self.named_provider(name.clone(), *range), *range),
                ObjectKey::Expr(expr) => (self.provider_reference(expr, "providers"), expr.range),
            };
            let parent = self.provider_reference(value, "providers");
            let (Some(child), Some(parent)) = (child, parent) else { continue };
            let known = (child.name.clone(), child.alias.clone());
            if let Some(first) = seen.get(&known) {
                let detail = format!(
                    "A provider configuration was already passed to {child} at {}. Each child provider configuration \
                     can be assigned only once.",
                    self.place(*first)
                );
                self.error("Duplicate provider address", detail, value.range);
                continue;
            }
            seen.insert(known, key_range.to(value.range));
            pairs.push((child, parent));
        }
        pairs
    }
}
