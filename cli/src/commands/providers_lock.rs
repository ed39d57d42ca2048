//! `providers lock`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ArgAction;
use config::lock_file::{LockFile, ProviderLock};
use config::provider_source::{display_source, parse_provider_source};
use config::version::{Constraints, Version};
use fetch::provider_packages::{DirectoryMirror, package_checksum};
use lang::addr::ProviderSource;
use lang::{Diagnostic, Diagnostics};
use net::Url;

use super::Exit;
use crate::requirements::{Requirement, canonical_constraints, requirements};
use crate::session::{Session, chain};

/// Write the checksums of provider packages to the dependency lock file, for Terraform: windlass has its providers built in.
/// Checksums come from the packages in a mirror; without one, only versions and constraints are written, and what the file
/// has already stays as it is.
#[derive(Debug, clap::Parser)]
pub struct ProvidersLockArgs {
    /// Take checksums from the packages in the given filesystem mirror directory.
    #[arg(long, value_name = "dir")]
    pub fs_mirror: Option<String>,
    /// Take checksums from the given network mirror (a base URL).
    #[arg(long, value_name = "url")]
    pub net_mirror: Option<String>,
    /// Choose a target platform to record package checksums for, instead of this one. May be given several times.
    #[arg(long, value_name = "os_arch", action = ArgAction::Append)]
    pub platform: Vec<String>,
    /// Accepted and ignored: nothing is installed.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub enable_plugin_cache: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
    /// The providers; all that the configuration requires unless given.
    pub providers: Vec<String>,
}

/// Where checksums come from.
enum Origin {
    /// Nowhere.
    Nowhere,
    Directory(PathBuf),
    Network(Url),
}

