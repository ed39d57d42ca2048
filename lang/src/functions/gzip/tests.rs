use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::eval::{Locals, evaluate};
use crate::functions::{CallContext, table};
use crate::{Sources, syntax};

#[test]
fn frames_are_go_s() {
    for (text, expected) in [
        ("", "H4sIAAAAAAAA/wAAAP//AQAA//8AAAAAAAAAAA=="),
        ("é", "H4sIAAAAAAAA/zq8EgAAAP//AQAA//8+jQQOAgAAAA=="),
        ("~/x/../y", "H4sIAAAAAAAA/6rTr9DX09OvBAAAAP//AQAA///VYBYICAAAAA=="),
    ] {
        assert_eq!(STANDARD.encode(compress(text.as_bytes())), expected, "{text}");
    }
}

#[test]
fn what_was_compressed_can_be_read() {
    let mut noise = 1u64;
    for length in [0usize, 1, 300, 65_535, 65_536, 300_000] {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 60) as u8
        })
        .take(length)
        .collect();
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(compress(&bytes).as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{length}");
    }
}

/// `recorded.txt`: the SHA-256 of what Terraform 1.11's `base64gzip` gives, and the expression of the text.
#[test]
fn bytes_are_those_that_terraform_recorded() {
    let context = CallContext {
        base_dir: PathBuf::new(),
        working_dir: PathBuf::new(),
        home_dir: None,
        planning: false,
        plan_timestamp: None,
    };
    let functions = table(context);
    let scope = Locals::new(Default::default()).with_functions(&functions);
    for line in include_str!("recorded.txt").lines() {
        let (expected, text) = line.split_once(' ').unwrap();
        let (expr, mut diagnostics) =
            syntax::parse_expression(&Sources::new(), "test", &format!("sha256(base64gzip({text}))"));
        let value = evaluate(&expr, &scope, &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{text}: {:?}", diagnostics.iter().next());
        assert_eq!(value.as_str().map(|digest| digest.as_str()), Some(expected), "{text}");
    }
}
