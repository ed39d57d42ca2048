//! Locks: seen, broken, taken over from the dead, lost and noticed.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

use localstack_tests::{Account, CloudStorage, Gate, Outcome, Postgres, StateServer, Tool, WallClock, Workspace};
use serde_json::Value;

use crate::setup;

pub const INIT: &[&str] = &["init", "-no-color", "-input=false"];
pub const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const PLAN: &[&str] = &["plan", "-no-color", "-input=false"];

/// Longer than anything here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Where provisioners report that they are at work, and wait until they may end.
pub struct Site {
    port: u16,
    arrivals: mpsc::Receiver<TcpStream>,
}

impl Site {
    pub fn open() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, arrivals) = mpsc::channel();
        std::thread::spawn(move || {
            for worker in listener.incoming().flatten() {
                if sender.send(worker).is_err() {
                    return;
                }
            }
        });
        Site { port, arrivals }
    }

    /// A resource whose creation reports here and waits.
    pub fn resource(&self, name: &str) -> String {
        format!(
            "resource \"terraform_data\" \"{name}\" {{\n  provisioner \"local-exec\" {{\n    interpreter = [\"/bin/bash\", \
             \"-c\"]\n    command = \"exec 3<>/dev/tcp/127.0.0.1/{} && read -r line <&3\"\n  }}\n}}\n",
            self.port
        )
    }

    /// Waits for the next worker.
    pub fn arrival(&self) -> TcpStream {
        self.arrivals.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no apply has come so far"))
    }
}

/// Lets a worker end.
pub fn release(mut worker: TcpStream) {
    worker.write_all(b"go\n").unwrap();
}

/// A configuration with a backend and resources.
pub fn configuration(backend: &str, resources: &str) -> Workspace {
    let mut workspace = Workspace::offline().unwrap();
    workspace.write("main.tf", &format!("terraform {{\n{backend}}}\n{resources}")).unwrap();
    workspace.set("USER", "me").set("TF_HTTP_PASSWORD", localstack_tests::state_server::PASSWORD);
    workspace
}

/// A state in PostgreSQL.
pub fn postgres(port: u16) -> String {
    format!("  backend \"pg\" {{\n    conn_str = \"{}\"\n  }}\n", Postgres::address_at(port))
}

/// A state that an HTTP service keeps, which lets locks be renewed.
pub fn http(service: &StateServer) -> String {
    let config = service.config();
    let arguments = config.as_object().unwrap().iter().map(|(name, value)| format!("    {name} = {value}\n"));
    format!("  backend \"http\" {{\n{}  }}\n", arguments.collect::<String>())
}

/// A state in a bucket of its own.
pub fn cloud_storage(storage: &CloudStorage, resources: &str) -> Workspace {
    let bucket = storage.make_bucket().unwrap();
    let backend = format!("  backend \"gcs\" {{\n    bucket = {bucket:?}\n    prefix = \"a/b\"\n  }}\n");
    let mut workspace = configuration(&backend, resources);
    let (name, value) = storage.environment();
    workspace.set(name, value);
    workspace
}

/// A bucket of an account.
pub fn bucket(account: &Account, locks: &str) -> String {
    let bucket = account.make_bucket().unwrap();
    account.make_lock_table("locks").unwrap();
    format!(
        "  backend \"s3\" {{\n    bucket = {bucket:?}\n    key = \"k\"\n    use_path_style = true\n    {locks}\n  }}\n"
    )
}

pub fn in_account(account: &Account, backend: &str, resources: &str) -> Workspace {
    let mut workspace = configuration(backend, resources);
    for (name, value) in account.environment() {
        workspace.set(name, &value);
    }
    workspace
}

pub fn shared_storage() -> &'static CloudStorage {
    CloudStorage::shared().unwrap_or_else(|error| panic!("{}", error.full()))
}

