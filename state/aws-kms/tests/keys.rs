//! Data keys from the emulator's KMS.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use lang::eval::NoScope;
use lang::{Diagnostics, Sources};
use localstack_tests::{Account, Emulator};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use serde_json::{Value, json};
use state::{Codec, backend, v4};
use state_encryption::{Config, Encryption, Kinds, Surroundings};

fn account() -> Account {
    Emulator::shared().unwrap_or_else(|error| panic!("{}", error.full())).account()
}

/// A key that never leaves KMS; its id.
fn make_key(account: &Account) -> String {
    let answer = account.json("kms", "TrentService.CreateKey", &json!({})).unwrap();
    answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

fn build(account: &Account, key: &str, further: &str) -> Result<Encryption, Diagnostics> {
    let sources = Sources::new();
    let text = format!(
        "key_provider \"aws_kms\" \"k\" {{\nkms_key_id = {key:?}\naccess_key = {:?}\nsecret_key = \"test\"\nregion = \
         \"eu-west-1\"\n{further}\n}}\nmethod \"aes_gcm\" \"m\" {{\nkeys = key_provider.aws_kms.k\n}}\nstate {{\nmethod = \
         method.aes_gcm.m\n}}\n",
        account.id
    );
    let config = Config::parse(&sources, "TF_ENCRYPTION", &text)?;
    let services = backend::remote::Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: BTreeMap::from([("AWS_ENDPOINT_URL_KMS".to_owned(), account.endpoint.clone())]),
        journal_folder: Path::new("").to_owned(),
        codec: Codec::default(),
    };
    let kinds = Kinds::with(&[state_aws_kms::KIND]);
    Encryption::build(&config, &Surroundings { kinds, services: &services, scope: &NoScope, sources: &sources })
}

fn encryption(account: &Account, key: &str, further: &str) -> Encryption {
    build(account, key, further).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const SPEC: &str = "key_spec = \"AES_256\"";

/// Runs with a runtime around, as commands do.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

#[test]
fn data_keys_encrypt_and_are_stored_encrypted() {
    let account = account();
    let key = make_key(&account);
    run(async {
        let context = format!("{SPEC}\nencryption_context = {{\nstack = \"eks\"\n}}");
        let ours = encryption(&account, &key, &context);
        let state = state::State { serial: state::Serial(3), ..state::State::new() };
        let stored = ours.state().write(&state).unwrap();
        let json: Value = serde_json::from_slice(&stored).unwrap();
        assert!(json["meta"]["key_provider.aws_kms.k"].is_string());
        // The context is the one that is stored.
        let theirs = encryption(&account, &key, SPEC);
        let read = theirs.state().read(&stored).unwrap().unwrap();
        assert_eq!(v4::write(&read), v4::write(&state));
    });
}

#[test]
fn what_kms_refuses_is_told() {
    let account = account();
    let key = make_key(&account);
    run(async {
        let stored = encryption(&account, &key, SPEC).state().write(&state::State::new()).unwrap();
        let unknown = encryption(&account, "11111111-2222-3333-4444-555555555555", SPEC);
        let error = unknown.state().write(&state::State::new()).unwrap_err().to_string();
        assert!(
            error.starts_with("key_provider.aws_kms.k gives no key: operation error KMS: GenerateDataKey"),
            "{error}"
        );
        let error = unknown.state().read(&stored).unwrap_err().to_string();
        assert!(error.contains("method.aes_gcm.m: key_provider.aws_kms.k gives no key"), "{error}");
    });
}

#[test]
fn arguments_that_can_not_be_used_are_told() {
    let account = account();
    for (further, text) in [
        ("", "\"key_spec\" is required"),
        ("key_spec = \"AES_512\"", "key_spec must be AES_256 or AES_128"),
        ("key_spec = \"AES_256\"\nkey_id = \"x\"", "An argument named \"key_id\" is not expected here."),
    ] {
        let problems = build(&account, "k", further).err().unwrap();
        assert!(format!("{problems:?}").contains(&text.replace('"', "\\\"")), "{problems:?}");
    }
}
