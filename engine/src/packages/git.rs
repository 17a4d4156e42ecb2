//! Commits of foreign repositories, by the command line of git: fetched into a bare repository, read
//! by `ls-tree` and `cat-file`, never checked out.
//!
//! So no filter, hook, link or submodule of a repository does anything. Only addresses that
//! `manifest` allows get here, and git runs with the same limits.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cache::{Writer, cache_folder};
use super::manifest::is_commit;
use super::tree::judge;
use crate::digest::Digest;
use crate::error::Fault;

/// The settings that every call of git has, whatever the user's say.
const SETTINGS: [&str; 15] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "protocol.allow=never",
    "protocol.https.allow=always",
    // Only addresses of this machine: see `manifest`.
    "protocol.http.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "fetch.recurseSubmodules=no",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
];

/// The bare repository of an address.
pub struct Repository {
    url: String,
    folder: PathBuf,
}

impl Repository {
    /// The repository of an address, created where it is not there.
    ///
    /// # Errors
    /// When there is no cache or no git.
    pub fn open(url: &str) -> Result<Self, Fault> {
        limit_files();
        let missing = || Fault::Environment("no folder for a cache: set `HOME`".to_owned());
        let name = format!("{}.git", Digest::of(url.as_bytes()).short());
        let folder = cache_folder().ok_or_else(missing)?.join("git").join(name);
        let repository = Self {
            url: url.to_owned(),
            folder,
        };
        if !repository.folder.join("HEAD").is_file() {
            let path = repository.folder.display().to_string();
            let failed = |error| Fault::Environment(format!("cannot write `{path}`: {error}"));
            fs::create_dir_all(&repository.folder).map_err(failed)?;
            let args = ["init", "--quiet", "--bare", "--template=", &path];
            output(git(None).args(args))?
                .map_err(|said| refused("cannot create a repository", &said))?;
        }
        Ok(repository)
    }

    /// The commit that a tag of the remote repository names.
    ///
    /// # Errors
    /// When the repository cannot be reached, or has no such tag.
    pub fn commit_of_tag(&self, tag: &str) -> Result<String, Fault> {
        let tags = self.tags()?;
        let found = tags.iter().find(|(name, _)| name == tag);
        found.map(|(_, commit)| commit.clone()).ok_or_else(|| {
            let names = tags.iter().map(|(name, _)| name.as_str());
            let near = dsl::nearest(tag, names);
            let fault = Fault::user(format!("`{}` has no tag `{tag}`", self.url));
            match near {
                Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
                None => fault,
            }
        })
    }

    /// The tags of the remote repository, with their commits.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn tags(&self) -> Result<Vec<(String, String)>, Fault> {
        let args = ["ls-remote", "--tags", "--", &self.url];
        let said = output(git(Some(&self.folder)).args(args))?;
        let said = said.map_err(|said| refused(&format!("cannot reach `{}`", self.url), &said))?;
        let mut tags: Vec<(String, String)> = Vec::new();
        for line in String::from_utf8_lossy(&said).lines() {
            let Some((commit, name)) = line.split_once("\trefs/tags/") else {
                continue;
            };
            if !is_commit(commit) {
                continue;
            }
            // A tag with a message has a line of its own for the commit it names.
            match name.strip_suffix("^{}") {
                Some(name) => match tags.iter_mut().find(|(tag, _)| tag == name) {
                    Some(tag) => tag.1 = commit.to_owned(),
                    None => tags.push((name.to_owned(), commit.to_owned())),
                },
                None => tags.push((name.to_owned(), commit.to_owned())),
            }
        }
        Ok(tags)
    }

    /// Whether a commit is here.
    pub fn has(&self, commit: &str) -> bool {
        let args = ["cat-file", "-e", &format!("{commit}^{{commit}}")];
        matches!(output(git(Some(&self.folder)).args(args)), Ok(Ok(_)))
    }

    /// Fetches a commit, without its history; by the tag that names it where the server gives out no
    /// commits.
    ///
    /// # Errors
    /// When the repository cannot be reached, has no such commit, or is broken.
    pub fn fetch(&self, commit: &str, tag: Option<&str>) -> Result<(), Fault> {
        let reference = tag.map(|tag| format!("refs/tags/{tag}"));
        let mut why = String::new();
        for wanted in [Some(commit), reference.as_deref()].into_iter().flatten() {
            let args = [
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--",
                &self.url,
                wanted,
            ];
            match output(git(Some(&self.folder)).args(args))? {
                Ok(_) if self.has(commit) => return Ok(()),
                Ok(_) => {}
                Err(said) if why.is_empty() => why = said,
                Err(_) => {}
            }
        }
        Err(refused(
            &format!("`{}` does not give commit {}", self.url, &commit[..12]),
            &why,
        ))
    }

    /// Writes the files of a commit into the cache; the digest of their tree.
    ///
    /// # Errors
    /// When it has links or submodules, names or sizes that no package has, or is damaged.
    pub fn extract(&self, commit: &str) -> Result<Digest, Fault> {
        let args = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
        let said = output(git(Some(&self.folder)).args(args))?;
        let said = said.map_err(|said| refused("the commit cannot be read", &said))?;
        let listed: Vec<GitBlob> = said
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
            .map(GitBlob::parse)
            .collect::<Result<_, _>>()?;
        judge(listed.iter().map(|blob| (&*blob.path, blob.size))).map_err(Fault::user)?;
        let mut child = git(Some(&self.folder))
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(mut ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fault::Bug("git has no pipes".to_owned()));
        };
        let names: String = listed
            .iter()
            .map(|blob| format!("{}\n", blob.object))
            .collect();
        let asking = std::thread::spawn(move || ask.write_all(names.as_bytes()));
        let mut answer = BufReader::new(answer);
        let read: Result<Writer, Fault> =
            listed.iter().try_fold(Writer::new()?, |mut writer, blob| {
                writer.add(&blob.path, &blob.read(&mut answer)?)?;
                Ok(writer)
            });
        drop(answer);
        let _ = (child.kill(), child.wait(), asking.join());
        read?.finish()
    }
}

