//! libFuzzer around the targets: it follows which code a text reaches, and changes texts that reach more.
//! `FUZZ_TARGET` names the target.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};

static TARGET: OnceLock<Option<fuzz::Target>> = OnceLock::new();

fuzz_target!(|text: &[u8]| -> Corpus {
    let target = TARGET.get_or_init(|| fuzz::target(&std::env::var("FUZZ_TARGET").unwrap_or_default()));
    let Some(target) = target else {
        eprintln!("FUZZ_TARGET must name a target");
        std::process::exit(2)
    };
    (target.run)(text);
    Corpus::Keep
});
