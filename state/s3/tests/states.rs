//! States in a bucket of the emulator.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use localstack_tests::{Account, Call, Emulator, Fault, Gate, Proxy, Rule};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::backend::remote::{Finding, Kinds, Surroundings};
use state::model::Serial;
use state::{
    Backend, Heart, Intent, JournalError, Json, LockError, LockInfo, Operation, Outcome, State, StateStore, StoreError,
    WriteCondition,
};

const KINDS: Kinds = Kinds::with(&[state_s3::KIND]);

/// A bucket and a table of an account of their own.
struct Place {
    account: Account,
    bucket: String,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let account = Emulator::shared().unwrap_or_else(|error| panic!("{}", error.full())).account();
        let bucket = aside(|| account.make_bucket().unwrap());
        aside(|| account.make_lock_table("locks").unwrap());
        Place { account, bucket, folder: tempfile::tempdir().unwrap() }
    }

    /// Arguments that reach it, and these.
    fn config(&self, further: Value) -> Value {
        let mut config = json!({
            "bucket": self.bucket,
            "key": "a/b.tfstate",
            "region": self.account.region,
            "access_key": self.account.id,
            "secret_key": "test",
            "endpoints": {
                "s3": self.account.endpoint, "dynamodb": self.account.endpoint, "sts": self.account.endpoint,
            },
            "use_path_style": true,
        });
        config.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        config
    }

    fn backend(&self, further: Value) -> Arc<dyn Backend> {
        let config = self.config(further);
        let opened = KINDS.open("s3", config.as_object().unwrap(), &surroundings(self.folder.path(), &[]));
        opened.unwrap().expect("a known kind")
    }

    fn store(&self, further: Value) -> Arc<dyn StateStore> {
        self.backend(further).store("default").unwrap()
    }

    fn object(&self, key: &str) -> Option<Value> {
        aside(|| self.account.get("s3", &format!("/{}/{key}", self.bucket)).ok())
    }

    /// The headers of an object.
    fn head(&self, key: &str) -> String {
        let address = self.account.endpoint.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/x/s3/aws4_request, SignedHeaders=host, Signature=0",
            self.account.id
        );
        let path = format!("/{}/{key}", self.bucket);
        let request = format!(
            "HEAD {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_lowercase()
    }

    /// An attribute of an item of the table.
    fn item(&self, id: &str, attribute: &str) -> Option<String> {
        let request = json!({"TableName": "locks", "Key": {"LockID": {"S": id}}});
        let answer = aside(|| self.account.json("dynamodb", "DynamoDB_20120810.GetItem", &request).unwrap());
        Some(answer["Item"][attribute]["S"].as_str()?.to_owned())
    }
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
async fn a_file_is_a_lock() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({"use_lockfile": true})));
    assert!(ours.read().await.unwrap().is_none());
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    let lock = place.object("a/b.tfstate.tflock").unwrap();
    assert_eq!((&lock["ID"], &lock["Path"]), (&json!(id.0), &json!(format!("{}/a/b.tfstate", place.bucket))));
    match theirs.lock(info(), Duration::ZERO).await {
        Err(LockError::Held { info: Some(info), reason, .. }) => {
            assert_eq!((info.id, info.who.as_str()), (id.clone(), "me@here"));
            assert!(reason.contains("StatusCode: 412") && reason.contains("PreconditionFailed"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    ours.write(&snapshot(2), &after(1)).await.unwrap();
    ours.unlock(&id).await.unwrap();
    assert!(place.object("a/b.tfstate.tflock").is_none());
    let id = theirs.lock(info(), Duration::ZERO).await.unwrap();
    assert_eq!(theirs.read().await.unwrap().unwrap().serial, Serial(2));
    assert_eq!(theirs.journal().await.unwrap().records().await.unwrap().len(), 0);
    theirs.unlock(&id).await.unwrap();
    assert!(matches!(theirs.unlock(&id).await, Err(LockError::NotLocked)));
}

#[tokio::test]
async fn a_lock_is_waited_for() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({"use_lockfile": true, "dynamodb_table": "locks"})));
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    let (released, taken) = tokio::join!(ours.unlock(&id), theirs.lock(info(), Duration::from_secs(60)));
    released.unwrap();
    theirs.unlock(&taken.unwrap()).await.unwrap();
}

