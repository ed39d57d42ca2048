//! The `http` backend: one state behind an address, as GitLab and others keep it.
//!
//! The service has no conditional write, so that the lock alone keeps two runs apart: its id goes out with every write, and a
//! service that knows another holder refuses. Without a lock held, the state is read again before it is replaced.
//!
//! A lock gets a lease where the service lets its holder send it again, with a later heartbeat; GitLab's doesn't, and such a
//! lock holds until it is given back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use net::tls::{Tls, TlsOptions};
use net::{Bytes, Client, Method, Request, Response, Url};

use super::local::DEFAULT_WORKSPACE;
use super::remote::ArgumentType::{Flag, Number, Text};
use super::remote::{Argument, ConfigError, JournalFile, Settings, argument, check};
use super::{
    Backend, HeldLock, Lease, LockError, LockId, LockInfo, Renewal, StateStore, StoreClock, StoreError, WriteCondition,
    wait_for_lock,
};
use crate::body::{Body, LONGEST_STATE};
use crate::codec::Codec;
use crate::journal::{Journal, JournalError};
use crate::model::State;

pub(super) const ARGUMENTS: &[Argument] = &[
    argument("address", Text, Some("TF_HTTP_ADDRESS")),
    argument("client_ca_certificate_pem", Text, Some("TF_HTTP_CLIENT_CA_CERTIFICATE_PEM")),
    argument("client_certificate_pem", Text, Some("TF_HTTP_CLIENT_CERTIFICATE_PEM")),
    argument("client_private_key_pem", Text, Some("TF_HTTP_CLIENT_PRIVATE_KEY_PEM")),
    argument("lock_address", Text, Some("TF_HTTP_LOCK_ADDRESS")),
    argument("lock_method", Text, Some("TF_HTTP_LOCK_METHOD")),
    argument("password", Text, Some("TF_HTTP_PASSWORD")),
    argument("retry_max", Number, Some("TF_HTTP_RETRY_MAX")),
    argument("retry_wait_max", Number, Some("TF_HTTP_RETRY_WAIT_MAX")),
    argument("retry_wait_min", Number, Some("TF_HTTP_RETRY_WAIT_MIN")),
    argument("skip_cert_verification", Flag, None),
    argument("unlock_address", Text, Some("TF_HTTP_UNLOCK_ADDRESS")),
    argument("unlock_method", Text, Some("TF_HTTP_UNLOCK_METHOD")),
    argument("update_method", Text, Some("TF_HTTP_UPDATE_METHOD")),
    argument("username", Text, Some("TF_HTTP_USERNAME")),
];

/// One state behind an address.
pub struct HttpBackend {
    service: Arc<Service>,
    journal_folder: std::path::PathBuf,
    codec: Codec,
}

/// How the service is asked.
struct Service {
    client: Client,
    address: Url,
    update_method: Method,
    lock: Option<(Method, Url)>,
    unlock: Option<(Method, Url)>,
    login: Option<(String, String)>,
    retries: u32,
    shortest_wait: Duration,
    longest_wait: Duration,
    clock: StoreClock,
}

pub(super) fn open(settings: &Settings<'_>) -> Result<Arc<dyn Backend>, ConfigError> {
    Ok(Arc::new(HttpBackend::new(settings)?))
}

