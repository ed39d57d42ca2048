//! `replace_triggered_by` and `ignore_changes`: references and paths inside `lifecycle`.

use config::references::{Reference, Subject};
use lang::addr::{ConfigResource, InstanceKey};
use lang::ast::{Expr, ExprKind, Step, StepKind, Traversal};
use lang::eval::evaluate;
use lang::values::{Path, PathStep};
use lang::{Diagnostic, Diagnostics, Range, Value};

use crate::plan::{Action, ResourceChange};
use crate::planning::Planning;
use crate::scope::{BlockScope, ModuleScope};
use crate::sync::{lock, read};

/// The path of an `ignore_changes` entry.
pub(crate) fn relative_path(traversal: &Traversal) -> Vec<PathStep> {
    let first = PathStep::Attribute(traversal.root.clone());
    std::iter::once(first).chain(traversal.steps.iter().map(path_step)).collect()
}

fn path_step(step: &Step) -> PathStep {
    match &step.kind {
        StepKind::Attribute(name) => PathStep::Attribute(name.clone()),
        StepKind::Key(key) => PathStep::key(key.clone()),
        StepKind::Index(index) => PathStep::Index(Value::number(index.clone())),
    }
}

/// Whether what a `replace_triggered_by` entry names changes in this plan: an update or replacement of a whole resource or
/// instance, or a change of the attribute that it names.
pub(crate) fn is_triggered(
    planning: &Planning<'_>,
    module: &ModuleScope,
    scope: &BlockScope<'_>,
    expr: &Expr,
) -> Result<bool, Diagnostic> {
    let invalid = |place: Range| {
        let detail = "The replace_triggered_by argument takes references to resources, their instances or attributes.";
        Diagnostic::error("Invalid replace_triggered_by expression", detail).at(place)
    };
    let traversal = static_traversal(expr, scope, &invalid)?;
    let reference = Reference::parse(&traversal)?;
    let (resource, key) = match &reference.subject {
        Subject::Resource(resource) => (resource, None),
        Subject::ResourceInstance(resource, key) => (resource, Some(key)),
        _ => {
            let detail = "Only resources can be used in replace_triggered_by.";
            return Err(Diagnostic::error("Invalid reference", detail).at(expr.range));
        }
    };
    let within = if module.address.is_root() { "the root module".to_owned() } else { module.address.to_string() };
    if !module.config.resources.contains_key(resource) {
        let detail = format!("A resource {resource} has not been declared in {within}");
        return Err(Diagnostic::error("Reference to undeclared resource", detail).at(traversal.range));
    }
    let path: Vec<PathStep> = reference.remaining().iter().map(path_step).collect();
    let config = ConfigResource { module: module.config.path.clone(), resource: resource.clone() };
    let changes = lock(&planning.changes);
    let of_resource = |change: &&ResourceChange| {
        change.address.config() == config
            && change.address.module == module.address
            && key.is_none_or(|key| *key == change.address.key || *key == InstanceKey::None)
    };
    let concerned: Vec<&ResourceChange> = changes.iter().filter(of_resource).collect();
    // What is not there at all can't trigger anything, which is hardly what is meant.
    let address = module.address.resource(resource.clone());
    let planned = planning.selection.is_everything() && !read(&planning.deferred_resources).contains(&config);
    if concerned.is_empty() && planned && planning.stored.resource(&address).is_none() {
        let key = key.map(ToString::to_string).unwrap_or_default();
        return Err(Diagnostic::error(format!("no change found for {resource}{key} in {within}"), ""));
    }
    Ok(concerned.into_iter().any(|change| changes_at(change, &path)))
}

fn changes_at(change: &ResourceChange, path: &[PathStep]) -> bool {
    match change.action {
        // What comes or goes as a whole has no value that changes.
        Action::NoOp | Action::Read | Action::Create | Action::Delete | Action::Forget => return false,
        Action::Update | Action::DeleteThenCreate | Action::CreateThenDelete if path.is_empty() => return true,
        Action::Update | Action::DeleteThenCreate | Action::CreateThenDelete => {}
    }
    let path = Path(path.to_vec());
    match (change.before.at_path(&path), change.after.at_path(&path)) {
        (Some(before), Some(after)) => !before.raw_equals(after),
        (None, None) => false,
        _ => true,
    }
}

/// A traversal whose keys may be `each.key` or `count.index`. `invalid` is the message for what is none.
pub(crate) fn static_traversal(
    expr: &Expr,
    scope: &BlockScope<'_>,
    invalid: &dyn Fn(Range) -> Diagnostic,
) -> Result<Traversal, Diagnostic> {
    match &expr.kind {
        ExprKind::Traversal(traversal) => Ok((**traversal).clone()),
        ExprKind::RelativeTraversal(relative) => {
            let mut traversal = static_traversal(&relative.source, scope, invalid)?;
            traversal.steps = traversal.steps.iter().chain(relative.steps.iter()).cloned().collect();
            Ok(traversal)
        }
        ExprKind::Index(index) => {
            let mut traversal = static_traversal(&index.collection, scope, invalid)?;
            let mut diagnostics = Diagnostics::new();
            let (key, _) = evaluate(&index.key, scope, &mut diagnostics).unmark();
            if let Some(diagnostic) = diagnostics.into_iter().find(Diagnostic::is_error) {
                return Err(diagnostic);
            }
            let kind = match (key.as_str(), key.as_number()) {
                (Some(text), _) => StepKind::Key(text.clone()),
                (None, Some(number)) => StepKind::Index(number.clone()),
                (None, None) => return Err(invalid(index.key.range)),
            };
            let step = Step { range: index.brackets, kind };
            traversal.steps = traversal.steps.iter().cloned().chain([step]).collect();
            Ok(traversal)
        }
        _ => expr.as_traversal().ok_or_else(|| invalid(expr.range)),
    }
}
