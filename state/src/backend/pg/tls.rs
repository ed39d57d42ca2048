//! TLS, with the parameters of connection strings and the environment variables that Terraform's driver (lib/pq) knows, and
//! its way with them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use net::Url;
use net::tls::TlsOptions;

/// Parameters that the driver here doesn't know, with the variables that stand for them.
const PARAMETERS: &[(&str, &str)] = &[
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslinline", ""),
    ("sslsni", ""),
];

/// What a connection string and the environment say about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Takes them out of a connection string. Returns what is left of it.
    pub(super) fn take(text: &str, variables: &BTreeMap<String, String>) -> (String, Parameters) {
        let from_environment = PARAMETERS.iter().filter_map(|(name, variable)| {
            let value = variables.get(*variable).filter(|value| !value.is_empty())?;
            Some((*name, value.clone()))
        });
        let mut taken = Parameters(from_environment.collect());
        // Whether it is one of them.
        let mut note = |name: &str, value: String| {
            let known = PARAMETERS.iter().find(|(known, _)| *known == name);
            known.map(|(known, _)| taken.0.insert(known, value)).is_some()
        };
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let rest = match text.split_once('?') {
            Some((head, query)) if is_url => {
                let others: Vec<&str> = query
                    .split('&')
                    .filter(|pair| {
                        let parsed = Url::parse(&format!("x://x/?{pair}")).ok();
                        let pair = parsed.as_ref().and_then(|url| url.query_pairs().next());
                        !pair.is_some_and(|(name, value)| note(&name, value.into_owned()))
                    })
                    .collect();
                if others.is_empty() { head.to_owned() } else { format!("{head}?{}", others.join("&")) }
            }
            _ if is_url => text.to_owned(),
            _ => {
                let others = words(text).into_iter().filter(|word| !note(word.name, word.value()));
                others.map(|word| word.text).collect::<Vec<_>>().join(" ")
            }
        };
        (rest, taken)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What they ask for; `None`: no TLS. `home`: where a user's certificate lies. `is_here`: whether the server is on this
    /// machine, where TLS is used if the server has it.
    ///
    /// # Errors
    /// What can't be used.
    pub(super) fn demand(&self, home: Option<&Path>, is_here: bool) -> Result<Option<Demand>, String> {
        let root = |required: bool| match self.get("sslrootcert") {
            Some(pem) if self.is_inline() => Ok(Some(pem.to_owned())),
            Some(path) if required || Path::new(path).exists() => read(Path::new(path)).map(Some),
            _ => Ok(None),
        };
        let mode = self.get("sslmode");
        let options = match mode {
            Some("disable") => return Ok(None),
            None | Some("require") => {
                let roots = root(false)?;
                // So that what once was set up for verification goes on verifying.
                TlsOptions { trust_all: roots.is_none(), any_name: true, roots, identity: None }
            }
            Some("verify-ca") => TlsOptions { any_name: true, roots: root(true)?, ..TlsOptions::default() },
            Some("verify-full") => TlsOptions { roots: root(true)?, ..TlsOptions::default() },
            Some(other) => {
                return Err(format!(
                    "unsupported sslmode {other:?}; only \"require\" (default), \"verify-full\", \"verify-ca\", and \"disable\" \
                     supported"
                ));
            }
        };
        let options = TlsOptions { identity: self.identity(home)?, ..options };
        Ok(Some(Demand { options, is_strict: mode.is_some() || !is_here }))
    }

    fn is_inline(&self) -> bool {
        self.get("sslinline") == Some("true")
    }

    /// The client's certificate and key.
    fn identity(&self, home: Option<&Path>) -> Result<Option<(String, String)>, String> {
        if let (true, Some(certificate), Some(key)) = (self.is_inline(), self.get("sslcert"), self.get("sslkey")) {
            return Ok(Some((certificate.to_owned(), key.to_owned())));
        }
        let usual = |name: &str| home.map(|home| home.join(".postgresql").join(name));
        let given = self.get("sslcert").map(PathBuf::from);
        let Some(certificate) = given.or_else(|| usual("postgresql.crt").filter(|path| path.exists())) else {
            return Ok(None);
        };
        let Some(key) = self.get("sslkey").map(PathBuf::from).or_else(|| usual("postgresql.key")) else {
            return Err("there is no private key for sslcert: set sslkey".to_owned());
        };
        let mode = std::fs::metadata(&key).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o77 != 0) {
            let path = key.display();
            return Err(format!(
                "the private key {path} has group or world access; its permissions should be u=rw (0600) or less"
            ));
        }
        Ok(Some((read(&certificate)?, read(&key)?)))
    }
}

