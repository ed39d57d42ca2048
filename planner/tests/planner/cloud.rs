//! A simulated provider over a cloud in memory, with faults to order: what the tests of plan and apply run against.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use lang::addr::{Mode, ProviderSource};
use lang::values::{Path, PathStep};
use lang::{Str, Type, Value};
use sdk::provider::{ImportedObject, Lease, OpenedEphemeral, Operation};
use sdk::{
    ApplyRequest, ApplyResponse, Attribute, Block, Configured, DataRequest, PlanRequest, PlanResponse, Provider,
    ProviderDiagnostic, ProviderSchema, ReadRequest, ReadResponse, RecoverRequest, RecoverResponse, Schema,
};
use tokio::sync::Notify;

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The cloud refuses.
    Refused,
    /// The cloud acts, then reports an error.
    Broken,
    /// The process dies before the call goes out.
    DiesBefore,
    /// The process dies after the cloud acted, before the answer.
    DiesUnanswered,
    /// The process dies after the object was handed over, while it waits.
    DiesWaiting,
    /// The process dies when the outcome is in the journal.
    DiesAfterOutcome,
}

#[derive(Clone)]
struct Thing {
    object: Value,
    token: String,
}

#[derive(Default)]
struct Inner {
    things: BTreeMap<String, Thing>,
    made: i64,
    log: Vec<String>,
    faults: HashMap<(Operation, String), Fault>,
}

/// The cloud: outlives every run.
#[derive(Default)]
pub struct Cloud {
    inner: Mutex<Inner>,
    /// Told when the process is to die.
    pub death: Notify,
    /// An ephemeral resource was renewed.
    pub renewed: Notify,
}

impl Cloud {
    /// Orders a fault for the next operation of this kind on the thing of this name.
    pub fn order(&self, operation: Operation, name: &str, fault: Fault) {
        self.inner.lock().unwrap().faults.insert((operation, name.to_owned()), fault);
    }

    /// The faults that were ordered and never met.
    pub fn unmet_faults(&self) -> usize {
        self.inner.lock().unwrap().faults.len()
    }

    /// Takes back the faults that were not met, and deaths of a process that was dead already.
    pub fn forget_faults(&self) {
        self.inner.lock().unwrap().faults.clear();
        let _ = self.death.notified().now_or_never();
    }

    /// What was done since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().unwrap().log)
    }

    /// The names of all things, sorted; duplicates show.
    pub fn names(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let mut names: Vec<String> = inner.things.values().map(|thing| text(&thing.object, "name")).collect();
        names.sort();
        names
    }

    /// The ids of all things, sorted.
    pub fn ids(&self) -> Vec<String> {
        self.inner.lock().unwrap().things.keys().cloned().collect()
    }

    /// Changes a thing behind the program's back; `None` removes it.
    pub fn tamper(&self, name: &str, value: Option<&str>) {
        let mut inner = self.inner.lock().unwrap();
        let found = inner.things.iter().find(|(_, thing)| text(&thing.object, "name") == name);
        let id = found.map(|(id, _)| id.clone()).unwrap();
        match value {
            None => drop(inner.things.remove(&id)),
            Some(value) => {
                let thing = inner.things.get_mut(&id).unwrap();
                thing.object = with(&thing.object, "value", Value::string(value));
            }
        }
    }

    pub fn log(&self, line: String) {
        self.inner.lock().unwrap().log.push(line);
    }

    fn fault(&self, operation: Operation, name: &str) -> Option<Fault> {
        let mut inner = self.inner.lock().unwrap();
        let key = (operation, name.to_owned());
        match inner.faults.get(&key) {
            Some(Fault::DiesAfterOutcome) | None => None,
            Some(_) => inner.faults.remove(&key),
        }
    }

    /// Whether the process dies now that the outcome is recorded.
    pub fn dies_after_outcome(&self, operation: Operation, name: &str) -> bool {
        let mut inner = self.inner.lock().unwrap();
        let key = (operation, name.to_owned());
        let dies = inner.faults.get(&key) == Some(&Fault::DiesAfterOutcome);
        if dies {
            inner.faults.remove(&key);
        }
        dies
    }

    /// The process dies: nothing goes on from here.
    pub async fn die(&self) {
        self.death.notify_one();
        std::future::pending::<()>().await;
    }

    fn create(&self, planned: &Value, token: &str) -> Value {
        let mut inner = self.inner.lock().unwrap();
        inner.made += 1;
        let number = inner.made;
        let id = format!("t-{number}");
        let object = with(&with(planned, "id", Value::string(id.as_str())), "serial", Value::from(number));
        inner.things.insert(id, Thing { object: object.clone(), token: token.to_owned() });
        object
    }

    fn update(&self, id: &str, planned: &Value) -> Value {
        let mut inner = self.inner.lock().unwrap();
        inner.made += 1;
        let object = with(planned, "serial", Value::from(inner.made));
        inner.things.get_mut(id).unwrap().object = object.clone();
        object
    }

    /// Removes a thing, unless another thing's value names it.
    fn delete(&self, id: &str) -> Result<(), String> {
        let mut inner = self.inner.lock().unwrap();
        let user = inner.things.values().find(|thing| text(&thing.object, "value") == id);
        if let Some(user) = user {
            return Err(format!("in use by {}", text(&user.object, "name")));
        }
        inner.things.remove(id).map(|_| ()).ok_or_else(|| format!("no thing {id}"))
    }

    fn find(&self, id: &str) -> Option<Value> {
        self.inner.lock().unwrap().things.get(id).map(|thing| thing.object.clone())
    }

    fn find_token(&self, token: &str) -> Option<Value> {
        let inner = self.inner.lock().unwrap();
        inner.things.values().find(|thing| thing.token == token).map(|thing| thing.object.clone())
    }
}

