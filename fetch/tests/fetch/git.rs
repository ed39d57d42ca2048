use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fetch;
use crate::server::{Answer, Server};

/// A repository with two commits, the first of which is tagged `v1`; `None` without git.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Option<Repository> {
        if Command::new("git").arg("--version").output().is_err() {
            eprintln!("skipped: no git");
            return None;
        }
        let repository = Repository { dir: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q", "-b", "main", "."]);
        repository.commit("one");
        repository.git(&["tag", "v1"]);
        repository.commit("two");
        Some(repository)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn commit(&self, text: &str) {
        std::fs::write(self.dir.path().join("main.tf"), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", text]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

#[test]
fn branches_tags_commits_and_depths() {
    let Some(repository) = Repository::new() else { return };
    let base = format!("git::file://{}", repository.path().display());
    let first = repository.git(&["rev-parse", "v1"]);
    let files = |text: &str| Ok(vec![format!("main.tf={text}")]);
    assert_eq!(fetch(&base), files("two"));
    assert_eq!(fetch(&format!("{base}?ref=v1")), files("one"));
    assert_eq!(fetch(&format!("{base}?ref={first}")), files("one"));
    assert_eq!(fetch(&format!("{base}?ref=main&depth=1")), files("two"));
    assert_eq!(fetch(&format!("{base}?depth=1&ref=v1")), files("one"));
    let error = fetch(&format!("{base}?depth=1&ref={first}")).unwrap_err();
    assert!(error.contains("setting 'depth' requires 'ref' to be a branch or tag name"), "{error}");
}

#[test]
fn refusals() {
    let Some(repository) = Repository::new() else { return };
    let base = format!("git::file://{}", repository.path().display());
    let error = fetch(&format!("{base}?ref=v9")).unwrap_err();
    assert!(error.contains("git exited with 1") && error.contains("v9"), "{error}");
    assert!(fetch(&format!("{base}-nope")).unwrap_err().contains("git exited with 128"));
    // Neither options nor commands come in by an address.
    assert!(fetch(&format!("{base}?ref=--upload-pack=x")).unwrap_err().contains("dash"));
    assert!(fetch("git::ext://sh").unwrap_err().contains("cannot be fetched by ext"));
    assert!(fetch(&format!("{base}?depth=x")).unwrap_err().contains("number"));
    assert!(fetch(&format!("{base}?sshkey=***")).unwrap_err().contains("Base64"));
}

#[test]
fn repositories_on_a_web_server() {
    let Some(repository) = Repository::new() else { return };
    repository.git(&["update-server-info"]);
    let root = repository.path();
    let server = Server::start(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default().trim_start_matches("/x.git/");
        match std::fs::read(Path::new(&root).join(".git").join(path)) {
            Ok(bytes) => Answer::ok(bytes),
            Err(_) => Answer::status(404),
        }
    });
    let files = fetch(&format!("git::http://{}/x.git?ref=v1", server.address));
    assert_eq!(files, Ok(vec!["main.tf=one".to_owned()]));
}
