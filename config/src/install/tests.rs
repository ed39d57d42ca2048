use std::cell::RefCell;

use async_trait::async_trait;
use futures::executor::block_on;

use super::*;
use crate::module_source::RegistrySource;
use crate::packages::PackageError;

/// A registry of one module, whose package is made on the spot; it notes what is asked.
#[derive(Default)]
struct Fake {
    asked: RefCell<Vec<String>>,
}

#[async_trait(?Send)]
impl Packages for Fake {
    async fn versions(&self, module: &RegistrySource) -> Result<Vec<String>, PackageError> {
        self.asked.borrow_mut().push(format!("versions {}", module.package()));
        match module.name.as_str() {
            "net" => Ok(["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc1", "odd"].map(str::to_owned).to_vec()),
            "early" => Ok(vec!["0.1.0-alpha".to_owned()]),
            "empty" => Err(PackageError::InvalidResponse),
            "down" => Err(PackageError::Failed("connection refused".to_owned())),
            _ => Err(PackageError::NotFound),
        }
    }

    async fn location(&self, _: &RegistrySource, version: &str) -> Result<RemoteSource, PackageError> {
        self.asked.borrow_mut().push(format!("location {version}"));
        Ok(RemoteSource { package: format!("https://h/{version}.zip"), subdirectory: Some("*".to_owned()) })
    }

    async fn fetch(&self, package: &str, folder: &Path) -> Result<(), PackageError> {
        self.asked.borrow_mut().push(format!("fetch {package}"));
        if package.contains("broken") {
            return Err(PackageError::Failed("bad response code: 404".to_owned()));
        }
        let write = || {
            std::fs::create_dir_all(folder.join("top/sub"))?;
            std::fs::write(folder.join("top/main.tf"), "module \"in\" {\n  source = \"./sub\"\n}\n")?;
            std::fs::write(folder.join("top/sub/main.tf"), "")
        };
        write().map_err(|error| PackageError::Failed(error.to_string()))
    }
}

#[derive(Default)]
struct Log(Vec<String>);

impl InstallProgress for Log {
    fn downloading(&mut self, package: &str, version: Option<&str>, key: &str) {
        self.0.push(format!("{package} {} {key}", version.unwrap_or("-")));
    }

    fn installed(&mut self, key: &str, dir: &Path) {
        self.0.push(format!("{key} in {}", dir.display()));
    }
}

fn root(sources: &Sources, dir: &Path) -> Module {
    load_module(sources, dir, Path::new("."), ModulePath::root()).0.unwrap()
}

struct Case {
    dir: tempfile::TempDir,
    packages: Fake,
    known: ModuleManifest,
}

impl Case {
    fn new() -> Case {
        Case { dir: tempfile::tempdir().unwrap(), packages: Fake::default(), known: ModuleManifest::default() }
    }

    /// Installs a configuration; returns what was told, and the diagnostics.
    fn install(&mut self, text: &str, upgrade: bool) -> (Vec<String>, Vec<String>) {
        std::fs::write(self.dir.path().join("main.tf"), text).unwrap();
        self.packages.asked.borrow_mut().clear();
        let sources = Sources::new();
        let installation = Installation {
            sources: &sources,
            root_dir: self.dir.path(),
            modules_dir: Path::new(".terraform/modules"),
            known: self.known.clone(),
            upgrade,
            packages: &self.packages,
            tests: &[],
        };
        let mut log = Log::default();
        let (manifest, diagnostics) =
            block_on(install_modules(installation, root(&sources, self.dir.path()), &mut log));
        self.known = manifest;
        let told = diagnostics.iter().map(|d| format!("{}: {}", d.summary(), d.detail())).collect();
        (log.0, told)
    }
}

fn call(source: &str, version: &str) -> String {
    let version = if version.is_empty() { String::new() } else { format!("  version = \"{version}\"\n") };
    format!("module \"m\" {{\n  source = \"{source}\"\n{version}}}\n")
}

#[test]
fn registry_modules_in_the_newest_version_allowed() {
    let mut case = Case::new();
    let (log, told) = case.install(&call("example.com/a/net/aws//sub", "~> 1.0"), false);
    assert_eq!(log, ["example.com/a/net/aws 1.10.0 m", "m in .terraform/modules/m/top/sub"]);
    assert_eq!(told.len(), 1, "a warning of the odd version: {told:?}");
    let record = case.known.get(&ModulePath::root().child("m")).unwrap();
    assert_eq!((record.version.as_deref(), record.source.as_str()), (Some("1.10.0"), "example.com/a/net/aws//sub"));
}

#[test]
fn what_is_installed_is_kept_until_the_constraint_or_the_source_changes() {
    let mut case = Case::new();
    case.install(&call("example.com/a/net/aws", "1.0.0"), false);
    let (log, _) = case.install(&call("example.com/a/net/aws", "~> 1.0"), false);
    assert!(log.is_empty() && case.packages.asked.borrow().is_empty());
    let (log, _) = case.install(&call("example.com/a/net/aws", "~> 1.0"), true);
    assert_eq!(log.first().map(String::as_str), Some("example.com/a/net/aws 1.10.0 m"));
    let (log, _) = case.install(&call("example.com/a/net/aws", "< 1.10"), false);
    assert_eq!(log.first().map(String::as_str), Some("example.com/a/net/aws 1.2.0 m"));
    let (log, _) = case.install(&call("https://h/x.zip//top", ""), false);
    let expected = ["https://h/x.zip - m", "m in .terraform/modules/m/top", "m.in in .terraform/modules/m/top/sub"];
    assert_eq!(log, expected);
}