/// The text of an attribute; empty if it has none.
pub fn text(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).map(ToString::to_string).unwrap_or_default()
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    Value::object(object.entries().unwrap().with([(name.into(), value)]))
}

/// The provider `sim`.
pub struct Simulated {
    cloud: Arc<Cloud>,
    schema: ProviderSchema,
}

impl Simulated {
    /// A provider of this cloud.
    pub fn new(cloud: Arc<Cloud>) -> Simulated {
        let optional = |ty| Attribute { optional: true, ..Attribute::new(ty) };
        let computed = |ty| Attribute { computed: true, ..Attribute::new(ty) };
        let required = |ty| Attribute { required: true, ..Attribute::new(ty) };
        let schema = |attributes: Vec<(&str, Attribute)>| Schema {
            block: Block::new(
                attributes.into_iter().map(|(name, attribute)| (Str::new(name), attribute)).collect(),
                BTreeMap::new(),
            ),
            ..Schema::default()
        };
        let thing = schema(vec![
            ("id", computed(Type::String)),
            ("name", Attribute { force_new: true, ..required(Type::String) }),
            ("value", optional(Type::String)),
            ("tags", optional(Type::map(Type::String))),
            ("secret", Attribute { sensitive: true, ..optional(Type::String) }),
            ("serial", computed(Type::Number)),
        ]);
        let vault = schema(vec![
            ("id", computed(Type::String)),
            ("name", Attribute { force_new: true, ..required(Type::String) }),
            ("pin_wo", Attribute { write_only: true, ..optional(Type::String) }),
            ("pin_wo_version", optional(Type::Number)),
            ("serial", computed(Type::Number)),
        ]);
        let secret = schema(vec![("name", required(Type::String)), ("value", computed(Type::String))]);
        let lookup = schema(vec![("id", computed(Type::String)), ("name", required(Type::String))]);
        let provider = schema(vec![("region", optional(Type::String))]);
        let schema = ProviderSchema {
            provider,
            resources: BTreeMap::from([(Str::new("sim_thing"), thing), (Str::new("sim_vault"), vault)]),
            data_sources: BTreeMap::from([(Str::new("sim_lookup"), lookup.clone()), (Str::new("sim_pure"), lookup)]),
            ephemeral_resources: BTreeMap::from([(Str::new("sim_secret"), secret)]),
        };
        Simulated { cloud, schema }
    }
}

#[async_trait]
impl Provider for Simulated {
    fn source(&self) -> ProviderSource {
        ProviderSource::hashicorp("sim")
    }

    fn version(&self) -> &str {
        "1.0.0"
    }

    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn validate_config(&self, _config: &Value) -> Vec<ProviderDiagnostic> {
        Vec::new()
    }

    fn validate(&self, _mode: Mode, _type_name: &str, _config: &Value) -> Vec<ProviderDiagnostic> {
        Vec::new()
    }

    async fn configure(&self, config: Value) -> Result<Arc<dyn Configured>, Vec<ProviderDiagnostic>> {
        let region = text(&config, "region");
        if !region.is_empty() {
            self.cloud.log(format!("configure {region}"));
        }
        let known = config.is_wholly_known();
        Ok(Arc::new(Connection { cloud: self.cloud.clone(), known }))
    }

    fn is_pure(&self, data_source: &str) -> bool {
        data_source == "sim_pure"
    }
}

struct Connection {
    cloud: Arc<Cloud>,
    /// Whether the provider's configuration is known.
    known: bool,
}

fn failed(object: Option<Value>, summary: String) -> ApplyResponse {
    ApplyResponse { object, private: None, diagnostics: vec![ProviderDiagnostic::error(summary, "As ordered.")] }
}

#[async_trait]
impl Configured for Connection {
    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse {
        let mut planned = request.proposed.clone();
        let mut requires_replace = Vec::new();
        if request.prior.is_null() {
            planned = with(&planned, "id", Value::unknown(Type::String));
            planned = with(&planned, "serial", Value::unknown(Type::Number));
        } else if !planned.raw_equals(request.prior) {
            planned = with(&planned, "serial", Value::unknown(Type::Number));
            if !planned.get("name").unwrap().raw_equals(request.prior.get("name").unwrap()) {
                requires_replace.push(Path(vec![PathStep::Attribute("name".into())]));
            }
        }
        PlanResponse { planned: Some(planned), requires_replace, ..PlanResponse::default() }
    }

