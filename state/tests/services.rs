//! States behind HTTP addresses and in PostgreSQL. The servers are started on loopback; without PostgreSQL's programs its
//! tests are skipped.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use localstack_tests::{Gate, Postgres, StateServer, state_server};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::backend::remote::{ConfigError, Kinds, Surroundings};
use state::codec::{Label, Opened};
use state::model::Serial;
use state::{
    Backend, Codec, Heart, InstanceObject, Intent, IntentId, JournalError, Json, LockError, LockInfo, Operation,
    Outcome, Parts, Renewal, Seal, SealError, Snapshots, State, StoreError, WriteCondition,
};

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

#[tokio::test]
async fn http_states_are_read_written_and_locked() {
    let folder = tempfile::tempdir().unwrap();
    let service = StateServer::start().unwrap();
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
    assert!(service.kept().lock.is_none());
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

/// A lock with a lease of so many seconds.
fn leased(who: &str, seconds: u64) -> LockInfo {
    LockInfo::new("OperationTypeApply", who).with_lease(Duration::from_secs(seconds))
}

#[tokio::test]
async fn http_locks_of_dead_holders_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let service = StateServer::start().unwrap();
    service.kept().renews = true;
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", state_server::PASSWORD)]);
    let backend = backend("http", &service.config(), &around).unwrap();
    let (ours, theirs) = (backend.store("default").unwrap(), backend.store("default").unwrap());
    let id = ours.lock(leased("me@here", 60), Duration::ZERO).await.unwrap();
    // Until it was renewed nobody knows whether it can be.
    assert_eq!(ours.locks().await.unwrap()[0].info.lease, None);
    assert_eq!(ours.renew(&id).await.unwrap(), Renewal::Done);
    let listed = theirs.locks().await.unwrap();
    assert_eq!((listed[0].info.who.as_str(), listed[0].info.lease.as_ref().unwrap().seconds), ("me@here", 60));
    assert!(listed[0].age.unwrap() < Duration::from_secs(60));
    ours.write(&snapshot(1), &WriteCondition::Absent).await.unwrap();
    assert!(matches!(theirs.lock(leased("you@there", 60), Duration::ZERO).await, Err(LockError::Held { .. })));
    service.kept().ahead = Some(Duration::from_secs(62));
    let taken = theirs.lock(leased("you@there", 60), Duration::ZERO).await.unwrap();
    // What comes late is refused by the service.
    let late = ours.write(&snapshot(2), &WriteCondition::replacing(Some(&snapshot(1)))).await;
    assert!(matches!(late, Err(StoreError::Remote { .. })), "{late:?}");
    let lost = ours.renew(&id).await.unwrap_err().to_string();
    assert!(lost.contains("taken over by you@there"), "{lost}");
    theirs.write(&snapshot(2), &WriteCondition::replacing(Some(&snapshot(1)))).await.unwrap();
    theirs.unlock(&taken).await.unwrap();

    // A service that does not let a lock be sent again, as GitLab's: it holds for ever.
    service.kept().renews = false;
    let holder = backend.store("default").unwrap();
    let id = holder.lock(leased("me@here", 60), Duration::ZERO).await.unwrap();
    assert_eq!(holder.renew(&id).await.unwrap(), Renewal::NotNeeded);
    service.kept().ahead = Some(Duration::from_secs(9999));
    assert!(matches!(theirs.lock(leased("you@there", 60), Duration::ZERO).await, Err(LockError::Held { .. })));
}

#[tokio::test]
async fn a_service_that_tells_no_time_is_watched_for_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let service = StateServer::start().unwrap();
    service.kept().renews = true;
    service.kept().ahead = None;
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", state_server::PASSWORD)]);
    let backend = backend("http", &service.config(), &around).unwrap();
    let (ours, theirs) = (backend.store("default").unwrap(), backend.store("default").unwrap());
    let id = ours.lock(leased("me@here", 1), Duration::ZERO).await.unwrap();
    ours.renew(&id).await.unwrap();
    assert!(matches!(theirs.lock(leased("you@there", 1), Duration::ZERO).await, Err(LockError::Held { .. })));
    theirs.lock(leased("you@there", 1), Duration::from_secs(60)).await.unwrap();
    assert!(matches!(ours.renew(&id).await, Err(LockError::Lost { .. })));
}

