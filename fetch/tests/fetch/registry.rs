use config::module_source::{ModuleSource, RegistrySource};
use config::packages::{PackageError, Packages};
use fetch::{NoCredentials, Services};

use crate::server::{Answer, Server};
use crate::{All, fetch_by, fetcher, run, zip};

fn start() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/v1/a/net/aws/versions" => {
            Answer::ok(r#"{"modules":[{"versions":[{"version":"1.0.0"},{"version":"1.1.0"}]}]}"#)
        }
        "/v1/a/empty/aws/versions" => Answer::ok(r#"{"modules":[]}"#),
        "/v1/a/junk/aws/versions" => Answer::ok("{{{"),
        "/v1/a/net/aws/1.1.0/download" => Answer::status(204).with("X-Terraform-Get", "./net.zip//top?archive=zip"),
        "/v1/a/body/aws/1.0.0/download" => Answer::ok(r#"{"location":"github.com/a/b?ref=v1"}"#),
        "/v1/a/empty/aws/1.0.0/download" => Answer::status(204),
        "/v1/a/odd/aws/1.0.0/download" => Answer::status(204).with("X-Terraform-Get", "modules/x"),
        "/v1/a/net/aws/1.1.0/net.zip" => Answer::ok(zip(&[("top/main.tf", "x")])),
        "/v1/a/busy/aws/versions" => Answer::status(503),
        "/v1/a/secret/aws/versions" => Answer::status(401),
        _ => Answer::status(404),
    })
}

fn services(server: &Server) -> Services {
    let services = [("modules.v1".to_owned(), format!("http://{}/v1", server.address))];
    [("example.com".to_owned(), services.into_iter().collect())].into_iter().collect()
}

fn module(name: &str) -> RegistrySource {
    match ModuleSource::parse(&format!("example.com/a/{name}/aws")).unwrap() {
        ModuleSource::Registry(source) => source,
        other => panic!("{other}"),
    }
}

#[test]
fn versions_and_packages_with_the_hosts_token() {
    let server = start();
    let fetcher = fetcher(All, services(&server));
    assert_eq!(run(fetcher.versions(&module("net"))), Ok(vec!["1.0.0".to_owned(), "1.1.0".to_owned()]));
    let location = run(fetcher.location(&module("net"), "1.1.0")).unwrap();
    assert_eq!(location.subdirectory.as_deref(), Some("top"));
    assert_eq!(fetch_by(&fetcher, &location.package), Ok(vec!["top/main.tf=x".to_owned()]));
    let asked = server.asked();
    let sent: Vec<Option<&str>> = asked.iter().map(|a| a.headers.get("authorization").map(String::as_str)).collect();
    let (token, login) = (Some("Bearer registry-token"), Some("Basic dXNlcjpwYXNzd29yZA=="));
    assert_eq!(sent, [token, token, login]);
}

#[test]
fn locations_in_the_body_and_none() {
    let server = start();
    let fetcher = fetcher(NoCredentials, services(&server));
    let location = |name: &str| run(fetcher.location(&module(name), "1.0.0"));
    assert_eq!(location("body").unwrap().package, "git::https://github.com/a/b.git?ref=v1");
    let expected = "failed to get download URL for \"example.com/a/empty/aws\": 204 No Content";
    assert_eq!(location("empty"), Err(PackageError::Failed(expected.to_owned())));
    assert!(matches!(location("odd"), Err(PackageError::InvalidLocation { location, .. }) if location == "modules/x"));
}

#[test]
fn answers_that_help_nobody() {
    let server = start();
    let fetcher = fetcher(NoCredentials, services(&server));
    let versions = |name: &str| run(fetcher.versions(&module(name))).unwrap_err();
    assert_eq!(versions("nope"), PackageError::NotFound);
    assert_eq!(versions("empty"), PackageError::InvalidResponse);
    assert!(matches!(versions("junk"), PackageError::Failed(_)));
    assert_eq!(versions("secret").to_string(), "error looking up module: 401 Unauthorized");
    let busy = format!(
        "the request failed after 2 attempts, please try again later: 503 Service Unavailable returned from \
         http://{}/v1/a/busy/aws/versions",
        server.address
    );
    assert_eq!(versions("busy").to_string(), busy);
}
