use std::borrow::Cow;
use std::sync::Mutex;

use super::*;
use crate::codec::{Label, Opened, Seal, SealError};
use crate::journal::tests::{fill, intent};
use crate::journal::{Journal, Outcome};

/// An object of a service, with the number of writes as its version.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    content: Option<Vec<u8>>,
    version: u64,
    /// Whether nothing may be removed.
    keeps: bool,
}

impl Shelf {
    fn content(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap().content.clone()
    }

    fn put(&self, content: Option<Vec<u8>>, replaced: Option<&str>) -> Result<String, JournalError> {
        let mut kept = self.0.lock().unwrap();
        let version = kept.content.is_some().then(|| kept.version.to_string());
        if version.as_deref() != replaced {
            return Err(JournalError::Conflict { place: "shelf".to_owned() });
        }
        kept.content = content;
        kept.version += 1;
        Ok(kept.version.to_string())
    }

    fn writes(&self) -> u64 {
        self.0.lock().unwrap().version
    }
}

#[async_trait]
impl JournalObject for Shelf {
    fn place(&self) -> String {
        "shelf".to_owned()
    }

    async fn read(&self) -> Result<Option<StoredJournal>, JournalError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.content.clone().map(|bytes| StoredJournal { bytes, version: kept.version.to_string() }))
    }

    async fn write(&self, bytes: &[u8], replaced: Option<&str>) -> Result<String, JournalError> {
        // Others get a turn, as during a request.
        tokio::task::yield_now().await;
        self.put(Some(bytes.to_vec()), replaced)
    }

    async fn delete(&self, version: &str) -> Result<Option<String>, JournalError> {
        if self.0.lock().unwrap().keeps {
            return self.put(Some(Vec::new()), Some(version)).map(Some);
        }
        self.put(None, Some(version)).map(|_| None)
    }
}

#[tokio::test]
async fn the_next_run_goes_on_with_the_object() {
    for keeps in [false, true] {
        let shelf = Shelf::default();
        shelf.0.lock().unwrap().keeps = keeps;
        let journal = ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap();
        assert!(shelf.content().is_none());
        let [a, b, c] = fill(&journal).await;
        let next = ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap();
        assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
        next.settle(&[b]).await.unwrap();
        next.outcome(a, Outcome::Failed).await.unwrap();
        let last = ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap();
        assert_eq!(last.records().await.unwrap(), next.records().await.unwrap());
        last.settle(&[a, c]).await.unwrap();
        assert_eq!(shelf.content(), keeps.then(Vec::new));
        let d = last.intend(intent("d")).await.unwrap();
        assert_eq!(
            ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap().records().await.unwrap()[0].id,
            d
        );
    }
}

#[tokio::test]
async fn whoever_lost_the_lock_records_nothing_more() {
    let shelf = Shelf::default();
    let ours = ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap();
    ours.intend(intent("a")).await.unwrap();
    let theirs = ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap();
    theirs.intend(intent("b")).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(ours.intend(intent("c")).await, Err(JournalError::Conflict { .. })));
    }
    assert_eq!(ObjectJournal::open(shelf, Codec::default()).await.unwrap().records().await.unwrap().len(), 2);
}

#[tokio::test]
async fn records_that_come_together_are_written_together() {
    let shelf = Shelf::default();
    let journal = Arc::new(ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap());
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.intend(intent(&format!("r{number}"))).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ObjectJournal::open(shelf.clone(), Codec::default()).await.unwrap().records().await.unwrap().len(), 100);
    assert!(shelf.writes() < 10, "{} writes", shelf.writes());
}

/// Turns bytes into numbers.
struct Numbers;

impl Seal for Numbers {
    fn seal(&self, clear: &[u8], _: &Label) -> Result<Vec<u8>, SealError> {
        Ok(serde_json::json!({"encryption_version": "numbers", "data": clear}).to_string().into_bytes())
    }

    fn open<'b>(&self, stored: &'b [u8]) -> Result<Opened<'b>, SealError> {
        let found: serde_json::Value = serde_json::from_slice(stored).unwrap();
        let clear = serde_json::from_value(found["data"].clone()).unwrap();
        Ok(Opened { clear: Cow::Owned(clear), label: Label::default(), outdated: false })
    }
}

#[tokio::test]
async fn every_line_but_the_first_is_sealed() {
    let shelf = Shelf::default();
    let codec = || Codec::sealed(Arc::new(Numbers));
    let journal = ObjectJournal::open(shelf.clone(), codec()).await.unwrap();
    let [a, _, c] = fill(&journal).await;
    journal.settle(&[a]).await.unwrap();
    journal.outcome(c, Outcome::Failed).await.unwrap();
    let content = String::from_utf8(shelf.content().unwrap()).unwrap();
    assert!(content.lines().count() > 3 && content.lines().skip(1).all(|line| line.contains("numbers")), "{content}");
    assert!(["hush", "vpc", "10.0.0.0"].iter().all(|text| !content.contains(text)), "{content}");
    let next = ObjectJournal::open(shelf.clone(), codec()).await.unwrap();
    assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
    let refused = ObjectJournal::open(shelf, Codec::default()).await.err().unwrap();
    assert!(matches!(refused, JournalError::Sealed { source: SealError::NotConfigured, .. }), "{refused}");
}
