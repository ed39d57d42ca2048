//! The runs of a test file, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::module::{Module, ProviderBlock, ProviderRef};
use config::test_file::{MockProvider as MockBlock, Run, TestFile};
use lang::addr::{Mode, ModulePath, ProviderConfig};
use lang::{Diagnostic, Diagnostics, Str, Value};
use planner::hooks::{Hooks, NoHooks};
use planner::outlook::{Outlook, TestNames};
use planner::plan::{CheckStatus, Plan, PlanMode};
use planner::provisioning::Provisioners;
use planner::{ApplyOptions, GivenVariable, Interrupt, PlanOptions, StandIns, Target, Workspace};
use sdk::Configured;
use state::{Snapshots, State};

use crate::expected::Expectations;
use crate::mock::{Mock, MockValues, MockedType};
use crate::names::{Names, Standing, evaluated};
use crate::overrides::{Replaced, with_providers};
use crate::store::{MemoryStore, NoJournal};
use crate::validation::{validate_file, validate_run};
use crate::variables::{Globals, RunVariables, Setting};

/// What all test files have in common.
pub struct Suite {
    /// The configuration under test and its surroundings.
    pub workspace: Workspace,
    /// Values that are given from outside.
    pub globals: Globals,
    /// Runs provisioners.
    pub provisioners: Arc<dyn Provisioners>,
    /// The modules that runs name, by the paths under which they are installed.
    pub modules: BTreeMap<ModulePath, Arc<Module>>,
    /// How many operations run at once.
    pub parallelism: usize,
    /// Stops the tests early; what was made is destroyed all the same.
    pub interrupt: Interrupt,
}

/// How a run or file came out. The worst of a file's runs is the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It was not run, because an earlier one ended with an error.
    Skip,
    /// All assertions hold.
    Pass,
    /// An assertion does not hold.
    Fail,
    /// It could not be carried out.
    Error,
}

/// What a run has made, for those who want to see it.
pub enum Shown {
    /// The plan of a run that plans.
    Plan(Box<Plan>),
    /// The state after a run that applies.
    State(Box<State>),
}

/// What came of a run.
pub struct RunOutcome {
    /// Its name.
    pub name: Str,
    /// How it came out.
    pub status: Status,
    /// Messages.
    pub diagnostics: Diagnostics,
    /// How long it took.
    pub elapsed: Duration,
    /// What it has made.
    pub shown: Option<Shown>,
}

/// What came of a file.
pub struct FileOutcome {
    /// How it came out.
    pub status: Status,
    /// Messages that are of no run.
    pub diagnostics: Diagnostics,
    /// Its runs.
    pub runs: Vec<RunOutcome>,
}

/// Hears of tests while they run.
pub trait Reporter: Send + Sync {
    /// A file is begun.
    fn file_started(&self, file: &TestFile);
    /// A run is begun.
    fn run_started(&self, file: &TestFile, run: &Run);
    /// A run came to its end.
    fn run_finished(&self, file: &TestFile, run: &Run, outcome: &RunOutcome);
    /// What was made is about to be destroyed.
    fn teardown(&self, file: &TestFile);
    /// What a run has made is about to be destroyed.
    fn run_teardown(&self, file: &TestFile, run: &Run);
    /// Something could not be destroyed.
    fn left_over(&self, file: &TestFile, run: &Run, state: &State, diagnostics: &Diagnostics);
    /// A file came to its end.
    fn file_finished(&self, file: &TestFile, outcome: &FileOutcome);
}

/// A state of a test file, with all that is needed to destroy it.
struct Kept {
    state: State,
    /// The last run on it.
    run: usize,
    workspace: Workspace,
    given: BTreeMap<Str, GivenVariable>,
}

/// A test file under way.
struct Running<'a> {
    suite: &'a Suite,
    file: &'a TestFile,
    reporter: &'a dyn Reporter,
    states: BTreeMap<String, Kept>,
    /// The outputs of the file's runs, once they have come to their end.
    outputs: BTreeMap<Str, Option<Value>>,
}

