//! The chat that a call is about: the one that it names, or the only one that may be answered.

use std::{collections::HashMap, sync::Arc};

use super::{Refused, ToolName, arguments::Arguments};
use crate::{
    admission::Addressee,
    event::{ChatId, ChatKind},
    hub::{Channel, Loaded, Preparing},
    session::contract::address,
};

/// The most chats that an error names.
const CHOICES: usize = 10;

/// The channel and the chat that a call is about.
pub(super) type Target<'a> = (&'a Arc<Channel>, ChatId);

/// Returns the chat that a call names. If the call names none, returns the only chat that may be answered.
pub(super) async fn target<'a>(
    loaded: &'a Loaded,
    tool: ToolName,
    arguments: &Arguments,
) -> Result<Target<'a>, Refused> {
    match arguments.optional(tool.chat_argument())? {
        Some(chat_id) => named(loaded, chat_id),
        None => unnamed(loaded, tool).await,
    }
}

/// Returns the channels that a call can be about: the one that it names, or all that offer the tool.
pub(super) fn candidates<'a>(
    loaded: &'a Loaded,
    tool: ToolName,
    arguments: &Arguments,
) -> Vec<&'a Arc<Channel>> {
    let chat = arguments.optional(tool.chat_argument()).ok().flatten().filter(|_| loaded.several());
    match chat.and_then(|chat| loaded.channel(chat.split_once(':')?.0)) {
        Some(channel) => vec![channel],
        None => loaded.channels().iter().filter(|channel| tool.is_offered_by(channel)).collect(),
    }
}

/// Returns the id of the chat that a call need not name, as a client writes it.
pub(super) async fn sole(loaded: &Loaded, tool: ToolName) -> Option<String> {
    match choices(loaded, tool).await.ok()?.as_slice() {
        [(channel, addressee)] => Some(written(loaded, channel, &addressee.chat)),
        _ => None,
    }
}

fn named<'a>(loaded: &'a Loaded, chat_id: &str) -> Result<Target<'a>, Refused> {
    match loaded.channels() {
        [] => Err(unprepared(loaded).unwrap_or_else(|| Refused("no channel is loaded".to_owned()))),
        [channel] if !loaded.several() => Ok((channel, ChatId::new(chat_id))),
        [first, ..] => {
            let found = chat_id
                .split_once(':')
                .and_then(|(name, chat)| Some((loaded.channel(name)?, ChatId::new(chat))));
            found.ok_or_else(|| {
                if let Some(refused) = unprepared(loaded) {
                    return refused;
                }
                let names = loaded.channels().iter().map(|channel| &**channel.name()).collect::<Vec<_>>().join(", ");
                let example = address(first.name(), &ChatId::new(chat_id));
                Refused(format!("\"{chat_id}\" names no channel: pass chat_id as it came, like {example} (channels: {names})"))
            })
        }
    }
}

/// Returns the error for a call while a channel that it may mean is being prepared.
fn unprepared(loaded: &Loaded) -> Option<Refused> {
    let Preparing { label, since } = loaded.preparing().first()?;
    Some(Refused(format!(
        "the channel {label} is being prepared (its component is compiled once, for {} s so far): try again in some \
         seconds",
        since.elapsed().as_secs()
    )))
}

async fn unnamed(loaded: &Loaded, tool: ToolName) -> Result<Target<'_>, Refused> {
    let argument = tool.chat_argument();
    // While the chats of one channel are unknown, a chat of another channel must not look like the only one.
    if let Some(refused) = unprepared(loaded) {
        return Err(refused);
    }
    let choices = choices(loaded, tool).await?;
    match choices.as_slice() {
        [] => Err(Refused(format!(
            "\"{argument}\" is missing, and nobody may write to this session yet, so no chat may be answered: your \
             user lets people in with `tidegate access {}`, in a terminal outside of this session",
            channels(loaded, tool)
        ))),
        [(channel, addressee)] => Ok((*channel, addressee.chat.clone())),
        _ => Err(Refused(format!(
            "\"{argument}\" is missing; the chats that may be answered are: {}",
            enumerate(loaded, &choices)
        ))),
    }
}

/// Returns the chats that may be answered through the channels that offer this tool.
async fn choices(loaded: &Loaded, tool: ToolName) -> Result<Vec<(&Arc<Channel>, Addressee)>, Refused> {
    let mut choices = Vec::new();
    for channel in loaded.channels().iter().filter(|channel| tool.is_offered_by(channel)) {
        // While the chats of one channel are unknown, a chat of another channel must not look like the only one.
        let addressees = channel.admission().addressees().await.map_err(|error| {
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

/// Returns the channel's name for a command: `telegram`, or `NAME (NAME: fakechat, telegram)`.
fn channels(loaded: &Loaded, tool: ToolName) -> String {
    let offering = loaded.channels().iter().filter(|channel| tool.is_offered_by(channel));
    let names: Vec<&str> = offering.map(|channel| &**channel.name()).collect();
    match names.as_slice() {
        [name] => (*name).to_owned(),
        _ => format!("NAME (NAME: {})", names.join(", ")),
    }
}

/// Lists chats, such as `42 ("Ada", direct), -100123 (group), and 7 more`. Names are quoted: a person can choose a name
/// that contains commas and parentheses, but none that contains quotation marks.
fn enumerate(loaded: &Loaded, choices: &[(&Arc<Channel>, Addressee)]) -> String {
    let mut names: HashMap<&str, HashMap<ChatId, String>> = HashMap::new();
    let mut listed: Vec<String> = choices
        .iter()
        .take(CHOICES)
        .map(|(channel, addressee)| {
            // A list without names is useful as well.
            let names = names
                .entry(channel.name())
                .or_insert_with(|| channel.admission().chat_names().unwrap_or_default());
            let kind = match addressee.kind {
                ChatKind::Direct => "direct",
                ChatKind::Group => "group",
            };
            let chat = written(loaded, channel, &addressee.chat);
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

/// Returns a chat's id as a client writes it: with its channel's name where several channels share this server.
fn written(loaded: &Loaded, channel: &Channel, chat: &ChatId) -> String {
    if loaded.several() { address(channel.name(), chat) } else { chat.to_string() }
}
