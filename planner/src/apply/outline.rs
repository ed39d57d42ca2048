//! What an apply would walk, for those who want to see it.

use config::module::Module;

use super::graph::{ApplyGraph, ApplyNode};
use crate::graph::ConfigGraph;
use crate::plan::Plan;

/// The steps of a plan's apply with the configuration `root`, each with the indices of what it needs.
pub fn outline(plan: &Plan, root: &Module, config: &ConfigGraph) -> Vec<(ApplyNode, Vec<usize>)> {
    let graph = ApplyGraph::build(plan, root, config, |_, _| 0);
    let step = |index| {
        let needs = graph.dependencies(index).map(|needed| needed.index()).collect();
        graph.node(index).map(|node| (node.clone(), needs))
    };
    graph.indices().filter_map(step).collect()
}
