//! Full disks and power losses at every step: what was promised is there afterwards, and what is there can be read.

use std::collections::BTreeMap;

use super::*;
use crate::files::shim::{self, Done, Full};
use crate::json::Json;
use crate::model::{InstanceObject, Lineage, Serial};
use crate::{Intent, Operation, Outcome};

fn snapshot(serial: u64) -> State {
    let mut state = State { serial: Serial(serial), lineage: Lineage("lineage".into()), ..State::new() };
    let provider = "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap();
    // Lengths that differ, so that a mixture would show.
    for number in 0..serial % 3 + 1 {
        let address = format!("terraform_data.r{serial}_{number}").parse().unwrap();
        state.set_current(&address, &provider, Some(Arc::new(InstanceObject::default())));
    }
    state
}

fn intent(name: &str) -> Intent {
    Intent {
        address: format!("terraform_data.{name}").parse().unwrap(),
        deposed: None,
        provider: "provider[\"terraform.io/builtin/terraform\"]".parse().unwrap(),
        operation: Operation::Create,
        planned: Json::parse("{\"input\":1}").unwrap(),
        client_token: None,
        dependencies: crate::model::sorted_dependencies([]),
        create_before_destroy: false,
        lineage: Lineage("lineage".into()),
        serial: Serial(1),
    }
}

fn store(folder: &Path) -> LocalStore {
    LocalStore::new(LocalPaths::workspace(folder, DEFAULT_WORKSPACE))
}

/// A run of two applies, which goes on after whatever fails, as far as it can. Every promise that it gets is noted.
async fn run(folder: &Path) {
    let info = LockInfo::new("OperationTypeApply", "user@host");
    for first in [2, 4] {
        let store = store(folder);
        let Ok(lock) = store.lock(info.clone(), Duration::ZERO).await else { continue };
        let stored = store.read().await.ok().flatten();
        let condition = WriteCondition::replacing(stored.as_ref());
        if let Ok(journal) = store.journal().await {
            let name = format!("i{first}");
            if let Ok(id) = journal.intend(intent(&name)).await {
                shim::promise(folder, format!("intent {name}"));
                if journal.outcome(id, Outcome::Gone).await.is_ok() {
                    shim::promise(folder, format!("outcome {name}"));
                }
                if store.write(&snapshot(first), &condition).await.is_ok() {
                    shim::promise(folder, format!("state {first}"));
                    shim::promise(folder, format!("settling {name}"));
                    // An error leaves the record, which does no harm.
                    let _ = journal.settle(&[id]).await;
                    let next = WriteCondition::replacing(Some(&snapshot(first)));
                    if store.write(&snapshot(first + 1), &next).await.is_ok() {
                        shim::promise(folder, format!("state {}", first + 1));
                    }
                }
            }
        }
        let _ = store.unlock(&lock).await;
    }
}

/// Checks a folder against what was promised: what is there is one of the snapshots, no older than promised, and the journal
/// has what is to be recovered.
async fn check(folder: &Path, promises: &[String], what: &str) {
    let newest = promises.iter().filter_map(|text| text.strip_prefix("state ")?.parse::<u64>().ok()).max();
    let direct = std::fs::read(folder.join(STATE_FILE)).unwrap_or_default();
    match crate::v4::read(&direct) {
        // Terraform takes an empty file for no state at all.
        Ok(None) => assert_eq!(newest, None, "{what}: an empty file in the place of a state"),
        Ok(Some(state)) => assert_eq!(direct, crate::v4::write(&snapshot(state.serial.0)), "{what}: a mixture"),
        Err(_) => {}
    }
    let store = store(folder);
    let lock = store.lock(LockInfo::new("OperationTypeApply", "user@host"), Duration::ZERO).await;
    let lock = lock.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let state = store.read().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let serial = state.as_ref().map(|state| state.serial.0);
    assert!(serial >= newest, "{what}: {serial:?} after {newest:?} was promised");
    if let Some(state) = state {
        assert_eq!(state, snapshot(state.serial.0), "{what}");
    }
    let journal = store.journal().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let records = journal.records().await.unwrap();
    for name in promises.iter().filter_map(|text| text.strip_prefix("intent ")) {
        let record = records.iter().find(|record| record.intent.address.to_string().ends_with(name));
        let has = |what: &str| promises.contains(&format!("{what} {name}"));
        if has("settling") {
            continue;
        }
        let record = record.unwrap_or_else(|| panic!("{what}: the intent {name} is lost"));
        assert!(record.outcome.is_some() || !has("outcome"), "{what}: the outcome of {name} is lost");
    }
    store.unlock(&lock).await.unwrap();
}

fn promises(done: &[Done]) -> Vec<String> {
    let text = |step: &Done| if let Done::Promise(text) = step { Some(text.clone()) } else { None };
    done.iter().filter_map(text).collect()
}

/// Yes and no in an order that a number stands for.
fn choices(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || match seed {
        0 => false,
        1 => true,
        _ => {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 63 == 1
        }
    }
}

#[tokio::test]
async fn a_power_loss_at_any_step_loses_nothing_that_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    shim::watch(folder.path(), Full::Never);
    run(folder.path()).await;
    let done = shim::take(folder.path());
    assert_eq!(promises(&done).len(), 10, "{:?}", promises(&done));
    let mut seen = BTreeMap::new();
    for length in 0..=done.len() {
        for seed in 0..24 {
            let files = shim::after_power_loss(&done, length, &mut choices(seed));
            let promised = promises(&done[..length]);
            if seen.insert((files.clone(), promised.clone()), ()).is_some() {
                continue;
            }
            let image = tempfile::tempdir().unwrap();
            for (name, bytes) in &files {
                std::fs::write(image.path().join(name), bytes).unwrap();
            }
            check(image.path(), &promised, &format!("after {length} steps ({:?}), choice {seed}", done.get(length)))
                .await;
        }
    }
    assert!(done.len() > 50 && seen.len() > 50, "{} images of {} steps", seen.len(), done.len());
}

#[tokio::test]
async fn a_full_disk_at_any_step_loses_nothing_that_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    shim::watch(folder.path(), Full::Never);
    run(folder.path()).await;
    let steps = shim::take(folder.path()).len();
    for step in 0..steps {
        for full in [Full::From(step), Full::Once(step)] {
            let folder = tempfile::tempdir().unwrap();
            shim::watch(folder.path(), full);
            run(folder.path()).await;
            let promised = promises(&shim::take(folder.path()));
            check(folder.path(), &promised, &format!("{full:?}: {promised:?}")).await;
        }
    }
}
