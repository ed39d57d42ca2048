//! What names mean: variables, locals, resources and modules of every module instance, evaluated once on demand.
//!
//! Every walk (validate, plan, apply) has a [`World`]. The graph orders the walk so that whatever an expression refers to is
//! there before the expression is evaluated; what is not there (left out by `-target`, or failed) is unknown.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, RwLock};

use config::module::{Module, ModuleCall};
use lang::addr::{InstanceKey, Mode, ModuleInstance, Resource};
use lang::ast::{StepKind, Traversal};
use lang::eval::{Holdings, Scope, evaluate};
use lang::functions::{CallContext, FunctionTable, Functions};
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Range, Str, Type, Value};

use crate::checks::Checks;
use crate::deferral::Undecided;
use crate::expansion::{Expansion, Repetition, UnknownExpansion, expand};
use crate::self_references;
use crate::sync::{lock, read, write};
use crate::variables;
use crate::workspace::{GivenVariable, ProviderRegistry, Workspace};

/// Which walk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing outside the configuration is known.
    Validate,
    /// What is made only by an apply is unknown.
    Plan,
    /// Everything is known once its dependencies were applied.
    Apply,
}

/// Everything that names can mean in one walk.
pub struct World<'w> {
    /// What the run works on.
    pub workspace: &'w Workspace,
    /// Which walk it is.
    pub phase: Phase,
    /// Whether conditions that do not hold are only warned of: a refresh changes nothing.
    pub(crate) only_warns: bool,
    pub(crate) functions: Functions,
    pub(crate) checks: Mutex<Checks>,
    given: BTreeMap<Str, GivenVariable>,
    root: Arc<ModuleScope>,
    modules: RwLock<HashMap<ModuleInstance, Arc<ModuleScope>>>,
    pub(crate) undecided: Undecided,
    pub(crate) diagnostics: Mutex<Diagnostics>,
    holdings: Holdings,
}

/// The names of one module instance.
pub struct ModuleScope {
    /// Its configuration.
    pub config: Arc<Module>,
    /// Its address.
    pub address: ModuleInstance,
    /// What `count` and `each` mean in the arguments of its call.
    repetition: Repetition,
    functions: Functions,
    variables: Memo<Str>,
    locals: Memo<Str>,
    outputs: Memo<Str>,
    calls: RwLock<HashMap<Str, Expansion>>,
    resources: RwLock<HashMap<Resource, Arc<ResourceValues>>>,
}

/// The instances of a resource in one module instance.
pub struct ResourceValues {
    /// Which there are.
    pub expansion: Expansion,
    inner: RwLock<InstanceValues>,
}

#[derive(Default)]
struct InstanceValues {
    /// The instance without a key: most resources have only that one, and a map for it would be mostly empty.
    single: Option<Value>,
    /// Those with keys.
    keyed: BTreeMap<InstanceKey, Value>,
    whole: Option<Value>,
}

impl InstanceValues {
    fn get(&self, key: &InstanceKey) -> Option<&Value> {
        if *key == InstanceKey::None { self.single.as_ref() } else { self.keyed.get(key) }
    }
}

impl ModuleScope {
    /// A module instance of which nothing is known yet.
    pub(crate) fn new(
        config: Arc<Module>,
        address: ModuleInstance,
        repetition: Repetition,
        providers: &ProviderRegistry,
        functions: CallContext,
    ) -> ModuleScope {
        ModuleScope {
            functions: crate::functions::table(&config, providers, functions),
            config,
            address,
            repetition,
            variables: Memo::new(),
            locals: Memo::new(),
            outputs: Memo::new(),
            calls: RwLock::new(HashMap::new()),
            resources: RwLock::new(HashMap::new()),
        }
    }
}

impl ResourceValues {
    /// Instances of an expansion, with their values.
    pub fn new(expansion: Expansion, instances: BTreeMap<InstanceKey, Value>) -> ResourceValues {
        let (mut keyed, mut single) = (instances, None);
        if let Some(value) = keyed.remove(&InstanceKey::None) {
            // An emptied map would keep its room.
            (keyed, single) = (keyed.into_iter().collect(), Some(value));
        }
        ResourceValues { expansion, inner: RwLock::new(InstanceValues { single, keyed, whole: None }) }
    }

