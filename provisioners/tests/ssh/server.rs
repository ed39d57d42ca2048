//! An ssh server on loopback: runs commands in this machine's shell, takes files as `scp -t` does, and passes connections on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, Pty};
use tokio::net::{TcpListener, TcpStream};

/// The password that is right.
pub const PASSWORD: &str = "open sesame";

/// A server, as its clients see it.
pub struct Server {
    pub port: u16,
    /// A line of a `.pub` file.
    pub host_key: String,
    /// The private key that it lets in.
    pub user_key: String,
    /// `direct-tcpip HOST:PORT` and the commands, in their order.
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts one; it ends with the runtime.
    pub async fn start() -> Server {
        let key = || PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        let (host, user) = (key(), key());
        let host_key = host.public_key().to_openssh().unwrap();
        let user_key = user.to_openssh(LineEnding::LF).unwrap().to_string();
        let config =
            Arc::new(Config { keys: vec![host], auth_rejection_time: std::time::Duration::ZERO, ..Config::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let client = Client { allowed: user.public_key().clone(), channels: HashMap::new(), log: log.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (config, client) = (config.clone(), client.fresh());
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, stream, client).await {
                        // A client that goes without a word is none of the tests' business.
                        let _ = session.await;
                    }
                });
            }
        });
        Server { port, host_key, user_key, log }
    }
}

struct Client {
    allowed: russh::keys::PublicKey,
    channels: HashMap<ChannelId, Channel<Msg>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Client {
    fn fresh(&self) -> Client {
        Client { allowed: self.allowed.clone(), channels: HashMap::new(), log: self.log.clone() }
    }
}

fn verdict(right: bool) -> Auth {
    if right { Auth::Accept } else { Auth::reject() }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(verdict(password == PASSWORD))
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(verdict(key.public_key.key_data() == self.allowed.key_data()))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.log.lock().unwrap().push(format!("direct-tcpip {host}:{port}"));
        let mut stream = TcpStream::connect(format!("{host}:{port}")).await?;
        reply.accept().await;
        tokio::spawn(async move {
            let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
        });
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).trim().to_owned();
        self.log.lock().unwrap().push(command.clone());
        session.channel_success(id)?;
        let Some(channel) = self.channels.remove(&id) else { return Ok(()) };
        tokio::spawn(serve(channel, command));
        Ok(())
    }
}

async fn serve(mut channel: Channel<Msg>, command: String) -> Result<(), russh::Error> {
    let status = match command.strip_prefix("scp ") {
        Some(arguments) => {
            let target = arguments.split_once(' ').unwrap().1.trim_matches('\'');
            take_files(&mut channel, Path::new(target)).await?
        }
        None => {
            let output = tokio::process::Command::new("/bin/sh").arg("-c").arg(&command).output().await?;
            channel.data_bytes(output.stdout).await?;
            channel.extended_data_bytes(1, output.stderr).await?;
            u32::try_from(output.status.code().unwrap_or(255)).unwrap()
        }
    };
    channel.exit_status(status).await?;
    channel.eof().await?;
    channel.close().await
}

/// Serves `scp -t TARGET`; returns its exit status.
async fn take_files(channel: &mut Channel<Msg>, target: &Path) -> Result<u32, russh::Error> {
    let mut folder = target.to_owned();
    let mut received: Vec<u8> = Vec::new();
    channel.data_bytes(vec![0]).await?;
    loop {
        let Some(line) = line(channel, &mut received).await else { return Ok(0) };
        let mut words = line[1..].splitn(3, ' ');
        match &line[..1] {
            "C" => {
                let size: usize = words.nth(1).unwrap().parse().unwrap();
                let path = folder.join(words.next().unwrap());
                channel.data_bytes(vec![0]).await?;
                // The content, and the zero byte after it.
                while received.len() <= size && more(channel, &mut received).await {}
                let content: Vec<u8> = received.drain(..=size).collect();
                if let Err(error) = std::fs::write(&path, &content[..size]) {
                    let problem = format!("\u{1}scp: {}: {error}\n", path.display());
                    channel.data_bytes(problem.into_bytes()).await?;
                    return Ok(1);
                }
                channel.data_bytes(vec![0]).await?;
            }
            "D" => {
                folder = folder.join(words.nth(2).unwrap());
                std::fs::create_dir_all(&folder)?;
                channel.data_bytes(vec![0]).await?;
            }
            _ => {
                folder = folder.parent().map(PathBuf::from).unwrap();
                channel.data_bytes(vec![0]).await?;
            }
        }
    }
}

async fn line(channel: &mut Channel<Msg>, received: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
        }
        if !more(channel, received).await {
            return None;
        }
    }
}

/// Takes a message; false when there is no more data.
async fn more(channel: &mut Channel<Msg>, received: &mut Vec<u8>) -> bool {
    match channel.wait().await {
        Some(ChannelMsg::Data { data }) => received.extend_from_slice(&data),
        Some(ChannelMsg::Eof) | None => return false,
        Some(_) => {}
    }
    true
}
