//! Whether references name something that is declared, and whether they may do so where they stand. No schema is needed.

use lang::addr::{InstanceKey, Mode};
use lang::syntax::suggest;
use lang::{Diagnostic, Diagnostics, Str, Type, Value};

use crate::module::{Module, ResourceBlock};
use crate::provider_validation::text;
use crate::references::{Reference, Subject};

/// Where an expression stands, as far as it matters to what it may refer to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Whether there is a `count`: `count.index` may be used.
    pub counted: bool,
    /// Whether there is a `for_each`: `each.key` and `each.value` may be used.
    pub for_each: bool,
    /// Whether there is an object that `self` names.
    pub has_self: bool,
    /// The `check` block around it.
    pub check: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Outside of everything that is repeated in a resource, but in the same `check` block.
    pub fn of_resource(resource: &'a ResourceBlock) -> Place<'a> {
        Place { check: resource.check.as_deref(), ..Place::default() }
    }

    /// The arguments of a resource.
    pub fn in_resource(resource: &'a ResourceBlock) -> Place<'a> {
        Place {
            counted: resource.count.is_some(),
            for_each: resource.for_each.is_some(),
            ..Place::of_resource(resource)
        }
    }

    /// The arguments of a module call. Which of `count` and `for_each` the call has is not looked at, as in Terraform.
    pub fn in_call() -> Place<'static> {
        Place { counted: true, for_each: true, ..Place::default() }
    }

    /// The same with `self`.
    #[must_use]
    pub fn with_self(self) -> Place<'a> {
        Place { has_self: true, ..self }
    }
}

