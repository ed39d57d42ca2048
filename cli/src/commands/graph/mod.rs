//! `graph`

mod drawing;
mod operation;

use std::collections::{BTreeMap, BTreeSet};

use clap::ArgAction;
use lang::addr::AbsResource;
use lang::{Diagnostic, Diagnostics};
use planner::Workspace;
use planner::graph::ConfigGraph;
use state::State;

use self::operation::Phase;
use super::Exit;
use crate::session::Session;
use lang::quoting::go_quote;

/// Produces a representation of the dependency graph between different objects in the current configuration and state, in
/// the DOT language.
#[derive(Debug, clap::Parser)]
pub struct GraphArgs {
    /// Type of operation graph to output: plan, plan-refresh-only, plan-destroy, or apply. Without it only the resources are drawn.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Render the graph of applying the given plan file instead of the configuration in the current directory. Implies -type=apply.
    #[arg(long, value_name = "tfplan")]
    pub plan: Option<String>,
    /// Accepted and ignored: a cycle is an error that names what is in it.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub draw_cycles: bool,
    /// Accepted and ignored, as by Terraform.
    #[arg(long, value_name = "n", default_value_t = -1)]
    pub module_depth: i64,
}

/// Runs the command.
pub async fn run(session: &Session, args: &GraphArgs) -> Exit {
    match draw(session, args).await {
        Ok(text) => {
            session.ui.print(&text);
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

async fn draw(session: &Session, args: &GraphArgs) -> Result<String, Diagnostics> {
    if let Some(path) = &args.plan {
        if let Err(error) = std::fs::metadata(path) {
            session.ui.eprint(&format!("stat {path}: {}\n", crate::io::reason(&error)));
            return Err(Diagnostics::new());
        }
        let saved = crate::saved_plan::read(session, path)?;
        let workspace = crate::saved_plan::workspace(session, &saved)?;
        let config = || ConfigGraph::build(&workspace, &BTreeSet::new());
        return Ok(match args.kind.as_deref() {
            Some("plan" | "plan-refresh-only") => {
                operation::whole(&workspace, &config(), &saved.plan.prior_state, Phase::Plan).text()
            }
            Some("plan-destroy") => operation::destroy(&workspace, &config(), &saved.plan.prior_state).text(),
            _ => operation::apply(&workspace, &saved.plan).text(),
        });
    }
    let (workspace, mut diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return Err(diagnostics) };
    let config = ConfigGraph::build(&workspace, &BTreeSet::new());
    diagnostics.append(config.cycles());
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let state = session.read_state(None).await?.unwrap_or_default();
    match args.kind.as_deref().filter(|kind| !kind.is_empty()) {
        None => Ok(resources(&workspace, &config, &state)),
        // Nothing is known of changes without a plan: an apply walks what a plan does.
        Some("apply") => Ok(operation::whole(&workspace, &config, &state, Phase::Apply).text()),
        Some("plan" | "plan-refresh-only") => Ok(operation::whole(&workspace, &config, &state, Phase::Plan).text()),
        Some("plan-destroy") => Ok(operation::destroy(&workspace, &config, &state).text()),
        Some(_) => {
            let detail = "The -type=... argument must be either \"plan\", \"plan-refresh-only\", \"plan-destroy\", or \"apply\".";
            Err(Diagnostic::error("Unsupported graph type", detail).into())
        }
    }
}

/// The resources alone, those of each module in a box.
fn resources(workspace: &Workspace, config: &ConfigGraph, state: &State) -> String {
    let mut text = "digraph G {\n  rankdir = \"RL\";\n  node [shape = rect, fontname = \"sans-serif\"];\n".to_owned();
    let drawing = operation::whole(workspace, config, state, Phase::Plan);
    let boxes = drawing.boxes();
    let mut modules: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let stored = state.resources.keys().map(AbsResource::config);
    for resource in workspace.config.resources_of_tree().chain(stored) {
        let address = resource.to_string();
        if boxes.contains_key(address.as_str()) {
            modules.entry(resource.module.to_string()).or_default().insert(resource.resource.to_string(), address);
        }
    }
    if modules.is_empty() {
        text.push_str(
            "  /* This configuration does not contain any resources.         */\n  /* For a more detailed graph, try: \
             terraform graph -type=plan */\n",
        );
    }
    for (module, resources) in &modules {
        let margin = if module.is_empty() { "  " } else { "    " };
        if !module.is_empty() {
            text.push_str(&format!("  subgraph {} {{\n", go_quote(&format!("cluster_{module}"))));
            text.push_str(&format!("    label = {}\n    fontname = \"sans-serif\"\n", go_quote(module)));
        }
        for (resource, address) in resources {
            text.push_str(&format!("{margin}{} [label={}];\n", go_quote(address), go_quote(resource)));
        }
        if !module.is_empty() {
            text.push_str("  }\n");
        }
    }
    for address in modules.values().flat_map(BTreeMap::values) {
        for needed in boxes.get(address.as_str()).into_iter().flatten() {
            text.push_str(&format!("  {} -> {};\n", go_quote(address), go_quote(needed)));
        }
    }
    format!("{text}}}\n")
}
