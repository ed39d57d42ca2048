//! `cargo xtask order`: which functions plans and applies run. The linker puts them side by side (`cli/build.rs`).
//!
//! What is mapped of a binary counts as memory of a run, in pieces of 64 KiB or more: where the three megabytes that a plan
//! runs are spread over the cloud SDKs' fifty, they take four times as much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use localstack_tests::{HarnessError, Tool, Workspace, workspace::repository};

use crate::bench::planner::{SHAPES, configure};
use crate::error::TaskError;
use crate::process;
use crate::stage::stage;

/// Record the functions that plans and applies run, for the order in which a release build is linked; takes valgrind
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// What is linked in order, in the repository.
const SCRIPT: &str = "cli/order.ld";
const RESOURCES: usize = 200;
/// From empty to empty.
const RUNS: &[&[&str]] = &[
    &["init"],
    &["validate"],
    &["plan", "-out=saved.plan"],
    &["show", "saved.plan"],
    &["apply", "saved.plan"],
    &["plan"],
    &["show"],
    &["apply", "-auto-approve", "-replace=terraform_data.r1"],
    &["plan", "-destroy"],
    &["apply", "-destroy", "-auto-approve"],
    &["apply", "-auto-approve"],
    &["destroy", "-auto-approve"],
];

/// Functions by the crates whose code they are in, both as patterns.
type Functions = BTreeMap<String, BTreeSet<String>>;

/// Runs the command.
pub fn run(_: &Arguments) -> Result<(), TaskError> {
    let folder = tempfile::tempdir().map_err(HarnessError::file(std::env::temp_dir()))?;
    let map = folder.path().join("windlass.map");
    let mut build = process::cargo(&["build", "--workspace", "--release"]);
    stage("build", || process::succeed(build.env("WINDLASS_LINK_MAP", &map)))?;
    let windlass = crate::bench::release_build()?;
    let sections = Sections::read(&map)?;
    let mut functions = Functions::new();
    for (name, shape) in SHAPES {
        let workspace = Workspace::offline()?;
        configure(&workspace, shape, RESOURCES)?;
        for arguments in RUNS {
            let trace = folder.path().join("trace");
            stage(&format!("{name}: {}", arguments.join(" ")), || trace_run(&windlass, &workspace, &trace, arguments))?;
            sections.collect(&read(&trace)?, &windlass.program().to_string_lossy(), &mut functions);
        }
    }
    let script = repository().join(SCRIPT);
    fs::write(&script, print(&functions)).map_err(HarnessError::file(&script))?;
    println!("{}: {} functions", SCRIPT, functions.values().map(BTreeSet::len).sum::<usize>());
    Ok(())
}

fn trace_run(windlass: &Tool, workspace: &Workspace, trace: &Path, arguments: &[&str]) -> Result<(), TaskError> {
    let valgrind = Tool::installed("valgrind").ok_or(TaskError::Missing("valgrind"))?;
    let (program, file) = (windlass.program().to_string_lossy(), format!("--callgrind-out-file={}", trace.display()));
    let options =
        ["--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--compress-strings=no", &file, &program];
    let outcome = workspace.run(&valgrind, &[&options, arguments].concat())?;
    if outcome.code == Some(0) {
        Ok(())
    } else {
        Err(TaskError::Failed { command: arguments.join(" "), status: outcome.text() })
    }
}

fn read(path: &Path) -> Result<String, TaskError> {
    fs::read_to_string(path).map_err(|error| HarnessError::file(path)(error).into())
}

/// Where the linker put the functions: each has a section of its own.
struct Sections(BTreeMap<u64, Section>);

struct Section {
    size: u64,
    file: String,
    name: String,
}

impl Sections {
    fn read(map: &Path) -> Result<Sections, TaskError> {
        Ok(Sections(read(map)?.lines().filter_map(section).collect()))
    }

    /// Adds the functions that a trace of callgrind has run: the lines of costs, which begin with addresses, behind a line that names the binary.
    fn collect(&self, trace: &str, program: &str, functions: &mut Functions) {
        let mut ours = false;
        for line in trace.lines() {
            if let Some(object) = line.strip_prefix("ob=") {
                ours = object == program;
            }
            let address = line.strip_prefix("0x").and_then(|rest| rest.split(' ').next());
            let Some(address) = address.and_then(|digits| u64::from_str_radix(digits, 16).ok()).filter(|_| ours) else {
                continue;
            };
            let Some((start, section)) = self.0.range(..=address).next_back() else { continue };
            if let Some(file) = file_pattern(&section.file).filter(|_| address < start + section.size) {
                functions.entry(file).or_default().insert(name_pattern(&section.name));
            }
        }
    }
}