    /// Only the instances that have a value: where a part of the configuration is planned, the others are not there yet.
    pub fn existing(expansion: Expansion, instances: BTreeMap<InstanceKey, Value>) -> ResourceValues {
        let expansion = match expansion {
            Expansion::Count(_) => Expansion::Count(
                instances
                    .keys()
                    .map(|key| match key {
                        InstanceKey::Index(index) => index + 1,
                        InstanceKey::None | InstanceKey::Name(_) | InstanceKey::Unknown => 0,
                    })
                    .max()
                    .unwrap_or_default(),
            ),
            Expansion::ForEach(values) => {
                let there = |name: &Str| instances.contains_key(&InstanceKey::Name(name.clone()));
                let values = values.iter().filter(|(name, _)| there(name));
                Expansion::ForEach(Arc::new(values.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
            other => other,
        };
        ResourceValues::new(expansion, instances)
    }

    /// Sets the value of an instance.
    pub fn set(&self, key: InstanceKey, value: Value) {
        let mut inner = write(&self.inner);
        match key {
            InstanceKey::None => inner.single = Some(value),
            key => drop(inner.keyed.insert(key, value)),
        }
        inner.whole = None;
    }

    /// The value of one instance.
    pub fn instance(&self, key: &InstanceKey) -> Option<Value> {
        read(&self.inner).get(key).cloned()
    }

    /// What the resource's name alone means: an object, a tuple of objects, or an object of objects. Built once.
    pub fn whole(&self) -> Value {
        if let Some(whole) = &read(&self.inner).whole {
            return whole.clone();
        }
        let mut inner = write(&self.inner);
        let of = |key: &InstanceKey| inner.get(key).cloned().unwrap_or_else(Value::dynamic);
        let whole = match &self.expansion {
            Expansion::Single => of(&InstanceKey::None),
            Expansion::Count(count) => {
                Value::tuple((0..*count).map(|i| of(&InstanceKey::Index(i))).collect::<Vec<_>>())
            }
            Expansion::ForEach(values) => {
                Value::object(values.keys().map(|name| (name.clone(), of(&InstanceKey::Name(name.clone())))))
            }
            Expansion::Unknown => Value::dynamic(),
        };
        inner.whole = Some(whole.clone());
        whole
    }
}

/// Values that are evaluated once. A name that is asked for while it is evaluated is unknown: the graph has refused such
/// a cycle before.
struct Memo<K>(Mutex<HashMap<K, Option<Value>>>);

impl<K: Eq + Hash + Clone> Memo<K> {
    fn new() -> Memo<K> {
        Memo(Mutex::new(HashMap::new()))
    }

    fn get_or(&self, key: &K, compute: impl FnOnce() -> Value) -> Value {
        if let Some(known) = lock(&self.0).get(key) {
            return known.clone().unwrap_or_else(Value::dynamic);
        }
        lock(&self.0).insert(key.clone(), None);
        let value = compute();
        lock(&self.0).insert(key.clone(), Some(value.clone()));
        value
    }
}

impl<'w> World<'w> {
    /// A world in which only the root module is there.
    pub fn new(
        workspace: &'w Workspace,
        phase: Phase,
        given: BTreeMap<Str, GivenVariable>,
        functions: Functions,
    ) -> World<'w> {
        let (config, context) = (workspace.config.clone(), functions.context().clone());
        let providers = &workspace.providers;
        let root = Arc::new(ModuleScope::new(config, ModuleInstance::root(), Repetition::None, providers, context));
        World {
            workspace,
            phase,
            only_warns: false,
            functions,
            checks: Mutex::default(),
            given,
            modules: RwLock::new(HashMap::from([(ModuleInstance::root(), root.clone())])),
            root,
            undecided: Undecided::default(),
            diagnostics: Mutex::new(Diagnostics::new()),
            holdings: Holdings::default(),
        }
    }

    fn add_module(&self, config: Arc<Module>, address: ModuleInstance, repetition: Repetition) {
        let functions = self.functions.context().clone();
        let scope = ModuleScope::new(config, address.clone(), repetition, &self.workspace.providers, functions);
        write(&self.modules).insert(address, Arc::new(scope));
    }

    /// A module instance, if it is expanded.
    pub fn module(&self, address: &ModuleInstance) -> Option<Arc<ModuleScope>> {
        read(&self.modules).get(address).cloned()
    }

    /// The root module.
    pub fn root(&self) -> Arc<ModuleScope> {
        self.root.clone()
    }

    /// The expanded instances of a module path, in address order.
    pub fn instances(&self, path: &lang::addr::ModulePath) -> Vec<Arc<ModuleScope>> {
        if path.is_root() {
            return self.module(&ModuleInstance::root()).into_iter().collect();
        }
        let Some(parent) = path.parent() else { return Vec::new() };
        let Some(name) = path.0.last() else { return Vec::new() };
        let mut found = Vec::new();
        for caller in self.instances(&parent) {
            let Some(expansion) = read(&caller.calls).get(name).cloned() else { continue };
            let keys = match expansion {
                Expansion::Unknown => vec![self.stand_in()],
                _ => expansion.keys(),
            };
            found.extend(keys.into_iter().filter_map(|key| self.module(&caller.address.child(name.clone(), key))));
        }
        found
    }

    /// What was given for a root input variable.
    pub fn given(&self, name: &str) -> Option<&GivenVariable> {
        self.given.get(name)
    }

    /// Adds messages.
    pub fn report(&self, diagnostics: Diagnostics) {
        lock(&self.diagnostics).append(diagnostics);
    }

    /// Takes all messages so far.
    pub fn take_diagnostics(&self) -> Diagnostics {
        std::mem::take(&mut *lock(&self.diagnostics))
    }

    /// Expands a module call in every instance of its caller. False after an error.
    pub fn expand_call(&self, caller: &lang::addr::ModulePath, call: &ModuleCall) -> bool {
        let mut fine = true;
        for parent in self.instances(caller) {
            let Some(child) = parent.config.children.get(&call.name).cloned() else { continue };
            let Some(expansion) = self.call_expansion(&parent, call) else {
                fine = false;
                continue;
            };
            // One instance stands for all while validating.
            let expansion = match (self.phase, &expansion) {
                (Phase::Validate, Expansion::Count(_) | Expansion::ForEach(_)) => Expansion::Unknown,
                _ => expansion,
            };
            if matches!(expansion, Expansion::Unknown) {
                self.add_module(child, parent.address.child(call.name.clone(), self.stand_in()), Repetition::Any);
            } else {
                for key in expansion.keys() {
                    let repetition = match self.phase {
                        // Terraform leaves it to the plan to refuse `count` and `each` without a repetition.
                        Phase::Validate => Repetition::Any,
                        Phase::Plan | Phase::Apply => expansion.repetition(&key),
                    };
                    self.add_module(child.clone(), parent.address.child(call.name.clone(), key), repetition);
                }
            }
            write(&parent.calls).insert(call.name.clone(), expansion);
        }
        fine
    }

    /// Whether it is known whether a module instance is there: the call that would make it was reached.
    pub fn is_settled(&self, address: &ModuleInstance) -> bool {
        let Some((parent, (call, _))) = address.parent().zip(address.0.last()) else { return true };
        match self.module(&parent) {
            Some(parent) => read(&parent.calls).contains_key(call),
            None => self.is_settled(&parent),
        }
    }

    /// The instances of a call. `None` after an error.
    fn call_expansion(&self, parent: &ModuleScope, call: &ModuleCall) -> Option<Expansion> {
        if self.undecided.is_call(&parent.address, &call.name) {
            return Some(Expansion::Unknown);
        }
        let unknown = match self.phase {
            Phase::Validate => UnknownExpansion::Accept,
            Phase::Plan | Phase::Apply => self.undecided.unknown_expansion(),
        };
        let mut diagnostics = Diagnostics::new();
        let scope = self.scope(parent);
        let expansion = expand(call.count.as_deref(), call.for_each.as_deref(), &scope, unknown, &mut diagnostics);
        self.report(diagnostics);
        expansion
    }

    /// The key of the module instance that stands for all instances of a call. While validating it is none, so that
    /// messages show plain addresses.
    fn stand_in(&self) -> InstanceKey {
        match self.phase {
            Phase::Validate => InstanceKey::None,
            Phase::Plan | Phase::Apply => InstanceKey::Unknown,
        }
    }

    /// Whether nobody knows yet if there will be such a module instance.
    pub(crate) fn is_undecided(&self, module: &ModuleInstance) -> bool {
        let mut caller = self.root();
        for (name, key) in module.0.iter() {
            if matches!(read(&caller.calls).get(name), Some(Expansion::Unknown)) {
                return true;
            }
            match self.module(&caller.address.child(name.clone(), key.clone())) {
                Some(next) => caller = next,
                None => return false,
            }
        }
        false
    }

    /// The scope of a module instance outside any repeated block.
    pub fn scope<'s>(&'s self, module: &'s ModuleScope) -> BlockScope<'s> {
        BlockScope { world: self, module, repetition: &Repetition::None, self_value: None }
    }

    /// The value of an input variable; evaluated and checked on first use.
    pub fn variable(&self, module: &ModuleScope, name: &Str) -> Value {
        module.variables.get_or(name, || {
            let Some(variable) = module.config.variables.get(name) else { return Value::dynamic() };
            let mut diagnostics = Diagnostics::new();
            let value = if module.address.is_root() {
                variables::root_value(self, variable, self.given.get(name), &mut diagnostics)
            } else {
                let value = self
                    .argument(module, name, &mut diagnostics)
                    .map(|(value, place)| {
                        variables::accept(self, &module.address, variable, value, place, &mut diagnostics)
                    })
                    .unwrap_or_else(|| variables::mark(variable, variables::default_value(variable)));
                // What holds for one call need not hold for another: a module is validated for all values.
                match self.phase {
                    Phase::Validate => variables::mark(variable, Value::unknown(variable.ty.clone())),
                    Phase::Plan | Phase::Apply => value,
                }
            };
            self.report(diagnostics);
            value
        })
    }

    /// The argument that a module instance was called with.
    fn argument(&self, module: &ModuleScope, name: &Str, diagnostics: &mut Diagnostics) -> Option<(Value, Range)> {
        let parent = self.module(&module.address.parent()?)?;
        let (call_name, _) = module.address.0.last()?;
        let call = parent.config.calls.get(call_name)?;
        let argument = call.arguments.iter().find(|argument| argument.name == *name)?;
        let scope = BlockScope { world: self, module: &parent, repetition: &module.repetition, self_value: None };
        let before = diagnostics.len();
        let value = evaluate(&argument.expr, &scope, diagnostics);
        let (value, refused) = self.holdings.keep(value, argument.expr.range);
        diagnostics.extend(refused);
        let failed = diagnostics.iter().skip(before).any(Diagnostic::is_error);
        let value = if failed { Value::dynamic() } else { value };
        let accepts = module.config.variables.get(name).is_some_and(|variable| variable.ephemeral);
        if !accepts && value.deep_marks().contains(Marks::EPHEMERAL) {
            let detail = "This input variable is not declared as accepting a ephemeral values, so it cannot be set to a \
                          result derived from an ephemeral value.";
            diagnostics.push(Diagnostic::error("Ephemeral value not allowed", detail).at(argument.expr.range));
        }
        Some((value, argument.expr.range))
    }

    /// The value of a local.
    pub fn local(&self, module: &ModuleScope, name: &Str) -> Value {
        module.locals.get_or(name, || {
            let Some(local) = module.config.locals.get(name) else { return Value::dynamic() };
            let own = self_references::of_local(local);
            if !own.is_empty() {
                self.report(own);
                return Value::dynamic();
            }
            self.evaluate_in(module, &local.expr)
        })
    }

    /// The value of an output. One of the root is marked sensitive where it is declared so; in a called module that is only
    /// said of it, as in Terraform 1.11: were its callers' objects marked in the state, either program would plan to change
    /// what the other has applied.
    pub fn output(&self, module: &ModuleScope, name: &Str) -> Value {
        module.outputs.get_or(name, || {
            let Some(output) = module.config.outputs.get(name) else { return Value::dynamic() };
            let (value, mut diagnostics) = self.evaluated(module, &output.value);
            if module.address.is_root() {
                self.report(diagnostics);
                return if output.sensitive { value.with_marks(Marks::SENSITIVE) } else { value };
            }
            if output.ephemeral && !value.marks.contains(Marks::EPHEMERAL) && !diagnostics.has_errors() {
                let detail = "This output value is declared as returning an ephemeral value, so it can only be set to an \
                              ephemeral value.";
                let problem = Diagnostic::error("Value not allowed in ephemeral output", detail);
                diagnostics.push(problem.at(output.value.range));
            }
            self.report(diagnostics);
            value
        })
    }

    fn evaluate_in(&self, module: &ModuleScope, expr: &lang::ast::Expr) -> Value {
        let (value, diagnostics) = self.evaluated(module, expr);
        self.report(diagnostics);
        value
    }

    fn evaluated(&self, module: &ModuleScope, expr: &lang::ast::Expr) -> (Value, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let value = evaluate(expr, &self.scope(module), &mut diagnostics);
        let (value, refused) = self.holdings.keep(value, expr.range);
        diagnostics.extend(refused);
        (value, diagnostics)
    }

    /// Sets what a resource's name means in a module instance.
    pub fn set_resource(&self, module: &ModuleScope, resource: &Resource, values: ResourceValues) {
        write(&module.resources).insert(resource.clone(), Arc::new(values));
    }

    /// What a resource's name means in a module instance, if it was reached.
    pub fn resource(&self, module: &ModuleScope, resource: &Resource) -> Option<Arc<ResourceValues>> {
        read(&module.resources).get(resource).cloned()
    }

    /// The whole of a module: an object of its outputs, or a tuple or object of such objects.
    fn whole_module(&self, caller: &ModuleScope, name: &Str) -> Value {
        let Some(expansion) = read(&caller.calls).get(name).cloned() else { return Value::dynamic() };
        let of = |key: InstanceKey| match self.module(&caller.address.child(name.clone(), key)) {
            Some(module) => self.all_outputs(&module),
            None => Value::dynamic(),
        };
        match &expansion {
            Expansion::Single => of(InstanceKey::None),
            Expansion::Count(count) => Value::tuple((0..*count).map(|i| of(InstanceKey::Index(i))).collect::<Vec<_>>()),
            Expansion::ForEach(values) => {
                Value::object(values.keys().map(|key| (key.clone(), of(InstanceKey::Name(key.clone())))))
            }
            Expansion::Unknown => self.some_modules(caller, name),
        }
    }

    /// Instances of a module of which is not known how many there are.
    fn some_modules(&self, caller: &ModuleScope, name: &Str) -> Value {
        let (call, child) = (caller.config.calls.get(name), caller.config.children.get(name));
        let (Some(call), Some(child)) = (call, child) else { return Value::dynamic() };
        let outputs = child.outputs.keys().map(|output| (output.clone(), Value::dynamic()));
        let one = Value::object(outputs).ty();
        Value::unknown(if call.count.is_some() { Type::list(one) } else { Type::map(one) })
    }

    fn all_outputs(&self, module: &ModuleScope) -> Value {
        let value = |name: &Str| match self.phase {
            Phase::Validate => Value::dynamic(),
            Phase::Plan | Phase::Apply => self.output(module, name),
        };
        let outputs = Value::object(module.config.outputs.keys().map(|name| (name.clone(), value(name))));
        match self.phase {
            Phase::Validate => Value::unknown(outputs.ty()),
            Phase::Plan | Phase::Apply => outputs,
        }
    }
}

/// The scope of one block: a module instance, with `count`, `each` and `self` as they are there.
pub struct BlockScope<'s> {
    /// The world.
    pub world: &'s World<'s>,
    /// The module instance.
    pub module: &'s ModuleScope,
    /// What `count` and `each` mean.
    pub repetition: &'s Repetition,
    /// What `self` means.
    pub self_value: Option<Value>,
}

impl Scope for BlockScope<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        match traversal.root.as_str() {
            "var" => {
                let name = attribute(traversal, 0)?;
                Ok((self.world.variable(self.module, name), 1))
            }
            "local" => {
                let name = attribute(traversal, 0)?;
                Ok((self.world.local(self.module, name), 1))
            }
            "module" => self.resolve_module(traversal),
            "data" => self.resolve_resource(traversal, Mode::Data, attribute(traversal, 0)?, 1),
            "ephemeral" => self.resolve_resource(traversal, Mode::Ephemeral, attribute(traversal, 0)?, 1),
            "resource" => self.resolve_resource(traversal, Mode::Managed, attribute(traversal, 0)?, 1),
            "each" => self.resolve_each(traversal),
            "count" => self.resolve_count(traversal),
            "self" => match &self.self_value {
                Some(value) => Ok((value.clone(), 0)),
                None => Err(invalid(
                    traversal,
                    "Invalid \"self\" reference",
                    "The \"self\" object is not available in this context. This object can be used only in resource \
                     provisioner, connection, and postcondition blocks.",
                )),
            },
            "path" => self.resolve_path(traversal),
            "terraform" => self.resolve_terraform(traversal),
            _ => self.resolve_resource(traversal, Mode::Managed, &traversal.root, 0),
        }
    }

    fn functions(&self) -> &dyn FunctionTable {
        &self.module.functions
    }
}

