//! `channels.toml`: the user's settings for each channel.
//!
//! ```toml
//! [default]                 # applies to every channel that has no value of its own
//! keep_days = 30
//!
//! [fakechat]
//! port = 8788               # web channels: the loopback port
//! keep_days = 7             # delivered messages and files are erased after this many days
//! keep_mib = 64             # the oldest events are erased if the journal is larger than this
//! memory_mib = 64           # the guest's memory
//! deadline_seconds = 10     # how long one call of the guest may take
//! messages_per_minute = 60  # limit for one sender; 0 means no limit; for the default see below
//! permission_prompts = true # approvers decide what the session may do; default for built-in channels
//! send_from = ["/srv/out"]  # folders that sessions may send files from, besides those they work in
//! network = ["http://127.0.0.1:8081"]    # origins that the channel may reach, besides its hosts
//! proxy = "http://proxy.example:3128"    # the proxy to use; the environment's proxy is ignored
//! ca_file = "/etc/ssl/own.pem"           # certificates of authorities to trust besides the usual ones
//!
//! [fakechat.settings]       # settings that the channel itself declares: see `tidegate inspect`
//! ```
//!
//! An entry of `network` is exactly one scheme, host and port. Its name may resolve to private addresses, and its host
//! may be such an address. The same applies to a URL that the user sets if the channel asks for `setting:NAME`.
//! The documentation of `capability::http` describes what a proxy changes.
//!
//! Without `messages_per_minute`, a sender whom an allowlist names has no limit, and a member of a group that is open
//! to anybody may send 30 messages per minute.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use toml::{Table, Value};

use crate::{
    capability::http::{Origin, Proxy},
    event::ChannelName,
    guest::Setting,
    journal::Keep,
    sandbox::Limits,
};

/// The table that applies to every channel.
const DEFAULT: &str = "default";
/// The fields that a channel's table may have.
const FIELDS: [&str; 12] = [
    "port",
    "keep_days",
    "keep_mib",
    "memory_mib",
    "deadline_seconds",
    "messages_per_minute",
    "permission_prompts",
    "send_from",
    "network",
    "proxy",
    "ca_file",
    "settings",
];
/// The fields that each channel must set separately.
const OWN: [&str; 3] = ["port", "network", "settings"];

/// The content of the file, checked as far as this is possible without knowing the channels.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    path: PathBuf,
    tables: BTreeMap<String, Table>,
}

/// The settings of one channel.
#[derive(Clone, Debug)]
pub struct ChannelSettings {
    /// The loopback port, if the user has set one.
    pub port: Option<u16>,
    /// How much of the past is kept.
    pub keep: Keep,
    /// The limits of the guest.
    pub limits: Limits,
    /// How many messages one sender may send per minute, if the user has set it. 0 means no limit.
    pub messages_per_minute: Option<u32>,
    /// Whether the channel carries permission prompts. `None` if the user has not set it.
    pub permission_prompts: Option<bool>,
    /// Folders that sessions may send files from, besides those in which they work.
    pub send_from: Vec<PathBuf>,
    /// Origins that the channel may reach, besides the hosts that it asks for.
    pub network: Vec<Origin>,
    /// The proxy, or `None` for direct connections.
    pub proxy: Option<Proxy>,
    /// A file with certificates of authorities to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The channel's own settings, including defaults.
    pub values: BTreeMap<String, String>,
    /// The names of the channel's own settings that the user has set.
    pub given: BTreeSet<String>,
}

/// An error in the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct Error {
    path: PathBuf,
    problem: String,
}

