//! States of other configurations, for `terraform_remote_state`.

use async_trait::async_trait;
use provider_utility::StateReader;
use serde_json::{Map, Value as Json};

use crate::backend::Record;
use crate::io::Environment;
use crate::session::chain;

/// Reads states by the backends that this program has.
pub struct RemoteStates(pub Environment);

#[async_trait]
impl StateReader for RemoteStates {
    async fn read(
        &self,
        backend: &str,
        config: &Map<String, Json>,
        workspace: &str,
    ) -> Result<Option<Vec<u8>>, String> {
        let record = Record { kind: backend.to_owned(), config: config.clone(), hash: 0 };
        let place = record.open(&self.0, None).map_err(|problems| {
            let details: Vec<&str> = problems.iter().map(|problem| problem.detail()).collect();
            details.join("; ")
        })?;
        let store = place.backend().store(workspace).map_err(|error| chain(&error))?;
        let state = store.read().await.map_err(|error| chain(&error))?;
        Ok(state.as_ref().map(state::v4::write))
    }
}
