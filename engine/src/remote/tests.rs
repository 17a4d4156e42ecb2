//! Shared stores: forged segments, places that go away, and many records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::segment::{judge, seal};
use super::*;
use crate::artifact::Parts;
use crate::clock::unix_millis;
use crate::store::{Access, DirStore, Effect, Line, Record, RecordedOutcome, Store};

/// A shared folder, and the stores of whoever uses it.
struct Team(TempDir);

impl Team {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("shared")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn remote(&self, trust: Trust) -> Remote {
        Remote {
            name: "team".to_owned(),
            address: Address::Folder(self.path("shared").display().to_string()),
            mode: Mode::ReadWrite,
            trust,
        }
    }

    fn store(&self, who: &str) -> DirStore {
        DirStore::open(&self.path(who), Access::Write).unwrap()
    }

    fn push(&self, who: &str, key: &SecretKey) -> Pushed {
        let remote = self.remote(Trust::Writers);
        push(&self.store(who), &remote, None, key, Effect::Apply).unwrap()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("shared/segments")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::of_seed([seed; 32])
}

fn record(name: &str) -> Record {
    let key_text = format!("key of {name}");
    Record {
        key: Digest::of(key_text.as_bytes()),
        key_text,
        outcome: RecordedOutcome::Parts(BTreeMap::new()),
        notes: Vec::new(),
        seconds: 0.25,
        host: "there".to_owned(),
    }
}

fn parts(text: &str) -> Parts {
    Parts::default().with("weights", text.as_bytes())
}

fn save(store: &DirStore, name: &str) -> Record {
    store.save(record(name), &parts(name)).unwrap()
}

fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_result_is_found_fetched_and_kept() {
    let team = Team::new();
    let made = save(&team.store("ada"), "net");
    assert_eq!(team.push("ada", &key(1)).records, 1);
    let bob = team.store("bob");
    let remotes = [team.remote(Trust::Writers)];
    let (shared, notes) = Shared::open(&bob, &remotes, None, Look::Listed);
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(
        shared.records().find_many(&[made.key]),
        [Some(made.summary())]
    );
    assert_eq!(shared.place_of(&made.key), Some("team"));
    assert_eq!(bob.find(&made.key), None);
    assert_eq!(shared.load(&made).unwrap(), parts("net"));
    assert_eq!(bob.find(&made.key), Some(made.clone()));
    assert_eq!(shared.place_of(&made.key), None);
    // What is known without asking.
    let cid = team.store("cid");
    let (known, _) = Shared::open(&cid, &remotes, None, Look::Known);
    assert_eq!(known.records().find_many(&[made.key]), [None]);
    Shared::open(&cid, &remotes, None, Look::Listed);
    let (known, _) = Shared::open(&cid, &remotes, None, Look::Known);
    assert_eq!(known.place_of(&made.key), Some("team"));
}

#[test]
fn only_segments_of_those_who_are_trusted_are_used() {
    let team = Team::new();
    let (ada, eve) = (key(1), key(2));
    let made = save(&team.store("ada"), "net");
    team.push("ada", &ada);
    save(&team.store("eve"), "evil");
    team.push("eve", &eve);
    let bob = team.store("bob");
    let trust = Trust::Keys(vec![("ada".to_owned(), ada.public())]);
    let keys = [made.key, record("evil").key];
    let look = |own: &SecretKey| {
        let remotes = [team.remote(trust.clone())];
        let (shared, notes) = Shared::open(&bob, &remotes, Some(&own.public()), Look::Listed);
        let found = shared.records().find_many(&keys);
        (found.iter().map(Option::is_some).collect::<Vec<_>>(), notes)
    };
    let stranger = eve.public();
    let note = format!("1 segment is not used of `team`: the key {stranger} is not in its `trust`");
    assert_eq!(look(&key(3)), (vec![true, false], vec![note]));
    assert_eq!(look(&eve), (vec![true, true], Vec::new()));
}

#[test]
fn a_segment_is_what_its_signer_wrote_or_it_is_not_used() {
    let line = Line::kept(&record("net")).unwrap();
    let (name, bytes) = seal(std::slice::from_ref(&line), 17, &key(1)).unwrap();
    let judged = judge(&name, &bytes).unwrap();
    assert_eq!(judged.signer, key(1).public());
    assert_eq!(judged.lines().unwrap()[0].json(), line.json());
    // Any byte that differs shows, and so does any name.
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        assert_eq!(judge(&name, &wrong).err(), Some("is damaged"));
        let named = format!("{:015}-{}.seg", 17, Digest::of(&wrong));
        assert!(judge(&named, &wrong).is_err(), "byte {at}");
    }
    for length in 0..bytes.len() {
        let short = &bytes[..length];
        let named = format!("{:015}-{}.seg", 17, Digest::of(short));
        assert!(judge(&named, short).is_err(), "{length} bytes");
    }
    let later = name.replace("000000000000017", "000000000000018");
    assert_eq!(judge(&later, &bytes).err(), Some("has a forged signature"));
    // Another's signature under one's own key.
    let text = String::from_utf8_lossy(&bytes[..200]).into_owned();
    let own = text.lines().nth(2).unwrap().to_owned();
    let forged: Vec<u8> = replace(
        &bytes,
        own.as_bytes(),
        key(2).public().to_string().as_bytes(),
    );
    let named = format!("{:015}-{}.seg", 17, Digest::of(&forged));
    assert_eq!(judge(&named, &forged).err(), Some("has a forged signature"));
    for name in ["", ".seg", "17-00.seg", "../000000000000017-00.seg", "é"] {
        assert!(judge(name, &bytes).is_err(), "{name}");
    }
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|it| it == old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn a_record_whose_text_is_not_that_of_its_key_is_not_used() {
    let team = Team::new();
    let wrong = Record {
        key_text: "something else".to_owned(),
        ..record("net")
    };
    team.store("eve").save(wrong, &parts("net")).unwrap();
    team.push("eve", &key(2));
    let bob = team.store("bob");
    let remotes = [team.remote(Trust::Writers)];
    let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
    assert_eq!(shared.find(&record("net").key), None);
}

#[test]
fn a_place_that_goes_away_is_said_in_the_same_words() {
    let team = Team::new();
    let ada = team.store("ada");
    let made = [save(&ada, "one"), save(&ada, "two")];
    team.push("ada", &key(1));
    let bob = team.store("bob");
    let remotes = [team.remote(Trust::Writers)];
    let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
    fs::rename(team.path("shared"), team.path("gone")).unwrap();
    let said = made
        .each_ref()
        .map(|record| shared.load(record).unwrap_err());
    assert_eq!(said[0], said[1]);
    let text = said[0].to_string();
    assert!(text.starts_with("`team` is away ("), "{text}");
    assert!(text.ends_with("): what it would have given is computed here"));
    let keys = made.each_ref().map(|record| record.key);
    assert_eq!(shared.records().find_many(&keys), [None, None]);
}

#[test]
fn a_damaged_object_is_not_used_and_is_sent_again() {
    let team = Team::new();
    let made = save(&team.store("ada"), "net");
    team.push("ada", &key(1));
    let digest = Digest::of(b"net").to_string();
    let object = team.path(&format!("shared/objects/{}/{digest}", &digest[..2]));
    for damage in ["nut", "ne", "net and a lot more"] {
        rewrite(&object, damage.as_bytes());
        let bob = team.store(damage);
        let remotes = [team.remote(Trust::Writers)];
        let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
        let fault = shared.load(&made).unwrap_err();
        assert!(matches!(fault, Fault::Damaged(_)), "{fault}");
        assert_eq!(shared.find(&made.key), None);
        drop(shared);
        save(&bob, "net");
        let pushed = team.push(damage, &key(1));
        assert_eq!((pushed.records, pushed.there, pushed.mended), (0, 1, 1));
        assert_eq!(fs::read(&object).unwrap(), b"net");
    }
    assert_eq!(team.segments().len(), 1);
}

/// Whoever can write to the folder may put there what never ends, or leads elsewhere.
#[cfg(unix)]
#[test]
fn pipes_and_links_in_the_folder_do_no_harm() {
    let team = Team::new();
    let made = save(&team.store("ada"), "net");
    team.push("ada", &key(1));
    let digest = Digest::of(b"net").to_string();
    let object = team.path(&format!("shared/objects/{}/{digest}", &digest[..2]));
    let pipe = |path: &Path| {
        let status = std::process::Command::new("mkfifo").arg(path).status();
        assert!(status.unwrap().success());
    };
    let remotes = [team.remote(Trust::Writers)];
    let open = |who: &str| Shared::open(&team.store(who), &remotes, None, Look::Listed).1;
    fs::remove_file(&object).unwrap();
    pipe(&object);
    let bob = team.store("bob");
    let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
    assert!(matches!(shared.load(&made), Err(Fault::Damaged(_))));
    fs::remove_file(&object).unwrap();
    fs::write(team.path("elsewhere"), "theirs").unwrap();
    std::os::unix::fs::symlink(team.path("elsewhere"), &object).unwrap();
    let cid = team.store("cid");
    let (shared, _) = Shared::open(&cid, &remotes, None, Look::Listed);
    assert!(matches!(shared.load(&made), Err(Fault::Damaged(_))));
    // Who has it mends it, and nothing elsewhere is written to.
    drop(shared);
    save(&cid, "net");
    assert_eq!(team.push("cid", &key(1)).mended, 1);
    assert_eq!(fs::read(&object).unwrap(), b"net");
    assert_eq!(fs::read(team.path("elsewhere")).unwrap(), b"theirs");
    let segment = team.segments().pop().unwrap();
    fs::remove_file(&segment).unwrap();
    pipe(&segment);
    assert_eq!(open("dan"), Vec::<String>::new());
    let mark = team.path("shared/farcast-remote");
    fs::remove_file(&mark).unwrap();
    pipe(&mark);
    assert_eq!(open("eve"), Vec::<String>::new());
}

#[test]
fn a_segment_that_inflates_without_end_is_stopped() {
    let (name, bytes) = seal(&[Line::kept(&record("net")).unwrap()], 17, &key(1)).unwrap();
    let segment = judge(&name, &bytes).unwrap();
    assert_eq!(segment.lines().unwrap().len(), 1);
    // Two gibibytes of what is not a line.
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..2048 {
        std::io::Write::write_all(&mut packed, &block).unwrap();
    }
    let (name, bytes) = segment::seal_packed(&packed.finish().unwrap(), 17, &key(1));
    let segment = judge(&name, &bytes).unwrap();
    assert!(segment.lines().map_or(true, |lines| lines.is_empty()));
}

/// A segment that another one has replaced counts no more, and one that is gone is dropped here.
#[test]
fn the_last_segment_counts() {
    let team = Team::new();
    let ada = team.store("ada");
    save(&ada, "net");
    team.push("ada", &key(1));
    let first = team.segments();
    let made = ada.save(record("net"), &parts("other bytes")).unwrap();
    team.push("ada", &key(1));
    let bob = team.store("bob");
    let remotes = [team.remote(Trust::Writers)];
    let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
    assert_eq!(shared.load(&made).unwrap(), parts("other bytes"));
    fs::remove_file(&first[0]).unwrap();
    let (shared, _) = Shared::open(&bob, &remotes, None, Look::Listed);
    let usage = &shared.usage()[0];
    assert_eq!((usage.segments, usage.records, usage.elsewhere), (1, 1, 0));
}

#[test]
fn many_records_go_into_few_segments() {
    let records: Vec<Line> = (0..segment::RECORDS + 1)
        .map(|at| Line::kept(&record(&at.to_string())).unwrap())
        .collect();
    let keys: BTreeSet<Digest> = records.iter().map(|line| *line.key()).collect();
    let team = Team::new();
    fs::create_dir(team.path("shared/segments")).unwrap();
    for lines in records.chunks(segment::RECORDS) {
        let (name, bytes) = seal(lines, unix_millis(), &key(1)).unwrap();
        fs::write(team.path("shared/segments").join(name), bytes).unwrap();
    }
    let bob = team.store("bob");
    let remotes = [team.remote(Trust::Writers)];
    let (shared, notes) = Shared::open(&bob, &remotes, None, Look::Listed);
    assert_eq!(notes, Vec::<String>::new());
    let keys: Vec<Digest> = keys.into_iter().collect();
    let found = shared.records().find_many(&keys);
    assert_eq!(found.iter().flatten().count(), segment::RECORDS + 1);
}
