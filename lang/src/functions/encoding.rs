//! Encodings: `base64decode`, `base64encode`, `base64gzip`, `textdecodebase64`, `textencodebase64`, `urlencode`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::arguments::{quoted, string, unmarked};
use super::charset::Charset;
use super::{CallError, Function, Param, base64_text, gzip};
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::Value;

/// What `urlencode` escapes: all but letters, digits and `-_.~`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn functions() -> Vec<Function> {
    let text = || Param::new("str", Type::String);
    vec![
        Function::new("base64decode", "`base64decode` decodes Base64 to a string.", Type::String, |a, _, _| {
            let (text, marks) = unmarked(a, 0)?;
            let Some(text) = text.as_str() else { return Ok(Value::unknown(Type::String).with_marks(marks)) };
            let bytes = base64_text::decode(text)
                .ok_or_else(|| CallError::new(format_args!("failed to decode base64 data {}", quoted(text, marks))))?;
            let decoded = String::from_utf8(bytes)
                .map_err(|_| CallError::new("the result of decoding the provided string is not valid UTF-8"))?;
            Ok(Value::string(decoded).with_marks(marks))
        })
        .param(text().unknown().marked()),
        Function::new("base64encode", "`base64encode` encodes a string in Base64.", Type::String, |a, _, _| {
            Ok(Value::string(STANDARD.encode(string(a, 0)?.as_bytes())))
        })
        .param(text()),
        Function::new(
            "base64gzip",
            "`base64gzip` compresses a string with gzip and encodes it in Base64.",
            Type::String,
            |a, _, _| Ok(Value::string(STANDARD.encode(gzip::compress(string(a, 0)?.as_bytes())))),
        )
        .param(text()),
        Function::new(
            "textdecodebase64",
            "`textdecodebase64` decodes Base64 of text in a given encoding.",
            Type::String,
            |a, _, _| {
                let charset = charset(string(a, 1)?)?;
                let text = string(a, 0)?;
                let corrupt = || {
                    let offset = base64_text::corrupt_at(text);
                    CallError::argument(
                        0,
                        format_args!("the given value is has an invalid base64 symbol at offset {offset}"),
                    )
                };
                let bytes = base64_text::decode(text).ok_or_else(corrupt)?;
                let undefined = || {
                    let name = charset.name();
                    CallError::argument(
                        0,
                        format_args!("the given string contains symbols that are not defined for {name}"),
                    )
                };
                charset.decode(&bytes).map(Value::string).ok_or_else(undefined)
            },
        )
        .param(Param::new("source", Type::String))
        .param(Param::new("encoding", Type::String)),
        Function::new(
            "textencodebase64",
            "`textencodebase64` encodes a string in a given encoding, and that in Base64.",
            Type::String,
            |a, _, _| {
                let charset = charset(string(a, 1)?)?;
                let undefined = || {
                    let name = charset.name();
                    CallError::argument(
                        0,
                        format_args!("the given string contains characters that cannot be represented in {name}"),
                    )
                };
                let bytes = charset.encode(string(a, 0)?).ok_or_else(undefined)?;
                Ok(Value::string(STANDARD.encode(bytes)))
            },
        )
        .param(Param::new("string", Type::String))
        .param(Param::new("encoding", Type::String)),
        Function::new("urlencode", "`urlencode` escapes a string for the query of a URL.", Type::String, |a, _, _| {
            Ok(Value::string(utf8_percent_encode(string(a, 0)?, QUERY).to_string().replace("%20", "+")))
        })
        .param(text()),
    ]
}

fn charset(name: &str) -> Result<Charset, CallError> {
    Charset::find(name).ok_or_else(|| {
        let name = go_quote(name);
        CallError::argument(
            1,
            format_args!("{name} is not a supported IANA encoding name or alias in this Terraform version"),
        )
    })
}
