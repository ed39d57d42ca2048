//! Test files (`*.tftest.hcl`, `*.tftest.json`): the runs of `test` with their variables, assertions and stand-ins.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use lang::addr::{Mode, ModulePath};
use lang::addr_parse::Target;
use lang::ast::{Attribute, Block, Body, BodySchema, Content, Traversal};
use lang::{Diagnostics, Range, Sources, Str, Value};

use crate::module::{CheckRule, Located, ModuleCall, ProviderBlock, ProviderRef};
use crate::module_source::ModuleSource;
use crate::reader::{Reader, schema};

/// A test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Its name, as it is shown.
    pub name: String,
    /// `variables`: for all runs.
    pub variables: Vec<Attribute>,
    /// `provider` blocks: instead of those of the root module.
    pub providers: Vec<ProviderBlock>,
    /// `mock_provider` blocks.
    pub mocks: Vec<MockProvider>,
    /// `override_resource`, `override_data` and `override_module` for all runs.
    pub overrides: Vec<Override>,
    /// `run` blocks in source order.
    pub runs: Vec<Run>,
}

/// A `run` block.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub name: Str,
    /// `command = apply`, the default, or `plan`.
    pub applies: bool,
    /// `plan_options`
    pub options: RunOptions,
    /// `variables`: of this run.
    pub variables: Vec<Attribute>,
    /// `module`: another module to test.
    pub module: Option<ModuleCall>,
    /// `providers`: the tested module's configuration ← the test file's.
    pub providers: Vec<(ProviderRef, ProviderRef)>,
    /// `assert` blocks.
    pub asserts: Vec<CheckRule>,
    /// `expect_failures`: what must fail its conditions.
    pub expected: Vec<Traversal>,
    /// `override_…` blocks of this run.
    pub overrides: Vec<Override>,
    /// `state_key`
    pub state_key: Option<Str>,
    /// The block's header.
    pub range: Range,
}

/// `plan_options` of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// `mode = refresh-only`
    pub refresh_only: bool,
    /// `refresh = false`
    pub skip_refresh: bool,
    /// `target`
    pub targets: Vec<Traversal>,
    /// `replace`
    pub replace: Vec<Traversal>,
}

/// A `mock_provider` block: nothing is called, computed attributes are made up.
#[derive(Clone, Debug)]
pub struct MockProvider {
    /// The provider's local name.
    pub name: Str,
    /// `alias`
    pub alias: Option<Str>,
    /// `source`: a directory of `.tfmock.hcl` files with more of what the block holds.
    pub source: Option<Str>,
    /// `mock_resource` and `mock_data`.
    pub types: Vec<MockType>,
    /// `override_…` blocks within.
    pub overrides: Vec<Override>,
    /// The block's header.
    pub range: Range,
}

/// `mock_resource` or `mock_data`: values of a type's computed attributes.
#[derive(Clone, Debug)]
pub struct MockType {
    /// Whether it is a data source.
    pub data: bool,
    /// The type.
    pub kind: Str,
    /// `defaults`
    pub defaults: Option<Located<Value>>,
    /// Whether they are there while planning (`override_during = plan`).
    pub during_plan: bool,
}

/// An `override_resource`, `override_data` or `override_module` block: one object or module is not looked into.
#[derive(Clone, Debug)]
pub struct Override {
    /// Which kind of block it is.
    pub kind: OverrideKind,
    /// `target`
    pub target: Target,
    /// `target` as it is written.
    pub target_text: String,
    /// The attribute `target`.
    pub target_range: Range,
    /// `values` or `outputs`, with the block's header
    pub values: Option<Located<Value>>,
    /// Whether the values are there while planning (`override_during = plan`).
    pub during_plan: bool,
    /// The block's header.
    pub range: Range,
}

/// The kinds of overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverrideKind {
    /// A managed resource.
    Resource,
    /// A data source.
    Data,
    /// A module call.
    Module,
}

impl OverrideKind {
    /// The mode of what it overrides; none for modules.
    fn mode(self) -> Option<Mode> {
        match self {
            OverrideKind::Resource => Some(Mode::Managed),
            OverrideKind::Data => Some(Mode::Data),
            OverrideKind::Module => None,
        }
    }
}

static FILE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[],
        &[
            ("run", &["name"]),
            ("variables", &[]),
            ("provider", &["name"]),
            ("mock_provider", &["name"]),
            ("override_resource", &[]),
            ("override_data", &[]),
            ("override_module", &[]),
        ],
    )
});