impl Module {
    /// What is wrong with a reference in this module, if anything.
    pub fn check_reference(&self, reference: &Reference<'_>, place: Place<'_>) -> Result<(), Diagnostic> {
        let range = reference.range;
        let error = |summary: &str, detail: String| Err(Diagnostic::error(summary, detail).at(range));
        match &reference.subject {
            Subject::Variable(name) if !self.variables.contains_key(name) => {
                let hint = match suggest(name, self.variables.keys().map(Str::as_str)) {
                    none if none.is_empty() => {
                        format!(" This variable can be declared with a variable {name:?} {{}} block.")
                    }
                    found => found,
                };
                error(
                    "Reference to undeclared input variable",
                    format!("An input variable with the name {name:?} has not been declared.{hint}"),
                )
            }
            Subject::Local(name) if !self.locals.contains_key(name) => {
                let hint = suggest(name, self.locals.keys().map(Str::as_str));
                error(
                    "Reference to undeclared local value",
                    format!("A local value with the name {name:?} has not been declared.{hint}"),
                )
            }
            Subject::Resource(_) | Subject::ResourceInstance(..) => self.check_resource(reference, place),
            Subject::Module(call) | Subject::ModuleInstance(call, _) | Subject::ModuleOutput(call, ..)
                if !self.calls.contains_key(call) =>
            {
                let hint = suggest(call, self.calls.keys().map(Str::as_str));
                error(
                    "Reference to undeclared module",
                    format!("No module call named {call:?} is declared in {}.{hint}", text(self)),
                )
            }
            Subject::ModuleOutput(call, key, output) => self.check_output(call, key, output, reference),
            Subject::Count(name) => match name.as_str() {
                "index" if place.counted => Ok(()),
                "index" => error(
                    "Reference to \"count\" in non-counted context",
                    "The \"count\" object can only be used in \"module\", \"resource\", and \"data\" blocks, and only \
                     when the \"count\" argument is set."
                        .to_owned(),
                ),
                _ => error(
                    "Invalid \"count\" attribute",
                    format!(
                        "The \"count\" object does not have an attribute named {name:?}. The only supported attribute \
                         is count.index, which is the index of each instance of a resource block that has the \
                         \"count\" argument set."
                    ),
                ),
            },
            Subject::Each(name) => match name.as_str() {
                "key" | "value" if place.for_each => Ok(()),
                "value" => error(
                    "each.value cannot be used in this context",
                    "A reference to \"each.value\" has been used in a context in which it is unavailable, such as when \
                     the configuration no longer contains the value in its \"for_each\" expression. Remove this \
                     reference to each.value in your configuration to work around this error."
                        .to_owned(),
                ),
                "key" => error(
                    "Reference to \"each\" in context without for_each",
                    "The \"each\" object can be used only in \"module\" or \"resource\" blocks, and only when the \
                     \"for_each\" argument is set."
                        .to_owned(),
                ),
                _ => error(
                    "Invalid \"each\" attribute",
                    format!(
                        "The \"each\" object does not have an attribute named {name:?}. The supported attributes are \
                         each.key and each.value, the current key and value pair of the \"for_each\" attribute set."
                    ),
                ),
            },
            Subject::Path(name) if !["cwd", "module", "root"].contains(&name.as_str()) => error(
                "Invalid \"path\" attribute",
                format!(
                    "The \"path\" object does not have an attribute named {name:?}.{}",
                    suggest(name, ["cwd", "module", "root"])
                ),
            ),
            Subject::Terraform(name) if name == "env" => error(
                "Invalid \"terraform\" attribute",
                "The terraform.env attribute was deprecated in v0.10 and removed in v0.12. The \"state environment\" \
                 concept was renamed to \"workspace\" in v0.12, and so the workspace name can now be accessed using the \
                 terraform.workspace attribute."
                    .to_owned(),
            ),
            Subject::Terraform(name) if !["workspace", "applying"].contains(&name.as_str()) => error(
                "Invalid \"terraform\" attribute",
                format!(
                    "The \"terraform\" object does not have an attribute named {name:?}. The only supported attributes are \
                     terraform.workspace, the name of the currently-selected workspace, and terraform.applying, a boolean \
                     which is true only during apply."
                ),
            ),
            Subject::SelfObject if !place.has_self => error(
                "Invalid \"self\" reference",
                "The \"self\" object is not available in this context. This object can be used only in resource \
                 provisioner, connection, and postcondition blocks."
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn check_resource(&self, reference: &Reference<'_>, place: Place<'_>) -> Result<(), Diagnostic> {
        let (address, has_key) = match &reference.subject {
            Subject::Resource(address) => (address, false),
            Subject::ResourceInstance(address, _) => (address, true),
            _ => return Ok(()),
        };
        let error = |summary: &str, detail: String| Err(Diagnostic::error(summary, detail).at(reference.range));
        let (article, mode) = match address.mode {
            Mode::Managed => ("A", "managed"),
            Mode::Data => ("A", "data"),
            Mode::Ephemeral => ("An", "ephemeral"),
        };
        let (kind, name) = (&address.kind, &address.name);
        let Some(block) = self.resources.get(address) else {
            // Leaving out `data.` is the most common slip.
            let data = lang::addr::Resource { mode: Mode::Data, ..address.clone() };
            let hint = if address.mode == Mode::Managed && self.resources.contains_key(&data) {
                format!("\n\nDid you mean the data resource {data}?")
            } else {
                String::new()
            };
            return error(
                "Reference to undeclared resource",
                format!("{article} {mode} resource {kind:?} {name:?} has not been declared in {}.{hint}", text(self)),
            );
        };
        if block.check.is_some() && block.check.as_deref() != place.check {
            return error(
                "Reference to scoped resource",
                format!("The referenced {mode} resource {kind:?} {name:?} is not available from this context."),
            );
        }
        let repeated = match (&block.count, &block.for_each) {
            (Some(_), _) => Some(("count", "count.index")),
            (None, Some(_)) => Some(("for_each", "each.key")),
            (None, None) => None,
        };
        match repeated {
            // Without further steps it may be the whole collection, or have a key that is an expression.
            Some((argument, key)) if !has_key && !reference.remaining().is_empty() => error(
                "Missing resource instance key",
                format!(
                    "Because {address} has \"{argument}\" set, its attributes must be accessed on specific \
                     instances.\n\nFor example, to correlate with indices of a referring resource, use:\n    \
                     {address}[{key}]"
                ),
            ),
            None if has_key => error(
                "Unexpected resource instance key",
                format!(
                    "Because {address} does not have \"count\" or \"for_each\" set, references to it must not include \
                     an index key. Remove the bracketed index to refer to the single instance of this resource."
                ),
            ),
            _ => Ok(()),
        }
    }

    /// An output of a module that is loaded.
    fn check_output(
        &self,
        call: &Str,
        key: &InstanceKey,
        output: &Str,
        reference: &Reference<'_>,
    ) -> Result<(), Diagnostic> {
        let (Some(block), Some(child)) = (self.calls.get(call), self.children.get(call)) else { return Ok(()) };
        let is_collection = block.count.is_some() || block.for_each.is_some();
        // Other combinations of keys and repetition are wrong in their own ways, which evaluation tells.
        if is_collection != (*key != InstanceKey::None) || child.outputs.contains_key(output) {
            return Ok(());
        }
        let step = reference.consumed.checked_sub(1).and_then(|last| reference.traversal.steps.get(last));
        Err(Diagnostic::error(
            "Unsupported attribute",
            format!("This object does not have an attribute named {output:?}."),
        )
        .at(step.map_or(reference.range, |step| step.range))
        .with_values(vec![(format!("module.{call}{key}"), Value::unknown(Type::object::<Str>([])))]))
    }
}

/// Checks what is passed to the input variables of called modules, in the whole tree.
pub fn check_module_arguments(root: &Module) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for module in root.tree() {
        for (name, child) in &module.children {
            let Some(call) = module.calls.get(name) else { continue };
            let schema = lang::ast::BodySchema {
                attributes: child.variables.values().map(|v| (v.name.clone(), v.default.is_none())).collect(),
                blocks: Vec::new(),
            };
            diagnostics.append(call.body.content(&schema).1);
        }
    }
    diagnostics
}
