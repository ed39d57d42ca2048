//! States in a bucket of the emulator, and tokens from a server of this test.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use localstack_tests::{CloudStorage, Gate};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::backend::Heart;
use state::backend::remote::{ConfigError, Kinds, Surroundings};
use state::model::Serial;
use state::{
    Backend, Intent, JournalError, Json, LockError, LockId, LockInfo, Operation, Outcome, Renewal, State, StateStore,
    StoreError, WriteCondition,
};

const KINDS: Kinds = Kinds::with(&[state_gcs::KIND]);

/// A bucket of its own.
struct Place {
    storage: &'static CloudStorage,
    bucket: String,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let storage = aside(|| CloudStorage::shared().unwrap_or_else(|error| panic!("{}", error.full())));
        let bucket = aside(|| storage.make_bucket().unwrap());
        Place { storage, bucket, folder: tempfile::tempdir().unwrap() }
    }

    fn backend(&self, further: Value) -> Arc<dyn Backend> {
        let mut config = json!({"bucket": self.bucket, "prefix": "/a/b"});
        config.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        open(&config, &surroundings(self.folder.path(), &[self.storage.environment()])).unwrap()
    }

    fn store(&self, further: Value) -> Arc<dyn StateStore> {
        self.backend(further).store("default").unwrap()
    }

    fn object(&self, name: &str) -> Option<Value> {
        aside(|| self.storage.object(&self.bucket, name))
    }
}

fn open(config: &Value, surroundings: &Surroundings) -> Result<Arc<dyn Backend>, ConfigError> {
    KINDS.open("gcs", config.as_object().unwrap(), surroundings).map(|backend| backend.expect("a known kind"))
}

/// Runs what waits for an answer of its own apart from the test's runtime.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn surroundings(folder: &Path, variables: &[(&str, &str)]) -> Surroundings {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: variables.iter().map(pair).collect::<BTreeMap<_, _>>(),
        journal_folder: folder.join("journals"),
        codec: state::Codec::default(),
    }
}

fn info() -> LockInfo {
    LockInfo::new("OperationTypeApply", "me@here")
}

fn snapshot(serial: u64) -> State {
    let mut state = State::new();
    state.lineage = state::Lineage("a-lineage".into());
    state.serial = Serial(serial);
    state
}

fn after(serial: u64) -> WriteCondition {
    WriteCondition::replacing(Some(&snapshot(serial)))
}

#[tokio::test]
async fn a_file_is_a_lock_named_by_its_generation() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({})));
    assert!(ours.read().await.unwrap().is_none());
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    assert!(id.0.parse::<i64>().is_ok(), "{id}");
    let lock = place.object("a/b/default.tflock").unwrap();
    assert_eq!(lock["Path"], format!("gs://{}/a/b/default.tflock", place.bucket));
    match theirs.lock(info(), Duration::ZERO).await {
        Err(LockError::Held { info: Some(info), reason, .. }) => {
            assert_eq!((info.id, info.who.as_str()), (id.clone(), "me@here"));
            assert!(reason.contains("Error 412"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    ours.write(&snapshot(2), &after(1)).await.unwrap();
    ours.unlock(&id).await.unwrap();
    assert!(place.object("a/b/default.tflock").is_none());
    let id = theirs.lock(info(), Duration::ZERO).await.unwrap();
    assert_eq!(theirs.read().await.unwrap().unwrap().serial, Serial(2));
    theirs.unlock(&id).await.unwrap();
    assert_eq!(place.object("a/b/default.tfstate").unwrap()["serial"], 2);
}

fn intent(name: &str) -> Intent {
    Intent {
        address: format!("aws_vpc.{name}").parse().unwrap(),
        deposed: None,
        provider: "provider[\"registry.terraform.io/hashicorp/aws\"]".parse().unwrap(),
        operation: Operation::Create,
        planned: Json::parse("{\"cidr\":\"10.0.0.0/16\"}").unwrap(),
        client_token: None,
        dependencies: [].into(),
        create_before_destroy: false,
        lineage: state::Lineage("a-lineage".into()),
        serial: Serial(1),
    }
}

#[tokio::test]
async fn the_journal_is_an_object_beside_the_state() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({})));
    assert!(!theirs.has_records().await.unwrap());
    let journal = ours.journal().await.unwrap();
    assert_eq!(journal.warning(), None);
    let [a, b] = [journal.intend(intent("a")).await.unwrap(), journal.intend(intent("b")).await.unwrap()];
    assert!(theirs.has_records().await.unwrap());
    assert_eq!(place.backend(json!({})).workspaces().await.unwrap(), ["default"]);
    let next = theirs.journal().await.unwrap();
    assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
    next.settle(&[a]).await.unwrap();
    // Whoever writes to it has the lock: the earlier run records nothing more.
    assert!(matches!(journal.outcome(b, Outcome::Gone).await, Err(JournalError::Conflict { .. })));
    next.settle(&[b]).await.unwrap();
    assert!(!ours.has_records().await.unwrap());
    next.intend(intent("c")).await.unwrap();
    assert!(ours.has_records().await.unwrap());
}

