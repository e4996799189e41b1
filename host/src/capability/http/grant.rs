//! Grants: which origins a request or a credential may go to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    host::HostPattern,
    origin::{InvalidOrigin, Origin},
};

/// The origins that requests, or one credential, may go to.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants(Vec<Rule>);

#[derive(Clone, Debug)]
enum Rule {
    /// The public host with this name.
    Name(String),
    /// The public hosts below this name.
    Below(String),
    /// An origin that the user has granted.
    User(Origin),
}

/// The range of addresses that a granted name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Public addresses only.
    Public,
    /// Private addresses too, because the user has granted this origin.
    User,
}

/// The values of a channel's settings, and which of them the user has set.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// All values, with defaults filled in.
    pub all: &'a BTreeMap<String, String>,
    /// The names of the settings that the user has set.
    pub given: &'a BTreeSet<String>,
}

/// A setting that must name a host and does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the setting \"{name}\" must be a URL, like https://api.example.org, but {reason}")]
pub struct InvalidSetting {
    name: String,
    reason: InvalidOrigin,
}

impl Grants {
    /// Returns the grants for the patterns of a channel, together with the origins that the user has granted.
    pub(super) fn of(
        patterns: &[HostPattern],
        user: &[Origin],
        values: Values<'_>,
    ) -> Result<Self, InvalidSetting> {
        let mut rules: Vec<Rule> = user.iter().cloned().map(Rule::User).collect();
        for pattern in patterns {
            match pattern {
                HostPattern::Name(name) => rules.push(Rule::Name(name.clone())),
                HostPattern::Below(name) => rules.push(Rule::Below(name.clone())),
                HostPattern::Setting(name) => rules.extend(setting(name, values)?),
            }
        }
        Ok(Self(rules))
    }

    /// Returns whether no origin is granted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses that the origin's name may resolve to, or `None` if the origin is not granted.
    pub(super) fn trust(&self, origin: &Origin) -> Option<Trust> {
        let of = |rule: &Rule| match rule {
            Rule::User(granted) => (granted == origin).then_some(Trust::User),
            Rule::Name(name) => (origin.public_name()? == name).then_some(Trust::Public),
            Rule::Below(name) => {
                let below = origin.public_name()?.strip_suffix(name.as_str())?;
                (below.len() > 1 && below.ends_with('.')).then_some(Trust::Public)
            }
        };
        let found: Vec<Trust> = self.0.iter().filter_map(of).collect();
        if found.contains(&Trust::User) { Some(Trust::User) } else { found.first().copied() }
    }
}

/// Returns the rule for a setting that holds a URL. A URL that the user has set grants its origin; the channel's
/// default grants a public host only.
fn setting(name: &str, values: Values<'_>) -> Result<Option<Rule>, InvalidSetting> {
    let Some(value) = values.all.get(name) else { return Ok(None) };
    let origin = url::Url::parse(value).map_err(InvalidOrigin::from).and_then(|url| Origin::of(&url));
    if values.given.contains(name) {
        let origin = origin.map_err(|reason| InvalidSetting { name: name.to_owned(), reason })?;
        return Ok(Some(Rule::User(origin)));
    }
    Ok(origin.ok().and_then(|origin| Some(Rule::Name(origin.public_name()?.to_owned()))))
}

