//! `[package]` and `[dependencies]` of a `farcast.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::nearest;
use dsl::source::{FileId, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::digest::Digest;

/// The file that describes a package and names its dependencies.
pub const MANIFEST: &str = "farcast.toml";

/// What a `farcast.toml` says of packages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// `[package]`.
    pub about: Option<About>,
    /// `[dependencies]` by name.
    pub dependencies: BTreeMap<String, Dependency>,
}

/// `[package]`: needed only to be used by others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its version, such as `1.2.0`.
    pub version: String,
    /// Its terms, such as `CC-BY-4.0`.
    pub license: String,
    /// What it is for.
    pub description: String,
    /// Who made it.
    pub authors: Vec<Author>,
}

/// An author of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The ORCID; empty without one.
    pub orcid: String,
}

/// A package that is used, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Where it comes from.
    pub source: Source,
    /// The place of its name in the file.
    pub place: Range<usize>,
    /// The place of its tag, without the quotes; empty without one.
    pub tag: Range<usize>,
}

/// Where a package comes from. Its text is what a lock says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A commit of a git repository.
    Git {
        /// Its address.
        url: String,
        /// Which commit.
        pin: Pin,
    },
    /// A folder, relative to that of the `farcast.toml`; read as it is.
    Path(String),
    /// A zip archive.
    Archive {
        /// Its address.
        url: String,
        /// The digest of its bytes.
        digest: Digest,
    },
}

/// Which commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pin {
    /// A tag.
    Tag(String),
    /// A commit in full.
    Rev(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git { url, pin } => match pin {
                Pin::Tag(tag) => write!(f, "git {url} tag {tag}"),
                Pin::Rev(rev) => write!(f, "git {url} rev {rev}"),
            },
            Self::Path(path) => write!(f, "path {path}"),
            Self::Archive { url, digest } => write!(f, "archive {url} blake3:{digest}"),
        }
    }
}

impl Source {
    /// As it is written in a `farcast.toml`.
    pub fn written(&self) -> String {
        // A JSON text is a TOML text.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Git { url, pin } => {
                let (key, value) = match pin {
                    Pin::Tag(tag) => ("tag", tag),
                    Pin::Rev(rev) => ("rev", rev),
                };
                format!("{{ git = {}, {key} = {} }}", quoted(url), quoted(value))
            }
            Self::Path(path) => format!("{{ path = {} }}", quoted(path)),
            Self::Archive { url, digest } => {
                format!(
                    "{{ archive = {}, digest = \"blake3:{digest}\" }}",
                    quoted(url)
                )
            }
        }
    }
}

impl Manifest {
    /// Reads the text of a `farcast.toml`; its settings and programs are others' affair.
    ///
    /// # Errors
    /// Every mistake, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let table = DeTable::parse(text).map_err(|error| {
            let message = error.message().replace('\n', ", ");
            let place = span(error.span().unwrap_or_default());
            vec![Diagnostic::error(Code::SyntaxError, place, message)]
        })?;
        let mut reader = ManifestReader {
            text,
            found: Vec::new(),
        };
        let mut manifest = Self::default();
        if let Some(value) = table.get_ref().get("package") {
            manifest.about = reader.about(value);
        }
        if let Some(value) = table.get_ref().get("dependencies")
            && let Some(table) =
                reader.table(value, "packages: `ocean = { git = \"…\", tag = \"…\" }`")
        {
            for (name, value) in table {
                if let Some(dependency) = reader.dependency(name, value) {
                    let name = name.get_ref().to_string();
                    manifest.dependencies.insert(name, dependency);
                }
            }
        }
        match reader.found.is_empty() {
            true => Ok(manifest),
            false => Err(reader.found),
        }
    }
}