/// Carries out the runs of a file and destroys what they made.
pub async fn run_file(suite: &Suite, file: &TestFile, reporter: &dyn Reporter) -> FileOutcome {
    reporter.file_started(file);
    let outputs = file.runs.iter().map(|run| (run.name.clone(), None)).collect();
    let mut running = Running { suite, file, reporter, states: BTreeMap::new(), outputs };
    let mut outcomes: Vec<RunOutcome> = Vec::new();
    for (index, run) in file.runs.iter().enumerate() {
        let stopped = outcomes.iter().any(|o| o.status == Status::Error) || suite.interrupt.is_requested();
        let outcome = if stopped {
            let (diagnostics, elapsed) = (Diagnostics::new(), Duration::ZERO);
            RunOutcome { name: run.name.clone(), status: Status::Skip, diagnostics, elapsed, shown: None }
        } else {
            reporter.run_started(file, run);
            running.run(index, run).await
        };
        reporter.run_finished(file, run, &outcome);
        outcomes.push(outcome);
    }
    reporter.teardown(file);
    let clean = running.clean_up().await;
    let worst = outcomes.iter().map(|outcome| outcome.status).max().unwrap_or(Status::Pass);
    let status = if clean { worst } else { Status::Error };
    let diagnostics = validate_file(file, &suite.workspace.config);
    let outcome = FileOutcome { status, diagnostics, runs: outcomes };
    reporter.file_finished(file, &outcome);
    outcome
}

