//! `file` and `remote-exec` against an ssh server on loopback.
#![cfg(feature = "ssh")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::path::Path;
use std::sync::Mutex;

use lang::{Type, Value};
use planner::Interrupt;
use planner::provisioning::{Provision, Provisioners as _};
use provisioners::Builtin;

use server::{PASSWORD, Server};

struct Ran {
    /// What it failed with.
    problem: Option<String>,
    lines: Vec<String>,
}

async fn run(kind: &str, arguments: &[(&str, Value)], connection: &[(&str, Value)]) -> Ran {
    let object = |entries: &[(&str, Value)]| Value::object(entries.iter().map(|(name, value)| (*name, value.clone())));
    let (config, connection) = (object(arguments), object(connection));
    let lines = Mutex::new(Vec::new());
    let output = |line: &str| lines.lock().unwrap().push(line.trim_end().to_owned());
    let provision = Provision {
        kind,
        config: &config,
        connection: Some(&connection),
        secret: false,
        output: &output,
        interrupt: &Interrupt::default(),
    };
    let result = Builtin::default().run(provision).await;
    Ran { problem: result.err().map(|problem| problem.detail), lines: lines.into_inner().unwrap() }
}

fn connection(server: &Server, folder: &Path) -> Vec<(&'static str, Value)> {
    vec![
        ("host", Value::string("127.0.0.1")),
        ("port", Value::from(i64::from(server.port))),
        ("private_key", Value::string(server.user_key.as_str())),
        ("script_path", Value::string(format!("{}/script_%RAND%.sh", folder.display()))),
        ("timeout", Value::string("20s")),
    ]
}

fn inline(lines: &[&str]) -> [(&'static str, Value); 1] {
    [("inline", Value::list(Type::String, lines.iter().map(|line| Value::string(*line))))]
}

#[tokio::test]
async fn a_script_is_put_there_run_and_emptied() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let ran = run("remote-exec", &inline(&["echo out", "echo err >&2"]), &connection(&server, folder.path())).await;
    assert_eq!(ran.problem, None);
    assert_eq!(ran.lines[..2], ["Connecting to remote host via SSH...", "  Host: 127.0.0.1"]);
    assert!(ran.lines.contains(&"Connected!".to_owned()));
    let printed: Vec<&str> = ran.lines.iter().rev().take(2).map(String::as_str).collect();
    assert!(printed.contains(&"out") && printed.contains(&"err"), "{:?}", ran.lines);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [script] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!(std::fs::read(script).unwrap(), b"");
}

#[tokio::test]
async fn a_script_that_fails_tells_its_status() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let problem = run("remote-exec", &inline(&["exit 3"]), &connection(&server, folder.path())).await.problem.unwrap();
    assert!(
        problem.starts_with("error executing \"") && problem.ends_with("Process exited with status 3"),
        "{problem}"
    );
}

#[tokio::test]
async fn files_and_folders_arrive_as_they_are() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let there = folder.path().join("there");
    let here = folder.path().join("here");
    std::fs::create_dir_all(here.join("inner")).unwrap();
    std::fs::create_dir_all(&there).unwrap();
    std::fs::write(here.join("big"), vec![b'x'; 300_000]).unwrap();
    std::fs::write(here.join("inner/empty"), "").unwrap();
    let connection = connection(&server, folder.path());
    let path = |path: &Path| Value::string(path.to_str().unwrap());

    let content = [("content", Value::string("héllo")), ("destination", path(&there.join("greeting")))];
    assert_eq!(run("file", &content, &connection).await.problem.unwrap_or_default(), "");
    assert_eq!(std::fs::read_to_string(there.join("greeting")).unwrap(), "héllo");

    let whole = [("source", path(&here)), ("destination", path(&there))];
    assert_eq!(run("file", &whole, &connection).await.problem, None);
    assert_eq!(std::fs::metadata(there.join("here/big")).unwrap().len(), 300_000);
    assert_eq!(std::fs::metadata(there.join("here/inner/empty")).unwrap().len(), 0);

    let contents = [("source", Value::string(format!("{}/", here.display()))), ("destination", path(&there))];
    assert_eq!(run("file", &contents, &connection).await.problem, None);
    assert!(there.join("big").exists() && there.join("inner/empty").exists());

    let missing = [("source", Value::string("/nonexistent")), ("destination", path(&there))];
    let problem = run("file", &missing, &connection).await.problem.unwrap();
    assert_eq!(problem, "stat /nonexistent: no such file or directory");

    let nowhere = [("content", Value::string("x")), ("destination", Value::string("/nonexistent/folder/x"))];
    let problem = run("file", &nowhere, &connection).await.problem.unwrap();
    assert!(problem.starts_with("Upload failed: scp: /nonexistent/folder/x: "), "{problem}");
}

