//! Applying a plan: walks the steps of its changes, the longest remaining path first, and writes everything down.

mod graph;
mod outline;
mod provision;
mod record;
mod resources;
mod steps;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, RwLock};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lang::addr::{AbsResource, Mode, ProviderConfig, ResourceInstance};
use lang::{Diagnostic, Diagnostics};
use petgraph::graph::NodeIndex;
use sdk::Configured;
use sdk::provider::Operation;
use state::{Heart, Journal, Snapshots, State};

use crate::deferral::Undecided;
use crate::ephemerals::Ephemerals;
use crate::graph::{ConfigGraph, Node};
use crate::hooks::Hooks;
use crate::interrupt::Interrupt;
use crate::plan::{Action, ChangeCounts, CheckStatus, Plan, ResourceChange};
use crate::provisioning::Provisioners;
use crate::scope::{Phase, World};
use crate::walk::Visit;
use crate::workspace::{GivenVariable, VariableValue, Workspace};
use graph::ApplyGraph;
pub use graph::ApplyNode;
pub use outline::outline;
use record::Recorder;

/// How a plan is applied.
pub struct ApplyOptions {
    /// How many operations run at once.
    pub parallelism: usize,
    /// Stops the run early.
    pub interrupt: Interrupt,
    /// Values of ephemeral input variables, which a plan does not hold.
    pub variables: BTreeMap<lang::Str, GivenVariable>,
    /// Runs the provisioners.
    pub provisioners: Arc<dyn Provisioners>,
    /// Keeps the state's lock; nothing is begun without it once it is lost. `None`: no lock is held (`-lock=false`).
    pub heart: Option<Arc<Heart>>,
}

/// What came of an apply.
pub struct ApplyOutcome {
    /// The state afterwards.
    pub state: State,
    /// What was added, changed and removed.
    pub counts: ChangeCounts,
    /// How the conditions of objects stand.
    pub checks: Vec<crate::plan::CheckOutcome>,
    /// Messages; an error among them means that something was not done.
    pub diagnostics: Diagnostics,
}

/// An apply under way.
pub(crate) struct Applying<'w> {
    pub world: World<'w>,
    pub ephemerals: Ephemerals,
    pub plan: &'w Plan,
    pub hooks: Arc<dyn Hooks>,
    pub recorder: Recorder,
    pub providers: RwLock<HashMap<ProviderConfig, Arc<dyn Configured>>>,
    pub interrupt: Interrupt,
    pub provisioners: Arc<dyn Provisioners>,
    pub counts: std::sync::Mutex<ChangeCounts>,
    /// Indices of the plan's changes by address, without deposed objects.
    pub changes: HashMap<ResourceInstance, usize>,
    /// The resources that were looked at, if not everything was planned.
    pub selected: Option<HashSet<AbsResource>>,
    /// What is left to the next plan.
    pub deferred: HashMap<&'w ResourceInstance, &'w ResourceChange>,
    /// Deposed keys that a create-before-destroy made in this run, by change.
    pub deposed: std::sync::Mutex<HashMap<usize, state::DeposedKey>>,
}

/// The error that a plan's changes can't be put into an order, if they can't. Without a removal they always can.
pub fn check_order(workspace: &Workspace, plan: &Plan) -> Option<Diagnostic> {
    let removes = |change: &ResourceChange| change.action.is_replace() || change.action == Action::Delete;
    if !plan.changes.iter().any(removes) {
        return None;
    }
    cycle(&ApplyGraph::build(plan, &workspace.config, &config_graph(workspace, plan), |_, _| 0), plan)
}

fn cycle(graph: &ApplyGraph, plan: &Plan) -> Option<Diagnostic> {
    graph.cycle(plan).map(|names| Diagnostic::error(format!("Cycle: {}", names.join(", ")), ""))
}

fn config_graph(workspace: &Workspace, plan: &Plan) -> ConfigGraph {
    let providers: BTreeSet<ProviderConfig> = plan.changes.iter().map(|change| change.provider.clone()).collect();
    ConfigGraph::build(workspace, &providers)
}

