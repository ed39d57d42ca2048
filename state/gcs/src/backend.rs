//! The workspaces of a bucket.

use std::sync::Arc;

use async_trait::async_trait;
use state::backend::local::DEFAULT_WORKSPACE;
use state::backend::remote::create;
use state::{Backend, State, StateStore, StoreError};

use crate::config::Config;
use crate::journal;
use crate::store::{GcsStore, remote};

/// The states of a prefix in all workspaces.
pub(crate) struct GcsBackend {
    config: Arc<Config>,
}

impl GcsBackend {
    pub(crate) fn new(config: Config) -> GcsBackend {
        GcsBackend { config: Arc::new(config) }
    }
}

#[async_trait]
impl Backend for GcsBackend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let objects = self.config.list().await;
        let objects =
            objects.map_err(|error| StoreError::Told(format!("querying Cloud Storage failed: {}", error.text)))?;
        let name = |object: &String| Some(object.rsplit('/').next()?.strip_suffix(".tfstate")?.to_owned());
        let mut names: Vec<String> =
            objects.iter().filter_map(name).filter(|name| name != DEFAULT_WORKSPACE && !name.is_empty()).collect();
        names.sort();
        names.insert(0, DEFAULT_WORKSPACE.to_owned());
        Ok(names)
    }

    async fn create_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        create(self.store(workspace)?.as_ref(), &State::new()).await
    }

    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        if workspace == DEFAULT_WORKSPACE {
            return Err(StoreError::Told("cowardly refusing to delete the \"default\" state".to_owned()));
        }
        let object = self.config.state(workspace);
        let failed = |error| remote(&self.config, &object, "delete", &error);
        self.config.delete(&object, None).await.map_err(failed)?;
        match self.config.delete(&journal::name(&object), None).await {
            Err(error) if !error.is_denied() => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(GcsStore::new(self.config.clone(), workspace)))
    }
}