static RUN: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[("command", false), ("providers", false), ("expect_failures", false), ("state_key", false)],
        &[
            ("plan_options", &[]),
            ("assert", &[]),
            ("variables", &[]),
            ("module", &[]),
            ("override_resource", &[]),
            ("override_data", &[]),
            ("override_module", &[]),
        ],
    )
});

static PLAN_OPTIONS: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("mode", false), ("refresh", false), ("replace", false), ("target", false)], &[]));

static MODULE: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("source", false), ("version", false)], &[]));

static MOCK: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[("alias", false), ("source", false), ("override_during", false)],
        &[("mock_resource", &["type"]), ("mock_data", &["type"]), ("override_resource", &[]), ("override_data", &[])],
    )
});

static MOCK_TYPE: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("defaults", false), ("override_during", false)], &[]));

static OVERRIDE: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("target", false), ("values", false), ("override_during", false)], &[]));

static OVERRIDE_MODULE: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("target", false), ("outputs", false), ("override_during", false)], &[]));

/// The places of overrides by what they target.
type Targets = BTreeMap<(OverrideKind, Target), Range>;

impl TestFile {
    /// Where the manifest of installed modules has a run's module: `test`, the file's directory and name, the run.
    pub fn module_path(&self, run: &Run) -> ModulePath {
        let parts = self.name.strip_suffix(".tftest.hcl").unwrap_or(&self.name).split('/');
        ModulePath(std::iter::once("test").chain(parts).chain([run.name.as_str()]).map(Str::from).collect())
    }

    /// The modules that runs name, with these paths.
    pub fn modules(&self) -> impl Iterator<Item = (ModulePath, &ModuleCall)> {
        self.runs.iter().filter_map(|run| Some((self.module_path(run), run.module.as_ref()?)))
    }
}

/// Whether a file name is a test file's.
pub fn is_test_file(name: &str) -> bool {
    name.ends_with(".tftest.hcl") || name.ends_with(".tftest.json")
}

/// Reads a test file. `None` if it cannot be parsed at all.
pub fn read(sources: &Sources, name: &Path, bytes: Vec<u8>) -> (Option<TestFile>, Diagnostics) {
    let json = name.extension().is_some_and(|extension| extension == "json");
    let (body, _, mut diagnostics) = match json {
        true => lang::syntax::parse_json_file(sources, name, bytes),
        false => lang::syntax::parse_file(sources, name, bytes),
    };
    if diagnostics.has_errors() {
        return (None, diagnostics);
    }
    let mut reader = Reader::new(sources);
    let file = reader.test_file(name.display().to_string(), &body);
    diagnostics.append(reader.diagnostics);
    (Some(file), diagnostics)
}

/// Reads a file of mocks (`.tfmock.hcl`): what may stand in a `mock_provider` block.
pub fn read_mocks(sources: &Sources, name: &Path, bytes: Vec<u8>) -> (Vec<MockType>, Vec<Override>, Diagnostics) {
    let (body, _, mut diagnostics) = lang::syntax::parse_file(sources, name, bytes);
    if diagnostics.has_errors() {
        return (Vec::new(), Vec::new(), diagnostics);
    }
    let mut reader = Reader::new(sources);
    let content = reader.content(&body, &MOCK);
    let (types, overrides) = reader.mock_contents(&content, false);
    diagnostics.append(reader.diagnostics);
    (types, overrides, diagnostics)
}

