//! Values of variables: given from outside for all files, by a file for its runs, by a run for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::module::Module;
use config::test_file::{Run, TestFile};
use lang::ast::{Attribute, StepKind, Traversal};
use lang::eval::{NoScope, evaluate};
use lang::functions::Functions;
use lang::{Diagnostic, Diagnostics, Str, Value};
use planner::{GivenVariable, VariableValue, Workspace};

use crate::names::{Names, Standing};

/// Values that are given from outside of test files, declared or not.
#[derive(Default)]
pub struct Globals {
    /// For all test files.
    pub everywhere: BTreeMap<Str, GivenVariable>,
    /// For those in the directory of tests, in the first place.
    pub in_directory: BTreeMap<Str, GivenVariable>,
    /// The directory of tests.
    pub directory: PathBuf,
}

impl Globals {
    fn of(&self, file: &TestFile) -> BTreeMap<Str, GivenVariable> {
        let mut all = self.everywhere.clone();
        if Path::new(&file.name).parent().is_some_and(|directory| directory == self.directory) {
            all.extend(self.in_directory.clone());
        }
        all
    }
}

/// The variables of a run.
#[derive(Default)]
pub(crate) struct RunVariables {
    /// For the tested module.
    pub given: BTreeMap<Str, GivenVariable>,
    /// What run blocks and what belongs to them can name.
    pub shared: BTreeMap<Str, Value>,
    /// Variables that the tested module does not declare, for assertions.
    pub extra: BTreeMap<Str, Value>,
}

/// What variables are evaluated with.
pub(crate) struct Setting<'a> {
    /// The configuration under test and its surroundings.
    pub workspace: &'a Workspace,
    /// What is given from outside.
    pub globals: &'a Globals,
    /// The outputs of the file's runs.
    pub runs: &'a BTreeMap<Str, Option<Value>>,
    /// What can be called.
    pub functions: &'a Functions,
}

impl Setting<'_> {
    /// The variables of a run that tests a module.
    pub fn variables(
        &self,
        file: &TestFile,
        run: &Run,
        module: &Module,
        diagnostics: &mut Diagnostics,
    ) -> RunVariables {
        let mut given = self.globals.of(file);
        let globals: BTreeMap<Str, Value> =
            given.iter().filter_map(|(name, outer)| Some((name.clone(), self.global(module, name, outer)?))).collect();
        let named = named_variables(run);
        let relevant = |name: &Str| module.variables.contains_key(name) || named.by_asserts.contains(name);
        let replaced = |name: &Str| run.variables.iter().any(|own| own.name == *name);
        let mut shared = globals.clone();
        let mut own: Vec<(&Attribute, Value)> = Vec::new();
        for attribute in &file.variables {
            let name = &attribute.name;
            let mut problems = Diagnostics::new();
            let value = self.evaluate(attribute, &globals, Standing::FileVariables, &mut problems);
            if named.by_variables.contains(name) || (relevant(name) && !replaced(name)) {
                diagnostics.append(problems);
            }
            shared.insert(name.clone(), value.clone());
            if !replaced(name) {
                own.push((attribute, value));
            }
        }
        for attribute in &run.variables {
            let value = self.evaluate(attribute, &shared, Standing::Run, diagnostics);
            if !relevant(&attribute.name) {
                let detail = format!(
                    "The module under test does not declare a variable named {:?}, but it is declared in run block {:?}.",
                    attribute.name, run.name
                );
                let warning = Diagnostic::warning("Value for undeclared variable", detail);
                diagnostics.push(warning.at(attribute.expr.range));
            }
            own.push((attribute, value));
        }
        let mut extra = shared.clone();
        for (attribute, value) in own {
            extra.insert(attribute.name.clone(), value.clone());
            let variable = GivenVariable {
                value: VariableValue::Value(value),
                origin: "in the test file".to_owned(),
                range: attribute.expr.range,
                automatic: false,
            };
            given.insert(attribute.name.clone(), variable);
        }
        given.retain(|name, _| module.variables.contains_key(name));
        extra.retain(|name, _| !module.variables.contains_key(name));
        missing(run, module, &given, diagnostics);
        RunVariables { given, shared, extra }
    }

    fn evaluate(
        &self,
        attribute: &Attribute,
        variables: &BTreeMap<Str, Value>,
        standing: Standing,
        diagnostics: &mut Diagnostics,
    ) -> Value {
        let names = Names { variables, runs: self.runs, standing, functions: self.functions };
        evaluate(&attribute.expr, &names, diagnostics)
    }

    /// What a value from outside is worth.
    fn global(&self, module: &Module, name: &Str, given: &GivenVariable) -> Option<Value> {
        if let Some(variable) = module.variables.get(name) {
            let value = planner::given_value(self.workspace, variable, given).ok()?;
            return planner::fitted_value(variable, value);
        }
        Some(match &given.value {
            VariableValue::Text(text) => Value::string(text.as_str()),
            VariableValue::Expr(expr) => evaluate(expr, &NoScope, &mut Diagnostics::new()),
            VariableValue::Value(value) => value.clone(),
        })
    }
}

/// The variables that a run names.
struct Named {
    by_asserts: BTreeSet<Str>,
    by_variables: BTreeSet<Str>,
}

fn named_variables(run: &Run) -> Named {
    let name = |traversal: &Traversal| match traversal.steps.first().map(|step| &step.kind) {
        Some(StepKind::Attribute(name)) if traversal.root == "var" => Some(name.clone()),
        _ => None,
    };
    let asserts = run.asserts.iter().flat_map(|rule| [&rule.condition, &rule.error_message]);
    let variables = run.variables.iter().map(|attribute| &attribute.expr);
    Named {
        by_asserts: asserts.flat_map(|expr| expr.traversals()).filter_map(name).collect(),
        by_variables: variables.flat_map(|expr| expr.traversals()).filter_map(name).collect(),
    }
}

/// Reports variables that have neither value nor default.
fn missing(run: &Run, module: &Module, given: &BTreeMap<Str, GivenVariable>, diagnostics: &mut Diagnostics) {
    for (name, variable) in &module.variables {
        if variable.default.is_none() && !given.contains_key(name) {
            let detail = format!(
                "The module under test for run block {:?} has a required variable {name:?} with no set value. Use a -var or \
                 -var-file command line argument or add this variable into a \"variables\" block within the test file or run \
                 block.",
                run.name
            );
            diagnostics.push(Diagnostic::error("No value for required variable", detail).at(variable.range));
        }
    }
}