impl HttpBackend {
    fn new(settings: &Settings<'_>) -> Result<HttpBackend, ConfigError> {
        let address = url(settings, "address")?.ok_or_else(|| ConfigError {
            argument: Some("address"),
            reason: "address argument is required".to_owned(),
        })?;
        let endpoint = |address: &'static str, method_name: &'static str, default: &str| {
            let url = url(settings, address)?;
            let method = method(settings, method_name, default)?;
            Ok::<_, ConfigError>(url.map(|url| (method, url)))
        };
        let identity = match (settings.text("client_certificate_pem"), settings.text("client_private_key_pem")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                let reason = "client_certificate_pem is set but client_private_key_pem is not".to_owned();
                return Err(ConfigError { argument: Some("client_certificate_pem"), reason });
            }
            (None, Some(_)) => {
                let reason = "client_private_key_pem is set but client_certificate_pem is not".to_owned();
                return Err(ConfigError { argument: Some("client_private_key_pem"), reason });
            }
        };
        let tls = TlsOptions {
            roots: settings.text("client_ca_certificate_pem"),
            identity,
            trust_all: settings.flag("skip_cert_verification")?,
            any_name: false,
        };
        let seconds =
            |name, default| Ok::<_, ConfigError>(Duration::from_secs(u64::from(settings.number(name, default)?)));
        let service = Service {
            client: settings.surroundings.client.with_tls(Tls::new(tls)),
            address,
            update_method: method(settings, "update_method", "POST")?,
            lock: endpoint("lock_address", "lock_method", "LOCK")?,
            unlock: endpoint("unlock_address", "unlock_method", "UNLOCK")?,
            login: settings.text("username").map(|user| (user, settings.text("password").unwrap_or_default())),
            retries: settings.number("retry_max", 2)?,
            shortest_wait: seconds("retry_wait_min", 1)?,
            longest_wait: seconds("retry_wait_max", 30)?,
            clock: StoreClock::default(),
        };
        let journal_folder = settings.surroundings.journal_folder.clone();
        Ok(HttpBackend { service: Arc::new(service), journal_folder, codec: settings.surroundings.codec.clone() })
    }
}

fn url(settings: &Settings<'_>, name: &'static str) -> Result<Option<Url>, ConfigError> {
    let Some(text) = settings.text(name) else { return Ok(None) };
    let reason = match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => return Ok(Some(url)),
        Ok(_) => format!("{name} must be HTTP or HTTPS"),
        Err(error) => format!("failed to parse {name} URL: {error}"),
    };
    Err(ConfigError { argument: Some(name), reason })
}

fn method(settings: &Settings<'_>, name: &'static str, default: &str) -> Result<Method, ConfigError> {
    let text = settings.text(name).unwrap_or_else(|| default.to_owned());
    Method::from_bytes(text.as_bytes())
        .map_err(|_| ConfigError { argument: Some(name), reason: format!("{name} is no HTTP method") })
}

#[async_trait]
impl Backend for HttpBackend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        Err(StoreError::NoWorkspaces)
    }

    async fn create_workspace(&self, _: &str) -> Result<(), StoreError> {
        Err(StoreError::NoWorkspaces)
    }

    async fn delete_workspace(&self, _: &str) -> Result<(), StoreError> {
        Err(StoreError::NoWorkspaces)
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        if workspace != DEFAULT_WORKSPACE {
            return Err(StoreError::NoWorkspaces);
        }
        let codec = self.codec.for_another();
        Ok(Arc::new(HttpStore {
            service: self.service.clone(),
            held: Mutex::default(),
            journal: JournalFile::new(&self.journal_folder, "http", workspace, codec.clone()),
            codec,
        }))
    }
}

struct HttpStore {
    service: Arc<Service>,
    held: Mutex<Option<Held>>,
    journal: JournalFile,
    codec: Codec,
}

/// The lock that is held.
#[derive(Clone)]
struct Held {
    info: LockInfo,
    /// What it becomes where the service lets it be renewed.
    lease: Option<Lease>,
}

/// What a service says to a lock.
enum Answer {
    Taken,
    /// There is one, of this holder if that could be read.
    Refused(Option<Box<LockInfo>>),
}

impl HttpStore {
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the lock, or sends it again.
    async fn ask_for_lock(&self, info: &LockInfo) -> Result<Answer, LockError> {
        let Some((method, url)) = &self.service.lock else { return Ok(Answer::Taken) };
        let body = serde_json::to_vec(info).unwrap_or_default();
        let response = self.service.send(method, url, Some(body.into()), "lock").await?;
        match response.status {
            200..=204 => Ok(Answer::Taken),
            409 | 423 => {
                let body = response.bytes(1 << 20).await.unwrap_or_default();
                Ok(Answer::Refused(serde_json::from_slice(&body).ok()))
            }
            status => Err(self.service.refused("lock", status).into()),
        }
    }

