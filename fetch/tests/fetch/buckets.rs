use fetch::Services;

use crate::server::{Answer, Server};
use crate::{All, fetch, fetch_by, fetcher, zip};

#[test]
fn archives_and_folders_of_s3() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/b/k/x.zip" => Answer::ok(zip(&[("main.tf", "x")])),
        "/b?list-type=2&prefix=mod%2F" => Answer::ok(
            "<ListBucketResult><Contents><Key>mod/main.tf</Key></Contents><Contents><Key>mod/</Key></Contents>\
             <NextContinuationToken>t/1</NextContinuationToken></ListBucketResult>",
        ),
        "/b?list-type=2&prefix=mod%2F&continuation-token=t%2F1" => {
            Answer::ok("<ListBucketResult><Contents><Key>mod/a &amp; b/c.tf</Key></Contents></ListBucketResult>")
        }
        "/b?list-type=2&prefix=evil%2F" => {
            Answer::ok("<ListBucketResult><Contents><Key>evil/../../x</Key></Contents></ListBucketResult>")
        }
        "/b/mod/main.tf" => Answer::ok("one"),
        "/b/mod/a%20%26%20b/c.tf" => Answer::ok("two"),
        _ => Answer::ok("<ListBucketResult></ListBucketResult>"),
    });
    let at = |path: &str| format!("s3::http://{}{path}", server.address);
    assert_eq!(fetch(&at("/b/k/x.zip")), Ok(vec!["main.tf=x".to_owned()]));
    let signing = fetcher(All, Services::new());
    let files = vec!["a & b/c.tf=two".to_owned(), "main.tf=one".to_owned()];
    assert_eq!(fetch_by(&signing, &at("/b/mod?region=eu-west-1")), Ok(files));
    assert!(fetch(&at("/b/evil")).unwrap_err().contains("outside of its folder"));
    assert!(fetch(&at("/b/none")).is_err());
    let asked = server.asked();
    assert!(!asked[0].headers.contains_key("authorization"));
    let signed = &asked[1].headers;
    assert!(signed["authorization"].starts_with("AWS4-HMAC-SHA256 Credential=AKID/"));
    assert!(signed["authorization"].contains("/eu-west-1/s3/aws4_request"));
    assert_eq!(signed["x-amz-security-token"], "session");
}

#[test]
fn archives_and_folders_of_cloud_storage() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/storage/v1/b/bkt/o/k%2Fx.zip?alt=media" => Answer::ok(zip(&[("main.tf", "x")])),
        "/storage/v1/b/bkt/o?prefix=mod%2F" => Answer::ok(r#"{"items":[{"name":"mod/a.tf"}],"nextPageToken":"p"}"#),
        "/storage/v1/b/bkt/o?prefix=mod%2F&pageToken=p" => Answer::ok(r#"{"items":[{"name":"mod/s/b.tf"}]}"#),
        "/storage/v1/b/bkt/o/mod%2Fa.tf?alt=media" => Answer::ok("a"),
        "/storage/v1/b/bkt/o/mod%2Fs%2Fb.tf?alt=media" => Answer::ok("b"),
        _ => Answer::status(404),
    });
    let at = |path: &str| format!("gcs::http://{}/storage/v1/bkt{path}", server.address);
    let google = fetcher(All, Services::new());
    assert_eq!(fetch_by(&google, &at("/k/x.zip")), Ok(vec!["main.tf=x".to_owned()]));
    assert_eq!(fetch(&at("/mod")), Ok(vec!["a.tf=a".to_owned(), "s/b.tf=b".to_owned()]));
    assert!(fetch(&at("/nope.zip")).unwrap_err().contains("bad response code: 404"));
    assert_eq!(server.asked()[0].headers["authorization"], "Bearer google-token");
}
