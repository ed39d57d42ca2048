//! Git repositories, by the `git` program: it knows the user's keys, helpers and settings.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use net::Url;
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::query;

/// What git may be asked to speak. Others, like `ext`, would run commands.
const SCHEMES: [&str; 5] = ["https", "http", "ssh", "git", "file"];

pub(crate) async fn fetch(url: &mut Url, folder: &Path) -> Result<(), String> {
    let [reference, depth, key] = query::take(url, ["ref", "depth", "sshkey"]);
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!("git repositories cannot be fetched by {}", url.scheme()));
    }
    let reference = reference.filter(|reference| !reference.is_empty());
    if reference.as_ref().is_some_and(|reference| reference.starts_with('-')) {
        return Err("the ref must not begin with a dash".to_owned());
    }
    let depth = match depth.as_deref().map(str::parse::<u32>) {
        None | Some(Ok(0)) => None,
        Some(Ok(depth)) => Some(depth.to_string()),
        Some(Err(_)) => return Err("the depth must be a number".to_owned()),
    };
    let key = key.map(|key| key_file(&key)).transpose()?;
    let git = Git { key };
    let mut clone = vec!["clone"];
    if let Some(depth) = &depth {
        clone.extend(["--depth", depth]);
        // Only the one commit is there afterwards, so it has to be the right one.
        if let Some(reference) = &reference {
            clone.extend(["--branch", reference]);
        }
    }
    let target = folder.to_str().ok_or("the folder's name is no text")?;
    let address = url.to_string();
    clone.extend(["--", &address, target]);
    git.run(&clone, None).await.map_err(|error| match (&depth, &reference) {
        (Some(_), Some(reference)) if is_commit(reference) => {
            format!("{error} (note that setting 'depth' requires 'ref' to be a branch or tag name)")
        }
        _ => error,
    })?;
    if let (Some(reference), None) = (&reference, &depth) {
        git.run(&["checkout", reference], Some(folder)).await?;
    }
    if !folder.join(".gitmodules").exists() {
        return Ok(());
    }
    let mut submodules = vec!["submodule", "update", "--init", "--recursive"];
    if let Some(depth) = &depth {
        submodules.extend(["--depth", depth]);
    }
    git.run(&submodules, Some(folder)).await
}

fn is_commit(reference: &str) -> bool {
    (7..=40).contains(&reference.len()) && reference.chars().all(|c| c.is_ascii_hexdigit())
}

/// The private key of `sshkey`, for as long as git needs it.
fn key_file(encoded: &str) -> Result<NamedTempFile, String> {
    // A `+` in a query stands for a space.
    let key =
        BASE64_STANDARD.decode(encoded.replace(' ', "+")).map_err(|_| "the sshkey is not valid Base64".to_owned())?;
    let write = || {
        let mut file = NamedTempFile::new()?;
        file.write_all(&key)?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|error: std::io::Error| format!("cannot keep the sshkey: {error}"))
}

struct Git {
    key: Option<NamedTempFile>,
}

impl Git {
    async fn run(&self, arguments: &[&str], folder: Option<&Path>) -> Result<(), String> {
        let mut command = Command::new("git");
        command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        if let Some(path) = self.key.as_ref().and_then(|key| key.path().to_str()) {
            command.env("GIT_SSH_COMMAND", format!("ssh -i '{path}'"));
        }
        let output = command.output().await.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "git must be available and on the PATH".to_owned(),
            _ => format!("cannot run git: {error}"),
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(code) => Err(format!("git exited with {code}: {said}")),
            None => Err(format!("git was ended by a signal: {said}")),
        }
    }
}
