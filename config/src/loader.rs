//! Reads a directory of configuration files into a module, and a tree of directories into a module tree.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use lang::addr::ModulePath;
use lang::ast::{Block, Body, BodySchema};
use lang::syntax::{parse_file, parse_json_file};
use lang::{Diagnostic, Diagnostics, FileId, Sources};

use crate::assembly::assemble;
use crate::manifest::ModuleManifest;
use crate::module::{Module, ModuleCall};
use crate::module_source::clean_path;
use crate::overrides::Blocks;
use crate::provider_validation::check_provider_configurations;
use crate::reader::{Reader, schema};
use crate::terraform_block::Settings;
use crate::version::{Constraints, Version};

static FILE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[],
        &[
            ("terraform", &[]),
            // Belongs into `terraform`; known here for the sake of a message.
            ("required_providers", &[]),
            ("provider", &["name"]),
            ("variable", &["name"]),
            ("locals", &[]),
            ("output", &["name"]),
            ("module", &["name"]),
            ("resource", &["type", "name"]),
            ("data", &["type", "name"]),
            ("ephemeral", &["type", "name"]),
            ("moved", &[]),
            ("removed", &[]),
            ("import", &[]),
            ("check", &["name"]),
        ],
    )
});

/// The configuration files of a directory in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFiles {
    /// Names of the normal files.
    pub primary: Vec<String>,
    /// Names of the override files.
    pub overrides: Vec<String>,
}

impl ConfigFiles {
    /// Lists a directory. Hidden and backup files do not count.
    pub fn list(dir: &Path) -> io::Result<ConfigFiles> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if !entry.path().is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        let mut files = ConfigFiles::default();
        for name in names {
            match role(&name) {
                Some(Role::Primary) => files.primary.push(name),
                Some(Role::Override) => files.overrides.push(name),
                None => {}
            }
        }
        Ok(files)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.primary.is_empty() && self.overrides.is_empty()
    }
}

enum Role {
    Primary,
    Override,
}

fn role(name: &str) -> Option<Role> {
    let is_backup = name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'));
    if name.starts_with('.') || is_backup {
        return None;
    }
    let base = name.strip_suffix(".tf").or_else(|| name.strip_suffix(".tf.json"))?;
    Some(if base == "override" || base.ends_with("_override") { Role::Override } else { Role::Primary })
}

/// What the files of one module hold, overrides merged.
pub(crate) struct ModuleFiles {
    pub blocks: Blocks,
    /// One per primary file.
    pub settings: Vec<Settings>,
    /// One per override file.
    pub overrides: Vec<Settings>,
}

/// What is to be said of a module's files.
#[derive(Clone, Debug, Default)]
pub struct ModuleProblems {
    /// Files that are no HCL, or no JSON.
    pub syntax: Diagnostics,
    /// All else.
    pub content: Diagnostics,
}

impl ModuleProblems {
    /// All in one list.
    pub fn all(self) -> Diagnostics {
        self.syntax.into_iter().chain(self.content).collect()
    }
}

/// Reads the module in `root_dir/dir` without the modules it calls. Diagnostics name files by `dir`.
///
/// The module is there, as far as it could be read, also when there are errors; it is `None` when the directory cannot be
/// read at all.
pub fn load_module(sources: &Sources, root_dir: &Path, dir: &Path, path: ModulePath) -> (Option<Module>, Diagnostics) {
    let (module, problems) = read_module(sources, root_dir, dir, path);
    (module, problems.all())
}

/// The same, with the problems apart.
pub fn read_module(
    sources: &Sources,
    root_dir: &Path,
    dir: &Path,
    path: ModulePath,
) -> (Option<Module>, ModuleProblems) {
    let dir = clean_path(dir);
    let files = match ConfigFiles::list(&root_dir.join(&dir)) {
        Ok(files) => files,
        Err(_) => {
            let detail = format!("Module directory {} does not exist or cannot be read.", dir.display());
            let content = Diagnostic::error("Failed to read module directory", detail).into();
            return (None, ModuleProblems { content, ..ModuleProblems::default() });
        }
    };
    let mut reader = Reader::new(sources);
    let mut module = ModuleFiles { blocks: Blocks::default(), settings: Vec::new(), overrides: Vec::new() };
    for name in &files.primary {
        let (settings, blocks) = reader.file(root_dir, &clean_path(&dir.join(name)));
        module.settings.push(settings);
        module.blocks.blocks.extend(blocks);
    }
    for name in &files.overrides {
        let (settings, blocks) = reader.file(root_dir, &clean_path(&dir.join(name)));
        module.overrides.push(settings);
        for block in blocks {
            reader.merge_override(&mut module.blocks, block);
        }
    }
    let module = assemble(&mut reader, module, dir, path);
    (Some(module), ModuleProblems { syntax: reader.syntax, content: reader.diagnostics })
}

