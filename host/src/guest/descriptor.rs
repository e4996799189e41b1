//! A channel's description of itself, checked.

use regex::{Regex, RegexBuilder};
use serde::Serialize;

pub use crate::capability::http::Place;
use crate::{
    capability::http::{self, HostPattern, InvalidHost},
    contract::exports::channel as wire,
    event::{ChannelName, InvalidName},
    text::TextUnit,
};

/// The longest texts, in bytes.
const TITLE: usize = 64;
const SUMMARY: usize = 200;
const HELP: usize = 500;
const INSTRUCTIONS: usize = 4096;
/// The most entries of a list.
const LIST: usize = 32;
const CHOICES: usize = 128;
/// The longest pattern of ids and the longest choice, in bytes.
const PATTERN: usize = 200;
const CHOICE: usize = 64;
/// The most memory of a compiled pattern, in bytes, and its deepest nesting.
const COMPILED: usize = 64 << 10;
const DEPTH: u32 = 16;

/// The variation selector that requests an emoji's coloured form. The same emoji is written with it and without.
const VARIATION: char = '\u{fe0f}';

/// A channel's description of itself, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Descriptor {
    /// The channel's name, which is also the name of its folder.
    pub name: ChannelName,
    /// A title for people.
    pub title: String,
    /// The channel's own version.
    pub version: String,
    /// A summary of one line.
    pub summary: String,
    /// One paragraph of instructions for the session.
    pub instructions: String,
    /// The hosts to which it wants to send requests.
    pub hosts: Vec<HostPattern>,
    /// The secrets that the host keeps for it.
    pub credentials: Vec<Credential>,
    /// The settings that the user may change.
    pub settings: Vec<Setting>,
    /// The form of senders' ids; `None` for any.
    pub sender_ids: Option<ValueForm>,
    /// The form of the ids by which groups are enabled; `None` for any.
    pub group_ids: Option<ValueForm>,
    /// The only emoji with which it can react; empty for any.
    pub reactions: Vec<String>,
    /// What the platform can do.
    pub features: Features,
    /// The longest text, in [`TextUnit`]s.
    pub max_text: u32,
    /// The unit in which the platform counts text.
    pub text_unit: TextUnit,
    /// The largest file to send, in bytes.
    pub max_upload: u64,
    /// The most files in one message.
    pub max_uploads: u32,
    /// Web channels: the preferred loopback port.
    pub port: Option<u16>,
}

/// A secret that the host keeps for a channel.
#[derive(Clone, Debug, Serialize)]
pub struct Credential {
    /// The name by which the guest refers to it.
    pub name: String,
    /// The variable that holds its value.
    pub env: String,
    /// Where a person gets it.
    pub help: String,
    /// The only hosts that it is sent to.
    pub hosts: Vec<HostPattern>,
    /// Where the host puts its value.
    pub place: Place,
    /// The form of its value, if the channel declares one.
    pub form: Option<ValueForm>,
}

impl From<&Credential> for http::Credential {
    fn from(credential: &Credential) -> Self {
        Self {
            name: credential.name.clone(),
            variable: credential.env.clone(),
            hosts: credential.hosts.clone(),
            place: credential.place.clone(),
        }
    }
}

/// A value that the user may set.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// The key in `channels.toml`.
    pub name: String,
    /// What it does.
    pub help: String,
    /// The value that applies if the user sets none.
    pub default: Option<String>,
    /// The only values that it accepts; empty for any.
    pub choices: Vec<String>,
}

impl Setting {
    /// Returns whether it accepts this value.
    pub fn takes(&self, value: &str) -> bool {
        is_among(&self.choices, value)
    }
}

/// Returns whether the value is one of these choices, or there are none. Ignores the variation selectors of emoji.
fn is_among(choices: &[String], value: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|letter| *letter != VARIATION).collect::<String>();
    let value = letters(value);
    choices.is_empty() || choices.iter().any(|choice| letters(choice) == value)
}

/// The form of an id or a secret on a platform.
#[derive(Clone, Debug, Serialize)]
pub struct ValueForm {
    #[serde(skip)]
    whole: Regex,
    /// The regular expression, as the channel declares it.
    pub pattern: String,
    /// An example that matches.
    pub example: String,
}

