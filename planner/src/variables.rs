//! Input variables: from what is given to a checked value.

use std::collections::BTreeMap;

use lang::addr::ModuleInstance;
use lang::ast::Traversal;
use lang::eval::{Scope, evaluate};
use lang::functions::FunctionTable;
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Range, Value};

use config::module::{CheckRule, Variable};

use crate::checks::{self, RuleKind};
use crate::plan::{CheckStatus, Checkable};
use crate::planning::planning_functions;
use crate::scope::{BlockScope, Phase, World};
use crate::workspace::{GivenVariable, VariableValue, Workspace};

/// The value of a root input variable.
pub fn root_value(
    world: &World<'_>,
    variable: &Variable,
    given: Option<&GivenVariable>,
    diagnostics: &mut Diagnostics,
) -> Value {
    if world.phase == Phase::Validate {
        return mark(variable, Value::unknown(variable.ty.clone()));
    }
    let required = || {
        Diagnostic::error(
            "No value for required variable",
            format!(
                "The root module input variable \"{}\" is not set, and has no default value. Use a -var or -var-file command \
                 line argument to provide a value for this variable.",
                variable.name
            ),
        )
        .at(variable.range)
    };
    let Some(given) = given else {
        if variable.default.is_some() {
            let value = default_value(variable);
            return accept(world, &ModuleInstance::root(), variable, value, variable.range, diagnostics);
        }
        diagnostics.push(required());
        return Value::unknown(variable.ty.clone());
    };
    let place = if given.range == Range::NONE { variable.range } else { given.range };
    let Some(value) = given_value(world, variable, given, diagnostics) else {
        // A value that cannot be read is none.
        diagnostics.extend(variable.default.is_none().then(required));
        return Value::unknown(variable.ty.clone());
    };
    accept(world, &ModuleInstance::root(), variable, value, place, diagnostics)
}

/// A given value as it is written, before it is converted to the variable's type. `None` after an error.
fn given_value(
    world: &World<'_>,
    variable: &Variable,
    given: &GivenVariable,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    let before = diagnostics.error_count();
    let value = match &given.value {
        VariableValue::Value(value) => value.clone(),
        VariableValue::Expr(expr) => evaluate(expr, &Constants(world), diagnostics),
        VariableValue::Text(text) if variable.parse_literally => Value::string(text.as_str()),
        VariableValue::Text(text) => {
            let name = format!("<value for var.{}>", variable.name);
            let (expr, problems) = lang::syntax::parse_private_expression(&world.workspace.sources, &name, text);
            let failed = problems.has_errors();
            diagnostics.append(problems);
            if failed {
                return None;
            }
            evaluate(&expr, &Constants(world), diagnostics)
        }
    };
    (diagnostics.error_count() == before).then_some(value)
}

/// A value given for a root variable, as it is written, or why it cannot be read.
pub fn given(workspace: &Workspace, variable: &Variable, given: &GivenVariable) -> Result<Value, Diagnostics> {
    let world = World::new(workspace, Phase::Plan, BTreeMap::new(), planning_functions(workspace));
    let mut diagnostics = Diagnostics::new();
    given_value(&world, variable, given, &mut diagnostics).ok_or(diagnostics)
}

/// What a value is to a variable that it is given for: of the variable's type, with its defaults. `None` if it does not fit.
pub fn fitted(variable: &Variable, value: Value) -> Option<Value> {
    variable.defaults.apply(value).convert(&variable.ty).ok()
}

/// What a plan records of a root variable: the value as it was given, or the default; with the variable's marks.
pub fn recorded(world: &World<'_>, variable: &Variable) -> Value {
    // Mistakes in it were reported when the variable was visited.
    let mut ignored = Diagnostics::new();
    let given = world.given(&variable.name).and_then(|given| given_value(world, variable, given, &mut ignored));
    mark(variable, given.unwrap_or_else(|| default_value(variable)))
}

/// The default of a variable, or null.
pub fn default_value(variable: &Variable) -> Value {
    variable.default.clone().unwrap_or_else(|| Value::null(variable.ty.clone()))
}

