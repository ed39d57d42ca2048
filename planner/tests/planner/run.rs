//! Runs against the simulated cloud: every run loads the configuration, opens store and journal anew, recovers, plans
//! and applies, in a runtime of its own; a run that dies leaves only its files.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use config::{ModuleManifest, load_config};
use lang::addr::ResourceInstance;
use lang::functions::CallContext;
use lang::{Diagnostics, Sources};
use planner::hooks::Hooks;
use planner::plan::{Plan, PlanMode};
use planner::{ApplyOptions, Interrupt, PlanOptions, ProviderRegistry, Workspace};
use sdk::Provider;
use sdk::provider::Operation;
use state::backend::local::{LocalPaths, LocalStore};
use state::journal::local::LocalJournal;
use state::{InstanceObject, Intent, IntentId, Journal, JournalError, JournalRecord, Outcome, Snapshots, State};

use crate::cloud::{Cloud, Simulated};
use crate::provisioning::Logged;

/// A directory with a state, and the cloud that it describes.
pub struct Stack {
    pub cloud: Arc<Cloud>,
    /// Interrupts a run twice as soon as a provisioner prints something.
    pub interrupt_on_output: bool,
    dir: tempfile::TempDir,
}

/// What came of a run.
#[derive(Default)]
pub struct Ran {
    /// `address: what`, in the order in which it was cleared up.
    pub recovered: Vec<String>,
    /// `address action reason` of every change but no-ops.
    pub planned: Vec<String>,
    /// `address action reason` of every change that is left to the next plan.
    pub deferred: Vec<String>,
    /// `address id` of every import.
    pub imported: Vec<String>,
    /// Generated configuration.
    pub generated: Vec<String>,
    /// `Error: summary`
    pub problems: Vec<String>,
    /// Whether the process died.
    pub died: bool,
}

impl Stack {
    pub fn new() -> Stack {
        Stack { cloud: Arc::default(), interrupt_on_output: false, dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn workspace(&self, text: &str) -> Workspace {
        std::fs::write(self.path("main.tf"), text).unwrap();
        let sources = Sources::default();
        let (module, problems) = load_config(&sources, self.dir.path(), &ModuleManifest::default());
        assert!(!problems.has_errors(), "{:?}", summaries(&problems));
        let provider: Arc<dyn Provider> = Arc::new(Simulated::new(self.cloud.clone()));
        Workspace {
            config: module.unwrap(),
            sources,
            providers: ProviderRegistry::new([provider]),
            name: "default".into(),
            root_dir: self.dir.path().to_owned(),
            working_dir: self.dir.path().to_owned(),
            functions: CallContext {
                base_dir: self.dir.path().to_owned(),
                planning: true,
                plan_timestamp: Some(jiff::Timestamp::UNIX_EPOCH),
                ..CallContext::default()
            },
        }
    }

    /// Recovers, plans and applies a configuration.
    pub fn apply(&self, text: &str) -> Ran {
        self.run(text, &PlanOptions::default(), true)
    }

    /// Recovers and plans.
    pub fn plan(&self, text: &str) -> Ran {
        self.run(text, &PlanOptions::default(), false)
    }

    /// Recovers, plans to destroy and destroys.
    pub fn destroy(&self, text: &str) -> Ran {
        self.run(text, &PlanOptions { mode: PlanMode::Destroy, ..PlanOptions::default() }, true)
    }

    pub fn run(&self, text: &str, options: &PlanOptions, apply: bool) -> Ran {
        let workspace = self.workspace(text);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ran = Mutex::new(Ran::default());
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cloud.death.notified() => ran.lock().unwrap().died = true,
                () = self.run_to_its_end(&workspace, options, apply, &ran) => {}
            }
        });
        // Writes that are under way on other threads come to their end here.
        drop(runtime);
        ran.into_inner().unwrap()
    }

    async fn run_to_its_end(&self, workspace: &Workspace, options: &PlanOptions, apply: bool, ran: &Mutex<Ran>) {
        let store = Arc::new(LocalStore::new(LocalPaths::new(self.path("terraform.tfstate"))));
        let mut snapshots = Snapshots::open(store).await.unwrap();
        let inner = LocalJournal::open(self.path("journal")).unwrap();
        let journal = Arc::new(Mortal { inner, cloud: self.cloud.clone(), intents: Mutex::default() });
        let hooks = Arc::new(Heard::default());
        let problems =
            planner::recover::recover(workspace, &mut snapshots, journal.as_ref(), &options.variables, hooks.as_ref())
                .await;
        ran.lock().unwrap().recovered = hooks.0.lock().unwrap().clone();
        if !self.note(ran, &problems) {
            return;
        }
        let state = snapshots.stored().cloned().unwrap_or_default();
        let (plan, problems) = planner::plan(workspace, state, options, hooks.clone()).await;
        let fine = self.note(ran, &problems);
        let Some(plan) = plan else { return };
        ran.lock().unwrap().planned = changes(&plan);
        ran.lock().unwrap().deferred = deferred(&plan);
        ran.lock().unwrap().imported = imports(&plan);
        ran.lock().unwrap().generated = plan.generated.iter().map(|generated| generated.text.clone()).collect();
        if !fine || !apply {
            return;
        }
        let interrupt = Interrupt::default();
        if self.interrupt_on_output {
            *hooks.1.lock().unwrap() = Some(interrupt.clone());
        }
        let options = ApplyOptions {
            heart: None,
            parallelism: options.parallelism,
            interrupt,
            variables: Default::default(),
            provisioners: Arc::new(Logged(self.cloud.clone())),
        };
        let outcome = planner::apply(workspace, &plan, snapshots, journal, &options, hooks).await;
        self.note(ran, &outcome.diagnostics);
    }

    fn note(&self, ran: &Mutex<Ran>, problems: &Diagnostics) -> bool {
        ran.lock().unwrap().problems.extend(summaries(problems));
        !problems.has_errors()
    }

    /// Everything that lies in the directory but the configuration, as text.
    pub fn files(&self) -> String {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.filter(|path| path.is_file() && !path.ends_with("main.tf"));
        files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }

    /// Records an intent and what came of it, as a run that died then.
    pub fn record(&self, intent: Intent, outcome: Option<Outcome>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let journal = LocalJournal::open(self.path("journal")).unwrap();
        runtime.block_on(async {
            let id = journal.intend(intent).await.unwrap();
            if let Some(outcome) = outcome {
                journal.outcome(id, outcome).await.unwrap();
            }
        });
    }

    /// The state as stored.
    pub fn state(&self) -> State {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = Arc::new(LocalStore::new(LocalPaths::new(self.path("terraform.tfstate"))));
        runtime.block_on(Snapshots::open(store)).unwrap().stored().cloned().unwrap_or_default()
    }

    /// Asserts that cloud and state agree, that both hold `names` once each, and that the journal is empty.
    #[track_caller]
    pub fn assert_settled(&self, names: &[&str]) {
        assert_eq!(self.cloud.names(), names, "things in the cloud");
        let mut known = Vec::new();
        for (_, _, instance) in self.state().instances() {
            for object in instance.current.iter().chain(instance.deposed.values()) {
                let value = object.attributes.to_value().unwrap();
                known.push(value["id"].as_str().unwrap_or_default().to_owned());
            }
        }
        known.sort();
        let mut ids = self.cloud.ids();
        ids.sort();
        assert_eq!(known, ids, "objects in the state");
        assert_eq!(self.unsettled(), 0, "records in the journal");
        assert_eq!(self.cloud.unmet_faults(), 0, "faults that were not met");
    }

    fn unsettled(&self) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let journal = LocalJournal::open(Path::new(&self.path("journal"))).unwrap();
        runtime.block_on(journal.records()).unwrap().len()
    }
}