    async fn release(&self, info: &LockInfo) -> Result<(), LockError> {
        let Some((method, url)) = &self.service.unlock else { return Ok(()) };
        let body = serde_json::to_vec(info).unwrap_or_default();
        let response = self.service.send(method, url, Some(body.into()), "unlock").await?;
        match response.status {
            200..=204 => Ok(()),
            status => Err(self.service.refused("unlock", status).into()),
        }
    }
}

#[async_trait]
impl StateStore for HttpStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        let service = &self.service;
        let response = service.send(&Method::GET, &service.address, None, "read").await?;
        match response.status {
            200 => {}
            204 | 404 => return Ok(None),
            status => return Err(service.refused("read", status)),
        }
        let expected = response.header("content-md5").map(str::to_owned);
        let mut body = Body::default();
        response.write_to(&mut body, LONGEST_STATE).await.map_err(|error| service.failed("read", &error))?;
        if expected.is_some_and(|expected| expected != BASE64_STANDARD.encode(body.md5())) {
            return Err(service.remote("read", "the answer was damaged on its way".to_owned()));
        }
        self.codec.read_from(body).map_err(|source| StoreError::Read { place: service.place(), source })
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let service = &self.service;
        let lock = self.held().as_ref().map(|held| held.info.id.0.clone());
        if lock.is_none() && *condition != WriteCondition::Any {
            check(condition, self.read().await?.as_ref(), &service.place())?;
        }
        let mut url = service.address.clone();
        if let Some(id) = lock {
            url.query_pairs_mut().append_pair("ID", &id);
        }
        let body = self.codec.write(state).map_err(|source| StoreError::Sealed { place: service.place(), source })?;
        let response = service.send(&service.update_method, &url, Some(body.into()), "write").await?;
        match response.status {
            200 | 201 | 204 => Ok(()),
            status => Err(service.refused("write", status)),
        }
    }

    async fn lock(&self, mut info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        if self.held().is_some() {
            return Err(LockError::AlreadyLocked);
        }
        let id = info.id.clone();
        if self.service.lock.is_none() {
            return Ok(id);
        }
        info.created = jiff::Timestamp::now().to_string();
        // Nobody may rely on a lease that this service perhaps can't renew.
        let lease = info.lease.take();
        let info = &info;
        wait_for_lock(timeout, |dead| async move {
            if let Some(dead) = dead {
                // Somebody else may have been faster; then there is another lock.
                let _ = self.release(&dead).await;
            }
            match self.ask_for_lock(info).await? {
                Answer::Taken => Ok(()),
                Answer::Refused(holder) => {
                    let reason = match &holder {
                        Some(holder) => format!("HTTP remote state already locked: ID={}", holder.id),
                        None => "HTTP remote state already locked, failed to read the lock".to_owned(),
                    };
                    Err(LockError::Held { info: holder, reason, now: self.service.clock.now() })
                }
            }
        })
        .await?;
        *self.held() = Some(Held { info: info.clone(), lease });
        Ok(id)
    }

    async fn renew(&self, id: &LockId) -> Result<Renewal, LockError> {
        let held = self.held().clone().filter(|held| held.info.id == *id);
        let Some(held) = held else { return Ok(Renewal::NotNeeded) };
        let Some(lease) = &held.lease else { return Ok(Renewal::NotNeeded) };
        let lease = lease.renewed(self.service.clock.now());
        let info = LockInfo { lease: Some(lease.clone()), ..held.info };
        match self.ask_for_lock(&info).await? {
            Answer::Taken => {
                *self.held() = Some(Held { info, lease: Some(lease) });
                Ok(Renewal::Done)
            }
            Answer::Refused(Some(holder)) if holder.id != *id => Err(LockError::lost_to(Some(&holder))),
            Answer::Refused(_) => Ok(Renewal::NotNeeded),
        }
    }

    /// The service has no other way to say who holds the lock than to refuse it: a lock that is free is taken and given back.
    async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        if self.service.lock.is_none() {
            return Ok(Vec::new());
        }
        let probe = LockInfo::new("OperationTypeInvalid", "");
        match self.ask_for_lock(&probe).await? {
            Answer::Taken => {
                self.release(&probe).await?;
                Ok(Vec::new())
            }
            Answer::Refused(holder) => {
                let holder = holder.map_or_else(LockInfo::default, |holder| *holder);
                Ok(vec![HeldLock::whole(holder, self.service.clock.now())])
            }
        }
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let held = self.held().clone();
        match held {
            Some(Held { info, .. }) if info.id != *id => {
                let current = info.id.0.clone();
                return Err(LockError::WrongId { given: id.0.clone(), current, info: Some(Box::new(info)) });
            }
            Some(held) => self.release(&held.info).await?,
            // Without a lock address there was nothing to take.
            None if self.service.lock.is_none() => {}
            None => return Err(LockError::NotLocked),
        }
        *self.held() = None;
        self.journal.close();
        Ok(())
    }

    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        if self.service.unlock.is_none() {
            return Err(LockError::NotLocked);
        }
        self.release(&LockInfo { id: id.clone(), ..LockInfo::default() }).await
    }

    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.journal.open().await
    }

    async fn has_records(&self) -> Result<bool, JournalError> {
        Ok(self.journal.exists())
    }

    fn is_outdated(&self) -> bool {
        self.codec.is_outdated()
    }
}