impl Reader<'_> {
    /// The settings and the other blocks of one file.
    fn file(&mut self, root_dir: &Path, name: &Path) -> (Settings, Vec<Block>) {
        let mut settings = Settings::default();
        let Ok(bytes) = std::fs::read(root_dir.join(name)) else {
            let detail = format!("The file {:?} could not be read.", name.display().to_string());
            self.diagnostics.push(Diagnostic::error("Failed to read file", detail));
            return (settings, Vec::new());
        };
        let (body, _, diagnostics) = parse_named_file(self.sources, name, bytes);
        self.syntax.append(diagnostics);
        settings.required_versions = self.early_settings(&body);
        let mut blocks = Vec::new();
        for block in self.content(&body, &FILE).blocks {
            match block.kind.as_str() {
                "terraform" => self.terraform(&block, &mut settings),
                "required_providers" => self.error(
                    "Invalid required_providers block",
                    "A \"required_providers\" block must be nested inside a \"terraform\" block.",
                    block.kind_range,
                ),
                _ => blocks.push(block),
            }
        }
        (settings, blocks)
    }
}

/// Reads a file in the syntax that its name tells: JSON if it ends in `.json`, else the native one.
pub fn parse_named_file(sources: &Sources, name: &Path, bytes: impl Into<Arc<[u8]>>) -> (Body, FileId, Diagnostics) {
    let parse =
        if name.extension().is_some_and(|extension| extension == "json") { parse_json_file } else { parse_file };
    parse(sources, name, bytes.into())
}

/// Reads the configuration in `root_dir` with all modules that `installed` knows.
///
/// The module tree is there, as far as it could be read, also when there are errors; it is `None` when the directory
/// cannot be read at all.
pub fn load_config(
    sources: &Sources,
    root_dir: &Path,
    installed: &ModuleManifest,
) -> (Option<Arc<Module>>, Diagnostics) {
    load_config_of(sources, root_dir, Path::new("."), installed)
}

/// Reads the configuration in `root_dir/dir`. Diagnostics name files from `root_dir`, where `installed` knows modules from.
pub fn load_config_of(
    sources: &Sources,
    root_dir: &Path,
    dir: &Path,
    installed: &ModuleManifest,
) -> (Option<Arc<Module>>, Diagnostics) {
    let (root, mut diagnostics) = load_module(sources, root_dir, dir, ModulePath::root());
    let Some(mut root) = root else { return (None, diagnostics) };
    // As Terraform: modules are not looked at before the root is without mistakes.
    if diagnostics.has_errors() {
        return (Some(Arc::new(root)), diagnostics);
    }
    let top = ModulePath::root();
    let mut loader = TreeLoader { sources, root_dir, installed, top: &top, diagnostics: Diagnostics::new() };
    loader.children(&mut root);
    diagnostics.append(loader.diagnostics);
    check_tree(&root, &mut diagnostics);
    (Some(Arc::new(root)), diagnostics)
}

fn check_tree(root: &Module, diagnostics: &mut Diagnostics) {
    diagnostics.append(check_provider_configurations(root));
    if !diagnostics.has_errors() {
        diagnostics.append(check_core_version(root));
    }
}

/// Reads a module that a run of a test names, as the root module of a configuration. `path` is where `installed` has it.
pub fn load_run_module(
    sources: &Sources,
    root_dir: &Path,
    installed: &ModuleManifest,
    path: &ModulePath,
    call: &ModuleCall,
) -> (Option<Arc<Module>>, Diagnostics) {
    let mut loader = TreeLoader { sources, root_dir, installed, top: path, diagnostics: Diagnostics::new() };
    let module = loader.called(ModulePath::root(), call);
    let mut diagnostics = loader.diagnostics;
    if let Some(module) = &module {
        check_tree(module, &mut diagnostics);
    }
    (module.map(Arc::new), diagnostics)
}

struct TreeLoader<'a> {
    sources: &'a Sources,
    root_dir: &'a Path,
    installed: &'a ModuleManifest,
    /// Where the manifest has the root.
    top: &'a ModulePath,
    diagnostics: Diagnostics,
}

