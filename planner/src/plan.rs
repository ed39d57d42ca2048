//! The plan: one value that holds every change, its reason, output changes, checks and drift. The human rendering, the
//! JSON and the saved plan file are views of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang::addr::{InstanceKey, ModuleInstance, ProviderConfig, ResourceInstance};
use lang::values::Path;
use lang::{Str, Value};

/// What kind of plan it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanMode {
    /// Brings the objects to what the configuration says.
    #[default]
    Normal,
    /// Removes all objects.
    Destroy,
    /// Only brings the state to what the objects are.
    RefreshOnly,
}

/// What is done to a resource instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// A new object.
    Create,
    /// A data source is read while applying.
    Read,
    /// The object is changed in place.
    Update,
    /// The object is removed.
    Delete,
    /// Replaced: first removed, then made.
    DeleteThenCreate,
    /// Replaced: first made, then removed.
    CreateThenDelete,
    /// The state forgets the object.
    Forget,
}

impl Action {
    /// Whether a new object takes the place of the old one.
    pub fn is_replace(self) -> bool {
        matches!(self, Action::DeleteThenCreate | Action::CreateThenDelete)
    }
}

/// Why an action was chosen, beyond the plain difference. `as_str` gives the names of Terraform's plan JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of Terraform's plan JSON")]
pub enum ActionReason {
    ReplaceBecauseTainted,
    ReplaceBecauseCannotUpdate,
    ReplaceByRequest,
    ReplaceByTriggers,
    DeleteBecauseNoResourceConfig,
    DeleteBecauseWrongRepetition,
    DeleteBecauseCountIndex,
    DeleteBecauseEachKey,
    DeleteBecauseNoModule,
    DeleteBecauseNoMoveTarget,
    ReadBecauseConfigUnknown,
    ReadBecauseDependencyPending,
    ReadBecauseCheckNested,
}

impl ActionReason {
    /// The name in the plan JSON (`replace_because_cannot_update`).
    pub fn as_str(self) -> &'static str {
        match self {
            ActionReason::ReplaceBecauseTainted => "replace_because_tainted",
            ActionReason::ReplaceBecauseCannotUpdate => "replace_because_cannot_update",
            ActionReason::ReplaceByRequest => "replace_by_request",
            ActionReason::ReplaceByTriggers => "replace_by_triggers",
            ActionReason::DeleteBecauseNoResourceConfig => "delete_because_no_resource_config",
            ActionReason::DeleteBecauseWrongRepetition => "delete_because_wrong_repetition",
            ActionReason::DeleteBecauseCountIndex => "delete_because_count_index",
            ActionReason::DeleteBecauseEachKey => "delete_because_each_key",
            ActionReason::DeleteBecauseNoModule => "delete_because_no_module",
            ActionReason::DeleteBecauseNoMoveTarget => "delete_because_no_move_target",
            ActionReason::ReadBecauseConfigUnknown => "read_because_config_unknown",
            ActionReason::ReadBecauseDependencyPending => "read_because_dependency_pending",
            ActionReason::ReadBecauseCheckNested => "read_because_check_nested",
        }
    }
}

/// The change of one resource instance, or of one of its deposed objects.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// Which instance.
    pub address: ResourceInstance,
    /// Its address in the state so far, when it has moved.
    pub previous_address: Option<ResourceInstance>,
    /// The deposed object that is changed, if it is not the current one.
    pub deposed: Option<Str>,
    /// Its provider configuration.
    pub provider: ProviderConfig,
    /// What is done.
    pub action: Action,
    /// Why, beyond the plain difference.
    pub reason: Option<ActionReason>,
    /// The object before; null when there is none. With marks for what is sensitive.
    pub before: Value,
    /// The object after; null when it is removed. May hold unknown values and marks.
    pub after: Value,
    /// The configuration as evaluated while planning; null for a deletion.
    pub config: Value,
    /// Paths whose change replaces the object.
    pub replace_paths: Vec<Path>,
    /// The provider's private bytes from its plan, or the stored ones.
    pub private: Option<Arc<[u8]>>,
    /// The id by which the object is imported in this plan.
    pub importing: Option<String>,
    /// Configuration generated for an import.
    pub generated_config: Option<String>,
    /// Whether its replacement is made before it is removed.
    pub create_before_destroy: bool,
    /// What it depends on, as the state stores it.
    pub dependencies: state::Dependencies,
}

/// Why a change is left to the next plan. `as_str` gives the names of Terraform's plan JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeferredReason {
    /// `count` or `for_each`, of the resource or of a module around it, is not known yet.
    InstanceCountUnknown,
    /// Something that it depends on is deferred.
    DeferredPrerequisite,
}

impl DeferredReason {
    /// All of them.
    pub const ALL: [DeferredReason; 2] = [DeferredReason::InstanceCountUnknown, DeferredReason::DeferredPrerequisite];

    /// The name in the plan JSON (`instance_count_unknown`).
    pub fn as_str(self) -> &'static str {
        match self {
            DeferredReason::InstanceCountUnknown => "instance_count_unknown",
            DeferredReason::DeferredPrerequisite => "deferred_prereq",
        }
    }
}

/// A change that is left to the next plan.
#[derive(Clone, Debug)]
pub struct DeferredChange {
    /// Why.
    pub reason: DeferredReason,
    /// What is known of it. Where the instances are not known, one change stands for all of them; its address has
    /// [`InstanceKey::Unknown`].
    pub change: ResourceChange,
}

/// Configuration written for an object that is imported without any.
#[derive(Clone, Debug)]
pub struct GeneratedConfig {
    /// The instance.
    pub address: ResourceInstance,
    /// The id by which its object is imported; none if that could not be planned.
    pub id: Option<String>,
    /// The `resource` block.
    pub text: String,
}

