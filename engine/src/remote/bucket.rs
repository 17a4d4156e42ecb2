//! A bucket of a server that speaks S3. The only place that waits for asynchronous answers: each
//! request is waited for, with a bound.

use std::env;
use std::error::Error as _;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutOptions, PutPayload, RetryConfig,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::address::{BucketAddress, Credentials};
use super::place::{Entry, MARK, Place, VERSION, check_version, is_ours};
use super::profile::Profile;
use crate::error::Fault;

/// A server that is silent for as long is away.
const SILENCE: Duration = Duration::from_secs(20);

/// The same while it is sent a part: a slow line may be shared by several of them.
const SENDING: Duration = Duration::from_secs(120);

/// A request may take as long as this, with all that is tried again, and longer only for its
/// bytes.
const PATIENCE: Duration = Duration::from_secs(150);

/// Bytes a second that are worth waiting for.
const SLOWEST: u64 = 16 << 10;

/// What is larger is sent in parts of this size.
const PART: usize = 8 << 20;

const NO_BUCKET: &str = "there is no such bucket";

/// Nobody has as many objects.
const MOST: usize = 50_000_000;

/// A bucket that others use, too.
pub(super) struct SharedBucket {
    name: String,
    shown: String,
    prefix: String,
    runtime: Runtime,
    /// The same server, waited for as long as reading and as sending take.
    reads: AmazonS3,
    writes: AmazonS3,
    is_marked: AtomicBool,
}

