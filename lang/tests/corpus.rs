//! Evaluates a recorded corpus of expressions: files `expressions/*.jsonl` in the folder that `WINDLASS_CORPUS` names, one
//! case a line with `expr`, `vars` and `result` or `error`. Skipped without that variable.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use lang::eval::{Locals, evaluate};
use lang::functions::{CallContext, table, terraform};
use lang::types::parse_constraint;
use lang::values::{Kind, Refinement};
use lang::{Diagnostics, Sources, Str, Type, Value, syntax};
use serde_json::{Map, Value as Json, json};

/// Cases whose outcome is decided outside of expressions: by the checks of outputs, variables and references.
const ELSEWHERE: &[&str] = &[
    "ephemeral",
    "nullable",
    "reference to undeclared",
    "index-fce012aa70",
    "index-7cea7b7b8d",
    "index-cb960c24b6",
    "trycan-f47db7e025",
];

#[test]
fn expressions() {
    let Some(corpus) = std::env::var_os("WINDLASS_CORPUS").map(PathBuf::from) else {
        eprintln!("skipped: WINDLASS_CORPUS is not set");
        return;
    };
    let filter = std::env::var("WINDLASS_CORPUS_FILTER").unwrap_or_default();
    let folder = corpus.join("expressions").canonicalize().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let (mut passed, mut failed) = (0, Vec::new());
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines().filter(|line| !line.trim().is_empty()) {
            let case: Json = serde_json::from_str(line).unwrap();
            let id = case["id"].as_str().unwrap();
            if !id.contains(&filter) || ELSEWHERE.iter().any(|word| line.contains(word)) {
                continue;
            }
            match check(&case, &folder) {
                Ok(()) => passed += 1,
                Err(reason) => failed.push(format!("{id}: {}: {reason}", case["expr"])),
            }
        }
    }
    for failure in &failed {
        println!("FAIL {failure}");
    }
    println!("{passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{} cases failed", failed.len());
}

fn check(case: &Json, folder: &std::path::Path) -> Result<(), String> {
    let sources = Sources::new();
    let (outcome, raw) = (run(case, folder, &sources), case["raw"] == json!(true));
    let text = |diagnostics: &Diagnostics| {
        let lines = diagnostics.iter().map(|d| format!("{}\n{}\n", d.summary(), d.detail()));
        lines.collect::<String>()
    };
    if case["error"] == json!(true) {
        let wanted = case["error_contains"].as_str().unwrap_or_default().to_lowercase();
        return match outcome {
            Ok(value) => Err(format!("error with {wanted:?} expected, got {value:?}")),
            Err(diagnostics) if text(&diagnostics).to_lowercase().contains(&wanted) => Ok(()),
            Err(diagnostics) => Err(format!("error with {wanted:?} expected, got {}", text(&diagnostics))),
        };
    }
    let value = outcome.map_err(|diagnostics| format!("unexpected error {}", text(&diagnostics)))?;
    let value = match (raw, value.elements()) {
        (false, Some([element])) => element.clone().with_marks(value.marks),
        _ => value,
    };
    let got = if value.is_wholly_known() {
        json!({"type": value.ty().to_json(), "value": value.to_json().map_err(|e| e.to_string())?})
    } else {
        json!({"value": without_unknown(&value), "unknown": unknown_parts(&value)})
    };
    let got = serde_json::to_string(&got).unwrap().replace(folder.to_str().unwrap(), "<WORKDIR>");
    let got: Json = serde_json::from_str(&got).unwrap();
    if same(&got, &case["result"]) { Ok(()) } else { Err(format!("want {}, got {got}", case["result"])) }
}

