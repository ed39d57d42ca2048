//! How fast the language is: parsing from 50 KB to 50 MB, formatting, evaluation, and the same by others in the same run. Prints,
//! asserts nothing. `cargo xtask bench lang` runs it. All times are those of the processor, so that the figures hold on a busy machine.

#![forbid(unsafe_code)]

mod content;
mod memory;
mod time;

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lang::ast::Body;
use lang::eval::{Locals, evaluate};
use lang::functions::{CallContext, table};
use lang::syntax::{format, parse_file};
use lang::{Diagnostics, Sources, Value};
use time::{best, least};

const KB: usize = 1000;
const MB: usize = 1000 * KB;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, parser, size] = arguments.as_slice()
        && mode == memory::MODE
    {
        return memory::report(parser, size.parse()?);
    }
    parsing()?;
    formatting()?;
    evaluation()?;
    Ok(())
}

fn parsing() -> Result<(), Box<dyn Error>> {
    println!("{:<28}{:>14}{:>14}{:>10}", "parse", "windlass", "hcl-edit", "ratio");
    let mut times = Vec::new();
    for size in [50 * KB, 500 * KB, 5 * MB, 50 * MB] {
        let text = content::configuration(size);
        let ours = best(|| parse(&text))?;
        let theirs = best(|| hcl_edit::parser::parse_body(&text))?;
        times.push((text.len() as f64, ours.run));
        row(&bytes(size), ours.run, theirs.run, |seconds| rate(text.len(), seconds));
        row("  and freeing the tree", ours.run + ours.free, theirs.run + theirs.free, |seconds| {
            rate(text.len(), seconds)
        });
    }
    if let (Some(first), Some(last)) = (times.first(), times.last()) {
        let exponent = (last.1 / first.1).ln() / (last.0 / first.0).ln();
        println!("{:<28}{:>14}", "  grows with size to the", format!("{exponent:.2}"));
    }
    let (ours, theirs) = (memory::measure("windlass", 5 * MB)?, memory::measure("hcl-edit", 5 * MB)?);
    let per_byte = |peak: f64| format!("{peak:.1} B/byte");
    println!("{:<28}{:>14}{:>14}{:>9.1}x", "  memory, 5 MB", per_byte(ours), per_byte(theirs), theirs / ours);
    Ok(())
}

fn formatting() -> Result<(), Box<dyn Error>> {
    println!("\n{:<28}{:>14}{:>14}{:>10}", "fmt", "windlass", "terraform", "ratio");
    for size in [500 * KB, 5 * MB] {
        let text = content::configuration(size);
        let ours = best(|| format(text.as_bytes()))?.run;
        let show = |seconds| rate(text.len(), seconds);
        match terraform_fmt(&text)? {
            Some(theirs) => row(&bytes(size), ours, theirs, show),
            None => println!("{:<28}{:>14}{:>14}", bytes(size), show(ours), "–"),
        }
    }
    Ok(())
}

fn evaluation() -> Result<(), Box<dyn Error>> {
    let (body, _, diagnostics) = parse_file(&Sources::new(), Path::new("main.tf"), content::RESOURCE.as_bytes());
    let Body::Native(body) = body else { return Err("native syntax makes a native body".into()) };
    if diagnostics.has_errors() {
        return Err(format!("{diagnostics:?}").into());
    }
    let subnet = |id: &str, public| Value::object([("id", id.into()), ("public", Value::bool(public))]);
    let variables = Value::object([
        ("name", "platform".into()),
        ("index", Value::from(7_i64)),
        ("release", "".into()),
        ("cluster", Value::object([("name", "main".into())])),
        ("subnets", Value::tuple([subnet("subnet-1", true), subnet("subnet-2", false), subnet("subnet-3", true)])),
        ("tags", Value::object([("Environment", "test".into()), ("Team", "platform".into())])),
    ]);
    let functions = table(CallContext::default());
    let scope = Locals::new(BTreeMap::from([("var".into(), variables)])).with_functions(&functions);
    let mut diagnostics = Diagnostics::new();
    let seconds = best(|| {
        for attribute in &body.attributes {
            black_box(evaluate(&attribute.expr, &scope, &mut diagnostics));
        }
    })?
    .run;
    if diagnostics.has_errors() {
        return Err(format!("{diagnostics:?}").into());
    }
    println!("\n{:<28}{:>14}", "evaluate", "windlass");
    println!("{:<28}{:>14}", "resource bodies", format!("{:.0}/s", 1.0 / seconds));
    println!("{:<28}{:>14}", "  arguments", format!("{:.0}/s", body.attributes.len() as f64 / seconds));
    Ok(())
}

fn parse(text: &str) -> (Sources, Body) {
    // as reading a file does: the bytes are shared with the table of sources
    let sources = Sources::new();
    let (body, _, _) = parse_file(&sources, Path::new("main.tf"), text.as_bytes());
    (sources, body)
}

/// Seconds of `terraform fmt -`, its start included; `None` without Terraform.
fn terraform_fmt(text: &str) -> Result<Option<f64>, Box<dyn Error>> {
    let mut command = Command::new("terraform");
    command.args(["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().and_then(|mut child| child.wait()).is_err() {
        return Ok(None);
    }
    least(time::of_children, || {
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        if child.wait()?.success() { Ok(()) } else { Err("terraform fmt failed".into()) }
    })
    .map(Some)
}

fn row(name: &str, ours: f64, theirs: f64, show: impl Fn(f64) -> String) {
    println!("{name:<28}{:>14}{:>14}{:>9.1}x", show(ours), show(theirs), theirs / ours);
}

fn rate(bytes: usize, seconds: f64) -> String {
    format!("{:.1} MB/s", bytes as f64 / seconds / MB as f64)
}

fn bytes(size: usize) -> String {
    if size < MB { format!("{} KB", size / KB) } else { format!("{} MB", size / MB) }
}
