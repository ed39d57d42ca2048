//! Checks of `moved` blocks, once it is known which instances the configuration has.

use std::collections::{BTreeMap, BTreeSet};

use config::addresses::AbsoluteAddress;
use config::module::{Module, ModuleCall};
use lang::addr::{InstanceKey, ModuleInstance, ResourceInstance};
use lang::{Diagnostic, Diagnostics, Range};
use petgraph::graph::{DiGraph, NodeIndex};

use super::{Previous, Statement, statements};
use crate::planning::Planning;
use crate::scope::World;
use crate::sync::lock;
use crate::workspace::{Target, module_at};

/// What both ends of a statement are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Resource,
    ResourceInstance,
    Call,
    ModuleInstance,
}

impl Kind {
    fn of(from: &AbsoluteAddress, to: &AbsoluteAddress) -> Kind {
        let whole = key_of(from) == InstanceKey::None && key_of(to) == InstanceKey::None;
        match (from, whole) {
            (AbsoluteAddress::Resource(_), true) => Kind::Resource,
            (AbsoluteAddress::Resource(_), false) => Kind::ResourceInstance,
            (AbsoluteAddress::Module(_), true) => Kind::Call,
            (AbsoluteAddress::Module(_), false) => Kind::ModuleInstance,
        }
    }

    /// The long name, and the one for the second mention.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Resource => ("resource", "resource"),
            Kind::ResourceInstance => ("resource instance", "instance"),
            Kind::Call => ("module call", "call"),
            Kind::ModuleInstance => ("module instance", "instance"),
        }
    }
}

/// A statement with absolute addresses.
struct Absolute {
    kind: Kind,
    from: AbsoluteAddress,
    to: AbsoluteAddress,
    range: Range,
}

impl Planning<'_> {
    /// The mistakes in `moved` blocks.
    pub(crate) fn check_moves(&self) -> Diagnostics {
        let absolute: Vec<Absolute> = statements(&self.world.workspace.config).iter().map(absolute).collect();
        let mut diagnostics = Diagnostics::new();
        let mut sources: BTreeMap<(Kind, &AbsoluteAddress), &Absolute> = BTreeMap::new();
        let mut targets: BTreeMap<(Kind, &AbsoluteAddress), &Absolute> = BTreeMap::new();
        for statement in &absolute {
            let (from, to) = (text(&statement.from), text(&statement.to));
            if statement.from == statement.to {
                let detail = format!(
                    "This statement declares a move from {from} to the same address, which is the same as not declaring this \
                     move at all."
                );
                diagnostics.push(Diagnostic::error("Redundant move statement", detail).at(statement.range));
                continue;
            }
            if let Some(place) = self.still_declared(statement) {
                let (kind, short) = statement.kind.names();
                let detail = format!(
                    "This statement declares a move from {from}, but that {kind} is still declared at {}.\n\nChange your \
                     configuration so that this {short} will be declared as {to} instead.",
                    start(&self.world, place)
                );
                diagnostics.push(Diagnostic::error("Moved object still exists", detail).at(statement.range));
            }
            diagnostics.extend(self.ambiguous(statement, &mut sources, &mut targets));
        }
        // What else is wrong often is what closes the circle.
        if !diagnostics.has_errors() {
            diagnostics.extend(self.cycle(&absolute));
        }
        diagnostics
    }

    fn ambiguous<'s>(
        &self,
        statement: &'s Absolute,
        sources: &mut BTreeMap<(Kind, &'s AbsoluteAddress), &'s Absolute>,
        targets: &mut BTreeMap<(Kind, &'s AbsoluteAddress), &'s Absolute>,
    ) -> Option<Diagnostic> {
        let (kind, short) = statement.kind.names();
        let first = sources.entry((statement.kind, &statement.from)).or_insert(statement);
        let detail = if first.to != statement.to {
            format!(
                "A statement at {} declared that {} moved to {}, but this statement instead declares that it moved to \
                 {}.\n\nEach {kind} can move to only one destination {short}.",
                start(&self.world, first.range),
                text(&first.from),
                text(&first.to),
                text(&statement.to)
            )
        } else {
            let first = targets.entry((statement.kind, &statement.to)).or_insert(statement);
            if first.from == statement.from {
                return None;
            }
            format!(
                "A statement at {} declared that {} moved to {}, but this statement instead declares that {} moved \
                 there.\n\nEach {kind} can have moved from only one source {short}.",
                start(&self.world, first.range),
                text(&first.from),
                text(&first.to),
                text(&statement.from)
            )
        };
        Some(Diagnostic::error("Ambiguous move statements", detail).at(statement.range))
    }

    /// Where the configuration still has what a statement moves away.
    fn still_declared(&self, statement: &Absolute) -> Option<Range> {
        let root = &self.world.workspace.config;
        match &statement.from {
            AbsoluteAddress::Resource(from) => {
                let module = module_at(root, &from.module.path())?;
                let block = module.resources.get(&from.resource)?;
                if statement.kind == Kind::Resource {
                    return Some(block.range);
                }
                let expansions = lock(&self.expansions);
                let there = expansions.get(&from.abs_resource())?.contains(&from.key);
                let repetition = block.count.as_ref().or(block.for_each.as_ref());
                there.then(|| repetition.map_or(block.range, |expr| expr.range))
            }
            AbsoluteAddress::Module(from) => {
                let call = call_at(root, from)?;
                if statement.kind == Kind::Call {
                    return Some(call.range);
                }
                self.world.module(from)?;
                let repetition = call.count.as_ref().or(call.for_each.as_ref());
                Some(repetition.map_or(call.range, |expr| expr.range))
            }
        }
    }

    /// Statements that move in a circle.
    fn cycle(&self, absolute: &[Absolute]) -> Option<Diagnostic> {
        let mut graph = DiGraph::new();
        let nodes: Vec<_> = absolute.iter().map(|statement| graph.add_node(statement)).collect();
        let mut by_source: BTreeMap<&AbsoluteAddress, Vec<NodeIndex>> = BTreeMap::new();
        nodes
            .iter()
            .zip(absolute)
            .for_each(|(node, statement)| by_source.entry(&statement.from).or_default().push(*node));
        for (node, statement) in nodes.iter().zip(absolute) {
            let next = by_source.get(&statement.to).into_iter().flatten().filter(|next| *next != node);
            next.for_each(|next| {
                graph.add_edge(*node, *next, ());
            });
        }
        let mut circle = petgraph::algo::tarjan_scc(&graph).into_iter().find(|component| component.len() > 1)?;
        circle.sort();
        let lines: String = circle
            .iter()
            .filter_map(|index| graph.node_weight(*index))
            .map(|statement| {
                let all = if matches!(statement.kind, Kind::Resource | Kind::Call) { "[*]" } else { "" };
                let (from, to) = (text(&statement.from), text(&statement.to));
                format!("\n  - {}: {from}{all} → {to}{all}", start(&self.world, statement.range))
            })
            .collect();
        let detail = format!(
            "The following chained move statements form a cycle, and so there is no final location to move objects \
             to:{lines}\n\nA chain of move statements must end with an address that doesn't appear in any other statements, and \
             which typically also refers to an object still declared in the configuration."
        );
        Some(Diagnostic::error("Cyclic dependency in move statements", detail))
    }
}

