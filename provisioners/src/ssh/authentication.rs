//! Who we are to a server: keys, certificates, passwords, and the keys of an agent.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};

use super::Client;
use crate::connection::Login;

/// The keys of a login, read.
pub struct Identity {
    key: Option<Arc<PrivateKey>>,
    certificate: Option<Certificate>,
    /// Whom we expect, or who speaks for them.
    pub host_key: Option<PublicKey>,
}

impl Identity {
    pub fn new(login: &Login) -> Result<Identity, String> {
        let key = login.private_key.as_deref().map(private_key).transpose()?;
        let certificate = login.certificate.as_deref().filter(|_| key.is_some());
        let certificate = certificate
            .map(|text| Certificate::from_openssh(text.trim()))
            .transpose()
            .map_err(|error| format!("failed to parse certificate: {error}"))?;
        let host_key = login.host_key.as_deref().map(|text| PublicKey::from_openssh(text.trim())).transpose();
        let host_key = host_key.map_err(|error| {
            let host = login.shown_host();
            format!("the host key of {host} must be a line like that in the host's /etc/ssh/*.pub: {error}")
        })?;
        Ok(Identity { key: key.map(Arc::new), certificate, host_key })
    }

    /// Tries one after the other; `agent`: its socket, and which of its keys comes first.
    pub async fn authenticate(
        &self,
        handle: &mut Handle<Client>,
        login: &Login,
        agent: Option<(&Path, Option<&str>)>,
    ) -> Result<(), String> {
        let mut tried = vec!["none"];
        let broken = |error: russh::Error| format!("ssh: {error}");
        if let Some(key) = &self.key {
            tried.push("publickey");
            let result = match &self.certificate {
                Some(certificate) => {
                    handle.authenticate_openssh_cert(&login.user, key.clone(), certificate.clone()).await
                }
                None => {
                    let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
                    let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                    handle.authenticate_publickey(&login.user, key).await
                }
            };
            if result.map_err(broken)?.success() {
                return Ok(());
            }
        }
        if let Some(password) = &login.password {
            tried.push("password");
            match handle.authenticate_password(&login.user, password).await.map_err(broken)? {
                AuthResult::Success => return Ok(()),
                AuthResult::Failure { remaining_methods, .. } => {
                    if remaining_methods.contains(&MethodKind::KeyboardInteractive) {
                        tried.push("keyboard-interactive");
                        if answer_questions(handle, &login.user, password).await.map_err(broken)? {
                            return Ok(());
                        }
                    }
                }
            }
        }
        if let Some((socket, first)) = agent {
            tried.push("publickey");
            if try_agent(handle, &login.user, socket, first).await? {
                return Ok(());
            }
        }
        Err(format!(
            "ssh: unable to authenticate, attempted methods [{}], no supported methods remain",
            tried.join(" ")
        ))
    }
}

fn private_key(text: &str) -> Result<PrivateKey, String> {
    let (begin, encrypted) = ("-----BEGIN ", "Proc-Type: 4,ENCRYPTED");
    if !text.contains(begin) {
        return Err("Failed to read ssh private key: no key found".to_owned());
    }
    if text.contains(encrypted) {
        return Err(
            "Failed to read ssh private key: password protected keys are\nnot supported. Please decrypt the key \
                    prior to use."
                .to_owned(),
        );
    }
    decode_secret_key(text, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => {
            "Failed to parse ssh private key: ssh: this private key is passphrase protected".to_owned()
        }
        other => format!("Failed to parse ssh private key: {other}"),
    })
}

/// Gives the password to whatever is asked.
async fn answer_questions(handle: &mut Handle<Client>, user: &str, password: &str) -> Result<bool, russh::Error> {
    let mut response = handle.authenticate_keyboard_interactive_start(user, None).await?;
    loop {
        response = match response {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                let answers = prompts.iter().map(|_| password.to_owned()).collect();
                handle.authenticate_keyboard_interactive_respond(answers).await?
            }
        };
    }
}

async fn try_agent(
    handle: &mut Handle<Client>,
    user: &str,
    socket: &Path,
    first: Option<&str>,
) -> Result<bool, String> {
    let broken = |error: russh::keys::Error| format!("ssh: the agent failed: {error}");
    let mut agent = AgentClient::connect_uds(socket).await.map_err(broken)?;
    let mut identities = agent.request_identities().await.map_err(broken)?;
    if let Some(first) = first {
        let named = tokio::fs::read_to_string(format!("{}.pub", first.trim_end_matches(".pub"))).await.ok();
        let named = named.and_then(|text| PublicKey::from_openssh(text.trim()).ok());
        // Servers allow a few attempts only.
        identities.sort_by_key(|identity| rank(identity, first, named.as_ref()));
    }
    for identity in identities {
        let hash = handle.best_supported_rsa_hash().await.map_err(|error| format!("ssh: {error}"))?.flatten();
        let result = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                let hash = hash.filter(|_| key.algorithm().is_rsa());
                handle.authenticate_publickey_with(user, key, hash, &mut agent).await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let hash = hash.filter(|_| certificate.public_key().algorithm().is_rsa());
                handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await
            }
        };
        // An agent may refuse to sign with one of its keys.
        if result.is_ok_and(|result| result.success()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// 0: the one that is meant, 1: one that may be, 2: the others.
fn rank(identity: &AgentIdentity, first: &str, named: Option<&PublicKey>) -> u8 {
    let (key, comment) = match identity {
        AgentIdentity::PublicKey { key, comment } => (key.key_data(), comment),
        AgentIdentity::Certificate { certificate, comment } => (certificate.public_key(), comment),
    };
    match (named.is_some_and(|named| named.key_data() == key) || comment == first, comment.ends_with(first)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_used_say_why() {
        let problem = |text: &str| private_key(text).err().unwrap_or_default();
        assert_eq!(problem("garbage"), "Failed to read ssh private key: no key found");
        let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        assert!(problem(encrypted).contains("Please decrypt the key"));
        assert!(problem("-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n").starts_with("Failed to parse ssh private key"));
    }
}