fn leased(who: &str, seconds: u64) -> LockInfo {
    LockInfo::new("OperationTypeApply", who).with_lease(Duration::from_secs(seconds))
}

#[tokio::test]
async fn locks_are_listed_with_their_leases() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({})));
    assert_eq!(theirs.locks().await.unwrap(), []);
    let id = ours.lock(leased("me@here", 60), Duration::ZERO).await.unwrap();
    let [lock] = theirs.locks().await.unwrap().try_into().unwrap();
    assert_eq!((&lock.info.id, lock.info.lease.map(|lease| lease.seconds)), (&id, Some(60)));
    assert!(lock.age.unwrap() < Duration::from_secs(60));
    // One that has just been made is as good as renewed.
    assert_eq!(ours.renew(&id).await.unwrap(), Renewal::Done);
    assert_eq!(theirs.locks().await.unwrap()[0].info.id, id);
    ours.unlock(&id).await.unwrap();
    assert_eq!(theirs.locks().await.unwrap(), []);
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    assert_eq!(ours.renew(&id).await.unwrap(), Renewal::NotNeeded);
    ours.unlock(&id).await.unwrap();
}

/// A runner that was cut off, and did not notice, is kept from writing by the bucket itself.
#[tokio::test]
async fn locks_of_dead_holders_are_taken_over_and_late_writes_refused() {
    let place = Place::new();
    let gate = Gate::start(place.storage.endpoint().rsplit(':').next().unwrap().parse().unwrap()).unwrap();
    let through = json!({"storage_custom_endpoint": format!("http://127.0.0.1:{}/storage/v1/", gate.port)});
    let (cut_off, other) = (place.store(through), place.store(json!({})));
    let id = cut_off.lock(leased("cut@off", 3), Duration::ZERO).await.unwrap();
    cut_off.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    let heart = Heart::start(cut_off.clone(), id.clone(), Duration::from_secs(3));
    // It lives longer than its lease.
    let waited = other.lock(leased("other@there", 3), Duration::from_secs(5)).await;
    assert!(matches!(waited, Err(LockError::Held { .. })));
    heart.confirm().await.unwrap();
    assert_ne!(other.locks().await.unwrap()[0].info.id, id);
    gate.close();
    let late = tokio::spawn({
        let store = cut_off.clone();
        async move { store.write(&snapshot(9), &after(1)).await }
    });
    let taken = other.lock(leased("other@there", 3), Duration::from_secs(60)).await.unwrap();
    let listed = other.locks().await.unwrap();
    assert_eq!((listed.len(), listed[0].info.who.as_str()), (1, "other@there"));
    heart.lost().await;
    gate.open();
    // Nothing was written since: but the snapshot that the late write replaces is gone.
    let refused = late.await.unwrap();
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let lost = cut_off.renew(&id).await.unwrap_err().to_string();
    assert!(lost.contains("taken over by other@there"), "{lost}");
    assert_eq!(other.read().await.unwrap().unwrap(), snapshot(2));
    assert!(cut_off.unlock(&id).await.is_err());
    other.unlock(&taken).await.unwrap();
    assert!(other.locks().await.unwrap().is_empty());
    // Terraform's have no lease.
    let forever = place.store(json!({})).lock(info(), Duration::ZERO).await.unwrap();
    let waited = other.lock(leased("other@there", 3), Duration::from_secs(5)).await;
    assert!(matches!(waited, Err(LockError::Held { .. })));
    other.force_unlock(&forever).await.unwrap();
}

