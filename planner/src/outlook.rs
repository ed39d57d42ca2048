//! What names mean once a plan is made or applied: for the console, and for the assertions of tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::module::{CheckRule, Module};
use config::reference_checks::Place;
use lang::addr::{AbsResource, InstanceKey, ModuleInstance};
use lang::ast::{StepKind, Traversal};
use lang::eval::Scope;
use lang::functions::FunctionTable;
use lang::{Diagnostic, Diagnostics, Range, Str, Value};
use state::State;

use crate::checks::{RuleKind, evaluate_rules, worse};
use crate::expansion::Expansion;
use crate::objects;
use crate::plan::{Action, CheckStatus, Checkable, Plan};
use crate::reference_check::{ReferenceCheck, References};
use crate::scope::{BlockScope, ModuleScope, Phase, ResourceValues, World};
use crate::workspace::{GivenVariable, Workspace};

type Instances = BTreeMap<AbsResource, BTreeMap<InstanceKey, Value>>;

/// The names of a configuration with the values of its objects.
pub struct Outlook<'w> {
    /// The names.
    pub world: World<'w>,
    /// The root module's.
    pub root: Arc<ModuleScope>,
}

impl<'w> Outlook<'w> {
    /// The names with the objects of a state. `None` after messages in `diagnostics`.
    ///
    /// # Errors
    /// Objects that can't be decoded.
    pub fn of_state(
        workspace: &'w Workspace,
        state: &State,
        given: BTreeMap<Str, GivenVariable>,
    ) -> Result<Outlook<'w>, Diagnostics> {
        let mut values = Instances::new();
        for (address, provider, instance) in state.instances() {
            let Some(object) = &instance.current else { continue };
            let Some(linked) = workspace.providers.get(&provider.source) else { continue };
            let Some(schema) = workspace.providers.schema(&provider.source, &address.resource) else { continue };
            let kind = &address.resource.kind;
            let value = objects::decode(object, linked.as_ref(), kind, schema, &address.to_string())?;
            values.entry(address.abs_resource()).or_default().insert(address.key.clone(), value);
        }
        let mut functions = workspace.functions.clone();
        functions.planning = false;
        let functions = crate::functions::table(&workspace.config, &workspace.providers, functions);
        Ok(Outlook::new(World::new(workspace, Phase::Plan, given, functions), workspace, values))
    }

    /// The names with the objects as a plan leaves them.
    pub fn of_plan(workspace: &'w Workspace, plan: &Plan, given: BTreeMap<Str, GivenVariable>) -> Outlook<'w> {
        let mut values = Instances::new();
        let kept = |action| !matches!(action, Action::Delete | Action::Forget);
        for change in plan.changes.iter().filter(|change| change.deposed.is_none() && kept(change.action)) {
            let instances = values.entry(change.address.abs_resource()).or_default();
            instances.insert(change.address.key.clone(), change.after.clone());
        }
        let functions = crate::planning::planning_functions(workspace);
        let world = World::new(workspace, Phase::Plan, given, functions);
        let outlook = Outlook::new(world, workspace, values);
        // Data sources that were read are in the state only.
        if let Ok(read) = Outlook::of_state(workspace, &plan.prior_state, BTreeMap::new()) {
            workspace.config.tree().into_iter().for_each(|module| outlook.adopt_data(&read, module));
        }
        outlook
    }

    fn new(world: World<'w>, workspace: &Workspace, values: Instances) -> Outlook<'w> {
        let modules = workspace.config.tree();
        // Callers come first.
        for module in &modules {
            for call in module.calls.values() {
                world.expand_call(&module.path, call);
            }
        }
        for (address, instances) in values {
            let Some(module) = world.module(&address.module) else { continue };
            let expansion = Expansion::of_keys(instances.keys());
            world.set_resource(&module, &address.resource, ResourceValues::new(expansion, instances));
        }
        modules.iter().for_each(|module| set_empty(&world, module));
        world.take_diagnostics();
        let root = world.root();
        Outlook { world, root }
    }

    fn adopt_data(&self, read: &Outlook<'_>, module: &Module) {
        for instance in self.world.instances(&module.path) {
            let data = module.resources.keys().filter(|resource| resource.mode == lang::addr::Mode::Data);
            for resource in data {
                let known = self.world.resource(&instance, resource).is_some_and(|v| !v.expansion.keys().is_empty());
                let stored = read.world.module(&instance.address).and_then(|m| read.world.resource(&m, resource));
                if let (false, Some(stored)) = (known, stored) {
                    let instances = stored.expansion.keys().into_iter();
                    let instances = instances.filter_map(|key| Some((key.clone(), stored.instance(&key)?))).collect();
                    let values = ResourceValues::new(stored.expansion.clone(), instances);
                    self.world.set_resource(&instance, resource, values);
                }
            }
        }
    }

    /// The root module's outputs.
    pub fn outputs(&self) -> Value {
        let names = self.root.config.outputs.keys();
        Value::object(names.map(|name| (name.clone(), self.output(name))))
    }

    /// An output as tests see it: as it is stored, where what is unknown within a value is null.
    fn output(&self, name: &Str) -> Value {
        let value = self.world.output(&self.root, name);
        if value.is_known() { null_where_unknown(&value) } else { Value::dynamic().with_marks(value.marks) }
    }

    /// Evaluates the assertions of a test. Returns whether all hold, and messages.
    pub fn assert(&self, rules: &[CheckRule], names: TestNames<'_>) -> (CheckStatus, Diagnostics) {
        let scope = TestScope { outlook: self, own: self.world.scope(&self.root), names };
        let mut status = CheckStatus::Pass;
        for rule in rules {
            let mut diagnostics = Diagnostics::new();
            if self.is_sound(rule, names, &mut diagnostics) {
                let object = Checkable::Check(Str::new_static(""));
                let (root, rules) = (ModuleInstance::root(), std::slice::from_ref(rule));
                status = worse(status, evaluate_rules(&self.world, &root, object, rules, &scope, RuleKind::Test));
            } else {
                status = CheckStatus::Error;
                self.world.report(diagnostics);
            }
        }
        (status, self.world.take_diagnostics())
    }

    /// Whether an assertion names only what is declared. Runs and outputs are looked up when it is evaluated.
    fn is_sound(&self, rule: &CheckRule, names: TestNames<'_>, diagnostics: &mut Diagnostics) -> bool {
        let check = ReferenceCheck::new(self.world.workspace, &self.root.config, Place::default());
        let of_tests = |traversal: &&Traversal| match (traversal.root.as_str(), first_name(traversal)) {
            ("run" | "output", _) => true,
            ("var", Some(name)) => names.variables.contains_key(name),
            _ => false,
        };
        let traversals = [&rule.condition, &rule.error_message].into_iter().flat_map(|expr| expr.traversals());
        check.traversals(traversals.filter(|traversal| !of_tests(traversal)), diagnostics) == References::Sound
    }
}

/// What the assertions of a test can name beside the tested module's own names.
#[derive(Clone, Copy)]
pub struct TestNames<'a> {
    /// `run.NAME`: the outputs of the file's runs; none yet for those that have not come to their end.
    pub runs: &'a BTreeMap<Str, Option<Value>>,
    /// `var.NAME`: variables of the test that the module does not declare.
    pub variables: &'a BTreeMap<Str, Value>,
}

