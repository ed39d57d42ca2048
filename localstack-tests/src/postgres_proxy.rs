//! A proxy in front of a PostgreSQL server that kills.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::{HarnessError, victim, wire};

/// When the proxy kills.
#[derive(Debug, Clone)]
pub struct KillAt {
    /// Statements that have one of these in them count.
    pub statements: &'static [&'static str],
    /// Which of them, from 1.
    pub nth: usize,
    /// How many messages of the connection come after it first: a statement is sent before its parameters.
    pub later: usize,
    /// Whether the server gets that message and acts.
    pub acts: bool,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    rule: Mutex<Option<KillAt>>,
    victim: watch::Sender<Option<u32>>,
}

/// A proxy in front of a server. Its task ends with this value.
#[derive(Debug)]
pub struct PostgresProxy {
    authority: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl PostgresProxy {
    /// Starts a proxy on a free port of the loopback interface.
    pub fn start(upstream: &str) -> Result<PostgresProxy, HarnessError> {
        let failed = |reason: String| HarnessError::Request { request: "proxy".to_owned(), reason };
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            rule: Mutex::default(),
            victim: watch::Sender::new(None),
        });
        let runtime = wire::runtime().map_err(failed)?;
        let bound = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = bound.map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let task = runtime.spawn(serve(listener, Arc::clone(&shared)));
        Ok(PostgresProxy { authority: address.to_string(), shared, task })
    }

    /// Where it listens.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Kills a process at a statement of the connections that follow.
    pub fn inject(&self, rule: KillAt) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(rule);
    }

    /// Names the process. A statement that would kill before one is named waits for the name.
    pub fn set_victim(&self, process_id: u32) {
        self.shared.victim.send_replace(Some(process_id));
    }

    /// Forgets rule and victim.
    pub fn reset(&self) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.victim.send_replace(None);
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Whether this message has the statement at which to kill; how many follow first, and whether the server acts.
    fn hit(&self, message: &[u8]) -> Option<(usize, bool)> {
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        let current = rule.as_mut()?;
        let has = |text: &&str| message.windows(text.len()).any(|window| window == text.as_bytes());
        if !current.statements.iter().any(has) {
            return None;
        }
        current.nth = current.nth.saturating_sub(1);
        if current.nth > 0 {
            return None;
        }
        rule.take().map(|rule| (rule.later, rule.acts))
    }

    async fn kill(&self) {
        let mut victim = self.victim.subscribe();
        let Ok(process_id) = victim.wait_for(Option::is_some).await else { return };
        if let Some(id) = *process_id {
            victim::kill(id);
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the listener: the tasks are children of this set.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // a connection that breaks was cut by a kill
        connections.spawn(async move { relay(client, &shared).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

/// Hands everything on, in both directions, until one side closes or the victim is killed.
async fn relay(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut server = TcpStream::connect(&shared.upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    // How many messages there are until the kill, and whether the server gets the last one.
    let mut countdown: Option<(usize, bool)> = None;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let message = asked.get(..read?).unwrap_or_default();
                if message.is_empty() {
                    return Ok(());
                }
                countdown = match countdown {
                    Some((left, acts)) => Some((left.saturating_sub(1), acts)),
                    None => shared.hit(message),
                };
                match countdown {
                    Some((0, true)) => {
                        server.write_all(message).await?;
                        // It has acted when it answers.
                        server.readable().await?;
                        shared.kill().await;
                        return Ok(());
                    }
                    Some((0, false)) => {
                        shared.kill().await;
                        return Ok(());
                    }
                    _ => server.write_all(message).await?,
                }
            }
            read = server.read(&mut answered) => {
                let message = answered.get(..read?).unwrap_or_default();
                if message.is_empty() {
                    return Ok(());
                }
                client.write_all(message).await?;
            }
        }
    }
}
