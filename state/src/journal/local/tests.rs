use super::*;
use crate::journal::tests::{fill, intent, object};
use crate::journal::{Journal, Outcome};

#[tokio::test]
async fn the_next_run_sees_what_this_one_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = LocalJournal::open(&path).unwrap();
    assert!(!path.exists());
    fill(&journal).await;
    let next = LocalJournal::open(&path).unwrap();
    assert_eq!(next.records().await.unwrap(), journal.records().await.unwrap());
    let pending = next.pending().await.unwrap();
    assert_eq!(pending.len(), 2);
    assert_eq!(pending[0].intent, intent("a"));
    assert_eq!(pending[1].handed_over, Some(Arc::new(object("vpc-1"))));
    let text = format!("{:?}", next.records().await.unwrap());
    assert!(!text.contains("hush") && !text.contains("vpc-2"), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_cut_off_anywhere_keeps_its_whole_lines_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = LocalJournal::open(&path).unwrap();
    fill(&journal).await;
    let whole = std::fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        let cut = LocalJournal::open(&path).unwrap();
        // header, intent, intent, handed over, handed over, intent, outcome
        let expected = [0, 0, 1, 2, 2, 2, 3, 3][lines];
        assert_eq!(cut.records().await.unwrap().len(), expected, "{length}");
        if length % 97 == 0 {
            let id = cut.intend(intent("new")).await.unwrap();
            assert_eq!(id.0 as usize, expected);
            assert_eq!(LocalJournal::open(&path).unwrap().records().await.unwrap(), cut.records().await.unwrap());
        }
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fill(&LocalJournal::open(&path).unwrap()).await;
    let whole = std::fs::read(&path).unwrap();
    let second_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for offset in [second_line, second_line + 20] {
        let mut damaged = whole.clone();
        damaged[offset] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let error = LocalJournal::open(&path).err().unwrap();
        assert!(matches!(error, JournalError::Damaged { line: 2, .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
}

#[tokio::test]
async fn a_last_line_that_was_written_whole_is_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fill(&LocalJournal::open(&path).unwrap()).await;
    let mut text = std::fs::read_to_string(&path).unwrap();
    let json = r#"{"of_a_later_version":{"id":0}}"#;
    text.push_str(&format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())));
    std::fs::write(&path, &text).unwrap();
    let error = LocalJournal::open(&path).err().unwrap();
    assert!(matches!(error, JournalError::Damaged { line: 8, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn settled_records_go_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = LocalJournal::open(&path).unwrap();
    let [a, b, c] = fill(&journal).await;
    journal.settle(&[c]).await.unwrap();
    assert_eq!(LocalJournal::open(&path).unwrap().records().await.unwrap(), journal.records().await.unwrap());
    assert!(matches!(journal.outcome(c, Outcome::Gone).await, Err(JournalError::Unknown(_))));
    journal.outcome(a, Outcome::Failed).await.unwrap();
    assert_eq!(LocalJournal::open(&path).unwrap().pending().await.unwrap().len(), 1);
    journal.settle(&[a, b]).await.unwrap();
    assert!(!path.exists());
    assert!(journal.intend(intent("d")).await.unwrap() > c);
    assert_eq!(LocalJournal::open(&path).unwrap().records().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = Arc::new(LocalJournal::open(&path).unwrap());
    let tasks: Vec<_> = (0..100)
        .map(|i| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let id = journal.intend(intent(&format!("r{i}"))).await.unwrap();
                journal.outcome(id, Outcome::Gone).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let next = LocalJournal::open(&path).unwrap();
    assert_eq!(next.records().await.unwrap().len(), 100);
    assert!(next.pending().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_accepted_after_a_failed_write() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let journal = LocalJournal::open(missing.join("journal")).unwrap();
    assert!(matches!(journal.intend(intent("a")).await, Err(JournalError::Io { .. })));
    std::fs::create_dir(missing).unwrap();
    assert!(matches!(journal.intend(intent("b")).await, Err(JournalError::Io { .. })));
}