#[tokio::test]
async fn whoever_lost_the_lock_overwrites_nothing() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({"use_lockfile": true})));
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    theirs.force_unlock(&id).await.unwrap();
    let their_id = theirs.lock(info(), Duration::ZERO).await.unwrap();
    theirs.write(&snapshot(5), &after(1)).await.unwrap();
    match ours.write(&snapshot(2), &after(1)).await {
        Err(StoreError::Conflict { found, .. }) => assert_eq!(found, "serial 5 of lineage a-lineage"),
        other => panic!("{other:?}"),
    }
    match ours.unlock(&id).await {
        Err(LockError::NotReleased { info: Some(info), .. }) => assert_eq!(info.id, their_id),
        other => panic!("{other:?}"),
    }
    // The same without a lock, and with a snapshot that was never read here.
    let third = place.store(json!({}));
    assert!(matches!(third.write(&snapshot(6), &after(1)).await, Err(StoreError::Conflict { .. })));
    assert!(matches!(third.write(&snapshot(6), &WriteCondition::Absent).await, Err(StoreError::Conflict { .. })));
    third.write(&snapshot(6), &after(5)).await.unwrap();
    third.write(&snapshot(1), &WriteCondition::Any).await.unwrap();
    assert_eq!(third.read().await.unwrap().unwrap().serial, Serial(1));
}

