//! A bucket: S3, or a server that speaks like it.
//!
//! Credentials come from the environment, as the tools of Amazon name them: `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, those of containers and web identities. Without
//! any, the bucket is read as the public may read it. Only here is anything asynchronous.

use std::future::Future;
use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::{Builder, Runtime};

use super::Remote;
use super::place::{Entry, Place};
use crate::error::Fault;

/// A server that does not answer for so long is away.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);

/// A bucket, or a part of it.
pub(super) struct Bucket {
    url: String,
    prefix: String,
    store: AmazonS3,
    runtime: Runtime,
}

impl Bucket {
    /// The bucket at `BUCKET/PREFIX`.
    pub(super) fn open(remote: &Remote, path: &str) -> Result<Self, Fault> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let fault = |error: &dyn std::fmt::Display| {
            Fault::Environment(format!("`{}`: {error}", remote.url))
        };
        let options = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout(ANSWER);
        let retry = RetryConfig {
            max_retries: 3,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_client_options(options)
            .with_retry(retry)
            .with_bucket_name(bucket);
        if let Some(region) = &remote.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &remote.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        let identities = [
            AmazonS3ConfigKey::AccessKeyId,
            AmazonS3ConfigKey::WebIdentityTokenFile,
            AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
            AmazonS3ConfigKey::ContainerCredentialsFullUri,
            AmazonS3ConfigKey::MetadataEndpoint,
        ];
        let has_identity = { identities.iter() }.any(|it| builder.get_config_value(it).is_some());
        if !has_identity {
            builder = builder.with_skip_signature(true);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            url: remote.url.clone(),
            prefix: prefix.to_owned(),
            store: builder.build().map_err(|error| fault(&error))?,
            runtime,
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    /// The answer to a request; none when there is no such thing.
    fn answer<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Fault> {
        match self.runtime.block_on(request) {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Fault::Environment(format!(
                "`{}`: {}",
                self.url,
                in_one_line(&error)
            ))),
        }
    }

    fn no_bucket(&self) -> Fault {
        Fault::Environment(format!("`{}`: there is no such bucket", self.url))
    }

    fn entry(&self, name: String, found: &ObjectMeta) -> Entry {
        Entry {
            name,
            bytes: found.size,
            modified: SystemTime::from(found.last_modified),
        }
    }
}

impl Place for Bucket {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Fault> {
        let top = self.path("");
        let (mut folders, mut entries) = (vec![self.path(folder)], Vec::new());
        while let Some(folder) = folders.pop() {
            let listed = self.answer(self.store.list_with_delimiter(Some(&folder)))?;
            let listed = listed.ok_or_else(|| self.no_bucket())?;
            folders.extend(listed.common_prefixes);
            entries.extend(listed.objects.iter().filter_map(|found| {
                let parts = found.location.prefix_match(&top)?;
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                Some(self.entry(parts.join("/"), found))
            }));
        }
        Ok(entries)
    }

    fn find(&self, name: &str) -> Result<Option<Entry>, Fault> {
        let found = self.answer(self.store.head(&self.path(name)))?;
        Ok(found.map(|found| self.entry(name.to_owned(), &found)))
    }

    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.path(name);
        self.answer(async {
            let found = self.store.get(&path).await?;
            // What is too large is wrong whatever it holds.
            if found.meta.size > limit {
                return Ok(Vec::new());
            }
            Ok(found.bytes().await?.to_vec())
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let payload = bytes.to_vec().into();
        let put = self.answer(self.store.put(&self.path(name), payload))?;
        put.map(drop).ok_or_else(|| self.no_bucket())
    }

    fn remove(&self, name: &str) -> Result<(), Fault> {
        self.answer(self.store.delete(&self.path(name)))?;
        Ok(())
    }
}

fn in_one_line(error: &Error) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line = words.join(" ");
    if let Some((end, _)) = line.char_indices().nth(300) {
        line.truncate(end);
        line += "…";
    }
    line
}
