//! From the dependencies of a project, and theirs, to a lock and a cache with all of them.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::archive::{Unpack, digest_of, extract};
use super::cache::{self, is_whole};
use super::git::Repository;
use super::lock::{LOCK, Lock, Locked};
use super::manifest::{MANIFEST, Manifest, Pin, Source, Version, is_commit, is_on_this_machine};
use super::resolve::{read_file, read_named};
use crate::digest::Digest;
use crate::error::Fault;
use crate::path_text::{path_text, text_path};

/// What fetching may do; the words are those of uv.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freedom {
    /// The lock must be right already.
    pub locked: bool,
    /// The lock is taken as it is; `farcast.toml` is not looked at.
    pub frozen: bool,
    /// No network.
    pub offline: bool,
}

/// More packages than any project has.
const MOST_PACKAGES: usize = 256;

/// Fetches for one project.
pub struct Fetcher<'a> {
    /// The folder of its `farcast.toml`.
    pub project: &'a Path,
    /// What it names.
    pub manifest: &'a Manifest,
    /// What was fetched before.
    pub lock: &'a Lock,
    /// What may be done.
    pub freedom: Freedom,
    /// How archives are unpacked.
    pub unpack: Unpack<'a>,
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetched {
    /// The lock as it is now.
    pub lock: Lock,
    /// The names of the packages that were not in the cache.
    pub new: Vec<String>,
}

/// The folder of a manifest: on disk, or in a tree.
#[derive(Clone)]
enum Base {
    Folder(PathBuf),
    Tree(String, Digest, String),
}

impl Base {
    /// The package that it is; none when it is the project.
    fn owner(&self) -> &str {
        match self {
            Base::Folder(_) => "",
            Base::Tree(owner, ..) => owner,
        }
    }
}

