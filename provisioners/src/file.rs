//! `file`: a file or a folder on another machine.

use std::path::{Path, PathBuf};

use planner::provisioning::{Provision, ProvisionProblem};

use crate::arguments::text;
use crate::connection::Connection;
use crate::ssh;

/// Copies what `source` names, or writes `content`.
pub async fn run(
    provision: &Provision<'_>,
    agent: Option<PathBuf>,
    home: Option<&Path>,
) -> Result<(), ProvisionProblem> {
    let failed = |detail: String| ProvisionProblem::new("file provisioner error", detail);
    let Some(block) = provision.connection else {
        return Err(failed("Missing connection configuration for provisioner.".to_owned()));
    };
    let connection = Connection::read(block, agent.is_some()).map_err(failed)?;
    let destination = text(provision.config, "destination").unwrap_or_default();
    let content = text(provision.config, "content");
    let source = text(provision.config, "source").map(|source| expanded(source, home)).transpose().map_err(failed)?;
    let session = ssh::connect(&connection, agent, provision, false).await.map_err(failed)?;
    let copied = async {
        match (content, &source) {
            (Some(content), _) => {
                let uploaded = session.upload(destination, content.as_bytes()).await;
                uploaded.map_err(|problem| format!("Upload failed: {problem}"))
            }
            (None, Some(source)) => session.upload_path(destination, source).await,
            (None, None) => Err("source and content cannot both be null".to_owned()),
        }
    };
    let result = tokio::select! {
        result = copied => result,
        () = provision.interrupt.requested() => Err("interrupted".to_owned()),
    };
    session.close().await;
    result.map_err(|problem| match provision.secret {
        true => failed("Upload failed. (details hidden: they may hold a secret value)".to_owned()),
        false => failed(problem),
    })
}

/// A path with `~` for the home folder.
fn expanded(path: &str, home: Option<&Path>) -> Result<String, String> {
    match path.strip_prefix('~') {
        None => Ok(path.to_owned()),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = home.ok_or("the home folder is unknown: HOME is not set")?;
            Ok(format!("{}{rest}", home.display()))
        }
        Some(_) => Err("cannot expand user-specific home dir".to_owned()),
    }
}