#[tokio::test]
async fn http_requests_are_tried_again_and_refusals_told() {
    let folder = tempfile::tempdir().unwrap();
    let service = StateServer::start().unwrap();
    let around = surroundings(folder.path(), &[("TF_HTTP_PASSWORD", "secret")]);
    let store = backend("http", &service.config(), &around).unwrap().store("default").unwrap();
    service.kept().failures = 2;
    assert!(store.read().await.unwrap().is_none());
    assert_eq!(service.kept().log.len(), 3);
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
        ("pg", json!({"conn_str": "postgres://example.com/x?sslmode=maybe"}), "conn_str"),
        ("pg", json!({"conn_str": "nonsense"}), "conn_str"),
    ] {
        let error = backend(kind, &config, &around).err().expect("a refusal");
        assert_eq!(error.argument, Some(argument), "{config}");
    }
    assert!(Kinds::default().open("s3", &serde_json::Map::new(), &around).unwrap().is_none());
}

fn pg_config(port: u16) -> Value {
    json!({"conn_str": Postgres::address_at(port), "schema_name": "a \"schema\""})
}

#[tokio::test]
async fn postgres_states_are_read_written_and_locked() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let backend = backend("pg", &pg_config(server.port), &surroundings(folder.path(), &[])).unwrap();
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
    let Some(server) = Postgres::start().unwrap() else { return };
    let config = pg_config(server.port);
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
    let Some(server) = Postgres::start().unwrap() else { return };
    let mut config = pg_config(server.port);
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

/// A state of `terraform_data` resources with an input each.
fn things(serial: u64, inputs: &[(&str, u64)]) -> State {
    let mut state = snapshot(serial);
    for (name, input) in inputs {
        let address = format!("terraform_data.{name}").parse().unwrap();
        let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
        let attributes = Json::from_value(&json!({"input": input}));
        let object = state::InstanceObject { attributes, ..Default::default() };
        state.set_current(&address, &provider, Some(Arc::new(object)));
    }
    state
}

fn parts(changed: &[&str], read: &[&str]) -> Parts {
    let all = |names: &[&str]| names.iter().map(|name| format!("terraform_data.{name}")).collect();
    Parts { changed: all(changed), read: all(read) }
}