impl ValueForm {
    /// Returns whether the whole text matches.
    pub fn fits(&self, id: &str) -> bool {
        self.whole.is_match(id)
    }
}

/// What a platform can do.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent abilities")]
#[expect(missing_docs, reason = "the words say it; wit/exports.wit has the rest")]
pub struct Features {
    pub reply: bool,
    pub edit: bool,
    pub react: bool,
    pub typing: bool,
    pub history: bool,
    pub attachments: bool,
    pub uploads: bool,
    pub buttons: bool,
    pub splits: bool,
    pub threads: bool,
}

/// Why a description is not valid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDescriptor {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Another field is not valid.
    #[error("{field}: {problem}")]
    Field {
        /// The field's name in the contract.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl TryFrom<wire::Descriptor> for Descriptor {
    type Error = InvalidDescriptor;

    fn try_from(wire: wire::Descriptor) -> Result<Self, InvalidDescriptor> {
        let features = wire.features;
        let has = |feature| features.contains(feature);
        Ok(Self {
            name: ChannelName::new(&wire.name)?,
            title: line("title", wire.title, TITLE)?,
            version: line("version", wire.version, TITLE)?,
            summary: line("summary", wire.summary, SUMMARY)?,
            instructions: text("instructions", wire.instructions, INSTRUCTIONS)?,
            hosts: list("hosts", wire.hosts, |text| host("hosts", text))?,
            credentials: list("credentials", wire.credentials, credential)?,
            settings: list("settings", wire.settings, setting)?,
            sender_ids: wire.sender_ids.map(|form| value_form("sender-ids", form)).transpose()?,
            group_ids: wire.group_ids.map(|form| value_form("group-ids", form)).transpose()?,
            reactions: choices("reactions", wire.reactions)?,
            features: Features {
                reply: has(wire::Features::REPLY),
                edit: has(wire::Features::EDIT),
                react: has(wire::Features::REACT),
                typing: has(wire::Features::TYPING),
                history: has(wire::Features::HISTORY),
                attachments: has(wire::Features::ATTACHMENTS),
                uploads: has(wire::Features::UPLOADS),
                buttons: has(wire::Features::BUTTONS),
                splits: has(wire::Features::SPLITS),
                threads: has(wire::Features::THREADS),
            },
            max_text: if wire.max_text == 0 && has(wire::Features::REPLY) {
                return Err(invalid(
                    "max-text",
                    "a channel that replies accepts texts longer than 0".to_owned(),
                ));
            } else {
                wire.max_text
            },
            text_unit: match wire.text_unit {
                wire::TextUnit::Utf16 => TextUnit::Utf16,
                wire::TextUnit::Scalar => TextUnit::Scalar,
                wire::TextUnit::Byte => TextUnit::Byte,
            },
            max_upload: wire.max_upload,
            max_uploads: wire.max_uploads,
            port: wire.port,
        })
    }
}

fn credential(wire: wire::Credential) -> Result<Credential, InvalidDescriptor> {
    let line = |text| line("credentials", text, HELP);
    Ok(Credential {
        name: line(wire.name)?,
        env: line(wire.env)?,
        help: line(wire.help)?,
        hosts: list("credentials", wire.hosts, |text| host("credentials", text))?,
        place: match wire.place {
            wire::Place::Header((name, before)) => Place::Header(line(name)?, line(before)?),
            wire::Place::Path(before) => Place::Path(line(before)?),
            wire::Place::Frame(pointer) => Place::Frame(line(pointer)?),
            wire::Place::Verify => Place::Verify,
        },
        form: wire.form.map(|form| value_form("credentials", form)).transpose()?,
    })
}

fn host(field: &'static str, text: String) -> Result<HostPattern, InvalidDescriptor> {
    line(field, text, HELP)?.parse().map_err(|error: InvalidHost| invalid(field, error.to_string()))
}

fn setting(wire: wire::Setting) -> Result<Setting, InvalidDescriptor> {
    let line = |text| line("settings", text, HELP);
    let setting = Setting {
        name: line(wire.name)?,
        help: line(wire.help)?,
        default: wire.default.map(line).transpose()?,
        choices: choices("settings", wire.choices)?,
    };
    match &setting.default {
        Some(default) if !setting.takes(default) => {
            Err(invalid("settings", format!("the default of {} is none of its choices", setting.name)))
        }
        _ => Ok(setting),
    }
}

