//! Which archives there are, and how they are told from other addresses.

use net::Url;

/// The form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Zip,
    Tar,
    TarGzip,
    TarBzip2,
    TarXz,
}

const ENDINGS: [(&str, Kind); 8] = [
    ("zip", Kind::Zip),
    ("tar.gz", Kind::TarGzip),
    ("tgz", Kind::TarGzip),
    ("tar.bz2", Kind::TarBzip2),
    ("tbz2", Kind::TarBzip2),
    ("tar.xz", Kind::TarXz),
    ("txz", Kind::TarXz),
    ("tar", Kind::Tar),
];

impl Kind {
    /// The form that `archive=` names, or the path's ending; `None` for what is no archive.
    pub(crate) fn of(url: &Url, given: Option<&str>) -> Result<Option<Kind>, String> {
        match given {
            // Written out as Go's `strconv.ParseBool` takes them.
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(None),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True" | "") | None => {
                let path = url.path();
                Ok(ENDINGS.into_iter().find(|(ending, _)| path.ends_with(&format!(".{ending}"))).map(|(_, kind)| kind))
            }
            Some(name) => match ENDINGS.into_iter().find(|(ending, _)| *ending == name) {
                Some((_, kind)) => Ok(Some(kind)),
                None => Err(format!(
                    "unknown archive type {name:?}: known are {}",
                    ENDINGS.map(|(ending, _)| ending).join(", ")
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_by_ending_and_by_name() {
        let kind = |text: &str, given| Kind::of(&Url::parse(text).unwrap(), given);
        assert_eq!(kind("https://h/a.tar.gz", None), Ok(Some(Kind::TarGzip)));
        assert_eq!(kind("https://h/a.zip?x=1", None), Ok(Some(Kind::Zip)));
        assert_eq!(kind("https://h/zip", None), Ok(None));
        assert_eq!(kind("https://h/a.zip", Some("false")), Ok(None));
        assert_eq!(kind("https://h/latest", Some("tar.xz")), Ok(Some(Kind::TarXz)));
        assert!(kind("https://h/latest", Some("rar")).is_err());
    }
}