impl Settings {
    /// Reads the file. A missing file counts as empty.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error { path: path.to_owned(), problem: error.to_string() }),
        };
        Self::parse(path, &text)
    }

    /// Returns settings in which everything has its default.
    pub fn none(path: &Path) -> Self {
        Self { path: path.to_owned(), tables: BTreeMap::new() }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let error = |problem| Error { path: path.to_owned(), problem };
        let document: Table = text.parse().map_err(|problem: toml::de::Error| error(problem.to_string()))?;
        let mut tables = BTreeMap::new();
        for (name, value) in document {
            let Value::Table(table) = value else {
                return Err(error(format!(
                    "\"{name}\" stands outside of any channel: put it under [a channel's name]"
                )));
            };
            if name == DEFAULT {
                if let Some(own) = OWN.into_iter().find(|field| table.contains_key(*field)) {
                    return Err(error(format!(
                        "\"{own}\" cannot be the same for all channels: put it under [a channel's name]"
                    )));
                }
            } else {
                ChannelName::new(&name).map_err(|problem| error(problem.to_string()))?;
            }
            if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
                return Err(error(format!(
                    "[{name}] has no field \"{unknown}\"{}",
                    nearest(unknown, FIELDS)
                )));
            }
            tables.insert(name, table);
        }
        Ok(Self { path: path.to_owned(), tables })
    }

    /// Returns the settings of this channel, which declares `declared` as its own settings.
    pub fn channel(&self, name: &ChannelName, declared: &[Setting]) -> Result<ChannelSettings, Error> {
        let own = self.table(name);
        let number = |field: &'static str, default: u64, range: std::ops::RangeInclusive<u64>| {
            self.number(name, field, default, range)
        };
        let standard = Limits::default();
        let keep = Keep {
            age: Duration::from_secs(number("keep_days", 30, 0..=36_500)? * 86_400),
            size: number("keep_mib", 64, 1..=65_536)? << 20,
        };
        let limits = Limits {
            memory: usize::try_from(number("memory_mib", (standard.memory >> 20) as u64, 1..=4096)? << 20)
                .unwrap_or(usize::MAX),
            deadline: Duration::from_secs(number("deadline_seconds", standard.deadline.as_secs(), 1..=600)?),
            ..standard
        };
        let port = match own.and_then(|table| table.get("port")) {
            None => None,
            Some(_) => u16::try_from(number("port", 0, 0..=65_535)?).ok(),
        };
        let messages_per_minute = match self.find(name, "messages_per_minute") {
            None => None,
            Some(_) => u32::try_from(number("messages_per_minute", 0, 0..=u64::from(u32::MAX))?).ok(),
        };
        Ok(ChannelSettings {
            port,
            keep,
            limits,
            messages_per_minute,
            permission_prompts: self.flag(name, "permission_prompts")?,
            send_from: self.folders(name, "send_from")?,
            network: self.origins(name, "network")?,
            proxy: self.text(
                name,
                "proxy",
                "the URL of a proxy, like http://proxy.example:3128",
                Proxy::parse,
            )?,
            ca_file: self.text(name, "ca_file", "an absolute path", absolute)?,
            given: own.and_then(given).unwrap_or_default(),
            values: self.values(name, own, declared)?,
        })
    }

    /// Returns one sentence for each table that belongs to none of the `known` channels.
    pub fn unknown(&self, known: &[&str]) -> Vec<String> {
        let is_unknown = |table: &&str| !known.contains(table);
        self.channels()
            .filter(is_unknown)
            .map(|table| {
                let hint = nearest(table, known.iter().copied());
                format!("{} has a table [{table}], and there is no such channel{hint}", self.path.display())
            })
            .collect()
    }

    /// Returns the names of all tables except the one for all channels.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str).filter(|name| *name != DEFAULT)
    }

    fn values(
        &self,
        name: &ChannelName,
        own: Option<&Table>,
        declared: &[Setting],
    ) -> Result<BTreeMap<String, String>, Error> {
        let given = match own.and_then(|table| table.get("settings")) {
            None => &Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                return Err(
                    self.error(format!("\"settings\" of [{name}] must be a table: [{name}.settings]"))
                );
            }
        };
        let names: Vec<&str> = declared.iter().map(|setting| setting.name.as_str()).collect();
        if let Some(unknown) = given.keys().find(|key| !names.contains(&key.as_str())) {
            let hint = nearest(unknown, names);
            return Err(self.error(format!("the channel {name} has no setting \"{unknown}\"{hint}")));
        }
        let value = |setting: &Setting| {
            let label = || format!("\"{}\" of [{name}.settings]", setting.name);
            let text = match given.get(&setting.name) {
                None => return Ok(setting.default.clone()),
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Float(_))) => value.to_string(),
                Some(_) => return Err(self.error(format!("{} must be a text or a number", label()))),
            };
            if !setting.takes(&text) {
                let choices = setting.choices.join(", ");
                return Err(self.error(format!("{} is \"{text}\", but must be one of {choices}", label())));
            }
            Ok(Some(text))
        };
        declared
            .iter()
            .filter_map(|setting| {
                value(setting).map(|value| Some((setting.name.clone(), value?))).transpose()
            })
            .collect()
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Finds a field in the channel's own table, or else in the table for all channels. Returns the name of that table
    /// and the value.
    fn find(&self, name: &str, field: &str) -> Option<(String, &Value)> {
        [name, DEFAULT].into_iter().find_map(|table| Some((table.to_owned(), self.table(table)?.get(field)?)))
    }

    fn flag(&self, name: &str, field: &str) -> Result<Option<bool>, Error> {
        let Some((table, value)) = self.find(name, field) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| {
            self.error(format!("\"{field}\" of [{table}] is {value}, but must be true or false"))
        })
    }

    fn folders(&self, name: &str, field: &str) -> Result<Vec<PathBuf>, Error> {
        let Some((table, value)) = self.find(name, field) else { return Ok(Vec::new()) };
        let folder = |value: &Value| value.as_str().map(PathBuf::from).filter(|path| path.is_absolute());
        let folders: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(folder).collect());
        folders.ok_or_else(|| {
            self.error(format!("\"{field}\" of [{table}] is {value}, but must be a list of absolute paths"))
        })
    }

    fn origins(&self, name: &str, field: &str) -> Result<Vec<Origin>, Error> {
        let Some((table, value)) = self.find(name, field) else { return Ok(Vec::new()) };
        let wrong = |problem: String| {
            self.error(format!(
                "\"{field}\" of [{table}] {problem}. It must be a list of origins, like [\"http://127.0.0.1:8081\"]"
            ))
        };
        let list = value.as_array().ok_or_else(|| wrong(format!("is {value}")))?;
        let origin = |value: &Value| {
            let text = value.as_str().ok_or_else(|| wrong(format!("has {value}")))?;
            Origin::parse(text).map_err(|error| wrong(format!("has {value}: {error}")))
        };
        list.iter().map(origin).collect()
    }

    /// Reads a text. The error does not repeat the value, because it may be a secret.
    fn text<T>(
        &self,
        name: &str,
        field: &str,
        shape: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some((table, value)) = self.find(name, field) else { return Ok(None) };
        match value.as_str().and_then(parse) {
            Some(value) => Ok(Some(value)),
            None => Err(self.error(format!("\"{field}\" of [{table}] must be {shape}"))),
        }
    }

    fn number(
        &self,
        name: &str,
        field: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, Error> {
        let Some((table, value)) = self.find(name, field) else { return Ok(default) };
        value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.error(format!(
                    "\"{field}\" of [{table}] is {value}, but must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ))
            })
    }

    /// Creates an error about this file, for problems that only show when a value is used.
    pub fn error(&self, problem: String) -> Error {
        Error { path: self.path.clone(), problem }
    }
}

