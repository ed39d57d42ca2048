//! PostgreSQL over TLS, with certificates that openssl makes. Without its programs, or PostgreSQL's, the test is skipped.
#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use localstack_tests::Postgres;
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::json;
use state::backend::remote::{Kinds, Surroundings};

/// Runs openssl in a folder; whether it is installed and did it.
fn openssl(folder: &Path, arguments: &str) -> bool {
    let command = std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    command.is_ok_and(|output| output.status.success())
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";

/// Certificates in a server's folder: of an authority, of another one, and of the server `localhost`.
fn certificates(folder: &Path) -> bool {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    ["root", "other"].iter().all(|name| {
        openssl(folder, &format!("req -x509 {NEW_KEY} -keyout {name}.key -out {name}.crt -subj /CN={name}"))
    }) && openssl(folder, &format!("req {NEW_KEY} -keyout server.key -out server.csr -subj /CN=server"))
        && openssl(
            folder,
            "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.crt",
        )
}

#[tokio::test]
async fn postgres_is_reached_over_tls_as_terraforms_driver_does() {
    let folder = tempfile::tempdir().unwrap();
    let around = Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: Default::default(),
        journal_folder: folder.path().join("journals"),
        codec: state::Codec::default(),
    };
    let of_its_own = format!(
        "req -x509 {NEW_KEY} -keyout server.key -out server.crt -subj /CN=x -addext subjectAltName=DNS:localhost"
    );
    for is_issued in [true, false] {
        let mut made = false;
        let server = Postgres::start_with(|data| {
            made = if is_issued { certificates(data) } else { certificates(data) && openssl(data, &of_its_own) };
            for name in ["root.crt", "other.crt", "server.crt"] {
                let _ = std::fs::copy(data.join(name), folder.path().join(name));
            }
            // Nobody gets in without.
            std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
            Ok(if made { vec!["ssl=on".to_owned()] } else { Vec::new() })
        });
        let Some(server) = server.unwrap() else { return };
        if !made {
            eprintln!("skipped: no openssl");
            return;
        }
        let trusted = if is_issued { "root.crt" } else { "server.crt" };
        let ask = async |host: &str, rest: &str| {
            let rest = rest.replace("TRUSTED", trusted).replace("DIR", folder.path().to_str().unwrap());
            let address = format!("postgres://postgres@{host}:{}/postgres?{rest}", server.port);
            let config = json!({"conn_str": address});
            let backend = Kinds::default().open("pg", config.as_object().unwrap(), &around);
            let store = backend.map_err(|error| error.to_string())?.unwrap().store("default").unwrap();
            store.read().await.map(drop).map_err(|error| error.to_string())
        };
        for (host, rest, problem) in [
            ("localhost", "sslmode=verify-full&sslrootcert=DIR/TRUSTED", ""),
            ("127.0.0.1", "sslmode=verify-full&sslrootcert=DIR/TRUSTED", "not valid for name"),
            ("127.0.0.1", "sslmode=verify-ca&sslrootcert=DIR/TRUSTED", ""),
            ("localhost", "sslmode=verify-ca&sslrootcert=DIR/other.crt", "invalid peer certificate"),
            ("localhost", "sslmode=verify-full&sslrootcert=DIR/other.crt", "invalid peer certificate"),
            ("localhost", "sslmode=verify-ca", "invalid peer certificate"),
            ("localhost", "sslmode=verify-ca&sslrootcert=DIR/none.crt", "none.crt"),
            ("127.0.0.1", "sslmode=require", ""),
            ("127.0.0.1", "sslmode=require&sslrootcert=DIR/none.crt", ""),
            ("127.0.0.1", "sslmode=require&sslrootcert=DIR/other.crt", "invalid peer certificate"),
            ("127.0.0.1", "", ""),
            ("127.0.0.1", "sslmode=disable", "no pg_hba.conf entry"),
            ("127.0.0.1", "sslmode=prefer", "unsupported sslmode"),
        ] {
            match ask(host, rest).await {
                Ok(()) => assert_eq!("", problem, "{host} {rest}"),
                Err(error) => assert!(!problem.is_empty() && error.contains(problem), "{host} {rest}: {error}"),
            }
        }
    }
}