/// How a connection is to be made.
pub(super) struct Demand {
    #[cfg_attr(
        not(any(feature = "tls", test)),
        expect(dead_code, reason = "a build without TLS refuses, or goes without")
    )]
    pub options: TlsOptions,
    /// Whether a server without TLS is refused.
    pub is_strict: bool,
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// A setting of a connection string that is no URL: `name=value`, where a value may be quoted.
struct Word<'a> {
    /// All of it.
    text: &'a str,
    name: &'a str,
    raw: &'a str,
}

impl Word<'_> {
    fn value(&self) -> String {
        let bare = self.raw.strip_prefix('\'').map_or(self.raw, |raw| raw.strip_suffix('\'').unwrap_or(raw));
        let mut value = String::new();
        let mut chars = bare.chars();
        while let Some(c) = chars.next() {
            value.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        value
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').unwrap_or((rest, ""));
        let raw = after.trim_start();
        let length = value_length(raw);
        let (raw, tail) = raw.split_at_checked(length).unwrap_or((raw, ""));
        let text = rest.get(..rest.len() - tail.len()).unwrap_or(rest);
        words.push(Word { text, name: name.trim(), raw });
        rest = tail.trim_start();
    }
    words
}

fn value_length(text: &str) -> usize {
    let is_quoted = text.starts_with('\'');
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(is_quoted)) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\'' if is_quoted => return at + 1,
            c if !is_quoted && c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(feature = "tls")]
pub(super) use with_tls::Connector;
#[cfg(not(feature = "tls"))]
pub(super) use without_tls::Connector;

#[cfg(feature = "tls")]
mod with_tls {
    use net::tls::Tls;
    use tokio_postgres::config::{Config, SslMode};
    use tokio_postgres::{Client, Error, NoTls};
    use tokio_postgres_rustls::MakeRustlsConnect;

    use super::Demand;

    /// Makes connections as they are demanded.
    pub(in super::super) struct Connector(Option<MakeRustlsConnect>);

    impl Connector {
        /// Reads the certificates.
        pub(in super::super) fn new(config: &mut Config, demand: Option<Demand>) -> Result<Connector, String> {
            let Some(demand) = demand else {
                config.ssl_mode(SslMode::Disable);
                return Ok(Connector(None));
            };
            config.ssl_mode(if demand.is_strict { SslMode::Require } else { SslMode::Prefer });
            let tls = Tls::new(demand.options).config().map_err(|error| error.to_string())?;
            Ok(Connector(Some(MakeRustlsConnect::new(tls.as_ref().clone()))))
        }