fn choices(field: &'static str, values: Vec<String>) -> Result<Vec<String>, InvalidDescriptor> {
    if values.len() > CHOICES {
        return Err(invalid(field, format!("{} entries; {CHOICES} are allowed", values.len())));
    }
    values.into_iter().map(|value| line(field, value, CHOICE)).collect()
}

fn value_form(field: &'static str, wire: wire::ValueForm) -> Result<ValueForm, InvalidDescriptor> {
    let (pattern, example) = (line(field, wire.pattern, PATTERN)?, line(field, wire.example, CHOICE)?);
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(COMPILED).nest_limit(DEPTH).build();
    // The pattern must compile alone too: with an unbalanced parenthesis it could leave the group.
    let whole = compile(&pattern)
        .and_then(|_| compile(&format!(r"\A(?:{pattern})\z")))
        .map_err(|_| invalid(field, format!("{pattern:?} is no regular expression that the host takes")))?;
    let form = ValueForm { whole, pattern, example };
    if !form.fits(&form.example) {
        return Err(invalid(field, format!("the example {:?} does not match the pattern", form.example)));
    }
    Ok(form)
}

impl Descriptor {
    /// Returns whether the channel can react with this emoji.
    pub fn has_reaction(&self, emoji: &str) -> bool {
        is_among(&self.reactions, emoji)
    }
}

fn invalid(field: &'static str, problem: String) -> InvalidDescriptor {
    InvalidDescriptor::Field { field, problem }
}

fn text(field: &'static str, value: String, limit: usize) -> Result<String, InvalidDescriptor> {
    if value.len() > limit {
        return Err(invalid(field, format!("{} bytes; {limit} are allowed", value.len())));
    }
    Ok(value)
}

/// Checks a text that is shown on a terminal.
fn line(field: &'static str, value: String, limit: usize) -> Result<String, InvalidDescriptor> {
    if value.chars().any(char::is_control) {
        return Err(invalid(field, "contains control characters".to_owned()));
    }
    text(field, value, limit)
}

fn list<T, U>(
    field: &'static str,
    values: Vec<T>,
    check: impl Fn(T) -> Result<U, InvalidDescriptor>,
) -> Result<Vec<U>, InvalidDescriptor> {
    if values.len() > LIST {
        return Err(invalid(field, format!("{} entries; {LIST} are allowed", values.len())));
    }
    values.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_terminal_has_no_escape_sequences() {
        assert!(line("title", "\u{1b}[2J".into(), TITLE).is_err());
        assert!(line("title", "x".repeat(65), TITLE).is_err());
        assert!(line("title", "Fakechat".into(), TITLE).is_ok());
    }

    #[test]
    fn an_id_fits_its_form_as_a_whole() {
        let form = |pattern: &str, example: &str| {
            value_form("group-ids", wire::ValueForm { pattern: pattern.into(), example: example.into() })
        };
        let digits = form("-?[0-9]+|x", "-12").unwrap();
        for (id, fits) in
            [("7", true), ("-7", true), ("x", true), ("@bob", false), ("7x", false), ("7\n", false)]
        {
            assert_eq!(digits.fits(id), fits, "{id:?}");
        }
        for (pattern, example) in [("[0-9]+", "x"), ("(", "("), ("(a{999}){999}", "a"), ("a)|(b", "a")] {
            assert!(form(pattern, example).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_setting_takes_its_choices_and_its_default_is_one() {
        let setting = |default: Option<&str>, choices: &[&str]| {
            setting(wire::Setting {
                name: "parse".into(),
                help: String::new(),
                default: default.map(str::to_owned),
                choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            })
        };
        assert!(setting(Some("on"), &["off"]).is_err());
        let any = setting(None, &[]).unwrap();
        assert!(any.takes("whatever"));
        let hearts = setting(None, &["❤", "👍"]).unwrap();
        assert!(hearts.takes("❤\u{fe0f}") && hearts.takes("👍") && !hearts.takes("👎"));
    }
}