impl Service {
    /// The address as it may be shown.
    fn place(&self) -> String {
        let mut url = self.address.clone();
        if url.password().is_some() {
            // Fails only for URLs without a host, which have no password.
            let _ = url.set_password(Some("xxxxx"));
        }
        url.to_string()
    }

    fn remote(&self, action: &'static str, reason: String) -> StoreError {
        StoreError::Remote { action, place: self.place(), reason }
    }

    fn failed(&self, action: &'static str, error: &net::NetError) -> StoreError {
        self.remote(action, error.to_string())
    }

    fn refused(&self, action: &'static str, status: u16) -> StoreError {
        self.remote(
            action,
            match status {
                401 => "HTTP remote state endpoint requires auth".to_owned(),
                403 => "HTTP remote state endpoint invalid auth".to_owned(),
                409 | 423 => "it is locked by another run".to_owned(),
                500 => "HTTP remote state internal server error".to_owned(),
                status => format!("unexpected HTTP response code {status}"),
            },
        )
    }

    /// Sends a request, again and again if the server is not there or not well.
    async fn send(
        &self,
        method: &Method,
        url: &Url,
        body: Option<Bytes>,
        action: &'static str,
    ) -> Result<Response, StoreError> {
        let mut request = Request::new(method.clone(), url.clone());
        let failed = |error: net::NetError| self.failed(action, &error);
        if let Some((user, password)) = &self.login {
            request = request.basic(user, password).map_err(failed)?;
        }
        if let Some(body) = body {
            let digest = BASE64_STANDARD.encode(Md5::digest(&body));
            request = request.header("content-type", "application/json").map_err(failed)?;
            request = request.header("content-md5", &digest).map_err(failed)?.body(body);
        }
        let mut pause = self.shortest_wait;
        for attempt in 0..=self.retries {
            let last = attempt == self.retries;
            let answer = self.client.send(request.clone()).await;
            if let Some(date) = answer.as_ref().ok().and_then(|response| response.header("date")) {
                self.clock.told(date);
            }
            match answer {
                Ok(response) if last || !is_passing(response.status) => return Ok(response),
                Err(error) if last || !error.is_transient() => return Err(failed(error)),
                Ok(_) | Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(self.longest_wait);
        }
        Err(self.remote(action, "no attempt was made".to_owned()))
    }
}

/// Whether a status may be another one next time.
fn is_passing(status: u16) -> bool {
    status == 429 || status >= 500 && status != 501
}
