//! Name resolution that returns only addresses that a client may connect to.

use std::net::{IpAddr, ToSocketAddrs as _};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::address::{Reach, reach};

/// The limit of concurrent lookups in all channels together. Each lookup occupies one of the few threads that file
/// operations need too, for as long as the system's resolver takes.
static LOOKUPS: Semaphore = Semaphore::const_new(2);

/// The addresses that a name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Public addresses.
    Public,
    /// Private addresses too, because the user has granted the host.
    Near,
    /// Any address, because the name is the proxy's.
    Any,
}

/// A resolver that looks a name up once and returns its allowed addresses: the client connects to one of these.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Policy);

/// A name without any address that a client may connect to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name} is at {address}, which is {what}")]
pub(super) struct Refused {
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) what: &'static str,
    /// Whether the user can allow this address by granting the host.
    pub(super) grantable: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let permit = LOOKUPS.acquire().await?;
            let addresses = tokio::task::spawn_blocking(move || {
                // Held until the lookup has ended, even if its caller no longer waits for it.
                let _permit = permit;
                let found = (name.as_str(), 0).to_socket_addrs()?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                    policy.allowed(name.as_str(), found.map(|one| one.ip()))?,
                )
            });
            let addresses = addresses.await??;
            Ok::<Addrs, _>(Box::new(addresses.into_iter().map(|address| (address, 0).into())))
        })
    }
}

impl Policy {
    /// Returns the allowed addresses. Other addresses are ignored if at least one is allowed.
    fn allowed(self, name: &str, found: impl Iterator<Item = IpAddr>) -> Result<Vec<IpAddr>, Refused> {
        let mut refused = None;
        let allowed = found
            .filter(|address| {
                let (what, grantable) = match (self, reach(*address)) {
                    (Self::Any, _) | (_, Reach::Public) | (Self::Near, Reach::Near(_)) => return true,
                    (Self::Public, Reach::Near(what)) => (what, true),
                    (_, Reach::Nowhere(what)) => (what, false),
                };
                refused.get_or_insert(Refused { name: name.to_owned(), address: *address, what, grantable });
                false
            })
            .collect::<Vec<_>>();
        match refused {
            Some(refused) if allowed.is_empty() => Err(refused),
            _ => Ok(allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_where_its_grant_lets_it() {
        let private: IpAddr = "10.0.0.5".parse().unwrap();
        let public: IpAddr = "149.154.167.220".parse().unwrap();
        let link: IpAddr = "169.254.169.254".parse().unwrap();
        for (policy, found, allowed) in [
            (Policy::Public, vec![public], Some(vec![public])),
            (Policy::Public, vec![private], None),
            (Policy::Public, vec![private, public, link], Some(vec![public])),
            (Policy::Near, vec![private, public, link], Some(vec![private, public])),
            (Policy::Near, vec![link], None),
            (Policy::Any, vec![link], Some(vec![link])),
        ] {
            assert_eq!(policy.allowed("x", found.clone().into_iter()).ok(), allowed, "{policy:?} {found:?}");
        }
        let refused = Policy::Public.allowed("x.example", [private].into_iter()).unwrap_err();
        assert_eq!(refused.to_string(), "x.example is at 10.0.0.5, which is a private address");
        assert!(refused.grantable);
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_public() {
        let of = |policy| Resolver(policy).resolve("localhost".parse().unwrap());
        let error = of(Policy::Public).await.err().unwrap();
        assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
        assert!(of(Policy::Near).await.unwrap().all(|address| address.ip().is_loopback()));
    }
}
