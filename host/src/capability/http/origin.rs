//! Origins: scheme, host and port.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// The scheme, host and port that a request goes to, or that a user grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The reason why a URL has no usable origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// The text is not a URL.
    #[error("that is no URL ({0})")]
    Url(#[from] url::ParseError),
    /// The scheme is neither http nor https.
    #[error("its scheme is \"{0}\": there is http and https")]
    Scheme(String),
    /// The URL contains `user:password@`, which can look like the host.
    #[error("it has a user name or a password before the host")]
    User,
    /// The host ends with a dot. `example.org.` is another name for the same host, but other rules would apply to it.
    #[error("its host ends with a dot")]
    Dot,
    /// The URL has no host.
    #[error("it has no host")]
    Host,
    /// The text contains more than an origin.
    #[error("it has more than scheme, host and port")]
    Rest,
}

impl Origin {
    /// Returns the origin of a request for this URL. It uses the host as the URL parser normalises it, so that
    /// `0x7f000001` and `127.1` count as addresses.
    pub fn of(url: &Url) -> Result<Self, InvalidOrigin> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(InvalidOrigin::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidOrigin::User);
        }
        let host = url.host().ok_or(InvalidOrigin::Host)?.to_owned();
        if matches!(&host, Host::Domain(name) if name.ends_with('.')) {
            return Err(InvalidOrigin::Dot);
        }
        Ok(Self { scheme, host, port: url.port().unwrap_or(scheme.port()) })
    }

    /// Parses an origin as a user writes it: `http://127.0.0.1:8081`, optionally with a slash at the end.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text)?;
        let origin = Self::of(&url)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidOrigin::Rest);
        }
        Ok(origin)
    }

    /// Returns the host's name if it is not an IP address and the origin uses https on port 443.
    pub(super) fn public_name(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) if self.scheme == Scheme::Https && self.port == Scheme::Https.port() => {
                Some(name)
            }
            _ => None,
        }
    }

    /// Returns whether the host is this machine, as far as its name or address shows it without a lookup.
    pub(super) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => IpAddr::from(*address).to_canonical().is_loopback(),
        }
    }

    /// Returns host and port, without the port if it is the scheme's default.
    pub(super) fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Formats the origin as a user writes it.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_the_parser_makes_of_it() {
        for (text, origin) in [
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("https://Files.Example.ORG:443/", "https://files.example.org"),
            ("http://0x7f000001", "http://127.0.0.1"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://2130706433:80", "http://127.0.0.1"),
            ("http://127.0.0.1.", "http://127.0.0.1"),
            ("http://[0:0::1]:80", "http://[::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://%6cocalhost", "http://localhost"),
            ("http://１２７.0.0.1", "http://127.0.0.1"),
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()), Ok(origin.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_a_reason() {
        for (text, error) in [
            ("127.0.0.1:8081", InvalidOrigin::Url(url::ParseError::RelativeUrlWithoutBase)),
            ("ftp://example.org", InvalidOrigin::Scheme("ftp".into())),
            ("file:///etc/passwd", InvalidOrigin::Scheme("file".into())),
            ("https://api.example.org@evil.example", InvalidOrigin::User),
            ("https://:x@evil.example", InvalidOrigin::User),
            ("https://api.example.org./", InvalidOrigin::Dot),
            ("https://api.example.org/path", InvalidOrigin::Rest),
            ("https://api.example.org?x", InvalidOrigin::Rest),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
        assert!(matches!(Origin::parse("http://"), Err(InvalidOrigin::Url(_))));
    }

    #[test]
    fn loopback_is_known_by_every_name_that_it_has() {
        for (text, loopback) in [
            ("http://127.8.8.8", true),
            ("http://[::1]:8", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost:8", true),
            ("http://a.localhost", true),
            ("http://notlocalhost", false),
            ("http://10.0.0.5", false),
        ] {
            assert_eq!(Origin::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
