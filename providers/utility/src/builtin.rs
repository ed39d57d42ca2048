//! The provider that Terraform has built in: `terraform.io/builtin/terraform`.

use std::sync::Arc;

use async_trait::async_trait;
use lang::Value;
use lang::addr::{Mode, ProviderSource};
use lang::functions::{Function, terraform};
use sdk::{
    ApplyRequest, ApplyResponse, Configured, DataRequest, ImportedObject, MoveRequest, Operation, PlanRequest,
    PlanResponse, Provider, ProviderDiagnostic, ProviderSchema, ReadRequest, ReadResponse, RecoverRequest,
    RecoverResponse,
};

use crate::remote_state::StateReader;
use crate::{remote_state, terraform_data};

/// The built-in provider.
pub struct Builtin {
    schema: ProviderSchema,
    states: Option<Arc<dyn StateReader>>,
}

impl Builtin {
    /// The provider that reads states elsewhere than in files, too.
    pub fn with_states(self, states: Arc<dyn StateReader>) -> Builtin {
        Builtin { states: Some(states), ..self }
    }
}

impl Default for Builtin {
    fn default() -> Builtin {
        let mut schema = ProviderSchema::default();
        schema.resources.insert(terraform_data::NAME.into(), terraform_data::schema());
        schema.data_sources.insert(remote_state::NAME.into(), remote_state::schema());
        Builtin { schema, states: None }
    }
}

#[async_trait]
impl Provider for Builtin {
    fn source(&self) -> ProviderSource {
        ProviderSource::builtin()
    }

    fn version(&self) -> &str {
        ""
    }

    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn functions(&self) -> Vec<Arc<Function>> {
        terraform::functions()
    }

    fn validate_config(&self, _config: &Value) -> Vec<ProviderDiagnostic> {
        Vec::new()
    }

    fn validate(&self, mode: Mode, type_name: &str, config: &Value) -> Vec<ProviderDiagnostic> {
        match (mode, type_name) {
            (Mode::Managed, terraform_data::NAME) => terraform_data::validate(config),
            (Mode::Data, remote_state::NAME) => remote_state::validate(config, self.states.as_deref()),
            _ => Vec::new(),
        }
    }

    fn move_state(&self, request: MoveRequest<'_>) -> Result<serde_json::Value, ProviderDiagnostic> {
        terraform_data::moved(&request)
    }

    fn estimate_seconds(&self, _type_name: &str, _operation: Operation) -> u32 {
        // Nobody is asked.
        0
    }

    async fn configure(&self, _config: Value) -> Result<Arc<dyn Configured>, Vec<ProviderDiagnostic>> {
        Ok(Arc::new(Running { states: self.states.clone() }))
    }
}

/// The built-in provider at work. Objects of `terraform_data` live in the state alone.
struct Running {
    states: Option<Arc<dyn StateReader>>,
}

fn no_data_source(type_name: &str) -> ProviderDiagnostic {
    ProviderDiagnostic::error(
        "Unsupported data source",
        format!("The built-in provider has no data source {type_name}."),
    )
}

#[async_trait]
impl Configured for Running {
    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse {
        terraform_data::plan(&request)
    }

    async fn read_many(&self, _type_name: &str, requests: Vec<ReadRequest>) -> Vec<ReadResponse> {
        let unchanged = |request: ReadRequest| ReadResponse {
            object: Some(request.prior),
            private: request.private,
            diagnostics: Vec::new(),
        };
        requests.into_iter().map(unchanged).collect()
    }

    async fn apply(&self, request: ApplyRequest<'_>) -> ApplyResponse {
        terraform_data::apply(&request)
    }

    async fn import(&self, type_name: &str, id: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let object = terraform_data::imported(id);
        Ok(vec![ImportedObject { type_name: type_name.to_owned(), object, private: None }])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        match request.type_name {
            remote_state::NAME => {
                let (config, states) = (request.config, self.states.as_deref());
                remote_state::read(config, request.address, states).await.map_err(|problem| vec![problem])
            }
            other => Err(vec![no_data_source(other)]),
        }
    }

    async fn recover(&self, request: RecoverRequest<'_>) -> RecoverResponse {
        // Nothing exists outside the state: what the state does not hold was never made.
        match request.prior.is_null() {
            true => RecoverResponse::Absent,
            false => RecoverResponse::Found { object: request.prior.clone(), complete: true, warnings: Vec::new() },
        }
    }
}
