use std::io::Cursor;

use super::*;

enum Entry {
    File(&'static str, &'static str),
    Link(&'static str, &'static str),
    Hard(&'static str, &'static str),
}
use Entry::{File as F, Hard as H, Link as L};

/// A tar archive; names are written as they are, however wrong.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let (name, content, link, kind) = match entry {
            F(name, content) => (*name, *content, "", tar::EntryType::Regular),
            L(name, link) => (*name, "", *link, tar::EntryType::Symlink),
            H(name, link) => (*name, "", *link, tar::EntryType::Link),
        };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, Cursor::new(content)).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpack(bytes: &[u8], kind: Kind, limits: Limits) -> (tempfile::TempDir, Result<(), String>) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("archive");
    std::fs::write(&file, bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let result = runtime.block_on(archive(file, kind, dir.path().join("out/m"), limits));
    (dir, result)
}

fn read(dir: &tempfile::TempDir, name: &str) -> Option<String> {
    std::fs::read_to_string(dir.path().join("out/m").join(name)).ok()
}

fn zip(entries: &[(&str, &str, Option<u32>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in entries {
        let options = zip::write::SimpleFileOptions::default();
        match mode {
            Some(_) => writer.add_symlink(*name, *content, options).unwrap(),
            None => {
                writer.start_file(*name, options).unwrap();
                writer.write_all(content.as_bytes()).unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn all_kinds_of_archives() {
    let plain = tar(&[F("./a/main.tf", "x"), L("b", "a"), H("c", "a/main.tf")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    for (bytes, kind) in
        [(plain, Kind::Tar), (gzip.finish().unwrap(), Kind::TarGzip), (bzip2.finish().unwrap(), Kind::TarBzip2)]
    {
        let (dir, result) = unpack(&bytes, kind, Limits::default());
        assert_eq!(result, Ok(()));
        assert_eq!(read(&dir, "b/main.tf").as_deref(), Some("x"), "{kind:?}");
        assert_eq!(read(&dir, "c").as_deref(), Some("x"), "{kind:?}");
    }
    let bytes = zip(&[("a/main.tf", "x", None), ("b", "a", Some(0))]);
    let (dir, result) = unpack(&bytes, Kind::Zip, Limits::default());
    assert_eq!((result, read(&dir, "b/main.tf").as_deref()), (Ok(()), Some("x")));
}

#[test]
fn nothing_reaches_out_of_the_folder() {
    for entries in [
        vec![F("../evil", "x")],
        vec![F("a/../../evil", "x")],
        vec![F("/evil", "x")],
        vec![L("l", "/etc")],
        vec![L("l", "../..")],
        vec![L("l", ".."), F("l/evil", "x")],
        // Looks as if it stayed inside, but passes through another link.
        vec![F("p/q/f", "x"), L("p/q/up", "../.."), L("out", "p/q/up/../../..")],
        // Leads nowhere when it is made.
        vec![L("l", "later/.."), L("later", "..")],
        vec![H("h", "../archive")],
    ] {
        let (dir, result) = unpack(&tar(&entries), Kind::Tar, Limits::default());
        assert!(result.is_err());
        assert!(!dir.path().join("evil").exists() && !dir.path().join("out/evil").exists());
        assert!(!Path::new("/evil").exists());
    }
    for name in ["../evil", "/evil", "a\\..\\..\\evil"] {
        let (dir, result) = unpack(&zip(&[(name, "x", None)]), Kind::Zip, Limits::default());
        assert!(result.is_err() || name == "/evil", "{name}");
        assert!(!dir.path().join("out/evil").exists() && !Path::new("/evil").exists());
    }
    let (_dir, result) = unpack(&zip(&[("l", "../../x", Some(0))]), Kind::Zip, Limits::default());
    assert!(result.is_err());
}

#[test]
fn bombs_are_bounded() {
    let limits = Limits { download: 1 << 20, unpacked: 1000, entries: 3 };
    let large = "0".repeat(1001).leak();
    let (_dir, result) = unpack(&zip(&[("a", large, None)]), Kind::Zip, limits);
    assert_eq!(result, Err("the archive's files have more than 1000 bytes".to_owned()));
    let many = tar(&[F("a", ""), F("b", ""), F("c", ""), F("d", "")]);
    let (_dir, result) = unpack(&many, Kind::Tar, limits);
    assert_eq!(result, Err("the archive has more than 3 entries".to_owned()));
}

#[test]
fn damaged_archives_are_told() {
    for kind in [Kind::Zip, Kind::Tar, Kind::TarGzip, Kind::TarBzip2, Kind::TarXz] {
        let (_dir, result) = unpack(&[b'?'; 700], kind, Limits::default());
        assert!(result.is_err(), "{kind:?}");
    }
}