/// Returns the names of the settings in a channel's table.
fn given(own: &Table) -> Option<BTreeSet<String>> {
    Some(own.get("settings")?.as_table()?.keys().cloned().collect())
}

fn absolute(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// Returns `; did you mean "x"?` if a known word is similar to `word`.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match closest(word, known.iter().copied()) {
        Some(closest) => format!("; did you mean \"{closest}\"?"),
        None if known.is_empty() => "; it has none at all".to_owned(),
        None => format!("; there is {}", known.join(", ")),
    }
}

/// Returns the known word that is most similar to `word`, if it is similar enough to be meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = known.into_iter().map(|other| (strsim::jaro_winkler(word, other), other));
    let (likeness, closest) = rated.max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (likeness > 0.75).then_some(closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ChannelSettings, Error> {
        let setting = |name: &str, default: &str, choices: &[&str]| Setting {
            name: name.into(),
            help: String::new(),
            default: Some(default.into()),
            choices: choices.iter().map(|choice| (*choice).into()).collect(),
        };
        let declared = [setting("greeting", "hi", &[]), setting("mood", "on", &["on", "off"])];
        Settings::parse(Path::new("channels.toml"), text)?
            .channel(&ChannelName::new("fakechat").unwrap(), &declared)
    }

    #[test]
    fn without_a_file_everything_has_its_default() {
        let settings = parse("").unwrap();
        assert_eq!(settings.port, None);
        assert_eq!(settings.keep.age, Duration::from_hours(720));
        assert_eq!(settings.values["greeting"], "hi");
    }

    #[test]
    fn a_channel_wins_over_the_default_table() {
        let settings = parse(
            "[default]\nkeep_days = 1\nkeep_mib = 5\n[fakechat]\nport = 80\nkeep_days = 2\n[fakechat.settings]\ngreeting = 7",
        )
        .unwrap();
        assert_eq!(settings.port, Some(80));
        assert_eq!(settings.keep.age, Duration::from_hours(48));
        assert_eq!(settings.keep.size, 5 << 20);
        assert_eq!(settings.values["greeting"], "7");
    }

    #[test]
    fn what_the_user_has_set_is_known_as_the_users() {
        let settings = parse("[fakechat.settings]\ngreeting = \"hi\"").unwrap();
        assert!(settings.given.contains("greeting"));
        assert!(parse("").unwrap().given.is_empty() && parse("").unwrap().network.is_empty());
        let settings =
            parse("[default]\nproxy = \"http://p.example:1\"\n[fakechat]\nnetwork = [\"http://127.1:80\"]");
        let settings = settings.unwrap();
        assert!(settings.proxy.is_some());
        assert_eq!(settings.network, [Origin::parse("http://127.0.0.1").unwrap()]);
    }

    #[test]
    fn a_table_without_a_channel_is_named() {
        let settings =
            Settings::parse(Path::new("c.toml"), "[default]\n[fakchat]\n[telegram]\n[mine]").unwrap();
        assert_eq!(
            settings.unknown(&["fakechat", "telegram", "mine"]),
            ["c.toml has a table [fakchat], and there is no such channel; did you mean \"fakechat\"?"]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_cure() {
        for (text, expected) in [
            (
                "[fakechat.settings]\nmood = \"of\"",
                "\"mood\" of [fakechat.settings] is \"of\", but must be one of on, off",
            ),
            ("[fakechat]\nprot = 1", "[fakechat] has no field \"prot\"; did you mean \"port\"?"),
            ("[fakechat]\nxyz = 1", "has no field \"xyz\"; there is port, keep_days"),
            ("[fakechat.settings]\ngreting = 1", "no setting \"greting\"; did you mean \"greeting\"?"),
            (
                "[fakechat]\nport = 70000",
                "\"port\" of [fakechat] is 70000, but must be a whole number from 0 to 65535",
            ),
            ("[default]\nkeep_days = \"x\"", "\"keep_days\" of [default] is \"x\""),
            ("[default]\nsend_from = [\"out\"]", "must be a list of absolute paths"),
            (
                "[fakechat]\npermission_prompts = 1",
                "\"permission_prompts\" of [fakechat] is 1, but must be true or false",
            ),
            ("[default]\nnetwork = []", "\"network\" cannot be the same for all channels"),
            (
                "[fakechat]\nnetwork = \"http://a.example\"",
                "\"network\" of [fakechat] is \"http://a.example\". It must be a list",
            ),
            (
                "[fakechat]\nnetwork = [\"127.0.0.1:80\"]",
                "\"network\" of [fakechat] has \"127.0.0.1:80\": that is no URL",
            ),
            (
                "[fakechat]\nnetwork = [\"http://a.example/x\"]",
                "it has more than scheme, host and port. It must be",
            ),
            ("[fakechat]\nnetwork = [1]", "\"network\" of [fakechat] has 1. It must be a list of origins"),
            ("[default]\nproxy = \"me:secret@proxy\"", "\"proxy\" of [default] must be the URL of a proxy"),
            ("[fakechat]\nca_file = \"own.pem\"", "\"ca_file\" of [fakechat] must be an absolute path"),
            ("[default]\nport = 1", "cannot be the same for all channels"),
            ("port = 1", "\"port\" stands outside of any channel"),
            ("[Fake]\n", "cannot be a channel's name"),
            ("[fakechat\n", "channels.toml: TOML parse error at line 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gives {error:?}");
        }
    }
}