impl Fetcher<'_> {
    /// Fetches all that is missing.
    ///
    /// # Errors
    /// The first package that cannot be had, with the reason.
    pub fn fetch(&self) -> Result<Fetched, Fault> {
        let mut fetched = Fetched::default();
        if self.freedom.frozen {
            for (source, locked) in &self.lock.packages {
                if source.starts_with("path ") {
                    continue;
                }
                let known = Source::parse(source);
                let source = known
                    .ok_or_else(|| Fault::user(format!("`{LOCK}`: unknown source `{source}`")))?;
                self.one(&locked.name, &source, &mut fetched)?;
            }
            return Ok(fetched);
        }
        let mut queue = VecDeque::from([(
            Base::Folder(self.project.to_owned()),
            self.manifest.clone(),
            true,
        )]);
        let mut seen = BTreeSet::new();
        let mut count = 0;
        while let Some((base, manifest, is_of_here)) = queue.pop_front() {
            for (name, dependency) in &manifest.dependencies {
                count += 1;
                if count > MOST_PACKAGES {
                    let message =
                        format!("more than {MOST_PACKAGES} packages depend on each other");
                    return Err(Fault::user(message));
                }
                let address = dependency.source.address();
                let is_here = address.map_or(is_of_here, is_on_this_machine);
                if let (false, true, Some(address)) = (is_of_here, is_here, address) {
                    let owner = base.owner();
                    let message = format!(
                        "package `{owner}` names `{address}`, an address of this machine, and is \
                         itself from elsewhere"
                    );
                    let hint = "its authors have to publish that package, too";
                    return Err(Fault::user(message).with_hint(hint));
                }
                let next = match &dependency.source {
                    Source::Path(path) => self.beside(&base, name, path)?,
                    source => {
                        if !seen.insert(source.to_string()) {
                            continue;
                        }
                        let tree = self.one(name, source, &mut fetched)?;
                        let manifest = self.manifest_of(name, &tree, "")?;
                        (Base::Tree(name.clone(), tree, String::new()), manifest)
                    }
                };
                // A folder that names itself, by whatever way, is looked at once.
                let place = match &next.0 {
                    Base::Folder(folder) => {
                        path_text(&folder.canonicalize().unwrap_or(folder.clone()))
                    }
                    Base::Tree(_, tree, inside) => format!("{tree}/{inside}"),
                };
                if seen.insert(place) {
                    queue.push_back((next.0, next.1, is_here));
                }
            }
        }
        Ok(fetched)
    }

    /// A folder that a package names: beside the project, or inside the package.
    fn beside(&self, base: &Base, name: &str, path: &str) -> Result<(Base, Manifest), Fault> {
        match base {
            Base::Folder(folder) => {
                let folder = folder.join(text_path(path));
                if !folder.is_dir() {
                    return Err(Fault::user(format!(
                        "package `{name}`: there is no folder `{path}`"
                    )));
                }
                let file = folder.join(MANIFEST);
                let text = read_file(&file).map_err(Fault::user)?.unwrap_or_default();
                let manifest = parsed(&text, &path_text(&file))?;
                Ok((Base::Folder(folder), manifest))
            }
            Base::Tree(owner, tree, inside) => {
                let inside = dsl::check::join(&format!("{inside}/"), path);
                let inside = inside.trim_start_matches('/').to_owned();
                if path.starts_with('/') || inside.starts_with("..") {
                    let message =
                        format!("package `{owner}` names the folder `{path}` outside of itself");
                    let hint = "its authors have to publish that folder, too";
                    return Err(Fault::user(message).with_hint(hint));
                }
                let manifest = self.manifest_of(owner, tree, &inside)?;
                Ok((Base::Tree(owner.clone(), *tree, inside), manifest))
            }
        }
    }

    fn manifest_of(&self, name: &str, tree: &Digest, inside: &str) -> Result<Manifest, Fault> {
        let path = match inside {
            "" => MANIFEST.to_owned(),
            inside => format!("{inside}/{MANIFEST}"),
        };
        let places = cache::places(self.project, tree);
        let found = places.into_iter().find_map(|folder| {
            let index = cache::index(&folder, tree)?;
            Some((folder, index))
        });
        let Some((folder, index)) = found else {
            return Ok(Manifest::default());
        };
        if !index.files.contains_key(&path) {
            return Ok(Manifest::default());
        }
        let bytes = cache::read(&folder, &index, &path).map_err(Fault::Environment)?;
        parsed(&String::from_utf8_lossy(&bytes), &format!("@{name}/{path}"))
    }

    /// One source: as it was locked, or as it is now.
    fn one(&self, name: &str, source: &Source, fetched: &mut Fetched) -> Result<Digest, Fault> {
        let text = source.to_string();
        let locked = self.lock.packages.get(&text);
        let of_package = |fault: Fault| named(name, fault);
        let is_there = |tree: &Digest| {
            let mut places = cache::places(self.project, tree).into_iter();
            places.any(|place| is_whole(&place, tree))
        };
        if let Some(locked) = locked.filter(|locked| is_there(&locked.tree)) {
            fetched.lock.packages.insert(text, locked.clone());
            return Ok(locked.tree);
        }
        if locked.is_none() && self.freedom.locked {
            let message = format!("`{LOCK}` has no `{text}`, and `--locked` keeps it as it is");
            return Err(of_package(Fault::user(message)));
        }
        if self.freedom.offline {
            let message = "it is not in the cache, and `--offline` allows no network";
            return Err(of_package(Fault::user(message)));
        }
        let commit = locked.map(|locked| locked.commit.clone());
        let (commit, tree) = self.get(source, commit).map_err(of_package)?;
        if let Some(locked) = locked.filter(|locked| locked.tree != tree) {
            let message = format!(
                "what was fetched has the tree blake3:{}…, `{LOCK}` says blake3:{}…",
                tree.short(),
                locked.tree.short()
            );
            let hint = "somebody changed the lock, or what it names: ask who";
            return Err(of_package(Fault::user(message).with_hint(hint)));
        }
        let locked = Locked {
            name: name.to_owned(),
            commit,
            tree,
        };
        fetched.new.push(name.to_owned());
        fetched.lock.packages.insert(text, locked);
        Ok(tree)
    }

    /// The commit and tree of a source.
    fn get(&self, source: &Source, commit: Option<String>) -> Result<(String, Digest), Fault> {
        match source {
            Source::Git { url, pin } => {
                let repository = Repository::open(url)?;
                let commit = match (commit, pin) {
                    (Some(commit), _) if !commit.is_empty() => commit,
                    (_, Pin::Rev(rev)) => rev.clone(),
                    (_, Pin::Tag(tag)) => repository.commit_of_tag(tag)?,
                };
                if !repository.has(&commit) {
                    let tag = match pin {
                        Pin::Tag(tag) => Some(tag.as_str()),
                        Pin::Rev(_) => None,
                    };
                    repository.fetch(&commit, tag)?;
                }
                Ok((commit.clone(), repository.extract(&commit)?))
            }
            Source::Archive { url, digest } => {
                Ok((String::new(), extract(url, digest, self.unpack)?))
            }
            Source::Path(path) => Err(Fault::Bug(format!("`{path}` is not fetched"))),
        }
    }

    /// That no tag of these sources was moved since it was locked.
    ///
    /// # Errors
    /// The first that was, with both commits.
    pub fn refuse_moved(&self, name: &str, source: &Source) -> Result<(), Fault> {
        let (
            Source::Git {
                url,
                pin: Pin::Tag(tag),
            },
            Some(locked),
        ) = (source, self.lock.packages.get(&source.to_string()))
        else {
            return Ok(());
        };
        let commit = Repository::open(url)?
            .commit_of_tag(tag)
            .map_err(|fault| named(name, fault))?;
        if commit == locked.commit {
            return Ok(());
        }
        let message = format!(
            "package `{name}`: tag `{tag}` was moved, from {} to {}",
            &locked.commit.get(..12).unwrap_or_default(),
            &commit[..12]
        );
        let hint = format!(
            "ask its authors; to take it, remove the package from `{LOCK}` and run `farcast fetch`"
        );
        Err(Fault::user(message).with_hint(hint))
    }
}

fn named(name: &str, fault: Fault) -> Fault {
    match fault {
        Fault::User { message, hint, .. } => Fault::User {
            param: None,
            message: format!("package `{name}`: {message}"),
            hint,
        },
        other => other,
    }
}

