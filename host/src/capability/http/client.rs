//! HTTP clients: connections, proxies and trusted certificates.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::resolver::{Policy, Resolver};

/// The number of idle connections to one host that are kept for the next request.
const KEPT: usize = 2;
/// How long an idle connection is kept.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// How long a connection is idle before TCP keep-alive probes check that the peer still answers.
const PROBE: Duration = Duration::from_secs(30);

/// A proxy, by its URL. `Debug` does not print the URL, because it may contain a password.
#[derive(Clone)]
pub struct Proxy(reqwest::Proxy);

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Proxy")
    }
}

impl Proxy {
    /// Parses a proxy's URL, such as `http://proxy.example:3128`. Returns `None` if it is not an http or https URL.
    pub fn parse(text: &str) -> Option<Self> {
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        reqwest::Proxy::all(url).ok().map(Self)
    }
}

/// The way in which a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// At the public address that its name resolves to.
    Public,
    /// At the address that its name resolves to, public or private, because the user has granted the host.
    Granted,
    /// Through the proxy, which resolves the name itself.
    Proxied,
}

/// One HTTP client for each way, created at its first use because it takes memory that an idle process does not need.
pub(super) struct Clients {
    made: [Mutex<Option<reqwest::Client>>; 3],
    proxy: Option<Proxy>,
    ca_file: Option<PathBuf>,
}

/// The reason why a client cannot be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{} has no certificates that can be used (\"ca_file\" in channels.toml): {problem}", path.display())]
    Authority { path: PathBuf, problem: String },
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl Clients {
    pub(super) fn new(proxy: Option<Proxy>, ca_file: Option<PathBuf>) -> Self {
        Self { made: Default::default(), proxy, ca_file }
    }

    /// Returns whether requests to other machines go through a proxy.
    pub(super) fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Returns the client for hosts that are reached in this way. Its connections are kept, and are used for no other
    /// way.
    pub(super) fn get(&self, way: Way) -> Result<reqwest::Client, Unusable> {
        let [public, granted, proxied] = &self.made;
        let place = match way {
            Way::Public => public,
            Way::Granted => granted,
            Way::Proxied => proxied,
        };
        let mut place = place.lock();
        if let Some(client) = &*place {
            return Ok(client.clone());
        }
        Ok(place.insert(self.make(way)?).clone())
    }

    fn make(&self, way: Way) -> Result<reqwest::Client, Unusable> {
        let policy = match way {
            Way::Public => Policy::Public,
            Way::Granted => Policy::Near,
            // The only name that this client resolves is the proxy's.
            Way::Proxied => Policy::Any,
        };
        let client = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            // A redirect is a new request, with the same checks: see `exchange`.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // A proxy from the environment would bypass the address checks.
            .no_proxy()
            .dns_resolver(Resolver(policy))
            .tls_backend_preconfigured(self.tls()?)
            .http1_only()
            .tcp_nodelay(true)
            .tcp_keepalive(PROBE)
            .pool_max_idle_per_host(KEPT)
            .pool_idle_timeout(KEPT_FOR);
        let client = match (&self.proxy, way) {
            (Some(Proxy(proxy)), Way::Proxied) => client.proxy(proxy.clone()),
            _ => client,
        };
        client.build().map_err(|error| Unusable::Client(error.to_string()))
    }

    fn tls(&self) -> Result<ClientConfig, Unusable> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &self.ca_file {
            add(&mut roots, path).map_err(|problem| Unusable::Authority { path: path.clone(), problem })?;
        }
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| Unusable::Client(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Adds the certificates of a PEM file.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before {
        Err("there is no -----BEGIN CERTIFICATE----- in it".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let problem = |text: Option<&str>| {
            let _ = text.map(|text| std::fs::write(&path, text).unwrap());
            Clients::new(None, Some(path.clone())).get(Way::Public).err().unwrap().to_string()
        };
        for (text, expected) in [
            (None, "No such file"),
            (Some("hello"), "there is no -----BEGIN CERTIFICATE-----"),
            (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "ca.pem"),
        ] {
            let problem = problem(text);
            assert!(problem.contains(expected) && problem.contains("ca.pem"), "{problem}");
        }
    }

    #[test]
    fn a_proxy_is_a_url_whose_password_is_shown_nowhere() {
        assert!(
            !format!("{:?}", Proxy::parse("http://me:secret@proxy.example:3128").unwrap()).contains("secret")
        );
        for text in ["proxy.example:3128", "socks5://proxy.example", "http://", "", "file:///x"] {
            assert!(Proxy::parse(text).is_none(), "{text}");
        }
    }
}
