//! From what is configured to what encrypts.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang::ast::{Content, Expr, StepKind, Traversal};
use lang::eval::{Scope, evaluate};
use lang::{Diagnostic, Diagnostics, Range, Sources, Str, Type, Value};
use serde_json::Map;
use state::backend::remote::{self, Argument, Settings};
use state::{Codec, Seal};

use crate::config::{Config, Declared, TargetConfig};
use crate::keys::{Chain, Chained, Kinds};
use crate::target::{Method, Target};

/// What a configuration is made into encryption with.
pub struct Surroundings<'a> {
    /// The kinds of key provider.
    pub kinds: Kinds,
    /// What key providers work with.
    pub services: &'a remote::Surroundings,
    /// What names mean in arguments: variables, locals.
    pub scope: &'a dyn Scope,
    /// The files that were read.
    pub sources: &'a Sources,
}

/// What encrypts states and plans.
#[derive(Clone, Default)]
pub struct Encryption {
    state: Codec,
    plan: Option<Arc<dyn Seal>>,
    encrypts_plans: bool,
    remote: Codec,
    remotes: BTreeMap<Str, Codec>,
}

impl Encryption {
    /// How states and their journals are written.
    pub fn state(&self) -> &Codec {
        &self.state
    }

    /// What encrypts saved plans; `None`: nothing does.
    pub fn plan(&self) -> Option<&Arc<dyn Seal>> {
        self.plan.as_ref()
    }

    /// Whether saved plans are written encrypted, and not read only.
    pub fn encrypts_plans(&self) -> bool {
        self.encrypts_plans
    }

    /// How the state is written that a `terraform_remote_state` reads, by its name (`x`, `module.x`, `x[0]`).
    pub fn remote(&self, name: &str) -> &Codec {
        self.remotes.get(name).unwrap_or(&self.remote)
    }

    /// What a configuration comes to. No key is made or asked for yet.
    ///
    /// # Errors
    /// Mistakes in it. Lines that may hold a key or a part of it are not shown.
    pub fn build(config: &Config, surroundings: &Surroundings<'_>) -> Result<Encryption, Diagnostics> {
        let mut builder = Builder { config, surroundings, chains: BTreeMap::new(), diagnostics: Diagnostics::new() };
        let mut encryption = Encryption::default();
        if let Some(target) = builder.target("state", config.state.as_ref()) {
            encryption.state = Codec::sealed(Arc::new(target));
        }
        if let Some(target) = builder.target("plan", config.plan.as_ref()) {
            encryption.encrypts_plans = !matches!(*target.method, Method::Unencrypted);
            encryption.plan = Some(Arc::new(target));
        }
        if let Some(remote) = &config.remote {
            if let Some(target) = builder.target("remote_state_data_sources.default", remote.default.as_ref()) {
                encryption.remote = Codec::sealed(Arc::new(target));
            }
            for (name, config) in &remote.sources {
                let title = format!("remote_state_data_source.{name}");
                if let Some(target) = builder.target(&title, Some(config)) {
                    encryption.remotes.insert(name.clone(), Codec::sealed(Arc::new(target)));
                }
            }
        }
        let problems = builder.diagnostics;
        if problems.has_errors() { Err(discreet(surroundings.sources, problems)) } else { Ok(encryption) }
    }
}

struct Builder<'a> {
    config: &'a Config,
    surroundings: &'a Surroundings<'a>,
    /// By address; `None` while one is made, and after a mistake in it.
    chains: BTreeMap<String, Option<Arc<Chain>>>,
    diagnostics: Diagnostics,
}

