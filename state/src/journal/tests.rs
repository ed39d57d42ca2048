//! What the tests of all journals record; and journals that are two.

use super::local::LocalJournal;
use super::*;

pub(crate) fn intent(name: &str) -> Intent {
    Intent {
        address: format!("module.a[\"x\"].aws_vpc.{name}[0]").parse().unwrap(),
        deposed: None,
        provider: "provider[\"registry.terraform.io/hashicorp/aws\"].west".parse().unwrap(),
        operation: Operation::Create,
        planned: Json::parse("{\"cidr\":\"10.0.0.0/16\",\"password\":\"hush\",\"size\":12345678901234567890123.5}")
            .unwrap(),
        client_token: Some("token-1".to_owned()),
        dependencies: crate::model::sorted_dependencies([Arc::new("aws_x.y".parse().unwrap())]),
        create_before_destroy: true,
        lineage: Lineage("l".into()),
        serial: Serial(7),
    }
}

pub(crate) fn object(id: &str) -> InstanceObject {
    InstanceObject {
        attributes: Json::from_value(&serde_json::json!({ "id": id })),
        schema_version: 1,
        dependencies: crate::model::sorted_dependencies([Arc::new("aws_x.y".parse().unwrap())]),
        ..InstanceObject::default()
    }
}

/// Three intents: one pending, one with an id, one done.
pub(crate) async fn fill(journal: &dyn Journal) -> [IntentId; 3] {
    let a = journal.intend(intent("a")).await.unwrap();
    let b = journal.intend(intent("b")).await.unwrap();
    journal.handed_over(b, Arc::new(object("vpc-0"))).await.unwrap();
    journal.handed_over(b, Arc::new(object("vpc-1"))).await.unwrap();
    let c = journal.intend(Intent { operation: Operation::Delete, ..intent("c") }).await.unwrap();
    journal.outcome(c, Outcome::Object(Arc::new(object("vpc-2")))).await.unwrap();
    [a, b, c]
}

#[tokio::test]
async fn parts_make_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let journal = LocalJournal::open(folder.path().join("journal")).unwrap();
    fill(&journal).await;
    for mut record in journal.records().await.unwrap() {
        let intent = parts::intent(record.intent.clone()).unwrap();
        assert!(!intent.contains("\"id\""), "{intent}");
        let handed_over = record.handed_over.as_ref().map(|object| parts::handed_over(object).unwrap());
        let outcome = record.outcome.as_ref().map(|outcome| parts::outcome(outcome).unwrap());
        let columns = [
            ("intent", Some(intent.as_str())),
            ("handed_over", handed_over.as_deref()),
            ("outcome", outcome.as_deref()),
        ];
        let read = parts::record(record.id, columns).unwrap();
        record.time = read.time.clone();
        assert_eq!(read, record);
    }
    assert!(parts::record(IntentId(1), [("intent", Some("{}")), ("handed_over", None), ("outcome", None)]).is_err());
}

#[tokio::test]
async fn what_an_earlier_version_left_is_taken_up_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let journal = |name: &str| Arc::new(LocalJournal::open(folder.path().join(name)).unwrap());
    let left = fill(journal("earlier").as_ref()).await;
    let joined = JoinedJournal::after(journal("earlier"), journal("current"));
    let new = joined.intend(intent("new")).await.unwrap();
    let records = joined.records().await.unwrap();
    assert_eq!(records.len(), left.len() + 1);
    joined.outcome(records[0].id, Outcome::Gone).await.unwrap();
    assert_eq!(journal("earlier").records().await.unwrap()[0].outcome, Some(Outcome::Gone));
    let all: Vec<IntentId> = records.iter().map(|record| record.id).collect();
    joined.settle(&all[..3]).await.unwrap();
    assert!(!folder.path().join("earlier").exists());
    assert_eq!(joined.records().await.unwrap()[0].id, new);
    joined.settle(&[new]).await.unwrap();
    assert!(!folder.path().join("current").exists());
}