    async fn read_many(&self, _type_name: &str, requests: Vec<ReadRequest>) -> Vec<ReadResponse> {
        self.cloud.log(format!("read {}", requests.len()));
        let read = |request: ReadRequest| ReadResponse {
            object: self.cloud.find(&text(&request.prior, "id")),
            private: request.private,
            diagnostics: Vec::new(),
        };
        requests.into_iter().map(read).collect()
    }

    async fn apply(&self, request: ApplyRequest<'_>) -> ApplyResponse {
        let (operation, subject) = match (request.prior.is_null(), request.planned.is_null()) {
            (true, _) => (Operation::Create, request.planned),
            (_, true) => (Operation::Delete, request.prior),
            _ => (Operation::Update, request.planned),
        };
        let name = text(subject, "name");
        let id = text(request.prior, "id");
        let fault = self.cloud.fault(operation, &name);
        match fault {
            Some(Fault::DiesBefore) => self.cloud.die().await,
            Some(Fault::Refused) => return failed(None, format!("refused {name}")),
            _ => {}
        }
        let pin = text(request.config, "pin_wo");
        if !pin.is_empty() {
            self.cloud.log(format!("pin {pin}"));
        }
        let object = match operation {
            Operation::Create => Some(self.cloud.create(request.planned, request.client_token)),
            Operation::Update => Some(self.cloud.update(&id, request.planned)),
            Operation::Delete => match self.cloud.delete(&id) {
                Ok(()) => None,
                Err(problem) => return failed(Some(request.prior.clone()), problem),
            },
        };
        self.cloud.log(format!("{operation:?} {name}").to_lowercase());
        if fault == Some(Fault::DiesUnanswered) {
            self.cloud.die().await;
        }
        if let (Operation::Create, Some(object)) = (operation, &object) {
            request.observer.created(object.clone()).await;
        }
        match fault {
            Some(Fault::DiesWaiting) => self.cloud.die().await,
            Some(Fault::Broken) => return failed(object, format!("broken {name}")),
            _ => {}
        }
        ApplyResponse { object, ..ApplyResponse::default() }
    }

    async fn import(&self, kind: &str, id: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let names = ["name", "value", "tags", "secret", "serial"];
        let types = [Type::String, Type::String, Type::map(Type::String), Type::String, Type::Number];
        let absent = names.into_iter().zip(types.map(Value::null));
        let object = Value::object(absent.chain([("id", Value::string(id))]));
        Ok(vec![ImportedObject { type_name: kind.to_owned(), object, private: None }])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        let name = text(request.config, "name");
        if !self.known {
            return Ok(with(request.config, "id", Value::unknown(Type::String)));
        }
        self.cloud.log(format!("{} {name}", request.type_name));
        if name == "nowhere" {
            return Err(vec![ProviderDiagnostic::error("Nothing has this name", "As ordered.")]);
        }
        Ok(with(request.config, "id", Value::string(format!("found-{name}"))))
    }

    async fn open_ephemeral(&self, request: DataRequest<'_>) -> Result<OpenedEphemeral, Vec<ProviderDiagnostic>> {
        let name = text(request.config, "name");
        self.cloud.log(format!("open {name}"));
        let object = with(request.config, "value", Value::string(format!("hush-{name}")));
        let renew_after = (name == "short").then_some(Duration::ZERO);
        Ok(OpenedEphemeral { object, lease: Lease { private: name.into_bytes(), renew_after } })
    }

    async fn renew_ephemeral(&self, _: &str, private: Vec<u8>) -> Result<Lease, Vec<ProviderDiagnostic>> {
        self.cloud.log(format!("renew {}", String::from_utf8_lossy(&private)));
        self.cloud.renewed.notify_one();
        Ok(Lease { private, renew_after: None })
    }

    async fn close_ephemeral(&self, _: &str, private: Vec<u8>) -> Vec<ProviderDiagnostic> {
        self.cloud.log(format!("close {}", String::from_utf8_lossy(&private)));
        Vec::new()
    }

    async fn recover(&self, request: RecoverRequest<'_>) -> RecoverResponse {
        let found = match (request.operation, request.handed_over) {
            (Operation::Create, Some(object)) => self.cloud.find(&text(object, "id")),
            (Operation::Create, None) => self.cloud.find_token(request.client_token),
            _ if request.prior.is_null() => {
                return RecoverResponse::Unclear(vec![ProviderDiagnostic::error("There is no id", "")]);
            }
            _ => self.cloud.find(&text(request.prior, "id")),
        };
        match found {
            Some(object) => RecoverResponse::Found { object, complete: true, warnings: Vec::new() },
            None => RecoverResponse::Absent,
        }
    }
}
