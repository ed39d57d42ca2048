//! The resource types and data sources of a provider, and the adapter from their typed traits to what the planner sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lang::addr::Mode;
use lang::{Str, Value};

use crate::checks;
use crate::context::{Context, Cx};
use crate::ephemeral::{EphemeralResource, ErasedEphemeral, TypedEphemeral};
use crate::erased::{ErasedData, ErasedResource, TypedData, TypedResource};
use crate::model::Model;
use crate::provider::{
    ApplyRequest, ApplyResponse, Configured, DataRequest, ImportedObject, Lease, OpenedEphemeral, Operation,
    PlanRequest, PlanResponse, ProviderDiagnostic, ReadRequest, ReadResponse, RecoverRequest, RecoverResponse,
};
use crate::resource::{DataSource, Resource};
use crate::schema::{ProviderSchema, Schema};
use crate::shared::SharedReads;
use crate::tags::TagPolicy;

/// What a provider offers, by name.
pub struct Registry<C> {
    schema: ProviderSchema,
    resources: BTreeMap<&'static str, Box<dyn ErasedResource<C>>>,
    data_sources: BTreeMap<&'static str, Box<dyn ErasedData<C>>>,
    ephemeral_resources: BTreeMap<&'static str, Box<dyn ErasedEphemeral<C>>>,
}

impl<C: Context> Registry<C> {
    /// A provider with this configuration, and nothing yet.
    pub fn new(provider: Schema) -> Registry<C> {
        Registry {
            schema: ProviderSchema { provider, ..ProviderSchema::default() },
            resources: BTreeMap::new(),
            data_sources: BTreeMap::new(),
            ephemeral_resources: BTreeMap::new(),
        }
    }

    /// Adds a resource type.
    pub fn resource<R: Resource<Context = C>>(&mut self) -> &mut Self {
        self.schema.resources.insert(Str::new_static(R::NAME), <R as Model>::schema());
        self.resources.insert(R::NAME, Box::new(TypedResource::<R>::new()));
        self
    }

    /// Adds a data source.
    pub fn data_source<D: DataSource<Context = C>>(&mut self) -> &mut Self {
        self.schema.data_sources.insert(Str::new_static(D::NAME), <D as Model>::schema());
        self.data_sources.insert(D::NAME, Box::new(TypedData::<D>::new()));
        self
    }

    /// Adds an ephemeral resource type.
    pub fn ephemeral_resource<E: EphemeralResource<Context = C>>(&mut self) -> &mut Self {
        self.schema.ephemeral_resources.insert(Str::new_static(E::NAME), <E as Model>::schema());
        self.ephemeral_resources.insert(E::NAME, Box::new(TypedEphemeral::<E>::new()));
        self
    }

    /// The schemas of everything.
    pub fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    /// Checks a configuration beyond its schema.
    pub fn validate(&self, mode: Mode, type_name: &str, config: &Value) -> Vec<ProviderDiagnostic> {
        let (schemas, own) = match mode {
            Mode::Managed => {
                (&self.schema.resources, self.resources.get(type_name).map(|resource| resource.validate(config)))
            }
            Mode::Data => {
                (&self.schema.data_sources, self.data_sources.get(type_name).map(|data| data.validate(config)))
            }
            Mode::Ephemeral => (
                &self.schema.ephemeral_resources,
                self.ephemeral_resources.get(type_name).map(|opened| opened.validate(config)),
            ),
        };
        let declared = schemas.get(type_name).map(|schema| checks::check(schema, mode == Mode::Managed, config));
        declared.into_iter().chain(own).flatten().collect()
    }

    /// Checks a configuration of the provider by its schema.
    pub fn validate_provider(&self, config: &Value) -> Vec<ProviderDiagnostic> {
        checks::check(&self.schema.provider, false, config)
    }

    /// Whether a data source depends on nothing but its configuration.
    pub fn is_pure(&self, data_source: &str) -> bool {
        self.data_sources.get(data_source).is_some_and(|data| data.is_pure())
    }

    /// How long an operation usually takes, in seconds.
    pub fn estimate_seconds(&self, type_name: &str, operation: Operation) -> u32 {
        self.resources.get(type_name).map_or(1, |resource| resource.estimate_seconds(operation))
    }

    /// Brings stored attributes of an older schema version to the current one.
    pub fn upgrade(
        &self,
        type_name: &str,
        version: u64,
        attributes: serde_json::Value,
    ) -> Result<serde_json::Value, ProviderDiagnostic> {
        match self.resources.get(type_name) {
            Some(resource) => resource.upgrade(version, attributes).map_err(crate::Error::into_diagnostic),
            None => Err(unsupported("resource", type_name)),
        }
    }
}

/// A registry together with a configured provider's context.
pub struct Running<C> {
    registry: Arc<Registry<C>>,
    context: Arc<C>,
    shared: Arc<SharedReads>,
    deferred: bool,
}

impl<C: Context> Running<C> {
    /// Makes calls with this context.
    pub fn new(registry: Arc<Registry<C>>, context: C) -> Running<C> {
        Running { registry, context: Arc::new(context), shared: Arc::default(), deferred: false }
    }

    /// For a configuration of which parts are only known later: plans, and makes no calls.
    pub fn deferred(registry: Arc<Registry<C>>, context: C) -> Running<C> {
        Running { deferred: true, ..Running::new(registry, context) }
    }

    /// The provider's own context.
    pub fn context(&self) -> &Arc<C> {
        &self.context
    }

    fn cx(&self) -> Cx<C> {
        Cx::new(self.context.clone())
    }

