//! Test files (`*.tftest.hcl`, `*.tftest.json`): the runs of `test` with their variables, assertions and stand-ins.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use lang::addr::ModulePath;
use lang::ast::{Attribute, Block, Body, BodySchema, Content, Expr, Traversal};
use lang::{Diagnostics, Range, Sources, Str};

use crate::module::{CheckRule, ModuleCall, ProviderBlock, ProviderRef};
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
    /// `expect_failures`: what must fail its conditions, with its place.
    pub expected: Vec<(Traversal, Range)>,
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
    pub defaults: Option<Arc<Expr>>,
    /// Whether they are there while planning (`override_during = plan`).
    pub during_plan: bool,
}

/// An `override_resource`, `override_data` or `override_module` block: one object or module is not looked into.
#[derive(Clone, Debug)]
pub struct Override {
    /// Which kind of block it is.
    pub kind: OverrideKind,
    /// `target`
    pub target: Traversal,
    /// `values` or `outputs`
    pub values: Option<Arc<Expr>>,
    /// Whether the values are there while planning (`override_during = plan`).
    pub during_plan: bool,
    /// The block's header.
    pub range: Range,
}

/// The kinds of overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideKind {
    /// A managed resource.
    Resource,
    /// A data source.
    Data,
    /// A module call.
    Module,
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

static MODULE: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("source", true), ("version", false)], &[]));

static MOCK: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[("alias", false), ("source", false), ("override_during", false)],
        &[("mock_resource", &["type"]), ("mock_data", &["type"]), ("override_resource", &[]), ("override_data", &[])],
    )
});

static MOCK_TYPE: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("defaults", false), ("override_during", false)], &[]));

static OVERRIDE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(&[("target", true), ("values", false), ("outputs", false), ("override_during", false)], &[])
});

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
        for block in &content.blocks {
            match block.kind.as_str() {
                "run" => {
                    let Some(run) = self.run(block) else { continue };
                    if let Some(first) = names.get(&run.name) {
                        let place = self.place(*first);
                        let detail = format!("A run block named {:?} was already defined at {place}.", run.name);
                        self.error("Duplicate \"run\" block names", detail, block.header);
                    }
                    names.insert(run.name.clone(), block.header);
                    file.runs.push(run);
                }
                "variables" => file.variables.extend(self.attributes(&block.body)),
                "provider" => file.providers.extend(self.provider(block)),
                "mock_provider" => file.mocks.extend(self.mock_provider(block)),
                _ => file.overrides.extend(self.override_block(block, false)),
            }
        }
        file
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
            run.expected = exprs.iter().filter_map(|e| Some((self.static_traversal(e)?, e.range))).collect();
        }
        for inner in &content.blocks {
            match inner.kind.as_str() {
                "assert" => run.asserts.extend(self.check_rule(inner)),
                "variables" => run.variables.extend(self.attributes(&inner.body)),
                "plan_options" => run.options = self.plan_options(inner),
                "module" => run.module = self.run_module(&run.name, inner),
                _ => run.overrides.extend(self.override_block(inner, false)),
            }
        }
        Some(run)
    }

    fn command(&mut self, content: &Content) -> bool {
        let Some(attribute) = content.attribute("command") else { return true };
        match self.keyword(&attribute.expr).as_deref() {
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
            match self.keyword(&attribute.expr).as_deref() {
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
            self.error("Incompatible plan options", detail, block.header);
        }
        options
    }

    /// A module in the place of the one beside the test file, as if it were called.
    fn run_module(&mut self, run: &Str, block: &Block) -> Option<ModuleCall> {
        let content = self.content(&block.body, &MODULE);
        let version = content.attribute("version");
        let constraint = version.and_then(|attribute| self.version_constraint(attribute));
        let attribute = content.attribute("source")?;
        let (source, mut address) = self.module_source(attribute, version.is_some());
        if matches!(address, Some(ModuleSource::Remote(_))) {
            let detail = "Only local or registry module sources are currently supported from within test run blocks.";
            self.error("Invalid module source address", detail, attribute.expr.range);
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
        for block in &content.blocks {
            match block.kind.as_str() {
                "mock_resource" | "mock_data" => {
                    let Some(label) = block.labels.first() else { continue };
                    let content = self.content(&block.body, &MOCK_TYPE);
                    types.push(MockType {
                        data: block.kind == "mock_data",
                        kind: label.text.clone(),
                        defaults: content.attribute("defaults").map(|attribute| attribute.expr.clone()),
                        during_plan: self.during_plan(&content, during_plan),
                    });
                }
                _ => overrides.extend(self.override_block(block, during_plan)),
            }
        }
        (types, overrides)
    }

    fn override_block(&mut self, block: &Block, during_plan: bool) -> Option<Override> {
        let content = self.content(&block.body, &OVERRIDE);
        let (kind, values, other) = match block.kind.as_str() {
            "override_module" => (OverrideKind::Module, "outputs", "values"),
            "override_data" => (OverrideKind::Data, "values", "outputs"),
            _ => (OverrideKind::Resource, "values", "outputs"),
        };
        if let Some(attribute) = content.attribute(other) {
            let detail = format!("An argument named {other:?} is not expected here. Did you mean {values:?}?");
            self.error("Unsupported argument", detail, attribute.name_range);
        }
        Some(Override {
            kind,
            target: self.static_traversal(&content.attribute("target")?.expr)?,
            values: content.attribute(values).map(|attribute| attribute.expr.clone()),
            during_plan: self.during_plan(&content, during_plan),
            range: block.header,
        })
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