#[tokio::test]
async fn a_table_is_a_lock_and_keeps_checksums() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| place.store(json!({"dynamodb_table": "locks"})));
    let name = format!("{}/a/b.tfstate", place.bucket);
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    assert!(place.item(&name, "Info").unwrap().starts_with(&format!("{{\"ID\":\"{id}\"")));
    match theirs.lock(info(), Duration::ZERO).await {
        Err(LockError::Held { info: Some(info), reason, .. }) => {
            assert_eq!(info.id, id);
            assert!(reason.contains("ConditionalCheckFailedException"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    ours.unlock(&id).await.unwrap();
    assert!(place.item(&name, "Info").is_none());
    assert_eq!(place.item(&format!("{name}-md5"), "Digest").unwrap().len(), 32);
    assert_eq!(theirs.read().await.unwrap().unwrap().serial, Serial(1));
    // Somebody else's write, without a checksum.
    place.store(json!({})).write(&snapshot(2), &after(1)).await.unwrap();
    match theirs.read().await {
        Err(StoreError::Told(text)) => {
            assert!(text.starts_with("state data in S3 does not have the expected content"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

/// A run that is killed between its write and the checksum's leaves no state that nobody can read.
#[tokio::test]
async fn a_checksum_that_was_not_written_any_more_is_made_up_for() {
    let place = Place::new();
    let table = || place.store(json!({"dynamodb_table": "locks"}));
    let ours = table();
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    let name = format!("{}/a/b.tfstate-md5", place.bucket);
    let first = place.item(&name, "Digest").unwrap();
    let proxy = aside(|| Proxy::start(&place.account.endpoint).unwrap());
    let endpoints = json!({"s3": place.account.endpoint, "dynamodb": proxy.endpoint(), "sts": place.account.endpoint});
    let killed = place.store(json!({"dynamodb_table": "locks", "endpoints": endpoints, "max_retries": 1}));
    proxy.inject(Rule::every(|call| call.action == "PutItem", Fault::DropBefore));
    assert!(killed.write(&snapshot(2), &after(1)).await.is_err());
    assert_eq!(place.item(&name, "Digest").unwrap(), first);
    assert_eq!(table().read().await.unwrap().unwrap().serial, Serial(2));
    assert_eq!(place.item(&name, "Digest").unwrap(), first);
    let next = table();
    let id = next.lock(info(), Duration::ZERO).await.unwrap();
    assert_eq!(next.read().await.unwrap().unwrap().serial, Serial(2));
    assert_ne!(place.item(&name, "Digest").unwrap(), first, "Terraform could not read it");
    next.write(&snapshot(3), &after(2)).await.unwrap();
    next.unlock(&id).await.unwrap();
    assert_eq!(table().read().await.unwrap().unwrap().serial, Serial(3));
}

#[tokio::test]
async fn both_locks_are_taken_or_none() {
    let place = Place::new();
    let both = || place.store(json!({"dynamodb_table": "locks", "use_lockfile": true}));
    let table = place.store(json!({"dynamodb_table": "locks"}));
    let table_id = table.lock(info(), Duration::ZERO).await.unwrap();
    assert!(matches!(both().lock(info(), Duration::ZERO).await, Err(LockError::Held { info: Some(_), .. })));
    assert!(place.object("a/b.tfstate.tflock").is_none(), "the file was left behind");
    table.unlock(&table_id).await.unwrap();
    let ours = both();
    let id = ours.lock(info(), Duration::ZERO).await.unwrap();
    match both().force_unlock(&state::LockId("x".to_owned())).await {
        Err(LockError::NotReleased { reason, info: Some(info) }) => {
            assert_eq!(info.id, id);
            assert_eq!(
                reason,
                format!(
                    "failed to unlock both S3 and DynamoDB: S3 error: lock ID 'x' does not match the existing lock ID '{id}', \
                     DynamoDB error: lock ID \"x\" does not match existing lock (\"{id}\")"
                )
            );
        }
        other => panic!("{other:?}"),
    }
    both().force_unlock(&id).await.unwrap();
    let refused = both().force_unlock(&id).await.unwrap_err().to_string();
    assert!(refused.contains("failed to retrieve lock info for lock ID"), "{refused}");
}

/// A runner that was cut off, and did not notice, is kept from writing by the bucket itself.
#[tokio::test]
async fn locks_of_dead_holders_are_taken_over_and_late_writes_refused() {
    for locks in [
        json!({"use_lockfile": true}),
        json!({"dynamodb_table": "locks"}),
        json!({"use_lockfile": true, "dynamodb_table": "locks"}),
    ] {
        let place = Place::new();
        let gate = Gate::start(place.account.endpoint.rsplit(':').next().unwrap().parse().unwrap()).unwrap();
        let through = format!("http://127.0.0.1:{}", gate.port);
        let mut config = locks.clone();
        config["endpoints"] = json!({"s3": through, "dynamodb": through, "sts": through});
        let (cut_off, other) = (place.store(config), place.store(locks.clone()));
        let leased = |who: &str| LockInfo::new("OperationTypeApply", who).with_lease(Duration::from_secs(4));
        let id = cut_off.lock(leased("cut@off"), Duration::ZERO).await.unwrap();
        cut_off.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
        let heart = Heart::start(cut_off.clone(), id.clone(), Duration::from_secs(4));
        heart.confirm().await.unwrap();
        assert!(matches!(other.lock(leased("other@there"), Duration::ZERO).await, Err(LockError::Held { .. })));
        gate.close();
        let late = tokio::spawn({
            let store = cut_off.clone();
            async move { store.write(&snapshot(9), &after(1)).await }
        });
        let taken = other.lock(leased("other@there"), Duration::from_secs(60)).await.unwrap();
        let listed = other.locks().await.unwrap();
        assert_eq!((listed.len(), listed[0].info.who.as_str()), (1, "other@there"));
        heart.lost().await;
        gate.open();
        // Nothing was written since: but the snapshot that the late write replaces is gone.
        let refused = late.await.unwrap();
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        assert!(matches!(cut_off.renew(&id).await, Err(LockError::Lost { .. })));
        assert_eq!(other.read().await.unwrap().unwrap(), snapshot(2));
        assert!(cut_off.unlock(&id).await.is_err());
        other.unlock(&taken).await.unwrap();
        assert!(other.locks().await.unwrap().is_empty());
        // Terraform's have no lease.
        let forever = place.store(locks.clone()).lock(info(), Duration::ZERO).await.unwrap();
        let waited = other.lock(leased("other@there"), Duration::from_secs(3)).await;
        assert!(matches!(waited, Err(LockError::Held { .. })));
        other.force_unlock(&forever).await.unwrap();
    }
}
/// What is repeated because its answer was lost meets what it has made itself.
#[tokio::test]
async fn an_answer_that_was_lost_is_no_conflict() {
    let place = Place::new();
    let proxy = aside(|| Proxy::start(&place.account.endpoint).unwrap());
    let endpoints = json!({"s3": proxy.endpoint(), "dynamodb": proxy.endpoint(), "sts": place.account.endpoint});
    let store = place.store(json!({"dynamodb_table": "locks", "use_lockfile": true, "endpoints": endpoints}));
    proxy.inject(Rule::nth(
        1,
        |call| call.action.starts_with("PUT ") && call.action.ends_with(".tflock"),
        Fault::DropAfter,
    ));
    proxy.inject(Rule::nth(1, |call| call.action == "PutItem", Fault::DropAfter));
    let id = store.lock(info(), Duration::ZERO).await.unwrap();
    for (serial, condition) in [(1, WriteCondition::Absent), (2, after(1))] {
        proxy.reset();
        let is_state = |call: &Call| call.action.starts_with("PUT ") && call.action.ends_with(".tfstate");
        proxy.inject(Rule::nth(1, is_state, Fault::DropAfter));
        store.write(&snapshot(serial), &condition).await.unwrap();
        assert_eq!(proxy.calls().iter().filter(|call| is_state(call)).count(), 2, "it was not repeated");
    }
    store.write(&snapshot(3), &after(2)).await.unwrap();
    store.unlock(&id).await.unwrap();
    assert!(place.object("a/b.tfstate.tflock").is_none());
    assert_eq!(place.store(json!({})).read().await.unwrap().unwrap().serial, Serial(3));
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
        serial: Serial(7),
    }
}

#[tokio::test]
async fn the_journal_is_an_object_beside_the_state() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let encrypted = json!({"encrypt": true, "kms_key_id": "alias/x"});
    let journal = place.backend(encrypted.clone()).store("w").unwrap().journal().await.unwrap();
    let object = "env:/w/a/b.tfstate.journal";
    assert!(place.head(object).starts_with("http/1.1 404"));
    let [a, b] = [journal.intend(intent("a")).await.unwrap(), journal.intend(intent("b")).await.unwrap()];
    let head = place.head(object);
    assert!(head.contains("x-amz-server-side-encryption: aws:kms"), "{head}");
    assert_eq!(place.backend(json!({})).workspaces().await.unwrap(), ["default"], "it is no workspace");
    // Another machine.
    let config = place.config(encrypted);
    let theirs = KINDS.open("s3", config.as_object().unwrap(), &surroundings(elsewhere.path(), &[])).unwrap().unwrap();
    let next = theirs.store("w").unwrap().journal().await.unwrap();
    assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
    next.outcome(a, Outcome::Failed).await.unwrap();
    // Whoever lost the lock begins nothing any more.
    assert!(matches!(journal.intend(intent("c")).await, Err(JournalError::Conflict { .. })));
    next.settle(&[a, b]).await.unwrap();
    assert!(place.head(object).starts_with("http/1.1 404"));
    next.intend(intent("d")).await.unwrap();
    theirs.create_workspace("w").await.unwrap();
    theirs.delete_workspace("w").await.unwrap();
    assert!(place.head(object).starts_with("http/1.1 404"), "it was left behind");
}

#[tokio::test]
async fn a_journal_s_lost_answers_are_no_conflicts() {
    let place = Place::new();
    let proxy = aside(|| Proxy::start(&place.account.endpoint).unwrap());
    let endpoints = json!({"s3": proxy.endpoint(), "sts": place.account.endpoint});
    let journal = place.store(json!({ "endpoints": endpoints })).journal().await.unwrap();
    for name in ["a", "b"] {
        let is_journal = |call: &Call| call.action.starts_with("PUT ") && call.action.ends_with(".journal");
        proxy.reset();
        proxy.inject(Rule::nth(1, is_journal, Fault::DropAfter));
        journal.intend(intent(name)).await.unwrap();
        assert_eq!(proxy.calls().iter().filter(|call| is_journal(call)).count(), 2, "it was not repeated");
    }
    proxy.reset();
    proxy.inject(Rule::nth(1, |call| call.action.starts_with("DELETE "), Fault::DropAfter));
    let all: Vec<_> = journal.records().await.unwrap().iter().map(|record| record.id).collect();
    journal.settle(&all).await.unwrap();
    journal.intend(intent("c")).await.unwrap();
}

#[tokio::test]
async fn a_file_serves_where_the_journal_s_object_is_forbidden() {
    let place = Place::new();
    let proxy = aside(|| Proxy::start(&place.account.endpoint).unwrap());
    let denied = Fault::Answer { status: 403, code: "AccessDenied", message: "no" };
    proxy.inject(Rule::every(|call| call.action.ends_with(".journal"), denied.clone()));
    let endpoints = json!({"s3": proxy.endpoint(), "sts": place.account.endpoint});
    let journal = place.store(json!({ "endpoints": endpoints })).journal().await.unwrap();
    let warning = journal.warning().unwrap();
    assert!(warning.contains("s3-default.journal") && warning.contains("allow s3:GetObject"), "{warning}");
    journal.intend(intent("a")).await.unwrap();
    // Once it is allowed, the file's records are taken up.
    let journal = place.store(json!({})).journal().await.unwrap();
    assert_eq!(journal.warning(), None);
    let records = journal.records().await.unwrap();
    assert_eq!(records[0].intent, intent("a"));
    journal.settle(&[records[0].id]).await.unwrap();

    // Whoever may write, but remove nothing, leaves it empty.
    proxy.reset();
    proxy.inject(Rule::every(|call| call.action.starts_with("DELETE "), denied));
    let journal = place.store(json!({ "endpoints": endpoints })).journal().await.unwrap();
    for name in ["a", "b"] {
        let id = journal.intend(intent(name)).await.unwrap();
        journal.settle(&[id]).await.unwrap();
    }
    assert!(place.store(json!({})).journal().await.unwrap().records().await.unwrap().is_empty());
}

#[tokio::test]
async fn workspaces_are_objects() {
    let place = Place::new();
    let backend = place.backend(json!({"dynamodb_table": "locks"}));
    assert_eq!(backend.workspaces().await.unwrap(), ["default"]);
    for name in ["b", "a", "b"] {
        backend.create_workspace(name).await.unwrap();
    }
    assert!(place.object("env:/a/a/b.tfstate").is_some());
    let other = place.backend(json!({"key": "other"}));
    other.create_workspace("c").await.unwrap();
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a", "b"]);
    backend.delete_workspace("b").await.unwrap();
    assert_eq!(backend.workspaces().await.unwrap(), ["default", "a"]);
    backend.create_workspace("b").await.unwrap();
    assert!(backend.store("b").unwrap().read().await.unwrap().unwrap().is_empty(), "an old checksum was left");
    assert!(backend.delete_workspace("default").await.is_err());
    let bare = place.backend(json!({"workspace_key_prefix": ""}));
    bare.create_workspace("z").await.unwrap();
    assert!(place.object("z/a/b.tfstate").is_some());
    assert_eq!(bare.workspaces().await.unwrap(), ["default", "z"]);
}

#[tokio::test]
async fn objects_are_encrypted_as_asked() {
    let place = Place::new();
    for (further, encryption) in [
        (json!({}), None),
        (json!({"kms_key_id": "alias/x"}), None),
        (json!({"encrypt": true}), Some("aes256")),
        (json!({"encrypt": true, "kms_key_id": "alias/x", "acl": "private"}), Some("aws:kms")),
        (json!({"skip_s3_checksum": true}), None),
    ] {
        let store = place.store(further.clone());
        store.write(&snapshot(1), &WriteCondition::Any).await.unwrap();
        let head = place.head("a/b.tfstate");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        assert_eq!(header("x-amz-server-side-encryption"), encryption, "{further}");
        assert_eq!(header("content-type"), Some("application/json"), "{further}");
        assert_eq!(store.read().await.unwrap().unwrap().serial, Serial(1));
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let place = Place::new();
    let told = async |further: Value| place.store(further).read().await.unwrap_err().to_string();
    let missing = told(json!({"bucket": format!("{}-not", place.bucket)})).await;
    assert!(missing.contains("-not\" does not exist.") && missing.contains("NoSuchBucket"), "{missing}");
    let forbidden = told(json!({"forbidden_account_ids": [place.account.id]})).await;
    assert_eq!(forbidden, format!("Invalid account ID\n\nAWS account ID not allowed: {}", place.account.id));
    let other = told(json!({"allowed_account_ids": ["1"]})).await;
    assert!(other.contains("AWS account ID not allowed"), "{other}");
    place.store(json!({"allowed_account_ids": [place.account.id]})).read().await.unwrap();
    let role = format!("arn:aws:iam::{}:role/deploy", place.account.id);
    place.store(json!({"assume_role": {"role_arn": role, "tags": {"a": "b"}}})).read().await.unwrap();
    let absent = json!({"role_arn": role, "web_identity_token_file": place.folder.path().join("none")});
    let refused = told(json!({"assume_role_with_web_identity": absent})).await;
    assert!(refused.contains("Cannot assume IAM Role with web identity"), "{refused}");
}

/// What is told about these arguments, beside a bucket, a key and a region.
fn findings(further: Value, variables: &[(&str, &str)]) -> Vec<Finding> {
    let mut config = json!({"bucket": "b", "key": "k", "region": "eu-west-1"});
    config.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    KINDS.check("s3", config.as_object().unwrap(), &surroundings(Path::new(""), variables))
}

#[test]
fn mistakes_in_arguments_are_terraforms() {
    const CASES: &[(&str, &str, &str)] = &[
        (r#"{"bucket": null}"#, "Missing Required Value", "The attribute \"bucket\" is required by the backend."),
        (r#"{"bucket": " "}"#, "Invalid Value", "The value cannot be empty or all whitespace"),
        (r#"{"key": "/x"}"#, "Invalid Value", "The value must not start or end with \"/\""),
        (r#"{"key": "x//y"}"#, "Invalid Value", "Value must not contain \"//\""),
        (r#"{"region": null}"#, "Missing region value", "The \"region\" attribute or the \"AWS_REGION\""),
        (r#"{"region": "nowhere"}"#, "Invalid region value", "Invalid AWS Region: nowhere"),
        (r#"{"workspace_key_prefix": "x/"}"#, "Invalid Value", "The value must not start or end with \"/\""),
        (r#"{"kms_key_id": "x"}"#, "Invalid KMS Key ID", "Value must be a valid KMS Key ID, got \"x\""),
        (r#"{"kms_key_id": "arn:aws:kms:a:1:x"}"#, "Invalid KMS Key ARN", "Value must be a valid KMS Key ARN"),
        (
            r#"{"kms_key_id": "alias/x", "sse_customer_key": "x"}"#,
            "Invalid Attribute Combination",
            "Only one of kms_key_id, sse_customer_key can be set.",
        ),
        (r#"{"sse_customer_key": "x"}"#, "Invalid sse_customer_key value", "must be 44 characters in length"),
        (r#"{"retry_mode": "odd"}"#, "Invalid Value", "unknown RetryMode, odd"),
        (r#"{"ec2_metadata_service_endpoint_mode": "x"}"#, "Invalid Value", "Value must be one of [IPv4, IPv6]"),
        (r#"{"ec2_metadata_service_endpoint": "x"}"#, "Invalid Value", "The value must be a valid URL"),
        (r#"{"endpoints": {"sso": "x"}}"#, "Invalid Value", "The value must be a valid URL"),
        (
            r#"{"endpoint": "http://a", "endpoints": {"s3": "http://b"}}"#,
            "Conflicting Parameters",
            "The parameters \"endpoint\" and \"endpoints.s3\" cannot be configured together.",
        ),
        (r#"{"assume_role": {"role_arn": "x"}}"#, "Invalid ARN", "cannot be parsed as an ARN: arn: invalid prefix"),
        (r#"{"assume_role": {"role_arn": "arn:aws:iam::1:user/x"}}"#, "Invalid IAM Role ARN", "a valid IAM Role ARN"),
        (
            r#"{"assume_role": {"role_arn": "arn:aws:iam::1:role/x", "duration": "1m"}}"#,
            "Invalid Duration",
            "Duration must be between 15m0s and 12h0m0s, had 1m0s",
        ),
        (
            r#"{"assume_role": {"role_arn": "arn:aws:iam::1:role/x", "session_name": "x"}}"#,
            "Invalid Value Length",
            "Length must be between 2 and 64, had 1",
        ),
        (
            r#"{"assume_role_with_web_identity": {"role_arn": "arn:aws:iam::1:role/x"}}"#,
            "Missing Required Value",
            "Exactly one of web_identity_token, web_identity_token_file must be set.",
        ),
        (
            r#"{"allowed_account_ids": ["1"], "forbidden_account_ids": ["2"]}"#,
            "Invalid Attribute Combination",
            "Only one of allowed_account_ids, forbidden_account_ids can be set.",
        ),
    ];
    for (further, summary, detail) in CASES {
        let found = findings(serde_json::from_str(further).unwrap(), &[]);
        let first = found.iter().find(|finding| finding.is_error).unwrap_or_else(|| panic!("nothing about {further}"));
        assert_eq!(first.summary, *summary, "{further}");
        assert!(first.detail.contains(detail), "{further}: {}", first.detail);
    }
}

#[test]
fn what_is_deprecated_is_a_warning() {
    let given = json!({"endpoint": "localhost", "force_path_style": true, "region": null});
    let variables = [("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_STS_ENDPOINT", "http://x")];
    let summaries: Vec<(bool, String)> =
        findings(given, &variables).into_iter().map(|finding| (finding.is_error, finding.summary)).collect();
    let warnings =
        ["Deprecated Parameter", "Complete URL Expected", "Deprecated Environment Variable", "Deprecated Parameter"];
    assert_eq!(summaries, warnings.map(|summary| (false, summary.to_owned())));
    for key in ["alias/x", "arn:aws:kms:a:1:alias/x", "12345678-1234-1234-1234-123456789012"] {
        assert_eq!(findings(json!({"kms_key_id": key}), &[]), [], "{key}");
    }
    let both = findings(json!({"kms_key_id": "alias/x"}), &[("AWS_SSE_CUSTOMER_KEY", "x")]);
    assert_eq!(both[0].summary, "Invalid encryption configuration");
}
