//! Names that mean something before anything is planned: variables, locals, paths.

use std::collections::BTreeMap;

use lang::ast::{StepKind, Traversal};
use lang::eval::Scope;
use lang::functions::FunctionTable;
use lang::{Diagnostic, Diagnostics, Str, Value};

use crate::planning::planning_functions;
use crate::scope::{BlockScope, Phase, World};
use crate::workspace::{GivenVariable, Workspace};

/// Evaluates what stands in the root module outside of all that is planned. Comes with messages about variables and locals.
pub fn with_static_scope<T>(
    workspace: &Workspace,
    given: BTreeMap<Str, GivenVariable>,
    evaluate: impl FnOnce(&dyn Scope) -> T,
) -> (T, Diagnostics) {
    let world = World::new(workspace, Phase::Plan, given, planning_functions(workspace));
    let root = world.root();
    let result = evaluate(&StaticScope(world.scope(&root)));
    (result, world.take_diagnostics())
}

struct StaticScope<'s>(BlockScope<'s>);

impl Scope for StaticScope<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let config = &self.0.module.config;
        let name = match traversal.steps.first().map(|step| &step.kind) {
            Some(StepKind::Attribute(name)) => name.as_str(),
            _ => "",
        };
        let is_there = match traversal.root.as_str() {
            "var" => config.variables.contains_key(name),
            "local" => config.locals.contains_key(name),
            "path" | "terraform" => true,
            _ => {
                let detail = "Only variables, locals, paths and terraform.workspace can be used here: this is read before \
                              any state.";
                return Err(Diagnostic::error("Invalid reference", detail).at(traversal.range));
            }
        };
        if !is_there && !name.is_empty() {
            let detail = format!("The root module declares no {}.{name}.", traversal.root);
            return Err(Diagnostic::error("Reference to undeclared object", detail).at(traversal.range));
        }
        self.0.resolve(traversal)
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.0.functions()
    }
}
