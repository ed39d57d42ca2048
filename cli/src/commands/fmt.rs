//! `fmt`

use std::path::{Path, PathBuf};

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};
use similar::TextDiff;

use super::Exit;
use crate::session::Session;

/// Rewrites all Terraform configuration files to a canonical format. All configuration files (.tf), variables files
/// (.tfvars), and testing files (.tftest.hcl) are updated. JSON files (.tf.json, .tfvars.json, or .tftest.json) are not
/// modified.
#[derive(Debug, clap::Parser)]
pub struct FmtArgs {
    /// Don't list files whose formatting differs (always disabled if using STDIN).
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub list: bool,
    /// Don't write to source files (always disabled if using STDIN or -check).
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub write: bool,
    /// Display diffs of formatting changes.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub diff: bool,
    /// Check if the input is formatted. Exit status will be 0 if all input is properly formatted and non-zero otherwise.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub check: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Also process files in subdirectories. By default, only the given directory (or current directory) is processed.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub recursive: bool,
    /// Files and directories; `-` is the standard input.
    pub target: Vec<String>,
}

/// Endings of the files that are formatted.
const EXTENSIONS: [&str; 4] = [".tf", ".tfvars", ".tftest.hcl", ".tfmock.hcl"];

/// Runs the command.
pub fn run(session: &Session, args: &FmtArgs) -> Exit {
    let from_stdin = args.target.first().is_some_and(|target| target == "-");
    let show = args.list && !from_stdin;
    let mut run = Run {
        session,
        list: show || args.check,
        write: args.write && !from_stdin && !args.check,
        diff: args.diff,
        recursive: args.recursive,
        output: String::new(),
        diagnostics: Diagnostics::new(),
    };
    if from_stdin {
        let bytes = session.ui.read_all();
        run.source("<stdin>", None, &bytes);
    } else if args.target.is_empty() {
        run.directory(Path::new("."));
    } else {
        for target in &args.target {
            if !run.target(target) {
                break;
            }
        }
    }
    // Like Terraform, a check says nothing of what it found beside an error.
    if !args.check || (show && !run.diagnostics.has_errors()) {
        session.ui.print(&run.output);
    }
    session.show(&run.diagnostics);
    if run.diagnostics.has_errors() {
        Exit::Unreadable
    } else if args.check && !run.output.is_empty() {
        Exit::Unformatted
    } else {
        Exit::Success
    }
}

struct Run<'a> {
    session: &'a Session,
    list: bool,
    write: bool,
    diff: bool,
    recursive: bool,
    output: String,
    diagnostics: Diagnostics,
}

impl Run<'_> {
    fn error(&mut self, summary: String) {
        self.diagnostics.push(Diagnostic::error(summary, ""));
    }

    /// Whether there is such a file or folder: the next one is only looked at then.
    fn target(&mut self, target: &str) -> bool {
        let path = Path::new(target);
        if path.is_dir() {
            self.directory(path);
        } else if !path.exists() {
            self.error(format!("No file or directory at {target}"));
            return false;
        } else if EXTENSIONS.iter().any(|extension| target.ends_with(extension)) {
            self.file(path.strip_prefix(".").unwrap_or(path));
        } else {
            self.error("Only .tf, .tfvars, and .tftest.hcl files can be processed with terraform fmt".to_owned());
        }
        true
    }

    fn directory(&mut self, path: &Path) {
        // The working directory itself is shown as nothing, yet read as what it is.
        let listed = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let entries = match std::fs::read_dir(listed) {
            Ok(entries) => entries,
            Err(_) => return self.error(format!("Cannot read directory {}", path.display())),
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        let is_backup = |name: &str| name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'));
        for name in names.iter().filter(|name| !name.starts_with('.') && !is_backup(name)) {
            let path: PathBuf = path.strip_prefix(".").unwrap_or(path).join(name);
            if path.is_dir() {
                if self.recursive {
                    self.directory(&path);
                }
            } else if EXTENSIONS.iter().any(|extension| name.ends_with(extension)) {
                self.file(&path);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        match std::fs::read(path) {
            Ok(bytes) => self.source(&path.display().to_string(), Some(path), &bytes),
            Err(error) => self.error(format!("Failed to read {}: {error}", path.display())),
        }
    }

    fn source(&mut self, name: &str, path: Option<&Path>, bytes: &[u8]) {
        let (_, _, diagnostics) = lang::syntax::parse_file(&self.session.sources, Path::new(name), bytes.to_vec());
        if diagnostics.has_errors() {
            self.diagnostics.append(diagnostics);
            return;
        }
        let formatted = lang::syntax::format(bytes);
        if formatted != bytes {
            if self.list {
                self.output.push_str(&format!("{name}\n"));
            }
            if let (true, Some(path)) = (self.write, path)
                && let Err(error) = std::fs::write(path, &formatted)
            {
                self.error(format!("Failed to write {name}: {error}"));
            }
            if self.diff {
                let (old, new) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(&formatted));
                let diff = TextDiff::from_lines(old.as_ref(), new.as_ref());
                let (old, new) = (format!("old/{name}"), format!("new/{name}"));
                self.output.push_str(&diff.unified_diff().header(&old, &new).to_string());
            }
        }
        if !self.list && !self.write && !self.diff {
            self.output.push_str(&String::from_utf8_lossy(&formatted));
            if !formatted.ends_with(b"\n") {
                self.output.push('\n');
            }
        }
    }
}
