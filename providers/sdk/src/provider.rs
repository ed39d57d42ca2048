//! The traits through which the planner sees a provider.
//!
//! Values are objects that conform to the schema's implied type ([`crate::Block::implied_type`]) and carry no marks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lang::Severity;
use lang::Value;
use lang::addr::{Mode, ProviderSource};
use lang::functions::Function;
use lang::values::Path;

use crate::schema::ProviderSchema;

/// A message of a provider; the planner turns the path into a place in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderDiagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The headline.
    pub summary: String,
    /// The explanation, with the way out.
    pub detail: String,
    /// The attribute that it is about; empty: the whole object.
    pub path: Path,
    /// Whether it is shown without a place in the configuration.
    pub placeless: bool,
}

impl ProviderDiagnostic {
    /// An error about the whole object.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> ProviderDiagnostic {
        ProviderDiagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: Path::default(),
            placeless: false,
        }
    }

    /// A warning about the whole object.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> ProviderDiagnostic {
        ProviderDiagnostic { severity: Severity::Warning, ..ProviderDiagnostic::error(summary, detail) }
    }

    /// The same without a place.
    #[must_use]
    pub fn without_place(mut self) -> ProviderDiagnostic {
        self.placeless = true;
        self
    }

    /// The same about an attribute.
    #[must_use]
    pub fn at(mut self, path: Path) -> ProviderDiagnostic {
        self.path = path;
        self
    }
}

/// A provider before it is configured.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The source address it answers to.
    fn source(&self) -> ProviderSource;

    /// The version of Terraform's provider whose schemas it has.
    fn version(&self) -> &str;

    /// Everything it offers. Built once.
    fn schema(&self) -> &ProviderSchema;

    /// The functions that configurations may call as `provider::LOCAL_NAME::NAME`. They need no configuration of the provider.
    fn functions(&self) -> Vec<Arc<Function>> {
        Vec::new()
    }

    /// Checks a provider configuration; it may hold unknown values.
    fn validate_config(&self, config: &Value) -> Vec<ProviderDiagnostic>;

    /// Checks the configuration of a resource or data source beyond what the schema says; it may hold unknown values.
    fn validate(&self, mode: Mode, type_name: &str, config: &Value) -> Vec<ProviderDiagnostic>;

    /// Makes a configured provider. `config` may hold unknown values while planning; then the
    /// provider [is deferred](Configured::is_deferred).
    async fn configure(&self, config: Value) -> Result<Arc<dyn Configured>, Vec<ProviderDiagnostic>>;

    /// Brings stored attributes of an older schema version to the current one.
    fn upgrade(
        &self,
        type_name: &str,
        version: u64,
        attributes: serde_json::Value,
    ) -> Result<serde_json::Value, ProviderDiagnostic> {
        let _ = (type_name, version);
        Ok(attributes)
    }

    /// Turns the stored attributes of an object of another type, or of another provider, into those of one of its own types.
    fn move_state(&self, request: MoveRequest<'_>) -> Result<serde_json::Value, ProviderDiagnostic> {
        let detail = format!(
            "The \"{}\" resource type does not support moving resource state across resource types.",
            request.target_type
        );
        Err(ProviderDiagnostic::error("Move Resource State Not Supported", detail))
    }

    /// Whether a data source depends on nothing but its configuration (`aws_iam_policy_document`), so that it is
    /// known at plan time even under `depends_on`.
    fn is_pure(&self, data_source: &str) -> bool {
        let _ = data_source;
        false
    }

    /// How long an operation usually takes, in seconds: the scheduler starts long paths first.
    fn estimate_seconds(&self, type_name: &str, operation: Operation) -> u32 {
        let _ = (type_name, operation);
        1
    }
}

/// What [`Provider::move_state`] is asked.
#[derive(Clone, Debug)]
pub struct MoveRequest<'a> {
    /// The provider that has made the object.
    pub source: &'a ProviderSource,
    /// The type that the object has.
    pub source_type: &'a str,
    /// The type that it is to have.
    pub target_type: &'a str,
    /// Its attributes as they are stored.
    pub attributes: serde_json::Value,
}

/// A configured provider: what makes calls.
#[async_trait]
pub trait Configured: Send + Sync {
    /// Whether parts of the configuration are only known later. Such a provider plans by the schema alone: it makes no call,
    /// because nobody knows yet to which account it would go.
    fn is_deferred(&self) -> bool {
        false
    }

    /// Plans one managed resource instance. Makes no calls that change anything.
    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse;

    /// Reads the current state of objects of one type, in as few calls as the API allows. Answers in order. A deferred
    /// provider answers with what is known.
    async fn read_many(&self, type_name: &str, requests: Vec<ReadRequest>) -> Vec<ReadResponse>;

