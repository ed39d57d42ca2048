//! Random configurations, applied, changed and planned: both tools must show and store the same.

use std::path::Path;

use serde_json::Value as Json;

use crate::random::Random;
use crate::stacks::{Generator, MODULES, VARIABLES};
use crate::tools::{BOTH, Tool, first_difference};

/// A configuration and its module.
struct Files<'a> {
    root: String,
    module: &'a str,
}

impl Files<'_> {
    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("main.tf"), &self.root).unwrap();
        std::fs::create_dir_all(folder.join("module")).unwrap();
        std::fs::write(folder.join("module/main.tf"), self.module).unwrap();
    }
}

/// Without the lines whose order is left to chance, or with them in order.
fn ordered(text: &str) -> String {
    let by_chance = [": Refreshing state...", ": Reading...", ": Read complete"];
    let mut lines: Vec<&str> =
        text.lines().filter(|line| !by_chance.iter().any(|words| line.contains(words))).collect();
    for forgotten in lines.chunk_by_mut(|a, b| a.starts_with(" - ") && b.starts_with(" - ")) {
        forgotten.sort_unstable();
    }
    lines.join("\n")
}

/// What a tool makes of a changed configuration: the text of its plan, the plan itself, and the state after its apply (null
/// if that failed).
struct Seen {
    text: String,
    plan: Json,
    state: Json,
}

fn look(tool: Tool, folder: &Path, options: &[String]) -> Seen {
    let mut arguments = vec!["plan", "-no-color", "-input=false", "-out=plan"];
    arguments.extend(options.iter().map(String::as_str));
    let (output, errors) = tool.run_with_errors(folder, &arguments);
    // Which of several errors comes first is left to chance.
    // So is where the telling of a circle begins.
    let brief = |line| if str::starts_with(line, "Error: Cycle: ") { "Error: Cycle" } else { line };
    let mut errors: Vec<&str> = errors.lines().map(brief).collect();
    errors.sort_unstable();
    let text = format!("{}\n{}", ordered(&output), errors.join("\n"));
    if !folder.join("plan").exists() {
        return Seen { text, plan: Json::Null, state: Json::Null };
    }
    let mut plan = tool.show(folder);
    plan["timestamp"] = Json::Null;
    sort(&mut plan["relevant_attributes"]);
    let applied = tool.run(folder, &["apply", "-no-color", "-input=false", "plan"]).contains("Apply complete!");
    let state = std::fs::read_to_string(folder.join("terraform.tfstate")).unwrap();
    let mut state: Json = serde_json::from_str(&state).unwrap();
    without_ids(&mut state);
    // How often a state is stored on the way is not for others to see.
    state["serial"] = Json::Null;
    let results = state["check_results"].as_array_mut().into_iter().flatten();
    results.for_each(|result| sort(&mut result["objects"]));
    sort(&mut state["check_results"]);
    for resource in state["resources"].as_array_mut().into_iter().flatten() {
        let instances = resource["instances"].as_array_mut().into_iter().flatten();
        instances.for_each(|instance| sort(&mut instance["sensitive_attributes"]));
    }
    let state = if applied { state } else { Json::Null };
    Seen { text, plan, state }
}

/// In an order that does not depend on the tool.
fn sort(list: &mut Json) {
    if let Some(items) = list.as_array_mut() {
        items.sort_by_cached_key(ToString::to_string);
    }
}

/// Ids that the tools make up.
fn without_ids(node: &mut Json) {
    match node {
        Json::String(text) if text.len() >= 36 => {
            let is_id = |word: &str| word.len() == 36 && word.bytes().filter(|b| *b == b'-').count() == 4;
            let words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
            *text = words
                .map(|word| match word.char_indices().nth(36) {
                    Some((at, _)) if is_id(&word[..at]) => format!("ID{}", &word[at..]),
                    None if is_id(word) => "ID".to_owned(),
                    _ => word.to_owned(),
                })
                .collect();
        }
        Json::Array(items) => items.iter_mut().for_each(without_ids),
        Json::Object(entries) => entries.values_mut().for_each(without_ids),
        _ => {}
    }
}

fn first_line_that_differs(want: &str, got: &str) -> Option<String> {
    let (mut want, mut got) = (want.lines(), got.lines());
    loop {
        match (want.next(), got.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => return Some(format!("want {a:?}\n   got {b:?}")),
        }
    }
}

fn compare(before: &Files<'_>, after: &Files<'_>, options: &[String]) -> Option<String> {
    let first = tempfile::tempdir().unwrap();
    before.write(first.path());
    // Modules are installed once: windlass reads what Terraform has written.
    Tool::Terraform.run(first.path(), &["init", "-no-color", "-input=false"]);
    Tool::Terraform.run(first.path(), &["apply", "-no-color", "-input=false", "-auto-approve"]);
    let state = std::fs::read(first.path().join("terraform.tfstate")).ok()?;
    let [want, got] = BOTH.map(|tool| {
        let folder = tempfile::tempdir().unwrap();
        after.write(folder.path());
        std::fs::write(folder.path().join("terraform.tfstate"), &state).unwrap();
        tool.run(folder.path(), &["init", "-no-color", "-input=false"]);
        look(tool, folder.path(), options)
    });
    // Terraform trips over postconditions of what is not there, and over a trigger without instances.
    if ["Error: Invalid index", "Error: no change found for"].iter().any(|trip| want.text.contains(trip)) {
        return None;
    }
    let difference = first_line_that_differs(&want.text, &got.text)
        .map(|line| format!("{line}\n--- want\n{}\n--- got\n{}", want.text, got.text))
        .or_else(|| first_difference("plan", &want.plan, &got.plan))
        // Terraform makes a circle of some replacements, and gives up.
        .or_else(|| if want.state.is_null() { None } else { first_difference("state", &want.state, &got.state) })?;
    let (was, root, module) = (&before.root, &after.root, after.module);
    Some(format!("--- before\n{was}\n--- after\n{root}\n--- module\n{module}\n--- {options:?}\n{difference}"))
}

#[test]
fn changes_are_shown_and_stored_alike() {
    let Some((cases, seed)) = crate::volume(40) else { return };
    let mut differences = Vec::new();
    for case in 0..cases as u64 {
        let mut generator = Generator { random: Random::new(seed.wrapping_mul(1_000_003).wrapping_add(case)) };
        let before = generator.stack();
        let after = generator.next(&before);
        let options = generator.options(&after);
        let module = generator.random.pick(&[MODULES[0], MODULES[0], MODULES[0], MODULES[1], MODULES[2]]);
        let before = Files { root: before.text(VARIABLES[0]), module: MODULES[0] };
        let after = Files { root: after.text(VARIABLES[generator.random.below(2)]), module };
        differences.extend(compare(&before, &after, &options).map(|difference| format!("case {case}\n{difference}")));
    }
    crate::report(&differences);
}
