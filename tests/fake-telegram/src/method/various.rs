//! Methods for the bot itself, chats, files, commands, webhooks.
#![expect(clippy::unnecessary_wraps, reason = "all methods are of one type")]

use serde_json::{Value, json};

use crate::{error::ApiError, people::ChatKind, request::Request, world::World};

/// The actions of `sendChatAction`.
const ACTIONS: [&str; 15] = [
    "cancel",
    "choose_sticker",
    "find_location",
    "pick_up_location",
    "record_audio",
    "record_video",
    "record_video_note",
    "record_voice",
    "typing",
    "upload_audio",
    "upload_document",
    "upload_photo",
    "upload_video",
    "upload_video_note",
    "upload_voice",
];

pub(super) fn get_me(world: &mut World, _: &Request) -> Result<Value, ApiError> {
    let mut me = world.bot.to_json();
    for (capability, has) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", false),
        ("supports_inline_queries", false),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
        ("has_topics_enabled", false),
    ] {
        me[capability] = has.into();
    }
    Ok(me)
}

pub(super) fn log_out(_: &mut World, _: &Request) -> Result<Value, ApiError> {
    Ok(true.into())
}

pub(super) fn close(_: &mut World, _: &Request) -> Result<Value, ApiError> {
    Ok(true.into())
}

pub(super) fn get_chat(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let place = world.find(&request.text("chat_id"))?;
    let mut chat = place.chat.to_json();
    chat["accent_color_id"] = 0.into();
    chat["max_reaction_count"] = 11.into();
    chat["accepted_gift_types"] = json!({
        "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false, "premium_subscription": false,
    });
    if let Some(username) = &place.chat.username {
        chat["active_usernames"] = json!([username]);
    }
    if place.chat.kind != ChatKind::Private && place.chat.kind != ChatKind::Channel {
        chat["permissions"] = json!({"can_send_messages": true});
    }
    Ok(chat)
}

pub(super) fn get_file(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    world.files.get(&request.text("file_id"))
}

pub(super) fn send_chat_action(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let action = request.text("action").to_ascii_lowercase();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad_request("wrong parameter action in request"));
    }
    world.writable(&request.text("chat_id"))?;
    Ok(true.into())
}

pub(super) fn answer_callback_query(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    if !world.queries.contains_key(&request.text("callback_query_id")) {
        return Err(ApiError::bad_request(
            "query is too old and response timeout expired or query ID is invalid",
        ));
    }
    if request.text("text").encode_utf16().count() > 200 {
        return Err(ApiError::bad_request("MESSAGE_TOO_LONG"));
    }
    Ok(true.into())
}

/// Returns the audience of commands: scope and language.
fn audience(request: &Request) -> Result<String, ApiError> {
    let scope = request
        .json("scope")
        .map_err(|()| ApiError::bad_request("can't parse BotCommandScope JSON object"))?
        .unwrap_or_else(|| json!({"type": "default"}));
    Ok(format!("{scope} {}", request.text("language_code")))
}

pub(super) fn set_my_commands(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let commands =
        request.json("commands").map_err(|()| ApiError::bad_request("can't parse commands JSON object"))?;
    let commands = commands.unwrap_or_else(|| json!([]));
    let list = commands.as_array().ok_or_else(|| ApiError::bad_request("expected an Array of BotCommand"))?;
    if list.len() > 100 {
        return Err(ApiError::bad_request("BOT_COMMANDS_TOO_MUCH"));
    }
    let mut shown = Vec::new();
    for command in list {
        let text = |name: &str| command[name].as_str().unwrap_or_default();
        let (name, description) = (text("command").trim_start_matches('/'), text("description"));
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(is_allowed) {
            return Err(ApiError::bad_request("BOT_COMMAND_INVALID"));
        }
        if description.is_empty() || description.chars().count() > 256 {
            return Err(ApiError::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
        shown.push(json!({"command": name, "description": description}));
    }
    world.commands.insert(audience(request)?, shown.into());
    Ok(true.into())
}

pub(super) fn get_my_commands(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    Ok(world.commands.get(&audience(request)?).cloned().unwrap_or_else(|| json!([])))
}

pub(super) fn delete_my_commands(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    world.commands.remove(&audience(request)?);
    Ok(true.into())
}

pub(super) fn set_webhook(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let url = request.text("url");
    if !url.is_empty() && !url.starts_with("https://") {
        return Err(ApiError::bad_request("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    world.poll.allow(request.json("allowed_updates").ok().flatten().as_ref());
    if request.flag("drop_pending_updates") {
        world.poll.queue.clear();
    }
    if !url.is_empty() {
        world.poll.end(ApiError::new(409, "Conflict: terminated by setWebhook request"));
    }
    world.poll.webhook = url;
    Ok(true.into())
}

pub(super) fn delete_webhook(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    if request.flag("drop_pending_updates") {
        world.poll.queue.clear();
    }
    world.poll.webhook.clear();
    Ok(true.into())
}

pub(super) fn get_webhook_info(world: &mut World, _: &Request) -> Result<Value, ApiError> {
    let mut info = json!({
        "url": world.poll.webhook,
        "has_custom_certificate": false,
        "pending_update_count": world.poll.queue.len(),
    });
    if let Some(kinds) = world.poll.asked() {
        info["allowed_updates"] = kinds.into();
    }
    Ok(info)
}
