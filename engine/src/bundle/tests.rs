//! Hostile archives, and bundles there and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dsl::experiment::Metadata;

use super::reader::Archive;
use super::{FORMAT, FileEntry, Manifest, open};
use crate::digest::Digest;
use crate::zip::{Content, write_archive};

fn text(content: &str) -> Content {
    Content::Text(content.as_bytes().to_vec())
}

fn archive(entries: &[(&str, Content)]) -> Vec<u8> {
    let entries: Vec<(String, Content)> = entries
        .iter()
        .map(|(name, content)| ((*name).to_owned(), content.clone()))
        .collect();
    let mut bytes = Vec::new();
    write_archive(&entries, &mut bytes).unwrap();
    bytes
}

fn read(folder: &Path, bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let path = folder.join("it.zip");
    fs::write(&path, bytes).unwrap();
    let mut archive = Archive::open(&path)?;
    let names: Vec<String> = archive.files().map(|(name, _)| name.to_owned()).collect();
    let read = names.into_iter().map(|name| {
        let bytes = archive.read(&name)?;
        Ok((name, bytes))
    });
    read.collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(from.len())
        .position(|window| window == from)
    {
        bytes[at + found..at + found + from.len()].copy_from_slice(to);
        at += found + from.len();
    }
    bytes
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, vec![7; 300_000]).unwrap();
    let entries = [
        ("b/größe.txt", text(&"many words ".repeat(1000))),
        ("a", Content::Bytes(vec![1, 2, 3])),
        ("empty", text("")),
        ("data.nc", Content::File(file)),
    ];
    let bytes = archive(&entries);
    assert_eq!(bytes, archive(&entries));
    assert!(bytes.len() < 303_000);
    let read = read(folder.path(), &bytes).unwrap();
    let names: Vec<&str> = read.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", "b/größe.txt", "data.nc", "empty"]);
    assert_eq!(read[1].1, "many words ".repeat(1000).as_bytes());
    assert_eq!(read[2].1, vec![7; 300_000]);
}

#[test]
fn names_that_leave_the_folder_or_mean_two_things_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = [
        "../up",
        "a/../../up",
        "/abs",
        "C:/x",
        "a\\b",
        "..\\up",
        "a//b",
        "./a",
        "a/.",
        "a/",
        "nul\0x",
        "new\nline",
        "CON",
        "a/com1.txt",
        "NUL.json",
        "aux",
        "dot.",
        "blank ",
        "a:stream",
        "que?ry",
        "st*r",
        "<x",
        "pi|pe",
        "qu\"ote",
        "\u{7f}del",
    ];
    for name in hostile {
        let refused = read(folder.path(), &archive(&[(name, text("x"))]));
        assert!(refused.is_err(), "{name:?}");
    }
    let long = "x/".repeat(600) + "y";
    let twice: [(&[&str], &str); 5] = [
        (&["a", "a"], "have the same name"),
        (&["a", "A"], "have the same name"),
        (&["Grüße", "grüße"], "have the same name"),
        (&["a", "a/b"], "a file and a folder"),
        (&[&long], "too long"),
    ];
    for (names, why) in twice {
        let entries: Vec<(&str, Content)> = names.iter().map(|name| (*name, text("x"))).collect();
        let refused = read(folder.path(), &archive(&entries)).unwrap_err();
        assert!(refused.contains(why), "{names:?}: {refused}");
    }
    assert!(!folder.path().parent().unwrap().join("up").exists());
}

#[test]
fn settings_in_a_bundle_are_refused() {
    let here = tempfile::tempdir().unwrap();
    let opened = |name: &str, content: &str| {
        let files = [
            ("experiment/it.farcast", "data d = csv(\"d.csv\")\n"),
            (name, content),
        ];
        let entries = files.map(|(name, content)| {
            let digest = Digest::of(content.as_bytes());
            let size = content.len() as u64;
            (name.to_owned(), FileEntry { size, digest })
        });
        let manifest = Manifest {
            format: FORMAT,
            farcast: String::new(),
            title: String::new(),
            metadata: Metadata::default(),
            file: "experiment/it.farcast".to_owned(),
            files: entries.into_iter().collect(),
            missing: BTreeMap::new(),
            results: 0,
        };
        let manifest = serde_json::to_string(&manifest).unwrap();
        let mut packed = vec![("bundle.json", text(&manifest))];
        packed.extend(files.map(|(name, content)| (name, text(content))));
        let bundle = here.path().join("it.zip");
        fs::write(&bundle, archive(&packed)).unwrap();
        let folder = here.path().join("opened");
        let refused = open(&bundle, &folder).err().map(|fault| fault.to_string());
        let _ = fs::remove_dir_all(folder);
        refused.map(|fault| fault.split_once(": ").unwrap().1.to_owned())
    };
    for (name, content) in [
        ("farcast.toml", "[dependencies]\n"),
        (
            "experiment/lib/farcast.toml",
            "[plugin.tally]\nrun = [\"sh\"]\n",
        ),
        ("vendor/ocean-1/farcast.toml", "out = \"here\"\n"),
        ("experiment/gitter.csv", ""),
    ] {
        assert_eq!(opened(name, content), None, "{name}");
    }
    for (name, content, refused) in [
        (
            "farcast.toml",
            "out = \"/x\"\n",
            "sets `out`: a bundle has no settings but its packages",
        ),
        (
            "experiment/farcast.toml",
            "store = \"/x\"\n",
            "sets `store`: a bundle has no settings but its packages",
        ),
        (
            "farcast.toml",
            "[remote.team]\nurl = \"/x\"\n",
            "sets `remote`: a bundle has no settings but its packages",
        ),
        (
            "Farcast.toml",
            "jobs = 1\n",
            "sets `jobs`: a bundle has no settings but its packages",
        ),
        ("farcast.toml", "out = ", "is not TOML"),
        (".git/config", "", "is of a repository"),
        ("experiment/.GIT/hooks/x", "", "is of a repository"),
    ] {
        assert_eq!(opened(name, content), Some(format!("`{name}` {refused}")));
    }
}