/// Applies a plan. The caller holds the state's lock and has made sure that the plan is not stale.
pub async fn apply(
    workspace: &Workspace,
    plan: &Plan,
    snapshots: Snapshots,
    journal: Arc<dyn Journal>,
    options: &ApplyOptions,
    hooks: Arc<dyn Hooks>,
) -> ApplyOutcome {
    let config = config_graph(workspace, plan);
    let seconds = |change: &ResourceChange, removal| estimate(workspace, change, removal);
    let graph = ApplyGraph::build(plan, &workspace.config, &config, seconds);
    let mut diagnostics = Diagnostics::new();
    if let Some(problem) = cycle(&graph, plan) {
        diagnostics.push(problem);
        let counts = ChangeCounts::default();
        return ApplyOutcome { state: plan.prior_state.clone(), counts, checks: Vec::new(), diagnostics };
    }
    let mut functions = workspace.functions.clone();
    functions.planning = false;
    functions.plan_timestamp = plan.timestamp.parse().ok();
    let functions = crate::functions::table(&workspace.config, &workspace.providers, functions);
    let mut world = World::new(workspace, Phase::Apply, given_variables(plan, options), functions);
    world.undecided = Undecided::planned(&plan.deferred);
    for outcome in &plan.checks {
        if outcome.is_instance || outcome.status == CheckStatus::Pass {
            let instance = outcome.is_instance.then(|| outcome.clone());
            world.expect_checks(&outcome.module.path(), &outcome.object, instance);
        }
    }
    let applying = Applying {
        world,
        ephemerals: Ephemerals::default(),
        plan,
        hooks,
        recorder: Recorder::new(plan.prior_state.clone(), snapshots, journal, options.heart.clone()),
        providers: RwLock::default(),
        interrupt: options.interrupt.clone(),
        provisioners: options.provisioners.clone(),
        counts: std::sync::Mutex::default(),
        changes: plan
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.deposed.is_none())
            .map(|(i, change)| (change.address.clone(), i))
            .collect(),
        selected: plan.is_partial().then(|| plan.changes.iter().map(|change| change.address.abs_resource()).collect()),
        deferred: plan.deferred.iter().map(|deferred| (&deferred.change.address, &deferred.change)).collect(),
        deposed: std::sync::Mutex::default(),
    };
    applying.begin().await;
    let walking = async {
        tokio::select! {
            () = walk(&graph, options.parallelism, &applying) => {
                applying.ephemerals.close_all(&applying.world, applying.hooks.as_ref()).await;
            }
            never = applying.ephemerals.keep_open(&applying.world, applying.hooks.as_ref()) => match never {},
            // What runs is dropped here; its intents stay in the journal, where the next run finds them.
            () = applying.interrupt.abandoned() => {}
            never = halt_without_lock(&applying) => match never {},
        }
        applying.recorder.end();
    };
    let storing = async {
        if !applying.recorder.keep_storing().await {
            // What is under way still comes to its end.
            applying.interrupt.request();
        }
    };
    tokio::join!(walking, storing);
    applying.finish().await
}

/// Lets nothing new begin once the state's lock is lost; what runs comes to its end.
async fn halt_without_lock(applying: &Applying<'_>) -> std::convert::Infallible {
    applying.recorder.lock_lost().await;
    applying.interrupt.request();
    std::future::pending().await
}

/// Input variables as the plan has them; ephemeral ones are given anew.
fn given_variables(plan: &Plan, options: &ApplyOptions) -> BTreeMap<lang::Str, GivenVariable> {
    let mut given = options.variables.clone();
    for (name, value) in &plan.variables {
        let (plain, marks) = value.clone().unmark();
        if marks.contains(lang::values::Marks::EPHEMERAL) {
            continue;
        }
        let variable = GivenVariable {
            value: VariableValue::Value(plain),
            origin: "the saved plan".to_owned(),
            automatic: true,
            range: lang::Range::NONE,
        };
        given.insert(name.clone(), variable);
    }
    given
}

fn estimate(workspace: &Workspace, change: &ResourceChange, removal: bool) -> u32 {
    let operation = match (removal, change.action) {
        (true, _) => Operation::Delete,
        (false, Action::Update) => Operation::Update,
        (false, _) => Operation::Create,
    };
    let provider = workspace.providers.get(&change.provider.source);
    provider.map_or(1, |provider| provider.estimate_seconds(&change.address.resource.kind, operation))
}

/// A node that can start. The greatest is the one with the longest remaining path; among equals the one that became ready last,
/// whose needs are still in the processor's caches.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    remaining: u64,
    /// How many nodes had ended before.
    since: usize,
    index: std::cmp::Reverse<NodeIndex>,
}

