//! The workspaces of a bucket.

use std::sync::Arc;

use async_trait::async_trait;
use state::backend::local::DEFAULT_WORKSPACE;
use state::backend::remote::create;
use state::model::Serial;
use state::{Backend, State, StateStore, StoreError};

use crate::config::Config;
use crate::journal;
use crate::objects::{self, Bucket};
use crate::service::Service;
use crate::store::S3Store;
use crate::table::Table;

/// The states of one key in all workspaces.
pub(crate) struct S3Backend {
    service: Arc<Service>,
}

impl S3Backend {
    pub(crate) fn new(config: Config) -> S3Backend {
        S3Backend { service: Arc::new(Service::new(config)) }
    }
}

#[async_trait]
impl Backend for S3Backend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let config = &self.service.config;
        let prefix = if config.prefix.is_empty() { String::new() } else { format!("{}/", config.prefix) };
        let bucket = Bucket { config, client: &self.service.clients().await?.s3 };
        let objects = bucket.list(&prefix).await.map_err(|error| self.service.failed("list", &config.key, &error))?;
        let mut names: Vec<String> =
            objects.iter().filter_map(|object| config.workspace(object)).map(str::to_owned).collect();
        names.sort();
        names.insert(0, DEFAULT_WORKSPACE.to_owned());
        Ok(names)
    }

    async fn create_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let first = State { serial: Serial(1), ..State::new() };
        create(self.store(workspace)?.as_ref(), &first).await
    }

    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        if workspace == DEFAULT_WORKSPACE {
            return Err(StoreError::Told("can't delete default state".to_owned()));
        }
        let config = &self.service.config;
        let clients = self.service.clients().await?;
        let object = config.object(workspace);
        let failed = |error: aws_session::CallError| self.service.failed("delete", &object, &error);
        let bucket = Bucket { config, client: &clients.s3 };
        bucket.delete(&object).await.map_err(failed)?;
        match bucket.delete(&journal::key(&object)).await {
            Err(error) if !objects::is_denied(&error) => return Err(failed(error)),
            _ => {}
        }
        let Some(name) = config.table.as_deref() else { return Ok(()) };
        // What is left would make a new workspace of this name look damaged.
        let table = Table { name, client: &clients.dynamodb };
        table.delete_digest(&self.service.place(&object)).await.map_err(failed)
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(S3Store::new(self.service.clone(), workspace)))
    }
}
