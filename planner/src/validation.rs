//! What `validate` looks at: every block against its schema, with everything outside the configuration unknown.

use config::module::{CheckRule, Module, ModuleCall, ResourceBlock};
use config::reference_checks::Place;
use config::references::Reference;
use lang::addr::{ConfigResource, Mode, ModulePath};
use lang::ast::{Expr, Traversal};
use lang::eval::{Locals, Scope, evaluate};
use lang::functions::FunctionTable;
use lang::values::{Marks, Path};
use lang::{Diagnostic, Diagnostics, Str, Value};
use sdk::ProviderDiagnostic;

use crate::checks::{RuleKind, error_message, evaluate_rules};
use crate::decode::{decode_body, visit_references};
use crate::expansion::{Repetition, UnknownExpansion, expand};
use crate::graph::Node;
use crate::locate::located;
use crate::plan::Checkable;
use crate::reference_check::{ReferenceCheck, References};
use crate::schema_path::check_steps;
use crate::scope::{BlockScope, ModuleScope, World};
use crate::walk::Visit;
use crate::workspace::{Workspace, module_at};
use crate::{imports, outputs, provisioners, variables};

/// Visits a node while validating. What needs a node with a mistake is passed over, as in Terraform.
pub(crate) fn visit(world: &World<'_>, node: &Node) -> Visit {
    let before = world.error_count();
    match node {
        Node::Variable(path, name) => each(world, path, |module| validate_variable(world, module, name)),
        Node::Local(path, name) => each(world, path, |module| {
            let Some(local) = module.config.locals.get(name) else { return };
            if sound(world, &check(world, module, Place::default()), &local.expr) {
                world.local(module, name);
            }
        }),
        Node::Output(path, name) => each(world, path, |module| validate_output(world, module, name)),
        Node::Call(path) => {
            if let Some((caller, call)) = call_at(&world.workspace.config, path) {
                validate_call(world, caller, call);
            }
        }
        Node::Close(_) | Node::Refresh(_) => {}
        Node::Check(path, name) => each(world, path, |module| {
            let Some(block) = module.config.checks.get(name) else { return };
            let place = Place { check: Some(&block.name), ..Place::default() };
            for rule in &block.asserts {
                check_rule(world, &check(world, module, place), rule, &world.scope(module), Told::Message);
            }
        }),
        Node::Provider(provider) => validate_provider(world, provider),
        Node::Resource(resource) => {
            let owner = module_at(&world.workspace.config, &resource.module);
            if owner.is_none_or(|owner| !owner.resources.contains_key(&resource.resource)) {
                imports::validate_unconfigured(world, resource);
            }
            each(world, &resource.module, |module| {
                if let Some(block) = module.config.resources.get(&resource.resource) {
                    validate_resource(world, module, block);
                }
            });
        }
    }
    if world.error_count() == before { Visit::Done } else { Visit::Failed }
}

fn each(world: &World<'_>, path: &ModulePath, mut visit: impl FnMut(&ModuleScope)) {
    world.instances(path).iter().for_each(|module| visit(module));
}

fn call_at<'a>(root: &'a std::sync::Arc<Module>, path: &ModulePath) -> Option<(&'a Module, &'a ModuleCall)> {
    let caller = module_at(root, &path.parent()?)?;
    Some((caller, caller.calls.get(path.0.last()?)?))
}

fn check<'a>(world: &'a World<'_>, module: &'a ModuleScope, place: Place<'a>) -> ReferenceCheck<'a> {
    ReferenceCheck::new(world.workspace, &module.config, place)
}

/// Whether all references of an expression mean something; otherwise that is reported, and evaluating it would only say
/// the same again.
fn sound(world: &World<'_>, check: &ReferenceCheck<'_>, expr: &Expr) -> bool {
    let mut diagnostics = Diagnostics::new();
    let outcome = check.expr(expr, &mut diagnostics);
    world.report(diagnostics);
    outcome == References::Sound
}

fn validate_variable(world: &World<'_>, module: &ModuleScope, name: &Str) {
    let Some(variable) = module.config.variables.get(name) else { return };
    let caller = module.address.parent().and_then(|parent| world.module(&parent));
    if let (Some(caller), Some((call, _))) = (&caller, module.address.0.last())
        && let Some(call) = caller.config.calls.get(call)
        && let Some(argument) = call.arguments.iter().find(|argument| argument.name == *name)
        && !sound(world, &check(world, caller, Place::in_call()), &argument.expr)
    {
        return;
    }
    let before = world.error_count();
    world.variable(module, name);
    if world.error_count() > before {
        return;
    }
    let scope = world.scope(module);
    let references = check(world, module, Place::default());
    let fine = |rule: &&CheckRule| check_rule(world, &references, rule, &scope, Told::Nothing);
    for rule in variable.validations.iter().filter(fine) {
        variables::validate_rules(world, module, variable, std::slice::from_ref(rule));
    }
}

