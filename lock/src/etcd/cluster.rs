//! The way to etcd: a runtime of our own, one client a member, and what is done when one does not answer.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions};
use tokio::runtime::{Builder, Runtime};

use super::settings::EtcdSettings;
use crate::LockError;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Cluster {
    pub(super) settings: EtcdSettings,
    options: ConnectOptions,
    /// Taken out when this is dropped.
    runtime: Option<Runtime>,
    clients: Mutex<Vec<Option<Client>>>,
    current: AtomicUsize,
    process: u32,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the options: they have the password.
        f.debug_struct("Cluster").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Dropping it may block, which is a panic inside of another runtime.
        if let Some(runtime) = self.runtime.take() {
            if std::process::id() == self.process {
                runtime.shutdown_background();
            } else {
                std::mem::forget(runtime);
            }
        }
    }
}

impl Cluster {
    pub(super) fn new(settings: EtcdSettings) -> Result<Self, LockError> {
        let options = settings.options()?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("hypostyle-etcd").enable_all().build();
        let runtime = runtime.map_err(|e| LockError::Settings(format!("no thread can be started: {e}")))?;
        let clients = Mutex::new(vec![None; settings.endpoints().len()]);
        let process = std::process::id();
        Ok(Self { settings, options, runtime: Some(runtime), clients, current: AtomicUsize::new(0), process })
    }

    pub(super) fn unavailable(&self, why: impl Into<String>) -> LockError {
        LockError::Unavailable { endpoints: self.settings.endpoints().join(","), why: why.into() }
    }

    pub(super) fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<tokio::task::JoinHandle<T>> {
        self.runtime.as_ref().map(|runtime| runtime.spawn(work))
    }

    /// Waits for `work`, whether or not the caller is inside of a runtime of its own.
    pub(super) fn block<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, LockError>> + Send + 'static,
    ) -> Result<T, LockError> {
        if self.is_forked() {
            return Err(self.unavailable("this process was forked from the one that connected: connect anew"));
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        self.spawn(async move {
            let _ = sender.send(work.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(self.unavailable("the connection was closed")))
    }

    /// The client of the member that answered last.
    pub(super) async fn client(&self) -> Result<(usize, Client), etcd_client::Error> {
        let at = self.current.load(Ordering::Relaxed) % self.settings.endpoints().len();
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(at).cloned().flatten();
        if let Some(client) = known {
            return Ok((at, client));
        }
        let endpoint = self.settings.endpoints().get(at..=at).unwrap_or_default();
        let client = Client::connect(endpoint, Some(self.options.clone())).await?;
        if let Some(place) = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
            *place = Some(client.clone());
        }
        Ok((at, client))
    }

    /// From now on another member is asked.
    pub(super) fn turn_from(&self, at: usize) {
        let _ = self.current.compare_exchange(at, at + 1, Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.current.compare_exchange(
            self.settings.endpoints().len(),
            0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// One try.
    pub(super) async fn once<T, F>(&self, call: impl FnOnce(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let at = self.current.load(Ordering::Relaxed) % self.settings.endpoints().len();
        let tried = tokio::time::timeout(self.settings.call, async {
            let (_, client) = self.client().await?;
            call(client).await
        });
        let failure = match tried.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => self.failure(&error),
            Err(_) => Failure::Passing(format!("no answer in {} ms", self.settings.call.as_millis())),
        };
        if matches!(failure, Failure::Passing(_)) {
            self.turn_from(at);
        }
        Err(failure)
    }

    /// Tries until `until`, at one member after another. What is called must do no harm when it is done twice.
    pub(super) async fn call<T, F>(
        &self,
        until: Instant,
        mut call: impl FnMut(Client) -> F,
    ) -> Result<T, LockError>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let until = until.min(Instant::now() + self.settings.patience);
        loop {
            match self.once(&mut call).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(why)) => {
                    if Instant::now() + PAUSE >= until {
                        return Err(self.unavailable(why));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn failure(&self, error: &etcd_client::Error) -> Failure {
        use etcd_client::Error;

        let endpoints = || self.settings.endpoints().join(",");
        match error {
            Error::GRpcStatus(status) => {
                let why = status.message().to_owned();
                let code = format!("{:?}", status.code());
                let is_about_us = ["authentication", "user name", "permission denied", "auth token"];
                if matches!(code.as_str(), "Unauthenticated" | "PermissionDenied")
                    || is_about_us.iter().any(|words| why.contains(words))
                {
                    return Failure::Final(LockError::Denied { endpoints: endpoints(), why });
                }
                match code.as_str() {
                    "NotFound" => Failure::Final(LockError::Lost(why)),
                    "InvalidArgument" | "OutOfRange" | "Unimplemented" => {
                        Failure::Final(self.unavailable(why))
                    }
                    _ => Failure::Passing(std::error::Error::source(status).map_or(why, deepest)),
                }
            }
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::Utf8Error(_) => {
                Failure::Final(LockError::Settings(format!("etcd at {}: {error}", endpoints())))
            }
            Error::TransportError(error) => Failure::Passing(deepest(error)),
            error => Failure::Passing(error.to_string()),
        }
    }
}

/// Why a try failed.
pub(super) enum Failure {
    /// Another try, or another member, may do better.
    Passing(String),
    /// It would fail again.
    Final(LockError),
}

/// The last cause says most: "connection refused" rather than "transport error".
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        Some(cause) => deepest(cause),
        None => error.to_string(),
    }
}
