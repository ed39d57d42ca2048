//! `connection` blocks: how to reach another machine.

use std::time::Duration;

use lang::Value;
use sdk::timeouts::parse_duration;

use crate::arguments::text;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Whom to be on which machine.
#[derive(Clone, Default)]
pub struct Login {
    /// The machine; an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    /// In PEM or OpenSSH's format.
    pub private_key: Option<String>,
    /// What an authority says of the private key, in OpenSSH's format.
    pub certificate: Option<String>,
    /// The machine's public key, or that of the authority which signed it.
    pub host_key: Option<String>,
}

impl Login {
    /// The host as URLs and messages have it.
    pub fn shown_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// An HTTP proxy.
#[derive(Clone)]
pub struct HttpProxy {
    pub scheme: String,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
}

/// A `connection` block with its defaults.
#[derive(Clone)]
pub struct Connection {
    pub target: Login,
    /// Another machine by which the target is reached.
    pub bastion: Option<Login>,
    pub proxy: Option<HttpProxy>,
    /// Whether the keys of an agent are tried.
    pub agent: bool,
    /// Which of the agent's keys comes first: its comment, or the path of its file.
    pub agent_identity: Option<String>,
    /// Where scripts are put; `%RAND%` stands for a random number.
    pub script_path: String,
    /// Whether the target runs Windows.
    pub windows: bool,
    /// How long a connection is tried again.
    pub timeout: Duration,
}

impl Connection {
    /// Reads a block. `has_agent`: whether there is an agent to use unless the block says otherwise.
    pub fn read(block: &Value, has_agent: bool) -> Result<Connection, String> {
        let set = |name: &str| text(block, name).filter(|text| !text.is_empty()).map(str::to_owned);
        match set("type").as_deref() {
            None | Some("ssh") => {}
            Some("winrm") => {
                return Err(
                    "windlass connects by ssh alone: type = \"winrm\" is not supported. Windows has an ssh server \
                            to switch on; with it, set type = \"ssh\" and target_platform = \"windows\"."
                        .to_owned(),
                );
            }
            Some(other) => return Err(format!("connection type '{other}' not supported")),
        }
        let target = Login {
            host: set("host").ok_or("host for provisioner cannot be empty")?,
            port: port(block, "port")?.unwrap_or(22),
            user: set("user").unwrap_or_else(|| "root".to_owned()),
            password: set("password"),
            private_key: set("private_key"),
            certificate: set("certificate"),
            host_key: set("host_key"),
        };
        let windows = match set("target_platform").as_deref() {
            None | Some("unix") => false,
            Some("windows") => true,
            Some(_) => return Err("target_platform for provisioner has to be either unix or windows".to_owned()),
        };
        let default_path = if windows { "C:/windows/temp/terraform_%RAND%.cmd" } else { "/tmp/terraform_%RAND%.sh" };
        let bastion_port = port(block, "bastion_port")?;
        let bastion = set("bastion_host").map(|host| Login {
            host,
            port: bastion_port.unwrap_or(target.port),
            user: set("bastion_user").unwrap_or_else(|| target.user.clone()),
            password: set("bastion_password").or_else(|| target.password.clone()),
            private_key: set("bastion_private_key").or_else(|| target.private_key.clone()),
            certificate: set("bastion_certificate").or_else(|| target.certificate.clone()),
            host_key: set("bastion_host_key"),
        });
        let proxy_port = port(block, "proxy_port")?.unwrap_or(0);
        let proxy = set("proxy_host").map(|host| HttpProxy {
            scheme: set("proxy_scheme").unwrap_or_else(|| "http".to_owned()),
            host,
            port: proxy_port,
            user: set("proxy_user_name").unwrap_or_default(),
            password: set("proxy_user_password"),
        });
        Ok(Connection {
            target,
            bastion,
            proxy,
            agent: block.get("agent").and_then(Value::as_bool).unwrap_or(has_agent),
            agent_identity: set("agent_identity"),
            script_path: set("script_path").unwrap_or_else(|| default_path.to_owned()),
            windows,
            // As in Terraform, what is no duration counts for nothing.
            timeout: set("timeout").and_then(|text| parse_duration(&text)).unwrap_or(DEFAULT_TIMEOUT),
        })
    }

