//! `terraform` blocks: versions, required providers, backend.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lang::ast::{Attribute, Block, Body, BodySchema, Expr, ExprKind, ObjectItem, ObjectKey, StepKind};
use lang::{Diagnostics, Range, Str, Type};

use crate::module::{Backend, Encryption, Located, RequiredProvider};
use crate::provider_source::{implied_source, parse_provider_source};
use crate::reader::{Reader, constant, schema};
use crate::version::Constraints;

/// The only edition of the language.
const EDITION: &str = "TF2021";

static ONLY_TERRAFORM: LazyLock<BodySchema> = LazyLock::new(|| schema(&[], &[("terraform", &[])]));
static REQUIRED_VERSION: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("required_version", false)], &[]));
static EXPERIMENTS: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("experiments", false), ("language", false)], &[]));

static TERRAFORM: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[("required_version", false), ("experiments", false), ("language", false)],
        &[
            ("backend", &["type"]),
            ("cloud", &[]),
            ("encryption", &[]),
            ("required_providers", &[]),
            ("provider_meta", &["provider"]),
        ],
    )
});

/// What the `terraform` blocks of one file say.
#[derive(Default)]
pub(crate) struct Settings {
    pub required_versions: Vec<Located<String>>,
    pub backends: Vec<Backend>,
    pub clouds: Vec<Backend>,
    pub encryptions: Vec<Encryption>,
    pub required_providers: Vec<RequiredProviders>,
}

/// A `required_providers` block.
pub(crate) struct RequiredProviders {
    pub entries: BTreeMap<Str, RequiredProvider>,
    pub range: Range,
}

