//! Connections by ssh (RFC 4251 to 4254): who we are, whom we trust, commands and files over there.

mod authentication;
mod scp;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use planner::provisioning::Provision;
use russh::client::{self, ChannelOpenHandle, Handle};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Preferred, Pty};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::connection::{Connection, HttpProxy, Login};
use authentication::Identity;

const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A machine that is connected to.
pub struct Session {
    handle: Handle<Client>,
    /// Carries the connection, and ends with it.
    bastion: Option<Handle<Client>>,
    pub(crate) windows: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Status(u32),
    /// By a signal.
    Signal(String),
    /// The connection ended first.
    Unknown,
}

/// Connects, trying again until the connection's timeout has passed. `announce`: says what is done.
pub async fn connect(
    connection: &Connection,
    agent: Option<PathBuf>,
    provision: &Provision<'_>,
    announce: bool,
) -> Result<Session, String> {
    let way = Way::new(connection, agent)?;
    let deadline = Instant::now() + connection.timeout;
    let mut last = None;
    let mut pause = FIRST_PAUSE;
    let ended = loop {
        if announce {
            connection.announcement().lines().for_each(|line| (provision.output)(line));
        }
        let opened = tokio::select! {
            opened = way.open(connection) => opened,
            () = tokio::time::sleep_until(deadline) => break "timeout",
            () = provision.interrupt.requested() => break "interrupted",
        };
        match opened {
            Ok(session) => {
                if announce {
                    (provision.output)("Connected!");
                }
                return Ok(session);
            }
            Err(problem) => last = Some(problem),
        }
        // A machine that was just made may not listen yet, or not know its users yet.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = tokio::time::sleep_until(deadline) => break "timeout",
            () = provision.interrupt.requested() => break "interrupted",
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    Err(match last {
        Some(last) => format!("{ended} - last error: {last}"),
        None => ended.to_owned(),
    })
}

/// What is needed to connect, read and checked once.
struct Way {
    target: Identity,
    bastion: Option<Identity>,
    proxy: Option<net::Url>,
    agent: Option<PathBuf>,
}

impl Way {
    fn new(connection: &Connection, agent: Option<PathBuf>) -> Result<Way, String> {
        let agent = agent.filter(|_| connection.agent);
        if connection.agent && agent.is_none() {
            return Err("SSH agent requested but SSH_AUTH_SOCK not-specified".to_owned());
        }
        let target = Identity::new(&connection.target)?;
        let bastion = connection.bastion.as_ref().map(Identity::new).transpose()?;
        let proxy = connection.proxy.as_ref().map(proxy_url).transpose()?;
        Ok(Way { target, bastion, proxy, agent })
    }

    async fn open(&self, connection: &Connection) -> Result<Session, String> {
        let target = &connection.target;
        let (handle, bastion) = match (&connection.bastion, &self.bastion) {
            (Some(login), Some(identity)) => {
                let over = |problem: String| format!("Error connecting to bastion: {problem}");
                let stream = self.dial(login).await.map_err(over)?;
                let bastion = self.log_in(stream, login, identity, connection).await.map_err(over)?;
                let channel = bastion.channel_open_direct_tcpip(&target.host, target.port.into(), "127.0.0.1", 0);
                let channel = channel.await.map_err(|error| format!("ssh: rejected: {error}"))?;
                let handle = self.log_in(Box::new(channel.into_stream()), target, &self.target, connection).await?;
                (handle, Some(bastion))
            }
            _ => {
                let stream = self.dial(target).await?;
                (self.log_in(stream, target, &self.target, connection).await?, None)
            }
        };
        if self.agent.is_some() {
            // Servers may refuse; commands that need no agent work all the same.
            let channel = handle.channel_open_session().await.map_err(|error| error.to_string())?;
            let _ = channel.agent_forward(true).await;
        }
        Ok(Session { handle, bastion, windows: connection.windows })
    }

    async fn dial(&self, login: &Login) -> Result<Box<dyn net::Stream>, String> {
        if let Some(proxy) = &self.proxy {
            let tls = net::tls::Tls::default();
            let stream = net::by_proxy(proxy, &login.host, login.port, &tls).await;
            return stream.map_err(|error| format!("Error connecting to proxy: {error}"));
        }
        let address = format!("{}:{}", login.shown_host(), login.port);
        let dialed = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect((login.host.as_str(), login.port))).await;
        let problem = match dialed {
            Ok(Ok(stream)) => {
                // Only speed depends on it.
                let _ = stream.set_nodelay(true);
                return Ok(Box::new(stream));
            }
            Ok(Err(error)) => crate::words::lowered(&error),
            Err(_) => "i/o timeout".to_owned(),
        };
        Err(format!("dial tcp {address}: connect: {problem}"))
    }

    async fn log_in(
        &self,
        stream: Box<dyn net::Stream>,
        login: &Login,
        identity: &Identity,
        connection: &Connection,
    ) -> Result<Handle<Client>, String> {
        let place = format!("{}@{}:{}", login.user, login.shown_host(), login.port);
        let failed = |problem: String| format!("SSH authentication failed ({place}): ssh: handshake failed: {problem}");
        let client = Client { host_key: identity.host_key.clone(), agent: self.agent.clone() };
        let handle = client::connect_stream(Arc::new(config(identity.host_key.as_ref())), stream, client).await;
        let mut handle = handle.map_err(|error| match error {
            russh::Error::UnknownKey | russh::Error::NoCommonAlgo { .. } if identity.host_key.is_some() => {
                failed("knownhosts: key mismatch".to_owned())
            }
            other => failed(format!("ssh: {other}")),
        })?;
        let agent = self.agent.as_deref().map(|socket| (socket, connection.agent_identity.as_deref()));
        identity.authenticate(&mut handle, login, agent).await.map_err(failed)?;
        Ok(handle)
    }
}