async fn walk(graph: &ApplyGraph, parallelism: usize, applying: &Applying<'_>) {
    let mut waiting = vec![0usize; graph.len()];
    let mut poisoned = vec![false; graph.len()];
    let mut ready = BinaryHeap::new();
    let node = |index, since| Ready { remaining: graph.remaining(index), since, index: std::cmp::Reverse(index) };
    let mut ended = 0;
    for index in graph.indices() {
        let count = graph.dependencies(index).count();
        waiting[index.index()] = count;
        if count == 0 {
            ready.push(node(index, ended));
        }
    }
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < parallelism.max(1)
            && let Some(Ready { index: std::cmp::Reverse(index), .. }) = ready.pop()
        {
            let skip = poisoned[index.index()];
            running.push(async move {
                match graph.node(index) {
                    Some(node) if !skip => (index, applying.visit(node).await),
                    _ => (index, Visit::Failed),
                }
            });
        }
        let Some((index, outcome)) = running.next().await else { break };
        ended += 1;
        for dependent in graph.dependents(index) {
            poisoned[dependent.index()] |= outcome == Visit::Failed;
            waiting[dependent.index()] -= 1;
            if waiting[dependent.index()] == 0 {
                ready.push(node(dependent, ended));
            }
        }
    }
}

impl Applying<'_> {
    async fn visit(&self, node: &ApplyNode) -> Visit {
        tracing::trace!("apply: visiting {}", node.text(self.plan));
        let fine = match node {
            ApplyNode::Config(node) => self.visit_config(node).await,
            ApplyNode::Done(resource) => self.check_conditions(resource),
            ApplyNode::Make(i) => self.make(*i).await,
            ApplyNode::Remove(i) => self.remove(*i).await,
        };
        if fine { Visit::Done } else { Visit::Failed }
    }

    async fn visit_config(&self, node: &Node) -> bool {
        match node {
            Node::Variable(path, name) => {
                for module in self.world.instances(path) {
                    self.world.variable(&module, name);
                }
                true
            }
            Node::Local(path, name) => {
                for module in self.world.instances(path) {
                    self.world.local(&module, name);
                }
                true
            }
            Node::Output(path, name) => self.visit_output(path, name),
            Node::Call(path) => self.visit_call(path),
            Node::Close(_) | Node::Refresh(_) => true,
            Node::Provider(provider) => self.visit_provider(provider).await,
            Node::Resource(resource) if resource.resource.mode == Mode::Ephemeral => {
                self.open_ephemeral(resource).await
            }
            Node::Resource(resource) => self.expand_resource(resource),
            Node::Check(path, name) => self.visit_check(path, name),
        }
    }

    async fn visit_provider(&self, provider: &ProviderConfig) -> bool {
        match crate::refresh::configure(&self.world, provider).await {
            Some(configured) => {
                crate::sync::write(&self.providers).insert(provider.clone(), configured);
                true
            }
            None => false,
        }
    }

    async fn finish(self) -> ApplyOutcome {
        if !self.interrupt.is_abandoned() {
            self.finish_outputs();
        }
        let stored = self.recorder.store().await;
        let mut diagnostics = self.world.take_diagnostics();
        if let (false, Some(error)) = (stored, self.recorder.failure()) {
            diagnostics.push(Diagnostic::error(
                "Failed to save state",
                format!(
                    "Everything that was done is recorded in the journal beside the state, but the state itself could not be \
                     written: {error}. Mend the cause and run `windlass apply` again: it takes the records up."
                ),
            ));
        }
        if let Some(lost) = self.recorder.is_lock_lost() {
            let detail = format!(
                "This run no longer holds the state's lock: {}. Nothing more was begun after that. What was under way is in \
                 the state's journal: the next run takes it up.",
                lost.reason
            );
            diagnostics.push(Diagnostic::error("State lock lost", detail));
        } else if self.interrupt.is_requested() {
            let (summary, detail) = match self.interrupt.is_abandoned() {
                true => (
                    "operation canceled",
                    "The run was interrupted twice. What was under way has not been waited for: the journal beside the state \
                         names it, and the next run finds out what became of it.",
                ),
                false => (
                    "execution halted",
                    "The run was interrupted. What was under way has been finished and saved; apply again to go on.",
                ),
            };
            diagnostics.push(Diagnostic::error(summary, detail));
        }
        let counts = *crate::sync::lock(&self.counts);
        ApplyOutcome { state: self.recorder.state(), counts, checks: self.check_outcomes(), diagnostics }
    }
}
