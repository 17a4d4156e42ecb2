//! Where a remote store is: a folder, or a bucket of a server that speaks S3.

use std::fmt;

/// Where a remote store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder that others reach, too.
    Folder(String),
    /// A bucket, or a part of it.
    Bucket(BucketAddress),
}

/// A bucket of AWS or of a server of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketAddress {
    /// The name of the bucket.
    pub bucket: String,
    /// What the names of all its objects begin with; may be empty.
    pub prefix: String,
    /// The server, as `https://HOST:PORT`; none for what the environment says, or AWS.
    pub endpoint: Option<String>,
    /// The region; none for what the environment says.
    pub region: Option<String>,
    /// Who asks there.
    pub credentials: Credentials,
}

/// Who asks at a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Whoever the environment or the profile of the user names.
    #[default]
    User,
    /// Whatever the machine may do, as clouds tell their machines.
    Instance,
    /// Anybody: the bucket is public.
    Nobody,
}

impl BucketAddress {
    /// The bucket of `s3://BUCKET/PREFIX`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let path = url.strip_prefix("s3://").ok_or("expected `s3://BUCKET`")?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.chars().all(|c| is_part(c) || ".-".contains(c))
            && bucket.starts_with(is_part)
            && bucket.ends_with(is_part)
            && !bucket.contains("..");
        if !is_bucket {
            return Err(
                "expected a bucket of 3 to 63 small letters, digits, `-` and `.` after `s3://`",
            );
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.=+@".contains(c);
        let is_folder = |part: &str| !["", ".", ".."].contains(&part) && part.chars().all(is_name);
        if !prefix.is_empty() && !prefix.split('/').all(is_folder) {
            return Err("expected a prefix of letters, digits and `-_.=+@`, with `/` between");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: None,
            credentials: Credentials::User,
        })
    }

    /// A server: `https://HOST`, `http://HOST:PORT`.
    ///
    /// # Errors
    /// What was expected.
    pub fn endpoint(text: &str) -> Result<String, &'static str> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let host = { text.strip_prefix("https://") }.or_else(|| text.strip_prefix("http://"));
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        match host {
            Some(host) if !host.is_empty() && host.chars().all(is_host) => Ok(text.to_owned()),
            _ => Err("expected a server: `https://HOST` or `http://HOST:PORT`"),
        }
    }
}

/// What people call it, and what they agree to.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => f.write_str(path),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_name_and_a_prefix() {
        for (url, shown) in [
            ("s3://lab", "s3://lab"),
            ("s3://lab/", "s3://lab"),
            ("s3://lab.x-1/a/b=2/", "s3://lab.x-1/a/b=2"),
        ] {
            assert_eq!(BucketAddress::parse(url).unwrap().to_string(), shown);
        }
        for url in [
            "lab",
            "s3:/lab",
            "S3://lab",
            "s3://",
            "s3://ab",
            "s3:///lab",
            "s3://Lab",
            "s3://-lab",
            "s3://lab.",
            "s3://l..ab",
            "s3://me:key@lab",
            "s3://lab:1/a",
            "s3://läb",
            "s3://lab//a",
            "s3://lab/a//b",
            "s3://lab/../b",
            "s3://lab/a b",
            "s3://lab/a\nb",
            "s3://lab/a?b",
            "s3://lab/a#b",
            "s3://lab/a%2e",
            "s3://lab/é",
        ] {
            assert!(BucketAddress::parse(url).is_err(), "{url}");
        }
        assert!(BucketAddress::parse(&format!("s3://{}", "a".repeat(64))).is_err());
    }

    #[test]
    fn an_endpoint_is_a_server_alone() {
        for text in [
            "https://s3.example.org",
            "http://127.0.0.1:9000",
            "http://[::1]:9/",
        ] {
            let read = BucketAddress::endpoint(text).unwrap();
            assert_eq!(read, text.trim_end_matches('/'));
        }
        for text in [
            "",
            "https://",
            "s3.example.org",
            "ftp://a",
            "https://a/b",
            "https://me@a",
            "https://a?b",
            "https://a b",
            "https://a\r\nHost: b",
        ] {
            assert!(BucketAddress::endpoint(text).is_err(), "{text}");
        }
    }
}