/// The change of a root output.
#[derive(Clone, Debug)]
pub struct OutputChange {
    /// What is done: no-op, create, update or delete.
    pub action: Action,
    /// The value before; null when there was none.
    pub before: Value,
    /// The value after; null when it is removed.
    pub after: Value,
    /// Whether it is (or was) sensitive.
    pub sensitive: bool,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// Not known yet.
    Unknown,
    /// Every condition holds.
    Pass,
    /// A condition does not hold.
    Fail,
    /// A condition could not be evaluated.
    Error,
}

/// What a check belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Checkable {
    /// Conditions of a resource; the instance key is in the object address.
    Resource(lang::addr::Resource, InstanceKey),
    /// Preconditions of an output.
    Output(Str),
    /// Validations of an input variable.
    Variable(Str),
    /// A check block.
    Check(Str),
}

/// The outcome of one checkable object.
#[derive(Clone, Debug)]
pub struct CheckOutcome {
    /// Whether it is that of an instance: else that of something in the configuration of which no instance was looked at.
    pub is_instance: bool,
    /// Its module instance.
    pub module: ModuleInstance,
    /// What it belongs to.
    pub object: Checkable,
    /// How it stands.
    pub status: CheckStatus,
    /// Messages of conditions that do not hold.
    pub problems: Vec<String>,
}

impl CheckOutcome {
    /// How an instance stands, if nothing is to be said of it.
    pub fn new(module: ModuleInstance, object: Checkable, status: CheckStatus) -> CheckOutcome {
        CheckOutcome { is_instance: true, module, object, status, problems: Vec::new() }
    }
}

/// An attribute of a resource that the plan's result depends on: drift there is worth showing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelevantAttribute {
    /// The resource, with the instance key where the reference has one.
    pub resource: String,
    /// The path in cty's words: names and indexes.
    pub path: Vec<PathElement>,
}

/// An element of [`RelevantAttribute::path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathElement {
    /// An attribute or map key.
    Name(Str),
    /// An index.
    Index(u64),
}

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What kind of plan.
    pub mode: PlanMode,
    /// When it was made, as RFC 3339 in UTC; what `plantimestamp()` gives.
    pub timestamp: String,
    /// Changes of resource instances, no-ops included, in address order.
    pub changes: Vec<ResourceChange>,
    /// Changes that are left to the next plan, in address order.
    pub deferred: Vec<DeferredChange>,
    /// What differs between the stored state and the objects as they were read.
    pub drift: Vec<ResourceChange>,
    /// Changes of root outputs, no-ops included.
    pub outputs: BTreeMap<Str, OutputChange>,
    /// The checks as far as they are known.
    pub checks: Vec<CheckOutcome>,
    /// What the plan's result depends on.
    pub relevant_attributes: Vec<RelevantAttribute>,
    /// Root input variables as given.
    pub variables: BTreeMap<Str, Value>,
    /// Ephemeral root input variables that were given: they have to be given again to apply the plan.
    pub apply_time_variables: BTreeSet<Str>,
    /// The state after refresh and moves: what an apply starts from.
    pub prior_state: state::State,
    /// The state as it was stored.
    pub previous_state: state::State,
    /// `-target` addresses.
    pub targets: Vec<String>,
    /// `-exclude` addresses.
    pub excludes: Vec<String>,
    /// `-replace` addresses.
    pub force_replace: Vec<ResourceInstance>,
    /// Configuration generated for imports, also where the plan then failed. Not part of a saved plan.
    pub generated: Vec<GeneratedConfig>,
    /// Whether a refresh has found what the state does not hold yet, in managed resources or in outputs. It is no news
    /// that something has moved.
    pub refreshed: bool,
    /// Whether planning ended with errors: such a plan is only shown.
    pub errored: bool,
    /// Whether it covers the whole configuration.
    pub complete: bool,
}

/// How many objects a plan adds, changes, removes and imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Created, replacements included.
    pub add: usize,
    /// Changed in place.
    pub change: usize,
    /// Removed, replacements included.
    pub destroy: usize,
    /// Imported.
    pub import: usize,
    /// Forgotten.
    pub forget: usize,
}

impl Plan {
    /// Whether only a part of the configuration was planned (`-target`, `-exclude`).
    pub fn is_partial(&self) -> bool {
        !self.targets.is_empty() || !self.excludes.is_empty()
    }

    /// The counts of the summary line.
    pub fn counts(&self) -> ChangeCounts {
        let mut counts = ChangeCounts::default();
        for change in &self.changes {
            if change.importing.is_some() {
                counts.import += 1;
            }
            match change.action {
                Action::Create => counts.add += 1,
                Action::Update => counts.change += 1,
                Action::Delete => counts.destroy += 1,
                Action::Forget => counts.forget += 1,
                Action::DeleteThenCreate | Action::CreateThenDelete => {
                    counts.add += 1;
                    counts.destroy += 1;
                }
                Action::NoOp | Action::Read => {}
            }
        }
        counts
    }

    /// Whether an apply would change objects, the state's outputs or, in a refresh-only plan, the state.
    pub fn has_changes(&self) -> bool {
        let changes = |change: &ResourceChange| {
            change.action != Action::NoOp || change.importing.is_some() || change.previous_address.is_some()
        };
        match self.mode {
            PlanMode::RefreshOnly => self.refreshed,
            PlanMode::Normal | PlanMode::Destroy => {
                self.changes.iter().any(changes) || self.outputs.values().any(|output| output.action != Action::NoOp)
            }
        }
    }
}
