//! A service of the `http` backend, as GitLab is one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::HarnessError;

/// What the service keeps, and how it behaves.
#[derive(Debug, Default)]
pub struct Kept {
    /// The state.
    pub state: Option<Vec<u8>>,
    /// Who has locked it.
    pub lock: Option<Vec<u8>>,
    /// Requests: method and path.
    pub log: Vec<String>,
    /// How many requests are answered with 503 first.
    pub failures: usize,
    /// Whether a holder can send its lock again, with a later heartbeat; GitLab refuses that.
    pub renews: bool,
    /// How far its clock is ahead; `None`: answers tell no time.
    pub ahead: Option<Duration>,
}

/// A service on loopback.
pub struct StateServer {
    /// Where the state is.
    pub address: String,
    /// Where it listens.
    pub port: u16,
    kept: Arc<Mutex<Kept>>,
}

/// The password of the user `user`.
pub const PASSWORD: &str = "secret";

impl StateServer {
    /// Starts one.
    pub fn start() -> Result<StateServer, HarnessError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(HarnessError::run("state server"))?;
        let port = listener.local_addr().map_err(HarnessError::run("state server"))?.port();
        let kept = Arc::new(Mutex::new(Kept { ahead: Some(Duration::ZERO), ..Kept::default() }));
        let shared = kept.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Ok(StateServer { address: address(port), port, kept })
    }

    /// What it keeps.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The backend's arguments, but for the password.
    pub fn config(&self) -> Value {
        config(self.port)
    }
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}/state")
}

/// The backend's arguments for a port that leads to a service.
pub fn config(port: u16) -> Value {
    let address = address(port);
    json!({
        "address": address,
        "lock_address": format!("{address}/lock"),
        "unlock_address": format!("{address}/lock"),
        "unlock_method": "DELETE",
        "username": "user",
        "retry_wait_min": 0,
    })
}

fn answer(mut stream: TcpStream, kept: &Mutex<Kept>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let request = line.rsplit_once(' ').map(|(request, _)| request.to_owned()).unwrap_or_default();
    let (mut length, mut is_user) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            // user:secret
            "authorization" => is_user = value == "Basic dXNlcjpzZWNyZXQ=",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.log.push(request.split('?').next().unwrap_or_default().to_owned());
    let (status, content) = if kept.failures > 0 {
        kept.failures -= 1;
        (503, Vec::new())
    } else if is_user {
        kept.answer(&request, body)
    } else {
        (401, Vec::new())
    };
    let date = kept.ahead.map(|ahead| httpdate::fmt_http_date(SystemTime::now() + ahead));
    let date = date.map(|date| format!("Date: {date}\r\n")).unwrap_or_default();
    drop(kept);
    let length = content.len();
    let head = format!("HTTP/1.1 {status} X\r\n{date}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&content)
}

impl Kept {
    fn answer(&mut self, request: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        match (request.split_once(' ').unwrap_or_default(), self.lock.clone()) {
            (("GET", "/state"), _) => self.state.clone().map_or((404, Vec::new()), |state| (200, state)),
            (("POST", path), lock) => {
                if lock.is_some_and(|lock| path != format!("/state?ID={}", id(&lock))) {
                    return (423, Vec::new());
                }
                self.state = Some(body);
                (200, Vec::new())
            }
            (("LOCK", "/state/lock"), Some(lock)) if !(self.renews && id(&lock) == id(&body)) => (423, lock),
            (("LOCK", "/state/lock"), _) => {
                self.lock = Some(body);
                (200, Vec::new())
            }
            (("DELETE", "/state/lock"), Some(lock)) if id(&lock) != id(&body) => (409, lock),
            (("DELETE", "/state/lock"), _) => {
                self.lock = None;
                (200, Vec::new())
            }
            _ => (404, Vec::new()),
        }
    }
}

fn id(lock: &[u8]) -> String {
    let lock: Value = serde_json::from_slice(lock).unwrap_or_default();
    lock.get("ID").and_then(Value::as_str).unwrap_or_default().to_owned()
}
