use std::sync::Arc;

use super::*;
use crate::backend::Snapshots;
use crate::model::{InstanceObject, Lineage, Serial};
use crate::v4;

const ONCE: Duration = Duration::ZERO;

fn state(serial: u64, names: &[&str]) -> State {
    let mut state = State { serial: Serial(serial), lineage: Lineage("lineage".into()), ..State::new() };
    let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
    for name in names {
        let address = format!("terraform_data.{name}").parse().unwrap();
        state.set_current(&address, &provider, Some(Arc::new(InstanceObject::default())));
    }
    state
}

fn store(folder: &Path) -> LocalStore {
    LocalStore::new(LocalPaths::workspace(folder, DEFAULT_WORKSPACE))
}

fn info() -> LockInfo {
    LockInfo::new("OperationTypeApply", "user@host")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_run_writes_its_state_and_keeps_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    for (run, resources) in [&["a"][..], &["a", "b"], &["c"]].iter().enumerate() {
        let store = Arc::new(store(folder.path()));
        let lock = store.lock(info(), ONCE).await.unwrap();
        let mut snapshots = Snapshots::open(store.clone()).await.unwrap();
        assert!(snapshots.save(&state(0, &[])).await.unwrap() || run == 0);
        assert!(snapshots.save(&state(0, resources)).await.unwrap());
        assert!(!snapshots.save(&state(99, resources)).await.unwrap());
        store.unlock(&lock).await.unwrap();
        let stored = store.read().await.unwrap().unwrap();
        assert_eq!((stored.serial, stored.lineage.to_string().as_str()), (Serial(2 * run as u64 + 2), "lineage"));
        assert!(stored.same_content(&state(0, resources)));
    }
    let backup = v4::read(&std::fs::read(folder.path().join("terraform.tfstate.backup")).unwrap()).unwrap().unwrap();
    assert!(backup.same_content(&state(0, &["a", "b"])), "the state before the last run's first write");
    assert_eq!(names(folder.path()), ["terraform.tfstate", "terraform.tfstate.backup"]);
}

#[tokio::test]
async fn one_run_excludes_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (store(folder.path()), store(folder.path()));
    let lock = first.lock(info(), ONCE).await.unwrap();
    // Opening and closing the file must not drop the lock, as it would a POSIX record lock.
    second.read().await.unwrap();
    let Err(LockError::Held { info: Some(holder), reason, .. }) = second.lock(info(), ONCE).await else { panic!() };
    assert_eq!((holder.id, holder.who.as_str()), (lock.clone(), "user@host"));
    assert_eq!(reason, "resource temporarily unavailable");
    assert!(matches!(second.unlock(&lock).await, Err(LockError::NotLocked)));
    assert!(matches!(second.force_unlock(&lock).await, Err(LockError::NotBreakable)));
    assert!(matches!(first.lock(info(), ONCE).await, Err(LockError::AlreadyLocked)));
    assert!(matches!(first.unlock(&LockId("x".to_owned())).await, Err(LockError::WrongId { .. })));
    let waiting = tokio::spawn(async move {
        let lock = second.lock(info(), Duration::from_secs(60)).await.unwrap();
        second.write(&state(1, &["b"]), &WriteCondition::Absent).await.unwrap();
        second.unlock(&lock).await.unwrap();
    });
    tokio::task::yield_now().await;
    first.unlock(&lock).await.unwrap();
    waiting.await.unwrap();
    assert!(first.read().await.unwrap().unwrap().same_content(&state(1, &["b"])));
}

#[tokio::test]
async fn an_unused_lock_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let lock = store.lock(info(), ONCE).await.unwrap();
    assert_eq!(names(folder.path()), [".terraform.tfstate.lock.info", "terraform.tfstate"]);
    store.unlock(&lock).await.unwrap();
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn a_write_from_an_old_snapshot_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let old = state(4, &["a"]);
    store.write(&old, &WriteCondition::Absent).await.unwrap();
    store.write(&state(5, &["b"]), &WriteCondition::replacing(Some(&old))).await.unwrap();
    let error = store.write(&state(5, &["c"]), &WriteCondition::replacing(Some(&old))).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    store.write(&state(1, &["c"]), &WriteCondition::Any).await.unwrap();
    assert!(store.read().await.unwrap().unwrap().same_content(&state(1, &["c"])));
}