struct ManifestReader<'a> {
    text: &'a str,
    found: Vec<Diagnostic>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl ManifestReader<'_> {
    fn wrong(&mut self, place: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let error = Diagnostic::error(Code::WrongType, span(place), message);
        let hint: String = hint.into();
        self.found.push(match hint.is_empty() {
            true => error,
            false => error.hint(hint),
        });
    }

    fn table<'t, 'i>(&mut self, value: &'t Value<'i>, what: &str) -> Option<&'t DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.wrong(value.span(), format!("expected a table of {what}"), "");
                None
            }
        }
    }

    fn string(&mut self, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if text.chars().any(char::is_control) => {
                self.wrong(value.span(), "the text has a control character", "");
                None
            }
            DeValue::String(text) if !text.is_empty() => Some(text.to_string()),
            DeValue::String(_) => {
                self.wrong(value.span(), "the text is empty", "");
                None
            }
            _ => {
                self.wrong(value.span(), "expected text in quotes", "");
                None
            }
        }
    }

    fn unknown(&mut self, key: &str, place: Range<usize>, known: &[&str]) {
        let message = format!("unknown key `{key}`");
        let error = Diagnostic::error(Code::UnknownName, span(place), message);
        let error = match nearest(key, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        self.found
            .push(error.hint(format!("keys: `{}`", known.join("`, `"))));
    }

    fn about(&mut self, value: &Value<'_>) -> Option<About> {
        const KEYS: [&str; 5] = ["name", "version", "license", "description", "authors"];
        let table = self.table(value, "the package: `name = \"…\"`, `version = \"…\"`")?;
        let mut about = About::default();
        for (key, value) in table {
            let field = match key.get_ref().as_ref() {
                "name" => &mut about.name,
                "version" => &mut about.version,
                "license" => &mut about.license,
                "description" => &mut about.description,
                "authors" => {
                    about.authors = self.authors(value);
                    continue;
                }
                other => {
                    self.unknown(other, key.span(), &KEYS);
                    continue;
                }
            };
            if let Some(text) = self.string(value) {
                *field = text;
            }
            let is_named = key.get_ref() == "name" && !about.name.is_empty();
            if let Some(fault) = is_named.then(|| name_fault(&about.name)).flatten() {
                self.wrong(value.span(), fault, "");
            }
            if key.get_ref() == "version"
                && !about.version.is_empty()
                && Version::parse(&about.version).is_none()
            {
                let message = format!("`{}` is not a version", about.version);
                self.wrong(value.span(), message, "a version is three numbers: `1.2.0`");
            }
        }
        for (field, name) in [(&about.name, "name"), (&about.version, "version")] {
            if field.is_empty() && !table.contains_key(name) {
                self.wrong(value.span(), format!("the package has no `{name}`"), "");
            }
        }
        Some(about)
    }

    fn authors(&mut self, value: &Value<'_>) -> Vec<Author> {
        let hint = "write `authors = [{ name = \"…\", orcid = \"…\" }]` or `[\"…\"]`";
        let DeValue::Array(values) = value.get_ref() else {
            self.wrong(value.span(), "expected a list of authors", hint);
            return Vec::new();
        };
        let mut authors = Vec::new();
        for value in values.iter() {
            let mut author = Author::default();
            match value.get_ref() {
                DeValue::String(_) => author.name = self.string(value).unwrap_or_default(),
                DeValue::Table(table) => {
                    for (key, value) in table {
                        match key.get_ref().as_ref() {
                            "name" => author.name = self.string(value).unwrap_or_default(),
                            "orcid" => author.orcid = self.string(value).unwrap_or_default(),
                            other => self.unknown(other, key.span(), &["name", "orcid"]),
                        }
                    }
                }
                _ => self.wrong(value.span(), "expected an author", hint),
            }
            authors.push(author);
        }
        authors
    }

    fn dependency(
        &mut self,
        name: &Spanned<impl AsRef<str>>,
        value: &Value<'_>,
    ) -> Option<Dependency> {
        const KEYS: [&str; 6] = ["git", "tag", "rev", "path", "archive", "digest"];
        if let Some(fault) = name_fault(name.get_ref().as_ref()) {
            self.wrong(name.span(), fault, "");
            return None;
        }
        let table = self.table(value, "where it comes from: `{ git = \"…\", tag = \"…\" }`")?;
        let mut given: BTreeMap<&str, (String, Range<usize>)> = BTreeMap::new();
        let before = self.found.len();
        for (key, value) in table {
            match KEYS.iter().find(|known| **known == key.get_ref().as_ref()) {
                Some(key) => {
                    if let Some(text) = self.string(value) {
                        given.insert(key, (text, value.span()));
                    }
                }
                None => self.unknown(key.get_ref(), key.span(), &KEYS),
            }
        }
        if self.found.len() > before {
            return None;
        }
        let keys: Vec<&str> = given.keys().copied().collect();
        let text = |key: &str| given[key].0.clone();
        let place = |key: &str| given[key].1.clone();
        let mut tag = 0..0;
        let source = match keys.as_slice() {
            ["git", "tag"] => {
                self.url(&given["git"])?;
                self.tag(&given["tag"])?;
                tag = place("tag");
                // Without the quotes; one with escapes is left alone.
                let inside = tag.start + 1..tag.end.saturating_sub(1);
                tag = match self.text.get(inside.clone()) == Some(&text("tag")) {
                    true => inside,
                    false => 0..0,
                };
                Source::Git {
                    url: text("git"),
                    pin: Pin::Tag(text("tag")),
                }
            }
            ["git", "rev"] => {
                self.url(&given["git"])?;
                let rev = text("rev");
                if !is_commit(&rev) {
                    let hint = "`git rev-parse NAME` prints all 40 digits";
                    self.wrong(place("rev"), format!("`{rev}` is not a whole commit"), hint);
                    return None;
                }
                Source::Git {
                    url: text("git"),
                    pin: Pin::Rev(rev),
                }
            }
            ["path"] => Source::Path(text("path")),
            ["archive", "digest"] => {
                self.url(&given["archive"])?;
                let digest = text("digest");
                let read = digest
                    .strip_prefix("blake3:")
                    .and_then(|it| it.parse().ok());
                let Some(digest) = read else {
                    let hint = "a digest is `blake3:` and 64 hex digits; `farcast add` writes it";
                    self.wrong(place("digest"), format!("`{digest}` is not a digest"), hint);
                    return None;
                };
                Source::Archive {
                    url: text("archive"),
                    digest,
                }
            }
            _ => {
                let message = match given.contains_key("git") && keys.len() == 1 {
                    true => "the commit is not pinned: expected a `tag` or `rev`",
                    false => {
                        "expected one source: `git` with `tag` or `rev`, `path`, or `archive` with `digest`"
                    }
                };
                self.wrong(value.span(), message, "");
                return None;
            }
        };
        Some(Dependency {
            source,
            place: name.span(),
            tag,
        })
    }

    fn url(&mut self, (url, place): &(String, Range<usize>)) -> Option<()> {
        match url_fault(url) {
            None => Some(()),
            Some((message, hint)) => {
                self.wrong(place.clone(), message, hint);
                None
            }
        }
    }

    fn tag(&mut self, (tag, place): &(String, Range<usize>)) -> Option<()> {
        if is_tag(tag) {
            return Some(());
        }
        self.wrong(
            place.clone(),
            format!("`{tag}` is not the name of a tag"),
            "",
        );
        None
    }
}