#[test]
fn prereleases_are_taken_by_exact_name_only() {
    let mut case = Case::new();
    let (log, _) = case.install(&call("example.com/a/net/aws", "2.0.0-rc1"), false);
    assert_eq!(log.first().map(String::as_str), Some("example.com/a/net/aws 2.0.0-rc1 m"));
    let (_, told) = case.install(&call("example.com/a/early/aws", ""), false);
    let expected = "Module has no versions: Module \"example.com/a/early/aws\" (main.tf:1) has no versions available on \
                    example.com.";
    assert_eq!(told, [expected]);
}

#[test]
fn refusals_name_the_module_and_its_place() {
    for (text, expected) in [
        (
            call("example.com/a/net/aws", ">= 3"),
            "Unresolvable module version constraint: There is no available version of \
          module \"example.com/a/net/aws\" (main.tf:1) which matches the given version constraint. The newest available \
          version is 1.10.0.",
        ),
        (
            call("example.com/a/nope/aws", ""),
            "Module not found: Module \"m\" (from main.tf:1) cannot be found in the module \
          registry at example.com.",
        ),
        (
            call("example.com/a/empty/aws", ""),
            "Invalid response from remote module registry: The registry at example.com \
          returned an invalid response when Terraform requested available versions for module \"m\" (main.tf:1).",
        ),
        (
            call("example.com/a/down/aws", ""),
            "Error accessing remote module registry: Failed to retrieve available \
          versions for module \"m\" (main.tf:1) from example.com: connection refused.",
        ),
        (
            call("https://h/broken.zip", ""),
            "Failed to download module: Could not download module \"m\" (main.tf:1) source \
          code from \"https://h/broken.zip\": bad response code: 404",
        ),
        (call("https://h/x.zip//nope", ""), "Failed to expand subdir globs: subdir \"nope\" not found"),
    ] {
        let (_, told) = Case::new().install(&text, false);
        assert_eq!(told.last().map(String::as_str), Some(expected));
    }
}

#[test]
fn mistakes_do_not_keep_modules_from_being_installed() {
    let mut case = Case::new();
    for (folder, text) in [("m", "module \"n\" {\n  source = \"../n\"\n}\nnope {}\n"), ("n", "")] {
        std::fs::create_dir(case.dir.path().join(folder)).unwrap();
        std::fs::write(case.dir.path().join(folder).join("main.tf"), text).unwrap();
    }
    let (_, told) = case.install(&(call("./m", "") + "output \"o\" {}\n"), false);
    assert_eq!(told, ["Unsupported block type: Blocks of type \"nope\" are not expected here."]);
    let keys: Vec<_> = case.known.records().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["", "m", "m.n"]);
}

#[test]
fn a_package_below_itself_is_refused() {
    struct Endless;

    #[async_trait(?Send)]
    impl Packages for Endless {
        async fn versions(&self, _: &RegistrySource) -> Result<Vec<String>, PackageError> {
            Err(PackageError::NotFound)
        }

        async fn location(&self, _: &RegistrySource, _: &str) -> Result<RemoteSource, PackageError> {
            Err(PackageError::NotFound)
        }

        async fn fetch(&self, _: &str, folder: &Path) -> Result<(), PackageError> {
            let write = || {
                std::fs::create_dir_all(folder)?;
                std::fs::write(folder.join("main.tf"), call("https://h/x.zip", ""))
            };
            write().map_err(|error| PackageError::Failed(error.to_string()))
        }
    }

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.tf"), call("https://h/x.zip", "")).unwrap();
    let sources = Sources::new();
    let installation = Installation {
        sources: &sources,
        root_dir: dir.path(),
        modules_dir: Path::new("modules"),
        known: ModuleManifest::default(),
        upgrade: false,
        packages: &Endless,
        tests: &[],
    };
    let (_, diagnostics) = block_on(install_modules(installation, root(&sources, dir.path()), &mut Log::default()));
    let summaries: Vec<&str> = diagnostics.iter().map(|d| d.summary()).collect();
    assert_eq!(summaries, ["Module calls itself"]);
}

/// As by Terraform: what else is wrong in it may come from a newer language.
#[test]
fn of_a_module_for_another_version_only_that_is_told() {
    let mut case = Case::new();
    std::fs::create_dir(case.dir.path().join("m")).unwrap();
    let module = |version: &str| {
        format!("terraform {{\n  required_version = \"{version}\"\n}}\nvariable \"x\" {{\n  new = 1\n}}\n")
    };
    std::fs::write(case.dir.path().join("m/main.tf"), module("> 99")).unwrap();
    let (_, told) = case.install(&call("./m", ""), false);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("Unsupported Terraform Core version: Module module.m (from ./m) does not"), "{told:?}");
    std::fs::write(case.dir.path().join("m/main.tf"), module("> 1")).unwrap();
    let (_, told) = case.install(&call("./m", ""), false);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("Unsupported argument"), "{told:?}");
}
