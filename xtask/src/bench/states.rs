//! `cargo xtask bench states`: time and memory of what commands do to large state files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use localstack_tests::{HarnessError, Tool, Workspace};

use super::{size, time};
use crate::error::TaskError;
use crate::memory;
use crate::stage::stage;

/// Measure commands on state files of so many megabytes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Sizes of state files in MB, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000])]
    sizes: Vec<u64>,
    /// The largest size that Terraform is measured with: it takes seven times as much memory
    #[arg(long, default_value_t = 1_000)]
    terraform_up_to: u64,
}

/// An object as Terraform's provider for AWS keeps an instance, but for its names and numbers.
const INSTANCE: &str = include_str!("instance.json.in");

/// How many instances a resource has.
const INSTANCES: usize = 50;

const COMMANDS: [&[&str]; 4] = [
    &["state", "list"],
    &["state", "pull"],
    &["taint", "aws_instance.r0[7]"],
    &["state", "mv", "aws_instance.r0[3]", "aws_instance.moved"],
];

/// Time in seconds, and peak memory in bytes.
type Figure = (f64, f64);

/// Runs the command.
pub fn run(windlass: &Tool, arguments: &Arguments) -> Result<(), TaskError> {
    let terraform = Tool::terraform();
    let mut table = String::new();
    for &megabytes in &arguments.sizes {
        let our = stage(&format!("windlass, {megabytes} MB"), || measure(windlass, megabytes))?;
        let their = match terraform.as_ref().filter(|_| megabytes <= arguments.terraform_up_to) {
            Some(tool) => Some(stage(&format!("terraform, {megabytes} MB"), || measure(tool, megabytes))?),
            None => None,
        };
        for (index, (command, our)) in COMMANDS.iter().zip(&our).enumerate() {
            let name = command.get(..2).unwrap_or_default().join(" ");
            let name = name.split(" aws").next().unwrap_or_default().to_owned();
            let their = their.as_ref().and_then(|their| their.get(index));
            table.push_str(&row(&format!("{megabytes} MB: {name}"), megabytes, *our, their));
        }
    }
    println!(
        "\n{:<24}{:>10}{:>11}{:>8}{:>10}{:>10}{:>10}{:>8}",
        "", "windlass", "terraform", "ratio", "windlass", "a byte", "terraform", "ratio"
    );
    print!("{table}");
    Ok(())
}

fn row(name: &str, megabytes: u64, our: Figure, their: Option<&Figure>) -> String {
    let (theirs, faster, their_memory, smaller) = match their {
        Some((seconds, memory)) => (
            time(*seconds),
            format!("{:.1}x", seconds / our.0),
            size(memory / 1024.0),
            format!("{:.1}x", memory / our.1),
        ),
        None => Default::default(),
    };
    let (ours, our_memory) = (time(our.0), size(our.1 / 1024.0));
    let of_file = format!("{:.2}", our.1 / (megabytes as f64 * 1e6));
    format!("{name:<24}{ours:>10}{theirs:>11}{faster:>8}{our_memory:>10}{of_file:>10}{their_memory:>10}{smaller:>8}\n")
}

/// The commands one after the other on one file.
fn measure(tool: &Tool, megabytes: u64) -> Result<Vec<Figure>, TaskError> {
    let workspace = Workspace::offline()?;
    let path = workspace.path().join("terraform.tfstate");
    generate(&path, megabytes * 1_000_000).map_err(HarnessError::file(&path))?;
    let mut figures = Vec::new();
    for command in COMMANDS {
        let start = Instant::now();
        let (status, peak) = memory::watch(workspace.spawn(tool, command)?, None)?;
        if !status.success() {
            return Err(TaskError::Failed { command: command.join(" "), status: status.to_string() });
        }
        figures.push((start.elapsed().as_secs_f64(), peak as f64 * 1024.0));
    }
    Ok(figures)
}

/// Writes a state of that many bytes, more or less.
fn generate(path: &std::path::Path, bytes: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write!(
        file,
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"serial\": 1,\n  \"lineage\": \
         \"3f0c2f0e-0d5e-4f1c-9f0a-5a1c7d2b9e11\",\n  \"outputs\": {{}},\n  \"resources\": [\n"
    )?;
    let mut written = 0;
    let mut group = 0;
    while written < bytes {
        if group > 0 {
            file.write_all(b",\n")?;
        }
        write!(
            file,
            "    {{\n      \"mode\": \"managed\",\n      \"type\": \"aws_instance\",\n      \"name\": \"r{group}\",\n      \
             \"provider\": \"provider[\\\"registry.terraform.io/hashicorp/aws\\\"]\",\n      \"instances\": [\n"
        )?;
        for index in 0..INSTANCES {
            let number = format!("{:017x}", group * INSTANCES + index);
            let text = INSTANCE.replace("INDEX", &index.to_string()).replace("NUMBER", &number);
            let text = text.replace("GROUP", &group.to_string());
            let end = if index + 1 < INSTANCES { ",\n" } else { "\n" };
            write!(file, "{text}{end}")?;
            written += text.len() as u64;
        }
        file.write_all(b"      ]\n    }")?;
        group += 1;
    }
    file.write_all(b"\n  ],\n  \"check_results\": null\n}\n")?;
    file.flush()
}