impl Builder<'_> {
    fn error(&mut self, summary: &str, detail: impl Into<String>, at: Range) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(at));
    }

    fn target(&mut self, name: &str, config: Option<&TargetConfig>) -> Option<Target> {
        let config = config?;
        let mut methods = Vec::new();
        let mut next = Some(config);
        while let Some(config) = next {
            methods.extend(self.method(config));
            next = config.fallback.as_deref();
        }
        if config.enforced && methods.iter().any(|method| matches!(**method, Method::Unencrypted)) {
            let detail = format!(
                "The block {name:?} is enforced, so that nothing of it is ever unencrypted; the method \"unencrypted\" is \
                 allowed neither in it nor in its fallbacks. Remove `enforced` while you move to or from encryption."
            );
            self.error("Unencrypted method is forbidden", detail, config.range);
        }
        let mut methods = methods.into_iter();
        Some(Target { name: name.to_owned(), method: methods.next()?, fallbacks: methods.collect() })
    }

    fn method(&mut self, config: &TargetConfig) -> Option<Arc<Method>> {
        const FORM: &str = "A method is named as method.TYPE.NAME.";
        let Some(expr) = &config.method else {
            let detail = "The argument \"method\" is required, but it is not set.";
            self.error("Missing required argument", detail, config.range);
            return None;
        };
        let Some((kind, name)) = reference(expr).and_then(|traversal| named(&traversal, "method")) else {
            self.error("Invalid encryption method identifier", FORM, expr.range);
            return None;
        };
        let declared = self.config.methods.iter().find(|method| method.kind == kind && method.name == name);
        let Some(declared) = declared else {
            let detail = format!("There is no method {kind:?} {name:?} block declared in the encryption block.");
            self.error("Reference to undeclared encryption method", detail, expr.range);
            return None;
        };
        match kind.as_str() {
            "unencrypted" => Some(Arc::new(Method::Unencrypted)),
            "aes_gcm" => self.aes_gcm(declared).map(Arc::new),
            _ => {
                let detail = format!("There is no method type {kind:?}; there are \"aes_gcm\" and \"unencrypted\".");
                self.error("Unknown encryption method type", detail, declared.range);
                None
            }
        }
    }

    fn aes_gcm(&mut self, declared: &Declared) -> Option<Method> {
        let names = ["keys", "aad"].map(|name| (Str::from(name), false)).to_vec();
        let (content, problems) = declared.content(&lang::ast::BodySchema { attributes: names, blocks: Vec::new() });
        self.diagnostics.append(problems);
        let Some(keys) = content.attribute("keys") else {
            let detail = "The argument \"keys\" is required: it names a key provider, as key_provider.TYPE.NAME.";
            self.error("Missing required argument", detail, declared.range);
            return None;
        };
        let keys = self.key_provider(&keys.expr)?;
        let aad = match content.attribute("aad") {
            Some(attribute) => self.bytes(&attribute.expr, declared)?,
            None => Vec::new(),
        };
        Some(Method::AesGcm { address: declared.address("method"), keys, aad })
    }

    /// A list of the numbers 0 to 255.
    fn bytes(&mut self, expr: &Expr, declared: &Declared) -> Option<Vec<u8>> {
        let value = self.value(expr, &Type::list(Type::Number))?;
        let numbers = value.elements().unwrap_or_default();
        let bytes = numbers.iter().map(|number| number.as_number()?.to_u64()?.try_into().ok());
        let bytes: Option<Vec<u8>> = bytes.collect();
        if bytes.is_none() {
            self.error("Unsuitable value", "The argument \"aad\" is a list of bytes: 0 to 255.", declared.range);
        }
        bytes
    }

    /// The value of an argument; `None` after an error. It may be a secret.
    fn value(&mut self, expr: &Expr, ty: &Type) -> Option<Value> {
        let mut problems = Diagnostics::new();
        let (value, _) = evaluate(expr, self.surroundings.scope, &mut problems).unmark_deep();
        let failed = problems.has_errors();
        self.diagnostics.append(problems);
        if failed {
            return None;
        }
        let value = value.convert(ty).ok().filter(Value::is_wholly_known);
        if value.is_none() {
            let detail = format!(
                "A value of type {ty} is required that is known before any state is read: one of constants, variables and \
                 locals."
            );
            self.error("Unsuitable value", detail, expr.range);
        }
        value
    }

    fn key_provider(&mut self, expr: &Expr) -> Option<Arc<Chain>> {
        let Some((kind, name)) = reference(expr).and_then(|traversal| named(&traversal, "key_provider")) else {
            let detail = "A key provider is named as key_provider.TYPE.NAME.";
            self.error("Invalid Key Provider expression format", detail, expr.range);
            return None;
        };
        let found = self.config.key_providers.iter().find(|known| known.kind == kind && known.name == name);
        let Some(declared) = found else {
            let detail = format!("There is no key_provider {kind:?} {name:?} block declared in the encryption block.");
            self.error("Reference to undeclared key provider", detail, expr.range);
            return None;
        };
        let address = declared.address("key_provider");
        if let Some(known) = self.chains.get(&address).cloned() {
            if known.is_none() && !self.diagnostics.has_errors() {
                let detail = format!("{address} is chained to itself.");
                self.error("Circular reference detected", detail, declared.range);
            }
            return known;
        }
        self.chains.insert(address.clone(), None);
        let chain = self.chain(declared, &address).map(Arc::new);
        self.chains.insert(address, chain.clone());
        chain
    }

    fn chain(&mut self, declared: &Declared, address: &str) -> Option<Chain> {
        let Some(kind) = self.surroundings.kinds.find(&declared.kind) else {
            let known = self.surroundings.kinds.names().join("\", \"");
            let detail =
                format!("There is no key provider type {:?} in this program; there are \"{known}\".", declared.kind);
            self.error("Unknown key_provider type", detail, declared.range);
            return None;
        };
        let mut names: Vec<&str> = kind.arguments.iter().map(|argument| argument.name).collect();
        names.push("encrypted_metadata_alias");
        if kind.chains {
            names.push("chain");
        }
        let attributes = names.into_iter().map(|name| (Str::from(name), false)).collect();
        let objects = kind.arguments.iter().filter(|a| matches!(a.ty, remote::ArgumentType::Object(_)));
        let blocks = objects.map(|argument| (Str::from(argument.name), Vec::new())).collect();
        let (content, problems) = declared.content(&lang::ast::BodySchema { attributes, blocks });
        let before = self.diagnostics.error_count();
        self.diagnostics.append(problems);
        for name in kind.required.iter().filter(|name| content.attribute(name).is_none()) {
            let detail = format!("The argument {name:?} is required, but it is not set.");
            self.error("Missing required argument", detail, declared.range);
        }
        let upstream = match content.attribute("chain") {
            Some(attribute) => Some(self.key_provider(&attribute.expr)?),
            None => None,
        };
        let alias = match content.attribute("encrypted_metadata_alias") {
            Some(attribute) => self.value(&attribute.expr, &Type::String)?.as_str().map(ToString::to_string),
            None => None,
        };
        let config = self.arguments(kind.arguments, &content);
        if self.diagnostics.error_count() > before {
            return None;
        }
        let settings = Settings::new(kind.arguments, &config, self.surroundings.services);
        let chained = if upstream.is_some() { Chained::Yes } else { Chained::No };
        match (kind.open)(&settings, chained) {
            Ok(provider) => {
                let alias = alias.filter(|alias| !alias.is_empty()).unwrap_or_else(|| address.to_owned());
                Some(Chain::new(address.to_owned(), alias, provider, upstream))
            }
            Err(error) => {
                self.error("Unusable key provider", format!("{address}: {error}."), declared.range);
                None
            }
        }
    }

    /// The values of arguments; those that are objects may be written as blocks.
    fn arguments(&mut self, arguments: &[Argument], content: &Content) -> Map<String, serde_json::Value> {
        let mut config = Map::new();
        for argument in arguments {
            let json = if let Some(attribute) = content.attribute(argument.name) {
                self.json(&attribute.expr, &argument.ty.value_type())
            } else if let (remote::ArgumentType::Object(attributes), Some(block)) =
                (argument.ty, content.blocks(argument.name).next())
            {
                let names = attributes.iter().map(|attribute| (Str::from(attribute.name), attribute.required));
                let schema = lang::ast::BodySchema { attributes: names.collect(), blocks: Vec::new() };
                let (inner, problems) = block.body.content(&schema);
                self.diagnostics.append(problems);
                let mut object = Map::new();
                for attribute in attributes {
                    let Some(written) = inner.attribute(attribute.name) else { continue };
                    let json = self.json(&written.expr, &attribute.ty.value_type()).unwrap_or_default();
                    object.insert(attribute.name.to_owned(), json);
                }
                Some(object.into())
            } else {
                None
            };
            config.extend(json.map(|json| (argument.name.to_owned(), json)));
        }
        config
    }

    fn json(&mut self, expr: &Expr, ty: &Type) -> Option<serde_json::Value> {
        self.value(expr, ty)?.to_json().ok()
    }
}