fn config(host_key: Option<&PublicKey>) -> client::Config {
    let mut preferred = Preferred::default();
    if let Some(key) = host_key {
        // A server has several keys: it is asked for the one that we know, or for one that this one has signed.
        preferred.host_key_certificates = preferred.key.clone();
        let mut algorithms = preferred.key.into_owned();
        algorithms.sort_by_key(|algorithm| !same_family(algorithm, &key.algorithm()));
        preferred.key = Cow::Owned(algorithms);
    }
    client::Config {
        preferred,
        keepalive_interval: Some(Duration::from_secs(2)),
        keepalive_max: 60,
        nodelay: true,
        ..client::Config::default()
    }
}

/// RSA keys serve several algorithms.
fn same_family(one: &russh::keys::Algorithm, other: &russh::keys::Algorithm) -> bool {
    one == other || (one.clone().is_rsa() && other.clone().is_rsa())
}

fn proxy_url(proxy: &HttpProxy) -> Result<net::Url, String> {
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let unusable = |problem: &str| format!("the proxy's address is of no use: {problem}");
    let url = net::Url::parse(&format!("{}://{host}:{}", proxy.scheme, proxy.port));
    let mut url = url.map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("proxy_scheme must be http or https"));
    }
    let set = url.set_username(&proxy.user).and_then(|()| url.set_password(proxy.password.as_deref()));
    set.map_err(|()| unusable("there can be no user"))?;
    Ok(url)
}

/// Our side's answers to a server.
pub struct Client {
    host_key: Option<PublicKey>,
    agent: Option<PathBuf>,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let Some(known) = &self.host_key else { return Ok(true) };
        Ok(match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == known.key_data(),
            PublicKeyOrCertificate::Certificate(certificate) => {
                let authority = known.fingerprint(HashAlg::Sha256);
                certificate.cert_type() == CertType::Host && certificate.validate([&authority]).is_ok()
            }
        })
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<client::Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        // Dropping `reply` refuses.
        let Some(socket) = &self.agent else { return Ok(()) };
        let Ok(mut agent) = UnixStream::connect(socket).await else { return Ok(()) };
        reply.accept().await;
        tokio::spawn(async move {
            // Whichever side ends first ends it.
            let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut agent).await;
        });
        Ok(())
    }
}

impl Session {
    /// Runs a command on a terminal, as Terraform does, and passes on what it prints.
    pub async fn run(&self, command: &str, output: &(dyn Fn(&str) + Send + Sync)) -> Result<Ended, String> {
        let mut channel = self.channel().await?;
        if !self.windows {
            let modes = [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14_400), (Pty::TTY_OP_OSPEED, 14_400)];
            let terminal = channel.request_pty(false, "xterm", 40, 80, 0, 0, &modes).await;
            terminal.map_err(|error| error.to_string())?;
        }
        channel.exec(true, format!("{}\n", command.trim())).await.map_err(|error| error.to_string())?;
        let (mut out, mut err) = (Lines::default(), Lines::default());
        let mut ended = Ended::Unknown;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => out.take(&data, output),
                ChannelMsg::ExtendedData { data, .. } => err.take(&data, output),
                ChannelMsg::ExitStatus { exit_status } => ended = Ended::Status(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => ended = Ended::Signal(format!("{signal_name:?}")),
                ChannelMsg::Failure => return Err("ssh: the server refused to run a command".to_owned()),
                _ => {}
            }
        }
        out.end(output);
        err.end(output);
        Ok(ended)
    }

    /// Ends the connection in good order, as far as that still works.
    pub async fn close(self) {
        for handle in [Some(self.handle), self.bastion].into_iter().flatten() {
            let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }

    async fn channel(&self) -> Result<Channel<client::Msg>, String> {
        self.handle.channel_open_session().await.map_err(|error| format!("ssh: {error}"))
    }
}

/// What comes in pieces, line by line.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, data: &[u8], output: &(dyn Fn(&str) + Send + Sync)) {
        self.0.extend_from_slice(data);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            output(&String::from_utf8_lossy(&line));
        }
    }

    fn end(&mut self, output: &(dyn Fn(&str) + Send + Sync)) {
        if !self.0.is_empty() {
            output(&String::from_utf8_lossy(&self.0));
        }
    }
}