/// An error if targets cover only one side of a move, or none.
pub(crate) fn check_targets(previous: &Previous, targets: &[Target]) -> Option<Diagnostic> {
    if targets.is_empty() {
        return None;
    }
    let outside = |address: &&ResourceInstance| !targets.iter().any(|target| target.matches(address));
    let moved = previous.iter().flat_map(|(to, from)| [from, to]);
    // Whole resources are selected, whatever their instances are.
    let lost: BTreeSet<String> =
        moved.filter(outside).map(|address| format!("\n  -target={:?}", address.abs_resource().to_string())).collect();
    if lost.is_empty() {
        return None;
    }
    let detail = format!(
        "Resource instances in your current state have moved to new addresses in the latest configuration. Terraform must \
         include those resource instances while planning in order to ensure a correct result, but your -target=... options do \
         not fully cover all of those resource instances.\n\nTo create a valid plan, either remove your -target=... options \
         altogether or add the following additional target options:{}\n\nNote that adding these options may include further \
         additional resource instances in your plan, in order to respect object dependencies.",
        lost.into_iter().collect::<String>()
    );
    Some(Diagnostic::error("Moved resource instances excluded by targeting", detail))
}

fn absolute(statement: &Statement<'_>) -> Absolute {
    let prefix = |module: &ModuleInstance| {
        let outer = statement.module.0.iter().map(|name| (name.clone(), InstanceKey::None));
        ModuleInstance(outer.chain(module.0.iter().cloned()).collect())
    };
    let address = |address: &AbsoluteAddress| match address {
        AbsoluteAddress::Module(module) => AbsoluteAddress::Module(prefix(module)),
        AbsoluteAddress::Resource(resource) => {
            let module = prefix(&resource.module);
            AbsoluteAddress::Resource(ResourceInstance { module, ..resource.clone() })
        }
    };
    let kind = Kind::of(statement.from, statement.to);
    Absolute { kind, from: address(statement.from), to: address(statement.to), range: statement.range }
}

fn key_of(address: &AbsoluteAddress) -> InstanceKey {
    match address {
        AbsoluteAddress::Resource(resource) => resource.key.clone(),
        AbsoluteAddress::Module(module) => module.0.last().map(|(_, key)| key.clone()).unwrap_or(InstanceKey::None),
    }
}

fn text(address: &AbsoluteAddress) -> String {
    match address {
        AbsoluteAddress::Resource(resource) => resource.to_string(),
        AbsoluteAddress::Module(module) => module.to_string(),
    }
}

fn call_at<'m>(root: &'m std::sync::Arc<Module>, module: &ModuleInstance) -> Option<&'m ModuleCall> {
    let path = module.path();
    module_at(root, &path.parent()?)?.calls.get(path.0.last()?)
}

/// The beginning of a place: `main.tf:3,1`.
fn start(world: &World<'_>, range: Range) -> String {
    let Some(source) = world.workspace.sources.get(range.file) else { return "the configuration".to_owned() };
    let start = source.position(range.start);
    format!("{}:{},{}", source.name.display(), start.line, start.column)
}