#[tokio::test]
async fn a_lock_is_broken_by_its_id_alone() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({})));
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    for (wrong, reason) in [("abc", "should be numerical"), ("1", "the lock has the ID")] {
        match theirs.force_unlock(&LockId(wrong.to_owned())).await {
            Err(LockError::NotReleased { reason: told, .. }) => assert!(told.contains(reason), "{told}"),
            other => panic!("{other:?}"),
        }
    }
    theirs.force_unlock(&id).await.unwrap();
    let next = theirs.lock(info(), Duration::ZERO).await.unwrap();
    assert!(ours.unlock(&id).await.is_err(), "the lock is another's by now");
    theirs.unlock(&next).await.unwrap();
}

#[tokio::test]
async fn whoever_lost_the_lock_overwrites_nothing() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({})));
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    assert_eq!(theirs.read().await.unwrap().unwrap().serial, Serial(1));
    ours.write(&snapshot(2), &after(1)).await.unwrap();
    match theirs.write(&snapshot(3), &after(1)).await {
        Err(StoreError::Conflict { found, .. }) => assert!(found.contains("serial 2"), "{found}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(theirs.write(&snapshot(3), &WriteCondition::Absent).await, Err(StoreError::Conflict { .. })));
    theirs.write(&snapshot(9), &WriteCondition::Any).await.unwrap();
    assert_eq!(ours.read().await.unwrap().unwrap().serial, Serial(9));
}

#[tokio::test]
async fn workspaces_are_objects_below_the_prefix() {
    let place = Place::new();
    let backend = place.backend(json!({}));
    assert_eq!(backend.workspaces().await.unwrap(), ["default"]);
    backend.create_workspace("x").await.unwrap();
    backend.create_workspace("x").await.unwrap();
    backend.create_workspace("a b").await.unwrap();
    aside(|| place.storage.put_object(&place.bucket, "a/b/deep/y.tfstate", "{}").unwrap());
    aside(|| place.storage.put_object(&place.bucket, "other.tfstate", "{}").unwrap());
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a b", "x"]);
    backend.delete_workspace("x").await.unwrap();
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a b"]);
    assert!(backend.delete_workspace("default").await.is_err());
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_told() {
    let place = Place::new();
    let store = place.store(json!({"bucket": "no-such-bucket"}));
    let error = store.write(&snapshot(1), &WriteCondition::Any).await.unwrap_err().to_string();
    assert!(error.contains("gs://no-such-bucket/a/b/default.tfstate"), "{error}");
    assert!(place.backend(json!({"bucket": "no-such-bucket"})).workspaces().await.is_err());
}

#[test]
fn arguments_that_can_not_be_used_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let none = surroundings(folder.path(), &[("STORAGE_EMULATOR_HOST", "127.0.0.1:1")]);
    let failing = |config: Value| open(&config, &none).err().unwrap().reason;
    assert_eq!(failing(json!({})), "bucket is required");
    assert!(failing(json!({"bucket": "b", "encryption_key": "aHVzaA=="})).contains("32 bytes in base64"));
    assert!(failing(json!({"bucket": "b", "storage_custom_endpoint": "x"})).contains("must be the URL"));
    let outside = surroundings(folder.path(), &[]);
    let error = open(&json!({"bucket": "b", "credentials": "hush"}), &outside).err().unwrap().reason;
    assert_eq!(error, "the string provided in credentials is neither valid json nor a valid file path");
    let both = json!({"bucket": "b", "encryption_key": "k", "kms_encryption_key": "l"});
    let findings = KINDS.check("gcs", both.as_object().unwrap(), &none);
    assert_eq!(findings[0].summary, "can't set both encryption_key and kms_encryption_key");
}

/// What a server was asked: the first line, the headers, the body.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that answers requests by their path.
fn server(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Asked::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                if stream.read_line(&mut head).unwrap() == 0 {
                    break;
                }
                if let Some(value) = head[start..].to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push(format!("{head}{}", String::from_utf8_lossy(&body)));
            let (status, json) = answer(&path);
            let text = json.to_string();
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, asked)
}

