//! Recovery: operations that an earlier run began and whose end no state knows are cleared up before anything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lang::addr::ProviderConfig;
use lang::{Diagnostic, Diagnostics, Str, Value};
use sdk::{Configured, RecoverRequest, RecoverResponse};
use state::{DeposedKey, InstanceObject, Journal, JournalRecord, ObjectStatus, Operation, Outcome, Snapshots, State};

use crate::graph::{ConfigGraph, Node};
use crate::hooks::Hooks;
use crate::locate::without_place;
use crate::objects;
use crate::scope::{Phase, ResourceValues, World};
use crate::workspace::{GivenVariable, Workspace};

/// Takes up what the journal holds: outcomes that the state does not have yet, and intents without outcome, whose objects
/// their resource types look for. The state is stored, then the records are settled. The caller holds the state's lock.
///
/// After an error the journal keeps what could not be cleared up, and nothing must be planned on this state.
pub async fn recover(
    workspace: &Workspace,
    snapshots: &mut Snapshots,
    journal: &dyn Journal,
    variables: &BTreeMap<Str, GivenVariable>,
    hooks: &dyn Hooks,
) -> Diagnostics {
    let records = match journal.records().await {
        Ok(records) => records,
        Err(error) => return journal_unreadable(&error.to_string()),
    };
    if records.is_empty() {
        return Diagnostics::new();
    }
    let mut state = snapshots.stored().cloned().unwrap_or_default();
    let mut diagnostics = Diagnostics::new();
    let mut settled = Vec::new();
    let providers = configure_providers(workspace, &state, &records, variables, &mut diagnostics).await;
    for record in &records {
        let fine = match &record.outcome {
            Some(outcome) => {
                if let Some(what) = take_outcome(&mut state, record, outcome) {
                    tell(hooks, record, what);
                }
                true
            }
            None => match providers.get(&record.intent.provider) {
                Some(configured) => {
                    recover_one(workspace, &mut state, record, configured.as_ref(), hooks, &mut diagnostics).await
                }
                None => false,
            },
        };
        if fine {
            settled.push(record.id);
        }
    }
    if let Err(error) = snapshots.save(&state).await {
        let detail = format!("What an interrupted run left was found, but the state could not be written: {error}.");
        diagnostics.push(Diagnostic::error("Failed to save state", detail));
        return diagnostics;
    }
    if let Err(error) = journal.settle(&settled).await {
        diagnostics.append(journal_unreadable(&error.to_string()));
    }
    diagnostics
}

fn journal_unreadable(error: &str) -> Diagnostics {
    let detail = format!(
        "The journal beside the state tells what an interrupted run was doing, and can't be used: {error}. Restore access to \
         it; do not remove it while objects of that run may exist."
    );
    Diagnostic::error("Failed to use the state's journal", detail).into()
}

/// Puts an outcome into the state; what that changes there, if it does.
fn take_outcome(state: &mut State, record: &JournalRecord, outcome: &Outcome) -> Option<&'static str> {
    let object = match outcome {
        Outcome::Object(object) => Some(object),
        Outcome::Gone => None,
        Outcome::Failed => return None,
    };
    if stored(state, record).as_ref() == object {
        return None;
    }
    put(state, record, object.cloned());
    Some(match (object, record.intent.operation) {
        (None, _) => "was removed, which the state did not know yet",
        (Some(_), Operation::Create) => "was made, which the state did not know yet",
        (Some(_), _) => "was changed, which the state did not know yet",
    })
}

/// The object that the record is about, as the state has it.
fn stored(state: &State, record: &JournalRecord) -> Option<Arc<InstanceObject>> {
    let instance = state.instance(&record.intent.address)?;
    match &record.intent.deposed {
        Some(key) => instance.deposed.get(key).cloned(),
        None => instance.current.clone(),
    }
}

fn put(state: &mut State, record: &JournalRecord, object: Option<Arc<InstanceObject>>) {
    let intent = &record.intent;
    match &intent.deposed {
        Some(key) => state.set_deposed(&intent.address, &intent.provider, key, object),
        None => state.set_current(&intent.address, &intent.provider, object),
    }
}

fn tell(hooks: &dyn Hooks, record: &JournalRecord, what: &str) {
    hooks.recovered(&record.intent.address, record.intent.deposed.as_ref().map(DeposedKey::as_str), what);
}

/// Configures the providers that pending operations need, with resource values as the state has them.
async fn configure_providers(
    workspace: &Workspace,
    state: &State,
    records: &[JournalRecord],
    variables: &BTreeMap<Str, GivenVariable>,
    diagnostics: &mut Diagnostics,
) -> HashMap<ProviderConfig, Arc<dyn Configured>> {
    let pending = records.iter().filter(|record| record.outcome.is_none());
    let wanted: BTreeSet<ProviderConfig> = pending.map(|record| record.intent.provider.clone()).collect();
    let mut configured = HashMap::new();
    if wanted.is_empty() {
        return configured;
    }
    let graph = ConfigGraph::build(workspace, &wanted);
    diagnostics.append(graph.cycles());
    if diagnostics.has_errors() {
        return configured;
    }
    let functions = crate::functions::table(&workspace.config, &workspace.providers, workspace.functions.clone());
    let world = World::new(workspace, Phase::Plan, variables.clone(), functions);
    for index in graph.ordered() {
        match graph.node(index) {
            Some(Node::Call(path)) => {
                let Some(parent) = path.parent() else { continue };
                let caller = crate::workspace::module_at(&workspace.config, &parent);
                let call = caller.zip(path.0.last()).and_then(|(caller, name)| caller.calls.get(name));
                if let Some(call) = call {
                    world.expand_call(&parent, call);
                }
            }
            Some(Node::Resource(resource)) => {
                for module in world.instances(&resource.module) {
                    let address = module.address.resource(resource.resource.clone());
                    if let Some(values) = stored_values(workspace, state, &address) {
                        world.set_resource(&module, &resource.resource, values);
                    }
                }
            }
            _ => {}
        }
    }
    // What does not evaluate now may not concern the providers at all: only their own messages count.
    world.take_diagnostics();
    for address in wanted {
        if let Some(provider) = crate::refresh::configure(&world, &address).await {
            configured.insert(address, provider);
        }
    }
    diagnostics.append(world.take_diagnostics());
    configured
}

