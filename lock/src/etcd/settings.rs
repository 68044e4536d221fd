//! Where etcd is, and how we show who we are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

use crate::LockError;

/// Where etcd is, under which prefix our keys stand, and how long things may take.
///
/// Who we are is never part of an address: it comes from the environment when connecting, and is kept nowhere.
///
/// | variable | meaning |
/// |---|---|
/// | `HYPOSTYLE_ETCD_USER` | the user; without it, none |
/// | `HYPOSTYLE_ETCD_PASSWORD` | its password |
/// | `HYPOSTYLE_ETCD_PASSWORD_FILE` | a file with the password, instead |
/// | `HYPOSTYLE_ETCD_CA` | a file with the authority's certificates (PEM); with it, TLS is spoken |
/// | `HYPOSTYLE_ETCD_CERT`, `HYPOSTYLE_ETCD_KEY` | files with our certificate and its key (PEM), for a server that asks |
///
/// ```
/// use hypostyle_lock::etcd::EtcdSettings;
///
/// let settings = EtcdSettings::new("etcd://10.0.0.1:2379,10.0.0.2:2379")?.prefix("/stores/wind");
/// assert_eq!(settings.endpoints(), ["10.0.0.1:2379", "10.0.0.2:2379"]);
/// assert!(EtcdSettings::new("etcd://user:secret@host:2379").is_err());
/// # Ok::<(), hypostyle_lock::LockError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdSettings {
    endpoints: Vec<String>,
    pub(super) prefix: String,
    pub(super) lease: Duration,
    pub(super) call: Duration,
    pub(super) patience: Duration,
    pub(super) expected: Option<String>,
}

impl EtcdSettings {
    /// The members of a cluster, as `host:port,…`, with or without `etcd://` before it.
    ///
    /// # Errors
    /// [`LockError::Settings`] for what is no list of hosts and ports, or has a user in it.
    pub fn new(endpoints: &str) -> Result<Self, LockError> {
        let list = endpoints.strip_prefix("etcd://").unwrap_or(endpoints).trim_end_matches('/');
        let endpoints: Vec<String> = list.split(',').map(|one| one.trim().to_owned()).collect();
        for endpoint in &endpoints {
            if endpoint.contains('@') {
                return Err(LockError::Settings(
                    "a user does not belong into etcd's address: set HYPOSTYLE_ETCD_USER and HYPOSTYLE_ETCD_PASSWORD"
                        .to_owned(),
                ));
            }
            let port = endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                return Err(LockError::Settings(format!(
                    "`{endpoint}` is no host:port, as in 10.0.0.1:2379"
                )));
            }
        }
        Ok(Self {
            endpoints,
            prefix: "/hypostyle".to_owned(),
            lease: Duration::from_secs(10),
            call: Duration::from_secs(3),
            patience: Duration::from_secs(10),
            expected: None,
        })
    }

    /// The members.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// What our keys begin with: two stores in one cluster have two. `/hypostyle` by default.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a holder may be silent before others get what it holds. 10 s by default; etcd has a least one of
    /// its own, of some 2 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long one call may take, 3 s by default.
    #[must_use]
    pub fn call_timeout(mut self, call: Duration) -> Self {
        self.call = call;
        self
    }

    /// For how long calls that got no answer are tried again, here and at other members, before
    /// [`LockError::Unavailable`]. 10 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The [`EtcdLocks::cluster_id`](super::EtcdLocks::cluster_id) on record: any other is refused.
    #[must_use]
    pub fn expect_cluster(mut self, id: impl Into<String>) -> Self {
        self.expected = Some(id.into());
        self
    }

    /// Reads the environment.
    pub(super) fn options(&self) -> Result<ConnectOptions, LockError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.call)
            .with_keep_alive(self.call, self.call)
            .with_auto_token_refresh(true);
        let variable =
            |name: &str| std::env::var(format!("HYPOSTYLE_ETCD_{name}")).ok().filter(|v| !v.is_empty());
        let file = |name: &str| variable(name).map(PathBuf::from);
        if let Some(user) = variable("USER") {
            let password = match file("PASSWORD_FILE") {
                Some(path) => {
                    String::from_utf8_lossy(&read(&path)?).trim_end_matches(['\r', '\n']).to_owned()
                }
                None => variable("PASSWORD").unwrap_or_default(),
            };
            options = options.with_user(user, password);
        }
        match (file("CA"), file("CERT"), file("KEY")) {
            (None, None, None) => {}
            (Some(authority), certificate, key) => {
                let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(&authority)?));
                match (certificate, key) {
                    (Some(certificate), Some(key)) => {
                        tls = tls.identity(Identity::from_pem(read(&certificate)?, read(&key)?));
                    }
                    (None, None) => {}
                    _ => {
                        let what =
                            "HYPOSTYLE_ETCD_CERT and HYPOSTYLE_ETCD_KEY are set together or not at all";
                        return Err(LockError::Settings(what.to_owned()));
                    }
                }
                options = options.with_tls(tls);
            }
            (None, ..) => {
                let what = "a certificate for etcd needs the authority's as well: set HYPOSTYLE_ETCD_CA";
                return Err(LockError::Settings(what.to_owned()));
            }
        }
        Ok(options)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LockError> {
    std::fs::read(path).map_err(|e| LockError::io(path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lists_of_hosts_and_ports() {
        for (text, expected) in [
            ("a:1", Some(vec!["a:1"])),
            ("etcd://a:1,b:2/", Some(vec!["a:1", "b:2"])),
            ("etcd://[::1]:2379", Some(vec!["[::1]:2379"])),
            ("", None),
            ("etcd://", None),
            ("a", None),
            ("a:1,", None),
            ("a:99999", None),
            (":1", None),
            ("http://a:1", None),
            ("me:secret@a:1", None),
        ] {
            let found = EtcdSettings::new(text);
            assert_eq!(
                found.as_ref().ok().map(|s| s.endpoints().to_vec()),
                expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect()),
                "{text}"
            );
            if let Err(error) = found {
                assert!(
                    matches!(error, LockError::Settings(_)) && !error.to_string().contains("secret"),
                    "{error}"
                );
            }
        }
    }
}