fn summaries(problems: &Diagnostics) -> Vec<String> {
    // That a part is planned is what its test has asked for.
    let asked_for = |summary: &&str| *summary == "Resource targeting is in effect";
    let summaries = problems.iter().map(|problem| problem.summary());
    summaries.filter(|summary| !asked_for(summary)).map(str::to_owned).collect()
}

fn imports(plan: &Plan) -> Vec<String> {
    let imported = plan.changes.iter().filter_map(|change| Some((&change.address, change.importing.as_ref()?)));
    imported.map(|(address, id)| format!("{address} {id}")).collect()
}

fn deferred(plan: &Plan) -> Vec<String> {
    let deferred = plan.deferred.iter();
    deferred.map(|d| format!("{} {:?} {}", d.change.address, d.change.action, d.reason.as_str())).collect()
}

fn changes(plan: &Plan) -> Vec<String> {
    let changed = plan.changes.iter().filter(|change| change.action != planner::plan::Action::NoOp);
    let mut lines: Vec<String> = changed
        .map(|change| {
            let deposed = if change.deposed.is_some() { " (deposed)" } else { "" };
            let reason = change.reason.map(|reason| format!(" {}", reason.as_str())).unwrap_or_default();
            format!("{}{deposed} {:?}{reason}", change.address, change.action)
        })
        .collect();
    lines.sort();
    lines
}

/// Writes down what was recovered, and interrupts when a provisioner prints.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>, Mutex<Option<Interrupt>>);

impl Hooks for Heard {
    fn recovered(&self, address: &ResourceInstance, deposed: Option<&str>, what: &str) {
        let deposed = if deposed.is_some() { " (deposed)" } else { "" };
        self.0.lock().unwrap().push(format!("{address}{deposed}: {what}"));
    }

    fn provision_output(&self, _: &ResourceInstance, _: &str, _: &str) {
        if let Some(interrupt) = &*self.1.lock().unwrap() {
            interrupt.request();
            interrupt.abandon();
        }
    }
}

/// A journal whose process can die right after an outcome.
struct Mortal {
    inner: LocalJournal,
    cloud: Arc<Cloud>,
    intents: Mutex<std::collections::HashMap<IntentId, (Operation, String)>>,
}

#[async_trait]
impl Journal for Mortal {
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        let operation = match intent.operation {
            state::Operation::Create => Operation::Create,
            state::Operation::Update => Operation::Update,
            state::Operation::Delete => Operation::Delete,
        };
        // A deletion plans no name: the resource's serves.
        let planned = intent.planned.to_value().unwrap();
        let name = planned["name"].as_str().map(str::to_owned).unwrap_or(intent.address.resource.name.to_string());
        let id = self.inner.intend(intent).await?;
        self.intents.lock().unwrap().insert(id, (operation, name));
        Ok(id)
    }

    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError> {
        self.inner.handed_over(id, object).await
    }

    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError> {
        self.inner.outcome(id, outcome).await?;
        let (operation, name) = self.intents.lock().unwrap()[&id].clone();
        if self.cloud.dies_after_outcome(operation, &name) {
            self.cloud.die().await;
        }
        Ok(())
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        self.inner.records().await
    }

    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError> {
        self.inner.settle(settled).await
    }
}