fn validate_output(world: &World<'_>, module: &ModuleScope, name: &Str) {
    let Some(output) = module.config.outputs.get(name) else { return };
    if output.ephemeral && module.address.is_root() {
        let detail = "Ephemeral outputs are not allowed in context of a root module";
        world.report(Diagnostic::error("Ephemeral output not allowed", detail).at(output.range).into());
        return;
    }
    let (before, scope, references) =
        (world.error_count(), world.scope(module), check(world, module, Place::default()));
    for rule in &output.preconditions {
        if check_rule(world, &references, rule, &scope, Told::Unsound) {
            let (object, kind) = (Checkable::Output(name.clone()), RuleKind::OutputPrecondition);
            evaluate_rules(world, &module.address, object, std::slice::from_ref(rule), &scope, kind);
        }
    }
    if world.error_count() > before {
        return;
    }
    if sound(world, &references, &output.value) {
        let value = world.output(module, name);
        world.report(outputs::refused(module, output, &value).into_iter().collect());
    }
    let mut diagnostics = Diagnostics::new();
    references.depends_on(&output.depends_on, &mut diagnostics);
    world.report(diagnostics);
}

fn validate_call(world: &World<'_>, caller: &Module, call: &ModuleCall) {
    for module in world.instances(&caller.path) {
        let references = check(world, &module, Place::default());
        let mut repetition = [&call.count, &call.for_each].into_iter().flatten();
        let fine = repetition.all(|expr| sound(world, &references, expr));
        let mut diagnostics = Diagnostics::new();
        references.depends_on(&call.depends_on, &mut diagnostics);
        world.report(diagnostics);
        if fine {
            world.expand_call(&caller.path, call);
        }
    }
}

fn validate_provider(world: &World<'_>, address: &lang::addr::ProviderConfig) {
    if world.workspace.providers.instead_of(address).is_some() {
        return;
    }
    let root = &world.workspace.config;
    let block = module_at(root, &address.module)
        .and_then(|module| module.provider_block(&address.source, address.alias.as_ref()));
    let (Some(provider), Some(block)) = (world.workspace.providers.get(&address.source), block) else { return };
    let Some(module) = world.instances(&address.module).into_iter().next() else { return };
    let schema = &provider.schema().provider.block;
    let mut diagnostics = Diagnostics::new();
    if body_is_sound(&check(world, &module, Place::default()), &block.body, schema, &mut diagnostics) {
        let value = decode_body(&block.body, schema, &world.scope(&module), &mut diagnostics);
        let (value, _) = value.unmark_deep();
        let name = format!("provider[\"{}\"]", address.source);
        if !diagnostics.has_errors() {
            diagnostics.extend(provider.validate_config(&value).into_iter().map(|p| located(p, &block.body, &name)));
        }
    }
    world.report(diagnostics);
}

/// Checks the references of a whole body.
pub(crate) fn body_is_sound(
    check: &ReferenceCheck<'_>,
    body: &lang::ast::Body,
    schema: &sdk::Block,
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut traversals = Vec::new();
    visit_references(body, Some(schema), &mut |traversal| traversals.push(traversal.clone()));
    check.traversals(&traversals, diagnostics) == References::Sound
}

/// Evaluates a body whose references mean something.
pub(crate) fn validate_body(
    check: &ReferenceCheck<'_>,
    body: &lang::ast::Body,
    schema: &sdk::Block,
    scope: &dyn Scope,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let mut own = Diagnostics::new();
    let value = body_is_sound(check, body, schema, &mut own).then(|| decode_body(body, schema, scope, &mut own));
    let failed = own.has_errors();
    diagnostics.append(own);
    value.filter(|_| !failed)
}

