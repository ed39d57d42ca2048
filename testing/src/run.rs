//! The runs of a test file, one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::ModuleManifest;
use config::install::{InstallProgress, Installation, install_modules};
use config::module::{Module, ProviderBlock, ProviderRef};
use config::packages::Packages;
use config::test_file::{MockProvider as MockBlock, Run, TestFile};
use lang::ast::Attribute;
use lang::eval::evaluate;
use lang::{Diagnostic, Diagnostics, Str, Value};
use planner::hooks::{Hooks, NoHooks};
use planner::outlook::Outlook;
use planner::plan::{CheckStatus, Plan, PlanMode};
use planner::provisioning::Provisioners;
use planner::{
    ApplyOptions, GivenVariable, Interrupt, PlanOptions, ProviderRegistry, Target, VariableValue, Workspace,
};
use sdk::Provider;
use state::{Snapshots, State};

use crate::expected::Expectations;
use crate::mock::{Defaults, MockProvider};
use crate::names::Names;
use crate::overrides::{Replaced, replace, with_providers};
use crate::store::{MemoryStore, NoJournal};

/// Which values a module's variables are given from outside of its test files.
pub type Given = Box<dyn Fn(&Module) -> BTreeMap<Str, GivenVariable> + Send + Sync>;

/// What all test files have in common.
pub struct Suite {
    /// The configuration under test and its surroundings.
    pub workspace: Workspace,
    /// Values that are given from outside, for the variables of a module.
    pub given: Given,
    /// Runs provisioners.
    pub provisioners: Arc<dyn Provisioners>,
    /// The folder for packages of modules that tested modules call.
    pub modules_dir: PathBuf,
    /// Who downloads them.
    pub packages: Box<dyn Packages>,
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
    replaced: Replaced,
}

/// A test file under way.
struct Running<'a> {
    suite: &'a Suite,
    file: &'a TestFile,
    reporter: &'a dyn Reporter,
    states: BTreeMap<String, Kept>,
    outputs: BTreeMap<Str, Value>,
}