fn listed(workspace: &Workspace, tool: &Tool) -> Vec<Value> {
    let output = workspace.run(tool, &["lock", "list", "-json"]).unwrap().expect(0).stdout;
    let document: Value = serde_json::from_str(&output).unwrap();
    document["locks"].as_array().unwrap().clone()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_lock_says_who_holds_it_and_terraform_understands() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return;
    }
    for locks in ["use_lockfile = true", "dynamodb_table = \"locks\""] {
        let site = Site::open();
        let account = crate::account();
        let mut workspace = in_account(&account, &bucket(&account, locks), &site.resource("a"));
        workspace.set("WINDLASS_LOCK_REASON", "nightly").set("CI_JOB_URL", "https://ci.example/7");
        workspace.run(&tool, INIT).unwrap().expect(0);
        assert!(listed(&workspace, &tool).is_empty());
        let apply = workspace.start(&tool, APPLY).unwrap();
        let worker = site.arrival();
        let found = listed(&workspace, &tool);
        let [lock] = found.as_slice() else { panic!("{found:?}") };
        for (key, value) in
            [("owner", "me"), ("operation", "apply"), ("reason", "nightly"), ("job", "https://ci.example/7")]
        {
            assert_eq!(lock[key], value);
        }
        assert_eq!((&lock["lease_seconds"], &lock["workspace"]), (&Value::from(60), &Value::from("default")));
        assert!(lock["renewed_seconds_ago"].as_u64().is_some_and(|seconds| seconds < 60), "{lock}");
        let refused = workspace.run(&tool, APPLY).unwrap().expect(1);
        refused.shows("Error acquiring the state lock").shows("Info:      nightly; https://ci.example/7");
        // A plan reads, and does not wait.
        workspace.run(&tool, PLAN).unwrap().expect(0).shows("Operations in flight").shows("1 to add");
        if let Some(terraform) = Tool::terraform() {
            workspace.run(&terraform, INIT).unwrap().expect(0);
            let refused = workspace.run(&terraform, PLAN).unwrap().expect(1);
            refused
                .shows("Error acquiring the state lock")
                .shows("Info: nightly; https://ci.example/7")
                .shows("Who: me@");
        }
        // Its holder notices, and keeps what it knows.
        let broken = workspace.run(&tool, &["lock", "break", "-force"]).unwrap().expect(0);
        broken.shows("nightly").shows("has been broken");
        assert!(listed(&workspace, &tool).is_empty());
        release(worker);
        Outcome::wait("apply", apply).unwrap();
    }
}

#[test]
fn the_lock_of_a_dead_run_is_taken_over_and_terraforms_never() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return;
    }
    let site = Site::open();
    let mut workspaces = vec![cloud_storage(shared_storage(), &site.resource("a"))];
    for locks in
        ["use_lockfile = true", "dynamodb_table = \"locks\"", "use_lockfile = true\n    dynamodb_table = \"locks\""]
    {
        let account = crate::account();
        workspaces.push(in_account(&account, &bucket(&account, locks), &site.resource("a")));
    }
    for mut workspace in workspaces {
        workspace.set("WINDLASS_LOCK_LEASE", "2s");
        workspace.run(&tool, INIT).unwrap().expect(0);
        let apply = workspace.start(&tool, APPLY).unwrap();
        drop(site.arrival());
        kill(apply);
        let again = workspace
            .start(&tool, &["apply", "-no-color", "-input=false", "-auto-approve", "-lock-timeout=200s"])
            .unwrap();
        release(site.arrival());
        Outcome::wait("apply", again).unwrap().expect(0);
        assert!(listed(&workspace, &tool).is_empty());
        if let Some(terraform) = Tool::terraform() {
            workspace.run(&terraform, INIT).unwrap().expect(0);
            workspace.run(&tool, &["taint", "-no-color", "terraform_data.a"]).unwrap().expect(0);
            let apply = workspace.start(&terraform, APPLY).unwrap();
            drop(site.arrival());
            kill(apply);
            let found = listed(&workspace, &tool);
            assert_eq!((found.len(), &found[0]["lease_seconds"]), (1, &Value::Null), "{found:?}");
            workspace.run(&tool, &["untaint", "-lock-timeout=3s", "terraform_data.a"]).unwrap().expect(1);
            let broken = workspace.run(&tool, &["lock", "break", "-force"]).unwrap().expect(0);
            broken.shows("it holds until it is given back");
        }
    }
}

#[test]
fn a_runner_cut_off_from_its_database_stops() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return;
    }
    let Some(server) = Postgres::start().unwrap() else { return };
    let gate = Gate::start(server.port).unwrap();
    let site = Site::open();
    let resources =
        format!("{}resource \"terraform_data\" \"b\" {{\n  input = terraform_data.a.id\n}}\n", site.resource("a"));
    let mut cut_off = configuration(&postgres(gate.port), &resources);
    let mut other = configuration(&postgres(server.port), &resources);
    for runner in [&mut cut_off, &mut other] {
        runner.set("WINDLASS_LOCK_LEASE", "2s");
        runner.run(&tool, INIT).unwrap().expect(0);
    }
    let first = cut_off.start(&tool, APPLY).unwrap();
    let worker = site.arrival();
    let resources = &listed(&other, &tool)[0]["resources"];
    assert_eq!(resources, &Value::from(vec!["terraform_data.a", "terraform_data.b"]));
    gate.close();
    let second =
        other.start(&tool, &["apply", "-no-color", "-input=false", "-auto-approve", "-lock-timeout=200s"]).unwrap();
    release(site.arrival());
    Outcome::wait("apply", second).unwrap().expect(0).shows("2 added");
    let state = other.run(&tool, &["state", "pull"]).unwrap().expect(0).stdout;
    // What it was doing comes to its end, and what comes next is not begun.
    release(worker);
    let lost = Outcome::wait("apply", first).unwrap().expect(1);
    lost.shows("State lock lost").shows("the next run takes it up");
    assert!(!lost.stdout.contains("terraform_data.b: Creating"), "{}", lost.stdout);
    assert_eq!(other.run(&tool, &["state", "pull"]).unwrap().expect(0).stdout, state);
}

