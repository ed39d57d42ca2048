//! The local backend beside the real `terraform`: both must exclude each other and read each other's files. Skipped with
//! a message where there is no `terraform`.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use state::backend::local::{LocalPaths, LocalStore};
use state::{InstanceObject, LockError, LockInfo, State, StateStore, WriteCondition, model::ObjectStatus};

fn terraform(folder: &Path) -> Command {
    let mut command = Command::new("terraform");
    command.current_dir(folder).env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
    command.env_remove("TF_LOG").env_remove("TF_WORKSPACE").env_remove("TF_DATA_DIR").env_remove("TF_CLI_ARGS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn installed() -> bool {
    let found = Command::new("terraform").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: terraform is not installed");
    }
    found
}

fn resources(names: &[&str]) -> State {
    let mut state = State::new();
    state.serial = state.serial.next();
    let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
    for name in names {
        let attributes = serde_json::json!({ "id": name, "input": null, "output": null, "triggers_replace": null });
        let object = InstanceObject { attributes: state::Json::from_value(&attributes), ..InstanceObject::default() };
        state.set_current(&format!("terraform_data.{name}").parse().unwrap(), &provider, Some(Arc::new(object)));
    }
    state
}

fn store(folder: &Path) -> LocalStore {
    LocalStore::new(LocalPaths::new(folder.join("terraform.tfstate")))
}

fn info() -> LockInfo {
    LockInfo::new("OperationTypeApply", "somebody@somewhere")
}

#[tokio::test]
async fn terraform_is_refused_then_reads_and_writes_our_state() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let state = resources(&["a"]);
    let lock = store.lock(info(), Duration::ZERO).await.unwrap();
    store.write(&state, &WriteCondition::Absent).await.unwrap();
    let refused = terraform(folder.path()).args(["taint", "-no-color", "terraform_data.a"]).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && message.contains("Error acquiring the state lock"), "{message}");
    assert!(message.contains(&lock.0) && message.contains("somebody@somewhere"), "{message}");
    store.unlock(&lock).await.unwrap();
    let done = terraform(folder.path()).args(["taint", "-no-color", "terraform_data.a"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let tainted = store.read().await.unwrap().unwrap();
    assert_eq!((tainted.serial, &tainted.lineage), (state.serial.next(), &state.lineage));
    assert_eq!(tainted.current(&"terraform_data.a".parse().unwrap()).unwrap().status, ObjectStatus::Tainted);
}

/// Terraform keeps the state file open while it waits for the lock: it must find there what we wrote meanwhile, and what
/// it writes there must not be lost.
#[tokio::test]
async fn a_waiting_terraform_continues_from_what_we_wrote() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let before = resources(&["a"]);
    store.write(&before, &WriteCondition::Absent).await.unwrap();
    let lock = store.lock(info(), Duration::ZERO).await.unwrap();
    let mut child =
        terraform(folder.path()).args(["taint", "-no-color", "-lock-timeout=60s", "terraform_data.a"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let waits = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("Acquiring state lock")));
    assert!(waits.is_some());
    let mut after = resources(&["a", "b"]);
    (after.lineage, after.serial) = (before.lineage.clone(), before.serial.next());
    store.write(&after, &WriteCondition::replacing(Some(&before))).await.unwrap();
    store.unlock(&lock).await.unwrap();
    assert!(child.wait().unwrap().success());
    let end = store.read().await.unwrap().unwrap();
    assert_eq!(end.serial, after.serial.next());
    assert_eq!(end.current(&"terraform_data.a".parse().unwrap()).unwrap().status, ObjectStatus::Tainted);
    assert!(end.current(&"terraform_data.b".parse().unwrap()).is_some());
}

#[tokio::test]
async fn we_are_refused_while_terraform_applies() {
    if !installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("main.tf"),
        "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"echo > begun; cat < proceed\"\n  }\n}\n",
    )
    .unwrap();
    for fifo in ["begun", "proceed"] {
        assert!(Command::new("mkfifo").arg(folder.path().join(fifo)).status().unwrap().success());
    }
    assert!(terraform(folder.path()).arg("init").output().unwrap().status.success());
    let mut child = terraform(folder.path()).args(["apply", "-auto-approve", "-no-color"]).spawn().unwrap();
    // Opening a fifo waits for its other end, so this returns when the provisioner runs.
    let mut begun = String::new();
    std::fs::File::open(folder.path().join("begun")).unwrap().read_to_string(&mut begun).unwrap();
    let store = store(folder.path());
    let error = store.lock(info(), Duration::ZERO).await.unwrap_err();
    std::fs::write(folder.path().join("proceed"), "").unwrap();
    assert!(child.wait().unwrap().success());
    let LockError::Held { info: Some(holder), .. } = error else { panic!("{error}") };
    assert_eq!((holder.operation.as_str(), holder.path.as_str()), ("OperationTypeApply", "terraform.tfstate"));
    let lock = store.lock(info(), Duration::ZERO).await.unwrap();
    let state = store.read().await.unwrap().unwrap();
    assert_eq!(state::v4::write(&state), std::fs::read(folder.path().join("terraform.tfstate")).unwrap());
    store.unlock(&lock).await.unwrap();
}

#[tokio::test]
async fn earlier_formats_are_read_as_terraform_reads_them() {
    if !installed() {
        return;
    }
    for name in ["legacy_v1", "legacy_v2", "legacy_v3"] {
        let folder = tempfile::tempdir().unwrap();
        let fixture =
            Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join(format!("tests/fixtures/{name}.tfstate"));
        std::fs::copy(fixture, folder.path().join("terraform.tfstate")).unwrap();
        let pulled = terraform(folder.path()).args(["state", "pull"]).output().unwrap();
        assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
        let ours = state::v4::write(&store(folder.path()).read().await.unwrap().unwrap());
        // Terraform names itself, as we do when we write.
        let without_version = |text: &[u8]| {
            let text = String::from_utf8_lossy(text).into_owned();
            let lines = text.trim_end().lines().filter(|line| !line.contains("\"terraform_version\""));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(without_version(&ours), without_version(&pulled.stdout), "{name}");
    }
}
