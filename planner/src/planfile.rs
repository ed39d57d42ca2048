//! The saved plan: a zip with a manifest, the plan, the states it was made from, and the configuration.
//!
//! A plan that holds nothing sensitive is stored in clear. As soon as one value is sensitive, plan and states are sealed with
//! AES-256-GCM under a key that the caller keeps elsewhere, unless the caller says that they may lie in clear.

mod deferred;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use lang::addr::ResourceInstance;
use lang::values::Marks;
use lang::{Str, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use state::State;

use crate::plan::{
    Action, ActionReason, CheckOutcome, CheckStatus, Checkable, OutputChange, PathElement, Plan, PlanMode,
    RelevantAttribute, ResourceChange,
};
use crate::value_codec::{self as codec, Malformed};

/// The version of the format that this program writes and reads.
const FORMAT: u64 = 1;
const MANIFEST: &str = "windlass-plan.json";
const CLEAR: &str = "plan.json";
const SEALED: &str = "plan.sealed";
const CONFIG: &str = "config/";

/// The key that seals plans.
#[derive(Clone)]
pub struct SealingKey(pub [u8; 32]);

/// A plan and the configuration that it was made from.
#[derive(Clone, Debug)]
pub struct SavedPlan {
    /// The plan.
    pub plan: Plan,
    /// The files of the configuration, by their path relative to the root module.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The workspace that it was made in.
    pub workspace: String,
    /// Whether the configuration says how to encrypt: `files` doesn't have that part.
    pub encrypted: bool,
}

/// Why a plan file can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not a plan file at all.
    #[error("it is not a plan that windlass saved")]
    NotAPlan,
    /// Written by a later version.
    #[error("it has format {0}; this version of windlass reads format {FORMAT}")]
    Version(u64),
    /// Its content is not what was written.
    #[error("its content does not match its checksum")]
    Corrupt,
    /// It is sealed, and there is no key or the wrong one.
    #[error("it holds sensitive values and is sealed with another key")]
    Sealed,
    /// Its content can't be understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The plan can't be encoded.
    #[error("it can't be encoded: {0}")]
    Encode(String),
}

/// A plan as the bytes of a file. `key` is asked for only if the plan holds something sensitive; without one the plan is
/// written in clear nevertheless.
pub fn write<E>(
    saved: &SavedPlan,
    key: impl FnOnce() -> Result<Option<SealingKey>, E>,
) -> Result<Vec<u8>, WriteError<E>> {
    let content = serde_json::to_vec(&encode_plan(saved)).map_err(|e| PlanFileError::Encode(e.to_string()))?;
    let key = match is_sensitive(&saved.plan) {
        false => None,
        true => key().map_err(WriteError::Key)?,
    };
    let (name, content) = match key {
        None => (CLEAR, content),
        Some(key) => (SEALED, seal(&content, &key)?),
    };
    let manifest = json!({ "format": FORMAT, "sha256": checksum(&content, &saved.files) });
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let mut add = |name: &str, bytes: &[u8]| -> Result<(), PlanFileError> {
        archive.start_file(name, options).map_err(|e| PlanFileError::Encode(e.to_string()))?;
        archive.write_all(bytes).map_err(|e| PlanFileError::Encode(e.to_string()))
    };
    add(MANIFEST, manifest.to_string().as_bytes())?;
    add(name, &content)?;
    for (path, bytes) in &saved.files {
        add(&format!("{CONFIG}{path}"), bytes)?;
    }
    let finished = archive.finish().map_err(|e| PlanFileError::Encode(e.to_string()))?;
    Ok(finished.into_inner())
}

/// Why a plan could not be written.
#[derive(Debug)]
pub enum WriteError<E> {
    /// The key could not be had.
    Key(E),
    /// The plan could not be encoded.
    Plan(PlanFileError),
}

impl<E> From<PlanFileError> for WriteError<E> {
    fn from(error: PlanFileError) -> Self {
        WriteError::Plan(error)
    }
}

