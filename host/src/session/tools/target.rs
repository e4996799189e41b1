//! Which chat a call is about: the one that it names, or the only one that may be answered.

use std::{collections::HashMap, sync::Arc};

use super::{Refused, ToolName, arguments::Arguments};
use crate::{
    admission::Addressee,
    event::{ChatId, ChatKind},
    hub::{Channel, Hub},
    session::contract::address,
};

/// The most chats that an error names.
const CHOICES: usize = 10;

/// The channel and the chat that a call is about.
pub(super) type Target<'a> = (&'a Arc<Channel>, ChatId);

/// The chat that a call names, or the only one that may be answered where it names none.
pub(super) fn target<'a>(hub: &'a Hub, tool: ToolName, arguments: &Arguments) -> Result<Target<'a>, Refused> {
    match arguments.optional(tool.chat_argument())? {
        Some(chat_id) => named(hub, chat_id),
        None => unnamed(hub, tool),
    }
}

/// The chat that a call need not name, as a client writes it.
pub(super) fn sole(hub: &Hub, tool: ToolName) -> Option<String> {
    match choices(hub, tool).ok()?.as_slice() {
        [(channel, addressee)] => Some(written(hub, channel, &addressee.chat)),
        _ => None,
    }
}

fn named<'a>(hub: &'a Hub, chat_id: &str) -> Result<Target<'a>, Refused> {
    match hub.channels() {
        [] => Err(Refused("no channel is loaded".to_owned())),
        [channel] => Ok((channel, ChatId::new(chat_id))),
        [first, ..] => {
            let found = chat_id
                .split_once(':')
                .and_then(|(name, chat)| Some((hub.channel(name)?, ChatId::new(chat))));
            found.ok_or_else(|| {
                let names = hub.channels().iter().map(|channel| &**channel.name()).collect::<Vec<_>>().join(", ");
                let example = address(first.name(), &ChatId::new(chat_id));
                Refused(format!("\"{chat_id}\" names no channel: pass chat_id as it came, like {example} (channels: {names})"))
            })
        }
    }
}

fn unnamed(hub: &Hub, tool: ToolName) -> Result<Target<'_>, Refused> {
    let argument = tool.chat_argument();
    let choices = choices(hub, tool)?;
    match choices.as_slice() {
        [] => Err(Refused(format!(
            "\"{argument}\" is missing, and nobody may write to this session yet, so no chat may be answered: your \
             user lets people in with `tidegate access {}`, in a terminal outside of this session",
            channels(hub, tool)
        ))),
        [(channel, addressee)] => Ok((*channel, addressee.chat.clone())),
        _ => Err(Refused(format!(
            "\"{argument}\" is missing; the chats that may be answered are: {}",
            enumerate(hub, &choices)
        ))),
    }
}

/// The chats that may be answered through the channels that offer this tool.
fn choices(hub: &Hub, tool: ToolName) -> Result<Vec<(&Arc<Channel>, Addressee)>, Refused> {
    let mut choices = Vec::new();
    for channel in hub.channels().iter().filter(|channel| tool.is_offered_by(channel)) {
        // With one channel's chats unknown, another's must not look like the only one.
        let addressees = channel.admission().addressees().map_err(|error| {
            let argument = tool.chat_argument();
            Refused(format!(
                "\"{argument}\" is missing, and the chats of {} are not known: {error}",
                channel.name()
            ))
        })?;
        choices.extend(addressees.into_iter().map(|addressee| (channel, addressee)));
    }
    Ok(choices)
}

/// `telegram`, or `NAME (NAME: fakechat, telegram)`.
fn channels(hub: &Hub, tool: ToolName) -> String {
    let offering = hub.channels().iter().filter(|channel| tool.is_offered_by(channel));
    let names: Vec<&str> = offering.map(|channel| &**channel.name()).collect();
    match names.as_slice() {
        [name] => (*name).to_owned(),
        _ => format!("NAME (NAME: {})", names.join(", ")),
    }
}

/// `42 ("Ada", direct), -100123 (group), and 7 more`. Names are quoted: a person can choose one that contains commas
/// and parentheses, but none with quotation marks.
fn enumerate(hub: &Hub, choices: &[(&Arc<Channel>, Addressee)]) -> String {
    let mut names: HashMap<&str, HashMap<ChatId, String>> = HashMap::new();
    let mut listed: Vec<String> = choices
        .iter()
        .take(CHOICES)
        .map(|(channel, addressee)| {
            // A list without names is of use as well.
            let names = names
                .entry(channel.name())
                .or_insert_with(|| channel.admission().chat_names().unwrap_or_default());
            let kind = match addressee.kind {
                ChatKind::Direct => "direct",
                ChatKind::Group => "group",
            };
            let chat = written(hub, channel, &addressee.chat);
            match names.get(&addressee.chat) {
                Some(name) => format!("{chat} (\"{name}\", {kind})"),
                None => format!("{chat} ({kind})"),
            }
        })
        .collect();
    let more = choices.len().saturating_sub(CHOICES);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join(", ")
}

/// A chat's id as a client writes it: with its channel's name where several share this server.
fn written(hub: &Hub, channel: &Channel, chat: &ChatId) -> String {
    if hub.channels().len() > 1 { address(channel.name(), chat) } else { chat.to_string() }
}
