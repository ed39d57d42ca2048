//! Conditions: variable validations, pre- and postconditions, check assertions.

use std::collections::{BTreeMap, HashSet};

use config::module::{Check, CheckRule, Module, Output, Variable};
use lang::addr::{InstanceKey, ModuleInstance, ModulePath};
use lang::eval::{Scope, evaluate};
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Range, Str, Type};

use crate::decode::referenced_values;
use crate::plan::{CheckOutcome, CheckStatus, Checkable};
use crate::scope::{ModuleScope, Phase, World};
use crate::sync::lock;

/// How the objects with conditions stand, as far as a walk has come.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// By module and object.
    outcomes: BTreeMap<(ModuleInstance, Checkable), Standing>,
    /// What of the configuration has instances that are known.
    expanded: HashSet<(ModulePath, Checkable)>,
}

#[derive(Debug)]
struct Standing {
    outcome: CheckOutcome,
    /// Whether this walk has looked: else it is what was known before.
    is_seen: bool,
}

/// What a rule belongs to, which decides how its failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// `validation`; `place` is where the value comes from.
    Validation {
        /// The argument, or the variable's declaration.
        place: Range,
    },
    /// `precondition` of a resource.
    Precondition,
    /// `postcondition` of a resource.
    Postcondition,
    /// `precondition` of an output.
    OutputPrecondition,
    /// `assert` of a check block: a failure is a warning.
    Assertion,
    /// `assert` of a test: the plan or apply must have come out this way.
    Test,
}

const UNKNOWN_IN_TEST: &str = "Condition expression could not be evaluated at this time. This means you have executed a \
`run` block with `command = plan` and one of the values your condition depended on is not known until after the plan has been \
applied. Either remove this value from your condition, or execute an `apply` command from this `run` block. Alternatively, if \
there is an override for this value, you can make it available during the plan phase by setting `override_during = plan` in \
the `override_` block.";

impl RuleKind {
    /// Whether a refresh goes on where such a condition does not hold.
    fn can_only_warn(self) -> bool {
        matches!(self, RuleKind::Precondition | RuleKind::Postcondition | RuleKind::OutputPrecondition)
    }

    fn summary(self) -> &'static str {
        match self {
            RuleKind::Validation { .. } => "Invalid value for variable",
            RuleKind::Precondition => "Resource precondition failed",
            RuleKind::Postcondition => "Resource postcondition failed",
            RuleKind::OutputPrecondition => "Module output value precondition failed",
            RuleKind::Assertion => "Check block assertion failed",
            RuleKind::Test => "Test assertion failed",
        }
    }
}

/// Evaluates the rules of one object, reports failures and records the outcome. Returns the worst status, where what is only
/// warned of is as good as fine.
pub fn evaluate_rules(
    world: &World<'_>,
    module: &ModuleInstance,
    object: Checkable,
    rules: &[CheckRule],
    scope: &dyn Scope,
    kind: RuleKind,
) -> CheckStatus {
    let unknown_instance = matches!(&object, Checkable::Resource(_, InstanceKey::Unknown));
    if module.is_unknown() || unknown_instance {
        // What does not exist yet, perhaps never will, has no outcome.
        return CheckStatus::Unknown;
    }
    let mut outcome = CheckOutcome::new(module.clone(), object, CheckStatus::Pass);
    for rule in rules {
        let mut diagnostics = Diagnostics::new();
        let (status, problem) = evaluate_rule(world, rule, scope, kind, &mut diagnostics);
        outcome.status = worse(outcome.status, status);
        outcome.problems.extend(problem);
        world.report(diagnostics);
    }
    let status = outcome.status;
    world.record_check(outcome);
    if world.only_warns && kind.can_only_warn() && status == CheckStatus::Fail { CheckStatus::Pass } else { status }
}

