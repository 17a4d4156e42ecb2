//! Keys for buckets, from the files that other programs for S3 read: `~/.aws/credentials` and
//! `~/.aws/config`.

use std::env;
use std::fs;
use std::path::PathBuf;

/// What the profile of a user says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// The key's name and the key.
    pub keys: Option<(String, String)>,
    /// A key that ends by itself has this beside.
    pub token: Option<String>,
    /// The region of buckets.
    pub region: Option<String>,
    /// The server of buckets.
    pub endpoint: Option<String>,
}

impl Profile {
    /// The profile that `AWS_PROFILE` names, or `default`; what the first file says comes first.
    pub(super) fn read() -> Self {
        let name = env::var("AWS_PROFILE").unwrap_or_else(|_| "default".to_owned());
        let file = |variable, file| {
            let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".aws").join(file));
            let path = env::var_os(variable).map(PathBuf::from).or_else(home);
            path.and_then(|path| fs::read_to_string(path).ok())
                .unwrap_or_default()
        };
        let keys = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file("AWS_CONFIG_FILE", "config");
        Self::parse(&[&keys, &config], &name)
    }

    /// The profile of this name in the texts of files.
    fn parse(texts: &[&str], name: &str) -> Self {
        let find = |wanted: &str| {
            let mut found = texts.iter().filter_map(|text| value(text, name, wanted));
            found.next().map(str::to_owned)
        };
        Self {
            keys: find("aws_access_key_id").zip(find("aws_secret_access_key")),
            token: find("aws_session_token"),
            region: find("region"),
            endpoint: find("endpoint_url"),
        }
    }
}

/// The value of a key in `[name]` or `[profile name]`.
fn value<'a>(text: &'a str, name: &str, key: &str) -> Option<&'a str> {
    let mut is_meant = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            let section = section.trim();
            let section = section.strip_prefix("profile ").unwrap_or(section);
            is_meant = section.trim() == name;
        } else if is_meant
            && let Some((found, value)) = line.split_once('=')
            && found.trim() == key
        {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "\
# mine
[default]
aws_access_key_id = A
aws_secret_access_key=s/=1

[lab]
aws_access_key_id = L
aws_secret_access_key = l
aws_session_token = t
";
    const CONFIG: &str = "\
[default]
region = eu-central-1
[profile lab]
  endpoint_url = https://s3.example.org
";

    #[test]
    fn a_profile_is_what_both_files_say() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        let read = |name| Profile::parse(&[KEYS, CONFIG], name);
        let default = Profile {
            keys: pair("A", "s/=1"),
            region: Some("eu-central-1".to_owned()),
            ..Profile::default()
        };
        assert_eq!(read("default"), default);
        let lab = Profile {
            keys: pair("L", "l"),
            token: Some("t".to_owned()),
            region: None,
            endpoint: Some("https://s3.example.org".to_owned()),
        };
        assert_eq!(read("lab"), lab);
        assert_eq!(read("other"), Profile::default());
    }
}