/// A session of the database, as Terraform or a user of SQL has one.
async fn sql(port: u16) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&Postgres::address_at(port), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn parts_of_a_state_in_postgres_are_changed_side_by_side() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let backend = backend("pg", &pg_config(server.port), &surroundings(folder.path(), &[])).unwrap();
    let first = things(1, &[("a", 1), ("b", 1), ("c", 1)]);
    let (one, two, three) =
        (backend.store("default").unwrap(), backend.store("default").unwrap(), backend.store("default").unwrap());
    one.write(&first, &WriteCondition::Absent).await.unwrap();
    let one_id = one.lock_parts(leased("one@here", 60), &parts(&["a"], &["c"]), Duration::ZERO).await.unwrap();
    let two_id = two.lock_parts(leased("two@here", 60), &parts(&["b"], &["c"]), Duration::ZERO).await.unwrap();
    // What one reads another may read, but not change; what one changes nobody else may even read.
    for (changed, read, address) in [(&["c"] as &[_], &[] as &[_], "c"), (&[], &["a"], "a"), (&["d"], &["b"], "b")] {
        let refused = three.lock_parts(leased("three@here", 60), &parts(changed, read), Duration::ZERO).await;
        let Err(LockError::Held { info: Some(_), reason, .. }) = refused else { return panic_with(&refused.map(drop)) };
        assert_eq!(reason, format!("terraform_data.{address} is locked by another run"));
    }
    assert!(matches!(three.lock(leased("three@here", 60), Duration::ZERO).await, Err(LockError::Held { .. })));
    let listed = three.locks().await.unwrap();
    assert_eq!(listed[0].resources, ["terraform_data.a", "terraform_data.c"]);
    // Terraform is kept out as well.
    let sql = sql(server.port).await;
    let schema = "\"a \"\"schema\"\"\"";
    let query = format!("SELECT pg_try_advisory_lock(id) FROM {schema}.states WHERE name = 'default'");
    assert!(!sql.query_one(&query, &[]).await.unwrap().get::<_, bool>(0));

    let mut ones = Snapshots::open_parts(one.clone()).await.unwrap();
    let mut twos = Snapshots::open_parts(two.clone()).await.unwrap();
    assert!(ones.save(&things(1, &[("a", 2), ("b", 1), ("c", 1)])).await.unwrap());
    assert!(twos.save(&things(1, &[("a", 1), ("b", 3), ("c", 9)])).await.unwrap());
    assert!(ones.save(&things(1, &[("b", 1), ("c", 1)])).await.unwrap());
    let stored = three.read().await.unwrap().unwrap();
    // Each has changed what is its own, and nothing else.
    assert_eq!(stored.resources, things(0, &[("b", 3), ("c", 1)]).resources);
    assert_eq!(stored.serial, Serial(4));
    one.unlock(&one_id).await.unwrap();
    two.unlock(&two_id).await.unwrap();
    assert!(three.locks().await.unwrap().is_empty());

    // For SQL.
    let query = format!(
        "SELECT address, type, serial, instances->0->'attributes'->>'input' FROM {schema}.resources ORDER BY address"
    );
    let rows: Vec<(String, String, i64, String)> = sql
        .query(&query, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect();
    let row = |name: &str, serial, input: &str| {
        (format!("terraform_data.{name}"), "terraform_data".to_owned(), serial, input.to_owned())
    };
    assert_eq!(rows, [row("b", 3, "3"), row("c", 1, "1")]);
    let versions = format!("SELECT serial, who, changed FROM {schema}.versions ORDER BY number");
    let history = |rows: Vec<tokio_postgres::Row>| -> Vec<(i64, String, Option<Vec<String>>)> {
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    };
    let all = history(sql.query(&versions, &[]).await.unwrap());
    let changed = |names: &[&str]| Some(names.iter().map(|name| format!("terraform_data.{name}")).collect::<Vec<_>>());
    assert_eq!(
        all[1..],
        [
            (2, "one@here".to_owned(), changed(&["a"])),
            (3, "two@here".to_owned(), changed(&["b"])),
            (4, "one@here".to_owned(), changed(&["a"])),
        ]
    );

    // Terraform writes `states` alone; the next of our writes brings the rows up to date.
    let theirs = things(5, &[("b", 3), ("z", 1)]);
    let text = String::from_utf8(state::v4::write(&theirs)).unwrap();
    sql.execute(&format!("UPDATE {schema}.states SET data = $1"), &[&text]).await.unwrap();
    three.write(&things(6, &[("b", 3), ("z", 2)]), &WriteCondition::replacing(Some(&theirs))).await.unwrap();
    let query = format!(
        "SELECT string_agg(name || (instances->0->'attributes'->>'input'), ',' ORDER BY name) FROM {schema}.resources"
    );
    assert_eq!(sql.query_one(&query, &[]).await.unwrap().get::<_, String>(0), "b3,z2");
    let all = history(sql.query(&versions, &[]).await.unwrap());
    assert_eq!(all[4..], [(5, String::new(), None), (6, String::new(), None)]);
}

