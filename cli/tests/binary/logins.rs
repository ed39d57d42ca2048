//! `login` and `logout`: the file of tokens, and programs that keep them instead.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Output;

use crate::{Folder, text};

const HOST: &str = "tokens.example.com";
const FILE: &str = ".terraform.d/credentials.tfrc.json";

/// A folder that is HOME, too, with a service that knows one token.
struct Host {
    folder: Folder,
}

impl Host {
    fn new(settings: &str) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let request = lines.next().unwrap_or_default();
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let known = headers.iter().any(|line| line.to_lowercase().starts_with("authorization: bearer good"));
                let (status, body) = match (request.starts_with("GET /api/v2/account/details "), known) {
                    (true, true) => ("200 OK", r#"{"data": {"attributes": {"username": "ada"}}}"#),
                    (true, false) => ("401 Unauthorized", "{}"),
                    _ => ("404 Not Found", "{}"),
                };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: \
                     close\r\n\r\n{body}"
                );
            }
        });
        let folder = Folder::new("");
        folder.write(
            ".terraformrc",
            &format!(
                "host \"{HOST}\" {{\n  services = {{\n    \"tfe.v2\" = \"http://127.0.0.1:{port}/api/v2/\"\n  \
                 }}\n}}\nhost \"plain.example.com\" {{\n  services = {{}}\n}}\n{settings}"
            ),
        );
        Host { folder }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        self.folder.run_with_input(arguments, input)
    }
}

#[test]
fn a_token_is_checked_and_kept_beside_the_others_for_its_owner_alone() {
    let host = Host::new("");
    std::fs::create_dir(host.folder.path(".terraform.d")).unwrap();
    host.folder.write(FILE, r#"{"credentials": {"other.example.com": {"token": "kept"}}, "more": 1}"#);
    let output = host.run(&["login", "Tokens.Example.com"], "yes\ngood-token\n");
    let printed = text(&output);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("Retrieved token for user ada"), "{printed}");
    assert!(!printed.contains("good-token"), "{printed}");
    let stored: serde_json::Value = serde_json::from_str(&host.folder.read(FILE)).unwrap();
    assert_eq!(stored["credentials"][HOST]["token"], "good-token");
    assert_eq!(stored["credentials"]["other.example.com"]["token"], "kept");
    assert_eq!(stored["more"], 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(host.folder.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let output = host.run(&["logout", HOST], "");
    assert!(text(&output).contains("Terraform has removed the stored API token"), "{}", text(&output));
    let stored = host.folder.read(FILE);
    assert!(!stored.contains("good-token") && stored.contains("kept"), "{stored}");
    assert!(text(&host.run(&["logout", HOST], "")).contains("No credentials for tokens.example.com are stored."));
}

#[test]
fn what_is_no_token_or_no_consent_keeps_nothing() {
    let host = Host::new("");
    let cases = [
        (vec!["login", HOST], "no\n", "Login cancelled"),
        (vec!["login", HOST], "yes\nbad-token\n", "Token is invalid: unauthorized"),
        (vec!["login", "plain.example.com"], "", "Host does not support Terraform tokens API"),
        (vec!["login", "not a host"], "", "Invalid hostname"),
        (vec!["login", "a", "b"], "", "expects at most one argument"),
    ];
    for (arguments, input, message) in cases {
        let output = host.run(&arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output).contains(message), "{arguments:?}: {}", text(&output));
        assert!(!text(&output).contains("bad-token"));
    }
    assert!(!host.folder.path(FILE).exists());
}

#[test]
fn tokens_written_by_hand_are_not_touched() {
    let host = Host::new("credentials \"tokens.example.com\" {\n  token = \"mine\"\n}\n");
    for command in ["login", "logout"] {
        let output = host.run(&[command, HOST], "yes\ngood\n");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("Credentials for tokens.example.com are manually configured"));
    }
}

#[cfg(unix)]
#[test]
fn a_helper_keeps_and_forgets_tokens() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new("credentials_helper \"drawer\" {\n  args = [\"--in\"]\n}\n");
    let plugins = host.folder.path(".terraform.d/plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let helper = plugins.join("terraform-credentials-drawer");
    std::fs::write(
        &helper,
        "#!/bin/sh\necho \"$@ $(cat)\" >> \"$HOME/drawer\"\n[ \"$2\" = get ] && echo '{}'\nexit 0\n",
    )
    .unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = host.run(&["login", HOST], "yes\ngood\n");
    assert!(output.status.success(), "{}", text(&output));
    assert!(host.run(&["logout", HOST], "").status.success());
    let asked = host.folder.read("drawer");
    let expected = "--in store tokens.example.com {\"token\":\"good\"}\n--in forget tokens.example.com \n";
    assert_eq!(asked, expected);
    assert!(!host.folder.path(FILE).exists());
}