    /// What is said before the connection is made.
    pub fn announcement(&self) -> String {
        let shown = |login: &Login, headline: &str| {
            format!(
                "{headline}\n  Host: {}\n  User: {}\n  Password: {}\n  Private key: {}\n  Certificate: {}\n  SSH Agent: \
                 {}\n  Checking Host Key: {}\n",
                login.shown_host(),
                login.user,
                login.password.is_some(),
                login.private_key.is_some(),
                login.certificate.is_some(),
                self.agent,
                login.host_key.is_some(),
            )
        };
        let mut text = shown(&self.target, "Connecting to remote host via SSH...");
        text.push_str(&format!("  Target Platform: {}\n", if self.windows { "windows" } else { "unix" }));
        if let Some(bastion) = &self.bastion {
            text.push_str(&shown(bastion, "Using configured bastion host..."));
        }
        if let Some(proxy) = &self.proxy {
            text.push_str(&format!(
                "Using configured proxy host...\n  ProxyHost: {}\n  ProxyPort: {}\n  ProxyUserName: {}\n  \
                 ProxyUserPassword: {}\n",
                proxy.host,
                proxy.port,
                proxy.user,
                proxy.password.is_some(),
            ));
        }
        text
    }
}

fn port(block: &Value, name: &str) -> Result<Option<u16>, String> {
    let Some(value) = block.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_number().and_then(lang::Number::to_i64).and_then(|number| u16::try_from(number).ok());
    let number = number.ok_or("value must be a whole number, between 0 and 65535 inclusive")?;
    Ok(Some(number).filter(|number| *number != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[(&str, Value)]) -> Result<Connection, String> {
        Connection::read(&Value::object(arguments.iter().map(|(name, value)| (*name, value.clone()))), true)
    }

    fn problem(arguments: &[(&str, Value)]) -> String {
        read(arguments).err().unwrap_or_default()
    }

    #[test]
    fn what_is_missing_has_defaults_and_a_bastion_takes_the_targets() -> Result<(), String> {
        let arguments = [
            ("host", Value::string("::1")),
            ("password", Value::string("hush")),
            ("bastion_host", Value::string("b")),
            ("bastion_user", Value::string("jump")),
            ("timeout", Value::string("soon")),
            ("port", Value::from(2200_i64)),
        ];
        let connection = read(&arguments)?;
        let bastion = connection.bastion.as_ref().ok_or("no bastion")?;
        assert_eq!((connection.target.user.as_str(), bastion.user.as_str()), ("root", "jump"));
        assert_eq!((connection.target.port, bastion.port), (2200, 2200));
        assert_eq!(bastion.password.as_deref(), Some("hush"));
        assert_eq!(connection.timeout, DEFAULT_TIMEOUT);
        let shown = connection.announcement();
        assert!(
            shown.contains("  Host: [::1]\n  User: root\n  Password: true\n") && !shown.contains("hush"),
            "{shown}"
        );
        assert!(shown.contains("  SSH Agent: true\n"), "{shown}");
        Ok(())
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let host = ("host", Value::string("h"));
        assert_eq!(problem(&[]), "host for provisioner cannot be empty");
        assert_eq!(
            problem(&[host.clone(), ("type", Value::string("telnet"))]),
            "connection type 'telnet' not supported"
        );
        assert!(problem(&[host.clone(), ("type", Value::string("winrm"))]).contains("ssh server"));
        assert!(problem(&[host.clone(), ("target_platform", Value::string("beos"))]).contains("unix or windows"));
        assert!(problem(&[host, ("port", Value::from(70_000_i64))]).contains("between 0 and 65535"));
    }
}
