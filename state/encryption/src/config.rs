//! What `encryption` blocks and `TF_ENCRYPTION` say, and how one is laid over the other.

use std::path::Path;
use std::sync::Arc;

use lang::ast::{Attribute, Block, Body, BodySchema, Content, Expr};
use lang::syntax::{parse_file, parse_json_file};
use lang::{Diagnostic, Diagnostics, Range, Sources, Str};

use crate::build::discreet;

/// An `encryption` block.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) key_providers: Vec<Declared>,
    pub(crate) methods: Vec<Declared>,
    pub(crate) state: Option<TargetConfig>,
    pub(crate) plan: Option<TargetConfig>,
    pub(crate) remote: Option<RemoteConfig>,
}

/// A `key_provider` or `method` block, with those that are laid over it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub kind: Str,
    pub name: Str,
    /// The block's header.
    pub range: Range,
    /// The last one wins.
    pub bodies: Vec<Body>,
}

impl Declared {
    /// `method.aes_gcm.x`
    pub fn address(&self, what: &str) -> String {
        format!("{what}.{}.{}", self.kind, self.name)
    }

    /// What the schema knows, of all bodies; anything else in them is a mistake.
    pub fn content(&self, schema: &BodySchema) -> (Content, Diagnostics) {
        let mut all = Content { attributes: Vec::new(), blocks: Vec::new(), missing: self.range };
        let mut diagnostics = Diagnostics::new();
        for body in &self.bodies {
            let (content, problems) = body.content(schema);
            diagnostics.append(problems);
            let is_new = |name: &Str| content.attribute(name).is_none();
            all.attributes.retain(|attribute| is_new(&attribute.name));
            all.attributes.extend(content.attributes.iter().cloned());
            all.blocks.retain(|block| content.blocks(&block.kind).next().is_none());
            all.blocks.extend(content.blocks);
        }
        (all, diagnostics)
    }
}

/// A `state`, `plan` or `fallback` block and the like.
#[derive(Clone, Debug)]
pub(crate) struct TargetConfig {
    pub range: Range,
    pub enforced: bool,
    pub method: Option<Arc<Expr>>,
    pub fallback: Option<Box<TargetConfig>>,
}

/// A `remote_state_data_sources` block.
#[derive(Clone, Debug, Default)]
pub(crate) struct RemoteConfig {
    pub default: Option<TargetConfig>,
    pub sources: Vec<(Str, TargetConfig)>,
}

fn schema(attributes: &[&str], blocks: &[(&str, &[&str])]) -> BodySchema {
    BodySchema {
        attributes: attributes.iter().map(|name| (Str::from(*name), false)).collect(),
        blocks: blocks
            .iter()
            .map(|(kind, labels)| (Str::from(*kind), labels.iter().map(|label| Str::from(*label)).collect()))
            .collect(),
    }
}

impl Config {
    /// Reads the body of an `encryption` block.
    ///
    /// # Errors
    /// Mistakes in it. Lines that may hold a key or a part of it are not shown.
    pub fn read(sources: &Sources, body: &Body) -> Result<Config, Diagnostics> {
        let (config, problems) = Config::of(body);
        if problems.has_errors() { Err(discreet(sources, problems)) } else { Ok(config) }
    }

    fn of(body: &Body) -> (Config, Diagnostics) {
        let (content, mut diagnostics) = body.content(&schema(
            &[],
            &[
                ("key_provider", &["type", "name"]),
                ("method", &["type", "name"]),
                ("state", &[]),
                ("plan", &[]),
                ("remote_state_data_sources", &[]),
            ],
        ));
        let mut config = Config::default();
        for block in &content.blocks {
            match block.kind.as_str() {
                "key_provider" => declare(&mut config.key_providers, block, &mut diagnostics),
                "method" => declare(&mut config.methods, block, &mut diagnostics),
                "state" => once(&mut config.state, block, target(block, true, &mut diagnostics), &mut diagnostics),
                "plan" => once(&mut config.plan, block, target(block, true, &mut diagnostics), &mut diagnostics),
                _ => {
                    let remote = remote(block, &mut diagnostics);
                    once(&mut config.remote, block, remote, &mut diagnostics);
                }
            }
        }
        (config, diagnostics)
    }

    /// Reads text in native syntax or JSON, as `TF_ENCRYPTION` holds it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(sources: &Sources, name: &str, text: &str) -> Result<Config, Diagnostics> {
        let (name, bytes) = (Path::new(name), text.as_bytes());
        let (body, _, problems) = match text.trim_start().starts_with('{') {
            true => parse_json_file(sources, name, bytes),
            false => parse_file(sources, name, bytes),
        };
        if problems.has_errors() { Err(discreet(sources, problems)) } else { Config::read(sources, &body) }
    }

    /// This with another laid over it: what both have is the other's, argument by argument; nobody takes `enforced` back.
    #[must_use]
    pub fn overlaid(mut self, over: Config) -> Config {
        overlay(&mut self.key_providers, over.key_providers);
        overlay(&mut self.methods, over.methods);
        self.state = merged(self.state, over.state, overlaid_target);
        self.plan = merged(self.plan, over.plan, overlaid_target);
        self.remote = merged(self.remote, over.remote, |base, over| {
            let mut sources = base.sources;
            for (name, target) in over.sources {
                match sources.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, base)) => *base = overlaid_target(base.clone(), target),
                    None => sources.push((name, target)),
                }
            }
            RemoteConfig { default: merged(base.default, over.default, overlaid_target), sources }
        });
        self
    }
}