fn run(case: &Json, folder: &std::path::Path, sources: &Sources) -> Result<Value, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let no_names = Locals::new(BTreeMap::new());
    let mut variables: BTreeMap<Str, Value> = BTreeMap::new();
    for (name, variable) in case["vars"].as_object().into_iter().flatten() {
        let (mut ty, mut defaults) = (Type::Dynamic, None);
        if let Some(text) = variable["type"].as_str() {
            let (expr, parsed) = syntax::parse_expression(sources, "type", text);
            diagnostics.append(parsed);
            let (parsed, filled, errors) = parse_constraint(&expr);
            diagnostics.append(errors);
            (ty, defaults) = (parsed, Some(filled));
        }
        let (expr, parsed) = syntax::parse_expression(sources, "value", variable["value"].as_str().unwrap_or("null"));
        diagnostics.append(parsed);
        let mut value = evaluate(&expr, &no_names, &mut diagnostics);
        if let Some(defaults) = defaults.filter(|_| !value.is_null()) {
            value = defaults.apply(value);
        }
        let value = value.convert(&ty).unwrap_or_else(|error| {
            let detail = format!("This default value is not compatible with the variable's type constraint: {error}.");
            diagnostics.push(lang::Diagnostic::error("Invalid default value for variable", detail));
            Value::dynamic()
        });
        let sensitive = variable["sensitive"] == json!(true);
        let marks = if sensitive { lang::Marks::SENSITIVE } else { lang::Marks::empty() };
        variables.insert(name.as_str().into(), value.with_marks(marks));
    }
    let resource = Value::object([
        ("id", Value::unknown(Type::String).refine(Refinement::not_null())),
        ("input", "known".into()),
        ("output", Value::unknown(Type::String)),
        ("triggers_replace", Value::NULL_DYNAMIC),
    ]);
    let here: Value = folder.to_str().unwrap().into();
    let names = BTreeMap::from([
        ("var".into(), Value::from_attributes(variables)),
        ("terraform_data".into(), Value::object([("u", resource)])),
        ("path".into(), Value::object([("module", Value::from(".")), ("root", ".".into()), ("cwd", here)])),
        ("terraform".into(), Value::object([("workspace", Value::from("default"))])),
    ]);
    let context = CallContext {
        base_dir: folder.to_owned(),
        working_dir: folder.to_owned(),
        home_dir: Some("/home/conformance".into()),
        planning: true,
        plan_timestamp: None,
    };
    let mut functions = table(context);
    terraform::functions().into_iter().for_each(|function| functions.provide("terraform", function));
    let scope = Locals::new(names).with_functions(&functions);
    let expr = case["expr"].as_str().unwrap();
    let text =
        if case["raw"] == json!(true) { format!("value = {expr}\n") } else { format!("value = [\n{expr}\n  ]\n") };
    let (body, _, parsed) = syntax::parse_file(sources, std::path::Path::new("case.tf"), text.into_bytes());
    diagnostics.append(parsed);
    let attribute = body.just_attributes().0.into_iter().next().filter(|_| !diagnostics.has_errors());
    let Some(expr) = attribute.map(|attribute| attribute.expr) else { return Err(diagnostics) };
    let value = evaluate(&expr, &scope, &mut diagnostics);
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(value) }
}

/// The value as a plan shows it: unknown elements are null, unknown attributes are left out.
fn without_unknown(value: &Value) -> Json {
    match &value.kind {
        Kind::Unknown(..) => Json::Null,
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => value.children().map(without_unknown).collect(),
        Kind::Map(..) | Kind::Object(_) => {
            let known = value.entries().into_iter().flatten().filter(|(_, value)| value.is_known());
            known.map(|(name, value)| (name.to_string(), without_unknown(value))).collect::<Map<_, _>>().into()
        }
        _ => value.to_json().unwrap(),
    }
}

/// Which parts of it a plan says are unknown.
fn unknown_parts(value: &Value) -> Json {
    match &value.kind {
        Kind::Unknown(..) => Json::Bool(true),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => value.children().map(unknown_parts).collect(),
        Kind::Map(..) | Kind::Object(_) => {
            let parts = value.entries().into_iter().flatten().map(|(name, value)| (name, unknown_parts(value)));
            let parts = parts.filter(|(_, part)| *part != Json::Bool(false));
            parts.map(|(name, part)| (name.to_string(), part)).collect::<Map<_, _>>().into()
        }
        _ => Json::Bool(false),
    }
}

/// Equality that compares numbers by value.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => lang::Number::from_json(a) == lang::Number::from_json(b),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