/// The instances of a resource as the state holds them.
pub(crate) fn stored_values(
    workspace: &Workspace,
    state: &State,
    address: &lang::addr::AbsResource,
) -> Option<ResourceValues> {
    let stored = state.resource(address)?;
    let provider = workspace.providers.get(&stored.provider.source)?;
    let schema = workspace.providers.schema(&stored.provider.source, &address.resource)?;
    let kind = &address.resource.kind;
    let values = stored.instances.iter().filter_map(|(key, instance)| {
        let object = instance.current.as_ref()?;
        let text = address.instance(key.clone()).to_string();
        objects::decode(object, provider.as_ref(), kind, schema, &text).ok().map(|value| (key.clone(), value))
    });
    let values: BTreeMap<_, _> = values.collect();
    let expansion = crate::expansion::Expansion::of_keys(stored.instances.keys());
    Some(ResourceValues::new(expansion, values))
}

async fn recover_one(
    workspace: &Workspace,
    state: &mut State,
    record: &JournalRecord,
    configured: &dyn Configured,
    hooks: &dyn Hooks,
    diagnostics: &mut Diagnostics,
) -> bool {
    let intent = &record.intent;
    let text = intent.address.to_string();
    let kind = &intent.address.resource.kind;
    let Some(provider) = workspace.providers.get(&intent.provider.source) else { return false };
    let Some(schema) = workspace.providers.schema(&intent.provider.source, &intent.address.resource) else {
        return false;
    };
    let ty = schema.block.implied_type();
    let absent = Value::null(ty.clone());
    let stored = stored(state, record);
    if stored.is_none() && intent.operation != Operation::Create {
        // The outcome came into the state, and the run ended before the journal had it. There is nothing to ask for: a
        // provider that is asked without an id may answer with anything.
        tell(hooks, record, "is gone");
        return true;
    }
    let decode = |object: &InstanceObject| objects::decode(object, provider.as_ref(), kind, schema, &text).ok();
    let plain = |value: Value| value.unmark_deep().0;
    let prior = stored.as_deref().and_then(decode).map_or(absent.clone(), plain);
    let planned = intent.planned.to_value().ok().and_then(|json| Value::from_json(&json, ty).ok()).unwrap_or(absent);
    let handed_over = record.handed_over.as_deref().and_then(decode).map(plain);
    let operation = match intent.operation {
        Operation::Create => sdk::provider::Operation::Create,
        Operation::Update => sdk::provider::Operation::Update,
        Operation::Delete => sdk::provider::Operation::Delete,
    };
    let response = configured
        .recover(RecoverRequest {
            type_name: kind,
            operation,
            prior: &prior,
            planned: &planned,
            handed_over: handed_over.as_ref(),
            client_token: intent.client_token.as_deref().unwrap_or_default(),
        })
        .await;
    match response {
        RecoverResponse::Found { object, complete, warnings } => {
            diagnostics.extend(warnings.into_iter().map(|warning| without_place(warning, &text)));
            let known = record.handed_over.as_deref().or(stored.as_deref());
            let status = match (intent.operation, complete) {
                (Operation::Create, false) => ObjectStatus::Tainted,
                _ => stored
                    .as_ref()
                    .filter(|_| intent.operation != Operation::Create)
                    .map_or(ObjectStatus::Ready, |o| o.status),
            };
            let dependencies = known.map_or_else(|| intent.dependencies.clone(), |object| object.dependencies.clone());
            let first = known.map_or(intent.create_before_destroy, |object| object.create_before_destroy);
            let marked = objects::mark_sensitive(object, &schema.block);
            let private = known.and_then(objects::private_bytes);
            match objects::encode(&marked, schema, private.as_deref(), status, dependencies, first) {
                Ok(object) => put(state, record, Some(Arc::new(object))),
                Err(detail) => {
                    diagnostics.push(Diagnostic::error("Provider produced invalid object", detail).with_address(text));
                    return false;
                }
            }
            let what = match (intent.operation, complete) {
                (Operation::Create, true) => "found and adopted",
                (Operation::Create, false) => "found unfinished: it will be replaced",
                (Operation::Update, _) => "read again after an interrupted change",
                (Operation::Delete, _) => "still there: it will be removed again",
            };
            tell(hooks, record, what);
            true
        }
        RecoverResponse::Absent => {
            put(state, record, None);
            let what = match intent.operation {
                Operation::Create => "was never made",
                Operation::Update | Operation::Delete => "is gone",
            };
            tell(hooks, record, what);
            true
        }
        RecoverResponse::Unclear(problems) => {
            diagnostics.extend(problems.into_iter().map(|problem| without_place(problem, &text)));
            false
        }
    }
}