/// The only reference of an expression, be it in a string of JSON.
fn reference(expr: &Expr) -> Option<Traversal> {
    expr.as_traversal().or_else(|| match expr.traversals().as_slice() {
        [only] => Some(Traversal::clone(only)),
        _ => None,
    })
}

/// Type and name of `ROOT.TYPE.NAME`.
fn named(traversal: &Traversal, root: &str) -> Option<(Str, Str)> {
    match traversal.steps.iter().map(|step| &step.kind).collect::<Vec<_>>().as_slice() {
        [StepKind::Attribute(kind), StepKind::Attribute(name)] if traversal.root == root => {
            Some((kind.clone(), name.clone()))
        }
        _ => None,
    }
}

/// Messages with places in words: neither lines nor values are shown with them, as these may be secrets.
pub(crate) fn discreet(sources: &Sources, messages: Diagnostics) -> Diagnostics {
    let without_lines = |message: Diagnostic| {
        let place = message.subject().and_then(|range| Some(sources.get(range.file)?.place(range)));
        let place = place.map(|place| format!("\n\nThis is at {place}. The line is not shown, as it may hold a key."));
        let detail = format!("{}{}", message.detail(), place.unwrap_or_default());
        if message.is_error() {
            Diagnostic::error(message.summary(), detail)
        } else {
            Diagnostic::warning(message.summary(), detail)
        }
    };
    messages.into_iter().map(without_lines).collect()
}