/// Converts a value to the variable's type, applies defaults and marks, and checks the validations.
pub fn accept(
    world: &World<'_>,
    module: &ModuleInstance,
    variable: &Variable,
    value: Value,
    place: Range,
    diagnostics: &mut Diagnostics,
) -> Value {
    let dot = if module.is_root() { "" } else { "." };
    let name = format!("{module}{dot}var.{}", variable.name);
    // A null stands for "not given" where null is no value of its own.
    let value = match &variable.default {
        Some(default) if value.is_null() && !variable.nullable => default.clone(),
        _ => value,
    };
    let value = variable.defaults.apply(value);
    let refused = |summary: &str, verb: &str, reason: &dyn std::fmt::Display| {
        let detail = if place == variable.range {
            let given = world.given(&variable.name);
            let origin = given.map_or("from outside of the configuration", |given| given.origin.as_str());
            format!("Unsuitable value for {name} set {origin}: {reason}.")
        } else {
            let declared = world.workspace.place(variable.range);
            format!("The given value is not suitable for {name} {verb} at {declared}: {reason}.")
        };
        (Diagnostic::error(summary, detail).at(place), mark(variable, Value::unknown(variable.ty.clone())))
    };
    let (problem, value) = match value.convert(&variable.ty) {
        Ok(value) if value.is_null() && !variable.nullable => {
            refused("Required variable not set", "defined", &"required variable may not be set to null")
        }
        Ok(value) => return mark(variable, value),
        Err(error) => refused("Invalid value for input variable", "declared", &error),
    };
    diagnostics.push(problem);
    value
}

/// Marks a value as its variable is declared.
pub fn mark(variable: &Variable, value: Value) -> Value {
    let mut marks = Marks::empty();
    marks.set(Marks::SENSITIVE, variable.sensitive);
    marks.set(Marks::EPHEMERAL, variable.ephemeral);
    value.with_marks(marks)
}

/// Checks the validations of a variable in one module instance. Returns whether all hold or are not known yet.
pub fn validate(world: &World<'_>, module: &crate::scope::ModuleScope, variable: &Variable) -> bool {
    validate_rules(world, module, variable, &variable.validations)
}

/// The same for some of its rules.
pub fn validate_rules(
    world: &World<'_>,
    module: &crate::scope::ModuleScope,
    variable: &Variable,
    rules: &[CheckRule],
) -> bool {
    if rules.is_empty() {
        return true;
    }
    let value = world.variable(module, &variable.name);
    let scope = world.scope(module);
    let scope = WithVariable { name: &variable.name, value: &value, inner: &scope };
    let kind = RuleKind::Validation { place: variable_place(world, module, variable) };
    let object = Checkable::Variable(variable.name.clone());
    let status = checks::evaluate_rules(world, &module.address, object, rules, &scope, kind);
    matches!(status, CheckStatus::Pass | CheckStatus::Unknown)
}

/// Where a message about the variable's value points: at the argument of the module call, else at the declaration.
fn variable_place(world: &World<'_>, module: &crate::scope::ModuleScope, variable: &Variable) -> Range {
    let argument = || {
        let parent = world.module(&module.address.parent()?)?;
        let (call, _) = module.address.0.last()?;
        let argument = parent.config.calls.get(call)?.arguments.iter().find(|a| a.name == variable.name)?;
        Some(argument.expr.range)
    };
    // A value that a test gives stands in the test file.
    let tested = || {
        let given = world.given(&variable.name).filter(|_| module.address.is_root())?;
        matches!(given.value, VariableValue::Value(_)).then_some(given.range).filter(|range| *range != Range::NONE)
    };
    argument().or_else(tested).unwrap_or(variable.range)
}

/// A scope in which nothing is known: for values of variable files and arguments.
struct Constants<'w>(&'w World<'w>);

impl Scope for Constants<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        Err(Diagnostic::error("Variables not allowed", "Variables may not be used here.").at(traversal.range))
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.0.functions()
    }
}

/// A scope in which `var.NAME` is a given value.
struct WithVariable<'a> {
    name: &'a str,
    value: &'a Value,
    inner: &'a BlockScope<'a>,
}

impl Scope for WithVariable<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let own = traversal.root == "var"
            && traversal
                .steps
                .first()
                .is_some_and(|step| matches!(&step.kind, lang::ast::StepKind::Attribute(name) if name == self.name));
        if own { Ok((self.value.clone(), 1)) } else { self.inner.resolve(traversal) }
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.inner.functions()
    }
}