impl Running<'_> {
    async fn run(&mut self, index: usize, run: &Run) -> RunOutcome {
        let started = Instant::now();
        let mut diagnostics = Diagnostics::new();
        let (status, shown) = self.carry_out(index, run, &mut diagnostics).await;
        let status = if diagnostics.has_errors() && status == Status::Pass { Status::Error } else { status };
        RunOutcome { name: run.name.clone(), status, diagnostics, elapsed: started.elapsed(), shown }
    }

    async fn carry_out(&mut self, index: usize, run: &Run, diagnostics: &mut Diagnostics) -> (Status, Option<Shown>) {
        const FAILED: (Status, Option<Shown>) = (Status::Error, None);
        let Some(config) = self.module(run) else { return FAILED };
        diagnostics.append(validate_run(run, &config));
        if diagnostics.has_errors() {
            return FAILED;
        }
        let functions = planner::planning_functions(&self.suite.workspace);
        let (workspace, globals) = (&self.suite.workspace, &self.suite.globals);
        let setting = Setting { workspace, globals, runs: &self.outputs, functions: &functions };
        let RunVariables { given, shared, extra } = setting.variables(self.file, run, &config, diagnostics);
        let standing = Standing::Run;
        let names = Names { variables: &shared, runs: &self.outputs, standing, functions: &functions };
        let workspace = self.workspace(run, &config, &names, diagnostics);
        let Some(options) = self.options(run, given.clone(), diagnostics) else { return FAILED };
        if diagnostics.has_errors() {
            return FAILED;
        }
        let key = state_key(run);
        let state = self.states.get(&key).map(|kept| kept.state.clone()).unwrap_or_default();

        let mut expected = Expectations::new(run);
        let problems = planner::validate(&workspace).await;
        if problems.has_errors() {
            diagnostics.append(problems);
            return FAILED;
        }
        let hooks: Arc<dyn Hooks> = Arc::new(NoHooks);
        let (plan, problems) = planner::plan(&workspace, state.clone(), &options, hooks.clone()).await;
        let checks = plan.as_ref().map(|plan| plan.checks.clone()).unwrap_or_default();
        let failed = problems.has_errors();
        let plan = plan.filter(|_| !failed);
        if run.applies && failed {
            expected.explain(&checks, problems, diagnostics);
            return FAILED;
        }
        if !run.applies {
            expected.settle(&checks, problems, diagnostics);
            diagnostics.append(expected.missing());
            let Some(plan) = plan.filter(|_| !diagnostics.has_errors()) else {
                // What was to fail while planning has failed: that is all there is to see.
                let status = if diagnostics.has_errors() { Status::Error } else { Status::Pass };
                return (status, None);
            };
            let outlook = Outlook::of_plan(&workspace, &plan, given);
            let status = self.judge(run, &outlook, &extra, diagnostics);
            return (status, Some(Shown::Plan(Box::new(plan))));
        }
        let Some(plan) = plan else { return FAILED };

        let store = Arc::new(MemoryStore::holding(state));
        let snapshots = match Snapshots::open(store).await {
            Ok(snapshots) => snapshots,
            Err(error) => {
                diagnostics.push(Diagnostic::error("Failed to open the test's state", error.to_string()));
                return FAILED;
            }
        };
        let apply = ApplyOptions {
            heart: None,
            parallelism: self.suite.parallelism,
            interrupt: self.suite.interrupt.clone(),
            variables: given.clone(),
            provisioners: self.suite.provisioners.clone(),
        };
        let outcome = planner::apply(&workspace, &plan, snapshots, Arc::new(NoJournal), &apply, hooks).await;
        let mut problems = outcome.diagnostics;
        if !problems.has_errors() {
            problems.extend(planner::partial_apply_warning(&plan));
        }
        expected.settle(&outcome.checks, problems, diagnostics);
        diagnostics.append(expected.missing());
        let done = match Outlook::of_state(&workspace, &outcome.state, given.clone()) {
            Ok(outlook) if !diagnostics.has_errors() => {
                let status = self.judge(run, &outlook, &extra, diagnostics);
                (status, Some(Shown::State(Box::new(outcome.state.clone()))))
            }
            Ok(_) => FAILED,
            Err(problems) => {
                diagnostics.append(problems);
                FAILED
            }
        };
        self.states.insert(key, Kept { state: outcome.state, run: index, workspace, given });
        done
    }

    /// Checks the assertions and keeps the outputs for later runs.
    fn judge(
        &mut self,
        run: &Run,
        outlook: &Outlook<'_>,
        variables: &BTreeMap<Str, Value>,
        diagnostics: &mut Diagnostics,
    ) -> Status {
        let (status, problems) = outlook.assert(&run.asserts, TestNames { runs: &self.outputs, variables });
        diagnostics.append(problems);
        self.outputs.insert(run.name.clone(), Some(outlook.outputs()));
        match status {
            CheckStatus::Pass | CheckStatus::Unknown => Status::Pass,
            CheckStatus::Fail => Status::Fail,
            CheckStatus::Error => Status::Error,
        }
    }

    /// The configuration that a run tests.
    fn module(&self, run: &Run) -> Option<Arc<Module>> {
        match &run.module {
            Some(_) => self.suite.modules.get(&self.file.module_path(run)).cloned(),
            None => Some(self.suite.workspace.config.clone()),
        }
    }

    /// What a run works on: the configuration with the file's providers, and mocks in the place of some.
    fn workspace(
        &self,
        run: &Run,
        config: &Arc<Module>,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Workspace {
        let workspace = &self.suite.workspace;
        let blocks = self.provider_blocks(run).into_iter().map(|block| {
            let body = evaluated(&block.body, names, diagnostics);
            ProviderBlock { body, ..block }
        });
        let config = with_providers(config, blocks.collect());
        let mut replaced = Replaced { config, instances: Vec::new() };
        replaced.add(run.overrides.iter().chain(&self.file.overrides), None, workspace);
        let mut configurations: BTreeMap<ProviderConfig, Arc<dyn Configured>> = BTreeMap::new();
        for (used_as, mock) in self.mocks(run) {
            let source = replaced.config.provider_source(&used_as.name);
            let Some(provider) = workspace.providers.get(&source) else { continue };
            let address = ProviderConfig { module: ModulePath::root(), source, alias: used_as.alias.clone() };
            let mut block = mock.clone();
            if let Some(source) = &mock.source {
                self.add_mock_files(source, &mut block, diagnostics);
            }
            replaced.add(&block.overrides, Some(&address), workspace);
            let types = mocked_types(&block, workspace);
            configurations.insert(address, Arc::new(Mock::new(provider.clone(), types)));
        }
        let stand_ins = StandIns { configurations, instances: replaced.instances };
        let providers = workspace.providers.clone().with_stand_ins(stand_ins);
        Workspace { config: replaced.config, providers, ..workspace.clone() }
    }

    /// The mocks of a run, with the names that the tested module has for the providers that they stand in for.
    fn mocks<'r>(&'r self, run: &'r Run) -> Vec<(ProviderRef, &'r MockBlock)> {
        let own =
            |mock: &MockBlock| ProviderRef { name: mock.name.clone(), alias: mock.alias.clone(), range: mock.range };
        if run.providers.is_empty() {
            return self.file.mocks.iter().map(|mock| (own(mock), mock)).collect();
        }
        let find = |of: &ProviderRef| self.file.mocks.iter().find(|m| m.name == of.name && m.alias == of.alias);
        run.providers.iter().filter_map(|(name, of)| Some((name.clone(), find(of)?))).collect()
    }

    /// Adds what the files of a directory hold to a mock.
    fn add_mock_files(&self, source: &str, mock: &mut MockBlock, diagnostics: &mut Diagnostics) {
        let directory = self.suite.workspace.root_dir.join(source);
        let Ok(entries) = std::fs::read_dir(&directory) else {
            let detail = format!("The directory {} can't be read.", directory.display());
            diagnostics.push(Diagnostic::error("Failed to read mocks", detail).at(mock.range));
            return;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(".tfmock.hcl"));
        paths.sort();
        for path in paths {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let (types, overrides, problems) =
                config::test_file::read_mocks(&self.suite.workspace.sources, &path, bytes);
            diagnostics.append(problems);
            mock.types.extend(types);
            mock.overrides.extend(overrides);
        }
    }

    /// The provider blocks of the file under the names that the tested module has for them.
    fn provider_blocks(&self, run: &Run) -> Vec<ProviderBlock> {
        if run.providers.is_empty() {
            return self.file.providers.clone();
        }
        let find = |of: &ProviderRef| self.file.providers.iter().find(|b| b.name == of.name && b.alias == of.alias);
        let renamed = |(name, of): &(ProviderRef, ProviderRef)| {
            Some(ProviderBlock { name: name.name.clone(), alias: name.alias.clone(), ..find(of)?.clone() })
        };
        run.providers.iter().filter_map(renamed).collect()
    }

    fn options(
        &self,
        run: &Run,
        variables: BTreeMap<Str, GivenVariable>,
        diagnostics: &mut Diagnostics,
    ) -> Option<PlanOptions> {
        let mut options = PlanOptions {
            mode: if run.options.refresh_only { PlanMode::RefreshOnly } else { PlanMode::Normal },
            refresh: !run.options.skip_refresh,
            parallelism: self.suite.parallelism,
            variables,
            ..PlanOptions::default()
        };
        let text = |traversal: &lang::ast::Traversal| {
            crate::overrides::text_of(&self.suite.workspace.sources, traversal.range)
        };
        for traversal in &run.options.targets {
            match text(traversal).parse::<lang::addr_parse::Target>() {
                Ok(lang::addr_parse::Target::Module(module)) => options.targets.push(Target::Module(module)),
                Ok(lang::addr_parse::Target::Resource(target)) => {
                    options.targets.push(Target::Resource(target.module, target.resource));
                }
                Ok(lang::addr_parse::Target::Instance(target)) => options.targets.push(Target::Instance(target)),
                Err(error) => {
                    diagnostics.push(Diagnostic::error("Invalid address", error.to_string()).at(traversal.range));
                }
            }
        }
        for traversal in &run.options.replace {
            match text(traversal).parse() {
                Ok(address) => options.force_replace.push(address),
                Err(error) => {
                    let error: lang::addr_parse::AddressError = error;
                    diagnostics.push(Diagnostic::error("Invalid address", error.to_string()).at(traversal.range));
                }
            }
        }
        (!diagnostics.has_errors()).then_some(options)
    }

    /// Destroys what the runs made, the last first. False if something is left.
    async fn clean_up(&mut self) -> bool {
        let mut kept: Vec<Kept> = std::mem::take(&mut self.states).into_values().collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.run));
        let mut clean = true;
        for kept in kept {
            let Some(run) = self.file.runs.get(kept.run).filter(|_| !kept.state.resources.is_empty()) else { continue };
            self.reporter.run_teardown(self.file, run);
            let (state, diagnostics) = self.destroy(kept).await;
            if diagnostics.has_errors() || !state.resources.is_empty() {
                self.reporter.left_over(self.file, run, &state, &diagnostics);
                clean = false;
            }
        }
        clean
    }

    async fn destroy(&self, kept: Kept) -> (State, Diagnostics) {
        let state = kept.state;
        let options = PlanOptions {
            mode: PlanMode::Destroy,
            variables: kept.given.clone(),
            parallelism: self.suite.parallelism,
            ..PlanOptions::default()
        };
        let hooks: Arc<dyn Hooks> = Arc::new(NoHooks);
        let (plan, problems) = planner::plan(&kept.workspace, state.clone(), &options, hooks.clone()).await;
        let Some(plan) = plan.filter(|_| !problems.has_errors()) else { return (state, problems) };
        let snapshots = match Snapshots::open(Arc::new(MemoryStore::holding(state.clone()))).await {
            Ok(snapshots) => snapshots,
            Err(error) => {
                return (state, Diagnostic::error("Failed to open the test's state", error.to_string()).into());
            }
        };
        // An interrupted test is cleaned up all the same.
        let apply = ApplyOptions {
            heart: None,
            parallelism: self.suite.parallelism,
            interrupt: Interrupt::default(),
            variables: kept.given,
            provisioners: self.suite.provisioners.clone(),
        };
        let outcome = planner::apply(&kept.workspace, &plan, snapshots, Arc::new(NoJournal), &apply, hooks).await;
        (outcome.state, outcome.diagnostics)
    }
}

/// The values of a mock's types; of several for one type the first ones count.
fn mocked_types(mock: &MockBlock, workspace: &Workspace) -> MockValues {
    let mut types = BTreeMap::new();
    for mocked in &mock.types {
        let mode = if mocked.data { Mode::Data } else { Mode::Managed };
        let given = || MockedType::new(mocked.defaults.as_ref(), mocked.during_plan, workspace);
        types.entry((mode, mocked.kind.clone())).or_insert_with(given);
    }
    MockValues(types)
}

/// Which state a run works on.
fn state_key(run: &Run) -> String {
    match (&run.state_key, &run.module) {
        (Some(key), _) => format!("key:{key}"),
        (None, Some(module)) => format!("module:{}", module.source.value),
        (None, None) => String::new(),
    }
}