/// A store of a service on this machine that gives tokens to these credentials.
async fn asked_with(config: Value, variables: &[(&str, &str)], address: &str) -> Result<(), StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let mut all = json!({"bucket": "b", "storage_custom_endpoint": format!("http://{address}/storage/v1/")});
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let backend = open(&all, &surroundings(folder.path(), variables)).unwrap();
    backend.store("default").unwrap().read().await.map(drop)
}

#[tokio::test]
async fn tokens_come_from_wherever_the_machine_has_them() {
    let (address, asked) = server(|path| match path {
        "/subject" => (200, json!({"id_token": "subject-token"})),
        "/impersonate" => (200, json!({"accessToken": "impersonated-token", "expireTime": "2999-01-01T00:00:00Z"})),
        path if path.starts_with("/storage") => (404, json!({"error": {"message": "No such object"}})),
        _ => (200, json!({"access_token": "the-token", "expires_in": 3600})),
    });
    let base = format!("http://{address}");
    let user = json!({
        "type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("{base}/token"),
    });
    let external = json!({
        "type": "external_account", "audience": "//iam/x", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{base}/sts"), "service_account_impersonation_url": format!("{base}/impersonate"),
        "credential_source": {
            "url": format!("{base}/subject"), "headers": {"Authorization": "Bearer ci"},
            "format": {"type": "json", "subject_token_field_name": "id_token"},
        },
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adc.json");
    std::fs::write(&file, user.to_string()).unwrap();
    let cases = [
        (json!({"access_token": "given-token"}), vec![], "given-token", "/storage/v1/b/b/o/default"),
        (json!({"credentials": user.to_string()}), vec![], "the-token", "grant_type=refresh_token"),
        (json!({"credentials": file}), vec![], "the-token", "refresh_token=r"),
        (json!({}), vec![("GOOGLE_CREDENTIALS", user.to_string())], "the-token", "client_secret=s"),
        (json!({}), vec![("GOOGLE_APPLICATION_CREDENTIALS", file.display().to_string())], "the-token", "client_id=i"),
        (json!({"credentials": external.to_string()}), vec![], "impersonated-token", "subject_token=subject-token"),
        (json!({}), vec![("GCE_METADATA_HOST", address.clone())], "the-token", "metadata-flavor: Google"),
    ];
    for (config, variables, token, sent) in cases {
        asked.lock().unwrap().clear();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asked_with(config.clone(), &variables, &address).await.unwrap();
        let log = asked.lock().unwrap().join("\n---\n");
        assert!(log.contains(&format!("authorization: Bearer {token}")), "{config}: {log}");
        assert!(log.contains(sent), "{sent}: {log}");
    }
}

#[tokio::test]
async fn a_refused_token_is_told_without_secrets() {
    let (address, _) = server(|_| (400, json!({"error": "invalid_grant", "error_description": "Bad Request"})));
    let user = json!({
        "type": "authorized_user", "client_id": "i", "client_secret": "hush", "refresh_token": "hush",
        "token_uri": format!("http://{address}/token"),
    });
    let error = asked_with(json!({"credentials": user.to_string()}), &[], &address).await.unwrap_err().to_string();
    assert!(error.contains("is refused with status 400: Bad Request") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn customers_keys_go_along_with_the_state() {
    let (address, asked) = server(|_| (200, json!({"version": 4, "serial": 3, "lineage": "l", "generation": "7"})));
    let folder = tempfile::tempdir().unwrap();
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let variables = [("STORAGE_EMULATOR_HOST", address.as_str())];
    let surroundings = surroundings(folder.path(), &variables);
    let backend = open(&json!({"bucket": "b", "encryption_key": key}), &surroundings).unwrap();
    let store = backend.store("default").unwrap();
    store.write(&snapshot(4), &WriteCondition::Any).await.unwrap();
    store.lock(info(), Duration::ZERO).await.unwrap();
    let log = asked.lock().unwrap().clone();
    assert!(
        log[0].contains(&format!("x-goog-encryption-key: {key}")) && !log[1].contains("x-goog-encryption"),
        "{log:?}"
    );
    let backend = open(&json!({"bucket": "b", "kms_encryption_key": "projects/p/x"}), &surroundings).unwrap();
    backend.store("default").unwrap().write(&snapshot(4), &WriteCondition::Any).await.unwrap();
    assert!(asked.lock().unwrap()[2].contains("kmsKeyName=projects%2Fp%2Fx"));
}