/// The process dies at every point of the write: the file is old, new or unreadable, and the next run has the new one.
#[tokio::test]
async fn a_write_that_was_cut_off_is_finished() {
    let (old, new) = (v4::write(&state(4, &["a", "b", "c"])), v4::write(&state(5, &["a", "x", "c"])));
    let mut damaged = old.clone();
    damaged[0] = UNREADABLE;
    let mut files: Vec<Vec<u8>> = vec![Vec::new(), old.clone(), damaged.clone()];
    for length in 1..new.len() {
        let mut file = damaged.clone();
        file.resize(file.len().max(length), b' ');
        file[1..length].copy_from_slice(&new[1..length]);
        assert!(v4::read(&file).is_err(), "{length}");
        files.push(file);
    }
    files.push(new.clone());
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let redo = folder.path().join(".terraform.tfstate.redo");
    for file in files.iter().step_by(7).chain(files.last()) {
        std::fs::write(&store.paths().write, file).unwrap();
        std::fs::write(&redo, &new).unwrap();
        assert!(store.read().await.unwrap().unwrap().same_content(&state(5, &["a", "x", "c"])));
        let lock = store.lock(info(), ONCE).await.unwrap();
        assert_eq!(std::fs::read(&store.paths().write).unwrap(), new);
        assert!(!redo.exists());
        store.unlock(&lock).await.unwrap();
    }
    // Terraform wrote after the crash: its snapshot wins.
    let theirs = v4::write(&state(5, &["theirs"]));
    std::fs::write(&store.paths().write, &theirs).unwrap();
    std::fs::write(&redo, &new).unwrap();
    let lock = store.lock(info(), ONCE).await.unwrap();
    assert_eq!(std::fs::read(&store.paths().write).unwrap(), theirs);
    assert!(!redo.exists());
    store.unlock(&lock).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_state_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for bytes in [&b"{\"version\": 5}"[..], b"{\"version\": 4", b"something else"] {
        std::fs::write(&store.paths().write, bytes).unwrap();
        let lock = store.lock(info(), ONCE).await.unwrap();
        assert!(matches!(store.read().await, Err(StoreError::Read { .. })));
        let written = store.write(&state(1, &["a"]), &WriteCondition::Absent).await;
        assert!(matches!(written, Err(StoreError::Read { .. })));
        store.unlock(&lock).await.unwrap();
        assert_eq!(std::fs::read(&store.paths().write).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error_and_the_state_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    store.write(&state(1, &["a"]), &WriteCondition::Absent).await.unwrap();
    // The redo file can't be put in place where a folder is (permissions would not stop root).
    std::fs::create_dir_all(folder.path().join(".terraform.tfstate.redo/x")).unwrap();
    let error = store.write(&state(2, &["b"]), &WriteCondition::Any).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(std::fs::read(&store.paths().write).unwrap(), v4::write(&state(1, &["a"])));
    let below_a_file = LocalStore::new(LocalPaths::new(store.paths().write.join("x.tfstate")));
    assert!(matches!(below_a_file.lock(info(), ONCE).await, Err(LockError::Store(StoreError::Io { .. }))));
}

#[tokio::test]
async fn paths_of_the_command_line_are_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.tfstate");
    std::fs::write(&input, v4::write(&state(3, &["a"]))).unwrap();
    let paths = LocalPaths::new(&input).with_output(folder.path().join("sub/out.tfstate"));
    let store = Arc::new(LocalStore::new(paths));
    let mut snapshots = Snapshots::open(store.clone()).await.unwrap();
    snapshots.save(&state(0, &["b"])).await.unwrap();
    snapshots.save(&state(0, &["c"])).await.unwrap();
    assert_eq!(store.read().await.unwrap().unwrap().serial, Serial(5));
    assert_eq!(names(folder.path()), ["in.tfstate", "sub"]);
    assert_eq!(names(&folder.path().join("sub")), ["out.tfstate"]);
}

#[test]
fn workspaces_are_folders() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(workspaces(folder.path()).unwrap(), ["default"]);
    create_workspace(folder.path(), "b").unwrap();
    create_workspace(folder.path(), "a").unwrap();
    assert_eq!(workspaces(folder.path()).unwrap(), ["default", "a", "b"]);
    delete_workspace(folder.path(), "b").unwrap();
    assert_eq!(workspaces(folder.path()).unwrap(), ["default", "a"]);
    let paths = LocalPaths::workspace(Path::new("x"), "a");
    assert_eq!(paths.backup.unwrap(), Path::new("x/terraform.tfstate.d/a/terraform.tfstate.backup"));
}
