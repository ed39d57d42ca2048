//! What the planner tells about its progress. The command line renders it; the planner never prints.

use std::time::Duration;

use lang::Value;
use lang::addr::ResourceInstance;

use crate::plan::Action;

/// What is done with an ephemeral resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EphemeralStep {
    /// It is opened.
    Open,
    /// It is prolonged.
    Renew,
    /// It is given back.
    Close,
}

/// Hears of progress. Called from many tasks at once; must not block.
pub trait Hooks: Send + Sync {
    /// An object is about to be read. `id`: its `id` attribute, if it has one.
    fn refresh_start(&self, _address: &ResourceInstance, _deposed: Option<&str>, _id: Option<&str>) {}
    /// It was read.
    fn refresh_complete(&self, _address: &ResourceInstance, _deposed: Option<&str>, _id: Option<&str>) {}
    /// An object is about to be looked for by the id that an import names.
    fn import_start(&self, _address: &ResourceInstance, _id: &str) {}
    /// The provider found an object, which is read next.
    fn import_found(&self, _address: &ResourceInstance) {}
    /// An imported object comes into the state.
    fn import_applied(&self, _address: &ResourceInstance, _id: &str) {}
    /// A data source is about to be read.
    fn data_read_start(&self, _address: &ResourceInstance) {}
    /// It was read. `id`: its `id` attribute, if it has one.
    fn data_read_complete(&self, _address: &ResourceInstance, _id: Option<&str>, _elapsed: Duration) {}
    /// An object is about to be created, changed or removed.
    fn apply_start(&self, _address: &ResourceInstance, _deposed: Option<&str>, _action: Action, _prior: &Value) {}
    /// The operation still runs.
    fn apply_progress(&self, _address: &ResourceInstance, _action: Action, _prior: &Value, _elapsed: Duration) {}
    /// The operation came to its end.
    fn apply_complete(&self, _address: &ResourceInstance, _action: Action, _new: &Value, _elapsed: Duration) {}
    /// The operation failed.
    fn apply_errored(&self, _address: &ResourceInstance, _action: Action, _elapsed: Duration) {}
    /// An ephemeral resource is about to be opened, renewed or closed.
    fn ephemeral_start(&self, _address: &ResourceInstance, _step: EphemeralStep) {}
    /// It was.
    fn ephemeral_complete(&self, _address: &ResourceInstance, _step: EphemeralStep, _elapsed: Duration) {}
    /// That failed.
    fn ephemeral_errored(&self, _address: &ResourceInstance, _step: EphemeralStep, _elapsed: Duration) {}
    /// A provisioner starts.
    fn provision_start(&self, _address: &ResourceInstance, _kind: &str) {}
    /// A provisioner printed a line.
    fn provision_output(&self, _address: &ResourceInstance, _kind: &str, _line: &str) {}
    /// A provisioner came to its end.
    fn provision_complete(&self, _address: &ResourceInstance, _kind: &str) {}
    /// A provisioner failed.
    fn provision_errored(&self, _address: &ResourceInstance, _kind: &str) {}
    /// An operation of an interrupted run was cleared up; `what` says how.
    fn recovered(&self, _address: &ResourceInstance, _deposed: Option<&str>, _what: &str) {}
}

/// Hears and says nothing.
pub struct NoHooks;

impl Hooks for NoHooks {}
