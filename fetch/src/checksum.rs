//! `?checksum=`: a package must be the one that was meant.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512};

/// What a file's checksum must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    algorithm: Algorithm,
    expected: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

const ALGORITHMS: [(&str, Algorithm, usize); 4] = [
    ("md5", Algorithm::Md5, 32),
    ("sha1", Algorithm::Sha1, 40),
    ("sha256", Algorithm::Sha256, 64),
    ("sha512", Algorithm::Sha512, 128),
];

impl Checksum {
    /// `sha256:HEX`, or `HEX` alone, whose length tells the algorithm.
    pub(crate) fn parse(text: &str) -> Result<Checksum, String> {
        let (name, hex) = text.split_once(':').map_or((None, text), |(name, hex)| (Some(name), hex));
        let known = ALGORITHMS.into_iter().find(|(known, _, length)| match name {
            Some(name) => name == *known,
            None => hex.len() == *length,
        });
        match known {
            Some((_, algorithm, length)) if hex.len() == length && hex.chars().all(|c| c.is_ascii_hexdigit()) => {
                Ok(Checksum { algorithm, expected: hex.to_ascii_lowercase() })
            }
            _ => {
                Err(format!("invalid checksum: {text:?} is none of md5, sha1, sha256 and sha512 in hexadecimal digits"))
            }
        }
    }

    /// The checksum of a file in a list of checksums, in the forms of GNU (`HEX  NAME`) and BSD (`SHA256 (NAME) = HEX`).
    pub(crate) fn find(list: &str, name: &str) -> Result<Checksum, String> {
        let lines: Vec<&str> = list.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let entries = lines.iter().filter_map(|line| match line.split_once(" = ") {
            Some((head, hex)) => {
                let (algorithm, file) = head.split_once(" (")?;
                Some((format!("{}:{hex}", algorithm.to_lowercase()), file.trim_end_matches(')')))
            }
            None => {
                let (hex, file) = line.split_once(char::is_whitespace)?;
                Some((hex.to_owned(), file.trim().trim_start_matches('*').trim_start_matches("./")))
            }
        });
        let found = entries.filter(|(_, file)| *file == name).map(|(checksum, _)| checksum).next();
        match (found, lines.as_slice()) {
            (Some(checksum), _) => Checksum::parse(&checksum),
            (None, [only]) => Checksum::parse(only),
            _ => Err(format!("the checksum file has no entry for {name:?}")),
        }
    }

    /// Compares a file with it.
    pub(crate) fn verify(&self, path: &Path) -> Result<(), String> {
        let actual = match self.algorithm {
            Algorithm::Md5 => digest::<Md5>(path),
            Algorithm::Sha1 => digest::<Sha1>(path),
            Algorithm::Sha256 => digest::<Sha256>(path),
            Algorithm::Sha512 => digest::<Sha512>(path),
        }
        .map_err(|error| error.to_string())?;
        if actual == self.expected {
            return Ok(());
        }
        Err(format!("Checksums did not match.\nExpected: {}\nGot: {actual}", self.expected))
    }
}

fn digest<D: Digest>(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = D::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_checksums() {
        let hex = "a".repeat(40);
        for text in [hex.clone(), format!("sha1:{hex}")] {
            assert_eq!(Checksum::parse(&text).unwrap(), Checksum { algorithm: Algorithm::Sha1, expected: hex.clone() });
        }
        for bad in ["", "sha1:xyz", "crc:aaaa", &"g".repeat(40)] {
            assert!(Checksum::parse(bad).is_err(), "{bad}");
        }
        let list = format!("{}  other.zip\n{hex} *x.zip\nSHA1 (y.zip) = {}\n", "b".repeat(40), "c".repeat(40));
        assert_eq!(Checksum::find(&list, "x.zip").unwrap().expected, hex);
        assert_eq!(Checksum::find(&list, "y.zip").unwrap().expected, "c".repeat(40));
        assert!(Checksum::find(&list, "z.zip").is_err());
        assert_eq!(Checksum::find(&hex, "z.zip").unwrap().expected, hex);
    }

    #[test]
    fn files_are_compared() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = "md5:d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(Checksum::parse(empty).unwrap().verify(file.path()), Ok(()));
        std::fs::write(file.path(), "x").unwrap();
        let error = Checksum::parse(empty).unwrap().verify(file.path()).unwrap_err();
        assert!(error.starts_with("Checksums did not match."), "{error}");
    }
}
