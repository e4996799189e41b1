//! The methods and their results. `getUpdates` is in another module, because it waits.

mod edit;
mod keyboard;
mod outgoing;
mod send;
mod various;

use serde_json::Value;

use crate::{error::ApiError, request::Request, world::World};

type Method = fn(&mut World, &Request) -> Result<Value, ApiError>;

/// The only method that waits.
pub(crate) const GET_UPDATES: &str = "getUpdates";

const METHODS: [(&str, Method); 29] = [
    ("answerCallbackQuery", various::answer_callback_query),
    ("close", various::close),
    ("deleteMessage", edit::delete_message),
    ("deleteMessages", edit::delete_messages),
    ("deleteMyCommands", various::delete_my_commands),
    ("deleteWebhook", various::delete_webhook),
    ("editMessageCaption", edit::edit_message_caption),
    ("editMessageReplyMarkup", edit::edit_message_reply_markup),
    ("editMessageText", edit::edit_message_text),
    ("getChat", various::get_chat),
    ("getFile", various::get_file),
    ("getMe", various::get_me),
    ("getMyCommands", various::get_my_commands),
    ("getWebhookInfo", various::get_webhook_info),
    ("logOut", various::log_out),
    ("sendAnimation", send::send_animation),
    ("sendAudio", send::send_audio),
    ("sendChatAction", various::send_chat_action),
    ("sendDocument", send::send_document),
    ("sendMediaGroup", send::send_media_group),
    ("sendMessage", send::send_message),
    ("sendPhoto", send::send_photo),
    ("sendSticker", send::send_sticker),
    ("sendVideo", send::send_video),
    ("sendVideoNote", send::send_video_note),
    ("sendVoice", send::send_voice),
    ("setMessageReaction", edit::set_message_reaction),
    ("setMyCommands", various::set_my_commands),
    ("setWebhook", various::set_webhook),
];

/// Returns the documented spelling of a method's name: bots may use any case.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    METHODS
        .iter()
        .map(|(known, _)| *known)
        .chain([GET_UPDATES])
        .find(|known| known.eq_ignore_ascii_case(name))
}

/// Carries out a call.
pub(crate) fn call(world: &mut World, method: &str, request: &Request) -> Result<Value, ApiError> {
    let (_, method) = METHODS
        .iter()
        .find(|(known, _)| *known == method)
        .ok_or_else(|| ApiError::new(404, "Not Found: method not found"))?;
    method(world, request)
}
