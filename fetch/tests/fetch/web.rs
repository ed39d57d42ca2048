use fetch::{Fetcher, Limits, NoCredentials, Services};

use crate::server::{Answer, Server};
use crate::{All, fetch, fetch_by, fetcher, zip};

fn start() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/x.zip" | "/latest" => Answer::ok(zip(&[("main.tf", "x"), ("sub/main.tf", "y")])),
        "/header?terraform-get=1" => Answer::status(204).with("X-Terraform-Get", "./x.zip"),
        "/page?terraform-get=1" => {
            Answer::ok("<html><head><meta name=\"terraform-get\" content=\"./x.zip//sub\"></head></html>")
        }
        "/empty?terraform-get=1" => Answer::ok("<html></html>"),
        "/local?terraform-get=1" => Answer::status(204).with("X-Terraform-Get", "file:///etc"),
        "/endless?terraform-get=1" => Answer::status(204).with("X-Terraform-Get", "./endless"),
        "/round" => Answer::status(302).with("Location", "/round"),
        "/sums" => Answer::ok(format!("{}  x.zip\n", "0".repeat(64))),
        _ => Answer::status(404),
    })
}

#[test]
fn archives_by_name_by_parameter_and_by_detour() {
    let server = start();
    let at = |path: &str| fetch(&format!("http://{}{path}", server.address));
    let whole = Ok(vec!["main.tf=x".to_owned(), "sub/main.tf=y".to_owned()]);
    assert_eq!(at("/x.zip"), whole);
    assert_eq!(at("/latest?archive=zip"), whole);
    assert_eq!(at("/header"), whole);
    assert_eq!(at("/page"), Ok(vec!["main.tf=y".to_owned()]));
}

#[test]
fn refusals() {
    let server = start();
    let base = format!("http://{}", server.address);
    let problem = |path: &str| fetch(&format!("{base}{path}")).unwrap_err();
    assert_eq!(problem("/nope.zip"), "bad response code: 404");
    assert_eq!(problem("/nope?archive=false"), format!("error downloading '{base}/nope': bad response code: 404"));
    assert!(problem("/empty").ends_with("no source URL was returned"));
    assert!(problem("/local").contains("file:///etc"));
    assert!(problem("/endless").contains("led to one another"));
    assert!(problem("/round?archive=zip").contains("404") || problem("/round?archive=zip").contains("redirects"));
    assert!(problem("/x.zip?checksum=md5:00000000000000000000000000000000").contains("Checksums did not match."));
    assert!(problem("/x.zip?checksum=file:./sums").contains("Checksums did not match."));
    assert!(problem("/x.zip?checksum=nonsense").contains("invalid checksum"));
    assert_eq!(fetch("foo::http://h/x").unwrap_err(), "download not supported for scheme 'foo'");
    assert!(fetch("hg::http://h/x").unwrap_err().starts_with("Mercurial repositories are not supported"));
}

#[test]
fn downloads_are_bounded() {
    let server = start();
    let limits = Limits { download: 10, ..Limits::default() };
    let small: Fetcher = fetcher(NoCredentials, Services::new()).with_limits(limits);
    let error = fetch_by(&small, &format!("http://{}/x.zip", server.address)).unwrap_err();
    assert!(error.contains("longer than 10 bytes"), "{error}");
}

#[test]
fn a_redirect_takes_no_credentials_to_another_host() {
    let other = Server::start(|_| Answer::ok(zip(&[("main.tf", "x")])));
    let target = format!("http://{}/y.zip", other.address);
    let first = Server::start(move |_| Answer::status(302).with("Location", target.clone()));
    let files = fetch_by(&fetcher(All, Services::new()), &format!("http://{}/x.zip", first.address));
    assert_eq!(files, Ok(vec!["main.tf=x".to_owned()]));
    assert!(first.asked()[0].headers.contains_key("authorization"));
    assert!(!other.asked()[0].headers.contains_key("authorization"));
}

#[test]
fn a_package_is_downloaded_once() {
    let server = start();
    let fetcher = fetcher(NoCredentials, Services::new());
    let dir = tempfile::tempdir().unwrap();
    let package = format!("http://{}/x.zip", server.address);
    for name in ["a", "b"] {
        let folder = dir.path().join(name);
        crate::run(config::packages::Packages::fetch(&fetcher, &package, &folder)).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("sub/main.tf")).unwrap(), "y");
    }
    assert_eq!(server.asked().len(), 1);
}