pub(crate) fn worse(a: CheckStatus, b: CheckStatus) -> CheckStatus {
    let rank = |status| match status {
        CheckStatus::Pass => 0,
        CheckStatus::Unknown => 1,
        CheckStatus::Fail => 2,
        CheckStatus::Error => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn evaluate_rule(
    world: &World<'_>,
    rule: &CheckRule,
    scope: &dyn Scope,
    kind: RuleKind,
    diagnostics: &mut Diagnostics,
) -> (CheckStatus, Option<String>) {
    let before = diagnostics.len();
    let (result, _) = evaluate(&rule.condition, scope, diagnostics).unmark();
    // What is wrong with the message is told whether it is needed or not; a validation looks at it when it fails.
    let message = match kind {
        RuleKind::Validation { .. } => None,
        _ => Some(error_message(rule, scope, diagnostics)),
    };
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return (CheckStatus::Error, None);
    }
    let (summary, what) = match kind {
        RuleKind::Validation { .. } => ("Invalid variable validation result", "validation condition"),
        _ => ("Invalid condition result", "condition"),
    };
    let invalid = |detail: String| {
        Diagnostic::error(summary, detail)
            .at(rule.condition.range)
            .with_values(referenced_values(&rule.condition, scope))
    };
    if !result.is_known() && kind == RuleKind::Test {
        diagnostics.push(
            Diagnostic::error("Unknown condition value", UNKNOWN_IN_TEST)
                .at(rule.condition.range)
                .with_values(referenced_values(&rule.condition, scope)),
        );
        return (CheckStatus::Error, None);
    }
    if !result.is_known() {
        if kind == RuleKind::Assertion && world.phase == Phase::Plan {
            let detail =
                "The condition could not be evaluated at this time, a result will be known when this plan is applied.";
            diagnostics.push(
                Diagnostic::warning("Check block assertion known after apply", detail)
                    .at(rule.condition.range)
                    .with_values(referenced_values(&rule.condition, scope))
                    .as_check_warning(),
            );
        }
        return (CheckStatus::Unknown, None);
    }
    if result.is_null() {
        diagnostics.push(invalid(
            if summary.starts_with("Invalid v") {
                "Validation condition expression must return either true or false, not null."
            } else {
                "Condition expression must return either true or false, not null."
            }
            .to_owned(),
        ));
        return (CheckStatus::Error, None);
    }
    let holds = match result.convert(&Type::Bool) {
        Ok(value) => value.as_bool(),
        Err(error) => {
            diagnostics.push(invalid(format!("Invalid {what} result value: {error}.")));
            return (CheckStatus::Error, None);
        }
    };
    if holds != Some(false) {
        return (CheckStatus::Pass, None);
    }
    let message = message.unwrap_or_else(|| error_message(rule, scope, diagnostics));
    let values = referenced_values(&rule.condition, scope);
    let diagnostic = match kind {
        RuleKind::Assertion => {
            Diagnostic::warning(kind.summary(), message.clone()).at(rule.condition.range).as_check_warning()
        }
        RuleKind::Validation { place } => {
            let by = format!("\n\nThis was checked by the validation rule at {}.", world.workspace.place(rule.range));
            Diagnostic::error(kind.summary(), format!("{message}{by}")).at(place)
        }
        kind if world.only_warns && kind.can_only_warn() => {
            Diagnostic::warning(kind.summary(), message.clone()).at(rule.condition.range)
        }
        _ => Diagnostic::error(kind.summary(), message.clone()).at(rule.condition.range),
    };
    diagnostics.push(diagnostic.with_values(values));
    (CheckStatus::Fail, Some(message))
}

/// The text of a rule's message, or what stands for it where there is none; in that case with a diagnostic.
pub(crate) fn error_message(rule: &CheckRule, scope: &dyn Scope, diagnostics: &mut Diagnostics) -> String {
    let before = diagnostics.len();
    let value = evaluate(&rule.error_message, scope, diagnostics);
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return "Failed to evaluate condition error message.".to_owned();
    }
    let marks = value.deep_marks();
    if marks.contains(Marks::SENSITIVE) {
        diagnostics.push(
            Diagnostic::warning(
                "Error message refers to sensitive values",
                "The error expression used to explain this condition refers to sensitive values, so Terraform will not \
                 display the resulting message.\n\nYou can correct this by removing references to sensitive values, or by \
                 carefully using the nonsensitive() function if the expression will not reveal the sensitive data.",
            )
            .at(rule.error_message.range)
            .with_values(referenced_values(&rule.error_message, scope)),
        );
        return "The error message included a sensitive value, so it will not be displayed.".to_owned();
    }
    if marks.contains(Marks::EPHEMERAL) {
        return "The error message included an ephemeral value, so it will not be displayed.".to_owned();
    }
    let problem = match value.convert(&Type::String) {
        Ok(text) if text.is_null() => "must not be null".to_owned(),
        Ok(text) => return text.as_str().map(|text| text.trim().to_owned()).unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let detail = format!("Unsuitable value for error message: {problem}.");
    diagnostics.push(Diagnostic::error("Invalid error message", detail).at(rule.error_message.range));
    "Failed to evaluate condition error message.".to_owned()
}

/// Whether something of a module has conditions.
pub(crate) fn has_conditions(module: &Module, object: &Checkable) -> bool {
    match object {
        Checkable::Variable(name) => module.variables.get(name).is_some_and(Variable::has_conditions),
        Checkable::Resource(resource, _) => module.resources.get(resource).is_some_and(|block| block.has_conditions()),
        Checkable::Output(name) => module.outputs.get(name).is_some_and(Output::has_conditions),
        Checkable::Check(name) => module.checks.contains_key(name),
    }
}

/// Names everything in a configuration that has conditions, by module.
pub(crate) fn declared(root: &Module) -> impl Iterator<Item = (&ModulePath, Checkable)> {
    root.tree().into_iter().flat_map(|module| {
        let variables = module.variables.values().filter(|variable| variable.has_conditions());
        let resources = module.resources.iter().filter(|(_, block)| block.has_conditions());
        let outputs = module.outputs.iter().filter(|(_, output)| output.has_conditions());
        let variables = variables.map(|variable| Checkable::Variable(variable.name.clone()));
        let resources = resources.map(|(resource, _)| Checkable::Resource(resource.clone(), InstanceKey::None));
        let outputs = outputs.map(|(name, _)| Checkable::Output(name.clone()));
        let checks = module.checks.keys().cloned().map(Checkable::Check);
        let all = variables.chain(resources).chain(outputs).chain(checks);
        all.map(|object| (&module.path, object))
    })
}

impl Checkable {
    /// What it is in the configuration: without the key of an instance.
    pub fn config(&self) -> Checkable {
        match self {
            Checkable::Resource(resource, _) => Checkable::Resource(resource.clone(), InstanceKey::None),
            other => other.clone(),
        }
    }
}

impl World<'_> {
    /// Notes which instances an object of the configuration has, and how they stand as long as nobody looks.
    pub(crate) fn expect_checks(
        &self,
        path: &ModulePath,
        object: &Checkable,
        instances: impl IntoIterator<Item = CheckOutcome>,
    ) {
        let mut checks = lock(&self.checks);
        checks.expanded.insert((path.clone(), object.config()));
        for outcome in instances {
            let key = (outcome.module.clone(), outcome.object.clone());
            checks.outcomes.entry(key).or_insert(Standing { outcome, is_seen: false });
        }
    }

    /// Whether an instance is known to be looked at.
    pub(crate) fn expects_check(&self, module: &ModuleInstance, object: &Checkable) -> bool {
        lock(&self.checks).outcomes.contains_key(&(module.clone(), object.clone()))
    }

    /// Evaluates the assertions of a check block in one module instance. If its data source could not be read, it has failed
    /// already.
    pub(crate) fn evaluate_check(&self, module: &ModuleScope, check: &Check) {
        let object = Checkable::Check(check.name.clone());
        let key = (module.address.clone(), object.clone());
        let failed = |standing: &Standing| standing.is_seen && standing.outcome.status == CheckStatus::Fail;
        if lock(&self.checks).outcomes.get(&key).is_some_and(failed) {
            return;
        }
        let scope = self.scope(module);
        evaluate_rules(self, &module.address, object, &check.asserts, &scope, RuleKind::Assertion);
    }

    /// Takes note that the data source in a check block could not be read: the check has failed, everything else goes on.
    pub(crate) fn fail_check(&self, module: &ModuleInstance, check: &Str, problems: Diagnostics) {
        let line = |problem: &Diagnostic| match problem.detail() {
            "" => problem.summary().to_owned(),
            detail => format!("{}: {detail}", problem.summary()),
        };
        let lines: Vec<String> = problems.iter().map(line).collect();
        let message = match &lines[..] {
            [line] => line.clone(),
            lines => format!("{} problems:\n\n- {}", lines.len(), lines.join("\n- ")),
        };
        let outcome = CheckOutcome::new(module.clone(), Checkable::Check(check.clone()), CheckStatus::Fail);
        self.record_check(CheckOutcome { problems: vec![message], ..outcome });
        self.report(problems.into_iter().map(Diagnostic::as_check_warning).collect());
    }

    /// Records how a checkable object stands; a second recording of the same object keeps the worse status.
    pub fn record_check(&self, outcome: CheckOutcome) {
        let mut checks = lock(&self.checks);
        let key = (outcome.module.clone(), outcome.object.clone());
        match checks.outcomes.get_mut(&key).filter(|known| known.is_seen) {
            Some(Standing { outcome: known, .. }) => {
                known.status = worse(known.status, outcome.status);
                known.problems.extend(outcome.problems);
            }
            None => {
                checks.outcomes.insert(key, Standing { outcome, is_seen: true });
            }
        }
    }

    /// The outcomes, by module and object, and what of the configuration has none: it is fine if it is known to have no
    /// instances.
    pub fn check_outcomes(&self) -> Vec<CheckOutcome> {
        let checks = lock(&self.checks);
        let mut outcomes: Vec<CheckOutcome> =
            checks.outcomes.values().map(|standing| standing.outcome.clone()).collect();
        let seen: HashSet<(ModulePath, Checkable)> =
            outcomes.iter().map(|outcome| (outcome.module.path(), outcome.object.config())).collect();
        for (path, object) in declared(&self.workspace.config) {
            let seen_as = (path.clone(), object);
            if !seen.contains(&seen_as) {
                let status = match checks.expanded.contains(&seen_as) {
                    true => CheckStatus::Pass,
                    false => CheckStatus::Unknown,
                };
                let outcome = CheckOutcome::new(path.unkeyed(), seen_as.1, status);
                outcomes.push(CheckOutcome { is_instance: false, ..outcome });
            }
        }
        outcomes
    }

    /// The outcomes of a destroy, which looks at no conditions: the root's outputs alone are there.
    pub fn check_outcomes_of_destroy(&self) -> Vec<CheckOutcome> {
        let unknown = |(path, object): (&ModulePath, Checkable)| {
            let is_instance = path.is_root() && matches!(object, Checkable::Output(_));
            CheckOutcome { is_instance, ..CheckOutcome::new(path.unkeyed(), object, CheckStatus::Unknown) }
        };
        declared(&self.workspace.config).map(unknown).collect()
    }

    /// How many errors were reported so far.
    pub fn error_count(&self) -> usize {
        lock(&self.diagnostics).iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    /// The functions of the language.
    pub fn functions(&self) -> &dyn lang::functions::FunctionTable {
        &self.functions
    }
}
