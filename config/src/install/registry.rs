//! Modules of a registry: which version, and from where.

use std::path::{Path, PathBuf};

use lang::Diagnostic;

use super::{Installer, subdirectory};
use crate::module::ModuleCall;
use crate::module_source::RegistrySource;
use crate::packages::PackageError;
use crate::remote_source::RemoteSource;
use crate::version::{Constraints, Version};

const ACCESS: &str = "Error accessing remote module registry";
const INVALID: &str = "Invalid response from remote module registry";

impl Installer<'_> {
    /// The newest version that the call allows.
    pub(super) async fn select_version(&mut self, call: &ModuleCall, module: &RegistrySource) -> Option<String> {
        let (name, place, host) = (&call.name, self.place(call), &module.host);
        let package = module.package();
        let known = self.versions.get(&package).cloned();
        let offered = match known {
            Some(offered) => offered,
            None => match self.setup.packages.versions(module).await {
                Ok(offered) => self.versions.entry(package.clone()).or_insert(offered).clone(),
                Err(error) => {
                    let (summary, detail) = match error {
                        PackageError::NotFound => (
                            "Module not found",
                            format!("Module {name:?} (from {place}) cannot be found in the module registry at {host}."),
                        ),
                        PackageError::InvalidResponse => (
                            INVALID,
                            format!(
                                "The registry at {host} returned an invalid response when Terraform requested available \
                                 versions for module {name:?} ({place})."
                            ),
                        ),
                        other => (
                            ACCESS,
                            format!(
                                "Failed to retrieve available versions for module {name:?} ({place}) from {host}: {other}."
                            ),
                        ),
                    };
                    self.error(summary, detail, call);
                    return None;
                }
            },
        };
        let constraints: Constraints = match &call.version {
            Some(version) => version.value.parse().ok()?,
            None => Constraints::default(),
        };
        let mut newest: Option<Version> = None;
        let mut chosen: Option<Version> = None;
        for text in &offered {
            let Ok(version) = text.parse::<Version>() else {
                let detail = format!(
                    "The registry at {host} returned an invalid version string {text:?} for module {name:?} ({place}), which \
                     Terraform ignored."
                );
                self.diagnostics.push(Diagnostic::warning(INVALID, detail).at(call.range));
                continue;
            };
            // A prerelease is taken only where it is asked for by its exact name.
            if version.is_prerelease() && !constraints.name_exactly(&version) {
                continue;
            }
            if constraints.allow(&version) && chosen.as_ref().is_none_or(|chosen| version > *chosen) {
                chosen = Some(version.clone());
            }
            if newest.as_ref().is_none_or(|newest| version > *newest) {
                newest = Some(version);
            }
        }
        let (summary, detail) = match (chosen, newest) {
            (Some(chosen), _) => return Some(chosen.to_string()),
            (None, None) => {
                ("Module has no versions", format!("Module {package:?} ({place}) has no versions available on {host}."))
            }
            (None, Some(newest)) => (
                "Unresolvable module version constraint",
                format!(
                    "There is no available version of module {package:?} ({place}) which matches the given version \
                     constraint. The newest available version is {newest}."
                ),
            ),
        };
        self.error(summary, detail, call);
        None
    }

    /// Downloads the package of a version and finds the module's directory in it.
    pub(super) async fn registry_package(
        &mut self,
        call: &ModuleCall,
        module: &RegistrySource,
        version: &str,
        key: &str,
        folder: &Path,
    ) -> Option<PathBuf> {
        let package = module.package();
        self.progress.downloading(&package, Some(version), key);
        let location = self.location(module, &package, version).await?;
        self.download(call, &location.package, folder).await?;
        let parts: Vec<&str> = location.subdirectory.iter().chain(&module.subdirectory).map(String::as_str).collect();
        let wanted = parts.join("/");
        match subdirectory::expand(self.setup.root_dir, folder, &wanted) {
            Ok(dir) => Some(dir),
            Err(_) => {
                let detail = format!(
                    "The directory {} does not exist. The target submodule {wanted} does not exist within the target module.",
                    folder.join(&wanted).display()
                );
                self.diagnostics.push(Diagnostic::error("Unreadable module subdirectory", detail));
                None
            }
        }
    }

    async fn location(&mut self, module: &RegistrySource, package: &str, version: &str) -> Option<RemoteSource> {
        let known = (package.to_owned(), version.to_owned());
        if let Some(location) = self.locations.get(&known) {
            return Some(location.clone());
        }
        let host = &module.host;
        let (summary, detail) = match self.setup.packages.location(module, version).await {
            Ok(location) => {
                self.locations.insert(known, location.clone());
                return Some(location);
            }
            Err(PackageError::InvalidLocation { location, reason }) => (
                "Invalid package location from module registry",
                format!(
                    "Module registry {host} returned invalid source location {location:?} for {package} {version}: {reason}."
                ),
            ),
            Err(error) => {
                (ACCESS, format!("Failed to retrieve a download URL for {package} {version} from {host}: {error}"))
            }
        };
        self.diagnostics.push(Diagnostic::error(summary, detail));
        None
    }
}
