//! Where tokens of hosts are kept: in the file that `login` writes, or by a helper program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value as Json, json};

use crate::cli_config::{CliConfig, CredentialsHelper};
use crate::io::{Environment, reason};

/// Where the token of a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a file that the user writes: not to be touched.
    ByHand,
    /// In the file that `login` writes.
    File,
    /// With the helper.
    Helper,
    /// Nowhere.
    Nowhere,
}

/// The tokens of a user.
pub struct TokenStore<'c> {
    config: &'c CliConfig,
    home: Option<PathBuf>,
}

impl<'c> TokenStore<'c> {
    /// The store that environment and configuration name.
    pub fn new(environment: &Environment, config: &'c CliConfig) -> TokenStore<'c> {
        TokenStore { config, home: environment.get("HOME").map(PathBuf::from) }
    }

    /// The file that `login` writes.
    pub fn file(&self) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".terraform.d/credentials.tfrc.json"))
    }

    /// The name of the helper.
    pub fn helper(&self) -> Option<&str> {
        self.config.helper.as_ref().map(|helper| helper.kind.as_str())
    }

    /// Where the token of a host is, or would be.
    pub fn location(&self, host: &str) -> Location {
        if self.config.written_by_hand.contains(host) {
            Location::ByHand
        } else if self.config.tokens.contains_key(host) {
            Location::File
        } else if self.config.helper.is_some() {
            Location::Helper
        } else {
            Location::Nowhere
        }
    }

    /// The token that the helper has.
    pub fn token(&self, host: &str) -> Option<String> {
        let helper = self.config.helper.as_ref()?;
        let answer: Json = serde_json::from_str(&self.ask(helper, "get", host, None).ok()?).ok()?;
        answer.get("token").and_then(Json::as_str).map(str::to_owned)
    }

    /// Keeps a token.
    ///
    /// # Errors
    /// A sentence that says why it can't be kept, without it.
    pub fn store(&self, host: &str, token: &str) -> Result<(), String> {
        match (self.location(host), &self.config.helper) {
            (Location::Helper, Some(helper)) => {
                self.ask(helper, "store", host, Some(&json!({ "token": token }).to_string())).map(drop)
            }
            _ => self.rewrite(host, Some(token)),
        }
    }

    /// Forgets the token of a host.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn forget(&self, host: &str) -> Result<(), String> {
        match (self.location(host), &self.config.helper) {
            (Location::Helper, Some(helper)) => self.ask(helper, "forget", host, None).map(drop),
            _ => self.rewrite(host, None),
        }
    }

    /// Puts a token into the file, or takes it out. What else is in the file stays.
    fn rewrite(&self, host: &str, token: Option<&str>) -> Result<(), String> {
        let file = self.file().ok_or("unable to determine credentials file path: HOME is not set")?;
        let unreadable = |why: String| format!("cannot read {}: {why}", file.display());
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(reason(&error))),
        };
        let mut document: Map<String, Json> = match text.trim() {
            "" => Map::new(),
            // The parser's message could quote a token.
            text => serde_json::from_str(text).map_err(|_| unreadable("it is not valid JSON".to_owned()))?,
        };
        let entries = document.entry("credentials").or_insert_with(|| Json::Object(Map::new()));
        let entries = entries.as_object_mut().ok_or_else(|| {
            let file = file.display();
            format!("credentials file {file} has invalid value for \"credentials\" property: must be a JSON object")
        })?;
        entries.retain(|given, _| !given.eq_ignore_ascii_case(host));
        if let Some(token) = token {
            entries.insert(host.to_owned(), json!({ "token": token }));
        }
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        replace(&file, &text).map_err(|error| format!("cannot write {}: {}", file.display(), reason(&error)))
    }

    /// Asks the helper; what it answers.
    fn ask(&self, helper: &CredentialsHelper, verb: &str, host: &str, input: Option<&str>) -> Result<String, String> {
        let name = format!("terraform-credentials-{}", helper.kind);
        let program = self.find(&name).ok_or_else(|| format!("the credentials helper {name} is not installed"))?;
        let failed =
            |error: &std::io::Error| format!("the credentials helper {name} could not be run: {}", reason(error));
        let mut command = Command::new(program);
        command.args(&helper.arguments).args([verb, host]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that doesn't read says by its status what came of it.
            let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(&error))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the credentials helper {name} failed: {}", told.trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The helper in the folders of plugins.
    fn find(&self, name: &str) -> Option<PathBuf> {
        let plugins = self.home.as_ref()?.join(".terraform.d/plugins");
        let of_platform = plugins.join(crate::commands::version::platform());
        [plugins, of_platform].into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    }
}

/// Replaces a file at once by one that its owner alone can read.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Readable by its owner alone from the start, as all such files are.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}