#[tokio::test]
async fn a_bastion_passes_the_connection_on() {
    let (server, bastion, folder) = (Server::start().await, Server::start().await, tempfile::tempdir().unwrap());
    let mut connection = connection(&server, folder.path());
    connection.extend([
        ("bastion_host", Value::string("127.0.0.1")),
        ("bastion_port", Value::from(i64::from(bastion.port))),
        ("bastion_private_key", Value::string(bastion.user_key.as_str())),
    ]);
    let ran = run("remote-exec", &inline(&["echo over there"]), &connection).await;
    assert_eq!(ran.problem, None);
    assert_eq!(bastion.log.lock().unwrap()[..], [format!("direct-tcpip 127.0.0.1:{}", server.port)]);
    assert!(ran.lines.contains(&"Using configured bastion host...".to_owned()));
    assert_eq!(ran.lines.last().unwrap(), "over there");
}

/// With one entry in another's place, and no time to try twice.
fn with(mut connection: Vec<(&'static str, Value)>, name: &'static str, value: &str) -> Vec<(&'static str, Value)> {
    connection.retain(|(other, _)| *other != name && *other != "timeout");
    connection.extend([(name, Value::string(value)), ("timeout", Value::string("900ms"))]);
    connection
}

#[tokio::test]
async fn a_password_serves_and_a_wrong_one_is_told_without_itself() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let mut connection = connection(&server, folder.path());
    connection.retain(|(name, _)| *name != "private_key");
    let right = with(connection.clone(), "password", PASSWORD);
    assert_eq!(run("remote-exec", &inline(&["true"]), &right).await.problem, None);
    let wrong = with(connection, "password", "close sesame");
    let ran = run("remote-exec", &inline(&["true"]), &wrong).await;
    let problem = ran.problem.unwrap();
    let expected = format!("timeout - last error: SSH authentication failed (root@127.0.0.1:{})", server.port);
    assert!(problem.starts_with(&expected) && !problem.contains("sesame"), "{problem}");
}

#[tokio::test]
async fn another_host_key_than_the_one_that_is_known_is_refused() {
    let (server, other, folder) = (Server::start().await, Server::start().await, tempfile::tempdir().unwrap());
    let right = with(connection(&server, folder.path()), "host_key", &server.host_key);
    assert_eq!(run("remote-exec", &inline(&["true"]), &right).await.problem, None);
    let done = server.log.lock().unwrap().len();
    let wrong = with(connection(&server, folder.path()), "host_key", &other.host_key);
    let problem = run("remote-exec", &inline(&["true"]), &wrong).await.problem.unwrap();
    assert!(problem.ends_with("ssh: handshake failed: knownhosts: key mismatch"), "{problem}");
    assert_eq!(server.log.lock().unwrap().len(), done);
}

#[tokio::test]
async fn who_does_not_answer_is_tried_until_the_time_is_up() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let mut connection = with(connection(&server, folder.path()), "host", "127.0.0.1");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    connection.retain(|(name, _)| *name != "port");
    connection.push(("port", Value::from(i64::from(free))));
    let problem = run("remote-exec", &inline(&["true"]), &connection).await.problem.unwrap();
    assert_eq!(problem, format!("timeout - last error: dial tcp 127.0.0.1:{free}: connect: connection refused"));
}

#[tokio::test]
async fn scripts_that_cannot_be_read_are_told_before_anything_is_done() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let connection = connection(&server, folder.path());
    let missing = run("remote-exec", &[("script", Value::string("/nonexistent.sh"))], &connection).await;
    assert_eq!(
        missing.problem.unwrap(),
        "Failed to open script '/nonexistent.sh': open /nonexistent.sh: no such file or directory"
    );
    assert_eq!(
        run("remote-exec", &inline(&[""]), &connection).await.problem.unwrap(),
        "invalid empty string in 'scripts'"
    );
    assert!(server.log.lock().unwrap().is_empty());
}
