//! States behind HTTP addresses and in PostgreSQL. The servers are started on loopback; without PostgreSQL's programs its
//! tests are skipped.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use localstack_tests::Postgres;
use localstack_tests::postgres::connection_string;
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::backend::remote::{ConfigError, Kinds, Surroundings};
use state::model::Serial;
use state::{
    Backend, InstanceObject, Intent, IntentId, JournalError, Json, LockError, LockInfo, Operation, Outcome, State,
    StoreError, WriteCondition,
};

fn surroundings(folder: &Path, variables: &[(&str, &str)]) -> Surroundings {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: variables.iter().map(pair).collect::<BTreeMap<_, _>>(),
        journal_folder: folder.join("journals"),
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

/// Arguments that reach a server; without PostgreSQL's programs there is none.
fn postgres() -> Option<(Postgres, Value)> {
    let Some(server) = Postgres::start().unwrap() else {
        eprintln!("skipped: no PostgreSQL");
        return None;
    };
    let config = json!({"conn_str": connection_string(&server.authority()), "schema_name": "a \"schema\""});
    Some((server, config))
}

#[tokio::test]
async fn postgres_states_are_read_written_and_locked() {
    let Some((_server, config)) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let backend = backend("pg", &config, &surroundings(folder.path(), &[])).unwrap();
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

fn intent(name: &str) -> Intent {
    Intent {
        address: format!("aws_vpc.{name}").parse().unwrap(),
        deposed: None,
        provider: "provider[\"registry.terraform.io/hashicorp/aws\"]".parse().unwrap(),
        operation: Operation::Create,
        planned: Json::parse(
            "{\"cidr\":\"10.0.0.0/16\",\"odd\":\"\\u0000'\\u003c\",\"size\":12345678901234567890123.5}",
        )
        .unwrap(),
        client_token: Some("token".to_owned()),
        dependencies: [].into(),
        create_before_destroy: false,
        lineage: state::Lineage("a-lineage".into()),
        serial: Serial(7),
    }
}

#[tokio::test]
async fn postgres_keeps_the_journal_beside_the_states() {
    let Some((_server, config)) = postgres() else { return };
    // Two machines.
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [ours, theirs] =
        folders.each_ref().map(|folder| backend("pg", &config, &surroundings(folder.path(), &[])).unwrap());
    let journal = ours.store("default").unwrap().journal().await.unwrap();
    assert_eq!(journal.warning(), None);
    assert_eq!(journal.records().await.unwrap(), []);
    let [a, b] = [journal.intend(intent("a")).await.unwrap(), journal.intend(intent("b")).await.unwrap()];
    let object =
        Arc::new(InstanceObject { attributes: Json::parse("{\"id\":\"vpc-1\"}").unwrap(), ..Default::default() });
    journal.handed_over(a, object.clone()).await.unwrap();
    journal.outcome(b, Outcome::Object(object.clone())).await.unwrap();
    ours.store("other").unwrap().journal().await.unwrap().intend(intent("c")).await.unwrap();

    let next = theirs.store("default").unwrap().journal().await.unwrap();
    let records = next.records().await.unwrap();
    assert_eq!(records, journal.records().await.unwrap());
    assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [a, b]);
    assert_eq!(records[0].intent, intent("a"));
    assert_eq!((&records[0].handed_over, &records[1].outcome), (&Some(object.clone()), &Some(Outcome::Object(object))));
    next.settle(&[a]).await.unwrap();
    assert!(matches!(journal.outcome(a, Outcome::Gone).await, Err(JournalError::Unknown(id)) if id == a));
    assert_eq!(journal.records().await.unwrap().len(), 1);
    theirs.delete_workspace("default").await.unwrap();
    assert_eq!(journal.records().await.unwrap(), []);
    assert_eq!(ours.store("other").unwrap().journal().await.unwrap().records().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_serves_where_there_is_no_table_for_the_journal() {
    let Some((_server, mut config)) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The states' table is there.
    backend("pg", &config, &surroundings(folder.path(), &[])).unwrap().workspaces().await.unwrap();
    config["skip_table_creation"] = json!(true);
    let open = || backend("pg", &config, &surroundings(folder.path(), &[])).unwrap().store("default").unwrap();
    let journal = open().journal().await.unwrap();
    let warning = journal.warning().unwrap();
    assert!(warning.contains("pg-default.journal") && warning.contains("skip_table_creation"), "{warning}");
    let id = journal.intend(intent("a")).await.unwrap();
    assert_eq!(open().journal().await.unwrap().records().await.unwrap().len(), 1);

    // With the table, what the file holds is taken up, and new records go to the table.
    config["skip_table_creation"] = json!(false);
    let open = || backend("pg", &config, &surroundings(folder.path(), &[])).unwrap().store("default").unwrap();
    let journal = open().journal().await.unwrap();
    assert_eq!(journal.warning(), None);
    let new = journal.intend(intent("b")).await.unwrap();
    let ids: Vec<IntentId> = journal.records().await.unwrap().iter().map(|record| record.id).collect();
    assert!(ids.len() == 2 && ids[0] != id && ids[1] == new, "{ids:?}");
    journal.settle(&ids[..1]).await.unwrap();
    assert!(!folder.path().join("journals/pg-default.journal").exists());
    assert_eq!(open().journal().await.unwrap().records().await.unwrap()[0].intent, intent("b"));
}