/// Carries out the runs of a file and destroys what they made.
pub async fn run_file(suite: &Suite, file: &TestFile, reporter: &dyn Reporter) -> FileOutcome {
    reporter.file_started(file);
    let mut running = Running { suite, file, reporter, states: BTreeMap::new(), outputs: BTreeMap::new() };
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
    let outcome = FileOutcome { status: if clean { worst } else { Status::Error }, runs: outcomes };
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
        let Some(config) = self.module(run, diagnostics).await else { return FAILED };
        let functions = planner::planning_functions(&self.suite.workspace);
        let (given, variables) = self.variables(run, &config, &functions, diagnostics);
        let names = Names { variables: &variables, runs: &self.outputs, functions: &functions };
        let providers = self.providers(run, &config, &names, diagnostics);
        let config = with_providers(&config, self.provider_blocks(run));
        let mocked = self.file.mocks.iter().flat_map(|mock| &mock.overrides);
        let overrides = run.overrides.iter().chain(&self.file.overrides).chain(mocked);
        let sources = &self.suite.workspace.sources;
        let replaced = replace(&config, overrides, &providers, &names, sources, diagnostics);
        let Some(options) = self.options(run, given.clone(), diagnostics) else { return FAILED };
        if diagnostics.has_errors() {
            return FAILED;
        }
        let all = providers.iter().map(|(_, provider)| provider.clone()).chain(replaced.providers.iter().cloned());
        let workspace = Workspace {
            config: replaced.config.clone(),
            providers: ProviderRegistry::new(all),
            ..self.suite.workspace.clone()
        };
        let key = state_key(run);
        let mut state = self.states.get(&key).map(|kept| kept.state.clone()).unwrap_or_default();
        replaced.enter(&mut state);

        let mut expected = Expectations::new(run);
        diagnostics.append(expected.invalid());
        if diagnostics.has_errors() {
            return FAILED;
        }
        let problems = planner::validate(&workspace).await;
        if problems.has_errors() {
            diagnostics.append(problems);
            return FAILED;
        }
        let hooks: Arc<dyn Hooks> = Arc::new(NoHooks);
        let (plan, problems) = planner::plan(&workspace, state.clone(), &options, hooks.clone()).await;
        diagnostics.extend(planner::partial_warning(&options));
        let checks = plan.as_ref().map(|plan| plan.checks.clone()).unwrap_or_default();
        let failed = problems.has_errors();
        let plan = plan.filter(|_| !failed);
        if !run.applies || failed {
            expected.settle(&checks, problems, diagnostics);
            if run.applies && !diagnostics.has_errors() {
                diagnostics.append(expected.failed_too_early());
            }
            diagnostics.append(expected.missing());
            let Some(plan) = plan.filter(|_| !run.applies && !diagnostics.has_errors()) else {
                // What was to fail while planning has failed: that is all there is to see.
                let status = if diagnostics.has_errors() { Status::Error } else { Status::Pass };
                return (status, None);
            };
            let outlook = Outlook::of_plan(&workspace, &plan, given);
            let status = self.judge(run, &outlook, diagnostics);
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
        let mut stored = outcome.state.clone();
        replaced.leave(&mut stored);
        expected.settle(&outcome.checks, outcome.diagnostics, diagnostics);
        diagnostics.append(expected.missing());
        let status = match Outlook::of_state(&workspace, &outcome.state, given.clone()) {
            Ok(outlook) if !diagnostics.has_errors() => self.judge(run, &outlook, diagnostics),
            Ok(_) => Status::Error,
            Err(problems) => {
                diagnostics.append(problems);
                Status::Error
            }
        };
        self.states.insert(key, Kept { state: stored.clone(), run: index, workspace, given, replaced });
        (status, Some(Shown::State(Box::new(stored))))
    }

    /// Checks the assertions and keeps the outputs for later runs.
    fn judge(&mut self, run: &Run, outlook: &Outlook<'_>, diagnostics: &mut Diagnostics) -> Status {
        let (status, problems) = outlook.assert(&run.asserts, &self.outputs);
        diagnostics.append(problems);
        self.outputs.insert(run.name.clone(), outlook.outputs());
        match status {
            CheckStatus::Pass | CheckStatus::Unknown => Status::Pass,
            CheckStatus::Fail => Status::Fail,
            CheckStatus::Error => Status::Error,
        }
    }

    /// The configuration that a run tests.
    async fn module(&self, run: &Run, diagnostics: &mut Diagnostics) -> Option<Arc<Module>> {
        let Some(module) = &run.module else { return Some(self.suite.workspace.config.clone()) };
        if !module.source.starts_with("./") && !module.source.starts_with("../") {
            let detail = format!(
                "The module {:?} can't be tested: a run block can only name a module in a local directory, as \"./NAME\" or \
                 \"../NAME\".",
                module.source
            );
            diagnostics.push(Diagnostic::error("Unsupported module source", detail).at(module.range));
            return None;
        }
        let sources = &self.suite.workspace.sources;
        let directory = self.suite.workspace.root_dir.join(Path::new(module.source.as_str()));
        let directory = directory.strip_prefix(".").unwrap_or(&directory);
        let installation = Installation {
            sources,
            root_dir: directory,
            modules_dir: &self.suite.modules_dir,
            known: ModuleManifest::default(),
            upgrade: false,
            packages: self.suite.packages.as_ref(),
        };
        let (manifest, problems) = install_modules(installation, &mut Unheard).await;
        diagnostics.append(problems);
        let (config, problems) = config::load_config(sources, directory, &manifest);
        diagnostics.append(problems);
        config.filter(|_| !diagnostics.has_errors())
    }

    /// The values for the tested module's variables, and what `var` means in the file.
    fn variables(
        &self,
        run: &Run,
        config: &Module,
        functions: &lang::functions::Functions,
        diagnostics: &mut Diagnostics,
    ) -> (BTreeMap<Str, GivenVariable>, BTreeMap<Str, Value>) {
        let mut given = (self.suite.given)(config);
        let mut values: BTreeMap<Str, Value> = BTreeMap::new();
        for (name, outer) in &given {
            let value = config.variables.get(name).and_then(|v| planner::given_value(&self.suite.workspace, v, outer));
            values.extend(value.map(|value| (name.clone(), value)));
        }
        for (name, variable) in &config.variables {
            if let (Some(default), false) = (&variable.default, values.contains_key(name)) {
                values.insert(name.clone(), default.clone());
            }
        }
        let mut set = |attribute: &Attribute, values: &mut BTreeMap<Str, Value>, own: bool| {
            let names = Names { variables: values, runs: &self.outputs, functions };
            let value = evaluate(&attribute.expr, &names, diagnostics);
            values.insert(attribute.name.clone(), value.clone());
            if !config.variables.contains_key(&attribute.name) {
                if own {
                    let detail = format!(
                        "The module under test does not declare a variable named \"{}\", but it is declared in run block \
                         \"{}\".",
                        attribute.name, run.name
                    );
                    diagnostics.push(Diagnostic::warning("Value for undeclared variable", detail).at(attribute.range));
                }
                return;
            }
            let variable = GivenVariable {
                value: VariableValue::Value(value),
                origin: "in the test file".to_owned(),
                range: attribute.expr.range,
                automatic: false,
            };
            given.insert(attribute.name.clone(), variable);
        };
        let replaced = |attribute: &&Attribute| !run.variables.iter().any(|own| own.name == attribute.name);
        for attribute in self.file.variables.iter().filter(replaced) {
            set(attribute, &mut values, false);
        }
        for attribute in &run.variables {
            set(attribute, &mut values, true);
        }
        (given, values)
    }

    /// The providers of a run: the linked ones, with mocks instead of those that the file mocks.
    fn providers(
        &self,
        run: &Run,
        config: &Module,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> ProviderRegistry {
        let mut all: Vec<Arc<dyn Provider>> =
            self.suite.workspace.providers.iter().map(|(_, provider)| provider.clone()).collect();
        for mock in &self.file.mocks {
            let used_as = run.providers.iter().find(|(_, of)| of.name == mock.name && of.alias == mock.alias);
            if used_as.is_none() && (mock.alias.is_some() || !run.providers.is_empty()) {
                continue;
            }
            let source = config.provider_source(used_as.map_or(&mock.name, |(name, _)| &name.name));
            let Some(position) = all.iter().position(|provider| provider.source() == source) else {
                let detail =
                    format!("The provider {source} is not linked into this program, so it has nothing to mock.");
                diagnostics.push(Diagnostic::error("Unknown provider", detail).at(mock.range));
                continue;
            };
            let defaults = self.defaults(mock, names, diagnostics);
            if let Some(slot) = all.get_mut(position) {
                *slot = Arc::new(MockProvider::new(source, slot.clone(), defaults));
            }
        }
        ProviderRegistry::new(all)
    }

    fn defaults(&self, mock: &MockBlock, names: &Names<'_>, diagnostics: &mut Diagnostics) -> Defaults {
        let mut defaults = Defaults { during_plan: mock.during_plan, ..Defaults::default() };
        let mut types = mock.types.clone();
        if let Some(source) = &mock.source {
            types.extend(self.mock_files(source, mock, diagnostics));
        }
        for mocked in &types {
            let Some(expr) = &mocked.defaults else { continue };
            let value = evaluate(expr, names, diagnostics);
            let of = if mocked.data { &mut defaults.data } else { &mut defaults.resources };
            of.entry(mocked.kind.clone()).or_insert(value);
        }
        defaults
    }

    fn mock_files(
        &self,
        source: &str,
        mock: &MockBlock,
        diagnostics: &mut Diagnostics,
    ) -> Vec<config::test_file::MockType> {
        let directory = self.suite.workspace.root_dir.join(source);
        let Ok(entries) = std::fs::read_dir(&directory) else {
            let detail = format!("The directory {} can't be read.", directory.display());
            diagnostics.push(Diagnostic::error("Failed to read mocks", detail).at(mock.range));
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(".tfmock.hcl"));
        paths.sort();
        let mut types = Vec::new();
        for path in paths {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let (found, _, problems) = config::test_file::read_mocks(&self.suite.workspace.sources, &path, bytes);
            diagnostics.append(problems);
            types.extend(found);
        }
        types
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
        let mut state = kept.state;
        kept.replaced.enter(&mut state);
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

/// Which state a run works on.
fn state_key(run: &Run) -> String {
    match (&run.state_key, &run.module) {
        (Some(key), _) => format!("key:{key}"),
        (None, Some(module)) => format!("module:{}", module.source),
        (None, None) => String::new(),
    }
}

/// Nobody wants to hear of the modules of a tested module.
struct Unheard;

impl InstallProgress for Unheard {
    fn downloading(&mut self, _: &str, _: Option<&str>, _: &str) {}

    fn installed(&mut self, _: &str, _: &Path) {}
}
