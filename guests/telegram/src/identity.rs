//! The bot's identity: requested once, stored for the translator. Also sets the bot's menu of commands.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_guest::{Fault, Identity, environment, log, state};

use crate::{
    api::{self, Request},
    settings,
    update::Bot,
};

/// The state's key for [`Known`].
const BOT: &str = "bot";
/// The state's key for the commands that were set, and the bot they were set for.
const COMMANDS: &str = "commands";
/// The version of [`MENU`]: change it together with the menu.
const MENU_VERSION: u32 = 1;
/// The commands that the host answers, in a direct chat.
const MENU: [(&str, &str); 3] = [
    ("start", "Ask to be let in"),
    ("help", "What one can do here"),
    ("status", "May I write here, and is anybody listening?"),
];

/// Describes privacy mode, which is on by default.
const PRIVACY: &str = "privacy mode is on: in groups the bot gets only commands, replies to it and what mentions it. To have \
    it hear all of a group's messages, send @BotFather /setprivacy, or make it an admin there, and add it to the group anew";

/// The stored identity of the bot.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    id: i64,
    /// Without the @.
    username: String,
}

/// The result of `getMe`.
#[derive(Debug, PartialEq)]
struct Me {
    known: Known,
    name: String,
    /// Whether privacy mode is off: the bot then gets all messages of its groups.
    reads_groups: Option<bool>,
}

/// Asks Telegram for the bot's identity, and sets the menu if the bot was already known.
pub(crate) fn identify() -> Result<Identity, Fault> {
    let me = api::call(&Request::json("getMe", &Nothing {}), me)?;
    let known = known();
    if known != me.known {
        remember(BOT, &serde_json::to_vec(&me.known).unwrap_or_default());
    }
    // Not for a bot that is new here: the host waits for its identity.
    if known == me.known {
        offer_menu(me.known.id);
    }
    Ok(me.identity())
}

/// Returns the bot as the last [`identify`] stored it. Before that the bot is unknown, and no message addresses it.
pub(crate) fn bot() -> Bot {
    let known = known();
    Bot { id: known.id, username: known.username, reactions: settings::reactions(environment::setting) }
}

fn known() -> Known {
    state::get(BOT).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Sets the commands, once for each bot. A failure has little effect: people can still type the commands.
fn offer_menu(bot: i64) {
    let mark = format!("{MENU_VERSION}:{bot}");
    if state::get(COMMANDS).is_some_and(|found| found == mark.as_bytes()) {
        return;
    }
    match api::command(&menu()) {
        Ok(()) => remember(COMMANDS, mark.as_bytes()),
        Err(error) => {
            let fault = Fault::from(error);
            log::write(log::Level::Info, &format!("the bot's commands are not set: {fault:?}"));
        }
    }
}

fn remember(key: &str, value: &[u8]) {
    if let Err(reason) = state::set(key, value) {
        log::write(log::Level::Warn, &format!("the value {key} cannot be kept: {reason}"));
    }
}

#[derive(Serialize)]
struct Nothing {}

fn menu() -> Request {
    #[derive(Serialize)]
    struct SetMyCommands {
        commands: Vec<Command>,
        scope: Scope,
    }
    #[derive(Serialize)]
    struct Command {
        command: &'static str,
        description: &'static str,
    }
    #[derive(Serialize)]
    struct Scope {
        r#type: &'static str,
    }
    let commands = MENU.map(|(command, description)| Command { command, description }).into();
    let scope = Scope { r#type: "all_private_chats" };
    Request::json("setMyCommands", &SetMyCommands { commands, scope })
}

fn me(result: &RawValue) -> Option<Me> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct User<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        username: Option<&'a RawValue>,
        #[serde(borrow)]
        first_name: Option<&'a RawValue>,
        #[serde(borrow)]
        can_read_all_group_messages: Option<&'a RawValue>,
    }
    let user: User = api::parse(Some(result))?;
    let id = api::parse(user.id)?;
    Some(Me {
        known: Known { id, username: api::parse(user.username).unwrap_or_default() },
        name: api::parse(user.first_name).unwrap_or_default(),
        reads_groups: api::parse(user.can_read_all_group_messages),
    })
}

impl Me {
    fn identity(self) -> Identity {
        let Self { known: Known { id, username }, name, reads_groups } = self;
        let notes: Vec<String> =
            (reads_groups == Some(false)).then(|| PRIVACY.to_owned()).into_iter().collect();
        if username.is_empty() {
            return Identity { id: id.to_string(), name, link: None, notes };
        }
        Identity {
            notes,
            id: id.to_string(),
            link: Some(format!("https://t.me/{username}")),
            name: format!("@{username}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Me> {
        me(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn a_bot_is_known_by_its_number_and_called_by_its_name() {
        let me = read(
            r#"{"id":9007199254740993,"is_bot":true,"first_name":"Tide","username":"tide_bot","can_read_all_group_messages":false}"#,
        );
        let me = me.unwrap();
        assert_eq!(me.known, Known { id: 9_007_199_254_740_993, username: "tide_bot".into() });
        assert_eq!(me.reads_groups, Some(false));
        let identity = me.identity();
        assert_eq!(identity.id, "9007199254740993");
        assert_eq!(identity.name, "@tide_bot");
        assert_eq!(identity.link.as_deref(), Some("https://t.me/tide_bot"));
        assert!(identity.notes[0].contains("/setprivacy"), "{:?}", identity.notes);
    }

    #[test]
    fn only_the_number_is_needed() {
        let identity = read(r#"{"id":7,"username":null,"first_name":"Tide"}"#).unwrap().identity();
        assert_eq!((identity.name.as_str(), identity.link), ("Tide", None));
        assert_eq!(read(r#"{"id":7,"username":[],"first_name":{}}"#).unwrap().identity().id, "7");
        for text in ["{}", "true", r#"{"id":"7"}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_remembered_reads_back() {
        let known = Known { id: -1, username: "a".into() };
        let bytes = serde_json::to_vec(&known).unwrap();
        assert_eq!(serde_json::from_slice::<Known>(&bytes).unwrap(), known);
        assert_eq!(serde_json::from_slice::<Known>(b"{}").unwrap(), Known::default());
    }

    #[test]
    fn the_menu_is_for_direct_chats() {
        let menu = menu().parameters();
        assert_eq!(menu["scope"]["type"], "all_private_chats");
        assert_eq!(menu["commands"][2]["command"], "status");
    }
}