/// Formats the list for people.
impl fmt::Display for Grants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.0.iter().enumerate() {
            formatter.write_str(if index == 0 { "" } else { ", " })?;
            match rule {
                Rule::Name(name) => formatter.write_str(name)?,
                Rule::Below(name) => write!(formatter, "*.{name}")?,
                Rule::User(origin) => write!(formatter, "{origin}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grants(patterns: &[&str], user: &[&str], settings: &[(&str, &str)], given: &[&str]) -> Grants {
        let all = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let given = given.iter().map(|name| (*name).to_owned()).collect();
        let patterns: Vec<HostPattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let user: Vec<Origin> = user.iter().map(|text| Origin::parse(text).unwrap()).collect();
        Grants::of(&patterns, &user, Values { all: &all, given: &given }).unwrap()
    }

    fn trust(grants: &Grants, url: &str) -> Option<Trust> {
        grants.trust(&Origin::parse(url).unwrap())
    }

    #[test]
    fn a_channel_gets_public_hosts_over_https_and_nothing_else() {
        let grants = grants(&["api.example.org", "*.files.example.org"], &[], &[], &[]);
        for (url, expected) in [
            ("https://api.example.org", Some(Trust::Public)),
            ("https://API.example.org:443", Some(Trust::Public)),
            ("https://a.files.example.org", Some(Trust::Public)),
            ("https://a.b.files.example.org", Some(Trust::Public)),
            ("https://files.example.org", None),
            ("https://afiles.example.org", None),
            ("https://evilfiles.example.org", None),
            ("https://api.example.org.evil.example", None),
            ("https://example.org", None),
            ("http://api.example.org", None),
            ("https://api.example.org:8443", None),
            ("https://x.api.example.org", None),
            ("https://127.0.0.1", None),
        ] {
            assert_eq!(trust(&grants, url), expected, "{url}");
        }
    }

    #[test]
    fn a_users_grant_is_exactly_one_origin() {
        let grants =
            grants(&["api.example.org"], &["http://127.0.0.1:8081", "https://api.example.org"], &[], &[]);
        for (url, expected) in [
            ("http://127.0.0.1:8081", Some(Trust::User)),
            ("http://127.1:8081", Some(Trust::User)),
            ("https://127.0.0.1:8081", None),
            ("http://127.0.0.1", None),
            ("http://127.0.0.2:8081", None),
            ("http://localhost:8081", None),
            ("http://[::ffff:127.0.0.1]:8081", None),
            ("https://api.example.org", Some(Trust::User)),
        ] {
            assert_eq!(trust(&grants, url), expected, "{url}");
        }
    }

    #[test]
    fn a_setting_is_the_users_word_only_where_the_user_has_set_it() {
        let base =
            |value: &'static str, given: &[&str]| grants(&["setting:base"], &[], &[("base", value)], given);
        let local = "http://127.0.0.1:8081";
        assert_eq!(trust(&base("http://127.0.0.1:8081/bot", &["base"]), local), Some(Trust::User));
        assert_eq!(trust(&base("http://127.0.0.1:8081/bot", &[]), local), None);
        assert_eq!(trust(&base("https://a.example/x", &[]), "https://a.example"), Some(Trust::Public));
        assert_eq!(trust(&base("https://a.example:8443", &[]), "https://a.example:8443"), None);
        assert_eq!(trust(&base("nonsense", &[]), "https://a.example"), None);
        assert_eq!(trust(&grants(&["setting:base"], &[], &[], &[]), "https://a.example"), None);
    }

    #[test]
    fn a_users_setting_that_is_no_url_is_an_error() {
        let all = [("base".to_owned(), "127.0.0.1:8081".to_owned())].into();
        let given = ["base".to_owned()].into();
        let patterns = ["setting:base".parse().unwrap()];
        let error = Grants::of(&patterns, &[], Values { all: &all, given: &given }).unwrap_err().to_string();
        assert!(error.starts_with("the setting \"base\" must be a URL"), "{error}");
    }

    proptest! {
        /// Every host that a pattern grants ends with the pattern's name, after a dot.
        #[test]
        fn nothing_beside_a_domain_is_granted(name in "[a-z.-]{0,20}example[.]org[a-z.-]{0,8}") {
            let Ok(origin) = Origin::parse(&format!("https://{name}")) else { return Ok(()) };
            let granted = grants(&["*.example.org"], &[], &[], &[]).trust(&origin).is_some();
            prop_assert_eq!(granted, name.ends_with(".example.org") && name.len() > ".example.org".len());
        }
    }
}
