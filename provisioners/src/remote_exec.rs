//! `remote-exec`: scripts on another machine.

use std::path::PathBuf;

use lang::Value;
use planner::provisioning::{Provision, ProvisionProblem};

use crate::arguments::text;
use crate::connection::Connection;
use crate::ssh::{self, Ended, Session};

const SHEBANG: &[u8] = b"#!/bin/sh\n";

/// Puts the scripts there and runs them, one after the other.
pub async fn run(provision: &Provision<'_>, agent: Option<PathBuf>) -> Result<(), ProvisionProblem> {
    let failed = |detail: String| ProvisionProblem::new("remote-exec provisioner error", detail);
    let Some(block) = provision.connection else {
        return Err(failed("Missing connection configuration for provisioner.".to_owned()));
    };
    let connection = Connection::read(block, agent.is_some()).map_err(failed)?;
    let scripts = scripts(provision.config).await.map_err(failed)?;
    let session = ssh::connect(&connection, agent, provision, true).await.map_err(failed)?;
    let ran = async {
        for script in &scripts {
            run_script(&session, &connection, script, provision).await?;
        }
        Ok(())
    };
    let result = tokio::select! {
        result = ran => result,
        () = provision.interrupt.requested() => Err("interrupted".to_owned()),
    };
    session.close().await;
    result.map_err(failed)
}

/// The scripts' texts.
async fn scripts(config: &Value) -> Result<Vec<Vec<u8>>, String> {
    if let Some(lines) = elements(config, "inline") {
        let mut script = String::new();
        for line in lines {
            let line = line.as_str().ok_or("invalid null string in 'scripts'")?;
            if line.is_empty() {
                return Err("invalid empty string in 'scripts'".to_owned());
            }
            script.push_str(line);
            script.push('\n');
        }
        return Ok(vec![script.into_bytes()]);
    }
    let mut paths: Vec<String> = text(config, "script").map(str::to_owned).into_iter().collect();
    for path in elements(config, "scripts").unwrap_or_default() {
        paths.push(path.as_str().ok_or("invalid null string in 'script'")?.to_string());
    }
    let mut scripts = Vec::with_capacity(paths.len());
    for path in paths {
        if path.is_empty() {
            return Err("invalid empty string in 'script'".to_owned());
        }
        let script = tokio::fs::read(&path).await.map_err(|error| {
            format!("Failed to open script '{path}': {}", crate::words::of_path("open", &path, &error))
        });
        scripts.push(script?);
    }
    Ok(scripts)
}

fn elements<'v>(config: &'v Value, name: &str) -> Option<&'v [Value]> {
    config.get(name).filter(|value| !value.is_null())?.elements()
}

async fn run_script(
    session: &Session,
    connection: &Connection,
    script: &[u8],
    provision: &Provision<'_>,
) -> Result<(), String> {
    let number = getrandom::u32().map_err(|error| format!("no random numbers: {error}"))? >> 1;
    let path = connection.script_path.replace("%RAND%", &number.to_string());
    let upload = |problem: String| format!("Failed to upload script: {problem}");
    if script.len() < 2 {
        return Err(upload("Error reading script: EOF".to_owned()));
    }
    let mut text = Vec::with_capacity(script.len() + SHEBANG.len());
    if !script.starts_with(b"#!") && !connection.windows {
        text.extend_from_slice(SHEBANG);
    }
    text.extend_from_slice(script);
    session.upload(&path, &text).await.map_err(upload)?;
    if !connection.windows {
        let ended = session.run(&format!("chmod 0777 {path}"), &|_| {}).await.map_err(upload)?;
        if ended != Ended::Status(0) {
            let told = format!("Error chmodding script file to 0777 in remote machine {}", described(&path, &ended));
            return Err(upload(told));
        }
    }
    let ended = session.run(&path, provision.output).await;
    // What the script held should not stay there; the machine may be gone by now.
    let _ = session.upload(&path, b"").await;
    match ended.map_err(|problem| format!("Error starting script: {problem}"))? {
        Ended::Status(0) => Ok(()),
        ended => Err(described(&path, &ended)),
    }
}

fn described(path: &str, ended: &Ended) -> String {
    let how = match ended {
        Ended::Status(status) => format!("Process exited with status {status}"),
        Ended::Signal(signal) => format!("Process exited from signal {signal}"),
        Ended::Unknown => "wait: remote command exited without exit status or exit signal".to_owned(),
    };
    format!("error executing {path:?}: {how}")
}