    fn resource(&self, type_name: &str) -> Result<&dyn ErasedResource<C>, ProviderDiagnostic> {
        self.registry.resources.get(type_name).map(AsRef::as_ref).ok_or_else(|| unsupported("resource", type_name))
    }
}

/// What can't be done while the provider's configuration isn't known.
fn deferred(what: &str) -> ProviderDiagnostic {
    ProviderDiagnostic::error(
        "Provider configuration is not known yet",
        format!(
            "The provider's configuration depends on values that are only known after an apply, and without it {what}. Apply \
             what it depends on first (-target), or give the provider values that are known."
        ),
    )
}

impl<C: Context> Running<C> {
    fn ephemeral(&self, type_name: &str) -> Result<&dyn ErasedEphemeral<C>, Vec<ProviderDiagnostic>> {
        let found = self.registry.ephemeral_resources.get(type_name).map(AsRef::as_ref);
        found.ok_or_else(|| vec![unsupported("ephemeral resource", type_name)])
    }
}

fn unsupported(kind: &str, type_name: &str) -> ProviderDiagnostic {
    ProviderDiagnostic::error(
        format!("Invalid {kind} type"),
        format!("The provider does not support {kind} type \"{type_name}\"."),
    )
}

#[async_trait]
impl<C: Context> Configured for Running<C> {
    fn is_deferred(&self) -> bool {
        self.deferred
    }

    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse {
        match self.resource(request.type_name) {
            Ok(resource) => resource.plan(&self.cx(), request).await,
            Err(diagnostic) => PlanResponse { diagnostics: vec![diagnostic], ..PlanResponse::default() },
        }
    }

    async fn read_many(&self, type_name: &str, requests: Vec<ReadRequest>) -> Vec<ReadResponse> {
        match self.resource(type_name) {
            Ok(_) if self.deferred => requests
                .into_iter()
                .map(|request| ReadResponse {
                    object: Some(request.prior),
                    private: request.private,
                    diagnostics: Vec::new(),
                })
                .collect(),
            Ok(resource) => resource.read_many(&self.cx().sharing(self.shared.clone()), requests).await,
            Err(diagnostic) => requests
                .into_iter()
                .map(|request| ReadResponse {
                    object: Some(request.prior),
                    private: request.private,
                    diagnostics: vec![diagnostic.clone()],
                })
                .collect(),
        }
    }

    async fn apply(&self, request: ApplyRequest<'_>) -> ApplyResponse {
        match self.resource(request.type_name) {
            Ok(_) if self.deferred => ApplyResponse {
                object: (!request.prior.is_null()).then(|| request.prior.clone()),
                private: request.private.map(<[u8]>::to_vec),
                diagnostics: vec![deferred("nothing can be changed")],
            },
            Ok(resource) => {
                self.shared.forget();
                let cx = self.cx().with_token(request.client_token);
                let response = resource.apply(&cx, request).await;
                self.shared.forget();
                response
            }
            Err(diagnostic) => ApplyResponse { diagnostics: vec![diagnostic], ..ApplyResponse::default() },
        }
    }

    async fn import(&self, type_name: &str, id: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let resource = self.resource(type_name).map_err(|diagnostic| vec![diagnostic])?;
        if self.deferred {
            return Err(vec![deferred("nothing can be imported")]);
        }
        resource.import(&self.cx(), id).await.map_err(|error| vec![error.into_diagnostic()])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        let Some(data) = self.registry.data_sources.get(request.type_name) else {
            return Err(vec![unsupported("data source", request.type_name)]);
        };
        if self.deferred && !data.is_pure() {
            return Err(vec![deferred("nothing can be read")]);
        }
        data.read(&self.cx(), request.config).await.map_err(|error| vec![error.into_diagnostic()])
    }

    async fn open_ephemeral(&self, request: DataRequest<'_>) -> Result<OpenedEphemeral, Vec<ProviderDiagnostic>> {
        let ephemeral = self.ephemeral(request.type_name)?;
        if self.deferred {
            return Err(vec![deferred("nothing can be opened")]);
        }
        ephemeral.open(&self.cx(), request.config).await.map_err(|error| vec![error.into_diagnostic()])
    }

    async fn renew_ephemeral(&self, type_name: &str, private: Vec<u8>) -> Result<Lease, Vec<ProviderDiagnostic>> {
        let ephemeral = self.ephemeral(type_name)?;
        ephemeral.renew(&self.cx(), private).await.map_err(|error| vec![error.into_diagnostic()])
    }

    async fn close_ephemeral(&self, type_name: &str, private: Vec<u8>) -> Vec<ProviderDiagnostic> {
        match self.ephemeral(type_name) {
            Ok(ephemeral) => ephemeral
                .close(&self.cx(), private)
                .await
                .err()
                .into_iter()
                .map(crate::Error::into_diagnostic)
                .collect(),
            Err(problems) => problems,
        }
    }

    async fn recover(&self, request: RecoverRequest<'_>) -> RecoverResponse {
        match self.resource(request.type_name) {
            Ok(_) if self.deferred => RecoverResponse::Unclear(vec![deferred(
                "it can't be found out what became of an operation that an earlier run began",
            )]),
            Ok(resource) => resource.recover(&self.cx().with_token(request.client_token), request).await,
            Err(diagnostic) => RecoverResponse::Unclear(vec![diagnostic]),
        }
    }
}

/// For providers without tags.
pub fn no_tags() -> &'static TagPolicy {
    static NONE: std::sync::OnceLock<TagPolicy> = std::sync::OnceLock::new();
    NONE.get_or_init(TagPolicy::default)
}
