//! The walk over the graph: a node is visited when all that it needs was visited; several at once. What has just become ready
//! goes first, while what it needs is still in the processor's caches: a walk in rows through many chains would not find it there.

use std::collections::VecDeque;
use std::future::Future;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use petgraph::graph::NodeIndex;

use crate::graph::ConfigGraph;

/// What came of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// What needs the node can be visited.
    Done,
    /// What needs the node is passed over.
    Failed,
}

/// Visits every node of the graph. At most `parallelism` visits run at once. Returns the nodes that failed or were passed
/// over because something that they need failed.
pub async fn walk<F, V>(graph: &ConfigGraph, parallelism: usize, visit: F) -> Vec<NodeIndex>
where
    F: Fn(NodeIndex) -> V,
    V: Future<Output = Visit>,
{
    let mut waiting = vec![0usize; graph.len()];
    let mut poisoned = vec![false; graph.len()];
    let mut ready = VecDeque::new();
    for index in graph.indices() {
        let count = graph.dependencies(index).count();
        waiting[index.index()] = count;
        if count == 0 {
            ready.push_back(index);
        }
    }
    let mut failed = Vec::new();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < parallelism.max(1)
            && let Some(index) = ready.pop_front()
        {
            let skip = poisoned[index.index()];
            let visited = (!skip).then(|| visit(index));
            running.push(async move {
                match visited {
                    Some(visited) => (index, visited.await),
                    None => (index, Visit::Failed),
                }
            });
        }
        let Some((index, outcome)) = running.next().await else { break };
        if outcome == Visit::Failed {
            failed.push(index);
        }
        for dependent in graph.dependents(index) {
            poisoned[dependent.index()] |= outcome == Visit::Failed;
            waiting[dependent.index()] -= 1;
            if waiting[dependent.index()] == 0 {
                ready.push_front(dependent);
            }
        }
    }
    failed
}