    /// Creates, updates or deletes one object.
    async fn apply(&self, request: ApplyRequest<'_>) -> ApplyResponse;

    /// Finds the object that a user names for import.
    async fn import(&self, type_name: &str, id: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>>;

    /// Reads a data source. `config` is wholly known. Not asked of a deferred provider.
    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>>;

    /// Opens an ephemeral resource. `config` is wholly known.
    async fn open_ephemeral(&self, request: DataRequest<'_>) -> Result<OpenedEphemeral, Vec<ProviderDiagnostic>> {
        let detail = format!("The provider does not support ephemeral resource type \"{}\".", request.type_name);
        Err(vec![ProviderDiagnostic::error("Invalid ephemeral resource type", detail)])
    }

    /// Prolongs an open ephemeral resource.
    async fn renew_ephemeral(&self, type_name: &str, private: Vec<u8>) -> Result<Lease, Vec<ProviderDiagnostic>> {
        let _ = type_name;
        Ok(Lease { private, renew_after: None })
    }

    /// Gives an open ephemeral resource back.
    async fn close_ephemeral(&self, type_name: &str, private: Vec<u8>) -> Vec<ProviderDiagnostic> {
        let _ = (type_name, private);
        Vec::new()
    }

    /// Finds what became of an operation whose outcome was never recorded.
    async fn recover(&self, request: RecoverRequest<'_>) -> RecoverResponse;
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is removed.
    Delete,
}

/// What [`Configured::plan`] is asked.
#[derive(Clone, Debug)]
pub struct PlanRequest<'a> {
    /// The resource type.
    pub type_name: &'a str,
    /// The current object; null when there is none.
    pub prior: &'a Value,
    /// The prior object with the configuration laid over it: computed attributes that are not configured keep their
    /// prior values. Never null: the planner plans deletions itself.
    pub proposed: &'a Value,
    /// The configuration as written; unset attributes are null.
    pub config: &'a Value,
    /// The provider's private bytes beside the object.
    pub private: Option<&'a [u8]>,
}

/// What a provider plans.
#[derive(Clone, Debug, Default)]
pub struct PlanResponse {
    /// The planned object: known where it can be.
    pub planned: Option<Value>,
    /// Attributes whose change replaces the object.
    pub requires_replace: Vec<Path>,
    /// Private bytes to hand to apply.
    pub private: Option<Vec<u8>>,
    /// Messages; `planned` is `None` if one is an error.
    pub diagnostics: Vec<ProviderDiagnostic>,
    /// Whether the type behaves as one of Terraform's legacy SDK, which plans more than it was asked for: what is to be ignored
    /// is put back as it was.
    pub legacy: bool,
}

/// One object to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The object as stored.
    pub prior: Value,
    /// The provider's private bytes.
    pub private: Option<Vec<u8>>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct ReadResponse {
    /// The object as it is now; `None`: gone. After an error: the prior object.
    pub object: Option<Value>,
    /// The provider's private bytes.
    pub private: Option<Vec<u8>>,
    /// Messages.
    pub diagnostics: Vec<ProviderDiagnostic>,
}

/// Hears of things while an apply runs.
#[async_trait]
pub trait Observer: Send + Sync {
    /// The cloud answered a create: this is the object so far, with its id. Returns once it is durable.
    async fn created(&self, partial: Value);
}

/// What [`Configured::apply`] is asked.
#[derive(Clone)]
pub struct ApplyRequest<'a> {
    /// The resource type.
    pub type_name: &'a str,
    /// The current object; null: create.
    pub prior: &'a Value,
    /// The planned object; null: delete. Known where the plan knew it and where its references are known now.
    pub planned: &'a Value,
    /// The configuration; null: delete.
    pub config: &'a Value,
    /// Private bytes of the plan, or the stored ones for a deletion.
    pub private: Option<&'a [u8]>,
    /// Stable over re-runs of this operation: use it as the API's client token or in an identifying tag.
    pub client_token: &'a str,
    /// Hears of the new object's id.
    pub observer: &'a dyn Observer,
}

/// What came of an apply.
#[derive(Clone, Debug, Default)]
pub struct ApplyResponse {
    /// The object as it is now; `None`: there is none (deleted, or never made). After a failed create it is the object
    /// that exists nevertheless, which the planner stores as tainted.
    pub object: Option<Value>,
    /// The provider's private bytes.
    pub private: Option<Vec<u8>>,
    /// Messages; an error among them means that it failed.
    pub diagnostics: Vec<ProviderDiagnostic>,
}

/// An object that an import found.
#[derive(Clone, Debug)]
pub struct ImportedObject {
    /// Its resource type.
    pub type_name: String,
    /// The object, as far as an import knows it: the planner reads it next.
    pub object: Value,
    /// The provider's private bytes.
    pub private: Option<Vec<u8>>,
}

/// A data source to read.
#[derive(Clone, Debug)]
pub struct DataRequest<'a> {
    /// The data source's type.
    pub type_name: &'a str,
    /// The instance's address, for messages.
    pub address: &'a str,
    /// Its configuration.
    pub config: &'a Value,
}

/// An open ephemeral resource.
#[derive(Clone, Debug)]
pub struct OpenedEphemeral {
    /// The object.
    pub object: Value,
    /// For how long.
    pub lease: Lease,
}

/// What keeps an ephemeral resource open.
#[derive(Clone, Debug, Default)]
pub struct Lease {
    /// What renewing and closing need.
    pub private: Vec<u8>,
    /// When it has to be renewed, if it has to.
    pub renew_after: Option<Duration>,
}

/// An operation without outcome.
#[derive(Clone, Debug)]
pub struct RecoverRequest<'a> {
    /// The resource type.
    pub type_name: &'a str,
    /// What was done.
    pub operation: Operation,
    /// The object before; null for a create.
    pub prior: &'a Value,
    /// The object as planned; unknown attributes are null.
    pub planned: &'a Value,
    /// What [`Observer::created`] was told, if it was.
    pub handed_over: Option<&'a Value>,
    /// The token that the operation used.
    pub client_token: &'a str,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum RecoverResponse {
    /// The object exists: this is what it is now. `complete` says whether a create came to its end; if not, the object
    /// is stored as tainted.
    Found {
        /// The object.
        object: Value,
        /// Whether it is usable as it is.
        complete: bool,
        /// What the user should know about it.
        warnings: Vec<ProviderDiagnostic>,
    },
    /// It was never made, or is gone.
    Absent,
    /// It could not be found out: the state keeps what it knows and the run stops with these messages.
    Unclear(Vec<ProviderDiagnostic>),
}
