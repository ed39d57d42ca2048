//! `cargo xtask demo`: the example from nothing to nothing, on a local emulator, with words in between.

use std::path::Path;
use std::process::Command;

use localstack_tests::{Account, Emulator, HarnessError, Tool, emulator::cache_dir, workspace};

use crate::error::TaskError;
use crate::process;

/// The state of some fifty objects fills many screens.
const SHOWN_LINES: usize = 30;

/// Build, then plan, apply, show, plan again and destroy examples/eks on a local emulator
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the command.
pub fn run(_: &Arguments) -> Result<(), TaskError> {
    say("Building windlass. The first time this compiles the cloud SDKs, about 15 minutes on two cores.");
    process::build()?;
    let windlass = Tool::windlass()?;

    say(
        "Starting the local AWS emulator. The first time this installs it from PyPI; no AWS account is needed or touched.",
    );
    let emulator = Emulator::start(&cache_dir(), None)?;
    let account = emulator.account();
    println!("It listens at {} for account {}.", account.endpoint, account.id);

    let root = tempfile::tempdir().map_err(HarnessError::file(std::env::temp_dir()))?;
    let folder = root.path().join("examples/eks");
    workspace::copy(&workspace::repository().join("modules"), &root.path().join("modules"))?;
    workspace::copy(&workspace::repository().join("examples/eks"), &folder)?;
    let demo = Demo { windlass: &windlass, folder: &folder, account: &account };

    say(
        "The stack is a copy of examples/eks: a network over three zones, an EKS cluster with a node group, IAM roles, a load \
         balancer. `init` finds its modules; there is no provider to download.",
    );
    demo.windlass(&["init", "-input=false"])?;

    say("`plan` works out what has to be made, and saves it.");
    demo.windlass(&["plan", "-input=false", "-out=demo.plan"])?;

    say("`apply` makes exactly that.");
    demo.windlass(&["apply", "-input=false", "demo.plan"])?;

    say("Another tool sees the cluster:");
    demo.list_clusters()?;

    say("`show` prints what the state holds (here its beginning), `output` what others need to know.");
    demo.show()?;
    demo.windlass(&["output"])?;

    say("A second plan reads everything back, in a few batched calls, and finds nothing to do.");
    demo.windlass(&["plan", "-input=false", "-detailed-exitcode"])?;

    say("`destroy` takes it all down again.");
    demo.windlass(&["destroy", "-input=false", "-auto-approve"])?;
    demo.list_clusters()?;

    say(
        "That was it. The example is in examples/eks; `cargo xtask emulators` keeps an emulator running for your own stacks.",
    );
    Ok(())
}

fn say(text: &str) {
    println!("\n── {}\n", text.split_whitespace().collect::<Vec<_>>().join(" "));
}

struct Demo<'a> {
    windlass: &'a Tool,
    folder: &'a Path,
    account: &'a Account,
}

impl Demo<'_> {
    fn windlass(&self, arguments: &[&str]) -> Result<(), TaskError> {
        println!("$ windlass {}", arguments.join(" "));
        process::succeed(&mut self.command(self.windlass.program().as_os_str(), arguments))
    }

    fn show(&self) -> Result<(), TaskError> {
        println!("$ windlass show");
        let mut command = self.command(self.windlass.program().as_os_str(), &["show", "-no-color"]);
        let output = command.output().map_err(HarnessError::run("windlass show"))?;
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(process::failed(&command, output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().take(SHOWN_LINES).for_each(|line| println!("{line}"));
        println!("… and {} more lines\n", text.lines().count().saturating_sub(SHOWN_LINES));
        Ok(())
    }

    /// The user's own environment, without what would point at a real cloud.
    fn command(&self, program: &std::ffi::OsStr, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder);
        for (name, _) in std::env::vars_os() {
            if ["AWS_", "TF_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.envs(self.account.environment());
        command
    }

    fn list_clusters(&self) -> Result<(), TaskError> {
        let endpoint = &self.account.endpoint;
        println!("$ aws --endpoint-url {endpoint} eks list-clusters");
        let mut aws = self.command("aws".as_ref(), &["--endpoint-url", endpoint, "eks", "list-clusters"]);
        // without the AWS CLI, or with one that doesn't start, the same request is sent from here
        if !aws.status().is_ok_and(|status| status.success()) {
            println!("(no working AWS CLI here; its request, sent by the demo)");
            println!("{:#}", serde_json::json!({ "clusters": self.account.clusters()? }));
        }
        Ok(())
    }
}
