//! `graph`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::ArgAction;
use config::module::Module;
use lang::addr::ConfigResource;
use planner::graph::ConfigGraph;

use super::Exit;
use crate::render::strings::go_quote;
use crate::session::Session;

/// Produces a representation of the dependency graph between different objects in the current configuration and state, in
/// the DOT language.
#[derive(Debug, clap::Parser)]
pub struct GraphArgs {
    /// Accepted for compatibility; only the graph of resources is drawn.
    #[arg(long = "type", value_name = "plan")]
    pub kind: Option<String>,
    /// Accepted and ignored: cycles are errors.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub draw_cycles: bool,
}

/// Runs the command.
pub fn run(session: &Session, args: &GraphArgs) -> Exit {
    if args.kind.is_some() {
        let detail = "Only the graph of resources can be drawn. Leave the -type option out.";
        session.ui.error("Unsupported graph type", detail);
        return Exit::Failure;
    }
    let (workspace, mut diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else {
        session.show(&diagnostics);
        return Exit::Failure;
    };
    let graph = ConfigGraph::build(&workspace, &BTreeSet::new());
    diagnostics.append(graph.cycles());
    if diagnostics.has_errors() {
        session.show(&diagnostics);
        return Exit::Failure;
    }
    let mut text = "digraph G {\n  rankdir = \"RL\";\n  node [shape = rect, fontname = \"sans-serif\"];\n".to_owned();
    nodes(&workspace.config, &mut text);
    let needs: BTreeMap<String, BTreeSet<String>> =
        graph.resource_dependencies().iter().map(|(from, to)| (from.to_string(), names(to))).collect();
    for (from, all) in &needs {
        // What another need needs anyway is no edge of its own.
        let implied: BTreeSet<&String> = all.iter().filter_map(|via| needs.get(via)).flatten().collect();
        for to in all.iter().filter(|to| !implied.contains(to)) {
            text.push_str(&format!("  {} -> {};\n", go_quote(from), go_quote(to)));
        }
    }
    session.ui.print(&format!("{text}}}\n"));
    Exit::Success
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