impl SharedBucket {
    pub(super) fn open(name: &str, address: &BucketAddress) -> Result<Self, Fault> {
        // None but the first counts.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shown = address.to_string();
        let fault = |error: &dyn Display| Fault::Environment(format!("`{shown}`: {error}"));
        let client = |silence| {
            let built = builder(address, silence)?.build();
            built.map_err(|error| reason(&error))
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let opened = Self {
            name: name.to_owned(),
            prefix: address.prefix.clone(),
            runtime,
            reads: client(SILENCE).map_err(|error| fault(&error))?,
            writes: client(SENDING).map_err(|error| fault(&error))?,
            is_marked: AtomicBool::new(false),
            shown: shown.clone(),
        };
        let is_marked = opened.check()?;
        opened.is_marked.store(is_marked, Ordering::Relaxed);
        Ok(opened)
    }

    /// That it is a shared store and nothing else; whether it is marked as one.
    fn check(&self) -> Result<bool, Fault> {
        if let Some(version) = self.get(MARK, 64)? {
            let version = String::from_utf8_lossy(&version);
            let checked = check_version(&version).map(|()| true);
            return checked.map_err(|why| self.fault(&why));
        }
        let top = (!self.prefix.is_empty()).then(|| Path::from(&*self.prefix));
        let listed = self.wait(0, self.reads.list_with_delimiter(top.as_ref()))?;
        let listed = listed.ok_or_else(|| self.fault(NO_BUCKET))?;
        let objects = listed.objects.iter().map(|object| &object.location);
        for found in listed.common_prefixes.iter().chain(objects) {
            let name = found.filename().unwrap_or_default();
            if !is_ours(name) {
                let name = name.escape_debug();
                return Err(self.fault(&format!("it is not a shared store: `{name}` is in it")));
            }
        }
        Ok(false)
    }

    /// Marks it as a shared store, unless somebody else does so at the same time.
    fn mark(&self) -> Result<(), Fault> {
        if self.is_marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = self.path(MARK);
        let bytes = || PutPayload::from(format!("{VERSION}\n"));
        let create = PutOptions::from(PutMode::Create);
        let put = self.ask(0, self.writes.put_opts(&path, bytes(), create));
        match put {
            Ok(_) => {}
            Err(Refused::Error(Error::AlreadyExists { .. } | Error::Precondition { .. })) => {
                self.check()?;
            }
            // Some servers know no conditions; then the last one to mark it does.
            Err(Refused::Error(error)) if is_unknown(&error) => {
                self.wait(0, self.writes.put(&path, bytes()))?;
            }
            Err(refused) => return Err(self.refused(refused)),
        }
        self.is_marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn path(&self, name: &str) -> Path {
        match &*self.prefix {
            "" => Path::from(name),
            prefix => Path::from(format!("{prefix}/{name}")),
        }
    }

    /// The answer to a request about this many bytes; none when there is no such thing.
    fn wait<T>(
        &self,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, Fault> {
        match self.ask(bytes, request) {
            Ok(answer) => Ok(Some(answer)),
            Err(Refused::Error(Error::NotFound { .. })) => Ok(None),
            Err(refused) => Err(self.refused(refused)),
        }
    }

    fn ask<T>(
        &self,
        bytes: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Refused> {
        let bound = PATIENCE + Duration::from_secs(bytes / SLOWEST);
        let answer = self
            .runtime
            .block_on(async { timeout(bound, request).await });
        match answer {
            Ok(answer) => answer.map_err(Refused::Error),
            Err(_) => Err(Refused::Late(bound)),
        }
    }

    fn refused(&self, refused: Refused) -> Fault {
        match refused {
            Refused::Error(error) => self.fault(&reason(&error)),
            Refused::Late(bound) => self.fault(&format!("no answer in {} s", bound.as_secs())),
        }
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::Environment(format!("`{}`: {why}", self.shown))
    }

    fn entry(&self, found: ObjectMeta) -> Entry {
        let name = found.location.as_ref();
        let relative = name.strip_prefix(&*self.prefix).unwrap_or(name);
        Entry {
            name: relative.trim_start_matches('/').to_owned(),
            bytes: found.size,
            modified: SystemTime::from(found.last_modified),
        }
    }

    /// Sends what is too large for one request; nobody sees it before it is complete.
    fn put_in_parts(&self, path: &Path, bytes: &[u8]) -> Result<(), Refused> {
        let mut upload = self.ask(0, self.writes.put_multipart(path))?;
        let mut sent = bytes.chunks(PART).try_for_each(|part| {
            let payload = PutPayload::from(part.to_vec());
            self.ask(part.len() as u64, upload.put_part(payload))
        });
        sent = sent.and_then(|()| self.ask(0, upload.complete()).map(drop));
        if sent.is_err() {
            let _ = self.ask(0, upload.abort());
        }
        sent
    }
}

impl Place for SharedBucket {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        let mut listed = self.reads.list(Some(&self.path(folder)));
        loop {
            match self.wait(0, listed.try_next())? {
                Some(Some(found)) => entries.push(self.entry(found)),
                Some(None) => return Ok(entries),
                None => return Err(self.fault(NO_BUCKET)),
            }
            if entries.len() > MOST {
                return Err(self.fault(&format!("`{folder}` never ends")));
            }
        }
    }

    fn find(&self, name: &str) -> Result<Option<Entry>, Fault> {
        let found = self.wait(0, self.reads.head(&self.path(name)))?;
        Ok(found.map(|found| self.entry(found)))
    }

    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.path(name);
        let asked = self.reads.get_opts(&path, GetOptions::default());
        let Some(answer) = self.wait(0, asked)? else {
            return Ok(None);
        };
        let most = limit.saturating_add(1).min(answer.meta.size);
        let mut stream = answer.into_stream();
        self.wait(most, async {
            let mut bytes = Vec::new();
            while let Some(read) = stream.try_next().await? {
                let room = usize::try_from(most).unwrap_or(usize::MAX) - bytes.len();
                bytes.extend(read.iter().take(room));
                if read.len() >= room {
                    break;
                }
            }
            Ok(bytes)
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.mark()?;
        let path = self.path(name);
        let sent = match bytes.len() <= PART {
            true => {
                let payload = PutPayload::from(bytes.to_vec());
                self.ask(bytes.len() as u64, self.writes.put(&path, payload))
                    .map(drop)
            }
            false => self.put_in_parts(&path, bytes),
        };
        sent.map_err(|refused| match &refused {
            Refused::Error(error @ Error::PermissionDenied { .. }) => {
                let (name, why) = (&self.name, reason(error));
                self.fault(&format!("you may not write to `{name}`: {why}"))
            }
            _ => self.refused(refused),
        })
    }

    fn remove(&self, name: &str) -> Result<(), Fault> {
        self.wait(0, self.writes.delete(&self.path(name))).map(drop)
    }
}

/// Why there is no answer.
enum Refused {
    Error(Error),
    Late(Duration),
}

/// A client as the environment, the user's profile and the address describe it.
fn builder(address: &BucketAddress, silence: Duration) -> Result<AmazonS3Builder, String> {
    let profile = Profile::read();
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let ours = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let theirs = ours.iter().find_map(|name| env::var(name).ok());
    let endpoint = address.endpoint.clone().or(theirs).or(profile.endpoint);
    let retries = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: SILENCE,
    };
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let client = |key| AmazonS3ConfigKey::Client(key);
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&address.bucket)
        .with_retry(retries)
        .with_disable_bulk_delete(true)
        .with_config(client(ClientConfigKey::ConnectTimeout), "5s")
        .with_config(client(ClientConfigKey::ReadTimeout), seconds(silence))
        .with_config(client(ClientConfigKey::Timeout), "1day");
    if let Some(endpoint) = endpoint {
        let endpoint = BucketAddress::endpoint(&endpoint)?;
        builder = builder
            .with_allow_http(endpoint.starts_with("http:"))
            .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let is_there = is_set("AWS_REGION") || is_set("AWS_DEFAULT_REGION");
    let region = { address.region.clone() }.or(profile.region.filter(|_| !is_there));
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let others = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    match address.credentials {
        Credentials::Nobody => builder = builder.with_skip_signature(true),
        Credentials::Instance => {}
        Credentials::User if others.iter().any(|name| is_set(name)) => {}
        Credentials::User => {
            let (key, secret) = profile.keys.ok_or(
                "no credentials: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE` \
                 to a profile with keys; `credentials = \"none\"` is for a public bucket",
            )?;
            builder = builder
                .with_access_key_id(key)
                .with_secret_access_key(secret);
            if let Some(token) = profile.token {
                builder = builder.with_token(token);
            }
        }
    }
    Ok(builder)
}

/// Whether a server does not know what is asked of it.
fn is_unknown(error: &Error) -> bool {
    let is_told = |what| reason(error).contains(what);
    matches!(
        error,
        Error::NotImplemented { .. } | Error::NotSupported { .. }
    ) || is_told("NotImplemented")
        || is_told("501")
}

/// What is behind an error, on one line: a server may say anything.
fn reason(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said = next.to_string();
        cause = next.source();
    }
    let tag = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once('<')?;
        (!text.is_empty()).then_some(text)
    };
    let told = match (tag("Code"), tag("Message")) {
        (Some("NoSuchBucket"), _) => NO_BUCKET.to_owned(),
        (Some(code), Some(message)) => format!("{message} ({code})"),
        (Some(code), None) => code.to_owned(),
        _ => said.clone(),
    };
    let plain = told.chars().map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(300).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").trim_end_matches([':', '.']).to_owned()
}
