//! `provider` blocks and references to provider configurations.

use std::fmt;
use std::sync::LazyLock;

use lang::ast::{Block, BodySchema, Expr, StepKind};
use lang::syntax::is_identifier;
use lang::{Diagnostic, Range, Str};

use crate::module::{ProviderBlock, ProviderRef};
use crate::overrides::append;
use crate::provider_source::check_part;
use crate::reader::{BAD_IDENTIFIER, Quoted, Reader, schema};

static PROVIDER: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[
            ("alias", false),
            ("version", false),
            ("count", false),
            ("depends_on", false),
            ("for_each", false),
            ("source", false),
        ],
        &[("_", &[]), ("lifecycle", &[]), ("locals", &[])],
    )
});

impl fmt::Display for ProviderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.alias.as_ref().map_or(Ok(()), |alias| write!(f, ".{alias}"))
    }
}

impl Reader<'_> {
    /// A `provider` block.
    pub fn provider(&mut self, block: &Block) -> Option<ProviderBlock> {
        let label = block.labels.first()?;
        let (content, mut body) = self.partial_content(&block.body, &PROVIDER);
        if !self.check_provider_name(&label.text, block.header) {
            return None;
        }
        let given = content.attribute("alias").map(|a| self.string(a).unwrap_or_default());
        // What is no name at all is not taken for one; Terraform goes on with the default configuration.
        let alias = given.clone().filter(|alias| !alias.is_empty());
        if given.is_some_and(|alias| !is_identifier(&alias)) {
            // Terraform gives no place here.
            let detail = format!("An alias must be a valid name. {BAD_IDENTIFIER}");
            self.diagnostics.push(Diagnostic::error("Invalid provider configuration alias", detail));
        }
        let version = content.attribute("version").and_then(|attribute| {
            self.warning(
                "Version constraints inside provider configuration blocks are deprecated",
                "Terraform 0.13 and earlier allowed provider version constraints inside the provider configuration \
                 block, but that is now deprecated and will be removed in a future version of Terraform. To silence \
                 this warning, move the provider version constraint into the required_providers block.",
                attribute.expr.range,
            );
            self.version_constraint(attribute)
        });
        for name in ["count", "depends_on", "for_each", "source"] {
            if let Some(attribute) = content.attribute(name) {
                let detail = format!(
                    "The provider argument name {name:?} is reserved for use by Terraform in a future version."
                );
                self.error("Reserved argument name in provider block", detail, attribute.name_range);
            }
        }
        let mut escape = None;
        for inner in &content.blocks {
            if inner.kind != "_" {
                self.reserved_block("provider", inner);
            } else if self.escape_block(&mut escape, inner, "provider-specific", "provider") {
                append(&mut body, inner.body.clone());
            }
        }
        Some(ProviderBlock { name: label.text.clone(), alias, version, body, range: block.header })
    }

    /// `aws`, `aws.west`
    pub fn provider_reference(&mut self, expr: &Expr, argument: &str) -> Option<ProviderRef> {
        const SUMMARY: &str = "Invalid provider configuration reference";
        let traversal = match self.quoted_reference(expr) {
            None if self.is_native_string(expr) => None,
            None => expr.as_traversal(),
            Some(Quoted::Reference(traversal)) => Some(traversal),
            Some(Quoted::Damaged) => return None,
            Some(Quoted::Nothing) => None,
        };
        let Some(traversal) = traversal.filter(|t| t.steps.len() < 2) else {
            let detail = format!(
                "The {argument} argument requires a provider type name, optionally followed by a period and then a \
                 configuration alias."
            );
            self.error(SUMMARY, detail, expr.range);
            return None;
        };
        let mut reference = self.named_provider(traversal.root.clone(), traversal.root_range)?;
        if let Some(step) = traversal.steps.first() {
            let StepKind::Attribute(alias) = &step.kind else {
                self.error(
                    SUMMARY,
                    "Provider name must either stand alone or be followed by a period and then a configuration alias.",
                    step.range,
                );
                return None;
            };
            reference.alias = Some(alias.clone());
        }
        Some(reference)
    }

    /// A reference to the default configuration of a local name.
    pub fn named_provider(&mut self, name: Str, range: Range) -> Option<ProviderRef> {
        self.check_provider_name(&name, range).then_some(ProviderRef { name, alias: None, range })
    }

    /// Whether a local name is written the way Terraform wants it.
    pub fn check_provider_name(&mut self, name: &str, range: Range) -> bool {
        let detail = match check_part(name) {
            Ok(normal) if normal == name => return true,
            Ok(normal) => {
                format!("Provider names must be normalized. Replace {name:?} with {normal:?} to fix this error.")
            }
            Err(problem) => format!("{name} is an invalid provider local name: {problem}"),
        };
        self.error("Invalid provider local name", detail, range);
        false
    }
}