/// Reads a saved plan. `key` is asked for only if it is sealed.
pub fn read(bytes: &[u8], key: impl FnOnce() -> Option<SealingKey>) -> Result<SavedPlan, PlanFileError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| PlanFileError::NotAPlan)?;
    let manifest = entry(&mut archive, MANIFEST).ok_or(PlanFileError::NotAPlan)?;
    let manifest: Json = serde_json::from_slice(&manifest).map_err(|_| PlanFileError::NotAPlan)?;
    match manifest.get("format").and_then(Json::as_u64) {
        Some(FORMAT) => {}
        Some(other) => return Err(PlanFileError::Version(other)),
        None => return Err(PlanFileError::NotAPlan),
    }
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let names = names.map_err(|_| PlanFileError::Corrupt)?;
    let mut files = BTreeMap::new();
    for name in names {
        if let Some(path) = name.strip_prefix(CONFIG) {
            let bytes = entry(&mut archive, &name).ok_or(PlanFileError::Corrupt)?;
            files.insert(path.to_owned(), bytes);
        }
    }
    let clear = entry(&mut archive, CLEAR);
    let sealed = entry(&mut archive, SEALED);
    let stored = clear.as_ref().or(sealed.as_ref()).ok_or(PlanFileError::Corrupt)?;
    if manifest.get("sha256").and_then(Json::as_str) != Some(checksum(stored, &files).as_str()) {
        return Err(PlanFileError::Corrupt);
    }
    let content = match (clear, sealed) {
        (Some(content), _) => content,
        (None, Some(sealed)) => unseal(&sealed, &key().ok_or(PlanFileError::Sealed)?)?,
        (None, None) => return Err(PlanFileError::Corrupt),
    };
    Ok(SavedPlan { files, ..decode(&content)? })
}

/// A saved plan without files, from the content of a plan file alone.
pub fn decode(content: &[u8]) -> Result<SavedPlan, PlanFileError> {
    let json: Json = serde_json::from_slice(content).map_err(|_| PlanFileError::Corrupt)?;
    let workspace = text(&json, "workspace")?.to_owned();
    // Older files don't say.
    let encrypted = json.get("encrypted").is_none_or(|encrypted| encrypted != false);
    Ok(SavedPlan { plan: decode_plan(&json)?, files: BTreeMap::new(), workspace, encrypted })
}

fn entry(archive: &mut zip::ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    archive.by_name(name).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn checksum(content: &[u8], files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(content);
    for (path, bytes) in files {
        add(path.as_bytes());
        add(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seal(content: &[u8], key: &SealingKey) -> Result<Vec<u8>, PlanFileError> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|error| PlanFileError::Encode(error.to_string()))?;
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key.0));
    let sealed = cipher
        .encrypt(Nonce::from_slice(&nonce), content)
        .map_err(|_| PlanFileError::Encode("it could not be sealed".to_owned()))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn unseal(sealed: &[u8], key: &SealingKey) -> Result<Vec<u8>, PlanFileError> {
    let (nonce, content) = sealed.split_first_chunk::<12>().ok_or(PlanFileError::Corrupt)?;
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key.0));
    cipher.decrypt(Nonce::from_slice(nonce), content).map_err(|_| PlanFileError::Sealed)
}

/// Whether a plan holds a sensitive value.
pub fn is_sensitive(plan: &Plan) -> bool {
    let marked = |value: &Value| value.deep_marks().contains(Marks::SENSITIVE);
    let stored = |state: &State| {
        state.outputs.values().any(|output| output.sensitive)
            || state.instances().any(|(_, _, instance)| {
                let objects = instance.current.iter().chain(instance.deposed.values());
                objects.into_iter().any(|object| !object.sensitive_attributes.is_empty())
            })
    };
    plan.variables.values().any(marked)
        || plan.outputs.values().any(|output| output.sensitive || marked(&output.after))
        || all_changes(plan).any(|c| marked(&c.before) || marked(&c.after) || marked(&c.config))
        || stored(&plan.prior_state)
        || stored(&plan.previous_state)
}

fn all_changes(plan: &Plan) -> impl Iterator<Item = &ResourceChange> {
    plan.changes.iter().chain(&plan.drift).chain(plan.deferred.iter().map(|deferred| &deferred.change))
}