/// The database has one lock for all workspaces that have no row yet.
#[tokio::test]
async fn new_workspaces_in_postgres_do_not_keep_each_other_out() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let backend = backend("pg", &pg_config(server.port), &surroundings(folder.path(), &[])).unwrap();
    backend.workspaces().await.unwrap();
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..24 {
        let store = backend.store(&format!("w{number}")).unwrap();
        runs.spawn(async move {
            for round in 0..4 {
                let lock = leased("me@here", 60);
                let id = match (number + round) % 4 {
                    0 if round > 0 => store.lock(lock, Duration::ZERO).await.unwrap(),
                    _ => store.lock_parts(lock, &parts(&["a"], &[]), Duration::ZERO).await.unwrap(),
                };
                store.unlock(&id).await.unwrap();
            }
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test]
async fn a_runner_cut_off_from_postgres_is_fenced() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let gate = Gate::start(server.port).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let around = surroundings(folder.path(), &[]);
    let cut_off = backend("pg", &pg_config(gate.port), &around).unwrap();
    let other = backend("pg", &pg_config(server.port), &around).unwrap().store("default").unwrap();
    let first = things(1, &[("a", 1)]);
    other.write(&first, &WriteCondition::Absent).await.unwrap();
    for in_parts in [false, true] {
        let cut_off = cut_off.store("default").unwrap();
        let stored = other.read().await.unwrap().unwrap();
        let condition = WriteCondition::replacing(Some(&stored));
        let next = State { serial: stored.serial.next(), ..things(0, &[("a", stored.serial.0 + 1)]) };
        let ours = leased("cut@off", 1);
        let id = match in_parts {
            true => cut_off.lock_parts(ours, &parts(&["a"], &[]), Duration::ZERO).await.unwrap(),
            false => cut_off.lock(ours, Duration::ZERO).await.unwrap(),
        };
        let heart = Heart::start(cut_off.clone(), id.clone(), Duration::from_secs(1));
        heart.confirm().await.unwrap();
        gate.close();
        let late = tokio::spawn({
            let (store, next, condition) = (cut_off.clone(), next.clone(), condition.clone());
            async move { store.write(&next, &condition).await }
        });
        // Without a human.
        let taken = other.lock(leased("other@there", 60), Duration::from_secs(60)).await.unwrap();
        other.write(&next, &condition).await.unwrap();
        let lost = heart.lost().await;
        assert!(!lost.reason.is_empty());
        gate.open();
        let refused = late.await.unwrap();
        assert!(refused.is_err(), "the late write was done");
        assert!(heart.confirm().await.is_err());
        heart.stop().await;
        assert!(cut_off.write(&next, &condition).await.is_err());
        assert_eq!(other.read().await.unwrap().unwrap(), next);
        other.unlock(&taken).await.unwrap();
        assert!(cut_off.unlock(&id).await.is_err());
    }
}

/// Turns bytes into numbers, or leaves them in clear; reads both.
struct Numbers {
    seals: bool,
}

impl Seal for Numbers {
    fn seal(&self, clear: &[u8], _: &Label) -> Result<Vec<u8>, SealError> {
        let sealed = || json!({"encryption_version": "numbers", "data": clear}).to_string().into_bytes();
        Ok(if self.seals { sealed() } else { clear.to_vec() })
    }

    fn open<'b>(&self, stored: &'b [u8]) -> Result<Opened<'b>, SealError> {
        let found: Value = serde_json::from_slice(stored).unwrap();
        let sealed = found.get("encryption_version").is_some();
        let clear = match sealed {
            true => Cow::Owned(serde_json::from_value(found["data"].clone()).unwrap()),
            false => Cow::Borrowed(stored),
        };
        Ok(Opened { clear, label: Label::default(), outdated: sealed != self.seals })
    }
}

/// What all tables of the schema hold.
async fn everything(sql: &tokio_postgres::Client) -> String {
    let query = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'a \"schema\"'";
    let mut all = String::new();
    for row in sql.query(query, &[]).await.unwrap() {
        let query = format!("SELECT t::text FROM \"a \"\"schema\"\"\".{} t", row.get::<_, String>(0));
        for row in sql.query(&query, &[]).await.unwrap() {
            all += row.get(0);
        }
    }
    all
}