impl Reader<'_> {
    /// The settings that are read before anything else, so that a module for another version says so whatever else it
    /// has in it. Mistakes in the block's header come up at each of these looks, as they do in Terraform.
    pub fn early_settings(&mut self, file: &Body) -> Vec<Located<String>> {
        let (root, _) = self.partial_content(file, &ONLY_TERRAFORM);
        let mut versions = Vec::new();
        for block in &root.blocks {
            let (content, _) = self.partial_content(&block.body, &REQUIRED_VERSION);
            let constraint = content.attribute("required_version").and_then(|attribute| {
                Some(Located { value: self.version_constraint(attribute)?.value, range: attribute.range })
            });
            versions.extend(constraint);
        }
        let (root, _) = self.partial_content(file, &ONLY_TERRAFORM);
        for block in &root.blocks {
            let (content, _) = self.partial_content(&block.body, &EXPERIMENTS);
            if let Some(attribute) = content.attribute("language") {
                self.edition(attribute);
            }
            if let Some(attribute) = content.attribute("experiments") {
                self.error(
                    "Module uses experimental features",
                    "Experimental features are intended only for gathering early feedback on new language designs, and \
                     so are available only in alpha releases of Terraform.",
                    attribute.name_range,
                );
            }
        }
        versions
    }

    fn edition(&mut self, attribute: &Attribute) {
        let (summary, detail) = match attribute.expr.as_keyword() {
            Some(EDITION) => return,
            None => (
                "Invalid language edition",
                format!(
                    "The language argument expects a bare language edition keyword. Terraform {} supports only \
                     language edition {EDITION}, which is the default.",
                    crate::TERRAFORM_VERSION
                ),
            ),
            Some(other) => (
                "Unsupported language edition",
                format!(
                    "Terraform v{} only supports language edition {EDITION}. This module requires a {} version of \
                     Terraform CLI.",
                    crate::TERRAFORM_VERSION,
                    if other > EDITION { "newer" } else { "different" }
                ),
            ),
        };
        self.error(summary, detail, attribute.expr.range);
    }

    /// A `terraform` block.
    pub fn terraform(&mut self, block: &Block, settings: &mut Settings) {
        let content = self.content(&block.body, &TERRAFORM);
        for inner in &content.blocks {
            let backend = |kind: &str, kind_range| Backend {
                kind: kind.into(),
                kind_range,
                body: inner.body.clone(),
                range: inner.header,
            };
            match inner.kind.as_str() {
                "backend" => {
                    settings.backends.extend(inner.labels.first().map(|label| backend(&label.text, label.range)));
                }
                "cloud" => settings.clouds.push(backend("cloud", inner.kind_range)),
                "encryption" => {
                    settings.encryptions.push(Encryption { body: inner.body.clone(), range: inner.header });
                }
                "required_providers" => settings.required_providers.extend(self.required_providers(inner)),
                // No provider here takes any metadata, but what is written must be constant.
                _ => {
                    let (attributes, diagnostics) = inner.body.just_attributes();
                    let failed = diagnostics.has_errors();
                    self.diagnostics.append(diagnostics);
                    for attribute in attributes.iter().filter(|_| !failed) {
                        constant(&attribute.expr, &mut self.diagnostics);
                    }
                }
            }
        }
    }

    fn required_providers(&mut self, block: &Block) -> Option<RequiredProviders> {
        let (attributes, diagnostics) = block.body.just_attributes();
        let failed = diagnostics.has_errors();
        self.diagnostics.append(diagnostics);
        if failed {
            return None;
        }
        let mut entries = BTreeMap::new();
        for attribute in &attributes {
            if let Some(entry) = self.required_provider(attribute) {
                entries.insert(attribute.name.clone(), entry);
            }
        }
        Some(RequiredProviders { entries, range: block.header })
    }

    fn required_provider(&mut self, attribute: &Attribute) -> Option<RequiredProvider> {
        let range = attribute.expr.range;
        let name = &attribute.name;
        // A version alone, as it was written before sources.
        let mut ignored = Diagnostics::new();
        let value = constant(&attribute.expr, &mut ignored);
        if !ignored.has_errors() && value.ty().is_primitive() {
            let version = self.version_constraint(attribute);
            return self.check_provider_name(name, range).then(|| RequiredProvider {
                source: implied_source(name),
                version,
                configuration_aliases: Vec::new(),
                range,
            });
        }
        if !self.check_provider_name(name, range) {
            return None;
        }
        let Some(items) = attribute.expr.static_object() else {
            self.error(
                "Invalid required_providers object",
                "required_providers entries must be strings or objects.",
                range,
            );
            return None;
        };
        let before = self.diagnostics.error_count();
        let mut entry =
            RequiredProvider { source: implied_source(name), version: None, configuration_aliases: Vec::new(), range };
        for ObjectItem { key, value } in items {
            let (key, key_range) = match key {
                ObjectKey::Name(name, range) => (Some(name.clone()), *range),
                ObjectKey::Expr(expr) => (self.constant(expr).and_then(|v| v.as_str().cloned()), expr.range),
            };
            match key.as_deref() {
                Some("version") => entry.version = self.provider_version(value),
                Some("source") => {
                    if let Some(source) = self.provider_source(value) {
                        entry.source = source;
                    }
                }
                Some("configuration_aliases") => entry.configuration_aliases = self.configuration_aliases(name, value),
                Some(_) => {
                    self.error(
                        "Invalid required_providers object",
                        "required_providers objects can only contain \"version\", \"source\" and \
                         \"configuration_aliases\" attributes. To configure a provider, use a \"provider\" block.",
                        key_range,
                    );
                    break;
                }
                None => {
                    self.error("Invalid Attribute", "Invalid attribute value for provider requirement.", key_range);
                }
            }
        }
        (self.diagnostics.error_count() == before).then_some(entry)
    }

    fn provider_version(&mut self, expr: &Expr) -> Option<Located<String>> {
        match constant(expr, &mut Diagnostics::new()).as_str() {
            Some(text) => self.constraint(text, expr.range),
            None => {
                self.error("Invalid version constraint", "Version must be specified as a string.", expr.range);
                None
            }
        }
    }

    fn provider_source(&mut self, expr: &Expr) -> Option<lang::addr::ProviderSource> {
        let Some(text) = constant(expr, &mut Diagnostics::new()).as_str().cloned() else {
            self.error("Invalid source", "Source must be specified as a string.", expr.range);
            return None;
        };
        match parse_provider_source(&text) {
            Ok(source) => Some(source),
            Err((summary, detail)) => {
                self.error(summary, detail, expr.range);
                None
            }
        }
    }

    fn configuration_aliases(&mut self, local_name: &Str, expr: &Expr) -> Vec<Str> {
        const SUMMARY: &str = "Invalid configuration_aliases value";
        let mut aliases = Vec::new();
        for item in self.static_list(expr) {
            let Some(traversal) = self.static_traversal(item) else { continue };
            match traversal.steps.first().map(|step| &step.kind) {
                Some(StepKind::Attribute(alias)) if traversal.root == *local_name => aliases.push(alias.clone()),
                Some(StepKind::Attribute(_)) | None if traversal.root != *local_name => {
                    let detail = format!(
                        "Configuration aliases must be prefixed with the provider name. Expected {local_name:?}, but \
                         found {:?}.",
                        traversal.root
                    );
                    self.error(SUMMARY, detail, expr.range);
                }
                None => {}
                Some(_) => self.error(
                    SUMMARY,
                    "Configuration aliases can only contain references to local provider configuration names in the \
                     format of provider.alias",
                    expr.range,
                ),
            }
        }
        aliases
    }

    /// An argument that is a version constraint.
    pub fn version_constraint(&mut self, attribute: &Attribute) -> Option<Located<String>> {
        if matches!(attribute.expr.kind, ExprKind::Invalid) {
            return None;
        }
        let value = self.constant(&attribute.expr)?;
        let Ok(value) = value.convert(&Type::String) else {
            let detail = format!("A string value is required for {}.", attribute.name);
            self.error("Invalid version constraint", detail, attribute.expr.range);
            return None;
        };
        self.constraint(value.as_str()?, attribute.expr.range)
    }

    fn constraint(&mut self, text: &str, range: Range) -> Option<Located<String>> {
        if text.parse::<Constraints>().is_err() {
            self.error(
                "Invalid version constraint",
                "This string does not use correct version constraint syntax.",
                range,
            );
            return None;
        }
        Some(Located { value: text.to_owned(), range })
    }
}