fn validate_resource(world: &World<'_>, module: &ModuleScope, block: &ResourceBlock) {
    let workspace = world.workspace;
    let before = world.error_count();
    let mut diagnostics = Diagnostics::new();
    let outside = check(world, module, Place::of_resource(block));
    let inside = ReferenceCheck { place: Place::in_resource(block), ..outside };
    let mut repetition = [&block.count, &block.for_each].into_iter().flatten();
    let fine = repetition.all(|expr| outside.expr(expr, &mut diagnostics) == References::Sound);
    if fine {
        let (count, for_each) = (block.count.as_deref(), block.for_each.as_deref());
        expand(count, for_each, &world.scope(module), UnknownExpansion::Accept, &mut diagnostics);
    }
    let repetition = if inside.place.counted || inside.place.for_each { Repetition::Any } else { Repetition::None };
    outside.depends_on(&block.depends_on, &mut diagnostics);
    let address = module.address.resource(block.address.clone()).to_string();
    let scope = BlockScope { world, module, repetition: &repetition, self_value: None };
    let schema = workspace.providers.schema(&block.provider_source, &block.address);
    match schema {
        None => diagnostics.push(unknown_type(workspace, block)),
        Some(schema) => {
            if let Some(config) = validate_body(&inside, &block.body, &schema.block, &scope, &mut diagnostics) {
                world.report(redundantly_ignored(block, &schema.block).collect());
                validate_ignored(block, &schema.block, &mut diagnostics);
                let (config, marks) = config.unmark_deep();
                let refused = match block.address.mode {
                    Mode::Ephemeral => Vec::new(),
                    Mode::Managed | Mode::Data => ephemeral_refused(&marks, &schema.block),
                };
                diagnostics.extend(refused.into_iter().map(|problem| located(problem, &block.body, &address)));
                if let Some(provider) = workspace.providers.get(&block.provider_source) {
                    let problems = provider.validate(block.address.mode, &block.address.kind, &config);
                    diagnostics.extend(problems.into_iter().map(|problem| located(problem, &block.body, &address)));
                }
            }
        }
    }
    world.report(diagnostics);
    for rule in &block.preconditions {
        check_rule(world, &inside, rule, &scope, Told::Everything);
    }
    let after = ReferenceCheck { place: inside.place.with_self(), self_resource: Some(block), ..inside };
    let ty = schema.map_or(lang::Type::Dynamic, |schema| schema.block.implied_type().clone());
    let scope = BlockScope { self_value: Some(Value::unknown(ty)), ..scope };
    for rule in &block.postconditions {
        check_rule(world, &after, rule, &scope, Told::Everything);
    }
    let mut diagnostics = Diagnostics::new();
    provisioners::validate(&after, block, &scope, world.error_count() > before, &mut diagnostics);
    world.report(diagnostics);
    let resource = ConfigResource { module: module.config.path.clone(), resource: block.address.clone() };
    imports::validate(world, &resource, block);
}

/// A message for every attribute that is stored, but has an ephemeral value.
pub(crate) fn ephemeral_refused(marks: &[(Path, Marks)], schema: &sdk::Block) -> Vec<ProviderDiagnostic> {
    let refused = marks
        .iter()
        .filter(|(path, marks)| marks.contains(Marks::EPHEMERAL) && !crate::write_only::covers(schema, path));
    refused
        .map(|(path, _)| {
            let name = path.to_string();
            let detail = format!(
                "Ephemeral values are not valid for {:?}, because it is not a write-only attribute and must be persisted to \
                 state.",
                name.trim_start_matches('.')
            );
            ProviderDiagnostic::error("Invalid use of ephemeral value", detail).at(path.clone())
        })
        .collect()
}

/// `ignore_changes` has to name what the schema has.
fn validate_ignored(block: &ResourceBlock, schema: &sdk::Block, diagnostics: &mut Diagnostics) {
    for traversal in &block.ignore_changes {
        let root = lang::ast::Step {
            kind: lang::ast::StepKind::Attribute(traversal.root.clone()),
            range: traversal.root_range,
        };
        let steps: Vec<_> = std::iter::once(root).chain(traversal.steps.iter().cloned()).collect();
        check_steps(schema, &steps, diagnostics);
    }
}

/// A warning for every attribute in `ignore_changes` that no configuration can set.
fn redundantly_ignored<'a>(
    block: &'a ResourceBlock,
    schema: &'a sdk::Block,
) -> impl Iterator<Item = Diagnostic> + use<'a> {
    let whole = block.ignore_changes.iter().filter(|traversal| traversal.steps.is_empty());
    let decided = whole.filter(|traversal| {
        schema.attributes.get(&traversal.root).is_some_and(|attribute| attribute.computed && !attribute.optional)
    });
    decided.map(|traversal| {
        let detail = format!(
            "Adding an attribute name to ignore_changes tells Terraform to ignore future changes to the argument in \
             configuration after the object has been created, retaining the value originally configured.\n\nThe attribute \
             {} is decided by the provider alone and therefore there can be no configured value to compare with. Including \
             this attribute in ignore_changes has no effect. Remove the attribute from ignore_changes to quiet this warning.",
            traversal.root
        );
        Diagnostic::warning("Redundant ignore_changes element", detail).at(block.type_range)
    })
}