/// What is known of the packages of a provider's version.
struct Packages {
    version: Version,
    /// Checksums by platform.
    checksums: BTreeMap<String, Vec<String>>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &ProvidersLockArgs) -> Exit {
    match lock(session, args).await {
        Ok(warnings) => {
            session.show(&warnings);
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

async fn lock(session: &Session, args: &ProvidersLockArgs) -> Result<Diagnostics, Diagnostics> {
    let origin = origin(args)?;
    let platforms = platforms(&args.platform)?;
    let named = named(&args.providers)?;
    let (workspace, diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return Err(diagnostics) };
    let required = chosen(requirements(&workspace.config), &named)?;
    let unreadable =
        |error: &dyn std::error::Error| Diagnostic::error("Error loading dependency lock file", chain(error));
    let before = LockFile::read(Path::new(".")).map_err(|error| unreadable(&error))?.unwrap_or_default();
    let mut after = before.clone();
    let mut unknown = Vec::new();
    for (source, requirement) in &required {
        let locked = before.providers.get(source);
        let packages = find(session, &origin, source, requirement, locked, &platforms).await?;
        let entry = after.providers.entry(source.clone()).or_default();
        let constraints: Vec<&str> = requirement.constraints.iter().map(|c| c.value.as_str()).collect();
        entry.constraints = Some(canonical_constraints(&constraints)).filter(|text| !text.is_empty());
        let version = packages.version.to_string();
        if entry.version != version {
            *entry = ProviderLock { version, constraints: entry.constraints.take(), hashes: Vec::new() };
        }
        for platform in &platforms {
            let known = packages.checksums.get(platform).map(Vec::as_slice).unwrap_or_default();
            let what = record(entry, locked, known);
            let name = display_source(source);
            let version = &packages.version;
            session.ui.print(&match known.is_empty() {
                true => format!("- {name} {version} is part of this program; {what}\n"),
                false => format!(
                    "- Fetching {name} {version} for {platform}...\n- Retrieved {name} {version} for {platform} \
                     (unauthenticated)\n- Obtained {name} checksums for {platform}; {what}\n"
                ),
            });
        }
        if entry.hashes.is_empty() {
            unknown.push(display_source(source));
        }
    }
    let style = session.ui.style;
    let success = style.bold_green("Success!");
    if after == before {
        let rest = style.bold("Terraform has validated the lock file and found no need for changes.");
        session.ui.print(&format!("\n{success} {rest}\n"));
    } else {
        after.write(Path::new(".")).map_err(|error| unreadable(&error))?;
        let rest = style.bold("Terraform has updated the lock file.");
        session.ui.print(&format!(
            "\n{success} {rest}\n\nReview the changes in .terraform.lock.hcl and then commit to your\nversion control system to \
             retain the new checksums.\n\n"
        ));
    }
    Ok(no_checksums(&unknown))
}

/// Adds checksums to an entry; what is said of it.
fn record(entry: &mut ProviderLock, locked: Option<&ProviderLock>, known: &[String]) -> &'static str {
    let count = entry.hashes.len();
    entry.hashes.extend(known.iter().cloned());
    entry.hashes.sort();
    entry.hashes.dedup();
    match (known.is_empty(), locked, entry.hashes.len() > count) {
        (true, Some(_), _) => "what the lock file has of it stays as it is",
        (true, None, _) => "its version is now recorded in the lock file, without checksums",
        (_, None, _) => "This was a new provider and the checksums for this platform are now tracked in the lock file",
        (_, _, true) => "Additional checksums for this platform are now tracked in the lock file",
        _ => "All checksums for this platform were already tracked in the lock file",
    }
}

fn no_checksums(providers: &[String]) -> Diagnostics {
    if providers.is_empty() {
        return Diagnostics::new();
    }
    let list: String = providers.iter().map(|name| format!("\n  - {name}")).collect();
    let detail = format!(
        "windlass has its providers built in and installs no packages, so it knows no checksums of them. Terraform accepts the \
         lock file as it is and adds the checksums of what it installs. These providers have none yet:{list}\n\nTo record \
         checksums now, name the mirror that has the packages: windlass providers lock -fs-mirror=DIR"
    );
    Diagnostic::warning("Incomplete lock file information for providers", detail).into()
}

fn origin(args: &ProvidersLockArgs) -> Result<Origin, Diagnostic> {
    match (&args.fs_mirror, &args.net_mirror) {
        (Some(_), Some(_)) => {
            let detail = "The -fs-mirror and -net-mirror command line options are mutually-exclusive.";
            Err(Diagnostic::error("Invalid installation method options", detail))
        }
        (Some(directory), None) => Ok(Origin::Directory(PathBuf::from(directory))),
        (None, Some(url)) => match Url::parse(url) {
            Ok(url) if url.scheme() == "https" => Ok(Origin::Network(url)),
            _ => {
                let detail = "The -net-mirror option requires a valid https: URL as the mirror base URL.";
                Err(Diagnostic::error("Invalid network mirror URL", detail))
            }
        },
        (None, None) => Ok(Origin::Nowhere),
    }
}

/// The platforms asked for, or this one.
pub fn platforms(given: &[String]) -> Result<Vec<String>, Diagnostics> {
    let invalid = given.iter().filter(|platform| {
        let words: Vec<&str> = platform.split('_').collect();
        words.len() != 2 || words.iter().any(|word| word.is_empty())
    });
    let problems: Diagnostics = invalid
        .map(|platform| {
            let detail = format!(
                "The string {platform:?} given in the -platform option is not a valid target platform: must be two words \
                 separated by an underscore."
            );
            Diagnostic::error("Invalid target platform", detail)
        })
        .collect();
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(if given.is_empty() { vec![super::version::platform()] } else { given.to_vec() })
}

fn named(given: &[String]) -> Result<Vec<ProviderSource>, Diagnostic> {
    let parsed = given.iter().map(|text| parse_provider_source(text));
    parsed.collect::<Result<_, _>>().map_err(|(summary, detail)| Diagnostic::error(summary, detail))
}

/// What the configuration requires of the named providers, or of all.
fn chosen(
    mut required: BTreeMap<ProviderSource, Requirement>,
    named: &[ProviderSource],
) -> Result<BTreeMap<ProviderSource, Requirement>, Diagnostics> {
    required.remove(&ProviderSource::builtin());
    let strangers = named.iter().filter(|source| !required.contains_key(*source));
    let problems: Diagnostics = strangers
        .map(|source| {
            let detail = format!("The provider {source} is not required by the current configuration.");
            Diagnostic::error("Invalid provider argument", detail)
        })
        .collect();
    if problems.has_errors() {
        return Err(problems);
    }
    required.retain(|source, _| named.is_empty() || named.contains(source));
    Ok(required)
}

async fn find(
    session: &Session,
    origin: &Origin,
    source: &ProviderSource,
    requirement: &Requirement,
    locked: Option<&ProviderLock>,
    platforms: &[String],
) -> Result<Packages, Diagnostic> {
    let failed = |reason: String| {
        let platform = platforms.first().map(String::as_str).unwrap_or_default();
        let detail = format!(
            "Terraform failed to fetch the requested providers for {platform} in order to calculate their checksums: some \
             providers could not be installed:\n- {source}: {reason}."
        );
        Diagnostic::error("Could not retrieve providers for locking", detail)
    };
    let locked: Option<Version> = locked.and_then(|locked| locked.version.parse().ok());
    let choose = |available: Vec<Version>| choose(requirement, locked.clone(), available).map_err(failed);
    let missing = |version: &Version, platform: &String| {
        failed(format!("provider {source} {version} is not available for {platform}"))
    };
    let mut checksums = BTreeMap::new();
    let version = match origin {
        Origin::Nowhere => {
            let linked = session.providers.get(source).and_then(|provider| provider.version().parse().ok());
            choose(locked.clone().or(linked).into_iter().collect())?
        }
        Origin::Directory(folder) => {
            let mirror = DirectoryMirror::open(folder).map_err(|error| failed(chain(&error)))?;
            let packages = mirror.packages(source);
            let version = choose(packages.keys().cloned().collect())?;
            for platform in platforms {
                let package = packages.get(&version).and_then(|all| all.get(platform));
                let package = package.ok_or_else(|| missing(&version, platform))?;
                let checksum = package_checksum(package).map_err(|error| failed(chain(&error)))?;
                checksums.insert(platform.clone(), vec![checksum]);
            }
            version
        }
        Origin::Network(base) => {
            let fetcher = crate::downloads::fetcher(&session.environment);
            let available = fetcher.mirror_versions(base, source).await.map_err(|error| failed(chain(&error)))?;
            let version = choose(available)?;
            let archives = fetcher.mirror_archives(base, source, &version).await;
            let archives = archives.map_err(|error| failed(chain(&error)))?;
            for platform in platforms {
                let archive = archives.get(platform).ok_or_else(|| missing(&version, platform))?;
                checksums.insert(platform.clone(), archive.hashes.clone());
            }
            version
        }
    };
    Ok(Packages { version, checksums })
}

/// The version that is locked, or else the newest that will do.
fn choose(requirement: &Requirement, locked: Option<Version>, available: Vec<Version>) -> Result<Version, String> {
    let texts: Vec<&str> = requirement.constraints.iter().map(|c| c.value.as_str()).collect();
    let constraints: Vec<Constraints> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let fits = |version: &Version| constraints.iter().all(|constraint| constraint.allow(version));
    if let Some(locked) = locked {
        if !fits(&locked) {
            return Err(format!(
                "locked provider version {locked} does not match configured version constraint {}; must use terraform init \
                 -upgrade to allow selection of new versions",
                canonical_constraints(&texts)
            ));
        }
        if !available.contains(&locked) {
            return Err(format!("the previously-selected version {locked} is no longer available"));
        }
        return Ok(locked);
    }
    let release = |version: &&Version| fits(version) && !version.is_prerelease();
    let none = || match texts.is_empty() {
        true => "no available releases".to_owned(),
        false => format!("no available releases match the given constraints {}", canonical_constraints(&texts)),
    };
    available.iter().filter(release).max().cloned().ok_or_else(none)
}
