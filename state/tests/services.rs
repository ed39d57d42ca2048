//! States behind HTTP addresses and in PostgreSQL. The servers are started on loopback; without PostgreSQL's programs its
//! tests are skipped.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::backend::remote::{ConfigError, Kinds, Surroundings};
use state::model::Serial;
use state::{Backend, LockError, LockInfo, State, StoreError, WriteCondition};

fn surroundings(folder: &Path, variables: &[(&str, &str)]) -> Surroundings {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: variables.iter().map(pair).collect::<BTreeMap<_, _>>(),
        journal_folder: folder.join("journals"),
        codec: state::Codec::default(),
    }
}

fn backend(kind: &str, config: &Value, surroundings: &Surroundings) -> Result<Arc<dyn Backend>, ConfigError> {
    Kinds::default().open(kind, config.as_object().unwrap(), surroundings).map(|backend| backend.expect("a known kind"))
}

fn snapshot(serial: u64) -> State {
    let mut state = State::new();
    state.lineage = state::Lineage(lang::Str::from("a-lineage"));
    state.serial = Serial(serial);
    state
}

/// What a service of the `http` backend keeps.
#[derive(Default)]
struct Kept {
    state: Option<Vec<u8>>,
    lock: Option<Vec<u8>>,
    /// Requests: method and path.
    log: Vec<String>,
    /// How many requests are answered with 503 first.
    failures: usize,
}

struct Service {
    address: String,
    kept: Arc<Mutex<Kept>>,
}

impl Service {
    fn start() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/state", listener.local_addr().unwrap());
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = kept.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &shared);
            }
        });
        Service { address, kept }
    }

    fn config(&self) -> Value {
        json!({
            "address": self.address,
            "lock_address": format!("{}/lock", self.address),
            "unlock_address": format!("{}/lock", self.address),
            "unlock_method": "DELETE",
            "username": "user",
            "retry_wait_min": 0,
        })
    }
}

fn answer(mut stream: TcpStream, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let request = line.rsplit_once(' ').map(|(request, _)| request.to_owned()).unwrap_or_default();
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => authorized = value == "Basic dXNlcjpzZWNyZXQ=",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut kept = kept.lock().unwrap();
    kept.log.push(request.split('?').next().unwrap_or_default().to_owned());
    let (status, content) = if kept.failures > 0 {
        kept.failures -= 1;
        (503, Vec::new())
    } else if !authorized {
        (401, Vec::new())
    } else {
        match (request.split_once(' ').unwrap_or_default(), kept.lock.clone()) {
            (("GET", "/state"), _) => kept.state.clone().map_or((404, Vec::new()), |state| (200, state)),
            (("POST", path), lock) => {
                let id = lock.and_then(|lock| serde_json::from_slice::<LockInfo>(&lock).ok()).map(|info| info.id.0);
                if id.is_some_and(|id| path != format!("/state?ID={id}")) {
                    (423, Vec::new())
                } else {
                    kept.state = Some(body);
                    (200, Vec::new())
                }
            }
            (("LOCK", "/state/lock"), Some(lock)) => (423, lock),
            (("LOCK", "/state/lock"), None) => {
                kept.lock = Some(body);
                (200, Vec::new())
            }
            (("DELETE", "/state/lock"), _) => {
                kept.lock = None;
                (200, Vec::new())
            }
            _ => (404, Vec::new()),
        }
    };
    drop(kept);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&content)
}

#[tokio::test]
async fn http_states_are_read_written_and_locked() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    // The password comes from the environment.
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", "secret")]);
    let backend = backend("http", &service.config(), &around).unwrap();
    let (ours, theirs) = (backend.store("default").unwrap(), backend.store("default").unwrap());
    assert!(ours.read().await.unwrap().is_none());
    let id = ours.lock(LockInfo::new("OperationTypeApply", "me@here"), Duration::ZERO).await.unwrap();
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    match theirs.lock(LockInfo::new("OperationTypePlan", "you@there"), Duration::ZERO).await {
        Err(LockError::Held { info: Some(info), .. }) => {
            assert_eq!((info.id, info.who), (id.clone(), "me@here".into()))
        }
        other => panic_with(&other.map(drop)),
    }
    // Whoever has no lock is refused by the service.
    let refused = theirs.write(&snapshot(2), &WriteCondition::Any).await;
    assert!(matches!(refused, Err(StoreError::Remote { .. })), "{refused:?}");
    ours.unlock(&id).await.unwrap();
    let id = theirs.lock(LockInfo::new("OperationTypePlan", "you@there"), Duration::ZERO).await.unwrap();
    assert_eq!(theirs.read().await.unwrap().unwrap().serial, Serial(1));
    // A lock that was left behind is broken by its name.
    ours.force_unlock(&id).await.unwrap();
    assert!(service.kept.lock().unwrap().lock.is_none());
    // Without a lock what is there is compared.
    let stale = ours.write(&snapshot(3), &WriteCondition::Absent).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    assert!(matches!(backend.workspaces().await, Err(StoreError::NoWorkspaces)));
    assert!(matches!(backend.store("other"), Err(StoreError::NoWorkspaces)));
    assert_eq!(ours.journal().await.unwrap().records().await.unwrap().len(), 0);
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn panic_with(result: &dyn std::fmt::Debug) {
    panic!("{result:?}");
}