        /// Connects. What breaks the connection is told by the next query.
        pub(in super::super) async fn connect(&self, config: &Config) -> Result<Client, Error> {
            Ok(match &self.0 {
                Some(tls) => {
                    let (client, connection) = config.connect(tls.clone()).await?;
                    tokio::spawn(async move { connection.await.ok() });
                    client
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    tokio::spawn(async move { connection.await.ok() });
                    client
                }
            })
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without_tls {
    use tokio_postgres::config::{Config, SslMode};
    use tokio_postgres::{Client, Error, NoTls};

    use super::Demand;

    /// Makes plain connections.
    pub(in super::super) struct Connector;

    impl Connector {
        /// Refuses to go without TLS where it is demanded.
        pub(in super::super) fn new(config: &mut Config, demand: Option<Demand>) -> Result<Connector, String> {
            config.ssl_mode(SslMode::Disable);
            match demand {
                Some(demand) if demand.is_strict => {
                    Err("this build of the program knows no TLS (feature `tls`); sslmode=disable goes without"
                        .to_owned())
                }
                _ => Ok(Connector),
            }
        }

        /// Connects. What breaks the connection is told by the next query.
        pub(in super::super) async fn connect(&self, config: &Config) -> Result<Client, Error> {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(async move { connection.await.ok() });
            Ok(client)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_out_of_connection_strings() {
        for (text, rest, taken) in [
            ("postgres://u@h/d?sslmode=disable", "postgres://u@h/d", &[("sslmode", "disable")] as &[_]),
            (
                "postgres://u@h/d?a=b&sslmode=verify-full&sslrootcert=%2Ftmp%2Fa+b&c=d",
                "postgres://u@h/d?a=b&c=d",
                &[("sslmode", "verify-full"), ("sslrootcert", "/tmp/a b")],
            ),
            ("host=h sslmode=disable user=u", "host=h user=u", &[("sslmode", "disable")]),
            (
                r"host=h sslrootcert = '/tmp/it\'s here' password='sslmode=require x' sslmode='verify-ca'",
                r"host=h password='sslmode=require x'",
                &[("sslmode", "verify-ca"), ("sslrootcert", "/tmp/it's here")],
            ),
            ("postgres://u@h/d", "postgres://u@h/d", &[]),
        ] {
            let expected = Parameters(taken.iter().map(|(name, value)| (*name, (*value).to_owned())).collect());
            assert_eq!(Parameters::take(text, &BTreeMap::new()), (rest.to_owned(), expected), "{text}");
        }
        let variables = [("PGSSLMODE".to_owned(), "verify-ca".to_owned())].into();
        let (_, both) = Parameters::take("host=h sslmode=require", &variables);
        assert_eq!(both.get("sslmode"), Some("require"));
        assert_eq!(Parameters::take("host=h", &variables).1.get("sslmode"), Some("verify-ca"));
    }

    #[test]
    fn modes_are_those_of_terraforms_driver() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root.crt");
        std::fs::write(&root, "PEM").unwrap();
        let demand = |text: &str, is_here| {
            let text = text.replace("ROOT", root.to_str().unwrap());
            let demand = Parameters::take(&text, &BTreeMap::new()).1.demand(None, is_here)?;
            Ok::<_, String>(demand.map(|demand| (demand.options, demand.is_strict)))
        };
        let roots = || Some("PEM".to_owned());
        let with = |trust_all, any_name, roots| TlsOptions { trust_all, any_name, roots, identity: None };
        assert_eq!(demand("sslmode=disable", false), Ok(None));
        assert_eq!(demand("host=h", false), Ok(Some((with(true, true, None), true))));
        assert_eq!(demand("host=h", true), Ok(Some((with(true, true, None), false))));
        assert_eq!(demand("sslmode=require", true), Ok(Some((with(true, true, None), true))));
        assert_eq!(demand("sslmode=require sslrootcert=ROOT", false), Ok(Some((with(false, true, roots()), true))));
        assert_eq!(demand("sslmode=require sslrootcert=/nowhere/x", false), Ok(Some((with(true, true, None), true))));
        assert_eq!(demand("sslmode=verify-ca sslrootcert=ROOT", false), Ok(Some((with(false, true, roots()), true))));
        assert_eq!(
            demand("sslmode=verify-full sslrootcert=ROOT", false),
            Ok(Some((with(false, false, roots()), true)))
        );
        assert!(demand("sslmode=verify-full sslrootcert=/nowhere/x", false).unwrap_err().contains("/nowhere/x"));
        assert!(demand("sslmode=prefer", false).unwrap_err().starts_with("unsupported sslmode \"prefer\""));
    }
}