/// Its lock ends with its connection; what it was doing stands in a journal of its own.
#[test]
fn what_a_killed_run_left_is_cleared_up_by_the_next_in_a_database() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return;
    }
    let Some(server) = Postgres::start().unwrap() else { return };
    let site = Site::open();
    let workspace = configuration(&postgres(server.port), &site.resource("a"));
    workspace.run(&tool, INIT).unwrap().expect(0);
    let apply = workspace.start(&tool, APPLY).unwrap();
    drop(site.arrival());
    kill(apply);
    let again =
        workspace.start(&tool, &["apply", "-no-color", "-input=false", "-auto-approve", "-lock-timeout=200s"]).unwrap();
    release(site.arrival());
    // What was made before its provisioner was cut off is tainted.
    Outcome::wait("apply", again).unwrap().expect(0).shows("1 added, 0 changed, 1 destroyed");
    let plan = workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap().expect(0);
    assert!(!plan.text().contains("Operations in flight"), "{}", plan.text());
}

/// Whatever day it is on a runner, it keeps its lock, and takes none from another that lives.
#[test]
fn a_wall_clock_that_jumps_loses_no_lock() {
    const DAY: i64 = 86_400;
    let (tool, _) = setup();
    if tool.is_terraform() {
        return;
    }
    let Some(clock) = WallClock::make().unwrap() else { return };
    let service = StateServer::start().unwrap();
    service.kept().renews = true;
    let server = Postgres::start().unwrap();
    let (file, table) = (crate::account(), crate::account());
    let site = Site::open();
    let resource = site.resource("a");
    let mut workspaces = vec![
        configuration("", &resource),
        configuration(&http(&service), &resource),
        in_account(&file, &bucket(&file, "use_lockfile = true"), &resource),
        in_account(&table, &bucket(&table, "dynamodb_table = \"locks\""), &resource),
        cloud_storage(shared_storage(), &resource),
    ];
    workspaces.extend(server.iter().map(|server| configuration(&postgres(server.port), &resource)));
    clock.set(40 * 365 * DAY).unwrap();
    let mut applies = Vec::new();
    for workspace in &mut workspaces {
        for (name, value) in clock.environment() {
            workspace.set(name, &value);
        }
        workspace.set("WINDLASS_LOCK_LEASE", "3s");
        workspace.run(&tool, INIT).unwrap().expect(0);
        applies.push((workspace.start(&tool, APPLY).unwrap(), site.arrival()));
        let created = listed(workspace, &tool)[0]["created"].as_str().unwrap().to_owned();
        assert!(created.as_str() > "2060", "the clock is not the one that it was given: {created}");
    }
    for shift in [-DAY, DAY] {
        // Two leases and more.
        let taint = ["taint", "-no-color", "-lock-timeout=7s", "terraform_data.a"];
        let waiting: Vec<_> = workspaces.iter().map(|workspace| workspace.start(&tool, &taint).unwrap()).collect();
        clock.set(shift).unwrap();
        for waiting in waiting {
            Outcome::wait("taint", waiting).unwrap().expect(1).shows("Error acquiring the state lock");
        }
    }
    for (apply, worker) in applies {
        release(worker);
        Outcome::wait("apply", apply).unwrap().expect(0).shows("1 added");
    }
}

#[test]
fn a_local_state_is_not_unlocked_by_force() {
    let (tool, _) = setup();
    for tool in [Some(tool), Tool::terraform()].into_iter().flatten() {
        let workspace = configuration("", "resource \"terraform_data\" \"a\" {}\n");
        workspace.run(&tool, INIT).unwrap().expect(0);
        workspace.run(&tool, APPLY).unwrap().expect(0);
        for (arguments, told) in [
            (&["force-unlock", "-no-color", "-force", "5d4f"][..], "Failed to unlock state: LocalState not locked\n"),
            (&["force-unlock", "-no-color", "5d4f"], "Local state cannot be unlocked by another process\n"),
        ] {
            let refused = workspace.run(&tool, arguments).unwrap().expect(1);
            assert_eq!((refused.stdout.as_str(), refused.stderr.trim_end()), ("", told.trim_end()));
        }
    }
}