impl BlockScope<'_> {
    fn resolve_module(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let name = attribute(traversal, 0)?;
        let expansion = read(&self.module.calls).get(name).cloned();
        let Some(expansion) = expansion else { return Ok((Value::dynamic(), traversal.steps.len())) };
        // `module.a.out` and `module.a["k"].out` need one output, not the whole module.
        let (key, next) = match (&expansion, step_key(traversal, 1)) {
            // A key that the call doesn't have is found when it is planned.
            (Expansion::Single, Some(_)) if self.world.phase == Phase::Validate => {
                return Ok((Value::dynamic(), traversal.steps.len()));
            }
            (Expansion::Single, _) => (InstanceKey::None, 1),
            (_, Some(key)) if expansion.contains(&key) => (key, 2),
            (Expansion::Unknown, Some(_)) => return Ok((Value::dynamic(), traversal.steps.len())),
            _ => return Ok((self.world.whole_module(self.module, name), 1)),
        };
        let output = traversal.steps.get(next).map(|step| &step.kind);
        if let Some(StepKind::Attribute(output)) = output
            && let Some(module) = self.world.module(&self.module.address.child(name.clone(), key))
            && module.config.outputs.contains_key(output)
        {
            if self.world.phase == Phase::Validate {
                return Ok((Value::dynamic(), next + 1));
            }
            return Ok((self.world.output(&module, output), next + 1));
        }
        Ok((self.world.whole_module(self.module, name), 1))
    }

    fn resolve_resource(
        &self,
        traversal: &Traversal,
        mode: Mode,
        kind: &Str,
        name_at: usize,
    ) -> Result<(Value, usize), Diagnostic> {
        let name = attribute(traversal, name_at)?;
        let resource = Resource { mode, kind: kind.clone(), name: name.clone() };
        let consumed = name_at + 1;
        let Some(block) = self.module.config.resources.get(&resource) else {
            let detail = format!("A resource \"{kind}\" \"{name}\" has not been declared in this module.");
            return Err(invalid(traversal, "Reference to undeclared resource", &detail));
        };
        match self.world.resource(self.module, &resource) {
            Some(values) => {
                // `x.y[0].id` needs one instance, not all of them.
                if let Some(key) = step_key(traversal, consumed)
                    && !matches!(values.expansion, Expansion::Single)
                    && let Some(value) = values.instance(&key)
                {
                    return Ok((value, consumed + 1));
                }
                let whole = values.whole();
                let unopened = mode == Mode::Ephemeral && matches!(values.expansion, Expansion::Unknown);
                Ok((if unopened { whole.with_marks(Marks::EPHEMERAL) } else { whole }, consumed))
            }
            // Validation knows nothing of a resource's values, not even their types.
            None if self.world.phase == Phase::Validate || block.count.is_some() || block.for_each.is_some() => {
                Ok((Value::dynamic(), traversal.steps.len()))
            }
            None => {
                let schema = self.world.workspace.providers.block(&block.provider_source, &resource);
                let ty = schema.map_or(Type::Dynamic, |schema| schema.implied_type().clone());
                Ok((Value::unknown(ty), consumed))
            }
        }
    }

    fn resolve_each(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let value = match (attribute(traversal, 0)?.as_str(), self.repetition) {
            ("key", Repetition::Each(key, _)) => key.clone(),
            ("value", Repetition::Each(_, value)) => value.clone(),
            ("key", Repetition::Any) => Value::unknown(Type::String).refine_not_null(),
            ("value", Repetition::Any) => Value::dynamic(),
            ("key" | "value", _) => {
                return Err(invalid(
                    traversal,
                    "Reference to \"each\" in context without for_each",
                    "The \"each\" object can be used only in \"module\" or \"resource\" blocks, and only when the \
                     \"for_each\" argument is set.",
                ));
            }
            (name, _) => {
                let detail = format!(
                    "The \"each\" object does not have an attribute named \"{name}\". The supported attributes are \
                     each.key and each.value, the current key and value pair of the \"for_each\" attribute set."
                );
                return Err(invalid(traversal, "Invalid \"each\" attribute", &detail));
            }
        };
        Ok((value, 1))
    }

    fn resolve_count(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        match (attribute(traversal, 0)?.as_str(), self.repetition) {
            ("index", Repetition::Count(index)) => Ok((Value::number(*index), 1)),
            ("index", Repetition::Any) => Ok((Value::unknown(Type::Number).refine_not_null(), 1)),
            ("index", _) => Err(invalid(
                traversal,
                "Reference to \"count\" in non-counted context",
                "The \"count\" object can only be used in \"module\", \"resource\", and \"data\" blocks, and only when \
                 the \"count\" argument is set.",
            )),
            (name, _) => {
                let detail = format!(
                    "The \"count\" object does not have an attribute named \"{name}\". The only supported attribute is \
                     count.index, which is the index of each instance of a resource block that has the \"count\" \
                     argument set."
                );
                Err(invalid(traversal, "Invalid \"count\" attribute", &detail))
            }
        }
    }

    fn resolve_path(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let workspace = self.world.workspace;
        let path = match attribute(traversal, 0)?.as_str() {
            "module" => &self.module.config.dir,
            "root" => &workspace.root_dir,
            "cwd" => &workspace.working_dir,
            name => {
                let detail = format!(
                    "The \"path\" object does not have an attribute named \"{name}\". The supported attributes are cwd, \
                     module, and root."
                );
                return Err(invalid(traversal, "Invalid \"path\" attribute", &detail));
            }
        };
        Ok((Value::string(path.to_string_lossy().as_ref()), 1))
    }

    fn resolve_terraform(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        match attribute(traversal, 0)?.as_str() {
            "workspace" => Ok((Value::string(self.world.workspace.name.clone()), 1)),
            "applying" => {
                let applying = match self.world.phase {
                    Phase::Validate => Value::unknown(Type::Bool),
                    phase => Value::bool(phase == Phase::Apply),
                };
                Ok((applying.with_marks(Marks::EPHEMERAL), 1))
            }
            name => {
                let detail = format!(
                    "The \"terraform\" object does not have an attribute named \"{name}\". The only supported attribute \
                     is terraform.workspace, the name of the currently-selected workspace."
                );
                Err(invalid(traversal, "Invalid \"terraform\" attribute", &detail))
            }
        }
    }
}

fn attribute(traversal: &Traversal, at: usize) -> Result<&Str, Diagnostic> {
    match traversal.steps.get(at).map(|step| &step.kind) {
        Some(StepKind::Attribute(name)) => Ok(name),
        _ => {
            let detail = format!(
                "The \"{}\" object cannot be accessed directly. Instead, access one of its attributes.",
                traversal.root
            );
            Err(invalid(traversal, "Invalid reference", &detail))
        }
    }
}

fn step_key(traversal: &Traversal, at: usize) -> Option<InstanceKey> {
    match &traversal.steps.get(at)?.kind {
        StepKind::Index(number) => number.to_u64().map(InstanceKey::Index),
        StepKind::Key(key) => Some(InstanceKey::Name(key.clone())),
        StepKind::Attribute(_) => None,
    }
}

fn invalid(traversal: &Traversal, summary: &str, detail: &str) -> Diagnostic {
    Diagnostic::error(summary, detail).at(traversal.range)
}