impl TreeLoader<'_> {
    fn children(&mut self, module: &mut Module) {
        let mut children = BTreeMap::new();
        for call in module.calls.values() {
            if let Some(child) = self.child(module.path.child(call.name.clone()), call) {
                children.insert(call.name.clone(), Arc::new(child));
            }
        }
        module.children = children;
    }

    fn error(&mut self, summary: &str, detail: impl Into<String>, at: lang::Range) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(at));
    }

    /// A module that is called by another one.
    fn child(&mut self, path: ModulePath, call: &ModuleCall) -> Option<Module> {
        let child = self.called(path, call)?;
        if let Some(backend) = &child.backend
            && backend.kind != "cloud"
        {
            self.diagnostics.push(
                Diagnostic::warning(
                    "Backend configuration ignored",
                    "Any selected backend applies to the entire configuration, so Terraform expects provider \
                     configurations only in the root module.\n\nThis is a warning rather than an error because it's \
                     sometimes convenient to temporarily call a root module as a child module for testing purposes, \
                     but this backend configuration block will have no effect.",
                )
                .at(backend.range),
            );
        }
        if let Some(import) = child.imports.first() {
            let detail = format!(
                "An import block was detected in {:?}. Import blocks are only allowed in the root module.",
                child.path.to_string()
            );
            self.error("Invalid import configuration", detail, import.range);
        }
        Some(child)
    }

    fn called(&mut self, path: ModulePath, call: &ModuleCall) -> Option<Module> {
        const INIT: &str = "Run \"terraform init\" to install all modules required by this configuration.";
        let installed = ModulePath(self.top.0.iter().chain(path.0.iter()).cloned().collect());
        let Some(record) = self.installed.get(&installed) else {
            self.error("Module not installed", format!("This module is not yet installed. {INIT}"), call.range);
            return None;
        };
        if call.address.as_ref().is_some_and(|address| address.to_string() != record.source) {
            self.error(
                "Module source has changed",
                format!("The source address was changed since this module was installed. {INIT}"),
                call.source.range,
            );
        }
        let constraints: Option<Constraints> = call.version.as_ref().and_then(|v| v.value.parse().ok());
        if let Some(constraints) = constraints {
            let installed: Option<Version> = record.version.as_ref().and_then(|v| v.parse().ok());
            let which = record.version.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
            if !installed.is_some_and(|version| constraints.allow(&version)) {
                self.error(
                    "Module version requirements have changed",
                    format!(
                        "The version requirements have changed since this module was installed and the installed \
                         version{which} is no longer acceptable. {INIT}"
                    ),
                    call.source.range,
                );
            }
        }
        let (child, diagnostics) = load_module(self.sources, self.root_dir, &record.dir, path);
        let Some(mut child) = child else {
            let detail =
                format!("This module's local cache directory {} could not be read. {INIT}", record.dir.display());
            self.error("Module not installed", detail, call.range);
            return None;
        };
        self.diagnostics.append(diagnostics);
        self.children(&mut child);
        Some(child)
    }
}

/// Checks `required_version` of all modules against the version whose language this is.
pub fn check_core_version(root: &Module) -> Diagnostics {
    let mut diagnostics = check_module_version(root, None);
    check_called_versions(root, &mut diagnostics);
    diagnostics
}

fn check_called_versions(caller: &Module, diagnostics: &mut Diagnostics) {
    for (name, module) in &caller.children {
        diagnostics.append(check_module_version(module, caller.calls.get(name)));
        check_called_versions(module, diagnostics);
    }
}

/// The same of one module; a call is there of all but the root.
pub(crate) fn check_module_version(module: &Module, call: Option<&ModuleCall>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let version = crate::TERRAFORM_VERSION;
    let Ok(current) = version.parse::<Version>() else { return diagnostics };
    for required in &module.required_versions {
        let Ok(constraints) = required.value.parse::<Constraints>() else { continue };
        if constraints.name_prerelease() {
            let detail = format!(
                "Prerelease version constraints are not supported: {}. Remove the prerelease information from the \
                 constraint. Prerelease versions of terraform will match constraints using the version core only.",
                required.value
            );
            diagnostics.push(Diagnostic::error("Invalid required_version constraint", detail).at(required.range));
        } else if !constraints.allow(&current) {
            let source = call.and_then(|call| call.address.as_ref());
            let who = match source {
                Some(source) => format!("Module {} (from {source})", module.path),
                None => "This configuration".to_owned(),
            };
            let detail = format!(
                "{who} does not support Terraform version {version}. To proceed, either choose another supported \
                 Terraform version or update this version constraint. Version constraints are normally set for good \
                 reason, so updating the constraint may lead to other errors or unexpected behavior."
            );
            diagnostics.push(Diagnostic::error("Unsupported Terraform Core version", detail).at(required.range));
        }
    }
    diagnostics
}

