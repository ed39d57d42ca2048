//! Encryption as it is configured, against files that another program made in OpenTofu's format.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use lang::eval::NoScope;
use lang::{Diagnostics, Sources};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};
use state::codec::{Label, Sealed, sealed};
use state::v4::ReadError;
use state::{Codec, SealError, backend, v4};
use state_encryption::{Config, Encryption, Kinds, Surroundings};

fn build(texts: &[&str]) -> Result<Encryption, Diagnostics> {
    let sources = Sources::new();
    let mut config = Config::default();
    for text in texts {
        config = config.overlaid(Config::parse(&sources, "TF_ENCRYPTION", text)?);
    }
    let services = backend::remote::Surroundings {
        client: Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        variables: BTreeMap::new(),
        journal_folder: Path::new("").to_owned(),
        codec: Codec::default(),
    };
    let surroundings =
        Surroundings { kinds: Kinds::default(), services: &services, scope: &NoScope, sources: &sources };
    Encryption::build(&config, &surroundings)
}

fn encryption(text: &str) -> Encryption {
    build(&[text]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A key provider, and the method of its name.
fn key(name: &str, arguments: &str) -> String {
    format!(
        "key_provider \"pbkdf2\" \"{name}\" {{\n{arguments}\n}}\nmethod \"aes_gcm\" \"{name}\" {{\nkeys = \
         key_provider.pbkdf2.{name}\n}}\n"
    )
}

const QUICK: &str = "passphrase = \"correct horse battery staple\"\niterations = 200000\nhash_function = \"sha256\"";
const OTHER: &str = "passphrase = \"another horse, another staple\"\niterations = 200000\nhash_function = \"sha256\"";
const CLEAR: &[u8] = include_bytes!("fixtures/clear.json");

fn serial(codec: &Codec, stored: &[u8]) -> Result<u64, ReadError> {
    codec.read(stored).map(|state| state.unwrap().serial.0)
}

fn seal_error(codec: &Codec, stored: &[u8]) -> SealError {
    match codec.read(stored) {
        Err(ReadError::Sealed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_of_opentofus_format_are_read() {
    let main = key("main", "passphrase = \"correct horse battery staple\"");
    let encryption = encryption(&format!(
        "{main}state {{\nmethod = method.aes_gcm.main\n}}\nplan {{\nmethod = method.aes_gcm.main\n}}"
    ));
    for file in [&include_bytes!("fixtures/default.json")[..], include_bytes!("fixtures/middle.json")] {
        let state = encryption.state().read(file).unwrap().unwrap();
        assert_eq!(v4::write(&state), CLEAR);
        assert!(!encryption.state().is_outdated());
    }
    let plan = include_bytes!("fixtures/plan");
    assert_eq!(&*encryption.plan().unwrap().open(plan).unwrap().clear, b"PK plan");
    assert_eq!(
        (sealed(plan), sealed(include_bytes!("fixtures/aad.json"))),
        (Some(Sealed::Other), Some(Sealed::Snapshot))
    );
}

#[test]
fn additional_data_and_aliases_are_taken_into_account() {
    let text = |aad: &str| {
        format!(
            "key_provider \"pbkdf2\" \"renamed\" {{\nencrypted_metadata_alias = \"alias\"\npassphrase = \"correct horse battery \
             staple\"\n}}\nmethod \"aes_gcm\" \"m\" {{\nkeys = key_provider.pbkdf2.renamed\naad = {aad}\n}}\nstate {{\nmethod = \
             method.aes_gcm.m\n}}"
        )
    };
    let file = include_bytes!("fixtures/aad.json");
    assert_eq!(serial(encryption(&text("[1, 2, 3]")).state(), file).unwrap(), 7);
    assert!(matches!(seal_error(encryption(&text("[1, 2]")).state(), file), SealError::WrongKey { .. }));
}

#[test]
fn what_is_written_has_opentofus_form_and_another_key_each_run() {
    let text = format!("{}state {{\nmethod = method.aes_gcm.main\n}}", key("main", QUICK));
    let (ours, theirs) = (encryption(&text), encryption(&text));
    let state = v4::read(CLEAR).unwrap().unwrap();
    let written = ours.state().write(&state).unwrap();
    let text = std::str::from_utf8(&written).unwrap();
    let start =
        "{\"serial\":7,\"lineage\":\"6b5d0a3e-1c8e-4a3b-9c55-3f6f4a0d2b11\",\"meta\":{\"key_provider.pbkdf2.main\":\"";
    assert!(text.starts_with(start) && text.ends_with("\",\"encryption_version\":\"v0\"}"), "{text}");
    assert!(!text.contains("hush"));
    let again = ours.state().write(&state).unwrap();
    let meta = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["meta"].clone();
    assert!(written != again && meta(&written) == meta(&again), "a key per run, a nonce per write");
    assert_ne!(meta(&written), meta(&theirs.state().write(&state).unwrap()));
    assert_eq!(theirs.state().read(&written).unwrap().unwrap(), state);
}

#[test]
fn keys_are_rotated_with_a_fallback_that_only_reads() {
    let old = encryption(&format!("{}state {{\nmethod = method.aes_gcm.old\n}}", key("old", QUICK)));
    let both = format!(
        "{}{}state {{\nmethod = method.aes_gcm.new\nfallback {{\nmethod = method.aes_gcm.old\n}}\n}}",
        key("old", QUICK),
        key("new", OTHER)
    );
    let both = encryption(&both);
    let new = encryption(&format!("{}state {{\nmethod = method.aes_gcm.new\n}}", key("new", OTHER)));
    let state = v4::read(CLEAR).unwrap().unwrap();
    let stored = old.state().write(&state).unwrap();
    assert_eq!(serial(both.state(), &stored).unwrap(), 7);
    assert!(both.state().is_outdated());
    let rotated = both.state().write(&state).unwrap();
    assert!(!both.state().is_outdated());
    assert_eq!(serial(new.state(), &rotated).unwrap(), 7);
    let error = seal_error(new.state(), &stored).to_string();
    assert!(
        error.contains("it was encrypted with key_provider.pbkdf2.old, not with key_provider.pbkdf2.new"),
        "{error}"
    );
    assert!(error.contains("`fallback`"), "{error}");
}

#[test]
fn there_is_a_way_in_and_a_way_out() {
    let main = key("main", QUICK);
    let plain = "method \"unencrypted\" \"u\" {}\n";
    let way_in = format!(
        "{main}{plain}state {{\nmethod = method.aes_gcm.main\nfallback {{\nmethod = method.unencrypted.u\n}}\n}}"
    );
    let way_out = format!(
        "{main}{plain}state {{\nmethod = method.unencrypted.u\nfallback {{\nmethod = method.aes_gcm.main\n}}\n}}"
    );
    let (way_in, way_out) = (encryption(&way_in), encryption(&way_out));
    let state = way_in.state().read(CLEAR).unwrap().unwrap();
    assert!(way_in.state().is_outdated());
    let stored = way_in.state().write(&state).unwrap();
    assert_eq!(sealed(&stored), Some(Sealed::Snapshot));
    let state = way_out.state().read(&stored).unwrap().unwrap();
    assert!(way_out.state().is_outdated());
    assert_eq!(way_out.state().write(&state).unwrap(), CLEAR);
    let enforced = format!(
        "{main}{plain}state {{\nenforced = true\nmethod = method.aes_gcm.main\nfallback {{\nmethod = method.unencrypted.u\n}}\n}}"
    );
    let problems = build(&[&enforced]).err().unwrap();
    assert_eq!(problems.iter().next().unwrap().summary(), "Unencrypted method is forbidden");
}

#[test]
fn what_can_not_be_opened_says_why() {
    let enforced =
        encryption(&format!("{}state {{\nenforced = true\nmethod = method.aes_gcm.main\n}}", key("main", QUICK)));
    let codec = enforced.state();
    let error = seal_error(codec, CLEAR);
    assert_eq!(error, SealError::InClear { target: "state".to_owned() });
    let file = include_bytes!("fixtures/middle.json");
    let other = encryption(&format!("{}state {{\nmethod = method.aes_gcm.main\n}}", key("main", OTHER)));
    let error = seal_error(other.state(), file).to_string();
    assert!(error.contains("method.aes_gcm.main: the key is another one, or the data are damaged"), "{error}");
    assert_eq!(seal_error(&Codec::default(), file), SealError::NotConfigured);
    assert_eq!(
        seal_error(codec, include_bytes!("fixtures/relabelled.json")),
        SealError::Relabelled { field: "serial" }
    );
    for length in [1, 20, file.len() / 2, file.len() - 1] {
        let error = codec.read(&file[..length]);
        assert!(matches!(error, Err(ReadError::Syntax { .. })), "{length}: {error:?}");
    }
    let text = std::str::from_utf8(file).unwrap();
    for (from, to) in
        [("encrypted_data\":\"", "encrypted_data\":\"?"), ("encrypted_data\":\"", "encrypted_data\":\"AAAA")]
    {
        let error = seal_error(codec, text.replace(from, to).as_bytes());
        assert!(matches!(error, SealError::Damaged { .. } | SealError::WrongKey { .. }), "{error:?}");
    }
    assert_eq!(seal_error(codec, text.replace("\"v0\"", "\"v1\"").as_bytes()), SealError::Version("v1".to_owned()));
    assert!(codec.read(b"").unwrap().is_none());
}

#[test]
fn damaged_metadata_cost_no_time() {
    let codec = encryption(&format!("{}state {{\nmethod = method.aes_gcm.main\n}}", key("main", QUICK)));
    for meta in [
        "",
        "bnVsbA==",
        "eyJzYWx0IjoiIiwiaXRlcmF0aW9ucyI6NDI5NDk2NzI5NSwiaGFzaF9mdW5jdGlvbiI6InNoYTI1NiIsImtleV9sZW5ndGgiOjMyfQ==",
    ] {
        let file = format!(
            "{{\"meta\":{{\"key_provider.pbkdf2.main\":\"{meta}\"}},\"encrypted_data\":\"AAAA\",\"encryption_version\":\"v0\"}}"
        );
        let error = seal_error(codec.state(), file.as_bytes()).to_string();
        assert!(error.contains("what is stored beside the data is damaged"), "{error}");
    }
}

#[test]
fn the_environment_is_laid_over_the_block() {
    let block = format!("{}state {{\nenforced = true\nmethod = method.aes_gcm.main\n}}", key("main", OTHER));
    let over = "{\"key_provider\": {\"pbkdf2\": {\"main\": {\"passphrase\": \"correct horse battery staple\"}}}, \"plan\": \
                {\"method\": \"${method.aes_gcm.main}\"}}";
    let both = build(&[&block, over]).unwrap();
    assert_eq!(serial(both.state(), include_bytes!("fixtures/middle.json")).unwrap(), 7);
    assert!(both.encrypts_plans());
    let json = "{\"key_provider\": {\"pbkdf2\": {\"main\": {\"passphrase\": \"correct horse battery staple\"}}}, \"method\": \
                {\"aes_gcm\": {\"main\": {\"keys\": \"key_provider.pbkdf2.main\"}}}, \"state\": {\"method\": \
                \"method.aes_gcm.main\"}}";
    assert_eq!(serial(encryption(json).state(), include_bytes!("fixtures/middle.json")).unwrap(), 7);
}

#[test]
fn remote_states_have_methods_of_their_own() {
    let text = format!(
        "{}{}remote_state_data_sources {{\ndefault {{\nmethod = method.aes_gcm.a\n}}\nremote_state_data_source \"x\" {{\nmethod = \
         method.aes_gcm.b\n}}\n}}",
        key("a", QUICK),
        key("b", OTHER)
    );
    let encryption = encryption(&text);
    let state = v4::read(CLEAR).unwrap().unwrap();
    let of_x = encryption.remote("x").write(&state).unwrap();
    assert_eq!(serial(encryption.remote("x"), &of_x).unwrap(), 7);
    assert!(encryption.remote("y").read(&of_x).is_err());
    assert!(encryption.state().is_clear());
}

#[test]
fn passphrases_may_come_from_another_key() {
    let text = "key_provider \"pbkdf2\" \"first\" {\npassphrase = \"correct horse battery staple\"\niterations = \
                200000\n}\nkey_provider \"pbkdf2\" \"second\" {\nchain = key_provider.pbkdf2.first\niterations = 200000\n}\nmethod \
                \"aes_gcm\" \"m\" {\nkeys = key_provider.pbkdf2.second\n}\nplan {\nmethod = method.aes_gcm.m\n}";
    let (one, two) = (encryption(text), encryption(text));
    let stored = one.plan().unwrap().seal(b"PK", &Label::default()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(json["meta"].as_object().unwrap().len(), 2);
    assert_eq!(&*two.plan().unwrap().open(&stored).unwrap().clear, b"PK");
}

#[test]
fn mistakes_are_told_without_the_lines_that_hold_keys() {
    let state = "state {\nmethod = method.aes_gcm.main\n}";
    let cases = [
        (format!("{}{state}", key("main", "passphrase = \"hush-short\"")), "Unusable key provider"),
        (format!("{}{state}", key("main", "")), "Unusable key provider"),
        (
            format!("{}{state}", key("main", "passphrase = \"hush hush hush hush\"\niterations = 1000")),
            "Unusable key provider",
        ),
        (format!("{}{state}", key("main", "passphrase = \"hush hush hush hush\"\nsalt = 3")), "Unsupported argument"),
        (format!("{}{state}", key("main", "passphrase = \"hush hush ${var.x}\"")), "Variables not allowed"),
        (format!("{}{state}", key("main", "passphrase = [\"hush hush hush hush\"]")), "Unsuitable value"),
        (
            format!("{}state {{\nmethod = method.aes_gcm.nain\n}}", key("main", QUICK)),
            "Reference to undeclared encryption method",
        ),
        (format!("{}state {{\n}}", key("main", QUICK)), "Missing required argument"),
        (format!("{}{}{state}", key("main", QUICK), key("main", QUICK)), "Duplicate key_provider"),
        (
            format!("{}{state}", key("main", QUICK).replace("\"pbkdf2\"", "\"pbkdf3\"").replace("pbkdf2.", "pbkdf3.")),
            "Unknown key_provider type",
        ),
        (
            format!("{}{state}", key("main", QUICK).replace("aes_gcm", "xor")),
            "Reference to undeclared encryption method",
        ),
        (key("main", "chain = key_provider.pbkdf2.main") + state, "Circular reference detected"),
        ("key_provider \"pbkdf2\" \"main\" { passphrase = \"hush".to_owned(), "Unterminated template string"),
    ];
    for (text, summary) in cases {
        let problems = build(&[&text]).err().unwrap_or_else(|| panic!("{text}"));
        let shown = format!("{problems:?}");
        assert!(problems.iter().any(|problem| problem.summary() == summary), "{summary}: {shown}");
        assert!(problems.iter().all(|problem| problem.subject().is_none() && problem.values().is_empty()));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