/// What a look at a rule tells beside its references.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// What is wrong in its condition and its message.
    Everything,
    /// What is wrong in its message: the condition is not evaluated.
    Message,
    /// Only, if references are wrong, what follows from that: otherwise the caller evaluates the rule.
    Unsound,
    /// Nothing, if references are wrong: otherwise the caller evaluates the rule.
    Nothing,
}

/// Checks a condition and its message. Returns whether the references mean something.
fn check_rule(
    world: &World<'_>,
    check: &ReferenceCheck<'_>,
    rule: &CheckRule,
    scope: &BlockScope<'_>,
    told: Told,
) -> bool {
    let nothing = Locals::new(Default::default()).with_functions(scope.functions());
    let tolerant = Tolerant(scope);
    let of = |outcome: References| -> &dyn Scope {
        match outcome {
            References::Sound => scope,
            References::Undeclared => &tolerant,
            References::Refused => &nothing,
        }
    };
    let (condition, message) = (&*rule.condition, &*rule.error_message);
    let (mut problems, mut diagnostics) = (Diagnostics::new(), Diagnostics::new());
    let outcome = if told == Told::Everything {
        let [first, second] = [condition, message].map(|expr| {
            let outcome = check.expr(expr, &mut problems);
            evaluate(expr, of(outcome), &mut diagnostics);
            outcome
        });
        if first == References::Sound { second } else { first }
    } else {
        let both = condition.traversals().into_iter().chain(message.traversals());
        let outcome = check.traversals(both, &mut problems);
        let is_sound = outcome == References::Sound;
        if told == Told::Message || (told == Told::Unsound && !is_sound) {
            error_message(rule, of(outcome), &mut diagnostics);
        }
        if told == Told::Unsound && !is_sound {
            evaluate(condition, of(outcome), &mut diagnostics);
        }
        outcome
    };
    world.report(problems);
    world.report(diagnostics);
    outcome == References::Sound
}

/// A scope after some references were found to name nothing: these are unknown, for it has been said. What can't be read as a
/// reference has no name there.
struct Tolerant<'s>(&'s BlockScope<'s>);

impl Scope for Tolerant<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        if Reference::parse(traversal).is_err() && Reference::unnamed(traversal).is_none() {
            let detail = format!("There is no variable named {:?}.", traversal.root.as_str());
            return Err(Diagnostic::error("Unknown variable", detail).at(traversal.root_range));
        }
        // `local` and its like alone are objects of which nothing is known.
        if traversal.steps.is_empty() && Reference::parse(traversal).is_err() {
            return Ok((Value::object([(Str::default(), Value::dynamic())]), 0));
        }
        Ok(self.0.resolve(traversal).unwrap_or_else(|_| (Value::dynamic(), traversal.steps.len())))
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.0.functions()
    }
}

/// The message for a resource type that its provider does not have.
pub(crate) fn unknown_type(workspace: &Workspace, block: &ResourceBlock) -> Diagnostic {
    let (kind, source) = (&block.address.kind, &block.provider_source);
    let Some(provider) = workspace.providers.get(source) else {
        let detail = format!(
            "windlass has no provider {source}, which {} needs. `windlass version` lists the providers that are linked in.",
            block.address
        );
        return Diagnostic::error("Unsupported provider", detail).at(block.type_range);
    };
    let what = match block.address.mode {
        Mode::Managed => "resource type",
        Mode::Data => "data source",
        Mode::Ephemeral => "ephemeral resource",
    };
    let schema = provider.schema();
    let other = match block.address.mode {
        Mode::Managed if schema.data_sources.contains_key(kind) => Some(format!(
            "\n\nDid you intend to use the data source {kind:?}? If so, declare this using a \"data\" block instead of a \"resource\" block."
        )),
        Mode::Data if schema.resources.contains_key(kind) => Some(format!(
            "\n\nDid you intend to use the managed resource type {kind:?}? If so, declare this using a \"resource\" block instead of a \"data\" block."
        )),
        _ => None,
    };
    let detail = format!(
        "The provider {}/{} does not support {what} {kind:?}.{}",
        source.namespace,
        source.name,
        other.unwrap_or_default()
    );
    Diagnostic::error(format!("Invalid {what}"), detail).at(block.type_range)
}