/// Whether a word names a commit in full.
pub(super) fn is_commit(word: &str) -> bool {
    let is_digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    matches!(word.len(), 40 | 64) && word.bytes().all(is_digit)
}

/// Whether git takes this as the name of a tag (`git check-ref-format`).
pub(super) fn is_tag(tag: &str) -> bool {
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-' | '+' | '/');
    tag.chars().all(is_plain)
        && !tag.starts_with(['-', '.', '/'])
        && !tag.ends_with(['.', '/'])
        && !tag.contains("..")
        && !tag.contains("//")
        && !tag.contains("/.")
        && !tag.ends_with(".lock")
        && tag.len() <= 200
        && !tag.is_empty()
}

/// Why a name is not that of a package; none when it is.
pub fn name_fault(name: &str) -> Option<String> {
    let is_plain =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '_');
    let is_name = name.len() <= 64
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.chars().all(is_plain);
    (!is_name).then(|| {
        "the name of a package begins with a small letter and has small letters, digits, `-` and `_`"
            .to_owned()
    })
}

/// Why an address may not be fetched, with a hint; none when it may.
pub(super) fn url_fault(url: &str) -> Option<(String, String)> {
    let fault = |message: String, hint: &str| Some((message, hint.to_owned()));
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.split_once(':') {
            Some((host, path)) if host.contains('@') && !path.starts_with(':') => fault(
                format!("`{url}` is not an address"),
                &format!("write `ssh://{host}/{path}`"),
            ),
            _ => fault(
                format!("`{url}` is not an address"),
                "addresses begin with `https://`, `ssh://` or `file://`; a folder is a `path`",
            ),
        };
    };
    if url
        .chars()
        .any(|it| it.is_whitespace() || it.is_control() || it == '\\')
    {
        return fault(format!("`{url}` is not an address"), "");
    }
    let host = rest.split('/').next().unwrap_or_default();
    let (user, host) = host.rsplit_once('@').unwrap_or(("", host));
    if user.contains(':') || (scheme != "ssh" && !user.is_empty()) {
        return fault(
            "the address has a password or user in it".to_owned(),
            "git asks its credential helper; secrets do not belong into a file",
        );
    }
    if host.starts_with('-') || user.starts_with('-') {
        return fault(format!("`{url}` is not an address"), "");
    }
    let is_here = matches!(name_of(host), "localhost" | "127.0.0.1" | "[::1");
    match scheme {
        "https" | "ssh" if !host.is_empty() => None,
        "file" if host.is_empty() && rest.len() > 1 => None,
        "http" if is_here => None,
        "http" => fault(
            "`http://` is not encrypted: what it sends may be changed on the way".to_owned(),
            "write `https://`",
        ),
        _ => fault(
            format!("addresses that begin with `{scheme}://` are not fetched"),
            "addresses begin with `https://`, `ssh://` or `file://`",
        ),
    }
}