fn null_where_unknown(value: &Value) -> Value {
    value.transform(&mut |_, inner| if inner.is_known() { inner } else { Value::null(inner.ty()) })
}

/// Resources with a repetition and without instances have none: they are not unknown.
fn set_empty(world: &World<'_>, module: &Module) {
    for instance in world.instances(&module.path) {
        for (resource, block) in &module.resources {
            let expansion = match (&block.count, &block.for_each) {
                (Some(_), _) => Expansion::Count(0),
                (_, Some(_)) => Expansion::ForEach(Default::default()),
                _ => continue,
            };
            if world.resource(&instance, resource).is_none() {
                world.set_resource(&instance, resource, ResourceValues::new(expansion, BTreeMap::new()));
            }
        }
    }
}

/// The names of an assertion: the tested module's own, its outputs and the earlier runs.
struct TestScope<'a> {
    outlook: &'a Outlook<'a>,
    own: BlockScope<'a>,
    names: TestNames<'a>,
}

fn first_name(traversal: &Traversal) -> Option<&Str> {
    traversal.steps.first().and_then(|step| match &step.kind {
        StepKind::Attribute(name) => Some(name),
        _ => None,
    })
}

impl Scope for TestScope<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let named =
            Range { end: traversal.steps.first().map_or(traversal.range, |step| step.range).end, ..traversal.range };
        let undeclared = |summary: &str, detail: String| Err(Diagnostic::error(summary, detail).at(named));
        let root = &self.outlook.root;
        match (traversal.root.as_str(), first_name(traversal)) {
            ("run", Some(name)) => match self.names.runs.get(name) {
                Some(Some(outputs)) => Ok((outputs.clone(), 1)),
                Some(None) => undeclared(
                    "Reference to unevaluated run block",
                    format!(
                        "The run {name:?} block has not yet been evaluated, so its results are not available here."
                    ),
                ),
                None => undeclared(
                    "Reference to undeclared run block",
                    format!("There is no run {name:?} declared in this test suite."),
                ),
            },
            ("output", Some(name)) if root.config.outputs.contains_key(name) => Ok((self.outlook.output(name), 1)),
            ("output", Some(name)) => undeclared(
                "Reference to undeclared output value",
                format!("An output value with the name {name:?} has not been declared."),
            ),
            ("var", Some(name)) => match self.names.variables.get(name) {
                Some(value) => Ok((value.clone(), 1)),
                None => self.own.resolve(traversal),
            },
            _ => self.own.resolve(traversal),
        }
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.own.functions()
    }
}