/// `ADDRESS LOAD-ADDRESS SIZE ALIGNMENT FILE:(SECTION)`, the numbers in hexadecimal.
fn section(line: &str) -> Option<(u64, Section)> {
    let number = |word: Option<&str>| word.and_then(|word| u64::from_str_radix(word, 16).ok());
    let mut words = line.split_whitespace();
    let (address, _, size) = (number(words.next())?, words.next()?, number(words.next())?);
    let (file, name) = line.trim_end().strip_suffix(')')?.rsplit_once(":(")?;
    let file = file.rsplit_once(' ').map_or(file, |(_, file)| file);
    let section = Section { size, file: file.to_owned(), name: name.to_owned() };
    name.starts_with(".text.").then_some((address, section))
}

/// `…/libplanner-83a7ddae32178670.rlib(…)` is `*/libplanner-*`: the number is another with each version.
fn file_pattern(file: &str) -> Option<String> {
    let file = file.rsplit('/').next()?;
    let (name, _) = file.split_once('-')?;
    Some(format!("*/{name}-*"))
}

/// Leaves out what changes with versions of the compiler and of crates: the hash at the end of a name, that of a module, and
/// in names of the second kind those of crates.
fn name_pattern(name: &str) -> String {
    let name = name.split_once(".llvm.").map_or(name, |(name, _)| name);
    if let Some((path, _)) = name.rsplit_once("17h").filter(|(path, hash)| path.contains("._ZN") && hash.len() == 17) {
        return format!("{path}17h*");
    }
    let mut pattern = String::new();
    let mut rest = name;
    while let Some((before, crate_hash)) = rest.split_once("Cs") {
        let after = crate_hash.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        pattern.push_str(before);
        pattern.push_str(if after.starts_with('_') { "Cs*" } else { "Cs" });
        rest = if after.starts_with('_') { after } else { crate_hash };
    }
    pattern.push_str(rest);
    pattern.push('*');
    pattern
}

fn print(functions: &Functions) -> String {
    let mut script = "/* Written by `cargo xtask order`: the functions that plans and applies run. */\n".to_owned();
    script.push_str("OVERWRITE_SECTIONS\n{\n  .text : {\n");
    for (file, names) in functions {
        let _ = writeln!(script, "    {file}(");
        for name in names {
            let _ = writeln!(script, "      {name}");
        }
        script.push_str("    )\n");
    }
    script.push_str("    *(.text .text.*)\n  }\n}\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "     VMA      LMA     Size Align Out     In      Symbol
  1a628c0  1a628c0  29764c7    64 .text
  1a628c0  1a628c0       20    16         /t/deps/liblang-0123456789abcdef.rlib(lang.1.rcgu.o):(.text._ZN4lang4eval3Env4eval17h5f697c5ee8ad1a0fE.llvm.123)
  1a628c0  1a628c0       20     1                 _ZN4lang4eval3Env4eval17h5f697c5ee8ad1a0fE
  1a628f0  1a628f0       10    16         /t/deps/windlass-0123456789abcdef.windlass.cgu.0.o:(.text._RNvCsAb1_4core3fooCs9_3std)
  1a62900  1a62900       10    16         /usr/lib/crt1.o:(.text.start)
";

    #[test]
    fn the_functions_that_ran_are_named_without_hashes() {
        let sections = Sections(MAP.lines().filter_map(section).collect());
        let mut functions = Functions::new();
        let trace = "ob=/lib/libc.so\n0x1a628f0 0 1\nob=/t/windlass\nfn=x\n0x1a628d0 0 1\n0x1a628e4 0 1\n0x1a628f1 5 1\n0x1a62901 0 1\n";
        sections.collect(trace, "/t/windlass", &mut functions);
        let expected = "/* Written by `cargo xtask order`: the functions that plans and applies run. */
OVERWRITE_SECTIONS
{
  .text : {
    */liblang-*(
      .text._ZN4lang4eval3Env4eval17h*
    )
    */windlass-*(
      .text._RNvCs*_4core3fooCs*_3std*
    )
    *(.text .text.*)
  }
}
";
        assert_eq!(print(&functions), expected);
    }

    #[test]
    fn only_what_ran_in_the_binary_counts() {
        let sections = Sections(MAP.lines().filter_map(section).collect());
        let mut functions = Functions::new();
        sections.collect("ob=/lib/libc.so\n0x1a628c0 0 1\n", "/t/windlass", &mut functions);
        assert!(functions.is_empty());
    }
}