fn merged<T>(base: Option<T>, over: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (base, over) {
        (Some(base), Some(over)) => Some(merge(base, over)),
        (base, over) => over.or(base),
    }
}

fn overlaid_target(base: TargetConfig, over: TargetConfig) -> TargetConfig {
    TargetConfig {
        range: over.range,
        enforced: base.enforced || over.enforced,
        method: over.method.or(base.method),
        fallback: over.fallback.or(base.fallback),
    }
}

fn overlay(base: &mut Vec<Declared>, over: Vec<Declared>) {
    for declared in over {
        match base.iter_mut().find(|known| (&known.kind, &known.name) == (&declared.kind, &declared.name)) {
            Some(known) => known.bodies.extend(declared.bodies),
            None => base.push(declared),
        }
    }
}

fn declare(known: &mut Vec<Declared>, block: &Block, diagnostics: &mut Diagnostics) {
    let [kind, name] = block.labels.as_slice() else { return };
    for label in [kind, name] {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if label.text.is_empty() || !label.text.chars().all(fits) {
            let detail =
                "Types and names of key providers and methods consist of letters, digits, underscores and dashes.";
            diagnostics.push(Diagnostic::error(format!("Invalid {} name", block.kind), detail).at(label.range));
        }
    }
    if known.iter().any(|known| known.kind == kind.text && known.name == name.text) {
        let detail = format!("There is another {} {:?} {:?} in this block.", block.kind, kind.text, name.text);
        diagnostics.push(Diagnostic::error(format!("Duplicate {}", block.kind), detail).at(block.header));
        return;
    }
    let (kind, name) = (kind.text.clone(), name.text.clone());
    known.push(Declared { kind, name, range: block.header, bodies: vec![block.body.clone()] });
}

fn once<T>(place: &mut Option<T>, block: &Block, value: T, diagnostics: &mut Diagnostics) {
    if place.is_some() {
        let summary = format!("Duplicate {} block", block.kind);
        let detail = format!("There may be one {} block here.", block.kind);
        diagnostics.push(Diagnostic::error(summary, detail).at(block.header));
        return;
    }
    *place = Some(value);
}

fn target(block: &Block, enforceable: bool, diagnostics: &mut Diagnostics) -> TargetConfig {
    let attributes: &[&str] = if enforceable { &["method", "enforced"] } else { &["method"] };
    let (content, problems) = block.body.content(&schema(attributes, &[("fallback", &[])]));
    diagnostics.append(problems);
    let enforced = content.attribute("enforced").is_some_and(|attribute| flag(attribute, diagnostics));
    let mut fallback = None;
    for block in &content.blocks {
        let inner = target(block, false, diagnostics);
        once(&mut fallback, block, Box::new(inner), diagnostics);
    }
    TargetConfig {
        range: block.header,
        enforced,
        method: content.attribute("method").map(|attribute| attribute.expr.clone()),
        fallback,
    }
}

fn flag(attribute: &Attribute, diagnostics: &mut Diagnostics) -> bool {
    let value = lang::eval::evaluate(&attribute.expr, &lang::eval::NoScope, diagnostics);
    match value.convert(&lang::Type::Bool).ok().and_then(|value| value.as_bool()) {
        Some(flag) => flag,
        None => {
            let detail = format!("The argument {:?} must be true or false.", attribute.name.as_str());
            diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(attribute.expr.range));
            false
        }
    }
}

fn remote(block: &Block, diagnostics: &mut Diagnostics) -> RemoteConfig {
    let (content, problems) =
        block.body.content(&schema(&[], &[("default", &[]), ("remote_state_data_source", &["name"])]));
    diagnostics.append(problems);
    let mut config = RemoteConfig::default();
    for inner in &content.blocks {
        let target = target(inner, false, diagnostics);
        let Some(label) = inner.labels.first() else {
            once(&mut config.default, inner, target, diagnostics);
            continue;
        };
        if config.sources.iter().any(|(name, _)| *name == label.text) {
            let detail = format!("There is another remote_state_data_source {:?} in this block.", label.text);
            diagnostics.push(Diagnostic::error("Duplicate remote_state_data_source", detail).at(inner.header));
            continue;
        }
        config.sources.push((label.text.clone(), target));
    }
    config
}
