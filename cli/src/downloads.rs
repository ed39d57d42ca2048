//! With what modules are downloaded: proxies, registry tokens, keys; from the environment and the command line's own
//! configuration.

use std::path::PathBuf;
use std::sync::Arc;

use fetch::{AwsKeys, Credentials, Fetcher};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};

use crate::cli_config::CliConfig;
use crate::io::Environment;

/// What downloads for a run.
pub fn fetcher(environment: &Environment) -> Fetcher {
    let config = CliConfig::load(environment);
    let services = config.services.clone();
    Fetcher::new(client(environment), Arc::new(Known { environment: environment.clone(), config }), services)
}

/// Speaks HTTP as the environment says.
pub fn client(environment: &Environment) -> Client {
    let either = |upper: &str| environment.get(upper).or_else(|| environment.get(&upper.to_lowercase()));
    let proxies = Proxies::new(either("HTTP_PROXY"), either("HTTPS_PROXY"), either("NO_PROXY"));
    let agent = format!("windlass/{} Terraform/{}", env!("CARGO_PKG_VERSION"), config::TERRAFORM_VERSION);
    Client::new(Tls::new(TlsOptions::default()), proxies, agent)
}

/// The credentials of a run.
struct Known {
    environment: Environment,
    config: CliConfig,
}

impl Credentials for Known {
    fn token(&self, host: &str) -> Option<String> {
        let named = self.environment.variables.iter().find_map(|(name, token)| {
            let encoded = name.strip_prefix("TF_TOKEN_")?;
            (!token.is_empty() && decoded_host(encoded) == host).then(|| token.clone())
        });
        let stored = || crate::credentials::TokenStore::new(&self.environment, &self.config).token(host);
        named.or_else(|| self.config.tokens.get(host).cloned()).or_else(stored)
    }

    fn login(&self, host: &str) -> Option<(String, String)> {
        let file = match self.environment.get("NETRC") {
            Some(file) => PathBuf::from(file),
            None => PathBuf::from(self.environment.get("HOME")?).join(".netrc"),
        };
        netrc(&std::fs::read_to_string(file).ok()?, host)
    }

    fn aws(&self) -> Option<AwsKeys> {
        let get = |name: &str| self.environment.get(name).map(str::to_owned);
        Some(AwsKeys {
            id: get("AWS_ACCESS_KEY_ID")?,
            secret: get("AWS_SECRET_ACCESS_KEY")?,
            token: get("AWS_SESSION_TOKEN"),
        })
    }

    fn google(&self) -> Option<String> {
        self.environment.get("GOOGLE_OAUTH_ACCESS_TOKEN").map(str::to_owned)
    }
}

/// The host that a `TF_TOKEN_…` variable is for: `__` stands for a dash, `_` for a dot.
fn decoded_host(encoded: &str) -> String {
    encoded.replace("__", "-").replace('_', ".").to_lowercase()
}

/// User and password of a host in a `.netrc`.
fn netrc(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
    let (mut applies, mut login, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" if applies && login.is_some() => break,
            "machine" => applies = words.next()? == host,
            "default" => applies = true,
            "login" => login = words.next().filter(|_| applies).or(login),
            "password" => password = words.next().filter(|_| applies).or(password),
            _ => {}
        }
    }
    Some((login?.to_owned(), password.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_by_host() {
        assert_eq!(decoded_host("app_terraform_io"), "app.terraform.io");
        assert_eq!(decoded_host("my__host_example_com"), "my-host.example.com");
    }

    #[test]
    fn logins_by_host() {
        let text = "# x\nmachine a.com login u password p\nmachine b.com\n  login v\n  password q\ndefault login w";
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(netrc(text, "a.com"), pair("u", "p"));
        assert_eq!(netrc(text, "b.com"), pair("v", "q"));
        assert_eq!(netrc(text, "c.com"), pair("w", ""));
        assert_eq!(netrc("machine a.com login", "a.com"), None);
    }
}