impl Reader<'_> {
    fn test_file(&mut self, name: String, body: &Body) -> TestFile {
        let content = self.content(body, &FILE);
        let mut file = TestFile {
            name,
            variables: Vec::new(),
            providers: Vec::new(),
            mocks: Vec::new(),
            overrides: Vec::new(),
            runs: Vec::new(),
        };
        let mut names: BTreeMap<Str, Range> = BTreeMap::new();
        let mut providers: BTreeMap<(Str, Option<Str>), Range> = BTreeMap::new();
        let mut targets = BTreeMap::new();
        let mut variables = None;
        for block in &content.blocks {
            match block.kind.as_str() {
                "run" => {
                    let Some(run) = self.run(block) else { continue };
                    if let Some(first) = names.get(&run.name) {
                        let (name, place) = (&run.name, self.place(*first));
                        let detail = format!("This test file already has a run named {name} block defined at {place}.");
                        self.error("Duplicate \"run\" block names", detail, block.header);
                    }
                    names.insert(run.name.clone(), block.header);
                    file.runs.push(run);
                }
                "variables" => {
                    if self.only(&mut variables, block, "test file") {
                        file.variables = self.attributes(&block.body);
                    }
                }
                "provider" => {
                    let provider = self.provider(block);
                    file.providers
                        .extend(provider.filter(|p| self.new_provider(&mut providers, block, &p.name, &p.alias)));
                }
                "mock_provider" => {
                    let mock = self.mock_provider(block);
                    file.mocks.extend(mock.filter(|m| self.new_provider(&mut providers, block, &m.name, &m.alias)));
                }
                _ => file.overrides.extend(self.override_block(block, false, &mut targets)),
            }
        }
        file
    }

    /// Whether a block is the first of its kind; each further one is an error.
    fn only<'b>(&mut self, seen: &mut Option<&'b Block>, block: &'b Block, of: &str) -> bool {
        let kind = block.kind.as_str();
        let summary = format!("Multiple {kind:?} blocks");
        self.single(seen, block, &summary, |place| format!("This {of} already has a {kind} block defined at {place}."))
    }

    /// Whether a provider configuration is the first of its name; each further one is an error.
    fn new_provider(
        &mut self,
        known: &mut BTreeMap<(Str, Option<Str>), Range>,
        block: &Block,
        name: &Str,
        alias: &Option<Str>,
    ) -> bool {
        let key = (name.clone(), alias.clone());
        if let Some(first) = known.get(&key) {
            let full = alias.as_ref().map_or_else(|| name.to_string(), |alias| format!("{name}.{alias}"));
            let detail = format!("A provider for {full} is already defined at {}.", self.place(*first));
            self.error("Duplicate provider block", detail, block.header);
            return false;
        }
        known.insert(key, block.labels.first().map_or(block.header, |label| label.range));
        true
    }

    fn attributes(&mut self, body: &Body) -> Vec<Attribute> {
        let (attributes, diagnostics) = body.just_attributes();
        self.diagnostics.append(diagnostics);
        attributes
    }

    fn run(&mut self, block: &Block) -> Option<Run> {
        let name = block.labels.first()?.text.clone();
        self.check_name(block, 0, "Invalid run block name");
        let content = self.content(&block.body, &RUN);
        let mut run = Run {
            name,
            applies: self.command(&content),
            options: RunOptions::default(),
            variables: Vec::new(),
            module: None,
            providers: Vec::new(),
            asserts: Vec::new(),
            expected: Vec::new(),
            overrides: Vec::new(),
            state_key: content.attribute("state_key").and_then(|attribute| self.string(attribute)),
            range: block.header,
        };
        if let Some(attribute) = content.attribute("providers") {
            run.providers = self.passed_providers(attribute);
        }
        if let Some(attribute) = content.attribute("expect_failures") {
            let exprs = self.static_list(&attribute.expr);
            run.expected = exprs.iter().filter_map(|e| self.static_traversal_or_quoted(e)).collect();
        }
        let (mut variables, mut options, mut module) = (None, None, None);
        let mut targets = BTreeMap::new();
        for inner in &content.blocks {
            match inner.kind.as_str() {
                "assert" => run.asserts.extend(self.check_rule(inner)),
                "variables" => {
                    if self.only(&mut variables, inner, "run block") {
                        run.variables = self.attributes(&inner.body);
                    }
                }
                "plan_options" => {
                    if self.only(&mut options, inner, "run block") {
                        run.options = self.plan_options(inner);
                    }
                }
                "module" => {
                    if self.only(&mut module, inner, "run block") {
                        run.module = self.run_module(&run.name, inner);
                    }
                }
                _ => run.overrides.extend(self.override_block(inner, false, &mut targets)),
            }
        }
        Some(run)
    }

    fn command(&mut self, content: &Content) -> bool {
        let Some(attribute) = content.attribute("command") else { return true };
        match attribute.expr.as_keyword() {
            Some("plan") => false,
            Some("apply") => true,
            _ => {
                let detail =
                    "The \"command\" argument requires one of the following keywords without quotes: apply or plan.";
                self.error("Invalid \"command\" keyword", detail, attribute.expr.range);
                true
            }
        }
    }

    fn plan_options(&mut self, block: &Block) -> RunOptions {
        let content = self.content(&block.body, &PLAN_OPTIONS);
        let mut options = RunOptions::default();
        if let Some(attribute) = content.attribute("mode") {
            match attribute.expr.as_keyword() {
                Some("refresh-only") => options.refresh_only = true,
                Some("normal") => {}
                _ => {
                    let detail = "The \"mode\" argument requires one of the following keywords without quotes: normal or \
                                  refresh-only";
                    self.error("Invalid \"mode\" keyword", detail, attribute.expr.range);
                }
            }
        }
        if let Some(attribute) = content.attribute("refresh") {
            options.skip_refresh = self.bool(attribute) == Some(false);
        }
        options.targets = self.depends_on(content.attribute("target"));
        options.replace = self.depends_on(content.attribute("replace"));
        if options.refresh_only && options.skip_refresh {
            let detail = "The \"refresh\" option cannot be set to false when running a test in \"refresh-only\" mode.";
            let place = content.attribute("refresh").map_or(block.header, |attribute| attribute.range);
            self.error("Incompatible plan options", detail, place);
        }
        options
    }

    /// A module in the place of the one beside the test file, as if it were called.
    fn run_module(&mut self, run: &Str, block: &Block) -> Option<ModuleCall> {
        let content = self.content(&block.body, &MODULE);
        let version = content.attribute("version");
        let constraint = version.and_then(|attribute| self.version_constraint(attribute));
        let Some(attribute) = content.attribute("source") else {
            let detail = "You must specify a source attribute when executing alternate modules during test executions.";
            self.error("Missing \"source\" attribute for module block", detail, block.header);
            return None;
        };
        let (source, mut address) = self.module_source(attribute, version.is_some());
        if matches!(address, Some(ModuleSource::Remote(_))) {
            let detail = "Only local or registry module sources are currently supported from within test run blocks.";
            self.error("Invalid module source address", detail, attribute.range);
            address = None;
        }
        Some(ModuleCall {
            name: run.clone(),
            source,
            address,
            version: constraint,
            count: None,
            for_each: None,
            has_depends_on: false,
            depends_on: Vec::new(),
            providers: Vec::new(),
            arguments: Vec::new(),
            body: block.body.clone(),
            range: block.header,
        })
    }

    fn mock_provider(&mut self, block: &Block) -> Option<MockProvider> {
        let name = block.labels.first()?.text.clone();
        if !self.check_provider_name(&name, block.header) {
            return None;
        }
        let content = self.content(&block.body, &MOCK);
        let during_plan = self.during_plan(&content, false);
        let (types, overrides) = self.mock_contents(&content, during_plan);
        Some(MockProvider {
            name,
            alias: content.attribute("alias").and_then(|attribute| self.string(attribute)),
            source: content.attribute("source").and_then(|attribute| self.string(attribute)),
            types,
            overrides,
            range: block.header,
        })
    }

    fn mock_contents(&mut self, content: &Content, during_plan: bool) -> (Vec<MockType>, Vec<Override>) {
        let (mut types, mut overrides) = (Vec::new(), Vec::new());
        let mut targets = BTreeMap::new();
        let mut mocked: BTreeMap<(Str, Str), Range> = BTreeMap::new();
        for block in &content.blocks {
            match block.kind.as_str() {
                "mock_resource" | "mock_data" => {
                    let Some(label) = block.labels.first() else { continue };
                    let (kind, name) = (block.kind.clone(), label.text.clone());
                    if let Some(first) = mocked.get(&(kind.clone(), name.clone())) {
                        let place = self.place(*first);
                        let detail = format!("A {kind} block for {name} has already been defined at {place}.");
                        self.error(format!("Duplicate {kind} block"), detail, block.header);
                        continue;
                    }
                    mocked.insert((kind, name), block.header);
                    let content = self.content(&block.body, &MOCK_TYPE);
                    types.push(MockType {
                        data: block.kind == "mock_data",
                        kind: label.text.clone(),
                        defaults: content
                            .attribute("defaults")
                            .and_then(|attribute| self.mocked_values(&block.kind, attribute)),
                        during_plan: self.during_plan(&content, during_plan),
                    });
                }
                _ => overrides.extend(self.override_block(block, during_plan, &mut targets)),
            }
        }
        (types, overrides)
    }

    /// `targets`: what the blocks beside it have named so far.
    fn override_block(&mut self, block: &Block, during_plan: bool, targets: &mut Targets) -> Option<Override> {
        let name = block.kind.as_str();
        let (kind, schema, things) = match name {
            "override_module" => (OverrideKind::Module, &*OVERRIDE_MODULE, "modules"),
            "override_data" => (OverrideKind::Data, &*OVERRIDE, "data sources"),
            _ => (OverrideKind::Resource, &*OVERRIDE, "resources"),
        };
        let content = self.content(&block.body, schema);
        let values = content.attribute("values").or_else(|| content.attribute("outputs"));
        let values = values.and_then(|attribute| self.mocked_values(&block.kind, attribute));
        let values = values.map(|values| Located { range: block.header, ..values });
        let Some(attribute) = content.attribute("target") else {
            let detail = format!("{name} blocks must specify a target address.");
            self.error("Missing target attribute", detail, block.header);
            return None;
        };
        self.static_traversal(&attribute.expr)?;
        let text = self.text(attribute.expr.range);
        let fits = |target: &Target| match (kind, target) {
            (OverrideKind::Module, Target::Module(_)) => true,
            (_, Target::Resource(target)) => kind.mode() == Some(target.resource.mode),
            (_, Target::Instance(target)) => kind.mode() == Some(target.resource.mode),
            _ => false,
        };
        let Some(target) = text.parse::<Target>().ok().filter(fits) else {
            let detail = format!("You can only target {things} from {name} blocks, not {text}.");
            self.error("Invalid override target", detail, attribute.expr.range);
            return None;
        };
        if let Some(first) = targets.get(&(kind, target.clone())) {
            let place = self.place(*first);
            let detail = format!("An {name} block targeting {text} has already been defined at {place}.");
            self.error(format!("Duplicate {name} block"), detail, block.header);
            return None;
        }
        targets.insert((kind, target.clone()), block.header);
        Some(Override {
            kind,
            target,
            target_text: text,
            target_range: attribute.range,
            values,
            during_plan: self.during_plan(&content, during_plan),
            range: block.header,
        })
    }

    /// An object that is written out: values of attributes.
    fn mocked_values(&mut self, block: &str, attribute: &Attribute) -> Option<Located<Value>> {
        let value = self.constant(&attribute.expr)?;
        if value.entries().is_none() {
            let name = &attribute.name;
            let detail = format!("{block} blocks must specify a {name} attribute that is an object.");
            self.error(format!("Invalid {name} attribute"), detail, attribute.range);
            return None;
        }
        Some(Located { value, range: attribute.range })
    }

    /// The text of a place, without quotes around it.
    fn text(&self, range: Range) -> String {
        let source = self.sources.get(range.file);
        let bytes = source.as_ref().and_then(|source| source.bytes.get(range.start as usize..range.end as usize));
        bytes.map(|bytes| String::from_utf8_lossy(bytes).trim_matches('"').to_owned()).unwrap_or_default()
    }

    fn during_plan(&mut self, content: &Content, otherwise: bool) -> bool {
        let Some(attribute) = content.attribute("override_during") else { return otherwise };
        match self.keyword(&attribute.expr).as_deref() {
            Some("plan") => true,
            Some("apply") => false,
            _ => {
                let detail = "The override_during attribute must be a value of plan or apply.";
                self.error("Invalid override_during value", detail, attribute.expr.range);
                otherwise
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (TestFile, Vec<String>) {
        let (file, diagnostics) = read(&Sources::new(), Path::new("a.tftest.hcl"), text.into());
        (file.unwrap(), diagnostics.iter().map(|d| d.summary().to_owned()).collect())
    }

    #[test]
    fn a_file_of_runs() {
        let (file, problems) = parse(
            r#"
            variables { a = 1 }
            mock_provider "aws" {
              mock_resource "aws_vpc" { defaults = { arn = "x" } }
            }
            run "one" {
              command = plan
              plan_options { target = [terraform_data.a] }
              assert {
                condition = var.a == 1
                error_message = "no"
              }
              expect_failures = [var.a, check.c]
            }
            run "two" {
              module { source = "./m" }
              override_module {
                target = module.x
                outputs = {}
              }
            }"#,
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(file.runs.len(), 2);
        assert!(!file.runs[0].applies && file.runs[1].applies);
        assert_eq!(file.runs[0].expected.len(), 2);
        let modules: Vec<_> = file.modules().collect();
        assert_eq!(
            (modules[0].0.to_string().as_str(), modules[0].1.source.value.as_str()),
            ("module.test.module.a.module.two", "./m")
        );
        assert_eq!(file.mocks[0].types[0].kind, "aws_vpc");
        assert_eq!(file.runs[1].overrides[0].kind, OverrideKind::Module);
    }

    #[test]
    fn mistakes_are_told_together() {
        let (_, problems) = parse("run \"a\" {\n command = maybe\n}\nrun \"a\" {\n plan_options {\n mode = x\n}\n}\n");
        assert_eq!(
            problems,
            ["Invalid \"command\" keyword", "Invalid \"mode\" keyword", "Duplicate \"run\" block names"]
        );
    }
}