/// The host without its port, and without the `]` of an address of IPv6.
fn name_of(host: &str) -> &str {
    match host.split_once(']') {
        Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
        Some(_) => "",
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether an address leads to files or servers that only this machine can reach: a stranger's
/// package must not make it ask them.
pub(super) fn is_on_this_machine(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return true;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let name = name_of(host).trim_end_matches('.').to_ascii_lowercase();
    let is_own = match name.strip_prefix('[').unwrap_or(&name).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_own_address(address),
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => is_own_address(address),
            None => {
                address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local()
            }
        },
        // Numbers that are not addresses in this form are one to some resolvers: `127.1`, `0x7f000001`.
        Err(_) => name
            .split('.')
            .next_back()
            .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit())),
    };
    scheme == "file" || is_own || name == "localhost" || name.ends_with(".localhost")
}

fn is_own_address(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_unspecified() || address.is_link_local()
}

fn span(place: Range<usize>) -> Span {
    Span::new(FileId(0), place.start, place.end)
}

/// A version: three numbers, and what comes before a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub numbers: [u64; 3],
    pub before: Option<String>,
}

impl Version {
    /// `1.2.0`, `1.2.0-rc1`; what follows `+` says nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (numbers, before) = match text.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before.to_owned())),
            None => (text, None),
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        let parts: Vec<u64> = { parts.iter() }
            .map(|part| match part.bytes().all(|it| it.is_ascii_digit()) {
                true => part.parse().ok(),
                false => None,
            })
            .collect::<Option<_>>()?;
        let numbers = parts.try_into().ok()?;
        Some(Self { numbers, before })
    }

    /// Whether the other one may replace it: the same major version, or the same minor one of 0.
    pub fn is_like(&self, other: &Self) -> bool {
        let [major, minor, _] = self.numbers;
        major == other.numbers[0] && (major > 0 || minor == other.numbers[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        let found = Manifest::parse(&format!("[dependencies]\n{line}\n")).unwrap_err();
        let found: Vec<String> = found
            .into_iter()
            .flat_map(|it| [it.message].into_iter().chain(it.hints))
            .collect();
        found.join("; ")
    }

    #[test]
    fn sources_come_back_as_written() {
        let lines = [
            r#"a = { git = "https://x.org/a.git", tag = "v1.2.0" }"#,
            r#"b = { git = "ssh://git@x.org/b.git", rev = "0123456789012345678901234567890123456789" }"#,
            r#"c = { path = "../c" }"#,
        ];
        let manifest = Manifest::parse(&format!("[dependencies]\n{}\n", lines.join("\n"))).unwrap();
        let written = { manifest.dependencies.iter() }
            .map(|(name, it)| format!("{name} = {}", it.source.written()));
        assert_eq!(written.collect::<Vec<_>>(), lines);
    }

    /// `ext::` runs any command; the others reach what nobody meant.
    #[test]
    fn addresses_that_do_more_than_fetch_are_refused() {
        for url in [
            "ext::sh -c id",
            "ext::sh% -c% id",
            "fd::3",
            "-uhttps://x.org",
            "--upload-pack=id",
            "git://x.org/a",
            "http://x.org/a",
            "https://user:secret@x.org/a",
            "https://x.org/a b",
            "ssh://-oProxyCommand=id/a",
            "ssh://-oProxyCommand=id@x.org/a",
            "file://host/a",
            "../a",
            "C:\\a",
        ] {
            assert!(url_fault(url).is_some(), "{url}");
        }
        for url in [
            "https://x.org/a",
            "file:///a",
            "http://127.0.0.1:80/a",
            "http://[::1]/a",
        ] {
            assert_eq!(url_fault(url), None, "{url}");
        }
    }

    #[test]
    fn addresses_of_this_machine_are_told_from_others() {
        for url in [
            "file:///a",
            "http://localhost:80/a",
            "https://LOCALHOST./a",
            "https://a.localhost/a",
            "https://127.1.2.3/a",
            "https://127.1/a",
            "https://0x7f000001/a",
            "https://0.0.0.0/a",
            "https://169.254.169.254/a",
            "https://[::1]:443/a",
            "https://[::ffff:127.0.0.1]/a",
            "https://[fe80::1]/a",
            "ssh://git@127.0.0.1/a",
        ] {
            assert!(is_on_this_machine(url), "{url}");
        }
        for url in [
            "https://x.org/a",
            "ssh://git@git.x.org:22/a",
            "https://10.0.0.7/a",
            "https://8.8.8.8/a",
        ] {
            assert!(!is_on_this_machine(url), "{url}");
        }
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        assert_eq!(
            refusal(r#"a = { git = "git@x.org:team/a.git", tag = "v1" }"#),
            "`git@x.org:team/a.git` is not an address; write `ssh://git@x.org/team/a.git`"
        );
        assert_eq!(
            refusal(r#"a = { git = "https://x.org/a" }"#),
            "the commit is not pinned: expected a `tag` or `rev`"
        );
        assert_eq!(
            refusal(r#"a = { git = "https://x.org/a", tga = "v1" }"#),
            "unknown key `tga`; did you mean `tag`?; keys: `git`, `tag`, `rev`, `path`, `archive`, `digest`"
        );
        assert!(
            refusal(r#"a = { git = "https://x.org/a", rev = "0123abc" }"#)
                .starts_with("`0123abc` is not a whole commit")
        );
        assert!(
            refusal(r#"a = { git = "https://x.org/a", tag = "--exec" }"#)
                .starts_with("`--exec` is not the name of a tag")
        );
        assert!(refusal(r#"Ocean = { path = "x" }"#).contains("begins with a small letter"));
        assert!(refusal(r#""../x" = { path = "x" }"#).contains("begins with a small letter"));
        assert!(refusal(r#"a = "1.0""#).starts_with("expected a table of where it comes from"));
    }

    #[test]
    fn versions_are_ordered_and_alike() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("1.2.0").is_like(&version("1.10.0")));
        assert!(!version("0.2.0").is_like(&version("0.3.0")));
        assert_eq!(Version::parse("1.2"), None);
        assert_eq!(Version::parse("v1.2.0"), None);
        assert_eq!(Version::parse("1.+2.0"), None);
    }
}