fn encode_plan(saved: &SavedPlan) -> Json {
    let plan = &saved.plan;
    let state = |state: &State| json!(String::from_utf8_lossy(&state::v4::write(state)));
    json!({
        "workspace": saved.workspace,
        "encrypted": saved.encrypted,
        "mode": mode_name(plan.mode),
        "timestamp": plan.timestamp,
        "changes": plan.changes.iter().map(encode_change).collect::<Vec<_>>(),
        "deferred": plan.deferred.iter().map(deferred::encode).collect::<Vec<_>>(),
        "drift": plan.drift.iter().map(encode_change).collect::<Vec<_>>(),
        "outputs": plan.outputs.iter().map(|(name, output)| (name.to_string(), json!({
            "action": action_name(output.action),
            "before": codec::encode(&output.before),
            "after": codec::encode(&output.after),
            "sensitive": output.sensitive,
        }))).collect::<serde_json::Map<_, _>>(),
        "checks": plan.checks.iter().map(encode_check).collect::<Vec<_>>(),
        "relevant_attributes": plan.relevant_attributes.iter().map(|relevant| json!({
            "resource": relevant.resource,
            "path": relevant.path.iter().map(|element| match element {
                PathElement::Name(name) => json!(name.as_str()),
                PathElement::Index(index) => json!(index),
            }).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        // A null ephemeral value stands for one that has to be given again.
        "variables": plan.variables.iter().map(|(name, value)| (name.to_string(), encode_variable(value)))
            .collect::<serde_json::Map<_, _>>(),
        "apply_time_variables": plan.apply_time_variables.iter().map(Str::as_str).collect::<Vec<_>>(),
        "prior_state": state(&plan.prior_state),
        "previous_state": state(&plan.previous_state),
        "targets": plan.targets,
        "excludes": plan.excludes,
        "force_replace": plan.force_replace.iter().map(ResourceInstance::to_string).collect::<Vec<_>>(),
        "refreshed": plan.refreshed,
        "errored": plan.errored,
        "complete": plan.complete,
    })
}

fn encode_variable(value: &Value) -> Json {
    match value.marks.contains(Marks::EPHEMERAL) {
        true => codec::encode(&Value::null(value.ty()).with_marks(value.marks)),
        false => codec::encode(value),
    }
}

fn encode_change(change: &ResourceChange) -> Json {
    json!({
        "address": change.address.to_string(),
        "previous_address": change.previous_address.as_ref().map(ResourceInstance::to_string),
        "deposed": change.deposed.as_deref(),
        "provider": change.provider.to_string(),
        "action": action_name(change.action),
        "reason": change.reason.map(ActionReason::as_str),
        "before": codec::encode(&change.before),
        "after": codec::encode(&change.after),
        "config": codec::encode(&change.config),
        "replace_paths": change.replace_paths.iter().map(codec::encode_path).collect::<Vec<_>>(),
        "private": codec::encode_bytes(change.private.as_ref()),
        "importing": change.importing,
        "generated_config": change.generated_config,
        "create_before_destroy": change.create_before_destroy,
        "dependencies": change.dependencies.iter().map(|dependency| dependency.to_string()).collect::<Vec<_>>(),
    })
}

fn encode_check(check: &CheckOutcome) -> Json {
    let (kind, name, key) = match &check.object {
        Checkable::Resource(resource, key) => ("resource", resource.to_string(), key.to_string()),
        Checkable::Output(name) => ("output", name.to_string(), String::new()),
        Checkable::Variable(name) => ("variable", name.to_string(), String::new()),
        Checkable::Check(name) => ("check", name.to_string(), String::new()),
    };
    json!({
        "module": check.module.to_string(),
        "kind": kind,
        "name": name,
        "key": key,
        "is_instance": check.is_instance,
        "status": check_name(check.status),
        "problems": check.problems,
    })
}

fn decode_plan(json: &Json) -> Result<Plan, PlanFileError> {
    let state = |name: &str| -> Result<State, PlanFileError> {
        state::v4::read(text(json, name)?.as_bytes()).ok().flatten().ok_or(PlanFileError::Malformed(Malformed))
    };
    let outputs = object(json, "outputs")?.iter().map(|(name, output)| {
        let change = OutputChange {
            action: action_of(text(output, "action")?)?,
            before: codec::decode(field(output, "before")?)?,
            after: codec::decode(field(output, "after")?)?,
            sensitive: flag(output, "sensitive")?,
        };
        Ok((Str::new(name), change))
    });
    let variables = object(json, "variables")?.iter().map(|(name, value)| Ok((Str::new(name), codec::decode(value)?)));
    let addresses = |name: &str| -> Result<Vec<String>, Malformed> {
        array(json, name)?.iter().map(|address| Ok(address.as_str().ok_or(Malformed)?.to_owned())).collect()
    };
    let given_again =
        array(json, "apply_time_variables")?.iter().map(|name| name.as_str().map(Str::new).ok_or(Malformed));
    let replaced = array(json, "force_replace")?.iter().map(|address| parsed(address.as_str().ok_or(Malformed)?));
    Ok(Plan {
        mode: mode_of(text(json, "mode")?)?,
        timestamp: text(json, "timestamp")?.to_owned(),
        changes: array(json, "changes")?.iter().map(decode_change).collect::<Result<_, _>>()?,
        deferred: deferred::decode_all(json)?,
        drift: array(json, "drift")?.iter().map(decode_change).collect::<Result<_, _>>()?,
        outputs: outputs.collect::<Result<_, Malformed>>()?,
        checks: array(json, "checks")?.iter().map(decode_check).collect::<Result<_, _>>()?,
        relevant_attributes: array(json, "relevant_attributes")?
            .iter()
            .map(decode_relevant)
            .collect::<Result<_, _>>()?,
        variables: variables.collect::<Result<_, Malformed>>()?,
        apply_time_variables: given_again.collect::<Result<_, Malformed>>()?,
        prior_state: state("prior_state")?,
        previous_state: state("previous_state")?,
        targets: addresses("targets")?,
        excludes: addresses("excludes")?,
        force_replace: replaced.collect::<Result<_, Malformed>>()?,
        generated: Vec::new(),
        // Older files don't say.
        refreshed: json.get("refreshed").is_none_or(|refreshed| refreshed != false),
        errored: flag(json, "errored")?,
        complete: flag(json, "complete")?,
    })
}

fn decode_change(json: &Json) -> Result<ResourceChange, Malformed> {
    decode_change_of(parsed(text(json, "address")?)?, json)
}

fn decode_change_of(address: ResourceInstance, json: &Json) -> Result<ResourceChange, Malformed> {
    let optional = |name: &str| json.get(name).and_then(Json::as_str);
    let dependencies = array(json, "dependencies")?.iter().map(|d| parsed(d.as_str().ok_or(Malformed)?));
    Ok(ResourceChange {
        address,
        previous_address: optional("previous_address").map(parsed).transpose()?,
        deposed: optional("deposed").map(Str::new),
        provider: parsed(text(json, "provider")?)?,
        action: action_of(text(json, "action")?)?,
        reason: optional("reason").map(reason_of).transpose()?,
        before: codec::decode(field(json, "before")?)?,
        after: codec::decode(field(json, "after")?)?,
        config: codec::decode(field(json, "config")?)?,
        replace_paths: array(json, "replace_paths")?.iter().map(codec::decode_path).collect::<Result<_, _>>()?,
        private: codec::decode_bytes(json.get("private"))?,
        importing: optional("importing").map(str::to_owned),
        generated_config: optional("generated_config").map(str::to_owned),
        create_before_destroy: flag(json, "create_before_destroy")?,
        dependencies: dependencies.map(|d| d.map(Arc::new)).collect::<Result<_, _>>()?,
    })
}

fn decode_check(json: &Json) -> Result<CheckOutcome, Malformed> {
    let (module, name, key) = (text(json, "module")?, text(json, "name")?, text(json, "key")?);
    let object = match text(json, "kind")? {
        "resource" => {
            let instance: ResourceInstance = parsed(&format!("{name}{key}"))?;
            Checkable::Resource(instance.resource, instance.key)
        }
        "output" => Checkable::Output(Str::new(name)),
        "variable" => Checkable::Variable(Str::new(name)),
        _ => Checkable::Check(Str::new(name)),
    };
    let problems = array(json, "problems")?.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    let status = check_of(text(json, "status")?)?;
    let module = if module.is_empty() { lang::addr::ModuleInstance::root() } else { parsed(module)? };
    Ok(CheckOutcome { is_instance: flag(json, "is_instance")?, module, object, status, problems })
}

fn decode_relevant(json: &Json) -> Result<RelevantAttribute, Malformed> {
    let path = array(json, "path")?.iter().map(|element| match element {
        Json::String(name) => Ok(PathElement::Name(Str::new(name))),
        element => element.as_u64().map(PathElement::Index).ok_or(Malformed),
    });
    Ok(RelevantAttribute { resource: text(json, "resource")?.to_owned(), path: path.collect::<Result<_, _>>()? })
}

const MODES: [(&str, PlanMode); 3] =
    [("normal", PlanMode::Normal), ("destroy", PlanMode::Destroy), ("refresh-only", PlanMode::RefreshOnly)];

const ACTIONS: [(&str, Action); 8] = [
    ("no-op", Action::NoOp),
    ("create", Action::Create),
    ("read", Action::Read),
    ("update", Action::Update),
    ("delete", Action::Delete),
    ("delete-create", Action::DeleteThenCreate),
    ("create-delete", Action::CreateThenDelete),
    ("forget", Action::Forget),
];

const CHECKS: [(&str, CheckStatus); 4] = [
    ("unknown", CheckStatus::Unknown),
    ("pass", CheckStatus::Pass),
    ("fail", CheckStatus::Fail),
    ("error", CheckStatus::Error),
];

const REASONS: [ActionReason; 13] = [
    ActionReason::ReplaceBecauseTainted,
    ActionReason::ReplaceBecauseCannotUpdate,
    ActionReason::ReplaceByRequest,
    ActionReason::ReplaceByTriggers,
    ActionReason::DeleteBecauseNoResourceConfig,
    ActionReason::DeleteBecauseWrongRepetition,
    ActionReason::DeleteBecauseCountIndex,
    ActionReason::DeleteBecauseEachKey,
    ActionReason::DeleteBecauseNoModule,
    ActionReason::DeleteBecauseNoMoveTarget,
    ActionReason::ReadBecauseConfigUnknown,
    ActionReason::ReadBecauseDependencyPending,
    ActionReason::ReadBecauseCheckNested,
];

fn name_in<T: PartialEq + Copy>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

fn value_in<T: Copy>(table: &[(&'static str, T)], name: &str) -> Result<T, Malformed> {
    table.iter().find(|(other, _)| *other == name).map(|(_, value)| *value).ok_or(Malformed)
}

fn mode_name(mode: PlanMode) -> &'static str {
    name_in(&MODES, mode)
}

fn mode_of(name: &str) -> Result<PlanMode, Malformed> {
    value_in(&MODES, name)
}

fn action_name(action: Action) -> &'static str {
    name_in(&ACTIONS, action)
}

fn action_of(name: &str) -> Result<Action, Malformed> {
    value_in(&ACTIONS, name)
}

fn check_name(status: CheckStatus) -> &'static str {
    name_in(&CHECKS, status)
}

fn check_of(name: &str) -> Result<CheckStatus, Malformed> {
    value_in(&CHECKS, name)
}

fn reason_of(name: &str) -> Result<ActionReason, Malformed> {
    REASONS.into_iter().find(|reason| reason.as_str() == name).ok_or(Malformed)
}

fn field<'a>(json: &'a Json, name: &str) -> Result<&'a Json, Malformed> {
    json.get(name).ok_or(Malformed)
}

fn text<'a>(json: &'a Json, name: &str) -> Result<&'a str, Malformed> {
    field(json, name)?.as_str().ok_or(Malformed)
}

fn flag(json: &Json, name: &str) -> Result<bool, Malformed> {
    field(json, name)?.as_bool().ok_or(Malformed)
}

fn array<'a>(json: &'a Json, name: &str) -> Result<&'a Vec<Json>, Malformed> {
    field(json, name)?.as_array().ok_or(Malformed)
}

fn object<'a>(json: &'a Json, name: &str) -> Result<&'a serde_json::Map<String, Json>, Malformed> {
    field(json, name)?.as_object().ok_or(Malformed)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed)
}