#[tokio::test]
async fn rows_in_clear_that_may_not_be_removed_are_told() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let open = |codec: Codec, address: String| {
        let around = Surroundings { codec, ..surroundings(folder.path(), &[]) };
        let config = json!({"conn_str": address, "schema_name": "a \"schema\""});
        backend("pg", &config, &around).unwrap().store("default").unwrap()
    };
    let clear = open(Codec::default(), server.address());
    clear.write(&things(1, &[("a", 471_147)]), &WriteCondition::Absent).await.unwrap();
    let sql = sql(server.port).await;
    let grants = "CREATE ROLE limited LOGIN; GRANT USAGE ON SCHEMA \"a \"\"schema\"\"\" TO limited; GRANT ALL ON ALL TABLES IN \
                  SCHEMA \"a \"\"schema\"\"\" TO limited; REVOKE DELETE ON \"a \"\"schema\"\"\".resources FROM limited";
    sql.batch_execute(grants).await.unwrap();
    let address = server.address().replace("postgres@", "limited@");
    let sealed = || open(Codec::sealed(Arc::new(Numbers { seals: true })), address.clone());
    let mut statement = String::new();
    for input in [2, 3] {
        let store = sealed();
        let mut snapshots = Snapshots::open(store.clone()).await.unwrap();
        assert_eq!(store.warning(), None);
        assert!(snapshots.save(&things(0, &[("a", input)])).await.unwrap());
        let warning = store.warning().unwrap();
        assert!(warning.contains("permission denied for table resources"), "{warning}");
        statement = warning.split("with: ").nth(1).unwrap().to_owned();
        assert!(everything(&sql).await.contains("471147"));
    }
    sql.batch_execute(&statement).await.unwrap();
    assert!(!everything(&sql).await.contains("471147"));
}

#[tokio::test]
async fn postgres_holds_nothing_in_clear_of_an_encrypted_state() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let open = |codec: Codec| {
        let around = Surroundings { codec, ..surroundings(folder.path(), &[]) };
        backend("pg", &pg_config(server.port), &around).unwrap()
    };
    let sealed = || open(Codec::sealed(Arc::new(Numbers { seals: true })));
    let sql = sql(server.port).await;
    let clear = open(Codec::default()).store("default").unwrap();
    let first = things(1, &[("a", 471_147), ("b", 2)]);
    clear.write(&first, &WriteCondition::Absent).await.unwrap();
    assert!(everything(&sql).await.contains("471147"));

    // Nothing has changed but how it is to be stored.
    let store = sealed().store("default").unwrap();
    let mut snapshots = Snapshots::open(store.clone()).await.unwrap();
    assert!(snapshots.save(&first).await.unwrap());
    assert!(!snapshots.save(&first).await.unwrap());
    let all = everything(&sql).await;
    assert!(!all.contains("471147"), "{all}");
    assert!(matches!(clear.read().await, Err(StoreError::Read { .. })));

    let journal = store.journal().await.unwrap();
    let id = journal.intend(intent("a")).await.unwrap();
    let object =
        Arc::new(InstanceObject { attributes: Json::parse("{\"id\":\"hush\"}").unwrap(), ..Default::default() });
    journal.handed_over(id, object.clone()).await.unwrap();
    journal.outcome(id, Outcome::Object(object)).await.unwrap();
    let next = sealed().store("default").unwrap().journal().await.unwrap();
    assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
    let kept = open(Codec::default()).store("default").unwrap().journal().await.unwrap();
    assert!(matches!(kept.records().await, Err(JournalError::Sealed { .. })));

    // Parts of a workspace that did not exist.
    let new = sealed().store("new").unwrap();
    let id = new.lock_parts(leased("one@here", 60), &parts(&["a"], &[]), Duration::ZERO).await.unwrap();
    let begun = new.read().await.unwrap().unwrap();
    let merged = new.merge(&begun, &things(0, &[("a", 471_147)])).await.unwrap();
    assert_eq!(new.read().await.unwrap().unwrap(), merged);
    new.unlock(&id).await.unwrap();
    let all = everything(&sql).await;
    assert!(["471147", "hush", "10.0.0.0", "\"input\""].iter().all(|text| !all.contains(text)), "{all}");

    // Out of it again.
    let store = open(Codec::sealed(Arc::new(Numbers { seals: false }))).store("default").unwrap();
    let mut snapshots = Snapshots::open(store).await.unwrap();
    assert!(snapshots.save(&first).await.unwrap());
    let query = "SELECT string_agg(address, ',' ORDER BY address) FROM \"a \"\"schema\"\"\".resources";
    assert_eq!(sql.query_one(query, &[]).await.unwrap().get::<_, String>(0), "terraform_data.a,terraform_data.b");
    assert_eq!(clear.read().await.unwrap().unwrap().resources, first.resources);
}
