//! Character encodings by their IANA names. Web browsers know more names (`cp1252`), and take some for others; here a name
//! is what IANA registered.

use encoding_rs::{self as web, DecoderResult, Encoding};

/// An encoding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charset {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Utf8,
    /// Big-endian, also with a byte order mark of its own.
    Utf16 {
        little: bool,
        mark: bool,
    },
    /// Code points below this limit, one byte each.
    Direct {
        limit: u32,
    },
    Web(&'static Encoding),
}

/// Preferred name, aliases in lower case, encoding.
type Entry = (&'static str, &'static [&'static str], Kind);

static CHARSETS: [Entry; 36] = [
    ("UTF-8", &["csutf8"], Kind::Utf8),
    ("UTF-16", &["csutf16"], Kind::Utf16 { little: false, mark: true }),
    ("UTF-16BE", &["csutf16be"], Kind::Utf16 { little: false, mark: false }),
    ("UTF-16LE", &["csutf16le"], Kind::Utf16 { little: true, mark: false }),
    (
        "US-ASCII",
        &[
            "iso-ir-6",
            "ansi_x3.4-1968",
            "ansi_x3.4-1986",
            "iso_646.irv:1991",
            "iso646-us",
            "us",
            "ibm367",
            "cp367",
            "csascii",
        ],
        Kind::Direct { limit: 0x80 },
    ),
    (
        "ISO-8859-1",
        &["iso_8859-1:1987", "iso-ir-100", "iso_8859-1", "latin1", "l1", "ibm819", "cp819", "csisolatin1"],
        Kind::Direct { limit: 0x100 },
    ),
    (
        "ISO-8859-2",
        &["iso_8859-2:1987", "iso-ir-101", "iso_8859-2", "latin2", "l2", "csisolatin2"],
        Kind::Web(web::ISO_8859_2),
    ),
    (
        "ISO-8859-3",
        &["iso_8859-3:1988", "iso-ir-109", "iso_8859-3", "latin3", "l3", "csisolatin3"],
        Kind::Web(web::ISO_8859_3),
    ),
    (
        "ISO-8859-4",
        &["iso_8859-4:1988", "iso-ir-110", "iso_8859-4", "latin4", "l4", "csisolatin4"],
        Kind::Web(web::ISO_8859_4),
    ),
    (
        "ISO-8859-5",
        &["iso_8859-5:1988", "iso-ir-144", "iso_8859-5", "cyrillic", "csisolatincyrillic"],
        Kind::Web(web::ISO_8859_5),
    ),
    (
        "ISO-8859-6",
        &["iso_8859-6:1987", "iso-ir-127", "iso_8859-6", "ecma-114", "asmo-708", "arabic"],
        Kind::Web(web::ISO_8859_6),
    ),
    (
        "ISO-8859-7",
        &["iso_8859-7:1987", "iso-ir-126", "iso_8859-7", "elot_928", "ecma-118", "greek", "greek8"],
        Kind::Web(web::ISO_8859_7),
    ),
    (
        "ISO-8859-8",
        &["iso_8859-8:1988", "iso-ir-138", "iso_8859-8", "hebrew", "csisolatinhebrew"],
        Kind::Web(web::ISO_8859_8),
    ),
    (
        "ISO-8859-9",
        &["iso_8859-9:1989", "iso-ir-148", "iso_8859-9", "latin5", "l5", "csisolatin5"],
        Kind::Web(web::WINDOWS_1254),
    ),
    ("ISO-8859-10", &["iso-ir-157", "l6", "iso_8859-10:1992", "csisolatin6", "latin6"], Kind::Web(web::ISO_8859_10)),
    ("ISO-8859-13", &["csiso885913"], Kind::Web(web::ISO_8859_13)),
    (
        "ISO-8859-14",
        &["iso-ir-199", "iso_8859-14:1998", "iso_8859-14", "latin8", "iso-celtic", "l8"],
        Kind::Web(web::ISO_8859_14),
    ),
    ("ISO-8859-15", &["iso_8859-15", "latin-9", "csiso885915"], Kind::Web(web::ISO_8859_15)),
    ("ISO-8859-16", &["iso-ir-226", "iso_8859-16:2001", "iso_8859-16", "latin10", "l10"], Kind::Web(web::ISO_8859_16)),
    ("windows-874", &["cswindows874"], Kind::Web(web::WINDOWS_874)),
    ("windows-1250", &["cswindows1250"], Kind::Web(web::WINDOWS_1250)),
    ("windows-1251", &["cswindows1251"], Kind::Web(web::WINDOWS_1251)),
    ("windows-1252", &["cswindows1252"], Kind::Web(web::WINDOWS_1252)),
    ("windows-1253", &["cswindows1253"], Kind::Web(web::WINDOWS_1253)),
    ("windows-1254", &["cswindows1254"], Kind::Web(web::WINDOWS_1254)),
    ("windows-1255", &["cswindows1255"], Kind::Web(web::WINDOWS_1255)),
    ("windows-1256", &["cswindows1256"], Kind::Web(web::WINDOWS_1256)),
    ("windows-1257", &["cswindows1257"], Kind::Web(web::WINDOWS_1257)),
    ("windows-1258", &["cswindows1258"], Kind::Web(web::WINDOWS_1258)),
    ("KOI8-R", &["cskoi8r"], Kind::Web(web::KOI8_R)),
    ("macintosh", &["mac", "csmacintosh"], Kind::Web(web::MACINTOSH)),
    ("Shift_JIS", &["ms_kanji", "csshiftjis"], Kind::Web(web::SHIFT_JIS)),
    ("EUC-JP", &["extended_unix_code_packed_format_for_japanese", "cseucpkdfmtjapanese"], Kind::Web(web::EUC_JP)),
    ("GBK", &["cp936", "ms936", "windows-936", "csgbk"], Kind::Web(web::GBK)),
    ("GB18030", &["csgb18030"], Kind::Web(web::GB18030)),
    ("Big5", &["csbig5"], Kind::Web(web::BIG5)),
];

impl Charset {
    /// The encoding with a name or alias, in any case.
    pub(super) fn find(name: &str) -> Option<Charset> {
        let wanted = name.to_ascii_lowercase();
        let mut all = CHARSETS.iter();
        let found = all.find(|(n, aliases, _)| n.eq_ignore_ascii_case(name) || aliases.contains(&wanted.as_str()));
        found.map(|(name, _, kind)| Charset { name, kind: *kind })
    }

    /// Its preferred name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The bytes of a text; `None` where a character cannot be encoded.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Utf8 => Some(text.as_bytes().to_vec()),
            Kind::Utf16 { little, mark } => {
                let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
                Some(units.flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect())
            }
            Kind::Direct { limit } => {
                text.chars().map(|c| u8::try_from(c as u32).ok().filter(|_| (c as u32) < limit)).collect()
            }
            Kind::Web(encoding) => {
                let (bytes, _, failed) = encoding.encode(text);
                (!failed).then(|| bytes.into_owned())
            }
        }
    }

    /// The text of bytes; `None` where they have no meaning.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<String> {
        match self.kind {
            Kind::Utf8 => String::from_utf8(bytes.to_vec()).ok().filter(|t| !t.contains('\u{FFFD}')),
            Kind::Utf16 { little, mark } => {
                let (little, bytes) = match bytes {
                    [0xFE, 0xFF, rest @ ..] if mark => (false, rest),
                    [0xFF, 0xFE, rest @ ..] if mark => (true, rest),
                    all => (little, all),
                };
                let pairs = bytes.chunks(2).map(|pair| match pair {
                    [a, b] => Some(if little { u16::from_le_bytes([*a, *b]) } else { u16::from_be_bytes([*a, *b]) }),
                    _ => None,
                });
                String::from_utf16(&pairs.collect::<Option<Vec<u16>>>()?).ok()
            }
            Kind::Direct { limit } => {
                bytes.iter().map(|b| Some(char::from(*b)).filter(|c| (*c as u32) < limit)).collect()
            }
            Kind::Web(encoding) => {
                let mut decoder = encoding.new_decoder_without_bom_handling();
                let capacity = decoder.max_utf8_buffer_length_without_replacement(bytes.len())?;
                let mut text = String::with_capacity(capacity);
                let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
                matches!(result, DecoderResult::InputEmpty).then_some(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes() {
        for (name, text, bytes) in [
            ("utf-16", "a", Some(&b"\xFE\xFF\0a"[..])),
            ("UTF-16LE", "a", Some(b"a\0")),
            ("latin1", "é", Some(b"\xE9")),
            ("US-ASCII", "é", None),
            ("EUC-JP", "日本", Some(b"\xC6\xFC\xCB\xDC")),
            ("windows-1252", "€", Some(b"\x80")),
            ("GB18030", "中", Some(b"\xD6\xD0")),
        ] {
            let charset = Charset::find(name).unwrap();
            assert_eq!(charset.encode(text).as_deref(), bytes, "{name}");
            if let Some(bytes) = bytes {
                assert_eq!(charset.decode(bytes).as_deref(), Some(text), "{name}");
            }
        }
        assert!(Charset::find("cp1252").is_none());
        assert!(Charset::find("UTF-16LE").unwrap().decode(b"a").is_none());
    }
}
