//! Patterns for hosts, as a descriptor contains them.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use url::Host;

/// The prefix of a pattern that refers to a setting.
const SETTING: &str = "setting:";

/// A host that a channel asks for, reached over HTTPS on port 443, at public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `api.example.org`: this host.
    Name(String),
    /// `*.example.org`: every host below this one, at any depth, but not this host itself. The value has no `*.`.
    Below(String),
    /// `setting:api_base`: the origin of the URL in that setting. If the user has set it, any scheme, port and address
    /// are allowed.
    Setting(String),
}

/// A text that is not a host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no host: write api.example.org, *.example.org or setting:NAME")]
pub struct InvalidHost(String);

impl FromStr for HostPattern {
    type Err = InvalidHost;

    /// Parses a pattern. Rejects IP addresses, because only a user can grant them.
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(text.to_owned());
        if let Some(setting) = text.strip_prefix(SETTING) {
            return if setting.is_empty() { Err(invalid()) } else { Ok(Self::Setting(setting.to_owned())) };
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        match Host::parse(name) {
            Ok(Host::Domain(name)) if name.ends_with('.') || name.starts_with('.') || name.contains('*') => {
                Err(invalid())
            }
            // `*.org` would match every host under a top-level domain.
            Ok(Host::Domain(name)) if below && !name.contains('.') => Err(invalid()),
            Ok(Host::Domain(name)) => Ok(if below { Self::Below(name) } else { Self::Name(name) }),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Below(name) => write!(formatter, "*.{name}"),
            Self::Setting(name) => write!(formatter, "{SETTING}{name}"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_a_domain_or_a_setting() {
        for text in ["api.example.org", "*.example.org", "setting:api_base", "localhost"] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
        assert_eq!("API.Example.org".parse(), Ok(HostPattern::Name("api.example.org".into())));
    }

    #[test]
    fn everything_else_is_no_pattern() {
        for text in [
            "",
            "*",
            "*.",
            "*.org",
            "**.example.org",
            "a.*.example.org",
            "10.0.0.5",
            "0x7f000001",
            "127.1",
            "[::1]",
            "*.127.0.0.1",
            "api.example.org.",
            "api.example.org:443",
            "https://api.example.org",
            "a/b",
            "a b",
            "u@example.org",
            "setting:",
            ".example.org",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(InvalidHost(text.to_owned())), "{text}");
        }
    }
}
