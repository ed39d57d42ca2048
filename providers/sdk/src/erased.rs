//! Typed resource types behind object-safe traits that speak of values.

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use lang::values::Kind;
use lang::{Str, Value};

use crate::context::{Context, Cx};
use crate::error::{Class, Error, Result};
use crate::model::{Model, ModelError};
use crate::normalize;
use crate::plan;
use crate::provider::{
    ApplyRequest, ApplyResponse, ImportedObject, Operation, PlanRequest, PlanResponse, ProviderDiagnostic, ReadRequest,
    ReadResponse, RecoverRequest, RecoverResponse,
};
use crate::resource::{Change, Created, DataSource, Found, Resource};
use crate::schema::{Block, Schema, Semantics};
use crate::tags::{tags_of, tags_value};

/// How long a new object may be invisible to reads.
const VISIBLE_WITHIN: Duration = Duration::from_secs(120);

#[async_trait]
pub(crate) trait ErasedResource<C>: Send + Sync {
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic>;
    fn upgrade(&self, version: u64, attributes: serde_json::Value) -> Result<serde_json::Value>;
    fn estimate_seconds(&self, operation: Operation) -> u32;
    async fn plan(&self, cx: &Cx<C>, request: PlanRequest<'_>) -> PlanResponse;
    async fn read_many(&self, cx: &Cx<C>, requests: Vec<ReadRequest>) -> Vec<ReadResponse>;
    async fn apply(&self, cx: &Cx<C>, request: ApplyRequest<'_>) -> ApplyResponse;
    async fn import(&self, cx: &Cx<C>, id: &str) -> Result<Vec<ImportedObject>>;
    async fn recover(&self, cx: &Cx<C>, request: RecoverRequest<'_>) -> RecoverResponse;
}

#[async_trait]
pub(crate) trait ErasedData<C>: Send + Sync {
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic>;
    fn is_pure(&self) -> bool;
    async fn read(&self, cx: &Cx<C>, config: &Value) -> Result<Value>;
}

pub(crate) struct TypedResource<R> {
    schema: Schema,
    _type: PhantomData<fn() -> R>,
}

pub(crate) struct TypedData<D>(PhantomData<fn() -> D>);

impl<R: Resource> TypedResource<R> {
    pub(crate) fn new() -> TypedResource<R> {
        TypedResource { schema: <R as Model>::schema(), _type: PhantomData }
    }

    fn has_tags(&self) -> bool {
        self.schema.block.attributes.contains_key("tags") && self.schema.block.attributes.contains_key("tags_all")
    }

    /// The planned object for a create or update: `tags_all` may have been unknown in the plan.
    /// Write-only arguments are in the configuration alone.
    fn planned(&self, cx: &Cx<R::Context>, planned: &Value, config: &Value) -> Result<R> {
        let mut planned = planned.clone();
        for (name, _) in self.schema.block.attributes.iter().filter(|(_, attribute)| attribute.write_only) {
            planned = with(planned, [(name.clone(), get(config, name))]);
        }
        if self.has_tags() {
            let own = tags_of(&get(&planned, "tags"));
            planned = with(planned, [(Str::new_static("tags_all"), tags_value(&cx.tag_policy().merge(&own)))]);
        }
        model(&planned)
    }

    /// An object that was read, as it is stored. `known` is what the tags of the object itself are told from.
    fn stored(&self, cx: &Cx<R::Context>, object: &R, known: &Value) -> Value {
        let value = object.to_value();
        if !self.has_tags() {
            return value;
        }
        let (own, all) = cx.tag_policy().split(&tags_of(&get(&value, "tags_all")), &tags_of(&get(known, "tags")));
        let known_tags = get(known, "tags");
        // A null `tags` stays null in frameworks, which tell it from an empty map.
        let own = if own.is_empty() && known_tags.is_null() && self.schema.semantics == Semantics::Framework {
            known_tags
        } else {
            tags_value(&own)
        };
        with(value, [(Str::new_static("tags"), own), (Str::new_static("tags_all"), tags_value(&all))])
    }

    fn after_apply(&self, applied: Value, planned: &Value) -> Value {
        match self.schema.semantics {
            Semantics::Legacy => normalize::after_apply(&self.schema.block, applied, planned),
            Semantics::Framework => applied,
        }
    }

    fn after_read(&self, read: Value, prior: &Value) -> Value {
        match self.schema.semantics {
            Semantics::Legacy => normalize::after_read(&self.schema.block, read, prior),
            Semantics::Framework => read,
        }
    }

    /// Reads what a create or update answered with, until it is visible.
    async fn read_back(&self, cx: &Cx<R::Context>, object: R) -> Result<R> {
        if !R::READS_BACK {
            return Ok(object);
        }
        let read = || async {
            R::read(cx, object.clone())
                .await?
                .ok_or_else(|| Error::not_found("couldn't find resource after it was made"))
        };
        cx.retry(VISIBLE_WITHIN, Error::is_not_found, read).await
    }

    async fn create(&self, cx: &Cx<R::Context>, request: &ApplyRequest<'_>) -> ApplyResponse {
        let created = Created::new(request.observer, request.planned);
        let result = async {
            let made = R::create(cx, self.planned(cx, request.planned, request.config)?, &created).await?;
            // Whatever the implementation forgot to hand over is handed over before the read can fail.
            if created.partial.lock().await.is_none() {
                created.hand_over(&made).await;
            }
            self.read_back(cx, made).await
        }
        .await;
        match result {
            Ok(object) => applied(self.after_apply(self.stored(cx, &object, request.planned), request.planned)),
            Err(error) => failed(error, created.partial.into_inner()),
        }
    }

    async fn update(&self, cx: &Cx<R::Context>, request: &ApplyRequest<'_>) -> ApplyResponse {
        let result = async {
            let change = Change {
                prior: model(request.prior)?,
                planned: self.planned(cx, request.planned, request.config)?,
                config: model(request.config)?,
            };
            let changed = R::update(cx, change).await?;
            self.read_back(cx, changed).await
        }
        .await;
        match result {
            Ok(object) => applied(self.after_apply(self.stored(cx, &object, request.planned), request.planned)),
            // Some of it may have been changed: the next refresh tells, and the plan does the rest.
            Err(error) => failed(error, Some(request.prior.clone())),
        }
    }

    async fn delete(&self, cx: &Cx<R::Context>, request: &ApplyRequest<'_>) -> ApplyResponse {
        let result = async { R::delete(cx, model(request.prior)?).await }.await;
        match result {
            Ok(()) => ApplyResponse::default(),
            Err(error) if error.is_not_found() => ApplyResponse::default(),
            Err(error) => failed(error, Some(request.prior.clone())),
        }
    }

    /// The object of an operation without outcome.
    async fn found(&self, cx: &Cx<R::Context>, request: &RecoverRequest<'_>) -> Result<Option<Recovered>, Unclear> {
        let mut evidence = Evidence::Proof;
        let start: R = match (request.handed_over, request.operation) {
            (Some(partial), _) => model(partial)?,
            (None, Operation::Update | Operation::Delete) => model(request.prior)?,
            (None, Operation::Create) => {
                let planned = self.planned(cx, request.planned, request.planned)?;
                match R::find(cx, &planned, request.client_token).await? {
                    Found::Object(object) => *object,
                    Found::Named(object) => {
                        evidence = Evidence::Name;
                        *object
                    }
                    Found::Same(object) => {
                        evidence = Evidence::Content;
                        *object
                    }
                    Found::Nothing => return Ok(None),
                    Found::Unclear(why) => return Err(Unclear::Because(why)),
                }
            }
        };
        let known = if request.planned.is_null() { request.prior } else { request.planned };
        let Some(object) = R::read(cx, start).await? else { return Ok(None) };
        let value = |object: &R| self.after_read(self.stored(cx, object, known), known);
        if evidence == Evidence::Name {
            let other = self.other_than_planned(cx, &value(&object), request.planned);
            if !other.is_empty() {
                let why = format!(
                    "it may be the one that is there under that name, but that one differs from the plan in {}",
                    other.join(", ")
                );
                return Err(Unclear::Because(why));
            }
        }
        if request.operation != Operation::Create {
            return Ok(Some(Recovered { object: value(&object), complete: true, evidence }));
        }
        let complete = match R::settle(cx, &object).await {
            Ok(()) => true,
            // The call failed, not the object.
            Err(error) if matches!(error.class(), Class::Throttled | Class::Network) => return Err(error.into()),
            Err(_) => false,
        };
        // Waiting may have changed it.
        let settled = R::read(cx, object).await?;
        Ok(settled.map(|object| Recovered { object: value(&object), complete, evidence }))
    }

    /// What of that which must be configured or can't be changed in place, and of the tags, is not as planned. The rest the
    /// next plan mends.
    fn other_than_planned(&self, cx: &Cx<R::Context>, found: &Value, planned: &Value) -> Vec<&str> {
        let attributes = self.schema.block.attributes.iter();
        let lasting = attributes.filter(|(_, attribute)| attribute.force_new || attribute.required);
        let differs = lasting.filter(|(name, attribute)| {
            let (found, planned) = (get(found, name), get(planned, name));
            let same = planned.is_null()
                || found.raw_equals(&planned)
                || attribute.equivalent.is_some_and(|equivalent| !found.is_null() && equivalent(&found, &planned));
            !same
        });
        let mut names: Vec<&str> = differs.map(|(name, _)| name.as_str()).collect();
        if self.has_tags() && tags_of(&get(found, "tags_all")) != cx.tag_policy().merge(&tags_of(&get(planned, "tags")))
        {
            names.push("tags");
        }
        names
    }

    /// The type and what tells the object from others: `aws_iam_role (name = "node")`.
    fn described(&self, planned: &Value) -> String {
        let attributes = self.schema.block.attributes.iter();
        let telling =
            attributes.filter(|(name, a)| !a.sensitive && !a.write_only && (a.required || name.as_str() == "name"));
        let parts = telling.filter_map(|(name, _)| {
            let text =
                get(planned, name).as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST_SHOWN)?.to_string();
            Some(format!("{name} = {text:?}"))
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { R::NAME.to_owned() } else { format!("{} ({})", R::NAME, parts.join(", ")) }
    }
}

/// Longer texts (policies, certificates) don't tell an object from others at a glance.
const LONGEST_SHOWN: usize = 120;

/// An object that an interrupted run left.
struct Recovered {
    object: Value,
    complete: bool,
    evidence: Evidence,
}

/// Why an object is taken for the one that was to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// Its id, the token or the identifying tag of its creation.
    Proof,
    /// Its name, and all that a create decides for good.
    Name,
    /// It is nothing but its content.
    Content,
}

enum Unclear {
    Failed(Error),
    Because(String),
}

impl From<Error> for Unclear {
    fn from(error: Error) -> Unclear {
        Unclear::Failed(error)
    }
}

#[async_trait]
impl<R: Resource> ErasedResource<R::Context> for TypedResource<R> {
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic> {
        R::validate(config)
    }

    fn upgrade(&self, version: u64, attributes: serde_json::Value) -> Result<serde_json::Value> {
        R::upgrade(version, attributes)
    }

    fn estimate_seconds(&self, operation: Operation) -> u32 {
        R::estimate_seconds(operation)
    }

    async fn plan(&self, cx: &Cx<R::Context>, request: PlanRequest<'_>) -> PlanResponse {
        let mut plan = plan::begin(&self.schema, cx.tag_policy(), request.prior, request.proposed, request.config);
        if let Err(error) = R::plan(cx, &mut plan).await {
            plan.diagnostics.push(error.into_diagnostic());
        }
        plan::finish(&self.schema, &mut plan, request.proposed);
        let failed = plan.diagnostics.iter().any(|diagnostic| diagnostic.severity == lang::Severity::Error);
        PlanResponse {
            planned: (!failed).then_some(plan.planned),
            requires_replace: plan.requires_replace,
            private: request.private.map(<[u8]>::to_vec),
            diagnostics: plan.diagnostics,
            legacy: self.schema.semantics == Semantics::Legacy,
        }
    }

    async fn read_many(&self, cx: &Cx<R::Context>, requests: Vec<ReadRequest>) -> Vec<ReadResponse> {
        let mut models = Vec::with_capacity(requests.len());
        let mut broken = Vec::with_capacity(requests.len());
        for request in &requests {
            match model::<R>(&request.prior) {
                Ok(prior) => {
                    models.push(prior);
                    broken.push(None);
                }
                Err(error) => broken.push(Some(error)),
            }
        }
        let mut answers = R::read_many(cx, models).await.into_iter();
        requests
            .into_iter()
            .zip(broken)
            .map(|(request, broken)| {
                let missing = || Err(Error::new(format!("{}: a batched read answered for too few objects", R::NAME)));
                let answer = broken.map_or_else(|| answers.next().unwrap_or_else(missing), Err);
                let (object, diagnostics) = match answer {
                    Ok(Some(object)) => {
                        let object = self.stored(cx, &object, &request.prior);
                        (Some(self.after_read(object, &request.prior)), Vec::new())
                    }
                    Ok(None) => (None, Vec::new()),
                    Err(error) if error.is_not_found() => (None, Vec::new()),
                    Err(error) => (Some(request.prior), vec![error.into_diagnostic()]),
                };
                ReadResponse { object, private: request.private, diagnostics }
            })
            .collect()
    }

    async fn apply(&self, cx: &Cx<R::Context>, request: ApplyRequest<'_>) -> ApplyResponse {
        let mut response = match (request.prior.is_null(), request.planned.is_null()) {
            (_, true) => self.delete(cx, &request).await,
            (true, false) => self.create(cx, &request).await,
            (false, false) => self.update(cx, &request).await,
        };
        if response.object.is_some() {
            response.private = request.private.map(<[u8]>::to_vec);
        }
        response
    }

    async fn import(&self, cx: &Cx<R::Context>, id: &str) -> Result<Vec<ImportedObject>> {
        let objects = R::import(cx, id).await?;
        let import = |object: R| ImportedObject {
            type_name: R::NAME.to_owned(),
            // Whatever the id doesn't tell is null, not empty.
            object: nulls_for_zeros(object.to_value()),
            private: None,
        };
        Ok(objects.into_iter().map(import).collect())
    }

    async fn recover(&self, cx: &Cx<R::Context>, request: RecoverRequest<'_>) -> RecoverResponse {
        match self.found(cx, &request).await {
            Ok(Some(Recovered { object, complete, evidence })) => {
                let warnings = (evidence == Evidence::Content).then(|| {
                    let detail = format!(
                        "A run that was interrupted was about to make {}. It is there, and is now managed here; nothing tells \
                         whether that run made it or it was there before. If it belongs to somebody else, take it out of \
                         the configuration with a `removed` block that does not destroy it.",
                        self.described(request.planned)
                    );
                    ProviderDiagnostic::warning("Object adopted by its content", detail)
                });
                RecoverResponse::Found { object, complete, warnings: warnings.into_iter().collect() }
            }
            Ok(None) => RecoverResponse::Absent,
            Err(Unclear::Failed(error)) if error.is_not_found() => RecoverResponse::Absent,
            Err(Unclear::Failed(error)) => RecoverResponse::Unclear(vec![error.into_diagnostic()]),
            Err(Unclear::Because(why)) => RecoverResponse::Unclear(vec![ProviderDiagnostic::error(
                format!("An earlier run may have left an object of type {} behind", R::NAME),
                format!(
                    "The run ended before the answer to its request to create {} arrived, and what became of it can't be \
                     told: {why}. If it exists, import it or remove it.",
                    self.described(request.planned)
                ),
            )]),
        }
    }
}

impl<D: DataSource> TypedData<D> {
    pub(crate) fn new() -> TypedData<D> {
        TypedData(PhantomData)
    }
}

#[async_trait]
impl<D: DataSource> ErasedData<D::Context> for TypedData<D>
where
    D::Context: Context,
{
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic> {
        D::validate(config)
    }

    fn is_pure(&self) -> bool {
        D::PURE
    }

    async fn read(&self, cx: &Cx<D::Context>, config: &Value) -> Result<Value> {
        if D::SEMANTICS == Semantics::Framework {
            return Ok(D::read(cx, model(config)?).await?.to_value());
        }
        let block = D::block();
        let object = D::read(cx, model(&defaults_for_nulls(&block, config))?).await?.to_value();
        Ok(nulls_for_no_blocks(&block, object))
    }
}

pub(crate) fn model<T: Model>(value: &Value) -> Result<T> {
    let broken = |error: ModelError| {
        Error::new(format!("The stored object doesn't fit its schema: {error}"))
            .hint("This is a bug: please report it.")
    };
    T::from_value(value).map_err(broken)
}

fn applied(object: Value) -> ApplyResponse {
    ApplyResponse { object: Some(object), private: None, diagnostics: Vec::new() }
}

fn failed(error: Error, object: Option<Value>) -> ApplyResponse {
    ApplyResponse { object, private: None, diagnostics: vec![error.into_diagnostic()] }
}

fn get(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_else(|| Value::null(lang::Type::Dynamic))
}

fn with<const N: usize>(object: Value, attributes: [(Str, Value); N]) -> Value {
    let Some(entries) = object.entries() else { return object };
    Value::object(entries.with(attributes))
}

/// A configuration of terraform-plugin-sdk v2 with the defaults of what is not configured.
fn defaults_for_nulls(block: &Block, config: &Value) -> Value {
    let Some(entries) = config.entries() else { return config.clone() };
    let entries = entries.iter().map(|(name, value)| {
        let default = block.attributes.get(name).and_then(|attribute| attribute.default.as_ref());
        (name.clone(), default.filter(|_| value.is_null()).unwrap_or(value).clone())
    });
    Value::object(entries)
}

/// terraform-plugin-sdk v2 stores null for blocks of a data source that aren't there.
fn nulls_for_no_blocks(block: &Block, object: Value) -> Value {
    let Some(entries) = object.entries() else { return object };
    let entries = entries.iter().map(|(name, value)| {
        let absent = block.blocks.get(name).is_some_and(|nested| !nested.computed) && value.length() == Some(0);
        (name.clone(), if absent { Value::null(value.ty()) } else { value.clone() })
    });
    Value::object(entries)
}

/// In an imported object the default of a field that isn't an `Option` means "not known", that is, null.
fn nulls_for_zeros(object: Value) -> Value {
    let Some(entries) = object.entries() else { return object };
    let entries = entries.iter().map(|(name, value)| {
        let zero = match &value.kind {
            Kind::String(text) => text.is_empty(),
            Kind::Bool(flag) => !flag,
            Kind::Number(number) => *number == lang::Number::from(0i64),
            _ => false,
        };
        (name.clone(), if zero { Value::null(value.ty()) } else { value.clone() })
    });
    Value::object(entries)
}
