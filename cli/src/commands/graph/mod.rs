//! `graph`

mod drawing;
mod operation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::ArgAction;
use config::module::Module;
use lang::addr::ConfigResource;
use lang::{Diagnostic, Diagnostics};
use planner::Workspace;
use planner::graph::ConfigGraph;

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
        return Ok(match args.kind.as_deref() {
            Some("plan" | "plan-refresh-only") => {
                operation::whole(&workspace, &saved.plan.prior_state, Phase::Plan).text()
            }
            Some("plan-destroy") => operation::destroy(&workspace, &saved.plan.prior_state).text(),
            _ => operation::apply(&workspace, &saved.plan).text(),
        });
    }
    let (workspace, mut diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return Err(diagnostics) };
    let graph = ConfigGraph::build(&workspace, &BTreeSet::new());
    diagnostics.append(graph.cycles());
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let state = session.read_state(None).await?.unwrap_or_default();
    match args.kind.as_deref().filter(|kind| !kind.is_empty()) {
        None => Ok(resources(&workspace, &graph)),
        // Nothing is known of changes without a plan: an apply walks what a plan does.
        Some("apply") => Ok(operation::whole(&workspace, &state, Phase::Apply).text()),
        Some("plan" | "plan-refresh-only") => Ok(operation::whole(&workspace, &state, Phase::Plan).text()),
        Some("plan-destroy") => Ok(operation::destroy(&workspace, &state).text()),
        Some(_) => {
            let detail = "The -type=... argument must be either \"plan\", \"plan-refresh-only\", \"plan-destroy\", or \"apply\".";
            Err(Diagnostic::error("Unsupported graph type", detail).into())
        }
    }
}

/// The resources alone.
fn resources(workspace: &Workspace, graph: &ConfigGraph) -> String {
    let mut text = "digraph G {\n  rankdir = \"RL\";\n  node [shape = rect, fontname = \"sans-serif\"];\n".to_owned();
    let before = text.len();
    nodes(&workspace.config, &mut text);
    if text.len() == before {
        text.push_str(
            "  /* This configuration does not contain any resources.         */\n  /* For a more detailed graph, try: \
             terraform graph -type=plan */\n",
        );
    }
    let needs: BTreeMap<String, BTreeSet<String>> =
        graph.resource_dependencies().iter().map(|(from, to)| (from.to_string(), names(to))).collect();
    for (from, all) in &needs {
        // What another need needs anyway is no edge of its own.
        let implied: BTreeSet<&String> = all.iter().filter_map(|via| needs.get(via)).flatten().collect();
        for to in all.iter().filter(|to| !implied.contains(to)) {
            text.push_str(&format!("  {} -> {};\n", go_quote(from), go_quote(to)));
        }
    }
    format!("{text}}}\n")
}

fn names(resources: &[Arc<ConfigResource>]) -> BTreeSet<String> {
    resources.iter().map(ToString::to_string).collect()
}

/// The resources of a module and, in boxes, of those below.
fn nodes(module: &Module, text: &mut String) {
    let path = module.path.to_string();
    let (margin, dot) = if module.path.is_root() { ("  ", "") } else { ("    ", ".") };
    if !module.path.is_root() {
        text.push_str(&format!("  subgraph {} {{\n", go_quote(&format!("cluster_{path}"))));
        text.push_str(&format!("    label = {}\n    fontname = \"sans-serif\"\n", go_quote(&path)));
    }
    let resources: BTreeSet<String> = module.resources.keys().map(ToString::to_string).collect();
    for resource in &resources {
        let address = format!("{path}{dot}{resource}");
        text.push_str(&format!("{margin}{} [label={}];\n", go_quote(&address), go_quote(resource)));
    }
    if !module.path.is_root() {
        text.push_str("  }\n");
    }
    for child in module.children.values() {
        nodes(child, text);
    }
}
