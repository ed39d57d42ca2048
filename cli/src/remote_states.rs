//! States of other configurations, for `terraform_remote_state`.

use std::sync::Arc;

use async_trait::async_trait;
use lang::{Diagnostic, Diagnostics, Value};
use planner::ProviderRegistry;
use provider_utility::StateReader;
use serde_json::{Map, Value as Json};

use crate::backend::Record;
use crate::io::Environment;
use crate::session::{Session, chain};
use crate::ui::Ui;

/// Reads states by the backends that this program has.
pub struct RemoteStates {
    session: Session,
}

impl RemoteStates {
    /// Reads as this environment says.
    pub fn new(environment: Environment) -> RemoteStates {
        RemoteStates { session: Session::new(Arc::new(Ui::silent()), environment, ProviderRegistry::default()) }
    }
}

#[async_trait]
impl StateReader for RemoteStates {
    fn arguments(&self, backend: &str, config: &Value) -> Option<Result<Value, String>> {
        crate::backend::converted(backend, config)
    }

    async fn read(
        &self,
        backend: &str,
        config: &Map<String, Json>,
        workspace: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, String> {
        let told = |problems: Diagnostics| {
            let details: Vec<&str> = problems.iter().map(Diagnostic::detail).collect();
            details.join("; ")
        };
        let record = Record { kind: backend.to_owned(), config: config.clone(), hash: 0 };
        let encryption = self.session.encryption().map_err(told)?;
        let place = record.open(&self.session.environment, None, encryption.remote(name)).map_err(told)?;
        let store = place.backend().store(workspace).map_err(|error| chain(&error))?;
        let state = store.read().await.map_err(|error| chain(&error))?;
        Ok(state.as_ref().map(state::v4::write))
    }
}