/// A file of a commit.
struct GitBlob {
    path: String,
    object: String,
    size: u64,
}

impl GitBlob {
    /// `100644 blob OBJECT    SIZE\tPATH`.
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        let shown = String::from_utf8_lossy(line).into_owned();
        let broken = || Fault::user(format!("the commit lists `{}`", shown.escape_debug()));
        let line = std::str::from_utf8(line).map_err(|_| broken())?;
        let (head, path) = line.split_once('\t').ok_or_else(broken)?;
        let mut words = head.split_whitespace();
        let (mode, object) = (words.next(), words.nth(1));
        let told = path.escape_debug();
        match mode {
            Some("100644" | "100755" | "100664") => {}
            Some("120000") => {
                return Err(Fault::user(format!(
                    "`{told}` is a link: a package has plain files only"
                )));
            }
            Some("160000") => {
                return Err(Fault::user(format!(
                    "`{told}` is a submodule: a package has plain files only"
                ))
                .with_hint("make it a dependency of the package"));
            }
            _ => return Err(broken()),
        }
        let size = words.next().and_then(|size| size.parse().ok());
        match (object, size) {
            (Some(object), Some(size)) if is_commit(object) => Ok(Self {
                path: path.to_owned(),
                object: object.to_owned(),
                size,
            }),
            _ => Err(broken()),
        }
    }

    /// The next answer of `cat-file --batch`: `OBJECT blob SIZE`, the bytes, a line end.
    fn read(&self, from: &mut impl BufRead) -> Result<Vec<u8>, Fault> {
        let broken = || Fault::user(format!("`{}` cannot be read from the commit", self.path));
        let mut head = String::new();
        from.by_ref().take(200).read_line(&mut head)?;
        if head.trim_end() != format!("{} blob {}", self.object, self.size) {
            return Err(broken());
        }
        let mut bytes = Vec::new();
        from.by_ref().take(self.size + 1).read_to_end(&mut bytes)?;
        match bytes.pop() {
            Some(b'\n') if bytes.len() as u64 == self.size => Ok(bytes),
            _ => Err(broken()),
        }
    }
}

/// The largest file that git may write: a repository that sends more is given up.
const LARGEST_PACK: u64 = 1 << 30;

/// Limits the files of this process and of what it starts.
#[cfg(unix)]
fn limit_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Fsize);
    let most = limit
        .current
        .map_or(LARGEST_PACK, |now| now.min(LARGEST_PACK));
    limit.current = Some(most);
    // A system that knows no limits has none.
    let _ = setrlimit(Resource::Fsize, limit);
}

#[cfg(not(unix))]
fn limit_files() {}

fn git(folder: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    // `GIT_DIR` and the like of whoever called us mean another repository.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_PROTOCOL_FROM_USER", "0")
        .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env("GCM_INTERACTIVE", "never")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    if let Some(folder) = folder {
        command.arg("--git-dir").arg(folder);
    }
    command
}

/// What it prints; or, when it fails, what it complains of.
fn output(command: &mut Command) -> Result<Result<Vec<u8>, String>, Fault> {
    let said = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Fault::Environment("there is no `git`, which fetches packages".to_owned())
        }
        _ => Fault::Environment(format!("`git` cannot run: {error}")),
    })?;
    Ok(match said.status.success() {
        true => Ok(said.stdout),
        false => Err(String::from_utf8_lossy(&said.stderr).into_owned()),
    })
}

/// A failure in git's words: its last line that says something.
fn refused(what: &str, said: &str) -> Fault {
    let lines = said.lines().map(str::trim);
    let mut lines = lines.filter(|line| {
        line.starts_with("fatal:") || line.starts_with("error:") || line.starts_with("remote:")
    });
    let why = lines.next().unwrap_or_else(|| said.trim());
    let why: String = why
        .chars()
        .take(300)
        .filter(|it| !it.is_control())
        .collect();
    Fault::user(match why.is_empty() {
        true => what.to_owned(),
        false => format!("{what}: {why}"),
    })
}