/// Whoever opens a pipe would wait for ever.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("it.zip");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
        let refused = Archive::open(path).err().unwrap();
        assert!(
            refused.starts_with("expected a file, found the "),
            "{refused}"
        );
    }
}

#[test]
fn archives_that_contradict_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = archive(&[
        ("one.txt", text("some words")),
        ("two.txt", Content::Bytes(vec![0; 64])),
    ]);
    let refusal = |bytes: &[u8]| read(folder.path(), bytes).unwrap_err();
    let central = good
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    // Fields of the first local header, of the central one, and of the end.
    let end = good.len() - 22;
    let cases = [
        (changed(8, &[0, 0]), "disagree"),
        (changed(14, &[9]), "disagree"),
        (changed(18, &[99]), "disagree"),
        (changed(30, b"ONE"), "disagree"),
        (changed(0, b"QQ"), "disagree"),
        (changed(central + 8, &[1, 8]), "encrypted"),
        (changed(central + 8, &[8, 8]), "sizes after its data"),
        (changed(central + 10, &[12, 0]), "method 12"),
        (
            changed(central + 38, &(0o120_777_u32 << 16).to_le_bytes()),
            "not a plain file",
        ),
        (
            changed(central + 38, &(0o020_666_u32 << 16).to_le_bytes()),
            "not a plain file",
        ),
        (changed(central + 38, &[0x10]), "a folder"),
        (changed(central + 24, &[0xFF, 0xFF, 0xFF, 0x7F]), "256 MiB"),
        (
            changed(central + 42, &[0xFF, 0xFF, 0xFF, 0]),
            "beyond the end",
        ),
        (changed(central, b"QQ"), "directory is damaged"),
        (changed(central + 28, &[0xFF]), "directory is damaged"),
        (changed(end + 4, &[1]), "several files"),
        (changed(end + 8, &[1]), "several files"),
        (changed(end + 10, &[1, 0]), "several files"),
        (changed(end + 12, &[1]), "not where its end says"),
        (changed(end + 16, &[1]), "not where its end says"),
        (changed(end + 20, &[1]), "not a zip archive"),
        (good[..good.len() - 1].to_vec(), "not a zip archive"),
        (good[1..].to_vec(), "not where its end says"),
        ([&good[..], b"more"].concat(), "not a zip archive"),
        (Vec::new(), "not a zip archive"),
        (b"PK\x05\x06".to_vec(), "not a zip archive"),
    ];
    for (at, (bytes, why)) in cases.iter().enumerate() {
        let refused = refusal(bytes);
        assert!(refused.contains(why), "case {at}: {refused}");
    }
    // A count that the directory does not have.
    let mut fewer = changed(end + 8, &[1, 0]);
    fewer[end + 10] = 1;
    assert!(refusal(&fewer).contains("more bytes than entries"));
    let mut many = changed(end + 8, &[0xFE, 0xFF]);
    many[end + 10..end + 12].copy_from_slice(&[0xFE, 0xFF]);
    assert!(refusal(&many).contains("directory is damaged"));
    // Both headers lie about the content.
    let crc = &good[14..18].to_vec();
    assert!(refusal(&replaced(&good, crc, &[1, 2, 3, 4])).contains("checksum"));
    // Two entries over the same bytes, as in an archive that inflates a hundredfold.
    let twice = archive(&[
        ("one.txt", text("some words")),
        ("two.txt", text("some words")),
    ]);
    let second = twice.windows(4).rposition(|window| window == b"PK\x01\x02");
    let offset = second.unwrap() + 42;
    let mut overlapping = twice.clone();
    overlapping[offset..offset + 4].copy_from_slice(&[0; 4]);
    let overlapping = replaced(&overlapping, b"two.txt", b"one.txt");
    assert!(read(folder.path(), &overlapping).is_err());
}

#[test]
fn text_that_inflates_beyond_its_header_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = "0".repeat(50 << 20);
    let good = archive(&[("bomb.txt", text(&bomb))]);
    assert!(good.len() < 100_000);
    let size = ((50_u32) << 20).to_le_bytes();
    let lying = replaced(&good, &size, &100_u32.to_le_bytes());
    let refused = read(folder.path(), &lying).unwrap_err();
    assert!(
        refused.contains("more bytes than its header says"),
        "{refused}"
    );
    let short = replaced(&good, &size, &(51_u32 << 20).to_le_bytes());
    assert!(
        read(folder.path(), &short)
            .unwrap_err()
            .contains("fewer bytes")
    );
    // Any byte changed: refused, or the same files.
    let small = archive(&[
        ("a", text("some words, some words")),
        ("b", Content::Bytes(vec![5; 40])),
    ]);
    let expected = read(folder.path(), &small).unwrap();
    for at in 0..small.len() {
        for flip in [1, 0x80, 0xFF] {
            let mut changed = small.clone();
            changed[at] ^= flip;
            if let Ok(found) = read(folder.path(), &changed) {
                let contents = |all: &[(String, Vec<u8>)]| -> Vec<Vec<u8>> {
                    all.iter().map(|(_, bytes)| bytes.clone()).collect()
                };
                assert_eq!(contents(&found), contents(&expected), "byte {at}");
            }
        }
    }
}