/// The problems of a module, or only that this is not the version it is for: they may come from a newer language.
pub fn version_or(module: &Module, call: Option<&ModuleCall>, problems: Diagnostics) -> Diagnostics {
    let versions = check_module_version(module, call);
    if versions.has_errors() { versions } else { problems }
}

/// Inserts under a key; what is there already is given back.
pub(crate) fn insert_new<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Option<&V> {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
            None
        }
        Entry::Occupied(occupied) => Some(occupied.into_mut()),
    }
}

/// The file of the manifest under a data directory.
pub fn manifest_path(data_dir: &Path) -> PathBuf {
    data_dir.join("modules").join("modules.json")
}

#[cfg(test)]
mod tests {
    use lang::addr::Resource;

    use super::*;
    use crate::install::{InstallProgress, Installation, install_modules};
    use crate::packages::NoPackages;

    struct Silent;

    impl InstallProgress for Silent {
        fn downloading(&mut self, _: &str, _: Option<&str>, _: &str) {}

        fn installed(&mut self, _: &str, _: &Path) {}
    }

    /// The tree of some files and what was said of it.
    fn load(files: &[(&str, &str)]) -> (Arc<Module>, Vec<String>) {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            std::fs::write(file, text).expect("a file");
        }
        let sources = Sources::new();
        let (root, _) = load_module(&sources, dir.path(), Path::new("."), ModulePath::root());
        let root = root.expect("a root module");
        let installation = Installation {
            sources: &sources,
            root_dir: dir.path(),
            modules_dir: Path::new("modules"),
            known: ModuleManifest::default(),
            upgrade: false,
            packages: &NoPackages,
            tests: &[],
        };
        let (manifest, _) = futures::executor::block_on(install_modules(installation, root, &mut Silent));
        let (module, diagnostics) = load_config(&sources, dir.path(), &manifest);
        let summaries = diagnostics.iter().map(|d| d.summary().to_owned()).collect();
        (module.expect("a module"), summaries)
    }

    #[test]
    fn override_files_are_merged_by_argument_and_block_type() {
        let (module, problems) = load(&[
            (
                "main.tf",
                "provider \"aws\" {\n  region = \"a\"\n  profile = \"p\"\n  endpoints {\n    s3 = \"x\"\n  }\n}\n",
            ),
            ("zz_override.tf", "provider \"aws\" {\n  region = \"b\"\n  endpoints {\n    ec2 = \"y\"\n  }\n}\n"),
            (".hidden.tf", "nonsense"),
            ("backup.tf~", "nonsense"),
        ]);
        assert_eq!(problems, [""; 0]);
        let provider = module.providers.values().next().expect("a provider");
        let lang::ast::Body::Native(body) = &provider.body else { panic!("native") };
        let names: Vec<&str> = body.attributes.iter().map(|a| a.name.as_str()).collect();
        assert_eq!((names, body.blocks.len()), (vec!["profile", "region"], 1));
    }

    #[test]
    fn provider_configurations_are_passed_and_inherited() {
        let child = "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n      \
                     configuration_aliases = [aws.peer]\n    }\n  }\n}\nresource \"aws_vpc\" \"a\" {\n  provider = \
                     aws.peer\n}\nresource \"aws_vpc\" \"b\" {}\n";
        let root = "provider \"aws\" {\n  alias = \"west\"\n  region = \"w\"\n}\nmodule \"net\" {\n  source = \
                    \"./net\"\n  providers = {\n    aws.peer = aws.west\n  }\n}\n";
        let (root, problems) = load(&[("main.tf", root), ("net/main.tf", child)]);
        assert_eq!(problems, [""; 0]);
        let path = ModulePath::root().child("net");
        let config = |name: &str| {
            let net = root.descendant(&path).expect("a module");
            let resource = net.resources.get(&Resource::managed("aws_vpc", name)).expect("a resource");
            root.provider_config_for(&path, resource).expect("a configuration").to_string()
        };
        assert_eq!(config("a"), "provider[\"registry.terraform.io/hashicorp/aws\"].west");
        assert_eq!(config("b"), "provider[\"registry.terraform.io/hashicorp/aws\"]");
    }
}