#[tokio::test]
async fn http_requests_are_tried_again_and_refusals_told() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", "secret")]);
    let store = backend("http", &service.config(), &around).unwrap().store("default").unwrap();
    service.kept.lock().unwrap().failures = 2;
    assert!(store.read().await.unwrap().is_none());
    assert_eq!(service.kept.lock().unwrap().log.len(), 3);
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", "wrong")]);
    let store = backend("http", &service.config(), &around).unwrap().store("default").unwrap();
    let error = store.read().await.unwrap_err().to_string();
    assert!(error.contains("requires auth") && !error.contains("wrong"), "{error}");
}

#[test]
fn arguments_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let around = surroundings(folder.path(), &[]);
    for (kind, config, argument) in [
        ("http", json!({}), "address"),
        ("http", json!({"address": "ftp://x"}), "address"),
        ("http", json!({"address": "http://x", "retry_max": "many"}), "retry_max"),
        ("http", json!({"address": "http://x", "client_certificate_pem": "x"}), "client_certificate_pem"),
        ("pg", json!({"conn_str": "postgres://example.com/x"}), "conn_str"),
        ("pg", json!({"conn_str": "nonsense"}), "conn_str"),
    ] {
        let error = backend(kind, &config, &around).err().expect("a refusal");
        assert_eq!(error.argument, Some(argument), "{config}");
    }
    assert!(Kinds::default().open("s3", &serde_json::Map::new(), &around).unwrap().is_none());
}

/// A server of PostgreSQL, in a folder of its own.
struct Postgres {
    process: Child,
    port: u16,
    // open, so that the server can go on telling
    _log: BufReader<std::process::ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// `None`, with a message, where its programs are not installed or cannot be run.
    fn start() -> Option<Postgres> {
        let programs = ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/local/bin", "/usr/bin"];
        let Some(bin) = programs.iter().map(PathBuf::from).find(|bin| bin.join("initdb").exists()) else {
            eprintln!("skipped: no PostgreSQL");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        // The server refuses to run as root.
        let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if root {
            std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            Command::new("chown").arg("nobody").arg(&data).status().unwrap();
        }
        let command = |program: &str| {
            let program = bin.join(program);
            let mut command = match root {
                true => {
                    let mut command = Command::new("setpriv");
                    command.args(["--reuid=nobody", "--clear-groups"]).arg(program);
                    command
                }
                false => Command::new(program),
            };
            command.current_dir("/").env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = command("initdb").args(["-A", "trust", "-U", "postgres", "-N", "-D"]).arg(&data).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: initdb failed");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains("ready to accept connections") {
            assert_ne!(log.read_line(&mut told).unwrap(), 0, "the server ended: {told}");
        }
        Some(Postgres { process, port, _log: log, _folder: folder })
    }

    fn config(&self) -> Value {
        let address = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port);
        json!({"conn_str": address, "schema_name": "a \"schema\""})
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn postgres_states_are_read_written_and_locked() {
    let Some(server) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let backend = backend("pg", &server.config(), &surroundings(folder.path(), &[])).unwrap();
    let info = || LockInfo::new("OperationTypeApply", "me@here");
    let (ours, theirs) = (backend.store("default").unwrap(), backend.store("default").unwrap());
    assert!(ours.read().await.unwrap().is_none());
    // Before there is a row, all workspaces share one lock.
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    assert!(matches!(theirs.lock(info(), Duration::ZERO).await, Err(LockError::Held { .. })));
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    ours.unlock(&id).await.unwrap();
    // From now on the row is locked.
    let id = theirs.lock(info(), Duration::ZERO).await.unwrap();
    assert!(matches!(ours.lock(info(), Duration::ZERO).await, Err(LockError::Held { .. })));
    let other = backend.store("other").unwrap();
    let theirs_too = other.lock(info(), Duration::ZERO).await.unwrap();
    other.unlock(&theirs_too).await.unwrap();
    // A serial that is not there any more is refused by the database itself.
    let condition = WriteCondition::replacing(Some(&snapshot(1)));
    theirs.write(&snapshot(2), &condition).await.unwrap();
    let stale = ours.write(&snapshot(2), &condition).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    theirs.unlock(&id).await.unwrap();
    // A lock ends with its session.
    let lost = backend.store("default").unwrap();
    lost.lock(info(), Duration::ZERO).await.unwrap();
    drop(lost);
    let id = ours.lock(info(), Duration::from_secs(20)).await.unwrap();
    assert_eq!(ours.read().await.unwrap().unwrap().serial, Serial(2));
    ours.unlock(&id).await.unwrap();

    backend.create_workspace("b").await.unwrap();
    backend.create_workspace("a").await.unwrap();
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a", "b"]);
    backend.delete_workspace("b").await.unwrap();
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a"]);
}