fn parsed(text: &str, shown: &str) -> Result<Manifest, Fault> {
    Manifest::parse(text).map_err(|found| {
        let first = found.first().map_or("", |first| &first.message);
        Fault::user(format!("`{shown}`: {first}"))
    })
}

impl Source {
    /// The address that it is fetched from, if it is.
    fn address(&self) -> Option<&str> {
        match self {
            Self::Git { url, .. } | Self::Archive { url, .. } => Some(url),
            Self::Path(_) => None,
        }
    }

    /// Reads the text of a lock back.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let url = |url: &str| {
            super::manifest::url_fault(url)
                .is_none()
                .then(|| url.to_owned())
        };
        match words.as_slice() {
            ["git", address, "tag", tag] if super::manifest::is_tag(tag) => Some(Self::Git {
                url: url(address)?,
                pin: Pin::Tag((*tag).to_owned()),
            }),
            ["git", address, "rev", rev] if is_commit(rev) => Some(Self::Git {
                url: url(address)?,
                pin: Pin::Rev((*rev).to_owned()),
            }),
            ["archive", address, digest] => Some(Self::Archive {
                url: url(address)?,
                digest: digest.strip_prefix("blake3:")?.parse().ok()?,
            }),
            ["path", ..] => Some(Self::Path(text.strip_prefix("path ")?.to_owned())),
            _ => None,
        }
    }

    /// The source that an address has now: its newest tag, or its digest.
    ///
    /// # Errors
    /// When it cannot be reached, or has no tag that is a version.
    pub fn now(kind: &str, url: &str) -> Result<Self, Fault> {
        if let Some((message, hint)) = super::manifest::url_fault(url) {
            let fault = Fault::user(message);
            return Err(match hint.is_empty() {
                true => fault,
                false => fault.with_hint(hint),
            });
        }
        match kind {
            "archive" => Ok(Self::Archive {
                url: url.to_owned(),
                digest: digest_of(url)?,
            }),
            _ => match newest(url, None)? {
                Some(tag) => Ok(Self::Git {
                    url: url.to_owned(),
                    pin: Pin::Tag(tag),
                }),
                None => Err(Fault::user(format!("`{url}` has no tag that is a version"))
                    .with_hint("name a commit: `--rev COMMIT`")),
            },
        }
    }
}

/// The newest tag of a repository; with the tag that is used, the newest that may replace it.
///
/// # Errors
/// When it cannot be reached.
pub fn newest(url: &str, used: Option<&str>) -> Result<Option<String>, Fault> {
    let tags = Repository::open(url)?.tags()?;
    Ok(newest_of(tags.iter().map(|(tag, _)| tag.as_str()), used))
}

fn newest_of<'t>(tags: impl Iterator<Item = &'t str>, used: Option<&str>) -> Option<String> {
    let versions = |tag: &'t str| {
        let (prefix, version) = versioned(tag)?;
        Some((prefix, version, tag))
    };
    let used = match used {
        None => None,
        Some(used) => Some(versioned(used)?),
    };
    let fits = |(prefix, version, _): &(&str, Version, &str)| match &used {
        None => version.before.is_none(),
        Some((before, now)) => {
            before == prefix && version.is_like(now) && (version.before.is_none() || version == now)
        }
    };
    let found = tags.filter_map(versions).filter(fits);
    let found = found.max_by_key(|(_, version, _)| (version.numbers, version.before.is_none()));
    found.map(|(_, _, tag)| tag.to_owned())
}

/// A tag as what comes before its version, and that: `v1.2.0`, `ocean-1.2.0`.
fn versioned(tag: &str) -> Option<(&str, Version)> {
    let at = tag.find(|it: char| it.is_ascii_digit())?;
    let (prefix, version) = tag.split_at(at);
    Some((prefix, Version::parse(version)?))
}

/// Manifest and lock of a project.
///
/// # Errors
/// What is wrong with them.
pub fn project_files(project: &Path) -> Result<(Manifest, Lock), Fault> {
    read_named(project).map_err(|missing| {
        let fault = Fault::user(missing.message);
        match missing.hints.into_iter().next() {
            Some(hint) => fault.with_hint(hint),
            None => fault,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::newest_of;

    #[test]
    fn the_newest_tag_keeps_the_major_version() {
        let tags = [
            "v1.2.0",
            "v1.10.0",
            "v1.9.0",
            "v2.0.0",
            "v1.11.0-rc1",
            "1.99.0",
            "latest",
            "v1.2",
        ];
        let newest = |used| newest_of(tags.into_iter(), used);
        assert_eq!(newest(Some("v1.2.0")).as_deref(), Some("v1.10.0"));
        assert_eq!(newest(Some("v2.0.0")).as_deref(), Some("v2.0.0"));
        assert_eq!(newest(Some("1.0.0")).as_deref(), Some("1.99.0"));
        assert_eq!(newest(Some("main")), None);
        assert_eq!(newest(None).as_deref(), Some("v2.0.0"));
    }
}
